/* See judge.h. Everything is recomputed from the lists; nothing is asked of the engine. */
#include "judge.h"

#include "base/mem.h"
#include "policies/moment.h"

#include <stdarg.h>
#include <string.h>

enum { RUNS_KEPT = 512, RELAPSE_MS = 30000, NOT_BEGUN_MAX_MS = 30000, NOT_BEGUN_FORGET_MS = 60000 };

/* Where a policy stands, by what it said. */
enum stand {
    STAND_IDLE,
    STAND_RUNNING,
    STAND_VERIFYING, /* or due for the next rung */
    STAND_HELPED,
    STAND_RELAPSED,
    STAND_AT_END, /* and it will be tried again */
    STAND_HANDED
};

struct docket {
    enum stand stand;
    int rung;          /* the last that was run, from 1; 0: none in this climb */
    int passed;        /* rungs passed over since, */
    int64_t passed_ms; /* the last of them at */
    int64_t since_ms;  /* healed, handed, at the end */
    bool sealed;       /* HELPED before a boot: no relapse */
    int64_t run_end_ms;
    enum run_outcome outcome;
    int64_t held_ms; /* its condition is true since; NEVER */
    int64_t runs[RUNS_KEPT];
    int run_count;
    bool called; /* a person, in this incident */
    bool asked, approved;
    int asked_rung;
    int64_t asked_id, asked_ms;
    bool answered_no;
    bool doubted;     /* the last run could not be begun, */
    int64_t doubt_ms; /* for the first time at, */
    int64_t again_ms; /* and is not tried sooner than */
    bool uprooted;    /* RUNNING since before a boot */
};

struct judge {
    const struct life_story *story;
    const struct policy_set *policies;
    enum judge_fault fault;
    struct judge_tally *tally;
    struct scene scene;
    struct docket dockets[LIFE_POLICIES];
    struct docket before; /* the run that is under way: its policy's docket */
    int64_t recoveries[RUNS_KEPT];
    int recovery_count;
    /* runs */
    int own; /* the policy whose run is under way; -1 */
    bool own_disruptive;
    int64_t own_began_ms, own_ends_ms;
    bool foreign, foreign_disruptive;
    int64_t changed_ms, calm_ms; /* ends of a run or a pause; of a disruptive run */
    bool paused;
    int64_t pause_until_ms;
    int64_t started_ms; /* of this boot */
    int64_t back_ms;    /* from the last absence */
    int64_t last_id;
    char *verdict;
};

static void __attribute__((format(printf, 3, 4)))
fault(struct judge *judge, const struct decision *decision, const char *format, ...)
{
    if (judge->verdict)
        return;
    va_list args;
    va_start(args, format);
    CLEANUP_FREE char *text = mem_vprintf(format, args);
    va_end(args);
    judge->verdict = mem_printf("at %lld ms: %s%s%s", (long long)judge->scene.now_ms, text,
                                decision ? "; it said: " : "", decision ? decision->sentence : "");
}

/* --- life --------------------------------------------------------------------------------------
 */

struct judge *judge_new(const struct life_story *story, const struct policy_set *policies,
                        enum judge_fault wrong, struct judge_tally *tally)
{
    struct judge *judge = mem_new(sizeof *judge);
    judge->story = story;
    judge->policies = policies;
    judge->fault = wrong;
    judge->tally = tally;
    judge->own = -1;
    judge->changed_ms = judge->calm_ms = INT64_MIN;
    for (int i = 0; i < LIFE_POLICIES; i++)
        judge->dockets[i].held_ms = NEVER;
    return judge;
}

struct judge *judge_free(struct judge *judge)
{
    if (judge)
        free(judge->verdict);
    free(judge);
    return NULL;
}

