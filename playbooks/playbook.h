/* Playbooks: what to do, as people write it, before it meets a stack.
 *
 * A playbook is a list of steps in YAML. The built-in ones are files in playbooks/builtin/,
 * embedded when building and read by the very loader that reads a user's. docs/playbooks.md shows
 * every step and its settings.
 *
 * May use: base. Pure: reading text, no file and no socket.
 */
#ifndef PLAYBOOKS_PLAYBOOK_H
#define PLAYBOOKS_PLAYBOOK_H

#include "base/err.h"
#include "base/json.h"
#include "base/yaml.h"

enum step_kind {
    STEP_CAPTURE,    /* evidence: who holds what, last log lines */
    STEP_STOP,       /* against the dependency order */
    STEP_START,      /* along it, waiting as the dependencies say */
    STEP_RESTART,    /* stop and start */
    STEP_CLEAN,      /* end leaked sessions */
    STEP_CHECKPOINT, /* so that the shutdown is short */
    STEP_WAIT,       /* database ready | services healthy */
    STEP_VERIFY,     /* did it help? */
    STEP_PAUSE,      /* the pooler: its clients wait */
    STEP_RESUME,     /* and go on */
    STEP_BLOCK,      /* no new logins of the apps' roles */
    STEP_UNBLOCK,    /* as many as before */
    STEP_KINDS
};

/* WHO_SELECTED: whom the run's options name, container by container. */
enum who { WHO_NONE, WHO_APPS, WHO_DATABASE, WHO_ALL, WHO_SELECTED, WHO_SERVICES };

/* On which stacks a step is done at all. */
enum when { WHEN_ALWAYS, WHEN_POOLER, WHEN_NO_POOLER };

struct step {
    enum step_kind kind;
    int line, column; /* of the step in its file */
    enum who who;
    char **services;                      /* of WHO_SERVICES, */
    int *service_lines, *service_columns; /* each with its place, for "no such service" */
    size_t service_count;
    int64_t timeout_ms; /* 0: by kind and stack */
    int64_t grace_ms;   /* stop, restart: time to end cleanly; < 0: the container's own */
    bool goes_on;       /* a failure is noted and the run goes on (on_failure: continue) */
    enum when when;
    /* start, restart: a container is started when so many slots of the database are free; < 0: not
     * asked for */
    double gate_share; /* of the usable ones, 0 … 1 */
    int gate_slots;
    /* clean */
    int64_t idle_ms, idle_in_transaction_ms;                                       /* < 0: never */
    char **applications, **roles, **databases, **clients, **containers, **protect; /* or NULL */
    bool superusers, all_sessions;
    /* verify */
    double utilization_below; /* 0 … 1; < 0: not asked for */
    bool services_healthy;
    bool selected_healthy; /* only of those that the run's options name */
    int64_t hold_ms;       /* how long it must stay so */
};

struct playbook {
    int references;
    char *name;
    char *description;
    struct step *steps;
    size_t step_count;
    /* Whom WHO_SELECTED means, NULL-terminated, or NULL: containers (or services) by name, and
     * services. Mostly put there by playbook_with_options(). */
    char **selected_containers, **selected_services;
    json_t *source; /* as it was read, in the form that playbook_read_json takes */
};

/* From a node: a list of steps, or {description: …, selected: …, steps: […]}. NULL when there were
 * errors, all of which are in diags. The caller owns one reference. */
struct playbook *playbook_read(const char *name, const struct yaml_node *node,
                               struct diag_list *diags);
/* The same from JSON: a playbook's `source` out of the journal. */
struct playbook *playbook_read_json(const char *name, const json_t *source,
                                    struct diag_list *diags);

/* A copy with a run's options in place:
 *  - `containers` and `services` (a list of names, or a text with commas) say whom the `selected`
 *    steps mean; in a playbook that has none they go to its clean steps, unless it stops or starts
 *    anybody: that would be others, too, and is refused;
 *  - the other keys are a clean step's own ({"idle":"10s",…}) and are laid over the settings of
 *    each clean step, key by key; an age takes back `all`, and `all` the ages.
 * NULL with `e` set to ERR_INVALID when the options are wrong, or when no step takes them. */
struct playbook *playbook_with_options(const struct playbook *playbook, const json_t *options,
                                       struct err *e);

/* The names that the options have under `key`, an array that the caller owns; NULL with `e` set to
 * ERR_INVALID when they are something else. */
json_t *playbook_option_names(const json_t *options, const char *key, struct err *e);

/* Whether a step means whom the options name. */
bool playbook_selects(const struct playbook *playbook);

/* Whether it stops anything, restarts it or holds its clients off. */
bool playbook_is_disruptive(const struct playbook *playbook);

struct playbook *playbook_ref(struct playbook *playbook);
struct playbook *playbook_unref(struct playbook *playbook); /* accepts NULL; returns NULL */

/* The built-in ones: name and YAML text of each, in the order of the file names; false past the
 * last. */
bool playbook_builtin(size_t index, const char **ret_name, const char **ret_text);

/* A set of playbooks by name: the built-in ones, under a user's own of the same name. */
struct playbook_set;
struct playbook_set *playbook_set_new(void);   /* with the built-in ones */
struct playbook_set *playbook_set_empty(void); /* without */
struct playbook_set *playbook_set_free(struct playbook_set *set);
void playbook_set_put(struct playbook_set *set, struct playbook *playbook); /* takes a reference */
struct playbook *playbook_set_find(const struct playbook_set *set, const char *name); /* borrowed */
json_t *playbook_set_json(const struct playbook_set *set); /* [{"name":…,"description":…}] */
/* The name that is nearest to `typed`, if near enough to be meant, or NULL; borrowed. */
const char *playbook_set_nearest(const struct playbook_set *set, const char *typed);

const char *step_kind_name(enum step_kind kind);

#endif
