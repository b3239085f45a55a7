/* The configuration, and with it YAML, playbooks and policies: any text, all its diagnostics.
 *
 * Into a configuration without the built-in sets: nearly all the time would go into reading those.
 * The shipped log patterns are read when there is a section `logs`. */
#include "fuzz.h"

#include "base/mem.h"
#include "supervisor/config_private.h"

static struct config *bare_config(void)
{
    struct config *config = mem_new(sizeof *config);
    config->playbooks = playbook_set_empty();
    config->policies = policy_set_empty();
    return config;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct diag_list diags;
    struct config *config = bare_config();
    CLEANUP_FREE char *text = mem_strndup((const char *)data, size);
    diag_init(&diags, "fuzz", text);
    struct yaml_node *root = yaml_parse(text, size, &diags);
    if (root)
        config__read(config, root, &diags);
    yaml_node_free(root);
    config_free(config);
    free(diag_format(&diags));
    diag_free(&diags);
    return 0;
}
