/* See exhaustion.h. */
#include "postgres/exhaustion.h"

#include <inttypes.h>
#include <string.h>

int db__counts_parse(const char *text, struct db__counts *ret, struct err *e)
{
    CLEANUP_JSON json_t *json = json_parse(text, strlen(text), "postgres: connection counts", e);
    if (!json)
        return -(int)ERR_PROTOCOL;
    struct db__counts counts = {
        .max = json_int_at(json, "max", 0),
        .reserved = json_int_at(json, "reserved", 0),
        .used = json_int_at(json, "used", -1),
        .superuser = json_bool_at(json, "superuser", false),
        .role_limit = json_int_at(json, "role_limit", -1),
        .role_used = json_int_at(json, "role_used", 0),
        .database_limit = json_int_at(json, "database_limit", -1),
        .database_used = json_int_at(json, "database_used", 0),
    };
    if (counts.max <= 0 || counts.used < 0)
        return err_set(e, ERR_PROTOCOL, "postgres: connection counts: no numbers in them");
    *ret = counts;
    return 0;
}

static bool is_met(int64_t limit, int64_t used)
{
    return limit >= 0 && used >= limit;
}

enum db_exhaustion db__exhaustion_judge(const struct db__counts *counts)
{
    if (counts->used >= counts->max)
        return DB_EXHAUSTION_ALL;
    if (counts->superuser)
        return DB_EXHAUSTION_UNKNOWN; /* no other limit holds for it */
    if (is_met(counts->role_limit, counts->role_used))
        return DB_EXHAUSTION_ROLE;
    if (counts->used >= counts->max - counts->reserved)
        return DB_EXHAUSTION_RESERVED;
    if (is_met(counts->database_limit, counts->database_used))
        return DB_EXHAUSTION_DATABASE;
    return DB_EXHAUSTION_UNKNOWN;
}

void db__exhaustion_explain(const struct db__counts *counts, enum db_exhaustion kind,
                            const char *where, struct err *e)
{
    static const char look[] = "look who holds them: supervisorctl connections; end leaked ones: "
                               "supervisorctl clean";
    switch (kind) {
    case DB_EXHAUSTION_ALL:
        err_set(e, ERR_EXHAUSTED,
                "postgres: cannot connect to %s: all %" PRId64
                " connection slots are taken (53300)",
                where, counts->max);
        err_hint(e, "%s", look);
        break;
    case DB_EXHAUSTION_RESERVED:
        err_set(e, ERR_EXHAUSTED,
                "postgres: cannot connect to %s: %" PRId64 " of %" PRId64
                " connection slots are taken and the other %" PRId64
                " are reserved for superusers (53300)",
                where, counts->used, counts->max, counts->max - counts->used);
        err_hint(e, "%s", look);
        break;
    case DB_EXHAUSTION_ROLE:
        err_set(e, ERR_EXHAUSTED,
                "postgres: cannot connect to %s: the role has %" PRId64
                " sessions and its CONNECTION LIMIT is %" PRId64 " (53300)",
                where, counts->role_used, counts->role_limit);
        err_hint(e,
                 "a restart does not help: ALTER ROLE … CONNECTION LIMIT, or end sessions of it");
        break;
    case DB_EXHAUSTION_DATABASE:
        err_set(e, ERR_EXHAUSTED,
                "postgres: cannot connect to %s: the database has %" PRId64
                " sessions and its CONNECTION LIMIT is %" PRId64 " (53300)",
                where, counts->database_used, counts->database_limit);
        err_hint(
            e, "a restart does not help: ALTER DATABASE … CONNECTION LIMIT, or end sessions in it");
        break;
    default:
        err_set(e, ERR_EXHAUSTED,
                "postgres: cannot connect to %s: no connection slot was left, and a moment later "
                "%" PRId64 " of %" PRId64 " are taken (53300)",
                where, counts->used, counts->max);
        err_hint(e, "%s", look);
    }
}
