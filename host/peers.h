/* Who is at the other end of a server's connections: the process that holds the client's end of a
 * session, and the container that this process is in.
 *
 *   the session's backend ─► its socket ─► the socket connected to it ─► who holds that ─► cgroup
 *    (NSpid in its            (net/tcp: the same two ends, mirrored,
 *     container)               in the server's, the client's or the
 *                              host's namespace; sock_diag: the peer)
 *
 * So it sees through host networking, shared network namespaces and Unix sockets, where an address
 * says nothing or the wrong thing. It does not see through a NAT or a proxy: a port published by
 * docker-proxy ends at docker-proxy. The chain is looked at twice where it could have changed in
 * between; what is not certain is unknown.
 *
 * Everything happens on a thread of libuv's pool. It takes the right to look at the processes of
 * others: root, or CAP_SYS_PTRACE with CAP_DAC_READ_SEARCH; for Unix sockets of clients with a
 * network namespace of their own CAP_SYS_ADMIN as well, to enter that.
 *
 * May use: base. Knows nothing of Docker or PostgreSQL but what their containers, and the names of
 * their sockets, look like from outside.
 */
#ifndef HOST_PEERS_H
#define HOST_PEERS_H

#include "base/op.h"

#include <stddef.h>

#define PEER_CONTAINER_MAX 65 /* 64 hex digits and a NUL */
#define PEER_PROCESS_MAX   16 /* a process's name, as the kernel cuts it */

struct peer_session {
    int backend_pid;     /* as the server sees it, in its PID namespace */
    const char *address; /* of the client; "local" for a Unix socket */
    int port;            /* of the client; of no meaning for a Unix socket */
    double age_s;        /* how old the session was when it was asked for, at least */
    int near_pid;        /* the main process of the container that bears the address; 0: none */
};

enum peer_kind {
    PEER_UNSEEN,    /* we may not look at everything, had no time, or it is not on this machine */
    PEER_UNKNOWN,   /* looked for, and not found among all there is, or not certain */
    PEER_HOST,      /* a process in no container */
    PEER_CONTAINER, /* a process in this container */
};

struct peer {
    enum peer_kind kind;
    char container_id[PEER_CONTAINER_MAX]; /* "" unless it is a container */
    char process[PEER_PROCESS_MAX];        /* "" unless a process was found; foreign text */
};

struct peers_query {
    const char *proc; /* where /proc is; NULL: /proc */
    int server_pid;   /* the main process of the server's container */
    const char *server_container;
    const struct peer_session *sessions;
    size_t session_count;
    const char *const *near; /* ids of containers that are looked into first */
    size_t near_count;
};

/* One peer a session, in the same order. `e` is NULL when everything could be looked at; else it
 * says why there are unseen ones. Both are borrowed for the call. */
typedef void (*peers_fn)(void *data, const struct err *e, const struct peer *peers, size_t count);

/* The query is copied. After the deadline, or a cancel, all are unseen. */
op_id peers_find(struct loop *loop, const struct peers_query *query, int64_t deadline_ms,
                 peers_fn done, void *data);

#endif
