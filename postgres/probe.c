/* The probe: how is it to log in now? See db.h.
 *
 *     waiting for the turn → logging in → asking → ready
 *                               └ 53300 → counting, by the lifeline or the back door → exhausted
 *                               └ anything else → its state
 *
 * May use: base, this folder.
 */
#include "base/mem.h"
#include "postgres/exhaustion.h"
#include "postgres/internal.h"
#include "postgres/sql.h"
#include "postgres/visit.h"

#include <stdio.h>
#include <string.h>

enum { SETTLE_MS = 1000 }; /* a connection is taken, or refused, in less */

struct probe {
    struct db__job job; /* first: the operation */
    struct db__turn turn;
    struct db__session *session;
    struct db__visit *visit; /* to count after a 53300 */
    struct db_probe result;
    uint64_t answers_before;      /* of the slots */
    int64_t until_ms, granted_ms; /* on the loop's clock; granted_ms 0: still waiting */
    bool queued;                  /* it had to wait for its turn */
    bool known;                   /* the state is; what follows only adds to it */
    bool accepted;                /* somebody took the connection */
    db_probe_fn done;
    void *data;
};

static void let_go(struct probe *probe)
{
    struct db__session *session = probe->session;
    probe->accepted |= session && db__session_was_accepted(session);
    probe->session = NULL;
    db__turn_end(&probe->job.db->slots, &probe->turn, session);
    probe->visit = db__visit_free(probe->visit);
}

static void finish(struct probe *probe)
{
    let_go(probe);
    op_end(&probe->job.op, NULL);
}

static void conclude(struct probe *probe, const struct db__fault *fault)
{
    struct db__fault judged = *fault;
    db__judge(probe->job.db, &judged);
    probe->known = true;
    probe->result.state = judged.state;
    snprintf(probe->result.sqlstate, sizeof probe->result.sqlstate, "%s", judged.sqlstate);
    probe->result.why = judged.e;
}

/* --- 53300: which limit? -------------------------------------------------------------------- */

static void on_counted(void *data, const struct db__fault *fault, const char *value)
{
    struct probe *probe = data;
    struct db__counts counts;
    const char *where = db_where(probe->job.db);
    if (fault && fault->state == DB_EXHAUSTED) {
        /* The back door is a superuser, for whom no other limit holds. */
        probe->result.exhaustion = DB_EXHAUSTION_ALL;
        err_set(&probe->result.why, ERR_EXHAUSTED,
                "postgres: cannot connect to %s: no connection slot is left, not even for a "
                "superuser (53300)",
                where);
        err_hint(&probe->result.why, "only a session that is open already, or a restart, helps");
    } else if (!fault && db__counts_parse(value, &counts, NULL) == 0) {
        probe->result.exhaustion = db__exhaustion_judge(&counts);
        db__exhaustion_explain(&counts, probe->result.exhaustion, where, &probe->result.why);
    }
    finish(probe);
}

static void count(struct probe *probe)
{
    static const enum db__way ways[] = {DB__WAY_LIFELINE, DB__WAY_BACKDOOR, DB__WAY_NONE};
    struct db *db = probe->job.db;
    let_go(probe);
    probe->result.exhaustion = DB_EXHAUSTION_UNKNOWN;
    probe->visit = db__visit_new(db, ways, probe->until_ms);
    db__visit_ask(probe->visit,
                  db__sql_exhaustion(db->application, db__target_value(db->target, "user"),
                                     db__target_value(db->target, "dbname")),
                  on_counted, probe);
}

/* --- the login and its statement ------------------------------------------------------------ */

static void on_opened(void *data, const struct db__fault *fault)
{
    struct probe *probe = data;
    struct db *db = probe->job.db;
    db__note_login(db, fault);
    if (!fault) {
        CLEANUP_FREE char *statement = db__sql_probe();
        CLEANUP_FREE char *sql = db__sql_bounded(statement, db__left_ms(db, probe->until_ms));
        db__session_query(probe->session, sql);
        return;
    }
    conclude(probe, fault);
    if (fault->state == DB_EXHAUSTED)
        count(probe);
    else
        finish(probe);
}

