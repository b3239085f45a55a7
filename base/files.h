/* Reading small local files away from the loop: what a person wrote (a compose file), and secrets.
 *
 * May use: libuv's thread pool. Used by: everybody with a loop.
 */
#ifndef BASE_FILES_H
#define BASE_FILES_H

#include "base/loop.h"

#include <stddef.h>

struct file {
    char *path;
    char *text; /* NUL-terminated; NULL when it could not be read */
    size_t len;
    int error; /* an errno then; EFBIG when it is larger than 1 MiB */
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

#endif
