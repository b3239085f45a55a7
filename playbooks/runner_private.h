/* The runner as its files share it: runner.c keeps the one run, its watcher and its followers;
 * opening.c leads from a request to a run; planning.c makes plans, to be shown or to be run.
 * Private to playbooks/. */
#ifndef PLAYBOOKS_RUNNER_PRIVATE_H
#define PLAYBOOKS_RUNNER_PRIVATE_H

#include "playbooks/followers.h"
#include "playbooks/run_private.h"

enum { STACK_LOAD_MS = 15000 };

struct planning; /* planning.c */
struct opening;  /* opening.c */

struct runner {
    struct loop *loop;
    struct docker *docker;
    struct reach *reach;
    struct journal *journal;
    struct holders_cache *holders;
    const struct playbook_set *playbooks;
    const struct stack_selector *selector;
    struct opening *opening;
    struct planning *plannings; /* plans that are asked for: each its own */
    struct run *run;
    struct run *left; /* of an earlier life, and not carried on as yet; or NULL */
    struct followers *followers;
    bool telling_later;     /* a new follower is about to be told what there is */
    bool resuming;          /* the journal is asked for an unfinished run */
    bool leaves_alone;      /* what is found is carried on only when somebody asks for it */
    bool has_begun;         /* a run of this life, whatever became of it */
    bool draining;          /* for good: nothing is started any more */
    const char *lock_scope; /* of the lock of stacks; NULL: none is taken */
    int64_t lock_patience_ms;
    int lock_fd;              /* held while a run is at work; -1: not held */
    struct timer *lock_again; /* a run of an earlier life waits for it … */
    int64_t lock_until_ms;    /* … until then */
    const struct runner_watcher *watcher;
    void *watcher_data;
    loop_fn on_drained;
    void *on_drained_data;
    runner_resume_fn on_resumed;
    void *on_resumed_data;
};

/* runner.c: begins the run that is set up, and tells of it. */
void runner__begin(struct runner *runner);

/* runner_lock.c: keeps other supervisors off the stack until the run is gone. ERR_CONFLICT when one
 * is at work on it; where no lock is to be had, that is in the log and no failure. */
int runner__lock(struct runner *runner, const struct stack *stack, struct err *e);
/* The same for the run of an earlier life that has just begun again: it is held until it may go on.
 */
void runner__lock_resumed(struct runner *runner);
void runner__lock_give_up(struct runner *runner); /* it is not waited for any more, if it was */
void runner__unlock(struct runner *runner);

/* planning.c: the playbook of a request with its options in place; the caller owns a reference. */
struct playbook *runner__find_playbook(const struct runner *runner, const char *name,
                                       const json_t *options, struct err *e);
/* The plan for a stack that was loaded; the database is aimed at on the way (runner_aim), as the
 * plan's actions will need it. */
int runner__make_plan(struct runner *runner, const char *playbook, const json_t *options,
                      struct stack *stack, struct plan **ret, struct err *e);
int runner__refuse_stopping(struct err *e);
void runner__abandon_plannings(
    struct runner *runner); /* the runner goes; they answer by themselves */

/* opening.c: what becomes of the request that waited. */
bool opening_is_behind(const struct opening *opening); /* a run that has ended, and was not gone */
void opening_load(struct opening *opening);            /* it is its turn */
void opening_meets_run(struct opening *opening); /* one of an earlier life: joins it, or refused */

#endif
