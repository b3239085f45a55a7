/* A compose file: dependencies in all their forms. */
#include "fuzz.h"

#include "docker/stack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct stack_file *file = NULL;
    struct err e;
    if (stack_file_parse((const char *)data, size, "fuzz", &file, &e) == 0)
        stack_file_free(file);
    return 0;
}