const char *judge_verdict(const struct judge *judge)
{
    return judge->verdict;
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* --- what is true ------------------------------------------------------------------------------
 */

/* What others decide in the very step in which a run is begun they saw before it. */
static bool disrupted(const struct judge *judge)
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

/* Is the trouble there? Only for conditions without `of`, whose memory is the engine's own. */
static enum truth trouble(const struct judge *judge, const struct life_policy *policy)
{
    if (disrupted(judge))
        return TRUTH_UNKNOWN;
    return bare(judge, &policy->when, judge->calm_ms == INT64_MIN ? INT64_MIN : judge->calm_ms + 1);
}

static bool plain(const struct life_policy *policy)
{
    return policy->when.which != NO_CONDITION && policy->when.of_n == 0 && policy->for_n == 0;
}

static bool by_condition_alone(const struct life_policy *policy)
{
    return policy->when.which != NO_CONDITION && !policy->schedule && !policy->on_alert;
}

/* How long it has been true at the most; its own `for` and the policy's follow one another. */
static int64_t wanted_ms(const struct life_policy *policy)
{
    return (policy->when.for_s + policy->for_s) * (int64_t)SECOND_MS;
}

static void follow(struct judge *judge)
{
    bool blind = disrupted(judge) || (judge->own >= 0 && judge->own_disruptive);
    for (int i = 0; i < judge->story->policy_count && !blind; i++) {
        const struct life_policy *policy = &judge->story->policies[i];
        struct docket *docket = &judge->dockets[i];
        if (!plain(policy) || trouble(judge, policy) != TRUTH_TRUE)
            docket->held_ms = NEVER;
        else if (docket->held_ms == NEVER)
            docket->held_ms = judge->scene.now_ms;
    }
}

/* --- time --------------------------------------------------------------------------------------
 */

static void begin_anew(struct judge *judge, int64_t at_ms)
{
    judge->calm_ms = at_ms;
    for (int i = 0; i < LIFE_POLICIES; i++)
        judge->dockets[i].held_ms = NEVER;
}

/* As if it had not been decided. False: it has been tried for long enough. */
static bool take_back(struct judge *judge, int64_t at_ms)
{
    struct docket *docket = &judge->dockets[judge->own];
    if (docket->uprooted)
        return false;
    if (!docket->doubted || at_ms - docket->again_ms > NOT_BEGUN_FORGET_MS)
        docket->doubt_ms = at_ms;
    int64_t tried_ms = at_ms - docket->doubt_ms;
    docket->doubted = true;
    docket->again_ms = at_ms;
    if (tried_ms >= NOT_BEGUN_MAX_MS)
        return false;
    docket->again_ms += later(tried_ms, SECOND_MS);
    if (judge->own_disruptive)
        judge->back_ms = at_ms; /* nobody looked, though there was nothing to be blind for */
    judge->before.doubted = true;
    judge->before.doubt_ms = docket->doubt_ms;
    judge->before.again_ms = docket->again_ms;
    judge->before.held_ms = docket->held_ms;
    *docket = judge->before;
    docket->asked = false; /* the answer stands */
    if (judge->own_disruptive && judge->recovery_count > 0)
        judge->recovery_count--;
    judge->own = -1;
    return true;
}

static void end_own_run(struct judge *judge, int64_t at_ms, enum run_outcome outcome)
{
    struct docket *docket = &judge->dockets[judge->own];
    if (outcome == RUN_NOT_BEGUN && take_back(judge, at_ms))
        return;
    docket->doubted = docket->doubted && outcome == RUN_NOT_BEGUN;
    docket->uprooted = false;
    docket->stand = STAND_VERIFYING;
    docket->run_end_ms = at_ms;
    docket->outcome = outcome;
    judge->changed_ms = at_ms;
    if (judge->own_disruptive)
        begin_anew(judge, at_ms);
    judge->own = -1;
}

/* Nobody looks until then: whatever ends meanwhile is seen to end at that time. */
static void be_away(struct judge *judge, int64_t at_ms)
{
    judge->scene.now_ms = judge->back_ms = at_ms;
    if (judge->own >= 0 && judge->own_ends_ms <= at_ms)
        end_own_run(judge, at_ms, RUN_DONE);
    if (judge->paused && judge->pause_until_ms <= at_ms) {
        judge->paused = false;
        judge->changed_ms = at_ms;
    }
}

static void pass_time(struct judge *judge, int64_t at_ms)
{
    if (judge->own >= 0 && judge->own_ends_ms <= at_ms) {
        judge->scene.now_ms = judge->own_ends_ms;
        end_own_run(judge, judge->own_ends_ms, RUN_DONE);
        follow(judge);
    }
    if (judge->paused && judge->pause_until_ms <= at_ms) {
        judge->paused = false;
        judge->changed_ms = later(judge->changed_ms, judge->pause_until_ms);
    }
    judge->scene.now_ms = at_ms;
    follow(judge);
}

/* --- events ------------------------------------------------------------------------------------
 */

static void observe(struct judge *judge, const struct life_event *event)
{
    judge->scene.values[event->seen] = (struct seen_value){
        .known = true, .at_ms = event->at_ms, .number = event->number, .word = event->word};
}

static void foreign(struct judge *judge, const struct life_event *event)
{
    bool ended = judge->foreign && !event->yes;
    bool was_disruptive = judge->foreign_disruptive;
    judge->foreign = event->yes;
    judge->foreign_disruptive = event->yes && event->disruptive;
    if (ended)
        judge->changed_ms = event->at_ms;
    if (ended && was_disruptive)
        begin_anew(judge, event->at_ms);
}

static void answer(struct judge *judge, bool yes)
{
    struct docket *first = NULL;
    for (int i = 0; i < judge->story->policy_count; i++) {
        struct docket *docket = &judge->dockets[i];
        if (docket->asked && (!first || docket->asked_id < first->asked_id))
            first = docket;
    }
    if (!first)
        return;
    first->approved = yes;
    first->answered_no = !yes;
    first->asked = false;
    judge->tally->approved += yes;
}

/* The host goes down and comes up: climbs are forgotten, all but a run, a cool-down, a hand-over.
 */
static void boot(struct judge *judge, const struct life_event *event)
{
    judge->started_ms = event->at_ms + event->span_ms;
    for (int i = 0; i < LIFE_POLICIES; i++) {
        struct docket *docket = &judge->dockets[i];
        if (docket->stand == STAND_VERIFYING || docket->stand == STAND_RELAPSED)
            docket->stand = STAND_IDLE;
        if (docket->stand != STAND_RUNNING)
            docket->passed = 0;
        docket->sealed = true;
        docket->doubted = false;
        docket->uprooted = docket->stand == STAND_RUNNING;
        docket->asked = docket->approved = false;
        docket->held_ms = NEVER;
    }
    be_away(judge, judge->started_ms);
}

static void pause_or_resume(struct judge *judge, const struct life_event *event)
{
    bool was = judge->paused;
    judge->paused = event->kind == LIFE_PAUSE;
    if (judge->paused)
        judge->pause_until_ms = event->span_ms == NEVER ? NEVER : event->at_ms + event->span_ms;
    else if (was)
        judge->changed_ms = event->at_ms;
}

void judge_event(struct judge *judge, const struct life_event *event)
{
    pass_time(judge, event->at_ms);
    switch (event->kind) {
    case LIFE_OBSERVE:
        observe(judge, event);
        break;
    case LIFE_FORGET:
        judge->scene.values[event->seen].known = false;
        break;
    case LIFE_RUN:
        if (judge->own >= 0)
            end_own_run(judge, event->at_ms, event->outcome);
        break;
    case LIFE_FOREIGN:
        foreign(judge, event);
        break;
    case LIFE_PAUSE:
    case LIFE_RESUME:
        pause_or_resume(judge, event);
        break;
    case LIFE_APPROVE:
        answer(judge, event->yes);
        break;
    case LIFE_RESTART:
        be_away(judge, event->at_ms + event->span_ms);
        break;
    case LIFE_BOOT:
        boot(judge, event);
        break;
    default:
        break;
    }
    follow(judge);
}

/* --- windows -----------------------------------------------------------------------------------
 */

static int within(const int64_t *times, int count, int64_t now_ms, int64_t span_ms)
{
    int recent = 0;
    for (int i = 0; i < count; i++)
        recent += now_ms - times[i] < span_ms;
    return recent;
}

static int budget_left(const struct judge *judge, int place)
{
    const struct life_policy *policy = &judge->story->policies[place];
    const struct docket *docket = &judge->dockets[place];
    return policy->budget - within(docket->runs, docket->run_count, judge->scene.now_ms,
                                   policy->budget_s * (int64_t)SECOND_MS);
}

static bool recoveries_left(const struct judge *judge)
{
    const struct budget *budget = &judge->story->recoveries;
    return budget->count == 0 || within(judge->recoveries, judge->recovery_count,
                                        judge->scene.now_ms, budget->per_ms) < budget->count;
}

static bool hours_open(const struct judge *judge, int place)
{
    const struct policy *policy = policy_set_find(judge->policies, life_name(place));
    return time_windows_open(&policy->only, judge->story->local_ms + judge->scene.now_ms);
}

static bool settled(const struct judge *judge, int place)
{
    return judge->scene.now_ms - judge->started_ms >=
           judge->story->policies[place].settle_s * (int64_t)SECOND_MS;
}

/* --- the ladder --------------------------------------------------------------------------------
 */

static const struct life_rung *last_rung(const struct judge *judge, int place)
{
    return &judge->story->policies[place].rungs[judge->dockets[place].rung - 1];
}

static int64_t verifying_since(const struct judge *judge, int place)
{
    return later(judge->dockets[place].run_end_ms, judge->changed_ms);
}

/* By what is observed; else the run's own end says all. */
static bool is_observed(const struct judge *judge, int place)
{
    return last_rung(judge, place)->verify.which != NO_CONDITION ||
           judge->story->policies[place].when.which != NO_CONDITION;
}

/* Could the last rung's verification be true now? TRUE and FALSE are certain of bare conditions;
 * with a memory behind them TRUE means "it may be". */
static enum truth proof(const struct judge *judge, int place)
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

static bool proof_is_certain(const struct judge *judge, int place)
{
    const struct life_condition *verify = &last_rung(judge, place)->verify;
    return verify->which == NO_CONDITION || (verify->for_s == 0 && verify->of_n == 0);
}

/* Has the last rung been given its time, in vain? */
static bool failed(const struct judge *judge, int place)
{
    int64_t waited_ms = judge->scene.now_ms - verifying_since(judge, place);
    if (!is_observed(judge, place))
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
static bool may_begin(const struct judge *judge, int place)
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
static int passed_over(const struct judge *judge, int place)
{
    const struct docket *docket = &judge->dockets[place];
    bool again = docket->stand == STAND_VERIFYING && is_observed(judge, place) &&
                 judge->changed_ms >= docket->passed_ms;
    return again ? 0 : docket->passed;
}

/* The rung that may be run now, from 1; 0: none. */
static int rung_that_may_run(const struct judge *judge, int place, bool *ret_first)
{
    const struct docket *docket = &judge->dockets[place];
    int next = docket->rung + passed_over(judge, place) + 1;
    *ret_first = docket->stand != STAND_RELAPSED && docket->stand != STAND_VERIFYING;
    if (docket->stand == STAND_RELAPSED)
        return next;
    if (docket->stand == STAND_VERIFYING)
        return failed(judge, place) ? next : 0;
    return may_begin(judge, place) ? docket->passed + 1 : 0;
}

static bool earlier_one_verifies(const struct judge *judge, int place)
{
    for (int i = 0; i < place; i++)
        if (judge->dockets[i].stand == STAND_VERIFYING && !failed(judge, i) &&
            judge->dockets[i].outcome != RUN_ABORTED)
            return true;
    return false;
}

/* --- decisions ---------------------------------------------------------------------------------
 */

static void check_trigger(struct judge *judge, const struct decision *decision, int place)
{
    const struct life_policy *policy = &judge->story->policies[place];
    if (!settled(judge, place))
        fault(judge, decision, "it has not settled yet");
    if (!hours_open(judge, place))
        fault(judge, decision, "it is outside its time window");
    if (!by_condition_alone(policy) || !plain(policy))
        return;
    if (trouble(judge, policy) != TRUTH_TRUE)
        fault(judge, decision, "its condition is not true");
    else if (!judge->dockets[place].doubted && /* it had been, before the run that was none */
             judge->scene.now_ms - judge->dockets[place].held_ms < wanted_ms(policy))
        fault(judge, decision, "its condition has not been true for long enough");
}

static void check_rung(struct judge *judge, const struct decision *decision, int place)
{
    bool first;
    int may = rung_that_may_run(judge, place, &first);
    if (decision->rung != may)
        fault(judge, decision, "rung %d, where only %d may be run", decision->rung, may);
    else if (first)
        check_trigger(judge, decision, place);
    else if (judge->dockets[place].stand == STAND_VERIFYING && proof_is_certain(judge, place) &&
             proof(judge, place) == TRUTH_TRUE)
        fault(judge, decision, "the rung before has helped");
}

static void check_gates(struct judge *judge, const struct decision *decision, int place)
{
    if (judge->paused)
        fault(judge, decision, "everything is paused");
    if (judge->own >= 0 || judge->foreign)
        fault(judge, decision, "another run is under way");
    if (earlier_one_verifies(judge, place))
        fault(judge, decision, "one before it still verifies");
    if (budget_left(judge, place) < (judge->fault == FAULT_BUDGET ? 2 : 1))
        fault(judge, decision, "more than its budget of runs");
    if (decision->disruptive && !recoveries_left(judge))
        fault(judge, decision, "more than the budget of all recoveries");
    if (decision->disruptive == (strcmp(decision->playbook, "clean") == 0))
        fault(judge, decision, "it does not know what is disruptive");
}

static void decide_run(struct judge *judge, const struct decision *decision, int place)
{
    const struct life_policy *policy = &judge->story->policies[place];
    struct docket *docket = &judge->dockets[place];
    check_gates(judge, decision, place);
    check_rung(judge, decision, place);
    if (policy->mode == MODE_OBSERVE || policy->mode == MODE_OFF)
        fault(judge, decision, "it may not act");
    if (docket->doubted && judge->scene.now_ms < docket->again_ms)
        fault(judge, decision, "it could not be begun a moment ago");
    if (policy->mode == MODE_ASK && !(docket->approved && docket->asked_rung == decision->rung))
        fault(judge, decision, "nobody approved it");
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
        fault(judge, decision, "it need not ask");
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
        fault(judge, decision, "everything is paused");
    if (judge->story->policies[place].mode != MODE_OBSERVE)
        fault(judge, decision, "it is not there to observe");
    check_rung(judge, decision, place);
    hand(judge, place);
    judge->tally->would++;
}

static void decide_notify(struct judge *judge, const struct decision *decision, int place)
{
    if (judge->paused)
        fault(judge, decision, "everything is paused");
    if (judge->story->policies[place].rung_count)
        fault(judge, decision, "it has a ladder");
    if (!may_begin(judge, place))
        fault(judge, decision, "it is not re-armed");
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
                       ? docket->passed > 0 || failed(judge, place)
                       : docket->passed >= policy->rung_count);
    bool spent = budget_left(judge, place) < 1 || !recoveries_left(judge);
    if (!aborted && !docket->answered_no && !nothing_left && !spent)
        fault(judge, decision, "no reason to hand over");
    if (judge->paused && !aborted && !docket->answered_no)
        fault(judge, decision, "everything is paused");
    hand(judge, place);
    judge->tally->handed++;
}

static void decide_healed(struct judge *judge, const struct decision *decision, int place)
{
    struct docket *docket = &judge->dockets[place];
    const struct life_policy *policy = &judge->story->policies[place];
    bool climbs = docket->stand == STAND_VERIFYING || docket->stand == STAND_RELAPSED;
    if (docket->stand == STAND_VERIFYING && proof(judge, place) != TRUTH_TRUE)
        fault(judge, decision, "nothing proves that it helped");
    if (docket->stand == STAND_RUNNING)
        fault(judge, decision, "its run is still under way");
    if (!climbs && plain(policy) && policy->when.for_s == 0 &&
        trouble(judge, policy) != TRUTH_FALSE)
        fault(judge, decision, "the trouble is not known to be over");
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
        fault(judge, decision, "the leaker is known");
    check_rung(judge, decision, place);
    if (docket->stand != STAND_VERIFYING && docket->stand != STAND_RELAPSED &&
        docket->stand != STAND_IDLE) {
        docket->stand = STAND_IDLE; /* another climb has begun */
        docket->passed = 0;
    }
    if (docket->stand == STAND_IDLE)
        docket->rung = 0;
    docket->passed = passed_over(judge, place) + 1;
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
        return !settled(judge, place);
    case REFUSAL_ANOTHER_RUN:
        return judge->own >= 0 || judge->foreign || earlier_one_verifies(judge, place);
    case REFUSAL_OUTSIDE_WINDOW:
        return !hours_open(judge, place);
    case REFUSAL_COOL_DOWN:
        return docket->stand == STAND_HELPED && !may_begin(judge, place);
    case REFUSAL_BUDGET:
        return budget_left(judge, place) < 1;
    case REFUSAL_RECOVERIES:
        return !recoveries_left(judge);
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
        fault(judge, decision, "that gate is open");
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
        fault(judge, decision, "it cannot relapse now");
    if (by_condition_alone(policy) && plain(policy) && trouble(judge, policy) != TRUTH_TRUE)
        fault(judge, decision, "its condition is not true");
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
            (docket->passed == 0 && !failed(judge, place)))
            fault(judge, decision, "its ladder is not at its end");
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
        fault(judge, decision, "somebody is notified while paused");
    if (calls && docket->called)
        fault(judge, decision, "a person is called twice for one incident");
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
    pass_time(judge, at_ms);
    judge->tally->decisions++;
    if (decision->id <= judge->last_id)
        fault(judge, decision, "decision %lld after %lld", (long long)decision->id,
              (long long)judge->last_id);
    judge->last_id = decision->id;
    if (judge->story->policies[place].mode == MODE_OFF)
        fault(judge, decision, "it is switched off");
    check_notice(judge, decision, place);
    checks[decision->kind](judge, decision, place);
}

