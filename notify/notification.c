/* The body of a notification, and keeping it. See notification.h. */
#include "notify/notification.h"

#include "base/clock.h"
#include "base/mem.h"
#include "notify/notify.h"

#include <string.h>

enum {
    SENTENCE_MAX = 2048,
    NAME_MAX_LEN = 256,
    VALUES_MAX = 16384, /* as JSON; more is left out */
};

/* --- texts ------------------------------------------------------------------------------------ */

size_t notify__utf8_cut(const char *text, size_t max)
{
    size_t len = strlen(text);
    if (len <= max)
        return len;
    while (max > 0 && ((unsigned char)text[max] & 0xC0) == 0x80)
        max--;
    return max;
}

void notify__one_line(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            *text = ' ';
}

/* In one line, at most `max` bytes and "…"; NULL stays NULL. */
static char *line_of(const char *text, size_t max)
{
    if (!text)
        return NULL;
    size_t kept = notify__utf8_cut(text, max);
    char *line = mem_printf("%.*s%s", (int)kept, text, text[kept] ? "…" : "");
    notify__one_line(line);
    return line;
}

static void set_line(json_t *body, const char *key, const char *text, size_t max)
{
    CLEANUP_FREE char *line = line_of(text && *text ? text : NULL, max);
    json_set_text(body, key, line);
}

static void set_number(json_t *body, const char *key, int64_t number)
{
    json_object_set_new(body, key, number ? json_integer(number) : json_null());
}

static void set_values(json_t *body, const json_t *values)
{
    json_t *copy = values ? json_deep_copy(values) : json_null();
    CLEANUP_FREE char *line = json_line(copy);
    if (strlen(line) > VALUES_MAX) {
        json_decref(copy);
        copy = json_null();
    }
    json_object_set_new(body, "values", copy);
}

/* --- the body --------------------------------------------------------------------------------- */

/* What a chat shows: the sentence with what it needs to be understood on its own. */
static char *text_of(const json_t *body, const struct notify_event *event)
{
    const char *stack = json_text_at(body, "stack", "?");
    const char *sentence = json_text_at(body, "sentence", event->kind);
    if (strcmp(event->kind, "ask") == 0 && event->decision)
        return mem_printf("[%s] ask: %s; answer with: supervisorctl approve %lld (or deny)", stack,
                          sentence, (long long)event->decision);
    return mem_printf("[%s] %s: %s", stack, event->kind, sentence);
}

json_t *notify__body(const struct notify_event *event, const char *id, const char *host)
{
    char stamp[CLOCK_STAMP_MAX];
    json_t *body = json_object();
    json_set_int(body, "version", 1);
    json_set_text(body, "id", id);
    json_set_text(body, "kind", event->kind);
    json_set_text(body, "severity", event->severity);
    json_set_text(body, "text", NULL); /* its place; filled in below */
    set_line(body, "sentence", event->sentence, SENTENCE_MAX);
    set_line(body, "stack", event->project, NAME_MAX_LEN);
    set_line(body, "policy", event->policy, NAME_MAX_LEN);
    set_line(body, "playbook", event->playbook, NAME_MAX_LEN);
    set_number(body, "incident", event->incident);
    set_number(body, "decision", event->decision);
    set_number(body, "run", event->run);
    set_line(body, "key", event->key, NAME_MAX_LEN);
    set_line(body, "host", host, NAME_MAX_LEN);
    json_set_text(body, "at", clock_stamp(event->at_wall_ms, stamp));
    set_values(body, event->values);
    CLEANUP_FREE char *text = text_of(body, event);
    json_set_text(body, "text", text);
    return body;
}

/* --- one on its way --------------------------------------------------------------------------- */

void notify__notification_copy(struct notify__notification *to,
                               const struct notify__notification *from)
{
    *to = *from;
    json_incref(to->body);
    json_incref(to->told);
}

void notify__notification_clear(struct notify__notification *notification)
{
    json_decref(notification->body);
    json_decref(notification->told);
    notification->body = NULL;
    notification->told = NULL;
}

json_t *notify__notification_save(const struct notify__notification *notification)
{
    json_t *saved = json_object();
    json_set_int(saved, "since", notification->since_wall_ms);
    json_object_set(saved, "body", notification->body);
    json_object_set(saved, "told", notification->told ? notification->told : json_null());
    return saved;
}

static bool is_id(const char *text)
{
    return strlen(text) < NOTIFY__ID_MAX && text[0] && !text[strspn(text, "0123456789abcdef")];
}

bool notify__notification_load(struct notify__notification *ret, const json_t *saved)
{
    json_t *body = json_at(saved, "body");
    json_t *told = json_at(saved, "told");
    const char *id = json_text_at(body, "id", "");
    struct notify__notification loaded = {.since_wall_ms = json_int_at(saved, "since", 0)};
    if (!is_id(id) || !notify__kind_parse(json_text_at(body, "kind", NULL), &loaded.kind) ||
        !notify__severity_parse(json_text_at(body, "severity", NULL), &loaded.severity))
        return false;
    memcpy(loaded.id, id, strlen(id));
    loaded.body = json_incref(body);
    loaded.told = json_is_array(told) ? json_incref(told) : NULL;
    *ret = loaded;
    return true;
}

int64_t notify__at_ms(const struct notify__notification *notification)
{
    int64_t ns = 0;
    clock_parse_rfc3339_ns(json_text_at(notification->body, "at", ""), &ns);
    return ns / 1000000;
}

char *notify__notification_name(const struct notify__notification *notification)
{
    return mem_printf(
        "'%s' of %s", notify__kind_names[notification->kind],
        json_text_at(notification->body, "policy", json_text_at(notification->body, "stack", "?")));
}

/* --- forms ------------------------------------------------------------------------------------ */

char *notify__as_json(const struct notify__notification *notification)
{
    return json_line(notification->body);
}
