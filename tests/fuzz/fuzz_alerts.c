/* The body of an Alertmanager's webhook. */
#include "fuzz.h"

#include "control/alerts.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e;
    struct alerts alerts;
    json_t *body = json_parse((const char *)data, size, "body", &e);
    if (body && alerts_read(body, &alerts, &e) == 0) {
        for (size_t i = 0; i < alerts.count; i++)
            assert(alerts.items[i].name[0] && alerts.items[i].fingerprint &&
                   json_is_object(alerts.items[i].labels));
        alerts_clear(&alerts);
    }
    json_decref(body);
    return 0;
}
