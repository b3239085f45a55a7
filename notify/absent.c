/* See absent.h. */
#include "notify/absent.h"

#include "base/clock.h"
#include "base/mem.h"

#include <string.h>

struct notify__absent {
    struct notify__shared *shared;
    json_t *rows; /* by their keys, as the store has them */
    struct timer *timer;
};

/* The clock may have been set back meanwhile: then it has its whole time before it. */
static int64_t left_ms(const struct notify__absent *absent, const json_t *row)
{
    int64_t age_ms = clock_wall_ms() - json_int_at(row, "queued", 0);
    return absent->shared->limits.keep_ms - (age_ms < 0 ? 0 : age_ms);
}

static void drop(struct notify__absent *absent, const char *key, const json_t *row)
{
    const struct notify__shared *shared = absent->shared;
    struct notify__notification notification;
    char age[DURATION_MAX];
    if (shared->store.keep)
        shared->store.keep(shared->store.data, key, NULL);
    if (!shared->log || !notify__notification_load(&notification, row))
        return;
    CLEANUP_FREE char *name = notify__notification_name(&notification);
    CLEANUP_FREE char *line = mem_printf(
        "notify: %s: %s dropped: its receiver is not configured, and did not come back "
        "within %s",
        json_text_at(row, "receiver", "?"), name, duration_text(shared->limits.keep_ms, age));
    shared->log(shared->log_data, LOG_LEVEL_ERROR, line);
    notify__notification_clear(&notification);
}

/* Drops what is too old, and comes again when the next will be. */
static void on_timer(void *data)
{
    struct notify__absent *absent = data;
    const char *key;
    json_t *row;
    void *next;
    int64_t wait_ms = INT64_MAX;
    json_object_foreach_safe(absent->rows, next, key, row)
    {
        int64_t row_ms = left_ms(absent, row);
        if (row_ms > 0) {
            wait_ms = row_ms < wait_ms ? row_ms : wait_ms;
            continue;
        }
        drop(absent, key, row);
        json_object_del(absent->rows, key);
    }
    if (json_object_size(absent->rows) > 0)
        timer_start(absent->timer, wait_ms);
}

struct notify__absent *notify__absent_new(struct notify__shared *shared)
{
    struct notify__absent *absent = mem_new(sizeof *absent);
    absent->shared = shared;
    absent->rows = json_object();
    absent->timer = timer_new(shared->loop, on_timer, absent);
    return absent;
}

struct notify__absent *notify__absent_free(struct notify__absent *absent)
{
    if (!absent)
        return NULL;
    timer_free(absent->timer);
    json_decref(absent->rows);
    free(absent);
    return NULL;
}

bool notify__absent_add(struct notify__absent *absent, const char *key, const json_t *row)
{
    struct notify__notification notification;
    if (!json_text_at(row, "receiver", NULL) || !notify__notification_load(&notification, row))
        return false;
    notify__notification_clear(&notification);
    json_object_set_new(absent->rows, key, json_deep_copy(row));
    timer_start(absent->timer, 0);
    return true;
}

void notify__absent_return(struct notify__absent *absent, struct notify__outbox *outbox)
{
    const char *name = notify__outbox_receiver(outbox)->name;
    const char *key;
    json_t *row;
    void *next;
    json_object_foreach_safe(absent->rows, next, key, row)
    {
        if (strcmp(json_text_at(row, "receiver", ""), name) != 0)
            continue;
        notify__outbox_restore(outbox, row);
        json_object_del(absent->rows, key);
    }
}
