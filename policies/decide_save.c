/* The engine's state as JSON and back, and as people see it.
 *
 * Every instant is written as it is on the monotonic clock, beside the clocks of the writing; a
 * restore moves all of them by one shift (moment.h). */
#include "base/hash.h"
#include "base/mem.h"
#include "policies/decide_private.h"

#include <string.h>

enum { FORM = 1 };

static const char *const cause_names[] = {
    [CAUSE_WHEN] = "when", [CAUSE_SCHEDULE] = "schedule", [CAUSE_ALERT] = "alert"};
_Static_assert(ARRAY_SIZE(cause_names) == CAUSES, "a name for every cause");

/* Instants that may be NEVER or before everything are left out then. */
static void set_instant(json_t *object, const char *key, int64_t at_ms)
{
    if (at_ms != NEVER && at_ms != INT64_MIN)
        json_set_int(object, key, at_ms);
}

static int64_t get_instant(const json_t *object, const char *key, int64_t fallback,
                           int64_t shift_ms)
{
    const json_t *value = json_object_get(object, key);
    return json_is_integer(value) ? instant_shift(json_integer_value(value), shift_ms) : fallback;
}

/* --- saving ----------------------------------------------------------------------------------- */

static json_t *verify_save(const struct track *track)
{
    json_t *list = json_array();
    for (size_t i = 0; i < track->policy->rung_count; i++)
        json_array_append_new(list, track->verify[i] ? condition_state_save(track->verify[i])
                                                     : json_null());
    return list;
}

static json_t *track_save(const struct track *track)
{
    char fingerprint[HASH_TEXT_MAX];
    json_t *saved = json_object();
    json_set_text(saved, "fingerprint", hash_text(track->policy->fingerprint, fingerprint));
    json_set_text(saved, "mode", policy_mode_name(track->policy->mode));
    json_set_text(saved, "state", decide__state_name(track->state));
    json_set_int(saved, "since", track->since_ms);
    set_instant(saved, "settled", track->settled_ms);
    if (track->when)
        json_object_set_new(saved, "when", condition_state_save(track->when));
    json_object_set_new(saved, "verify", verify_save(track));
    set_instant(saved, "held_since", track->held_since_ms);
    set_instant(saved, "healthy_since", track->healthy_since_ms);
    json_set_int(saved, "told", track->told);
    json_set_text(saved, "cause", cause_names[track->cause]);
    set_instant(saved, "wanted_until", track->wanted_until_ms);
    json_set_int(saved, "rung", (int64_t)track->rung);
    json_set_int(saved, "tried", track->tried);
    json_set_bool(saved, "relapsed", track->relapsed);
    json_set_int(saved, "tried_before", track->tried_before);
    json_set_bool(saved, "relapsed_before", track->relapsed_before);
    json_set_bool(saved, "approved_before", track->approved_before);
    json_set_bool(saved, "uprooted", track->uprooted);
    set_instant(saved, "not_begun", track->not_begun_ms);
    set_instant(saved, "again", track->again_ms);
    json_set_bool(saved, "helped", track->helped);
    set_instant(saved, "verify_from", track->verify_from_ms);
    set_instant(saved, "verdict", track->verdict_ms);
    json_set_bool(saved, "run_ok", track->run_ok);
    json_set_bool(saved, "approved", track->approved);
    if (track->asked)
        json_object_set(saved, "asked", track->asked);
    json_set_int(saved, "question", track->question);
    json_set_bool(saved, "aborted", track->aborted);
    json_set_bool(saved, "denied", track->denied);
    json_set_int(saved, "decision", track->decision);
    json_set_int(saved, "refused", track->refused);
    json_object_set_new(saved, "runs", window_save(&track->runs));
    json_set_int(saved, "incident", track->incident);
    json_set_int(saved, "notice", track->notice);
    json_set_bool(saved, "alert_firing", track->alert_firing);
    json_set_bool(saved, "alert_new", track->alert_new);
    set_instant(saved, "next", track->next_mono_ms);
    set_instant(saved, "next_local", track->next_local_ms);
    return saved;
}

json_t *decide_save(const struct decide *engine, const struct life *life)
{
    json_t *saved = json_object();
    json_t *policies = json_object();
    json_set_int(saved, "form", FORM);
    json_set_int(saved, "mono", life->mono_ms);
    json_set_int(saved, "wall", life->wall_ms);
    json_set_text(saved, "boot", life->boot);
    json_set_int(saved, "last_decision", engine->last_decision);
    json_set_int(saved, "last_incident", engine->last_incident);
    if (engine->paused) {
        json_set_text(saved, "paused", engine->pause_reason);
        set_instant(saved, "pause_until", engine->pause_until_ms);
    }
    json_set_int(saved, "run", engine->run_decision);
    json_set_bool(saved, "run_disruptive", engine->run_disruptive);
    json_set_bool(saved, "foreign_run", engine->foreign_run);
    json_set_bool(saved, "foreign_disruptive", engine->foreign_disruptive);
    set_instant(saved, "changed", engine->changed_ms);
    set_instant(saved, "calm", engine->calm_ms);
    json_object_set_new(saved, "recoveries", window_save(&engine->recoveries));
    for (size_t i = 0; i < engine->track_count; i++)
        json_object_set_new(policies, engine->tracks[i].policy->name,
                            track_save(&engine->tracks[i]));
    json_object_set_new(saved, "policies", policies);
    return saved;
}

