/* See pooler.h.
 *
 *     look     (the kept line, or a new one) → SHOW POOLS → the line is kept
 *     pause    a new line → SHOW CONFIG → PAUSE
 *     resume   a new line → RESUME
 */
#include "postgres/pooler.h"

#include "base/mem.h"
#include "postgres/session.h"

#include <stdio.h>
#include <string.h>

enum ask { ASK_POOLS, ASK_CONFIG, ASK_PAUSE, ASK_RESUME };

/* A connection, which may outlive the request that it was opened for. */
struct line {
    struct pooler *pooler;
    struct db__session *session;
    struct request *request; /* NULL: it is kept, and nothing is asked */
};

struct pooler {
    struct loop *loop;
    struct db__target *target;
    struct line *kept;
    struct request *requests; /* not delivered yet */
    int references;           /* the owner's and each request's */
};

struct request {
    struct op op; /* first: the operation */
    struct pooler *pooler;
    struct request *next;
    enum ask first, now;
    struct line *line;
    char *what;
    char words[200]; /* the console's own, of an error */
    struct pooler_state state;
    struct pooler_pause pause;
    union {
        pooler_look_fn look;
        pooler_pause_fn pause;
        pooler_resume_fn resume;
    } done;
    void *data;
};

static const char *const statements[] = {
    [ASK_POOLS] = "SHOW POOLS",
    [ASK_CONFIG] = "SHOW CONFIG",
    [ASK_PAUSE] = "PAUSE",
    [ASK_RESUME] = "RESUME",
};

/* --- making and freeing --------------------------------------------------------------------- */

int pooler_new(struct loop *loop, const char *conninfo, struct pooler **ret, struct err *e)
{
    struct db__target *target;
    int rc = db__target_new(conninfo, "stack-supervisor", &target, e);
    if (rc < 0)
        return rc;
    struct pooler *pooler = mem_new(sizeof *pooler);
    *pooler = (struct pooler){.loop = loop, .target = target, .references = 1};
    *ret = pooler;
    return 0;
}

static void destroy(void *data)
{
    struct pooler *pooler = data;
    db__target_free(pooler->target);
    free(pooler);
}

static void unref(struct pooler *pooler)
{
    if (--pooler->references == 0)
        loop_defer(pooler->loop, destroy, pooler); /* we may be inside a callback of it */
}

static struct line *line_close(struct line *line)
{
    if (line)
        db__farewell_free(db__session_close(line->session, NULL, NULL));
    free(line);
    return NULL;
}

struct pooler *pooler_free(struct pooler *pooler)
{
    if (!pooler)
        return NULL;
    for (struct request *request = pooler->requests; request; request = request->next)
        op_cancel(pooler->loop, request->op.id);
    pooler->kept = line_close(pooler->kept);
    unref(pooler);
    return NULL;
}

const char *pooler_where(const struct pooler *pooler)
{
    return db__target_where(pooler->target);
}

/* --- reading -------------------------------------------------------------------------------- */

/* A number of a row; 0 when there is no such column, or no number in it. */
static int64_t number_at(const PGresult *result, int row, const char *column)
{
    enum { MOST = 1000000000 };
    int index = PQfnumber(result, column);
    int64_t number = index < 0 ? 0 : strtoll(PQgetvalue(result, row, index), NULL, 10);
    return number < 0 ? 0 : number > MOST ? MOST : number;
}

static const char *text_at(const PGresult *result, int row, const char *column)
{
    int index = PQfnumber(result, column);
    return index < 0 ? "" : PQgetvalue(result, row, index);
}

static void read_pools(struct pooler_state *state, const PGresult *result)
{
    for (int row = 0; row < PQntuples(result); row++) {
        if (strcmp(text_at(result, row, "database"), "pgbouncer") == 0)
            continue;
        int64_t wait_ms =
            number_at(result, row, "maxwait") * 1000 + number_at(result, row, "maxwait_us") / 1000;
        state->clients_active += (int)number_at(result, row, "cl_active");
        state->clients_waiting += (int)number_at(result, row, "cl_waiting");
        state->servers_active += (int)number_at(result, row, "sv_active");
        state->has_session_mode |= strcmp(text_at(result, row, "pool_mode"), "session") == 0;
        if (wait_ms > state->max_wait_ms)
            state->max_wait_ms = wait_ms;
    }
}

static void read_config(struct pooler_pause *pause, const PGresult *result)
{
    for (int row = 0; row < PQntuples(result); row++)
        if (strcmp(text_at(result, row, "key"), "query_wait_timeout") == 0)
            pause->patience_ms = number_at(result, row, "value") * 1000;
}

static void on_result(void *data, const PGresult *result)
{
    struct request *request = ((struct line *)data)->request;
    if (!request)
        return;
    const char *words = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    if (PQresultStatus(result) == PGRES_TUPLES_OK && request->now == ASK_POOLS)
        read_pools(&request->state, result);
    else if (PQresultStatus(result) == PGRES_TUPLES_OK && request->now == ASK_CONFIG)
        read_config(&request->pause, result);
    else if (words)
        snprintf(request->words, sizeof request->words, "%s", words);
}

/* --- errors --------------------------------------------------------------------------------- */

static void explain_login(const struct pooler *pooler, const struct db__fault *fault, struct err *e)
{
    if (!fault->sqlstate[0]) {
        *e = fault->e; /* nobody there, or not PostgreSQL's protocol */
        return;
    }
    err_set(e, ERR_PERMISSION,
            "pgbouncer: the console at %s does not let us in (%s): the password is wrong, or the "
            "user is in neither admin_users nor stats_users",
            pooler_where(pooler), fault->sqlstate);
    err_hint(e, "name the user in admin_users of pgbouncer.ini and RELOAD it, or set pgbouncer: "
                "connect and passfile in the configuration");
}

