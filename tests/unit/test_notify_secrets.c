/* What is secret is read from files at each delivery, sent, and shown nowhere: not in an error, the
 * log, notify_json, or what is kept.
 */
#include "notify/secrets.h"

#include "tests/fake/receiver.h"
#include "tests/unit/notify_fixture.h"

#include <stdio.h>

struct scene {
    struct owner owner;
    struct fake_receiver *receiver;
};

static void scene_open(struct scene *s)
{
    owner_open(&s->owner);
    s->owner.limits.retry_first_ms = 5;
    s->owner.limits.retry_max_ms = 20;
    s->receiver = fake_receiver_http(s->owner.loop);
}

/* %d is the port, %s the folder of the test's files. */
static void start(struct scene *s, const char *yaml)
{
    CLEANUP_FREE char *text = mem_strdup(yaml);
    for (char *at; (at = strstr(text, "%s"));) {
        char *filled = mem_printf("%.*s%s%s", (int)(at - text), text, s->owner.folder, at + 2);
        free(text);
        text = filled;
    }
    owner_start(&s->owner, text, fake_receiver_port(s->receiver));
    tell(&s->owner, "k", "handed-over", "critical", "x");
}

static void write_file(struct scene *s, const char *name, const char *text)
{
    free(owner_file(&s->owner, name, text));
}

static void assert_shows_no(struct scene *s, const char *const *secrets)
{
    CLEANUP_FREE char *shown = all_shown(&s->owner);
    CLEANUP_FREE char *kept = json_line(s->owner.rows);
    for (; *secrets; secrets++) {
        unit_assert_lacks(shown, *secrets);
        unit_assert_lacks(kept, *secrets);
    }
}

static void scene_close(struct scene *s)
{
    fake_receiver_free(s->receiver);
    owner_close(&s->owner);
}

START_TEST(what_a_server_repeats_is_not_shown)
{
    struct scene s;
    scene_open(&s);
    write_file(&s, "token", "token-GEHEIM1\n");
    fake_receiver_answer(s.receiver, "403 Forbidden",
                         "no POST of user-GEHEIM3:pass-GEHEIM4 to /services/path-GEHEIM5 and "
                         "key=GEHEIM 6%20, token-GEHEIM1 here");
    start(&s,
          "- {name: ops, webhook: "
          "'http://user-GEHEIM3:pass-GEHEIM4@127.0.0.1:%d/services/path-GEHEIM5?key=GEHEIM%206',"
          " bearer_token_file: %s/token}");
    AWAIT(&s.owner, number_of(&s.owner, "sent") == 1);
    const char *request = fake_receiver_text(s.receiver, 0);
    unit_assert_has(request, "POST /services/path-GEHEIM5?key=GEHEIM%206 HTTP/1.1\r\n");
    unit_assert_has(request, "\r\nAuthorization: Bearer token-GEHEIM1\r\n");
    unit_assert_has(buf_text(&s.owner.log), "answered 403 (no POST of ***:*** to");
    assert_shows_no(
        &s, (const char *const[]){"GEHEIM1", "GEHEIM3", "GEHEIM4", "GEHEIM5", "GEHEIM 6", NULL});
    scene_close(&s);
}
END_TEST

START_TEST(headers_are_sent_and_not_shown)
{
    struct scene s;
    scene_open(&s);
    write_file(&s, "headers", "# of the proxy\n\nX-Key: key-GEHEIM2\r\nX-More: a:b\n");
    fake_receiver_answer(s.receiver, "401 Unauthorized", "key-GEHEIM2 is not known");
    start(&s, "- {name: ops, webhook: 'http://127.0.0.1:%d/', headers_file: %s/headers}");
    AWAIT(&s.owner, number_of(&s.owner, "sent") == 1);
    unit_assert_has(fake_receiver_text(s.receiver, 0), "\r\nX-Key: key-GEHEIM2\r\n");
    unit_assert_has(fake_receiver_text(s.receiver, 0), "\r\nX-More: a:b\r\n");
    unit_assert_lacks(fake_receiver_text(s.receiver, 0), "of the proxy");
    unit_assert_has(buf_text(&s.owner.log), "look at the address, bearer_token_file and");
    assert_shows_no(&s, (const char *const[]){"GEHEIM", NULL});
    scene_close(&s);
}
END_TEST

START_TEST(a_file_is_read_anew_at_each_try)
{
    struct scene s;
    scene_open(&s);
    start(&s, "- {name: ops, url_file: %s/url}");
    AWAIT(&s.owner, number_of(&s.owner, "failed") >= 1);
    CLEANUP_FREE char *error = error_of(&s.owner);
    unit_assert_has(error, "/url cannot be read: No such file or directory");
    CLEANUP_FREE char *url =
        mem_printf(" http://127.0.0.1:%d/GEHEIM \n", fake_receiver_port(s.receiver));
    write_file(&s, "url", url + 1);
    AWAIT(&s.owner, number_of(&s.owner, "sent") == 1);
    unit_assert_has(fake_receiver_text(s.receiver, 0), "POST /GEHEIM HTTP/1.1");
    assert_shows_no(&s, (const char *const[]){"GEHEIM", NULL});
    scene_close(&s);
}
END_TEST

