/* The plan: playbook × stack → a graph of idempotent actions. Pure.
 *
 * This one object is what `recover --plan` prints, what the run executes, what the journal stores
 * and what the story afterwards is told on. Its id is a hash of its content, so the same stack in
 * the same state gives the same id.
 *
 * Edges mean "after", not "only if": an action starts when every action it stands behind is
 * settled (done, failed or skipped). What a failure changes is decided by the run, not by the
 * graph (runner.h), so that whatever was stopped is always started again.
 *
 * May use: base, docker/stack.h (the model only).
 */
#ifndef PLAYBOOKS_PLAN_H
#define PLAYBOOKS_PLAN_H

#include "docker/stack.h"
#include "playbooks/playbook.h"

enum action_kind {
    ACTION_CAPTURE,
    ACTION_STOP,
    ACTION_START,
    ACTION_CLEAN,
    ACTION_CHECKPOINT,
    ACTION_WAIT_READY,
    ACTION_WAIT_HEALTHY,
    ACTION_VERIFY,
    ACTION_PAUSE_POOL,
    ACTION_RESUME_POOL,
    ACTION_BLOCK,
    ACTION_UNBLOCK,
    ACTION_KINDS
};

struct action {
    char *id; /* "stop:shop_worker_1", "clean"; a second one of the same name is "clean#2" */
    enum action_kind kind;
    char *service;   /* NULL when it is about no container */
    char *container; /* name */
    char *container_id;
    bool database; /* the container is the database's */
    size_t *after; /* indices of the actions it stands behind */
    size_t after_count;
    int64_t timeout_ms;
    int grace_s;             /* stop */
    char *signal;            /* stop: sent in place of the container's own; or NULL */
    bool goes_on;            /* a failure does not turn the run */
    const struct step *step; /* borrowed from `playbook`, which the plan holds */
};

struct plan_skip {
    char *container;
    char *reason; /* "started with --rm: it would vanish when stopped" */
};

struct plan {
    int references;
    char id[20];
    char *project;
    struct playbook *playbook;
    struct action *actions; /* in an order that respects the edges */
    size_t action_count;
    struct plan_skip *skipped; /* containers of the stack that it leaves alone, and why */
    size_t skip_count;
    char **notes;
    size_t note_count;
    int64_t worst_case_ms; /* the longest path over the timeouts */
};

/* ERR_REFUSED when the playbook cannot be run on this stack (with the reason); ERR_INVALID when it,
 * or the selection of its run, names what the stack does not have, or when nobody is selected. The
 * caller owns one reference. */
int plan_make(struct playbook *playbook, const struct stack *stack, struct plan **ret,
              struct err *e);

/* ERR_INVALID, with what may be meant, when a run's options name a container or a service that the
 * stack does not have. For whoever asks: to a step of a playbook nobody would say so, since what it
 * names may be down for a while. */
int plan_check_names(const json_t *options, const struct stack *stack, struct err *e);

struct plan *plan_ref(struct plan *plan);
struct plan *plan_unref(struct plan *plan); /* accepts NULL; returns NULL */

/* {"id":…,"playbook":…,"project":…,"worst_case_ms":…,"actions":[{"id":…,"kind":…,"service":…,
 *  "container":…,"container_id":…,"after":[ids],"timeout_ms":…,"text":…}],"skipped":[…],
 *  "notes":[…],"steps":…}; the caller owns it. */
json_t *plan_json(const struct plan *plan);

/* A stored plan back from its JSON (its playbook comes with it). ERR_PROTOCOL. */
int plan_parse(const json_t *json, struct plan **ret, struct err *e);

/* Whether it stops anything or holds anybody off: what is seen meanwhile is its own doing then. */
bool plan_is_disruptive(const struct plan *plan);

/* One sentence for a person: "stop worker (shop_worker_1), 10s to end". The caller frees it. */
char *action_text(const struct action *action);

const char *action_kind_name(enum action_kind kind);

#endif
