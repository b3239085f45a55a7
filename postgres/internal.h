/* What the files of postgres/ share: struct db, and the common head of its operations.
 *
 * A struct db is freed when its last reference is gone: its owner's (db_free), each operation's
 * until it is delivered, each run of the back door's until it is over. So whatever comes late
 * finds it alive, and closed.
 *
 * May use: base, every header of this folder. Private to postgres/.
 */
#ifndef POSTGRES_INTERNAL_H
#define POSTGRES_INTERNAL_H

#include "postgres/db.h"
#include "postgres/lifeline.h"
#include "postgres/phase.h"
#include "postgres/slots.h"
#include "postgres/target.h"

struct db__job;

struct db {
    struct loop *loop;
    struct db__target *target;
    char *application;
    struct db_backdoor backdoor; /* run is NULL when there is none */
    struct db__slots slots;
    struct db__lifeline lifeline;
    struct db__phase phase;
    struct db__job *jobs; /* operations that are not delivered yet */
    int references;
};

void db__ref(struct db *db);
void db__unref(struct db *db);

/* Every login reports here what it got (fault NULL: open; not its own patience's end): it teaches
 * the phase, and tells the three meanings of 57P03 apart, in the fault itself. A login that
 * succeeds while the lifeline waits for its next try is the sign to try at once. */
void db__note_login(struct db *db, const struct db__fault *fault);

/* Sets fault->state of a 57P03 to what db__phase_judge() makes of it. */
void db__judge(const struct db *db, struct db__fault *fault);

/* The head of an operation, its first member: op_begin() and a place in the db's list. */
struct db__job {
    struct op op;
    struct db *db;
    struct db__job *next;
    char *what;
};

op_id db__job_begin(struct db__job *job, struct db *db, const struct op_class *class,
                    const char *what, int64_t deadline_ms);
void db__job_end(struct db__job *job); /* in deliver: leaves the list, drops the reference */

/* The moment on the loop's clock that a deadline means; OP_FOREVER is in a year. */
int64_t db__until_ms(const struct db *db, int64_t deadline_ms);

/* Milliseconds until that moment, at least 1. */
int64_t db__left_ms(const struct db *db, int64_t until_ms);

#endif
