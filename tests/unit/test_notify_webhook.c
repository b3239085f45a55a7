/* Webhooks against a fake receiver: the requests, the queue, and what happens when it is not taken.
 */
#include "tests/fake/receiver.h"
#include "tests/unit/notify_fixture.h"

#define OPS     "- {name: ops, webhook: 'http://127.0.0.1:%d/hook'}"
#define LEAKING "leaking: connections.utilization is 71% (> 60%)"

struct scene {
    struct owner owner;
    struct fake_receiver *receiver;
};

static void scene_open(struct scene *s, const char *yaml)
{
    owner_open(&s->owner);
    s->owner.limits.retry_first_ms = 5;
    s->owner.limits.retry_max_ms = 40;
    s->receiver = fake_receiver_http(s->owner.loop);
    if (yaml)
        owner_start(&s->owner, yaml, fake_receiver_port(s->receiver));
}

static void scene_close(struct scene *s)
{
    fake_receiver_free(s->receiver);
    owner_close(&s->owner);
}

static void await_count(struct scene *s, size_t count)
{
    AWAIT(&s->owner, fake_receiver_count(s->receiver) >= count);
    AWAIT(&s->owner, number_of(&s->owner, "queued") == 0);
    ck_assert_uint_eq(fake_receiver_count(s->receiver), count);
}

static json_t *body_at(const struct scene *s, size_t index)
{
    json_t *body = json_loads(fake_receiver_body(s->receiver, index), 0, NULL);
    ck_assert_ptr_nonnull(body);
    return body;
}

static void assert_body(const struct scene *s, size_t index, const char *path, const char *text)
{
    CLEANUP_JSON json_t *body = body_at(s, index);
    ck_assert_str_eq(json_text_at(body, path, "(missing)"), text);
}

/* --- what is sent ----------------------------------------------------------------------------- */

START_TEST(an_event_is_posted_as_json)
{
    struct scene s;
    scene_open(&s, OPS);
    tell(&s.owner, "leaking/12", "handed-over", "critical", LEAKING);
    await_count(&s, 1);
    const char *text = fake_receiver_text(s.receiver, 0);
    CLEANUP_JSON json_t *body = body_at(&s, 0);
    unit_assert_has(text, "POST /hook HTTP/1.1\r\n");
    unit_assert_has(text, "\r\nContent-Type: application/json\r\n");
    unit_assert_has(text, "\r\nUser-Agent: stack-supervisor/");
    ck_assert_str_eq(json_text_at(body, "text", ""), "[shop] handed-over: " LEAKING);
    ck_assert_str_eq(json_text_at(body, "severity", ""), "critical");
    ck_assert_str_eq(json_text_at(body, "at", ""), "2026-11-23T22:30:00.123Z");
    ck_assert_int_eq(json_int_at(body, "incident", 0), 12);
    ck_assert(json_is_null(json_at(body, "run")));
    CLEANUP_FREE char *header =
        mem_printf("X-Stack-Supervisor-Notification-Id: %s\r\n", json_text_at(body, "id", "?"));
    unit_assert_has(text, header);
    ck_assert_uint_eq(json_object_size(s.owner.rows), 1); /* what was told; the queue is empty */
    scene_close(&s);
}
END_TEST

START_TEST(slack_gets_a_text_that_calls_nobody)
{
    struct scene s;
    scene_open(&s, "- {name: chat, webhook: 'http://127.0.0.1:%d/', format: slack}");
    tell(&s.owner, "k", "triggered", "warning", "leaking: <!channel> & more");
    await_count(&s, 1);
    ck_assert_str_eq(fake_receiver_body(s.receiver, 0),
                     "{\"text\":\"[shop] triggered: leaking: &lt;!channel&gt; &amp; more\"}");
    scene_close(&s);
}
END_TEST

