/* Diagnostics: place, line and caret; what is near enough to be meant; no password shown. */
#include "base/diag.h"

#include "tests/unit/unit.h"

static void assert_format(struct diag_list *list, const char *expected)
{
    CLEANUP_FREE char *text = diag_format(list);
    ck_assert_str_eq(text, expected);
}

START_TEST(a_diagnostic_shows_its_line_and_a_caret)
{
    struct diag_list list;
    diag_init(&list, "f.yaml", "a: 1\nservices:\n    timeuot: 30s\nlast: x");
    ck_assert(!diag_add(&list, 3, 5, "unknown key '%s'", "timeuot"));
    assert_format(&list, "f.yaml:3:5: error: unknown key 'timeuot'\n"
                         "     3 |     timeuot: 30s\n"
                         "       |     ^\n");
    diag_add(&list, 4, 7, "no");
    assert_format(&list, "f.yaml:3:5: error: unknown key 'timeuot'\n"
                         "     3 |     timeuot: 30s\n"
                         "       |     ^\n"
                         "f.yaml:4:7: error: no\n"
                         "     4 | last: x\n"
                         "       |       ^\n");
    diag_free(&list);
}
END_TEST

START_TEST(a_tab_before_the_caret_stays_a_tab)
{
    struct diag_list list;
    diag_init(&list, "f", "\tkey:\tvalue\r\n");
    diag_add(&list, 1, 7, "bad");
    assert_format(&list, "f:1:7: error: bad\n"
                         "     1 | \tkey:\tvalue\n"
                         "       | \t    \t^\n");
    diag_free(&list);
}
END_TEST

START_TEST(a_caret_stands_under_its_character_and_not_its_byte)
{
    struct diag_list list;
    diag_init(&list, "f", "größe: ü\tx\n");
    diag_add(&list, 1, 8, "here");
    diag_add(&list, 1, 10, "there");
    assert_format(&list, "f:1:8: error: here\n"
                         "     1 | größe: ü\tx\n"
                         "       |        ^\n"
                         "f:1:10: error: there\n"
                         "     1 | größe: ü\tx\n"
                         "       |         \t^\n");
    diag_free(&list);
}
END_TEST

START_TEST(errors_come_in_the_order_of_the_text)
{
    struct diag_list list;
    diag_init(&list, "f", NULL);
    diag_add(&list, 9, 1, "later");
    diag_add(&list, 2, 7, "right");
    diag_add(&list, 2, 3, "left");
    diag_add(&list, 0, 0, "whole");
    assert_format(&list, "f: error: whole\n"
                         "f:2:3: error: left\n"
                         "f:2:7: error: right\n"
                         "f:9:1: error: later\n");
    json_t *json = diag_json(&list);
    ck_assert_uint_eq(json_array_size(json), 4);
    const char *text;
    int line;
    int column;
    ck_assert_int_eq(json_unpack(json_array_get(json, 1), "{s:s, s:i, s:i}", "message", &text,
                                 "line", &line, "column", &column),
                     0);
    ck_assert_str_eq(text, "left");
    ck_assert_int_eq(line, 2);
    ck_assert_int_eq(column, 3);
    json_decref(json);
    diag_free(&list);
}
END_TEST

START_TEST(json_is_in_the_order_of_the_text_without_printing_first)
{
    struct diag_list list;
    diag_init(&list, "f", NULL);
    diag_add(&list, 9, 1, "later");
    diag_add(&list, 2, 7, "first");
    json_t *json = diag_json(&list);
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(json, 0), "message")),
                     "first");
    json_decref(json);
    diag_free(&list);
}
END_TEST

START_TEST(an_error_outlives_bytes_that_are_not_utf_8)
{
    struct diag_list list;
    diag_init(&list, "f\xff", NULL);
    diag_add(&list, 1, 1, "bad \xff");
    json_t *json = diag_json(&list);
    ck_assert_uint_eq(json_array_size(json), 1);
    ck_assert(json_is_string(json_object_get(json_array_get(json, 0), "message")));
    json_decref(json);
    diag_free(&list);
}
END_TEST

START_TEST(places_outside_the_text_are_told_without_a_line)
{
    struct diag_list list;
    diag_init(&list, "f", "one\n");
    diag_add(&list, 7, 3, "far");
    diag_add(&list, 1, 400, "wide");
    assert_format(&list, "f:1:400: error: wide\n"
                         "     1 | one\n"
                         "       |    ^\n"
                         "f:7:3: error: far\n");
    diag_free(&list);
}
END_TEST

