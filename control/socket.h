/* The socket that the API listens on: a file with an owner, a mode and a life of its own.
 *
 * Private to control/. May use: base, the kernel.
 */
#ifndef CONTROL_SOCKET_H
#define CONTROL_SOCKET_H

#include "base/err.h"

#include <sys/types.h>

/* Which file we made, so that we remove ours and nobody else's. */
struct listener {
    char *path;
    dev_t device;
    ino_t inode;
};

/* Binds and listens; *ret_fd is the caller's, non-blocking. An old socket is replaced when nobody
 * answers on it. The listener is set on success only. */
int control__listen(const char *path, const char *group, struct listener *listener, int *ret_fd,
                    struct err *e);

/* Removes the file if it still is ours. The descriptor is not touched. */
void control__unlisten(struct listener *listener);

#endif
