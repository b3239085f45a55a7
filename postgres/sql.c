/* See sql.h. */
#include "postgres/sql.h"

#include "base/buf.h"
#include "base/mem.h"

#include <inttypes.h>
#include <string.h>

enum { SQL_CEILING = 1024 * 1024 };

/* --- building blocks ------------------------------------------------------------------------ */

/* Client backends. Without pg_monitor the type of others is hidden; a session with a role and a
 * database is one of a client then, or of a parallel worker, which cannot be told. */
#define IS_CLIENT                                                                                  \
    "(a.backend_type = 'client backend' OR (a.backend_type IS NULL AND a.usesysid IS NOT NULL "    \
    "AND a.datid IS NOT NULL))"

/* Independent of TimeZone and DateStyle, exact to the microsecond, read back by any server. */
#define BACKEND_START                                                                              \
    "to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"

/* reserved_connections came with PostgreSQL 16. */
#define RESERVED                                                                                   \
    "current_setting('superuser_reserved_connections')::int "                                      \
    "+ coalesce(nullif(current_setting('reserved_connections', true), '')::int, 0)"

#define BACKUP_APPLICATIONS                                                                        \
    "'^(pg_dump|pg_dumpall|pg_restore|pg_basebackup|pg_receivewal|pg_recvlogical|pg_rewind"        \
    "|pg_upgrade|pgbackrest|barman|wal-g|wal-e|wal_e)'"
#define BACKUP_QUERIES "'pg_(backup_start|start_backup|backup_stop|stop_backup)'"

static void add_literal(struct buf *b, const char *text)
{
    /* E'' reads backslashes the same whatever standard_conforming_strings says. */
    buf_puts(b, strchr(text, '\\') ? " E'" : "'");
    for (; *text; text++) {
        if (*text == '\'' || *text == '\\')
            buf_add(b, text, 1);
        buf_add(b, text, 1);
    }
    buf_puts(b, "'");
}

char *db__sql_bounded(const char *sql, int64_t limit_ms)
{
    /* The setting is a 32-bit number of milliseconds, and 0 would mean none. */
    int64_t limit = limit_ms < 1 ? 1 : limit_ms > INT32_MAX ? INT32_MAX : limit_ms;
    return mem_printf("SET LOCAL statement_timeout = %" PRId64
                      "; SET LOCAL search_path = pg_catalog; %s",
                      limit, sql);
}

/* --- looking -------------------------------------------------------------------------------- */

char *db__sql_probe(void)
{
    return mem_strdup("SELECT jsonb_build_object('in_recovery', pg_is_in_recovery(), 'started_us', "
                      "(extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint)");
}

/* A superuser mostly has REPLICATION too (the first role of a cluster does); that alone makes its
 * sessions no replication. pg_has_role() is the very test that the server makes before it lets a
 * role signal another's session. */
static const char sessions_sql[] =
    "WITH me AS (SELECT rolsuper FROM pg_roles WHERE rolname = current_user), "
    "blockers AS (SELECT b.pid, count(*) AS n FROM pg_stat_activity w "
    "CROSS JOIN LATERAL unnest(pg_blocking_pids(w.pid)) AS b(pid) "
    "WHERE w.wait_event_type = 'Lock' GROUP BY b.pid), "
    "seen AS (SELECT a.pid, " BACKEND_START " AS start, a.usename, a.datname, a.application_name, "
    "CASE WHEN a.client_addr IS NOT NULL THEN host(a.client_addr) "
    "WHEN a.client_port = -1 THEN 'local' ELSE '' END AS client, a.client_port, a.state, "
    "a.backend_type, extract(epoch FROM clock_timestamp() - coalesce(a.state_change, "
    "a.backend_start))::float8 AS state_age, "
    "extract(epoch FROM clock_timestamp() - a.backend_start)::float8 AS age, "
    "coalesce(b.n, 0) AS blocks, coalesce(r.rolsuper, false) AS superuser, "
    "coalesce(a.backend_type = 'walsender' OR (r.rolreplication AND NOT r.rolsuper), false) "
    "AS replication, " IS_CLIENT " AS is_client, "
    "coalesce(a.application_name ~* " BACKUP_APPLICATIONS " OR a.query ~* " BACKUP_QUERIES
    ", false) "
    "AS backup, "
    "CASE WHEN r.rolsuper THEN NOT me.rolsuper ELSE NOT coalesce(pg_has_role(a.usesysid, 'USAGE') "
    "OR pg_has_role('pg_signal_backend', 'USAGE'), false) END AS denied "
    "FROM pg_stat_activity a CROSS JOIN me LEFT JOIN pg_roles r ON r.oid = a.usesysid "
    "LEFT JOIN blockers b ON b.pid = a.pid "
    "WHERE " IS_CLIENT " OR a.backend_type = 'walsender') ";

