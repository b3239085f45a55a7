/* See outbox.h.
 *
 *   idle ── something is queued ──► sending ── taken ──► sending the next, or idle
 *                                    ▲   │ failed
 *                                    │   ▼
 *                                   waiting: twice as long each time
 *
 * There is no state to keep beside the attempt, the timer and the queue: sending is having an
 * attempt, waiting is a timer that runs.
 */
#include "notify/outbox.h"

#include "base/clock.h"
#include "base/mem.h"
#include "notify/absent.h"

struct notify__outbox {
    struct notify__shared *shared;
    struct notify__receiver *receiver;
    struct notify__queue queue;
    struct notify__attempt *attempt; /* of the queue's first */
    struct timer *timer;
    int64_t wait_ms; /* of the next failure */
    int64_t sent, failed, dropped;
    int64_t sent_wall_ms; /* the last time; 0: never */
    struct err error;     /* of the last try, if it failed */
    int64_t error_wall_ms;
};

static void say(const struct notify__outbox *outbox, enum log_level level,
                const struct notify__item *item, const char *text)
{
    CLEANUP_FREE char *name = notify__notification_name(&item->notification);
    CLEANUP_FREE char *line = mem_printf("notify: %s: %s %s", outbox->receiver->name, name, text);
    if (outbox->shared->log)
        outbox->shared->log(outbox->shared->log_data, level, line);
}

/* --- the store -------------------------------------------------------------------------------- */

static char *key_of(const struct notify__outbox *outbox, const struct notify__item *item)
{
    return mem_printf(NOTIFY_STORE_PREFIX "queue/%s/%s", outbox->receiver->name,
                      item->notification.id);
}

static json_t *row_of(const struct notify__outbox *outbox, const struct notify__item *item)
{
    json_t *row = notify__notification_save(&item->notification);
    json_set_text(row, "receiver", outbox->receiver->name);
    json_set_int(row, "order", item->order);
    json_set_int(row, "queued", item->queued_ms);
    return row;
}

static void keep(const struct notify__outbox *outbox, const struct notify__item *item, bool forget)
{
    const struct notify_store *store = &outbox->shared->store;
    if (!store->keep)
        return;
    CLEANUP_FREE char *key = key_of(outbox, item);
    CLEANUP_JSON json_t *row = forget ? NULL : row_of(outbox, item);
    store->keep(store->data, key, row);
}

/* --- the queue -------------------------------------------------------------------------------- */

static void drop(struct notify__outbox *outbox, struct notify__item *item, const char *why)
{
    if (!item)
        return;
    outbox->dropped++;
    say(outbox, LOG_LEVEL_ERROR, item, why);
    keep(outbox, item, true);
    notify__item_free(item);
}

static void drop_expired(struct notify__outbox *outbox)
{
    char age[DURATION_MAX];
    int64_t now_ms = loop_now(outbox->shared->loop);
    while (outbox->queue.count > 0 && outbox->queue.items[0]->expires_ms <= now_ms) {
        CLEANUP_FREE char *why = mem_printf("dropped: could not be delivered for %s",
                                            duration_text(outbox->shared->limits.keep_ms, age));
        drop(outbox, notify__queue_take(&outbox->queue), why);
    }
}

static void on_result(void *data, const struct notify__result *result);

/* Sends the first, if there is one and nothing forbids it. */
void notify__outbox_go_on(struct notify__outbox *outbox)
{
    if (outbox->attempt || timer_is_running(outbox->timer))
        return;
    drop_expired(outbox);
    if (outbox->queue.count > 0)
        outbox->attempt =
            notify__attempt_new(&outbox->shared->attempts, outbox->receiver,
                                &outbox->queue.items[0]->notification, on_result, outbox);
}

static void on_timer(void *data)
{
    notify__outbox_go_on(data);
}

static void insert(struct notify__outbox *outbox, struct notify__item *item)
{
    struct notify__item *out = notify__queue_add(&outbox->queue, item, outbox->attempt != NULL);
    drop(outbox, out, "dropped: the queue is full");
}

