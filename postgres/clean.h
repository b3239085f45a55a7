/* What the files of the cleaning share. May use: db.h. Private to postgres/. */
#ifndef POSTGRES_CLEAN_H
#define POSTGRES_CLEAN_H

#include "postgres/db.h"

/* When the verdicts are known: groups the items by them, counts them, and names what stood in the
 * way (a missing grant, superusers that were spared) in report->hint. */
void db__clean_finish(struct db_clean_report *report);

/* Below this age in its state a session is not, or no longer, a victim. < 0: it never is. */
double db__clean_min_age_s(const struct db_session *session, const struct db_clean_rules *rules);

/* Whether a name is one of a NULL-terminated list of names, where a trailing '*' matches any
 * tail. A list that is NULL holds nothing. */
bool db__name_matches(const char *const *list, const char *name);

/* A copy with lists of its own, and its end. */
struct db_clean_rules db__rules_copy(const struct db_clean_rules *rules);
void db__rules_free(struct db_clean_rules *rules);

#endif
