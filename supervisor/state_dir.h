/* The state directory and its lock: one supervisor a directory, be it the daemon or a command in
 * standalone mode. May use: base. */
#ifndef SUPERVISOR_STATE_DIR_H
#define SUPERVISOR_STATE_DIR_H

#include "base/err.h"

/* Makes the directory (0750) when it is missing, and locks it. *ret_fd holds the lock until it is
 * closed. ERR_CONFLICT names the process that holds it. */
int state_dir_lock(const char *path, int *ret_fd, struct err *e);

#endif
