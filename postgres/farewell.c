/* See farewell.h. */
#include "postgres/farewell.h"

#include "base/mem.h"

#include <errno.h>
#include <sys/socket.h>

struct db__farewell {
    struct poll *poll;
    struct timer *patience;
    int fd;
    loop_fn gone;
    void *data;
};

static void finish(void *data)
{
    struct db__farewell *farewell = data;
    loop_fn gone = farewell->gone;
    void *whose = farewell->data;
    db__farewell_free(farewell);
    gone(whose);
}

static void on_readable(void *data, int status, int events)
{
    struct db__farewell *farewell = data;
    (void)events;
    char rest[512]; /* what the server still had to say interests nobody now */
    ssize_t got = status < 0 ? 0 : read(farewell->fd, rest, sizeof rest);
    bool more = got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
    if (!more)
        finish(farewell);
}

struct db__farewell *db__farewell_new(struct loop *loop, int fd, int64_t patience_ms, loop_fn gone,
                                      void *data)
{
    struct db__farewell *farewell = mem_new(sizeof *farewell);
    *farewell = (struct db__farewell){.fd = fd, .gone = gone, .data = data};
    shutdown(fd, SHUT_WR);
    farewell->poll = poll_new(loop, fd, UV_READABLE, on_readable, farewell);
    farewell->patience = timer_new(loop, finish, farewell);
    timer_start(farewell->patience, farewell->poll ? patience_ms : 0);
    return farewell;
}

struct db__farewell *db__farewell_free(struct db__farewell *farewell)
{
    if (!farewell)
        return NULL;
    poll_free(farewell->poll);
    timer_free(farewell->patience);
    close(farewell->fd);
    free(farewell);
    return NULL;
}
