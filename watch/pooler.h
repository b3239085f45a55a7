/* How the clients of the stack's poolers fare: SHOW POOLS at each PgBouncer's console, to
 * pgbouncer.cl_waiting (of all of them together) and pgbouncer.maxwait (of the one that waits
 * longest).
 *
 * Slowly when nobody waits, fast while somebody does. While a run is under way nothing is told: it
 * may have paused the pooler, and then everybody waits, and should.
 *
 * May use: base, docker/stack.h, postgres/pooler.h, policies.
 */
#ifndef WATCH_POOLER_H
#define WATCH_POOLER_H

#include "docker/stack.h"
#include "postgres/pooler.h"
#include "watch/feed.h"

struct watch_pooler;

struct watch_pooler_options {
    struct loop *loop;
    struct feed *feed; /* lives longer than the watch */
    /* A client for the console of this container, which the watch frees; non-zero with e set: its
     * address or its user is not known. */
    int (*connect)(void *data, const struct container *container, struct pooler **ret,
                   struct err *e);
    bool (*yields)(void *data); /* a run is under way; or NULL */
    /* A console is not reached or does not let us look, told once; e NULL: it does again. Or NULL.
     */
    void (*on_trouble)(void *data, const char *container, const struct err *e);
    void *data;
    int64_t calm_ms, pressed_ms; /* from one look to the next; 0: 15 s, 2 s */
    int64_t timeout_ms;          /* of a look; 0: 5 s */
};

struct watch_pooler *watch_pooler_new(const struct watch_pooler_options *options);
struct watch_pooler *watch_pooler_free(struct watch_pooler *watch); /* NULL: NULL */

/* The newest model: the poolers that run in it are watched from now on. */
void watch_pooler_stack(struct watch_pooler *watch, const struct stack *stack);

#endif
