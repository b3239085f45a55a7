/* One policy in one step: its condition, and what each state does but for `due` (decide_gate.c). */
#include "base/clock.h"
#include "base/mem.h"
#include "policies/decide_private.h"

bool decide__run_under_way(const struct decide *engine)
{
    return engine->run_decision != 0 || engine->foreign_run;
}

/* What is seen during a disruptive run is our own doing. */
bool decide__disrupted(const struct decide *engine)
{
    return (engine->run_decision && engine->run_disruptive) ||
           (engine->foreign_run && engine->foreign_disruptive);
}

/* --- the condition ---------------------------------------------------------------------------- */

/* *since begins when `is` begins, and ends with it. */
static void follow(int64_t *since_ms, bool is, int64_t now_ms)
{
    if (!is)
        *since_ms = NEVER;
    else if (*since_ms == NEVER)
        *since_ms = now_ms;
}

void decide__evaluate(struct decide *engine, struct track *track)
{
    const struct policy *policy = track->policy;
    int64_t now_ms = engine->now.mono_ms;
    track->truth = TRUTH_UNKNOWN;
    if (!policy->when) {
        follow(&track->healthy_since_ms, !track->alert_firing, now_ms);
        return;
    }
    if (decide__disrupted(engine))
        return; /* when that is over all begins anew; unless it was not begun: then nothing was */
    track->truth =
        condition_eval(policy->when, track->when, engine->board, now_ms, engine->calm_ms);
    follow(&track->held_since_ms, track->truth == TRUTH_TRUE, now_ms);
    follow(&track->healthy_since_ms, track->truth == TRUTH_FALSE && !track->alert_firing, now_ms);
}

static bool held_for(int64_t since_ms, int64_t span_ms, int64_t now_ms)
{
    return since_ms != NEVER && span_ms != NEVER && now_ms - since_ms >= span_ms;
}

static bool condition_holds(const struct decide *engine, const struct track *track)
{
    return track->truth == TRUTH_TRUE &&
           held_for(track->held_since_ms, track->policy->for_ms, engine->now.mono_ms);
}

bool decide__schedule_due(const struct decide *engine, const struct track *track)
{
    if (!track->policy->scheduled)
        return false;
    return track->policy->schedule.every_ms ? engine->now.mono_ms >= track->next_mono_ms
                                            : engine->now.local_ms >= track->next_local_ms;
}

void decide__schedule_next(struct track *track, const struct moment *now)
{
    const struct schedule *schedule = &track->policy->schedule;
    if (!track->policy->scheduled)
        return;
    if (schedule->every_ms)
        track->next_mono_ms = now->mono_ms + schedule->every_ms;
    else
        track->next_local_ms = schedule_next_local_ms(schedule, now->local_ms);
}

bool decide__triggered(const struct decide *engine, const struct track *track)
{
    if (track->policy->mode == MODE_OFF || engine->now.mono_ms < track->settled_ms)
        return false;
    if (track->alert_new)
        return true;
    if (track->policy->scheduled)
        return decide__schedule_due(engine, track) &&
               (!track->policy->when || condition_holds(engine, track));
    return condition_holds(engine, track);
}

/* --- watching --------------------------------------------------------------------------------- */

enum { LATE_MAX_MS = HOUR_MS, WANTED_MS = 10 * MINUTE_MS };

/* A civil time that went by while nobody looked (the daemon was down, the clock was set) is not
 * made up for after an hour; and a clock that was set back must not silence a schedule for long. */
static bool schedule_missed(const struct decide *engine, const struct track *track)
{
    if (!track->policy->scheduled || track->policy->schedule.every_ms)
        return false;
    int64_t late_ms = engine->now.local_ms - track->next_local_ms;
    return late_ms > LATE_MAX_MS || late_ms < -8 * DAY_MS;
}

static void look_at_schedule(struct decide *engine, struct track *track)
{
    if (track->policy->mode == MODE_OFF) {
        if (decide__schedule_due(engine, track))
            decide__schedule_next(track, &engine->now);
    } else if (schedule_missed(engine, track)) {
        decide__schedule_next(track, &engine->now);
        track->refused = REFUSAL_NONE;
        decide__refuse(engine, track, REFUSAL_MISSED, "its time went by more than an hour ago");
    } else if (decide__schedule_due(engine, track) && !decide__triggered(engine, track)) {
        decide__schedule_next(track, &engine->now);
        decide__say(engine, track, DECISION_QUIET, "it is time, and there is nothing to do");
    }
}

void decide__finish_incident(struct track *track)
{
    track->incident = 0;
    track->notice = NOTICE_NONE;
}

void decide__drop_incident(struct track *track)
{
    if (track->notice == NOTICE_NONE)
        decide__finish_incident(track);
}

/* What it was before a disruptive run says nothing now. */
static bool is_blind(const struct decide *engine, const struct track *track)
{
    return track->policy->when && decide__disrupted(engine);
}

