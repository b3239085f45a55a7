/* The cleaning: ends sessions and makes sure that they are gone. See db.h.
 *
 *     looking → ending → (42501: ending one by one) → watching until they are gone → done
 *        └ rights are missing and there is a back door: looking again from there
 *
 * The snapshot and the selection decide; nothing here judges a session. The order of time: victims
 * are told all at once, without pg_terminate_backend's time-out (with it each costs 100 ms at
 * least, in turn), and then watched together.
 *
 * May use: base, this folder.
 */
#include "postgres/clean.h"

#include "base/fault_point.h"
#include "base/mem.h"
#include "postgres/activity.h"
#include "postgres/internal.h"
#include "postgres/sql.h"

#include <stdio.h>
#include <string.h>

enum {
    BATCH = 500, /* victims a statement: it has to fit into one argument of a command, too */
    LOOK_AGAIN_MIN_MS = 20,
    LOOK_AGAIN_MAX_MS = 200,
};

/* What is known of a session that was chosen, beside its item in the report. */
struct target {
    size_t item;
    bool asked; /* the server has been told to end it, if it is still the one that was chosen */
    bool told;  /* the server has signalled it */
    bool gone;
};

struct clean {
    struct db__job job; /* first: the operation */
    struct db__visit *visit;
    int64_t until_ms;
    struct db_clean_rules rules; /* our copy */
    bool dry_run;
    struct db_clean_report *report;
    struct target *targets;
    size_t target_count;
    size_t from, batch;  /* the targets in the statement that is asked now */
    bool one_by_one;     /* the server denied a batch as a whole */
    bool is_unanswered;  /* that statement's answer has not come */
    bool acted;          /* signals were sent: from here on there is a report in any case */
    bool blind;          /* the last way in was lost after that */
    struct timer *again; /* the next look */
    int64_t again_ms;
    struct db_clean_report *fallback; /* what was possible without the back door */
    db_clean_fn done;
    void *data;
};

static void finish(struct clean *clean, const struct err *e)
{
    clean->visit = db__visit_free(clean->visit);
    timer_stop(clean->again);
    op_end(&clean->job.op, e);
}

static struct db_cleaned *item_of(struct clean *clean, const struct target *target)
{
    return &clean->report->items[target->item];
}

/* --- the statements ------------------------------------------------------------------------- */

/* The caller frees it; what it points to stays the report's. */
static struct db__victim *make_victims(struct clean *clean, size_t from, size_t count)
{
    struct db__victim *victims = mem_new(count * sizeof *victims);
    for (size_t i = 0; i < count; i++) {
        const struct db_session *session = item_of(clean, &clean->targets[from + i])->session;
        victims[i] = (struct db__victim){
            .pid = session->pid,
            .backend_start = session->backend_start,
            .state = clean->rules.all ? NULL : session->state,
            .min_age_s = db__clean_min_age_s(session, &clean->rules),
        };
    }
    return victims;
}

static bool has_pid(const json_t *list, int pid)
{
    size_t i;
    json_t *item;
    json_array_foreach((json_t *)list, i, item)
    {
        if (json_integer_value(item) == pid)
            return true;
    }
    return false;
}

static json_t *parse_answer(const char *value, struct err *e)
{
    return json_parse(value, strlen(value), "postgres: clean", e);
}

/* --- watching ------------------------------------------------------------------------------- */

static void look_again(void *data);

/* Those that are not known to be gone move to the front, so that a batch holds only them. */
static size_t gather_remaining(struct clean *clean)
{
    size_t count = 0;
    for (size_t i = 0; i < clean->target_count; i++) {
        if (clean->targets[i].gone)
            continue;
        struct target target = clean->targets[i];
        clean->targets[i] = clean->targets[count];
        clean->targets[count++] = target;
    }
    return count;
}

static void mark_gone(struct clean *clean, const json_t *left)
{
    for (size_t i = 0; i < clean->batch; i++) {
        struct target *target = &clean->targets[i];
        target->gone = !has_pid(left, item_of(clean, target)->session->pid);
    }
}

/* The batch is settled when everybody who was told is gone: who was not told stays on purpose. */
static bool is_awaited(const struct clean *clean)
{
    for (size_t i = 0; i < clean->target_count; i++)
        if (clean->targets[i].told && !clean->targets[i].gone)
            return true;
    return false;
}

