/* Reading a snapshot and choosing whom to end, without a server. */
#include "base/mem.h"
#include "postgres/clean.h"
#include "postgres/db.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

/* --- making snapshots ----------------------------------------------------------------------- */

/* One session, idle for ten minutes; `more` overrides: JSON members, or "". */
static json_t *session(int pid, const char *more)
{
    CLEANUP_FREE char *base = mem_printf(
        "{\"pid\":%d,\"start\":\"2026-11-23T22:47:05.123456Z\",\"role\":\"app\",\"database\":"
        "\"shop\","
        "\"application\":\"web\",\"client\":\"10.0.0.%d\",\"port\":4000,\"state\":\"idle\","
        "\"type\":\"client backend\",\"state_age\":600.5,\"age\":1200,\"blocks\":0,"
        "\"superuser\":false,\"replication\":false,\"backup\":false,\"denied\":false,"
        "\"ours\":false}",
        pid, pid);
    CLEANUP_FREE char *extra = mem_printf("{%s}", more);
    json_t *json = json_parse(base, strlen(base), "test", NULL);
    CLEANUP_JSON json_t *overrides = json_parse(extra, strlen(extra), "test", NULL);
    ck_assert_ptr_nonnull(json);
    ck_assert_msg(overrides != NULL, "%s", extra);
    json_object_update(json, overrides);
    return json;
}

static struct db_activity *activity_of(json_t *sessions, const char *more)
{
    CLEANUP_FREE char *head =
        mem_printf("{\"max\":20,\"reserved\":3,\"used\":15,\"role\":\"guard\"%s}", more);
    CLEANUP_JSON json_t *json = json_parse(head, strlen(head), "test", NULL);
    json_object_set_new(json, "sessions", sessions);
    CLEANUP_FREE char *text = json_line(json);
    struct db_activity *activity = NULL;
    struct err e;
    ck_assert_msg(db_activity_parse(text, strlen(text), &activity, &e) == 0, "%s", e.text);
    return activity;
}

static struct db_clean_report *select_one(const char *more, const struct db_clean_rules *rules)
{
    return db_clean_select(activity_of(json_pack("[o]", session(1, more)), ""), rules);
}

/* --- a snapshot ------------------------------------------------------------------------------- */

START_TEST(snapshot)
{
    struct db_activity *activity = activity_of(
        json_pack("[oo]",
                  session(7, "\"state\":null,\"client\":\"local\",\"port\":-1,\"blocks\":2"),
                  session(8, "\"state_age\":-5,\"age\":null,\"superuser\":true")),
        ",\"prepared\":1,\"in_recovery\":true,\"version\":\"15.20\",\"restricted\":true");
    ck_assert_int_eq(activity->max_connections, 20);
    ck_assert_int_eq(activity->reserved, 3);
    ck_assert_int_eq(activity->used, 15);
    ck_assert_int_eq(activity->available, 2);
    ck_assert_int_eq(activity->prepared, 1);
    ck_assert(activity->in_recovery && activity->restricted);
    ck_assert_str_eq(activity->version, "15.20");
    ck_assert_str_eq(activity->role, "guard");
    ck_assert_double_eq_tol(db_activity_utilization(activity), 15.0 / 17, 1e-9);
    const struct db_session *first = &activity->sessions[0], *second = &activity->sessions[1];
    ck_assert_str_eq(first->state, "");
    ck_assert_str_eq(first->client, "local");
    ck_assert_int_eq(first->client_port, -1);
    ck_assert_int_eq(first->blocks, 2);
    ck_assert_double_eq(second->state_age_s, 0);
    ck_assert_double_eq(second->age_s, 0);
    ck_assert(second->superuser);

    CLEANUP_JSON json_t *json = db_activity_json(activity);
    ck_assert_int_eq(json_int_at(json, "available", -1), 2);
    ck_assert_double_eq_tol(json_number_at(json, "utilization", -1), 15.0 / 17, 1e-9);
    ck_assert_uint_eq(json_array_size(json_at(json, "sessions")), 2);
    ck_assert_str_eq(json_text_at(json_array_get(json_at(json, "sessions"), 0), "role", ""), "app");
    db_activity_free(activity);
    db_activity_free(NULL);
}
END_TEST

START_TEST(snapshots_that_are_none)
{
    static const char *const bad[] = {
        "",
        "null",
        "[]",
        "{}",
        "{\"max\":0,\"sessions\":[]}",
        "{\"max\":20}",
        "{\"max\":20,\"sessions\":{}}",
        "{\"max\":20,\"sessions\":[1]}",
        "{\"max\":20,\"sessions\":[{\"pid\":-4}]}",
        "{\"max\":20,\"sessions\":[{\"pid\":1},{}]}",
        "{\"max\":20,\"sessions\":[",
        "ERROR:  42501",
    };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct db_activity *activity = NULL;
        struct err e = {0};
        ck_assert_int_eq(db_activity_parse(bad[i], strlen(bad[i]), &activity, &e), -ERR_PROTOCOL);
        ck_assert_ptr_null(activity);
        ck_assert_int_eq(e.code, ERR_PROTOCOL);
    }
}
END_TEST

