/* Who is to be ended: rules × snapshot → report. Pure.
 *
 * Three questions to each session, in this order: may it be considered at all (ours, walsenders,
 * replication and backups never; the rules' filters), is it old enough in a state that leaks, and
 * does something stand before it (superuser, protected, the limit, a missing right)? Only who
 * passes the first two is reported.
 *
 * May use: base.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "postgres/clean.h"
#include "postgres/sql.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* --- the questions -------------------------------------------------------------------------- */

static bool passes(const char *const *filter, const char *name)
{
    return !filter || db__name_matches(filter, name);
}

static bool is_listed(const struct db_session *session, const struct db_clean_rules *rules)
{
    for (size_t i = 0; i < rules->session_count; i++)
        if (rules->sessions[i].pid == session->pid &&
            strcmp(rules->sessions[i].backend_start, session->backend_start) == 0)
            return true;
    return false;
}

static bool passes_origin(const struct db_session *session, const struct db_clean_rules *rules)
{
    return (!rules->clients && !rules->sessions) ||
           db__name_matches(rules->clients, session->client) ||
           (rules->sessions && is_listed(session, rules));
}

static bool is_considered(const struct db_session *session, const struct db_clean_rules *rules)
{
    if (session->ours || session->replication || session->backup)
        return false;
    /* "" when the type is hidden for want of pg_monitor. */
    if (session->backend_type[0] && strcmp(session->backend_type, "client backend") != 0)
        return false;
    return passes(rules->applications, session->application) &&
           passes(rules->roles, session->role) && passes(rules->databases, session->database) &&
           passes_origin(session, rules);
}

static bool is_in_transaction(const struct db_session *session)
{
    return strncmp(session->state, "idle in transaction", 19) == 0; /* "… (aborted)" too */
}

double db__clean_min_age_s(const struct db_session *session, const struct db_clean_rules *rules)
{
    if (rules->all)
        return 0;
    int64_t min_ms = -1;
    if (is_in_transaction(session))
        min_ms = rules->idle_in_transaction_ms;
    else if (strcmp(session->state, "idle") == 0)
        min_ms = rules->idle_ms;
    return min_ms < 0 ? -1 : (double)min_ms / 1000;
}

static bool is_old_enough(const struct db_session *session, const struct db_clean_rules *rules)
{
    double min_age_s = db__clean_min_age_s(session, rules);
    return min_age_s >= 0 && session->state_age_s >= min_age_s;
}

/* The right that is missing, or NULL. */
static const char *denial(const struct db_session *session)
{
    if (!session->backend_start[0])
        return "cannot be told from others without pg_monitor";
    if (session->denied)
        return session->superuser ? "only a superuser may end a superuser's session"
                                  : "our role lacks pg_signal_backend";
    return NULL;
}

static void describe(const struct db_session *session, char *out, size_t size)
{
    char age[DURATION_MAX];
    duration_text((int64_t)fmin(session->state_age_s * 1000, 1e15), age);
    snprintf(out, size, "%s for %s", session->state[0] ? session->state : "in a hidden state", age);
}

static void decide(struct db_cleaned *item, const struct db_clean_rules *rules, int chosen)
{
    const struct db_session *session = item->session;
    char state[80];
    describe(session, state, sizeof state);
    const char *denied = denial(session);
    const char *reason = NULL;
    item->verdict = DB_SPARED;
    if (session->superuser && !rules->superusers) {
        reason = "superuser; not ended unless told (superusers: true)";
    } else if (db__name_matches(rules->protect, session->application) ||
               db__name_matches(rules->protect, session->role)) {
        reason = "protected";
    } else if (denied) {
        item->verdict = DB_DENIED;
        reason = denied;
    } else if (rules->limit > 0 && chosen >= rules->limit) {
        reason = "beyond the limit of sessions to end";
    } else {
        item->verdict = DB_VICTIM;
    }
    snprintf(item->why, sizeof item->why, "%s%s%s", state, reason ? "; " : "",
             reason ? reason : "");
}

/* --- order ---------------------------------------------------------------------------------- */

/* Who blocks others first, then open transactions, then the oldest: with a limit, and when time
 * runs out, the worst ones have gone. */