/* An incident that no climb has ended is over when the trouble stays away. */
static void look_at_incident(struct decide *engine, struct track *track)
{
    if (!track->incident || engine->paused || is_blind(engine, track) ||
        !held_for(track->healthy_since_ms, track->policy->rearm_healthy_ms, engine->now.mono_ms))
        return;
    if (track->notice != NOTICE_NONE)
        decide__say(engine, track, DECISION_HEALED, "it is over")->notify = true;
    decide__finish_incident(track);
}

/* Nothing to say of what a run of our own makes unknown, nor of a policy that waits for its hour or
 * is switched off. */
static void tell_outcome(struct decide *engine, struct track *track)
{
    const struct policy *policy = track->policy;
    if (track->truth == track->told || !policy->when || policy->scheduled ||
        policy->mode == MODE_OFF || decide__disrupted(engine))
        return;
    char duration[DURATION_MAX];
    CLEANUP_FREE char *reason = decide__reason(engine, track);
    track->told = track->truth;
    if (track->truth == TRUTH_TRUE && track->policy->for_ms)
        decide__say(engine, track, DECISION_QUIET, "waits whether it lasts %s: %s",
                    duration_text(track->policy->for_ms, duration), reason);
    else
        decide__say(engine, track, DECISION_QUIET, "nothing to do: %s", reason);
}

static bool trigger(struct decide *engine, struct track *track)
{
    track->cause = track->alert_new           ? CAUSE_ALERT
                   : track->policy->scheduled ? CAUSE_SCHEDULE
                                              : CAUSE_WHEN;
    if (track->cause == CAUSE_SCHEDULE) {
        track->wanted_until_ms = engine->now.mono_ms + WANTED_MS;
        decide__schedule_next(track, &engine->now);
    }
    track->alert_new = false;
    track->told = track->truth;
    track->rung = 0;
    if (!track->incident)
        track->incident = ++engine->last_incident;
    decide__move(engine, track, ON_TRIGGERED);
    return true;
}

static bool watch(struct decide *engine, struct track *track)
{
    look_at_incident(engine, track);
    look_at_schedule(engine, track);
    if (decide__triggered(engine, track))
        return trigger(engine, track);
    tell_outcome(engine, track);
    return false;
}

/* --- verifying -------------------------------------------------------------------------------- */

bool decide__observed(const struct track *track, size_t rung)
{
    return track->policy->rungs[rung].verify || track->policy->when;
}

/* Strictly after: what was measured in the very millisecond may be from before. Without a `verify`
 * the trouble must be gone at this instant: that it has not yet lasted for its `for` again, or has
 * not been counted often enough, would prove nothing. */
enum truth decide__verified(const struct decide *engine, struct track *track, size_t rung)
{
    const struct policy *policy = track->policy;
    const struct condition *own = policy->rungs[rung].verify;
    int64_t now_ms = engine->now.mono_ms;
    int64_t from_ms = track->verify_from_ms + 1;
    if (own)
        return condition_eval(own, track->verify[rung], engine->board, now_ms, from_ms);
    if (policy->when)
        return TRUTH_TRUE - condition_now(policy->when, engine->board, now_ms, from_ms);
    return track->run_ok ? TRUTH_TRUE : TRUTH_FALSE;
}

/* The incident goes on through the cool-down: it may come back. */
bool decide__healed(struct decide *engine, struct track *track, const char *why)
{
    decide__say(engine, track, DECISION_HEALED, "%s", why)->notify = track->notice != NOTICE_NONE;
    track->notice = NOTICE_NONE;
    track->rung = (size_t)track->tried; /* it may be due for the next one already */
    decide__move(engine, track, ON_HEALED);
    return true;
}

bool decide__end_of_ladder(struct decide *engine, struct track *track, const char *why)
{
    if (track->policy->then == THEN_AGAIN) {
        decide__say(engine, track, DECISION_QUIET, "%s; it is tried again after its cool-down",
                    why);
        decide__move(engine, track, ON_LADDER_AT_END);
        return true;
    }
    decide__say(engine, track, DECISION_HAND_OVER, "%s; a person is needed", why)->notify =
        track->notice != NOTICE_CALLED;
    track->notice = NOTICE_CALLED;
    decide__move(engine, track, ON_GAVE_UP);
    return true;
}

static bool not_helped(struct decide *engine, struct track *track)
{
    const struct rung *rung = &track->policy->rungs[track->rung];
    if (track->rung + 1 < track->policy->rung_count) {
        track->verdict_ms = engine->now.mono_ms;
        decide__move(engine, track, ON_FAILED);
        track->rung++;
        return true;
    }
    CLEANUP_FREE char *why = mem_printf("%s did not help", rung->playbook);
    return decide__end_of_ladder(engine, track, why);
}

