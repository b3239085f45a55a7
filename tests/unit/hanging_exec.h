/* Programs whose file system does not answer: execvp() of a path that has this word in it never
 * returns. It takes the place of libc's in the whole test program, and in the processes that it
 * forks. Such a process may be killed, as one that waits for a file server; with kills_are_deaf()
 * it may not, as one whose disk is dead. */
#ifndef TESTS_HANGING_EXEC_H
#define TESTS_HANGING_EXEC_H

#include <stdbool.h>

void execs_hang(const char *word); /* NULL: none hangs that begins from now on */
void kills_are_deaf(bool deaf);    /* kill() reaches nobody, and says that it did */
int kills_kept(int *ret_pid);      /* how many did not; the process or group of the last one */

#endif
