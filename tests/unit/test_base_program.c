/* Programs that are started: what they are given, and that there is an end to those that hang. */
#include "base/program.h"

#include "tests/unit/hanging_exec.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

static const char *const environment[] = {"PATH=/usr/bin:/bin", "WORD=hello", NULL};

struct starter {
    struct loop *loop;
    struct program *program;
    int ends;
    struct program_end end;
    bool begun; /* as it was told with the end */
};

static void on_end(void *data, const struct program_end *end)
{
    struct starter *s = data;
    s->ends++;
    s->end = *end;
    s->begun = program_has_begun(s->program);
    s->program = NULL;
}

static int start(struct starter *s, const struct program_options *options)
{
    int error;
    s->program = program_start(s->loop, options, on_end, s, &error);
    ck_assert((s->program == NULL) == (error != 0));
    ck_assert_int_eq(s->ends, 0);
    return error;
}

/* What it prints with these arguments, its stdio being these files. */
static void run(struct starter *s, const char *script, int in, int out)
{
    const char *const argv[] = {"sh", "-c", script, NULL};
    *s = (struct starter){.loop = loop_new()};
    ck_assert_int_eq(start(s, &(struct program_options){.argv = argv,
                                                        .environment = environment,
                                                        .folder = "/usr",
                                                        .in = in,
                                                        .out = out}),
                     0);
    loop_run(s->loop);
    ck_assert_int_eq(s->ends, 1);
    loop_free(s->loop);
}

static char *text_of(int fd)
{
    char *text = mem_new(4096);
    ck_assert_int_ge(pread(fd, text, 4095, 0), 0);
    return text;
}

START_TEST(it_gets_its_words_its_folder_and_nothing_more)
{
    char path[] = "/tmp/program-XXXXXX";
    struct starter s;
    int open_here = open("/dev/null", O_RDONLY); /* not closed by exec: somebody forgot that */
    int out = mkostemp(path, O_CLOEXEC);
    signal(SIGPIPE, SIG_IGN);
    run(&s, "echo $WORD; pwd; ls /proc/self/fd | tr '\\n' ' '; cat; kill -PIPE $$", -1, out);
    CLEANUP_FREE char *text = text_of(out);
    ck_assert_str_eq(text, "hello\n/usr\n0 1 2 3 "); /* 3: ls looks at the folder */
    ck_assert_int_eq(s.end.signal, SIGPIPE);
    ck_assert_int_eq(s.end.exit_code, -1);
    ck_assert(s.begun);
    close(open_here);
    close(out);
    remove(path);
}
END_TEST

/* Which may be crossed, and among the numbers that they are to have. */
START_TEST(its_stdio_may_be_anywhere)
{
    char path[] = "/tmp/program-XXXXXX";
    struct starter s;
    int out = mkostemp(path, O_CLOEXEC);
    int in = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    int kept[3] = {dup(0), dup(1), dup(2)};
    dup2(out, 0);
    dup2(in, 1);
    run(&s, "head -c 3 | tr '\\0' z; echo oops >&2; exit 4", 1, 0);
    for (int i = 0; i < 3; i++)
        dup2(kept[i], i);
    CLEANUP_FREE char *text = text_of(out);
    ck_assert_str_eq(text, "zzzoops\n");
    ck_assert_int_eq(s.end.exit_code, 4);
    close(in);
    close(out);
    remove(path);
}
END_TEST

START_TEST(why_it_could_not_be_run_is_no_exit_code)
{
    static const struct {
        const char *program, *folder;
        int error;
    } table[] = {{"/no/such/program", NULL, ENOENT},
                 {"/etc/passwd", NULL, EACCES},
                 {"true", "/no/such/folder", ENOENT}};
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        const char *const argv[] = {table[i].program, NULL};
        struct starter s = {.loop = loop_new()};
        ck_assert_int_eq(start(&s, &(struct program_options){.argv = argv,
                                                             .environment = environment,
                                                             .folder = table[i].folder,
                                                             .in = -1,
                                                             .out = 2}),
                         0);
        loop_run(s.loop);
        ck_assert_int_eq(s.end.error, table[i].error);
        ck_assert(!s.begun);
        loop_free(s.loop);
    }
    struct starter s;
    run(&s, "exit 127", -1, 2); /* a program may end so by itself */
    ck_assert_int_eq(s.end.error, 0);
    ck_assert_int_eq(s.end.exit_code, 127);
}
END_TEST

#define PROBLEM "former ones were killed and have not ended yet, does its file system answer?"

START_TEST(so_many_that_do_not_die_are_enough)
{
    enum { ENOUGH = 64, ENOUGH_OF_ONE = 2 };
    char word[16];
    const char *const argv[] = {"/dead/page", word, NULL};
    const struct program_options options = {
        .argv = argv, .environment = environment, .in = -1, .out = 2};
    struct starter s = {.loop = loop_new()};
    execs_hang("/dead/");
    for (int i = 0; i < ENOUGH; i++) {
        snprintf(word, sizeof word, "%d", i / ENOUGH_OF_ONE);
        ck_assert_int_eq(start(&s, &options), 0);
        ck_assert(!program_has_begun(s.program));
        s.program = program_abandon(s.program);
        if (i == ENOUGH_OF_ONE - 1) { /* others still may, as the next turns show */
            int error = start(&s, &options);
            ck_assert_str_eq(program_problem(error), PROBLEM);
        }
    }
    snprintf(word, sizeof word, "another");
    int error = start(&s, &options);
    ck_assert_str_eq(program_problem(error), PROBLEM);
    loop_free(s.loop);
    for (int status; waitpid(-1, &status, 0) > 0;)
        ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    ck_assert_int_eq(s.ends, 0);
}
END_TEST

UNIT_MAIN("program", it_gets_its_words_its_folder_and_nothing_more, its_stdio_may_be_anywhere,
          why_it_could_not_be_run_is_no_exit_code, so_many_that_do_not_die_are_enough)
