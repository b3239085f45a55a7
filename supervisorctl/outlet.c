/* See outlet.h. */
#include "supervisorctl/outlet.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/nowait.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <sys/stat.h>

struct channel {
    int fd;
    struct buf held;
    bool failed; /* nobody will take any more: what comes is dropped */
};

struct tap { /* a stream of ours in the place of another */
    FILE **place;
    FILE *before;
    FILE *stream;
};

struct outlet {
    struct channel channels[2]; /* one alone when both streams go to the same place */
    struct tap out, messages;
};

/* --- a channel -------------------------------------------------------------------------------- */

static void pass_on(struct channel *channel)
{
    if (channel->held.len == 0)
        return;
    ssize_t taken = nowait_write(channel->fd, channel->held.data, channel->held.len);
    channel->failed = channel->failed || taken < 0;
    buf_consume(&channel->held, taken < 0 ? channel->held.len : (size_t)taken);
}

/* Here and only here it is waited. */
static void pass_on_all(struct channel *channel)
{
    size_t done = 0;
    while (done < channel->held.len && !channel->failed) {
        ssize_t taken = write(channel->fd, channel->held.data + done, channel->held.len - done);
        struct pollfd room = {.fd = channel->fd, .events = POLLOUT};
        if (taken >= 0)
            done += (size_t)taken;
        else if (errno == EAGAIN) /* somebody else set O_NONBLOCK on it */
            poll(&room, 1, -1);
        else
            channel->failed = errno != EINTR;
    }
    buf_free(&channel->held);
}

static ssize_t on_print(void *cookie, const char *bytes, size_t len)
{
    struct channel *channel = cookie;
    if (channel->failed)
        return (ssize_t)len;
    buf_add(&channel->held, bytes, len);
    pass_on(channel);
    return (ssize_t)len;
}

/* --- streams ---------------------------------------------------------------------------------- */

static void tap_open(struct tap *tap, FILE **place, struct channel *channel, int mode)
{
    const cookie_io_functions_t functions = {.write = on_print};
    FILE *stream = fopencookie(channel, "w", functions);
    if (!stream)
        mem_exhausted();
    setvbuf(stream, NULL, mode, BUFSIZ);
    *tap = (struct tap){.place = place, .before = *place, .stream = stream};
    fflush(*place);
    *place = stream;
}

static void tap_close(struct tap *tap)
{
    fclose(tap->stream);
    *tap->place = tap->before;
}

/* What goes to one place is to come in its order. */
static bool same_place(int a, int b)
{
    struct stat one;
    struct stat other;
    return fstat(a, &one) == 0 && fstat(b, &other) == 0 && one.st_dev == other.st_dev &&
           one.st_ino == other.st_ino;
}

struct outlet *outlet_new(FILE **out, FILE **messages)
{
    struct outlet *outlet = mem_new(sizeof *outlet);
    struct channel *channels = outlet->channels;
    channels[0].fd = fileno(*out);
    channels[1].fd = fileno(*messages);
    bool together = same_place(channels[0].fd, channels[1].fd);
    for (size_t i = 0; i < ARRAY_SIZE(outlet->channels); i++)
        buf_init(&channels[i].held, SIZE_MAX / 2);
    tap_open(&outlet->out, out, &channels[0], _IOFBF);
    tap_open(&outlet->messages, messages, &channels[together ? 0 : 1], _IOLBF);
    return outlet;
}

void outlet_pass_on(struct outlet *outlet)
{
    for (size_t i = 0; outlet && i < ARRAY_SIZE(outlet->channels); i++)
        pass_on(&outlet->channels[i]);
}

size_t outlet_held(const struct outlet *outlet)
{
    return outlet ? outlet->channels[0].held.len + outlet->channels[1].held.len : 0;
}

int outlet_free(struct outlet *outlet)
{
    if (!outlet)
        return 0;
    tap_close(&outlet->out);
    tap_close(&outlet->messages);
    for (size_t i = 0; i < ARRAY_SIZE(outlet->channels); i++)
        pass_on_all(&outlet->channels[i]);
    bool failed = outlet->channels[0].failed;
    free(outlet);
    return failed ? -1 : 0;
}
