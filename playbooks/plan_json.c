/* The plan as JSON, back from JSON, and as sentences. See plan.h. */
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "playbooks/plan_private.h"

#include <string.h>

static const char *const action_kinds[] = {
    [ACTION_CAPTURE] = "capture",
    [ACTION_STOP] = "stop",
    [ACTION_START] = "start",
    [ACTION_CLEAN] = "clean",
    [ACTION_CHECKPOINT] = "checkpoint",
    [ACTION_WAIT_READY] = "wait-ready",
    [ACTION_WAIT_HEALTHY] = "wait-healthy",
    [ACTION_VERIFY] = "verify",
    [ACTION_PAUSE_POOL] = "pause-pool",
    [ACTION_RESUME_POOL] = "resume-pool",
    [ACTION_BLOCK] = "block",
    [ACTION_UNBLOCK] = "unblock",
};
_Static_assert(ARRAY_SIZE(action_kinds) == ACTION_KINDS, "a name for every kind");

const char *action_kind_name(enum action_kind kind)
{
    return action_kinds[kind];
}

/* --- sentences -------------------------------------------------------------------------------- */

/* Adds "; only of roles app, web" to `text`, where there are such names. Takes `text`. */
static char *with_names(char *text, const char *lead, char *const *names)
{
    for (size_t i = 0; names && names[i]; i++) {
        char *longer = mem_printf("%s%s%s", text, i ? ", " : lead, names[i]);
        free(text);
        text = longer;
    }
    return text;
}

static char *clean_ages(const struct step *step)
{
    char idle[DURATION_MAX];
    char transaction[DURATION_MAX];
    if (step->all_sessions)
        return mem_strdup("end every ordinary session");
    return mem_printf("end sessions idle > %s, idle in transaction > %s",
                      step->idle_ms < 0 ? "never" : duration_text(step->idle_ms, idle),
                      step->idle_in_transaction_ms < 0
                          ? "never"
                          : duration_text(step->idle_in_transaction_ms, transaction));
}

static char *clean_text(const struct step *step)
{
    char *text = clean_ages(step);
    text = with_names(text, "; only of containers ", step->containers);
    text = with_names(text, "; only of applications ", step->applications);
    text = with_names(text, "; only of roles ", step->roles);
    text = with_names(text, "; only of databases ", step->databases);
    text = with_names(text, "; only of clients ", step->clients);
    text = with_names(text, "; never of ", step->protect);
    char *too[] = {mem_unconst("superusers' too"), NULL};
    return with_names(text, "; ", step->superusers ? too : NULL);
}

static char *verify_text(const struct step *step)
{
    char hold[DURATION_MAX];
    CLEANUP_FREE char *utilization =
        step->utilization_below < 0
            ? mem_strdup("")
            : mem_printf("connections below %.0f%%", step->utilization_below * 100);
    const char *healthy = step->services_healthy   ? "services healthy"
                          : step->selected_healthy ? "the selected ones healthy"
                                                   : "";
    return mem_printf("verify: %s%s%s, for %s", healthy, *healthy && *utilization ? ", " : "",
                      utilization, duration_text(step->hold_ms, hold));
}

static char *start_text(const struct action *action)
{
    const struct step *step = action->step;
    CLEANUP_FREE char *gate =
        step->gate_share >= 0
            ? mem_printf(", when %.0f%% of the slots are free", step->gate_share * 100)
        : step->gate_slots >= 0 ? mem_printf(", when %d slots are free", step->gate_slots)
                                : mem_strdup("");
    return mem_printf("start %s (%s)%s", action->service, action->container, gate);
}

char *action_text(const struct action *action)
{
    switch (action->kind) {
    case ACTION_CAPTURE:
        return mem_strdup("capture evidence: who holds the connections, last log lines");
    case ACTION_STOP:
        return mem_printf("stop %s (%s), %ds to end%s%s", action->service, action->container,
                          action->grace_s, action->signal ? ", by " : "",
                          action->signal ? action->signal : "");
    case ACTION_START:
        return start_text(action);
    case ACTION_CLEAN:
        return clean_text(action->step);
    case ACTION_CHECKPOINT:
        return mem_strdup("checkpoint, so that the shutdown is short");
    case ACTION_WAIT_READY:
        return mem_printf("wait until %s takes logins", action->service);
    case ACTION_WAIT_HEALTHY:
        return mem_printf("wait until %s (%s) is healthy", action->service, action->container);
    case ACTION_VERIFY:
        return verify_text(action->step);
    case ACTION_PAUSE_POOL:
        return mem_printf("pause %s (%s): its clients wait", action->service, action->container);
    case ACTION_RESUME_POOL:
        return mem_printf("resume %s (%s)", action->service, action->container);
    case ACTION_BLOCK:
        return mem_strdup("take no new logins of the roles that hold the connections");
    case ACTION_UNBLOCK:
        return mem_strdup("take their logins again");
    default:
        return mem_strdup("?");
    }
}

