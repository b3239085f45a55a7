/* Mail against a fake server: the dialogue, the message, and that nobody can add to either. */
#include "base/clock.h"
#include "tests/fake/receiver.h"
#include "tests/unit/notify_fixture.h"

#define MAIL                                                                                       \
    "- {name: mail, mail: {server: 'smtp://127.0.0.1:%d', from: supervisor@shop.test,"             \
    " to: [ops@shop.test, boss@shop.test], tls: none}}"

struct scene {
    struct owner owner;
    struct fake_receiver *receiver;
};

static void scene_open(struct scene *s, const char *yaml)
{
    owner_open(&s->owner);
    s->owner.limits.retry_first_ms = 5;
    s->owner.limits.retry_max_ms = 40;
    s->receiver = fake_receiver_smtp(s->owner.loop);
    if (yaml)
        owner_start(&s->owner, yaml, fake_receiver_port(s->receiver));
}

static void scene_close(struct scene *s)
{
    fake_receiver_free(s->receiver);
    owner_close(&s->owner);
}

static void await_sent(struct scene *s, int64_t count)
{
    AWAIT(&s->owner, number_of(&s->owner, "sent") == count);
}

START_TEST(a_mail_is_a_message_with_all_it_needs)
{
    struct scene s;
    scene_open(&s, MAIL);
    tell(&s.owner, "leaking/12", "handed-over", "critical", "leaking: a person is needed");
    await_sent(&s, 1);
    const char *mail = fake_receiver_text(s.receiver, 0);
    const char *dialogue = fake_receiver_dialogue(s.receiver);
    unit_assert_has(dialogue, "MAIL FROM:<supervisor@shop.test>");
    unit_assert_has(dialogue, "RCPT TO:<ops@shop.test>\r\n");
    unit_assert_has(dialogue, "RCPT TO:<boss@shop.test>\r\n");
    unit_assert_lacks(dialogue, "AUTH");
    unit_assert_has(mail, "From: supervisor@shop.test\r\n");
    unit_assert_has(mail, "To: ops@shop.test, boss@shop.test\r\n");
    unit_assert_has(mail, "Subject: [shop] handed-over: leaking: a person is needed\r\n");
    unit_assert_has(mail, " +0000\r\n");
    unit_assert_has(mail, "\r\nReferences: <incident-");
    unit_assert_has(mail, "Content-Type: text/plain; charset=utf-8\r\n");
    unit_assert_has(mail, "\r\n\r\n[shop] handed-over: leaking: a person is needed\r\n\r\n"
                          "severity: critical\r\nstack: shop\r\npolicy: leaking\r\n");
    unit_assert_has(mail, "\r\nincident: 12\r\n");
    unit_assert_has(mail, "\r\nvalues:\r\n  connections.utilization: 71% (> 60%)\r\n");
    scene_close(&s);
}
END_TEST

START_TEST(a_retry_has_the_same_message_id)
{
    struct scene s;
    scene_open(&s, MAIL);
    fake_receiver_says(s.receiver, ".", "451 later");
    tell(&s.owner, "k", "handed-over", "critical", "x");
    await_sent(&s, 1);
    const char *first = strstr(fake_receiver_dialogue(s.receiver), "Message-ID: <");
    const char *second = strstr(first + 1, "Message-ID: <");
    ck_assert_ptr_nonnull(second);
    ck_assert_int_eq(strncmp(first, second, 13 + 32 + 12), 0);
    unit_assert_has(first, "@shop.test>\r\n");
    ck_assert_int_eq(number_of(&s.owner, "failed"), 1);
    scene_close(&s);
}
END_TEST