START_TEST(another_text_key_gets_the_text_as_it_is)
{
    struct scene s;
    scene_open(&s,
               "- {name: chat, webhook: 'http://127.0.0.1:%d/', format: slack, text_key: content}");
    tell(&s.owner, "k", "ask", "warning", "leaking: asks whether to run clean, 71% > 60%");
    await_count(&s, 1);
    assert_body(&s, 0, "content",
                "[shop] ask: leaking: asks whether to run clean, 71% > 60%; answer with: "
                "supervisorctl approve 40 (or deny)");
    scene_close(&s);
}
END_TEST

#define ALERTS "- {name: am, webhook: 'http://127.0.0.1:%d', format: alertmanager}"

static void assert_alert(const json_t *alert, const char *name, const char *severity,
                         const char *starts, const char *ends)
{
    ck_assert_str_eq(json_text_at(alert, "labels/alertname", ""), name);
    ck_assert_str_eq(json_text_at(alert, "labels/severity", ""), severity);
    ck_assert_str_eq(json_text_at(alert, "labels/stack", ""), "shop");
    ck_assert_str_eq(json_text_at(alert, "labels/policy", ""), "leaking");
    ck_assert_str_eq(json_text_at(alert, "startsAt", ""), starts);
    ck_assert_str_eq(json_text_at(alert, "endsAt", ""), ends);
}

START_TEST(alertmanager_gets_alerts_and_all_of_them_are_resolved)
{
    struct scene s;
    scene_open(&s, ALERTS);
    tell(&s.owner, "k", "triggered", "warning", LEAKING);
    tell(&s.owner, "k", "handed-over", "critical", LEAKING);
    tell(&s.owner, "k", "healed", "info", "leaking: it is over");
    await_count(&s, 3);
    unit_assert_has(fake_receiver_text(s.receiver, 0), "POST /api/v2/alerts HTTP/1.1\r\n");
    CLEANUP_JSON json_t *first = body_at(&s, 0);
    CLEANUP_JSON json_t *second = body_at(&s, 1);
    CLEANUP_JSON json_t *healed = body_at(&s, 2);
    ck_assert_uint_eq(json_array_size(first), 1);
    assert_alert(json_array_get(first, 0), "StackSupervisorTriggered", "warning",
                 "2026-11-23T22:30:00.123Z", "2026-11-26T22:30:00.123Z");
    assert_alert(json_array_get(second, 0), "StackSupervisorHandedOver", "critical",
                 "2026-11-23T22:30:00.123Z", "2026-11-26T22:30:00.123Z");
    ck_assert_uint_eq(json_array_size(healed), 2);
    assert_alert(json_array_get(healed, 0), "StackSupervisorTriggered", "warning",
                 "2026-11-23T22:30:00.123Z", "2026-11-23T22:30:00.123Z");
    assert_alert(json_array_get(healed, 1), "StackSupervisorHandedOver", "critical",
                 "2026-11-23T22:30:00.123Z", "2026-11-23T22:30:00.123Z");
    unit_assert_has(json_text_at(json_array_get(first, 0), "annotations/description", ""),
                    "connections.utilization: 71% (> 60%)\n");
    scene_close(&s);
}
END_TEST

START_TEST(the_path_of_the_alertmanagers_api_may_be_given)
{
    struct scene s;
    scene_open(&s, "- {name: a, webhook: 'http://127.0.0.1:%d/am/', format: alertmanager}\n"
                   "- {name: b, webhook: 'http://127.0.0.1:%d/b/api/v2/alerts?x=1', "
                   "format: alertmanager}");
    tell(&s.owner, "k", "triggered", "warning", LEAKING);
    AWAIT(&s.owner, fake_receiver_count(s.receiver) == 2);
    unit_assert_has(fake_receiver_dialogue(s.receiver), "POST /am/api/v2/alerts HTTP/1.1\r\n");
    unit_assert_has(fake_receiver_dialogue(s.receiver), "POST /b/api/v2/alerts?x=1 HTTP/1.1\r\n");
    scene_close(&s);
}
END_TEST

