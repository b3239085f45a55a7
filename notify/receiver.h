/* A receiver: how it is reached and what it wants to hear. Made by notify_config.c only, never
 * changed afterwards, shared by counting.
 *
 * May use: base.
 */
#ifndef NOTIFY_RECEIVER_H
#define NOTIFY_RECEIVER_H

#include "notify/notify_config.h"
#include "notify/words.h"

enum notify__way { NOTIFY__WEBHOOK, NOTIFY__MAIL, NOTIFY__EXEC };
enum notify__format { NOTIFY__JSON, NOTIFY__SLACK, NOTIFY__ALERTMANAGER };
enum notify__tls { NOTIFY__TLS_REQUIRED, NOTIFY__TLS_OPTIONAL, NOTIFY__TLS_NONE };

struct notify__receiver {
    unsigned references;
    char *name; /* letters, digits, '.', '_', '-' */
    enum notify__way way;
    char *where;                    /* for people: what is secret in the address left out */
    unsigned on;                    /* bits 1 << enum notify__kind */
    enum notify__severity severity; /* the least */
    int64_t timeout_ms;

    /* webhook; its address in `url` or in a file */
    enum notify__format format;
    char *url, *url_file;
    char *text_key;
    char *headers_file, *bearer_token_file;
    char *proxy; /* NULL: none, whatever the environment says */

    /* mail */
    char *server; /* smtp://host:port or smtps:// */
    char *from;
    char **to;
    size_t to_count;
    char *user, *password_file;
    enum notify__tls tls;

    char *ca_file; /* of both; NULL: the system's */

    char **argv; /* exec; NULL-terminated */
};

struct notify_config {
    unsigned references;
    struct notify__receiver **receivers;
    size_t count;
};

struct notify__receiver *notify__receiver_ref(struct notify__receiver *receiver);
struct notify__receiver *notify__receiver_unref(struct notify__receiver *receiver);

const char *notify__way_name(enum notify__way way);
const char *notify__format_name(enum notify__format format);

/* "https://hooks.slack.com/…" of an http(s) address, for people; the path and the query of one may
 * be its secret. NULL when it is no address. The caller frees it. */
char *notify__show_url(const char *url);

#endif
