/* See socket.h. */
#include "control/socket.h"

#include "base/mem.h"
#include "control/control.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Who finds the queue full is turned away by the kernel, root too: let it be long (as long as
 * net.core.somaxconn lets it) and emptied fast (reception.c). */
enum { BACKLOG = 4096 };

static int address_of(const char *path, struct sockaddr_un *address, struct err *e)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof address->sun_path)
        return err_set(e, ERR_INVALID, "control socket %s: a socket's path has 1 to %zu bytes",
                       path, sizeof address->sun_path - 1);
    memcpy(address->sun_path, path, len + 1);
    return 0;
}

static int system_error(const char *path, const char *what, int code, struct err *e)
{
    bool denied = code == EACCES || code == EPERM || code == EROFS;
    int failed = err_set(e, denied ? ERR_PERMISSION : ERR_FAILED, "control socket %s: %s: %s", path,
                         what, strerror(code));
    CLEANUP_FREE char *copy = mem_strdup(path);
    if (code == ENOENT)
        err_hint(e, "mkdir -p %s", dirname(copy));
    else if (denied)
        err_hint(e, "run as root, or choose a place of your own with --socket");
    return failed;
}

/* Makes way at `path`: what lies there must be a socket on which nobody answers. */
static int clear_path(const char *path, const struct sockaddr_un *address, struct err *e)
{
    struct stat there;
    if (lstat(path, &there) != 0)
        return errno == ENOENT ? 0 : system_error(path, "cannot look", errno, e);
    if (!S_ISSOCK(there.st_mode)) {
        int failed = err_set(e, ERR_CONFLICT, "control socket %s: a file that is no socket", path);
        err_hint(e, "move it away, or choose another place with --socket");
        return failed;
    }
    CLEANUP_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return system_error(path, "no socket to be had", errno, e);
    int connected = connect(fd, (const struct sockaddr *)address, sizeof *address);
    /* EAGAIN: its queue is full, so somebody listens. */
    if (connected == 0 || errno == EAGAIN || errno == EINPROGRESS) {
        int failed =
            err_set(e, ERR_CONFLICT, "control socket %s: a supervisor answers there", path);
        err_hint(e, "stop it (systemctl stop stack-supervisor), or choose another --socket");
        return failed;
    }
    if (errno != ECONNREFUSED && errno != ENOENT)
        return system_error(path, "cannot tell whether it is in use", errno, e);
    if (unlink(path) != 0 && errno != ENOENT)
        return system_error(path, "cannot remove the old one", errno, e);
    return 0;
}

static int group_of(const char *name, gid_t *ret, struct err *e)
{
    const struct group *group = getgrnam(name); /* while starting only: it may wait for a network */
    if (!group) {
        int failed = err_set(e, ERR_INVALID, "control socket: no group is called '%s'", name);
        err_hint(e, "groupadd --system %s", name);
        return failed;
    }
    *ret = group->gr_gid;
    return 0;
}

/* umask makes the file come into being with its final mode: at no instant may others connect. */
static int bind_private(int fd, const struct sockaddr_un *address)
{
    mode_t before = umask(0117);
    int bound = bind(fd, (const struct sockaddr *)address, sizeof *address);
    int code = errno;
    umask(before);
    errno = code;
    return bound;
}

static const char cannot_chown[] = "cannot give it to its group";

static int make_socket(const struct sockaddr_un *address, const gid_t *group,
                       struct listener *listener, int *ret_fd, struct err *e)
{
    const char *path = address->sun_path;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return system_error(path, "no socket to be had", errno, e);
    if (bind_private(fd, address) != 0) {
        int failed = system_error(path, "cannot bind", errno, e);
        close(fd);
        return failed;
    }
    struct stat made;
    const char *what = NULL;
    if (group && chown(path, (uid_t)-1, *group) != 0)
        what = cannot_chown;
    else if (listen(fd, BACKLOG) != 0)
        what = "cannot listen";
    else if (stat(path, &made) != 0)
        what = "cannot look";
    if (what) {
        int failed = system_error(path, what, errno, e);
        if (what == cannot_chown)
            err_hint(e, "the daemon's user must be a member of that group: in the unit, "
                        "SupplementaryGroups=");
        unlink(path);
        close(fd);
        return failed;
    }
    *listener = (struct listener){mem_strdup(path), made.st_dev, made.st_ino};
    *ret_fd = fd;
    return 0;
}

int control__listen(const char *path, const char *group, struct listener *listener, int *ret_fd,
                    struct err *e)
{
    struct sockaddr_un address;
    gid_t gid = 0;
    int failed = address_of(path, &address, e);
    if (!failed && group)
        failed = group_of(group, &gid, e);
    if (!failed)
        failed = clear_path(path, &address, e);
    return failed ? failed : make_socket(&address, group ? &gid : NULL, listener, ret_fd, e);
}

void control__unlisten(struct listener *listener)
{
    struct stat there;
    if (listener->path && stat(listener->path, &there) == 0 && there.st_dev == listener->device &&
        there.st_ino == listener->inode)
        unlink(listener->path);
    free(listener->path);
    *listener = (struct listener){0};
}

/* The name of a local user, or false. fgetpwent reads the file itself: no NSS, no network. */
static bool local_user(uid_t uid, char *out, size_t room)
{
    FILE *file = fopen("/etc/passwd", "re");
    const struct passwd *entry = NULL;
    while (file && (entry = fgetpwent(file)) && entry->pw_uid != uid)
        continue;
    if (entry)
        snprintf(out, room, "%s", entry->pw_name);
    if (file)
        fclose(file);
    return entry;
}

const char *control_requester(uid_t uid, pid_t pid, char out[static CONTROL_REQUESTER_MAX])
{
    char name[33];
    if (local_user(uid, name, sizeof name))
        snprintf(out, CONTROL_REQUESTER_MAX, "uid %u (%s), pid %d", (unsigned)uid, name, (int)pid);
    else
        snprintf(out, CONTROL_REQUESTER_MAX, "uid %u, pid %d", (unsigned)uid, (int)pid);
    return out;
}
