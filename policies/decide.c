/* The engine's life, its step, and what happens to it from outside. See decide.h. */
#include "policies/decide.h"

#include "base/buf.h"
#include "base/mem.h"
#include "policies/decide_private.h"

#include <assert.h>
#include <string.h>

static void track_init(struct track *track, const struct policy *policy, const struct moment *now)
{
    *track = (struct track){
        .policy = policy,
        .state = STATE_SETTLING,
        .since_ms = now->mono_ms,
        .settled_ms = INT64_MIN,
        .truth = TRUTH_UNKNOWN,
        .told = TRUTH_UNKNOWN,
        .held_since_ms = NEVER,
        .healthy_since_ms = NEVER,
        .next_mono_ms = NEVER,
        .next_local_ms = NEVER,
        .not_begun_ms = NEVER,
        .again_ms = INT64_MIN,
        .tried = -1,
        .tried_before = -1,
    };
    if (policy->when)
        track->when = condition_state_new(policy->when);
    track->verify = mem_new(policy->rung_count * sizeof(struct condition_state *));
    for (size_t i = 0; i < policy->rung_count; i++)
        if (policy->rungs[i].verify)
            track->verify[i] = condition_state_new(policy->rungs[i].verify);
    decide__schedule_next(track, now);
}

static void track_free(struct track *track)
{
    for (size_t i = 0; i < track->policy->rung_count; i++)
        condition_state_free(track->verify[i]);
    free(track->verify);
    condition_state_free(track->when);
    json_decref(track->asked);
    window_free(&track->runs);
}

struct decide *decide_new(const struct policy_set *policies, const struct decide_options *options,
                          const struct moment *now)
{
    struct decide *engine = mem_new(sizeof *engine);
    engine->policies = policies;
    engine->options = *options;
    engine->now = *now;
    engine->calm_ms = engine->changed_ms = INT64_MIN;
    engine->track_count = policy_set_count(policies);
    engine->tracks = mem_new(engine->track_count * sizeof *engine->tracks);
    for (size_t i = 0; i < engine->track_count; i++)
        track_init(&engine->tracks[i], policy_set_at(policies, i), now);
    return engine;
}

static void clear_decisions(struct decide *engine)
{
    for (size_t i = 0; i < engine->decision_count; i++)
        decision_clear(&engine->decisions[i]);
    free(engine->decisions);
    engine->decisions = NULL;
    engine->decision_count = 0;
}

struct decide *decide_free(struct decide *engine)
{
    if (!engine)
        return NULL;
    clear_decisions(engine);
    for (size_t i = 0; i < engine->track_count; i++)
        track_free(&engine->tracks[i]);
    for (size_t i = 0; i < HISTORY_MAX; i++)
        json_decref(engine->history[i]);
    window_free(&engine->recoveries);
    free(engine->pause_reason);
    free(engine->tracks);
    free(engine);
    return NULL;
}

/* --- the step --------------------------------------------------------------------------------- */

static void set_now(struct decide *engine, const struct moment *now)
{
    assert(now->mono_ms >= engine->now.mono_ms && "time goes back");
    engine->now = *now;
}

static void end_pause(struct decide *engine)
{
    engine->paused = false;
    engine->changed_ms = engine->now.mono_ms;
}

/* Moves every policy that is due, or every other one, by one state. */
static bool advance_some(struct decide *engine, bool due)
{
    bool moved = false;
    for (size_t i = 0; i < engine->track_count; i++) {
        struct track *track = &engine->tracks[i];
        if ((track->state == STATE_DUE) == due)
            moved = decide__advance(engine, track) || moved;
    }
    return moved;
}

/* Whoever is due is known before anybody goes through the gates, so that the first of the list is
 * the first to go. A policy moves at most through all its rungs in one step (when none of them can
 * be run); more rounds than that would be a wheel that turns by itself. */
static void advance_all(struct decide *engine)
{
    int rounds = 0;
    do {
        assert(rounds++ < 64 && "policies never come to rest");
        while (advance_some(engine, false))
            assert(rounds++ < 64 && "policies never come to rest");
    } while (advance_some(engine, true));
}

const struct decision *decide_step(struct decide *engine, const struct moment *now,
                                   const struct board *board, size_t *ret_count)
{
    set_now(engine, now);
    clear_decisions(engine);
    engine->board = board;
    if (engine->paused && now->mono_ms >= engine->pause_until_ms)
        end_pause(engine);
    int64_t run;
    do { /* a disruptive run that begins changes what all the others see */
        run = engine->run_decision;
        for (size_t i = 0; i < engine->track_count; i++)
            decide__evaluate(engine, &engine->tracks[i]);
        advance_all(engine);
    } while (engine->run_decision != run && engine->run_disruptive);
    decide__remember(engine);
    engine->board = NULL;
    *ret_count = engine->decision_count;
    return engine->decisions;
}

/* --- what happens to it ----------------------------------------------------------------------- */

/* A disruptive run is over: what was seen until now was its doing. */
static void begin_anew(struct decide *engine)
{
    engine->calm_ms = engine->now.mono_ms + 1;
    for (size_t i = 0; i < engine->track_count; i++) {
        struct track *track = &engine->tracks[i];
        if (!track->when)
            continue;
        condition_state_reset(track->when);
        track->held_since_ms = NEVER;
        track->healthy_since_ms = NEVER;
    }
}

/* As if it had not been decided, but for a wait that doubles. False: that has gone on for long
 * enough, whatever the policy wanted to run in the meantime; or the world in which it was decided,
 * or its ladder, is gone. */
