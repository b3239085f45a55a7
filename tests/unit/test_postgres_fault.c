/* What failures mean, without a server: codes, libpq's words, what psql prints, counts, phases. */
#include "base/mem.h"
#include "postgres/backdoor.h"
#include "postgres/exhaustion.h"
#include "postgres/fault.h"
#include "postgres/phase.h"
#include "postgres/sql.h"

#include <check.h>
#include <string.h>

static const char where[] = "host=h port=1 dbname=d user=u";

/* --- logins --------------------------------------------------------------------------------- */

static const struct {
    const char *message;
    const char *sqlstate;
    enum db_state state;
    enum err_code code;
} logins[] = {
    {"connection to server at \"h\" (::1), port 1 failed: FATAL:  53300", "53300", DB_EXHAUSTED,
     ERR_EXHAUSTED},
    {"connection to server at \"h\" (::1), port 1 failed: ВАЖНО:  28P01\n", "28P01", DB_AUTH_FAILED,
     ERR_PERMISSION},
    {"FATAL:  57P03", "57P03", DB_STARTING, ERR_UNREACHABLE},
    {"FATAL:  28000", "28000", DB_AUTH_FAILED, ERR_PERMISSION},
    {"FATAL:  28123", "28123", DB_AUTH_FAILED, ERR_PERMISSION},
    {"FATAL:  3D000", "3D000", DB_UNREACHABLE, ERR_NOT_FOUND},
    {"FATAL:  42501", "42501", DB_AUTH_FAILED, ERR_PERMISSION},
    {"FATAL:  55000", "55000", DB_UNREACHABLE, ERR_CONFLICT},
    {"FATAL:  08P01", "08P01", DB_UNREACHABLE, ERR_PROTOCOL},
    {"FATAL:  0A000", "0A000", DB_UNREACHABLE, ERR_UNSUPPORTED},
    {"FATAL:  53200", "53200", DB_UNREACHABLE, ERR_FAILED},
    {"FATAL:  XX999", "XX999", DB_UNREACHABLE, ERR_FAILED},
    {"FATAL:  99999", "99999", DB_UNREACHABLE, ERR_FAILED},
    /* The first address is refused, the second answers: the answer counts; and the other way. */
    {"connection to server at \"h\" (::1), port 1 failed: Connection refused\n\tIs the server "
     "running on that host and accepting TCP/IP connections?\n"
     "connection to server at \"h\" (127.0.0.1), port 1 failed: FATAL:  53300",
     "53300", DB_EXHAUSTED, ERR_EXHAUSTED},
    {"connection to server at \"h\" (127.0.0.1), port 1 failed: FATAL:  57P03\n"
     "connection to server at \"h\" (::1), port 1 failed: Connection refused\n\tIs the server "
     "running on that host and accepting TCP/IP connections?\n",
     "57P03", DB_STARTING, ERR_UNREACHABLE},
    {"connection to server at \"h\" (10.0.0.1), port 1 failed: No route to host\n"
     "connection to server at \"h\" (10.0.0.2), port 1 failed: FATAL:  57P03\n"
     "connection to server at \"h\" (10.0.0.3), port 1 failed: Connection refused\n",
     "57P03", DB_STARTING, ERR_UNREACHABLE},
    /* Of two answers the last counts. */
    {"connection to server at \"h\" (127.0.0.1), port 1 failed: FATAL:  57P03\n"
     "connection to server at \"g\" (127.0.0.2), port 1 failed: FATAL:  53300\n",
     "53300", DB_EXHAUSTED, ERR_EXHAUSTED},
    /* Who is there without an answer counts before nobody, and after an answer. */
    {"connection to server on socket \"/x/.s.PGSQL.1\" failed: Resource temporarily unavailable\n"
     "connection to server at \"h\" (127.0.0.1), port 1 failed: Connection refused\n",
     "", DB_HUNG, ERR_TIMEOUT},
    {"connection to server at \"h\" (127.0.0.1), port 1 failed: FATAL:  57P03\n"
     "connection to server on socket \"/x/.s.PGSQL.1\" failed: Resource temporarily unavailable\n",
     "57P03", DB_STARTING, ERR_UNREACHABLE},
    /* Nobody anywhere: the last one is told. */
    {"connection to server at \"h\" (10.0.0.1), port 1 failed: No route to host\n"
     "connection to server at \"h\" (10.0.0.2), port 1 failed: Connection refused\n",
     "", DB_REFUSED, ERR_UNREACHABLE},
    {"connection to server at \"h\" (::1), port 1 failed: Cannot assign requested address\n"
     "connection to server at \"h\" (127.0.0.1), port 1 failed: Connection refused\n",
     "", DB_REFUSED, ERR_UNREACHABLE},
    {"connection to server on socket \"/x/.s.PGSQL.1\" failed: No such file or directory", "",
     DB_REFUSED, ERR_UNREACHABLE},
    {"failed: Permission denied", "", DB_UNREACHABLE, ERR_PERMISSION},
    {"failed: No route to host", "", DB_UNREACHABLE, ERR_UNREACHABLE},
    {"failed: fe_sendauth: no password supplied", "", DB_AUTH_FAILED, ERR_PERMISSION},
    {"failed: expected authentication request from server, but received H", "", DB_UNREACHABLE,
     ERR_PROTOCOL},
    {"failed: server closed the connection unexpectedly\n\tThis probably means …", "",
     DB_UNREACHABLE, ERR_UNREACHABLE},
    {"failed: SSL error: certificate verify failed", "", DB_UNREACHABLE, ERR_PERMISSION},
    {"failed: server does not support SSL, but SSL was required", "", DB_UNREACHABLE,
     ERR_UNSUPPORTED},
    {"failed: FATAL:  no code here, only words\n", "", DB_UNREACHABLE, ERR_UNREACHABLE},
    /* The queue of a stopped server's socket, and a server that lives but cannot fork. */
    {"connection to server on socket \"/x/.s.PGSQL.1\" failed: Resource temporarily unavailable\n",
     "", DB_HUNG, ERR_TIMEOUT},
    {"connection to server at \"h\" (::1), port 1 failed: could not fork new process for "
     "connection: Resource temporarily unavailable\n",
     "", DB_UNREACHABLE, ERR_FAILED},
    {"connection to server at \"h\" (::1), port 1 failed: konnte neuen Prozess für Verbindung "
     "nicht "
     "starten: Resource temporarily unavailable\n",
     "", DB_UNREACHABLE, ERR_UNREACHABLE},
    {"", "", DB_UNREACHABLE, ERR_UNREACHABLE},
};

