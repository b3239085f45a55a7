/* What a snapshot of sessions says: how many idle, who holds them, which are new. */
#include "base/buf.h"
#include "tests/unit/unit.h"
#include "watch/sessions.h"

/* One session a line of the table; the rest of a snapshot is of no interest here. */
enum who { CLIENT, OURS, WALSENDER };

struct row {
    int pid;
    const char *state, *holder; /* holder: a container's name, or NULL */
    double state_age_s, age_s;
    enum who who;
};

static struct db_activity *snapshot(const struct row *rows, size_t count)
{
    struct db_activity *activity;
    struct err e;
    CLEANUP_JSON json_t *json = unit_json("{'max': 100, 'sessions': []}");
    for (size_t i = 0; i < count; i++) {
        json_t *session = json_object();
        json_set_int(session, "pid", rows[i].pid);
        json_set_text(session, "start", "2026-11-23T04:57:10.000000Z");
        json_set_text(session, "state", rows[i].state);
        json_set_text(session, "type", rows[i].who == WALSENDER ? "walsender" : "client backend");
        json_set_bool(session, "ours", rows[i].who == OURS);
        json_object_set_new(session, "state_age", json_real(rows[i].state_age_s));
        json_object_set_new(session, "age", json_real(rows[i].age_s));
        json_array_append_new(json_at(json, "sessions"), session);
    }
    CLEANUP_FREE char *text = json_line(json);
    ck_assert_int_eq(db_activity_parse(text, strlen(text), &activity, &e), 0);
    return activity;
}

/* A database, a pooler, two apps. */
static struct stack *shop(void)
{
    static const char *const members[][2] = {
        {"db", "postgres:15"}, {"pooler", "edoburu/pgbouncer"}, {"backend", "x"}, {"worker", "x"}};
    struct container *containers[ARRAY_SIZE(members)];
    struct stack *stack;
    struct err e;
    for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
        CLEANUP_FREE char *text =
            mem_printf("{'Id': '%s-id', 'Name': '/%s', 'State': {'Status': 'running'}, 'Config': "
                       "{'Image': '%s', 'Labels': {'com.docker.compose.project': 'shop', "
                       "'com.docker.compose.service': '%s', 'com.docker.compose.depends_on': ''}}}",
                       members[i][0], members[i][0], members[i][1], members[i][0]);
        CLEANUP_JSON json_t *body = unit_json(text);
        containers[i] = container_from_json(body, &e);
    }
    ck_assert_msg(stack_build("shop", containers, ARRAY_SIZE(members), NULL, NULL, &stack, &e) == 0,
                  "%s", e.text);
    for (size_t i = 0; i < ARRAY_SIZE(members); i++)
        container_unref(containers[i]);
    return stack;
}

struct lookup {
    const struct stack *stack;
    const struct row *rows;
};

static const struct container *holder_of(void *data, size_t session)
{
    const struct lookup *lookup = data;
    const char *name = lookup->rows[session].holder;
    return name ? stack_container(lookup->stack, name) : NULL;
}

static const struct watch__holding *holding(const struct watch__tally *tally, const char *name)
{
    for (size_t i = 0; i < tally->holding_count; i++)
        if (strcmp(tally->holdings[i].container->name, name) == 0)
            return &tally->holdings[i];
    return NULL;
}

