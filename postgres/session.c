/* See session.h. */
#include "postgres/session.h"

#include "base/mem.h"
#include "postgres/lookup.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* How long to wait for the server's end of a closed connection. A login that was not answered is
 * short of it: there the server may be stopped, and somebody else waits to find that out. */
enum { FAREWELL_OPEN_MS = 1000, FAREWELL_LOGIN_MS = 200 };

struct db__session {
    struct loop *loop;
    const struct db__target *target;
    struct db__session_handler handler;
    void *data;
    struct db__lookup *lookup;
    PGconn *conn;
    struct poll *poll;
    bool accepted, answered, open, asking, closed;

    /* The answer that is coming in. */
    char *value;
    char sqlstate[DB__SQLSTATE_MAX]; /* the first error in it */
    /* The server's reason for ending the session comes as a notice, ahead of the end. */
    char last_word[DB__SQLSTATE_MAX];
    bool warned;
};

static const char *where(const struct db__session *session)
{
    return db__target_where(session->target);
}

/* --- the login ------------------------------------------------------------------------------ */

static void login_failed(struct db__session *session, const struct db__fault *fault)
{
    session->poll = poll_free(session->poll);
    session->answered = true;
    session->handler.opened(session->data, fault);
}

static void login_refused(struct db__session *session)
{
    struct db__fault fault;
    db__fault_login(&fault, where(session), PQerrorMessage(session->conn));
    login_failed(session, &fault);
}

static void on_ready(void *data, int status, int events);
static void on_connecting(void *data, int status, int events);

/* Watches the socket that the connection has now. */
static bool watch(struct db__session *session, int events, poll_fn fn)
{
    assert(!session->poll);
    session->poll = poll_new(session->loop, PQsocket(session->conn), events, fn, session);
    return session->poll != NULL;
}

static void login_done(struct db__session *session)
{
    session->answered = true;
    PQsetnonblocking(session->conn, 1);
    session->open = watch(session, UV_READABLE, on_ready);
    if (session->open)
        session->handler.opened(session->data, NULL);
    else
        login_refused(session);
}

static void connect_on(struct db__session *session, PostgresPollingStatusType next)
{
    switch (next) {
    case PGRES_POLLING_OK:
        login_done(session);
        return;
    case PGRES_POLLING_READING:
    case PGRES_POLLING_WRITING:
        if (watch(session, next == PGRES_POLLING_READING ? UV_READABLE : UV_WRITABLE,
                  on_connecting))
            return;
        break;
    case PGRES_POLLING_FAILED:
    case PGRES_POLLING_ACTIVE: /* libpq: "unused; keep for backwards compatibility" */
        break;
    }
    login_refused(session);
}

static void note_acceptance(struct db__session *session)
{
    switch (PQstatus(session->conn)) {
    case CONNECTION_BAD:
    case CONNECTION_STARTED:
    case CONNECTION_NEEDED:
        break;
    default:
        session->accepted = true;
    }
}

static void on_connecting(void *data, int status, int events)
{
    struct db__session *session = data;
    (void)status; /* an error of the socket is libpq's to find and to word */
    (void)events;
    /* libpq may close this socket and open another of the same number, and a poll must be gone
     * before its descriptor is. */
    session->poll = poll_free(session->poll);
    PostgresPollingStatusType next = PQconnectPoll(session->conn);
    note_acceptance(session);
    connect_on(session, next);
}

/* A statement's warning is no last word: only class 57P ends sessions. */
static void on_notice(void *data, const PGresult *notice)
{
    struct db__session *session = data;
    const char *sqlstate = PQresultErrorField(notice, PG_DIAG_SQLSTATE);
    if (!sqlstate || strncmp(sqlstate, "57P", 3) != 0)
        return;
    const char *severity = PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);
    snprintf(session->last_word, sizeof session->last_word, "%s", sqlstate);
    session->warned = severity && strcmp(severity, "WARNING") == 0;
}

static void connect_to(struct db__session *session, const struct db__addresses *addresses)
{
    struct db__params params =
        db__target_params(session->target, addresses ? buf_text(&addresses->host) : NULL,
                          addresses ? buf_text(&addresses->hostaddr) : NULL,
                          addresses ? buf_text(&addresses->port) : NULL);
    session->conn = PQconnectStartParams(params.keywords, params.values, 0);
    db__params_free(&params);
    if (!session->conn)
        abort(); /* out of memory: the policy of base/mem.h */
    PQsetErrorVerbosity(session->conn, PQERRORS_SQLSTATE);
    PQsetNoticeReceiver(session->conn, on_notice, session);
    bool started = PQstatus(session->conn) != CONNECTION_BAD;
    connect_on(session, started ? PGRES_POLLING_WRITING : PGRES_POLLING_FAILED);
}

static void on_addresses(void *data, const struct db__addresses *addresses, const char *reason)
{
    struct db__session *session = data;
    if (addresses->count > 0) {
        connect_to(session, addresses);
        session->lookup = db__lookup_free(session->lookup);
        return;
    }
    struct db__fault fault;
    db__fault_name(&fault, where(session), reason);
    session->lookup = db__lookup_free(session->lookup);
    login_failed(session, &fault);
}

static void begin(void *data)
{
    struct db__session *session = data;
    if (session->closed)
        return;
    if (db__lookup_is_needed(session->target))
        session->lookup = db__lookup_new(session->loop, session->target, on_addresses, session);
    else
        connect_to(session, NULL);
}

