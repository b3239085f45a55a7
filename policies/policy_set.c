/* The policies in force, in the order of their precedence. See policy.h. */
#include "base/clock.h"
#include "base/mem.h"
#include "policies/moment.h"
#include "policies/policy.h"

#include "builtin_policies.h"

#include <assert.h>
#include <string.h>

struct policy_set {
    struct policy **items;
    size_t count;
};

bool policy_builtin(size_t index, const char **ret_name, const char **ret_text)
{
    if (index >= ARRAY_SIZE(builtin_policies))
        return false;
    *ret_name = builtin_policies[index].name;
    *ret_text = builtin_policies[index].text;
    return true;
}

static struct policy *read_builtin(const char *name, const char *text)
{
    struct diag_list diags;
    diag_init(&diags, name, text);
    struct yaml_node *node = yaml_parse(text, strlen(text), &diags);
    struct policy *policy = node ? policy_read(node, &diags) : NULL;
    if (!policy)
        diag_print(&diags, stderr);
    assert(policy && "a built-in policy does not load");
    yaml_node_free(node);
    diag_free(&diags);
    return policy;
}

struct policy_set *policy_set_empty(void)
{
    return mem_new(sizeof(struct policy_set));
}

struct policy_set *policy_set_new(void)
{
    struct policy_set *set = policy_set_empty();
    const char *name;
    const char *text;
    for (size_t i = 0; policy_builtin(i, &name, &text); i++)
        *MEM_PUSH(set->items, set->count) = read_builtin(name, text);
    return set;
}

struct policy_set *policy_set_free(struct policy_set *set)
{
    for (size_t i = 0; set && i < set->count; i++)
        policy_free(set->items[i]);
    if (set)
        free(set->items);
    free(set);
    return NULL;
}

/* The place of a name, or the count. */
static size_t place_of(const struct policy_set *set, const char *name)
{
    size_t place = 0;
    while (place < set->count && strcmp(set->items[place]->name, name) != 0)
        place++;
    return place;
}

/* Takes the policy over. */
static void insert(struct policy_set *set, size_t place, struct policy *policy)
{
    (void)MEM_PUSH(set->items, set->count);
    memmove(set->items + place + 1, set->items + place,
            (set->count - 1 - place) * sizeof *set->items);
    set->items[place] = policy;
}

static bool seen_before(const struct yaml_node *list, size_t index, const char *name)
{
    for (size_t i = 0; i < index; i++) {
        const struct yaml_node *other = yaml_get(list->items[i], "name");
        if (other && other->kind == YAML_TEXT && strcmp(other->text, name) == 0)
            return true;
    }
    return false;
}

bool policy_set_read(struct policy_set *set, const struct yaml_node *list, struct diag_list *diags)
{
    if (!yaml_expect_list(list, "policies", diags))
        return false;
    bool fine = true;
    size_t next = 0;
    for (size_t i = 0; i < list->count; i++) {
        struct policy *policy = policy_read(list->items[i], diags);
        if (!policy || seen_before(list, i, policy->name)) {
            fine = policy ? yaml_error(diags, yaml_get(list->items[i], "name"),
                                       "two policies bear the name %s", policy->name)
                          : false;
            policy_free(policy);
            continue;
        }
        size_t place = place_of(set, policy->name);
        if (place < set->count) {
            policy_free(set->items[place]);
            set->items[place] = policy;
        } else {
            insert(set, next++, policy);
        }
    }
    return fine;
}

void policy_set_settle(struct policy_set *set, int64_t settle_ms)
{
    for (size_t i = 0; i < set->count; i++)
        if (!set->items[i]->settle_given)
            set->items[i]->settle_ms = settle_ms;
}

void policy_set_cap(struct policy_set *set, enum policy_mode mode)
{
    for (size_t i = 0; i < set->count; i++)
        if (set->items[i]->mode < mode) /* the modes stand in this order */
            set->items[i]->mode = mode;
}

size_t policy_set_count(const struct policy_set *set)
{
    return set->count;
}

const struct policy *policy_set_at(const struct policy_set *set, size_t index)
{
    return index < set->count ? set->items[index] : NULL;
}

const struct policy *policy_set_find(const struct policy_set *set, const char *name)
{
    return policy_set_at(set, place_of(set, name));
}

static json_t *ladder_json(const struct policy *policy)
{
    json_t *list = json_array();
    for (size_t i = 0; i < policy->rung_count; i++) {
        const struct rung *rung = &policy->rungs[i];
        char within[DURATION_MAX];
        json_t *item = json_object();
        json_set_text(item, "run", rung->playbook);
        if (rung->with)
            json_object_set(item, "with", rung->with);
        json_set_text(item, "verify", rung->verify ? condition_text(rung->verify) : NULL);
        json_set_text(item, "within", duration_text(rung->within_ms, within));
        json_array_append_new(list, item);
    }
    return list;
}

static json_t *policy_json(const struct policy *policy)
{
    char duration[DURATION_MAX];
    char budget[BUDGET_TEXT_MAX];
    json_t *item = json_object();
    json_set_text(item, "name", policy->name);
    json_set_text(item, "description", policy->description);
    json_set_text(item, "mode", policy_mode_name(policy->mode));
    json_set_text(item, "when", policy->when ? condition_text(policy->when) : NULL);
    json_set_text(item, "for", policy->for_ms ? duration_text(policy->for_ms, duration) : NULL);
    json_set_bool(item, "scheduled", policy->scheduled);
    json_set_text(item, "on_alert", policy->on_alert);
    json_object_set_new(item, "ladder", ladder_json(policy));
    json_set_text(item, "cooldown", duration_text(policy->cooldown_ms, duration));
    json_set_text(item, "budget", budget_text(&policy->budget, budget));
    json_set_text(item, "then", policy->then == THEN_NOTIFY ? "notify" : "again");
    return item;
}

json_t *policy_set_json(const struct policy_set *set)
{
    json_t *list = json_array();
    for (size_t i = 0; i < set->count; i++)
        json_array_append_new(list, policy_json(set->items[i]));
    return list;
}
