/* The watchdog: when the service manager hears of us, what it hears, and when it hears nothing. A
 * socket of the test's is the manager. */
#include "base/clock.h"
#include "supervisor/sd.h"
#include "supervisor/watchdog.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

/* --- the judgement ---------------------------------------------------------------------------- */

static const char *judge(int64_t late_ms, int64_t busy_ms, bool at_work)
{
    const struct watchdog_facts facts = {
        .limit_ms = 30000, .late_ms = late_ms, .worker_busy_ms = busy_ms, .at_work = at_work};
    return watchdog_objection(&facts);
}

START_TEST(a_loop_in_time_and_a_disk_that_answers_are_healthy)
{
    ck_assert_ptr_null(judge(0, 0, false));
    ck_assert_ptr_null(judge(7500, 0, false));
    ck_assert_ptr_null(judge(0, 120000, false));
}
END_TEST

START_TEST(a_late_loop_is_not)
{
    unit_assert_has(judge(7501, 0, false), "held up");
    unit_assert_has(judge(7501, 0, true), "held up");
}
END_TEST

START_TEST(a_stuck_disk_is_not_unless_a_run_is_under_way)
{
    unit_assert_has(judge(0, 120001, false), "stuck");
    ck_assert_ptr_null(judge(0, 120001, true));
}
END_TEST

/* --- what the manager hears ------------------------------------------------------------------- */

struct manager {
    int fd;
    char path[64];
    struct loop *loop;
    int64_t busy_ms;
    bool at_work;
    const char *sentence;
    char heard[4096]; /* everything, a line each */
};

static int64_t busy_ms(void *data)
{
    return ((struct manager *)data)->busy_ms;
}

static bool at_work(void *data)
{
    return ((struct manager *)data)->at_work;
}

static char *sentence(void *data)
{
    return mem_strdup(((struct manager *)data)->sentence);
}

static struct watchdog *begin(struct manager *manager, int limit_ms)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char text[32];
    snprintf(manager->path, sizeof manager->path, "/tmp/test-watchdog-%d", (int)getpid());
    snprintf(address.sun_path, sizeof address.sun_path, "%s", manager->path);
    manager->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    ck_assert_int_eq(bind(manager->fd, (struct sockaddr *)&address, sizeof address), 0);
    setenv("NOTIFY_SOCKET", manager->path, 1);
    snprintf(text, sizeof text, "%d", limit_ms * 1000);
    setenv("WATCHDOG_USEC", text, 1);
    unsetenv("WATCHDOG_PID");
    manager->loop = loop_new();
    const struct watchdog_options options = {.loop = manager->loop,
                                             .worker_busy_ms = busy_ms,
                                             .at_work = at_work,
                                             .sentence = sentence,
                                             .data = manager};
    return watchdog_new(&options);
}

static void end(struct manager *manager, struct watchdog *watchdog)
{
    watchdog_free(watchdog);
    loop_free(manager->loop);
    close(manager->fd);
    unlink(manager->path);
}

static void stop(void *data)
{
    loop_stop(data);
}

/* Lets the loop run for so long; gives how often the manager was told that we are alive. */
static int listen_for(struct manager *manager, int64_t ms)
{
    struct timer *timer = timer_new(manager->loop, stop, manager->loop);
    char message[512];
    int alive = 0;
    ssize_t len;
    timer_start(timer, ms);
    loop_run(manager->loop);
    timer_free(timer);
    *manager->heard = '\0';
    while ((len = recv(manager->fd, message, sizeof message - 1, 0)) > 0) {
        message[len] = '\0';
        alive += strcmp(message, "WATCHDOG=1") == 0;
        strcat(manager->heard, message);
        strcat(manager->heard, "\n");
    }
    return alive;
}

START_TEST(it_is_told_again_and_again_and_the_sentence_once)
{
    struct manager manager = {.sentence = "watching shop: healthy"};
    struct watchdog *watchdog = begin(&manager, 400);
    ck_assert_int_ge(listen_for(&manager, 450), 3);
    unit_assert_has(manager.heard, "STATUS=watching shop: healthy\n");
    manager.sentence = "run 12: recover, running";
    listen_for(&manager, 250);
    unit_assert_has(manager.heard, "STATUS=run 12: recover, running\n");
    unit_assert_lacks(manager.heard, "EXTEND_TIMEOUT_USEC");
    ck_assert_int_ge(listen_for(&manager, 250), 1);
    unit_assert_lacks(manager.heard, "STATUS=");
    end(&manager, watchdog);
}
END_TEST