char *db__sql_activity(const char *application)
{
    struct buf b;
    buf_init(&b, SQL_CEILING);
    buf_puts(&b, sessions_sql);
    buf_puts(
        &b,
        "SELECT jsonb_build_object('max', current_setting('max_connections')::int, "
        "'reserved', " RESERVED ", 'used', (SELECT count(*) FROM seen WHERE is_client), "
        "'blocked', (SELECT count(*) FROM pg_stat_activity w WHERE w.wait_event_type = 'Lock' "
        "AND w.backend_type = 'client backend'), "
        "'restricted', NOT pg_has_role('pg_read_all_stats', 'USAGE'), 'role', current_user, "
        "'prepared', (SELECT count(*) FROM pg_prepared_xacts), 'in_recovery', pg_is_in_recovery(), "
        "'version', split_part(current_setting('server_version'), ' ', 1), "
        "'sessions', coalesce((SELECT jsonb_agg(jsonb_build_object('pid', s.pid, 'start', s.start, "
        "'role', s.usename, 'database', s.datname, 'application', s.application_name, "
        "'client', s.client, 'port', s.client_port, 'state', s.state, 'type', s.backend_type, "
        "'state_age', s.state_age, 'age', s.age, 'blocks', s.blocks, 'superuser', s.superuser, "
        "'replication', s.replication, 'backup', s.backup, 'denied', s.denied, "
        "'ours', s.pid = pg_backend_pid() OR s.application_name = ");
    add_literal(&b, application);
    buf_puts(&b, ") ORDER BY s.state_age DESC NULLS LAST, s.pid) FROM seen s), '[]'::jsonb))");
    return buf_take(&b);
}

char *db__sql_exhaustion(const char *application, const char *role, const char *database)
{
    /* What psql of the back door takes was free when the login was refused; our lifeline was there
     * then, and counts. */
    struct buf b;
    buf_init(&b, SQL_CEILING);
    buf_puts(&b, "WITH seen AS (SELECT a.usesysid, a.datid FROM pg_stat_activity a WHERE " IS_CLIENT
                 " AND (a.pid <> pg_backend_pid() OR a.application_name = ");
    add_literal(&b, application);
    buf_puts(&b, ")) SELECT jsonb_build_object("
                 "'max', current_setting('max_connections')::int, 'reserved', " RESERVED
                 ", 'used', (SELECT count(*) FROM seen), "
                 "'superuser', coalesce(r.rolsuper, false), "
                 "'role_limit', coalesce(r.rolconnlimit, -1), "
                 "'role_used', (SELECT count(*) FROM seen WHERE usesysid = r.oid), "
                 "'database_limit', coalesce(d.datconnlimit, -1), "
                 "'database_used', (SELECT count(*) FROM seen WHERE datid = d.oid)) "
                 "FROM (VALUES (1)) one(row) LEFT JOIN pg_roles r ON r.rolname = ");
    add_literal(&b, role);
    buf_puts(&b, " LEFT JOIN pg_database d ON d.datname = ");
    add_literal(&b, database);
    return buf_take(&b);
}

/* --- ending --------------------------------------------------------------------------------- */

static void add_victims(struct buf *b, const struct db__victim *victims, size_t count)
{
    buf_puts(b, "(VALUES ");
    for (size_t i = 0; i < count; i++) {
        buf_printf(b, "%s(%d,", i ? "," : "", victims[i].pid);
        add_literal(b, victims[i].backend_start);
        buf_puts(b, "::timestamptz,");
        if (victims[i].state)
            add_literal(b, victims[i].state);
        else
            buf_puts(b, "NULL");
        buf_printf(b, "::text,%.3f::float8)", victims[i].min_age_s);
    }
    buf_puts(b, ") v(pid, start, state, age)");
}

char *db__sql_terminate(const struct db__victim *victims, size_t count)
{
    /* Without pg_terminate_backend's own time-out: with it each takes 100 ms at least, in turn. */
    struct buf b;
    buf_init(&b, SQL_CEILING);
    buf_puts(&b, "WITH told AS MATERIALIZED (SELECT a.pid, pg_terminate_backend(a.pid) AS sent "
                 "FROM pg_stat_activity a JOIN ");
    add_victims(&b, victims, count);
    buf_puts(&b, " ON v.pid = a.pid AND v.start = a.backend_start "
                 "WHERE v.state IS NULL OR (v.state = a.state AND "
                 "extract(epoch FROM clock_timestamp() - a.state_change) >= v.age)) "
                 "SELECT jsonb_build_object('sent', coalesce((SELECT jsonb_agg(pid) FROM told "
                 "WHERE sent), '[]'::jsonb))");
    return buf_take(&b);
}

