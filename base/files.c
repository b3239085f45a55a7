/* See files.h. A thread touches nothing but its own `struct reading`, which it shares with the
 * loop: whoever lets go of it last frees it. */
#include "base/files.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>

enum {
    FILE_MAX = 1 << 20,
    READINGS_MAX = 64,          /* threads of one loop: what hangs must have an end somewhere */
    READING_STACK = 256 * 1024, /* of a thread that may hang for days */
};

struct waiter {
    struct files *files;
    size_t index; /* of its file */
};

/* One path that is being read. */
struct reading {
    struct reading *next;
    struct loop *loop;
    int64_t begun_ms;
    struct waiter *waiters;
    size_t waiter_count;
    uv_async_t over; /* from the thread: it has ended; keeps no loop from ending */
    pthread_mutex_t lock;
    bool has_loop; /* under the lock: `over` is there */
    atomic_bool has_ended;
    atomic_int holders;
    struct file file; /* the thread's until it has ended */
};

struct files {
    struct loop *loop;
    struct file *files;
    size_t count, pending;
    struct timer *timer; /* the limit; and then, at once, the answer */
    files_fn done;
    void *data;
};

/* --- on the thread ---------------------------------------------------------------------------- */

static int read_all(int fd, struct file *file)
{
    file->text = mem_new(FILE_MAX + 2);
    while (file->len <= FILE_MAX) {
        ssize_t got = read(fd, file->text + file->len, FILE_MAX + 1 - file->len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno;
        if (got == 0)
            return 0;
        file->len += (size_t)got;
    }
    return EFBIG;
}

/* It may have been a secret. */
static void wipe(struct file *file)
{
    if (file->text)
        explicit_bzero(file->text, file->len);
    free(file->text);
    file->text = NULL;
    file->len = 0;
}

static void read_file(struct file *file)
{
    struct stat status;
    /* A FIFO must not hold the thread; nor is there anything to read from a folder. */
    CLEANUP_CLOSE int fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &status) != 0)
        file->error = errno;
    else if (!S_ISREG(status.st_mode))
        file->error = S_ISDIR(status.st_mode) ? EISDIR : EINVAL;
    else
        file->error = read_all(fd, file);
    if (file->error)
        wipe(file);
}

static void reading_unhold(struct reading *reading)
{
    if (atomic_fetch_sub(&reading->holders, 1) > 1)
        return;
    wipe(&reading->file);
    pthread_mutex_destroy(&reading->lock);
    free(reading->file.path);
    free(reading->waiters);
    free(reading);
}

static void *on_thread(void *data)
{
    struct reading *reading = data;
    read_file(&reading->file);
    atomic_store(&reading->has_ended, true);
    pthread_mutex_lock(&reading->lock);
    if (reading->has_loop)
        uv_async_send(&reading->over);
    pthread_mutex_unlock(&reading->lock);
    reading_unhold(reading);
    return NULL;
}

/* --- one path, on the loop -------------------------------------------------------------------- */

static void on_over_closed(uv_handle_t *over)
{
    reading_unhold(over->data);
}

/* Its thread may be at it for long after. */
static void leave_loop(struct reading *reading)
{
    struct reading **at = loop_readings(reading->loop);
    while (*at != reading)
        at = &(*at)->next;
    *at = reading->next;
    pthread_mutex_lock(&reading->lock);
    reading->has_loop = false;
    pthread_mutex_unlock(&reading->lock);
    uv_close((uv_handle_t *)&reading->over, on_over_closed);
}

/* A copy for each who waits: their texts are wiped each for itself. */
static void hand_out(struct files *files, size_t index, const struct file *from)
{
    struct file *file = &files->files[index];
    file->error = from->error;
    file->len = from->len;
    if (from->text) {
        file->text = mem_new(from->len + 1);
        memcpy(file->text, from->text, from->len);
    }
    if (--files->pending == 0)
        timer_start(files->timer, 0);
}

static void on_over(uv_async_t *over)
{
    struct reading *reading = over->data;
    if (!atomic_load(&reading->has_ended)) /* libuv may wake without a reason */
        return;
    for (size_t i = 0; i < reading->waiter_count; i++)
        hand_out(reading->waiters[i].files, reading->waiters[i].index, &reading->file);
    leave_loop(reading);
}

/* Signals are for the threads that we have told to take them. */
static int begin_thread(struct reading *reading)
{
    pthread_t thread;
    pthread_attr_t attributes;
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, READING_STACK);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int problem = pthread_create(&thread, &attributes, on_thread, reading);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return problem;
}

