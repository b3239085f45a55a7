/* See judge.h. Everything is recomputed from the lists; nothing is asked of the engine. Here: what
 * happens, and what time alone does. */
#include "base/mem.h"
#include "judge_private.h"

#include <stdarg.h>

enum { NOT_BEGUN_MAX_MS = 30000, NOT_BEGUN_FORGET_MS = 60000 };

void judge__finds(struct judge *judge, const struct decision *decision, const char *format, ...)
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

/* --- life ------------------------------------------------------------------------------------- */

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

/* --- time ------------------------------------------------------------------------------------- */

static void follow(struct judge *judge)
{
    bool blind = judge__disrupted(judge) || (judge->own >= 0 && judge->own_disruptive);
    for (int i = 0; i < judge->story->policy_count && !blind; i++) {
        const struct life_policy *policy = &judge->story->policies[i];
        struct docket *docket = &judge->dockets[i];
        if (!judge__plain(policy) || judge__trouble(judge, policy) != TRUTH_TRUE)
            docket->held_ms = NEVER;
        else if (docket->held_ms == NEVER)
            docket->held_ms = judge->scene.now_ms;
    }
}

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
    docket->again_ms += judge__later(tried_ms, SECOND_MS);
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

void judge__pass_time(struct judge *judge, int64_t at_ms)
{
    if (judge->own >= 0 && judge->own_ends_ms <= at_ms) {
        judge->scene.now_ms = judge->own_ends_ms;
        end_own_run(judge, judge->own_ends_ms, RUN_DONE);
        follow(judge);
    }
    if (judge->paused && judge->pause_until_ms <= at_ms) {
        judge->paused = false;
        judge->changed_ms = judge__later(judge->changed_ms, judge->pause_until_ms);
    }
    judge->scene.now_ms = at_ms;
    follow(judge);
}

/* --- events ----------------------------------------------------------------------------------- */

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
    judge__pass_time(judge, event->at_ms);
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
