/* See visit.h. */
#include "postgres/visit.h"

#include "base/mem.h"
#include "postgres/sql.h"

#include <assert.h>
#include <string.h>

struct db__visit {
    struct db *db;
    const enum db__way *way; /* the present one, in the caller's list */
    int64_t until_ms;
    struct timer *patience; /* with the present way; with no way left, for the last word */
    int64_t patience_ms;    /* what the present way was given */
    struct db__query query; /* on the lifeline */
    struct db__turn turn;   /* for a login of our own */
    struct db__session *session;
    bool logged_in;
    bool spares; /* the next question leaves half of the time to somebody else's other way */
    struct db__backdoor_run *run;
    char *sql;
    db__visit_fn done; /* NULL while nothing is asked */
    void *data;
    struct db__fault fault; /* of the ways that failed, what tells most */
    bool failed;
};

/* --- the answer ----------------------------------------------------------------------------- */

static void answer(struct db__visit *visit, const struct db__fault *fault, const char *value)
{
    struct db__fault no_value;
    if (!fault && !value) {
        no_value = (struct db__fault){.state = DB_UNKNOWN};
        err_set(&no_value.e, ERR_PROTOCOL, "postgres: %s answered a statement with no value",
                db_where(visit->db));
        fault = &no_value;
    }
    timer_stop(visit->patience);
    db__visit_fn done = visit->done;
    visit->done = NULL;
    done(visit->data, fault, value);
}

/* What a login got tells more than a lost lifeline, and a full server more than anything. */
static void remember(struct db__visit *visit, const struct db__fault *fault)
{
    if (visit->failed && visit->fault.state == DB_EXHAUSTED)
        return;
    if (visit->failed && *visit->way == DB__WAY_BACKDOOR && fault->state != DB_EXHAUSTED)
        return;
    visit->fault = *fault;
    visit->failed = true;
}

static void take_way(struct db__visit *visit);

static void leave_way(struct db__visit *visit)
{
    struct db__session *session = visit->session;
    visit->session = NULL;
    visit->logged_in = false;
    db__lifeline_take_back(&visit->db->lifeline, &visit->query);
    db__turn_end(&visit->db->slots, &visit->turn, session);
    visit->run = db__backdoor_free(visit->run);
}

static void next_way(struct db__visit *visit)
{
    leave_way(visit);
    visit->way++;
    take_way(visit);
}

static void way_failed(struct db__visit *visit, const struct db__fault *fault)
{
    remember(visit, fault);
    next_way(visit);
}

static void on_patience_over(void *data)
{
    struct db__visit *visit = data;
    struct db__fault fault = visit->fault; /* a copy: the visit may be freed with its answer */
    if (*visit->way == DB__WAY_NONE) {
        answer(visit, &fault, NULL);
        return;
    }
    if (visit->turn.waiting) {
        fault = (struct db__fault){.state = DB_UNKNOWN};
        err_set(&fault.e, ERR_TIMEOUT,
                "postgres: cannot connect to %s: another login of ours "
                "did not end in time",
                db_where(visit->db));
    } else {
        bool accepted = !visit->session || db__session_was_accepted(visit->session);
        db__fault_silence(&fault, db_where(visit->db), accepted, visit->patience_ms);
    }
    way_failed(visit, &fault);
}

/* The server cut the statement off at our own limit: the next way may have more luck. */
static bool took_too_long(const struct db__fault *fault)
{
    return strcmp(fault->sqlstate, "57014") == 0;
}

/* --- the lifeline --------------------------------------------------------------------------- */

static void on_lifeline_answer(void *data, const struct db__fault *fault, const char *value)
{
    struct db__visit *visit = data;
    if (fault && (!db_lifeline_is_open(visit->db) || took_too_long(fault)))
        way_failed(visit, fault);
    else
        answer(visit, fault, value);
}

static bool by_lifeline(struct db__visit *visit)
{
    if (!db__lifeline_is_usable(&visit->db->lifeline))
        return false;
    visit->query.sql = visit->sql;
    visit->query.until_ms = loop_now(visit->db->loop) + visit->patience_ms;
    db__lifeline_ask(&visit->db->lifeline, &visit->query);
    return true;
}

/* --- a login of our own --------------------------------------------------------------------- */

static void query_login(struct db__visit *visit)
{
    CLEANUP_FREE char *sql = db__sql_bounded(visit->sql, visit->patience_ms);
    db__session_query(visit->session, sql);
}

static void on_login_opened(void *data, const struct db__fault *fault)
{
    struct db__visit *visit = data;
    db__note_login(visit->db, fault);
    if (fault) {
        struct db__fault judged = *fault;
        db__judge(visit->db, &judged);
        way_failed(visit, &judged);
        return;
    }
    visit->logged_in = true;
    /* The server lives, and no other way would be faster. */
    timer_stop(visit->patience);
    visit->patience_ms = db__left_ms(visit->db, visit->until_ms);
    query_login(visit);
}

