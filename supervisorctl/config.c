/* supervisorctl check and init: the configuration, with the very code that the daemon reads it by.
 * Beside standalone.c the only file here that knows the supervisor's folder. */
#include "supervisor/config.h"

#include "base/mem.h"
#include "supervisorctl/ctl.h"

static const char *file_of(const struct ctl *ctl)
{
    return ctl->options->arg_count ? ctl->options->args[0] : ctl->options->config;
}

static int print_object(struct ctl *ctl, const char *file, bool fine, struct diag_list *diags)
{
    CLEANUP_JSON json_t *object = json_object();
    json_set_text(object, "file", file);
    json_set_bool(object, "fine", fine);
    json_object_set_new(object, "errors", diag_json(diags));
    return ctl_print_json(ctl, fine ? WIRE_EXIT_DONE : WIRE_EXIT_USAGE, object);
}

int ctl_check(struct ctl *ctl)
{
    struct config *config = NULL;
    struct diag_list diags;
    bool fine = config_load(file_of(ctl), &config, &diags) == 0;
    const char *file = fine && config->path ? config->path : file_of(ctl);
    int code = fine ? WIRE_EXIT_DONE : WIRE_EXIT_USAGE;
    if (!fine)
        diag_print(&diags, ctl->messages);
    if (ctl->options->json)
        code = print_object(ctl, file, fine, &diags);
    else if (fine && file)
        fprintf(ctl->out, "%s: fine\n", file);
    else if (fine)
        fprintf(ctl->out, "no configuration file: the defaults are used\n");
    diag_free(&diags);
    config_free(config);
    return code;
}

int ctl_init(struct ctl *ctl)
{
    CLEANUP_FREE char *sample = config_sample();
    if (ctl->options->json) {
        CLEANUP_JSON json_t *object = json_object();
        json_set_text(object, "configuration", sample);
        return ctl_print_json(ctl, WIRE_EXIT_DONE, object);
    }
    fputs(sample, ctl->out);
    return WIRE_EXIT_DONE;
}