static void on_remaining(void *data, const struct db__fault *fault, const char *value)
{
    struct clean *clean = data;
    CLEANUP_JSON json_t *json = fault ? NULL : parse_answer(value, NULL);
    if (!json) {
        clean->blind = true; /* they were told, and that is all that is known */
        finish(clean, NULL);
        return;
    }
    mark_gone(clean, json_at(json, "left"));
    clean->report->used_after = (int)json_int_at(json, "used", clean->report->used_after);
    if (!is_awaited(clean)) {
        finish(clean, NULL);
        return;
    }
    timer_start(clean->again, clean->again_ms);
    clean->again_ms =
        clean->again_ms * 2 > LOOK_AGAIN_MAX_MS ? LOOK_AGAIN_MAX_MS : clean->again_ms * 2;
}

static void look_again(void *data)
{
    struct clean *clean = data;
    size_t remaining = gather_remaining(clean);
    clean->batch = remaining < BATCH ? remaining : BATCH;
    CLEANUP_FREE struct db__victim *victims = make_victims(clean, 0, clean->batch);
    db__visit_ask(clean->visit, db__sql_remaining(victims, clean->batch), on_remaining, clean);
}

/* --- ending --------------------------------------------------------------------------------- */

static void end_next(struct clean *clean);

static void deny(struct clean *clean, struct target *target)
{
    struct db_cleaned *item = item_of(clean, target);
    item->verdict = DB_DENIED;
    snprintf(item->why, sizeof item->why, "%s", "the server does not let our role end it (42501)");
}

/* One superuser among them, and the server denies the whole statement, though what it had signalled
 * before stays signalled. A role may have become one since the snapshot. */
static void handle_denial(struct clean *clean)
{
    if (clean->one_by_one) {
        deny(clean, &clean->targets[clean->from]);
        clean->from++;
    }
    clean->acted = true;
    clean->one_by_one = true;
    end_next(clean);
}

static void on_ended(void *data, const struct db__fault *fault, const char *value)
{
    struct clean *clean = data;
    struct err e = {0};
    FAULT_POINT("postgres.terminated");
    if (fault && strcmp(fault->sqlstate, "42501") == 0) {
        clean->is_unanswered = false;
        handle_denial(clean);
        return;
    }
    CLEANUP_JSON json_t *json = fault ? NULL : parse_answer(value, &e);
    clean->is_unanswered = !json;
    if (!json) {
        clean->blind = clean->acted;
        finish(clean, clean->acted ? NULL : fault ? &fault->e : &e);
        return;
    }
    clean->acted = true;
    for (size_t i = 0; i < clean->batch; i++) {
        struct target *target = &clean->targets[clean->from + i];
        target->asked = true;
        target->told = has_pid(json_at(json, "sent"), item_of(clean, target)->session->pid);
    }
    clean->from += clean->batch;
    end_next(clean);
}

static void end_next(struct clean *clean)
{
    size_t left = clean->target_count - clean->from;
    if (left == 0) {
        look_again(clean);
        return;
    }
    clean->batch = clean->one_by_one ? 1 : left < BATCH ? left : BATCH;
    CLEANUP_FREE struct db__victim *victims = make_victims(clean, clean->from, clean->batch);
    FAULT_POINT("postgres.terminate");
    clean->is_unanswered = true;
    db__visit_ask(clean->visit, db__sql_terminate(victims, clean->batch), on_ended, clean);
}

static void choose_targets(struct clean *clean)
{
    for (size_t i = 0; i < clean->report->count; i++)
        if (clean->report->items[i].verdict == DB_VICTIM)
            MEM_PUSH(clean->targets, clean->target_count)->item = i;
}

/* --- looking -------------------------------------------------------------------------------- */

static void on_snapshot(void *data, const struct db__fault *fault, const char *value);

static void look(struct clean *clean)
{
    db__visit_ask(clean->visit, db__sql_activity(clean->job.db->application), on_snapshot, clean);
}

static bool lacks_rights(const struct db_clean_report *report)
{
    return report->activity->restricted || report->denied > 0;
}

/* The back door is a superuser: it sees and may end what our role does not. */
static bool try_backdoor(struct clean *clean)
{
    if (!lacks_rights(clean->report) || clean->fallback)
        return false;
    if (!db__visit_by_backdoor(clean->visit, true))
        return false;
    clean->fallback = clean->report;
    clean->report = NULL;
    look(clean);
    return true;
}

static void act(struct clean *clean)
{
    choose_targets(clean);
    if (clean->dry_run || clean->target_count == 0)
        finish(clean, NULL);
    else
        end_next(clean);
}

