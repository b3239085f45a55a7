/* See unix_diag.h.
 *
 * A socket belongs to the namespace in which it was made. So a thread of its own enters the
 * namespace, makes the socket and ends: no thread that does other work is ever in a wrong one.
 */
#include "host/unix_diag.h"

#include "base/mem.h"
#include "host/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>

enum { ANSWER_MAX = 32768, STATE_ESTABLISHED = 1 };

/* --- a socket in the namespace ---------------------------------------------------------------- */

static int open_here(void)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    return fd < 0 ? -errno : fd;
}

struct visit {
    int namespace; /* a descriptor of it */
    int socket;    /* the result: a descriptor, or -errno */
};

static void *on_thread(void *data)
{
    struct visit *visit = data;
    visit->socket = setns(visit->namespace, CLONE_NEWNET) == 0 ? open_here() : -errno;
    return NULL;
}

static int open_there(int proc, int pid)
{
    char path[32];
    pthread_t thread;
    snprintf(path, sizeof path, "%d/ns/net", pid);
    CLEANUP_CLOSE int namespace = openat(proc, path, O_RDONLY | O_CLOEXEC);
    if (namespace < 0)
        return -errno;
    struct visit visit = {.namespace = namespace, .socket = -EPERM};
    int problem = pthread_create(&thread, NULL, on_thread, &visit);
    if (problem)
        return -problem;
    pthread_join(thread, NULL);
    return visit.socket;
}

static bool is_ours(int proc, int pid)
{
    struct stat status;
    return stat("/proc/self/ns/net", &status) == 0 &&
           status.st_ino == host__proc_network(proc, pid);
}

/* --- question and answer ---------------------------------------------------------------------- */

static int ask(int fd)
{
    struct {
        struct nlmsghdr header;
        struct unix_diag_req request;
    } question = {
        .header = {.nlmsg_len = sizeof question,
                   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
        .request = {.sdiag_family = AF_UNIX,
                    .udiag_states = 1U << STATE_ESTABLISHED,
                    .udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_PEER},
    };
    const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    ssize_t sent =
        sendto(fd, &question, sizeof question, 0, (const struct sockaddr *)&kernel, sizeof kernel);
    return sent < 0 ? -errno : 0;
}

static int take_answers(int fd, struct host__unix_list *list)
{
    CLEANUP_FREE char *bytes = mem_new(ANSWER_MAX);
    enum host__unix_answer answer = HOST__UNIX_MORE;
    while (answer == HOST__UNIX_MORE) {
        ssize_t got = recv(fd, bytes, ANSWER_MAX, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            return -EIO;
        answer = host__unix_parse(bytes, (size_t)got, list);
    }
    return answer == HOST__UNIX_DONE ? 0 : -EIO;
}

int host__unix_sockets(int proc, int pid, int timeout_ms, struct host__unix_list *list)
{
    const struct timeval patience = {.tv_sec = timeout_ms / 1000,
                                     .tv_usec = timeout_ms % 1000 * 1000L};
    CLEANUP_CLOSE int fd = is_ours(proc, pid) ? open_here() : open_there(proc, pid);
    if (fd < 0)
        return fd;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0)
        return -errno;
    int problem = ask(fd);
    return problem ? problem : take_answers(fd, list);
}
