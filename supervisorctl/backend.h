/* The way to the supervisor: a daemon behind a socket (remote.c), or the same application in this
 * very process (standalone.c). Every sub-command works with both and knows neither.
 *
 * Both block: a command does one thing at a time.
 *
 * May use: base, control/wire.h.
 */
#ifndef SUPERVISORCTL_BACKEND_H
#define SUPERVISORCTL_BACKEND_H

#include "base/err.h"
#include "base/json.h"
#include "supervisorctl/options.h"

enum ask {
    ASK_VERSION,
    ASK_STATUS,
    ASK_PLAYBOOKS,
    ASK_PLAN,
    ASK_CONNECTIONS,
    ASK_CLEAN,
    ASK_RUNS,
    ASK_RUN,
    ASK_START,
    ASK_ABORT,
    ASK_POLICIES,
    ASK_OBSERVATIONS,
    ASK_DECISIONS,
    ASK_APPROVE,
    ASK_DENY,
    ASK_PAUSE,
    ASK_RESUME,
    ASK_NOTIFY_TEST,
    ASKS
};

struct question {
    enum ask ask;
    const char *playbook; /* of a plan */
    int64_t run;          /* of a run, an abort; a decision, of its approval */
    const json_t *body;   /* of clean, start, pause and a trial; of a plan its options, or NULL */
};

/* What the watcher of a run wants next. */
enum follow_wish {
    FOLLOW_ON,
    FOLLOW_WIND_UP, /* ask the run to abort, and go on watching: where it runs in our process */
    FOLLOW_LEAVE,
};

/* For how long a lost connection is tried again: a daemon that is restarted is back by then. */
enum { FOLLOW_RETRY_MS = 60000 };

struct follower {
    /* One entry of the run; borrowed. */
    void (*on_entry)(void *data, const json_t *entry);
    /* About ten times a second, and at once when wake_fd becomes readable. */
    enum follow_wish (*on_tick)(void *data);
    /* The connection was lost and is tried again (restored: it is back). */
    void (*on_gap)(void *data, bool restored, const struct err *e);
    int wake_fd; /* -1: none */
    void *data;
};

struct backend;

struct backend_class {
    bool runs_outlive_us; /* leaving a run does not stop it */
    /* 0 and *ret (the caller's), or an exit code with e set. */
    int (*ask)(struct backend *backend, const struct question *question, json_t **ret,
               struct err *e);
    /* Until the run's last entry, or until the follower leaves (both 0), or an exit code with e
     * set. */
    int (*follow)(struct backend *backend, int64_t run, const struct follower *follower,
                  struct err *e);
    void (*free)(struct backend *backend);
};

struct backend {
    const struct backend_class *class;
};

static inline int backend_ask(struct backend *backend, const struct question *question,
                              json_t **ret, struct err *e)
{
    *ret = NULL;
    return backend->class->ask(backend, question, ret, e);
}

static inline void backend_free(struct backend *backend)
{
    if (backend)
        backend->class->free(backend);
}

/* Never fails: a daemon that is not there is found out by the first question. has_other: what is
 * asked can be done without one (--standalone), for the hint. */
struct backend *remote_new(const struct ctl_options *options, bool has_other);

/* Opens the state directory, the journal and the engine as the daemon does; 0, or an exit code.
 * Each error of the configuration goes to `messages`. */
int standalone_new(const struct ctl_options *options, FILE *messages, struct backend **ret,
                   struct err *e);

#endif
