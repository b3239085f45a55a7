/* See lifeline.h. */
#include "postgres/lifeline.h"

#include "base/mem.h"
#include "postgres/internal.h"
#include "postgres/sql.h"

#include <assert.h>

enum {
    BACKOFF_MIN_MS = 1000,
    BACKOFF_MAX_MS = 30000,
    LOGIN_MS = 5000,
    GRACE_MS = 3000, /* beyond its limit: the server has cut a query off long before */
};

/* --- queries -------------------------------------------------------------------------------- */

static void ask_next(struct db__lifeline *lifeline)
{
    if (lifeline->state != DB__LIFELINE_OPEN || lifeline->asked || lifeline->abandoned ||
        !lifeline->queue)
        return;
    lifeline->asked = true;
    const struct db__query *query = lifeline->queue;
    int64_t limit_ms = db__left_ms(lifeline->db, query->until_ms);
    CLEANUP_FREE char *sql = db__sql_bounded(query->sql, limit_ms);
    timer_start(lifeline->stuck, limit_ms + GRACE_MS);
    db__session_query(lifeline->session, sql);
}

static struct db__query *pop(struct db__lifeline *lifeline)
{
    struct db__query *query = lifeline->queue;
    lifeline->queue = query->next;
    query->pending = false;
    return query;
}

/* Everybody who waits is told; who asks anew from in there finds the lifeline not open. */
static void fail_queries(struct db__lifeline *lifeline, const struct db__fault *fault)
{
    lifeline->asked = lifeline->abandoned = false;
    timer_stop(lifeline->stuck);
    while (lifeline->queue) {
        struct db__query *query = pop(lifeline);
        query->done(query->data, fault, NULL);
    }
}

bool db__lifeline_is_usable(const struct db__lifeline *lifeline)
{
    return lifeline->state == DB__LIFELINE_OPEN && !lifeline->abandoned;
}

void db__lifeline_ask(struct db__lifeline *lifeline, struct db__query *query)
{
    assert(lifeline->state == DB__LIFELINE_OPEN && !query->pending);
    struct db__query **at = &lifeline->queue;
    while (*at)
        at = &(*at)->next;
    query->next = NULL;
    query->pending = true;
    *at = query;
    ask_next(lifeline);
}

void db__lifeline_take_back(struct db__lifeline *lifeline, struct db__query *query)
{
    if (!query->pending)
        return;
    if (lifeline->asked && lifeline->queue == query) {
        lifeline->asked = false;
        lifeline->abandoned = true;
    }
    struct db__query **at = &lifeline->queue;
    while (*at != query)
        at = &(*at)->next;
    *at = query->next;
    query->pending = false;
}

/* --- opening, losing ------------------------------------------------------------------------ */

static void try_later(struct db__lifeline *lifeline)
{
    lifeline->state = DB__LIFELINE_WAITING;
    timer_start(lifeline->timer, lifeline->backoff_ms);
}

static void ask_for_turn(struct db__lifeline *lifeline)
{
    if (lifeline->leaving) {
        /* The slot of the last session is not free yet: together with a new one and somebody
         * else's login there would be three. */
        lifeline->state = DB__LIFELINE_WAITING;
        return;
    }
    lifeline->state = DB__LIFELINE_QUEUED;
    db__turn_ask(&lifeline->db->slots, &lifeline->turn);
}

static void on_gone(void *data)
{
    struct db__lifeline *lifeline = data;
    lifeline->leaving = NULL;
    if (lifeline->state == DB__LIFELINE_WAITING && !timer_is_running(lifeline->timer))
        ask_for_turn(lifeline);
}

static void let_go(struct db__lifeline *lifeline)
{
    assert(!lifeline->leaving);
    lifeline->leaving = db__session_close(lifeline->session, on_gone, lifeline);
    lifeline->session = NULL;
}

static void lose(struct db__lifeline *lifeline, const struct db__fault *fault, bool as_warning)
{
    db__phase_lost(&lifeline->db->phase, fault->sqlstate, as_warning);
    let_go(lifeline);
    lifeline->backoff_ms = BACKOFF_MIN_MS;
    try_later(lifeline);
    fail_queries(lifeline, fault);
    if (lifeline->on_change)
        lifeline->on_change(lifeline->data, false, &fault->e);
}

static void on_lost(void *data, const struct db__fault *fault)
{
    struct db__lifeline *lifeline = data;
    lose(lifeline, fault, db__session_was_warned(lifeline->session));
}

static void on_answered(void *data, const struct db__fault *fault, const char *value)
{
    struct db__lifeline *lifeline = data;
    if (!db__session_is_open(lifeline->session)) {
        on_lost(lifeline, fault);
        return;
    }
    timer_stop(lifeline->stuck);
    struct db__query *query = lifeline->asked ? pop(lifeline) : NULL;
    lifeline->asked = lifeline->abandoned = false;
    ask_next(lifeline);
    if (query)
        query->done(query->data, fault, value);
}

static void on_stuck(void *data)
{
    struct db__lifeline *lifeline = data;
    struct db__fault fault;
    db__fault_silence(&fault, db_where(lifeline->db), true, GRACE_MS);
    lose(lifeline, &fault, false);
}

