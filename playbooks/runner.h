/* Running playbooks: one run at a time, from the request to the end of its story.
 *
 * The life of a run
 *
 *   asked ──► loading ──► planned ──► running ──► settling ──► ended
 *               stack       journal     actions     what ran     story, summary
 *               is read     has it      by the      before runs
 *                                       graph       again?
 *
 *  - Single flight: a request for the playbook that is running joins that run; for another one it
 *    is refused.
 *  - An action starts when all it stands behind is settled. Its intent is in the journal before,
 *    its result after.
 *  - A failure of an action that may not fail, an abort, and a run found to be older than an hour
 *    at a start turn the run: it **winds up**. From then on only what is owed is done (starts, and
 *    the waits that keep their order); the rest is skipped, waits for anything else are given up,
 *    and a stop that is under way is let end.
 *  - Settling looks at the real world: every container that the run stopped must be up. One that
 *    is not is started once more; if that fails too it is named in `left_stopped`.
 *  - One run a stack, too, whatever supervisor it is of (stack_lock.h): a request beside another's
 *    run is refused with ERR_CONFLICT.
 *  - When the daemon ends, or dies, in the middle, the next life carries the run on: an action
 *    with a result stands, one without is done again (every kind of action may be repeated).
 *
 * May use: base, docker, postgres, holders, and the rest of playbooks/.
 */
#ifndef PLAYBOOKS_RUNNER_H
#define PLAYBOOKS_RUNNER_H

#include "docker/stack.h"
#include "holders/holders.h"
#include "playbooks/journal.h"
#include "playbooks/plan.h"
#include "playbooks/reach.h"

struct runner;

#define RUNNER_LOCK_SCOPE "stack-supervisor"

struct runner_options {
    struct loop *loop;
    struct docker *docker;
    struct reach *reach;
    struct journal *journal;
    struct holders_cache *holders;
    const char *lock_scope; /* stack_lock.h; NULL: nobody else is at work on its stacks */
    /* Of an earlier life's run with another supervisor's; 0: two minutes. */
    int64_t lock_patience_ms;
};

struct runner *runner_new(const struct runner_options *options);

/* Only when nothing is under way: after runner_drain, or when no run was started. Accepts NULL;
 * returns NULL. */
struct runner *runner_free(struct runner *runner);

/* What to run and on what; both are borrowed until the next call. A run keeps the plan it has. */
void runner_configure(struct runner *runner, const struct playbook_set *playbooks,
                      const struct stack_selector *selector);

/* --- asking ----------------------------------------------------------------------------------- */

struct run_request {
    const char *playbook;
    const char *plan_id;   /* run exactly this plan, or refuse; NULL: whatever the plan is now */
    const json_t *options; /* settings for its clean steps; NULL: its own */
    const char *trigger;   /* "command", "signal" … */
    const char *requester; /* "uid 0 (root), pid 4711" */
    bool may_miss; /* names that the stack lacks are no error: a policy asks, nobody has mistyped */
};

/* The plan as it would be run now. */
typedef void (*runner_plan_fn)(void *data, const struct err *e, const struct plan *plan);
void runner_plan(struct runner *runner, const char *playbook, const json_t *options,
                 runner_plan_fn done, void *data);

/* Starts a run, or joins the one there is. done comes when the run has its id and its plan is in
 * the journal. ERR_REFUSED: another playbook is running, or the plan has changed. */
typedef void (*runner_start_fn)(void *data, const struct err *e, int64_t run, bool joined,
                                const struct plan *plan);
void runner_start(struct runner *runner, const struct run_request *request, runner_start_fn done,
                  void *data);

/* ERR_NOT_FOUND when that run is not under way. */
int runner_abort(struct runner *runner, int64_t run, const char *requester, struct err *e);

/* --- watching --------------------------------------------------------------------------------- */

/* The summary of the run that is under way (control API: "run summary"), or of the one that was
 * left ("interrupted"), or NULL. The caller owns it. */
json_t *runner_summary(const struct runner *runner);
int64_t runner_present(const struct runner *runner); /* its id; 0: none */

/* Follows the run that is under way from its first entry; handles and entries as in
 * control/control.h. ERR_NOT_FOUND when it is not that run. */
typedef void (*runner_entry_fn)(void *data, const json_t *entry, bool last);
uint64_t runner_follow(struct runner *runner, int64_t run, runner_entry_fn on_entry, void *data,
                       struct err *e);
void runner_unfollow(struct runner *runner, uint64_t handle);

/* How a run ended. */
struct run_end {
    int64_t run;
    const char *state; /* its last word: "succeeded", "failed", "aborted" */
    const char *text;  /* the outcome in a sentence */
    const char *playbook, *project, *trigger, *requester;
    const json_t *left_stopped; /* texts: "shop_web_1 (exited, exit code 1)" */
    bool resumed;
};

/* Told of every run, whoever asked for it: when it is in the journal (began; a run carried on from
 * an earlier life too), and after it has ended. The watcher is borrowed; the end is, for the call.
 */
struct runner_watcher {
    void (*began)(void *data, int64_t run, const struct plan *plan, const char *trigger);
    void (*ended)(void *data, const struct run_end *end);
};
void runner_watch(struct runner *runner, const struct runner_watcher *watcher, void *data);

/* The database is aimed at by its container as it is now (reach_aim), but not under a run: what
 * that asks of the database must not be taken from under it. A run aims itself; when it is over the
 * stack is to be looked at anew. */
int runner_aim(struct runner *runner, const struct container *database, struct err *e);

/* A run is at work that may stop, start or restart this container (by name). */
bool runner_works_on(const struct runner *runner, const char *container);

/* --- the world -------------------------------------------------------------------------------- */

/* The owner of the docker_watch passes everything on. */
void runner_docker_event(struct runner *runner, const struct docker_event *event);
void runner_docker_sync(struct runner *runner);
void runner_docker_lost(struct runner *runner);

/* Looks for an unfinished run of an earlier life and carries it on; done is told whether there was
 * one, when that is known. */
typedef void (*runner_resume_fn)(void *data, bool resumed);
void runner_resume(struct runner *runner, runner_resume_fn done, void *data);

/* The same for who only may carry it on: it is left as it is. From then on runner_summary tells of
 * it, and it is carried on by runner_carry_on, by a request for the same playbook, or by its
 * abort; a request for another is refused. */
void runner_find_left(struct runner *runner, runner_resume_fn done, void *data);

/* What it has found and is not carried on: its plan, borrowed, and its number; or NULL. */
struct plan *runner_left(const struct runner *runner, int64_t *ret_run);

/* Carries on what runner_find_left has found, if it is that run; does nothing else. */
void runner_carry_on(struct runner *runner, int64_t run);

/* Starts nothing more (a request is refused from now on), lets stops and starts that are under way
 * end, leaves the rest to the next life, then calls done. */
void runner_drain(struct runner *runner, loop_fn done, void *data);

#endif
