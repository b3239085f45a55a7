/* Which of the four limits a login met that got 53300. Pure.
 *
 * The code is the same for all, and the text is in the server's language, so it is counted: over
 * the lifeline or by the back door, a moment after the refusal. The order of the checks is the
 * server's own (InitProcess, InitializeSessionUserId, InitPostgres, CheckMyDatabase).
 *
 * Sessions come and go between refusal and count. When the count meets no limit any more it says
 * so (unknown) and guesses nothing. The other way round is possible too: a session that is still
 * logging in holds a slot and is not seen, so "all" may be counted as "reserved"; the cure is the
 * same.
 *
 * May use: base, db.h. Private to postgres/.
 */
#ifndef POSTGRES_EXHAUSTION_H
#define POSTGRES_EXHAUSTION_H

#include "postgres/db.h"

/* What the count says; `reserved` of them are kept for superusers (and, from 16 on, for roles with
 * pg_use_reserved_connections). A limit below 0 is none. */
struct db__counts {
    int64_t max, reserved, used;
    bool superuser; /* the role that was refused */
    int64_t role_limit, role_used, database_limit, database_used;
};

int db__counts_parse(const char *text, struct db__counts *ret, struct err *e);

enum db_exhaustion db__exhaustion_judge(const struct db__counts *counts);

/* Puts the finding into the error of the probe: which limit, how full, what helps. */
void db__exhaustion_explain(const struct db__counts *counts, enum db_exhaustion kind,
                            const char *where, struct err *e);

#endif
