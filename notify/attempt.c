/* See attempt.h. */
#include "notify/attempt.h"

#include "base/mem.h"
#include "notify/hook.h"
#include "notify/mail.h"
#include "notify/transfer.h"

enum { LAST_RESORT_MS = 2000 };

/* --- the operation ---------------------------------------------------------------------------- */

static struct notify__attempt *attempt_of(struct op *op)
{
    return (struct notify__attempt *)op; /* its first member */
}

/* Whatever could still call back is let go of. */
static void let_go(struct notify__attempt *attempt)
{
    attempt->files = files_abandon(attempt->files);
    attempt->transfer = notify__transfer_free(attempt->transfer);
    attempt->mail = notify__mail_abandon(attempt->mail);
    attempt->hook = notify__hook_abandon(attempt->hook);
}

static void on_drop(struct op *op)
{
    let_go(attempt_of(op));
}

static void unlink_attempt(struct notify__attempt *attempt)
{
    struct notify__attempt **at = &attempt->all->first;
    while (*at != attempt)
        at = &(*at)->next;
    *at = attempt->next;
}

static void attempt_free(struct notify__attempt *attempt)
{
    notify__secrets_clear(&attempt->secrets);
    notify__notification_clear(&attempt->notification);
    notify__receiver_unref(attempt->receiver);
    free(attempt->payload);
    free(attempt->what);
    free(attempt);
}

static void on_deliver(struct op *op, const struct err *e)
{
    struct notify__attempt *attempt = attempt_of(op);
    struct notify__result result = {
        .failure = e, .for_good = attempt->for_good, .retry_after_ms = attempt->retry_after_ms};
    if (attempt->all)
        unlink_attempt(attempt);
    if (attempt->done)
        attempt->done(attempt->data, &result);
    attempt_free(attempt);
}

static const struct op_class attempt_class = {.drop = on_drop, .deliver = on_deliver};

void notify__attempt_end(struct notify__attempt *attempt, const struct err *e)
{
    let_go(attempt);
    op_end(&attempt->op, e);
}

/* --- its beginning ---------------------------------------------------------------------------- */

static void begin_way(struct notify__attempt *attempt)
{
    static void (*const ways[])(struct notify__attempt * attempt) = {
        [NOTIFY__WEBHOOK] = notify__webhook_begin,
        [NOTIFY__MAIL] = notify__mail_begin,
        [NOTIFY__EXEC] = notify__hook_begin,
    };
    ways[attempt->receiver->way](attempt);
}

static void on_files(void *data, const struct file *files, size_t count)
{
    struct notify__attempt *attempt = data;
    struct err e;
    attempt->files = NULL;
    if (notify__secrets_take(&attempt->secrets, attempt->receiver, files, count, &e) != 0)
        notify__attempt_end(attempt, &e);
    else
        begin_way(attempt);
}

/* Each way keeps the receiver's timeout itself and can say more about it; a hook has time to be
 * ended by signals. This is the last resort. */
static int64_t deadline_of(const struct notify__receiver *receiver)
{
    return receiver->timeout_ms + NOTIFY__HOOK_GRACE_MS + LAST_RESORT_MS;
}

struct notify__attempt *notify__attempt_new(struct notify__attempts *all,
                                            struct notify__receiver *receiver,
                                            const struct notify__notification *notification,
                                            notify__attempt_fn done, void *data)
{
    struct notify__attempt *attempt = mem_new(sizeof *attempt);
    size_t count;
    attempt->all = all;
    attempt->next = all->first;
    all->first = attempt;
    attempt->receiver = notify__receiver_ref(receiver);
    notify__notification_copy(&attempt->notification, notification);
    attempt->what = mem_printf("%s %s", notify__way_name(receiver->way), receiver->where);
    attempt->done = done;
    attempt->data = data;
    op_begin(&attempt->op, all->loop, &attempt_class, attempt->what, deadline_of(receiver));
    char **paths = notify__secrets_paths(receiver, &count);
    if (paths)
        attempt->files = files_read(all->loop, paths, count, on_files, attempt);
    else
        on_files(attempt, NULL, 0);
    return attempt;
}

struct notify__attempt *notify__attempt_abandon(struct notify__attempt *attempt)
{
    if (attempt) {
        attempt->done = NULL;
        op_cancel(attempt->op.loop, attempt->op.id);
    }
    return NULL;
}

/* --- all of them ------------------------------------------------------------------------------ */

void notify__attempts_init(struct notify__attempts *all, struct loop *loop)
{
    *all =
        (struct notify__attempts){.loop = loop, .multi = multi_new(loop, notify__transfer_on_done)};
}

void notify__attempts_done(struct notify__attempts *all)
{
    for (struct notify__attempt *attempt = all->first; attempt; attempt = attempt->next) {
        attempt->all = NULL; /* its result comes when `all` is no more */
        op_cancel(attempt->op.loop, attempt->op.id);
    }
    multi_free(all->multi);
}
