/* One run a stack: who holds the lock, who is told of it, and who cannot hold it. */
#include "playbooks/stack_lock.h"

#include "tests/unit/unit.h"

#include <grp.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { NOBODY = 65534, ENGINE_GROUP = 64999 };

static char scope[32];
static char engine[40]; /* stands for the Engine's socket: it is its owner and mode that count */
static char host[60];

static void set_up(void)
{
    snprintf(scope, sizeof scope, "test-lock-%d", (int)getpid());
    snprintf(engine, sizeof engine, "/tmp/engine-XXXXXX");
    int fd = mkstemp(engine);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fchmod(fd, 0660), 0);
    close(fd);
    snprintf(host, sizeof host, "unix://%s", engine);
}

static void tear_down(void)
{
    remove(engine);
}

static int take_of(const char *database, const char *project, struct err *e)
{
    const struct stack_lock_name name = {
        .scope = scope, .database = database, .project = project, .docker_host = host};
    int fd = -1;
    int status = stack_lock_take(&name, &fd, e);
    ck_assert((status == 0) == (fd >= 0));
    return fd;
}

static int take(const char *database, struct err *e)
{
    return take_of(database, "shop", e);
}

/* --- a holder in a process of its own --------------------------------------------------------- */

struct holder {
    pid_t pid;
    int end; /* closing it ends the process */
};

static void hold_and_wait(uid_t uid, gid_t more, int told, int end)
{
    struct err e;
    char byte = 0;
    bool became =
        uid == 0 || (setgroups(more ? 1 : 0, &more) == 0 && setgid(uid) == 0 && setuid(uid) == 0);
    if (!became || take("db", &e) < 0 || write(told, &byte, 1) != 1)
        _exit(1);
    while (read(end, &byte, 1) > 0)
        continue;
    _exit(0);
}

/* It holds the lock of "db" when this returns; `more` is a group of it, or 0. */
static struct holder holder_start(uid_t uid, gid_t more)
{
    int told[2];
    int end[2];
    char byte;
    ck_assert(pipe(told) == 0 && pipe(end) == 0);
    struct holder holder = {.pid = fork(), .end = end[1]};
    ck_assert_int_ge(holder.pid, 0);
    if (holder.pid == 0) {
        close(end[1]);
        hold_and_wait(uid, more, told[1], end[0]);
    }
    close(told[1]);
    close(end[0]);
    ck_assert_int_eq(read(told[0], &byte, 1), 1);
    close(told[0]);
    return holder;
}

static void holder_end(const struct holder *holder)
{
    int status;
    close(holder->end);
    ck_assert_int_eq(waitpid(holder->pid, &status, 0), holder->pid);
    ck_assert_int_eq(status, 0);
}

static bool is_root(void)
{
    return geteuid() == 0; /* else nobody else can be become */
}

/* --- the tests -------------------------------------------------------------------------------- */

START_TEST(a_stack_is_one_supervisors_at_a_time)
{
    struct err e;
    struct holder holder = holder_start(0, 0);
    CLEANUP_FREE char *who = mem_printf("(pid %d)", (int)holder.pid);
    ck_assert_int_eq(take("db", &e), -1);
    ck_assert_int_eq(e.code, ERR_CONFLICT);
    unit_assert_has(e.text, who);
    ck_assert(*e.hint);
    holder_end(&holder);
    int fd = take("db", &e);
    ck_assert_int_ge(fd, 0);
    close(fd);
}
END_TEST

START_TEST(other_stacks_are_free)
{
    struct err e;
    int fds[] = {take("db", &e), take("other", &e), take_of(NULL, "shop", &e),
                 take_of(NULL, "blog", &e)};
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        ck_assert_int_ge(fds[i], 0);
    ck_assert_int_eq(take_of(NULL, "blog", &e), -1);
    ck_assert_int_eq(e.code, ERR_CONFLICT);
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        close(fds[i]);
}
END_TEST

START_TEST(a_long_name_is_one_too)
{
    char id[65];
    struct err e;
    memset(id, 'a', sizeof id - 1);
    id[64] = '\0';
    int fd = take(id, &e);
    ck_assert_int_eq(take(id, &e), -1);
    id[63] = 'b';
    int other = take(id, &e);
    ck_assert(fd >= 0 && other >= 0);
    close(fd);
    close(other);
}
END_TEST

/* Whoever has an account on the machine must not be able to keep a stack from being recovered. */
START_TEST(who_may_not_use_the_engine_keeps_nobody_off)
{
    struct err e;
    if (!is_root())
        return;
    struct holder holder = holder_start(NOBODY, 0);
    ck_assert_int_eq(take("db", &e), -1);
    ck_assert_int_eq(e.code, ERR_FAILED);
    unit_assert_has(e.text, "may not use the Engine");
    holder_end(&holder);
}
END_TEST

START_TEST(another_user_who_may_use_the_engine_counts)
{
    struct err e;
    if (!is_root())
        return;
    ck_assert_int_eq(chown(engine, 0, ENGINE_GROUP), 0);
    struct holder holder = holder_start(NOBODY, ENGINE_GROUP);
    ck_assert_int_eq(take("db", &e), -1);
    ck_assert_int_eq(e.code, ERR_CONFLICT);
    holder_end(&holder);
}
END_TEST

UNIT_MAIN_WITH("stack lock", set_up, tear_down, a_stack_is_one_supervisors_at_a_time,
               other_stacks_are_free, a_long_name_is_one_too,
               who_may_not_use_the_engine_keeps_nobody_off,
               another_user_who_may_use_the_engine_counts)