START_TEST(login)
{
    struct db__fault fault;
    db__fault_login(&fault, where, logins[_i].message);
    ck_assert_str_eq(fault.sqlstate, logins[_i].sqlstate);
    ck_assert_int_eq(fault.state, logins[_i].state);
    ck_assert_int_eq(fault.e.code, logins[_i].code);
    ck_assert_ptr_nonnull(strstr(fault.e.text, where));
    ck_assert_ptr_null(strchr(fault.e.text, '\n'));
    if (fault.sqlstate[0])
        ck_assert_ptr_nonnull(strstr(fault.e.text, fault.sqlstate));
}
END_TEST

#define AT(address, words) "connection to server at \"h\" (" address "), port 1 failed: " words "\n"

/* Only then may what comes next be taken for a start. */
START_TEST(absent_is_who_is_nowhere)
{
    static const struct {
        const char *message;
        bool is_absent;
    } all[] = {
        {AT("10.0.0.1", "Connection refused"), true},
        {AT("10.0.0.1", "No route to host") AT("10.0.0.2", "Connection refused"), true},
        {AT("10.0.0.1", "FATAL:  57P03") AT("10.0.0.2", "Connection refused"), false},
        {AT("10.0.0.1", "Connection refused") AT("10.0.0.2", "FATAL:  57P03"), false},
        {AT("10.0.0.1", "Permission denied") AT("10.0.0.2", "Connection refused"), false},
        {AT("10.0.0.1", "session is read-only") AT("10.0.0.2", "Connection refused"), false},
        {AT("::1", "Cannot assign requested address") AT("127.0.0.1", "Connection refused"), true},
        {AT("10.0.0.1", "words that are new") AT("10.0.0.2", "No route to host"), false},
        {AT("10.0.0.1", "No route to host") AT("10.0.0.2", "words that are new"), false},
    };
    struct db__fault fault;
    for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
        db__fault_login(&fault, where, all[i].message);
        ck_assert_msg(fault.is_absent == all[i].is_absent, "%s", all[i].message);
    }
}
END_TEST

