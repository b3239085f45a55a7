/* See proc.h. */
#include "host/proc.h"

#include "base/mem.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

enum { PATH_MAX_LEN = 64, FILE_MAX = 16384, LINK_MAX_LEN = 64 };

static int open_file(int proc, int pid, const char *name, int flags)
{
    char path[PATH_MAX_LEN];
    snprintf(path, sizeof path, "%d/%s", pid, name);
    int fd = openat(proc, path, flags | O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int host__proc_text(int proc, int pid, const char *name, char *out, size_t size)
{
    size_t len = 0;
    CLEANUP_CLOSE int fd = open_file(proc, pid, name, 0);
    if (fd < 0)
        return fd;
    while (len < size - 1) {
        ssize_t got = read(fd, out + len, size - 1 - len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        len += (size_t)got;
    }
    out[len] = '\0';
    return 0;
}

uint64_t host__proc_start(int proc, int pid)
{
    char text[FILE_MAX];
    uint64_t ticks;
    return host__proc_text(proc, pid, "stat", text, sizeof text) == 0 &&
                   host__stat_parse(text, &ticks)
               ? ticks
               : 0;
}

enum host__membership host__proc_container(int proc, int pid, char out[static HOST__ID_MAX])
{
    char text[FILE_MAX];
    out[0] = '\0';
    return host__proc_text(proc, pid, "cgroup", text, sizeof text) == 0
               ? host__cgroup_parse(text, out)
               : HOST__UNCLEAR;
}

bool host__proc_inner_pid(int proc, int pid, int *ret_pid, int *ret_depth)
{
    char text[FILE_MAX];
    return host__proc_text(proc, pid, "status", text, sizeof text) == 0 &&
           host__status_parse(text, ret_pid, ret_depth);
}

uint64_t host__proc_network(int proc, int pid)
{
    char path[PATH_MAX_LEN];
    struct stat status;
    snprintf(path, sizeof path, "%d/ns/net", pid);
    return fstatat(proc, path, &status, 0) == 0 ? status.st_ino : 0;
}

/* --- sockets ---------------------------------------------------------------------------------- */

/* errno is 0 when it is no socket, or what the kernel said. */
static bool read_link(int folder, const char *name, uint64_t *ret_inode)
{
    char link[LINK_MAX_LEN];
    ssize_t len = readlinkat(folder, name, link, sizeof link - 1);
    if (len < 0)
        return false;
    errno = 0;
    link[len] = '\0';
    return host__link_parse(link, ret_inode);
}

static bool read_number(const char *name, int *ret)
{
    char *end;
    long number = isdigit((unsigned char)*name) ? strtol(name, &end, 10) : -1;
    *ret = (int)number;
    return number >= 0 && number <= INT_MAX && *end == '\0';
}

int host__proc_sockets(int proc, int pid, host__socket_fn found, void *data)
{
    uint64_t inode;
    int number;
    int denied = 0;
    int fd = open_file(proc, pid, "fd", O_DIRECTORY);
    if (fd < 0)
        return fd;
    DIR *folder = fdopendir(fd);
    if (!folder) {
        int problem = -errno;
        close(fd);
        return problem;
    }
    for (const struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        if (!read_number(entry->d_name, &number))
            continue;
        bool is_socket = read_link(fd, entry->d_name, &inode);
        if (!is_socket && errno == EACCES)
            denied = -EACCES; /* whose user opens the folder may still have to be its tracer */
        if (is_socket && !found(data, number, inode))
            break;
    }
    closedir(folder);
    return denied;
}

bool host__proc_holds(int proc, int pid, int fd, uint64_t inode)
{
    char path[PATH_MAX_LEN];
    uint64_t now;
    snprintf(path, sizeof path, "%d/fd/%d", pid, fd);
    return read_link(proc, path, &now) && now == inode;
}

static int each_connection(int proc, int pid, const char *name, host__connection_fn found,
                           void *data)
{
    CLEANUP_FREE char *line = NULL;
    size_t room = 0;
    int fd = open_file(proc, pid, name, 0);
    if (fd < 0)
        return fd;
    FILE *file = fdopen(fd, "r");
    if (!file) {
        int problem = -errno;
        close(fd);
        return problem;
    }
    while (getline(&line, &room, file) >= 0) {
        struct host__connection connection;
        uint64_t inode;
        if (host__tcp_line(line, &connection, &inode))
            found(data, &connection, inode);
    }
    int problem = ferror(file) ? -EIO : 0;
    fclose(file);
    return problem;
}

int host__proc_connections(int proc, int pid, host__connection_fn found, void *data)
{
    int problem = each_connection(proc, pid, "net/tcp", found, data);
    int problem6 = each_connection(proc, pid, "net/tcp6", found, data);
    /* A kernel without IPv6 has no such file. */
    return problem ? problem : problem6 == -ENOENT ? 0 : problem6;
}

/* --- all processes ---------------------------------------------------------------------------- */

int host__proc_pids(int proc, int **ret, size_t *ret_count)
{
    int pid;
    int fd = openat(proc, ".", O_RDONLY | O_CLOEXEC | O_DIRECTORY);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    *ret = NULL;
    *ret_count = 0;
    if (!folder) {
        int problem = -errno;
        if (fd >= 0)
            close(fd);
        return problem;
    }
    for (const struct dirent *entry = readdir(folder); entry; entry = readdir(folder))
        if (read_number(entry->d_name, &pid) && pid > 0)
            *MEM_PUSH(*ret, *ret_count) = pid;
    closedir(folder);
    return 0;
}
