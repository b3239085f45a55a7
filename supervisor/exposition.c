/* See exposition.h. */
#include "supervisor/exposition.h"

#include <math.h>
#include <string.h>

enum { TEXT_MAX = 8 << 20 };

void exposition_init(struct exposition *out)
{
    *out = (struct exposition){.name = NULL};
    buf_init(&out->text, TEXT_MAX);
}

void exposition_family(struct exposition *out, const char *name, enum metric_type type,
                       const char *help)
{
    out->name = name;
    out->help = help;
    out->type = type;
    out->begun = false;
}

static void begin_family(struct exposition *out)
{
    if (out->begun)
        return;
    out->begun = true;
    buf_printf(&out->text, "# HELP %s %s\n# TYPE %s %s\n", out->name, out->help, out->name,
               out->type == METRIC_COUNTER ? "counter" : "gauge");
}

/* A value in quotes: backslash, quote and newline are written with a backslash. */
static void add_value(struct buf *text, const char *value)
{
    while (*value) {
        size_t plain = strcspn(value, "\\\"\n");
        buf_add(text, value, plain);
        value += plain;
        if (*value)
            buf_puts(text, *value == '\n' ? "\\n" : *value == '"' ? "\\\"" : "\\\\");
        value += *value != '\0';
    }
}

static void add_labels(struct buf *text, const struct metric_label *labels)
{
    if (!labels || !labels->name)
        return;
    for (size_t i = 0; labels[i].name; i++) {
        buf_printf(text, "%c%s=\"", i ? ',' : '{', labels[i].name);
        add_value(text, labels[i].value ? labels[i].value : "");
        buf_puts(text, "\"");
    }
    buf_puts(text, "}");
}

void exposition_sample(struct exposition *out, const struct metric_label *labels, double value)
{
    begin_family(out);
    buf_puts(&out->text, out->name);
    add_labels(&out->text, labels);
    if (isnan(value))
        buf_puts(&out->text, " NaN\n");
    else if (isinf(value))
        buf_puts(&out->text, value > 0 ? " +Inf\n" : " -Inf\n");
    else
        buf_printf(&out->text, " %.15g\n", value);
}

void exposition_single(struct exposition *out, const char *name, enum metric_type type,
                       const char *help, double value)
{
    exposition_family(out, name, type, help);
    exposition_sample(out, NULL, value);
}

char *exposition_take(struct exposition *out)
{
    return buf_take(&out->text);
}
