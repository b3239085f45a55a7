/* Each decision held to what may be, and what should have been decided. See judge.h. */
#include "judge_private.h"

#include <string.h>

/* --- decisions -------------------------------------------------------------------------------- */

/* How long it has been true at the most; its own `for` and the policy's follow one another. */
static int64_t wanted_ms(const struct life_policy *policy)
{
    return (policy->when.for_s + policy->for_s) * (int64_t)SECOND_MS;
}

static void check_trigger(struct judge *judge, const struct decision *decision, int place)
{
    const struct life_policy *policy = &judge->story->policies[place];
    if (!judge__settled(judge, place))
        judge__finds(judge, decision, "it has not settled yet");
    if (!judge__hours_open(judge, place))
        judge__finds(judge, decision, "it is outside its time window");
    if (!judge__by_condition_alone(policy) || !judge__plain(policy))
        return;
    if (judge__trouble(judge, policy) != TRUTH_TRUE)
        judge__finds(judge, decision, "its condition is not true");
    else if (!judge->dockets[place].doubted && /* it had been, before the run that was none */
             judge->scene.now_ms - judge->dockets[place].held_ms < wanted_ms(policy))
        judge__finds(judge, decision, "its condition has not been true for long enough");
}

static void check_rung(struct judge *judge, const struct decision *decision, int place)
{
    bool first;
    int may = judge__rung_that_may_run(judge, place, &first);
    if (decision->rung != may)
        judge__finds(judge, decision, "rung %d, where only %d may be run", decision->rung, may);
    else if (first)
        check_trigger(judge, decision, place);
    else if (judge->dockets[place].stand == STAND_VERIFYING &&
             judge__proof_is_certain(judge, place) && judge__proof(judge, place) == TRUTH_TRUE)
        judge__finds(judge, decision, "the rung before has helped");
}

static void check_gates(struct judge *judge, const struct decision *decision, int place)
{
    if (judge->paused)
        judge__finds(judge, decision, "everything is paused");
    if (judge->own >= 0 || judge->foreign)
        judge__finds(judge, decision, "another run is under way");
    if (judge__earlier_one_verifies(judge, place))
        judge__finds(judge, decision, "one before it still verifies");
    if (judge__budget_left(judge, place) < (judge->fault == FAULT_BUDGET ? 2 : 1))
        judge__finds(judge, decision, "more than its budget of runs");
    if (decision->disruptive && !judge__recoveries_left(judge))
        judge__finds(judge, decision, "more than the budget of all recoveries");
    if (decision->disruptive == (strcmp(decision->playbook, "clean") == 0))
        judge__finds(judge, decision, "it does not know what is disruptive");
}

static void decide_run(struct judge *judge, const struct decision *decision, int place)
{
    const struct life_policy *policy = &judge->story->policies[place];
    struct docket *docket = &judge->dockets[place];
    check_gates(judge, decision, place);
    check_rung(judge, decision, place);
    if (policy->mode == MODE_OBSERVE || policy->mode == MODE_OFF)
        judge__finds(judge, decision, "it may not act");
    if (docket->doubted && judge->scene.now_ms < docket->again_ms)
        judge__finds(judge, decision, "it could not be begun a moment ago");
    if (policy->mode == MODE_ASK && !(docket->approved && docket->asked_rung == decision->rung))
        judge__finds(judge, decision, "nobody approved it");
    if (policy->mode == MODE_ASK && decision->question != docket->asked_id)
        judge__finds(judge, decision, "another question was approved");
    judge->before = *docket;
    judge->tally->runs++;
    judge->tally->next_rungs += decision->rung > 1;
    docket->stand = STAND_RUNNING;
    docket->rung = decision->rung;
    docket->passed = 0;
    docket->asked = docket->approved = false;
    if (docket->run_count < RUNS_KEPT)
        docket->runs[docket->run_count++] = judge->scene.now_ms;
    if (decision->disruptive && judge->recovery_count < RUNS_KEPT)
        judge->recoveries[judge->recovery_count++] = judge->scene.now_ms;
    judge->own = place;
    judge->own_disruptive = decision->disruptive;
    judge->own_began_ms = judge->scene.now_ms;
    judge->own_ends_ms = judge->scene.now_ms + JUDGE_RUN_MS;
}

