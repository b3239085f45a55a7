/* See log_lines.h. */
#include "docker/log_lines.h"

#include "base/mem.h"
#include "docker/log_stream.h"

struct docker__log_lines {
    struct docker__log_stream stream;
    struct docker_log_line *items;
    size_t first, count; /* items[first … count-1] are kept */
    size_t bytes, ceiling;
};

struct docker__log_lines *docker__log_lines_new(bool tty, size_t ceiling)
{
    struct docker__log_lines *lines = mem_new(sizeof *lines);
    docker__log_stream_init(&lines->stream, tty, ceiling);
    lines->ceiling = ceiling;
    return lines;
}

struct docker__log_lines *docker__log_lines_free(struct docker__log_lines *lines)
{
    if (!lines)
        return NULL;
    for (size_t i = lines->first; i < lines->count; i++)
        free((char *)lines->items[i].text);
    docker__log_stream_clear(&lines->stream);
    free(lines->items);
    free(lines);
    return NULL;
}

/* A line joins the list, and the oldest make room. */
static bool on_line(void *data, const struct docker_log_line *line)
{
    struct docker__log_lines *lines = data;
    struct docker_log_line *item = MEM_PUSH(lines->items, lines->count);
    *item = *line;
    item->text = mem_strndup(line->text, line->len);
    lines->bytes += line->len;
    while (lines->bytes > lines->ceiling) {
        struct docker_log_line *oldest = &lines->items[lines->first++];
        lines->bytes -= oldest->len;
        free((char *)oldest->text);
        oldest->text = NULL;
    }
    return true;
}

bool docker__log_lines_feed(struct docker__log_lines *lines, const char *bytes, size_t len)
{
    return docker__log_stream_feed(&lines->stream, bytes, len, on_line, lines);
}

const struct docker_log_line *docker__log_lines_get(struct docker__log_lines *lines,
                                                    size_t *ret_count)
{
    docker__log_stream_finish(&lines->stream, on_line, lines);
    *ret_count = lines->count - lines->first;
    return lines->items ? lines->items + lines->first : NULL;
}
