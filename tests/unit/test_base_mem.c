/* Buffers and their ceiling, growing arrays, and the content id. */
#include "base/buf.h"
#include "base/hash.h"
#include "tests/unit/unit.h"

#include <stdint.h>

START_TEST(a_buffer_holds_what_was_added)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    ck_assert_str_eq(buf_text(&b), "");
    ck_assert(buf_puts(&b, "one"));
    ck_assert(buf_add(&b, " two", 4));
    ck_assert(buf_printf(&b, " %d", 3));
    ck_assert(buf_add(&b, NULL, 0));
    ck_assert_str_eq(buf_text(&b), "one two 3");
    ck_assert_uint_eq(b.len, 9);
    for (int i = 0; i < 5000; i++)
        buf_puts(&b, "0123456789");
    ck_assert_uint_eq(b.len, 9 + 50000);
    ck_assert_uint_eq(strlen(buf_text(&b)), b.len);
    buf_free(&b);
    ck_assert_uint_eq(b.ceiling, 1 << 20);
}
END_TEST

START_TEST(past_the_ceiling_nothing_of_it_is_taken)
{
    struct buf b;
    buf_init(&b, 10);
    ck_assert(buf_puts(&b, "12345678"));
    ck_assert(!buf_puts(&b, "abc"));
    ck_assert(b.overflowed);
    ck_assert_str_eq(buf_text(&b), "12345678");
    ck_assert(buf_puts(&b, "90")); /* exactly full */
    ck_assert(!buf_puts(&b, "x"));
    ck_assert(!buf_add(&b, "x", SIZE_MAX)); /* no sum may wrap */
    ck_assert(!buf_printf(&b, "%s", "y"));
    ck_assert_str_eq(buf_text(&b), "1234567890");
    buf_reset(&b);
    ck_assert(!b.overflowed);
    ck_assert(buf_puts(&b, "1234567890"));
    buf_free(&b);
}
END_TEST

START_TEST(a_ceiling_of_nothing_takes_nothing)
{
    struct buf b;
    buf_init(&b, 0);
    ck_assert(buf_puts(&b, ""));
    ck_assert(!b.overflowed);
    ck_assert(!buf_puts(&b, "x"));
    ck_assert(b.overflowed);
    buf_free(&b);
}
END_TEST

START_TEST(a_buffer_is_read_from_its_front)
{
    struct buf b;
    buf_init(&b, 100);
    buf_add(&b, "a\0b\nrest", 8);
    ck_assert_uint_eq(b.len, 8);
    buf_consume(&b, 4);
    ck_assert_str_eq(buf_text(&b), "rest");
    buf_consume(&b, 0);
    ck_assert_str_eq(buf_text(&b), "rest");
    buf_consume(&b, 99);
    ck_assert_uint_eq(b.len, 0);
    ck_assert_str_eq(buf_text(&b), "");
    buf_free(&b);
}
END_TEST

START_TEST(taking_hands_the_bytes_over)
{
    struct buf b;
    buf_init(&b, 100);
    CLEANUP_FREE char *none = buf_take(&b);
    ck_assert_str_eq(none, "");
    buf_puts(&b, "mine");
    CLEANUP_FREE char *text = buf_take(&b);
    ck_assert_str_eq(text, "mine");
    ck_assert_str_eq(buf_text(&b), "");
    ck_assert(buf_puts(&b, "again"));
    ck_assert_str_eq(text, "mine");
    buf_free(&b);
}
END_TEST

struct wide {
    int64_t number;
    char *text;
    char filler[24];
};

START_TEST(an_array_grows_and_new_elements_are_zero)
{
    struct wide *items = NULL;
    size_t count = 0;
    for (int i = 0; i < 1000; i++) {
        struct wide *item = MEM_PUSH(items, count);
        ck_assert_int_eq(item->number, 0);
        ck_assert_ptr_null(item->text);
        ck_assert_int_eq(item->filler[23], 0);
        memset(item, 0xff, sizeof *item);
        item->number = i;
    }
    ck_assert_uint_eq(count, 1000);
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(items[i].number, i);
    free(items);
}
END_TEST

START_TEST(copies_of_texts)
{
    ck_assert_ptr_null(mem_strdup(NULL));
    CLEANUP_FREE char *part = mem_strndup("abcdef", 3);
    ck_assert_str_eq(part, "abc");
    CLEANUP_FREE char *printed = mem_printf("%s-%03d", "x", 7);
    ck_assert_str_eq(printed, "x-007");
    CLEANUP_FREE char *slot = mem_strdup("old");
    mem_replace(&slot, "new");
    ck_assert_str_eq(slot, "new");
    mem_replace(&slot, slot); /* itself */
    ck_assert_str_eq(slot, "new");
    mem_replace(&slot, NULL);
    ck_assert_ptr_null(slot);
    CLEANUP_FREE void *nothing = mem_new(0);
    ck_assert_ptr_nonnull(nothing);
}
END_TEST

START_TEST(the_hash_is_fnv_1a)
{
    /* From the test vectors of the algorithm's authors. */
    ck_assert_uint_eq(hash_bytes("", 0), UINT64_C(0xcbf29ce484222325));
    ck_assert_uint_eq(hash_bytes("a", 1), UINT64_C(0xaf63dc4c8601ec8c));
    ck_assert_uint_eq(hash_bytes("foobar", 6), UINT64_C(0x85944171f73967e8));
    char text[HASH_TEXT_MAX];
    ck_assert_str_eq(hash_text(UINT64_C(0xab), text), "00000000000000ab");
    ck_assert_str_eq(hash_text(UINT64_MAX, text), "ffffffffffffffff");
}
END_TEST

UNIT_MAIN("base_mem", a_buffer_holds_what_was_added, past_the_ceiling_nothing_of_it_is_taken,
          a_ceiling_of_nothing_takes_nothing, a_buffer_is_read_from_its_front,
          taking_hands_the_bytes_over, an_array_grows_and_new_elements_are_zero, copies_of_texts,
          the_hash_is_fnv_1a)
