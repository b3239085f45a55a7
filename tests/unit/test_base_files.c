/* Reading files away from the loop: what they hold, and that one which hangs holds up nobody. */
#include "base/files.h"

#include "base/clock.h"
#include "tests/unit/hanging_open.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

enum { SOON_MS = 500, ANSWERS_MAX = 200 };

struct answer {
    int error;
    char text[32];
    char problem[100];
};

struct reader {
    struct loop *loop;
    char folder[32];
    struct answer answers[ANSWERS_MAX];
    size_t count; /* of files that were told of */
};

static void reader_open(struct reader *r)
{
    *r = (struct reader){.loop = loop_new(), .folder = "/tmp/filesXXXXXX"};
    ck_assert_ptr_nonnull(mkdtemp(r->folder));
}

static void reader_close(struct reader *r)
{
    CLEANUP_FREE char *command = mem_printf("rm -r %s", r->folder);
    loop_free(r->loop);
    ck_assert_int_eq(system(command), 0);
}

static void write_file(const struct reader *r, const char *name, const char *text)
{
    CLEANUP_FREE char *path = mem_printf("%s/%s", r->folder, name);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

static void on_files(void *data, const struct file *files, size_t count)
{
    struct reader *r = data;
    for (size_t i = 0; i < count; i++) {
        struct answer *answer = &r->answers[r->count++];
        answer->error = files[i].error;
        snprintf(answer->text, sizeof answer->text, "%s", files[i].text ? files[i].text : "-");
        snprintf(answer->problem, sizeof answer->problem, "%s", file_problem(&files[i]));
    }
}

static struct files *ask(struct reader *r, const char *first, const char *second)
{
    size_t count = second ? 2 : 1;
    char **paths = mem_new(count * sizeof *paths);
    paths[0] = mem_printf("%s/%s", r->folder, first);
    if (second)
        paths[1] = mem_printf("%s/%s", r->folder, second);
    return files_read(r->loop, paths, count, on_files, r);
}

static void await(struct reader *r, size_t count)
{
    while (r->count < count)
        uv_run(loop_uv(r->loop), UV_RUN_ONCE);
    ck_assert_uint_eq(r->count, count);
}

static void expect(const struct reader *r, size_t at, int error, const char *text)
{
    ck_assert_int_eq(r->answers[at].error, error);
    ck_assert_str_eq(r->answers[at].text, text);
}

START_TEST(files_are_read_and_what_is_none_says_why)
{
    struct reader r;
    reader_open(&r);
    write_file(&r, "a", "one");
    ask(&r, "a", "gone");
    ck_assert_uint_eq(r.count, 0);
    await(&r, 2);
    expect(&r, 0, 0, "one");
    expect(&r, 1, ENOENT, "-");
    ask(&r, ".", NULL);
    await(&r, 3);
    expect(&r, 2, EISDIR, "-");
    reader_close(&r);
}
END_TEST

START_TEST(a_fifo_holds_nobody)
{
    struct reader r;
    reader_open(&r);
    CLEANUP_FREE char *path = mem_printf("%s/fifo", r.folder);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ask(&r, "fifo", NULL);
    await(&r, 1);
    expect(&r, 0, EINVAL, "-");
    reader_close(&r);
}
END_TEST

START_TEST(a_file_that_hangs_is_given_up_and_those_beside_it_are_read)
{
    struct reader r;
    reader_open(&r);
    write_file(&r, "a", "one");
    opens_hang("/hung");
    int64_t began_ms = clock_mono_ms();
    ask(&r, "hung", "a");
    await(&r, 2);
    int64_t took_ms = clock_mono_ms() - began_ms;
    expect(&r, 0, ETIMEDOUT, "-");
    expect(&r, 1, 0, "one");
    unit_assert_has(r.answers[0].problem, "not been read in time");
    ck_assert_int_ge(took_ms, FILES_LIMIT_MS);
    opens_hang(NULL);
    reader_close(&r);
}
END_TEST

/* Ten that ask for a file on a dead server cost one thread, and only the first of them a wait. */
START_TEST(a_path_that_hangs_is_waited_for_once)
{
    struct reader r;
    reader_open(&r);
    opens_hang("/hung");
    for (int i = 0; i < 10; i++)
        ask(&r, "hung", NULL);
    await(&r, 10);
    ck_assert_int_eq(opens_hanging(), 1);
    int64_t began_ms = clock_mono_ms();
    for (int i = 0; i < 10; i++)
        ask(&r, "hung", NULL);
    await(&r, 20);
    ck_assert_int_lt(clock_mono_ms() - began_ms, SOON_MS);
    ck_assert_int_eq(opens_hanging(), 1);
    for (size_t i = 0; i < 20; i++)
        expect(&r, i, ETIMEDOUT, "-");
    opens_hang(NULL);
    reader_close(&r);
}
END_TEST

START_TEST(a_path_that_hung_is_read_again_when_it_answers)
{
    struct reader r;
    reader_open(&r);
    write_file(&r, "hung", "two");
    opens_hang("/hung");
    ask(&r, "hung", NULL);
    await(&r, 1);
    opens_hang(NULL);
    while (strcmp(r.answers[r.count - 1].text, "two") != 0) { /* the late read must end first */
        size_t count = r.count;
        ck_assert_uint_lt(count + 1, ANSWERS_MAX);
        usleep(1000);
        ask(&r, "hung", NULL);
        await(&r, count + 1);
    }
    reader_close(&r);
}
END_TEST

START_TEST(whoever_asks_meanwhile_gets_what_is_found)
{
    struct reader r;
    reader_open(&r);
    write_file(&r, "slow", "two");
    opens_hang("/slow");
    ask(&r, "slow", NULL);
    ask(&r, "slow", NULL);
    files_abandon(ask(&r, "slow", NULL));
    while (opens_hanging() == 0)
        usleep(1000);
    opens_hang(NULL);
    await(&r, 2);
    expect(&r, 0, 0, "two");
    expect(&r, 1, 0, "two");
    reader_close(&r);
}
END_TEST

static void on_work(uv_work_t *work)
{
    (void)work;
}

static void on_worked(uv_work_t *work, int status)
{
    int *worked = work->data;
    *worked = status == 0;
}

/* The journal stands there. */
START_TEST(files_that_hang_keep_nobody_out_of_the_pool)
{
    struct reader r;
    int worked = 0;
    uv_work_t work = {.data = &worked};
    char name[20];
    reader_open(&r);
    opens_hang("/hung");
    for (size_t i = 0; i < 10; i++) {
        snprintf(name, sizeof name, "hung%zu", i);
        files_abandon(ask(&r, name, NULL));
    }
    while (opens_hanging() < 10)
        usleep(1000);
    uv_queue_work(loop_uv(r.loop), &work, on_work, on_worked);
    while (!worked)
        uv_run(loop_uv(r.loop), UV_RUN_ONCE);
    opens_hang(NULL);
    reader_close(&r);
}
END_TEST

START_TEST(a_read_that_hangs_does_not_hold_the_end_up)
{
    struct reader r;
    reader_open(&r);
    opens_hang("/hung");
    ask(&r, "hung", NULL);
    await(&r, 1);
    reader_close(&r);
    ck_assert_int_eq(opens_hanging(), 1);
    opens_hang(NULL);
    while (opens_hanging() > 0)
        usleep(1000);
}
END_TEST

START_TEST(threads_that_are_lost_have_a_bound)
{
    enum { MORE_THAN_ALLOWED = 70 };
    struct reader r;
    char name[20];
    reader_open(&r);
    opens_hang("/hung");
    for (size_t i = 0; i < MORE_THAN_ALLOWED; i++) {
        snprintf(name, sizeof name, "hung%zu", i);
        ask(&r, name, NULL);
    }
    await(&r, MORE_THAN_ALLOWED);
    ck_assert_int_lt(opens_hanging(), MORE_THAN_ALLOWED);
    expect(&r, 0, EAGAIN, "-"); /* they are told first */
    unit_assert_has(r.answers[0].problem, "too many files");
    opens_hang(NULL);
    reader_close(&r);
}
END_TEST

UNIT_MAIN("files", files_are_read_and_what_is_none_says_why, a_fifo_holds_nobody,
          a_file_that_hangs_is_given_up_and_those_beside_it_are_read,
          a_path_that_hangs_is_waited_for_once, a_path_that_hung_is_read_again_when_it_answers,
          whoever_asks_meanwhile_gets_what_is_found, files_that_hang_keep_nobody_out_of_the_pool,
          a_read_that_hangs_does_not_hold_the_end_up, threads_that_are_lost_have_a_bound)
