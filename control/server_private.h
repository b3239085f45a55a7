/* The server as its two files share it: server.c has the HTTP library, exchange.c has what is asked
 * and what is answered. The library's types are but names here, and nobody else includes it.
 *
 * Private to control/. May use: base, and what else is private to control/.
 */
#ifndef CONTROL_SERVER_PRIVATE_H
#define CONTROL_SERVER_PRIVATE_H

#include "base/buf.h"
#include "control/audit.h"
#include "control/entrance.h"
#include "control/peers.h"
#include "control/routes.h"
#include "control/sse.h"

struct MHD_Connection;
struct MHD_Daemon;

/* One request with its answer, from the first line of the request until the library lets it go. */
struct exchange {
    struct exchange *next;
    uint64_t id;
    struct control *control;
    struct MHD_Connection *connection;
    struct peer *peer;
    struct buf body;
    bool dispatched;
    bool suspended;
    struct audit *audit; /* until the outcome is known, or a call has it */
    int status;          /* of the answer, when there is one */
    char *answer;
    const char *type; /* of the answer */
    char allow[ROUTE_METHODS_MAX];
    struct sse *stream;
    uint64_t follow; /* the application's handle; 0 once it is over */
};

struct call; /* exchange.c */

struct control {
    struct loop *loop;
    const struct control_ops *ops;
    void *app;
    struct control_limits limits;
    struct entrance entrance;
    struct MHD_Daemon *daemon;
    struct poll *poll;
    struct timer *wake; /* the library's time-out, or 0 after a resume */
    struct timer *ping;
    struct peers *peers;
    struct reception *reception;
    struct exchange *exchanges;
    struct call *calls;
    int streams;
    bool closing;
};

/* --- server.c: what the library does for an exchange ----------------------------------------- */

/* There is something to send. Harmless for one that does not wait. */
void control__server_resume(struct exchange *exchange);

/* A header of the request, or NULL; the library's, as long as the exchange is there. */
const char *control__server_header(const struct exchange *exchange, const char *name);

/* What stands behind the "?" as an object of texts; the caller owns it. */
json_t *control__server_query(const struct exchange *exchange);

/* --- exchange.c ------------------------------------------------------------------------------ */

struct exchange *control__exchange_new(struct control *control, struct MHD_Connection *connection,
                                       struct peer *peer);
void control__exchange_free(struct exchange *exchange); /* answered, or the client is gone */

/* The request has arrived whole. Its answer, or its stream, is there when this returns, or later:
 * then the exchange is resumed. */
void control__exchange_dispatch(struct exchange *exchange, const char *method, const char *path);

/* The server ends: a stream is over, and who waits is answered with 503. */
void control__exchange_close(struct exchange *exchange);

/* For the timer `ping`; data is the control. */
void control__streams_ping(void *data);

/* Replies that come from now on find nobody. */
void control__calls_forget(struct control *control);

#endif
