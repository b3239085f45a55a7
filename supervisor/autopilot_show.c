/* The autopilot as people see it: policies, observations, decisions. See autopilot.h. */
#include "supervisor/autopilot_private.h"

#include "base/mem.h"

#include <string.h>

json_t *autopilot_pause_json(const struct autopilot *autopilot)
{
    int64_t until_ms;
    const char *reason;
    char at[CLOCK_STAMP_MAX];
    if (!autopilot->engine || !decide_paused(autopilot->engine, &until_ms, &reason))
        return json_null();
    int64_t left_ms = until_ms - loop_now(autopilot->options.loop);
    json_t *pause = json_object();
    json_set_text(pause, "reason", reason);
    json_set_text(pause, "until",
                  until_ms == NEVER ? NULL : clock_stamp(clock_wall_ms() + left_ms, at));
    json_object_set_new(pause, "left_ms", until_ms == NEVER ? json_null() : json_integer(left_ms));
    return pause;
}

static bool is_at_rest(const json_t *policy)
{
    static const char *const resting[] = {"watching", "settling", "cooling"};
    for (size_t i = 0; i < ARRAY_SIZE(resting); i++)
        if (strcmp(json_text_at(policy, "state", ""), resting[i]) == 0)
            return true;
    /* One that only tells has told; it is no more at work than one that watches. */
    return json_int_at(policy, "rungs", 0) == 0 ||
           strcmp(json_text_at(policy, "mode", ""), "off") == 0;
}

json_t *autopilot_brief(const struct autopilot *autopilot)
{
    static const char *const shown[] = {"name", "state", "rung", "rungs", "asks"};
    CLEANUP_JSON json_t *all = autopilot_policies(autopilot);
    const json_t *list = json_at(all, "policies");
    json_t *busy = json_array();
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *policy = json_array_get(list, i);
        if (is_at_rest(policy))
            continue;
        json_t *item = json_object();
        for (size_t k = 0; k < ARRAY_SIZE(shown); k++)
            if (json_object_get(policy, shown[k]))
                json_object_set(item, shown[k], json_object_get(policy, shown[k]));
        json_array_append_new(busy, item);
    }
    json_t *brief = json_object();
    json_object_set(brief, "paused", json_object_get(all, "paused"));
    json_object_set_new(brief, "busy", busy);
    return brief;
}

/* What a policy is, with where it stands. */
json_t *autopilot_policies(const struct autopilot *autopilot)
{
    struct moment now = autopilot__now(autopilot);
    json_t *list = policy_set_json(autopilot->rules.policies);
    json_t *states = autopilot->engine
                         ? decide_json(autopilot->engine, &now, feed_board(autopilot->feed))
                         : json_array();
    json_t *policy;
    size_t i;
    json_array_foreach(list, i, policy)
    {
        json_t *state = json_array_get(states, i); /* both are in the set's order */
        if (state)
            json_object_update_missing(policy, state);
    }
    json_decref(states);
    json_t *body = json_object();
    json_object_set_new(body, "policies", list);
    json_object_set_new(body, "paused", autopilot_pause_json(autopilot));
    return body;
}

json_t *autopilot_observations(const struct autopilot *autopilot)
{
    json_t *body = json_object();
    json_object_set_new(body, "observations",
                        board_json(feed_board(autopilot->feed), loop_now(autopilot->options.loop)));
    return body;
}

int64_t autopilot_last_run(const struct autopilot *autopilot, int64_t incident)
{
    for (size_t i = json_array_size(autopilot->history); incident && i > 0; i--) {
        const json_t *told = json_array_get(autopilot->history, i - 1);
        int64_t run = json_int_at(told, "run", 0);
        if (run && json_int_at(told, "incident", 0) == incident)
            return run;
    }
    return 0;
}

json_t *autopilot_decisions(const struct autopilot *autopilot, size_t limit)
{
    json_t *list = json_array();
    size_t count = json_array_size(autopilot->history);
    for (size_t i = 0; i < count && i < limit; i++)
        json_array_append_new(list,
                              json_deep_copy(json_array_get(autopilot->history, count - 1 - i)));
    json_t *body = json_object();
    json_object_set_new(body, "decisions", list);
    return body;
}
