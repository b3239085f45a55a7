/* See files.h. The reads happen on a thread of libuv's pool, which touches nothing but its own
 * `struct docker__files`. */
#include "docker/files.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

enum { FILE_MAX = 1 << 20 };

struct docker__files {
    uv_work_t work;
    struct docker__file *files;
    size_t count;
    docker__files_fn done; /* NULL: abandoned */
    void *data;
};

static int read_all(int fd, struct docker__file *file)
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

static void read_file(struct docker__file *file)
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
    struct docker__files *files = work->data;
    for (size_t i = 0; i < files->count; i++)
        read_file(&files->files[i]);
}

static void on_read(uv_work_t *work, int status)
{
    struct docker__files *files = work->data;
    (void)status; /* nobody cancels the work */
    if (files->done)
        files->done(files->data, files->files, files->count);
    for (size_t i = 0; i < files->count; i++) {
        free(files->files[i].path);
        free(files->files[i].text);
    }
    free(files->files);
    free(files);
}

struct docker__files *docker__files_read(struct loop *loop, char **paths, size_t count,
                                         docker__files_fn done, void *data)
{
    struct docker__files *files = mem_new(sizeof *files);
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

struct docker__files *docker__files_abandon(struct docker__files *files)
{
    if (files)
        files->done = NULL;
    return NULL;
}