/* --- who is told what ------------------------------------------------------------------------- */

START_TEST(the_same_of_an_incident_is_told_once)
{
    struct scene s;
    scene_open(&s, "- {name: ops, webhook: 'http://127.0.0.1:%d/', on: [triggered, acted, ask]}");
    tell(&s.owner, "k", "triggered", "warning", "one");
    tell(&s.owner, "k", "triggered", "warning", "again");
    tell(&s.owner, "k", "acted", "warning", "runs clean");
    tell(&s.owner, "k", "acted", "warning", "runs clean again");
    tell(&s.owner, "other", "triggered", "warning", "of another incident");
    tell(&s.owner, NULL, "triggered", "warning", "of none");
    tell(&s.owner, NULL, "triggered", "warning", "of none again");
    await_count(&s, 5);
    assert_body(&s, 0, "sentence", "one");
    assert_body(&s, 1, "sentence", "runs clean");
    assert_body(&s, 2, "sentence", "of another incident");
    assert_body(&s, 3, "sentence", "of none");
    assert_body(&s, 4, "sentence", "of none again");
    scene_close(&s);
}
END_TEST

START_TEST(another_question_is_asked_again)
{
    struct scene s;
    scene_open(&s, OPS);
    struct notify_event event = {.key = "k", .kind = "ask", .severity = "warning", .decision = 1};
    notify_send(s.owner.notify, &event);
    notify_send(s.owner.notify, &event);
    event.decision = 2;
    notify_send(s.owner.notify, &event);
    await_count(&s, 2);
    scene_close(&s);
}
END_TEST

START_TEST(a_restart_tells_nothing_twice)
{
    struct scene s;
    scene_open(&s, OPS);
    int port = fake_receiver_port(s.receiver);
    tell(&s.owner, "k", "triggered", "warning", LEAKING);
    await_count(&s, 1);
    owner_restart(&s.owner, OPS, port);
    tell(&s.owner, "k", "triggered", "warning", LEAKING);
    tell(&s.owner, "k", "healed", "info", "over");
    await_count(&s, 2);
    assert_body(&s, 1, "kind", "healed");
    ck_assert_uint_eq(json_object_size(s.owner.rows), 0); /* nothing is remembered of it */
    owner_restart(&s.owner, OPS, port);
    tell(&s.owner, "k", "healed", "info", "over");
    tell(&s.owner, "k", "triggered", "warning", "it came again");
    await_count(&s, 3);
    assert_body(&s, 2, "sentence", "it came again");
    scene_close(&s);
}
END_TEST

START_TEST(only_who_was_told_hears_that_it_is_over)
{
    struct scene s;
    scene_open(&s, "- {name: all, webhook: 'http://127.0.0.1:%d/all'}\n"
                   "- {name: grave, webhook: 'http://127.0.0.1:%d/grave', severity: critical}\n"
                   "- {name: quiet, webhook: 'http://127.0.0.1:%d/quiet', on: [handed-over]}\n");
    tell(&s.owner, "k", "triggered", "warning", LEAKING);
    tell(&s.owner, "k", "acted", "critical", "not by default");
    tell(&s.owner, "k", "healed", "info", "over");
    tell(&s.owner, "l", "handed-over", "critical", LEAKING);
    tell(&s.owner, "l", "healed", "info", "over");
    AWAIT(&s.owner, fake_receiver_count(s.receiver) == 7);
    AWAIT(&s.owner, json_object_size(s.owner.rows) == 0);
    const char *dialogue = fake_receiver_dialogue(s.receiver);
    size_t all = 0, grave = 0, quiet = 0;
    for (const char *c = dialogue; *c; c++) {
        all += strncmp(c, "POST /all ", 10) == 0;
        grave += strncmp(c, "POST /grave ", 12) == 0;
        quiet += strncmp(c, "POST /quiet ", 12) == 0;
    }
    ck_assert_uint_eq(all, 4);   /* both incidents, both ends */
    ck_assert_uint_eq(grave, 2); /* the second incident and its end */
    ck_assert_uint_eq(quiet, 1); /* the hand-over, no ends */
    unit_assert_lacks(dialogue, "not by default");
    scene_close(&s);
}
END_TEST