static void attempt_failed(struct db__lifeline *lifeline)
{
    struct db__session *session = lifeline->session;
    lifeline->session = NULL;
    try_later(lifeline);
    lifeline->backoff_ms *= 2;
    if (lifeline->backoff_ms > BACKOFF_MAX_MS)
        lifeline->backoff_ms = BACKOFF_MAX_MS;
    db__turn_end(&lifeline->db->slots, &lifeline->turn, session);
}

static void on_may_stay(void *data, const struct db__fault *fault, const char *value)
{
    struct db__lifeline *lifeline = data;
    (void)fault; /* if it could not be set, the lifeline is lost now and then, and opened again */
    (void)value;
    free((char *)lifeline->stay.sql);
    lifeline->stay.sql = NULL;
}

static void ask_to_stay(struct db__lifeline *lifeline)
{
    lifeline->stay = (struct db__query){
        .sql = db__sql_stay(),
        .until_ms = loop_now(lifeline->db->loop) + LOGIN_MS,
        .done = on_may_stay,
        .data = lifeline,
    };
    db__lifeline_ask(lifeline, &lifeline->stay);
}

static void on_opened(void *data, const struct db__fault *fault)
{
    struct db__lifeline *lifeline = data;
    timer_stop(lifeline->timer);
    db__note_login(lifeline->db, fault);
    if (fault) {
        attempt_failed(lifeline);
        return;
    }
    lifeline->state = DB__LIFELINE_OPEN;
    lifeline->backoff_ms = BACKOFF_MIN_MS;
    db__turn_keep(&lifeline->db->slots, &lifeline->turn);
    ask_to_stay(lifeline);
    if (lifeline->on_change)
        lifeline->on_change(lifeline->data, true, NULL);
}

static void on_granted(void *data)
{
    static const struct db__session_handler handler = {
        .opened = on_opened, .answered = on_answered, .lost = on_lost};
    struct db__lifeline *lifeline = data;
    lifeline->state = DB__LIFELINE_OPENING;
    lifeline->turn.login = lifeline->session =
        db__session_new(lifeline->db->loop, lifeline->db->target, &handler, lifeline);
    timer_start(lifeline->timer, LOGIN_MS);
}

/* Somebody else wants to log in: a probe that had to wait for our vain tries would be blind. */
static void on_yield(void *data)
{
    struct db__lifeline *lifeline = data;
    struct db__session *session = lifeline->session;
    lifeline->session = NULL;
    try_later(lifeline);
    db__turn_end(&lifeline->db->slots, &lifeline->turn, session);
}

static void on_timer(void *data)
{
    struct db__lifeline *lifeline = data;
    if (lifeline->state == DB__LIFELINE_OPENING)
        attempt_failed(lifeline);
    else
        ask_for_turn(lifeline);
}

void db__lifeline_init(struct db__lifeline *lifeline, struct db *db)
{
    *lifeline = (struct db__lifeline){
        .db = db,
        .backoff_ms = BACKOFF_MIN_MS,
        .turn = {.granted = on_granted, .yield = on_yield, .data = lifeline},
        .timer = timer_new(db->loop, on_timer, lifeline),
        .stuck = timer_new(db->loop, on_stuck, lifeline),
    };
}

void db__lifeline_close(struct db__lifeline *lifeline)
{
    db_lifeline_drop(lifeline->db);
    lifeline->leaving = db__farewell_free(lifeline->leaving);
    lifeline->timer = timer_free(lifeline->timer);
    lifeline->stuck = timer_free(lifeline->stuck);
}

/* --- the door's functions ------------------------------------------------------------------- */

void db_lifeline_keep(struct db *db, db_lifeline_fn on_change, void *data)
{
    struct db__lifeline *lifeline = &db->lifeline;
    lifeline->on_change = on_change;
    lifeline->data = data;
    if (lifeline->state == DB__LIFELINE_OFF)
        ask_for_turn(lifeline);
}

void db_lifeline_drop(struct db *db)
{
    struct db__lifeline *lifeline = &db->lifeline;
    struct db__session *session = lifeline->session;
    enum db__lifeline_state before = lifeline->state;
    lifeline->state = DB__LIFELINE_OFF;
    lifeline->on_change = NULL;
    timer_stop(lifeline->timer);
    if (before == DB__LIFELINE_OPEN) {
        let_go(lifeline);
        struct db__fault fault = {.state = DB_UNKNOWN};
        err_set(&fault.e, ERR_CANCELLED, "postgres: the lifeline was closed");
        fail_queries(lifeline, &fault);
    } else {
        lifeline->session = NULL;
        db__turn_end(&db->slots, &lifeline->turn, session);
    }
}

bool db_lifeline_is_open(const struct db *db)
{
    return db->lifeline.state == DB__LIFELINE_OPEN;
}

void db_lifeline_retry_now(struct db *db)
{
    struct db__lifeline *lifeline = &db->lifeline;
    if (lifeline->state != DB__LIFELINE_WAITING)
        return;
    timer_stop(lifeline->timer);
    lifeline->backoff_ms = BACKOFF_MIN_MS;
    ask_for_turn(lifeline);
}
