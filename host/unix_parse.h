/* What the kernel answers about Unix sockets over NETLINK_SOCK_DIAG. Pure; fuzzed.
 *
 * The format is that of sock_diag(7): messages of nlmsghdr, unix_diag_msg and attributes.
 *
 * May use: base/mem.h, the kernel's headers.
 */
#ifndef HOST_UNIX_PARSE_H
#define HOST_UNIX_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A connected stream socket. */
struct host__unix_socket {
    uint64_t inode;
    uint64_t peer;
    bool postgres; /* bears the name of a PostgreSQL server's socket: it is the server's end */
};

/* To be zeroed, and freed by the caller (free(list.sockets)). */
struct host__unix_list {
    struct host__unix_socket *sockets;
    size_t count;
};

enum host__unix_answer {
    HOST__UNIX_MORE,   /* another datagram follows */
    HOST__UNIX_DONE,   /* that was the last one */
    HOST__UNIX_BROKEN, /* an error, or no such answer */
};

/* One datagram; what it tells of is added to the list. */
enum host__unix_answer host__unix_parse(const void *bytes, size_t len,
                                        struct host__unix_list *list);

#endif
