/* See events.h. */
#include "supervisorctl/events.h"

#include <string.h>

enum { EVENT_MAX = 16 << 20 }; /* an entry with the evidence of a large stack */

void events_init(struct events *events, void (*on_event)(void *data, const json_t *event),
                 void *context)
{
    *events = (struct events){.on_event = on_event, .context = context};
    buf_init(&events->line, EVENT_MAX);
    buf_init(&events->data, EVENT_MAX);
}

void events_free(struct events *events)
{
    buf_free(&events->line);
    buf_free(&events->data);
}

void events_restart(struct events *events)
{
    buf_reset(&events->line);
    buf_reset(&events->data);
    events->id = 0;
}

static bool dispatch(struct events *events)
{
    if (events->data.len == 0) {
        events->id = 0;
        return true;
    }
    json_t *event = json_parse(events->data.data, events->data.len, "event", NULL);
    buf_reset(&events->data);
    if (!event)
        return false;
    if (events->id)
        events->last_id = events->id;
    events->id = 0;
    events->on_event(events->context, event);
    json_decref(event);
    return true;
}

/* The value of "name: value", or NULL when the line is about something else. */
static const char *field(const char *line, const char *name)
{
    size_t len = strlen(name);
    if (strncmp(line, name, len) != 0 || line[len] != ':')
        return NULL;
    return line + len + (line[len + 1] == ' ' ? 2 : 1);
}

static bool take_line(struct events *events)
{
    const char *line = buf_text(&events->line);
    const char *value;
    bool fine = true;
    if (!*line) {
        fine = dispatch(events);
    } else if ((value = field(line, "data"))) {
        fine = (events->data.len == 0 || buf_puts(&events->data, "\n")) &&
               buf_puts(&events->data, value);
    } else if ((value = field(line, "id"))) {
        char *end;
        long long id = strtoll(value, &end, 10);
        events->id = *end == '\0' && id > 0 ? id : 0;
    }
    buf_reset(&events->line);
    return fine;
}

bool events_feed(struct events *events, const char *bytes, size_t len)
{
    while (len) {
        const char *newline = memchr(bytes, '\n', len);
        size_t part = newline ? (size_t)(newline - bytes) : len;
        if (!buf_add(&events->line, bytes, part))
            return false;
        if (!newline)
            return true;
        if (events->line.len && events->line.data[events->line.len - 1] == '\r')
            events->line.data[--events->line.len] = '\0';
        if (!take_line(events))
            return false;
        bytes += part + 1;
        len -= part + 1;
    }
    return true;
}
