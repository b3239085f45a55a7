/* When time alone may bring a decision. Each state of decide_track.c that waits has its line here;
 * a line too many costs a wake-up, one too few a decision that comes late. */
#include "policies/decide_private.h"

static int64_t after(int64_t at_ms, int64_t now_ms)
{
    return at_ms > now_ms ? at_ms : NEVER;
}

static int64_t span_after(int64_t since_ms, int64_t span_ms, int64_t now_ms)
{
    bool never = since_ms == NEVER || span_ms == NEVER;
    return never ? NEVER : after(since_ms + span_ms, now_ms);
}

static int64_t local_to_mono(int64_t local_ms, const struct moment *now)
{
    return local_ms == NEVER ? NEVER : after(now->mono_ms + local_ms - now->local_ms, now->mono_ms);
}

static int64_t next_of_condition(const struct decide *engine, const struct track *track,
                                 const struct board *board, int64_t now_ms)
{
    if (!track->when || decide__disrupted(engine))
        return NEVER;
    return earlier(condition_next_change_ms(track->policy->when, track->when, board, now_ms),
                   span_after(track->held_since_ms, track->policy->for_ms, now_ms));
}

static int64_t next_of_verification(const struct track *track, size_t rung,
                                    const struct board *board, int64_t now_ms)
{
    const struct policy *policy = track->policy;
    if (policy->rungs[rung].verify)
        return condition_next_change_ms(policy->rungs[rung].verify, track->verify[rung], board,
                                        now_ms);
    return policy->when ? condition_next_change_ms(policy->when, track->when, board, now_ms)
                        : NEVER;
}

static int64_t next_of_due(const struct decide *engine, const struct track *track,
                           const struct moment *now, const struct board *board)
{
    const struct policy *policy = track->policy;
    int64_t now_ms = now->mono_ms;
    int64_t next = NEVER;
    if (track->tried >= 0)
        next = next_of_verification(track, (size_t)track->tried, board, now_ms);
    if (track->cause == CAUSE_SCHEDULE)
        next = earlier(next, after(track->wanted_until_ms, now_ms));
    if (track->state == STATE_ASKING)
        return next;
    next = earlier(next,
                   local_to_mono(time_windows_change_local_ms(&policy->only, now->local_ms), now));
    next = earlier(next, after(track->again_ms, now_ms));
    next = earlier(next, after(window_allows_at_ms(&track->runs, &policy->budget, now_ms), now_ms));
    return earlier(
        next, after(window_allows_at_ms(&engine->recoveries, &engine->options.recoveries, now_ms),
                    now_ms));
}

static int64_t next_of_schedule(const struct track *track, const struct moment *now)
{
    if (!track->policy->scheduled)
        return NEVER;
    return earlier(after(track->next_mono_ms, now->mono_ms),
                   local_to_mono(track->next_local_ms, now));
}

static int64_t next_of_watching(const struct track *track, const struct moment *now)
{
    int64_t next = next_of_schedule(track, now);
    if (track->incident)
        next = earlier(next, span_after(track->healthy_since_ms, track->policy->rearm_healthy_ms,
                                        now->mono_ms));
    return next;
}

static int64_t next_of_handed(const struct track *track, const struct moment *now)
{
    const struct policy *policy = track->policy;
    int64_t now_ms = now->mono_ms;
    int64_t healthy_ms = track->healthy_since_ms;
    if (healthy_ms < track->since_ms)
        healthy_ms = track->since_ms;
    return earlier(next_of_schedule(track, now),
                   earlier(span_after(track->since_ms, policy->rearm_after_ms, now_ms),
                           span_after(healthy_ms, policy->rearm_healthy_ms, now_ms)));
}

static int64_t next_of_state(const struct decide *engine, const struct track *track,
                             const struct moment *now, const struct board *board)
{
    int64_t now_ms = now->mono_ms;
    switch (track->state) {
    case STATE_SETTLING:
        return earlier(span_after(track->since_ms, track->policy->settle_ms, now_ms),
                       next_of_schedule(track, now));
    case STATE_WATCHING:
        return next_of_watching(track, now);
    case STATE_DUE:
    case STATE_ASKING:
        return next_of_due(engine, track, now, board);
    case STATE_VERIFYING:
        return earlier(
            span_after(track->verify_from_ms, track->policy->rungs[track->rung].within_ms, now_ms),
            next_of_verification(track, track->rung, board, now_ms));
    case STATE_COOLING:
        return earlier(span_after(track->since_ms, track->policy->cooldown_ms, now_ms),
                       span_after(track->since_ms, RELAPSE_AFTER_MS, now_ms));
    case STATE_HANDED:
        return next_of_handed(track, now);
    default:
        return NEVER;
    }
}

int64_t decide_next_ms(const struct decide *engine, const struct moment *now,
                       const struct board *board)
{
    int64_t next = engine->paused ? after(engine->pause_until_ms, now->mono_ms) : NEVER;
    for (size_t i = 0; i < engine->track_count; i++) {
        const struct track *track = &engine->tracks[i];
        next = earlier(next, after(track->settled_ms, now->mono_ms));
        next = earlier(next, next_of_condition(engine, track, board, now->mono_ms));
        next = earlier(next, next_of_state(engine, track, now, board));
    }
    return next;
}
