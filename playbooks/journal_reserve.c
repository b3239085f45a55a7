/* See journal_reserve.h. */
#include "playbooks/journal_reserve.h"

#include "base/mem.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* A recovery of a dozen containers writes a megabyte; its end some kilobytes. */
enum { WHOLE = 2 << 20, LAST_PART = 256 << 10 };

struct reserve {
    int fd; /* -1: none could be made */
};

static off_t size_of(const struct reserve *reserve)
{
    struct stat status;
    return fstat(reserve->fd, &status) == 0 ? status.st_size : 0;
}

struct reserve *reserve_open(const char *journal_path)
{
    struct reserve *reserve = mem_new(sizeof *reserve);
    CLEANUP_FREE char *path = mem_printf("%s.reserve", journal_path);
    reserve->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    reserve_fill(reserve);
    return reserve;
}

/* On a disk that is nearly full it would be the reserve that fills it: what cannot be had whole is
 * given back, but for the last part. */
void reserve_fill(struct reserve *reserve)
{
    if (reserve->fd < 0 || size_of(reserve) >= WHOLE)
        return;
    if (posix_fallocate(reserve->fd, 0, WHOLE) == 0)
        return;
    if (ftruncate(reserve->fd, 0) == 0 && posix_fallocate(reserve->fd, 0, LAST_PART) != 0)
        (void)!ftruncate(reserve->fd, 0);
}

bool reserve_give(struct reserve *reserve, bool to_an_end)
{
    off_t keep = to_an_end ? 0 : LAST_PART;
    return reserve->fd >= 0 && size_of(reserve) > keep && ftruncate(reserve->fd, keep) == 0;
}

struct reserve *reserve_close(struct reserve *reserve)
{
    if (reserve && reserve->fd >= 0)
        close(reserve->fd);
    free(reserve);
    return NULL;
}
