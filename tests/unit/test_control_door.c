/* The door for alerts: which addresses it listens on, which tokens it takes, who may pass. */
#include "control/door.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- the address ------------------------------------------------------------------------------ */

START_TEST(only_the_loopback_is_listened_on)
{
    static const char *const refused[] = {"0.0.0.0:9497",
                                          "192.168.1.7:9497",
                                          "[::]:9497",
                                          "example.org:9497",
                                          "127.0.0.1",
                                          "127.0.0.1:",
                                          "127.0.0.1:65536",
                                          "127.0.0.1:0",
                                          "127.0.0.1:1x",
                                          ":9497",
                                          "",
                                          "127.0.0.1.evil.org:9497"};
    struct err e;
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
        int fd = -1;
        ck_assert_msg(control__door_listen("alerts", refused[i], &fd, &e) != 0, "%s", refused[i]);
        ck_assert_int_eq(e.code, ERR_INVALID);
        unit_assert_has(e.text, refused[i]);
    }
}
END_TEST

/* A port that is free now, as the kernel gives one. */
static int free_port(void)
{
    struct sockaddr_in any = {.sin_family = AF_INET};
    socklen_t len = sizeof any;
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&any, sizeof any), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&any, &len), 0);
    close(fd);
    return ntohs(any.sin_port);
}

START_TEST(a_port_in_use_is_a_conflict)
{
    struct err e;
    int first = -1;
    int second = -1;
    CLEANUP_FREE char *address = mem_printf("localhost:%d", free_port());
    ck_assert_int_eq(control__door_listen("alerts", address, &first, &e), 0);
    ck_assert_int_ne(control__door_listen("alerts", address, &second, &e), 0);
    ck_assert_int_eq(e.code, ERR_CONFLICT);
    unit_assert_has(e.hint, "alerts.listen");
    close(first);
}
END_TEST

/* --- the token -------------------------------------------------------------------------------- */

/* A file of that content and mode; its path, which the caller frees. */
static char *token_file(const char *content, mode_t mode)
{
    char path[] = "/tmp/test-door-XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_eq(write(fd, content, strlen(content)), (ssize_t)strlen(content));
    ck_assert_int_eq(fchmod(fd, mode), 0);
    close(fd);
    return mem_strdup(path);
}

static int read_token(const char *content, mode_t mode, char **ret, struct err *e)
{
    CLEANUP_FREE char *path = token_file(content, mode);
    int status = control__door_token(path, ret, e);
    unlink(path);
    return status;
}

START_TEST(the_token_is_the_first_line)
{
    struct err e;
    char *token;
    ck_assert_int_eq(read_token("0123456789abcdef\nsecond\n", 0640, &token, &e), 0);
    ck_assert_str_eq(token, "0123456789abcdef");
    free(token);
    ck_assert_int_eq(read_token("0123456789abcdef0", 0600, &token, &e), 0);
    ck_assert_str_eq(token, "0123456789abcdef0");
    free(token);
}
END_TEST

START_TEST(a_token_that_is_none_is_refused_with_the_command_that_mends_it)
{
    struct err e;
    char *token;
    ck_assert_int_ne(read_token("short\n", 0600, &token, &e), 0);
    ck_assert_int_eq(e.code, ERR_INVALID);
    unit_assert_has(e.hint, "openssl rand");
    unit_assert_lacks(e.text, "short");
    ck_assert_int_ne(read_token("", 0600, &token, &e), 0);
    ck_assert_int_ne(read_token("0123456789abcdef", 0644, &token, &e), 0);
    ck_assert_int_eq(e.code, ERR_PERMISSION);
    unit_assert_has(e.hint, "chmod 0640");
    ck_assert_int_ne(control__door_token("/nonexistent/token", &token, &e), 0);
    ck_assert_int_eq(e.code, ERR_NOT_FOUND);
    CLEANUP_FREE char *long_one = mem_new(5001);
    memset(long_one, 'x', 5000);
    ck_assert_int_ne(read_token(long_one, 0600, &token, &e), 0);
}
END_TEST

/* --- who may pass ----------------------------------------------------------------------------- */

static const char token[] = "0123456789abcdef";

static int check(const char *host, const char *authorization)
{
    struct err e;
    err_clear(&e);
    int status = control__door_host(host, &e);
    if (!status)
        status = control__door_bearer(authorization, token, &e);
    ck_assert_int_eq(status != 0, err_is_set(&e));
    unit_assert_lacks(e.text, token);
    return status;
}

START_TEST(who_has_the_token_and_asks_this_machine_passes)
{
    ck_assert_int_eq(check("127.0.0.1:9497", "Bearer 0123456789abcdef"), 0);
    ck_assert_int_eq(check("localhost", "bearer 0123456789abcdef"), 0);
    ck_assert_int_eq(check("[::1]:9497", "Bearer 0123456789abcdef"), 0);
}
END_TEST

START_TEST(without_the_token_nobody_passes)
{
    ck_assert_int_eq(check("localhost", NULL), 401);
    ck_assert_int_eq(check("localhost", ""), 401);
    ck_assert_int_eq(check("localhost", "Bearer"), 401);
    ck_assert_int_eq(check("localhost", "Bearer "), 401);
    ck_assert_int_eq(check("localhost", "Bearer 0123456789abcde"), 401);
    ck_assert_int_eq(check("localhost", "Bearer 0123456789abcdef0"), 401);
    ck_assert_int_eq(check("localhost", "Bearer 0123456789abcdef0123456789abcdef"), 401);
    ck_assert_int_eq(check("localhost", "Basic 0123456789abcdef"), 401);
}
END_TEST

START_TEST(a_browser_led_here_under_another_name_is_turned_away)
{
    ck_assert_int_eq(check("evil.example:9497", "Bearer 0123456789abcdef"), 403);
    ck_assert_int_eq(check("127.0.0.1.evil.example", "Bearer 0123456789abcdef"), 403);
    ck_assert_int_eq(check("localhost.evil.example:9497", "Bearer 0123456789abcdef"), 403);
    ck_assert_int_eq(check(NULL, "Bearer 0123456789abcdef"), 403);
}
END_TEST

UNIT_MAIN("control door", only_the_loopback_is_listened_on, a_port_in_use_is_a_conflict,
          the_token_is_the_first_line,
          a_token_that_is_none_is_refused_with_the_command_that_mends_it,
          who_has_the_token_and_asks_this_machine_passes, without_the_token_nobody_passes,
          a_browser_led_here_under_another_name_is_turned_away)