/* --- what is not taken ------------------------------------------------------------------------ */

START_TEST(a_receiver_that_is_down_gets_all_of_it_in_order_later)
{
    struct scene s;
    scene_open(&s, OPS);
    fake_receiver_listen(s.receiver, false);
    for (int i = 0; i < 5; i++) {
        char sentence[8] = {(char)('a' + i), '\0'};
        tell(&s.owner, NULL, "triggered", "warning", sentence);
    }
    AWAIT(&s.owner, number_of(&s.owner, "failed") >= 3);
    ck_assert_int_eq(number_of(&s.owner, "queued"), 5);
    ck_assert_uint_eq(json_object_size(s.owner.rows), 5);
    CLEANUP_FREE char *error = error_of(&s.owner);
    unit_assert_has(error, "cannot connect: Connection refused");
    fake_receiver_listen(s.receiver, true);
    await_count(&s, 5);
    for (size_t i = 0; i < 5; i++) {
        char sentence[8] = {(char)('a' + (int)i), '\0'};
        assert_body(&s, i, "sentence", sentence);
    }
    ck_assert_uint_eq(fake_receiver_most_at_once(s.receiver), 1);
    ck_assert_uint_eq(json_object_size(s.owner.rows), 0);
    unit_assert_has(buf_text(&s.owner.log), "info: notify: ops: 'triggered' of leaking is "
                                            "delivered at last");
    CLEANUP_FREE char *none = error_of(&s.owner);
    ck_assert_str_eq(none, "; ");
    scene_close(&s);
}
END_TEST

START_TEST(a_retry_has_the_same_id)
{
    struct scene s;
    scene_open(&s, OPS);
    fake_receiver_answer(s.receiver, "503 Unavailable", "later");
    tell(&s.owner, "k", "triggered", "warning", LEAKING);
    await_count(&s, 2);
    CLEANUP_JSON json_t *first = body_at(&s, 0);
    CLEANUP_JSON json_t *second = body_at(&s, 1);
    ck_assert(json_equal(first, second));
    unit_assert_has(buf_text(&s.owner.log),
                    "warning: notify: ops: 'triggered' of leaking is not delivered, it is tried "
                    "again: webhook http://127.0.0.1:");
    unit_assert_has(buf_text(&s.owner.log), "/…: answered 503 (later)");
    scene_close(&s);
}
END_TEST

START_TEST(what_was_not_delivered_survives_a_restart_in_order_and_with_its_id)
{
    struct scene s;
    scene_open(&s, OPS);
    int port = fake_receiver_port(s.receiver);
    fake_receiver_listen(s.receiver, false);
    tell(&s.owner, "k", "triggered", "warning", "first");
    tell(&s.owner, "k", "handed-over", "critical", "second");
    AWAIT(&s.owner, number_of(&s.owner, "failed") >= 1);
    CLEANUP_JSON json_t *before = json_deep_copy(s.owner.rows);
    owner_restart(&s.owner, OPS, port);
    ck_assert_int_eq(number_of(&s.owner, "queued"), 2);
    tell(&s.owner, "k", "healed", "info", "third");
    fake_receiver_listen(s.receiver, true);
    await_count(&s, 3);
    assert_body(&s, 0, "sentence", "first");
    assert_body(&s, 1, "sentence", "second");
    assert_body(&s, 2, "sentence", "third");
    CLEANUP_JSON json_t *body = body_at(&s, 0);
    CLEANUP_FREE char *key = mem_printf("notify/queue/ops/%s", json_text_at(body, "id", ""));
    ck_assert_ptr_nonnull(json_object_get(before, key));
    ck_assert_uint_eq(json_object_size(s.owner.rows), 0);
    scene_close(&s);
}
END_TEST

