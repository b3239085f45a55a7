/* The pure parts: the body and its forms, the queue, what is remembered of an incident. */
#include "notify/notification.h"
#include "notify/notify.h"
#include "notify/queue.h"
#include "notify/told.h"
#include "tests/unit/unit.h"

#define ID "0123456789abcdef0123456789abcdef"

static struct notify__notification notification_of(const struct notify_event *event)
{
    struct notify__notification notification = {.id = ID, .since_wall_ms = event->at_wall_ms};
    ck_assert(notify__kind_parse(event->kind, &notification.kind));
    ck_assert(notify__severity_parse(event->severity, &notification.severity));
    notification.body = notify__body(event, ID, "db1");
    return notification;
}

static struct notify_event an_event(void)
{
    return (struct notify_event){.key = "leaking/12",
                                 .kind = "handed-over",
                                 .severity = "critical",
                                 .sentence = "leaking: the last rung did not help",
                                 .project = "shop",
                                 .policy = "leaking",
                                 .playbook = "recover",
                                 .incident = 12,
                                 .decision = 40,
                                 .run = 7,
                                 .at_wall_ms = INT64_C(1795473000123)};
}

/* --- the body and its forms ------------------------------------------------------------------- */

START_TEST(the_json_form_is_as_documented)
{
    struct notify_event event = an_event();
    json_t *values = unit_json("[{'name':'connections.utilization','value':'71%',"
                               "'wanted':'> 60%','outcome':'true','age_ms':1200}]");
    event.values = values;
    struct notify__notification notification = notification_of(&event);
    CLEANUP_FREE char *text = notify__as_json(&notification);
    ck_assert_str_eq(
        text, "{\"version\":1,\"id\":\"" ID "\",\"kind\":\"handed-over\",\"severity\":\"critical\","
              "\"text\":\"[shop] handed-over: leaking: the last rung did not help\","
              "\"sentence\":\"leaking: the last rung did not help\",\"stack\":\"shop\","
              "\"policy\":\"leaking\",\"playbook\":\"recover\",\"incident\":12,\"decision\":40,"
              "\"run\":7,\"key\":\"leaking/12\",\"host\":\"db1\","
              "\"at\":\"2026-11-23T22:30:00.123Z\",\"values\":[{\"name\":"
              "\"connections.utilization\",\"value\":\"71%\",\"wanted\":\"> 60%\","
              "\"outcome\":\"true\",\"age_ms\":1200}]}");
    notify__notification_clear(&notification);
    json_decref(values);
}
END_TEST

START_TEST(what_is_missing_is_null_and_what_is_broken_is_mended)
{
    struct notify_event event = {.kind = "triggered",
                                 .severity = "info",
                                 .sentence = "a\r\nb\xff\t\x1b[31m",
                                 .at_wall_ms = 1};
    struct notify__notification notification = notification_of(&event);
    ck_assert_str_eq(json_text_at(notification.body, "sentence", ""), "a  b\xEF\xBF\xBD  [31m");
    ck_assert(json_is_null(json_at(notification.body, "policy")));
    ck_assert(json_is_null(json_at(notification.body, "incident")));
    ck_assert(json_is_null(json_at(notification.body, "values")));
    unit_assert_has(json_text_at(notification.body, "text", ""), "[?] triggered: a  b");
    notify__notification_clear(&notification);
}
END_TEST

START_TEST(a_body_is_bounded)
{
    struct notify_event event = an_event();
    CLEANUP_FREE char *longer = mem_new(9001);
    for (size_t i = 0; i < 9000; i += 3)
        memcpy(longer + i, "\xE2\x82\xAC", 3); /* € */
    CLEANUP_JSON json_t *values = json_array();
    for (int i = 0; i < 100; i++)
        json_array_append_new(values, json_string(longer));
    event.sentence = longer;
    event.values = values;
    struct notify__notification notification = notification_of(&event);
    CLEANUP_FREE char *text = notify__as_json(&notification);
    ck_assert_uint_lt(strlen(text), 8192);
    ck_assert(json_is_null(json_at(notification.body, "values")));
    const char *sentence = json_text_at(notification.body, "sentence", "");
    ck_assert_str_eq(sentence + strlen(sentence) - 6, "\xE2\x82\xAC…"); /* a whole character */
    notify__notification_clear(&notification);
}
END_TEST