START_TEST(idle_sessions_are_counted_for_all_and_for_each)
{
    static const struct row rows[] = {
        {1, "idle", "worker", 840, 900, CLIENT},
        {2, "idle in transaction", "worker", 12, 900, CLIENT},
        {3, "idle in transaction (aborted)", "worker", 3, 900, CLIENT},
        {4, "active", "worker", 70, 900, CLIENT},
        {5, "idle", "backend", 9.9, 900, CLIENT},
        {6, "idle", NULL, 2000, 3000, CLIENT},           /* of nobody we know */
        {7, "idle", "backend", 5000, 5000, OURS},        /* our own */
        {8, "active", "backend", 5000, 5000, WALSENDER}, /* holds no slot */
        {9, "fastpath function call", "backend", 1, 1, CLIENT},
    };
    struct stack *stack = shop();
    struct db_activity *activity = snapshot(rows, ARRAY_SIZE(rows));
    struct watch__tally tally;
    watch__tally_make(&tally, activity, holder_of, &(struct lookup){stack, rows});
    ck_assert_int_eq(tally.idle, 3);
    ck_assert_int_eq(tally.idle_in_transaction, 2);
    ck_assert_double_eq(tally.longest_idle_ms, 2000000);
    ck_assert_double_eq(tally.longest_idle_in_transaction_ms, 12000);
    ck_assert_uint_eq(tally.holding_count, 2);
    const struct watch__holding *worker = holding(&tally, "worker");
    ck_assert_int_eq(worker->connections, 4);
    ck_assert_int_eq(worker->idle, 1);
    ck_assert_int_eq(worker->idle_in_transaction, 2);
    ck_assert_int_eq(worker->leaked, 2); /* not the one of 3 s */
    ck_assert_double_eq(worker->oldest_idle_ms, 840000);
    const struct watch__holding *backend = holding(&tally, "backend");
    ck_assert_int_eq(backend->connections, 2);
    ck_assert_int_eq(backend->leaked, 0);
    watch__tally_clear(&tally);
    db_activity_free(activity);
    stack_unref(stack);
}
END_TEST

START_TEST(whose_idle_sessions_say_nothing)
{
    struct stack *stack = shop();
    ck_assert(watch__idle_says_nothing(stack, stack_container(stack, "pooler")));
    ck_assert(watch__idle_says_nothing(stack, stack_container(stack, "db")));
    ck_assert(!watch__idle_says_nothing(stack, stack_container(stack, "worker")));
    stack_unref(stack);
}
END_TEST

static void look(struct watch__seen *seen, struct rate *opened, const struct row *rows,
                 size_t count, int64_t now_ms)
{
    struct db_activity *activity = snapshot(rows, count);
    watch__seen_next(seen, activity, opened, now_ms);
    db_activity_free(activity);
}

START_TEST(new_sessions_count_once_and_from_their_login)
{
    struct watch__seen seen = {0};
    struct rate *opened = mem_new(sizeof *opened);
    const struct row first[] = {
        {1, "idle", NULL, 0, 4000, CLIENT}, /* long there */
        {2, "idle", NULL, 0, 20, CLIENT},
        {3, "idle", NULL, 0, 0, OURS},
    };
    look(&seen, opened, first, ARRAY_SIZE(first), 100000);
    ck_assert_double_eq(rate_per_minute(opened, 100000), 2);
    const struct row second[] = {
        {2, "idle", NULL, 0, 25, CLIENT},
        {4, "idle", NULL, 0, 1, CLIENT},
        {5, "idle", NULL, 0, 2, CLIENT},
    };
    look(&seen, opened, second, ARRAY_SIZE(second), 105000);
    ck_assert_double_eq(rate_per_minute(opened, 105000), 6);
    look(&seen, opened, second, ARRAY_SIZE(second), 110000); /* the same three */
    ck_assert_double_eq(rate_per_minute(opened, 110000), 4); /* the one of 30 s ago has left */
    watch__seen_clear(&seen);
    free(opened);
}
END_TEST

/* After a gap (a run, a lost engine) what was opened meanwhile is no storm of this instant. */
START_TEST(what_came_during_a_gap_is_no_storm)
{
    struct watch__seen seen = {0};
    struct rate *opened = mem_new(sizeof *opened);
    struct row rows[60];
    for (int i = 0; i < 60; i++)
        rows[i] = (struct row){i + 1, "idle", NULL, 1, i * 10.0, CLIENT};
    look(&seen, opened, rows, 0, 100000);
    look(&seen, opened, rows, ARRAY_SIZE(rows), 700000);
    ck_assert_double_eq(rate_per_minute(opened, 700000), 6); /* those of 0, 10 and 20 s */
    watch__seen_clear(&seen);
    free(opened);
}
END_TEST

UNIT_MAIN("watch_sessions", idle_sessions_are_counted_for_all_and_for_each,
          whose_idle_sessions_say_nothing, new_sessions_count_once_and_from_their_login,
          what_came_during_a_gap_is_no_storm)
