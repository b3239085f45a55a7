/* See print.h. */
#include "supervisorctl/print.h"

#include "base/buf.h"
#include "base/mem.h"

#include <assert.h>
#include <langinfo.h>
#include <string.h>
#include <sys/ioctl.h>

/* --- style ----------------------------------------------------------------------------------- */

static bool terminal_is_capable(FILE *stream)
{
    const char *term = getenv("TERM");
    return isatty(fileno(stream)) && term && *term && strcmp(term, "dumb") != 0;
}

struct print_style print_style_of(FILE *stream, enum print_color_choice color)
{
    const char *no_color = getenv("NO_COLOR"); /* https://no-color.org: set and not empty */
    bool terminal = terminal_is_capable(stream);
    return (struct print_style){
        .color = color == PRINT_COLOR_ALWAYS ||
                 (color == PRINT_COLOR_AUTO && terminal && !(no_color && *no_color)),
        .unicode = strcmp(nl_langinfo(CODESET), "UTF-8") == 0,
        .terminal = terminal,
    };
}

void print_size(int *ret_columns, int *ret_rows)
{
    struct winsize size = {0};
    bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0;
    *ret_columns = known && size.ws_col > 0 ? size.ws_col : 80;
    *ret_rows = known && size.ws_row > 0 ? size.ws_row : 24;
}

static const char *const tone_codes[] = {
    [TONE_PLAIN] = "",       [TONE_GOOD] = "\033[32m", [TONE_WARN] = "\033[33m",
    [TONE_BAD] = "\033[31m", [TONE_DIM] = "\033[2m",   [TONE_BOLD] = "\033[1m",
};
_Static_assert(ARRAY_SIZE(tone_codes) == TONES, "a code for every tone");

const char *print_tone_on(const struct print_style *style, enum print_tone tone)
{
    return style->color ? tone_codes[tone] : "";
}

const char *print_tone_off(const struct print_style *style, enum print_tone tone)
{
    return style->color && tone != TONE_PLAIN ? "\033[0m" : "";
}

static bool is_one_of(const char *word, const char *const *words)
{
    for (; *words; words++)
        if (strcmp(word, *words) == 0)
            return true;
    return false;
}

enum print_tone print_tone_of(const char *state)
{
    static const char *const good[] = {"healthy", "ready", "succeeded", "done", "open", NULL};
    static const char *const warn[] = {"starting",
                                       "recovering",
                                       "running",
                                       "aborting",
                                       "restarting",
                                       "paused",
                                       "degraded",
                                       "shutting_down",
                                       "aborted",
                                       "unknown",
                                       "idle in transaction",
                                       "skipped",
                                       "interrupted",
                                       NULL};
    static const char *const bad[] = {"unhealthy",   "exhausted", "failed", "refused",
                                      "hung",        "exited",    "dead",   "unreachable",
                                      "auth_failed", "removing",  NULL};
    return is_one_of(state, good)   ? TONE_GOOD
           : is_one_of(state, warn) ? TONE_WARN
           : is_one_of(state, bad)  ? TONE_BAD
                                    : TONE_PLAIN;
}

/* --- text ------------------------------------------------------------------------------------ */

static bool is_control(unsigned char byte)
{
    return byte < 0x20 || byte == 0x7f;
}

/* A C1 control character in UTF-8: some terminals obey it as they obey an escape. */
static bool is_c1(const char *at)
{
    return (unsigned char)at[0] == 0xC2 && (unsigned char)at[1] >= 0x80 &&
           (unsigned char)at[1] < 0xA0;
}

static void add_clean(struct buf *out, const char *text)
{
    for (; *text; text++) {
        if (is_c1(text)) {
            buf_puts(out, "?");
            text++;
        } else {
            buf_add(out, is_control((unsigned char)*text) ? "?" : text, 1);
        }
    }
}

static char *clean_copy(const char *text)
{
    struct buf out;
    buf_init(&out, strlen(text) + 1);
    add_clean(&out, text);
    return buf_take(&out);
}

void print_text(FILE *out, const char *text)
{
    CLEANUP_FREE char *clean = clean_copy(text);
    fputs(clean, out);
}

void print_toned(FILE *out, const struct print_style *style, enum print_tone tone, const char *text)
{
    fputs(print_tone_on(style, tone), out);
    print_text(out, text);
    fputs(print_tone_off(style, tone), out);
}

static bool starts_character(unsigned char byte)
{
    return (byte & 0xC0) != 0x80;
}

size_t print_width(const char *text)
{
    size_t width = 0;
    for (; *text; text++)
        width += starts_character((unsigned char)*text);
    return width;
}

/* Bytes of the first `columns` characters. */
static size_t bytes_of(const char *text, size_t columns)
{
    size_t len = 0;
    size_t seen = 0;
    for (; text[len]; len++) {
        seen += starts_character((unsigned char)text[len]);
        if (seen > columns)
            break;
    }
    return len;
}