/* --- restoring -------------------------------------------------------------------------------- */

struct restoring {
    int64_t shift_ms;
    bool new_boot;
    const struct moment *now;
};

static void verify_restore(struct track *track, const json_t *list, int64_t shift_ms)
{
    for (size_t i = 0; i < track->policy->rung_count; i++)
        if (track->verify[i])
            condition_state_restore(track->verify[i], json_array_get(list, i), shift_ms);
}

static enum cause cause_parse(const char *name)
{
    for (size_t i = 0; i < CAUSES; i++)
        if (strcmp(cause_names[i], name) == 0)
            return (enum cause)i;
    return CAUSE_WHEN;
}

/* An enumerator that was written as its number. */
static int get_enum(const json_t *object, const char *key, int count)
{
    int64_t value = json_int_at(object, key, 0);
    return value >= 0 && value < count ? (int)value : 0;
}

/* What holds whatever the policy's definition has become. */
static void restore_always(struct track *track, const json_t *saved, int64_t shift_ms)
{
    window_restore(&track->runs, json_object_get(saved, "runs"), shift_ms);
    track->incident = json_int_at(saved, "incident", 0);
    track->notice = (enum notice)get_enum(saved, "notice", NOTICES);
    track->alert_firing = json_bool_at(saved, "alert_firing", false);
    track->alert_new = json_bool_at(saved, "alert_new", false);
}

/* What was seen through the very conditions and schedule that the policy still has. */
static void restore_seen(struct track *track, const json_t *saved, int64_t shift_ms)
{
    if (track->when)
        condition_state_restore(track->when, json_object_get(saved, "when"), shift_ms);
    verify_restore(track, json_object_get(saved, "verify"), shift_ms);
    track->held_since_ms = get_instant(saved, "held_since", NEVER, shift_ms);
    track->healthy_since_ms = get_instant(saved, "healthy_since", NEVER, shift_ms);
    track->told = (enum truth)get_enum(saved, "told", TRUTH_TRUE + 1);
    track->helped = json_bool_at(saved, "helped", false);
    track->next_mono_ms = get_instant(saved, "next", track->next_mono_ms, shift_ms);
    track->next_local_ms = instant_bound(json_int_at(saved, "next_local", track->next_local_ms));
}

/* The number of a rung that there is, or -1. */
static int rung_at(const struct track *track, const json_t *saved, const char *key)
{
    int64_t rung = json_int_at(saved, key, -1);
    return rung >= 0 && rung < (int64_t)track->policy->rung_count ? (int)rung : -1;
}

static void restore_climb(struct track *track, const json_t *saved, int64_t shift_ms)
{
    track->cause = cause_parse(json_text_at(saved, "cause", ""));
    track->wanted_until_ms = get_instant(saved, "wanted_until", 0, shift_ms);
    track->rung = (size_t)json_int_at(saved, "rung", 0);
    track->tried = (int)json_int_at(saved, "tried", -1);
    track->verify_from_ms = get_instant(saved, "verify_from", 0, shift_ms);
    track->verdict_ms = get_instant(saved, "verdict", 0, shift_ms);
    track->relapsed = json_bool_at(saved, "relapsed", false);
    track->tried_before = rung_at(track, saved, "tried_before");
    track->relapsed_before = json_bool_at(saved, "relapsed_before", false);
    track->approved_before = json_bool_at(saved, "approved_before", false);
    track->not_begun_ms = get_instant(saved, "not_begun", NEVER, shift_ms);
    track->again_ms = get_instant(saved, "again", INT64_MIN, shift_ms);
    track->run_ok = json_bool_at(saved, "run_ok", false);
    track->approved = json_bool_at(saved, "approved", false);
    json_decref(track->asked);
    track->asked = json_deep_copy(json_object_get(saved, "asked"));
    track->question = json_int_at(saved, "question", 0);
    track->aborted = json_bool_at(saved, "aborted", false);
    track->denied = json_bool_at(saved, "denied", false);
    track->decision = json_int_at(saved, "decision", 0);
    track->refused = (enum refusal)get_enum(saved, "refused", REFUSALS);
}

static bool same_definition(const struct track *track, const json_t *saved)
{
    char fingerprint[HASH_TEXT_MAX];
    hash_text(track->policy->fingerprint, fingerprint);
    return strcmp(json_text_at(saved, "fingerprint", ""), fingerprint) == 0;
}

static bool rungs_exist(const struct track *track, const json_t *saved, enum decide_state state)
{
    int64_t count = (int64_t)track->policy->rung_count;
    int64_t rung = json_int_at(saved, "rung", 0);
    int64_t tried = json_int_at(saved, "tried", -1);
    bool needs_rung = state == STATE_RUNNING || state == STATE_VERIFYING;
    bool rung_exists = rung >= 0 && rung < count;
    bool tried_exists = tried >= 0 && tried < count;
    return (rung_exists || (rung == 0 && !needs_rung)) && (tried_exists || tried == -1);
}

