/* A plan as the journal stores it. */
#include "fuzz.h"

#include "base/json.h"
#include "playbooks/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e;
    struct plan *plan = NULL;
    json_t *json = json_parse((const char *)data, size, "fuzz", &e);
    if (json && plan_parse(json, &plan, &e) == 0) {
        json_decref(plan_json(plan));
        plan_unref(plan);
    }
    json_decref(json);
    return 0;
}