START_TEST(what_this_receiver_will_never_take_holds_nothing_up)
{
    struct scene s;
    scene_open(&s, OPS);
    fake_receiver_answer(s.receiver, "400 Bad Request", "invalid_payload\nmore");
    tell(&s.owner, "k", "triggered", "warning", "first");
    tell(&s.owner, "k", "handed-over", "critical", "second");
    await_count(&s, 2);
    ck_assert_int_eq(number_of(&s.owner, "dropped"), 1);
    ck_assert_int_eq(number_of(&s.owner, "sent"), 1);
    unit_assert_has(buf_text(&s.owner.log),
                    "error: notify: ops: 'triggered' of leaking dropped: refused for good: ");
    unit_assert_has(buf_text(&s.owner.log), "answered 400 (invalid_payload)\n");
    scene_close(&s);
}
END_TEST

START_TEST(redirects_are_not_followed)
{
    struct scene s;
    scene_open(&s, OPS);
    fake_receiver_answer(s.receiver, "302 Found\r\nLocation: /elsewhere", NULL);
    tell(&s.owner, "k", "triggered", "warning", LEAKING);
    await_count(&s, 2); /* the same address again */
    unit_assert_lacks(fake_receiver_dialogue(s.receiver), "/elsewhere");
    unit_assert_has(buf_text(&s.owner.log), "answered 302; redirects are not followed");
    scene_close(&s);
}
END_TEST

START_TEST(too_old_is_dropped_and_told)
{
    struct scene s;
    scene_open(&s, NULL);
    s.owner.limits.keep_ms = 60;
    owner_start(&s.owner, OPS, fake_receiver_port(s.receiver));
    fake_receiver_listen(s.receiver, false);
    tell(&s.owner, "k", "triggered", "warning", LEAKING);
    AWAIT(&s.owner, number_of(&s.owner, "dropped") == 1);
    ck_assert_int_eq(number_of(&s.owner, "queued"), 0);
    unit_assert_has(buf_text(&s.owner.log), "could not be delivered for 60ms");
    ck_assert_uint_eq(json_object_size(s.owner.rows), 1); /* that it was told */
    scene_close(&s);
}
END_TEST

START_TEST(what_was_kept_too_long_ago_is_dropped_at_the_start)
{
    struct scene s;
    scene_open(&s, OPS);
    int port = fake_receiver_port(s.receiver);
    const char *key;
    json_t *row;
    fake_receiver_listen(s.receiver, false);
    tell(&s.owner, NULL, "triggered", "warning", LEAKING);
    json_object_foreach(s.owner.rows, key, row)
    {
        json_set_int(row, "queued", json_int_at(row, "queued", 0) - 25 * 3600 * 1000);
    }
    owner_restart(&s.owner, OPS, port);
    ck_assert_int_eq(number_of(&s.owner, "dropped"), 1);
    ck_assert_uint_eq(json_object_size(s.owner.rows), 0);
    scene_close(&s);
}
END_TEST

START_TEST(a_full_queue_loses_the_oldest_of_the_least_severity)
{
    struct scene s;
    scene_open(&s, NULL);
    s.owner.limits.queue = 3;
    owner_start(&s.owner, OPS, fake_receiver_port(s.receiver));
    fake_receiver_hold(s.receiver, true);
    tell(&s.owner, NULL, "triggered", "info", "under way");
    tell(&s.owner, NULL, "triggered", "critical", "grave");
    tell(&s.owner, NULL, "triggered", "warning", "goes");
    tell(&s.owner, NULL, "triggered", "warning", "stays");
    tell(&s.owner, NULL, "triggered", "info", "does not come in");
    ck_assert_int_eq(number_of(&s.owner, "queued"), 3);
    ck_assert_int_eq(number_of(&s.owner, "dropped"), 2);
    unit_assert_has(buf_text(&s.owner.log), "dropped: the queue is full");
    fake_receiver_hold(s.receiver, false);
    await_count(&s, 3);
    assert_body(&s, 0, "sentence", "under way");
    assert_body(&s, 1, "sentence", "grave");
    assert_body(&s, 2, "sentence", "stays");
    scene_close(&s);
}
END_TEST

