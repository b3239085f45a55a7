/* See state_dir.h. */
#include "supervisor/state_dir.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

static int refuse(const char *path, const char *tried, struct err *e)
{
    int problem = errno;
    err_set(e, problem == EACCES || problem == EPERM ? ERR_PERMISSION : ERR_FAILED,
            "state directory %s: %s: %s", path, tried, strerror(problem));
    err_hint(e, "run as root, or name a directory of your own with --state-dir");
    return -(int)e->code;
}

static int refuse_held(const char *path, int fd, struct err *e)
{
    char holder[32] = "";
    ssize_t len = pread(fd, holder, sizeof holder - 1, 0);
    holder[len > 0 ? len : 0] = '\0';
    holder[strcspn(holder, "\n")] = '\0';
    err_set(e, ERR_CONFLICT, "a supervisor is at work already on %s (pid %s)", path,
            *holder ? holder : "unknown");
    err_hint(e, "ask that one (without --standalone)");
    return -(int)ERR_CONFLICT;
}

/* mkdir -p, the last folder 0750. */
static int make_directory(const char *path)
{
    CLEANUP_FREE char *copy = mem_strdup(path);
    for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(copy, 0755) != 0 && errno != EEXIST)
            return -1;
        *slash = '/';
    }
    return mkdir(copy, 0750) != 0 && errno != EEXIST ? -1 : 0;
}

int state_dir_lock(const char *path, int *ret_fd, struct err *e)
{
    if (make_directory(path) != 0)
        return refuse(path, "make it", e);
    CLEANUP_FREE char *file = mem_printf("%s/lock", path);
    int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0)
        return refuse(path, "open its lock", e);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        int status = errno == EWOULDBLOCK ? refuse_held(path, fd, e) : refuse(path, "lock it", e);
        close(fd);
        return status;
    }
    /* For the message above only: the lock is flock's, and goes with the process. */
    if (ftruncate(fd, 0) == 0)
        dprintf(fd, "%d\n", (int)getpid());
    *ret_fd = fd;
    return 0;
}
