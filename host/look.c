/* See look.h, and peers.h for the chain: the server and its backends, then ends.c, then owners.c,
 * then whether it is still so. */
#include "base/clock.h"
#include "base/mem.h"
#include "host/look_private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

/* The server's clock and the kernel's may have parted by a step of the wall clock. */
static const double age_tolerance_s = 10;

bool host__is_late(const struct host__look *look)
{
    return clock_mono_ms() >= look->until_ms;
}

static int by_inode(const void *left, const void *right)
{
    const struct host__socket *a = left, *b = right;
    return a->inode < b->inode ? -1 : a->inode > b->inode;
}

void host__sort_sockets(struct host__socket *sockets, size_t count)
{
    if (count > 0)
        qsort(sockets, count, sizeof *sockets, by_inode);
}

struct host__socket *host__find_socket(struct host__socket *sockets, size_t count, uint64_t inode)
{
    const struct host__socket key = {.inode = inode};
    return count > 0 ? bsearch(&key, sockets, count, sizeof *sockets, by_inode) : NULL;
}

/* --- the server and its backends -------------------------------------------------------------- */

/* A process id alone may be another machine's, or a later process's. */
static int find_server(struct host__look *look)
{
    char id[HOST__ID_MAX];
    const struct peers_query *query = look->query;
    if (host__proc_container(look->proc, query->server_pid, id) == HOST__CONTAINER &&
        strcmp(id, query->server_container) == 0)
        return 0;
    err_set(look->e, ERR_NOT_FOUND, "host: no process %d of container %.12s is seen here",
            query->server_pid, query->server_container);
    err_hint(look->e,
             "the database runs on another machine, or /proc hides the processes of others "
             "(a PID namespace, hidepid): sessions are told apart by address alone");
    return -1;
}

static bool is_near(const struct peers_query *query, const char *id)
{
    for (size_t i = 0; i < query->near_count; i++)
        if (strcmp(query->near[i], id) == 0)
            return true;
    return false;
}

static int near_first(const void *left, const void *right)
{
    const struct host__process *a = left, *b = right;
    if (a->near != b->near)
        return a->near ? -1 : 1;
    return a->pid < b->pid ? -1 : a->pid > b->pid;
}

static int list_processes(struct host__look *look)
{
    CLEANUP_FREE int *pids = NULL;
    size_t count;
    int problem = host__proc_pids(look->proc, &pids, &count);
    if (problem)
        return err_set(look->e, ERR_FAILED, "host: list the processes: %s", strerror(-problem));
    look->narrowed = true;
    for (size_t i = 0; i < count && !host__is_late(look); i++) {
        enum { INIT = 1 };
        char id[HOST__ID_MAX];
        struct host__process *process = MEM_PUSH(look->processes, look->process_count);
        process->pid = pids[i];
        look->narrowed &= pids[i] != INIT;
        if (host__proc_container(look->proc, pids[i], id) != HOST__CONTAINER)
            continue;
        process->server = strcmp(id, look->query->server_container) == 0;
        process->near = process->server || is_near(look->query, id);
    }
    if (look->process_count > 0)
        qsort(look->processes, look->process_count, sizeof *look->processes, near_first);
    return 0;
}

static void name_backend(struct host__look *look, int pid, int inner_pid)
{
    for (size_t i = 0; i < look->query->session_count; i++)
        if (look->query->sessions[i].backend_pid == inner_pid)
            look->links[i].pid = look->links[i].pid ? -1 : pid;
}

/* Deeper ones count from one again: they are in a namespace within the container. */
static void find_backends(struct host__look *look)
{
    int pid, depth, server_depth;
    if (!host__proc_inner_pid(look->proc, look->query->server_pid, &pid, &server_depth))
        return;
    for (size_t i = 0; i < look->process_count; i++) {
        const struct host__process *process = &look->processes[i];
        if (process->server && host__proc_inner_pid(look->proc, process->pid, &pid, &depth) &&
            depth == server_depth)
            name_backend(look, process->pid, pid);
    }
}

struct collecting {
    struct host__look *look;
    size_t session;
};