START_TEST(no_text_can_add_a_header_or_a_command)
{
    struct scene s;
    scene_open(&s, MAIL);
    struct notify_event event = {.key = "k\r\nX-Evil: 1",
                                 .kind = "handed-over",
                                 .severity = "critical",
                                 .sentence = "x\r\nBcc: all@shop.test\r\n\r\n.\r\nRSET\r\n",
                                 .project = "shop\r\nX-Evil: 2",
                                 .policy = "p\rX-Evil: 3\nX-Evil: 4",
                                 .at_wall_ms = 1};
    event.values = unit_json("[{'name':'a\\r\\n.\\r\\nRSET\\r\\n','value':'b\\n.\\nX-Evil: 5'}]");
    notify_send(s.owner.notify, &event);
    json_decref((json_t *)(uintptr_t)event.values);
    await_sent(&s, 1);
    const char *mail = fake_receiver_text(s.receiver, 0);
    unit_assert_lacks(fake_receiver_dialogue(s.receiver), "\nX-Evil");
    unit_assert_lacks(fake_receiver_dialogue(s.receiver), "\rX-Evil");
    unit_assert_lacks(fake_receiver_dialogue(s.receiver), "\nBcc:");
    unit_assert_lacks(fake_receiver_dialogue(s.receiver), "\nRSET");
    for (const char *c = mail; *c; c++) { /* every line ends as a line of a mail does */
        ck_assert(*c != '\r' || c[1] == '\n');
        ck_assert(*c != '\n' || c[-1] == '\r');
    }
    scene_close(&s);
}
END_TEST

START_TEST(a_line_that_is_a_dot_ends_nothing)
{
    struct scene s;
    scene_open(&s, MAIL);
    struct notify_event event = {.kind = "ask", .severity = "info", .at_wall_ms = 1};
    event.values = unit_json("[{'name':'.','value':'.'}]");
    notify_send(s.owner.notify, &event);
    json_decref((json_t *)(uintptr_t)event.values);
    await_sent(&s, 1);
    ck_assert_uint_eq(fake_receiver_count(s.receiver), 1);
    scene_close(&s);
}
END_TEST

START_TEST(other_scripts_survive_7_bit)
{
    struct scene s;
    scene_open(&s, MAIL);
    tell(&s.owner, "k", "handed-over", "critical",
         "leaking: Ünïcödé – 71 % größer als 60 %, wörker-2 hält 71 von 97 Verbindungen");
    await_sent(&s, 1);
    const char *mail = fake_receiver_text(s.receiver, 0);
    for (const char *c = mail; *c; c++)
        ck_assert_int_lt((unsigned char)*c, 0x80);
    unit_assert_has(mail, "Subject: =?UTF-8?B?");
    unit_assert_has(mail, "?=\r\n =?UTF-8?B?");
    unit_assert_has(mail, "Content-Transfer-Encoding: quoted-printable\r\n");
    unit_assert_has(mail, "=C3=9Cn=C3=AFc=C3=B6d=C3=A9 =E2=80=93 71 % gr=\r\n=C3=B6=C3=9Fer als");
    for (const char *line = mail; *line; line = strchr(line, '\n') + 1)
        ck_assert_uint_le(strcspn(line, "\r\n"), 76);
    scene_close(&s);
}
END_TEST

START_TEST(a_password_is_read_from_its_file_and_shown_nowhere)
{
    struct scene s;
    scene_open(&s, NULL);
    CLEANUP_FREE char *path = owner_file(&s.owner, "password", "ge heim\n");
    CLEANUP_FREE char *yaml =
        mem_printf("- {name: mail, mail: {server: 'smtp://127.0.0.1:%%d', from: a@b.test,"
                   " to: c@d.test, tls: none, user: me, password_file: %s}}",
                   path);
    owner_start(&s.owner, yaml, fake_receiver_port(s.receiver));
    fake_receiver_says(s.receiver, "AUTH", "535 no, ge heim is wrong");
    tell(&s.owner, "k", "handed-over", "critical", "x");
    await_sent(&s, 1);
    unit_assert_has(fake_receiver_dialogue(s.receiver), "AUTH PLAIN");
    unit_assert_has(fake_receiver_dialogue(s.receiver), "AG1lAGdlIGhlaW0="); /* \0me\0ge heim */
    CLEANUP_FREE char *shown = all_shown(&s.owner);
    unit_assert_has(shown, "the login was refused");
    unit_assert_lacks(shown, "ge heim");
    scene_close(&s);
}
END_TEST

