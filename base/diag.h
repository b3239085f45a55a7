/* Diagnostics of a text that a person wrote: file:line:column, the line itself and a caret.
 *
 * A reader of configuration adds everything it finds and goes on, so that all errors are shown at
 * once. May use: libc, jansson.
 */
#ifndef BASE_DIAG_H
#define BASE_DIAG_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

struct diag {
    int line;   /* from 1; 0 = the file as a whole */
    int column; /* from 1, in characters */
    char *text; /* ends in the next step where there is one: "…; did you mean 'timeout'?" */
};

struct diag_list {
    char *file;   /* as the user named it */
    char *source; /* the text, for showing lines; may be NULL */
    struct diag *items;
    size_t count;
    bool only_warns; /* set by the owner: its items are printed as warnings, and refuse nothing */
};

void diag_init(struct diag_list *list, const char *file, const char *source);
void diag_free(struct diag_list *list);

/* Always returns false, so that a parser can say `return diag_add(…)`. After 100 the rest is
 * counted in one last line. */
bool diag_add(struct diag_list *list, int line, int column, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* gcc's and clang's own form, in the order of the text:
 *   f.yaml:6:9: error: unknown key 'timeuot'; did you mean 'timeout'?
 *       6 |     timeuot: 30s
 *         |     ^
 */
void diag_print(struct diag_list *list, FILE *out);

/* The same text; the caller frees it. */
char *diag_format(struct diag_list *list);

/* [{"file":…,"line":…,"column":…,"message":…}] ; the caller owns it. */
json_t *diag_json(struct diag_list *list);

/* The word of `words` (NULL-terminated) nearest to `typed`, if near enough to be meant. */
const char *diag_nearest(const char *typed, const char *const *words);

#endif
