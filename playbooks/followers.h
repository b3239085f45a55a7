/* Those who follow the run that is under way: each is told every kept entry from the first, in
 * order and once, and live ones as they come. Private to playbooks/.
 *
 * May use: base, runner.h.
 */
#ifndef PLAYBOOKS_FOLLOWERS_H
#define PLAYBOOKS_FOLLOWERS_H

#include "playbooks/runner.h"

struct followers;

struct followers *followers_new(struct loop *loop);
struct followers *followers_free(struct followers *followers); /* accepts NULL; returns NULL */

/* One more; its handle. Nothing is told from inside: call followers_tell soon. */
uint64_t followers_add(struct followers *followers, runner_entry_fn on_entry, void *data);
/* May be called from inside on_entry. False: there is no such handle. */
bool followers_remove(struct followers *followers, uint64_t handle);

/* What each has not had of the run's kept entries, then the live one (NULL: none). */
void followers_tell(struct followers *followers, const json_t *entries, const json_t *live_entry);

/* The run is gone: all are let go. goes_on: in another life, which they are told by `last`. */
void followers_end(struct followers *followers, bool goes_on);

#endif
