/* What has happened in this life of the daemon, counted: runs by playbook and outcome, decisions by
 * policy and kind.
 *
 * May use: base.
 */
#ifndef SUPERVISOR_TALLY_H
#define SUPERVISOR_TALLY_H

#include "supervisor/exposition.h"

#include <stdint.h>

struct tally;

struct tally *tally_new(void);
struct tally *tally_free(struct tally *tally); /* accepts NULL; returns NULL */

void tally_run_began(struct tally *tally, const char *playbook);
void tally_run_ended(struct tally *tally, const char *outcome, int64_t now_wall_ms);
void tally_decision(struct tally *tally, const char *policy, const char *decision);

/* stack_runs_total, stack_last_run_timestamp_seconds, stack_decisions_total. */
void tally_expose(const struct tally *tally, struct exposition *out);

#endif
