/* What the checks by HTTP and TCP have in common: a connection of curl's, straight to where the
 * name leads, once.
 *
 * May use: base, docker, libcurl.
 */
#ifndef WATCH_CHECK_TRANSFER_H
#define WATCH_CHECK_TRANSFER_H

#include "watch/check.h"

struct check_transfer {
    struct op op;
    struct multi *multi;
    CURL *easy; /* NULL: let go of */
    struct curl_slist *connect_to;
    char problem[CURL_ERROR_SIZE];
    char *what; /* "GET http://…" */
    docker_done_fn done;
    void *data;
    /* The transfer has ended: gives the verdict with watch__transfer_end, now or later. */
    void (*ended)(struct check_transfer *transfer, CURLcode result);
    void (*clear)(struct check_transfer *transfer); /* frees what comes beside it; or NULL */
};

/* `transfer` comes from mem_new; what, ended and clear are set. Takes `what` over. */
op_id watch__transfer_begin(struct check_transfer *transfer, const struct watch__check_tools *tools,
                            const struct check *check, docker_done_fn done, void *data);

/* e NULL: passed. Puts `what` in front of an error. */
void watch__transfer_end(struct check_transfer *transfer, const struct err *e);

/* Why there is no connection, or no answer. */
void watch__transfer_explain(const struct check_transfer *transfer, CURLcode result, struct err *e);

#endif
