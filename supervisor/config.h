/* The configuration: one YAML file, read whole, all errors at once, or nothing at all.
 *
 * With no file the defaults find the compose project that has a PostgreSQL. Reading touches no
 * engine; what a file says of services is held against the real stack by stack_build() and
 * plan_make() later, and by config_hold_against_stack() for who asks whether it is right.
 * docs/configuration.md is the reference.
 *
 * May use: base, docker/stack.h, playbooks/playbook.h, policies/policy.h,
 * watch/checks.h, watch/patterns.h, notify/notify_config.h.
 */
#ifndef SUPERVISOR_CONFIG_H
#define SUPERVISOR_CONFIG_H

#include "docker/stack.h"
#include "notify/notify_config.h"
#include "playbooks/playbook.h"
#include "policies/policy.h"
#include "watch/checks.h"
#include "watch/patterns.h"

struct config {
    char *path;             /* the file, or NULL: defaults only */
    bool is_unwritten;      /* nobody wrote a word of it: no file, or an empty one */
    char *stack;            /* compose project; NULL: find it */
    char *docker_host;      /* NULL: by flag, environment, default */
    char *database_service; /* NULL: find it */
    char *database_connect; /* libpq's; NULL: from the container */
    char *database_passfile;
    char *pooler_connect; /* of PgBouncer's console, likewise */
    char *pooler_passfile;
    char *socket_group;  /* NULL: the process's own */
    char *read_group;    /* of the second socket, which only answers; NULL: there is none */
    char *status_listen; /* a loopback address and port for page and metrics; NULL: none */
    char *alerts_listen; /* likewise for alerts; NULL: they come by the socket only */
    char *alerts_token_file;
    struct stack_override *overrides;
    size_t override_count;
    struct playbook_set *playbooks; /* built-in and the user's own */
    struct policy_set *policies;    /* likewise */
    enum policy_mode mode;          /* no policy does more */
    struct budget recoveries;       /* disruptive runs over all policies */
    struct {
        int64_t calm_ms, pressed_ms; /* between two looks at the database */
        int64_t timeout_ms;          /* of one look */
    } watch;
    struct checks *checks;        /* of one's own; NULL: none */
    struct notify_config *notify; /* who is told; NULL: nobody */
    struct patterns *patterns; /* looked for in the containers' logs: shipped and the user's own */
};

/* path NULL: WIRE_CONFIG_DEFAULT if it exists, else defaults. On errors returns a negative code,
 * with `diags` holding them all (a file that cannot be read is one of them). `diags` is
 * initialised here; the caller frees it in every case. */
int config_load(const char *path, struct config **ret, struct diag_list *diags);

/* Likewise, in place of one that is in force. What nobody wrote is refused where somebody's words
 * would go for it: an empty file (a full disk, an editor at work), or none at the default path. Who
 * means the defaults writes {}. */
int config_load_anew(const char *path, const struct config *in_force, struct config **ret,
                     struct diag_list *diags);

/* What a file with errors still says of how the Engine and the database are reached, and for the
 * rest the defaults: enough to carry on what was begun by a better one. */
struct config *config_remains(const char *path);

/* config_load from a text; `name` is for the messages. */
int config_parse(const char *name, const char *text, size_t len, struct config **ret,
                 struct diag_list *diags);

/* Holds what the configuration's file says of services against those of the stack that it means, as
 * the Engine has it now; blocks until it has answered, ten seconds at most. What is wrong is in
 * `diags` with its place, all of it at once; 0 when nothing is. What may be wrong is in `warnings`:
 * a name that nobody bears, where who bears it may be down for a while. *ret_project is the stack's
 * name, or NULL when it could not be looked at: *e says why. Both lists are initialised here; the
 * caller frees them and the name in every case. */
int config_hold_against_stack(const struct config *config, const char *docker_host,
                              char **ret_project, struct diag_list *diags,
                              struct diag_list *warnings, struct err *e);

struct config *config_free(struct config *config); /* accepts NULL; returns NULL */

/* Does a playbook stop or restart anything? Of one that is not known the worst is thought. */
bool config_disrupts(const struct config *config, const char *playbook);

/* A commented file with every setting at its default and the built-in playbooks as they are:
 * what `supervisorctl init` prints. It loads without a change. The caller frees it. */
char *config_sample(void);

#endif