static void decide_ask(struct judge *judge, const struct decision *decision, int place)
{
    struct docket *docket = &judge->dockets[place];
    check_gates(judge, decision, place);
    check_rung(judge, decision, place);
    if (judge->story->policies[place].mode != MODE_ASK)
        judge__finds(judge, decision, "it need not ask");
    docket->asked = true;
    docket->approved = false;
    docket->asked_id = decision->id;
    docket->asked_ms = judge->scene.now_ms;
    docket->asked_rung = decision->rung;
    judge->tally->asked++;
}

static void hand(struct judge *judge, int place)
{
    struct docket *docket = &judge->dockets[place];
    docket->stand = STAND_HANDED;
    docket->since_ms = judge->scene.now_ms;
    docket->passed = 0;
    docket->asked = docket->approved = false;
    docket->answered_no = false;
}

static void decide_would(struct judge *judge, const struct decision *decision, int place)
{
    if (judge->paused)
        judge__finds(judge, decision, "everything is paused");
    if (judge->story->policies[place].mode != MODE_OBSERVE)
        judge__finds(judge, decision, "it is not there to observe");
    check_rung(judge, decision, place);
    hand(judge, place);
    judge->tally->would++;
}

static void decide_notify(struct judge *judge, const struct decision *decision, int place)
{
    if (judge->paused)
        judge__finds(judge, decision, "everything is paused");
    if (judge->story->policies[place].rung_count)
        judge__finds(judge, decision, "it has a ladder");
    if (!judge__may_begin(judge, place))
        judge__finds(judge, decision, "it is not re-armed");
    check_trigger(judge, decision, place);
    hand(judge, place);
    judge->tally->notified++;
}

/* A person is called for one of these reasons only. */
static void decide_hand_over(struct judge *judge, const struct decision *decision, int place)
{
    const struct life_policy *policy = &judge->story->policies[place];
    const struct docket *docket = &judge->dockets[place];
    bool at_end = docket->rung + docket->passed >= policy->rung_count;
    bool aborted = docket->stand == STAND_VERIFYING && docket->outcome == RUN_ABORTED;
    bool nothing_left =
        at_end && (docket->stand == STAND_VERIFYING || docket->stand == STAND_RELAPSED
                       ? docket->passed > 0 || judge__failed(judge, place)
                       : docket->passed >= policy->rung_count);
    bool spent = judge__budget_left(judge, place) < 1 || !judge__recoveries_left(judge);
    if (!aborted && !docket->answered_no && !nothing_left && !spent)
        judge__finds(judge, decision, "no reason to hand over");
    if (judge->paused && !aborted && !docket->answered_no)
        judge__finds(judge, decision, "everything is paused");
    hand(judge, place);
    judge->tally->handed++;
}

static void decide_healed(struct judge *judge, const struct decision *decision, int place)
{
    struct docket *docket = &judge->dockets[place];
    const struct life_policy *policy = &judge->story->policies[place];
    bool climbs = docket->stand == STAND_VERIFYING || docket->stand == STAND_RELAPSED;
    if (docket->stand == STAND_VERIFYING && judge__proof(judge, place) != TRUTH_TRUE)
        judge__finds(judge, decision, "nothing proves that it helped");
    if (docket->stand == STAND_RUNNING)
        judge__finds(judge, decision, "its run is still under way");
    if (!climbs && judge__plain(policy) && policy->when.for_s == 0 &&
        judge__trouble(judge, policy) != TRUTH_FALSE)
        judge__finds(judge, decision, "the trouble is not known to be over");
    if (climbs) {
        docket->stand = STAND_HELPED;
        docket->since_ms = judge->scene.now_ms;
        docket->sealed = false;
    } else {
        docket->stand = STAND_IDLE;
    }
    docket->passed = 0;
    docket->called = false;
    docket->asked = docket->approved = false;
    judge->tally->healed++;
}

/* A rung that lacks its value. */
static void pass_over(struct judge *judge, const struct decision *decision, int place)
{
    struct docket *docket = &judge->dockets[place];
    const struct seen_value *leaker = &judge->scene.values[SEEN_LEAKER];
    if (leaker->known && leaker->at_ms > judge->calm_ms &&
        judge->scene.now_ms - leaker->at_ms < MINUTE_MS && strcmp(leaker->word, "none") != 0)
        judge__finds(judge, decision, "the leaker is known");
    check_rung(judge, decision, place);
    if (docket->stand != STAND_VERIFYING && docket->stand != STAND_RELAPSED &&
        docket->stand != STAND_IDLE) {
        docket->stand = STAND_IDLE; /* another climb has begun */
        docket->passed = 0;
    }
    if (docket->stand == STAND_IDLE)
        docket->rung = 0;
    docket->passed = judge__passed_over(judge, place) + 1;
    docket->passed_ms = judge->scene.now_ms;
    judge->tally->passed_over++;
}