/* --- results ---------------------------------------------------------------------------------- */

static void delivered(struct notify__outbox *outbox)
{
    struct notify__item *item = notify__queue_take(&outbox->queue);
    outbox->sent++;
    outbox->sent_wall_ms = clock_wall_ms();
    outbox->wait_ms = outbox->shared->limits.retry_first_ms;
    err_clear(&outbox->error);
    if (item->tries > 0)
        say(outbox, LOG_LEVEL_INFO, item, "is delivered at last");
    keep(outbox, item, true);
    notify__item_free(item);
}

static void wait_after(struct notify__outbox *outbox, const struct notify__result *result)
{
    int64_t max_ms = outbox->shared->limits.retry_max_ms;
    int64_t wait_ms = outbox->wait_ms;
    if (result->retry_after_ms > wait_ms)
        wait_ms = result->retry_after_ms < max_ms ? result->retry_after_ms : max_ms;
    timer_start(outbox->timer, wait_ms);
    outbox->wait_ms = outbox->wait_ms * 2 < max_ms ? outbox->wait_ms * 2 : max_ms;
}

/* The first failure of each is told; the others would say the same. */
static void failed(struct notify__outbox *outbox, const struct notify__result *result)
{
    struct notify__item *item = outbox->queue.items[0];
    const struct err *e = result->failure;
    CLEANUP_FREE char *why = mem_printf("%s: %s%s%s",
                                        result->for_good ? "dropped: refused for good"
                                                         : "is not delivered, it is tried again",
                                        e->text, e->hint[0] ? "; " : "", e->hint);
    outbox->failed++;
    err_copy(&outbox->error, e);
    outbox->error_wall_ms = clock_wall_ms();
    if (result->for_good) {
        drop(outbox, notify__queue_take(&outbox->queue), why);
        return;
    }
    if (item->tries++ == 0)
        say(outbox, LOG_LEVEL_WARNING, item, why);
    wait_after(outbox, result);
}

static void on_result(void *data, const struct notify__result *result)
{
    struct notify__outbox *outbox = data;
    outbox->attempt = NULL;
    if (result->failure)
        failed(outbox, result);
    else
        delivered(outbox);
    notify__outbox_go_on(outbox);
}

/* --- life ------------------------------------------------------------------------------------- */

struct notify__outbox *notify__outbox_new(struct notify__shared *shared,
                                          struct notify__receiver *receiver)
{
    struct notify__outbox *outbox = mem_new(sizeof *outbox);
    outbox->shared = shared;
    outbox->receiver = notify__receiver_ref(receiver);
    outbox->queue.max = shared->limits.queue;
    outbox->timer = timer_new(shared->loop, on_timer, outbox);
    outbox->wait_ms = shared->limits.retry_first_ms;
    return outbox;
}

struct notify__outbox *notify__outbox_free(struct notify__outbox *outbox)
{
    if (!outbox)
        return NULL;
    outbox->attempt = notify__attempt_abandon(outbox->attempt);
    outbox->timer = timer_free(outbox->timer);
    notify__queue_clear(&outbox->queue);
    notify__receiver_unref(outbox->receiver);
    free(outbox);
    return NULL;
}

void notify__outbox_dissolve(struct notify__outbox *outbox, struct notify__absent *absent)
{
    struct notify__item *item;
    char age[DURATION_MAX];
    CLEANUP_FREE char *text =
        mem_printf("is kept for %s at the most: its receiver is no longer configured",
                   duration_text(outbox->shared->limits.keep_ms, age));
    outbox->attempt = notify__attempt_abandon(outbox->attempt);
    while ((item = notify__queue_take(&outbox->queue)) != NULL) {
        CLEANUP_FREE char *key = key_of(outbox, item);
        CLEANUP_JSON json_t *row = row_of(outbox, item);
        say(outbox, LOG_LEVEL_WARNING, item, text);
        notify__absent_add(absent, key, row);
        notify__item_free(item);
    }
}

struct notify__receiver *notify__outbox_receiver(const struct notify__outbox *outbox)
{
    return outbox->receiver;
}

