/* supervisorctl: reads the command line, finds the sub-command, gives it what it needs. */
#include "supervisorctl/backend.h"
#include "supervisorctl/commands.h"
#include "supervisorctl/outlet.h"

#include <locale.h>
#include <unistd.h>

static int refuse_line(struct ctl *ctl, const struct err *e)
{
    int code = ctl_fail(ctl, WIRE_EXIT_USAGE, e);
    ctl_print_usage(ctl->messages, ctl->options->command);
    return code;
}

static int refuse_command(struct ctl *ctl)
{
    const char *name = ctl->options->command;
    const char *meant = ctl_command_meant(name);
    struct err e;
    err_set(&e, ERR_INVALID, "there is no command '%s'", name);
    if (meant)
        err_hint(&e, "did you mean '%s'?", meant);
    return refuse_line(ctl, &e);
}

/* 0, or an exit code. */
static int open_backend(struct ctl *ctl, const struct ctl_command *command)
{
    struct err e;
    if (command->backend == BACKEND_NONE)
        return 0;
    if (!ctl->options->standalone) {
        ctl->backend = remote_new(ctl->options, command->backend == BACKEND_ANY);
        return 0;
    }
    ctl->outlet = outlet_new(&ctl->out, &ctl->messages);
    int code = standalone_new(ctl->options, ctl->messages, &ctl->backend, &e);
    return code ? ctl_fail(ctl, code, &e) : 0;
}

static int run_command(struct ctl *ctl, const struct ctl_command *command)
{
    const struct ctl_options *options = ctl->options;
    if (options->arg_count < command->min_args)
        return ctl_fail_usage(ctl, "%s: an argument is missing", command->name);
    if (options->arg_count > command->max_args)
        return ctl_fail_usage(ctl, "%s: '%s' is one argument too many", command->name,
                              options->args[command->max_args]);
    int code = open_backend(ctl, command);
    if (!code)
        code = command->run(ctl);
    fflush(ctl->out); /* before a standalone application takes its time to end */
    backend_free(ctl->backend);
    if (outlet_free(ctl->outlet) != 0 && code == WIRE_EXIT_DONE)
        code = WIRE_EXIT_FAILED;
    return code;
}

static int run_line(struct ctl *ctl)
{
    const struct ctl_options *options = ctl->options;
    const struct ctl_command *command = ctl_command_find(options->command);
    if (options->version) {
        fprintf(ctl->out, "supervisorctl %s (stack-supervisor)\n", STACK_SUPERVISOR_VERSION);
        return WIRE_EXIT_DONE;
    }
    if (options->command && !command)
        return refuse_command(ctl);
    if (options->help) {
        ctl_print_help(ctl->out, command);
        return WIRE_EXIT_DONE;
    }
    if (!command)
        return ctl_fail_usage(ctl, "a command is missing");
    return run_command(ctl, command);
}

int main(int argc, char **argv)
{
    struct ctl_options options;
    struct err e;
    setlocale(LC_CTYPE, ""); /* only this: numbers stay as JSON writes them */
    int failed = ctl_options_parse(argc, argv, ctl_command_accepts, &options, &e);
    struct ctl ctl = {
        .options = &options,
        .out = stdout,
        .messages = stderr,
        .style = print_style_of(stdout, options.color),
        .messages_style = print_style_of(stderr, options.color),
        .interactive = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && !options.json,
        .signals = SIGNALS_CLOSED,
    };
    int code = failed ? refuse_line(&ctl, &e) : run_line(&ctl);
    if (fflush(stdout) != 0 && code == WIRE_EXIT_DONE)
        code = WIRE_EXIT_FAILED; /* a full disk behind "> file" */
    ctl_options_free(&options);
    return code;
}
