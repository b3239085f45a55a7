/* The shipped log patterns against what real clients wrote, and the reader of a user's own. */
#include "watch/patterns.h"

#include "tests/unit/unit.h"

#include <dirent.h>
#include <stdio.h>

#ifndef LOG_LINES_DIR
#error "the folder of the recorded logs"
#endif

/* --- reading ---------------------------------------------------------------------------------- */

static struct patterns *read_patterns(const char *text, char **ret_complaints)
{
    struct diag_list diags;
    diag_init(&diags, "f.yaml", text);
    struct yaml_node *root = yaml_parse(text, strlen(text), &diags);
    struct patterns *patterns = root ? patterns_read(root, &diags) : NULL;
    *ret_complaints = diag_format(&diags);
    yaml_node_free(root);
    diag_free(&diags);
    return patterns;
}

static struct patterns *must_read(const char *text)
{
    CLEANUP_FREE char *complaints = NULL;
    struct patterns *patterns = read_patterns(text, &complaints);
    ck_assert_msg(patterns != NULL, "%s", complaints);
    return patterns;
}

static struct patterns *shipped(void)
{
    struct diag_list diags;
    diag_init(&diags, "f.yaml", "");
    struct patterns *patterns = patterns_read(NULL, &diags);
    ck_assert_uint_eq(diags.count, 0);
    diag_free(&diags);
    return patterns;
}

static size_t place(const struct patterns *patterns, const char *name)
{
    for (size_t i = 0; i < patterns_count(patterns); i++)
        if (strcmp(patterns_name(patterns, i), name) == 0)
            return i;
    ck_abort_msg("no pattern %s", name);
}

static bool matches(const struct patterns *patterns, const char *name, const char *line)
{
    enum pattern_verdict verdict =
        patterns_match(patterns, place(patterns, name), line, strlen(line));
    ck_assert_int_ne(verdict, PATTERN_TOO_HARD);
    return verdict == PATTERN_YES;
}

/* The line belongs to that pattern and to no other; NULL: to none. */
static void expect(const struct patterns *patterns, const char *name, const char *line)
{
    for (size_t i = 0; i < patterns_count(patterns); i++) {
        const char *other = patterns_name(patterns, i);
        bool wanted = name && strcmp(name, other) == 0;
        ck_assert_msg(matches(patterns, other, line) == wanted, "%s: %s", other, line);
    }
}

/* --- what real clients wrote: log_lines/, made by record.py ----------------------------------- */

struct recording {
    char *name;
    unsigned wanted[8], seen[8]; /* lines that match, by the pattern's place */
    unsigned lines;
};

static void take_line(struct recording *r, const struct patterns *patterns, char *line)
{
    char name[65];
    unsigned count;
    line[strcspn(line, "\n")] = '\0';
    if (sscanf(line, "# %64[a-z-]: %u", name, &count) == 2) {
        r->wanted[place(patterns, name)] = count;
        return;
    }
    if (line[0] == '#')
        return;
    r->lines++;
    for (size_t i = 0; i < patterns_count(patterns); i++)
        r->seen[i] += matches(patterns, patterns_name(patterns, i), line);
}

static void hold_recording(const struct patterns *patterns, const char *file)
{
    struct recording r = {.name = NULL};
    CLEANUP_FREE char *path = mem_printf("%s/%s", LOG_LINES_DIR, file);
    FILE *in = fopen(path, "r");
    char line[4096] = ""; /* expressions compiled to machine code read ahead, in whole words */
    ck_assert_ptr_nonnull(in);
    while (fgets(line, sizeof line, in))
        take_line(&r, patterns, line);
    fclose(in);
    ck_assert_uint_gt(r.lines, 0);
    for (size_t i = 0; i < patterns_count(patterns); i++)
        ck_assert_msg(r.seen[i] == r.wanted[i], "%s: %u lines match %s, not %u", file, r.seen[i],
                      patterns_name(patterns, i), r.wanted[i]);
}

START_TEST(real_clients_are_understood)
{
    struct patterns *patterns = shipped();
    DIR *dir = opendir(LOG_LINES_DIR);
    const struct dirent *entry;
    int count = 0;
    ck_assert_ptr_nonnull(dir);
    while ((entry = readdir(dir)))
        if (strstr(entry->d_name, ".log")) {
            hold_recording(patterns, entry->d_name);
            count++;
        }
    closedir(dir);
    ck_assert_int_ge(count, 25);
    patterns_free(patterns);
}
END_TEST

