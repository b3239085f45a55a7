/* What the files of /proc say, taken from their text. Pure; fuzzed.
 *
 * The formats are those of proc(5) and of the kernel's get_tcp4_sock() and get_tcp6_sock(): an
 * address there is the number that its bytes make in the machine's own order.
 *
 * May use: libc.
 */
#ifndef HOST_PROC_PARSE_H
#define HOST_PROC_PARSE_H

#include <stdbool.h>
#include <stdint.h>

/* IPv4 stands in it as IPv6 maps it (::ffff:a.b.c.d), as a socket of either kind may be used. No
 * padding: two are equal when their bytes are. */
struct host__endpoint {
    unsigned char address[16];
    uint16_t port;
};

struct host__connection {
    struct host__endpoint local, remote;
};

/* False for what is no address, and for a port that none can be. */
bool host__endpoint_parse(const char *address, int port, struct host__endpoint *ret);
bool host__is_loopback(const struct host__endpoint *endpoint);

/* One line of net/tcp or net/tcp6; false for the heading, and for a socket that nobody holds any
 * more (its inode is 0 then). */
bool host__tcp_line(const char *line, struct host__connection *ret, uint64_t *ret_inode);

#define HOST__ID_MAX 65 /* 64 hex digits and a NUL */

enum host__membership {
    HOST__NO_CONTAINER, /* a process of the host's own; what watches over a container, too */
    HOST__CONTAINER,
    HOST__UNCLEAR, /* the controllers name different ones */
};

/* PID/cgroup: which container the process is in. Every engine puts the 64 hex digits of its id into
 * the last part of the path that it makes: docker/ID, docker-ID.scope, libpod-ID.scope. */
enum host__membership host__cgroup_parse(const char *text, char out[static HOST__ID_MAX]);

/* PID/status: the process id in the innermost namespace, and how deep that lies (1: the namespace
 * of this /proc). False when the kernel does not say. */
bool host__status_parse(const char *text, int *ret_pid, int *ret_depth);

/* PID/stat: when the process began, in clock ticks since the machine's start. */
bool host__stat_parse(const char *text, uint64_t *ret_ticks);

/* "socket:[4711]", what a descriptor's link reads. */
bool host__link_parse(const char *link, uint64_t *ret_inode);

#endif
