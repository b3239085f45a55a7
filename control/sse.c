/* See sse.h. */
#include "control/sse.h"

#include "base/buf.h"
#include "base/mem.h"
#include "control/wire.h"

#include <inttypes.h>
#include <string.h>

enum {
    CEILING = 8 << 20, /* a whole run with its evidence must fit: it is told at one go */
    BEHIND = 64 << 10, /* unread bytes from which progress is not worth telling */
};

struct sse {
    struct buf queue;
    size_t read; /* bytes at the front of the queue that were read */
    int64_t after;
    bool ended;
};

struct sse *control__sse_new(int64_t after)
{
    struct sse *sse = mem_new(sizeof *sse);
    buf_init(&sse->queue, CEILING);
    sse->after = after;
    return sse;
}

void control__sse_free(struct sse *sse)
{
    if (!sse)
        return;
    buf_free(&sse->queue);
    free(sse);
}

static size_t unread(const struct sse *sse)
{
    return sse->queue.len - sse->read;
}

/* All of the event or nothing: half an event would be taken for a whole one. */
static void append(struct sse *sse, const char *event)
{
    if (!sse->ended && !buf_puts(&sse->queue, event))
        sse->ended = true;
}

void control__sse_add(struct sse *sse, const json_t *entry)
{
    int64_t seq = json_int_at(entry, "seq", 0);
    bool progress = strcmp(json_text_at(entry, "type", ""), WIRE_ENTRY_PROGRESS) == 0;
    if (seq > 0 && seq <= sse->after)
        return;
    if (progress && unread(sse) > BEHIND)
        return;
    CLEANUP_FREE char *line = json_line(entry); /* JSON has no raw newline: one data line */
    CLEANUP_FREE char *event = seq > 0 ? mem_printf("id: %" PRId64 "\ndata: %s\n\n", seq, line)
                                       : mem_printf("data: %s\n\n", line);
    append(sse, event);
}

void control__sse_ping(struct sse *sse)
{
    append(sse, ": ping\n\n");
}

void control__sse_end(struct sse *sse)
{
    sse->ended = true;
}

size_t control__sse_read(struct sse *sse, char *out, size_t room)
{
    size_t count = unread(sse) < room ? unread(sse) : room;
    if (count == 0)
        return 0;
    memcpy(out, buf_text(&sse->queue) + sse->read, count);
    sse->read += count;
    if (sse->read * 2 >= sse->queue.len) { /* so that no byte is moved more than once or twice */
        buf_consume(&sse->queue, sse->read);
        sse->read = 0;
    }
    return count;
}

bool control__sse_is_over(const struct sse *sse)
{
    return sse->ended && unread(sse) == 0;
}