/* --- what is in the sources of clients that are not at hand ----------------------------------- */

static const struct {
    const char *pattern, *line;
} cited[] = {
    /* PostgreSQL 16 and later, src/backend/utils/init/postinit.c: two wordings */
    {"too-many-clients",
     "psql: error: connection to server at \"127.0.0.1\", port 5432 failed: FATAL:  "
     "remaining connection slots are reserved for roles with the SUPERUSER attribute"},
    {"too-many-clients",
     "asyncpg.exceptions.TooManyConnectionsError: remaining connection slots are "
     "reserved for roles with privileges of the \"pg_use_reserved_connections\" role"},
    /* jackc/pgx, pgconn/errors.go: ConnectError.Error around PgError.Error */
    {"too-many-clients",
     "failed to connect to `user=app database=shop`: 172.20.0.2:5432 (db): server error: "
     "FATAL: sorry, too many clients already (SQLSTATE 53300)"},
    /* lib/pq: "pq: " and the server's message */
    {"too-many-clients", "2026/11/23 04:57:32 pq: sorry, too many clients already"},
    /* sqlx, sqlx-core/src/error.rs: Error::Database; Error::PoolTimedOut */
    {"too-many-clients", "error returned from database: sorry, too many clients already"},
    {"pool-exhausted", "Error: pool timed out while waiting for an open connection"},
    /* Npgsql, src/Npgsql/PostgresException.cs: SqlState and MessageText */
    {"too-many-clients",
     "Npgsql.PostgresException (0x80004005): 53300: sorry, too many clients already"},
    /* Npgsql, PoolingDataSource.cs; up to Npgsql 5 "MaxPoolSize" */
    {"pool-exhausted",
     "Npgsql.NpgsqlException (0x80004005): The connection pool has been exhausted, either "
     "raise 'Max Pool Size' (currently 100) or 'Timeout' (currently 15 seconds) in your "
     "connection string."},
    {"pool-exhausted",
     "Npgsql.NpgsqlException (0x80004005): The connection pool has been exhausted, either "
     "raise MaxPoolSize (currently 100) or Timeout (currently 15 seconds)"},
    /* ActiveRecord, connection_adapters/abstract/connection_pool/queue.rb */
    {"pool-exhausted",
     "ActiveRecord::ConnectionTimeoutError (could not obtain a connection from the pool within "
     "5.000 seconds (waited 5.000 seconds); all pooled connections were in use):"},
    /* Prisma, P2024 */
    {"pool-exhausted",
     "Timed out fetching a new connection from the connection pool. More info: "
     "http://pris.ly/d/connection-pool (Current connection pool timeout: 10, connection limit: 5)"},
    /* knex, lib/client.js */
    {"pool-exhausted",
     "KnexTimeoutError: Knex: Timeout acquiring a connection. The pool is probably full. Are you "
     "missing a .transacting(trx) call?"},
    /* HikariCP 5, pool/HikariPool.java: createTimeoutException */
    {"pool-exhausted", "java.sql.SQLTransientConnectionException: HikariPool-1 - Connection is not "
                       "available, request "
                       "timed out after 30000ms (total=10, active=10, idle=0, waiting=5)"},
    /* SQLAlchemy's asyncio pool has its parent's words: lib/sqlalchemy/pool/impl.py */
    {"pool-exhausted",
     "sqlalchemy.exc.TimeoutError: QueuePool limit of size 5 overflow 10 reached, connection timed "
     "out, timeout 30.00 (Background on this error at: https://sqlalche.me/e/20/3o7r)"},
    /* PgBouncer 1.24, src/objects.c */
    {"pooler-exhausted", "asyncpg.exceptions.ProtocolViolationError: client connections exceeded "
                         "(max_db_client_connections)"},
    {"pooler-exhausted", "org.postgresql.util.PSQLException: FATAL: query_wait_timeout"},
    {"pooler-exhausted", "error: query_wait_timeout"},
    /* as JSON, as many apps log */
    {"too-many-clients",
     "{\"level\":\"error\",\"msg\":\"FATAL: sorry, too many clients already\",\"code\":\"53300\"}"},
    /* the server speaks the language of its lc_messages; the client passes it on */
    {"too-many-clients",
     "psycopg2.OperationalError: FATAL:  tut mir leid, schon zu viele Verbindungen"},
    {"too-many-clients",
     "psycopg2.OperationalError: FATAL:  désolé, trop de clients sont déjà connectés"},
    {"too-many-clients", "error: 現在クライアント数が多すぎます"},
    {"too-many-clients", "pq: извините, уже слишком много клиентов"},
};