START_TEST(one_that_was_kept_is_the_same_again)
{
    struct notify_event event = an_event();
    struct notify__notification notification = notification_of(&event);
    struct notify__notification loaded;
    notification.told = unit_json("[{'kind':'ask','severity':'info'}]");
    CLEANUP_JSON json_t *saved = notify__notification_save(&notification);
    CLEANUP_FREE char *line = json_line(saved);
    CLEANUP_JSON json_t *again = json_loads(line, 0, NULL);
    ck_assert(notify__notification_load(&loaded, again));
    ck_assert(json_equal(loaded.body, notification.body));
    ck_assert(json_equal(loaded.told, notification.told));
    ck_assert_str_eq(loaded.id, ID);
    ck_assert_int_eq(loaded.kind, NOTIFY__HANDED_OVER);
    ck_assert_int_eq(loaded.severity, NOTIFY__CRITICAL);
    ck_assert_int_eq(loaded.since_wall_ms, notification.since_wall_ms);
    notify__notification_clear(&loaded);
    notify__notification_clear(&notification);
}
END_TEST

START_TEST(what_was_kept_and_is_broken_is_none)
{
    static const char *const rows[] = {
        "{}",
        "{'body':7}",
        "{'body':{'id':'','kind':'ask','severity':'info'}}",
        "{'body':{'id':'../x','kind':'ask','severity':'info'}}",
        "{'body':{'id':'" ID "0','kind':'ask','severity':'info'}}",
        "{'body':{'id':'ab','kind':'other','severity':'info'}}",
        "{'body':{'id':'ab','kind':'ask','severity':7}}",
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct notify__notification loaded;
        CLEANUP_JSON json_t *row = unit_json(rows[i]);
        ck_assert(!notify__notification_load(&loaded, row));
    }
}
END_TEST

START_TEST(a_mail_keeps_to_the_length_of_lines)
{
    struct notify_event event = an_event();
    CLEANUP_FREE char *longer = mem_new(1901);
    memset(longer, 'x', 1900);
    event.sentence = longer;
    char *to[20];
    for (size_t i = 0; i < ARRAY_SIZE(to); i++)
        to[i] = mem_printf("somebody-%zu@far.away.test", i);
    struct notify__notification notification = notification_of(&event);
    CLEANUP_FREE char *mail = notify__as_mail(&notification, "a@b.test", to, ARRAY_SIZE(to));
    unit_assert_has(mail, "somebody-0@far.away.test, ");
    unit_assert_has(mail, "\r\n somebody-");
    unit_assert_has(mail, "somebody-19@far.away.test\r\nSubject: ");
    unit_assert_has(mail, "\r\nDate: Mon, 23 Nov 2026 22:30:00 +0000\r\n");
    unit_assert_has(mail, "\r\nMessage-ID: <" ID "@b.test>\r\n");
    unit_assert_has(mail, "quoted-printable");
    for (const char *line = mail; *line; line = strchr(line, '\n') + 1)
        ck_assert_uint_le(strcspn(line, "\r\n"), 78);
    for (size_t i = 0; i < ARRAY_SIZE(to); i++)
        free(to[i]);
    notify__notification_clear(&notification);
}
END_TEST

START_TEST(a_subject_that_looks_encoded_is_encoded)
{
    struct notify_event event = an_event();
    event.sentence = "=?UTF-8?B?R0VIRUlN?=";
    struct notify__notification notification = notification_of(&event);
    char *to[] = {(char[]){"c@d.test"}};
    CLEANUP_FREE char *mail = notify__as_mail(&notification, "a@b.test", to, 1);
    unit_assert_has(mail, "Subject: =?UTF-8?B?W3Nob3BdIGhhbmRlZC1vdmVyOiA9P1VURi04P0I/UjBW");
    notify__notification_clear(&notification);
}
END_TEST

/* --- the queue -------------------------------------------------------------------------------- */

static struct notify__item *item_of(int64_t order, enum notify__severity severity)
{
    struct notify__item *item = mem_new(sizeof *item);
    item->order = order;
    item->notification.severity = severity;
    return item;
}

START_TEST(a_queue_keeps_the_order_whatever_comes_first)
{
    static const int64_t orders[] = {5, 1, 4, 2, 3};
    static const int64_t expected[] = {5, 1, 2, 3, 4};
    struct notify__queue queue = {.max = 10};
    for (size_t i = 0; i < ARRAY_SIZE(orders); i++) /* 5 is under way: it stays the first */
        ck_assert_ptr_null(notify__queue_add(&queue, item_of(orders[i], NOTIFY__INFO), true));
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
        struct notify__item *item = notify__queue_take(&queue);
        ck_assert_int_eq(item->order, expected[i]);
        notify__item_free(item);
    }
    ck_assert_ptr_null(notify__queue_take(&queue));
    notify__queue_clear(&queue);
}
END_TEST

