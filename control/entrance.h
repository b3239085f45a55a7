/* The way in: a Unix socket or a loopback port, and who may ask what there.
 *
 * Private to control/; knows no HTTP library. May use: base, control.h, socket.h, door.h.
 */
#ifndef CONTROL_ENTRANCE_H
#define CONTROL_ENTRANCE_H

#include "control/control.h"
#include "control/socket.h"

struct entrance {
    enum control_scope scope;
    struct listener listener; /* of a socket */
    char *token;              /* of CONTROL_ALERTS */
};

/* *ret_fd listens and is the caller's, non-blocking. The entrance is set on success only. */
int control__entrance_open(const struct control_options *options, struct entrance *entrance,
                           int *ret_fd, struct err *e);

/* Takes the socket's file away, and the token out of memory. The descriptor is not touched. */
void control__entrance_close(struct entrance *entrance);

/* One request, as far as it decides who passes; headers may be NULL. */
struct visit {
    const char *method;
    const char *path;
    const char *host;
    const char *authorization;
};

/* 0, or the HTTP status of a refusal with `e` set: 401, 403, 404. */
int control__entrance_check(const struct entrance *entrance, const struct visit *visit,
                            struct err *e);

#endif
