/* See multi.h. What curl and libuv demand of each other here, and what it costs to forget it:
 *
 *  - A socket is watched from curl's first word on it until CURL_POLL_REMOVE. Then the watch must
 *    stop at once: curl may close the descriptor next, and the number may come back in the same
 *    turn for another connection.
 *  - curl_multi_info_read is drained after every socket_action, also when no transfer runs any
 *    more: the last one's failure is reported just then.
 *  - A poll that reports an error must be told to curl as CURL_CSELECT_ERR, or the transfer hangs.
 *  - curl changes the timer only when its wish changes, so nobody else may stop it; and
 *    socket_action is never called from inside the timer callback, not even for "now".
 */
#include "base/multi.h"

#include "base/mem.h"

#include <assert.h>
#include <fcntl.h>

enum { IDLE_CONNECTIONS = 8 };

/* One socket between curl's first interest in it and CURL_POLL_REMOVE. */
struct watch {
    struct multi *multi;
    struct watch *next;
    struct poll *poll; /* NULL: the kernel refused, on_refused will tell curl */
    curl_socket_t fd;
};

struct multi {
    CURLM *curl;
    struct loop *loop;
    multi_done_fn done;
    struct timer *timer;   /* the one curl asks for */
    struct timer *refused; /* runs at once when a socket could not be watched */
    struct watch *watches;
};

static void drain(struct multi *multi)
{
    int left;
    const CURLMsg *message;
    while ((message = curl_multi_info_read(multi->curl, &left)) != NULL)
        if (message->msg == CURLMSG_DONE)
            multi->done(message->easy_handle, message->data.result);
}

static void act(struct multi *multi, curl_socket_t fd, int flags)
{
    int running;
    CURLMcode code = curl_multi_socket_action(multi->curl, fd, flags, &running);
    /* CURLM_BAD_SOCKET and the like would be our own mistake in keeping the watches. */
    assert(code == CURLM_OK);
    (void)code;
    drain(multi);
}

static void on_poll(void *data, int status, int events)
{
    const struct watch *watch = data;
    int flags = status < 0 ? CURL_CSELECT_ERR : 0;
    if (events & UV_READABLE)
        flags |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE)
        flags |= CURL_CSELECT_OUT;
    act(watch->multi, watch->fd, flags); /* the watch may be gone afterwards */
}

static void on_timer(void *data)
{
    act(data, CURL_SOCKET_TIMEOUT, 0);
}

static const struct watch *next_refused(const struct multi *multi)
{
    const struct watch *watch = multi->watches;
    while (watch && watch->poll)
        watch = watch->next;
    return watch;
}

/* Each action can make curl drop any watch, so the search starts anew; a watch that curl keeps is
 * tried again by the timer, not here. */
static void on_refused(void *data)
{
    struct multi *multi = data;
    const struct watch *watch = next_refused(multi);
    if (watch)
        act(multi, watch->fd, CURL_CSELECT_ERR);
    if (next_refused(multi))
        timer_start(multi->refused, 10);
}

static struct watch *watch_release(struct watch *watch)
{
    struct watch *next = watch->next;
    poll_free(watch->poll);
    free(watch);
    return next;
}

static void watch_free(struct watch *watch)
{
    struct watch **at = &watch->multi->watches;
    while (*at != watch)
        at = &(*at)->next;
    *at = watch_release(watch);
}

/* A watch that curl forgot to end must not outlive its descriptor: the kernel gives the number
 * again, and libuv aborts on a descriptor that is watched twice. */
static void end_stale_watch(struct multi *multi, curl_socket_t fd)
{
    for (struct watch *watch = multi->watches; watch; watch = watch->next)
        if (watch->fd == fd) {
            watch_free(watch);
            return;
        }
}

static struct watch *watch_new(struct multi *multi, curl_socket_t fd, int events)
{
    end_stale_watch(multi, fd);
    struct watch *watch = mem_new(sizeof *watch);
    watch->multi = multi;
    watch->fd = fd;
    watch->next = multi->watches;
    multi->watches = watch;
    watch->poll = poll_new(multi->loop, fd, events, on_poll, watch);
    if (!watch->poll)
        timer_start(multi->refused, 0);
    return watch;
}

static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *data, void *socket_data)
{
    (void)easy;
    struct multi *multi = data;
    struct watch *watch = socket_data;
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    if (what == CURL_POLL_REMOVE) {
        if (watch)
            watch_free(watch);
        curl_multi_assign(multi->curl, fd, NULL);
    } else if (!watch) {
        curl_multi_assign(multi->curl, fd, watch_new(multi, fd, events));
    } else if (watch->poll) {
        poll_set(watch->poll, events);
    }
    return 0;
}

static int on_curl_timer(CURLM *curl, long timeout_ms, void *data)
{
    (void)curl;
    struct multi *multi = data;
    if (timeout_ms < 0)
        timer_stop(multi->timer);
    else
        timer_start(multi->timer, timeout_ms);
    return 0;
}

struct multi *multi_new(struct loop *loop, multi_done_fn done)
{
    struct multi *multi = mem_new(sizeof *multi);
    /* Counted by curl, so everybody who needs it may do this. */
    CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
    assert(code == CURLE_OK);
    (void)code;
    multi->loop = loop;
    multi->done = done;
    multi->timer = timer_new(loop, on_timer, multi);
    multi->refused = timer_new(loop, on_refused, multi);
    multi->curl = curl_multi_init();
    if (!multi->curl)
        abort(); /* out of memory: see base/mem.h */
    curl_multi_setopt(multi->curl, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
    curl_multi_setopt(multi->curl, CURLMOPT_SOCKETDATA, multi);
    curl_multi_setopt(multi->curl, CURLMOPT_TIMERFUNCTION, on_curl_timer);
    curl_multi_setopt(multi->curl, CURLMOPT_TIMERDATA, multi);
    curl_multi_setopt(multi->curl, CURLMOPT_MAXCONNECTS, (long)IDLE_CONNECTIONS);
    /* No CURLMOPT_MAX_HOST_CONNECTIONS: a stream holds its connection for good, and a call that
     * waits behind it would wait for ever. */
    return multi;
}

struct multi *multi_free(struct multi *multi)
{
    if (!multi)
        return NULL;
    /* The callbacks stay set: newer versions of curl use them while they close idle sockets. */
    curl_multi_cleanup(multi->curl);
    while (multi->watches)
        multi->watches = watch_release(multi->watches);
    timer_free(multi->timer);
    timer_free(multi->refused);
    curl_global_cleanup();
    free(multi);
    return NULL;
}

/* Programs that we run must not inherit a connection, least of all the Engine's. */
static int on_new_socket(void *data, curl_socket_t fd, curlsocktype purpose)
{
    (void)data;
    (void)purpose;
    return fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 ? CURL_SOCKOPT_OK : CURL_SOCKOPT_ERROR;
}

void multi_add(struct multi *multi, CURL *easy)
{
    curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_new_socket);
    /* Else giving up a transfer whose name is being resolved waits, on the loop, for the resolver:
     * 10 s and more when no name server answers. */
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    CURLMcode code = curl_multi_add_handle(multi->curl, easy);
    assert(code == CURLM_OK);
    (void)code;
}

void multi_remove(struct multi *multi, CURL *easy)
{
    CURLMcode code = curl_multi_remove_handle(multi->curl, easy);
    assert(code == CURLM_OK);
    (void)code;
}