static void explain_refusal(const struct request *request, const struct db__fault *fault,
                            struct err *e)
{
    if (!*request->words) {
        *e = fault->e; /* the connection was lost */
        return;
    }
    bool denied = strstr(request->words, "admin access") != NULL;
    err_set(e, denied ? ERR_PERMISSION : ERR_FAILED, "pgbouncer: %s at %s: %s",
            statements[request->now], pooler_where(request->pooler), request->words);
    if (denied)
        err_hint(e, "name user %s in admin_users of pgbouncer.ini and RELOAD it",
                 db__target_value(request->pooler->target, "user"));
}

/* The console refuses what is so already: that is a success, and changes nothing. */
static bool is_so_already(const struct request *request)
{
    return (request->now == ASK_PAUSE && strstr(request->words, "already")) ||
           (request->now == ASK_RESUME && strstr(request->words, "not paused"));
}

/* --- asking --------------------------------------------------------------------------------- */

static void request_end(struct request *request, const struct err *e)
{
    struct line *line = request->line;
    request->line = NULL;
    line->request = NULL;
    if (request->first == ASK_POOLS && !e && !request->pooler->kept)
        request->pooler->kept = line;
    else
        line_close(line);
    op_end(&request->op, e);
}

static void request_ask(struct request *request, enum ask ask)
{
    request->now = ask;
    request->words[0] = '\0';
    db__session_query(request->line->session, statements[ask]);
}

static void on_opened(void *data, const struct db__fault *fault)
{
    struct request *request = ((struct line *)data)->request;
    struct err e;
    if (!fault) {
        request_ask(request, request->first);
        return;
    }
    explain_login(request->pooler, fault, &e);
    request_end(request, &e);
}

static void on_answered(void *data, const struct db__fault *fault, const char *value)
{
    struct request *request = ((struct line *)data)->request;
    struct err e;
    (void)value; /* one column's: on_result has read them all */
    if (fault && !is_so_already(request)) {
        explain_refusal(request, fault, &e);
        request_end(request, &e);
    } else if (request->now == ASK_CONFIG) {
        request_ask(request, ASK_PAUSE);
    } else {
        request->pause.changed = !fault;
        request_end(request, NULL);
    }
}

/* Only while nothing is asked: it is the kept one. */
static void on_lost(void *data, const struct db__fault *fault)
{
    struct line *line = data;
    (void)fault;
    line->pooler->kept = NULL;
    line_close(line);
}

static struct line *line_new(struct pooler *pooler)
{
    static const struct db__session_handler handler = {
        .opened = on_opened, .answered = on_answered, .result = on_result, .lost = on_lost};
    struct line *line = mem_new(sizeof *line);
    line->pooler = pooler;
    line->session = db__session_new(pooler->loop, pooler->target, &handler, line);
    return line;
}

/* --- the operations ------------------------------------------------------------------------- */

static void drop(struct op *op)
{
    struct request *request = (struct request *)op;
    request->line = line_close(request->line);
}

static void call_back(struct request *request, const struct err *e)
{
    switch (request->first) {
    case ASK_POOLS:
        request->done.look(request->data, e, e ? NULL : &request->state);
        break;
    case ASK_RESUME:
        request->done.resume(request->data, e, !e && request->pause.changed);
        break;
    default:
        request->done.pause(request->data, e, e ? NULL : &request->pause);
        break;
    }
}

static void deliver(struct op *op, const struct err *e)
{
    struct request *request = (struct request *)op;
    struct request **at = &request->pooler->requests;
    call_back(request, e);
    while (*at != request)
        at = &(*at)->next;
    *at = request->next;
    unref(request->pooler);
    free(request->what);
    free(request);
}

static struct request *request_new(struct pooler *pooler, enum ask ask, const char *name,
                                   int64_t deadline_ms)
{
    static const struct op_class class = {.drop = drop, .deliver = deliver};
    struct request *request = mem_new(sizeof *request);
    request->pooler = pooler;
    request->next = pooler->requests;
    request->first = request->now = ask;
    request->what = mem_printf("pgbouncer: %s at %s", name, pooler_where(pooler));
    pooler->requests = request;
    pooler->references++;
    op_begin(&request->op, pooler->loop, &class, request->what, deadline_ms);
    if (ask == ASK_POOLS && pooler->kept) {
        request->line = pooler->kept;
        pooler->kept = NULL;
        request->line->request = request;
        request_ask(request, ask);
    } else {
        request->line = line_new(pooler);
        request->line->request = request;
    }
    return request;
}

op_id pooler_look(struct pooler *pooler, int64_t deadline_ms, pooler_look_fn done, void *data)
{
    struct request *request = request_new(pooler, ASK_POOLS, "SHOW POOLS", deadline_ms);
    request->done.look = done;
    request->data = data;
    return request->op.id;
}

op_id pooler_pause(struct pooler *pooler, int64_t deadline_ms, pooler_pause_fn done, void *data)
{
    struct request *request = request_new(pooler, ASK_CONFIG, "PAUSE", deadline_ms);
    request->done.pause = done;
    request->data = data;
    return request->op.id;
}

op_id pooler_resume(struct pooler *pooler, int64_t deadline_ms, pooler_resume_fn done, void *data)
{
    struct request *request = request_new(pooler, ASK_RESUME, "RESUME", deadline_ms);
    request->done.resume = done;
    request->data = data;
    return request->op.id;
}
