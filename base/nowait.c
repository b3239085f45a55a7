/* See nowait.h. */
#include "base/nowait.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of write() and send(): what would have to wait has taken nothing. */
static ssize_t taken(ssize_t result)
{
    return result < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : result;
}

/* The same pipe or terminal, opened once more for us alone; -1 where that may not be: it is another
 * user's, or there is no descriptor left. */
static int open_own(int fd)
{
    enum { PATH_ROOM = 32 };
    char path[PATH_ROOM];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

/* Piece by piece, each asked for: a pipe that is writable has room for PIPE_BUF. A terminal
 * promises less, so this is for want of a better way alone. */
static ssize_t write_polled(int fd, const char *bytes, size_t len)
{
    size_t done = 0;
    struct pollfd room = {.fd = fd, .events = POLLOUT};
    while (done < len && poll(&room, 1, 0) > 0) {
        size_t piece = len - done < PIPE_BUF ? len - done : PIPE_BUF;
        ssize_t result = taken(write(fd, bytes + done, piece));
        if (result <= 0)
            return done > 0 ? (ssize_t)done : result;
        done += (size_t)result;
    }
    return (ssize_t)done;
}

ssize_t nowait_write(int fd, const void *bytes, size_t len)
{
    struct stat about;
    if (fstat(fd, &about) != 0)
        return -1;
    if (S_ISSOCK(about.st_mode))
        return taken(send(fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL));
    if (!S_ISFIFO(about.st_mode) && !isatty(fd))
        return taken(write(fd, bytes, len));
    int own = open_own(fd);
    if (own < 0)
        return write_polled(fd, bytes, len);
    ssize_t result = taken(write(own, bytes, len));
    int error = errno;
    close(own);
    errno = error;
    return result;
}