START_TEST(other_clients_are_understood_by_their_sources)
{
    struct patterns *patterns = shipped();
    for (size_t i = 0; i < ARRAY_SIZE(cited); i++)
        expect(patterns, cited[i].pattern, cited[i].line);
    patterns_free(patterns);
}
END_TEST

START_TEST(what_only_looks_alike_is_left_alone)
{
    static const char *const lines[] = {
        "FATAL:  too many connections for role \"app\"",
        "FATAL:  too many connections for database \"shop\"",
        "ERROR 1040 (HY000): Too many connections", /* MySQL */
        "redis.exceptions.ConnectionError: max number of clients reached",
        "FATAL:  the database system is starting up",
        "psycopg2.OperationalError: connection to server at \"db\" failed: Connection refused",
        "there are too many clients in the showroom",
        "query_wait_timeout = 120",
        "pool settings: query_wait_timeout: 120",
        "kernel file descriptor limit: 20000 (hard: 20000); max_client_conn: 100",
        "SQLAlchemy QueuePool size 5 overflow 10",
        "connect ETIMEDOUT 172.20.0.2:5432",
        "HikariPool-1 - Start completed.",
        "53300",
        "",
    };
    struct patterns *patterns = shipped();
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
        expect(patterns, NULL, lines[i]);
    patterns_free(patterns);
}
END_TEST

/* --- a user's own ----------------------------------------------------------------------------- */

static struct stack_service service(const char *name, enum stack_role role)
{
    return (struct stack_service){.name = (char *)name, .role = role};
}

static bool applies(const struct patterns *patterns, const char *pattern, const char *name,
                    enum stack_role role)
{
    struct stack_service s = service(name, role);
    return patterns_apply(patterns, place(patterns, pattern), &s);
}

START_TEST(the_databases_own_log_is_searched_only_when_asked_for)
{
    struct patterns *patterns =
        must_read("- {name: fatal, match: FATAL, role: database}\n"
                  "- {name: both, match: x, role: [app, database]}\n"
                  "- {name: named, match: x, services: [postgres]}\n"
                  "- {name: worker, match: x, role: app, services: [worker, "
                  "postgres]}\n");
    ck_assert(applies(patterns, "too-many-clients", "backend", ROLE_APP));
    ck_assert(applies(patterns, "too-many-clients", "pgbouncer", ROLE_POOLER));
    ck_assert(!applies(patterns, "too-many-clients", "postgres", ROLE_DATABASE));
    ck_assert(!applies(patterns, "too-many-clients", "adminer", ROLE_IGNORE));
    ck_assert(applies(patterns, "fatal", "postgres", ROLE_DATABASE));
    ck_assert(!applies(patterns, "fatal", "backend", ROLE_APP));
    ck_assert(applies(patterns, "both", "backend", ROLE_APP));
    ck_assert(applies(patterns, "both", "postgres", ROLE_DATABASE));
    ck_assert(applies(patterns, "named", "postgres", ROLE_DATABASE));
    ck_assert(!applies(patterns, "named", "backend", ROLE_APP));
    ck_assert(applies(patterns, "worker", "worker", ROLE_APP));
    ck_assert(!applies(patterns, "worker", "postgres", ROLE_DATABASE));
    patterns_free(patterns);
}
END_TEST

START_TEST(a_list_matches_by_any_of_its_expressions)
{
    struct patterns *patterns = must_read("- name: mine\n  match: [one, 't\\wo']\n"
                                          "- {name: loud, match: straße, ignore_case: true}\n");
    expect(patterns, "mine", "this is one");
    expect(patterns, "mine", "tzo");
    expect(patterns, NULL, "One");
    expect(patterns, "loud", "ALTE STRAßE");
    patterns_free(patterns);
}
END_TEST

START_TEST(ones_own_takes_the_place_of_a_shipped_one)
{
    struct patterns *patterns = must_read("- {name: too-many-clients, match: mine}\n");
    struct patterns *without = shipped();
    ck_assert_uint_eq(patterns_count(patterns), patterns_count(without));
    expect(patterns, "too-many-clients", "mine");
    expect(patterns, NULL, "sorry, too many clients already");
    patterns_free(patterns);
    patterns_free(without);
}
END_TEST

