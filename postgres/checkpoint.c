/* CHECKPOINT ahead of a planned stop. See db.h. May use: base, this folder.
 *
 * It may take minutes, so it goes by a login of its own first: the lifeline is for questions that
 * are answered at once, and serves here only when there is no login to be had.
 */
#include "base/mem.h"
#include "postgres/internal.h"
#include "postgres/sql.h"
#include "postgres/visit.h"

#include <string.h>

struct checkpoint {
    struct db__job job; /* first: the operation */
    struct db__visit *visit;
    db_done_fn done;
    void *data;
};

static void on_answer(void *data, const struct db__fault *fault, const char *value);

static void ask(struct checkpoint *checkpoint)
{
    db__visit_ask(checkpoint->visit, db__sql_checkpoint(), on_answer, checkpoint);
}

static void explain_denial(struct checkpoint *checkpoint, struct err *e)
{
    const struct db *db = checkpoint->job.db;
    const char *role = db__target_value(db->target, "user");
    CLEANUP_FREE char *grant = db__sql_grant("pg_checkpoint", role);
    err_set(e, ERR_PERMISSION, "postgres: %s may not CHECKPOINT on %s (42501)", role, db_where(db));
    err_hint(e, "as a superuser: %s (from PostgreSQL 15 on; before that only a superuser may)",
             grant);
}

static void on_answer(void *data, const struct db__fault *fault, const char *value)
{
    struct checkpoint *checkpoint = data;
    struct err e = {0};
    (void)value;
    bool denied = fault && strcmp(fault->sqlstate, "42501") == 0;
    if (denied && db__visit_by_backdoor(checkpoint->visit, false)) {
        ask(checkpoint);
        return;
    }
    if (denied)
        explain_denial(checkpoint, &e);
    else if (fault)
        e = fault->e;
    checkpoint->visit = db__visit_free(checkpoint->visit);
    op_end(&checkpoint->job.op, err_is_set(&e) ? &e : NULL);
}

static void drop(struct op *op)
{
    struct checkpoint *checkpoint = (struct checkpoint *)op;
    checkpoint->visit = db__visit_free(checkpoint->visit);
}

static void deliver(struct op *op, const struct err *e)
{
    struct checkpoint *checkpoint = (struct checkpoint *)op;
    checkpoint->done(checkpoint->data, e);
    db__job_end(&checkpoint->job);
    free(checkpoint);
}

op_id db_checkpoint(struct db *db, int64_t deadline_ms, db_done_fn done, void *data)
{
    static const struct op_class class = {.drop = drop, .deliver = deliver};
    static const enum db__way ways[] = {DB__WAY_LOGIN, DB__WAY_LIFELINE, DB__WAY_BACKDOOR,
                                        DB__WAY_NONE};
    struct checkpoint *checkpoint = mem_new(sizeof *checkpoint);
    checkpoint->done = done;
    checkpoint->data = data;
    op_id id = db__job_begin(&checkpoint->job, db, &class, "CHECKPOINT on", deadline_ms);
    checkpoint->visit = db__visit_new(db, ways, db__until_ms(db, deadline_ms));
    ask(checkpoint);
    return id;
}
