/* Reading small local files away from the loop.
 *
 * May use: base, libuv's thread pool. Used by: stack_load.c.
 */
#ifndef DOCKER_FILES_H
#define DOCKER_FILES_H

#include "base/loop.h"

#include <stddef.h>

struct docker__file {
    char *path;
    char *text; /* NUL-terminated; NULL when it could not be read */
    size_t len;
    int error; /* an errno then; EFBIG when it is larger than 1 MiB */
};

struct docker__files;

/* Comes once from a loop callback, never from inside docker__files_read; the files are borrowed. */
typedef void (*docker__files_fn)(void *data, const struct docker__file *files, size_t count);

/* The paths are taken over (they and their array are freed). Regular files only. */
struct docker__files *docker__files_read(struct loop *loop, char **paths, size_t count,
                                         docker__files_fn done, void *data);

/* No callback comes any more; the reading ends by itself. Accepts NULL; returns NULL. Not to be
 * called after the callback has come. */
struct docker__files *docker__files_abandon(struct docker__files *files);

#endif
