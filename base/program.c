/* See program.h. Between fork() and exec the new process calls only what is safe there, as other
 * threads may have held any lock when it was made. It tells its errno by a pipe that exec closes,
 * which is read when it has ended: nothing has to be waited for. */
#include "base/program.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum {
    REPORT_FD = 3, /* in the new process, behind its stdio */
    NOT_RUN = 127, /* its exit code then, as a shell's */
    FDS_MAX = 1 << 16,
    LOST_MAX = 64,       /* killed and not dead yet: what hangs must have an end somewhere */
    LOST_OF_ONE_MAX = 2, /* of one command, which must not use up what others may need */
};

struct program {
    struct program *next; /* of the loop's */
    struct loop *loop;
    uv_signal_t child; /* SIGCHLD; each looks whether it is meant */
    pid_t pid;         /* not reaped yet, so the number is its own */
    int report;        /* the end to read of the pipe; -1: read to its end, it has begun */
    int error;         /* what was read there: it could not be run */
    char *command;     /* its words, to know it again */
    bool is_lost;      /* killed, and nobody's any more */
    program_fn done;
    void *data;
};

/* --- in the new process ----------------------------------------------------------------------- */

static _Noreturn void give_up(int report)
{
    int error = errno;
    while (write(report, &error, sizeof error) < 0 && errno == EINTR)
        ;
    _exit(NOT_RUN);
}

/* Clear of the numbers that are given out here. */
static int lift(int fd, int report)
{
    int lifted = fd > REPORT_FD ? fd : fcntl(fd, F_DUPFD, REPORT_FD + 1);
    if (lifted < 0)
        give_up(report);
    return lifted;
}

static void close_from(int first)
{
    struct rlimit limit;
#ifdef SYS_close_range
    if (syscall(SYS_close_range, first, ~0U, 0) == 0)
        return;
#endif
    int end = getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < FDS_MAX
                  ? (int)limit.rlim_cur
                  : FDS_MAX;
    for (int fd = first; fd < end; fd++)
        close(fd);
}

/* Its stdio and the pipe to tell an errno by, and nothing else. */
static void arrange_fds(const struct program_options *options, int report)
{
    int null = options->in < 0 ? open("/dev/null", O_RDONLY) : options->in;
    if (null < 0)
        give_up(report);
    report = lift(report, report);
    int in = lift(null, report);
    int out = lift(options->out, report);
    if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
        dup2(out, STDERR_FILENO) < 0 || dup3(report, REPORT_FD, O_CLOEXEC) < 0)
        give_up(report);
    close_from(REPORT_FD + 1);
}

