/* From the server's end of a connection to the client's: the same two addresses the other way round
 * (TCP), or what the kernel says of a Unix socket. See peers.h for the chain. */
#include "base/clock.h"
#include "base/mem.h"
#include "host/look_private.h"
#include "host/unix_diag.h"

#include <errno.h>
#include <string.h>

/* Each network namespace is asked once, whoever leads to it. */
struct namespaces {
    uint64_t *numbers;
    size_t count;
};

static bool is_new(struct namespaces *seen, uint64_t number)
{
    for (size_t i = 0; i < seen->count; i++)
        if (number != 0 && seen->numbers[i] == number)
            return false;
    *MEM_PUSH(seen->numbers, seen->count) = number;
    return true;
}

/* --- TCP: the two ends ------------------------------------------------------------------------ */

static bool is_same_endpoint(const struct host__endpoint *a, const struct host__endpoint *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

static void on_server_connection(void *data, const struct host__connection *connection,
                                 uint64_t inode)
{
    struct host__look *look = data;
    const struct host__socket *socket =
        host__find_socket(look->backends, look->backend_count, inode);
    struct host__link *link = socket ? &look->links[socket->session] : NULL;
    if (!link || link->local || !is_same_endpoint(&connection->remote, &link->client))
        return;
    link->inode = inode;
    link->fd = socket->fd;
    *MEM_PUSH(look->mirrors, look->mirror_count) = (struct host__mirror){
        .connection = {.local = connection->remote, .remote = connection->local}, .link = link};
}

static int by_connection(const void *left, const void *right)
{
    const struct host__mirror *a = left, *b = right;
    return memcmp(&a->connection, &b->connection, sizeof a->connection);
}

struct searching {
    struct host__look *look;
    bool inside; /* the server's own namespace: its loopback is the one that is meant */
};

static void on_client_connection(void *data, const struct host__connection *connection,
                                 uint64_t inode)
{
    const struct searching *searching = data;
    const struct host__mirror key = {.connection = *connection};
    struct host__look *look = searching->look;
    const struct host__mirror *found =
        bsearch(&key, look->mirrors, look->mirror_count, sizeof key, by_connection);
    if (found && !found->link->peer &&
        (searching->inside || !host__is_loopback(&connection->local)))
        found->link->peer = inode;
}

static int search_namespace(struct host__look *look, struct namespaces *seen, int pid)
{
    struct searching searching = {.look = look, .inside = seen->count == 0};
    if (pid > 0 && !host__is_late(look) && is_new(seen, host__proc_network(look->proc, pid)))
        return host__proc_connections(look->proc, pid, on_client_connection, &searching);
    return 0;
}

/* The client is not found, and the network that it should be in was not shown. Where that was shown
 * and has no such connection, this is the kernel's word, and no address says anything else. */
static void leave_tcp_unseen(struct host__look *look)
{
    for (size_t i = 0; i < look->query->session_count; i++) {
        struct host__link *link = &look->links[i];
        if (!link->inode || link->local || link->peer || !link->dark)
            continue;
        link->unseen = true;
        host__say_hidden(look, 0);
    }
}

static void search_namespaces(struct host__look *look)
{
    enum { INIT = 1 }; /* it lives in the host's namespace */
    struct namespaces seen = {0};
    search_namespace(look, &seen, look->query->server_pid);
    for (size_t i = 0; i < look->query->session_count; i++) {
        struct host__link *link = &look->links[i];
        const int near = look->query->sessions[i].near_pid;
        if (link->inode && !link->peer)
            link->dark =
                host__is_hidden(look, search_namespace(look, &seen, near > 0 ? near : INIT));
    }
    search_namespace(look, &seen, INIT);
    free(seen.numbers);
}

void host__find_tcp_peers(struct host__look *look)
{
    int problem =
        host__proc_connections(look->proc, look->query->server_pid, on_server_connection, look);
    if (problem == -EACCES || problem == -EPERM)
        host__say_hidden(look, problem);
    if (look->mirror_count == 0)
        return;
    qsort(look->mirrors, look->mirror_count, sizeof *look->mirrors, by_connection);
    search_namespaces(look);
    leave_tcp_unseen(look);
}

/* --- Unix sockets: the two ends --------------------------------------------------------------- */

/* A backend has one such socket; were there two, nobody could tell which is the client's. */
static void take_unix_socket(struct host__look *look, const struct host__unix_socket *found)
{
    const struct host__socket *socket =
        host__find_socket(look->backends, look->backend_count, found->inode);
    struct host__link *link = socket ? &look->links[socket->session] : NULL;
    if (!link || !link->local || !found->postgres || link->inode == found->inode)
        return;
    link->peer = link->inode ? 0 : found->peer;
    link->inode = found->inode;
    link->fd = socket->fd;
}

/* problem: of entering the others' namespaces; 0: not all of them are shown. */
static void leave_unix_unseen(struct host__look *look, int problem)
{
    for (size_t i = 0; i < look->query->session_count; i++)
        look->links[i].unseen |= look->links[i].local && !look->links[i].inode;
    if (problem == 0) {
        host__say_hidden(look, 0);
        return;
    }
    err_set(look->e, problem == -EPERM ? ERR_PERMISSION : ERR_FAILED,
            "host: ask for the Unix sockets of other network namespaces: %s", strerror(-problem));
    if (problem == -EPERM)
        err_hint(look->e, "run as root, or give CAP_SYS_ADMIN as well: until then the sessions of "
                          "Unix sockets are nobody's");
}

static size_t count_unix_left(const struct host__look *look)
{
    size_t count = 0;
    for (size_t i = 0; i < look->query->session_count; i++) {
        const struct host__link *link = &look->links[i];
        count += link->local && link->pid > 0 && !link->inode && !link->unseen;
    }
    return count;
}

static int ask_namespace(struct host__look *look, int pid)
{
    struct host__unix_list list = {0};
    int64_t left_ms = look->until_ms - clock_mono_ms();
    int problem =
        left_ms > 0 ? host__unix_sockets(look->proc, pid, (int)left_ms, &list) : -ETIMEDOUT;
    for (size_t i = 0; !problem && i < list.count; i++)
        take_unix_socket(look, &list.sockets[i]);
    free(list.sockets);
    return problem;
}

/* Both ends of such a connection belong to the network namespace of who connects: the kernel makes
 * the server's end in connect(). So the namespaces of all processes are asked, the likely ones
 * first. */
void host__find_unix_peers(struct host__look *look)
{
    struct namespaces seen = {0};
    int refused = 0;
    bool dark = look->narrowed;
    for (size_t i = 0; i < look->process_count && !host__is_late(look); i++) {
        int pid = look->processes[i].pid;
        if (count_unix_left(look) == 0)
            break;
        uint64_t number = host__proc_network(look->proc, pid);
        dark |= number == 0 && host__is_hidden(look, -errno);
        int problem = number != 0 && is_new(&seen, number) ? ask_namespace(look, pid) : 0;
        if (problem == -EPERM)
            refused = problem;
    }
    if ((refused || dark) && count_unix_left(look) > 0)
        leave_unix_unseen(look, refused);
    free(seen.numbers);
}