static int compare_harm(const void *left, const void *right)
{
    const struct db_session *a = ((const struct db_cleaned *)left)->session;
    const struct db_session *b = ((const struct db_cleaned *)right)->session;
    if (a->blocks != b->blocks)
        return a->blocks > b->blocks ? -1 : 1;
    if (is_in_transaction(a) != is_in_transaction(b))
        return is_in_transaction(a) ? -1 : 1;
    if (a->state_age_s < b->state_age_s || a->state_age_s > b->state_age_s)
        return a->state_age_s > b->state_age_s ? -1 : 1;
    return a->pid < b->pid ? -1 : a->pid > b->pid;
}

static void sort(struct db_cleaned *items, size_t count)
{
    if (count > 0)
        qsort(items, count, sizeof *items, compare_harm);
}

/* Victims first, each group in the order that it has. */
static void group(struct db_clean_report *report)
{
    static const enum db_verdict order[] = {DB_VICTIM, DB_STAYED, DB_DENIED, DB_SPARED};
    int *const counts[] = {&report->victims, &report->stayed, &report->denied, &report->spared};
    _Static_assert(ARRAY_SIZE(order) == DB_VERDICTS, "every verdict has its place");
    struct db_cleaned *grouped = mem_new(report->count * sizeof *grouped);
    size_t at = 0;
    for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
        size_t first = at;
        for (size_t j = 0; j < report->count; j++)
            if (report->items[j].verdict == order[i])
                grouped[at++] = report->items[j];
        *counts[i] = (int)(at - first);
    }
    free(report->items);
    report->items = grouped;
}

/* --- what stands in the way ----------------------------------------------------------------- */

static void hint_grant(struct db_clean_report *report, bool cannot_see, bool cannot_end)
{
    const char *role = report->activity->role;
    CLEANUP_FREE char *grant =
        db__sql_grant(cannot_see && cannot_end ? "pg_monitor, pg_signal_backend"
                      : cannot_see             ? "pg_monitor"
                                               : "pg_signal_backend",
                      role);
    err_set(&report->hint, ERR_PERMISSION, "postgres: %s may not %s the sessions of other roles",
            role,
            cannot_see && cannot_end ? "see or end"
            : cannot_see             ? "see"
                                     : "end");
    err_hint(&report->hint, "as a superuser: %s", grant);
}

static void hint_superusers(struct db_clean_report *report, int count, const char *role)
{
    err_set(&report->hint, ERR_REFUSED,
            "postgres: %d %s to the superuser %s; not ended unless told", count,
            count == 1 ? "leaked session belongs" : "leaked sessions belong", role);
    err_hint(&report->hint, "end them with superusers: true, and let the apps log in as a role "
                            "that is no superuser");
}

static void hint(struct db_clean_report *report)
{
    bool cannot_end = false;
    int superusers = 0;
    const char *role = "";
    for (size_t i = 0; i < report->count; i++) {
        const struct db_cleaned *item = &report->items[i];
        const struct db_session *session = item->session;
        cannot_end |= item->verdict == DB_DENIED && session->denied && !session->superuser;
        if (item->verdict == DB_SPARED && session->superuser) {
            superusers++;
            role = session->role;
        }
    }
    err_clear(&report->hint);
    if (report->activity->restricted || cannot_end)
        hint_grant(report, report->activity->restricted, cannot_end);
    else if (superusers > 0)
        hint_superusers(report, superusers, role);
}

void db__clean_finish(struct db_clean_report *report)
{
    group(report);
    hint(report);
}

/* --- the report ----------------------------------------------------------------------------- */

struct db_clean_report *db_clean_select(struct db_activity *activity,
                                        const struct db_clean_rules *rules)
{
    struct db_clean_report *report = mem_new(sizeof *report);
    report->activity = activity;
    report->used_before = report->used_after = activity->used;
    for (size_t i = 0; i < activity->session_count; i++) {
        const struct db_session *session = &activity->sessions[i];
        if (is_considered(session, rules) && is_old_enough(session, rules))
            MEM_PUSH(report->items, report->count)->session = session;
    }
    sort(report->items, report->count);
    int chosen = 0;
    for (size_t i = 0; i < report->count; i++) {
        decide(&report->items[i], rules, chosen);
        chosen += report->items[i].verdict == DB_VICTIM;
    }
    db__clean_finish(report);
    return report;
}
