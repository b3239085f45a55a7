/* The configuration, and with it YAML and playbooks: any text, all its diagnostics. */
#include "fuzz.h"

#include "supervisor/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config *config = NULL;
    struct diag_list diags;
    if (config_parse("fuzz", (const char *)data, size, &config, &diags) == 0)
        config_free(config);
    free(diag_format(&diags));
    diag_free(&diags);
    return 0;
}
