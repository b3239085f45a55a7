/* What the engine looks like from outside: its policies, its last decisions. */
#include "base/buf.h"
#include "base/mem.h"
#include "policies/decide_private.h"

enum { EXPLANATION_MAX = 4096 };

static json_t *explanation(const struct decide *engine, const struct track *track,
                           const struct moment *now, const struct board *board)
{
    struct buf out;
    if (!track->policy->when)
        return json_null();
    buf_init(&out, EXPLANATION_MAX);
    condition_explain(track->policy->when, board, now->mono_ms, engine->calm_ms, &out);
    json_t *text = json_lossy_string(buf_text(&out), out.len);
    buf_free(&out);
    return text;
}

static json_t *track_json(const struct decide *engine, const struct track *track,
                          const struct moment *now, const struct board *board)
{
    const struct policy *policy = track->policy;
    char budget[BUDGET_TEXT_MAX];
    json_t *item = json_object();
    json_set_text(item, "name", policy->name);
    json_set_text(item, "mode", policy_mode_name(policy->mode));
    json_set_text(item, "state", decide__state_name(track->state));
    json_set_int(item, "since_ms", now->mono_ms - track->since_ms);
    json_set_int(item, "rung", (int64_t)track->rung + 1);
    json_set_int(item, "rungs", (int64_t)policy->rung_count);
    json_set_text(item, "outcome", truth_name(track->truth));
    json_object_set_new(item, "explanation", explanation(engine, track, now, board));
    json_set_int(item, "incident", track->incident);
    json_set_text(item, "budget", budget_text(&policy->budget, budget));
    json_set_int(item, "runs_in_budget",
                 (int64_t)window_used(&track->runs, &policy->budget, now->mono_ms));
    json_set_text(item, "refused", track->refused ? refusal_name(track->refused) : NULL);
    if (track->state == STATE_ASKING)
        json_set_int(item, "asks", track->decision);
    if (track->state == STATE_RUNNING)
        json_set_int(item, "runs", track->decision);
    return item;
}

json_t *decide_json(const struct decide *engine, const struct moment *now,
                    const struct board *board)
{
    json_t *list = json_array();
    for (size_t i = 0; i < engine->track_count; i++)
        json_array_append_new(list, track_json(engine, &engine->tracks[i], now, board));
    return list;
}

json_t *decide_history(const struct decide *engine, size_t limit)
{
    json_t *list = json_array();
    size_t kept = engine->history_count < HISTORY_MAX ? engine->history_count : HISTORY_MAX;
    for (size_t i = 0; i < kept && i < limit; i++)
        json_array_append(list, engine->history[(engine->history_count - 1 - i) % HISTORY_MAX]);
    return list;
}
