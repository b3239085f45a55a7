/* See stack_lock.h. */
#include "playbooks/stack_lock.h"

#include "base/hash.h"
#include "base/mem.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

enum { TRIES = 3, GROUPS_MAX = 1024 };

/* --- its name --------------------------------------------------------------------------------- */

/* A NUL, then the name, which ends with the address and not with a NUL. */
static socklen_t make_address(const struct stack_lock_name *name, struct sockaddr_un *address)
{
    char hash[HASH_TEXT_MAX];
    CLEANUP_FREE char *stack = name->database
                                   ? mem_strdup(name->database)
                                   : mem_printf("%s\n%s", name->docker_host, name->project);
    enum { STACK_MAX = 72 }; /* a container's id fits, a project's name need not */
    bool fits = name->database && strlen(stack) <= STACK_MAX;
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    int len = snprintf(address->sun_path + 1, sizeof address->sun_path - 1, "%.24s/%s", name->scope,
                       fits ? stack : hash_text(hash_bytes(stack, strlen(stack)), hash));
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len);
}

/* --- its holder ------------------------------------------------------------------------------- */

static bool has_group(int fd, gid_t group)
{
    CLEANUP_FREE gid_t *groups = mem_new(GROUPS_MAX * sizeof *groups);
    socklen_t len = GROUPS_MAX * sizeof *groups;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) != 0)
        return false;
    for (size_t i = 0; i < len / sizeof *groups; i++)
        if (groups[i] == group)
            return true;
    return false;
}

/* Who may use an Engine that is no socket here is not known: everybody counts. */
static bool may_use_engine(int fd, const struct ucred *holder, const char *docker_host)
{
    static const char scheme[] = "unix://";
    struct stat engine;
    if (holder->uid == 0 || holder->uid == geteuid())
        return true;
    if (strncmp(docker_host, scheme, strlen(scheme)) != 0 ||
        stat(docker_host + strlen(scheme), &engine) != 0)
        return true;
    return holder->uid == engine.st_uid || engine.st_mode & S_IWOTH ||
           holder->gid == engine.st_gid || has_group(fd, engine.st_gid);
}

static int refuse(const struct ucred *holder, struct err *e)
{
    CLEANUP_FREE char *pid = holder->pid > 0 ? mem_printf(" (pid %d)", (int)holder->pid) : NULL;
    err_set(e, ERR_CONFLICT, "another supervisor%s is at work on this stack", pid ? pid : "");
    err_hint(e, "it has a state directory of its own; ask again when its run is over");
    return -(int)ERR_CONFLICT;
}

static int no_lock(const char *what, struct err *e)
{
    return err_set(e, ERR_FAILED, "other supervisors cannot be kept off this stack: %s: %s", what,
                   strerror(errno));
}

/* The kernel tells who is at the other end of a connection; nobody need accept it for that. 0: it
 * is gone meanwhile. */
static int judge_holder(const struct sockaddr_un *address, socklen_t len, const char *docker_host,
                        struct err *e)
{
    struct ucred holder = {.pid = 0};
    socklen_t holder_len = sizeof holder;
    CLEANUP_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return no_lock("make a socket", e);
    if (connect(fd, (const struct sockaddr *)address, len) != 0)
        return errno == ECONNREFUSED ? 0 : no_lock("look who holds the lock", e);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &holder, &holder_len) != 0)
        return no_lock("look who holds the lock", e);
    if (may_use_engine(fd, &holder, docker_host))
        return refuse(&holder, e);
    return err_set(e, ERR_FAILED,
                   "other supervisors cannot be kept off this stack: the lock is held by a process "
                   "that may not use the Engine (pid %d, uid %u)",
                   (int)holder.pid, (unsigned)holder.uid);
}

/* --- taking it -------------------------------------------------------------------------------- */

/* Listening is what makes the holder known to others. */
static bool take(int fd, const struct sockaddr_un *address, socklen_t len)
{
    return bind(fd, (const struct sockaddr *)address, len) == 0 && listen(fd, SOMAXCONN) == 0;
}

int stack_lock_take(const struct stack_lock_name *name, int *ret_fd, struct err *e)
{
    struct sockaddr_un address;
    socklen_t len = make_address(name, &address);
    for (int i = 0; i < TRIES; i++) {
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
            return no_lock("make a socket", e);
        if (take(fd, &address, len)) {
            *ret_fd = fd;
            return 0;
        }
        int problem = errno;
        close(fd);
        errno = problem;
        if (problem != EADDRINUSE)
            return no_lock("bind one", e);
        int status = judge_holder(&address, len, name->docker_host, e);
        if (status != 0)
            return status;
    }
    return err_set(e, ERR_FAILED,
                   "other supervisors cannot be kept off this stack: the lock is held by a process "
                   "that does not show itself");
}