START_TEST(login_quotes_what_it_does_not_know)
{
    struct db__fault fault;
    db__fault_login(&fault, where, "failed: a new\tsentence of libpq\n");
    ck_assert_ptr_nonnull(strstr(fault.e.text, "a new sentence of libpq"));
    db__fault_login(&fault, where, AT("::1", "No route to host") AT("127.0.0.1", "news"));
    ck_assert_ptr_nonnull(strstr(fault.e.text, "(127.0.0.1), port 1 failed: news"));
    ck_assert_ptr_null(strstr(fault.e.text, "::1"));
}
END_TEST

START_TEST(sqlstates_in_messages)
{
    char code[DB__SQLSTATE_MAX];
    ck_assert(!db__sqlstate_find("ERROR: 42501", code)); /* one blank: not libpq's form */
    ck_assert(!db__sqlstate_find("ERROR:  4250", code));
    ck_assert(!db__sqlstate_find("ERROR:  425011", code));
    ck_assert(!db__sqlstate_find("ERROR:  hello", code));
    ck_assert_str_eq(code, "");
    ck_assert(db__sqlstate_find("FEHLER:  42501", code));
    ck_assert_str_eq(code, "42501");
}
END_TEST

START_TEST(losses_and_statements)
{
    struct db__fault fault;
    db__fault_loss(&fault, where, "");
    ck_assert_int_eq(fault.state, DB_UNREACHABLE);
    db__fault_loss(&fault, where, "57P01");
    ck_assert_int_eq(fault.state, DB_SHUTTING_DOWN);
    db__fault_loss(&fault, where, "57P02");
    ck_assert_int_eq(fault.state, DB_RECOVERING);
    db__fault_loss(&fault, where, "57P05");
    ck_assert_ptr_nonnull(strstr(fault.e.hint, "idle_session_timeout"));
    db__fault_statement(&fault, where, "57014");
    ck_assert_int_eq(fault.e.code, ERR_TIMEOUT);
    db__fault_silence(&fault, where, true, 1500);
    ck_assert_int_eq(fault.state, DB_HUNG);
    ck_assert_ptr_nonnull(strstr(fault.e.text, "1.5s"));
    db__fault_silence(&fault, where, false, 1500);
    ck_assert_int_eq(fault.state, DB_UNREACHABLE);
    db__fault_name(&fault, where, "unknown node or service");
    ck_assert_ptr_nonnull(strstr(fault.e.text, "unknown node"));
    ck_assert(db__sqlstate_ends_session("57P01"));
    ck_assert(!db__sqlstate_ends_session("57014"));
}
END_TEST

/* --- starting, recovering, shutting down ---------------------------------------------------- */

