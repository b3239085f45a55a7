/* The run that an earlier life left, seen by a daemon that has no configuration: whether it may
 * carry it on.
 *
 * The plan says by id which containers are meant, but not of which Engine they are. At another one
 * each of them would be "removed meanwhile", and the run would end with all of them stopped and
 * nothing left to carry on.
 *
 * May use: everything below supervisor/.
 */
#ifndef SUPERVISOR_LEFTOVER_H
#define SUPERVISOR_LEFTOVER_H

#include "docker/docker.h"
#include "playbooks/plan.h"

#include <stdbool.h>
#include <stdint.h>

/* Whether there is a journal at all: who finds none need not make one. */
bool leftover_is_possible(const char *state_dir);

/* Whether the plan is about any container: else the Engine has nothing to say of it. */
bool leftover_is_checkable(const struct plan *plan);

/* Calls done once, by the loop, in a quarter of a minute at the latest. `e` says why the run must
 * not be touched: the Engine does not answer, or has none of its containers. NULL: nothing speaks
 * against it. */
typedef void (*leftover_fn)(void *data, const struct err *e);
void leftover_check(int64_t run, struct plan *plan, struct docker *docker, leftover_fn done,
                    void *data);

#endif
