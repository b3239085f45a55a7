/* The log where nobody reads it: no line is waited for, none is cut, and what is lost is told. */
#include "base/log.h"
#include "tests/unit/unit.h"
#include "tests/unit/unread.h"

#include <sys/resource.h>

enum { LONG = 1000000, PATIENCE_ROUNDS = 1000 };

static struct unread place;
static struct buf text; /* all that was read */
static int before;      /* stderr */

static void to_stderr(enum unread_kind kind)
{
    unsetenv("JOURNAL_STREAM");
    buf_init(&text, 1 << 22);
    place = unread_open(kind);
    before = dup(STDERR_FILENO);
    dup2(place.end, STDERR_FILENO);
}

/* Reads until the log owes nothing any more. */
static void read_on(void)
{
    int rounds = 0;
    do {
        unread_take(&place, &text);
        ck_assert_int_lt(rounds++, PATIENCE_ROUNDS);
    } while (!log_catch_up());
    unread_take(&place, &text);
}

static void restore_stderr(void)
{
    dup2(before, STDERR_FILENO);
    close(before);
    unread_close(&place);
    buf_free(&text);
}

/* The end of a line that begins with its time. */
static void assert_line(const char *end)
{
    CLEANUP_FREE char *line = mem_printf(" %s\n", end);
    ck_assert_msg(strstr(buf_text(&text), line), "not told: %.200s", end);
}

static void lose_three(void)
{
    unread_fill(&place);
    for (int i = 0; i < 3; i++)
        log_info("nobody takes this");
    read_on();
    log_info("and on it goes");
    read_on();
    unit_assert_lacks(buf_text(&text), "nobody takes this");
    assert_line("warning lines of the log lost, as nobody took them: 3");
    assert_line("info    and on it goes");
}

START_TEST(lines_that_nobody_takes_are_counted)
{
    to_stderr((enum unread_kind)_i);
    lose_three();
    restore_stderr();
}
END_TEST

START_TEST(it_needs_no_descriptor_for_that)
{
    struct rlimit limit;
    to_stderr((enum unread_kind)_i);
    getrlimit(RLIMIT_NOFILE, &limit);
    const struct rlimit none = {.rlim_cur = STDERR_FILENO + 1, .rlim_max = limit.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
    lose_three();
    setrlimit(RLIMIT_NOFILE, &limit);
    restore_stderr();
}
END_TEST

START_TEST(a_line_that_is_taken_in_part_is_finished_first)
{
    CLEANUP_FREE char *name = mem_new(LONG + 1);
    memset(name, 'x', LONG);
    to_stderr((enum unread_kind)_i);
    log_info("long: %s.", name);
    log_info("too late");
    read_on();
    log_info("and on it goes");
    read_on();
    CLEANUP_FREE char *whole = mem_printf("info    long: %s.", name);
    assert_line(whole);
    assert_line("warning lines of the log lost, as nobody took them: 1");
    assert_line("info    and on it goes");
    restore_stderr();
}
END_TEST

START_TEST(others_who_write_there_still_wait)
{
    to_stderr((enum unread_kind)_i);
    log_info("a line");
    ck_assert_int_eq(fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK, 0);
    restore_stderr();
}
END_TEST

START_TEST(a_disk_without_room_counts_as_well)
{
    to_stderr(UNREAD_PIPE);
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    dup2(full, STDERR_FILENO);
    close(full);
    log_info("no room");
    ck_assert(!log_catch_up());
    dup2(place.end, STDERR_FILENO);
    read_on();
    assert_line("warning lines of the log lost, as nobody took them: 1");
    restore_stderr();
}
END_TEST

START_TEST(a_text_is_a_line_each)
{
    to_stderr(UNREAD_PIPE);
    log_text(LOG_LEVEL_ERROR, "one\n  two\n");
    read_on();
    assert_line("error   one");
    assert_line("error     two");
    restore_stderr();
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("log");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, lines_that_nobody_takes_are_counted, 0, UNREAD_KINDS);
    tcase_add_loop_test(tests, it_needs_no_descriptor_for_that, 0, UNREAD_KINDS);
    tcase_add_loop_test(tests, a_line_that_is_taken_in_part_is_finished_first, 0, UNREAD_KINDS);
    tcase_add_loop_test(tests, others_who_write_there_still_wait, 0, UNREAD_KINDS);
    tcase_add_test(tests, a_disk_without_room_counts_as_well);
    tcase_add_test(tests, a_text_is_a_line_each);
    Suite *suite = suite_create("log");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
