/* The view of a run while it happens.
 *
 * On a terminal: one line an action, redrawn in place, with a mark for its state, its time and
 * what it waits for. Elsewhere: a line for each thing that happens, appended.
 *
 * All functions accept NULL for the view and do nothing then. May use: base.
 */
#ifndef SUPERVISORCTL_PROGRESS_H
#define SUPERVISORCTL_PROGRESS_H

#include "base/json.h"
#include "supervisorctl/print.h"

struct progress;

/* `plan` names the actions in their order; it is not kept and may be NULL. */
struct progress *progress_new(FILE *out, const struct print_style *style, const json_t *plan);
struct progress *progress_free(struct progress *progress); /* what was drawn stays; returns NULL */

void progress_entry(struct progress *progress, const json_t *entry);
void progress_tick(struct progress *progress); /* draws anew where something has changed */

/* Takes the view off the terminal, so that somebody else can print; the next tick draws it. */
void progress_break(struct progress *progress);

/* While it is quiet, lines are counted in place of printed; afterwards it says how many. */
void progress_quiet(struct progress *progress, bool quiet);

/* The lines of the view as they would be drawn at now_ms (wall clock) on a terminal of that size;
 * the caller frees the array and each line. Without colours. */
char **progress_lines(const struct progress *progress, int64_t now_ms, int columns, int rows,
                      size_t *ret_count);

#endif