START_TEST(a_line_that_is_no_utf8_is_searched_all_the_same)
{
    struct patterns *patterns = shipped();
    expect(patterns, "too-many-clients",
           "caf\xe9 \xff\xfe: FATAL: sorry, too many clients already");
    patterns_free(patterns);
}
END_TEST

START_TEST(an_expression_that_explodes_is_given_up)
{
    struct patterns *patterns = must_read("- {name: evil, match: '^(a+)+$'}\n");
    char line[64 * 1024];
    memset(line, 'a', sizeof line);
    line[sizeof line - 1] = '!';
    ck_assert_int_eq(patterns_match(patterns, place(patterns, "evil"), line, sizeof line),
                     PATTERN_TOO_HARD);
    for (size_t i = 0; i < patterns_count(patterns); i++)
        if (i != place(patterns, "evil"))
            ck_assert_int_eq(patterns_match(patterns, i, line, sizeof line), PATTERN_NO);
    patterns_free(patterns);
}
END_TEST

/* --- complaints ------------------------------------------------------------------------------- */

static void expect_complaint(const char *text, const char *complaint)
{
    CLEANUP_FREE char *complaints = NULL;
    struct patterns *patterns = read_patterns(text, &complaints);
    ck_assert_msg(patterns == NULL, "accepted: %s", text);
    unit_assert_has(complaints, complaint);
}

START_TEST(a_faulty_expression_is_shown_where_it_is_faulty)
{
    expect_complaint("- name: x\n  match: 'too (many'\n",
                     "f.yaml:2:20: error: match: missing closing parenthesis\n"
                     "     2 |   match: 'too (many'\n"
                     "       |                    ^\n");
    expect_complaint("- name: x\n  match: \"\\\\d+ [z-a]\"\n", "       |                   ^\n");
    expect_complaint("- name: x\n  match:\n    - fine\n    - \"größe *?*\"\n",
                     "     4 |     - \"größe *?*\"\n"
                     "       |                ^\n");
}
END_TEST

START_TEST(all_that_is_wrong_is_told_at_once)
{
    expect_complaint("- {nmae: x, match: y}\n", "f.yaml:1:4: error: logs: unknown key 'nmae'; did "
                                                "you mean 'name'?");
    expect_complaint("- {name: a b, match: y}\n", "f.yaml:1:11: error: name: ' ' may not stand");
    expect_complaint("- {name: x}\n", "a pattern needs a name and a match");
    expect_complaint("- {name: x, match: 'a*'}\n", "'a*' matches every line");
    expect_complaint("- {name: x, match: []}\n", "match: the list is empty");
    expect_complaint("- {name: x, match: y, role: pooled}\n", "did you mean 'pooler'?");
    expect_complaint("- {name: x, match: y, services: backend}\n", "services:");
    expect_complaint("- {name: x, match: y, ignore_case: maybe}\n", "true or false");
    expect_complaint("- {name: x, match: y}\n- {name: x, match: z}\n",
                     "f.yaml:2:10: error: two patterns bear the name x");
    expect_complaint("- {name: pool-exhausted, match: y}\n- {name: pool-exhausted, match: z}\n",
                     "two patterns bear the name pool-exhausted");
    expect_complaint("{name: x, match: y}\n", "logs: expected a list, found a map");
    expect_complaint("- just a text\n", "logs:");
    expect_complaint("- {name: x, match: '('}\n- {name: y, match: ')'}\n", "f.yaml:2:");
    expect_complaint("- {name: x, match: '('}\n- {name: y, match: ')'}\n", "f.yaml:1:");
}
END_TEST

UNIT_MAIN("log patterns", real_clients_are_understood,
          other_clients_are_understood_by_their_sources, what_only_looks_alike_is_left_alone,
          the_databases_own_log_is_searched_only_when_asked_for,
          a_list_matches_by_any_of_its_expressions, ones_own_takes_the_place_of_a_shipped_one,
          a_line_that_is_no_utf8_is_searched_all_the_same, an_expression_that_explodes_is_given_up,
          a_faulty_expression_is_shown_where_it_is_faulty, all_that_is_wrong_is_told_at_once)
