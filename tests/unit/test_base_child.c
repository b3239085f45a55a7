/* Programs that are run: their end, their output, and that none of them outlives its deadline. */
#include "base/child.h"

#include "base/clock.h"
#include "tests/unit/hanging_exec.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

struct runner {
    struct loop *loop;
    op_id id;
    int ends;
    struct err e;
    struct child_end end;
    char *output;
};

static void on_end(void *data, const struct err *e, const struct child_end *end)
{
    struct runner *r = data;
    r->ends++;
    err_copy(&r->e, e);
    ck_assert((e == NULL) == (end != NULL));
    if (end) {
        r->end = *end;
        mem_replace(&r->output, end->output);
    }
    loop_stop(r->loop);
}

static void run(struct runner *r, int64_t deadline_ms, const char *const *argv)
{
    static const char *const environment[] = {"PATH=/usr/bin:/bin", "WORD=hello", NULL};
    *r = (struct runner){.loop = loop_new()};
    struct child child = {.argv = argv, .environment = environment, .deadline_ms = deadline_ms};
    r->id = child_run(r->loop, &child, on_end, r);
    ck_assert_int_eq(r->ends, 0);
}

static bool has_child(void)
{
    siginfo_t info;
    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

static void on_turn(void *data)
{
    (void)data;
}

/* With what was killed: the loop's end does not wait for it, but a loop that goes on reaps it. */
static void finish(struct runner *r)
{
    struct timer *turn = timer_new(r->loop, on_turn, NULL);
    while (r->ends == 0)
        loop_run(r->loop);
    for (int i = 0; i < 1000 && has_child(); i++) {
        timer_start(turn, 10);
        uv_run(loop_uv(r->loop), UV_RUN_ONCE);
    }
    ck_assert(!has_child());
    timer_free(turn);
    loop_free(r->loop);
    ck_assert_int_eq(r->ends, 1);
}

#define SHELL(script) ((const char *const[]){"/bin/sh", "-c", (script), NULL})

START_TEST(the_exit_code_and_the_output_are_told)
{
    struct runner r;
    run(&r, 10000, SHELL("echo $WORD; echo oops >&2; exit 3"));
    finish(&r);
    ck_assert_int_eq(r.e.code, ERR_NONE);
    ck_assert_int_eq(r.end.exit_code, 3);
    ck_assert_int_eq(r.end.signal, 0);
    ck_assert_str_eq(r.output, "hello\noops\n");
    free(r.output);
}
END_TEST

START_TEST(nothing_is_inherited)
{
    struct runner r;
    setenv("SECRET", "x", 1);
    run(&r, 10000, SHELL("echo ${SECRET:-none}; cat"));
    finish(&r);
    ck_assert_str_eq(r.output, "none\n");
    free(r.output);
}
END_TEST

START_TEST(of_much_output_the_last_is_kept)
{
    struct runner r;
    run(&r, 10000, SHELL("i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done"));
    finish(&r);
    ck_assert_uint_le(strlen(r.output), 4096);
    unit_assert_has(r.output, "line 2998\nline 2999\n");
    unit_assert_lacks(r.output, "line 1\n");
    free(r.output);
}
END_TEST

START_TEST(a_signal_is_told_as_one)
{
    struct runner r;
    run(&r, 10000, SHELL("kill -TERM $$"));
    finish(&r);
    ck_assert_int_eq(r.end.signal, SIGTERM);
    ck_assert_int_eq(r.end.exit_code, -1);
    free(r.output);
}
END_TEST

START_TEST(a_program_that_is_not_there_is_an_error)
{
    struct runner r;
    run(&r, 10000, (const char *const[]){"no-such-program", NULL});
    finish(&r);
    ck_assert_int_eq(r.e.code, ERR_NOT_FOUND);
    ck_assert_str_eq(r.e.text, "no-such-program: cannot be run: no such file or directory");
    run(&r, 10000, (const char *const[]){"/etc/passwd", NULL});
    finish(&r);
    ck_assert_int_eq(r.e.code, ERR_PERMISSION);
}
END_TEST

/* Reads the number that the script wrote to the file. */
static pid_t pid_in(const char *path)
{
    FILE *in = fopen(path, "r");
    int pid = 0;
    if (in && fscanf(in, "%d", &pid) != 1)
        pid = 0;
    if (in)
        fclose(in);
    return pid;
}

static void expect_dead(pid_t pid)
{
    ck_assert_int_gt(pid, 0);
    for (int i = 0; i < 1000 && kill(pid, 0) == 0; i++)
        usleep(10000); /* who adopted it has to reap it */
    ck_assert_int_eq(kill(pid, 0), -1);
    ck_assert_int_eq(errno, ESRCH);
}

START_TEST(at_the_deadline_the_whole_group_is_killed)
{
    char path[] = "/tmp/child-XXXXXX";
    struct runner r;
    close(mkstemp(path));
    CLEANUP_FREE char *script =
        mem_printf("trap '' TERM; sleep 600 & echo $! > %s; wait; sleep 600", path);
    run(&r, 500, SHELL(script));
    finish(&r);
    ck_assert_int_eq(r.e.code, ERR_TIMEOUT);
    unit_assert_has(r.e.text, "/bin/sh: no answer within 500ms");
    expect_dead(pid_in(path));
    remove(path);
}
END_TEST

START_TEST(a_cancelled_one_is_killed)
{
    struct runner r;
    run(&r, 600000, SHELL("sleep 600"));
    op_cancel(r.loop, r.id);
    ck_assert_int_eq(r.ends, 0);
    finish(&r);
    ck_assert_int_eq(r.e.code, ERR_CANCELLED);
}
END_TEST

START_TEST(what_it_leaves_running_does_not_keep_us_waiting)
{
    struct runner r;
    int64_t begin = clock_mono_ms();
    run(&r, 60000, SHELL("sleep 20 & echo left"));
    finish(&r);
    ck_assert_str_eq(r.output, "left\n");
    ck_assert_int_lt(clock_mono_ms() - begin, 10000);
    free(r.output);
}
END_TEST

/* The program is on a file server that is dead: its execve does not return. */
START_TEST(one_that_cannot_begin_holds_up_nobody)
{
    struct runner r;
    int64_t begin = clock_mono_ms();
    execs_hang("/dead/");
    run(&r, 500, (const char *const[]){"/dead/check", NULL});
    ck_assert_int_lt(clock_mono_ms() - begin, 400);
    finish(&r);
    execs_hang(NULL);
    ck_assert_int_eq(r.e.code, ERR_TIMEOUT);
    ck_assert_str_eq(r.e.text, "/dead/check: no answer within 500ms: it has not begun yet, does "
                               "its file system answer?");
}
END_TEST

/* It is none of ours to hold open what the next life needs: a lock, a port. */
START_TEST(one_that_cannot_begin_holds_nothing_of_ours)
{
    struct runner r;
    int ends[2];
    char byte;
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    execs_hang("/dead/");
    run(&r, 2000, (const char *const[]){"/dead/check", NULL});
    close(ends[1]);
    struct pollfd end = {.fd = ends[0], .events = POLLIN};
    ck_assert_int_eq(poll(&end, 1, 1500), 1);
    ck_assert_int_eq(read(ends[0], &byte, 1), 0);
    close(ends[0]);
    finish(&r);
    execs_hang(NULL);
    ck_assert_int_eq(r.e.code, ERR_TIMEOUT);
}
END_TEST

/* SIGKILL reaches no process whose disk is dead. */
START_TEST(one_that_cannot_be_killed_keeps_no_loop_from_ending)
{
    struct runner r;
    int group = 0;
    execs_hang("/dead/");
    run(&r, 300, (const char *const[]){"/dead/check", NULL});
    kills_are_deaf(true);
    while (r.ends == 0)
        loop_run(r.loop);
    loop_free(r.loop);
    kills_are_deaf(false);
    execs_hang(NULL);
    ck_assert_int_eq(r.e.code, ERR_TIMEOUT);
    ck_assert_int_ge(kills_kept(&group), 1);
    ck_assert_int_eq(waitpid(-group, NULL, WNOHANG), 0); /* there it is */
    ck_assert_int_eq(kill(-group, SIGKILL), 0);
    ck_assert_int_eq(waitpid(-group, NULL, 0), -group);
}
END_TEST

UNIT_MAIN("child", the_exit_code_and_the_output_are_told, nothing_is_inherited,
          of_much_output_the_last_is_kept, a_signal_is_told_as_one,
          a_program_that_is_not_there_is_an_error, at_the_deadline_the_whole_group_is_killed,
          a_cancelled_one_is_killed, what_it_leaves_running_does_not_keep_us_waiting,
          one_that_cannot_begin_holds_up_nobody, one_that_cannot_begin_holds_nothing_of_ours,
          one_that_cannot_be_killed_keeps_no_loop_from_ending)
