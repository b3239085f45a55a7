/* New logins held off by a CONNECTION LIMIT of 0, and let in again. See db.h.
 *
 *     db_limits          reading → done
 *     db_block, db_unblock
 *                        reading → altering → done
 *         └ 42501 and there is a back door: once more from there
 *
 * May use: base, this folder.
 */
#include "base/mem.h"
#include "postgres/activity.h"
#include "postgres/internal.h"
#include "postgres/sql.h"
#include "postgres/visit.h"

#include <string.h>

enum { BLOCKED = 0 };

enum purpose { READ, BLOCK, UNBLOCK };

struct limits {
    struct db__job job; /* first: the operation */
    struct db__visit *visit;
    enum purpose purpose;
    json_t *wanted;  /* role → its limit when it is not blocked */
    json_t *present; /* role → its limit now */
    db_limits_fn tell;
    db_done_fn done;
    void *data;
};

static void on_read(void *data, const struct db__fault *fault, const char *value);
static void on_altered(void *data, const struct db__fault *fault, const char *value);

static void finish(struct limits *limits, const struct err *e)
{
    limits->visit = db__visit_free(limits->visit);
    op_end(&limits->job.op, e);
}

static void ask_present(struct limits *limits)
{
    const struct db *db = limits->job.db;
    db__visit_ask(limits->visit,
                  limits->purpose == READ
                      ? db__sql_holders(db->application, db__target_value(db->target, "user"))
                      : db__sql_limits(limits->wanted),
                  on_read, limits);
}

/* What is to be altered: role → its new limit. Blocked is who is not yet; unblocked is who still
 * is: a limit that somebody has set meanwhile stays. The caller owns it. */
static json_t *changes(const struct limits *limits)
{
    json_t *changes = json_object();
    const char *role;
    json_t *present;
    json_object_foreach(limits->present, role, present)
    {
        json_t *before = json_object_get(limits->wanted, role);
        bool blocked = json_integer_value(present) == BLOCKED;
        if (limits->purpose == BLOCK && !blocked)
            json_object_set_new(changes, role, json_integer(BLOCKED));
        else if (limits->purpose == UNBLOCK && blocked && json_integer_value(before) != BLOCKED)
            json_object_set(changes, role, before);
    }
    return changes;
}

static void alter(struct limits *limits)
{
    CLEANUP_JSON json_t *altered = changes(limits);
    if (json_object_size(altered) == 0)
        finish(limits, NULL);
    else
        db__visit_ask(limits->visit, db__sql_alter_limits(altered), on_altered, limits);
}

static void on_read(void *data, const struct db__fault *fault, const char *value)
{
    struct limits *limits = data;
    struct err e;
    if (fault) {
        finish(limits, &fault->e);
        return;
    }
    CLEANUP_JSON json_t *json = json_parse(value, strlen(value), "postgres: limits", &e);
    json_t *roles = json_at(json, "limits");
    if (!json_is_object(roles)) {
        err_set(&e, ERR_PROTOCOL, "postgres: limits: %s did not tell any",
                db_where(limits->job.db));
        finish(limits, &e);
        return;
    }
    json_decref(limits->present);
    limits->present = json_incref(roles);
    if (limits->purpose == READ)
        finish(limits, NULL);
    else
        alter(limits);
}

static void explain_denial(const struct limits *limits, struct err *e)
{
    const struct db *db = limits->job.db;
    const char *role = db__target_value(db->target, "user");
    const char *first = json_object_iter_key(json_object_iter(limits->wanted));
    CLEANUP_FREE char *ours = db__sql_identifier(role);
    CLEANUP_FREE char *theirs = db__sql_identifier(first ? first : "app");
    err_set(e, ERR_PERMISSION,
            "postgres: %s may not change the CONNECTION LIMIT of role %s on %s "
            "(42501)",
            role, theirs, db_where(db));
    err_hint(e,
             "as a superuser: ALTER ROLE %s CREATEROLE; from PostgreSQL 16 on also: GRANT %s TO "
             "%s WITH ADMIN OPTION;",
             ours, theirs, ours);
}

static void on_altered(void *data, const struct db__fault *fault, const char *value)
{
    struct limits *limits = data;
    struct err e;
    (void)value;
    bool denied = fault && strcmp(fault->sqlstate, "42501") == 0;
    if (denied && db__visit_by_backdoor(limits->visit, false)) {
        ask_present(limits);
        return;
    }
    if (denied)
        explain_denial(limits, &e);
    finish(limits, denied ? &e : fault ? &fault->e : NULL);
}

/* --- the operations ------------------------------------------------------------------------- */

static void drop(struct op *op)
{
    struct limits *limits = (struct limits *)op;
    limits->visit = db__visit_free(limits->visit);
}

static void deliver(struct op *op, const struct err *e)
{
    struct limits *limits = (struct limits *)op;
    if (limits->purpose == READ)
        limits->tell(limits->data, e, e ? NULL : limits->present);
    else
        limits->done(limits->data, e);
    json_decref(limits->wanted);
    json_decref(limits->present);
    db__job_end(&limits->job);
    free(limits);
}

static struct limits *limits_new(struct db *db, enum purpose purpose, const char *what,
                                 const json_t *wanted, int64_t deadline_ms)
{
    static const struct op_class class = {.drop = drop, .deliver = deliver};
    struct limits *limits = mem_new(sizeof *limits);
    limits->purpose = purpose;
    limits->wanted = wanted ? json_deep_copy(wanted) : json_object();
    db__job_begin(&limits->job, db, &class, what, deadline_ms);
    limits->visit = db__visit_new(db, db__ways_to_look, db__until_ms(db, deadline_ms));
    ask_present(limits);
    return limits;
}

op_id db_limits(struct db *db, int64_t deadline_ms, db_limits_fn done, void *data)
{
    struct limits *limits = limits_new(db, READ, "read CONNECTION LIMITs of", NULL, deadline_ms);
    limits->tell = done;
    limits->data = data;
    return limits->job.op.id;
}

op_id db_block(struct db *db, const json_t *roles, int64_t deadline_ms, db_done_fn done, void *data)
{
    struct limits *limits = limits_new(db, BLOCK, "hold logins off on", roles, deadline_ms);
    limits->done = done;
    limits->data = data;
    return limits->job.op.id;
}

op_id db_unblock(struct db *db, const json_t *roles, int64_t deadline_ms, db_done_fn done,
                 void *data)
{
    struct limits *limits = limits_new(db, UNBLOCK, "let logins in again on", roles, deadline_ms);
    limits->done = done;
    limits->data = data;
    return limits->job.op.id;
}