START_TEST(phases)
{
    struct db__phase phase = {0};
    struct db__fault refused, no_route, silence, not_now = {.state = DB_STARTING};
    db__fault_login(&refused, "x", "connection to server at x failed: Connection refused");
    db__fault_login(&no_route, "x", "connection to server at x failed: No route to host");
    db__fault_silence(&silence, "x", false, 3000);
    ck_assert_int_eq(db__phase_judge(&phase, false), DB_STARTING);
    ck_assert_int_eq(db__phase_judge(&phase, true), DB_SHUTTING_DOWN);

    db__phase_lost(&phase, "57P01", false);
    ck_assert_int_eq(db__phase_judge(&phase, false), DB_SHUTTING_DOWN);
    db__phase_login(&phase, &not_now);
    ck_assert_int_eq(db__phase_judge(&phase, false), DB_SHUTTING_DOWN);
    db__phase_login(&phase, &refused); /* it is down: what follows is a start */
    ck_assert_int_eq(db__phase_judge(&phase, false), DB_STARTING);

    /* A container that was killed takes its address with it. */
    const struct db__fault *const gone[] = {&no_route, &silence};
    for (size_t i = 0; i < ARRAY_SIZE(gone); i++) {
        db__phase_lost(&phase, "57P01", false);
        db__phase_login(&phase, gone[i]);
        ck_assert_int_eq(db__phase_judge(&phase, false), DB_STARTING);
    }
    db__fault_silence(&silence, "x", true, 3000); /* taken, and not a word: it may be on its way */
    db__phase_lost(&phase, "57P01", false);
    db__phase_login(&phase, &silence);
    ck_assert_int_eq(db__phase_judge(&phase, false), DB_SHUTTING_DOWN);
    db__phase_login(&phase, NULL);

    db__phase_lost(&phase, "57P02", true);
    db__phase_login(&phase, &refused);
    ck_assert_int_eq(db__phase_judge(&phase, false), DB_RECOVERING);
    db__phase_login(&phase, NULL);
    ck_assert_int_eq(db__phase_judge(&phase, false), DB_STARTING);

    db__phase_lost(&phase, "57P01", true); /* an immediate stop */
    ck_assert_int_eq(db__phase_judge(&phase, false), DB_RECOVERING);
    db__phase_login(&phase, NULL);
    db__phase_lost(&phase, "", false);
    ck_assert_int_eq(db__phase_judge(&phase, false), DB_RECOVERING);
    db__phase_login(&phase, NULL);
    db__phase_lost(&phase, "57P05", false); /* idle for too long says nothing of the server */
    ck_assert_int_eq(db__phase_judge(&phase, false), DB_STARTING);

    db__phase_announce(&phase, true);
    db__phase_login(&phase, NULL); /* not stopped yet */
    ck_assert_int_eq(db__phase_judge(&phase, false), DB_SHUTTING_DOWN);
    db__phase_login(&phase, &refused);
    ck_assert_int_eq(db__phase_judge(&phase, false), DB_STARTING);
}
END_TEST

/* --- which limit ---------------------------------------------------------------------------- */

static const struct {
    struct db__counts counts;
    enum db_exhaustion kind;
    const char *words;
} limits[] = {
    {{20, 3, 20, false, -1, 9, -1, 9}, DB_EXHAUSTION_ALL, "all 20"},
    {{20, 3, 21, true, -1, 9, -1, 9}, DB_EXHAUSTION_ALL, "all 20"},
    {{20, 3, 17, false, -1, 9, -1, 9}, DB_EXHAUSTION_RESERVED, "the other 3 are reserved"},
    {{20, 3, 19, false, -1, 9, -1, 9}, DB_EXHAUSTION_RESERVED, "19 of 20"},
    {{20, 3, 17, true, -1, 9, -1, 9}, DB_EXHAUSTION_UNKNOWN, "a moment later"},
    {{20, 3, 12, false, 4, 4, -1, 9}, DB_EXHAUSTION_ROLE, "CONNECTION LIMIT is 4"},
    {{20, 3, 17, false, 4, 4, -1, 9}, DB_EXHAUSTION_ROLE, "the role"}, /* asked before reserved */
    {{20, 3, 20, false, 4, 4, 4, 4}, DB_EXHAUSTION_ALL, "all 20"},     /* asked before both */
    {{20, 3, 12, false, 0, 0, -1, 0}, DB_EXHAUSTION_ROLE, "LIMIT is 0"},
    {{20, 3, 12, false, 5, 4, 7, 7}, DB_EXHAUSTION_DATABASE, "the database has 7"},
    {{20, 3, 17, false, 5, 4, 7, 7}, DB_EXHAUSTION_RESERVED, "reserved"},
    {{20, 3, 16, false, 5, 4, 8, 7}, DB_EXHAUSTION_UNKNOWN, "16 of 20"},
};

