/* The watchdog: tells the service manager that we are alive, and what we are about, as long as that
 * is true.
 *
 * A timer of the loop measures by how much the loop is late. The manager (WatchdogSec=) is told of
 * a round only when the loop came in time and the journal's thread is not stuck; a daemon that
 * hangs, or that only ever gets round far too late, is killed and started again, and carries its
 * run on. A stuck journal does not count while a run is under way: a recovery goes on without
 * history, and a new life could not read it either.
 *
 * While the daemon ends it asks for more time in each round: the stop of a container may take long.
 *
 * May use: base, supervisor/sd.h.
 */
#ifndef SUPERVISOR_WATCHDOG_H
#define SUPERVISOR_WATCHDOG_H

#include "base/loop.h"

struct watchdog;

/* What is asked in each round. */
struct watchdog_options {
    struct loop *loop;
    int64_t (*worker_busy_ms)(void *data); /* of the journal's thread; 0: idle */
    bool (*at_work)(void *data);           /* a run is under way */
    char *(*sentence)(void *data);         /* for `systemctl status`; the caller frees it */
    void *data;
};

struct watchdog *watchdog_new(const struct watchdog_options *options);
struct watchdog *watchdog_free(struct watchdog *watchdog); /* accepts NULL; returns NULL */

/* The manager was told another sentence, by sd_ready: in the next round it is told ours again. */
void watchdog_tell_anew(struct watchdog *watchdog);

/* From here on the daemon ends. */
void watchdog_ending(struct watchdog *watchdog);

/* --- pure, for tests -------------------------------------------------------------------------- */

struct watchdog_facts {
    int64_t limit_ms;       /* of the manager; 0: it does not watch */
    int64_t late_ms;        /* by how much the loop was late */
    int64_t worker_busy_ms; /* how long the journal's thread has been at one thing */
    bool at_work;
};

/* Why the manager is told nothing this time, or NULL: all is well. */
const char *watchdog_objection(const struct watchdog_facts *facts);

#endif
