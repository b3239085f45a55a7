/* See log_stream.h. Seen on the real Engine: a frame is "<stamp> <text>\n"; a line of more than
 * 16 KiB comes as several frames that each bear the same stamp, and only the last ends in '\n'. A
 * last line without a newline, at the container's exit, is a frame without one: what follows it has
 * another stamp. */
#include "docker/log_stream.h"

#include "base/clock.h"

#include <string.h>

enum { STAMP_MAX = 40 };

/* One call of docker__log_stream_feed. */
struct feeding {
    struct docker__log_stream *stream;
    docker__log_line_fn fn;
    void *data;
};

void docker__log_stream_init(struct docker__log_stream *stream, bool tty, size_t line_max)
{
    *stream = (struct docker__log_stream){.line_max = line_max};
    docker__frames_init(&stream->frames, tty);
    for (size_t i = 0; i < DOCKER__LOG_STREAMS; i++) {
        buf_init(&stream->open[i].frame, line_max + STAMP_MAX);
        buf_init(&stream->open[i].text, line_max);
    }
}

void docker__log_stream_clear(struct docker__log_stream *stream)
{
    for (size_t i = 0; i < DOCKER__LOG_STREAMS; i++) {
        buf_free(&stream->open[i].frame);
        buf_free(&stream->open[i].text);
    }
}

/* What does not fit is cut: a line of this length has said enough. */
static void add_what_fits(struct buf *buf, const char *bytes, size_t len)
{
    size_t room = buf->ceiling - buf->len;
    buf_add(buf, bytes, len < room ? len : room);
}

/* The open line is whole. */
static bool close_line(const struct feeding *f, bool is_stderr)
{
    struct docker__log_open *open = &f->stream->open[is_stderr];
    struct docker_log_line line = {.time_ns = open->time_ns,
                                   .is_stderr = is_stderr,
                                   .text = buf_text(&open->text),
                                   .len = open->text.len};
    open->has_text = false;
    open->time_ns = 0;
    bool goes_on = f->fn(f->data, &line);
    buf_reset(&open->text);
    return goes_on;
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
static bool take_frame(const struct feeding *f, bool is_stderr)
{
    struct docker__log_open *open = &f->stream->open[is_stderr];
    const char *bytes = buf_text(&open->frame);
    size_t len = open->frame.len;
    int64_t time_ns = 0;
    size_t stamp = parse_stamp(bytes, len, &time_ns);
    bytes += stamp;
    len -= stamp;
    /* The newline itself may have been cut off. */
    if (open->ends_in_line && len > 0 && bytes[len - 1] == '\n')
        len--;
    if (open->ends_in_line && f->stream->frames.raw && len > 0 && bytes[len - 1] == '\r')
        len--;
    bool goes_on = true;
    if (open->has_text && time_ns && time_ns != open->time_ns)
        goes_on = close_line(f, is_stderr);
    if (!open->has_text)
        open->time_ns = time_ns;
    open->has_text = true;
    add_what_fits(&open->text, bytes, len);
    buf_reset(&open->frame);
    return goes_on && (!open->ends_in_line || close_line(f, is_stderr));
}

/* A terminal's bytes: cut at the newlines. */
static bool take_raw(const struct feeding *f, const char *bytes, size_t len)
{
    struct docker__log_open *open = &f->stream->open[0];
    while (len > 0) {
        const char *newline = memchr(bytes, '\n', len);
        size_t take = newline ? (size_t)(newline - bytes) + 1 : len;
        add_what_fits(&open->frame, bytes, take);
        open->ends_in_line = newline != NULL;
        if (newline && !take_frame(f, false))
            return false;
        bytes += take;
        len -= take;
    }
    return true;
}

static bool on_piece(void *data, bool is_stderr, const char *bytes, size_t len, bool is_begin,
                     bool is_end)
{
    const struct feeding *f = data;
    (void)is_begin;
    if (f->stream->frames.raw)
        return take_raw(f, bytes, len);
    struct docker__log_open *open = &f->stream->open[is_stderr];
    add_what_fits(&open->frame, bytes, len);
    open->ends_in_line = bytes[len - 1] == '\n';
    return !is_end || take_frame(f, is_stderr);
}

bool docker__log_stream_feed(struct docker__log_stream *stream, const char *bytes, size_t len,
                             docker__log_line_fn fn, void *data)
{
    struct feeding f = {.stream = stream, .fn = fn, .data = data};
    return docker__frames_feed(&stream->frames, bytes, len, on_piece, &f);
}

bool docker__log_stream_finish(struct docker__log_stream *stream, docker__log_line_fn fn,
                               void *data)
{
    struct feeding f = {.stream = stream, .fn = fn, .data = data};
    bool goes_on = true;
    for (int i = 0; i < DOCKER__LOG_STREAMS && goes_on; i++) {
        struct docker__log_open *open = &stream->open[i];
        if (stream->frames.raw && open->frame.len > 0)
            goes_on = take_frame(&f, i);
        if (goes_on && open->has_text)
            goes_on = close_line(&f, i);
    }
    return goes_on;
}
