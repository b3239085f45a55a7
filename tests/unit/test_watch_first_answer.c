/* Which refusals a database that has not answered yet is forgiven. */
#include "tests/unit/unit.h"
#include "watch/first_answer.h"

static struct watch__first_answer first;

static void tear_down(void)
{
    watch__first_answer_clear(&first);
}

/* A look at a container of this id and this life of it. */
static bool is_due(const char *id, int64_t started_ns, bool answers)
{
    CLEANUP_FREE char *text =
        mem_printf("{'Id': '%s', 'Name': '/db', 'State': {'Status': 'running'}, "
                   "'HostConfig': {}, 'Config': {}, 'NetworkSettings': {}}",
                   id);
    CLEANUP_JSON json_t *body = unit_json(text);
    struct err e;
    struct container *container = container_from_json(body, &e);
    ck_assert_msg(container, "%s", e.text);
    container->started_ns = started_ns;
    watch__first_answer_look(&first, container, answers);
    container_unref(container);
    return watch__first_answer_is_due(&first);
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
}
END_TEST

START_TEST(a_life_that_follows_one_without_an_answer_is_a_crash_loop)
{
    ck_assert(is_due("a", 1, false));
    ck_assert(!is_due("a", 2, false));
    ck_assert(!is_due("a", 3, false) && !is_due("a", 4, false)); /* for as long as it lasts */
    ck_assert(!is_due("a", 4, true));
    ck_assert(is_due("a", 5, false));
}
END_TEST

START_TEST(another_container_begins_anew)
{
    ck_assert(is_due("a", 1, false));
    ck_assert(is_due("b", 2, false));
    ck_assert(!is_due("b", 3, false));
}
END_TEST

START_TEST(nothing_is_known_without_a_container)
{
    watch__first_answer_look(&first, NULL, false);
    ck_assert(!watch__first_answer_is_due(&first));
    watch__first_answer_look(&first, NULL, true);
    ck_assert(is_due("a", 1, false));
    watch__first_answer_look(&first, NULL, true); /* what answers there is not known to be it */
    ck_assert(watch__first_answer_is_due(&first));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_first_start_may_take_its_time,
        each_start_after_an_answer_may_take_its_time,
        a_life_that_follows_one_without_an_answer_is_a_crash_loop,
        another_container_begins_anew,
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