/* --- to JSON ---------------------------------------------------------------------------------- */

static size_t step_index(const struct plan *plan, const struct action *action)
{
    for (size_t i = 0; i < plan->playbook->step_count; i++)
        if (&plan->playbook->steps[i] == action->step)
            return i;
    return plan->playbook->step_count; /* the starts that were added at the end */
}

static json_t *action_json(const struct plan *plan, const struct action *action)
{
    json_t *json = json_object();
    json_t *after = json_array();
    for (size_t i = 0; i < action->after_count; i++)
        json_array_append_new(after, json_string(plan->actions[action->after[i]].id));
    json_set_text(json, "id", action->id);
    json_set_text(json, "kind", action_kind_name(action->kind));
    json_set_text(json, "service", action->service);
    json_set_text(json, "container", action->container);
    json_set_text(json, "container_id", action->container_id);
    json_set_bool(json, "database", action->database);
    json_object_set_new(json, "after", after);
    json_set_int(json, "timeout_ms", action->timeout_ms);
    json_set_int(json, "grace_s", action->grace_s);
    json_set_text(json, "signal", action->signal);
    json_set_bool(json, "goes_on", action->goes_on);
    json_set_int(json, "step", (int64_t)step_index(plan, action));
    CLEANUP_FREE char *text = action_text(action);
    json_set_text(json, "text", text);
    return json;
}

static json_t *plan_body(const struct plan *plan)
{
    json_t *json = json_object();
    json_t *actions = json_array();
    json_t *skipped = json_array();
    json_t *notes = json_array();
    for (size_t i = 0; i < plan->action_count; i++)
        json_array_append_new(actions, action_json(plan, &plan->actions[i]));
    for (size_t i = 0; i < plan->skip_count; i++) {
        json_t *skip = json_object();
        json_set_text(skip, "container", plan->skipped[i].container);
        json_set_text(skip, "reason", plan->skipped[i].reason);
        json_array_append_new(skipped, skip);
    }
    for (size_t i = 0; i < plan->note_count; i++)
        json_array_append_new(notes, json_lossy_string(plan->notes[i], strlen(plan->notes[i])));
    json_set_text(json, "playbook", plan->playbook->name);
    json_set_text(json, "project", plan->project);
    json_set_int(json, "worst_case_ms", plan->worst_case_ms);
    json_object_set_new(json, "actions", actions);
    json_object_set_new(json, "skipped", skipped);
    json_object_set_new(json, "notes", notes);
    json_object_set(json, "source", plan->playbook->source);
    return json;
}

json_t *plan_json(const struct plan *plan)
{
    json_t *json = json_object();
    json_t *body = plan_body(plan);
    json_set_text(json, "id", plan->id);
    json_object_update(json, body);
    json_decref(body);
    return json;
}

/* The longest path over the timeouts; the actions stand in an order that respects the edges. */
static int64_t longest_path(const struct plan *plan)
{
    int64_t *ends = mem_new(plan->action_count * sizeof *ends);
    int64_t longest = 0;
    for (size_t i = 0; i < plan->action_count; i++) {
        const struct action *action = &plan->actions[i];
        int64_t starts = 0;
        for (size_t k = 0; k < action->after_count; k++)
            if (ends[action->after[k]] > starts)
                starts = ends[action->after[k]];
        ends[i] = starts + action->timeout_ms;
        if (ends[i] > longest)
            longest = ends[i];
    }
    free(ends);
    return longest;
}

void plan__finish(struct plan *plan)
{
    plan->worst_case_ms = longest_path(plan);
    json_t *body = plan_body(plan);
    CLEANUP_FREE char *line = json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(body);
    char text[HASH_TEXT_MAX];
    snprintf(plan->id, sizeof plan->id, "%s", hash_text(hash_bytes(line, strlen(line)), text));
}

