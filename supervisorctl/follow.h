/* Starting a run and watching it to its end: what recover, clean and attach have in common.
 *
 * May use: base, control/wire.h, the backend.
 */
#ifndef SUPERVISORCTL_FOLLOW_H
#define SUPERVISORCTL_FOLLOW_H

#include "supervisorctl/ctl.h"

/* Asks for a run. 0 and the reply ({"run":…,"joined":…,"plan":…}, the caller's), or an exit code
 * with e set. */
int ctl_start(struct ctl *ctl, const json_t *request, json_t **ret_reply, struct err *e);

/* Watches a run to its end and prints what happens, or with --json the one object at the end.
 * Returns the exit code. ret_entries may be NULL; else it gives the kept entries (the caller's). */
int ctl_watch(struct ctl *ctl, int64_t run, const json_t *plan, json_t **ret_entries);

/* What follows a start: with --detach it says where the run is to be found, else it watches. */
int ctl_go_on_from(struct ctl *ctl, const json_t *reply, json_t **ret_entries);

/* The summary of the run that is under way, or waits to be carried on (the caller's), or NULL. An
 * exit code with e set if that cannot be told. */
int ctl_present_run(struct ctl *ctl, json_t **ret_summary, struct err *e);

/* "question [y/N] "; only y and yes are a yes. */
bool ctl_confirm(struct ctl *ctl, const char *question);

#endif
