/* TLS: a certificate is verified, always; a login never goes before it. */
#include "tests/unit/notify_fixture.h"

#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>

struct scene {
    struct owner owner;
    pid_t server;
    int port;
};

static char *content(const struct owner *owner, const char *name)
{
    CLEANUP_FREE char *path = mem_printf("%s/%s", owner->folder, name);
    char *text = mem_new(65536);
    FILE *file = fopen(path, "r");
    size_t len = file ? fread(text, 1, 65535, file) : 0;
    text[len] = '\0';
    if (file)
        fclose(file);
    return text;
}

static bool has(const struct owner *owner, const char *name, const char *part)
{
    CLEANUP_FREE char *text = content(owner, name);
    return strstr(text, part) != NULL;
}

static bool is_ready(const struct owner *owner)
{
    CLEANUP_FREE char *path = mem_printf("%s/port", owner->folder);
    return access(path, F_OK) == 0;
}

static void scene_open(struct scene *s, const char *mode)
{
    owner_open(&s->owner);
    s->owner.limits.retry_first_ms = 20;
    s->owner.limits.retry_max_ms = 20;
    s->server = fork();
    if (s->server == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execl("/usr/bin/python3", "/usr/bin/python3", TLS_RECEIVER, s->owner.folder, mode, NULL);
        _exit(127);
    }
    AWAIT(&s->owner, is_ready(&s->owner));
    CLEANUP_FREE char *port = content(&s->owner, "port");
    s->port = (int)strtol(port, NULL, 10);
}

/* %s is the folder of the test's files. */
static void start(struct scene *s, const char *yaml)
{
    const char *at = strstr(yaml, "%s");
    int before = (int)(at ? at - yaml : 0);
    CLEANUP_FREE char *text =
        at ? mem_printf("%.*s%s%s", before, yaml, s->owner.folder, at + 2) : mem_strdup(yaml);
    owner_start(&s->owner, text, s->port);
    tell(&s->owner, "k", "handed-over", "critical", "x");
}

static void scene_close(struct scene *s)
{
    kill(s->server, SIGKILL);
    waitpid(s->server, NULL, 0);
    owner_close(&s->owner);
}

START_TEST(a_certificate_of_nobody_known_is_refused)
{
    struct scene s;
    scene_open(&s, "https");
    start(&s, "- {name: ops, webhook: 'https://127.0.0.1:%d/'}");
    AWAIT(&s.owner, number_of(&s.owner, "failed") >= 1);
    CLEANUP_FREE char *error = error_of(&s.owner);
    unit_assert_has(error, "TLS: SSL certificate problem: self-signed certificate");
    unit_assert_has(error, "name that in ca_file");
    ck_assert(!has(&s.owner, "got", "POST"));
    scene_close(&s);
}
END_TEST

START_TEST(a_certificate_of_ones_own_authority_is_taken)
{
    struct scene s;
    scene_open(&s, "https");
    start(&s, "- {name: ops, webhook: 'https://127.0.0.1:%d/', ca_file: %s/ca.pem}");
    AWAIT(&s.owner, number_of(&s.owner, "sent") == 1);
    AWAIT(&s.owner, has(&s.owner, "got", "POST / HTTP/1.1"));
    scene_close(&s);
}
END_TEST

START_TEST(a_certificate_for_another_name_is_refused)
{
    struct scene s;
    scene_open(&s, "https");
    start(&s, "- {name: ops, webhook: 'https://localhost:%d/', ca_file: %s/ca.pem}");
    AWAIT(&s.owner, number_of(&s.owner, "failed") >= 1);
    ck_assert(error_has(&s.owner, "TLS: SSL: no alternative certificate subject name matches"));
    scene_close(&s);
}
END_TEST

#define LOGIN                                                                                      \
    "- {name: mail, mail: {server: 'smtp://127.0.0.1:%d', from: a@b.test, to: c@d.test,"           \
    " user: me, password_file: %s/password"

START_TEST(a_login_goes_behind_starttls)
{
    struct scene s;
    scene_open(&s, "smtp");
    free(owner_file(&s.owner, "password", "geheim"));
    CLEANUP_FREE char *yaml =
        mem_printf(LOGIN ", ca_file: %s/ca.pem}}", s.port, s.owner.folder, s.owner.folder);
    start(&s, yaml);
    AWAIT(&s.owner, number_of(&s.owner, "sent") == 1);
    AWAIT(&s.owner, has(&s.owner, "got", "S AG1lAGdlaGVpbQ==")); /* \0me\0geheim */
    ck_assert(has(&s.owner, "got", "P STARTTLS"));
    ck_assert(has(&s.owner, "got", "S Subject: "));
    ck_assert(!has(&s.owner, "got", "P MAIL"));
    scene_close(&s);
}
END_TEST

START_TEST(no_login_goes_to_a_server_that_nobody_vouches_for)
{
    struct scene s;
    scene_open(&s, "smtp");
    free(owner_file(&s.owner, "password", "geheim"));
    start(&s, LOGIN "}}");
    AWAIT(&s.owner, number_of(&s.owner, "failed") >= 1);
    ck_assert(error_has(&s.owner, "TLS: SSL certificate problem"));
    ck_assert(has(&s.owner, "got", "P STARTTLS"));
    ck_assert(!has(&s.owner, "got", "AG1lA"));
    ck_assert(!has(&s.owner, "got", "MAIL"));
    scene_close(&s);
}
END_TEST

UNIT_MAIN("notify_tls", a_certificate_of_nobody_known_is_refused,
          a_certificate_of_ones_own_authority_is_taken, a_certificate_for_another_name_is_refused,
          a_login_goes_behind_starttls, no_login_goes_to_a_server_that_nobody_vouches_for)