START_TEST(a_wish_for_later_is_heard)
{
    struct scene s;
    scene_open(&s, NULL);
    s.owner.limits.retry_max_ms = 30000;
    owner_start(&s.owner, OPS, fake_receiver_port(s.receiver));
    fake_receiver_answer(s.receiver, "429 Too Many Requests\r\nRetry-After: 20", NULL);
    tell(&s.owner, "k", "triggered", "warning", LEAKING);
    AWAIT(&s.owner, number_of(&s.owner, "failed") == 1);
    ck_assert_int_gt(number_of(&s.owner, "next_try_in_ms"), 15000);
    scene_close(&s);
}
END_TEST

START_TEST(who_does_not_answer_is_given_up)
{
    struct scene s;
    scene_open(&s, "- {name: ops, webhook: 'http://127.0.0.1:%d/', timeout: 100ms}");
    fake_receiver_hold(s.receiver, true);
    tell(&s.owner, "k", "triggered", "warning", LEAKING);
    AWAIT(&s.owner, number_of(&s.owner, "failed") == 1);
    CLEANUP_FREE char *error = error_of(&s.owner);
    unit_assert_has(error, "no answer in time");
    scene_close(&s);
}
END_TEST

/* --- a new configuration ---------------------------------------------------------------------- */

static void configure(struct scene *s, const char *yaml)
{
    struct notify_config *config = receivers(yaml, fake_receiver_port(s->receiver));
    notify_configure(s->owner.notify, config);
    notify_config_unref(config);
}

START_TEST(a_mended_address_is_tried_at_once)
{
    struct scene s;
    scene_open(&s, NULL);
    s.owner.limits.retry_first_ms = 3600000;
    s.owner.limits.retry_max_ms = 3600000;
    owner_start(&s.owner, "- {name: ops, webhook: 'http://127.0.0.1:%d/old'}",
                fake_receiver_port(s.receiver));
    fake_receiver_answer(s.receiver, "404 Not Found", NULL);
    tell(&s.owner, "k", "triggered", "warning", LEAKING);
    AWAIT(&s.owner, number_of(&s.owner, "failed") == 1);
    configure(&s, "- {name: ops, webhook: 'http://127.0.0.1:%d/new'}");
    await_count(&s, 2);
    unit_assert_has(fake_receiver_text(s.receiver, 1), "POST /new ");
    scene_close(&s);
}
END_TEST

START_TEST(what_a_removed_receiver_had_waiting_is_kept_and_told)
{
    struct scene s;
    scene_open(&s, OPS);
    fake_receiver_hold(s.receiver, true);
    tell(&s.owner, NULL, "triggered", "warning", LEAKING);
    AWAIT(&s.owner, *fake_receiver_dialogue(s.receiver) != '\0');
    configure(&s, "- {name: other, webhook: 'http://127.0.0.1:%d/'}");
    ck_assert_uint_eq(json_object_size(s.owner.rows), 1);
    unit_assert_has(buf_text(&s.owner.log),
                    "is kept for 1d00h at the most: its receiver is no longer configured");
    fake_receiver_hold(s.receiver, false);
    tell(&s.owner, NULL, "triggered", "warning", "to the other");
    AWAIT(&s.owner, number_of(&s.owner, "sent") == 1);
    notify_configure(s.owner.notify, NULL);
    tell(&s.owner, NULL, "triggered", "warning", "to nobody");
    ck_assert_uint_eq(json_object_size(s.owner.rows), 1);
    scene_close(&s);
}
END_TEST