START_TEST(a_file_that_holds_something_else_is_told)
{
    static const struct {
        const char *name, *text, *yaml, *error;
    } cases[] = {
        {"url", "GEHEIM", "url_file: %s/url", "/url holds no http:// or https:// address"},
        {"url", "http://x.test/\nGEHEIM", "url_file: %s/url",
         "/url holds a control character or a second line"},
        {"url", " \n", "url_file: %s/url", "/url is empty"},
        {"t", "GEHEIM\nX-Evil: 1", "webhook: 'http://127.0.0.1:%d/', bearer_token_file: %s/t",
         "bearer_token_file "},
        {"h", "X-A: 1\nGEHEIM\n", "webhook: 'http://127.0.0.1:%d/', headers_file: %s/h",
         "/h: line 2 is not 'Name: value'"},
        {"h", "content-length: 3", "webhook: 'http://127.0.0.1:%d/', headers_file: %s/h",
         "/h: line 1: content-length is set already"},
        {"h", "X-A: 1\001GEHEIM", "webhook: 'http://127.0.0.1:%d/', headers_file: %s/h",
         "/h holds a control character"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct scene s;
        scene_open(&s);
        write_file(&s, cases[i].name, cases[i].text);
        CLEANUP_FREE char *yaml = mem_printf("- {name: ops, %s}", cases[i].yaml);
        start(&s, yaml);
        AWAIT(&s.owner, number_of(&s.owner, "failed") >= 1);
        unit_assert_has(buf_text(&s.owner.log), cases[i].error);
        assert_shows_no(&s, (const char *const[]){"GEHEIM", NULL});
        ck_assert_uint_eq(fake_receiver_count(s.receiver), 0);
        scene_close(&s);
    }
}
END_TEST

START_TEST(a_file_that_is_too_large_is_told)
{
    struct scene s;
    scene_open(&s);
    CLEANUP_FREE char *large = mem_new(20001);
    memset(large, 'x', 20000);
    write_file(&s, "t", large);
    start(&s, "- {name: ops, webhook: 'http://127.0.0.1:%d/', bearer_token_file: %s/t}");
    AWAIT(&s.owner, number_of(&s.owner, "failed") >= 1);
    unit_assert_has(buf_text(&s.owner.log), "/t is larger than 16 KiB");
    scene_close(&s);
}
END_TEST

START_TEST(a_proxy_of_the_environment_is_not_used_and_a_configured_one_is)
{
    struct scene s;
    scene_open(&s);
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("all_proxy", "http://127.0.0.1:1", 1);
    setenv("no_proxy", "*", 1);
    start(&s, "- {name: ops, webhook: 'http://127.0.0.1:%d/direct'}\n"
              "- {name: by, webhook: 'http://hooks.test/x', proxy: 'http://127.0.0.1:%d'}");
    AWAIT(&s.owner, fake_receiver_count(s.receiver) == 2);
    unit_assert_has(fake_receiver_dialogue(s.receiver), "POST /direct HTTP/1.1\r\n");
    unit_assert_has(fake_receiver_dialogue(s.receiver), "POST http://hooks.test/x HTTP/1.1\r\n");
    AWAIT(&s.owner, number_of(&s.owner, "sent") == 1);
    scene_close(&s);
}
END_TEST

START_TEST(hiding_takes_whole_secrets_and_longer_parts)
{
    struct notify__secrets secrets = {.url = mem_strdup("https://x.test/v2/B0GEHEIM/send?a=1"),
                                      .token = mem_strdup("abc"),
                                      .password = mem_strdup("xy")};
    CLEANUP_FREE char *shown =
        notify__secrets_hide(&secrets, "abcabc v2 B0GEHEIM send a=1 xy /v2/B0GEHEIM/send?a=1");
    ck_assert_str_eq(shown, "****** v2 *** send a=1 xy ***?a=1");
    notify__secrets_clear(&secrets);
    ck_assert_ptr_null(secrets.url);
    ck_assert_ptr_null(secrets.token);
}
END_TEST

UNIT_MAIN("notify_secrets", what_a_server_repeats_is_not_shown, headers_are_sent_and_not_shown,
          a_file_is_read_anew_at_each_try, a_file_that_holds_something_else_is_told,
          a_file_that_is_too_large_is_told,
          a_proxy_of_the_environment_is_not_used_and_a_configured_one_is,
          hiding_takes_whole_secrets_and_longer_parts)
