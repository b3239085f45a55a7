/* A policy is due, or asks: is it still wanted, and do the gates let it through? */
#include "base/clock.h"
#include "base/mem.h"
#include "policies/decide_private.h"

#include <inttypes.h>

/* --- still wanted? ---------------------------------------------------------------------------- */

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

/* Nothing was tried yet, and nothing needs to be. */
static bool clear_untried(struct decide *engine, struct track *track)
{
    if (still_wanted(engine, track))
        return false;
    if (track->cause == CAUSE_SCHEDULE && engine->now.mono_ms >= track->wanted_until_ms)
        decide__refuse(engine, track, REFUSAL_MISSED, "its time went by while it had to wait");
    else if (decide__disrupted(engine))
        decide__say(engine, track, DECISION_QUIET, "looks again after the run that is under way");
    else
        decide__say(engine, track, DECISION_QUIET, "it is over before anything was done");
    decide__move(engine, track, ON_CLEARED);
    decide__drop_incident(track);
    return true;
}

/* What the trouble looks like since the world was changed after the verdict. */
static enum truth relapse_truth(const struct decide *engine, const struct track *track)
{
    const struct policy *policy = track->policy;
    if (!still_wanted(engine, track))
        return TRUTH_FALSE;
    if (track->cause != CAUSE_WHEN || engine->changed_ms < track->verdict_ms)
        return TRUTH_TRUE;
    return condition_now(policy->when, engine->board, engine->now.mono_ms, engine->changed_ms + 1);
}

/* A rung is due because the one that was tried did not help, or not for long. If the world was
 * changed since then that verdict is old; and if the trouble is gone meanwhile so is the reason. */
static bool reconsider(struct decide *engine, struct track *track)
{
    if (track->tried < 0)
        return clear_untried(engine, track);
    size_t tried = (size_t)track->tried;
    if (engine->paused || decide__run_under_way(engine))
        return false;
    if (track->relapsed)
        return relapse_truth(engine, track) == TRUTH_FALSE &&
               decide__healed(engine, track, "it went away before anything more was done");
    if (engine->changed_ms >= track->verdict_ms && decide__observed(track, tried)) {
        bool has_time =
            engine->now.mono_ms - engine->changed_ms < track->policy->rungs[tried].within_ms;
        if (has_time || track->state == STATE_ASKING) {
            track->rung = tried;
            decide__move(engine, track, ON_DISTURBED);
        } else { /* it has had its time again, in vain */
            track->verdict_ms = engine->now.mono_ms;
            if (tried + 1 < track->policy->rung_count)
                track->rung = tried + 1;
        }
        /* Since that change and not since now: a run that was decided and never began changed
         * nothing. */
        track->verify_from_ms = engine->changed_ms;
        if (track->state == STATE_VERIFYING)
            return true;
    }
    return decide__observed(track, tried) && decide__verified(engine, track, tried) == TRUTH_TRUE &&
           decide__healed(engine, track, "it is over, later than allowed for");
}

/* Switched off meanwhile (a new configuration, --mode): whatever it climbed, it climbs no more. */
static bool switched_off(struct decide *engine, struct track *track)
{
    if (track->policy->mode != MODE_OFF)
        return false;
    decide__move(engine, track, ON_CLEARED);
    decide__drop_incident(track);
    return true;
}

/* --- the gates -------------------------------------------------------------------------------- */

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
    char wait[DURATION_MAX];
    if (engine->now.mono_ms < track->again_ms) {
        decide__refuse(engine, track, REFUSAL_NOT_BEGUN,
                       "its run could not be begun; it is tried again in %s",
                       duration_text(track->again_ms - engine->now.mono_ms, wait));
        return false;
    }
    if (track->tried < 0 && !time_windows_open(&track->policy->only, engine->now.local_ms)) {
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

/* --- acting ----------------------------------------------------------------------------------- */

static char *what_to_run(const struct decide *engine, const struct track *track)
{
    const struct policy *policy = track->policy;
    const char *playbook = policy->rungs[track->rung].playbook;
    CLEANUP_FREE char *reason = decide__reason(engine, track);
    if (track->tried < 0)
        return mem_printf("%s (%zu of %zu): %s", playbook, track->rung + 1, policy->rung_count,
                          reason);
    return mem_printf("%s (%zu of %zu), as %s did not help%s: %s", playbook, track->rung + 1,
                      policy->rung_count, policy->rungs[track->tried].playbook,
                      track->relapsed ? " for long" : "", reason);
}

static bool run(struct decide *engine, struct track *track, json_t *params)
{
    CLEANUP_FREE char *what = what_to_run(engine, track);
    struct decision *decision = decide__say(engine, track, DECISION_RUN, "runs %s", what);
    decision->params = params;
    decision->question = track->approved ? track->question : 0;
    window_add(&track->runs, &track->policy->budget, engine->now.mono_ms);
    if (decision->disruptive)
        window_add(&engine->recoveries, &engine->options.recoveries, engine->now.mono_ms);
    engine->run_decision = decision->id;
    engine->run_disruptive = decision->disruptive;
    track->run_ok = false;
    track->tried_before = track->tried;
    track->relapsed_before = track->relapsed;
    track->approved_before = track->approved;
    track->tried = (int)track->rung;
    decide__move(engine, track, ON_STARTED);
    track->decision = engine->run_decision;
    return true;
}

/* A yes is to what was shown: with other settings it is another question. */
static bool was_asked(const struct track *track, const json_t *params)
{
    return params ? json_equal(params, track->asked) : !track->asked;
}

static bool ask(struct decide *engine, struct track *track, json_t *params)
{
    CLEANUP_FREE char *what = what_to_run(engine, track);
    struct decision *decision =
        decide__say(engine, track, DECISION_ASK, "asks whether to run %s", what);
    int64_t id = decision->id;
    decision->params = params;
    /* A question that comes back is no news; another one, or one about the next rung, is. */
    decision->notify = track->notice == NOTICE_NONE || track->rung > 0 || !was_asked(track, params);
    if (track->notice == NOTICE_NONE)
        track->notice = NOTICE_ASKED;
    json_decref(track->asked);
    track->asked = json_deep_copy(params);
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
    decide__say(engine, track, DECISION_NOTIFY, "%s", reason)->notify =
        track->notice != NOTICE_CALLED;
    track->notice = NOTICE_CALLED;
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
    if (track->policy->mode == MODE_ASK && !(track->approved && was_asked(track, params)))
        return ask(engine, track, params);
    return run(engine, track, params);
}

bool decide__climb(struct decide *engine, struct track *track)
{
    enum refusal refusal;
    if (switched_off(engine, track) || reconsider(engine, track))
        return true;
    if (track->state == STATE_ASKING || !pass_time(engine, track))
        return false;
    if (track->relapsed && relapse_truth(engine, track) != TRUTH_TRUE)
        return false; /* the next values will tell */
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
