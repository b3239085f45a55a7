/* A policy is due, or asks: is it still wanted, and do the gates let it through? */
#include "base/clock.h"
#include "base/mem.h"
#include "policies/decide_private.h"

#include <inttypes.h>

/* --- still wanted? -----------------------------------------------------------------------------
 */

static bool still_wanted(const struct decide *engine, const struct track *track)
{
    switch (track->cause) {
    case CAUSE_ALERT:
        return track->alert_firing;
    case CAUSE_SCHEDULE:
        return engine->now.mono_ms < track->wanted_until_ms &&
               (!track->policy->when || track->truth != TRUTH_FALSE);
    default:
        return track->truth == TRUTH_TRUE;
    }
}

static bool clear_first_rung(struct decide *engine, struct track *track)
{
    if (still_wanted(engine, track))
        return false;
    if (track->cause == CAUSE_SCHEDULE && engine->now.mono_ms >= track->wanted_until_ms)
        decide__refuse(engine, track, REFUSAL_MISSED, "its time went by while it had to wait");
    else
        decide__say(engine, track, DECISION_QUIET, "it is over before anything was done");
    decide__move(engine, track, ON_CLEARED);
    if (!track->notified)
        decide__finish_incident(track);
    return true;
}

/* A rung above the first is due because the one before did not help. If the world was changed
 * since then that verdict is old; and if the trouble is gone meanwhile so is the reason. */
static bool reconsider_climb(struct decide *engine, struct track *track)
{
    bool inverted;
    if (engine->paused || decide__run_under_way(engine))
        return false;
    if (!decide__verification(track, track->rung - 1, &inverted))
        return false;
    if (engine->changed_ms > track->verdict_ms) {
        track->rung--;
        decide__move(engine, track, ON_DISTURBED);
        return true;
    }
    if (decide__verified(engine, track, track->rung - 1) == TRUTH_TRUE)
        return decide__healed(engine, track, "it is over, later than allowed for");
    return false;
}

/* --- the gates ---------------------------------------------------------------------------------
 */

/* Somebody before this one in the list waits for what its own run did. */
static bool floor_taken(const struct decide *engine, const struct track *track)
{
    for (const struct track *other = engine->tracks; other < track; other++)
        if (other->state == STATE_VERIFYING)
            return true;
    return false;
}

static bool pass_time(struct decide *engine, struct track *track)
{
    if (engine->paused) {
        decide__refuse(engine, track, REFUSAL_PAUSED, "would act, but everything is paused: %s",
                       engine->pause_reason);
        return false;
    }
    if (track->rung == 0 && !time_windows_open(&track->policy->only, engine->now.local_ms)) {
        decide__refuse(engine, track, REFUSAL_OUTSIDE_WINDOW,
                       "would act, but it is outside its time window");
        return false;
    }
    return true;
}

static bool pass_floor(struct decide *engine, struct track *track)
{
    if (decide__run_under_way(engine)) {
        decide__refuse(engine, track, REFUSAL_ANOTHER_RUN,
                       "would act, but another run is under way");
        return false;
    }
    if (floor_taken(engine, track)) {
        decide__refuse(engine, track, REFUSAL_ANOTHER_RUN,
                       "would act, but another policy still verifies its run");
        return false;
    }
    return true;
}

/* The budget that is spent, or NULL. */
static const struct budget *spent_budget(const struct decide *engine, const struct track *track,
                                         enum refusal *ret)
{
    const struct policy *policy = track->policy;
    int64_t now_ms = engine->now.mono_ms;
    *ret = REFUSAL_BUDGET;
    if (!window_allows(&track->runs, &policy->budget, now_ms))
        return &policy->budget;
    *ret = REFUSAL_RECOVERIES;
    bool disruptive = decide__disrupts(engine, policy->rungs[track->rung].playbook);
    if (disruptive && !window_allows(&engine->recoveries, &engine->options.recoveries, now_ms))
        return &engine->options.recoveries;
    return NULL;
}

static bool refuse_budget(struct decide *engine, struct track *track, const struct budget *budget,
                          enum refusal refusal)
{
    char text[BUDGET_TEXT_MAX];
    CLEANUP_FREE char *why =
        mem_printf(refusal == REFUSAL_BUDGET ? "its budget of %s is spent"
                                             : "the recoveries of all policies, %s, are spent",
                   budget_text(budget, text));
    decide__refuse(engine, track, refusal, "would run %s, but %s",
                   track->policy->rungs[track->rung].playbook, why);
    if (track->policy->then == THEN_AGAIN)
        return false;
    return decide__end_of_ladder(engine, track, why);
}

