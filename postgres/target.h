/* Where to connect and as whom: a connection string taken apart once, so that host names can be
 * resolved by us and passwords kept out of every text.
 *
 * What the string leaves out comes from libpq's own places (PGHOST, PGPORT, … ) when it is made;
 * the passfile is read by libpq at each login. service= is refused: libpq would read it later,
 * and resolve its host on the loop's thread.
 *
 * May use: base, libpq. Private to postgres/.
 */
#ifndef POSTGRES_TARGET_H
#define POSTGRES_TARGET_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct db__target;

int db__target_new(const char *conninfo, const char *application, struct db__target **ret,
                   struct err *e);
struct db__target *db__target_free(struct db__target *target); /* wipes the password */

/* "host=… port=… dbname=… user=…": all that may be shown. */
const char *db__target_where(const struct db__target *target);

/* "" when not set. Never ask for what is shown to somebody: password, passfile … */
const char *db__target_value(const struct db__target *target, const char *keyword);

/* The arrays for PQconnectStartParams with these three in place of the target's own (each may be
 * NULL: as it is). The arrays are the caller's, their strings are borrowed. */
struct db__params {
    const char **keywords, **values;
};
struct db__params db__target_params(const struct db__target *target, const char *host,
                                    const char *hostaddr, const char *port);
void db__params_free(struct db__params *params);

#endif