/* The thread and the loop's handle hold it. */
static struct reading *reading_begin(struct loop *loop, const char *path, int *ret_problem)
{
    struct reading *reading = mem_new(sizeof *reading);
    reading->loop = loop;
    reading->begun_ms = loop_now(loop);
    reading->file.path = mem_strdup(path);
    reading->has_loop = true;
    pthread_mutex_init(&reading->lock, NULL);
    atomic_init(&reading->has_ended, false);
    atomic_init(&reading->holders, 2);
    uv_async_init(loop_uv(loop), &reading->over, on_over);
    uv_unref((uv_handle_t *)&reading->over);
    reading->over.data = reading;
    reading->next = *loop_readings(loop);
    *loop_readings(loop) = reading;
    *ret_problem = begin_thread(reading);
    if (*ret_problem == 0)
        return reading;
    leave_loop(reading);
    reading_unhold(reading); /* in the thread's place */
    return NULL;
}

static struct reading *find_reading(struct loop *loop, const char *path)
{
    for (struct reading *reading = *loop_readings(loop); reading; reading = reading->next)
        if (strcmp(reading->file.path, path) == 0)
            return reading;
    return NULL;
}

/* Whoever comes to a read that is late need not find that out once more. */
static bool is_late(const struct reading *reading)
{
    return loop_now(reading->loop) - reading->begun_ms >= FILES_LIMIT_MS;
}

static bool may_begin(struct loop *loop)
{
    size_t count = 0;
    for (const struct reading *reading = *loop_readings(loop); reading; reading = reading->next)
        count++;
    return count < READINGS_MAX;
}

static void await_path(struct files *files, size_t index)
{
    struct file *file = &files->files[index];
    struct reading *reading = find_reading(files->loop, file->path);
    if (reading && is_late(reading)) {
        file->error = ETIMEDOUT;
        return;
    }
    if (!reading && !may_begin(files->loop))
        file->error = EAGAIN;
    else if (!reading)
        reading = reading_begin(files->loop, file->path, &file->error);
    if (!reading)
        return;
    *MEM_PUSH(reading->waiters, reading->waiter_count) =
        (struct waiter){.files = files, .index = index};
    files->pending++;
}

/* --- who asks --------------------------------------------------------------------------------- */

/* Leaves what it waits for; what it has not got is late. */
static void give_up(struct files *files)
{
    for (struct reading *reading = *loop_readings(files->loop); reading; reading = reading->next) {
        size_t kept = 0;
        for (size_t i = 0; i < reading->waiter_count; i++) {
            if (reading->waiters[i].files == files)
                files->files[reading->waiters[i].index].error = ETIMEDOUT;
            else
                reading->waiters[kept++] = reading->waiters[i];
        }
        reading->waiter_count = kept;
    }
}

static void files_free(struct files *files)
{
    for (size_t i = 0; i < files->count; i++) {
        free(files->files[i].path);
        wipe(&files->files[i]);
    }
    timer_free(files->timer);
    free(files->files);
    free(files);
}

static void on_timer(void *data)
{
    struct files *files = data;
    give_up(files);
    files->done(files->data, files->files, files->count);
    files_free(files);
}

struct files *files_read(struct loop *loop, char **paths, size_t count, files_fn done, void *data)
{
    struct files *files = mem_new(sizeof *files);
    files->loop = loop;
    files->files = mem_new((count + 1) * sizeof *files->files);
    files->count = count;
    files->done = done;
    files->data = data;
    files->timer = timer_new(loop, on_timer, files);
    for (size_t i = 0; i < count; i++) {
        files->files[i].path = paths[i];
        await_path(files, i);
    }
    free(paths);
    timer_start(files->timer, files->pending > 0 ? FILES_LIMIT_MS : 0);
    return files;
}

struct files *files_abandon(struct files *files)
{
    if (!files)
        return NULL;
    give_up(files);
    files_free(files);
    return NULL;
}

const char *file_problem(const struct file *file)
{
    switch (file->error) {
    case ETIMEDOUT:
        return "it has not been read in time: does its file system answer?";
    case EAGAIN:
        return "not read, since too many files are waited for";
    default:
        return strerror(file->error);
    }
}

void files_leave(struct loop *loop)
{
    while (*loop_readings(loop))
        leave_loop(*loop_readings(loop));
}
