/* One transfer of libcurl: what a webhook and a mail have in common.
 *
 * May use: base, libcurl.
 */
#ifndef NOTIFY_TRANSFER_H
#define NOTIFY_TRANSFER_H

#include "base/buf.h"
#include "base/err.h"
#include "base/multi.h"
#include "notify/receiver.h"

struct notify__transfer {
    struct multi *multi; /* when it has been started */
    CURL *easy;
    struct curl_slist *list; /* headers, or recipients */
    struct buf answer;       /* the beginning of the body */
    void (*done)(void *data, CURLcode result);
    void *data;
    char problem[CURL_ERROR_SIZE]; /* curl's own words */
};

/* The result of every transfer of this multi comes here. */
void notify__transfer_on_done(CURL *easy, CURLcode result);

/* Deadline, TLS, no proxy, no redirects, a connection of its own: all that does not depend on the
 * way. */
struct notify__transfer *notify__transfer_new(const struct notify__receiver *receiver);
void notify__transfer_list(struct notify__transfer *transfer, const char *text);

/* On the loop. `done` comes from the loop and may free the transfer. */
void notify__transfer_start(struct notify__transfer *transfer, struct multi *multi,
                            void (*done)(void *data, CURLcode result), void *data);

/* Gives it up if it is under way. Accepts NULL; returns NULL. */
struct notify__transfer *notify__transfer_free(struct notify__transfer *transfer);

/* Why it failed: "<where>: …" with the next step. */
void notify__transfer_explain(const struct notify__transfer *transfer, CURLcode result,
                              const char *where, struct err *e);

#endif
