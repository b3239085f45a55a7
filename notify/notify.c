/* See notify.h: who is told what, and what is remembered of it. */
#include "notify/notify.h"

#include "base/clock.h"
#include "base/mem.h"
#include "notify/absent.h"
#include "notify/outbox.h"
#include "notify/told.h"
#include "notify/transfer.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

enum {
    RETRY_FIRST_MS = 1000,
    RETRY_MAX_MS = 300000,
    KEEP_MS = 24 * 3600 * 1000,
    QUEUE_MAX = 100,
};

#define QUEUE_PREFIX NOTIFY_STORE_PREFIX "queue/"
#define TOLD_PREFIX  NOTIFY_STORE_PREFIX "told/"

struct notify {
    struct notify__shared shared;
    struct notify__outbox **outboxes; /* one a receiver, in the order of the configuration */
    size_t count;
    struct notify__absent *absent;
    struct notify__told *told;
    char host[256];
};

/* --- life ------------------------------------------------------------------------------------- */

static struct notify__outbox *find_outbox(const struct notify *notify, const char *receiver)
{
    for (size_t i = 0; receiver && i < notify->count; i++)
        if (strcmp(notify__outbox_receiver(notify->outboxes[i])->name, receiver) == 0)
            return notify->outboxes[i];
    return NULL;
}

static bool is_configured(const struct notify_config *config, const char *receiver)
{
    for (size_t i = 0; config && i < config->count; i++)
        if (strcmp(config->receivers[i]->name, receiver) == 0)
            return true;
    return false;
}

static void dissolve_missing(struct notify *notify, const struct notify_config *config)
{
    for (size_t i = 0; i < notify->count; i++) {
        struct notify__outbox *outbox = notify->outboxes[i];
        if (is_configured(config, notify__outbox_receiver(outbox)->name))
            continue;
        notify__outbox_dissolve(outbox, notify->absent);
        notify__outbox_free(outbox);
        notify->outboxes[i] = NULL;
    }
}

static struct notify__outbox *open_outbox(struct notify *notify, struct notify__receiver *receiver)
{
    struct notify__outbox *outbox = notify__outbox_new(&notify->shared, receiver);
    notify__absent_return(notify->absent, outbox);
    notify__outbox_go_on(outbox);
    return outbox;
}

void notify_configure(struct notify *notify, struct notify_config *config)
{
    size_t count = config ? config->count : 0;
    struct notify__outbox **outboxes = mem_new((count + 1) * sizeof(struct notify__outbox *));
    for (size_t i = 0; i < count; i++)
        outboxes[i] = find_outbox(notify, config->receivers[i]->name);
    dissolve_missing(notify, config);
    free(notify->outboxes);
    notify->outboxes = outboxes;
    notify->count = count;
    for (size_t i = 0; i < count; i++) {
        if (outboxes[i])
            notify__outbox_configure(outboxes[i], config->receivers[i]);
        else
            outboxes[i] = open_outbox(notify, config->receivers[i]);
    }
}

static struct notify_limits with_defaults(struct notify_limits limits)
{
    if (!limits.retry_first_ms)
        limits.retry_first_ms = RETRY_FIRST_MS;
    if (!limits.retry_max_ms)
        limits.retry_max_ms = RETRY_MAX_MS;
    if (!limits.keep_ms)
        limits.keep_ms = KEEP_MS;
    if (!limits.queue)
        limits.queue = QUEUE_MAX;
    return limits;
}

struct notify *notify_new(const struct notify_options *options)
{
    struct notify *notify = mem_new(sizeof *notify);
    notify->shared = (struct notify__shared){.loop = options->loop,
                                             .store = options->store,
                                             .log = options->log,
                                             .log_data = options->log_data,
                                             .limits = with_defaults(options->limits)};
    notify__attempts_init(&notify->shared.attempts, options->loop);
    notify->absent = notify__absent_new(&notify->shared);
    notify->told = notify__told_new();
    if (gethostname(notify->host, sizeof notify->host - 1) != 0)
        snprintf(notify->host, sizeof notify->host, "localhost");
    notify_configure(notify, options->config);
    return notify;
}

