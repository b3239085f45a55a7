/* The client itself: its transport, its live calls, and the version it shares with them.
 *
 * The version is negotiated by one ping for all calls that wait for it; the ping goes on as long
 * as somebody waits. It is forgotten when a connection was lost, as another engine may be there
 * afterwards.
 *
 * May use: base, http.h, call.h.
 */
#ifndef DOCKER_CLIENT_H
#define DOCKER_CLIENT_H

#include "docker/call.h"
#include "docker/host.h"

enum { DOCKER__API_MIN = 41, DOCKER__API_MAX = 55 }; /* 1.41 … 1.55 */

struct docker {
    struct loop *loop;
    struct docker__host host;
    struct docker__http *http;
    struct docker__call *calls; /* live ones */
    size_t call_count;
    size_t watch_count;
    bool closing; /* docker_free was called: freed with the last call */

    struct docker__exchange *ping; /* under way */
    struct timer *ping_limit;
    int minor;             /* of the version in use: 41 is 1.41; a call in several steps goes on
                              with it while it is not certain any more */
    bool is_certain;       /* negotiated, and no connection was lost since */
    bool pinned;           /* the version was given: there is nothing to negotiate */
    char api_version[16];  /* "1.41" or "" */
    char server[128];      /* "Docker/20.10.24 (linux)" or "" */
    int64_t engine_date_s; /* the Engine's clock at the last ping; 0 = unknown */
    int64_t skew_ms;       /* how far that clock is ahead of ours; 0 when that cannot be told */
};

/* Puts the call in the queue for the version, or lets it send at once. `anew` asks the Engine
 * even if the version is known. */
void docker__negotiate(struct docker *docker, struct docker__call *call, bool anew);

/* A call that waited was given up: without anybody who waits, the ping ends too. */
void docker__negotiate_less(struct docker *docker);

/* The connection was lost, or the Engine refuses the version: ask again before the next call. */
void docker__forget_version(struct docker *docker);

/* Frees a closing client once nothing is left of it. */
void docker__maybe_free(struct docker *docker);

#endif