/* The first was tried, and neither is under way. */
static void open_with_two_waiting(struct scene *s)
{
    scene_open(s, NULL);
    s->owner.limits.retry_first_ms = 3600000;
    s->owner.limits.retry_max_ms = 3600000;
    owner_start(&s->owner, OPS, fake_receiver_port(s->receiver));
    fake_receiver_answer(s->receiver, "503 Service Unavailable", NULL);
    tell(&s->owner, NULL, "triggered", "warning", "first");
    tell(&s->owner, NULL, "triggered", "warning", "second");
    AWAIT(&s->owner, number_of(&s->owner, "failed") == 1);
    fake_receiver_answer(s->receiver, "200 OK", NULL);
}

START_TEST(a_receiver_that_comes_back_gets_what_waited_in_order)
{
    struct scene s;
    open_with_two_waiting(&s);
    size_t before = fake_receiver_count(s.receiver);
    notify_configure(s.owner.notify, NULL);
    ck_assert_uint_eq(json_object_size(s.owner.rows), 2);
    configure(&s, OPS);
    AWAIT(&s.owner, number_of(&s.owner, "sent") == 2);
    assert_body(&s, before, "sentence", "first");
    assert_body(&s, before + 1, "sentence", "second");
    ck_assert_uint_eq(json_object_size(s.owner.rows), 0);
    scene_close(&s);
}
END_TEST

START_TEST(a_receiver_that_comes_back_in_another_life_gets_what_waited)
{
    struct scene s;
    open_with_two_waiting(&s);
    notify_configure(s.owner.notify, NULL);
    int port = fake_receiver_port(s.receiver);
    owner_restart(&s.owner, "- {name: other, webhook: 'http://127.0.0.1:%d/'}", port);
    ck_assert_uint_eq(json_object_size(s.owner.rows), 2);
    ck_assert_int_eq(number_of(&s.owner, "queued"), 0);
    configure(&s, OPS);
    AWAIT(&s.owner, number_of(&s.owner, "sent") == 2);
    ck_assert_uint_eq(json_object_size(s.owner.rows), 0);
    scene_close(&s);
}
END_TEST

START_TEST(what_waits_for_a_receiver_that_stays_away_is_dropped_by_its_age)
{
    struct scene s;
    scene_open(&s, NULL);
    s.owner.limits.keep_ms = 300;
    owner_start(&s.owner, OPS, fake_receiver_port(s.receiver));
    fake_receiver_hold(s.receiver, true);
    tell(&s.owner, NULL, "triggered", "warning", LEAKING);
    notify_configure(s.owner.notify, NULL);
    ck_assert_uint_eq(json_object_size(s.owner.rows), 1);
    AWAIT(&s.owner, json_object_size(s.owner.rows) == 0);
    unit_assert_has(buf_text(&s.owner.log), "dropped: its receiver is not configured");
    scene_close(&s);
}
END_TEST

START_TEST(rows_that_are_none_or_too_old_are_forgotten)
{
    struct scene s;
    scene_open(&s, OPS);
    json_decref(s.owner.rows);
    s.owner.rows = unit_json("{'notify/queue/ops/1': {'receiver': 'ops', 'body': 7},"
                             " 'notify/queue/gone/2': {'receiver': 'gone', 'body': {'id': 'ab',"
                             "   'kind': 'ask', 'severity': 'info'}},"
                             " 'notify/told/k': {'since': {}, 'to': {'ops': 7}},"
                             " 'notify/other': null}");
    owner_restart(&s.owner, OPS, fake_receiver_port(s.receiver));
    AWAIT(&s.owner, json_object_size(s.owner.rows) == 0);
    ck_assert_int_eq(number_of(&s.owner, "queued"), 0);
    scene_close(&s);
}
END_TEST

/* --- a test ----------------------------------------------------------------------------------- */

struct tried {
    int times;
    struct err e;
};

