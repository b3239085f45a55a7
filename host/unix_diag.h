/* Asking the kernel which Unix socket is connected to which. Blocks (briefly), so it is for threads
 * of the pool only.
 *
 * May use: base, proc.h, unix_parse.h.
 */
#ifndef HOST_UNIX_DIAG_H
#define HOST_UNIX_DIAG_H

#include "host/unix_parse.h"

/* All connected stream sockets of the network namespace of a process; a connection's two ends
 * belong to that of who connected. Where it is not ours it has to be entered, which takes
 * CAP_SYS_ADMIN (-EPERM). 0 or -errno. */
int host__unix_sockets(int proc, int pid, int timeout_ms, struct host__unix_list *list);

#endif
