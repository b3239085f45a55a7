/* Printing for people: colours, tables, bars, times.
 *
 * Much of what is printed was written by strangers (log lines, application names). print_text()
 * and tables show control characters as '?', so that none of it reaches the terminal as a command.
 *
 * May use: base.
 */
#ifndef SUPERVISORCTL_PRINT_H
#define SUPERVISORCTL_PRINT_H

#include "base/clock.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum print_tone { TONE_PLAIN, TONE_GOOD, TONE_WARN, TONE_BAD, TONE_DIM, TONE_BOLD, TONES };

struct print_style {
    bool color;
    bool unicode;  /* marks and bars beyond ASCII */
    bool terminal; /* it can be redrawn in place */
};

enum print_color_choice { PRINT_COLOR_AUTO, PRINT_COLOR_ALWAYS, PRINT_COLOR_NEVER };

/* Looks at the stream, NO_COLOR, TERM and the locale. */
struct print_style print_style_of(FILE *stream, enum print_color_choice color);

/* Columns and rows of the terminal that stdout is; 80 × 24 when it is none. */
void print_size(int *ret_columns, int *ret_rows);

/* The text with control characters as '?'. */
void print_text(FILE *out, const char *text);

/* The same in a colour. */
void print_toned(FILE *out, const struct print_style *style, enum print_tone tone,
                 const char *text);

const char *print_tone_on(const struct print_style *style, enum print_tone tone); /* or "" */
const char *print_tone_off(const struct print_style *style, enum print_tone tone);

/* The tone of a state's word: "ready" is good, "exhausted" is bad … */
enum print_tone print_tone_of(const char *state);

/* Columns a text takes: code points, not bytes. */
size_t print_width(const char *text);

/* At most `columns` columns of the text, control characters replaced, cut with an ellipsis; the
 * caller frees it. */
char *print_clipped(const char *text, size_t columns, bool unicode);

/* "[########----]" for 0 … 1, `columns` wide without the brackets; the caller frees it. */
char *print_bar(double part, int columns);

#define PRINT_AGO_MAX (DURATION_MAX + 8)

/* "3h05m ago" of an RFC 3339 time, seen from now_ms (wall clock); "-" when there is none. */
const char *print_ago(const char *at, int64_t now_ms, char out[static PRINT_AGO_MAX]);

/* --- tables ---------------------------------------------------------------------------------- */

/* Rows of cells in columns that are as wide as they must be; the last one is never padded. */
struct print_table;

/* `headings` is a NULL-terminated list; one that begins with '>' is aligned to the right. */
struct print_table *print_table_new(const char *const *headings);
/* What is missing (NULL or "") is shown as "-"; a blank cell shows nothing. */
void print_table_blank(struct print_table *table);
void print_table_cell(struct print_table *table, enum print_tone tone, const char *text);
void print_table_cellf(struct print_table *table, enum print_tone tone, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Prints with `indent` spaces in front and frees the table; cells fill the rows from left to
 * right. */
void print_table_end(struct print_table *table, FILE *out, const struct print_style *style,
                     int indent);

#endif
