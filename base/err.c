/* See err.h. */
#include "base/err.h"
#undef err_set /* the analyzer's */
#undef err_wrap

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const err_names[] = {
    [ERR_NONE] = "none",
    [ERR_INVALID] = "invalid",
    [ERR_NOT_FOUND] = "not-found",
    [ERR_PERMISSION] = "permission",
    [ERR_UNREACHABLE] = "unreachable",
    [ERR_TIMEOUT] = "timeout",
    [ERR_CANCELLED] = "cancelled",
    [ERR_PROTOCOL] = "protocol",
    [ERR_CONFLICT] = "conflict",
    [ERR_REFUSED] = "refused",
    [ERR_EXHAUSTED] = "exhausted",
    [ERR_FAILED] = "failed",
    [ERR_UNSUPPORTED] = "unsupported",
};
_Static_assert(ARRAY_SIZE(err_names) == ERR_CODES, "a name for every code");

int err_set(struct err *e, enum err_code code, const char *format, ...)
{
    if (e) {
        /* The arguments may point into *e itself, so print beside it first. */
        char text[ERR_TEXT_MAX];
        va_list args;
        va_start(args, format);
        vsnprintf(text, sizeof text, format, args);
        va_end(args);
        e->code = code;
        e->hint[0] = '\0';
        memcpy(e->text, text, sizeof text);
    }
    return -(int)code;
}

void err_hint(struct err *e, const char *format, ...)
{
    if (!e)
        return;
    char hint[ERR_HINT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(hint, sizeof hint, format, args);
    va_end(args);
    memcpy(e->hint, hint, sizeof hint);
}

int err_wrap(struct err *e, const char *format, ...)
{
    if (!e)
        return -(int)ERR_FAILED;
    char text[ERR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    int used = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (used >= 0 && (size_t)used < sizeof text)
        snprintf(text + used, sizeof text - (size_t)used, "%s", e->text);
    memcpy(e->text, text, sizeof text);
    return -(int)e->code;
}

void err_clear(struct err *e)
{
    if (e) {
        e->code = ERR_NONE;
        e->text[0] = e->hint[0] = '\0';
    }
}

void err_copy(struct err *to, const struct err *from)
{
    if (!to)
        return;
    if (from)
        *to = *from;
    else
        err_clear(to);
}

bool err_is_set(const struct err *e)
{
    return e && e->code != ERR_NONE;
}

const char *err_code_name(enum err_code code)
{
    return (unsigned)code < ERR_CODES ? err_names[code] : "failed";
}

enum err_code err_code_parse(const char *name)
{
    for (size_t i = 0; name && i < ARRAY_SIZE(err_names); i++)
        if (strcmp(err_names[i], name) == 0)
            return (enum err_code)i;
    return ERR_FAILED;
}
