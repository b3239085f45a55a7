/* See place.h. */
#include "policies/place.h"

#include "base/mem.h"

#include <ctype.h>
#include <stdarg.h>
#include <string.h>

/* The first byte of a line of the source, or NULL. */
static const char *line_start(const char *source, int line)
{
    for (int i = 1; source && i < line; i++) {
        source = strchr(source, '\n');
        source = source ? source + 1 : NULL;
    }
    return source;
}

static bool is_space(char c)
{
    return isspace((unsigned char)c);
}

/* Steps over the escape of a quoted scalar that stands for one character: '' or \". */
static const char *skip_escape(const char *at, char quote)
{
    bool escaped = (quote == '\'' && at[0] == '\'' && at[1] == '\'') ||
                   (quote == '"' && at[0] == '\\' && at[1] != '\0');
    return escaped ? at + 1 : at;
}

/* Walks the source from the scalar's first character to its `nth` visible one. */
static const char *walk(const char *at, char quote, size_t nth)
{
    for (;; at++) {
        while (*at && is_space(*at))
            at++;
        if (!*at || nth == 0)
            return at;
        at = skip_escape(at, quote);
        nth--;
    }
}

static struct place place_of(const char *source, const char *at)
{
    struct place place = {1, 1};
    for (; source < at; source++) {
        place.column = *source == '\n' ? 1 : place.column + 1;
        place.line += *source == '\n';
    }
    return place;
}

static size_t visible_before(const char *text, size_t offset)
{
    size_t visible = 0;
    for (size_t i = 0; i < offset && text[i]; i++)
        visible += !is_space(text[i]);
    return visible;
}

struct place policies__place(const struct yaml_node *node, size_t offset,
                             const struct diag_list *diags)
{
    struct place fallback = {node->line, node->column + (node->quoted ? 1 : 0) + (int)offset};
    const char *start = line_start(diags->source, node->line);
    if (!start || strlen(start) < (size_t)node->column)
        return fallback;
    const char *at = start + node->column - 1;
    char quote = '\0';
    if (node->quoted && (*at == '"' || *at == '\'')) {
        quote = *at++;
    } else if (node->quoted) {
        at += strcspn(at, "\n"); /* a block scalar's text begins on the next line */
    }
    const char *here = walk(at, quote, visible_before(node->text, offset));
    /* Behind the last character: a caret at the end of the text, not at what follows it. */
    if (offset >= strlen(node->text) && offset > 0) {
        struct place last = policies__place(node, offset - 1, diags);
        return (struct place){last.line, last.column + 1};
    }
    return place_of(diags->source, here);
}

bool policies__complain(struct diag_list *diags, const struct yaml_node *node, size_t offset,
                        const char *format, ...)
{
    struct place place = policies__place(node, offset, diags);
    va_list args;
    va_start(args, format);
    CLEANUP_FREE char *text = mem_vprintf(format, args);
    va_end(args);
    return diag_add(diags, place.line, place.column, "%s", text);
}
