/* Commands: what they are given, what becomes of their failures, and that no process is left. */
#include "base/clock.h"
#include "tests/unit/hanging_exec.h"
#include "tests/unit/notify_fixture.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* A receiver whose command is a script of the test; the arguments are "--now" and "a b". */
static void start_with(struct owner *owner, const char *script, const char *timeout)
{
    CLEANUP_FREE char *text = mem_printf("#!/bin/sh\nF=%s\n%s\n", owner->folder, script);
    CLEANUP_FREE char *path = owner_file(owner, "hook", text);
    CLEANUP_FREE char *yaml =
        mem_printf("- {name: pager, exec: [%s, --now, 'a b'], timeout: %s}", path, timeout);
    ck_assert_int_eq(chmod(path, 0700), 0);
    owner->limits.retry_first_ms = 5;
    owner->limits.retry_max_ms = 5;
    owner_start(owner, yaml, 0);
}

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

static bool is_alive(const struct owner *owner, const char *name)
{
    CLEANUP_FREE char *text = content(owner, name);
    pid_t pid = (pid_t)strtol(text, NULL, 10);
    ck_assert_int_gt(pid, 1);
    CLEANUP_FREE char *path = mem_printf("/proc/%d/stat", pid);
    char state = 'X';
    FILE *file = fopen(path, "r");
    if (file) {
        if (fscanf(file, "%*d %*s %c", &state) != 1)
            state = 'X';
        fclose(file);
    }
    return state != 'X' && state != 'Z'; /* a zombie waits for a parent that is not us */
}

static bool exists(const struct owner *owner, const char *name)
{
    CLEANUP_FREE char *path = mem_printf("%s/%s", owner->folder, name);
    return access(path, F_OK) == 0;
}

START_TEST(a_command_gets_words_and_json)
{
    struct owner owner;
    owner_open(&owner);
    setenv("PGPASSWORD", "geheim", 1);
    start_with(&owner, "cat < /dev/stdin > $F/in; env > $F/env; printf '%s|' \"$@\" > $F/args",
               "10s");
    tell(&owner, "k", "handed-over", "critical", "leaking: a \"person\"\nis; needed");
    AWAIT(&owner, number_of(&owner, "sent") == 1);
    CLEANUP_FREE char *in = content(&owner, "in");
    CLEANUP_FREE char *env = content(&owner, "env");
    CLEANUP_FREE char *args = content(&owner, "args");
    CLEANUP_JSON json_t *body = json_loads(in, 0, NULL);
    ck_assert_str_eq(args, "--now|a b|");
    ck_assert_str_eq(json_text_at(body, "kind", ""), "handed-over");
    unit_assert_has(env, "STACK_SUPERVISOR_EVENT=handed-over\n");
    unit_assert_has(env, "STACK_SUPERVISOR_INCIDENT=12\n");
    unit_assert_has(env, "STACK_SUPERVISOR_POLICY=leaking\n");
    unit_assert_has(env, "STACK_SUPERVISOR_PLAYBOOK=clean\n");
    unit_assert_has(env, "STACK_SUPERVISOR_SEVERITY=critical\n");
    unit_assert_has(env, "STACK_SUPERVISOR_STACK=shop\n");
    unit_assert_has(env, "STACK_SUPERVISOR_RUN=\n");
    unit_assert_has(env,
                    "STACK_SUPERVISOR_TEXT=[shop] handed-over: leaking: a \"person\" is; needed\n");
    unit_assert_lacks(env, "geheim");
    unsetenv("PGPASSWORD");
    owner_close(&owner);
}
END_TEST

START_TEST(a_command_may_leave_its_input_unread)
{
    struct owner owner;
    owner_open(&owner);
    start_with(&owner, "exec <&-; exit 0", "10s");
    for (int i = 0; i < 5; i++)
        tell(&owner, NULL, "handed-over", "critical", "x");
    AWAIT(&owner, number_of(&owner, "sent") == 5);
    ck_assert_int_eq(number_of(&owner, "failed"), 0);
    owner_close(&owner);
}
END_TEST

START_TEST(a_failure_is_told_with_the_last_words_and_tried_again)
{
    struct owner owner;
    owner_open(&owner);
    start_with(&owner,
               "if mkdir $F/second 2>/dev/null; then\n"
               "  i=0; while [ $i -lt 3000 ]; do echo noise $i; i=$((i+1)); done\n"
               "  echo 'no such pager' >&2; exit 3\n"
               "fi",
               "10s");
    tell(&owner, "k", "handed-over", "critical", "x");
    AWAIT(&owner, number_of(&owner, "sent") == 1);
    ck_assert_int_eq(number_of(&owner, "failed"), 1);
    unit_assert_has(buf_text(&owner.log), "/hook: exit status 3: ");
    unit_assert_has(buf_text(&owner.log), "noise 2999 no such pager\n");
    unit_assert_lacks(buf_text(&owner.log), "noise 2800 ");
    owner_close(&owner);
}
END_TEST

START_TEST(a_signal_and_a_missing_command_are_told)
{
    struct owner owner;
    owner_open(&owner);
    start_with(&owner, "kill -9 $$", "10s");
    tell(&owner, "k", "handed-over", "critical", "x");
    AWAIT(&owner, number_of(&owner, "failed") >= 1);
    unit_assert_has(buf_text(&owner.log), "was ended by signal 9");
    CLEANUP_FREE char *path = mem_printf("%s/hook", owner.folder);
    ck_assert_int_eq(remove(path), 0);
    AWAIT(&owner, error_has(&owner, "cannot be run: no such file or directory"));
    owner_close(&owner);
}
END_TEST