START_TEST(a_full_queue_gives_up_the_least)
{
    struct notify__queue queue = {.max = 3};
    notify__queue_add(&queue, item_of(1, NOTIFY__INFO), false);
    notify__queue_add(&queue, item_of(2, NOTIFY__WARNING), false);
    notify__queue_add(&queue, item_of(3, NOTIFY__WARNING), false);
    struct notify__item *out = notify__queue_add(&queue, item_of(4, NOTIFY__CRITICAL), true);
    ck_assert_int_eq(out->order, 2); /* the first is under way, or it would have been it */
    notify__item_free(out);
    out = notify__queue_add(&queue, item_of(5, NOTIFY__INFO), true);
    ck_assert_int_eq(out->order, 5);
    notify__item_free(out);
    out = notify__queue_add(&queue, item_of(6, NOTIFY__CRITICAL), false);
    ck_assert_int_eq(out->order, 1);
    notify__item_free(out);
    notify__queue_clear(&queue);
}
END_TEST

/* --- what was told ---------------------------------------------------------------------------- */

static void add(struct notify__told *told, const char *key, const char *what,
                enum notify__severity severity)
{
    char *forgotten;
    notify__told_add(told, key, "ops", what, NOTIFY__TRIGGERED, severity, 1000, &forgotten);
    ck_assert_ptr_null(forgotten);
}

START_TEST(what_was_told_is_known_by_incident_and_receiver)
{
    struct notify__told *told = notify__told_new();
    add(told, "a/b", "triggered", NOTIFY__WARNING);
    ck_assert(notify__told_has(told, "a/b", "ops", "triggered"));
    ck_assert(!notify__told_has(told, "a/b", "other", "triggered"));
    ck_assert(!notify__told_has(told, "a", "ops", "triggered"));
    ck_assert(!notify__told_has(told, "a/b", "ops", "healed"));
    ck_assert_int_eq(notify__told_since(told, "a/b", "ops", 2000), 1000);
    ck_assert_int_eq(notify__told_since(told, "a/b", "other", 2000), 2000);
    add(told, "a/b", "again", NOTIFY__WARNING);
    add(told, "a/b", "graver", NOTIFY__CRITICAL);
    CLEANUP_JSON json_t *list = notify__told_list(told, "a/b", "ops");
    CLEANUP_JSON json_t *expected = unit_json("[{'kind':'triggered','severity':'warning'},"
                                              "{'kind':'triggered','severity':'critical'}]");
    ck_assert(json_equal(list, expected));
    ck_assert_ptr_null(notify__told_list(told, "a/b", "other"));
    struct notify__told *again = notify__told_new();
    ck_assert(notify__told_restore(again, "a/b", notify__told_row(told, "a/b")));
    ck_assert(notify__told_has(again, "a/b", "ops", "graver"));
    ck_assert(notify__told_forget(told, "a/b"));
    ck_assert(!notify__told_forget(told, "a/b"));
    ck_assert_ptr_null(notify__told_row(told, "a/b"));
    notify__told_free(again);
    notify__told_free(told);
}
END_TEST

START_TEST(what_is_remembered_is_bounded)
{
    struct notify__told *told = notify__told_new();
    char *forgotten = NULL;
    for (int i = 0; i < 257; i++) {
        CLEANUP_FREE char *key = mem_printf("k%d", i);
        ck_assert_ptr_null(forgotten);
        notify__told_add(told, key, "ops", "ask 1", NOTIFY__ASK, NOTIFY__INFO, 1, &forgotten);
    }
    ck_assert_str_eq(forgotten, "k0");
    free(forgotten);
    for (int i = 0; i < 100; i++) {
        CLEANUP_FREE char *what = mem_printf("ask %d", i);
        notify__told_add(told, "k7", "ops", what, NOTIFY__ASK, NOTIFY__INFO, 1, &forgotten);
    }
    ck_assert(!notify__told_has(told, "k7", "ops", "ask 1"));
    ck_assert(notify__told_has(told, "k7", "ops", "ask 99"));
    CLEANUP_FREE char *row = json_line(notify__told_row(told, "k7"));
    ck_assert_uint_lt(strlen(row), 8192);
    notify__told_free(told);
}
END_TEST

UNIT_MAIN("notify_forms", the_json_form_is_as_documented,
          what_is_missing_is_null_and_what_is_broken_is_mended, a_body_is_bounded,
          one_that_was_kept_is_the_same_again, what_was_kept_and_is_broken_is_none,
          a_mail_keeps_to_the_length_of_lines, a_subject_that_looks_encoded_is_encoded,
          a_queue_keeps_the_order_whatever_comes_first, a_full_queue_gives_up_the_least,
          what_was_told_is_known_by_incident_and_receiver, what_is_remembered_is_bounded)