static void read_answer(struct probe *probe, const char *value)
{
    struct db__fault fault = {.state = DB_UNREACHABLE};
    CLEANUP_JSON json_t *json =
        json_parse(value ? value : "", value ? strlen(value) : 0, probe->job.what, &fault.e);
    if (!json) {
        conclude(probe, &fault);
        return;
    }
    probe->known = true;
    probe->result.state = DB_READY;
    probe->result.is_standby = json_bool_at(json, "in_recovery", false);
    probe->result.started_us = json_int_at(json, "started_us", 0);
}

static void on_answered(void *data, const struct db__fault *fault, const char *value)
{
    struct probe *probe = data;
    if (fault)
        conclude(probe, fault);
    else
        read_answer(probe, value);
    finish(probe);
}

static void on_lost(void *data, const struct db__fault *fault)
{
    struct probe *probe = data;
    conclude(probe, fault);
    finish(probe);
}

/* We had to wait for other logins of ours. Where none of them has met an answer in all that time,
 * ours would have met none: the server has been silent since we asked. */
static bool others_met_no_answer(const struct probe *probe)
{
    return probe->job.db->slots.answers == probe->answers_before;
}

static void on_granted(void *data)
{
    static const struct db__session_handler handler = {
        .opened = on_opened, .answered = on_answered, .lost = on_lost};
    struct probe *probe = data;
    struct db *db = probe->job.db;
    probe->granted_ms = loop_now(db->loop);
    bool too_late = db__left_ms(db, probe->until_ms) < SETTLE_MS; /* to learn it by itself */
    if (probe->queued && too_late && others_met_no_answer(probe))
        probe->accepted = db->slots.left_in == DB__SILENCE_ACCEPTED;
    probe->turn.login = probe->session = db__session_new(db->loop, db->target, &handler, probe);
}

/* --- the operation -------------------------------------------------------------------------- */

static void drop(struct op *op)
{
    let_go((struct probe *)op);
}

/* The deadline or a cancel came first. What is known already (exhausted, but not by what) stays. */
static void explain_end(struct probe *probe, const struct err *e)
{
    struct db__fault fault = {.state = DB_UNKNOWN, .e = *e};
    enum db__silence silence = db__slots_silence(&probe->job.db->slots);
    if (probe->known)
        return;
    if (e->code == ERR_TIMEOUT && probe->granted_ms) {
        db__fault_silence(&fault, db_where(probe->job.db), probe->accepted, probe->job.op.limit_ms);
        db__phase_login(&probe->job.db->phase, &fault);
    } else if (e->code == ERR_TIMEOUT && silence != DB__SILENCE_NONE &&
               others_met_no_answer(probe)) {
        db__fault_silence(&fault, db_where(probe->job.db), silence == DB__SILENCE_ACCEPTED,
                          probe->job.op.limit_ms);
    } else if (e->code == ERR_TIMEOUT) {
        err_hint(&fault.e, "another login of ours did not end in time");
    }
    conclude(probe, &fault);
}

static void deliver(struct op *op, const struct err *e)
{
    struct probe *probe = (struct probe *)op;
    struct db *db = probe->job.db;
    if (e)
        explain_end(probe, e);
    probe->result.lifeline_open = db_lifeline_is_open(db);
    if (probe->granted_ms)
        probe->result.took_ms = loop_now(db->loop) - probe->granted_ms;
    probe->done(probe->data, &probe->result);
    db__job_end(&probe->job);
    free(probe);
}

op_id db_probe(struct db *db, int64_t deadline_ms, db_probe_fn done, void *data)
{
    static const struct op_class class = {.drop = drop, .deliver = deliver};
    struct probe *probe = mem_new(sizeof *probe);
    probe->done = done;
    probe->data = data;
    probe->answers_before = db->slots.answers;
    probe->until_ms = db__until_ms(db, deadline_ms);
    probe->turn = (struct db__turn){.granted = on_granted, .data = probe};
    op_id id = db__job_begin(&probe->job, db, &class, "log in to", deadline_ms);
    db__turn_ask(&db->slots, &probe->turn);
    probe->queued = !probe->turn.held;
    return id;
}
