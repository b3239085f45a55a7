/* The sections of the configuration that say what to watch and when to act without being asked:
 * mode, policies, settle, recoveries, watch, logs, checks; and who is told: notify. See config.h.
 */
#include "supervisor/config_private.h"

#include "base/diag.h"
#include "base/mem.h"
#include "playbooks/playbook.h"
#include "policies/decide.h"
#include "policies/moment.h"

#include <string.h>

void config__policy_defaults(struct config *config)
{
    config->policies = policy_set_new();
    config->mode = MODE_ACT;
    config->recoveries = DECIDE_RECOVERIES_DEFAULT;
    config->watch.calm_ms = 15 * SECOND_MS;
    config->watch.pressed_ms = 2 * SECOND_MS;
    config->watch.timeout_ms = 5 * SECOND_MS;
    config->patterns = patterns_read(NULL, NULL); /* the shipped ones have no errors */
}

bool config_disrupts(const struct config *config, const char *name)
{
    const struct playbook *playbook = playbook_set_find(config->playbooks, name);
    return !playbook || playbook_is_disruptive(playbook);
}

void config__read_policies(struct config *config, const struct yaml_node *node,
                           struct diag_list *diags)
{
    policy_set_read(config->policies, node, diags);
}

void config__read_mode(struct config *config, const struct yaml_node *node, struct diag_list *diags)
{
    const char *words[MODES + 1] = {NULL};
    size_t index;
    for (size_t i = 0; i < MODES; i++)
        words[i] = policy_mode_name((enum policy_mode)i);
    if (yaml_read_choice(node, "mode", words, &index, diags))
        config->mode = (enum policy_mode)index;
}

void config__read_recoveries(struct config *config, const struct yaml_node *node,
                             struct diag_list *diags)
{
    const char *text;
    if (yaml_read_text(node, "recoveries", &text, diags) &&
        !budget_parse(text, &config->recoveries))
        yaml_error(diags, node, "recoveries: '%s' is not of the form '6 per 1h'", text);
}

/* Read after the policies: see the table of sections. */
void config__read_settle(struct config *config, const struct yaml_node *node,
                         struct diag_list *diags)
{
    int64_t settle_ms;
    if (yaml_read_duration(node, "settle", 0, DAY_MS, &settle_ms, diags))
        policy_set_settle(config->policies, settle_ms);
}

void config__read_watch(struct config *config, const struct yaml_node *node,
                        struct diag_list *diags)
{
    static const char *const known[] = {"calm", "pressed", "timeout", NULL};
    const struct {
        const char *key;
        const char *what;
        int64_t at_least_ms;
        int64_t *slot;
    } times[] = {
        {"calm", "watch: calm", SECOND_MS, &config->watch.calm_ms},
        {"pressed", "watch: pressed", SECOND_MS / 2, &config->watch.pressed_ms},
        {"timeout", "watch: timeout", SECOND_MS / 2, &config->watch.timeout_ms},
    };
    if (!yaml_expect_map(node, "watch", known, diags) && node->kind != YAML_MAP)
        return;
    for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
        const struct yaml_node *value = yaml_get(node, times[i].key);
        if (value)
            yaml_read_duration(value, times[i].what, times[i].at_least_ms, MINUTE_MS, times[i].slot,
                               diags);
    }
}

void config__read_logs(struct config *config, const struct yaml_node *node, struct diag_list *diags)
{
    struct patterns *patterns = patterns_read(node, diags);
    if (!patterns)
        return;
    patterns_free(config->patterns);
    config->patterns = patterns;
}

void config__read_checks(struct config *config, const struct yaml_node *node,
                         struct diag_list *diags)
{
    config->checks = checks_read(node, diags);
}

void config__read_notify(struct config *config, const struct yaml_node *node,
                         struct diag_list *diags)
{
    config->notify = notify_config_read(node, diags);
}

/* --- what one section says of another -----------------------------------------------------------
 *
 * Built-in policies have no line of the file: what is wrong with them is found by a test. */

static bool has_check(const struct config *config, const char *name)
{
    for (size_t i = 0; config->checks && i < checks_count(config->checks); i++)
        if (strcmp(checks_name(config->checks, i), name) == 0)
            return true;
    return false;
}

static bool has_pattern(const struct config *config, const char *name)
{
    for (size_t i = 0; i < patterns_count(config->patterns); i++)
        if (strcmp(patterns_name(config->patterns, i), name) == 0)
            return true;
    return false;
}

/* A condition on what nobody watches would be unknown for ever. */
static void check_condition(const struct config *config, const struct policy *policy,
                            const struct condition *condition, struct diag_list *diags)
{
    const struct observation_kind *kind;
    const char *parameter;
    for (size_t i = 0; condition && condition_asks(condition, i, &kind, &parameter); i++) {
        bool of_check = strcmp(kind->name, "check.state") == 0;
        bool of_log = strcmp(kind->name, "log.rate") == 0;
        if (*parameter && of_check && !has_check(config, parameter))
            diag_add(diags, policy->line, policy->column,
                     "policy %s: there is no check '%s' under checks:", policy->name, parameter);
        if (*parameter && of_log && !has_pattern(config, parameter))
            diag_add(diags, policy->line, policy->column, "policy %s: there is no log pattern '%s'",
                     policy->name, parameter);
    }
}

static void complain_no_playbook(const struct config *config, const struct policy *policy,
                                 const struct rung *rung, struct diag_list *diags)
{
    const char *nearest = playbook_set_nearest(config->playbooks, rung->playbook);
    if (nearest)
        diag_add(diags, rung->line, rung->column,
                 "policy %s: there is no playbook '%s'; did you mean '%s'?", policy->name,
                 rung->playbook, nearest);
    else
        diag_add(diags, rung->line, rung->column, "policy %s: there is no playbook '%s'",
                 policy->name, rung->playbook);
}

/* What the runner would say in the middle of the trouble, it says now. */
static void check_with(const struct playbook *playbook, const struct policy *policy,
                       const struct rung *rung, struct diag_list *diags)
{
    struct err e;
    if (!rung->with || json_object_size(rung->with) == 0)
        return;
    struct playbook *changed = playbook_with_options(playbook, rung->with, &e);
    if (!changed)
        diag_add(diags, rung->line, rung->column, "policy %s: with: %s", policy->name, e.text);
    playbook_unref(changed);
}

static void check_rung(const struct config *config, const struct policy *policy,
                       const struct rung *rung, struct diag_list *diags)
{
    const struct playbook *playbook = playbook_set_find(config->playbooks, rung->playbook);
    bool chosen =
        json_object_get(rung->with, "containers") || json_object_get(rung->with, "services");
    if (!playbook)
        complain_no_playbook(config, policy, rung, diags);
    else if (playbook_selects(playbook) && !chosen)
        diag_add(diags, rung->line, rung->column,
                 "policy %s: %s must be told whom: with: {containers: …} or {services: …}",
                 policy->name, rung->playbook);
    else
        check_with(playbook, policy, rung, diags);
    check_condition(config, policy, rung->verify, diags);
}

void config__check_policies(const struct config *config, struct diag_list *diags)
{
    for (size_t i = 0; i < policy_set_count(config->policies); i++) {
        const struct policy *policy = policy_set_at(config->policies, i);
        check_condition(config, policy, policy->when, diags);
        for (size_t k = 0; k < policy->rung_count; k++)
            check_rung(config, policy, &policy->rungs[k], diags);
    }
}
