/* Reading small local files away from the loop: what a person wrote (a compose file), and secrets.
 *
 * A file may lie on a file system that does not answer any more, and whoever reads it then waits
 * for as long as that lasts. So each path has a thread of its own, and none of libuv's pool, where
 * the journal would stand behind it; whoever asks waits FILES_LIMIT_MS at most; and there is one
 * read of a path at a time: who asks for the same one meanwhile gets what it finds, or, once it is
 * late, is told so at once.
 *
 * May use: threads, libuv.
 */
#ifndef BASE_FILES_H
#define BASE_FILES_H

#include "base/loop.h"

#include <stddef.h>

enum { FILES_LIMIT_MS = 1000 };

struct file {
    char *path;
    char *text; /* NUL-terminated; NULL when it could not be read */
    size_t len;
    int error; /* an errno then; EFBIG when it is larger than 1 MiB, ETIMEDOUT when it is late */
};

struct files;

/* Comes once from a loop callback, never from inside files_read; the files are borrowed, and their
 * texts are wiped afterwards. */
typedef void (*files_fn)(void *data, const struct file *files, size_t count);

/* The paths are taken over (they and their array are freed). Regular files only. */
struct files *files_read(struct loop *loop, char **paths, size_t count, files_fn done, void *data);

/* No callback comes any more; the reading ends by itself. Accepts NULL; returns NULL. Not to be
 * called after the callback has come. */
struct files *files_abandon(struct files *files);

/* Why a file has no text, for a person. */
const char *file_problem(const struct file *file);

/* The loop ends: reads that hang are left to their threads, which hold up nobody. For loop_free. */
void files_leave(struct loop *loop);

#endif
