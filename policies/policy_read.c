/* Reading one policy: a table of keys, each with its reader. See policy.h. */
#include "policies/policy.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "policies/moment.h"

#include <stdio.h>
#include <string.h>

enum { RUNGS_MAX = 16, CALLED_MAX = 64 };

typedef bool (*key_reader)(const struct yaml_node *value, struct policy *policy,
                           struct diag_list *diags);

/* --- texts and conditions --------------------------------------------------------------------- */

static bool read_copy(const struct yaml_node *value, const char *what, char **slot,
                      struct diag_list *diags)
{
    const char *text;
    if (!yaml_read_text(value, what, &text, diags))
        return false;
    mem_replace(slot, text);
    return true;
}

/* A text by which something else is called: no novel. */
static bool read_called(const struct yaml_node *value, const char *what, char **slot,
                        struct diag_list *diags)
{
    if (!read_copy(value, what, slot, diags))
        return false;
    return strlen(*slot) <= CALLED_MAX ||
           yaml_error(diags, value, "%s: longer than %d characters", what, CALLED_MAX);
}

static bool read_name(const struct yaml_node *value, struct policy *policy, struct diag_list *diags)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    policy->line = value->line;
    policy->column = value->column;
    if (!read_called(value, "name", &policy->name, diags))
        return false;
    size_t good = strspn(policy->name, allowed);
    return !policy->name[good] ||
           yaml_error_at(diags, value, good,
                         "name: '%c' may not stand in a name; use letters, digits, - and _",
                         policy->name[good]);
}

static bool read_description(const struct yaml_node *value, struct policy *policy,
                             struct diag_list *diags)
{
    return read_copy(value, "description", &policy->description, diags);
}

static bool read_when(const struct yaml_node *value, struct policy *policy, struct diag_list *diags)
{
    policy->when = condition_read(value, "when", diags);
    return policy->when != NULL;
}

static bool read_on_alert(const struct yaml_node *value, struct policy *policy,
                          struct diag_list *diags)
{
    return read_called(value, "on_alert", &policy->on_alert, diags);
}

/* --- times ------------------------------------------------------------------------------------ */

/* "15s", or "3 of 5", which counts the samples of `when`; so `when` must have been read. */
static bool read_for(const struct yaml_node *value, struct policy *policy, struct diag_list *diags)
{
    int n = 0;
    int m = 0;
    int used = 0;
    bool counted =
        value->kind == YAML_TEXT && sscanf(value->text, "%2d of %2d%n", &n, &m, &used) == 2;
    if (!counted || value->text[used])
        return yaml_read_duration(value, "for", 0, DAY_MS, &policy->for_ms, diags);
    if (n < 1 || n > m || m > 32)
        return yaml_error(diags, value, "for: %d of %d can never be", n, m);
    if (policy->when && !condition_hold_of(policy->when, n, m))
        return yaml_error(diags, value,
                          "for: '%d of %d' counts the samples of one comparison; write it behind "
                          "that comparison in `when`",
                          n, m);
    return true;
}

static bool read_schedule(const struct yaml_node *value, struct policy *policy,
                          struct diag_list *diags)
{
    policy->scheduled = true;
    return schedule_read(value, &policy->schedule, diags);
}

static bool read_only(const struct yaml_node *value, struct policy *policy, struct diag_list *diags)
{
    return time_windows_read(value, &policy->only, diags);
}

static bool read_cooldown(const struct yaml_node *value, struct policy *policy,
                          struct diag_list *diags)
{
    return yaml_read_duration(value, "cooldown", SECOND_MS, 7 * DAY_MS, &policy->cooldown_ms,
                              diags);
}

static bool read_settle(const struct yaml_node *value, struct policy *policy,
                        struct diag_list *diags)
{
    policy->settle_given = true;
    return yaml_read_duration(value, "settle", 0, DAY_MS, &policy->settle_ms, diags);
}

static bool read_budget(const struct yaml_node *value, struct policy *policy,
                        struct diag_list *diags)
{
    const char *text;
    if (!yaml_read_text(value, "budget", &text, diags))
        return false;
    return budget_parse(text, &policy->budget) ||
           yaml_error(diags, value, "budget: '%s' is not of the form '3 per 1h'", text);
}

/* A duration, or `never`. */
static bool read_or_never(const struct yaml_node *value, const char *what, int64_t *slot,
                          struct diag_list *diags)
{
    if (value->kind == YAML_TEXT && strcmp(value->text, "never") == 0) {
        *slot = NEVER;
        return true;
    }
    return yaml_read_duration(value, what, SECOND_MS, 30 * DAY_MS, slot, diags);
}

