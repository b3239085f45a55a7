/* One try to deliver one notification to one receiver: its secrets are read, then the way (webhook,
 * mail, exec) begins, and the result comes once, by the loop. An operation (base/op.h): a deadline,
 * a cancel and the result race in one place.
 *
 * May use: base.
 */
#ifndef NOTIFY_ATTEMPT_H
#define NOTIFY_ATTEMPT_H

#include "base/files.h"
#include "base/multi.h"
#include "base/op.h"
#include "notify/notification.h"
#include "notify/receiver.h"
#include "notify/secrets.h"

struct notify__hook;
struct notify__mail;
struct notify__transfer;
struct notify__attempt;

/* What all attempts of one notify share. */
struct notify__attempts {
    struct loop *loop;
    struct multi *multi;
    struct notify__attempt *first; /* those under way */
};

struct notify__result {
    const struct err *failure; /* NULL: taken */
    bool for_good;             /* this notification will never be taken: do not try again */
    int64_t retry_after_ms;    /* the peer's wish; 0: none */
};

typedef void (*notify__attempt_fn)(void *data, const struct notify__result *result);

struct notify__attempt {
    struct op op;
    struct notify__attempts *all;
    struct notify__attempt *next;
    struct notify__receiver *receiver;
    struct notify__notification notification;
    char *what; /* for error texts */
    notify__attempt_fn done;
    void *data;
    bool for_good;
    int64_t retry_after_ms;

    struct files *files;
    struct notify__secrets secrets;
    struct notify__transfer *transfer; /* webhook */
    char *payload;                     /* what it sends */
    struct notify__mail *mail;         /* mail */
    struct notify__hook *hook;         /* exec */
};

void notify__attempts_init(struct notify__attempts *all, struct loop *loop);
void notify__attempts_done(struct notify__attempts *all); /* cancels what is under way */

/* Copies the notification. */
struct notify__attempt *notify__attempt_new(struct notify__attempts *all,
                                            struct notify__receiver *receiver,
                                            const struct notify__notification *notification,
                                            notify__attempt_fn done, void *data);

/* Gives it up; no callback comes any more. Accepts NULL; returns NULL. */
struct notify__attempt *notify__attempt_abandon(struct notify__attempt *attempt);

/* For the ways: the result is known. NULL is success. */
void notify__attempt_end(struct notify__attempt *attempt, const struct err *e);

/* webhook.c, mail.c, hook.c */
void notify__webhook_begin(struct notify__attempt *attempt);
void notify__mail_begin(struct notify__attempt *attempt);
void notify__hook_begin(struct notify__attempt *attempt);

#endif
