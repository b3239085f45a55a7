/* Watching a run of a daemon that goes away: what is said, and the exit code. A fake way to the
 * supervisor stands in for remote.c. */
#include "base/mem.h"
#include "supervisorctl/backend.h"
#include "supervisorctl/follow.h"
#include "tests/unit/unit.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

enum { RUN = 5, TICKS_MAX = 100000 };

/* What a test chooses: what becomes of the connection, one after the other. */
static struct {
    bool lost, restored;
    bool given_up; /* the time for trying again is over */
    bool interrupts;
} fake;

static int fake_follow(struct backend *backend, int64_t run, const struct follower *follower,
                       struct err *e)
{
    (void)backend;
    ck_assert_int_eq(run, RUN);
    err_set(e, ERR_UNREACHABLE, "no daemon there: /c.sock: Connection refused (ECONNREFUSED)");
    err_hint(e, "start it");
    if (fake.lost)
        follower->on_gap(follower->data, false, e);
    if (fake.restored)
        follower->on_gap(follower->data, true, NULL);
    if (fake.given_up)
        return WIRE_EXIT_UNREACHABLE;
    if (fake.interrupts)
        raise(SIGINT);
    for (int i = 0; i < TICKS_MAX; i++) {
        if (follower->on_tick(follower->data) == FOLLOW_LEAVE)
            return 0;
        usleep(1000);
    }
    ck_abort_msg("it was never left");
    return WIRE_EXIT_FAILED;
}

static const struct backend_class fake_class = {.runs_outlive_us = true, .follow = fake_follow};
static struct backend backend = {.class = &fake_class};
static struct ctl_options options;
static struct ctl ctl;
static char *out_text, *messages_text;
static size_t out_len, messages_len;

static void set_up(void)
{
    memset(&fake, 0, sizeof fake);
    options = (struct ctl_options){0};
    ctl = (struct ctl){.options = &options, .backend = &backend, .signals = SIGNALS_CLOSED};
    ctl.out = open_memstream(&out_text, &out_len);
    ctl.messages = open_memstream(&messages_text, &messages_len);
}

static void tear_down(void)
{
    fclose(ctl.out);
    fclose(ctl.messages);
    free(out_text);
    free(messages_text);
}

static int watch(void)
{
    int code = ctl_watch(&ctl, RUN, NULL, NULL);
    fflush(ctl.out);
    fflush(ctl.messages);
    return code;
}

/* Whom a person has to start, wherever the daemon was started from, or what to do without one. */
static void assert_says_who_carries_on(const char *text)
{
    unit_assert_has(text, "the next daemon on its state directory carries it on");
    unit_assert_has(text, "systemctl start stack-supervisor");
    unit_assert_has(text, "stack-supervisord");
    unit_assert_has(text, "supervisorctl --standalone attach");
}

START_TEST(a_daemon_that_does_not_come_back_has_left_its_run_unfinished)
{
    fake.lost = fake.given_up = true;
    ck_assert_int_eq(watch(), WIRE_EXIT_UNREACHABLE);
    unit_assert_has(messages_text, "trying again for 1m00s");
    unit_assert_has(messages_text, "ECONNREFUSED");
    unit_assert_has(messages_text, "run 5 is unfinished as far as is known");
    unit_assert_has(messages_text, "containers that it stopped may be down");
    assert_says_who_carries_on(messages_text);
}
END_TEST

START_TEST(a_script_is_told_the_same)
{
    fake.lost = fake.given_up = options.json = true;
    ck_assert_int_eq(watch(), WIRE_EXIT_UNREACHABLE);
    CLEANUP_JSON json_t *object = json_loads(out_text, 0, NULL);
    ck_assert_str_eq(json_text_at(object, "error/code", ""), "unreachable");
    unit_assert_has(json_text_at(object, "error/message", ""), "run 5 is unfinished");
    assert_says_who_carries_on(json_text_at(object, "error/hint", ""));
}
END_TEST

START_TEST(a_time_that_is_over_while_the_daemon_is_away_promises_nothing)
{
    fake.lost = true;
    options.timeout_ms = 1;
    ck_assert_int_eq(watch(), WIRE_EXIT_TIMEOUT);
    unit_assert_has(messages_text, "it is not known whether run 5 goes on");
    unit_assert_lacks(messages_text, "run 5 goes on: ");
    assert_says_who_carries_on(messages_text);
}
END_TEST

START_TEST(leaving_while_the_daemon_is_away_is_no_success)
{
    fake.lost = fake.interrupts = options.json = true;
    ck_assert_int_eq(watch(), WIRE_EXIT_UNREACHABLE);
    unit_assert_has(messages_text, "it is not known whether run 5 goes on");
    CLEANUP_JSON json_t *object = json_loads(out_text, 0, NULL);
    ck_assert_str_eq(json_text_at(object, "state", ""), "unknown");
}
END_TEST

START_TEST(a_daemon_that_is_back_goes_on_with_it)
{
    fake.lost = fake.restored = fake.interrupts = true;
    ck_assert_int_eq(watch(), WIRE_EXIT_DONE);
    unit_assert_has(messages_text, "the daemon is back");
    unit_assert_has(messages_text, "detached; run 5 goes on: supervisorctl attach 5");
}
END_TEST

UNIT_MAIN_WITH("ctl_follow", set_up, tear_down,
               a_daemon_that_does_not_come_back_has_left_its_run_unfinished,
               a_script_is_told_the_same,
               a_time_that_is_over_while_the_daemon_is_away_promises_nothing,
               leaving_while_the_daemon_is_away_is_no_success,
               a_daemon_that_is_back_goes_on_with_it)
