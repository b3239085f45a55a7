/* See queue.h. */
#include "notify/queue.h"

#include "base/mem.h"

#include <string.h>

struct notify__item *notify__item_free(struct notify__item *item)
{
    if (item)
        notify__notification_clear(&item->notification);
    free(item);
    return NULL;
}

static struct notify__item *take_at(struct notify__queue *queue, size_t at)
{
    struct notify__item *item = queue->items[at];
    queue->count--;
    memmove(&queue->items[at], &queue->items[at + 1],
            (queue->count - at) * sizeof(struct notify__item *));
    return item;
}

static void insert(struct notify__queue *queue, struct notify__item *item, size_t least)
{
    size_t at = queue->count;
    queue->items = mem_grow(queue->items, queue->count, sizeof(struct notify__item *));
    queue->count++;
    while (at > least && queue->items[at - 1]->order > item->order) {
        queue->items[at] = queue->items[at - 1];
        at--;
    }
    queue->items[at] = item;
}

/* The oldest of the lowest severity. */
static size_t least_of(const struct notify__queue *queue, size_t from)
{
    size_t least = from;
    for (size_t i = from + 1; i < queue->count; i++)
        if (queue->items[i]->notification.severity < queue->items[least]->notification.severity)
            least = i;
    return least;
}

struct notify__item *notify__queue_add(struct notify__queue *queue, struct notify__item *item,
                                       bool first_is_busy)
{
    size_t from = first_is_busy && queue->count > 0 ? 1 : 0;
    insert(queue, item, from);
    return queue->count > queue->max ? take_at(queue, least_of(queue, from)) : NULL;
}

struct notify__item *notify__queue_take(struct notify__queue *queue)
{
    return queue->count ? take_at(queue, 0) : NULL;
}

void notify__queue_clear(struct notify__queue *queue)
{
    while (queue->count)
        notify__item_free(take_at(queue, queue->count - 1));
    free(queue->items);
    queue->items = NULL;
}
