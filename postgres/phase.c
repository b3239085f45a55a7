/* See phase.h. */
#include "postgres/phase.h"

#include <string.h>

void db__phase_lost(struct db__phase *phase, const char *sqlstate, bool as_warning)
{
    if (strcmp(sqlstate, "57P02") == 0 || (strcmp(sqlstate, "57P01") == 0 && as_warning) ||
        sqlstate[0] == '\0')
        phase->crashed = true;
    else if (strcmp(sqlstate, "57P01") == 0)
        phase->stopping = true;
}

void db__phase_announce(struct db__phase *phase, bool stop_ahead)
{
    phase->announced = stop_ahead;
}

void db__phase_login(struct db__phase *phase, const struct db__fault *fault)
{
    if (!fault)
        phase->stopping = phase->crashed = false;
    else if (fault->is_absent)
        phase->stopping = phase->announced = false; /* it is down: what comes next is a start */
}

enum db_state db__phase_judge(const struct db__phase *phase, bool lifeline_open)
{
    if (lifeline_open)
        return DB_SHUTTING_DOWN;
    if (phase->crashed)
        return DB_RECOVERING;
    return phase->announced || phase->stopping ? DB_SHUTTING_DOWN : DB_STARTING;
}
