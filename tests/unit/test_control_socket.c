/* The file of the API's socket: who may open it, and whose it is. */
#include "control/control.h"
#include "tests/unit/control_app.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int listen_at(struct loop *loop, const char *path, const char *group, struct control **ret,
                     struct err *e)
{
    struct control_options options = {.socket_path = path, .group = group, .ops = &fake_ops};
    return control_new(loop, &options, ret, e);
}

static void make_plain_file(const char *path)
{
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    close(fd);
}

START_TEST(test_the_socket_is_born_for_owner_and_group)
{
    char path[108];
    struct stat file;
    struct err e;
    struct control *control;
    struct loop *loop = loop_new();
    mode_t before = umask(0);
    fresh_path(path);
    ck_assert_msg(listen_at(loop, path, NULL, &control, &e) == 0, "%s", e.text);
    ck_assert_int_eq(stat(path, &file), 0);
    ck_assert_int_eq(file.st_mode & 07777, 0660);
    ck_assert_int_eq(umask(before), 0); /* as it was */
    control_free(control);
    ck_assert_int_eq(stat(path, &file), -1);
    loop_free(loop);
    remove_dir_of(path);
}
END_TEST

START_TEST(test_a_dead_socket_is_replaced_and_a_live_one_is_not)
{
    char path[108];
    struct err e;
    struct control *first;
    struct control *second = NULL;
    struct loop *loop = loop_new();
    fresh_path(path);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int dead = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(dead, (struct sockaddr *)&address, sizeof address), 0);
    close(dead);
    ck_assert_msg(listen_at(loop, path, NULL, &first, &e) == 0, "%s", e.text);
    ck_assert_int_eq(listen_at(loop, path, NULL, &second, &e), -ERR_CONFLICT);
    ck_assert_ptr_nonnull(strstr(e.text, "a supervisor answers there"));
    control_free(first);
    loop_free(loop);
    remove_dir_of(path);
}
END_TEST

START_TEST(test_a_place_that_cannot_be_used_is_explained)
{
    char path[108];
    char below[128];
    struct err e;
    struct control *control = NULL;
    struct loop *loop = loop_new();
    fresh_path(path);
    snprintf(below, sizeof below, "%s.d/x.sock", path);
    ck_assert_int_lt(listen_at(loop, below, NULL, &control, &e), 0);
    ck_assert_ptr_nonnull(strstr(e.hint, "mkdir -p"));
    ck_assert_int_eq(listen_at(loop, path, "no-such-group", &control, &e), -ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(e.text, "no-such-group"));
    ck_assert_int_eq(listen_at(loop, "", NULL, &control, &e), -ERR_INVALID);
    CLEANUP_FREE char *endless = mem_new(201);
    memset(endless, 'x', 200);
    ck_assert_int_eq(listen_at(loop, endless, NULL, &control, &e), -ERR_INVALID);
    make_plain_file(path);
    ck_assert_int_eq(listen_at(loop, path, NULL, &control, &e), -ERR_CONFLICT);
    ck_assert_ptr_nonnull(strstr(e.text, "no socket"));
    ck_assert_int_eq(access(path, F_OK), 0); /* it is not ours to remove */
    unlink(path);
    loop_free(loop);
    remove_dir_of(path);
}
END_TEST

START_TEST(test_only_our_own_socket_is_removed)
{
    char path[108];
    struct err e;
    struct control *control;
    struct loop *loop = loop_new();
    fresh_path(path);
    ck_assert_int_eq(listen_at(loop, path, NULL, &control, &e), 0);
    unlink(path);
    make_plain_file(path);
    control_free(control);
    ck_assert_int_eq(unlink(path), 0);
    loop_free(loop);
    remove_dir_of(path);
}
END_TEST

UNIT_MAIN("control socket", test_the_socket_is_born_for_owner_and_group,
          test_a_dead_socket_is_replaced_and_a_live_one_is_not,
          test_a_place_that_cannot_be_used_is_explained, test_only_our_own_socket_is_removed)
