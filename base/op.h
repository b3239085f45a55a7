/* One asynchronous operation: the contract that every call of docker/ and postgres/ keeps.
 *
 *  1. An operation completes exactly once: with success, with an error, with ERR_TIMEOUT when its
 *     deadline passes, or with ERR_CANCELLED.
 *  2. It never completes from inside the call that started it, nor from inside op_cancel():
 *     completion is always a deferred call of the loop (loop_defer).
 *  3. After the completion callback has returned, everything that belonged to the operation is
 *     freed; the arguments of the callback are borrowed for its duration.
 *  4. Outside, an operation is an id, never a pointer. An id is never used again, so cancelling
 *     one that is over does nothing, and cancelling twice is harmless.
 *
 * How a provider uses it: embed `struct op` as first member of its request, call op_begin(), do
 * the work, and call op_end() with the result when it is known. If the deadline or a cancel comes
 * first, `drop` is called: the provider lets go of sockets and handles at once and must not call
 * op_end() for it any more. Then, in both cases, `deliver` hands the result to whoever asked and
 * frees the request.
 *
 * May use: loop.h.
 */
#ifndef BASE_OP_H
#define BASE_OP_H

#include "base/err.h"
#include "base/loop.h"

typedef uint64_t op_id; /* 0 is no operation */

struct op;

struct op_class {
    /* Lets go of the outside world: no callback of it may reach the request afterwards. */
    void (*drop)(struct op *op);
    /* Calls the asker's callback (e is NULL on success) and frees the request. */
    void (*deliver)(struct op *op, const struct err *e);
};

struct op {
    op_id id;
    struct loop *loop;
    const struct op_class *class;
    struct timer *deadline;
    struct op *next; /* in the loop's list of live operations */
    bool over;       /* the result is known, its delivery is queued */
    struct err result;
    const char *what; /* for the time-out's text; borrowed from the request */
    int64_t limit_ms;
};

/* `what` names the operation for its error texts ("docker: stop backend") and lives in the
 * request. deadline_ms > 0 is required: there is no wait without an end; OP_FOREVER is for
 * streams, which end by cancel or by their peer. */
#define OP_FOREVER INT64_MAX
op_id op_begin(struct op *op, struct loop *loop, const struct op_class *class, const char *what,
               int64_t deadline_ms);

/* The result is known; e is copied, NULL is success. The second and later calls do nothing. */
void op_end(struct op *op, const struct err *e);

/* Moves the deadline to deadline_ms from now. */
void op_extend(struct op *op, int64_t deadline_ms);

/* Gives an operation up. Its callback still comes, with ERR_CANCELLED. */
void op_cancel(struct loop *loop, op_id id);

#endif
