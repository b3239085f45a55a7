/* One receiver's outbox: its queue, the delivery under way, and when to try again.
 *
 * May use: base.
 */
#ifndef NOTIFY_OUTBOX_H
#define NOTIFY_OUTBOX_H

#include "notify/attempt.h"
#include "notify/notify.h"
#include "notify/queue.h"

/* What all outboxes of one notify share. */
struct notify__shared {
    struct loop *loop;
    struct notify_store store;
    void (*log)(void *data, enum log_level level, const char *line);
    void *log_data;
    struct notify__attempts attempts;
    struct notify_limits limits; /* none of them zero */
    int64_t last_order;
};

struct notify__outbox;
struct notify__absent;

struct notify__outbox *notify__outbox_new(struct notify__shared *shared,
                                          struct notify__receiver *receiver);

/* Gives up the delivery under way. The rows stay with the store. Accepts NULL; returns NULL. */
struct notify__outbox *notify__outbox_free(struct notify__outbox *outbox);

/* The receiver is no more: what is queued stays in the store, goes over to `absent`, and is told.
 */
void notify__outbox_dissolve(struct notify__outbox *outbox, struct notify__absent *absent);

struct notify__receiver *notify__outbox_receiver(const struct notify__outbox *outbox);

/* Its new configuration; what waits is tried at once. */
void notify__outbox_configure(struct notify__outbox *outbox, struct notify__receiver *receiver);

/* Queues a copy, durably, and begins to deliver if nothing is before it. */
void notify__outbox_add(struct notify__outbox *outbox,
                        const struct notify__notification *notification);

/* Takes back a row of the store; false when it is none. It waits for notify__outbox_go_on. */
bool notify__outbox_restore(struct notify__outbox *outbox, const json_t *row);
void notify__outbox_go_on(struct notify__outbox *outbox);

json_t *notify__outbox_json(const struct notify__outbox *outbox);

#endif