void notify__outbox_configure(struct notify__outbox *outbox, struct notify__receiver *receiver)
{
    notify__receiver_ref(receiver);
    notify__receiver_unref(outbox->receiver); /* an attempt has a reference of its own */
    outbox->receiver = receiver;
    outbox->wait_ms = outbox->shared->limits.retry_first_ms;
    timer_stop(outbox->timer);
    notify__outbox_go_on(outbox);
}

void notify__outbox_add(struct notify__outbox *outbox,
                        const struct notify__notification *notification)
{
    struct notify__shared *shared = outbox->shared;
    struct notify__item *item = mem_new(sizeof *item);
    int64_t now_ms = clock_wall_ms();
    notify__notification_copy(&item->notification, notification);
    /* By the clock, so that it also rises from one life to the next. */
    shared->last_order = shared->last_order < now_ms ? now_ms : shared->last_order + 1;
    item->order = shared->last_order;
    item->queued_ms = now_ms;
    item->expires_ms = loop_now(shared->loop) + shared->limits.keep_ms;
    keep(outbox, item, false);
    insert(outbox, item);
    notify__outbox_go_on(outbox);
}

bool notify__outbox_restore(struct notify__outbox *outbox, const json_t *row)
{
    struct notify__shared *shared = outbox->shared;
    struct notify__notification loaded;
    if (!notify__notification_load(&loaded, row))
        return false;
    struct notify__item *item = mem_new(sizeof *item);
    item->notification = loaded;
    item->order = json_int_at(row, "order", 0);
    item->queued_ms = json_int_at(row, "queued", 0);
    int64_t age_ms = clock_wall_ms() - item->queued_ms;
    age_ms = age_ms < 0 ? 0 : age_ms; /* the clock was set back meanwhile */
    item->expires_ms = loop_now(shared->loop) + shared->limits.keep_ms - age_ms;
    if (item->order > shared->last_order)
        shared->last_order = item->order;
    insert(outbox, item);
    return true;
}

/* --- showing ---------------------------------------------------------------------------------- */

static json_t *on_words(unsigned on)
{
    json_t *words = json_array();
    for (int kind = 0; kind < NOTIFY__KINDS; kind++)
        if (on & 1U << kind)
            json_array_append_new(words, json_string(notify__kind_names[kind]));
    return words;
}

static void set_stamp(json_t *object, const char *key, int64_t wall_ms)
{
    char stamp[CLOCK_STAMP_MAX];
    json_set_text(object, key, wall_ms ? clock_stamp(wall_ms, stamp) : NULL);
}

json_t *notify__outbox_json(const struct notify__outbox *outbox)
{
    const struct notify__receiver *receiver = outbox->receiver;
    bool is_waiting = timer_is_running(outbox->timer);
    json_t *object = json_object();
    json_set_text(object, "name", receiver->name);
    json_set_text(object, "kind", notify__way_name(receiver->way));
    json_set_text(object, "format",
                  receiver->way == NOTIFY__WEBHOOK ? notify__format_name(receiver->format) : NULL);
    json_set_text(object, "where", receiver->where);
    json_object_set_new(object, "on", on_words(receiver->on));
    json_set_text(object, "severity", notify__severity_names[receiver->severity]);
    json_set_text(object, "state", outbox->attempt ? "sending" : (is_waiting ? "waiting" : "idle"));
    json_set_int(object, "queued", (int64_t)outbox->queue.count);
    json_set_int(object, "sent", outbox->sent);
    json_set_int(object, "failed", outbox->failed);
    json_set_int(object, "dropped", outbox->dropped);
    json_object_set_new(object, "next_try_in_ms",
                        is_waiting ? json_integer(timer_left_ms(outbox->timer)) : json_null());
    set_stamp(object, "last_sent_at", outbox->sent_wall_ms);
    bool failing = err_is_set(&outbox->error);
    json_object_set_new(object, "last_error",
                        failing ? json_from_err(&outbox->error) : json_null());
    set_stamp(object, "last_error_at", failing ? outbox->error_wall_ms : 0);
    return object;
}
