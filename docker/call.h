/* One call to the Engine as an operation: it waits for the negotiated version, sends one request
 * or several after another, and delivers once. What all calls of docker.h are made of.
 *
 * A call embeds `struct docker__call` as its first member; the class says what it does. While it
 * is live it keeps the client alive.
 *
 * May use: base, http.h, answer.h.
 */
#ifndef DOCKER_CALL_H
#define DOCKER_CALL_H

#include "docker/answer.h"
#include "docker/docker.h"

enum {
    DOCKER__CEILING_SMALL = 64 * 1024,
    DOCKER__CEILING_INSPECT = 4 * 1024 * 1024,
    DOCKER__CEILING_LIST = 32 * 1024 * 1024,
};

struct docker__call;

/* e is NULL when the Engine granted the request; else the answer's error, to be given to
 * docker__call_end (or, where a refusal is expected, to be looked at). */
typedef void (*docker__call_answer_fn)(struct docker__call *call,
                                       const struct docker__answer *answer, const struct err *e);

struct docker__call_class {
    void (*send)(struct docker__call *call); /* the version is known: the first request */
    void (*deliver)(struct docker__call *call, const struct err *e); /* calls the asker */
    void (*clear)(struct docker__call *call); /* frees what the call owns beside itself, or NULL */
    void (*drop)(struct docker__call *call);  /* stops what else is under way, or NULL */
};

struct docker__call {
    struct op op;
    const struct docker__call_class *class;
    struct docker *docker;
    struct docker__call *next; /* in the client's list of live calls */
    char *what;                /* "docker: stop backend" */
    bool is_waiting;           /* for the version */

    struct docker__exchange *exchange; /* the one under way */
    docker__call_answer_fn on_answer;
    char *method, *path; /* of the exchange under way, for its error */
};

/* Starts the life of a call; `call` comes from mem_new and is freed after the delivery. */
op_id docker__call_begin(struct docker__call *call, struct docker *docker,
                         const struct docker__call_class *class, int64_t deadline_ms,
                         const char *what_format, ...) __attribute__((format(printf, 5, 6)));

/* Sends `request`, whose path is without the version. One at a time a call. */
void docker__call_request(struct docker__call *call, const struct docker__request *request,
                          docker__call_answer_fn on_answer);

/* The result is known: puts "docker: stop backend: " in front of an error. NULL is success. */
void docker__call_end(struct docker__call *call, const struct err *e);

#endif