/* The back door did not open either: what our own role may do is better than nothing. */
static void fall_back(struct clean *clean)
{
    static const enum db__way ways[] = {DB__WAY_LIFELINE, DB__WAY_LOGIN, DB__WAY_NONE};
    struct db *db = clean->job.db;
    clean->report = clean->fallback;
    clean->visit = db__visit_free(clean->visit);
    clean->visit = db__visit_new(db, ways, clean->until_ms);
    act(clean);
}

static void on_snapshot(void *data, const struct db__fault *fault, const char *value)
{
    struct clean *clean = data;
    struct err e = {0};
    struct db_activity *activity = NULL;
    if (fault)
        e = fault->e;
    else
        db_activity_parse(value, strlen(value), &activity, &e);
    if (activity) {
        activity->by = db__visit_by(clean->visit);
        clean->report = db_clean_select(activity, &clean->rules);
        clean->report->dry_run = clean->dry_run;
        if (!try_backdoor(clean))
            act(clean);
    } else if (clean->fallback) {
        fall_back(clean);
    } else {
        finish(clean, &e);
    }
}

/* --- the operation -------------------------------------------------------------------------- */

static void drop(struct op *op)
{
    struct clean *clean = (struct clean *)op;
    clean->visit = db__visit_free(clean->visit);
    timer_stop(clean->again);
}

/* The server may have ended it: the statement was sent, and nothing more is known. */
static bool is_unanswered(const struct clean *clean, const struct target *target)
{
    size_t at = (size_t)(target - clean->targets);
    return clean->is_unanswered && at >= clean->from && at < clean->from + clean->batch;
}

static const char *why_there(const struct clean *clean, const struct target *target)
{
    bool given_up = clean->job.op.result.code == ERR_CANCELLED;
    if (is_unanswered(clean, target))
        return "asked to end, and no answer came";
    if (!target->asked)
        return given_up ? "given up before its turn" : "there was no time left to end it";
    if (!target->told)
        return "in use again, or changed";
    if (given_up)
        return "told to end, and not seen to go before the clean was given up";
    return clean->blind ? "told to end, then the way in was lost" : "told to end, and still there";
}

static void settle(struct clean *clean, struct target *target)
{
    struct db_cleaned *item = item_of(clean, target);
    bool denied = item->verdict == DB_DENIED;
    if (target->gone)
        item->verdict = DB_VICTIM; /* also one that was denied, and left by itself */
    if (target->gone || denied)
        return;
    item->verdict = target->told || is_unanswered(clean, target) ? DB_STAYED : DB_SPARED;
    size_t len = strlen(item->why);
    snprintf(item->why + len, sizeof item->why - len, "; %s", why_there(clean, target));
}

static void settle_all(struct clean *clean)
{
    for (size_t i = 0; i < clean->target_count; i++)
        settle(clean, &clean->targets[i]);
    db__clean_finish(clean->report);
}

static void destroy(struct clean *clean)
{
    if (clean->fallback != clean->report)
        db_clean_report_free(clean->fallback);
    db_clean_report_free(clean->report);
    db__rules_free(&clean->rules);
    free(clean->targets);
    timer_free(clean->again);
    db__job_end(&clean->job);
    free(clean);
}

static void deliver(struct op *op, const struct err *e)
{
    struct clean *clean = (struct clean *)op;
    if (e && e->code == ERR_TIMEOUT && clean->acted)
        e = NULL; /* those that stay are a result */
    bool has_report = !e || clean->acted || clean->is_unanswered;
    if (has_report && !clean->dry_run)
        settle_all(clean);
    clean->done(clean->data, e, has_report ? clean->report : NULL);
    destroy(clean);
}

op_id db_clean(struct db *db, const struct db_clean_rules *rules, bool dry_run, int64_t deadline_ms,
               db_clean_fn done, void *data)
{
    static const struct op_class class = {.drop = drop, .deliver = deliver};
    struct clean *clean = mem_new(sizeof *clean);
    clean->rules = db__rules_copy(rules);
    clean->dry_run = dry_run;
    clean->again = timer_new(db->loop, look_again, clean);
    clean->again_ms = LOOK_AGAIN_MIN_MS;
    clean->done = done;
    clean->data = data;
    const char *what = dry_run ? "look at the sessions on" : "end sessions on";
    op_id id = db__job_begin(&clean->job, db, &class, what, deadline_ms);
    clean->until_ms = db__until_ms(db, deadline_ms);
    clean->visit = db__visit_new(db, db__ways_to_look, clean->until_ms);
    look(clean);
    return id;
}
