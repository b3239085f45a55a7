/* See files.h. The reads happen on a thread of libuv's pool, which touches nothing but its own
 * `struct files`. */
#include "base/files.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum { FILE_MAX = 1 << 20 };

struct files {
    uv_work_t work;
    struct file *files;
    size_t count;
    files_fn done; /* NULL: abandoned */
    void *data;
};

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
    if (file->error) {
        free(file->text);
        file->text = NULL;
    }
}

static void on_thread(uv_work_t *work)
{
    struct files *files = work->data;
    for (size_t i = 0; i < files->count; i++)
        read_file(&files->files[i]);
}

/* It may have been a secret. */
static void wipe(struct file *file)
{
    if (file->text)
        explicit_bzero(file->text, file->len);
    free(file->text);
}

static void on_read(uv_work_t *work, int status)
{
    struct files *files = work->data;
    (void)status; /* nobody cancels the work */
    if (files->done)
        files->done(files->data, files->files, files->count);
    for (size_t i = 0; i < files->count; i++) {
        free(files->files[i].path);
        wipe(&files->files[i]);
    }
    free(files->files);
    free(files);
}

struct files *files_read(struct loop *loop, char **paths, size_t count, files_fn done, void *data)
{
    struct files *files = mem_new(sizeof *files);
    files->files = mem_new(count * sizeof *files->files);
    files->count = count;
    files->done = done;
    files->data = data;
    files->work.data = files;
    for (size_t i = 0; i < count; i++)
        files->files[i].path = paths[i];
    free(paths);
    uv_queue_work(loop_uv(loop), &files->work, on_thread, on_read);
    return files;
}

struct files *files_abandon(struct files *files)
{
    if (files)
        files->done = NULL;
    return NULL;
}
