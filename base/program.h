/* A program that is started, and whose beginning nobody waits for.
 *
 * Its file may lie on a file system that does not answer, and whoever executes it then waits for as
 * long as that lasts. uv_spawn() waits with it, in the loop's thread, as it tells at once whether
 * there is such a program. Here the new process executes it alone, and why it could not is told
 * with its end. Until then it has nothing of ours but its stdio: a lock or a port that it held
 * would be missing in the daemon's next life.
 *
 * It is the leader of a session and of a process group of its own. May use: libuv.
 */
#ifndef BASE_PROGRAM_H
#define BASE_PROGRAM_H

#include "base/loop.h"

struct program;

/* Borrowed for the call. */
struct program_options {
    const char *const *argv;        /* NULL-terminated; argv[0] is looked for in its own PATH */
    const char *const *environment; /* "NAME=value", NULL-terminated: nothing is inherited */
    const char *folder;             /* where it begins; NULL: in ours */
    int in;                         /* its stdin; -1: /dev/null. They stay the caller's. */
    int out;                        /* its stdout and stderr */
};

struct program_end {
    int error;     /* an errno: it could not be run, and the rest is nothing. 0: it was */
    int exit_code; /* -1 when a signal ended it */
    int signal;    /* 0: none */
};

/* Comes once, by the loop, and then the program is no more; in it program_signal() may still be
 * called, for what the program leaves behind in its group. */
typedef void (*program_fn)(void *data, const struct program_end *end);

/* NULL when there is no process to be had: *ret_error is an errno then. */
struct program *program_start(struct loop *loop, const struct program_options *options,
                              program_fn done, void *data, int *ret_error);

/* To it and its whole group. */
void program_signal(const struct program *program, int number);

/* Whether its file was executed; false also when that failed. */
bool program_has_begun(struct program *program);

/* Killed, with its whole group; no callback comes any more. It is reaped by the loop, which does
 * not wait for it at its end: one that waits for a dead disk cannot be killed. Accepts NULL;
 * returns NULL. */
struct program *program_abandon(struct program *program);

/* What an errno of a start or an end means, for a person. */
const char *program_problem(int error);

/* The loop ends: those that are killed and do not die are left alone. For loop_free. */
void programs_leave(struct loop *loop);

#endif