START_TEST(after_a_hundred_one_line_says_so)
{
    struct diag_list list;
    diag_init(&list, "f", NULL);
    for (int i = 1; i <= 5000; i++)
        diag_add(&list, i, 1, "error %d", i);
    ck_assert_uint_eq(list.count, 101);
    CLEANUP_FREE char *text = diag_format(&list);
    unit_assert_has(text, "f:100:1: error: error 100\nf: error: too many errors");
    unit_assert_lacks(text, "error 101");
    json_t *json = diag_json(&list);
    json_t *last = json_array_get(json, 100);
    ck_assert_int_eq(json_integer_value(json_object_get(last, "line")), 0);
    json_decref(json);
    diag_free(&list);
}
END_TEST

START_TEST(what_only_warns_says_so)
{
    struct diag_list list;
    diag_init(&list, "f.yaml", "with: wev\n");
    list.only_warns = true;
    diag_add(&list, 1, 7, "no service 'wev'");
    assert_format(&list, "f.yaml:1:7: warning: no service 'wev'\n"
                         "     1 | with: wev\n"
                         "       |       ^\n");
    for (int i = 0; i < 200; i++)
        diag_add(&list, 0, 0, "another");
    CLEANUP_FREE char *text = diag_format(&list);
    unit_assert_has(text, "f.yaml: warning: too many warnings");
    unit_assert_lacks(text, "error");
    diag_free(&list);
}
END_TEST

START_TEST(a_password_in_the_line_is_not_shown)
{
    static const struct {
        const char *source;
        const char *shown;
    } lines[] = {
        {"connect: host=db password=geheim", "connect: host=db password ***"},
        {"connect: host=db PassWord = geheim", "connect: host=db PassWord ***"},
        {"connect: postgresql://me:geheim@db/app", "connect: postgresql:// ***"},
        {"- {webhook: https://x.test/geheim, n: 1}", "- {webhook: https://x.test/ ***"},
        {"webhook: x.test/geheim", "webhook: x.test/ ***"},
        {"webhook: https://x.test", "webhook: https://x.test"},
        {"host: tcp://x.test/path", "host: tcp://x.test/path"},
        {"host: tcp://127.0.0.1:2375", "host: tcp://127.0.0.1:2375"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        struct diag_list list;
        diag_init(&list, "f", lines[i].source);
        diag_add(&list, 1, 1, "bad");
        CLEANUP_FREE char *text = diag_format(&list);
        unit_assert_lacks(text, "geheim");
        unit_assert_has(text, lines[i].shown);
        diag_free(&list);
    }
}
END_TEST

START_TEST(the_nearest_word_is_offered_if_it_is_near)
{
    static const char *const words[] = {"timeout", "grace", "stop", "start", "on_failure", NULL};
    ck_assert_str_eq(diag_nearest("timeuot", words), "timeout");
    ck_assert_str_eq(diag_nearest("timout", words), "timeout");
    ck_assert_str_eq(diag_nearest("strat", words), "start");
    ck_assert_str_eq(diag_nearest("onfailure", words), "on_failure");
    ck_assert_str_eq(diag_nearest("stop", words), "stop");
    ck_assert_ptr_null(diag_nearest("description", words));
    ck_assert_ptr_null(diag_nearest("", (const char *const[]){"stop", NULL}));
    ck_assert_ptr_null(diag_nearest("stop", (const char *const[]){NULL}));
    char wide[300];
    memset(wide, 'a', sizeof wide - 1);
    wide[sizeof wide - 1] = '\0';
    ck_assert_ptr_null(diag_nearest(wide, words));
}
END_TEST

UNIT_MAIN("base_diag", a_diagnostic_shows_its_line_and_a_caret, a_tab_before_the_caret_stays_a_tab,
          a_caret_stands_under_its_character_and_not_its_byte, errors_come_in_the_order_of_the_text,
          json_is_in_the_order_of_the_text_without_printing_first,
          an_error_outlives_bytes_that_are_not_utf_8,
          places_outside_the_text_are_told_without_a_line, after_a_hundred_one_line_says_so,
          what_only_warns_says_so, a_password_in_the_line_is_not_shown,
          the_nearest_word_is_offered_if_it_is_near)