static bool is_shut(const struct judge *judge, int place, enum refusal refusal)
{
    const struct docket *docket = &judge->dockets[place];
    switch (refusal) {
    case REFUSAL_PAUSED:
        return judge->paused;
    case REFUSAL_SETTLING:
        return !judge__settled(judge, place);
    case REFUSAL_ANOTHER_RUN:
        return judge->own >= 0 || judge->foreign || judge__earlier_one_verifies(judge, place);
    case REFUSAL_OUTSIDE_WINDOW:
        return !judge__hours_open(judge, place);
    case REFUSAL_COOL_DOWN:
        return docket->stand == STAND_HELPED && !judge__may_begin(judge, place);
    case REFUSAL_BUDGET:
        return judge__budget_left(judge, place) < 1;
    case REFUSAL_RECOVERIES:
        return !judge__recoveries_left(judge);
    case REFUSAL_NOT_REARMED:
        return docket->stand == STAND_HANDED;
    default:
        return true;
    }
}

static void give_up_climb(struct docket *docket)
{
    docket->passed = 0;
    docket->asked = docket->approved = false;
}

static void decide_refused(struct judge *judge, const struct decision *decision, int place)
{
    judge->tally->refused[decision->refusal]++;
    if (!is_shut(judge, place, decision->refusal))
        judge__finds(judge, decision, "that gate is open");
    if (decision->refusal == REFUSAL_NOT_APPLICABLE)
        pass_over(judge, decision, place);
    if (decision->refusal == REFUSAL_MISSED)
        give_up_climb(&judge->dockets[place]);
}

static void relapse(struct judge *judge, const struct decision *decision, int place)
{
    struct docket *docket = &judge->dockets[place];
    const struct life_policy *policy = &judge->story->policies[place];
    int64_t gone_ms = judge->scene.now_ms - docket->since_ms;
    if (docket->stand != STAND_HELPED || docket->sealed || gone_ms < RELAPSE_MS ||
        gone_ms >= policy->cooldown_s * (int64_t)SECOND_MS)
        judge__finds(judge, decision, "it cannot relapse now");
    if (judge__by_condition_alone(policy) && judge__plain(policy) &&
        judge__trouble(judge, policy) != TRUTH_TRUE)
        judge__finds(judge, decision, "its condition is not true");
    docket->stand = STAND_RELAPSED;
    docket->passed = 0;
    judge->tally->relapses++;
}

static void decide_quiet(struct judge *judge, const struct decision *decision, int place)
{
    struct docket *docket = &judge->dockets[place];
    const struct life_policy *policy = &judge->story->policies[place];
    if (strstr(decision->sentence, "helped, but not for long")) {
        relapse(judge, decision, place);
    } else if (strstr(decision->sentence, "over before anything was done") ||
               strstr(decision->sentence, "looks again after the run")) {
        give_up_climb(docket);
    } else if (strstr(decision->sentence, "tried again after its cool-down")) {
        if (docket->rung + docket->passed < policy->rung_count ||
            (docket->passed == 0 && !judge__failed(judge, place)))
            judge__finds(judge, decision, "its ladder is not at its end");
        docket->stand = STAND_AT_END;
        docket->since_ms = judge->scene.now_ms;
        docket->rung = 0;
        give_up_climb(docket);
    }
}

static void check_notice(struct judge *judge, const struct decision *decision, int place)
{
    struct docket *docket = &judge->dockets[place];
    bool calls = decision->kind == DECISION_HAND_OVER || decision->kind == DECISION_NOTIFY;
    if (!decision->notify)
        return;
    if (judge->paused)
        judge__finds(judge, decision, "somebody is notified while paused");
    if (calls && docket->called)
        judge__finds(judge, decision, "a person is called twice for one incident");
    docket->called = docket->called || calls;
}

void judge_decision(struct judge *judge, const struct decision *decision, int64_t at_ms)
{
    static void (*const checks[DECISION_KINDS])(struct judge *, const struct decision *, int) = {
        [DECISION_RUN] = decide_run,
        [DECISION_ASK] = decide_ask,
        [DECISION_WOULD] = decide_would,
        [DECISION_NOTIFY] = decide_notify,
        [DECISION_HAND_OVER] = decide_hand_over,
        [DECISION_HEALED] = decide_healed,
        [DECISION_REFUSED] = decide_refused,
        [DECISION_QUIET] = decide_quiet,
    };
    int place = decision->policy[1] - '0';
    judge__pass_time(judge, at_ms);
    judge->tally->decisions++;
    if (decision->id <= judge->last_id)
        judge__finds(judge, decision, "decision %lld after %lld", (long long)decision->id,
                     (long long)judge->last_id);
    judge->last_id = decision->id;
    if (judge->story->policies[place].mode == MODE_OFF)
        judge__finds(judge, decision, "it is switched off");
    check_notice(judge, decision, place);
    checks[decision->kind](judge, decision, place);
}