/* --- who should have acted ---------------------------------------------------------------------
 */

/* Of two times to wait the second begins when the first is seen to be over. */
static int64_t wanted_since_ms(const struct judge *judge, int place)
{
    const struct life_policy *policy = &judge->story->policies[place];
    int64_t first_ms = judge->dockets[place].held_ms + policy->when.for_s * (int64_t)SECOND_MS;
    if (policy->when.for_s && policy->for_s)
        first_ms = later(first_ms, judge->back_ms);
    return first_ms + policy->for_s * (int64_t)SECOND_MS;
}

static bool wants(const struct judge *judge, int place)
{
    const struct life_policy *policy = &judge->story->policies[place];
    bool blind = judge->own >= 0 && judge->own_disruptive; /* be it since this very instant */
    return !blind && by_condition_alone(policy) && plain(policy) && settled(judge, place) &&
           judge->dockets[place].held_ms != NEVER && !disrupted(judge) &&
           judge->scene.now_ms >= wanted_since_ms(judge, place);
}

/* Proof of health is not the judge's to know, so only time re-arms here. */
static bool surely_begins(const struct judge *judge, int place)
{
    const struct docket *docket = &judge->dockets[place];
    const struct life_policy *policy = &judge->story->policies[place];
    int64_t gone_ms = judge->scene.now_ms - docket->since_ms;
    bool armed = docket->stand != STAND_HANDED ||
                 (policy->rearm_s && gone_ms >= policy->rearm_s * (int64_t)SECOND_MS);
    return armed && may_begin(judge, place) && wants(judge, place) && hours_open(judge, place);
}

static bool surely_relapses(const struct judge *judge, int place)
{
    const struct docket *docket = &judge->dockets[place];
    const struct life_policy *policy = &judge->story->policies[place];
    return docket->stand == STAND_HELPED && !docket->sealed && !may_begin(judge, place) &&
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
    return judge->own < 0 && !judge->foreign && !earlier_one_verifies(judge, place) &&
           budget_left(judge, place) > 0 && recoveries_left(judge);
}

static bool must_act(const struct judge *judge, int place)
{
    const struct docket *docket = &judge->dockets[place];
    bool first;
    int rung = rung_that_may_run(judge, place, &first);
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
        if (docket->asked && looked && docket->stand == STAND_VERIFYING && is_observed(judge, i) &&
            judge->changed_ms >= docket->asked_ms)
            docket->asked = false;
    }
}

void judge_rest(struct judge *judge, int64_t at_ms)
{
    pass_time(judge, at_ms);
    let_questions_lapse(judge);
    for (int i = 0; i < judge->story->policy_count && !judge->verdict; i++)
        if (must_act(judge, i))
            fault(judge, NULL, "%s should have acted, and did not", life_name(i));
}
