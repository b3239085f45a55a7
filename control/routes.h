/* The routes: which method and path mean which operation, and what they may carry.
 *
 * Private to control/; knows no HTTP library. May use: base, control.h.
 */
#ifndef CONTROL_ROUTES_H
#define CONTROL_ROUTES_H

#include "control/control.h"

struct route;

/* One request as a route needs it; everything in it is borrowed. */
struct request {
    const struct control_ops *ops;
    void *app;
    const char *requester;
    int64_t number;      /* in the path: of a run, of a decision */
    const json_t *query; /* an object of texts */
    const json_t *body;  /* an object; empty when none was sent */
};

#define ROUTE_METHODS_MAX 32

/* 0 and the route, or the HTTP status of a refusal with `e` set: 404, or 405 with the methods that
 * the path does have in `allow`. *ret_number is the number in the path, if it has one. */
int control__route_find(const char *method, const char *path, const struct route **ret,
                        int64_t *ret_number, char allow[static ROUTE_METHODS_MAX], struct err *e);

/* ERR_INVALID for a parameter or field that the route does not know, that has the wrong type, or
 * that is missing. */
int control__route_check(const struct route *route, const json_t *query, const json_t *body,
                         struct err *e);

/* Whether it is answered by a stream of the run's entries (and not by control__route_call). */
bool control__route_is_stream(const struct route *route);

/* The content type of its answers, when they are no JSON: the body is a JSON text that holds them.
 * NULL otherwise. */
const char *control__route_type(const struct route *route);

void control__route_call(const struct route *route, const struct request *request,
                         control_reply_fn reply, void *data);

#endif