START_TEST(snapshot_with_odd_values)
{
    /* Names that are not UTF-8, numbers beyond int, types that are not ours. */
    static const char text[] =
        "{\"max\":20,\"reserved\":-1,\"used\":-7,\"prepared\":99999999999,\"sessions\":[{\"pid\":5,"
        "\"role\":\"caf\xE9\",\"blocks\":\"many\",\"state_age\":1e300,\"port\":-99999999999,"
        "\"ours\":1}]}";
    struct db_activity *activity = NULL;
    struct err e;
    ck_assert_int_eq(db_activity_parse(text, sizeof text - 1, &activity, &e), 0);
    ck_assert_int_eq(activity->reserved, 0);
    ck_assert_int_eq(activity->used, 0);
    ck_assert_str_eq(activity->sessions[0].role, "caf\xEF\xBF\xBD");
    ck_assert_int_eq(activity->sessions[0].blocks, 0);
    ck_assert(!activity->sessions[0].ours);
    struct db_clean_rules rules = DB_CLEAN_DEFAULTS;
    rules.all = true;
    db_clean_report_free(db_clean_select(activity, &rules)); /* an age of 10^292 years */
}
END_TEST

START_TEST(utilization_without_ordinary_slots)
{
    struct db_activity activity = {.max_connections = 3, .reserved = 3, .used = 1};
    ck_assert_double_eq(db_activity_utilization(&activity), 0);
}
END_TEST

/* --- whom ------------------------------------------------------------------------------------- */

/* DB_CLEAN_DEFAULTS as an initialiser of static data. */
#define DEFAULTS                                                                                   \
    {                                                                                              \
        .idle_ms = 60000, .idle_in_transaction_ms = 60000                                          \
    }

static const char *const only_web[] = {"web", NULL};
static const char *const only_wo[] = {"wo*", NULL};
static const char *const nobody[] = {NULL};
static const char *const anything[] = {"*", NULL};

static const struct db_session_id this_one[] = {{7, "x"}, {1, "2026-11-23T22:47:05.123456Z"}};
static const struct db_session_id later_one[] = {{1, "2026-11-23T22:47:05.123457Z"},
                                                 {2, "2026-11-23T22:47:05.123456Z"}};

enum outcome { NOT_REPORTED = DB_VERDICTS };

