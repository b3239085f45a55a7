/* Which refusals a database that has not answered yet is forgiven. */
#include "tests/unit/unit.h"
#include "watch/first_answer.h"

static struct first_answer first;

static void tear_down(void)
{
    first_answer_clear(&first);
}

struct seen {
    const char *id;
    int64_t started_ns;
    int restarts; /* by the Engine's policy */
    const char *state;
    bool is_partial;
};

static bool is_due_of(struct seen seen, bool answers)
{
    CLEANUP_FREE char *text = mem_printf("{'Id': '%s', 'Name': '/db', 'State': {'Status': '%s'}, "
                                         "'HostConfig': {}, 'Config': {}, 'NetworkSettings': {}}",
                                         seen.id, seen.state ? seen.state : "running");
    CLEANUP_JSON json_t *body = unit_json(text);
    struct err e;
    struct container *container = container_from_json(body, &e);
    ck_assert_msg(container, "%s", e.text);
    container->started_ns = seen.started_ns;
    container->restart_count = seen.restarts;
    container->is_partial = seen.is_partial;
    first_answer_look(&first, container, answers);
    container_unref(container);
    return first_answer_is_due(&first);
}

/* A look at a container of this id and this life of it. */
static bool is_due(const char *id, int64_t started_ns, bool answers)
{
    return is_due_of((struct seen){.id = id, .started_ns = started_ns}, answers);
}

/* A life that the Engine's restart policy began. */
static bool is_due_again(int64_t started_ns, int restarts)
{
    return is_due_of((struct seen){.id = "a", .started_ns = started_ns, .restarts = restarts},
                     false);
}

START_TEST(a_first_start_may_take_its_time)
{
    ck_assert(is_due("a", 1, false));
    ck_assert(is_due("a", 1, false));
    ck_assert(!is_due("a", 1, true));
    ck_assert(!is_due("a", 1, false)); /* it was well, and is no more */
}
END_TEST

START_TEST(each_start_after_an_answer_may_take_its_time)
{
    ck_assert(!is_due("a", 1, true));
    ck_assert(is_due("a", 2, false)); /* an upgrade, say */
    ck_assert(!is_due("a", 2, true));
    ck_assert(is_due_again(3, 1)); /* it crashed, and is about to replay its WAL */
}
END_TEST

START_TEST(a_restart_by_policy_without_an_answer_is_a_crash_loop)
{
    ck_assert(is_due("a", 1, false));
    ck_assert(!is_due_again(2, 1));
    ck_assert(!is_due_again(3, 2) && !is_due_again(4, 3)); /* for as long as it lasts */
    ck_assert(!is_due("a", 5, true));
    ck_assert(is_due("a", 6, false));
}
END_TEST

/* A person's restart, or the Engine's own: nothing says that its last life went wrong. */
START_TEST(a_start_by_somebody_is_no_crash_loop)
{
    ck_assert(is_due("a", 1, false));
    ck_assert(is_due("a", 2, false));
    ck_assert(!is_due_again(3, 1));
    ck_assert(is_due("a", 4, false));
}
END_TEST

START_TEST(another_container_begins_anew)
{
    ck_assert(is_due("a", 1, false));
    ck_assert(is_due_of((struct seen){.id = "b", .started_ns = 2, .restarts = 7}, false));
}
END_TEST

START_TEST(what_is_not_running_or_not_inspected_says_nothing)
{
    ck_assert(!is_due_of((struct seen){.id = "a", .state = "created"}, false));
    ck_assert(is_due("a", 1, false)); /* its first life */
    ck_assert(is_due_of((struct seen){.id = "a", .is_partial = true}, false));
    ck_assert(is_due("a", 1, false));
    ck_assert(!is_due("a", 1, true));
    ck_assert(!is_due_of((struct seen){.id = "a", .is_partial = true}, false));
    ck_assert(!is_due_of((struct seen){.id = "a", .started_ns = 1, .state = "exited"}, false));
    ck_assert(!is_due("a", 1, false));
}
END_TEST

START_TEST(nothing_is_known_without_a_container)
{
    first_answer_look(&first, NULL, false);
    ck_assert(!first_answer_is_due(&first));
    first_answer_look(&first, NULL, true);
    ck_assert(is_due("a", 1, false));
    first_answer_look(&first, NULL, true); /* what answers there is not known to be it */
    ck_assert(first_answer_is_due(&first));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_first_start_may_take_its_time,
        each_start_after_an_answer_may_take_its_time,
        a_restart_by_policy_without_an_answer_is_a_crash_loop,
        a_start_by_somebody_is_no_crash_loop,
        another_container_begins_anew,
        what_is_not_running_or_not_inspected_says_nothing,
        nothing_is_known_without_a_container,
    };
    Suite *suite = suite_create("watch_first_answer");
    TCase *pure = tcase_create("pure");
    tcase_add_checked_fixture(pure, NULL, tear_down);
    for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
        tcase_add_test(pure, tests[i]);
    suite_add_tcase(suite, pure);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