char *print_clipped(const char *text, size_t columns, bool unicode)
{
    CLEANUP_FREE char *clean = clean_copy(text);
    if (print_width(clean) <= columns)
        return mem_strdup(clean);
    const char *ellipsis = unicode ? "…" : "...";
    size_t taken = print_width(ellipsis);
    if (columns < taken)
        return mem_strndup(clean, bytes_of(clean, columns));
    return mem_printf("%.*s%s", (int)bytes_of(clean, columns - taken), clean, ellipsis);
}

char *print_bar(double part, int columns)
{
    double bounded = part < 0 ? 0 : part > 1 ? 1 : part;
    int full = (int)(bounded * columns + 0.5);
    CLEANUP_FREE char *cells = mem_new((size_t)columns + 1);
    memset(cells, '-', (size_t)columns);
    memset(cells, '#', (size_t)full);
    return mem_printf("[%s]", cells);
}

const char *print_ago(const char *at, int64_t now_ms, char out[static PRINT_AGO_MAX])
{
    enum { NS_PER_MS = 1000000 };
    int64_t at_ns;
    char text[DURATION_MAX];
    if (!at || !clock_parse_rfc3339_ns(at, &at_ns))
        return memcpy(out, "-", sizeof "-");
    int64_t ms = now_ms - at_ns / NS_PER_MS;
    snprintf(out, PRINT_AGO_MAX, "%s ago", duration_text(ms > 0 ? ms : 0, text));
    return out;
}

/* --- tables ---------------------------------------------------------------------------------- */

struct cell {
    char *text;
    enum print_tone tone;
};

struct print_table {
    const char *const *headings;
    size_t columns;
    struct cell *cells; /* rows one behind the other */
    size_t count;
};

struct print_table *print_table_new(const char *const *headings)
{
    struct print_table *table = mem_new(sizeof *table);
    table->headings = headings;
    while (headings[table->columns])
        table->columns++;
    return table;
}

void print_table_cell(struct print_table *table, enum print_tone tone, const char *text)
{
    struct cell *cell = MEM_PUSH(table->cells, table->count);
    *cell = (struct cell){clean_copy(text && *text ? text : "-"), tone};
}

void print_table_blank(struct print_table *table)
{
    struct cell *cell = MEM_PUSH(table->cells, table->count);
    cell->text = mem_strdup("");
}

void print_table_cellf(struct print_table *table, enum print_tone tone, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    CLEANUP_FREE char *text = mem_vprintf(format, args);
    va_end(args);
    print_table_cell(table, tone, text);
}

static bool aligns_right(const struct print_table *table, size_t column)
{
    return table->headings[column][0] == '>';
}

static const char *heading(const struct print_table *table, size_t column)
{
    return table->headings[column] + aligns_right(table, column);
}

/* The width of each column; the caller frees it. */
static size_t *column_widths(const struct print_table *table)
{
    size_t *widths = mem_new(table->columns * sizeof *widths);
    for (size_t column = 0; column < table->columns; column++)
        widths[column] = print_width(heading(table, column));
    for (size_t i = 0; i < table->count; i++) {
        size_t width = print_width(table->cells[i].text);
        if (width > widths[i % table->columns])
            widths[i % table->columns] = width;
    }
    return widths;
}

static void add_cell(const struct print_table *table, const size_t *widths, size_t column,
                     const struct cell *cell, struct buf *row, const struct print_style *style)
{
    int padding = (int)(widths[column] - print_width(cell->text));
    bool right = aligns_right(table, column);
    buf_printf(row, "%*s%s%s%s", right ? padding : 0, "", print_tone_on(style, cell->tone),
               cell->text, print_tone_off(style, cell->tone));
    if (column + 1 < table->columns)
        buf_printf(row, "%*s", (right ? 0 : padding) + 2, "");
}

static void print_row(struct buf *row, FILE *out, int indent)
{
    while (row->len && row->data[row->len - 1] == ' ')
        row->data[--row->len] = '\0';
    fprintf(out, "%*s%s\n", indent, "", buf_text(row));
    buf_reset(row);
}

static void table_free(struct print_table *table)
{
    for (size_t i = 0; i < table->count; i++)
        free(table->cells[i].text);
    free(table->cells);
    free(table);
}

void print_table_end(struct print_table *table, FILE *out, const struct print_style *style,
                     int indent)
{
    enum { ROW_MAX = 1 << 20 };
    assert(table->columns > 0);
    CLEANUP_FREE size_t *widths = column_widths(table);
    struct buf row;
    buf_init(&row, ROW_MAX);
    for (size_t column = 0; column < table->columns; column++) {
        struct cell cell = {(char *)heading(table, column), TONE_DIM};
        add_cell(table, widths, column, &cell, &row, style);
    }
    print_row(&row, out, indent);
    for (size_t i = 0; i < table->count; i++) {
        add_cell(table, widths, i % table->columns, &table->cells[i], &row, style);
        if ((i + 1) % table->columns == 0)
            print_row(&row, out, indent);
    }
    buf_free(&row);
    table_free(table);
}