static bool read_rearm(const struct yaml_node *value, struct policy *policy,
                       struct diag_list *diags)
{
    static const char *const known[] = {"after", "healthy_for", NULL};
    bool fine = yaml_expect_map(value, "rearm", known, diags);
    const struct yaml_node *node;
    if ((node = yaml_get(value, "after")))
        fine = read_or_never(node, "rearm: after", &policy->rearm_after_ms, diags) && fine;
    if ((node = yaml_get(value, "healthy_for")))
        fine = read_or_never(node, "rearm: healthy_for", &policy->rearm_healthy_ms, diags) && fine;
    if (policy->rearm_after_ms == NEVER && policy->rearm_healthy_ms == NEVER)
        return yaml_error(diags, value, "rearm: never by time and never by health is mode: off");
    return fine;
}

/* --- words ------------------------------------------------------------------------------------ */

static const char *const mode_names[] = {
    [MODE_ACT] = "act", [MODE_ASK] = "ask", [MODE_OBSERVE] = "observe", [MODE_OFF] = "off", NULL};
_Static_assert(ARRAY_SIZE(mode_names) == MODES + 1, "a name for every mode");

const char *policy_mode_name(enum policy_mode mode)
{
    return mode_names[mode];
}

bool policy_mode_parse(const char *name, enum policy_mode *ret)
{
    for (size_t i = 0; i < MODES; i++) {
        if (strcmp(mode_names[i], name) != 0)
            continue;
        *ret = (enum policy_mode)i;
        return true;
    }
    return false;
}

static bool read_mode(const struct yaml_node *value, struct policy *policy, struct diag_list *diags)
{
    size_t index = 0;
    bool fine = yaml_read_choice(value, "mode", mode_names, &index, diags);
    policy->mode = (enum policy_mode)index;
    return fine;
}

static bool read_then(const struct yaml_node *value, struct policy *policy, struct diag_list *diags)
{
    static const char *const names[] = {[THEN_NOTIFY] = "notify", [THEN_AGAIN] = "again", NULL};
    _Static_assert(ARRAY_SIZE(names) == THENS + 1, "a name for every end");
    size_t index = 0;
    bool fine = yaml_read_choice(value, "then", names, &index, diags);
    policy->then = (enum policy_then)index;
    return fine;
}

/* --- the ladder ------------------------------------------------------------------------------- */

static bool check_settings(const struct yaml_node *value, struct diag_list *diags)
{
    bool fine = true;
    for (size_t i = 0; i < value->count; i++) {
        const struct yaml_node *item = value->items[i];
        if (item->kind == YAML_TEXT && strncmp(item->text, "${", 2) == 0)
            fine = yaml_error_at(diags, item, 0,
                                 "with: an observation is a setting's whole value, not a part "
                                 "of a list or map");
        else
            fine = check_settings(item, diags) && fine;
    }
    return fine;
}

/* "${name}" must name an observation: found when reading, not at three in the morning. */
static bool check_setting(const struct yaml_node *value, struct diag_list *diags)
{
    if (value->kind != YAML_TEXT)
        return check_settings(value, diags);
    if (strncmp(value->text, "${", 2) != 0)
        return true;
    const char *name = value->text + 2;
    size_t len = strcspn(name, "}");
    const char *parameter;
    size_t parameter_len;
    char near[OBSERVATION_NAME_MAX];
    if (strcmp(name + len, "}") != 0)
        return yaml_error_at(diags, value, 0, "with: '%s' is not '${OBSERVATION}'", value->text);
    const struct observation_kind *kind = observation_find(name, len, &parameter, &parameter_len);
    if (kind && kind->parameter && !parameter)
        return yaml_error_at(diags, value, 2, "with: which %s? say %s", kind->parameter,
                             observation_name(kind, "NAME", near));
    if (kind)
        return true;
    return observation_suggest(name, len, near)
               ? yaml_error_at(diags, value, 2,
                               "with: unknown observation '%.*s'; did you mean '%s'?", (int)len,
                               name, near)
               : yaml_error_at(diags, value, 2, "with: unknown observation '%.*s'", (int)len, name);
}

static bool read_with(const struct yaml_node *value, struct rung *rung, struct diag_list *diags)
{
    if (value->kind != YAML_MAP)
        return yaml_error(diags, value, "with: expected a map of the playbook's settings, found %s",
                          yaml_kind_name(value));
    bool fine = true;
    for (size_t i = 0; i < value->count; i++)
        fine = check_setting(value->items[i], diags) && fine;
    rung->with = yaml_json(value);
    return fine;
}

static bool read_rung(const struct yaml_node *map, struct rung *rung, struct diag_list *diags)
{
    static const char *const known[] = {"run", "with", "verify", "within", NULL};
    rung->within_ms = MINUTE_MS;
    if (!yaml_expect_map(map, "ladder", known, diags))
        return false;
    const struct yaml_node *node = yaml_get(map, "run");
    bool fine = node ? read_called(node, "run", &rung->playbook, diags)
                     : yaml_error(diags, map, "a rung of the ladder needs run: PLAYBOOK");
    if (node) {
        rung->line = node->line;
        rung->column = node->column;
    }
    if ((node = yaml_get(map, "with")))
        fine = read_with(node, rung, diags) && fine;
    if ((node = yaml_get(map, "verify"))) {
        rung->verify = condition_read(node, "verify", diags);
        fine = rung->verify && fine;
    }
    if ((node = yaml_get(map, "within")))
        fine =
            yaml_read_duration(node, "within", SECOND_MS, DAY_MS, &rung->within_ms, diags) && fine;
    return fine;
}