/* --- acting ------------------------------------------------------------------------------------
 */

static char *what_to_run(const struct decide *engine, const struct track *track)
{
    const struct policy *policy = track->policy;
    CLEANUP_FREE char *reason = decide__reason(engine, track);
    if (track->rung == 0)
        return mem_printf("%s (1 of %zu): %s", policy->rungs[0].playbook, policy->rung_count,
                          reason);
    return mem_printf("%s (%zu of %zu), as %s did not help: %s",
                      policy->rungs[track->rung].playbook, track->rung + 1, policy->rung_count,
                      policy->rungs[track->rung - 1].playbook, reason);
}

static bool run(struct decide *engine, struct track *track, json_t *params)
{
    CLEANUP_FREE char *what = what_to_run(engine, track);
    struct decision *decision = decide__say(engine, track, DECISION_RUN, "runs %s", what);
    decision->params = params;
    window_add(&track->runs, &track->policy->budget, engine->now.mono_ms);
    if (decision->disruptive)
        window_add(&engine->recoveries, &engine->options.recoveries, engine->now.mono_ms);
    engine->run_decision = decision->id;
    engine->run_disruptive = decision->disruptive;
    track->run_ok = false;
    decide__move(engine, track, ON_STARTED);
    track->decision = engine->run_decision;
    return true;
}

static bool ask(struct decide *engine, struct track *track, json_t *params)
{
    CLEANUP_FREE char *what = what_to_run(engine, track);
    struct decision *decision =
        decide__say(engine, track, DECISION_ASK, "asks whether to run %s", what);
    int64_t id = decision->id;
    decision->params = params;
    decision->notify = true;
    decide__move(engine, track, ON_ASKED);
    track->decision = id;
    return true;
}

static bool observe(struct decide *engine, struct track *track)
{
    CLEANUP_FREE char *what = what_to_run(engine, track);
    decide__say(engine, track, DECISION_WOULD, "would run %s", what);
    decide__move(engine, track, ON_GAVE_UP);
    return true;
}

static bool only_notify(struct decide *engine, struct track *track)
{
    CLEANUP_FREE char *reason = decide__reason(engine, track);
    decide__say(engine, track, DECISION_NOTIFY, "%s", reason)->notify = !track->notified;
    track->notified = true;
    decide__move(engine, track, ON_GAVE_UP);
    return true;
}

/* The rung's settings lack a value: it is passed over, and says so. */
static bool pass_over(struct decide *engine, struct track *track, const char *missing)
{
    const struct policy *policy = track->policy;
    decide__refuse(engine, track, REFUSAL_NOT_APPLICABLE, "cannot run %s: %s is not known",
                   policy->rungs[track->rung].playbook, missing);
    if (track->rung + 1 == policy->rung_count)
        return decide__end_of_ladder(engine, track, "there is nothing left to try");
    track->verify_from_ms = track->rung ? track->verify_from_ms : engine->now.mono_ms;
    track->verdict_ms = engine->now.mono_ms;
    decide__move(engine, track, ON_FAILED);
    track->rung++;
    return true;
}

static bool act(struct decide *engine, struct track *track)
{
    json_t *params;
    CLEANUP_FREE char *missing = NULL;
    if (!decide__params(engine, track, &params, &missing))
        return pass_over(engine, track, missing);
    if (track->policy->mode == MODE_ASK && !track->approved)
        return ask(engine, track, params);
    return run(engine, track, params);
}

bool decide__climb(struct decide *engine, struct track *track)
{
    enum refusal refusal;
    if (track->rung == 0 ? clear_first_rung(engine, track) : reconsider_climb(engine, track))
        return true;
    if (track->state == STATE_ASKING || !pass_time(engine, track))
        return false;
    if (track->policy->rung_count == 0)
        return only_notify(engine, track);
    if (track->policy->mode == MODE_OBSERVE)
        return observe(engine, track);
    if (!pass_floor(engine, track))
        return false;
    const struct budget *spent = spent_budget(engine, track, &refusal);
    if (spent)
        return refuse_budget(engine, track, spent, refusal);
    return act(engine, track);
}