struct notify *notify_free(struct notify *notify)
{
    if (!notify)
        return NULL;
    for (size_t i = 0; i < notify->count; i++)
        notify__outbox_free(notify->outboxes[i]);
    notify__absent_free(notify->absent);
    notify__attempts_done(&notify->shared.attempts);
    notify__told_free(notify->told);
    free(notify->outboxes);
    free(notify);
    return NULL;
}

/* --- the store -------------------------------------------------------------------------------- */

static void keep(const struct notify *notify, const char *key, const json_t *value)
{
    if (notify->shared.store.keep)
        notify->shared.store.keep(notify->shared.store.data, key, value);
}

static void keep_told(const struct notify *notify, const char *incident)
{
    CLEANUP_FREE char *key = mem_printf(TOLD_PREFIX "%s", incident);
    keep(notify, key, notify__told_row(notify->told, incident));
}

static bool restore_row(struct notify *notify, const char *key, const json_t *row)
{
    if (strncmp(key, TOLD_PREFIX, sizeof TOLD_PREFIX - 1) == 0)
        return notify__told_restore(notify->told, key + sizeof TOLD_PREFIX - 1, row);
    if (strncmp(key, QUEUE_PREFIX, sizeof QUEUE_PREFIX - 1) != 0)
        return false;
    struct notify__outbox *outbox = find_outbox(notify, json_text_at(row, "receiver", NULL));
    return outbox ? notify__outbox_restore(outbox, row)
                  : notify__absent_add(notify->absent, key, row);
}

static void forget_row(const struct notify *notify, const char *key)
{
    CLEANUP_FREE char *line =
        mem_printf("notify: dropped what was kept as %s: it cannot be read", key);
    if (notify->shared.log)
        notify->shared.log(notify->shared.log_data, LOG_LEVEL_WARNING, line);
    keep(notify, key, NULL);
}

void notify_restore(struct notify *notify, const json_t *rows)
{
    const char *key;
    json_t *row;
    json_object_foreach((json_t *)rows, key, row)
    {
        if (!restore_row(notify, key, row))
            forget_row(notify, key);
    }
    for (size_t i = 0; i < notify->count; i++)
        notify__outbox_go_on(notify->outboxes[i]);
}

/* --- sending ---------------------------------------------------------------------------------- */

