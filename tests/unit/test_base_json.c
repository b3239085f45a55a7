/* Reading foreign JSON, and texts that are not UTF-8. */
#include "base/json.h"

#include "tests/unit/unit.h"

#include <math.h>

#define BAD "\xEF\xBF\xBD" /* U+FFFD */

static void assert_lossy(const char *bytes, size_t len, const char *expected)
{
    json_t *value = json_lossy_string(bytes, len);
    ck_assert_str_eq(json_string_value(value), expected);
    json_decref(value);
}

START_TEST(good_text_stays_as_it_is)
{
    assert_lossy("", 0, "");
    assert_lossy("plain", 5, "plain");
    assert_lossy("Grüße, 日本, 😀", strlen("Grüße, 日本, 😀"), "Grüße, 日本, 😀");
}
END_TEST

START_TEST(bad_bytes_are_replaced_and_the_rest_stays)
{
    assert_lossy("a\xff"
                 "b",
                 3, "a" BAD "b");
    assert_lossy("\x80\x80", 2, BAD BAD);                      /* tails without a head */
    assert_lossy("ab\xc3", 3, "ab" BAD);                       /* cut in the middle */
    assert_lossy("ab\xe2\x82", 4, "ab" BAD BAD);               /* the same, of three */
    assert_lossy("\xc0\xafx", 3, BAD BAD "x");                 /* overlong */
    assert_lossy("\xf5\x80\x80\x80x", 5, BAD BAD BAD BAD "x"); /* past U+10FFFF */
    assert_lossy("ü\xff", 3, "ü" BAD);
}
END_TEST

START_TEST(a_line_is_not_lost_for_a_surrogate_or_an_overlong_form)
{
    assert_lossy("log \xed\xa0\x80 line", 12, "log " BAD BAD BAD " line"); /* U+D800 */
    assert_lossy("log \xe0\x80\x80 line", 12, "log " BAD BAD BAD " line");
    assert_lossy("x\xf0\x80\x80\x80y", 6, "x" BAD BAD BAD BAD "y");
    assert_lossy("x\xf4\x90\x80\x80y", 6, "x" BAD BAD BAD BAD "y"); /* U+110000 */
}
END_TEST

START_TEST(a_nul_is_a_byte_like_others)
{
    json_t *value = json_lossy_string("a\0\xff", 3);
    ck_assert_uint_eq(json_string_length(value), 5);
    ck_assert_mem_eq(json_string_value(value), "a\0" BAD, 5);
    json_decref(value);
}
END_TEST

START_TEST(any_bytes_give_a_text)
{
    unsigned state = 1;
    for (int round = 0; round < 20000; round++) {
        char bytes[12];
        for (size_t i = 0; i < sizeof bytes; i++) {
            state = state * 1103515245 + 12345;
            bytes[i] = (char)(state >> 16);
        }
        json_t *value = json_lossy_string(bytes, sizeof bytes);
        ck_assert(json_is_string(value));
        json_decref(value);
    }
}
END_TEST

START_TEST(a_path_leads_through_objects)
{
    json_t *root = unit_json("{'State':{'Health':{'Status':'healthy'},'Pid':7,'Big':1.5,"
                             "'On':true,'None':null},'':1}");
    ck_assert_str_eq(json_text_at(root, "State/Health/Status", "?"), "healthy");
    ck_assert_int_eq(json_int_at(root, "State/Pid", -1), 7);
    ck_assert_double_eq(json_number_at(root, "State/Big", 0), 1.5);
    ck_assert_double_eq(json_number_at(root, "State/Pid", 0), 7);
    ck_assert(json_bool_at(root, "State/On", false));
    ck_assert_ptr_eq(json_at(root, ""), root);
    json_decref(root);
}
END_TEST

START_TEST(what_is_missing_or_of_another_type_gives_the_fallback)
{
    json_t *root = unit_json("{'a':{'text':'x','list':[1],'real':2.5}}");
    ck_assert_str_eq(json_text_at(root, "a/none", "?"), "?");
    ck_assert_str_eq(json_text_at(root, "a/list", "?"), "?");
    ck_assert_str_eq(json_text_at(root, "a/text/deeper", "?"), "?");
    ck_assert_str_eq(json_text_at(root, "A/text", "?"), "?");
    ck_assert_ptr_null(json_text_at(root, "b", NULL));
    ck_assert_int_eq(json_int_at(root, "a/text", 5), 5);
    ck_assert_int_eq(json_int_at(root, "a/real", 5), 5);
    ck_assert(json_bool_at(root, "a/text", true));
    ck_assert_int_eq(json_int_at(NULL, "a", 5), 5);
    json_decref(root);
}
END_TEST

START_TEST(foreign_bytes_are_parsed_or_explained)
{
    struct err e;
    json_t *value = json_parse("{\"a\":\"b\\u0000c\"}", 16, "answer", &e);
    ck_assert_ptr_nonnull(value);
    json_decref(value);
    ck_assert_ptr_null(json_parse("{\n\"a\": nope}", 12, "answer", &e));
    ck_assert_int_eq(e.code, ERR_PROTOCOL);
    unit_assert_has(e.text, "answer: not JSON: ");
    unit_assert_has(e.text, "at line 2, column");
    ck_assert_ptr_null(json_parse("", 0, "answer", NULL));
    ck_assert_ptr_null(json_parse("{} trailing", 11, "answer", &e));
    ck_assert_ptr_null(json_parse("{\"a\":\"\xff\"}", 10, "answer", &e));
}
END_TEST

START_TEST(values_are_set_and_written_in_their_order)
{
    json_t *object = json_object();
    json_set_text(object, "z", "ä\xff");
    json_set_text(object, "a", NULL);
    json_set_int(object, "n", INT64_MIN);
    json_set_bool(object, "b", true);
    CLEANUP_FREE char *line = json_line(object);
    ck_assert_str_eq(line, "{\"z\":\"ä" BAD "\",\"a\":null,\"n\":-9223372036854775808,\"b\":true}");
    json_decref(object);
    CLEANUP_FREE char *none = json_line(NULL);
    ck_assert_str_eq(none, "null");
}
END_TEST

UNIT_MAIN("base_json", good_text_stays_as_it_is, bad_bytes_are_replaced_and_the_rest_stays,
          a_line_is_not_lost_for_a_surrogate_or_an_overlong_form, a_nul_is_a_byte_like_others,
          any_bytes_give_a_text, a_path_leads_through_objects,
          what_is_missing_or_of_another_type_gives_the_fallback,
          foreign_bytes_are_parsed_or_explained, values_are_set_and_written_in_their_order)
