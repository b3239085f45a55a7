/* One walk along the chain as its files share it: look.c begins and concludes, ends.c finds the
 * clients' ends, owners.c who holds those. Private to host/.
 *
 * May use: base, proc.h.
 */
#ifndef HOST_LOOK_PRIVATE_H
#define HOST_LOOK_PRIVATE_H

#include "host/look.h"
#include "host/proc.h"

/* What is known of a session's connection, step by step. */
struct host__link {
    bool local; /* a Unix socket */
    struct host__endpoint client;
    int pid;        /* the backend, as we see it; 0: not found, -1: not certain */
    uint64_t start; /* when that process began */
    int fd;         /* the server's end, */
    uint64_t inode; /* 0: not found */
    uint64_t peer;  /* the client's end; 0: not found */
    bool dark;      /* the network that the client should be in may not be looked at */
    bool unseen;    /* we may not look at something that matters */
};

struct host__socket {
    uint64_t inode;
    size_t session;
    int fd;
};

/* How the client's end of a TCP connection must look: the server's the other way round. */
struct host__mirror {
    struct host__connection connection;
    struct host__link *link;
};

struct host__process {
    int pid;
    bool server, near;
};

struct host__look {
    const struct peers_query *query;
    int proc;
    int64_t until_ms;
    struct peer *peers;
    struct err *e;
    struct host__link *links;        /* one a session */
    struct host__process *processes; /* near ones first */
    size_t process_count;
    struct host__socket *backends; /* the sockets that the backends hold, by inode */
    size_t backend_count;
    struct host__mirror *mirrors; /* of the links whose client's end is looked for, sorted */
    size_t mirror_count;
    struct host__socket *wanted; /* the clients' ends that were found, by inode */
    size_t wanted_count;
    size_t left; /* of those, not resolved yet */
    int pid;     /* the process that is looked at now */
    /* /proc shows those processes alone that we may look at (hidepid): process 1 is not there. So
     * who is not found may be hidden. */
    bool narrowed;
};

/* look.c: what the others need as well. */
bool host__is_late(const struct host__look *look);
void host__sort_sockets(struct host__socket *sockets, size_t count); /* by inode */
struct host__socket *host__find_socket(struct host__socket *sockets, size_t count, uint64_t inode);
/* Whether a process's files could not be read for want of a right, and not because it has ended. */
bool host__is_hidden(const struct host__look *look, int problem);
/* Says so; problem is what the kernel said of the last one, 0: it did not even show it. */
void host__say_hidden(struct host__look *look, int problem);

/* ends.c: fill in the server's and the client's end of each link. */
void host__find_tcp_peers(struct host__look *look);
void host__find_unix_peers(struct host__look *look);

/* owners.c: from the clients' ends to the peers. */
void host__find_owners(struct host__look *look);

#endif
