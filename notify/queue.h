/* The notifications that wait for one receiver, in their order; bounded.
 *
 * May use: base. Pure.
 */
#ifndef NOTIFY_QUEUE_H
#define NOTIFY_QUEUE_H

#include "notify/notification.h"

#include <stddef.h>

struct notify__item {
    struct notify__notification notification;
    int64_t order;      /* rises; after a restart the rows are put back by it */
    int64_t queued_ms;  /* wall clock, for the store */
    int64_t expires_ms; /* monotonic */
    int tries;          /* that failed, in this life */
};

struct notify__queue {
    struct notify__item **items; /* the first is the next, or under way */
    size_t count, max;
};

struct notify__item *notify__item_free(struct notify__item *item);

/* Adds an item in its order and takes it over. When the queue was full it returns what had to go
 * for it, the oldest of the lowest severity, which may be the item itself; the caller frees it. The
 * first of the queue stays when `first_is_busy`. */
struct notify__item *notify__queue_add(struct notify__queue *queue, struct notify__item *item,
                                       bool first_is_busy);

/* Takes the first out; the caller frees it. NULL when the queue is empty. */
struct notify__item *notify__queue_take(struct notify__queue *queue);

/* Frees what is in it. */
void notify__queue_clear(struct notify__queue *queue);

#endif
