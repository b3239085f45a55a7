/* See reception.h. */
#include "control/reception.h"

#include "base/mem.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

enum { PAUSE_MS = 1000 };

struct reception {
    struct peers *peers;
    struct poll *poll;
    struct timer *pause; /* runs while there are no descriptors to be had */
    int listener;
    reception_fn take;
    void *data;
};

/* What fits into the socket's buffer is all that is said: nobody waits for somebody refused. */
static void refuse(int fd)
{
    static const char head[] = "HTTP/1.1 503 Service Unavailable\r\n"
                               "Content-Type: application/json\r\n"
                               "Connection: close\r\n"
                               "Retry-After: 1\r\n";
    static const char body[] = "{\"error\":{\"code\":\"refused\","
                               "\"message\":\"too many connections are open\","
                               "\"hint\":\"ask again in a moment\"}}\n";
    CLEANUP_FREE char *answer =
        mem_printf("%sContent-Length: %zu\r\n\r\n%s", head, sizeof body - 1, body);
    ssize_t ignored = send(fd, answer, strlen(answer), MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)ignored;
    close(fd);
}

static bool is_shortage(int code)
{
    return code == EMFILE || code == ENFILE || code == ENOBUFS || code == ENOMEM;
}

static void on_connections(void *data, int status, int events)
{
    struct reception *reception = data;
    (void)status; /* an error shows again in accept */
    (void)events;
    for (int i = 0; i < RECEPTION_BATCH; i++) {
        int fd = accept4(reception->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0 && control__peers_have_place(reception->peers, fd)) {
            reception->take(reception->data, fd);
        } else if (fd >= 0) {
            refuse(fd);
        } else if (is_shortage(errno)) {
            poll_set(reception->poll, 0); /* it stays readable: we would turn in circles */
            timer_start(reception->pause, PAUSE_MS);
            return;
        } else if (errno == EAGAIN) {
            return;
        }
    }
}

static void on_pause_over(void *data)
{
    struct reception *reception = data;
    poll_set(reception->poll, UV_READABLE);
}

struct reception *control__reception_new(struct loop *loop, int listener, struct peers *peers,
                                         reception_fn take, void *data)
{
    struct reception *reception = mem_new(sizeof *reception);
    *reception =
        (struct reception){.peers = peers, .listener = listener, .take = take, .data = data};
    reception->poll = poll_new(loop, listener, UV_READABLE, on_connections, reception);
    reception->pause = timer_new(loop, on_pause_over, reception);
    return reception->poll ? reception : control__reception_free(reception);
}

struct reception *control__reception_free(struct reception *reception)
{
    if (!reception)
        return NULL;
    poll_free(reception->poll);
    timer_free(reception->pause);
    close(reception->listener);
    free(reception);
    return NULL;
}
