/* An inspect answer of the Engine. */
#include "fuzz.h"

#include "docker/container.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e;
    json_t *body = json_parse((const char *)data, size, "fuzz", &e);
    if (body)
        container_unref(container_from_json(body, &e));
    json_decref(body);
    return 0;
}