static const struct {
    const char *what;
    const char *session;
    struct db_clean_rules rules;
    int verdict;
} cases[] = {
    {"idle for long", "", DEFAULTS, DB_VICTIM},
    {"exactly at the limit", "\"state_age\":60.0", DEFAULTS, DB_VICTIM},
    {"idle for a moment", "\"state_age\":59.9", DEFAULTS, NOT_REPORTED},
    {"active", "\"state\":\"active\"", DEFAULTS, NOT_REPORTED},
    {"in a transaction", "\"state\":\"idle in transaction\"", DEFAULTS, DB_VICTIM},
    {"in an aborted one", "\"state\":\"idle in transaction (aborted)\"", DEFAULTS, DB_VICTIM},
    {"idle is left alone", "", {.idle_ms = -1, .idle_in_transaction_ms = 0}, NOT_REPORTED},
    {"transactions are left alone",
     "\"state\":\"idle in transaction\"",
     {.idle_ms = 0, .idle_in_transaction_ms = -1},
     NOT_REPORTED},
    {"disabled tracking", "\"state\":\"disabled\"", DEFAULTS, NOT_REPORTED},
    {"all: active", "\"state\":\"active\",\"state_age\":0", {.all = true}, DB_VICTIM},
    {"ours", "\"ours\":true", {.all = true, .superusers = true}, NOT_REPORTED},
    {"a walsender",
     "\"type\":\"walsender\",\"replication\":true",
     {.all = true, .superusers = true},
     NOT_REPORTED},
    {"a background worker", "\"type\":\"parallel worker\"", {.all = true}, NOT_REPORTED},
    {"a backup", "\"backup\":true", {.all = true, .superusers = true}, NOT_REPORTED},
    {"a superuser", "\"superuser\":true,\"denied\":true", DEFAULTS, DB_SPARED},
    {"a superuser, told", "\"superuser\":true", {.superusers = true}, DB_VICTIM},
    {"a superuser, told, no right",
     "\"superuser\":true,\"denied\":true",
     {.superusers = true},
     DB_DENIED},
    {"no right", "\"denied\":true", DEFAULTS, DB_DENIED},
    {"hidden", "\"start\":null,\"state\":null,\"type\":null,\"state_age\":null", DEFAULTS,
     NOT_REPORTED},
    {"hidden, all", "\"start\":null,\"state\":null,\"type\":null", {.all = true}, DB_DENIED},
    {"of this application", "", {.applications = only_web}, DB_VICTIM},
    {"of another application",
     "\"application\":\"web2\"",
     {.applications = only_web},
     NOT_REPORTED},
    {"by a pattern", "\"application\":\"worker\"", {.applications = only_wo}, DB_VICTIM},
    {"of the pattern's bare stem", "\"application\":\"wo\"", {.applications = only_wo}, DB_VICTIM},
    {"beside the pattern", "\"application\":\"two\"", {.applications = only_wo}, NOT_REPORTED},
    {"an empty list takes nobody", "", {.applications = nobody}, NOT_REPORTED},
    {"a star takes everybody", "\"application\":\"\"", {.applications = anything}, DB_VICTIM},
    {"of another role", "", {.roles = only_web}, NOT_REPORTED},
    {"of this role", "\"role\":\"web\"", {.roles = only_web}, DB_VICTIM},
    {"of another database", "", {.databases = only_web}, NOT_REPORTED},
    {"of this database", "\"database\":\"web\"", {.databases = only_web}, DB_VICTIM},
    {"of another client", "", {.clients = only_web}, NOT_REPORTED},
    {"of this client", "\"client\":\"web\"", {.clients = only_web}, DB_VICTIM},
    {"this very session", "", {.sessions = this_one, .session_count = 2}, DB_VICTIM},
    {"a session before or beside it",
     "",
     {.sessions = later_one, .session_count = 2},
     NOT_REPORTED},
    {"an empty list of sessions", "", {.sessions = this_one, .all = true}, NOT_REPORTED},
    {"listed, or of this client: listed",
     "",
     {.sessions = this_one, .session_count = 2, .clients = only_web},
     DB_VICTIM},
    {"listed, or of this client: of this client",
     "\"client\":\"web\"",
     {.sessions = later_one, .session_count = 2, .clients = only_web},
     DB_VICTIM},
    {"neither listed nor of this client",
     "",
     {.sessions = later_one, .session_count = 2, .clients = only_web},
     NOT_REPORTED},
    {"protected by application", "", {.protect = only_web}, DB_SPARED},
    {"protected by role",
     "\"application\":\"x\",\"role\":\"worker\"",
     {.protect = only_wo},
     DB_SPARED},
    {"protected, also when all go", "", {.protect = only_web, .all = true}, DB_SPARED},
};

START_TEST(whom)
{
    struct db_clean_report *report = select_one(cases[_i].session, &cases[_i].rules);
    int verdict = report->count ? (int)report->items[0].verdict : NOT_REPORTED;
    ck_assert_msg(verdict == cases[_i].verdict, "%s: %d instead of %d", cases[_i].what, verdict,
                  cases[_i].verdict);
    ck_assert_int_eq(report->victims, verdict == DB_VICTIM);
    ck_assert_int_eq(report->spared, verdict == DB_SPARED);
    ck_assert_int_eq(report->denied, verdict == DB_DENIED);
    db_clean_report_free(report);
}
END_TEST

START_TEST(order_and_limit)
{
    json_t *sessions =
        json_pack("[oooooo]", session(1, "\"state_age\":900"), session(2, "\"state_age\":1000"),
                  session(3, "\"state\":\"idle in transaction\",\"state_age\":100"),
                  session(4, "\"blocks\":1,\"state_age\":70"),
                  session(5, "\"superuser\":true,\"state_age\":5000"), session(6, "\"blocks\":3"));
    struct db_clean_rules rules = DB_CLEAN_DEFAULTS;
    rules.limit = 4;
    struct db_clean_report *report = db_clean_select(activity_of(sessions, ""), &rules);
    static const int order[] = {6, 4, 3, 2, 5, 1};
    ck_assert_uint_eq(report->count, ARRAY_SIZE(order));
    ck_assert_int_eq(report->victims, 4);
    ck_assert_int_eq(report->spared, 2);
    for (size_t i = 0; i < ARRAY_SIZE(order); i++)
        ck_assert_int_eq(report->items[i].session->pid, order[i]);
    ck_assert_ptr_nonnull(strstr(report->items[5].why, "limit"));
    ck_assert_int_eq(report->used_before, 15);
    ck_assert_int_eq(report->used_after, 15);
    db_clean_report_free(report);
    db_clean_report_free(NULL);
}
END_TEST

