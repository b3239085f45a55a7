/* See db.h: making and freeing a struct db, the names of states, the common head of operations. */
#include "base/mem.h"
#include "postgres/internal.h"

#include <assert.h>
#include <string.h>

static const char *const state_names[] = {
    [DB_UNKNOWN] = "unknown",         [DB_READY] = "ready",
    [DB_EXHAUSTED] = "exhausted",     [DB_STARTING] = "starting",
    [DB_RECOVERING] = "recovering",   [DB_SHUTTING_DOWN] = "shutting_down",
    [DB_REFUSED] = "refused",         [DB_AUTH_FAILED] = "auth_failed",
    [DB_UNREACHABLE] = "unreachable", [DB_HUNG] = "hung",
};
_Static_assert(ARRAY_SIZE(state_names) == DB_STATES, "a name for every state");

static const char *const exhaustion_names[] = {
    [DB_EXHAUSTION_NONE] = "none",         [DB_EXHAUSTION_RESERVED] = "reserved",
    [DB_EXHAUSTION_ALL] = "all",           [DB_EXHAUSTION_ROLE] = "role",
    [DB_EXHAUSTION_DATABASE] = "database", [DB_EXHAUSTION_UNKNOWN] = "unknown",
};
_Static_assert(ARRAY_SIZE(exhaustion_names) == DB_EXHAUSTIONS, "a name for every limit");

const char *db_state_name(enum db_state state)
{
    return (unsigned)state < DB_STATES ? state_names[state] : "unknown";
}

const char *db_exhaustion_name(enum db_exhaustion exhaustion)
{
    return (unsigned)exhaustion < DB_EXHAUSTIONS ? exhaustion_names[exhaustion] : "unknown";
}

enum db_state db_state_parse(const char *name)
{
    for (size_t i = 0; name && i < ARRAY_SIZE(state_names); i++)
        if (strcmp(state_names[i], name) == 0)
            return (enum db_state)i;
    return DB_UNKNOWN;
}

int db_new(struct loop *loop, const struct db_options *options, struct db **ret, struct err *e)
{
    const char *application =
        options->application_name ? options->application_name : "stack-supervisor";
    struct db__target *target;
    int rc = db__target_new(options->conninfo ? options->conninfo : "", application, &target, e);
    if (rc < 0)
        return rc;
    struct db *db = mem_new(sizeof *db);
    db->loop = loop;
    db->target = target;
    db->application = mem_strdup(application);
    if (options->backdoor)
        db->backdoor = *options->backdoor;
    db->references = 1;
    db__lifeline_init(&db->lifeline, db);
    *ret = db;
    return 0;
}

static void destroy(void *data)
{
    struct db *db = data;
    db__target_free(db->target);
    free(db->application);
    free(db);
}

void db__ref(struct db *db)
{
    db->references++;
}

void db__unref(struct db *db)
{
    assert(db->references > 0);
    if (--db->references == 0)
        loop_defer(db->loop, destroy, db); /* we may be inside a callback of it */
}

struct db *db_free(struct db *db)
{
    if (!db)
        return NULL;
    db__slots_close(&db->slots);
    for (struct db__job *job = db->jobs; job; job = job->next)
        op_cancel(db->loop, job->op.id);
    db__lifeline_close(&db->lifeline);
    db__unref(db);
    return NULL;
}

const char *db_where(const struct db *db)
{
    return db__target_where(db->target);
}

void db_expect_shutdown(struct db *db, bool stop_ahead)
{
    db__phase_announce(&db->phase, stop_ahead);
}

void db__judge(const struct db *db, struct db__fault *fault)
{
    if (strcmp(fault->sqlstate, "57P03") == 0)
        fault->state = db__phase_judge(&db->phase, db_lifeline_is_open(db));
}

void db__note_login(struct db *db, const struct db__fault *fault)
{
    db->slots.answers++;
    db__phase_login(&db->phase, fault);
    if (!fault)
        db_lifeline_retry_now(db);
}

op_id db__job_begin(struct db__job *job, struct db *db, const struct op_class *class,
                    const char *what, int64_t deadline_ms)
{
    job->db = db;
    job->next = db->jobs;
    db->jobs = job;
    job->what = mem_printf("postgres: %s %s", what, db_where(db));
    db__ref(db);
    return op_begin(&job->op, db->loop, class, job->what, deadline_ms);
}

void db__job_end(struct db__job *job)
{
    struct db__job **at = &job->db->jobs;
    while (*at != job)
        at = &(*at)->next;
    *at = job->next;
    free(job->what);
    db__unref(job->db);
}

int64_t db__until_ms(const struct db *db, int64_t deadline_ms)
{
    const int64_t year_ms = INT64_C(365) * 24 * 3600 * 1000;
    return loop_now(db->loop) + (deadline_ms < year_ms ? deadline_ms : year_ms);
}

int64_t db__left_ms(const struct db *db, int64_t until_ms)
{
    int64_t left = until_ms - loop_now(db->loop);
    return left > 1 ? left : 1;
}
