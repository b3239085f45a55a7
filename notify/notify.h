/* Notifications: what happened, told to those who asked to hear it. The door of notify/.
 *
 * A receiver is an address and a filter: a webhook, a mail server, a command. Each has a queue of
 * its own, in order, with one delivery under way at a time. What is not taken is tried again, after
 * 1 s, then twice as long each time up to 5 min, for 24 h at most; then it is dropped, and the log
 * says so. Nothing here blocks, and a recovery never waits for it.
 *
 * A queue is durable: its rows, and what each receiver has been told of an open incident, are kept
 * by the owner (struct notify_store) and given back at the next start. So an identical (incident,
 * kind) is told once, also across a restart: the same question (by its decision), the same act (by
 * its playbook). A crash between the delivery and the note of it delivers once more, with the same
 * id.
 *
 * May use: base, libcurl.
 */
#ifndef NOTIFY_NOTIFY_H
#define NOTIFY_NOTIFY_H

#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/op.h"
#include "notify/notify_config.h"

struct notify;

/* What happened. Everything is copied. Texts may be NULL, numbers 0, where there is none. */
struct notify_event {
    const char *key;      /* of the incident; NULL: of none, told each time */
    const char *kind;     /* "triggered", "acted", "ask", "handed-over", "healed" */
    const char *severity; /* "info", "warning", "critical" */
    const char *sentence; /* for people, one line */
    const char *project;
    const char *policy;
    const char *playbook;
    int64_t incident, decision, run;
    const json_t *values; /* what it was decided on: condition_values' array */
    int64_t at_wall_ms;
};

/* Where the queue outlives the process. `keep` is called from inside the functions of this header
 * and from the loop; the value is borrowed, NULL forgets the key. It must not call back. */
#define NOTIFY_STORE_PREFIX "notify/" /* every key begins with it */
struct notify_store {
    void (*keep)(void *data, const char *key, const json_t *value);
    void *data;
};

/* Zero is the default. */
struct notify_limits {
    int64_t retry_first_ms, retry_max_ms; /* 1 s; 5 min */
    int64_t keep_ms;                      /* 24 h, then it is dropped */
    size_t queue;                         /* 100 notifications a receiver */
};

struct notify_options {
    struct loop *loop;
    struct notify_config *config; /* NULL: nobody is told; borrowed for the call */
    struct notify_store store;    /* .keep NULL: in memory only */
    /* For the log: what is not delivered, at last delivered, dropped. May be NULL; it comes as
     * `keep` does. */
    void (*log)(void *data, enum log_level level, const char *line);
    void *log_data;
    struct notify_limits limits;
};

struct notify *notify_new(const struct notify_options *options);

/* Deliveries under way are given up; their rows stay with the owner. The callbacks of tests under
 * way still come, with ERR_CANCELLED. Accepts NULL; returns NULL. */
struct notify *notify_free(struct notify *notify);

/* What the store kept, an object of key -> value, once and before the first event: what was not
 * delivered is queued again. Rows that cannot be read are forgotten. */
void notify_restore(struct notify *notify, const json_t *rows);

/* A new configuration. Receivers are known by their names: one that stays keeps its queue, and what
 * waits for its next try is tried at once; the queue of one that is no more is kept for the 24 h,
 * and delivered when a receiver of that name comes back. */
void notify_configure(struct notify *notify, struct notify_config *config);

/* Queues the event for every receiver that wants it. A healed one goes to those who have been told
 * of its incident, whatever its severity, and closes the incident. */
void notify_send(struct notify *notify, const struct notify_event *event);

/* Tries to deliver a test notification to the receiver: at once, beside its queue, one single time.
 * ERR_NOT_FOUND when there is no such receiver. May be cancelled. */
typedef void (*notify_test_fn)(void *data, const struct err *e);
op_id notify_test(struct notify *notify, const char *receiver, const char *project,
                  notify_test_fn done, void *data);

/* [{"name","kind","where","on","severity","state","queued","sent","failed","dropped",…}]: no
 * secret is in it. The caller owns it. */
json_t *notify_json(const struct notify *notify);

#endif
