/* One statement through the back door: psql, run by the caller inside the server's container.
 *
 * It logs in too, so it takes a turn of the gate. A run cannot be cut off: one that its asker has
 * given up keeps its turn until psql is done, and its answer is thrown away.
 *
 * May use: base, internal.h. Private to postgres/.
 */
#ifndef POSTGRES_BACKDOOR_H
#define POSTGRES_BACKDOOR_H

#include "postgres/internal.h"

struct db__backdoor_run;

typedef void (*db__backdoor_fn)(void *data, const struct db__fault *fault, const char *value);

/* done is never called from inside. `until_ms` on the loop's clock is handed on as a deadline. */
struct db__backdoor_run *db__backdoor_new(struct db *db, const char *sql, int64_t until_ms,
                                          db__backdoor_fn done, void *data);

/* After done, or to give it up: done is not called then. Accepts NULL; returns NULL. */
struct db__backdoor_run *db__backdoor_free(struct db__backdoor_run *run);

/* What psql printed: returns the JSON value in it, which the caller frees, or NULL with the fault
 * set. `e` is the error of running psql at all, or NULL. Pure. */
char *db__backdoor_read(const char *where, const struct err *e, const char *out,
                        struct db__fault *ret_fault);

#endif
