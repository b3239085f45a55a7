/* A notification: one event on its way to one receiver, and its forms.
 *
 * The body is the `json` format of docs/notifications.md. It is what the store keeps, and what
 * every other form is made of; its texts are UTF-8, those that are ours in one line each.
 *
 * May use: base. Pure: it is told the time, the host's name and the id.
 */
#ifndef NOTIFY_NOTIFICATION_H
#define NOTIFY_NOTIFICATION_H

#include "base/json.h"
#include "notify/words.h"

struct notify_event;

#define NOTIFY__ID_MAX 33 /* 32 hex digits */

struct notify__notification {
    char id[NOTIFY__ID_MAX]; /* the same at every try */
    enum notify__kind kind;
    enum notify__severity severity;
    int64_t since_wall_ms; /* the incident's first notification to this receiver */
    json_t *body;
    json_t *told; /* of a healed one: [{"kind","severity"}] that this receiver has been told */
};

/* The body of an event; the caller owns it. */
json_t *notify__body(const struct notify_event *event, const char *id, const char *host);

void notify__notification_copy(struct notify__notification *to,
                               const struct notify__notification *from);
void notify__notification_clear(struct notify__notification *notification);

/* When it happened: milliseconds since 1970. */
int64_t notify__at_ms(const struct notify__notification *notification);

/* How many bytes of a UTF-8 text, at most `max`, end with a whole character. */
size_t notify__utf8_cut(const char *text, size_t max);

/* Control characters become blanks, in place. */
void notify__one_line(char *text);

/* For the store, and back; false when it is none. */
json_t *notify__notification_save(const struct notify__notification *notification);
bool notify__notification_load(struct notify__notification *ret, const json_t *saved);

/* "'handed-over' of leaking", for the log. The caller frees it. */
char *notify__notification_name(const struct notify__notification *notification);

/* Bodies of webhooks; the caller frees them. */
char *notify__as_json(const struct notify__notification *notification);
char *notify__as_slack(const struct notify__notification *notification, const char *text_key);
char *notify__as_alerts(const struct notify__notification *notification);

/* The text with its details, lines that end in '\n'; the caller frees it. */
char *notify__as_text(const struct notify__notification *notification);

/* An RFC 5322 message with CRLF ends. No byte of it that came from outside can end a line. The
 * caller frees it. */
char *notify__as_mail(const struct notify__notification *notification, const char *from,
                      char *const *to, size_t to_count);

#endif
