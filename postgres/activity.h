/* What activity.c shares with the cleaning: the ways to look, and a session as JSON.
 * May use: visit.h. Private to postgres/.
 */
#ifndef POSTGRES_ACTIVITY_H
#define POSTGRES_ACTIVITY_H

#include "postgres/visit.h"

extern const enum db__way db__ways_to_look[];

json_t *db__session_json(const struct db_session *session); /* the caller owns it */

#endif