struct db__session *db__session_new(struct loop *loop, const struct db__target *target,
                                    const struct db__session_handler *handler, void *data)
{
    struct db__session *session = mem_new(sizeof *session);
    *session =
        (struct db__session){.loop = loop, .target = target, .handler = *handler, .data = data};
    loop_defer(loop, begin, session);
    return session;
}

/* --- a query -------------------------------------------------------------------------------- */

static void take_result(struct db__session *session, const PGresult *result)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    if (session->handler.result)
        session->handler.result(session->data, result);
    switch (PQresultStatus(result)) {
    case PGRES_TUPLES_OK:
        if (PQntuples(result) > 0 && !PQgetisnull(result, 0, 0))
            mem_replace(&session->value, PQgetvalue(result, 0, 0));
        break;
    case PGRES_FATAL_ERROR:
        if (sqlstate && !session->sqlstate[0])
            snprintf(session->sqlstate, sizeof session->sqlstate, "%s", sqlstate);
        session->open &= PQstatus(session->conn) == CONNECTION_OK;
        break;
    default: /* SET and CHECKPOINT answer with a bare tag */
        break;
    }
}

static const char *reason_of_end(const struct db__session *session)
{
    return session->sqlstate[0] ? session->sqlstate : session->last_word;
}

static void finish_query(struct db__session *session)
{
    session->asking = false;
    /* With 57P01 in its answer the connection still looks well: its end comes a moment later. */
    if (db__sqlstate_ends_session(session->sqlstate))
        session->open = false;
    struct db__fault fault;
    bool failed = true;
    if (!session->open)
        db__fault_loss(&fault, where(session), reason_of_end(session));
    else if (session->sqlstate[0])
        db__fault_statement(&fault, where(session), session->sqlstate);
    else
        failed = false;
    if (!session->open)
        session->poll = poll_free(session->poll);
    /* Out of the session's hands: the handler may close it, or ask the next query. */
    CLEANUP_FREE char *value = session->value;
    session->value = NULL;
    session->handler.answered(session->data, failed ? &fault : NULL, failed ? NULL : value);
}

/* Sends what is still to be sent and takes what has come. */
static void pump(struct db__session *session)
{
    bool alive = session->open && PQconsumeInput(session->conn) == 1;
    int unsent = alive ? PQflush(session->conn) : 0;
    alive = alive && unsent >= 0;
    session->open &= alive;
    /* On a dead connection PQgetResult() no longer blocks: it tells the end and then NULL. */
    while (!alive || !PQisBusy(session->conn)) {
        PGresult *result = PQgetResult(session->conn);
        if (!result) {
            finish_query(session);
            return;
        }
        take_result(session, result);
        PQclear(result);
    }
    poll_set(session->poll, unsent > 0 ? UV_READABLE | UV_WRITABLE : UV_READABLE);
}

static void pump_later(void *data)
{
    struct db__session *session = data;
    if (!session->closed && session->asking)
        pump(session);
}

void db__session_query(struct db__session *session, const char *sql)
{
    assert(session->open && !session->asking);
    session->asking = true;
    session->sqlstate[0] = '\0';
    mem_replace(&session->value, NULL);
    if (PQsendQuery(session->conn, sql) == 1 && PQflush(session->conn) >= 0) {
        poll_set(session->poll, UV_READABLE | UV_WRITABLE);
        return;
    }
    session->open = false; /* it was lost unnoticed; told by the loop, not from in here */
    session->poll = poll_free(session->poll); /* libpq may have closed its descriptor */
    loop_defer(session->loop, pump_later, session);
}

/* Nothing was asked and yet something came: a change of a setting, or the end. */
static void listen_idle(struct db__session *session)
{
    bool alive = PQconsumeInput(session->conn) == 1;
    if (alive && !PQisBusy(session->conn) && PQstatus(session->conn) == CONNECTION_OK)
        return; /* a farewell lies in the notice now; the end itself is the next event */
    session->open = false;
    session->poll = poll_free(session->poll);
    struct db__fault fault;
    db__fault_loss(&fault, where(session), session->last_word);
    session->handler.lost(session->data, &fault);
}

static void on_ready(void *data, int status, int events)
{
    struct db__session *session = data;
    (void)status; /* an error of the socket is libpq's to find */
    (void)events;
    if (session->asking)
        pump(session);
    else
        listen_idle(session);
}

/* --- its state, its end --------------------------------------------------------------------- */

bool db__session_is_open(const struct db__session *session)
{
    return session->open;
}

bool db__session_was_answered(const struct db__session *session)
{
    return session->answered;
}

bool db__session_was_accepted(const struct db__session *session)
{
    return session->accepted;
}

bool db__session_was_warned(const struct db__session *session)
{
    return session->warned;
}

static void destroy(void *data)
{
    struct db__session *session = data;
    free(session->value);
    free(session);
}

struct db__farewell *db__session_close(struct db__session *session, loop_fn gone, void *data)
{
    if (!session)
        return NULL;
    int64_t patience_ms = session->open ? FAREWELL_OPEN_MS : FAREWELL_LOGIN_MS;
    session->closed = true;
    session->open = false;
    session->lookup = db__lookup_free(session->lookup);
    session->poll = poll_free(session->poll);
    int fd = -1;
    if (session->conn && session->accepted && PQsocket(session->conn) >= 0)
        fd = fcntl(PQsocket(session->conn), F_DUPFD_CLOEXEC, 0);
    PQfinish(session->conn);
    session->conn = NULL;
    loop_defer(session->loop, destroy, session); /* we may be inside one of its handlers */
    return fd < 0 ? NULL : db__farewell_new(session->loop, fd, patience_ms, gone, data);
}
