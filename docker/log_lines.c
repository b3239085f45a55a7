/* See log_lines.h. Seen on the real Engine: a frame is "<stamp> <text>\n"; a line of more than
 * 16 KiB comes as several frames that each bear the same stamp, and only the last ends in '\n'. */
#include "docker/log_lines.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "docker/frames.h"

#include <string.h>

enum { STAMP_MAX = 40, STREAMS = 2 };

/* A line that is being put together, one a stream: the two may interleave. */
struct open_line {
    struct buf frame; /* the present frame, or a terminal's line so far */
    struct buf text;
    int64_t time_ns;
};

struct docker__log_lines {
    struct docker__frames frames;
    struct open_line open[STREAMS];
    struct docker_log_line *items;
    size_t first, count; /* items[first … count-1] are kept */
    size_t bytes, ceiling;
};

struct docker__log_lines *docker__log_lines_new(bool tty, size_t ceiling)
{
    struct docker__log_lines *lines = mem_new(sizeof *lines);
    docker__frames_init(&lines->frames, tty);
    lines->ceiling = ceiling;
    for (size_t i = 0; i < STREAMS; i++) {
        buf_init(&lines->open[i].frame, ceiling + STAMP_MAX);
        buf_init(&lines->open[i].text, ceiling);
    }
    return lines;
}

struct docker__log_lines *docker__log_lines_free(struct docker__log_lines *lines)
{
    if (!lines)
        return NULL;
    for (size_t i = lines->first; i < lines->count; i++)
        free((char *)lines->items[i].text);
    for (size_t i = 0; i < STREAMS; i++) {
        buf_free(&lines->open[i].frame);
        buf_free(&lines->open[i].text);
    }
    free(lines->items);
    free(lines);
    return NULL;
}

/* The open line is whole: it joins the list, and the oldest make room. */
static void close_line(struct docker__log_lines *lines, bool is_stderr)
{
    struct open_line *open = &lines->open[is_stderr];
    struct docker_log_line *line = MEM_PUSH(lines->items, lines->count);
    line->time_ns = open->time_ns;
    line->is_stderr = is_stderr;
    line->len = open->text.len;
    line->text = buf_take(&open->text);
    open->time_ns = 0;
    lines->bytes += line->len;
    while (lines->bytes > lines->ceiling) {
        struct docker_log_line *oldest = &lines->items[lines->first++];
        lines->bytes -= oldest->len;
        free((char *)oldest->text);
        oldest->text = NULL;
    }
}

/* The stamp in front of a frame; returns its length with the space, 0 if there is none. */
static size_t parse_stamp(const char *bytes, size_t len, int64_t *ret_ns)
{
    const char *space = memchr(bytes, ' ', len < STAMP_MAX ? len : STAMP_MAX);
    if (!space)
        return 0;
    char stamp[STAMP_MAX + 1] = {0};
    memcpy(stamp, bytes, (size_t)(space - bytes));
    return clock_parse_rfc3339_ns(stamp, ret_ns) ? (size_t)(space - bytes) + 1 : 0;
}

/* One whole frame (or a terminal's line): stamp, text, and a newline if the line ends here. */
static void take_frame(struct docker__log_lines *lines, bool is_stderr)
{
    struct open_line *open = &lines->open[is_stderr];
    const char *bytes = buf_text(&open->frame);
    size_t len = open->frame.len;
    size_t stamp = parse_stamp(bytes, len, &open->time_ns);
    bytes += stamp;
    len -= stamp;
    bool is_whole = len > 0 && bytes[len - 1] == '\n';
    len -= is_whole;
    if (is_whole && lines->frames.raw && len > 0 && bytes[len - 1] == '\r')
        len--;
    /* What does not fit under the ceiling is cut: a line of a MiB has said enough. */
    buf_add(&open->text, bytes, len);
    buf_reset(&open->frame);
    if (is_whole)
        close_line(lines, is_stderr);
}

/* A terminal's bytes: cut at the newlines. */
static void take_raw(struct docker__log_lines *lines, const char *bytes, size_t len)
{
    struct buf *frame = &lines->open[0].frame;
    while (len > 0) {
        const char *newline = memchr(bytes, '\n', len);
        size_t take = newline ? (size_t)(newline - bytes) + 1 : len;
        if (!buf_add(frame, bytes, take) && newline)
            buf_add(frame, "\n", 1);
        if (newline)
            take_frame(lines, false);
        bytes += take;
        len -= take;
    }
}

static bool on_piece(void *data, bool is_stderr, const char *bytes, size_t len, bool is_begin,
                     bool is_end)
{
    struct docker__log_lines *lines = data;
    (void)is_begin;
    if (lines->frames.raw) {
        take_raw(lines, bytes, len);
        return true;
    }
    if (!buf_add(&lines->open[is_stderr].frame, bytes, len))
        return false; /* no logging driver writes frames of this size */
    if (is_end)
        take_frame(lines, is_stderr);
    return true;
}

bool docker__log_lines_feed(struct docker__log_lines *lines, const char *bytes, size_t len)
{
    return docker__frames_feed(&lines->frames, bytes, len, on_piece, lines);
}

const struct docker_log_line *docker__log_lines_get(struct docker__log_lines *lines,
                                                    size_t *ret_count)
{
    for (int i = 0; i < STREAMS; i++) {
        struct open_line *open = &lines->open[i];
        if (lines->frames.raw && open->frame.len > 0)
            take_frame(lines, i);
        if (open->text.len > 0)
            close_line(lines, i);
    }
    *ret_count = lines->count - lines->first;
    return lines->items ? lines->items + lines->first : NULL;
}
