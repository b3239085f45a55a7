/* What is true, and what a policy may do now: answers that change nothing. See judge_private.h. */
#include "judge_private.h"

/* --- what is true ----------------------------------------------------------------------------- */

/* What others decide in the very step in which a run is begun they saw before it. */
bool judge__disrupted(const struct judge *judge)
{
    bool began = judge->own >= 0 && judge->scene.now_ms > judge->own_began_ms;
    return (began && judge->own_disruptive) || (judge->foreign && judge->foreign_disruptive);
}

/* Of the condition's bare words: what `for` and `of` make of it can only be less. */
static enum truth bare(const struct judge *judge, const struct life_condition *condition,
                       int64_t from_ms)
{
    return life_conditions[condition->which].now(&judge->scene, from_ms);
}

enum truth judge__trouble(const struct judge *judge, const struct life_policy *policy)
{
    if (judge__disrupted(judge))
        return TRUTH_UNKNOWN;
    return bare(judge, &policy->when, judge->calm_ms == INT64_MIN ? INT64_MIN : judge->calm_ms + 1);
}

bool judge__plain(const struct life_policy *policy)
{
    return policy->when.which != NO_CONDITION && policy->when.of_n == 0 && policy->for_n == 0;
}

bool judge__by_condition_alone(const struct life_policy *policy)
{
    return policy->when.which != NO_CONDITION && !policy->schedule && !policy->on_alert;
}

/* --- windows ---------------------------------------------------------------------------------- */

static int within(const int64_t *times, int count, int64_t now_ms, int64_t span_ms)
{
    int recent = 0;
    for (int i = 0; i < count; i++)
        recent += now_ms - times[i] < span_ms;
    return recent;
}

int judge__budget_left(const struct judge *judge, int place)
{
    const struct life_policy *policy = &judge->story->policies[place];
    const struct docket *docket = &judge->dockets[place];
    return policy->budget - within(docket->runs, docket->run_count, judge->scene.now_ms,
                                   policy->budget_s * (int64_t)SECOND_MS);
}

bool judge__recoveries_left(const struct judge *judge)
{
    const struct budget *budget = &judge->story->recoveries;
    return budget->count == 0 || within(judge->recoveries, judge->recovery_count,
                                        judge->scene.now_ms, budget->per_ms) < budget->count;
}

bool judge__hours_open(const struct judge *judge, int place)
{
    const struct policy *policy = policy_set_find(judge->policies, life_name(place));
    return time_windows_open(&policy->only, judge->story->local_ms + judge->scene.now_ms);
}

bool judge__settled(const struct judge *judge, int place)
{
    return judge->scene.now_ms - judge->started_ms >=
           judge->story->policies[place].settle_s * (int64_t)SECOND_MS;
}

/* --- the ladder ------------------------------------------------------------------------------- */

static const struct life_rung *last_rung(const struct judge *judge, int place)
{
    return &judge->story->policies[place].rungs[judge->dockets[place].rung - 1];
}

static int64_t verifying_since(const struct judge *judge, int place)
{
    return judge__later(judge->dockets[place].run_end_ms, judge->changed_ms);
}

/* By what is observed; else the run's own end says all. */
bool judge__is_observed(const struct judge *judge, int place)
{
    return last_rung(judge, place)->verify.which != NO_CONDITION ||
           judge->story->policies[place].when.which != NO_CONDITION;
}

/* Could the last rung's verification be true now? TRUE and FALSE are certain of bare conditions;
 * with a memory behind them TRUE means "it may be". */
enum truth judge__proof(const struct judge *judge, int place)
{
    const struct life_rung *rung = last_rung(judge, place);
    const struct life_policy *policy = &judge->story->policies[place];
    int64_t from_ms = verifying_since(judge, place) + 1;
    if (rung->verify.which != NO_CONDITION)
        return rung->verify.of_n ? TRUTH_TRUE : bare(judge, &rung->verify, from_ms);
    if (policy->when.which != NO_CONDITION)
        return TRUTH_TRUE - bare(judge, &policy->when, from_ms);
    return judge->dockets[place].outcome == RUN_DONE ? TRUTH_TRUE : TRUTH_FALSE;
}

bool judge__proof_is_certain(const struct judge *judge, int place)
{
    const struct life_condition *verify = &last_rung(judge, place)->verify;
    return verify->which == NO_CONDITION || (verify->for_s == 0 && verify->of_n == 0);
}

/* Has the last rung been given its time, in vain? */
bool judge__failed(const struct judge *judge, int place)
{
    int64_t waited_ms = judge->scene.now_ms - verifying_since(judge, place);
    if (!judge__is_observed(judge, place))
        return judge->dockets[place].outcome != RUN_DONE;
    return waited_ms >= last_rung(judge, place)->within_s * (int64_t)SECOND_MS;
}

static int64_t rearm_ms(const struct life_policy *policy)
{
    int seconds = policy->rearm_s;
    if (!seconds || (policy->rearm_healthy_s && policy->rearm_healthy_s < seconds))
        seconds = policy->rearm_healthy_s;
    return seconds * (int64_t)SECOND_MS;
}

/* May a climb begin at all? */
bool judge__may_begin(const struct judge *judge, int place)
{
    const struct life_policy *policy = &judge->story->policies[place];
    const struct docket *docket = &judge->dockets[place];
    int64_t gone_ms = judge->scene.now_ms - docket->since_ms;
    switch (docket->stand) {
    case STAND_IDLE:
        return true;
    case STAND_HELPED:
    case STAND_AT_END:
        return gone_ms >= policy->cooldown_s * (int64_t)SECOND_MS;
    case STAND_HANDED:
        return gone_ms >= rearm_ms(policy);
    default:
        return false;
    }
}

/* Rungs passed over; when the world was changed since, those behind a verification are looked at
 * again. */
int judge__passed_over(const struct judge *judge, int place)
{
    const struct docket *docket = &judge->dockets[place];
    bool again = docket->stand == STAND_VERIFYING && judge__is_observed(judge, place) &&
                 judge->changed_ms >= docket->passed_ms;
    return again ? 0 : docket->passed;
}

/* The rung that may be run now, from 1; 0: none. */
int judge__rung_that_may_run(const struct judge *judge, int place, bool *ret_first)
{
    const struct docket *docket = &judge->dockets[place];
    int next = docket->rung + judge__passed_over(judge, place) + 1;
    *ret_first = docket->stand != STAND_RELAPSED && docket->stand != STAND_VERIFYING;
    if (docket->stand == STAND_RELAPSED)
        return next;
    if (docket->stand == STAND_VERIFYING)
        return judge__failed(judge, place) ? next : 0;
    return judge__may_begin(judge, place) ? docket->passed + 1 : 0;
}

bool judge__earlier_one_verifies(const struct judge *judge, int place)
{
    for (int i = 0; i < place; i++)
        if (judge->dockets[i].stand == STAND_VERIFYING && !judge__failed(judge, i) &&
            judge->dockets[i].outcome != RUN_ABORTED)
            return true;
    return false;
}
