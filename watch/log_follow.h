/* One container's log, kept open: taken up again at each start, after a failure, after a lost
 * Engine.
 *
 *   waiting --open--> following --container stopped--> (once more: the rest) --> waiting for
 *      ^                  |                                                         a start
 *      +---- back-off ----+  failed, or ended although the container runs
 *
 * The Engine ends a log at each exit of its container, even when a policy starts it again at once;
 * and the `start` event may come before that end.
 *
 * May use: base, docker.
 */
#ifndef WATCH_LOG_FOLLOW_H
#define WATCH_LOG_FOLLOW_H

#include "docker/stack.h"

struct watch__follow;

struct watch__follow_class {
    /* Both may free the follow. */
    void (*on_line)(void *data, struct watch__follow *follow, const struct docker_log_line *line);
    void (*on_trouble)(void *data, const struct err *e); /* told once until the log can be read */
};

struct watch__follow {
    /* the owner's */
    struct watch__follow *next;
    bool *searched; /* by pattern; freed with the follow */
    bool is_seen;   /* in the newest model */

    /* to be read only */
    struct container *container;
    bool is_unreadable;
    struct err problem; /* the last one; clear while all is well */
    op_id op;           /* 0: not open */

    /* private */
    struct docker *docker;
    struct loop *loop;
    const struct watch__follow_class *class;
    void *data;
    struct docker_log_place place;
    int64_t reach_ms;
    struct timer *retry;
    int64_t backoff_ms, opened_at;
    bool runs;         /* the container, as the last model or event said */
    bool again;        /* it was started while its log was still open */
    bool rest_read;    /* the log was read to its end after the container had stopped */
    bool was_told;     /* on_trouble */
    bool is_lost;      /* the Engine */
    bool is_over;      /* freed by its owner: no callback any more */
    bool is_cancelled; /* the open one */
};

/* Opens nothing yet. Each opening asks for nothing older than reach_ms. */
struct watch__follow *watch__follow_new(struct docker *docker, struct loop *loop,
                                        struct container *container, int64_t reach_ms,
                                        const struct watch__follow_class *class, void *data);
struct watch__follow *watch__follow_free(struct watch__follow *follow);

void watch__follow_inspected(struct watch__follow *follow, struct container *container);
void watch__follow_started(struct watch__follow *follow);
void watch__follow_died(struct watch__follow *follow);
void watch__follow_lost(struct watch__follow *follow);
void watch__follow_sync(struct watch__follow *follow); /* the Engine is there: look again */

#endif