/* --- what is said ----------------------------------------------------------------------------- */

START_TEST(reasons)
{
    struct db_clean_rules rules = DB_CLEAN_DEFAULTS;
    struct db_clean_report *report = select_one("\"state_age\":842", &rules);
    ck_assert_str_eq(report->items[0].why, "idle for 14m02s");
    ck_assert(!err_is_set(&report->hint));
    db_clean_report_free(report);

    report = select_one("\"superuser\":true,\"role\":\"boss\"", &rules);
    ck_assert_ptr_nonnull(strstr(report->items[0].why, "superusers: true"));
    ck_assert_int_eq(report->hint.code, ERR_REFUSED);
    ck_assert_ptr_nonnull(
        strstr(report->hint.text, "1 leaked session belongs to the superuser boss"));
    db_clean_report_free(report);

    report = select_one("\"denied\":true", &rules);
    ck_assert_int_eq(report->hint.code, ERR_PERMISSION);
    ck_assert_ptr_nonnull(strstr(report->hint.hint, "GRANT pg_signal_backend TO guard;"));
    db_clean_report_free(report);

    json_t *sessions = json_pack("[o]", session(1, "\"start\":null,\"state\":null"));
    report = db_clean_select(activity_of(sessions, ",\"restricted\":true"), &rules);
    ck_assert_ptr_nonnull(strstr(report->hint.hint, "GRANT pg_monitor TO guard;"));
    db_clean_report_free(report);

    rules.all = true;
    sessions = json_pack("[o]", session(1, "\"start\":null,\"state\":null,\"denied\":true"));
    report = db_clean_select(activity_of(sessions, ",\"restricted\":true"), &rules);
    ck_assert_ptr_nonnull(
        strstr(report->hint.hint, "GRANT pg_monitor, pg_signal_backend TO guard;"));
    db_clean_report_free(report);
}
END_TEST

START_TEST(report_as_json)
{
    struct db_clean_rules rules = DB_CLEAN_DEFAULTS;
    json_t *sessions = json_pack("[ooo]", session(1, ""), session(2, "\"superuser\":true"),
                                 session(3, "\"denied\":true"));
    struct db_clean_report *report = db_clean_select(activity_of(sessions, ""), &rules);
    report->dry_run = true;
    report->activity->by = "lifeline";
    CLEANUP_JSON json_t *json = db_clean_report_json(report);
    ck_assert(json_bool_at(json, "dry_run", false));
    ck_assert_str_eq(json_text_at(json, "by", ""), "lifeline");
    ck_assert_int_eq(json_int_at(json, "used_before", 0), 15);
    const json_t *ended = json_array_get(json_at(json, "ended"), 0);
    ck_assert_int_eq(json_int_at(ended, "pid", 0), 1);
    ck_assert_double_eq(json_number_at(ended, "idle_seconds", 0), 600.5);
    ck_assert_uint_eq(json_array_size(json_at(json, "spared")), 1);
    ck_assert_uint_eq(json_array_size(json_at(json, "stayed")), 0);
    ck_assert_uint_eq(json_array_size(json_at(json, "denied")), 1);
    ck_assert_str_eq(json_text_at(json, "hint/code", ""), "permission");
    db_clean_report_free(report);
}
END_TEST

START_TEST(rules_are_copied)
{
    char name[] = "web";
    const char *const list[] = {name, NULL};
    char start[] = "2026";
    const struct db_session_id ids[] = {{4, start}};
    struct db_clean_rules rules = {
        .applications = list, .sessions = ids, .session_count = 1, .protect = nobody, .limit = 3};
    struct db_clean_rules copy = db__rules_copy(&rules);
    name[0] = start[0] = 'x';
    ck_assert_int_eq(copy.sessions[0].pid, 4);
    ck_assert_str_eq(copy.sessions[0].backend_start, "2026");
    ck_assert(db__name_matches(copy.applications, "web"));
    ck_assert(!db__name_matches(copy.protect, "web"));
    ck_assert_ptr_null(copy.roles);
    ck_assert_int_eq(copy.limit, 3);
    db__rules_free(&copy);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("postgres_select");
    TCase *tcase = tcase_create("pure");
    tcase_add_test(tcase, snapshot);
    tcase_add_test(tcase, snapshots_that_are_none);
    tcase_add_test(tcase, snapshot_with_odd_values);
    tcase_add_test(tcase, utilization_without_ordinary_slots);
    tcase_add_loop_test(tcase, whom, 0, (int)ARRAY_SIZE(cases));
    tcase_add_test(tcase, order_and_limit);
    tcase_add_test(tcase, reasons);
    tcase_add_test(tcase, report_as_json);
    tcase_add_test(tcase, rules_are_copied);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