const struct step *plan__added_step(enum action_kind kind)
{
    static const struct step unblock = {.kind = STEP_UNBLOCK, .grace_ms = -1};
    static const struct step resume = {.kind = STEP_RESUME, .grace_ms = -1};
    static const struct step start = {
        .kind = STEP_START, .who = WHO_ALL, .grace_ms = -1, .gate_share = -1, .gate_slots = -1};
    return kind == ACTION_UNBLOCK ? &unblock : kind == ACTION_RESUME_POOL ? &resume : &start;
}

/* --- from JSON -------------------------------------------------------------------------------- */

static bool parse_kind(const char *name, enum action_kind *ret)
{
    for (size_t i = 0; i < ARRAY_SIZE(action_kinds); i++) {
        if (strcmp(action_kinds[i], name) == 0) {
            *ret = (enum action_kind)i;
            return true;
        }
    }
    return false;
}

static int parse_after(struct plan *plan, struct action *action, const json_t *after)
{
    for (size_t i = 0; i < json_array_size(after); i++) {
        const char *id = json_string_value(json_array_get(after, i));
        size_t found = SIZE_MAX;
        for (size_t k = 0; id && &plan->actions[k] < action; k++)
            if (strcmp(plan->actions[k].id, id) == 0)
                found = k;
        if (found == SIZE_MAX)
            return -1; /* also an edge that points forward: it would be a cycle */
        *MEM_PUSH(action->after, action->after_count) = found;
    }
    return 0;
}

static int parse_action(struct plan *plan, const json_t *json)
{
    enum action_kind kind;
    const char *id = json_text_at(json, "id", NULL);
    int64_t step = json_int_at(json, "step", -1);
    if (!id || step < 0 || !parse_kind(json_text_at(json, "kind", ""), &kind))
        return -1;
    struct action *action = MEM_PUSH(plan->actions, plan->action_count);
    action->kind = kind;
    action->id = mem_strdup(id);
    action->service = mem_strdup(json_text_at(json, "service", NULL));
    action->container = mem_strdup(json_text_at(json, "container", NULL));
    action->container_id = mem_strdup(json_text_at(json, "container_id", NULL));
    action->signal = mem_strdup(json_text_at(json, "signal", NULL));
    action->database = json_bool_at(json, "database", false);
    action->goes_on = json_bool_at(json, "goes_on", false);
    action->timeout_ms = json_int_at(json, "timeout_ms", 0);
    action->grace_s = (int)json_int_at(json, "grace_s", 0);
    action->step = (size_t)step < plan->playbook->step_count ? &plan->playbook->steps[step]
                                                             : plan__added_step(kind);
    bool about_container = kind == ACTION_STOP || kind == ACTION_START ||
                           kind == ACTION_WAIT_READY || kind == ACTION_WAIT_HEALTHY ||
                           kind == ACTION_PAUSE_POOL || kind == ACTION_RESUME_POOL;
    if (action->timeout_ms <= 0 || (about_container && !action->container_id))
        return -1;
    return parse_after(plan, action, json_at(json, "after"));
}

int plan_parse(const json_t *json, struct plan **ret, struct err *e)
{
    struct diag_list diags;
    diag_init(&diags, "plan", NULL);
    struct playbook *playbook =
        playbook_read_json(json_text_at(json, "playbook", ""), json_at(json, "source"), &diags);
    diag_free(&diags);
    if (!playbook)
        return err_set(e, ERR_PROTOCOL, "stored plan: its playbook cannot be read");
    struct plan *plan = mem_new(sizeof *plan);
    plan->references = 1;
    plan->playbook = playbook;
    plan->project = mem_strdup(json_text_at(json, "project", ""));
    plan->worst_case_ms = json_int_at(json, "worst_case_ms", 0);
    snprintf(plan->id, sizeof plan->id, "%s", json_text_at(json, "id", ""));
    const json_t *actions = json_at(json, "actions");
    for (size_t i = 0; i < json_array_size(actions); i++) {
        if (parse_action(plan, json_array_get(actions, i)) == 0)
            continue;
        plan_unref(plan);
        return err_set(e, ERR_PROTOCOL, "stored plan: action %zu cannot be read", i + 1);
    }
    *ret = plan;
    return 0;
}