/* --- who should have acted -------------------------------------------------------------------- */

/* Of two times to wait the second begins when the first is seen to be over. */
static int64_t wanted_since_ms(const struct judge *judge, int place)
{
    const struct life_policy *policy = &judge->story->policies[place];
    int64_t first_ms = judge->dockets[place].held_ms + policy->when.for_s * (int64_t)SECOND_MS;
    if (policy->when.for_s && policy->for_s)
        first_ms = judge__later(first_ms, judge->back_ms);
    return first_ms + policy->for_s * (int64_t)SECOND_MS;
}

static bool wants(const struct judge *judge, int place)
{
    const struct life_policy *policy = &judge->story->policies[place];
    bool blind = judge->own >= 0 && judge->own_disruptive; /* be it since this very instant */
    return !blind && judge__by_condition_alone(policy) && judge__plain(policy) &&
           judge__settled(judge, place) && judge->dockets[place].held_ms != NEVER &&
           !judge__disrupted(judge) && judge->scene.now_ms >= wanted_since_ms(judge, place);
}

/* Proof of health is not the judge's to know, so only time re-arms here. */
static bool surely_begins(const struct judge *judge, int place)
{
    const struct docket *docket = &judge->dockets[place];
    const struct life_policy *policy = &judge->story->policies[place];
    int64_t gone_ms = judge->scene.now_ms - docket->since_ms;
    bool armed = docket->stand != STAND_HANDED ||
                 (policy->rearm_s && gone_ms >= policy->rearm_s * (int64_t)SECOND_MS);
    return armed && judge__may_begin(judge, place) && wants(judge, place) &&
           judge__hours_open(judge, place);
}

static bool surely_relapses(const struct judge *judge, int place)
{
    const struct docket *docket = &judge->dockets[place];
    const struct life_policy *policy = &judge->story->policies[place];
    return docket->stand == STAND_HELPED && !docket->sealed && !judge__may_begin(judge, place) &&
           docket->rung < policy->rung_count &&
           judge->scene.now_ms - docket->since_ms >= RELAPSE_MS && wants(judge, place);
}

static bool gates_open(const struct judge *judge, int place)
{
    const struct life_policy *policy = &judge->story->policies[place];
    if (policy->mode == MODE_OBSERVE || policy->rung_count == 0)
        return true;
    if (judge->dockets[place].doubted && judge->scene.now_ms < judge->dockets[place].again_ms)
        return false;
    return judge->own < 0 && !judge->foreign && !judge__earlier_one_verifies(judge, place) &&
           judge__budget_left(judge, place) > 0 && judge__recoveries_left(judge);
}

static bool must_act(const struct judge *judge, int place)
{
    const struct docket *docket = &judge->dockets[place];
    bool first;
    int rung = judge__rung_that_may_run(judge, place, &first);
    if (judge->story->policies[place].mode == MODE_OFF || judge->paused || docket->asked)
        return false;
    if (surely_relapses(judge, place))
        return true;
    if (rung == 0 || docket->stand == STAND_RELAPSED || !gates_open(judge, place))
        return false;
    return !first || surely_begins(judge, place);
}

/* A question about a next rung lapses when the world was changed after it was put. */
static void let_questions_lapse(struct judge *judge)
{
    bool looked = !judge->paused && judge->own < 0 && !judge->foreign;
    for (int i = 0; i < judge->story->policy_count; i++) {
        struct docket *docket = &judge->dockets[i];
        if (docket->asked && looked && docket->stand == STAND_VERIFYING &&
            judge__is_observed(judge, i) && judge->changed_ms >= docket->asked_ms)
            docket->asked = false;
    }
}

void judge_rest(struct judge *judge, int64_t at_ms)
{
    judge__pass_time(judge, at_ms);
    let_questions_lapse(judge);
    for (int i = 0; i < judge->story->policy_count && !judge->verdict; i++)
        if (must_act(judge, i))
            judge__finds(judge, NULL, "%s should have acted, and did not", life_name(i));
}
