/* The autopilot: what decides without anybody at the keyboard.
 *
 * It owns the observation board (behind a feed that the watchers write to) and the policy engine;
 * steps the engine whenever an observation changes and whenever time alone may bring a decision;
 * has what the engine remembers on disk before the run that a decision begins; hands runs to the
 * runner and tells the engine how they ended. policies/ decides, this carries out.
 *
 *     recalling ─► (runner says what of an earlier life goes on) ─► flying ─► landed
 *
 * Until what was remembered has been read, and until it is known whether a run of an earlier life
 * goes on, nothing is decided.
 *
 * May use: everything below supervisor/.
 */
#ifndef SUPERVISOR_AUTOPILOT_H
#define SUPERVISOR_AUTOPILOT_H

#include "playbooks/runner.h"
#include "policies/decide.h"
#include "watch/feed.h"

#define AUTOPILOT_TRIGGER "policy" /* of the runs that it asks for */

struct autopilot;

struct autopilot_options {
    struct loop *loop;
    struct journal *journal;
    struct runner *runner;
    const char *trace_path; /* the observations are recorded there; NULL: nowhere */
    /* What was remembered is on the board and in the engine: now watchers may write to the feed. */
    void (*on_ready)(void *data);
    /* What was remembered cannot be read; called before on_ready, if at all. */
    void (*on_blind)(void *data);
    /* Called for each decision, after it was carried out as far as it can be at once; the run that
     * it began is told by on_run. */
    void (*on_decision)(void *data, const struct decision *decision);
    void *data;
};

/* What may change at a reload; both sets are borrowed until the next autopilot_configure. */
struct autopilot_rules {
    const struct policy_set *policies;
    const struct playbook_set *playbooks;
    struct budget recoveries;
};

struct autopilot *autopilot_new(const struct autopilot_options *options,
                                const struct autopilot_rules *rules);

/* The daemon is ending: nothing more is decided, but how a run ends is still heard. */
void autopilot_hold(struct autopilot *autopilot);

/* Decides nothing more and saves what it remembers (the journal writes it in its time). The feed is
 * gone with it: the watchers go first. */
void autopilot_stop(struct autopilot *autopilot);

/* After autopilot_stop, when the loop does not run any more and before the journal is closed (which
 * ends what is still pending). Accepts NULL; returns NULL. */
struct autopilot *autopilot_free(struct autopilot *autopilot);

/* Takes other policies; those whose definition is the same go on where they are. */
void autopilot_configure(struct autopilot *autopilot, const struct autopilot_rules *rules);

/* The runner has told whether a run of an earlier life is carried on (its id; 0: none). */
void autopilot_resumed(struct autopilot *autopilot, int64_t run);

/* Every run, from the runner's watcher. */
void autopilot_run_began(struct autopilot *autopilot, int64_t run, const struct plan *plan,
                         const char *trigger);
void autopilot_run_ended(struct autopilot *autopilot, int64_t run, const char *state);

struct feed *autopilot_feed(struct autopilot *autopilot);

/* --- asked for by people ---------------------------------------------------------------------- */

/* What was remembered has been read. */
bool autopilot_is_ready(const struct autopilot *autopilot);

/* Each that can fail gives ERR_CANCELLED until what was remembered has been read, a moment after
 * the start. autopilot_answer: ERR_NOT_FOUND when it was not asked, or is no longer. */
int autopilot_answer(struct autopilot *autopilot, int64_t decision, bool approve, const char *who,
                     struct err *e);
int autopilot_pause(struct autopilot *autopilot, int64_t for_ms, const char *reason,
                    const char *who, struct err *e); /* for_ms NEVER: until resumed */
int autopilot_resume(struct autopilot *autopilot, const char *who, struct err *e);
/* Only when it is ready. An alert of this name has instances, each with an id of its own: it fires
 * while one of them does. First all that are told at once are taken, then the policies hear of each
 * name; how many wait for it. */
void autopilot_take_alert(struct autopilot *autopilot, const char *name, const char *id,
                          bool firing);
size_t autopilot_alert(struct autopilot *autopilot, const char *name);

/* --- shown; the caller owns each -------------------------------------------------------------- */

json_t *autopilot_policies(const struct autopilot *autopilot); /* {"policies":[…],"paused":…} */
json_t *autopilot_observations(const struct autopilot *autopilot);
json_t *autopilot_decisions(const struct autopilot *autopilot, size_t limit);    /* newest first */
int64_t autopilot_last_run(const struct autopilot *autopilot, int64_t incident); /* or 0 */
json_t *autopilot_pause_json(const struct autopilot *autopilot);                 /* or null */
/* For the status: {"paused":…,"busy":[{"name","state","rung","rungs","asks"?}]}: those that are
 * triggered, act or wait. */
json_t *autopilot_brief(const struct autopilot *autopilot);

#endif
