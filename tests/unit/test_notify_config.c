/* The list `notify:` of the configuration: what it may say, and every complaint at its place. */
#include "notify/notify_config.h"

#include "notify/receiver.h"
#include "tests/unit/unit.h"

/* The complaints as "line:column: text" lines, or "" and the configuration. */
static char *read_list(const char *text, struct notify_config **ret)
{
    struct diag_list diags;
    char *lines = mem_strdup("");
    diag_init(&diags, "c.yaml", text);
    struct yaml_node *root = yaml_parse(text, strlen(text), &diags);
    ck_assert_ptr_nonnull(root);
    *ret = notify_config_read(root, &diags);
    ck_assert((*ret == NULL) == (diags.count > 0));
    for (size_t i = 0; i < diags.count; i++) {
        char *more = mem_printf("%s%d:%d: %s\n", lines, diags.items[i].line, diags.items[i].column,
                                diags.items[i].text);
        free(lines);
        lines = more;
    }
    yaml_node_free(root);
    diag_free(&diags);
    return lines;
}

static struct notify_config *read_good(const char *text)
{
    struct notify_config *config;
    CLEANUP_FREE char *complaints = read_list(text, &config);
    ck_assert_str_eq(complaints, "");
    return config;
}

START_TEST(each_way_has_its_defaults)
{
    struct notify_config *config =
        read_good("- {name: ops, webhook: 'https://hooks.slack.com/services/T0/B0/geheim'}\n"
                  "- {name: mail, mail: {server: 'smtp://mx.test:25', from: a@b.test,"
                  " to: c@d.test}}\n"
                  "- {name: pager, exec: [/usr/local/bin/page, --token, geheim]}\n");
    ck_assert_uint_eq(config->count, 3);
    struct notify__receiver **receivers = config->receivers;
    ck_assert_str_eq(receivers[0]->where, "https://hooks.slack.com/…");
    ck_assert_int_eq(receivers[0]->format, NOTIFY__JSON);
    ck_assert_int_eq(receivers[0]->timeout_ms, 10000);
    ck_assert_int_eq(receivers[0]->severity, NOTIFY__INFO);
    ck_assert_uint_eq(receivers[0]->on, 1U << NOTIFY__TRIGGERED | 1U << NOTIFY__ASK |
                                            1U << NOTIFY__HANDED_OVER | 1U << NOTIFY__HEALED);
    ck_assert_str_eq(receivers[1]->where, "smtp://mx.test:25");
    ck_assert_int_eq(receivers[1]->tls, NOTIFY__TLS_REQUIRED);
    ck_assert_str_eq(receivers[1]->to[0], "c@d.test");
    ck_assert_str_eq(receivers[2]->where, "/usr/local/bin/page");
    ck_assert_str_eq(receivers[2]->argv[2], "geheim");
    ck_assert_ptr_null(receivers[2]->argv[3]);
    ck_assert_int_eq(receivers[2]->timeout_ms, 30000);
    notify_config_unref(config);
}
END_TEST

START_TEST(every_key_is_taken)
{
    struct notify_config *config =
        read_good("- name: am\n  url_file: /etc/x/url\n  format: slack\n  text_key: content\n"
                  "  headers_file: /etc/x/headers\n  bearer_token_file: /etc/x/token\n"
                  "  proxy: http://proxy.test:3128\n  ca_file: /etc/x/ca.pem\n  timeout: 2s\n"
                  "  severity: warning\n  on: [acted, healed]\n  x-own: 1\n"
                  "- name: mail\n  mail: {server: 'smtps://mx.test', from: a@b.test,"
                  " to: [c@d.test, e@f.test], user: me, password_file: /etc/x/p, tls: optional,"
                  " ca_file: /x}\n");
    const struct notify__receiver *am = config->receivers[0];
    const struct notify__receiver *mail = config->receivers[1];
    ck_assert_str_eq(am->where, "url_file /etc/x/url");
    ck_assert_str_eq(am->text_key, "content");
    ck_assert_str_eq(am->headers_file, "/etc/x/headers");
    ck_assert_str_eq(am->bearer_token_file, "/etc/x/token");
    ck_assert_str_eq(am->proxy, "http://proxy.test:3128");
    ck_assert_str_eq(am->ca_file, "/etc/x/ca.pem");
    ck_assert_int_eq(am->timeout_ms, 2000);
    ck_assert_int_eq(am->severity, NOTIFY__WARNING);
    ck_assert_uint_eq(am->on, 1U << NOTIFY__ACTED | 1U << NOTIFY__HEALED);
    ck_assert_uint_eq(mail->to_count, 2);
    ck_assert_str_eq(mail->user, "me");
    ck_assert_str_eq(mail->password_file, "/etc/x/p");
    ck_assert_int_eq(mail->tls, NOTIFY__TLS_OPTIONAL);
    ck_assert_ptr_eq(notify_config_ref(config), config);
    notify_config_unref(config);
    notify_config_unref(config);
}
END_TEST

