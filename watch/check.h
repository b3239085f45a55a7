/* One check, and one try of it. A try is an operation by the contract of base/op.h, whose result is
 * the verdict: no error, it passed; ERR_CANCELLED, there is none (given up, or the Engine is out of
 * reach); any other error, it failed, and why.
 *
 * May use: base, docker, libcurl. Private to watch/checks*.c and check_*.c.
 */
#ifndef WATCH_CHECK_H
#define WATCH_CHECK_H

#include "base/multi.h"
#include "base/op.h"
#include "docker/stack.h"

enum check_kind { CHECK_HTTP, CHECK_TCP, CHECK_EXEC };

enum { CHECK_STATUSES_MAX = 16 };

struct check {
    char *name;
    enum check_kind kind;
    char *url;   /* of http */
    char *shown; /* the URL without what may be secret, "host:port", the command: for people */
    char *host;  /* of http and tcp, without brackets */
    int port;    /* of tcp */
    struct check_statuses {
        int low, high;
    } statuses[CHECK_STATUSES_MAX];
    size_t status_count;
    char *contains; /* or NULL */
    char **argv;    /* of exec, NULL-terminated */
    size_t argc;
    char *container; /* of exec: NULL on this host */
    int64_t every_ms, timeout_ms;
    int failures, successes;
};

struct checks {
    struct check *items;
    size_t count;
};

/* What a try works with; borrowed for the call that starts it. */
struct watch__check_tools {
    struct loop *loop;
    struct multi *multi; /* with watch__check_on_done */
    struct docker *docker;
    const struct stack *stack; /* or NULL */
};

op_id watch__check_http(const struct watch__check_tools *tools, const struct check *check,
                        docker_done_fn done, void *data);
op_id watch__check_tcp(const struct watch__check_tools *tools, const struct check *check,
                       docker_done_fn done, void *data);
/* In a container it may last longer than its time-out: the Engine cannot end a command. */
op_id watch__check_exec(const struct watch__check_tools *tools, const struct check *check,
                        docker_done_fn done, void *data);

void watch__check_on_done(CURL *easy, CURLcode result);

/* Takes a URL apart. False with a reason when it is none that can be checked. *ret_shown is without
 * user, password and query, which may be its secret; the path stays, by which people know it. The
 * caller owns *ret_host and *ret_shown. */
bool watch__check_url(const char *url, char **ret_host, char **ret_shown, const char **ret_reason);

#endif