START_TEST(a_sentence_that_was_overwritten_is_told_again)
{
    struct manager manager = {.sentence = "watching shop: healthy"};
    struct watchdog *watchdog = begin(&manager, 400);
    listen_for(&manager, 50);
    unit_assert_has(manager.heard, "STATUS=watching shop: healthy\n");
    sd_ready("configuration read anew");
    watchdog_tell_anew(watchdog);
    listen_for(&manager, 250);
    unit_assert_has(manager.heard, "STATUS=configuration read anew\n");
    unit_assert_has(manager.heard, "STATUS=watching shop: healthy\n");
    listen_for(&manager, 250);
    unit_assert_lacks(manager.heard, "STATUS=");
    end(&manager, watchdog);
}
END_TEST

/* Keeps the loop from its rounds: far too late each time. */
static void block(void *data)
{
    const struct timespec span = {.tv_nsec = 250 * 1000000L};
    struct timer **timer = data;
    nanosleep(&span, NULL);
    timer_start(*timer, 1);
}

START_TEST(a_loop_that_is_always_late_is_not_told_of)
{
    struct manager manager = {.sentence = "x"};
    struct watchdog *watchdog = begin(&manager, 400);
    struct timer *blocker = timer_new(manager.loop, block, &blocker);
    ck_assert_int_ge(listen_for(&manager, 150), 1);
    timer_start(blocker, 1);
    listen_for(&manager, 50);
    ck_assert_int_eq(listen_for(&manager, 1000), 0);
    timer_free(blocker); /* once it comes in time again it is told of again */
    listen_for(&manager, 150);
    ck_assert_int_ge(listen_for(&manager, 250), 1);
    end(&manager, watchdog);
}
END_TEST

START_TEST(a_stuck_disk_silences_it)
{
    struct manager manager = {.sentence = "x"};
    struct watchdog *watchdog = begin(&manager, 400);
    manager.busy_ms = 1601;
    listen_for(&manager, 50);
    ck_assert_int_eq(listen_for(&manager, 350), 0);
    manager.at_work = true;
    ck_assert_int_ge(listen_for(&manager, 350), 2);
    manager.at_work = false;
    listen_for(&manager, 150);
    ck_assert_int_eq(listen_for(&manager, 350), 0);
    manager.busy_ms = 0;
    ck_assert_int_ge(listen_for(&manager, 350), 2);
    end(&manager, watchdog);
}
END_TEST

START_TEST(an_end_asks_for_time)
{
    struct manager manager = {.sentence = "stopping: run 12: recover, running"};
    struct watchdog *watchdog = begin(&manager, 400);
    watchdog_ending(watchdog);
    ck_assert_int_ge(listen_for(&manager, 250), 1);
    unit_assert_has(manager.heard, "EXTEND_TIMEOUT_USEC=30000000\n");
    listen_for(&manager, 250);
    unit_assert_has(manager.heard, "EXTEND_TIMEOUT_USEC=30000000\n"); /* and again */
    end(&manager, watchdog);
}
END_TEST

START_TEST(without_a_manager_nothing_happens)
{
    struct manager manager = {.sentence = "x"};
    struct watchdog *watchdog = begin(&manager, 400);
    unsetenv("NOTIFY_SOCKET");
    ck_assert_int_eq(listen_for(&manager, 250), 0);
    ck_assert_str_eq(manager.heard, "");
    setenv("WATCHDOG_PID", "1", 1); /* somebody else is watched */
    ck_assert_int_eq(sd_watchdog_ms(), 0);
    end(&manager, watchdog);
}
END_TEST

UNIT_MAIN("watchdog", a_loop_in_time_and_a_disk_that_answers_are_healthy, a_late_loop_is_not,
          a_stuck_disk_is_not_unless_a_run_is_under_way,
          it_is_told_again_and_again_and_the_sentence_once,
          a_sentence_that_was_overwritten_is_told_again, a_loop_that_is_always_late_is_not_told_of,
          a_stuck_disk_silences_it, an_end_asks_for_time, without_a_manager_nothing_happens)