static bool verify(struct decide *engine, struct track *track)
{
    const struct rung *rung = &track->policy->rungs[track->rung];
    int64_t now_ms = engine->now.mono_ms;
    if (decide__run_under_way(engine) || engine->paused)
        return false;
    if (engine->changed_ms > track->verify_from_ms) {
        track->verify_from_ms = engine->changed_ms;
        if (track->verify[track->rung])
            condition_state_reset(track->verify[track->rung]);
    }
    enum truth truth = decide__verified(engine, track, track->rung);
    if (truth == TRUTH_TRUE) {
        CLEANUP_FREE char *why = mem_printf("%s helped", rung->playbook);
        return decide__healed(engine, track, why);
    }
    if (decide__observed(track, track->rung) && now_ms - track->verify_from_ms < rung->within_ms)
        return false;
    return not_helped(engine, track);
}

/* --- the other states ------------------------------------------------------------------------- */

static bool settle(struct decide *engine, struct track *track)
{
    char duration[DURATION_MAX];
    if (engine->now.mono_ms - track->since_ms >= track->policy->settle_ms) {
        decide__move(engine, track, ON_SETTLED);
        return true;
    }
    if (decide__triggered(engine, track))
        decide__refuse(engine, track, REFUSAL_SETTLING, "does nothing for %s after a start",
                       duration_text(track->policy->settle_ms, duration));
    return false;
}

/* What helped has not helped when the trouble is there within the cool-down. */
static bool relapses(const struct decide *engine, const struct track *track)
{
    return track->helped && !engine->paused && track->rung + 1 < track->policy->rung_count &&
           engine->now.mono_ms - track->since_ms >= RELAPSE_AFTER_MS;
}

static bool relapse(struct decide *engine, struct track *track)
{
    int tried = (int)track->rung;
    track->cause = track->alert_new ? CAUSE_ALERT : CAUSE_WHEN;
    track->alert_new = false;
    track->told = track->truth;
    CLEANUP_FREE char *reason = decide__reason(engine, track);
    decide__say(engine, track, DECISION_QUIET, "%s helped, but not for long: %s",
                track->policy->rungs[tried].playbook, reason);
    decide__move(engine, track, ON_RELAPSED);
    track->relapsed = true;
    track->verdict_ms = engine->now.mono_ms;
    track->tried = tried;
    track->rung = (size_t)tried + 1;
    return true;
}

static bool cool(struct decide *engine, struct track *track)
{
    char duration[DURATION_MAX];
    if (engine->now.mono_ms - track->since_ms >= track->policy->cooldown_ms) {
        if (track->helped)
            decide__finish_incident(track);
        decide__move(engine, track, ON_COOLED);
        return true;
    }
    if (track->policy->scheduled || !decide__triggered(engine, track))
        return false;
    if (relapses(engine, track))
        return relapse(engine, track);
    if (track->policy->then != THEN_AGAIN) /* whose cool-down is its rhythm */
        decide__refuse(engine, track, REFUSAL_COOL_DOWN,
                       "it is needed again, but cools down for %s after it acted",
                       duration_text(track->policy->cooldown_ms, duration));
    return false;
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static void tell_what_a_person_did(struct decide *engine, struct track *track)
{
    if (track->aborted)
        decide__say(engine, track, DECISION_HAND_OVER,
                    "its run was aborted; nothing more is tried until it is re-armed");
    if (track->denied)
        decide__say(engine, track, DECISION_HAND_OVER,
                    "it was denied; nothing is tried until it is re-armed")
            ->question = track->question;
    track->aborted = track->denied = false;
}

static bool wait_for_rearm(struct decide *engine, struct track *track)
{
    const struct policy *policy = track->policy;
    int64_t now_ms = engine->now.mono_ms;
    tell_what_a_person_did(engine, track);
    if (engine->paused)
        return false;
    int64_t healthy_ms = later(track->since_ms, track->healthy_since_ms);
    if (!is_blind(engine, track) && held_for(healthy_ms, policy->rearm_healthy_ms, now_ms)) {
        if (track->notice != NOTICE_NONE)
            decide__say(engine, track, DECISION_HEALED, "it is over")->notify = true;
        decide__move(engine, track, ON_REARMED);
        decide__finish_incident(track);
        return true;
    }
    if (held_for(track->since_ms, policy->rearm_after_ms, now_ms)) {
        decide__move(engine, track, ON_REARMED);
        return true;
    }
    /* Only a trouble that came anew is worth a word: the old one has been handed over. */
    if (track->held_since_ms != NEVER && track->held_since_ms > track->since_ms &&
        decide__triggered(engine, track))
        decide__refuse(engine, track, REFUSAL_NOT_REARMED,
                       "it is needed again, but a person is at it, and it is not re-armed yet");
    return false;
}

bool decide__advance(struct decide *engine, struct track *track)
{
    switch (track->state) {
    case STATE_SETTLING:
        return settle(engine, track);
    case STATE_WATCHING:
        return watch(engine, track);
    case STATE_DUE:
    case STATE_ASKING:
        return decide__climb(engine, track);
    case STATE_VERIFYING:
        return verify(engine, track);
    case STATE_COOLING:
        return cool(engine, track);
    case STATE_HANDED:
        return wait_for_rearm(engine, track);
    default:
        return false; /* running: decide_run_ended moves it on */
    }
}
