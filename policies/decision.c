/* See decision.h. */
#include "policies/decision.h"

#include "base/mem.h"

const char *decision_kind_name(enum decision_kind kind)
{
    static const char *const names[] = {
        [DECISION_RUN] = "run",
        [DECISION_ASK] = "ask",
        [DECISION_WOULD] = "would",
        [DECISION_NOTIFY] = "notify",
        [DECISION_HAND_OVER] = "hand-over",
        [DECISION_HEALED] = "healed",
        [DECISION_REFUSED] = "refused",
        [DECISION_QUIET] = "quiet",
    };
    _Static_assert(ARRAY_SIZE(names) == DECISION_KINDS, "a name for every kind");
    return names[kind];
}

const char *refusal_name(enum refusal refusal)
{
    static const char *const names[] = {
        [REFUSAL_NONE] = "none",
        [REFUSAL_PAUSED] = "paused",
        [REFUSAL_SETTLING] = "settling",
        [REFUSAL_ANOTHER_RUN] = "another-run",
        [REFUSAL_OUTSIDE_WINDOW] = "outside-window",
        [REFUSAL_COOL_DOWN] = "cool-down",
        [REFUSAL_BUDGET] = "budget",
        [REFUSAL_RECOVERIES] = "recoveries",
        [REFUSAL_NOT_REARMED] = "not-rearmed",
        [REFUSAL_NOT_APPLICABLE] = "not-applicable",
        [REFUSAL_NOT_BEGUN] = "not-begun",
        [REFUSAL_MISSED] = "missed",
    };
    _Static_assert(ARRAY_SIZE(names) == REFUSALS, "a name for every refusal");
    return names[refusal];
}

void decision_clear(struct decision *decision)
{
    free(decision->policy);
    free(decision->playbook);
    free(decision->sentence);
    json_decref(decision->params);
    json_decref(decision->values);
    *decision = (struct decision){0};
}

json_t *decision_json(const struct decision *decision)
{
    json_t *json = json_object();
    json_set_int(json, "id", decision->id);
    json_set_text(json, "decision", decision_kind_name(decision->kind));
    if (decision->kind == DECISION_REFUSED)
        json_set_text(json, "refusal", refusal_name(decision->refusal));
    json_set_int(json, "at", decision->at_ms);
    json_set_text(json, "policy", decision->policy);
    json_set_int(json, "incident", decision->incident);
    if (decision->question)
        json_set_int(json, "question", decision->question);
    if (decision->rung) {
        json_set_int(json, "rung", decision->rung);
        json_set_int(json, "rungs", decision->rungs);
    }
    if (decision->playbook) {
        json_set_text(json, "playbook", decision->playbook);
        json_set_bool(json, "disruptive", decision->disruptive);
    }
    if (decision->params)
        json_object_set(json, "params", decision->params);
    json_set_bool(json, "notify", decision->notify);
    json_set_text(json, "sentence", decision->sentence);
    if (decision->values)
        json_object_set(json, "values", decision->values);
    return json;
}