START_TEST(which_limit)
{
    enum db_exhaustion kind = db__exhaustion_judge(&limits[_i].counts);
    ck_assert_str_eq(db_exhaustion_name(kind), db_exhaustion_name(limits[_i].kind));
    struct err e;
    db__exhaustion_explain(&limits[_i].counts, kind, where, &e);
    ck_assert_int_eq(e.code, ERR_EXHAUSTED);
    ck_assert_msg(strstr(e.text, limits[_i].words) != NULL, "%s", e.text);
    ck_assert_ptr_nonnull(strstr(e.text, where));
    ck_assert_str_ne(e.hint, "");
}
END_TEST

START_TEST(counts_from_json)
{
    struct db__counts counts;
    struct err e;
    ck_assert_int_eq(
        db__counts_parse("{\"max\":20,\"reserved\":3,\"used\":5,\"role_limit\":-1}", &counts, &e),
        0);
    ck_assert_int_eq(counts.used, 5);
    ck_assert_int_eq(counts.database_limit, -1);
    ck_assert_int_eq(db__counts_parse("[]", &counts, &e), -ERR_PROTOCOL);
    ck_assert_int_eq(db__counts_parse("{\"max\":", &counts, &e), -ERR_PROTOCOL);
    ck_assert_int_eq(db__counts_parse("{\"max\":0,\"used\":0}", &counts, &e), -ERR_PROTOCOL);
}
END_TEST

/* --- what psql prints ------------------------------------------------------------------------- */

static const struct {
    const char *out;
    const char *value; /* or NULL and: */
    const char *sqlstate;
    enum db_state state;
    enum err_code code;
} prints[] = {
    {"{\"a\": 1}\n", "{\"a\": 1}", "", 0, 0},
    {"WARNING:  01000\r\n{\"a\": 1}\r\n", "{\"a\": 1}", "", 0, 0},
    {"{\"text\": \"ERROR:  42501\"}\n", "{\"text\": \"ERROR:  42501\"}", "", 0, 0},
    {"ERROR:  42501\n", NULL, "42501", DB_AUTH_FAILED, ERR_PERMISSION},
    {"FEHLER:  57014\n", NULL, "57014", DB_UNKNOWN, ERR_TIMEOUT},
    {"FATAL:  57P01\nserver closed the connection unexpectedly\n", NULL, "57P01", DB_SHUTTING_DOWN,
     ERR_UNREACHABLE},
    {"psql: error: connection to server on socket \"/x\" failed: FATAL:  sorry, too many clients "
     "already\n",
     NULL, "53300", DB_EXHAUSTED, ERR_EXHAUSTED},
    {"psql: error: connection to server on socket \"/x\" failed: FATAL:  remaining connection "
     "slots "
     "are reserved for roles with the SUPERUSER attribute\n",
     NULL, "53300", DB_EXHAUSTED, ERR_EXHAUSTED},
    {"psql: error: connection to server on socket \"/x\" failed: FATAL:  the database system is "
     "starting up\n",
     NULL, "57P03", DB_STARTING, ERR_UNREACHABLE},
    {"psql: error: connection to server on socket \"/x\" failed: No such file or directory\n\tIs "
     "the "
     "server running locally?\n",
     NULL, "", DB_REFUSED, ERR_UNREACHABLE},
    {"psql: error: something new\n", NULL, "", DB_UNREACHABLE, ERR_UNREACHABLE},
    {"OCI runtime exec failed: psql not found\n", NULL, "", DB_UNKNOWN, ERR_PROTOCOL},
    {"", NULL, "", DB_UNKNOWN, ERR_PROTOCOL},
};

