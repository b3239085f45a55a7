/* The engine: observations and time in, decisions out.
 *
 * It does nothing by itself. Its owner feeds a board, calls decide_step after every change and at
 * decide_next_ms at the latest, and carries out what comes back.
 *
 * The life of a policy (decide_machine.c has it as a table, decide_mermaid prints it)
 *
 *   settling ─► watching ─► due ─► running ─► verifying ─► cooling ─► watching
 *                            │  ▲     │           │ failed: the next rung is due
 *                            ▼  │     ▼           ▼ none left
 *                           asking    └────────► handed ─► watching (re-armed)
 *
 *  - **due**: the condition has held for its time. The gates are asked in this order: paused, the
 *    wait after a run that could not be begun, time window (before the first run only), another
 *    run, budget of the policy, recoveries of all policies. A gate that is shut is reported once;
 *    the policy stays due until it opens or the trouble is over. A spent budget ends the climb: a
 *    person is called (`then: again`: it waits). A rung whose settings name an observation without
 *    a value is passed over.
 *  - **running**: one run at a time over all policies. The budget is charged when the decision is
 *    made; write decide_save down before acting on it. A run that was not begun is as if it had not
 *    been decided: the budget is given back and the policy due again, after a wait that doubles.
 *    When tries that follow one another have gone on for NOT_BEGUN_MAX_MS it counts as a run that
 *    failed; so it does at once across a boot, and when its ladder is another one by now.
 *  - **verifying**: values from before the end of the run do not count. The rung helped when its
 *    verification is true within its time; else the next one is due. A run that failed is verified
 *    like any other: the world decides. Another run, or a pause, in the meantime: its time begins
 *    anew. While a policy verifies, those after it in the list wait; those before it do not.
 *  - **cooling**: it helped. Is the trouble there again before the cool-down is over (but not
 *    within RATE_SPAN_MS: until then rates count what was before), the rung has not helped after
 *    all, and the next one is due; behind the last rung the cool-down is waited out.
 *  - **handed**: nothing is done until the trouble was away for a time, or time went by (rearm).
 *
 * While a **disruptive** run (one that stops or restarts something) is under way, conditions are
 * not looked at: what is seen then is our own doing. Afterwards every `for` begins anew, and
 * sampled values from before its end are unknown. The owner says which playbooks are disruptive.
 *
 * An **incident** begins with a trigger and ends when the trouble is over (after a cure: with its
 * cool-down); a person is notified of it once, and of its end. While paused nobody is notified.
 *
 * A restart changes no decision: decide_save holds everything, also what is under way. A run that
 * was under way at the save must be reported by decide_run_ended in the next life, and a foreign
 * one by decide_foreign_run.
 *
 * May use: base. Pure: it is told the time.
 */
#ifndef POLICIES_DECIDE_H
#define POLICIES_DECIDE_H

#include "policies/board.h"
#include "policies/decision.h"
#include "policies/moment.h"
#include "policies/policy.h"

struct decide;

/* Six recoveries an hour, by whatever policy: more than that is a storm. */
#define DECIDE_RECOVERIES_DEFAULT ((struct budget){6, HOUR_MS})

struct decide_options {
    struct budget recoveries; /* disruptive runs over all policies; {0}: no limit */
    /* NULL: every playbook but `clean` is disruptive. */
    bool (*disrupts)(void *data, const char *playbook);
    void *data;
};

/* The policies are borrowed as long as the engine lives; every one of them settles first. */
struct decide *decide_new(const struct policy_set *policies, const struct decide_options *options,
                          const struct moment *now);
struct decide *decide_free(struct decide *engine); /* accepts NULL; returns NULL */

/* Brings everything up to `now`, which never goes back. The decisions, in their order, are
 * borrowed until the next call of any decide_ function that takes a non-const engine. */
const struct decision *decide_step(struct decide *engine, const struct moment *now,
                                   const struct board *board, size_t *ret_count);

/* When time alone may bring a decision, if nothing else happens: step then. NEVER: not at all. */
int64_t decide_next_ms(const struct decide *engine, const struct moment *now,
                       const struct board *board);

/* --- what happens to it; each is followed by a decide_step ------------------------------------ */

enum run_outcome {
    RUN_DONE,
    RUN_FAILED,
    RUN_ABORTED,   /* by a person, who is at it: nothing more is tried */
    RUN_NOT_BEGUN, /* nothing was done; another time it may be */
    RUN_OUTCOMES
};

/* The run of a DECISION_RUN has ended. False when there is no such run (told twice). */
bool decide_run_ended(struct decide *engine, const struct moment *now, int64_t decision,
                      enum run_outcome outcome);

/* A run that no policy asked for (by hand) has begun or ended. */
void decide_foreign_run(struct decide *engine, const struct moment *now, bool under_way,
                        bool disruptive);

/* The run of the engine's own that is under way: its decision; 0: none. After a restore its fate
 * must be found out and told. */
int64_t decide_running(const struct decide *engine);

/* The first question that waits for an answer: its decision; 0: none does. */
int64_t decide_asked(const struct decide *engine);

/* Answers a DECISION_ASK. ERR_NOT_FOUND: not asked, or no longer. */
int decide_approve(struct decide *engine, const struct moment *now, int64_t decision,
                   struct err *e);
int decide_deny(struct decide *engine, const struct moment *now, int64_t decision, struct err *e);

/* Nothing is begun, nobody notified until until_ms (monotonic; NEVER: until resumed). Pausing again
 * replaces the time. */
void decide_pause(struct decide *engine, const struct moment *now, int64_t until_ms,
                  const char *reason);
void decide_resume(struct decide *engine, const struct moment *now);
bool decide_paused(const struct decide *engine, int64_t *ret_until_ms, const char **ret_reason);

/* An alert from outside fires or is resolved. How many policies wait for its name. */
size_t decide_alert(struct decide *engine, const struct moment *now, const char *name, bool firing);

/* --- showing ---------------------------------------------------------------------------------- */

/* [{"name","state","since_ms","rung","outcome","explanation","runs_in_budget",…}] */
json_t *decide_json(const struct decide *engine, const struct moment *now,
                    const struct board *board);

/* The last decisions as decision_json, newest first, at most `limit` (64 are kept). */
json_t *decide_history(const struct decide *engine, size_t limit);

/* The state machine as a Mermaid diagram, for docs; the caller frees it. */
char *decide_mermaid(void);

/* --- keeping ---------------------------------------------------------------------------------- */

json_t *decide_save(const struct decide *engine, const struct life *life);

/* Into a new engine. Policies are matched by name; of one whose definition has changed only its
 * budget, its cool-down, its hand-over and a run under way are taken over. So it is across a boot;
 * and nothing is triggered before the policies have settled again. ERR_PROTOCOL for what is no such
 * state: the engine is then as it was. */
int decide_restore(struct decide *engine, const json_t *saved, const struct life *life,
                   const struct moment *now, struct err *e);

#endif
