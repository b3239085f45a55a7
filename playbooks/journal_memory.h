/* What the journal knows without its disk: the runs of this life, and the values written in it. It
 * is as new as the disk or newer, and all there is when the disk does not answer. Private to
 * playbooks/.
 *
 * May use: base.
 */
#ifndef PLAYBOOKS_JOURNAL_MEMORY_H
#define PLAYBOOKS_JOURNAL_MEMORY_H

#include "base/json.h"

struct memory;

struct memory *memory_new(void);
struct memory *memory_free(struct memory *memory); /* accepts NULL; returns NULL */

/* A new run; its summary as it is stored, the caller's. Copies both. */
json_t *memory_begin(struct memory *memory, int64_t run, const json_t *summary, const json_t *plan);
/* A run of an earlier life that goes on in this one; takes the record over. */
void memory_take(struct memory *memory, json_t *record);
void memory_add(struct memory *memory, int64_t run, const json_t *entry);
void memory_end(struct memory *memory, int64_t run, const json_t *summary);
json_t *memory_find(const struct memory *memory, int64_t run); /* borrowed, or NULL */

/* The newest summaries, of the disk's (may be NULL) and of memory's. The caller's. */
json_t *memory_newest(const struct memory *memory, const json_t *stored, int limit);

void memory_keep(struct memory *memory, const char *key, const json_t *value); /* NULL: forgets */
/* The disk's values (may be NULL) under memory's. The caller's. */
json_t *memory_recall(const struct memory *memory, const json_t *stored, const char *prefix);

#endif
