/* The configuration: one YAML file, read whole, all errors at once, or nothing at all.
 *
 * With no file the defaults find the compose project that has a PostgreSQL. Reading touches no
 * engine; what a file says of services is held against the real stack by stack_build() and
 * plan_make() later. docs/configuration.md is the reference.
 *
 * May use: base, docker/stack.h, playbooks/playbook.h.
 */
#ifndef SUPERVISOR_CONFIG_H
#define SUPERVISOR_CONFIG_H

#include "docker/stack.h"
#include "playbooks/playbook.h"

struct config {
    char *path;             /* the file, or NULL: defaults only */
    char *stack;            /* compose project; NULL: find it */
    char *docker_host;      /* NULL: by flag, environment, default */
    char *database_service; /* NULL: find it */
    char *database_connect; /* libpq's; NULL: from the container */
    char *database_passfile;
    char *socket_group; /* NULL: the process's own */
    struct stack_override *overrides;
    size_t override_count;
    struct playbook_set *playbooks; /* built-in and the user's own */
};

/* path NULL: WIRE_CONFIG_DEFAULT if it exists, else defaults. On errors returns a negative code,
 * with `diags` holding them all (a file that cannot be read is one of them). `diags` is
 * initialised here; the caller frees it in every case. */
int config_load(const char *path, struct config **ret, struct diag_list *diags);

/* The same from a text; `name` is for the messages. */
int config_parse(const char *name, const char *text, size_t len, struct config **ret,
                 struct diag_list *diags);

struct config *config_free(struct config *config); /* accepts NULL; returns NULL */

/* A commented file with every setting at its default and the built-in playbooks as they are:
 * what `supervisorctl init` prints. It loads without a change. The caller frees it. */
char *config_sample(void);

#endif