static void make_id(char out[static NOTIFY__ID_MAX])
{
    unsigned char bytes[(NOTIFY__ID_MAX - 1) / 2];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        abort(); /* a read this small neither fails nor is interrupted */
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

/* Everything but whom it goes to. */
static void prepare(const struct notify *notify, const struct notify_event *event,
                    struct notify__notification *ret)
{
    *ret = (struct notify__notification){.since_wall_ms = event->at_wall_ms};
    bool known = notify__kind_parse(event->kind, &ret->kind) &&
                 notify__severity_parse(event->severity, &ret->severity);
    assert(known); /* our own words */
    (void)known;
    make_id(ret->id);
    ret->body = notify__body(event, ret->id, notify->host);
}

/* Who was told of the trouble is told of its end, an Alertmanager whatever it asked for: its alert
 * would stay. All others by their filter, once. */
static bool is_wanted(const struct notify *notify, const struct notify__receiver *receiver,
                      const struct notify__notification *notification, const char *incident,
                      const char *what)
{
    bool is_on = receiver->on & 1U << notification->kind;
    if (notification->kind == NOTIFY__HEALED)
        return notification->told && (is_on || receiver->format == NOTIFY__ALERTMANAGER);
    return is_on && notification->severity >= receiver->severity &&
           !(incident && notify__told_has(notify->told, incident, receiver->name, what));
}

static void remember(struct notify *notify, const char *incident, const char *receiver,
                     const char *what, const struct notify__notification *notification)
{
    char *forgotten;
    notify__told_add(notify->told, incident, receiver, what, notification->kind,
                     notification->severity, notification->since_wall_ms, &forgotten);
    if (forgotten)
        keep_told(notify, forgotten);
    free(forgotten);
}

/* True when the receiver is told. `notification` is a copy of its own. */
static bool send_to(struct notify *notify, struct notify__outbox *outbox, const char *incident,
                    const char *what, struct notify__notification *notification)
{
    const struct notify__receiver *receiver = notify__outbox_receiver(outbox);
    if (incident) {
        notification->since_wall_ms =
            notify__told_since(notify->told, incident, receiver->name, notification->since_wall_ms);
        if (notification->kind == NOTIFY__HEALED)
            notification->told = notify__told_list(notify->told, incident, receiver->name);
    }
    if (!is_wanted(notify, receiver, notification, incident, what))
        return false;
    notify__outbox_add(outbox, notification);
    if (incident)
        remember(notify, incident, receiver->name, what, notification);
    return true;
}

void notify_send(struct notify *notify, const struct notify_event *event)
{
    struct notify__notification notification;
    bool told = false;
    prepare(notify, event, &notification);
    const char *incident = json_text_at(notification.body, "key", NULL);
    CLEANUP_FREE char *what = notify__told_what(notification.kind, event);
    for (size_t i = 0; i < notify->count; i++) {
        struct notify__notification copy;
        notify__notification_copy(&copy, &notification);
        told |= send_to(notify, notify->outboxes[i], incident, what, &copy);
        notify__notification_clear(&copy);
    }
    /* The rows of the queue were written before: a crash in between tells twice, not never. */
    if (incident && notification.kind == NOTIFY__HEALED) {
        if (notify__told_forget(notify->told, incident))
            keep_told(notify, incident);
    } else if (incident && told) {
        keep_told(notify, incident);
    }
    notify__notification_clear(&notification);
}

/* --- a test ----------------------------------------------------------------------------------- */

struct test {
    struct op op; /* only to say that there is no such receiver */
    notify_test_fn done;
    void *data;
};

static void on_test_dropped(struct op *op)
{
    (void)op;
}

static void on_test_delivered(struct op *op, const struct err *e)
{
    struct test *test = (struct test *)op;
    test->done(test->data, e);
    free(test);
}

static void on_test_result(void *data, const struct notify__result *result)
{
    struct test *test = data;
    test->done(test->data, result->failure);
    free(test);
}

static op_id refuse_test(struct notify *notify, struct test *test, const char *receiver)
{
    static const struct op_class class = {.drop = on_test_dropped, .deliver = on_test_delivered};
    struct err e;
    err_set(&e, ERR_NOT_FOUND, "there is no receiver '%s'", receiver);
    err_hint(&e, "receivers are in the list 'notify' of the configuration");
    op_begin(&test->op, notify->shared.loop, &class, "notify: test", OP_FOREVER);
    op_id id = test->op.id;
    op_end(&test->op, &e);
    return id;
}

op_id notify_test(struct notify *notify, const char *receiver, const char *project,
                  notify_test_fn done, void *data)
{
    struct notify__outbox *outbox = find_outbox(notify, receiver);
    struct test *test = mem_new(sizeof *test);
    test->done = done;
    test->data = data;
    if (!outbox)
        return refuse_test(notify, test, receiver);
    struct notify_event event = {.kind = "test",
                                 .severity = "info",
                                 .sentence = "this is a test; nothing has happened",
                                 .project = project,
                                 .at_wall_ms = clock_wall_ms()};
    struct notify__notification notification;
    prepare(notify, &event, &notification);
    struct notify__attempt *attempt =
        notify__attempt_new(&notify->shared.attempts, notify__outbox_receiver(outbox),
                            &notification, on_test_result, test);
    notify__notification_clear(&notification);
    return attempt->op.id;
}

json_t *notify_json(const struct notify *notify)
{
    json_t *list = json_array();
    for (size_t i = 0; i < notify->count; i++)
        json_array_append_new(list, notify__outbox_json(notify->outboxes[i]));
    return list;
}
