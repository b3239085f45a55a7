/* See hanging_open.h. */
#include "tests/unit/hanging_open.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t let_go = PTHREAD_COND_INITIALIZER;
static const char *hanging;
static int waiting;

void opens_hang(const char *word)
{
    pthread_mutex_lock(&lock);
    hanging = word;
    pthread_cond_broadcast(&let_go);
    pthread_mutex_unlock(&lock);
}

int opens_hanging(void)
{
    pthread_mutex_lock(&lock);
    int count = waiting;
    pthread_mutex_unlock(&lock);
    return count;
}

static void wait_for_disk(const char *path)
{
    pthread_mutex_lock(&lock);
    waiting++;
    while (hanging && strstr(path, hanging))
        pthread_cond_wait(&let_go, &lock);
    waiting--;
    pthread_mutex_unlock(&lock);
}

int open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
    va_end(args);
    wait_for_disk(path);
    return openat(AT_FDCWD, path, flags, mode);
}