static bool take_back(struct decide *engine, struct track *track)
{
    int64_t now_ms = engine->now.mono_ms;
    if (track->uprooted)
        return false;
    if (track->not_begun_ms == NEVER || now_ms - track->again_ms > NOT_BEGUN_FORGET_MS)
        track->not_begun_ms = now_ms;
    int64_t tried_ms = now_ms - track->not_begun_ms;
    track->again_ms = now_ms;
    if (tried_ms >= NOT_BEGUN_MAX_MS)
        return false;
    track->again_ms += tried_ms > SECOND_MS ? tried_ms : SECOND_MS;
    track->tried = track->tried_before;
    window_take_back(&track->runs, &track->policy->budget);
    if (engine->run_disruptive)
        window_take_back(&engine->recoveries, &engine->options.recoveries);
    decide__move(engine, track, ON_NOT_BEGUN);
    track->relapsed = track->relapsed_before;
    track->approved = track->approved_before;
    return true;
}

static void has_ended(struct decide *engine, struct track *track, enum run_outcome outcome)
{
    track->run_ok = outcome == RUN_DONE;
    track->aborted = outcome == RUN_ABORTED;
    track->uprooted = false;
    if (outcome != RUN_NOT_BEGUN) {
        track->not_begun_ms = NEVER;
        track->again_ms = INT64_MIN;
    }
    decide__move(engine, track, outcome == RUN_ABORTED ? ON_ABORTED : ON_ENDED);
}

static struct track *find_running(struct decide *engine, int64_t decision)
{
    for (size_t i = 0; i < engine->track_count; i++)
        if (engine->tracks[i].state == STATE_RUNNING && engine->tracks[i].decision == decision)
            return &engine->tracks[i];
    return NULL; /* its policy is gone, by a new configuration */
}

bool decide_run_ended(struct decide *engine, const struct moment *now, int64_t decision,
                      enum run_outcome outcome)
{
    set_now(engine, now);
    if (decision == 0 || decision != engine->run_decision)
        return false;
    struct track *track = find_running(engine, decision);
    engine->run_decision = 0;
    if (outcome == RUN_NOT_BEGUN && !track && engine->run_disruptive)
        window_take_back(&engine->recoveries, &engine->options.recoveries);
    if (outcome == RUN_NOT_BEGUN && (!track || take_back(engine, track)))
        return true;
    engine->changed_ms = now->mono_ms;
    if (engine->run_disruptive)
        begin_anew(engine);
    if (track)
        has_ended(engine, track, outcome);
    return true;
}

void decide_foreign_run(struct decide *engine, const struct moment *now, bool under_way,
                        bool disruptive)
{
    set_now(engine, now);
    bool ended = engine->foreign_run && !under_way;
    bool was_disruptive = engine->foreign_disruptive;
    engine->foreign_run = under_way;
    engine->foreign_disruptive = under_way && disruptive;
    if (!ended)
        return;
    engine->changed_ms = now->mono_ms;
    if (was_disruptive)
        begin_anew(engine);
}

int64_t decide_running(const struct decide *engine)
{
    return engine->run_decision;
}

int64_t decide_asked(const struct decide *engine)
{
    int64_t first = 0;
    for (size_t i = 0; i < engine->track_count; i++) {
        const struct track *track = &engine->tracks[i];
        if (track->state == STATE_ASKING && (first == 0 || track->decision < first))
            first = track->decision;
    }
    return first;
}

static struct track *find_asking(struct decide *engine, int64_t decision, struct err *e)
{
    for (size_t i = 0; i < engine->track_count; i++)
        if (engine->tracks[i].state == STATE_ASKING && engine->tracks[i].decision == decision)
            return &engine->tracks[i];
    err_set(e, ERR_NOT_FOUND, "decision %lld does not wait for an approval", (long long)decision);
    err_hint(e, "supervisorctl status and supervisorctl why name what does, by its number");
    return NULL;
}

int decide_approve(struct decide *engine, const struct moment *now, int64_t decision, struct err *e)
{
    set_now(engine, now);
    struct track *track = find_asking(engine, decision, e);
    if (!track)
        return -(int)ERR_NOT_FOUND;
    track->question = decision;
    decide__move(engine, track, ON_APPROVED);
    return 0;
}

int decide_deny(struct decide *engine, const struct moment *now, int64_t decision, struct err *e)
{
    set_now(engine, now);
    struct track *track = find_asking(engine, decision, e);
    if (!track)
        return -(int)ERR_NOT_FOUND;
    track->denied = true;
    track->question = decision;
    decide__move(engine, track, ON_GAVE_UP);
    return 0;
}

void decide_pause(struct decide *engine, const struct moment *now, int64_t until_ms,
                  const char *reason)
{
    set_now(engine, now);
    engine->paused = true;
    engine->pause_until_ms = until_ms;
    mem_replace(&engine->pause_reason, reason ? reason : "no reason given");
}

void decide_resume(struct decide *engine, const struct moment *now)
{
    set_now(engine, now);
    if (engine->paused)
        end_pause(engine);
}

bool decide_paused(const struct decide *engine, int64_t *ret_until_ms, const char **ret_reason)
{
    if (engine->paused) {
        *ret_until_ms = engine->pause_until_ms;
        *ret_reason = engine->pause_reason;
    }
    return engine->paused;
}

size_t decide_alert(struct decide *engine, const struct moment *now, const char *name, bool firing)
{
    size_t waiting = 0;
    set_now(engine, now);
    for (size_t i = 0; i < engine->track_count; i++) {
        struct track *track = &engine->tracks[i];
        if (!track->policy->on_alert || strcmp(track->policy->on_alert, name) != 0)
            continue;
        /* The same alert told again is the same alert: Alertmanager repeats itself. */
        track->alert_new = firing && (track->alert_new || !track->alert_firing);
        track->alert_firing = firing;
        waiting++;
    }
    return waiting;
}