static bool on_backend_socket(void *data, int fd, uint64_t inode)
{
    const struct collecting *collecting = data;
    struct host__look *look = collecting->look;
    *MEM_PUSH(look->backends, look->backend_count) =
        (struct host__socket){.inode = inode, .session = collecting->session, .fd = fd};
    return true;
}

bool host__is_hidden(const struct host__look *look, int problem)
{
    return problem == -EACCES || problem == -EPERM ||
           (look->narrowed && (problem == -ENOENT || problem == -ESRCH));
}

void host__say_hidden(struct host__look *look, int problem)
{
    const bool shown = problem == -EACCES || problem == -EPERM;
    err_set(look->e, ERR_PERMISSION, "host: look at the sockets of other processes: %s",
            shown ? strerror(-problem) : "/proc does not show them");
    err_hint(look->e, "run as root, or give CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH: until then "
                      "sessions are told apart by address alone");
}

static void collect_backends(struct host__look *look)
{
    for (size_t i = 0; i < look->query->session_count; i++) {
        struct host__link *link = &look->links[i];
        struct collecting collecting = {look, i};
        if (link->pid <= 0)
            continue;
        link->start = host__proc_start(look->proc, link->pid);
        int problem = host__proc_sockets(look->proc, link->pid, on_backend_socket, &collecting);
        link->unseen = problem == -EACCES || problem == -EPERM; /* it was shown just now */
        if (link->unseen)
            host__say_hidden(look, problem);
    }
    host__sort_sockets(look->backends, look->backend_count);
}

/* --- is it still so? -------------------------------------------------------------------------- */

static double age_of(uint64_t start_ticks)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9 -
           (double)start_ticks / (double)sysconf(_SC_CLK_TCK);
}

/* The backend has been at its end all the time; and it is the session's own, not a later one under
 * the same pid: over TCP the client's port has told, over a Unix socket only its age can. */
static bool is_still_so(const struct host__look *look, size_t session)
{
    const struct host__link *link = &look->links[session];
    return link->start != 0 && host__proc_holds(look->proc, link->pid, link->fd, link->inode) &&
           host__proc_start(look->proc, link->pid) == link->start &&
           (!link->local ||
            age_of(link->start) + age_tolerance_s >= look->query->sessions[session].age_s);
}

static void conclude(struct host__look *look)
{
    bool late = host__is_late(look);
    for (size_t i = 0; i < look->query->session_count; i++) {
        struct peer *peer = &look->peers[i];
        if (peer->kind == PEER_UNSEEN && !late && !look->links[i].unseen)
            peer->kind = PEER_UNKNOWN;
        else if (peer->kind >= PEER_HOST && !is_still_so(look, i))
            *peer = (struct peer){.kind = PEER_UNKNOWN};
    }
    if (late)
        err_set(look->e, ERR_TIMEOUT, "host: look who holds the connections: no time was left");
}

/* --- the whole -------------------------------------------------------------------------------- */

static void read_sessions(struct host__look *look)
{
    for (size_t i = 0; i < look->query->session_count; i++) {
        const struct peer_session *session = &look->query->sessions[i];
        struct host__link *link = &look->links[i];
        link->local = strcmp(session->address, "local") == 0;
        if (!link->local && !host__endpoint_parse(session->address, session->port, &link->client))
            link->client.port = 0; /* matches none */
    }
}

void host__look(const struct peers_query *query, int64_t until_ms, struct peer *peers,
                struct err *e)
{
    const char *path = query->proc ? query->proc : "/proc";
    CLEANUP_CLOSE int proc = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct host__look look = {
        .query = query, .proc = proc, .until_ms = until_ms, .peers = peers, .e = e};
    err_clear(e);
    if (proc < 0) {
        err_set(e, ERR_FAILED, "host: open %s: %s", path, strerror(errno));
        return;
    }
    look.links = mem_new((query->session_count + 1) * sizeof *look.links);
    read_sessions(&look);
    if (find_server(&look) == 0 && list_processes(&look) == 0) {
        find_backends(&look);
        collect_backends(&look);
        host__find_tcp_peers(&look);
        host__find_unix_peers(&look);
        host__find_owners(&look);
        conclude(&look);
    }
    free(look.links);
    free(look.processes);
    free(look.backends);
    free(look.mirrors);
    free(look.wanted);
}
