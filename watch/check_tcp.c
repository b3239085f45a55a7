/* A check by TCP: a connection that stands for a moment. See check.h.
 *
 * Docker's proxy takes connections to a published port although nobody listens in the container,
 * and closes them at once. So a connection that ends within a moment, without a byte, has failed.
 */
#include "base/mem.h"
#include "watch/check_transfer.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

enum { MOMENT_MS = 100 };

struct tcp_try {
    struct check_transfer transfer;
    struct timer *moment;
};

static void on_moment(void *data)
{
    struct tcp_try *tcp = data;
    struct err e;
    curl_socket_t fd = CURL_SOCKET_BAD;
    char byte;
    if (!tcp->transfer.easy)
        return; /* given up meanwhile */
    curl_easy_getinfo(tcp->transfer.easy, CURLINFO_ACTIVESOCKET, &fd);
    ssize_t got = fd == CURL_SOCKET_BAD ? 0 : recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    err_clear(&e);
    if (got == 0)
        err_set(&e, ERR_UNREACHABLE, "the connection was closed at once");
    else if (got < 0 && errno != EAGAIN)
        err_set(&e, ERR_UNREACHABLE, "the connection broke at once: %s", strerror(errno));
    watch__transfer_end(&tcp->transfer, err_is_set(&e) ? &e : NULL);
}

static void ended(struct check_transfer *transfer, CURLcode result)
{
    struct err e;
    if (result == CURLE_OK) {
        timer_start(((struct tcp_try *)transfer)->moment, MOMENT_MS);
        return;
    }
    watch__transfer_explain(transfer, result, &e);
    watch__transfer_end(transfer, &e);
}

static void clear(struct check_transfer *transfer)
{
    timer_free(((struct tcp_try *)transfer)->moment);
}

op_id watch__check_tcp(const struct watch__check_tools *tools, const struct check *check,
                       docker_done_fn done, void *data)
{
    struct tcp_try *tcp = mem_new(sizeof *tcp);
    tcp->moment = timer_new(tools->loop, on_moment, tcp);
    tcp->transfer.what = mem_printf("connect to %s", check->shown);
    tcp->transfer.ended = ended;
    tcp->transfer.clear = clear;
    CURL *easy = tcp->transfer.easy = curl_easy_init();
    if (!easy)
        abort(); /* out of memory: see base/mem.h */
    CLEANUP_FREE char *url = mem_printf(
        strchr(check->host, ':') ? "http://[%s]:%d" : "http://%s:%d", check->host, check->port);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L); /* curl closes it when it is let go of */
    return watch__transfer_begin(&tcp->transfer, tools, check, done, data);
}
