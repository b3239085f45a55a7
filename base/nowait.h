/* Writing to somebody who may not be reading: a pipe to a frozen collector, journald's socket, a
 * terminal in which somebody typed Ctrl-S. What can be taken now is written, and nothing is waited
 * for.
 *
 * O_NONBLOCK would do it, but it belongs to the open file, which others share: the shell that
 * started us, whoever else logs to the same place. So it is set on an open file of our own.
 *
 * Allocates nothing. A pipe that nobody can read any more raises SIGPIPE, as with write(). May use:
 * the kernel.
 */
#ifndef BASE_NOWAIT_H
#define BASE_NOWAIT_H

#include <stddef.h>
#include <sys/types.h>

/* How many of the bytes were taken, which may be a part of them or none; -1 with errno when none
 * ever will be, or when a file has no room. */
ssize_t nowait_write(int fd, const void *bytes, size_t len);

#endif
