/* See pg_loop.h. */
#include "tests/unit/pg_loop.h"

#include "base/mem.h"

struct db *db_of(struct loop *loop, const char *conninfo, struct pg_door *door)
{
    struct db *db = NULL;
    struct err e;
    struct db_backdoor backdoor = {0};
    if (door)
        backdoor = pg_backdoor(door);
    struct db_options options = {.conninfo = conninfo, .backdoor = door ? &backdoor : NULL};
    ck_assert_msg(db_new(loop, &options, &db, &e) == 0, "%s", e.text);
    return db;
}

/* --- waiting -------------------------------------------------------------------------------- */

struct wait {
    struct loop *loop;
    struct timer *timer;
    bool (*holds)(void *data);
    void *data;
};

static void look_whether(void *data)
{
    struct wait *wait = data;
    if (wait->holds(wait->data))
        loop_stop(wait->loop);
    else
        timer_start(wait->timer, 2);
}

void await(struct loop *loop, bool (*holds)(void *data), void *data)
{
    struct wait wait = {.loop = loop, .holds = holds, .data = data};
    wait.timer = timer_new(loop, look_whether, &wait);
    timer_start(wait.timer, 0);
    do
        loop_run(loop); /* somebody else may stop it, too */
    while (!holds(data));
    timer_free(wait.timer);
}

/* --- operations ----------------------------------------------------------------------------- */

struct result {
    struct loop *loop;
    bool delivered;
    struct err e;
    struct db_probe probe;
    json_t *json;
};

static void deliver(struct result *result, const struct err *e)
{
    ck_assert(!result->delivered);
    result->delivered = true;
    err_copy(&result->e, e);
    loop_stop(result->loop);
}

static void run(struct result *result)
{
    ck_assert(!result->delivered); /* never from inside the call that starts it */
    while (!result->delivered)
        loop_run(result->loop);
}

static void on_probe(void *data, const struct db_probe *probe)
{
    ((struct result *)data)->probe = *probe;
    deliver(data, NULL);
}

struct db_probe probe_db(struct loop *loop, struct db *db, int64_t deadline_ms)
{
    struct result result = {.loop = loop};
    db_probe(db, deadline_ms, on_probe, &result);
    run(&result);
    return result.probe;
}

static void on_activity(void *data, const struct err *e, const struct db_activity *activity)
{
    ck_assert((e != NULL) == (activity == NULL));
    ((struct result *)data)->json = activity ? db_activity_json(activity) : NULL;
    deliver(data, e);
}

json_t *look(struct loop *loop, struct db *db, struct err *e)
{
    struct result result = {.loop = loop};
    db_activity(db, 10000, on_activity, &result);
    run(&result);
    err_copy(e, &result.e);
    return result.json;
}

static void on_report(void *data, const struct err *e, const struct db_clean_report *report)
{
    ck_assert((e != NULL) == (report == NULL));
    ((struct result *)data)->json = report ? db_clean_report_json(report) : NULL;
    deliver(data, e);
}

json_t *clean(struct loop *loop, struct db *db, const struct db_clean_rules *rules, bool dry_run,
              int64_t deadline_ms, struct err *e)
{
    struct result result = {.loop = loop};
    db_clean(db, rules, dry_run, deadline_ms, on_report, &result);
    run(&result);
    err_copy(e, &result.e);
    return result.json;
}

static void on_checkpoint(void *data, const struct err *e)
{
    deliver(data, e);
}

struct err checkpoint(struct loop *loop, struct db *db, int64_t deadline_ms)
{
    struct result result = {.loop = loop};
    db_checkpoint(db, deadline_ms, on_checkpoint, &result);
    run(&result);
    return result.e;
}

/* --- the lifeline --------------------------------------------------------------------------- */

static void on_change(void *data, bool open, const struct err *e)
{
    struct lifeline_log *log = data;
    ck_assert(open == (e == NULL));
    *(open ? &log->open : &log->lost) += 1;
    err_copy(&log->last, e);
    loop_stop(log->loop);
}

void keep_lifeline_in_vain(struct db *db, struct lifeline_log *log)
{
    db_lifeline_keep(db, on_change, log);
}

void keep_lifeline(struct db *db, struct loop *loop, struct lifeline_log *log)
{
    *log = (struct lifeline_log){.loop = loop};
    db_lifeline_keep(db, on_change, log);
    ck_assert(!db_lifeline_is_open(db));
    await_lifeline(log, 1, 0);
    ck_assert(db_lifeline_is_open(db));
}

void await_lifeline(struct lifeline_log *log, int open, int lost)
{
    while (log->open < open || log->lost < lost)
        loop_run(log->loop);
    ck_assert_int_eq(log->open, open);
    ck_assert_int_eq(log->lost, lost);
}

size_t count_at(const json_t *json, const char *list)
{
    return json_array_size(json_at(json, list));
}