START_TEST(without_tls_nothing_is_sent_where_it_is_required)
{
    struct scene s;
    scene_open(&s, NULL);
    CLEANUP_FREE char *path = owner_file(&s.owner, "password", "geheim");
    CLEANUP_FREE char *yaml =
        mem_printf("- {name: mail, mail: {server: 'smtp://127.0.0.1:%%d', from: a@b.test,"
                   " to: c@d.test, user: me, password_file: %s}}",
                   path);
    owner_start(&s.owner, yaml, fake_receiver_port(s.receiver));
    tell(&s.owner, "k", "handed-over", "critical", "x");
    AWAIT(&s.owner, number_of(&s.owner, "failed") >= 1);
    CLEANUP_FREE char *error = error_of(&s.owner);
    unit_assert_has(error, "the server offers no TLS; 'tls: none'");
    unit_assert_lacks(fake_receiver_dialogue(s.receiver), "AUTH");
    unit_assert_lacks(fake_receiver_dialogue(s.receiver), "MAIL");
    scene_close(&s);
}
END_TEST

START_TEST(one_recipient_that_is_refused_does_not_keep_it_from_the_other)
{
    struct scene s;
    scene_open(&s, MAIL);
    fake_receiver_says(s.receiver, "RCPT", "550 no such user");
    tell(&s.owner, "k", "handed-over", "critical", "x");
    await_sent(&s, 1);
    ck_assert_uint_eq(fake_receiver_count(s.receiver), 1);
    scene_close(&s);
}
END_TEST

START_TEST(a_mail_whose_text_is_refused_holds_nothing_up)
{
    struct scene s;
    scene_open(&s, MAIL);
    fake_receiver_says(s.receiver, ".", "554 smells of spam");
    tell(&s.owner, "k", "triggered", "warning", "one");
    tell(&s.owner, "k", "handed-over", "critical", "two");
    await_sent(&s, 1);
    ck_assert_int_eq(number_of(&s.owner, "dropped"), 1);
    unit_assert_has(fake_receiver_text(s.receiver, 0), "Subject: [shop] handed-over: two\r\n");
    scene_close(&s);
}
END_TEST

START_TEST(a_server_that_is_busy_is_tried_again)
{
    struct scene s;
    scene_open(&s, MAIL);
    fake_receiver_says(s.receiver, "", "421 too busy");
    fake_receiver_says(s.receiver, "MAIL", "450 later");
    fake_receiver_says(s.receiver, "DATA", "554 not now"); /* before the text: not about it */
    tell(&s.owner, "k", "handed-over", "critical", "x");
    await_sent(&s, 1);
    ck_assert_int_eq(number_of(&s.owner, "failed"), 3);
    ck_assert_int_eq(number_of(&s.owner, "dropped"), 0);
    scene_close(&s);
}
END_TEST

START_TEST(a_server_that_falls_silent_is_given_up)
{
    struct scene s;
    scene_open(&s, "- {name: mail, mail: {server: 'smtp://127.0.0.1:%d', from: a@b.test,"
                   " to: c@d.test, tls: none}, timeout: 100ms}");
    fake_receiver_hold(s.receiver, true);
    tell(&s.owner, "k", "handed-over", "critical", "x");
    AWAIT(&s.owner, number_of(&s.owner, "failed") == 1);
    CLEANUP_FREE char *error = error_of(&s.owner);
    unit_assert_has(error, "no answer in time");
    scene_close(&s);
}
END_TEST

START_TEST(the_daemons_end_does_not_wait_for_the_server)
{
    struct scene s;
    scene_open(&s, MAIL);
    tell(&s.owner, "k", "handed-over", "critical", "x");
    AWAIT(&s.owner, strstr(fake_receiver_dialogue(s.receiver), "EHLO") != NULL);
    fake_receiver_hold(s.receiver, true);
    s.owner.notify = notify_free(s.owner.notify);
    int64_t begin_ms = clock_mono_ms();
    scene_close(&s); /* runs until all threads have ended */
    ck_assert_int_lt(clock_mono_ms() - begin_ms, 5000);
}
END_TEST

UNIT_MAIN("notify_mail", a_mail_is_a_message_with_all_it_needs, a_retry_has_the_same_message_id,
          no_text_can_add_a_header_or_a_command, a_line_that_is_a_dot_ends_nothing,
          other_scripts_survive_7_bit, a_password_is_read_from_its_file_and_shown_nowhere,
          without_tls_nothing_is_sent_where_it_is_required,
          one_recipient_that_is_refused_does_not_keep_it_from_the_other,
          a_mail_whose_text_is_refused_holds_nothing_up, a_server_that_is_busy_is_tried_again,
          a_server_that_falls_silent_is_given_up, the_daemons_end_does_not_wait_for_the_server)
