/* One run at a time on a stack, whichever supervisor's: a daemon and a command with --standalone
 * may have state directories of their own, and so not know of one another.
 *
 * The lock is an abstract Unix socket that is named after the stack. It needs no folder that all
 * may write to, works between users and out of the sandbox of a unit, names its holder, and goes
 * with the process. It reaches as far as a network namespace does: supervisors in containers of
 * their own do not see one another.
 *
 * Whoever is on the machine may bind such a name, and must not keep a stack from being recovered by
 * that. So a holder counts only when it may use the Engine itself: root, our own user, or who is
 * let to the Engine's socket by its owner, group or mode.
 *
 * May use: base.
 */
#ifndef PLAYBOOKS_STACK_LOCK_H
#define PLAYBOOKS_STACK_LOCK_H

#include "base/err.h"

struct stack_lock_name {
    const char *scope;       /* RUNNER_LOCK_SCOPE; a test's own */
    const char *database;    /* the id of its container: unique in the world; NULL: not known */
    const char *project;     /* the name then, together with the Engine's */
    const char *docker_host; /* "unix:///var/run/docker.sock" */
};

/* *ret_fd holds the lock until it is closed. ERR_CONFLICT when another holds it, with a text that
 * names that process; any other error when there is no lock to be had. */
int stack_lock_take(const struct stack_lock_name *name, int *ret_fd, struct err *e);

#endif
