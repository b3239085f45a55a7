/* What every unit test would otherwise write again: a main, JSON and texts in single quotes, and
 * an assertion on a part of a text. May use: check, jansson, base/mem.h. */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

#include "base/mem.h"

#include <check.h>
#include <jansson.h>
#include <string.h>

/* set_up and tear_down go around each test; they may be NULL. */
static inline int unit_run(const char *name, SFun set_up, SFun tear_down, const TTest *const *tests,
                           size_t count)
{
    TCase *tcase = tcase_create(name);
    Suite *suite = suite_create(name);
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    for (size_t i = 0; i < count; i++)
        tcase_add_test(tcase, tests[i]);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* UNIT_MAIN("clock", a_test, another_test) is the whole main. */
#define UNIT_MAIN(name, ...) UNIT_MAIN_WITH(name, NULL, NULL, __VA_ARGS__)

#define UNIT_MAIN_WITH(name, set_up, tear_down, ...)                                               \
    int main(void)                                                                                 \
    {                                                                                              \
        const TTest *const tests[] = {__VA_ARGS__};                                                \
        return unit_run(name, set_up, tear_down, tests, ARRAY_SIZE(tests));                        \
    }

/* {'a': 1} to JSON; the caller owns it. */
static inline json_t *unit_json(const char *text)
{
    json_error_t problem;
    CLEANUP_FREE char *quoted = mem_strdup(text);
    for (char *c = quoted; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    json_t *value = json_loads(quoted, JSON_DECODE_ANY, &problem);
    ck_assert_msg(value != NULL, "%s at column %d of %s", problem.text, problem.column, text);
    return value;
}

#define unit_assert_has(text, part)                                                                \
    ck_assert_msg(strstr((text), (part)) != NULL, "'%s' is not in '%s'", (part), (text))

#define unit_assert_lacks(text, part)                                                              \
    ck_assert_msg(strstr((text), (part)) == NULL, "'%s' is in '%s'", (part), (text))

#endif
