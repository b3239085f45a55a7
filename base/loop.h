/* The event loop: libuv, with the three things every asynchronous module needs from it.
 *
 *  - deferred calls: "do this at the end of the present turn, outside every callback". It is how
 *    an operation completes (never from inside the call that started it) and how an object is
 *    freed (never inside its own callback);
 *  - timers that are one pointer to own, and whose closing nobody has to wait for;
 *  - a way to end: loop_free() runs what is still closing and insists that nothing is left.
 *
 * Nothing on the loop may block. May use: libuv.
 */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct loop;
struct timer;

typedef void (*loop_fn)(void *data);

struct loop *loop_new(void);

/* Closes the loop's own handles, runs until everybody's closing has finished and aborts if a
 * handle was left open: an owner forgot it. Deferred calls still queued are made. */
void loop_free(struct loop *loop);

uv_loop_t *loop_uv(struct loop *loop);
int64_t loop_now(struct loop *loop); /* monotonic milliseconds, fresh at each call */

void loop_run(struct loop *loop);  /* until loop_stop() or until nothing is left to wait for */
void loop_stop(struct loop *loop); /* may be called from any callback */

/* Calls fn(data) once, after the callback that runs now has returned and before the loop sleeps.
 * Calls are made in the order they were asked for. A call cannot be taken back: its data must
 * live until then. */
void loop_defer(struct loop *loop, loop_fn fn, void *data);

/* Where base/op.c keeps the list of live operations of this loop; nobody else's business. */
struct op;
struct op **loop_operations(struct loop *loop);
uint64_t loop_next_id(struct loop *loop); /* 1, 2, 3 …: never used again */

/* Likewise of base/files.c: the files that are being read for this loop. */
struct reading;
struct reading **loop_readings(struct loop *loop);

/* Likewise of base/program.c: the processes that are not reaped yet. */
struct program;
struct program **loop_programs(struct loop *loop);

/* A one-shot timer, owned by the caller. fn fires at most once a start, never from inside
 * timer_start, and may free the timer. */
struct timer *timer_new(struct loop *loop, loop_fn fn, void *data);
void timer_start(struct timer *timer, int64_t in_ms); /* restarts a running one */
void timer_stop(struct timer *timer);
bool timer_is_running(const struct timer *timer);
int64_t timer_left_ms(const struct timer *timer); /* until it fires; 0 when it is not running */
struct timer *timer_free(struct timer *timer);    /* accepts NULL; returns NULL */

/* A watched file descriptor, which stays the caller's. Events are UV_READABLE | UV_WRITABLE;
 * status < 0 is libuv's error. The poll must be freed before the descriptor is closed, and there
 * may be one poll a descriptor. fn may free the poll. NULL if the kernel refuses to watch it. */
struct poll;
typedef void (*poll_fn)(void *data, int status, int events);
struct poll *poll_new(struct loop *loop, int fd, int events, poll_fn fn, void *data);
void poll_set(struct poll *poll, int events);
struct poll *poll_free(struct poll *poll); /* stops watching at once; accepts NULL; returns NULL */

#endif
