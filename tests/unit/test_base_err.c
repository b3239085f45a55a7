/* Errors as values: text, hint and context, and their way through JSON. */
#include "base/err.h"

#include "base/json.h"
#include "tests/unit/unit.h"

START_TEST(an_error_is_returned_and_kept)
{
    struct err e;
    int status = err_set(&e, ERR_TIMEOUT, "stop %s: no answer within %ds", "web", 5);
    ck_assert_int_eq(status, -(int)ERR_TIMEOUT);
    ck_assert(err_is_set(&e));
    ck_assert_str_eq(e.text, "stop web: no answer within 5s");
    ck_assert_str_eq(e.hint, "");
    err_hint(&e, "look at %s", "the disk");
    ck_assert_str_eq(e.hint, "look at the disk");
}
END_TEST

START_TEST(a_new_error_has_no_old_hint)
{
    struct err e;
    err_set(&e, ERR_FAILED, "first");
    err_hint(&e, "of the first");
    err_set(&e, ERR_FAILED, "second");
    ck_assert_str_eq(e.hint, "");
}
END_TEST

START_TEST(context_comes_in_front_and_the_hint_stays)
{
    struct err e;
    err_set(&e, ERR_CONFLICT, "already running");
    err_hint(&e, "wait");
    ck_assert_int_eq(err_wrap(&e, "start %s: ", "web"), -(int)ERR_CONFLICT);
    ck_assert_str_eq(e.text, "start web: already running");
    ck_assert_str_eq(e.hint, "wait");
}
END_TEST

START_TEST(arguments_may_point_into_the_error_itself)
{
    struct err e;
    err_set(&e, ERR_FAILED, "inner");
    err_hint(&e, "a hint");
    err_set(&e, ERR_FAILED, "outer: %s (%s)", e.text, e.hint);
    ck_assert_str_eq(e.text, "outer: inner (a hint)");
    err_hint(&e, "because of: %s", e.text);
    ck_assert_str_eq(e.hint, "because of: outer: inner (a hint)");
}
END_TEST

START_TEST(what_is_too_long_is_cut_and_ends)
{
    struct err e;
    char text[2 * ERR_TEXT_MAX];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    err_set(&e, ERR_FAILED, "%s", text);
    ck_assert_uint_eq(strlen(e.text), ERR_TEXT_MAX - 1);
    err_hint(&e, "%s", text);
    ck_assert_uint_eq(strlen(e.hint), ERR_HINT_MAX - 1);
    err_wrap(&e, "%s", text);
    ck_assert_uint_eq(strlen(e.text), ERR_TEXT_MAX - 1);
    err_set(&e, ERR_FAILED, "short");
    err_wrap(&e, "%.*s", ERR_TEXT_MAX - 3, text);
    ck_assert_uint_eq(strlen(e.text), ERR_TEXT_MAX - 1);
    ck_assert_str_eq(e.text + ERR_TEXT_MAX - 3, "sh");
}
END_TEST

START_TEST(nobody_may_ask_for_an_error)
{
    ck_assert_int_eq(err_set(NULL, ERR_INVALID, "x"), -(int)ERR_INVALID);
    ck_assert_int_lt(err_wrap(NULL, "x"), 0);
    err_hint(NULL, "x");
    err_clear(NULL);
    err_copy(NULL, NULL);
    ck_assert(!err_is_set(NULL));
}
END_TEST

START_TEST(a_copy_is_whole_and_of_nothing_clears)
{
    struct err from;
    struct err to;
    err_set(&from, ERR_REFUSED, "no");
    err_hint(&from, "ask later");
    err_copy(&to, &from);
    ck_assert_int_eq(to.code, ERR_REFUSED);
    ck_assert_str_eq(to.text, "no");
    ck_assert_str_eq(to.hint, "ask later");
    err_copy(&to, NULL);
    ck_assert(!err_is_set(&to));
    ck_assert_str_eq(to.text, "");
    ck_assert_str_eq(to.hint, "");
}
END_TEST

START_TEST(every_code_has_a_word_of_its_own)
{
    for (int code = 0; code < ERR_CODES; code++) {
        const char *name = err_code_name((enum err_code)code);
        ck_assert_int_eq(err_code_parse(name), code);
        for (int other = 0; other < code; other++)
            ck_assert_str_ne(name, err_code_name((enum err_code)other));
    }
    ck_assert_str_eq(err_code_name((enum err_code)999), "failed");
    ck_assert_int_eq(err_code_parse("no such word"), ERR_FAILED);
    ck_assert_int_eq(err_code_parse(NULL), ERR_FAILED);
}
END_TEST

START_TEST(an_error_goes_through_json)
{
    struct err e;
    struct err back;
    err_set(&e, ERR_EXHAUSTED, "%s", "no slot: \"too many\" %d");
    err_hint(&e, "%s", "recover 100%");
    json_t *json = json_from_err(&e);
    json_to_err(json, &back);
    json_decref(json);
    ck_assert_int_eq(back.code, e.code);
    ck_assert_str_eq(back.text, e.text);
    ck_assert_str_eq(back.hint, e.hint);
    json_to_err(NULL, &back);
    ck_assert_int_eq(back.code, ERR_FAILED);
    ck_assert_str_ne(back.text, "");
}
END_TEST

UNIT_MAIN("base_err", an_error_is_returned_and_kept, a_new_error_has_no_old_hint,
          context_comes_in_front_and_the_hint_stays, arguments_may_point_into_the_error_itself,
          what_is_too_long_is_cut_and_ends, nobody_may_ask_for_an_error,
          a_copy_is_whole_and_of_nothing_clears, every_code_has_a_word_of_its_own,
          an_error_goes_through_json)