char *db__sql_remaining(const struct db__victim *victims, size_t count)
{
    struct buf b;
    buf_init(&b, SQL_CEILING);
    buf_puts(&b, "SELECT jsonb_build_object('left', coalesce((SELECT jsonb_agg(a.pid) "
                 "FROM pg_stat_activity a JOIN ");
    add_victims(&b, victims, count);
    buf_puts(&b, " ON v.pid = a.pid AND v.start = a.backend_start), '[]'::jsonb), 'used', "
                 "(SELECT count(*) FROM pg_stat_activity a WHERE " IS_CLIENT "))");
    return buf_take(&b);
}

char *db__sql_stay(void)
{
    /* idle_session_timeout came with PostgreSQL 14. Set only where it is needed: behind a pooler
     * the setting would stay with a session that may be somebody else's next. */
    return mem_strdup("SELECT set_config(name, '0', false) FROM pg_settings "
                      "WHERE name = 'idle_session_timeout' AND setting <> '0'");
}

char *db__sql_checkpoint(void)
{
    return mem_strdup("CHECKPOINT; SELECT jsonb_build_object('checkpoint', true)");
}

/* --- roles ---------------------------------------------------------------------------------- */

static void add_quoted(struct buf *b, const char *name)
{
    buf_puts(b, "\"");
    for (; *name; name++) {
        if (*name == '"')
            buf_puts(b, "\"");
        buf_add(b, name, 1);
    }
    buf_puts(b, "\"");
}

/* For people to read; a name that is a key word would want its quotes, too. */
static void add_identifier(struct buf *b, const char *name)
{
    bool plain = strspn(name, "abcdefghijklmnopqrstuvwxyz_0123456789") == strlen(name) &&
                 !strchr("0123456789", name[0]);
    if (plain)
        buf_puts(b, name);
    else
        add_quoted(b, name);
}

char *db__sql_identifier(const char *name)
{
    struct buf b;
    buf_init(&b, SQL_CEILING);
    add_identifier(&b, name);
    return buf_take(&b);
}

char *db__sql_grant(const char *roles, const char *to)
{
    struct buf b;
    buf_init(&b, SQL_CEILING);
    buf_printf(&b, "GRANT %s TO ", roles);
    add_identifier(&b, to);
    buf_puts(&b, ";");
    return buf_take(&b);
}

#define SELECT_LIMITS                                                                              \
    "SELECT jsonb_build_object('limits', coalesce(jsonb_object_agg(r.rolname, r.rolconnlimit), "   \
    "'{}'::jsonb)) FROM pg_roles r WHERE NOT r.rolsuper "

char *db__sql_holders(const char *application, const char *user)
{
    struct buf b;
    buf_init(&b, SQL_CEILING);
    buf_puts(&b, SELECT_LIMITS "AND NOT r.rolreplication AND r.rolname <> current_user "
                               "AND r.rolname <> ");
    add_literal(&b, user);
    buf_puts(&b, " AND EXISTS (SELECT 1 FROM pg_stat_activity a WHERE a.usesysid = r.oid "
                 "AND " IS_CLIENT ") AND NOT EXISTS (SELECT 1 FROM pg_stat_activity a "
                 "WHERE a.usesysid = r.oid AND a.application_name = ");
    add_literal(&b, application);
    buf_puts(&b, ")");
    return buf_take(&b);
}

char *db__sql_limits(const json_t *roles)
{
    struct buf b;
    const char *role;
    json_t *limit;
    const char *before = "";
    buf_init(&b, SQL_CEILING);
    buf_puts(&b, SELECT_LIMITS "AND r.rolname = ANY (ARRAY[");
    json_object_foreach((json_t *)roles, role, limit)
    {
        buf_puts(&b, before);
        add_literal(&b, role);
        before = ", ";
    }
    buf_puts(&b, "]::name[])");
    return buf_take(&b);
}

static void add_limits(struct buf *b, const json_t *limits)
{
    const char *role;
    json_t *limit;
    json_object_foreach((json_t *)limits, role, limit)
    {
        buf_puts(b, b->len ? " ALTER ROLE " : "ALTER ROLE ");
        add_quoted(b, role); /* a role may be called current_user */
        buf_printf(b, " CONNECTION LIMIT %d;", (int)json_integer_value(limit));
    }
}

char *db__sql_alter_limits(const json_t *limits)
{
    struct buf b;
    buf_init(&b, SQL_CEILING);
    add_limits(&b, limits);
    buf_puts(&b, " SELECT jsonb_build_object('altered', true)");
    return buf_take(&b);
}

char *db_unblock_text(const json_t *limits)
{
    struct buf b;
    buf_init(&b, SQL_CEILING);
    add_limits(&b, limits);
    return buf_take(&b);
}
