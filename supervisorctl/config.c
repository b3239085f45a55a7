/* supervisorctl check and init: the configuration, with the very code that the daemon reads it by.
 * Beside standalone.c the only file here that knows the supervisor's folder. */
#include "supervisor/config.h"

#include "base/mem.h"
#include "supervisorctl/ctl.h"

static const char *file_of(const struct ctl *ctl)
{
    return ctl->options->arg_count ? ctl->options->args[0] : ctl->options->config;
}

/* The file as it was read, and what came of holding it against the stack. */
struct finding {
    struct config *config;
    struct diag_list diags, warnings;
    char *project; /* the stack, or NULL: it was not looked at, */
    struct err e;  /* for this reason; not set: the file alone is wrong enough */
    bool fine;
};

static void look_at(struct ctl *ctl, struct finding *f)
{
    f->fine = config_load(file_of(ctl), &f->config, &f->diags) == 0;
    if (!f->fine || !f->config->path)
        return;
    diag_free(&f->diags);
    f->fine = config_hold_against_stack(f->config, ctl->options->docker_host, &f->project,
                                        &f->diags, &f->warnings, &f->e) == 0;
}

static int print_object(struct ctl *ctl, struct finding *f, const char *file)
{
    CLEANUP_JSON json_t *object = json_object();
    json_set_text(object, "file", file);
    json_set_bool(object, "fine", f->fine);
    json_set_text(object, "stack", f->project);
    json_object_set_new(object, "errors", diag_json(&f->diags));
    json_object_set_new(object, "warnings", diag_json(&f->warnings));
    return ctl_print_json(ctl, f->fine ? WIRE_EXIT_DONE : WIRE_EXIT_USAGE, object);
}

static void print_fine(struct ctl *ctl, const struct finding *f, const char *file)
{
    if (!file)
        fprintf(ctl->out, "no configuration file: the defaults are used\n");
    else if (f->project)
        fprintf(ctl->out, "%s: fine, also for stack %s\n", file, f->project);
    else
        fprintf(ctl->out, "%s: fine\n", file);
    if (file && f->config && f->config->is_unwritten)
        fprintf(ctl->messages,
                "it is empty: all defaults at a start, refused at a reload; {} in it "
                "says that they are meant\n");
    if (err_is_set(&f->e))
        fprintf(ctl->messages, "its services were not held against a stack: %s\n", f->e.text);
}

int ctl_check(struct ctl *ctl)
{
    struct finding f = {0};
    look_at(ctl, &f);
    const char *file = f.config && f.config->path ? f.config->path : file_of(ctl);
    int code = f.fine ? WIRE_EXIT_DONE : WIRE_EXIT_USAGE;
    if (!f.fine)
        diag_print(&f.diags, ctl->messages);
    diag_print(&f.warnings, ctl->messages);
    if (ctl->options->json)
        code = print_object(ctl, &f, file);
    else if (f.fine)
        print_fine(ctl, &f, file);
    diag_free(&f.diags);
    diag_free(&f.warnings);
    free(f.project);
    config_free(f.config);
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