START_TEST(psql_output)
{
    struct db__fault fault;
    CLEANUP_FREE char *value = db__backdoor_read(where, NULL, prints[_i].out, &fault);
    if (prints[_i].value) {
        ck_assert_str_eq(value, prints[_i].value);
        return;
    }
    ck_assert_ptr_null(value);
    ck_assert_str_eq(fault.sqlstate, prints[_i].sqlstate);
    ck_assert_int_eq(fault.state, prints[_i].state);
    ck_assert_int_eq(fault.e.code, prints[_i].code);
    ck_assert_msg(strncmp(fault.e.text, "back door: ", 11) == 0, "%s", fault.e.text);
}
END_TEST

START_TEST(psql_that_failed)
{
    struct db__fault fault;
    struct err e;
    err_set(&e, ERR_NOT_FOUND, "no such container");
    ck_assert_ptr_null(db__backdoor_read(where, &e, NULL, &fault));
    ck_assert_int_eq(fault.e.code, ERR_NOT_FOUND);
    ck_assert_str_eq(fault.e.text, "back door: no such container");
    /* What it printed tells more than its exit code. */
    ck_assert_ptr_null(db__backdoor_read(where, &e, "ERROR:  42501\n", &fault));
    ck_assert_str_eq(fault.sqlstate, "42501");
    /* And a value of a psql that failed is none. */
    ck_assert_ptr_null(db__backdoor_read(where, &e, "{\"a\": 1}\n", &fault));
}
END_TEST

/* --- SQL texts -------------------------------------------------------------------------------- */

START_TEST(sql_texts)
{
    CLEANUP_FREE char *quoted = db__sql_exhaustion("it's", "ro\\le", "d'b");
    ck_assert_ptr_nonnull(strstr(quoted, "'it''s'"));
    ck_assert_ptr_nonnull(strstr(quoted, " E'ro\\\\le'"));
    ck_assert_ptr_nonnull(strstr(quoted, "'d''b'"));
    CLEANUP_FREE char *plain = db__sql_grant("pg_monitor", "shop_2");
    ck_assert_str_eq(plain, "GRANT pg_monitor TO shop_2;");
    CLEANUP_FREE char *odd = db__sql_grant("pg_monitor", "My \"Shop\"");
    ck_assert_str_eq(odd, "GRANT pg_monitor TO \"My \"\"Shop\"\"\";");
    CLEANUP_FREE char *digit = db__sql_grant("pg_monitor", "2shop");
    ck_assert_str_eq(digit, "GRANT pg_monitor TO \"2shop\";");
    CLEANUP_FREE char *low = db__sql_bounded("SELECT 1", 0);
    ck_assert_ptr_nonnull(strstr(low, "statement_timeout = 1;"));
    CLEANUP_FREE char *high = db__sql_bounded("SELECT 1", INT64_MAX);
    ck_assert_ptr_nonnull(strstr(high, "statement_timeout = 2147483647;"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("postgres_fault");
    TCase *tcase = tcase_create("pure");
    tcase_add_loop_test(tcase, login, 0, (int)ARRAY_SIZE(logins));
    tcase_add_test(tcase, absent_is_who_is_nowhere);
    tcase_add_test(tcase, login_quotes_what_it_does_not_know);
    tcase_add_test(tcase, sqlstates_in_messages);
    tcase_add_test(tcase, losses_and_statements);
    tcase_add_test(tcase, phases);
    tcase_add_loop_test(tcase, which_limit, 0, (int)ARRAY_SIZE(limits));
    tcase_add_test(tcase, counts_from_json);
    tcase_add_loop_test(tcase, psql_output, 0, (int)ARRAY_SIZE(prints));
    tcase_add_test(tcase, psql_that_failed);
    tcase_add_test(tcase, sql_texts);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
