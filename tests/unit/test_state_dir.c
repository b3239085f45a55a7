/* The state directory: made, and locked by one supervisor at a time. */
#include "supervisor/state_dir.h"

#include "tests/unit/unit.h"

#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char folder[32];
static char *path;

static void set_up(void)
{
    snprintf(folder, sizeof folder, "/tmp/state-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    path = mem_printf("%s/a/b", folder);
}

static void tear_down(void)
{
    static const char *const parts[] = {"a/b/lock", "a/b", "a", ""};
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        CLEANUP_FREE char *part = mem_printf("%s/%s", folder, parts[i]);
        remove(part);
    }
    free(path);
}

START_TEST(it_is_made_for_us_alone)
{
    struct err e;
    struct stat status;
    int fd = -1;
    ck_assert_int_eq(state_dir_lock(path, &fd, &e), 0);
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_int_eq(status.st_mode & 0777, 0750);
    close(fd);
    ck_assert_int_eq(state_dir_lock(path, &fd, &e), 0); /* it is there already */
    close(fd);
}
END_TEST

START_TEST(the_second_one_is_told_who_holds_it)
{
    struct err e;
    int fd = -1, second = -1;
    ck_assert_int_eq(state_dir_lock(path, &fd, &e), 0);
    ck_assert_int_eq(state_dir_lock(path, &second, &e), -(int)ERR_CONFLICT);
    CLEANUP_FREE char *holder = mem_printf("(pid %d)", (int)getpid());
    unit_assert_has(e.text, path);
    unit_assert_has(e.text, holder);
    unit_assert_has(e.hint, "without --standalone");
    unit_assert_lacks(e.hint, "--state-dir"); /* it would lead to a second run on the same stack */
    ck_assert_int_eq(second, -1);
    close(fd);
    ck_assert_int_eq(state_dir_lock(path, &second, &e), 0);
    close(second);
}
END_TEST

START_TEST(a_holder_that_was_killed_holds_nothing)
{
    struct err e;
    int ends[2], fd = -1;
    char byte;
    ck_assert_int_eq(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        bool locked = state_dir_lock(path, &fd, &e) == 0;
        _exit(locked && write(ends[1], "x", 1) == 1 ? pause() : 1);
    }
    ck_assert_int_eq(read(ends[0], &byte, 1), 1);
    ck_assert_int_eq(state_dir_lock(path, &fd, &e), -(int)ERR_CONFLICT);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    ck_assert_int_eq(state_dir_lock(path, &fd, &e), 0);
    close(fd);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

START_TEST(a_place_that_cannot_be_used_is_told_with_the_next_step)
{
    struct err e;
    int fd = -1;
    ck_assert_int_ne(state_dir_lock("/proc/nowhere/state", &fd, &e), 0);
    unit_assert_has(e.text, "/proc/nowhere/state");
    unit_assert_has(e.hint, "--state-dir");
    CLEANUP_FREE char *file = mem_printf("%s/a", folder);
    fclose(fopen(file, "w"));
    ck_assert_int_ne(state_dir_lock(path, &fd, &e), 0); /* a file stands where a folder should */
    unit_assert_has(e.text, "Not a directory");
    ck_assert_int_eq(fd, -1);
}
END_TEST

UNIT_MAIN_WITH("state_dir", set_up, tear_down, it_is_made_for_us_alone,
               the_second_one_is_told_who_holds_it, a_holder_that_was_killed_holds_nothing,
               a_place_that_cannot_be_used_is_told_with_the_next_step)
