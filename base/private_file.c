/* See private_file.h. */
#include "base/private_file.h"

#include "base/credential.h"
#include "base/mem.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum { CONTENT_MAX = 64 << 10 };

struct private_file {
    char *source;
    char *path; /* the source, or the copy's */
    int copy;   /* a descriptor, or -1 */
};

/* Whether it is the mode of one user's own credential, as the ACL's mask makes it look. */
static bool looks_shared(int fd, const char *path)
{
    struct stat file;
    return credential_is_one(path) && fstat(fd, &file) == 0 && S_ISREG(file.st_mode) &&
           (file.st_mode & (S_IRWXG | S_IRWXO)) == S_IRGRP;
}

/* A descriptor of the copy, or -1. */
static int copy_of(int fd)
{
    char content[4096];
    ssize_t len;
    size_t total = 0;
    int copy = memfd_create("credential", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    bool fine = copy >= 0 && fchmod(copy, S_IRUSR) == 0;
    while (fine && (len = read(fd, content, sizeof content)) != 0) {
        total += len > 0 ? (size_t)len : 0;
        fine = len > 0 && total <= CONTENT_MAX && write(copy, content, (size_t)len) == len;
    }
    explicit_bzero(content, sizeof content);
    fine = fine && fcntl(copy, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK) == 0;
    if (!fine && copy >= 0)
        close(copy);
    return fine ? copy : -1;
}

struct private_file *private_file_new(const char *path)
{
    if (!path)
        return NULL;
    struct private_file *file = mem_new(sizeof *file);
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    file->source = mem_strdup(path);
    file->copy = fd >= 0 && looks_shared(fd, path) ? copy_of(fd) : -1;
    file->path = file->copy >= 0 ? mem_printf("/proc/self/fd/%d", file->copy) : mem_strdup(path);
    return file;
}

struct private_file *private_file_free(struct private_file *file)
{
    if (!file)
        return NULL;
    if (file->copy >= 0)
        close(file->copy);
    free(file->source);
    free(file->path);
    free(file);
    return NULL;
}

const char *private_file_path(const struct private_file *file)
{
    return file ? file->path : NULL;
}

void private_file_replace(struct private_file **slot, const char *path)
{
    if (*slot && path && strcmp((*slot)->source, path) == 0)
        return;
    private_file_free(*slot);
    *slot = private_file_new(path);
}
