/* The judge: looks at what happened and at what was decided, and knows nothing of the engine.
 *
 * It holds every decision to the promises of policies/decide.h:
 *  - never more than its budget of runs of a policy, or of recoveries of all, in any window
 *  - one run at a time, ours or by hand, and while a policy verifies none of those behind it
 *  - a rung is neither skipped nor repeated unless its verification failed (or it helped, and the
 *    trouble was back before the cool-down was over)
 *  - nothing is begun and nobody notified while paused; nothing outside a time window, before it
 *    has settled, in a cool-down, after a hand-over; nothing without an approval in mode ask
 *  - whoever acts has its condition true, for its time, on values that count
 *  - whoever heals has proof, and a person is called at most once an incident
 *  - and where all of this allows it to act, it acts.
 * The first violation is kept in words. */
#ifndef TESTS_JUDGE_H
#define TESTS_JUDGE_H

#include "life.h"
#include "policies/policy.h"

enum judge_fault { FAULT_NONE, FAULT_BUDGET }; /* a wrong judge, to show that shrinking works */

enum { JUDGE_RUN_MS = 60000 }; /* a run that is not told to end ends well by itself */

struct judge_tally {
    long decisions, runs, next_rungs, relapses, healed, handed, asked, approved, would, notified,
        passed_over, refused[REFUSALS];
};

struct judge;

struct judge *judge_new(const struct life_story *story, const struct policy_set *policies,
                        enum judge_fault fault, struct judge_tally *tally);
struct judge *judge_free(struct judge *judge);

/* An event happens, after every decision of the time before it was told. */
void judge_event(struct judge *judge, const struct life_event *event);
void judge_decision(struct judge *judge, const struct decision *decision, int64_t at_ms);
/* All decisions up to now were told: has somebody failed to act? */
void judge_rest(struct judge *judge, int64_t at_ms);

/* The first violation, or NULL. */
const char *judge_verdict(const struct judge *judge);

#endif
