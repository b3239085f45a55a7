/* Who holds the clients' ends: all processes are looked through for the sockets, the likely ones
 * first. See peers.h for the chain. */
#include "base/mem.h"
#include "host/look_private.h"

#include <errno.h>
#include <string.h>

static void want_peers(struct host__look *look)
{
    for (size_t i = 0; i < look->query->session_count; i++)
        if (look->links[i].peer)
            *MEM_PUSH(look->wanted, look->wanted_count) =
                (struct host__socket){.inode = look->links[i].peer, .session = i};
    host__sort_sockets(look->wanted, look->wanted_count);
    look->left = look->wanted_count;
}

static void name_process(struct host__look *look, struct peer *peer, int pid)
{
    if (host__proc_text(look->proc, pid, "comm", peer->process, sizeof peer->process) == 0)
        peer->process[strcspn(peer->process, "\n")] = '\0';
}

/* The socket is seen in the process before and after its container is read, and it is the same
 * process: so the container is that of who holds the socket. */
static void resolve(struct host__look *look, int pid, const struct host__socket *socket, int fd)
{
    static const enum peer_kind kinds[] = {[HOST__NO_CONTAINER] = PEER_HOST,
                                           [HOST__CONTAINER] = PEER_CONTAINER,
                                           [HOST__UNCLEAR] = PEER_UNKNOWN};
    struct peer found = {0};
    uint64_t start = host__proc_start(look->proc, pid);
    found.kind = kinds[host__proc_container(look->proc, pid, found.container_id)];
    name_process(look, &found, pid);
    if (start == 0 || !host__proc_holds(look->proc, pid, fd, socket->inode) ||
        host__proc_start(look->proc, pid) != start)
        return;
    if (found.kind != PEER_CONTAINER)
        found.container_id[0] = '\0';
    look->peers[socket->session] = found;
    look->left--;
}

static bool on_any_socket(void *data, int fd, uint64_t inode)
{
    struct host__look *look = data;
    const struct host__socket *socket = host__find_socket(look->wanted, look->wanted_count, inode);
    if (socket && look->peers[socket->session].kind == PEER_UNSEEN)
        resolve(look, look->pid, socket, fd);
    return look->left > 0;
}

/* A socket without an owner may belong to a process that we may not see. */
static void leave_owners_unseen(struct host__look *look, int problem)
{
    if (look->left == 0)
        return;
    for (size_t i = 0; i < look->wanted_count; i++)
        look->links[look->wanted[i].session].unseen = true;
    host__say_hidden(look, problem);
}

void host__find_owners(struct host__look *look)
{
    int hidden = 0;
    want_peers(look);
    for (size_t i = 0; i < look->process_count && look->left > 0 && !host__is_late(look); i++) {
        look->pid = look->processes[i].pid;
        int problem = host__proc_sockets(look->proc, look->pid, on_any_socket, look);
        if (problem == -EACCES || problem == -EPERM)
            hidden = problem;
    }
    if (hidden || look->narrowed)
        leave_owners_unseen(look, hidden);
}