static void on_login_answered(void *data, const struct db__fault *fault, const char *value)
{
    struct db__visit *visit = data;
    if (fault && !db__session_is_open(visit->session))
        way_failed(visit, fault);
    else
        answer(visit, fault, value);
}

static void on_login_lost(void *data, const struct db__fault *fault)
{
    struct db__visit *visit = data;
    remember(visit, fault);
    leave_way(visit);
    visit->way++; /* nothing is asked at the moment: the next statement finds the next way */
}

static void on_turn(void *data)
{
    static const struct db__session_handler handler = {
        .opened = on_login_opened, .answered = on_login_answered, .lost = on_login_lost};
    struct db__visit *visit = data;
    visit->turn.login = visit->session =
        db__session_new(visit->db->loop, visit->db->target, &handler, visit);
}

static bool by_login(struct db__visit *visit)
{
    if (visit->logged_in)
        query_login(visit);
    else
        db__turn_ask(&visit->db->slots, &visit->turn);
    return true;
}

/* --- the back door -------------------------------------------------------------------------- */

static void on_backdoor_done(void *data, const struct db__fault *fault, const char *value)
{
    struct db__visit *visit = data;
    bool answered_by_server = !fault || (fault->sqlstate[0] && fault->state != DB_EXHAUSTED &&
                                         !db__sqlstate_ends_session(fault->sqlstate));
    if (!answered_by_server) {
        way_failed(visit, fault);
        return;
    }
    visit->run = db__backdoor_free(visit->run);
    answer(visit, fault, value);
}

static bool by_backdoor(struct db__visit *visit)
{
    if (!visit->db->backdoor.run)
        return false;
    int64_t until_ms =
        loop_now(visit->db->loop) + visit->patience_ms; /* it holds a slot till then */
    visit->run = db__backdoor_new(visit->db, visit->sql, until_ms, on_backdoor_done, visit);
    return true;
}

/* --- the ways in order ---------------------------------------------------------------------- */

static bool try_way(struct db__visit *visit)
{
    switch (*visit->way) {
    case DB__WAY_LIFELINE:
        return by_lifeline(visit);
    case DB__WAY_LOGIN:
        return by_login(visit);
    case DB__WAY_BACKDOOR:
        return by_backdoor(visit);
    case DB__WAY_NONE:
        break;
    }
    return false;
}

/* To open and, on the lifeline, to answer, each way has half of the time that is left, the last one
 * all of it. */
static void be_patient(struct db__visit *visit)
{
    bool last = visit->logged_in || visit->way[1] == DB__WAY_NONE ||
                (visit->way[1] == DB__WAY_BACKDOOR && !visit->db->backdoor.run);
    last = last && !visit->spares;
    visit->spares = false;
    visit->patience_ms = db__left_ms(visit->db, visit->until_ms) / (last ? 1 : 2);
    timer_stop(visit->patience);
    if (!last) /* else the deadline of the operation says when */
        timer_start(visit->patience, visit->patience_ms);
}

static void take_way(struct db__visit *visit)
{
    while (*visit->way != DB__WAY_NONE) {
        be_patient(visit);
        if (try_way(visit))
            return;
        visit->way++;
    }
    timer_start(visit->patience, 0); /* the bad news comes by the loop */
}

struct db__visit *db__visit_new(struct db *db, const enum db__way *ways, int64_t until_ms)
{
    struct db__visit *visit = mem_new(sizeof *visit);
    *visit = (struct db__visit){
        .db = db,
        .way = ways,
        .until_ms = until_ms,
        .query = {.done = on_lifeline_answer, .data = visit},
        .turn = {.granted = on_turn, .data = visit},
        .patience = timer_new(db->loop, on_patience_over, visit),
    };
    err_set(&visit->fault.e, ERR_UNREACHABLE,
            "postgres: no way into %s: the lifeline is not open and there is no other",
            db_where(db));
    return visit;
}

void db__visit_ask(struct db__visit *visit, char *sql, db__visit_fn done, void *data)
{
    assert(!visit->done);
    free(visit->sql);
    visit->sql = sql;
    visit->done = done;
    visit->data = data;
    take_way(visit);
}

bool db__visit_by_backdoor(struct db__visit *visit, bool has_other)
{
    static const enum db__way only_backdoor[] = {DB__WAY_BACKDOOR, DB__WAY_NONE};
    assert(!visit->done);
    if (*visit->way == DB__WAY_BACKDOOR || !visit->db->backdoor.run)
        return false;
    leave_way(visit);
    visit->way = only_backdoor;
    visit->spares = has_other;
    return true;
}

const char *db__visit_by(const struct db__visit *visit)
{
    static const char *const names[] = {
        [DB__WAY_NONE] = "",
        [DB__WAY_LIFELINE] = "lifeline",
        [DB__WAY_LOGIN] = "login",
        [DB__WAY_BACKDOOR] = "container",
    };
    return names[*visit->way];
}

struct db__visit *db__visit_free(struct db__visit *visit)
{
    if (!visit)
        return NULL;
    leave_way(visit);
    timer_free(visit->patience);
    free(visit->sql);
    free(visit);
    return NULL;
}
