/* See diag.h. */
#include "base/diag.h"

#include "base/json.h"
#include "base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

enum { DIAG_MAX = 100, WORD_MAX = 64 };

void diag_init(struct diag_list *list, const char *file, const char *source)
{
    *list = (struct diag_list){.file = mem_strdup(file), .source = mem_strdup(source)};
}

void diag_free(struct diag_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i].text);
    free(list->items);
    free(list->file);
    free(list->source);
    *list = (struct diag_list){0};
}

static const char *severity(const struct diag_list *list)
{
    return list->only_warns ? "warning" : "error";
}

bool diag_add(struct diag_list *list, int line, int column, const char *format, ...)
{
    if (list->count > DIAG_MAX)
        return false;
    struct diag *item = MEM_PUSH(list->items, list->count);
    if (list->count > DIAG_MAX) {
        item->text = mem_printf("too many %ss; the rest is not shown", severity(list));
        item->line = INT32_MAX;
        return false;
    }
    va_list args;
    va_start(args, format);
    *item = (struct diag){.line = line, .column = column, .text = mem_vprintf(format, args)};
    va_end(args);
    return false;
}

static int diag_compare(const void *a, const void *b)
{
    const struct diag *x = a;
    const struct diag *y = b;
    return x->line != y->line ? (x->line > y->line) - (x->line < y->line)
                              : (x->column > y->column) - (x->column < y->column);
}

/* Where a line must not be shown any further: a password stands there (libpq's keyword, or between
 * the ':' and the '@' of a URI), or the path of a webhook, which can be its secret, as Slack's is.
 * A diagnostic may end in a log that others read. */
static int diag_visible(const char *line, int len)
{
    bool is_webhook = false;
    for (int i = 0; i < len; i++) {
        if (len - i > 8 && strncasecmp(line + i, "password", 8) == 0)
            return i + 8;
        bool authority = len - i > 3 && strncmp(line + i, "://", 3) == 0;
        if (authority && memchr(line + i, '@', (size_t)(len - i)))
            return i + 3;
        is_webhook = is_webhook || (len - i > 7 && strncasecmp(line + i, "webhook", 7) == 0);
        if (authority)
            i += 2;
        else if (is_webhook && line[i] == '/')
            return i + 1;
    }
    return len;
}

static void diag_print_source(const struct diag_list *list, const struct diag *item, FILE *out)
{
    const char *start = list->source;
    for (int line = 1; start && line < item->line; line++) {
        start = strchr(start, '\n');
        start = start ? start + 1 : NULL;
    }
    if (!start)
        return;
    int len = (int)strcspn(start, "\r\n");
    int visible = diag_visible(start, len);
    fprintf(out, "%6d | %.*s%s\n", item->line, visible, start, visible < len ? " ***" : "");
    fputs("       | ", out);
    /* A tab stays a tab, so that the caret stands under its column on any terminal. */
    const char *at = start;
    for (int column = 1; column < item->column && at < start + len; column++) {
        fputc(*at == '\t' ? '\t' : ' ', out);
        do
            at++;
        while (((unsigned char)*at & 0xC0) == 0x80); /* the rest of a UTF-8 sequence */
    }
    fputs("^\n", out);
}

static void diag_sort(struct diag_list *list)
{
    if (list->count)
        qsort(list->items, list->count, sizeof *list->items, diag_compare);
}

void diag_print(struct diag_list *list, FILE *out)
{
    diag_sort(list);
    for (size_t i = 0; i < list->count; i++) {
        const struct diag *item = &list->items[i];
        if (item->line == 0 || item->line == INT32_MAX) {
            fprintf(out, "%s: %s: %s\n", list->file, severity(list), item->text);
            continue;
        }
        fprintf(out, "%s:%d:%d: %s: %s\n", list->file, item->line, item->column, severity(list),
                item->text);
        diag_print_source(list, item, out);
    }
}

char *diag_format(struct diag_list *list)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    if (!out)
        return mem_strdup("");
    diag_print(list, out);
    fclose(out);
    return text;
}

json_t *diag_json(struct diag_list *list)
{
    json_t *array = json_array();
    diag_sort(list);
    for (size_t i = 0; i < list->count; i++) {
        const struct diag *item = &list->items[i];
        json_t *object = json_object();
        json_set_text(object, "file", list->file);
        json_set_int(object, "line", item->line == INT32_MAX ? 0 : item->line);
        json_set_int(object, "column", item->column);
        json_set_text(object, "message", item->text);
        json_array_append_new(array, object);
    }
    return array;
}

/* Levenshtein distance with one row; words longer than WORD_MAX never match. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t row[WORD_MAX + 1];
    size_t width = strlen(b);
    if (width > WORD_MAX || strlen(a) > WORD_MAX)
        return WORD_MAX;
    for (size_t j = 0; j <= width; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= width; j++) {
            size_t substitute = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            size_t best = row[j] < row[j - 1] ? row[j] + 1 : row[j - 1] + 1;
            row[j] = substitute < best ? substitute : best;
        }
    }
    return row[width];
}

const char *diag_nearest(const char *typed, const char *const *words)
{
    const char *best = NULL;
    size_t best_distance = strlen(typed) / 3 + 1;
    for (; *words; words++) {
        size_t distance = edit_distance(typed, *words);
        if (distance < WORD_MAX && distance <= best_distance &&
            (!best || distance < best_distance)) {
            best = *words;
            best_distance = distance;
        }
    }
    return best;
}
