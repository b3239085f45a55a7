/* One HTTP exchange with the Engine: a request out, an answer in.
 *
 * Not an operation yet (that is call.h): an exchange has no deadline of its own, it can be aborted
 * without a word, and its callbacks are for docker/'s own code, which must not call foreign code
 * from them.
 *
 * May use: base, libcurl, host.h.
 */
#ifndef DOCKER_HTTP_H
#define DOCKER_HTTP_H

#include "base/err.h"
#include "docker/host.h"

struct docker__http;
struct docker__exchange;

struct docker__http *docker__http_new(struct loop *loop, const struct docker__host *host);
struct docker__http *docker__http_free(struct docker__http *http); /* no exchange is left */

struct docker__request {
    const char *method; /* "GET", "POST" */
    const char *path;   /* from the leading '/', escaped */
    const char *body;   /* JSON, or NULL for none */
    /* Changes something: sent on a connection of its own. On a reused one that dies before the
     * first byte of the answer curl sends the request again, a POST too. */
    bool once;
    size_t ceiling; /* for the answer's body; more is an error */

    /* A stream: the bytes of a good answer go here and not into the body. Both are called from
     * inside curl, so they may only put away what they get; false gives the exchange up. */
    bool (*on_bytes)(void *data, const char *bytes, size_t len);
    void (*on_headers)(void *data); /* of a good answer; may be NULL */
};

struct docker__answer {
    const struct err *failure; /* the transport's: no (whole) answer came; else NULL */
    int status;                /* 0 when not even the headers came */
    const char *body;          /* NUL-terminated */
    size_t len;
    char api_version[16]; /* the Api-Version header, "" if there is none */
    char server[128];     /* Server */
    int64_t date_s;       /* Date, seconds since 1970 by the Engine's clock; 0 if there is none */
};

/* Comes once, from a loop callback and never from inside docker__exchange_start, unless the
 * exchange was aborted. The exchange is gone when it returns; the answer is borrowed. */
typedef void (*docker__answer_fn)(void *data, const struct docker__answer *answer);

struct docker__exchange *docker__exchange_start(struct docker__http *http,
                                                const struct docker__request *request,
                                                docker__answer_fn done, void *data);
/* No callback comes any more. Accepts NULL; returns NULL. */
struct docker__exchange *docker__exchange_abort(struct docker__exchange *exchange);

#endif