/* A cool-down, a hand-over and a run under way hold through everything. A climb needs the ladder it
 * was on; and after a boot the world is another one. */
static bool outlasts(enum decide_state state)
{
    return state == STATE_RUNNING || state == STATE_COOLING || state == STATE_HANDED;
}

/* A policy that only observed has called nobody: if it may act now, it begins with watching. */
static bool may_do_more(const struct track *track, const json_t *saved)
{
    enum policy_mode before;
    bool known = policy_mode_parse(json_text_at(saved, "mode", ""), &before);
    return known && before >= MODE_OBSERVE && track->policy->mode < MODE_OBSERVE;
}

static bool state_fits(const struct track *track, const json_t *saved, enum decide_state state)
{
    if (state == STATE_HANDED && may_do_more(track, saved))
        return false;
    return rungs_exist(track, saved, state) && (outlasts(state) || same_definition(track, saved));
}

/* Tries of another boot say nothing now; and a damaged record may hold impossible ones, in the
 * future or with a wait that is longer than any we set. */
static void forget_tries(struct track *track, const struct restoring *how)
{
    int64_t now_ms = how->now->mono_ms;
    bool good = track->not_begun_ms <= now_ms && track->again_ms >= track->not_begun_ms &&
                track->again_ms <= now_ms + 2 * (int64_t)NOT_BEGUN_MAX_MS;
    if (how->new_boot || !good) {
        track->not_begun_ms = NEVER;
        track->again_ms = INT64_MIN;
    }
}

static void track_restore(struct track *track, const json_t *saved, const struct restoring *how)
{
    enum decide_state state = decide__state_parse(json_text_at(saved, "state", NULL));
    restore_always(track, saved, how->shift_ms);
    if (how->new_boot && !outlasts(state))
        return; /* everything starts: it settles, as a new track does */
    if (state == STATE_NONE || !state_fits(track, saved, state)) {
        track->state = how->new_boot ? STATE_SETTLING : STATE_WATCHING;
        return;
    }
    if (same_definition(track, saved) && !how->new_boot)
        restore_seen(track, saved, how->shift_ms);
    restore_climb(track, saved, how->shift_ms);
    forget_tries(track, how);
    track->uprooted = state == STATE_RUNNING && (json_bool_at(saved, "uprooted", false) ||
                                                 how->new_boot || !same_definition(track, saved));
    track->state = state;
    track->since_ms = get_instant(saved, "since", how->now->mono_ms, how->shift_ms);
    track->settled_ms = how->new_boot ? how->now->mono_ms + track->policy->settle_ms
                                      : get_instant(saved, "settled", INT64_MIN, how->shift_ms);
}

/* A number that is counted on from; a file may hold any. */
static int64_t get_last(const json_t *saved, const char *key)
{
    int64_t last = json_int_at(saved, key, 0);
    return last > 0 && last < INT64_MAX / 2 ? last : 0;
}

static void engine_restore(struct decide *engine, const json_t *saved, int64_t shift_ms)
{
    const char *reason = json_text_at(saved, "paused", NULL);
    engine->last_decision = get_last(saved, "last_decision");
    engine->last_incident = get_last(saved, "last_incident");
    engine->paused = reason != NULL;
    engine->pause_until_ms = get_instant(saved, "pause_until", NEVER, shift_ms);
    mem_replace(&engine->pause_reason, reason);
    engine->run_decision = json_int_at(saved, "run", 0);
    engine->run_disruptive = json_bool_at(saved, "run_disruptive", false);
    engine->foreign_run = json_bool_at(saved, "foreign_run", false);
    engine->foreign_disruptive = json_bool_at(saved, "foreign_disruptive", false);
    engine->changed_ms = get_instant(saved, "changed", INT64_MIN, shift_ms);
    engine->calm_ms = get_instant(saved, "calm", INT64_MIN, shift_ms);
    window_restore(&engine->recoveries, json_object_get(saved, "recoveries"), shift_ms);
}

int decide_restore(struct decide *engine, const json_t *saved, const struct life *life,
                   const struct moment *now, struct err *e)
{
    const json_t *policies = json_object_get(saved, "policies");
    if (json_int_at(saved, "form", 0) != FORM || !json_is_object(policies))
        return err_set(e, ERR_PROTOCOL, "the saved state of the policies is not of form %d", FORM);
    struct life then = {.mono_ms = json_int_at(saved, "mono", 0),
                        .wall_ms = json_int_at(saved, "wall", 0)};
    snprintf(then.boot, sizeof then.boot, "%s", json_text_at(saved, "boot", ""));
    struct restoring how = {
        .shift_ms = life_shift_ms(&then, life),
        .new_boot = !life_is_same_boot(&then, life),
        .now = now,
    };
    engine->now = *now;
    engine_restore(engine, saved, how.shift_ms);
    for (size_t i = 0; i < engine->track_count; i++) {
        const json_t *one = json_object_get(policies, engine->tracks[i].policy->name);
        if (one)
            track_restore(&engine->tracks[i], one, &how);
    }
    return 0;
}