START_TEST(one_that_hangs_is_ended_with_all_its_group)
{
    struct owner owner;
    owner_open(&owner);
    /* The first try: deaf to SIGTERM, and so is its child. */
    start_with(&owner,
               "mkdir $F/once 2>/dev/null || exit 0\n"
               "trap '' TERM\n"
               "sh -c 'trap \"\" TERM; echo $$ > '$F/child'; while :; do sleep 1; done' &\n"
               "echo $$ > $F/leader\n"
               "while :; do sleep 1; done",
               "500ms");
    int64_t begin_ms = clock_mono_ms();
    tell(&owner, "k", "handed-over", "critical", "x");
    AWAIT(&owner, number_of(&owner, "failed") == 1);
    ck_assert_int_ge(clock_mono_ms() - begin_ms, 500);
    CLEANUP_FREE char *error = error_of(&owner);
    unit_assert_has(error, "did not end within 500ms and was killed");
    AWAIT(&owner, !is_alive(&owner, "child"));
    ck_assert(!is_alive(&owner, "leader"));
    AWAIT(&owner, number_of(&owner, "sent") == 1);
    owner_close(&owner);
}
END_TEST

START_TEST(a_polite_one_is_told_first)
{
    struct owner owner;
    owner_open(&owner);
    start_with(&owner,
               "mkdir $F/once 2>/dev/null || exit 0\n"
               "trap 'touch $F/told; exit 0' TERM\n"
               "sh -c 'trap \"\" TERM; echo $$ > '$F/child'; while :; do sleep 1; done' &\n"
               "while :; do sleep 0.01; done",
               "500ms");
    tell(&owner, "k", "handed-over", "critical", "x");
    AWAIT(&owner, number_of(&owner, "failed") == 1); /* exit status 0, and yet too late */
    ck_assert(exists(&owner, "told"));
    AWAIT(&owner, !is_alive(&owner, "child"));
    owner_close(&owner);
}
END_TEST

START_TEST(the_daemons_end_leaves_nothing_behind)
{
    struct owner owner;
    owner_open(&owner);
    start_with(&owner, "echo $$ > $F/leader.new; mv $F/leader.new $F/leader; exec sleep 1000",
               "60s");
    tell(&owner, "k", "handed-over", "critical", "x");
    AWAIT(&owner, exists(&owner, "leader"));
    owner.notify = notify_free(owner.notify);
    AWAIT(&owner, !is_alive(&owner, "leader"));
    ck_assert_uint_eq(json_object_size(owner.rows), 2); /* it is tried again in the next life */
    owner_close(&owner);
}
END_TEST

START_TEST(what_a_command_leaves_running_on_purpose_holds_nothing_up)
{
    struct owner owner;
    owner_open(&owner);
    start_with(&owner, "sleep 1000 &\necho $! > $F/child", "60s");
    tell(&owner, "k", "handed-over", "critical", "x");
    AWAIT(&owner, number_of(&owner, "sent") == 1);
    ck_assert(is_alive(&owner, "child"));
    CLEANUP_FREE char *text = content(&owner, "child");
    kill((pid_t)strtol(text, NULL, 10), SIGKILL);
    owner_close(&owner);
}
END_TEST

/* The command is on a file server that is dead; when that answers again, it is run. */
START_TEST(one_whose_file_system_hangs_holds_up_nobody)
{
    struct owner owner;
    owner_open(&owner);
    start_with(&owner, "exit 0", "500ms");
    CLEANUP_FREE char *path = mem_printf("%s/hook", owner.folder);
    execs_hang(path);
    int64_t begin_ms = clock_mono_ms();
    tell(&owner, "k", "handed-over", "critical", "x");
    uv_run(loop_uv(owner.loop), UV_RUN_NOWAIT);
    ck_assert_int_lt(clock_mono_ms() - begin_ms, 400);
    AWAIT(&owner, number_of(&owner, "failed") == 1);
    CLEANUP_FREE char *error = error_of(&owner);
    unit_assert_has(error, "had not begun within 500ms and was killed: does its file system "
                           "answer?");
    execs_hang(NULL);
    AWAIT(&owner, number_of(&owner, "sent") == 1);
    owner_close(&owner);
}
END_TEST

START_TEST(one_whose_file_system_hangs_does_not_hold_up_the_daemons_end)
{
    struct owner owner;
    owner_open(&owner);
    start_with(&owner, "exit 0", "60s");
    execs_hang("/hook");
    tell(&owner, "k", "handed-over", "critical", "x");
    uv_run(loop_uv(owner.loop), UV_RUN_NOWAIT);
    kills_are_deaf(true);
    int64_t begin_ms = clock_mono_ms();
    int group = 0;
    owner_close(&owner);
    ck_assert_int_lt(clock_mono_ms() - begin_ms, 5000);
    kills_are_deaf(false);
    execs_hang(NULL);
    ck_assert_int_ge(kills_kept(&group), 1);
    ck_assert_int_eq(waitpid(-group, NULL, WNOHANG), 0); /* there it is */
    ck_assert_int_eq(kill(-group, SIGKILL), 0);
}
END_TEST

UNIT_MAIN("notify_hook", a_command_gets_words_and_json, a_command_may_leave_its_input_unread,
          a_failure_is_told_with_the_last_words_and_tried_again,
          a_signal_and_a_missing_command_are_told, one_that_hangs_is_ended_with_all_its_group,
          a_polite_one_is_told_first, the_daemons_end_leaves_nothing_behind,
          what_a_command_leaves_running_on_purpose_holds_nothing_up,
          one_whose_file_system_hangs_holds_up_nobody,
          one_whose_file_system_hangs_does_not_hold_up_the_daemons_end)
