/* A program that is run and waited for: a list of arguments, never a shell.
 *
 * An operation by the contract of op.h, also while the file system of its program does not answer.
 * The program is the leader of a process group of its own; at its deadline, or when it is
 * cancelled, the whole group is killed. What it leaves running when it ends by itself goes on: that
 * may be on purpose. It reads nothing, and what it prints on stdout and stderr is kept, the last 4
 * KiB of it.
 *
 * May use: libuv, op.h, program.h.
 */
#ifndef BASE_CHILD_H
#define BASE_CHILD_H

#include "base/op.h"

struct child {
    const char *const *argv;        /* NULL-terminated; argv[0] is looked for in PATH */
    const char *const *environment; /* "NAME=value", NULL-terminated: nothing is inherited */
    int64_t deadline_ms;
};

/* A program that ran and failed is no error here. e: ERR_NOT_FOUND or ERR_PERMISSION (there is no
 * such program), ERR_TIMEOUT, ERR_FAILED (the system has no process to give). */
struct child_end {
    int exit_code;      /* -1 when a signal ended it */
    int signal;         /* 0: none */
    const char *output; /* NUL-terminated */
};
typedef void (*child_fn)(void *data, const struct err *e, const struct child_end *end);
op_id child_run(struct loop *loop, const struct child *child, child_fn done, void *data);

#endif