static bool read_ladder(const struct yaml_node *value, struct policy *policy,
                        struct diag_list *diags)
{
    if (!yaml_expect_list(value, "ladder", diags))
        return false;
    if (value->count > RUNGS_MAX)
        return yaml_error(diags, value, "ladder: more than %d rungs", RUNGS_MAX);
    bool fine = true;
    for (size_t i = 0; i < value->count; i++) {
        struct rung *rung = MEM_PUSH(policy->rungs, policy->rung_count);
        fine = read_rung(value->items[i], rung, diags) && fine;
    }
    return fine;
}

/* --- a policy --------------------------------------------------------------------------------- */

/* In the order of reading: `for` comes after `when`, whatever their order in the text. */
static const struct {
    const char *name;
    key_reader read;
} keys[] = {
    {"name", read_name},         {"description", read_description},
    {"when", read_when},         {"for", read_for},
    {"schedule", read_schedule}, {"on_alert", read_on_alert},
    {"only", read_only},         {"ladder", read_ladder},
    {"cooldown", read_cooldown}, {"budget", read_budget},
    {"mode", read_mode},         {"then", read_then},
    {"settle", read_settle},     {"rearm", read_rearm},
};

static bool check_whole(const struct yaml_node *node, const struct policy *policy,
                        struct diag_list *diags)
{
    bool fine = true;
    if (!yaml_get(node, "name"))
        fine = yaml_error(diags, node, "a policy needs a name");
    bool is_asked = yaml_get(node, "when") || policy->scheduled || yaml_get(node, "on_alert");
    if (!is_asked && policy->mode != MODE_OFF) /* off: it takes a built-in one's place, no more */
        fine = yaml_error(diags, node, "policy %s: it needs when:, schedule: or on_alert:",
                          policy->name ? policy->name : "");
    if (yaml_get(node, "for") && !yaml_get(node, "when"))
        fine = yaml_error(diags, yaml_get(node, "for"), "for: it goes with when:");
    if (policy->scheduled && !policy->when && policy->rung_count == 0)
        fine = yaml_error(diags, node, "a schedule needs a ladder to run");
    if (policy->then == THEN_AGAIN && policy->rung_count == 0)
        fine = yaml_error(diags, yaml_get(node, "then"),
                          "then: again goes with a ladder; there is nothing to do again");
    return fine;
}

static uint64_t fingerprint(const struct yaml_node *node)
{
    CLEANUP_JSON json_t *source = yaml_json(node);
    CLEANUP_FREE char *text = json_line(source);
    return hash_bytes(text, strlen(text));
}

struct policy *policy_read(const struct yaml_node *node, struct diag_list *diags)
{
    const char *known[ARRAY_SIZE(keys) + 1] = {NULL};
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        known[i] = keys[i].name;
    if (node->kind != YAML_MAP) {
        yaml_error(diags, node, "policy: expected a map, found %s", yaml_kind_name(node));
        return NULL;
    }
    struct policy *policy = mem_new(sizeof *policy);
    *policy = (struct policy){
        .cooldown_ms = 5 * (int64_t)MINUTE_MS,
        .budget = {3, HOUR_MS},
        .settle_ms = 30 * (int64_t)SECOND_MS,
        .rearm_after_ms = HOUR_MS,
        .rearm_healthy_ms = 5 * (int64_t)MINUTE_MS,
        .fingerprint = fingerprint(node),
        .line = node->line,
        .column = node->column,
    };
    bool fine = yaml_expect_map(node, "policy", known, diags);
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        const struct yaml_node *value = yaml_get(node, keys[i].name);
        if (value)
            fine = keys[i].read(value, policy, diags) && fine;
    }
    fine = check_whole(node, policy, diags) && fine;
    if (!policy->description)
        policy->description = mem_strdup("");
    return fine ? policy : policy_free(policy);
}

struct policy *policy_free(struct policy *policy)
{
    if (!policy)
        return NULL;
    for (size_t i = 0; i < policy->rung_count; i++) {
        free(policy->rungs[i].playbook);
        json_decref(policy->rungs[i].with);
        condition_free(policy->rungs[i].verify);
    }
    free(policy->rungs);
    time_windows_free(&policy->only);
    condition_free(policy->when);
    free(policy->on_alert);
    free(policy->description);
    free(policy->name);
    free(policy);
    return NULL;
}
