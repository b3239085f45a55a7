/* See hanging_exec.h. */
#include "tests/unit/hanging_exec.h"

#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *hanging;
static bool are_deaf;
static int kept, last_kept;

void execs_hang(const char *word)
{
    hanging = word;
}

void kills_are_deaf(bool deaf)
{
    are_deaf = deaf;
    if (deaf)
        kept = 0;
}

int kills_kept(int *ret_pid)
{
    *ret_pid = last_kept;
    return kept;
}

int execvp(const char *file, char *const argv[])
{
    while (hanging && strstr(file, hanging))
        pause();
    return execvpe(file, argv, environ);
}

int kill(pid_t pid, int number)
{
    if (!are_deaf)
        return (int)syscall(SYS_kill, pid, number);
    kept++;
    last_kept = pid;
    return 0;
}
