/* A visit to the server: the ways in, tried one after another, for one or several statements.
 *
 * A way that fails (not open, refused, exhausted, lost, silent for half of the time that is left)
 * is not taken again; the visit goes on with the next one and asks the same statement there, which
 * all of our statements bear. A login is kept for the whole visit. An error that the server gives
 * to the statement itself is an answer.
 *
 * May use: base, internal.h, backdoor.h. Private to postgres/.
 */
#ifndef POSTGRES_VISIT_H
#define POSTGRES_VISIT_H

#include "postgres/backdoor.h"
#include "postgres/internal.h"

enum db__way { DB__WAY_NONE, DB__WAY_LIFELINE, DB__WAY_LOGIN, DB__WAY_BACKDOOR };

struct db__visit;

/* value NULL and fault set, or the other way round; both borrowed. The visit may be freed, or
 * asked the next statement, from inside. */
typedef void (*db__visit_fn)(void *data, const struct db__fault *fault, const char *value);

/* `ways` ends with DB__WAY_NONE and lives as long as the visit. until_ms: on the loop's clock. */
struct db__visit *db__visit_new(struct db *db, const enum db__way *ways, int64_t until_ms);

/* Takes sql over. One statement at a time; done is never called from inside. */
void db__visit_ask(struct db__visit *visit, char *sql, db__visit_fn done, void *data);

/* From now on only by the back door, which may do more than we may. False when there is none, or
 * when that is the way already. has_other: the caller knows another way, and the first question
 * there leaves it half of the time. */
bool db__visit_by_backdoor(struct db__visit *visit, bool has_other);

/* How it went in: "lifeline", "login", "container". */
const char *db__visit_by(const struct db__visit *visit);

struct db__visit *db__visit_free(struct db__visit *visit); /* accepts NULL; returns NULL */

#endif