static void on_tried(void *data, const struct err *e)
{
    struct tried *tried = data;
    tried->times++;
    err_copy(&tried->e, e);
}

START_TEST(a_test_goes_beside_the_queue_and_once)
{
    struct scene s;
    struct tried tried = {0};
    scene_open(&s, "- {name: ops, webhook: 'http://127.0.0.1:%d/', severity: critical}");
    ck_assert_int_ne((int)notify_test(s.owner.notify, "ops", "shop", on_tried, &tried), 0);
    ck_assert_int_eq(tried.times, 0); /* never from inside the call */
    AWAIT(&s.owner, tried.times == 1);
    ck_assert_int_eq(tried.e.code, ERR_NONE);
    assert_body(&s, 0, "text", "[shop] test: this is a test; nothing has happened");
    fake_receiver_answer(s.receiver, "403 Forbidden", "no");
    notify_test(s.owner.notify, "ops", "shop", on_tried, &tried);
    AWAIT(&s.owner, tried.times == 2);
    ck_assert_int_eq(tried.e.code, ERR_PERMISSION);
    ck_assert_uint_eq(fake_receiver_count(s.receiver), 2);
    ck_assert_uint_eq(json_object_size(s.owner.rows), 0);
    scene_close(&s);
}
END_TEST

START_TEST(a_test_of_nobody_and_one_that_is_cut_off_say_so)
{
    struct scene s;
    struct tried nobody = {0}, cut = {0}, cancelled = {0};
    scene_open(&s, OPS);
    fake_receiver_hold(s.receiver, true);
    notify_test(s.owner.notify, "opps", "shop", on_tried, &nobody);
    AWAIT(&s.owner, nobody.times == 1);
    ck_assert_int_eq(nobody.e.code, ERR_NOT_FOUND);
    op_id id = notify_test(s.owner.notify, "ops", "shop", on_tried, &cancelled);
    op_cancel(s.owner.loop, id);
    notify_test(s.owner.notify, "ops", "shop", on_tried, &cut);
    s.owner.notify = notify_free(s.owner.notify);
    fake_receiver_free(s.receiver);
    owner_close(&s.owner);
    ck_assert_int_eq(cut.times, 1);
    ck_assert_int_eq(cut.e.code, ERR_CANCELLED);
    ck_assert_int_eq(cancelled.times, 1);
    ck_assert_int_eq(cancelled.e.code, ERR_CANCELLED);
}
END_TEST

UNIT_MAIN("notify_webhook", an_event_is_posted_as_json, slack_gets_a_text_that_calls_nobody,
          another_text_key_gets_the_text_as_it_is,
          alertmanager_gets_alerts_and_all_of_them_are_resolved,
          the_path_of_the_alertmanagers_api_may_be_given, the_same_of_an_incident_is_told_once,
          another_question_is_asked_again, a_restart_tells_nothing_twice,
          only_who_was_told_hears_that_it_is_over,
          a_receiver_that_is_down_gets_all_of_it_in_order_later, a_retry_has_the_same_id,
          what_was_not_delivered_survives_a_restart_in_order_and_with_its_id,
          what_this_receiver_will_never_take_holds_nothing_up, redirects_are_not_followed,
          too_old_is_dropped_and_told, what_was_kept_too_long_ago_is_dropped_at_the_start,
          a_full_queue_loses_the_oldest_of_the_least_severity, a_wish_for_later_is_heard,
          who_does_not_answer_is_given_up, a_mended_address_is_tried_at_once,
          what_a_removed_receiver_had_waiting_is_kept_and_told,
          a_receiver_that_comes_back_gets_what_waited_in_order,
          a_receiver_that_comes_back_in_another_life_gets_what_waited,
          what_waits_for_a_receiver_that_stays_away_is_dropped_by_its_age,
          rows_that_are_none_or_too_old_are_forgotten, a_test_goes_beside_the_queue_and_once,
          a_test_of_nobody_and_one_that_is_cut_off_say_so)