/* Signals are blocked until here, and the handlers would be ours. */
static void forget_signals(void)
{
    enum { SIGNALS_END = 32 }; /* those behind it are the C library's */
    sigset_t none;
    for (int number = 1; number < SIGNALS_END; number++)
        signal(number, SIG_DFL); /* SIGKILL's and SIGSTOP's cannot be changed */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void become(const struct program_options *options, int report)
{
    setsid();
    arrange_fds(options, report);
    if (options->folder && chdir(options->folder) != 0)
        give_up(REPORT_FD);
    forget_signals();
    environ = (char **)options->environment;
    execvp(options->argv[0], (char *const *)options->argv);
    give_up(REPORT_FD);
}

/* --- its end ---------------------------------------------------------------------------------- */

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void program_free(struct program *program)
{
    struct program **at = loop_programs(program->loop);
    while (*at != program)
        at = &(*at)->next;
    *at = program->next;
    if (program->report >= 0)
        close(program->report);
    free(program->command);
    uv_close((uv_handle_t *)&program->child, on_closed);
}

/* Whether it has begun, or why it cannot; it may have told neither yet. */
static void read_report(struct program *program)
{
    int error;
    ssize_t got = program->report < 0 ? -1 : read(program->report, &error, sizeof error);
    if (got == sizeof error)
        program->error = error;
    if (got != 0 || program->error)
        return;
    close(program->report);
    program->report = -1;
}

static struct program_end end_of(struct program *program, const siginfo_t *info)
{
    bool has_exited = info->si_code == CLD_EXITED;
    read_report(program);
    return (struct program_end){.error = program->error,
                                .exit_code = has_exited ? info->si_status : -1,
                                .signal = has_exited ? 0 : info->si_status};
}

/* It is reaped last: until then its group cannot be anybody else's. */
static void on_child(uv_signal_t *child, int number)
{
    struct program *program = child->data;
    siginfo_t info = {0};
    (void)number;
    if (waitid(P_PID, (id_t)program->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
        info.si_pid == 0)
        return;
    struct program_end end = end_of(program, &info);
    if (!program->is_lost)
        program->done(program->data, &end);
    waitpid(program->pid, NULL, WNOHANG);
    program_free(program);
}

void program_signal(const struct program *program, int number)
{
    if (kill(-program->pid, number) != 0) /* it has not come to make its group yet */
        kill(program->pid, number);
}

bool program_has_begun(struct program *program)
{
    read_report(program);
    return program->report < 0;
}

struct program *program_abandon(struct program *program)
{
    if (!program)
        return NULL;
    program->is_lost = true;
    uv_unref((uv_handle_t *)&program->child);
    program_signal(program, SIGKILL);
    return NULL;
}

void programs_leave(struct loop *loop)
{
    while (*loop_programs(loop)) {
        struct program *program = *loop_programs(loop);
        waitpid(program->pid, NULL, WNOHANG);
        program_free(program);
    }
}

/* --- its beginning ---------------------------------------------------------------------------- */

/* A handler of ours that ran in the new process would write to the loop's own pipe. */
static pid_t make_process(const struct program_options *options, int report)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    if (pid == 0)
        become(options, report);
    int error = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return pid;
}

static char *command_of(const char *const *argv)
{
    char *command = mem_strdup("");
    for (; *argv; argv++) {
        char *longer = mem_printf("%s%s\n", command, *argv);
        free(command);
        command = longer;
    }
    return command;
}

static bool may_begin(struct loop *loop, const char *command)
{
    int lost = 0;
    int of_this = 0;
    for (const struct program *program = *loop_programs(loop); program; program = program->next) {
        lost += program->is_lost;
        of_this += program->is_lost && strcmp(program->command, command) == 0;
    }
    return lost < LOST_MAX && of_this < LOST_OF_ONE_MAX;
}

/* Whether there is a process; *ret_error if not. */
static bool begin(struct program *program, const struct program_options *options, int *ret_error)
{
    int report[2];
    *ret_error = may_begin(program->loop, program->command) ? 0 : EUSERS;
    if (*ret_error == 0 && pipe2(report, O_CLOEXEC | O_NONBLOCK) != 0)
        *ret_error = errno;
    if (*ret_error != 0)
        return false;
    program->report = report[0];
    program->pid = make_process(options, report[1]);
    if (program->pid < 0)
        *ret_error = errno;
    close(report[1]);
    return program->pid > 0;
}

struct program *program_start(struct loop *loop, const struct program_options *options,
                              program_fn done, void *data, int *ret_error)
{
    struct program *program = mem_new(sizeof *program);
    program->loop = loop;
    program->report = -1;
    program->command = command_of(options->argv);
    program->done = done;
    program->data = data;
    program->child.data = program;
    program->next = *loop_programs(loop);
    *loop_programs(loop) = program;
    uv_signal_init(loop_uv(loop), &program->child);
    uv_signal_start(&program->child, on_child, SIGCHLD); /* before it can end */
    if (begin(program, options, ret_error))
        return program;
    program_free(program);
    return NULL;
}

const char *program_problem(int error)
{
    return error == EUSERS
               ? "former ones were killed and have not ended yet, does its file system answer?"
               : uv_strerror(uv_translate_sys_error(error));
}
