/* Reading /proc: one process's files, its sockets, and all processes. Blocks, so it is for threads
 * of the pool only.
 *
 * `proc` is a descriptor of the folder (/proc, or a test's); -errno is what the kernel said. A
 * process may end at any moment: that is an error like any other (ENOENT, ESRCH).
 *
 * May use: base/mem.h, proc_parse.h.
 */
#ifndef HOST_PROC_H
#define HOST_PROC_H

#include "host/proc_parse.h"

#include <stddef.h>

/* The beginning of PID/NAME as text; returns 0 or -errno. */
int host__proc_text(int proc, int pid, const char *name, char *out, size_t size);

/* When the process began (clock ticks since the machine's start); 0: it is not there. */
uint64_t host__proc_start(int proc, int pid);
enum host__membership host__proc_container(int proc, int pid, char out[static HOST__ID_MAX]);
/* The process id in its own namespace, and that one's depth. */
bool host__proc_inner_pid(int proc, int pid, int *ret_pid, int *ret_depth);

/* The kernel's number of the process's network namespace; 0: it may not be seen; errno says
 * why. */
uint64_t host__proc_network(int proc, int pid);

/* Each socket that the process holds; found() returns false to end it. 0 or -errno. */
typedef bool (*host__socket_fn)(void *data, int fd, uint64_t inode);
int host__proc_sockets(int proc, int pid, host__socket_fn found, void *data);
bool host__proc_holds(int proc, int pid, int fd, uint64_t inode); /* still, at this moment */

/* Each TCP connection of the process's network namespace. 0 or -errno. */
typedef void (*host__connection_fn)(void *data, const struct host__connection *connection,
                                    uint64_t inode);
int host__proc_connections(int proc, int pid, host__connection_fn found, void *data);

/* All processes; the caller frees *ret. 0 or -errno. */
int host__proc_pids(int proc, int **ret, size_t *ret_count);

#endif