START_TEST(mistakes_are_shown_at_their_place)
{
    static const struct {
        const char *text;
        const char *complaint;
    } cases[] = {
        {"ops", "1:1: notify: 'ops' is not a list\n"},
        {"- ops", "1:3: notify: 'ops' is not a map\n"},
        {"- {webhook: 'http://x.test'}", "1:3: notify: a receiver has no 'name'\n"},
        {"- {name: a b, exec: /x}",
         "1:10: notify: name: 'a b' is not made of letters, digits, '.', '_' and '-'\n"},
        {"- {name: a, exec: /x}\n- {name: a, exec: /y}",
         "2:3: notify: there are two receivers 'a'\n"},
        {"- {name: a}", "1:3: notify: a: expected one of 'webhook', 'url_file', 'mail' and "
                        "'exec'\n"},
        {"- {name: a, exec: /x, url_file: /y}",
         "1:3: notify: a: expected one of 'webhook', 'url_file', 'mail' and 'exec'\n"},
        {"- {name: a, exec: /x, formt: json}",
         "1:23: notify: unknown key 'formt'; did you mean 'format'?\n"},
        {"- {name: a, exec: /x, format: json}", "1:31: notify: a: 'format' is of a webhook only\n"},
        {"- {name: a, webhook: 'ftp://x.test/geheim'}",
         "1:22: notify: a: webhook: this is no http:// or https:// address\n"},
        {"- {name: a, webhook: 'http://x.test/ge heim'}",
         "1:22: notify: a: webhook: this is no http:// or https:// address\n"},
        {"- {name: a, webhook: 'http://x.test', proxy: 'socks5://geheim@y'}",
         "1:46: notify: a: proxy: this is no http:// or https:// address\n"},
        {"- {name: a, webhook: 'http://x.test', format: slak}",
         "1:47: notify: a: format: 'slak' is none of json, slack, alertmanager; did you mean "
         "'slack'?\n"},
        {"- {name: a, webhook: 'http://x.test', text_key: content}",
         "1:49: notify: a: text_key is of 'format: slack' only\n"},
        {"- {name: a, exec: /x, severity: grave}",
         "1:33: notify: a: severity: 'grave' is none of info, warning, critical\n"},
        {"- {name: a, exec: /x, on: [handed_over, test]}",
         "1:28: notify: a: on: 'handed_over' is none of triggered, acted, ask, handed-over, "
         "healed; did you mean 'handed-over'?\n"
         "1:41: notify: a: on: 'test' is none of triggered, acted, ask, handed-over, healed\n"},
        {"- {name: a, exec: /x, on: []}", "1:27: notify: a: on: the list is empty\n"},
        {"- {name: a, exec: /x, on: [healed]}",
         "1:27: notify: a: on: 'healed' is told to those who have been told of the trouble: add "
         "its kind\n"},
        {"- {name: a, exec: /x, timeout: 1h}",
         "1:32: notify: a: timeout: 1h is not between 100ms and 5m00s\n"},
        {"- {name: a, exec: page}",
         "1:19: notify: a: exec: the command begins with '/': no PATH is searched\n"},
        {"- {name: a, exec: []}", "1:19: notify: a: exec: the list is empty\n"},
        {"- {name: a, exec: {x: y}}", "1:19: notify: a: exec: expected a list, found a map\n"},
        {"- {name: a, mail: {}}", "1:19: notify: a: mail: 'to' is missing\n"
                                  "1:19: notify: a: mail: 'from' is missing\n"
                                  "1:19: notify: a: mail: 'server' is missing\n"},
        {"- {name: a, mail: {server: 'smtp://u:geheim@x', from: a@b.test, to: c@d.test}}",
         "1:28: notify: a: mail: server: expected smtp://host:port or smtps://host:port\n"},
        {"- {name: a, mail: {server: 'smtp://x', from: 'A <a@b.test>', to: [c, d@e.test]}}",
         "1:66: notify: a: mail: to: 'c' is no address such as a@b.org\n"
         "1:46: notify: a: mail: from: 'A <a@b.test>' is no address such as a@b.org\n"},
        {"- {name: a, mail: {server: 'smtp://x', from: \"a@b.test\\r\\nRCPT\", to: c@d.test}}",
         "1:46: notify: a: mail: from: 'a@b.test\r\nRCPT' is no address such as a@b.org\n"},
        {"- {name: a, mail: {server: 'smtp://x', from: a@b.test, to: c@d.test, user: me}}",
         "1:19: notify: a: mail: 'user' and 'password_file' go together\n"},
        {"- {name: a, mail: {server: 'smtp://x', from: a@b.test, to: c@d.test, user: me,"
         " password_file: /p, tls: none}}",
         "1:104: notify: a: mail: a password is not sent without TLS: 'tls: required'\n"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct notify_config *config;
        CLEANUP_FREE char *complaints = read_list(cases[i].text, &config);
        ck_assert_str_eq(complaints, cases[i].complaint);
        ck_assert_ptr_null(config);
    }
}
END_TEST

START_TEST(on_this_host_a_password_may_go_without_tls)
{
    notify_config_unref(
        read_good("- {name: a, mail: {server: 'smtp://localhost:25', from: a@b.test, to: c@d.test,"
                  " user: me, password_file: /p, tls: none}}"));
    ck_assert_ptr_null(notify_config_unref(NULL));
    ck_assert_ptr_null(notify_config_ref(NULL));
}
END_TEST

START_TEST(an_address_is_shown_without_its_secrets)
{
    static const char *const cases[][2] = {
        {"https://me:geheim@x.test:8443/geheim?token=geheim#geheim", "https://x.test:8443/…"},
        {"https://x.test/?token=geheim", "https://x.test/…"},
        {"http://x.test", "http://x.test/"},
        {"http://[::1]:9093/", "http://[::1]:9093/"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        CLEANUP_FREE char *shown = notify__show_url(cases[i][0]);
        ck_assert_str_eq(shown, cases[i][1]);
    }
}
END_TEST

UNIT_MAIN("notify_config", each_way_has_its_defaults, every_key_is_taken,
          mistakes_are_shown_at_their_place, on_this_host_a_password_may_go_without_tls,
          an_address_is_shown_without_its_secrets)
