/* yaml_error_at: where a byte of a scalar stands in its file.
 *
 * A scalar may be plain, quoted, folded or literal; quotes, line breaks and indentation are in the
 * file and not in the value. The value's visible characters are in the file in the same order, so
 * they are counted along. */
#include "base/mem.h"
#include "base/yaml.h"

#include <ctype.h>
#include <stdarg.h>
#include <string.h>

struct place {
    int line, column; /* from 1 */
};

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

/* Columns are characters: not the rest of a UTF-8 sequence. */
static bool begins_character(char c)
{
    return ((unsigned char)c & 0xC0) != 0x80;
}

/* The first byte of a column of that line. */
static const char *column_start(const char *at, int column)
{
    while (*at && *at != '\n' && (column > 1 || !begins_character(*at)))
        column -= begins_character(*at++) ? 1 : 0;
    return at;
}

static struct place place_of(const char *source, const char *at)
{
    struct place place = {1, 1};
    for (; source < at; source++) {
        place.column = *source == '\n' ? 1 : place.column + begins_character(*source);
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

/* Without a source in the diagnostics, as if the value stood on one line. */
static struct place place_find(const struct yaml_node *node, size_t offset,
                               const struct diag_list *diags)
{
    struct place fallback = {node->line, node->column + (node->quoted ? 1 : 0) + (int)offset};
    const char *start = line_start(diags->source, node->line);
    if (!start || strlen(start) < (size_t)node->column)
        return fallback;
    const char *at = column_start(start, node->column);
    char quote = '\0';
    if (node->quoted && (*at == '"' || *at == '\'')) {
        quote = *at++;
    } else if (node->quoted) {
        at += strcspn(at, "\n"); /* a block scalar's text begins on the next line */
    }
    const char *here = walk(at, quote, visible_before(node->text, offset));
    /* Behind the last character, or a space: a caret behind what is before it. */
    if (offset > 0 && (offset >= strlen(node->text) || is_space(node->text[offset]))) {
        struct place last = place_find(node, offset - 1, diags);
        return (struct place){last.line, last.column + 1};
    }
    return place_of(diags->source, here);
}

bool yaml_error_at(struct diag_list *diags, const struct yaml_node *node, size_t offset,
                   const char *format, ...)
{
    struct place place = place_find(node, offset, diags);
    va_list args;
    va_start(args, format);
    CLEANUP_FREE char *text = mem_vprintf(format, args);
    va_end(args);
    return diag_add(diags, place.line, place.column, "%s", text);
}
