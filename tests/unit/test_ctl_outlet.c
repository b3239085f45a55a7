/* What is printed while a run goes on in the command's own process: never waited for, never lost.
 */
#include "supervisorctl/outlet.h"

#include "tests/unit/unit.h"
#include "tests/unit/unread.h"

#include <signal.h>
#include <uv.h>

static struct unread place, other;
static struct buf text, other_text; /* all that was read */
static FILE *out, *messages, *our_out, *our_messages;

static void set_up(void)
{
    signal(SIGPIPE, SIG_IGN); /* as standalone.c does */
    place = unread_open(UNREAD_PIPE);
    other = unread_open(UNREAD_PIPE);
    buf_init(&text, 1 << 22);
    buf_init(&other_text, 1 << 22);
    our_out = out = fdopen(dup(place.end), "w");
    our_messages = NULL;
}

static struct outlet *open_outlet(const struct unread *for_messages)
{
    our_messages = messages = fdopen(dup(for_messages->end), "w");
    return outlet_new(&out, &messages);
}

static void tear_down(void)
{
    ck_assert_ptr_eq(out, our_out);
    ck_assert_ptr_eq(messages, our_messages);
    fclose(out);
    fclose(messages);
    unread_close(&place);
    unread_close(&other);
    buf_free(&text);
    buf_free(&other_text);
}

START_TEST(what_is_read_comes_at_once)
{
    struct outlet *outlet = open_outlet(&place);
    fputs("one ", out);
    fflush(out);
    fputs("two\n", messages);
    unread_take(&place, &text);
    ck_assert_str_eq(buf_text(&text), "one two\n");
    ck_assert_int_eq(outlet_free(outlet), 0);
}
END_TEST

START_TEST(what_nobody_reads_is_held_and_comes_in_its_order)
{
    struct outlet *outlet = open_outlet(&place);
    unread_fill(&place);
    fputs("one ", out);
    fflush(out);
    fputs("two\n", messages);
    outlet_pass_on(outlet);
    ck_assert_uint_eq(outlet_held(outlet), strlen("one two\n"));
    unread_take(&place, &text);
    fputs("three\n", out);
    fflush(out);
    unread_take(&place, &text);
    ck_assert_str_eq(buf_text(&text), "one two\nthree\n");
    ck_assert_uint_eq(outlet_held(outlet), 0);
    ck_assert_int_eq(outlet_free(outlet), 0);
}
END_TEST

START_TEST(a_message_does_not_wait_behind_another_place)
{
    struct outlet *outlet = open_outlet(&other);
    unread_fill(&place);
    fputs("held\n", out);
    fflush(out);
    fputs("winding up\n", messages);
    unread_take(&other, &other_text);
    ck_assert_str_eq(buf_text(&other_text), "winding up\n");
    unread_take(&place, &text);
    ck_assert_int_eq(outlet_free(outlet), 0);
    unread_take(&place, &text);
    ck_assert_str_eq(buf_text(&text), "held\n");
}
END_TEST

/* Some time later: the other side has begun to wait for us by then, or has not. */
static void read_all(void *data)
{
    (void)data;
    do
        unread_take(&place, &text);
    while (!text.len || text.data[text.len - 1] != '!');
}

START_TEST(at_the_end_the_rest_is_waited_for)
{
    enum { LINES = 100000 };
    uv_thread_t reader;
    struct outlet *outlet = open_outlet(&place);
    for (int i = 0; i < LINES; i++)
        fputs("a line\n", out);
    fputs("!", out);
    fflush(out);
    ck_assert_uint_gt(outlet_held(outlet), 0);
    uv_thread_create(&reader, read_all, NULL);
    ck_assert_int_eq(outlet_free(outlet), 0);
    uv_thread_join(&reader);
    ck_assert_uint_eq(text.len, LINES * strlen("a line\n") + 1);
}
END_TEST

START_TEST(a_reader_that_went_away_is_an_error_at_the_end)
{
    struct outlet *outlet = open_outlet(&place);
    unread_fill(&place);
    fputs("held\n", out);
    fflush(out);
    close(place.reader);
    outlet_pass_on(outlet);
    fputs("more\n", out);
    ck_assert_int_eq(outlet_free(outlet), -1);
    place.reader = dup(other.reader);
}
END_TEST

START_TEST(none_is_as_good_as_one_that_does_nothing)
{
    our_messages = messages = fdopen(dup(place.end), "w");
    outlet_pass_on(NULL);
    ck_assert_uint_eq(outlet_held(NULL), 0);
    ck_assert_int_eq(outlet_free(NULL), 0);
}
END_TEST

UNIT_MAIN_WITH("outlet", set_up, tear_down, what_is_read_comes_at_once,
               what_nobody_reads_is_held_and_comes_in_its_order,
               a_message_does_not_wait_behind_another_place, at_the_end_the_rest_is_waited_for,
               a_reader_that_went_away_is_an_error_at_the_end,
               none_is_as_good_as_one_that_does_nothing)
