/* Notifications whose receiver is not configured at present. They stay in the store, and go to a
 * receiver of that name when there is one again: who takes one out of the configuration for a
 * moment, or writes it wrong, loses nothing. Bounded by age, like everything that is queued.
 *
 * May use: base.
 */
#ifndef NOTIFY_ABSENT_H
#define NOTIFY_ABSENT_H

#include "notify/outbox.h"

struct notify__absent;

struct notify__absent *notify__absent_new(struct notify__shared *shared);

/* The rows stay with the store. Accepts NULL; returns NULL. */
struct notify__absent *notify__absent_free(struct notify__absent *absent);

/* A row of the store (copied) and its key. False when it is no notification of anybody. */
bool notify__absent_add(struct notify__absent *absent, const char *key, const json_t *row);

/* Its receiver is configured again: what is here for it is put back into its queue, where it waits
 * for notify__outbox_go_on. */
void notify__absent_return(struct notify__absent *absent, struct notify__outbox *outbox);

#endif
