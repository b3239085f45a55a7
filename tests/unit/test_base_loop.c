/* Deferred calls, timers and polls, and the end of a loop. */
#include "base/loop.h"

#include "base/clock.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

/* What happened, a letter each. */
struct record {
    struct loop *loop;
    char text[64];
    struct timer *timer;
    struct poll *poll;
    int left;
};

static void note(struct record *r, char letter)
{
    size_t len = strlen(r->text);
    ck_assert_uint_lt(len + 1, sizeof r->text);
    r->text[len] = letter;
}

static void on_a(void *data)
{
    note(data, 'a');
}

static void on_b(void *data)
{
    note(data, 'b');
}

static void on_timer(void *data)
{
    note(data, 't');
}

static void on_defer_another(void *data)
{
    struct record *r = data;
    note(r, 'd');
    loop_defer(r->loop, on_a, r);
    note(r, '.');
}

START_TEST(deferred_calls_come_later_and_in_order)
{
    struct record r = {.loop = loop_new()};
    loop_defer(r.loop, on_b, &r);
    loop_defer(r.loop, on_defer_another, &r);
    loop_defer(r.loop, on_b, &r);
    ck_assert_str_eq(r.text, "");
    loop_run(r.loop);
    ck_assert_str_eq(r.text, "bd.ba");
    loop_free(r.loop);
}
END_TEST

static void on_again(void *data)
{
    struct record *r = data;
    if (--r->left > 0)
        loop_defer(r->loop, on_again, r);
}

START_TEST(calls_that_defer_for_ever_do_not_starve_timers)
{
    struct record r = {.loop = loop_new(), .left = INT32_MAX};
    r.timer = timer_new(r.loop, (loop_fn)loop_stop, r.loop);
    loop_defer(r.loop, on_again, &r);
    timer_start(r.timer, 5);
    loop_run(r.loop);
    ck_assert_int_lt(r.left, INT32_MAX);
    r.left = 1;
    timer_free(r.timer);
    loop_free(r.loop);
}
END_TEST

START_TEST(loop_free_makes_the_calls_that_are_queued)
{
    struct record r = {.loop = loop_new()};
    loop_defer(r.loop, on_defer_another, &r);
    loop_free(r.loop);
    ck_assert_str_eq(r.text, "d.a");
    loop_free(NULL);
}
END_TEST

START_TEST(a_timer_fires_once_a_start_and_never_inside_it)
{
    struct record r = {.loop = loop_new()};
    r.timer = timer_new(r.loop, on_timer, &r);
    ck_assert(!timer_is_running(r.timer));
    ck_assert_int_eq(timer_left_ms(r.timer), 0);
    timer_start(r.timer, 0);
    ck_assert_str_eq(r.text, "");
    ck_assert(timer_is_running(r.timer));
    loop_run(r.loop);
    ck_assert_str_eq(r.text, "t");
    ck_assert(!timer_is_running(r.timer));
    timer_start(r.timer, -5);
    loop_run(r.loop);
    ck_assert_str_eq(r.text, "tt");
    timer_start(r.timer, 60000);
    ck_assert_int_gt(timer_left_ms(r.timer), 50000);
    timer_start(r.timer, 1); /* restarts */
    ck_assert_int_le(timer_left_ms(r.timer), 1);
    loop_run(r.loop);
    ck_assert_str_eq(r.text, "ttt");
    timer_start(r.timer, 1);
    timer_stop(r.timer);
    loop_run(r.loop);
    ck_assert_str_eq(r.text, "ttt");
    ck_assert_ptr_null(timer_free(r.timer));
    ck_assert_ptr_null(timer_free(NULL));
    loop_free(r.loop);
}
END_TEST

START_TEST(timers_fire_in_the_order_of_their_time)
{
    struct record r = {.loop = loop_new()};
    struct timer *late = timer_new(r.loop, on_b, &r);
    struct timer *early = timer_new(r.loop, on_a, &r);
    timer_start(late, 20);
    timer_start(early, 5);
    int64_t before = loop_now(r.loop);
    loop_run(r.loop);
    ck_assert_str_eq(r.text, "ab");
    ck_assert_int_ge(loop_now(r.loop) - before, 20);
    timer_free(late);
    timer_free(early);
    loop_free(r.loop);
}
END_TEST

static void on_free_timer(void *data)
{
    struct record *r = data;
    r->timer = timer_free(r->timer);
    note(r, 'f');
}

START_TEST(a_timer_may_be_freed_from_its_own_call)
{
    struct record r = {.loop = loop_new()};
    r.timer = timer_new(r.loop, on_free_timer, &r);
    timer_start(r.timer, 0);
    loop_run(r.loop);
    ck_assert_str_eq(r.text, "f");
    loop_free(r.loop);
}
END_TEST

static void on_readable(void *data, int status, int events)
{
    struct record *r = data;
    ck_assert_int_eq(status, 0);
    note(r, events & UV_READABLE ? 'r' : 'w');
    r->poll = poll_free(r->poll);
}

START_TEST(a_poll_tells_and_may_be_freed_from_its_own_call)
{
    struct record r = {.loop = loop_new()};
    int ends[2];
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    r.poll = poll_new(r.loop, ends[0], UV_READABLE, on_readable, &r);
    ck_assert_ptr_nonnull(r.poll);
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    loop_run(r.loop);
    ck_assert_str_eq(r.text, "r");
    ck_assert_ptr_null(poll_free(NULL));
    close(ends[0]);
    close(ends[1]);
    loop_free(r.loop);
}
END_TEST

START_TEST(what_the_kernel_does_not_watch_gives_no_poll)
{
    struct loop *loop = loop_new();
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(file, 0);
    ck_assert_ptr_null(poll_new(loop, file, UV_READABLE, on_readable, NULL));
    close(file);
    loop_free(loop);
}
END_TEST

START_TEST(ids_are_never_used_again)
{
    struct loop *loop = loop_new();
    ck_assert_uint_eq(loop_next_id(loop), 1);
    ck_assert_uint_eq(loop_next_id(loop), 2);
    loop_free(loop);
}
END_TEST

START_TEST(a_stop_that_was_asked_for_does_not_spoil_the_end)
{
    struct record r = {.loop = loop_new()};
    r.timer = timer_new(r.loop, on_timer, &r);
    loop_stop(r.loop);
    timer_free(r.timer);
    loop_free(r.loop);
}
END_TEST

START_TEST(a_handle_that_was_left_open_aborts)
{
    pid_t child = fork();
    if (child == 0) {
        close(STDERR_FILENO);
        struct loop *loop = loop_new();
        uv_prepare_t *forgotten = mem_new(sizeof *forgotten);
        uv_prepare_init(loop_uv(loop), forgotten);
        loop_free(loop);
        _exit(0);
    }
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}
END_TEST

UNIT_MAIN("base_loop", deferred_calls_come_later_and_in_order,
          calls_that_defer_for_ever_do_not_starve_timers, loop_free_makes_the_calls_that_are_queued,
          a_timer_fires_once_a_start_and_never_inside_it, timers_fire_in_the_order_of_their_time,
          a_timer_may_be_freed_from_its_own_call, a_poll_tells_and_may_be_freed_from_its_own_call,
          what_the_kernel_does_not_watch_gives_no_poll, ids_are_never_used_again,
          a_stop_that_was_asked_for_does_not_spoil_the_end, a_handle_that_was_left_open_aborts)
