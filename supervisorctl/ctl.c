/* See ctl.h. */
#include "supervisorctl/ctl.h"

#include "supervisorctl/backend.h"

#include "base/buf.h"
#include "base/mem.h"
#include "supervisorctl/commands.h"

#include <stdarg.h>
#include <string.h>

static void say_v(struct ctl *ctl, enum print_tone tone, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

static void say_v(struct ctl *ctl, enum print_tone tone, const char *format, va_list args)
{
    CLEANUP_FREE char *text = mem_vprintf(format, args);
    fputs("supervisorctl: ", ctl->messages);
    print_toned(ctl->messages, &ctl->messages_style, tone, text);
    fputc('\n', ctl->messages);
}

void ctl_say(struct ctl *ctl, const char *format, ...)
{
    va_list args;
    fflush(ctl->out);
    va_start(args, format);
    say_v(ctl, TONE_PLAIN, format, args);
    va_end(args);
}

static void say_error(struct ctl *ctl, const struct err *e)
{
    fflush(ctl->out);
    fputs("supervisorctl: ", ctl->messages);
    print_toned(ctl->messages, &ctl->messages_style, TONE_BAD, e->text);
    fputc('\n', ctl->messages);
    if (e->hint[0]) {
        fputs("  ", ctl->messages);
        print_text(ctl->messages, e->hint);
        fputc('\n', ctl->messages);
    }
}

int ctl_fail(struct ctl *ctl, int code, const struct err *e)
{
    say_error(ctl, e);
    if (ctl->options->json) {
        CLEANUP_JSON json_t *object = json_object();
        json_object_set_new(object, "error", json_from_err(e));
        ctl_print_json(ctl, code, object);
    }
    return code;
}

int ctl_fail_usage(struct ctl *ctl, const char *format, ...)
{
    struct err e;
    va_list args;
    va_start(args, format);
    CLEANUP_FREE char *text = mem_vprintf(format, args);
    va_end(args);
    err_set(&e, ERR_INVALID, "%s", text);
    int code = ctl_fail(ctl, WIRE_EXIT_USAGE, &e);
    ctl_print_usage(ctl->messages, ctl->options->command);
    return code;
}

int ctl_print_json(struct ctl *ctl, int code, const json_t *object)
{
    CLEANUP_FREE char *line = json_line(object);
    fprintf(ctl->out, "%s\n", line);
    return code;
}

/* As a shell takes it: in quotes where it has to be. */
static void add_word(struct buf *out, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789_-./:=@%+,";
    if (*word && word[strspn(word, plain)] == '\0') {
        buf_printf(out, " %s", word);
        return;
    }
    buf_puts(out, " '");
    for (; *word; word++)
        buf_printf(out, *word == '\'' ? "'\\''" : "%c", *word);
    buf_puts(out, "'");
}

static void add_given(struct buf *out, const struct ctl_options *options, enum ctl_option option,
                      const char *name, const char *value)
{
    if (!(options->given & OPTION_BIT(option)) || !value)
        return;
    buf_puts(out, name);
    add_word(out, value);
}

/* What was typed has to be typed again; the environment is still there. */
char *ctl_carry_on_hint(const struct ctl *ctl)
{
    enum { LINE_MAX_BYTES = 65536 };
    const struct ctl_options *options = ctl->options;
    struct buf line;
    buf_init(&line, LINE_MAX_BYTES);
    buf_puts(&line, "supervisorctl --standalone");
    add_given(&line, options, OPTION_STATE_DIR, " --state-dir", options->state_dir);
    add_given(&line, options, OPTION_CONFIG, " --config", options->config);
    add_given(&line, options, OPTION_DOCKER_HOST, " --docker-host", options->docker_host);
    buf_puts(&line, " attach carries it on (abort in its place winds it up), or a daemon that is "
                    "started");
    return buf_take(&line);
}

int ctl_exit_of(enum err_code code)
{
    switch (code) {
    case ERR_INVALID:
        return WIRE_EXIT_USAGE;
    case ERR_CONFLICT:
    case ERR_REFUSED:
        return WIRE_EXIT_REFUSED;
    default:
        /* The engine or the database was not reached: the supervisor was, so this is no 4. */
        return WIRE_EXIT_FAILED;
    }
}

bool ctl_read_run(const char *text, int64_t *ret, struct err *e)
{
    enum { DIGITS_MAX = 18 };
    size_t digits = strspn(text, "0123456789");
    int64_t number = 0;
    for (size_t i = 0; i < digits && digits <= DIGITS_MAX; i++)
        number = number * 10 + (text[i] - '0');
    if (text[digits] || number == 0) {
        err_set(e, ERR_INVALID, "'%s' is no run's number", text);
        err_hint(e, "supervisorctl runs lists them");
        return false;
    }
    *ret = number;
    return true;
}

bool ctl_ask(struct ctl *ctl, const struct question *question, json_t **ret, int *ret_code)
{
    struct err e;
    *ret_code = backend_ask(ctl->backend, question, ret, &e);
    if (*ret_code) {
        ctl_fail(ctl, *ret_code, &e);
        return false;
    }
    if (!ctl->options->json)
        return true;
    ctl_print_json(ctl, WIRE_EXIT_DONE, *ret);
    return false;
}
