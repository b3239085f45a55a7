/* See fault_point.h. The counter is a global: it belongs to the test, and not to the program. */
#include "base/fault_point.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef FAULT_POINTS

static atomic_long passed;

/* One write a line: they are in the order in which they were passed, on whatever thread. */
static void note(const char *name)
{
    const char *file = getenv("STACK_SUPERVISOR_FAULT_LOG");
    char line[100];
    int fd = file ? open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : -1;
    if (fd < 0)
        return;
    int len = snprintf(line, sizeof line, "%s\n", name);
    if (write(fd, line, (size_t)len) < 0)
        abort();
    close(fd);
}

void fault_point(const char *name)
{
    const char *wanted = getenv("STACK_SUPERVISOR_FAULT");
    const char *signal_name = getenv("STACK_SUPERVISOR_FAULT_SIGNAL");
    size_t len = strlen(name);
    note(name);
    if (!wanted || strncmp(wanted, name, len) != 0 || (wanted[len] && wanted[len] != ':'))
        return;
    long number = wanted[len] ? strtol(wanted + len + 1, NULL, 10) : 1;
    if (atomic_fetch_add(&passed, 1) + 1 == number)
        kill(getpid(), signal_name && strcmp(signal_name, "TERM") == 0 ? SIGTERM : SIGKILL);
}

#endif
