/* What tests with a loop and a struct db do again and again: start an operation, run the loop until
 * it is delivered, hand its result over.
 */
#ifndef TESTS_UNIT_PG_LOOP_H
#define TESTS_UNIT_PG_LOOP_H

#include "tests/unit/pg_fixture.h"

#include <check.h>

struct db *db_of(struct loop *loop, const char *conninfo, struct pg_door *door);

/* Each runs the loop until the operation is delivered. */
struct db_probe probe_db(struct loop *loop, struct db *db, int64_t deadline_ms);

/* Copies what the lifeline tells; open and lost count the changes. */
struct lifeline_log {
    struct loop *loop;
    int open, lost;
    struct err last;
};
void keep_lifeline(struct db *db, struct loop *loop, struct lifeline_log *log); /* until open */
void keep_lifeline_in_vain(struct db *db, struct lifeline_log *log); /* returns at once */
void await_lifeline(struct lifeline_log *log, int open, int lost);

/* Runs the loop until the condition holds. */
void await(struct loop *loop, bool (*holds)(void *data), void *data);

/* On success `e` is clear; on failure the result is NULL. The activity's and the report's JSON;
 * the caller owns it. */
json_t *look(struct loop *loop, struct db *db, struct err *e);
json_t *clean(struct loop *loop, struct db *db, const struct db_clean_rules *rules, bool dry_run,
              int64_t deadline_ms, struct err *e);
struct err checkpoint(struct loop *loop, struct db *db, int64_t deadline_ms);

size_t count_at(const json_t *json, const char *list); /* elements */

#endif
