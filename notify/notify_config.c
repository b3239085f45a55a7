/* Reading the receivers. See notify_config.h. No complaint repeats an address: it may be a secret.
 */
#include "notify/notify_config.h"

#include "base/mem.h"
#include "notify/receiver.h"

#include <curl/curl.h>
#include <string.h>

enum {
    NAME_MAX_LEN = 64,
    ADDRESS_MAX = 254, /* RFC 5321 4.5.3.1.3, without the brackets */
    TIMEOUT_MIN_MS = 100,
    TIMEOUT_MAX_MS = 300000,
    WEBHOOK_TIMEOUT_MS = 10000,
    TIMEOUT_MS = 30000,
};

/* Where the reading stands: which receiver, for the complaints. */
struct reader {
    struct notify__receiver *receiver;
    struct diag_list *diags;
};

/* --- pieces ----------------------------------------------------------------------------------- */

static char *what_of(const struct reader *reader, const char *key)
{
    return mem_printf("notify: %s: %s", reader->receiver->name, key);
}

static void read_text(const struct reader *reader, const struct yaml_node *map, const char *key,
                      char **slot)
{
    const struct yaml_node *node = yaml_get(map, key);
    CLEANUP_FREE char *what = what_of(reader, key);
    const char *text;
    if (node && yaml_read_text(node, what, &text, reader->diags))
        mem_replace(slot, text);
}

static void read_path(const struct reader *reader, const struct yaml_node *map, const char *key,
                      char **slot)
{
    const struct yaml_node *node = yaml_get(map, key);
    CLEANUP_FREE char *what = what_of(reader, key);
    if (node)
        yaml_read_path(node, what, slot, reader->diags);
}

static bool read_choice(const struct reader *reader, const struct yaml_node *map, const char *key,
                        const char *const *words, size_t *ret_index)
{
    const struct yaml_node *node = yaml_get(map, key);
    CLEANUP_FREE char *what = what_of(reader, key);
    return node && yaml_read_choice(node, what, words, ret_index, reader->diags);
}

static bool complain(const struct reader *reader, const struct yaml_node *node, const char *text)
{
    return yaml_error(reader->diags, node, "notify: %s: %s", reader->receiver->name, text);
}

/* A list of texts, or one text alone. Gives a NULL-terminated array. */
static char **read_texts(const struct reader *reader, const struct yaml_node *node, const char *key,
                         size_t *ret_count)
{
    CLEANUP_FREE char *what = what_of(reader, key);
    size_t count = 0;
    const char *text;
    char **texts = mem_new((node->count + 2) * sizeof *texts);
    if (node->kind == YAML_TEXT) {
        if (yaml_read_text(node, what, &text, reader->diags))
            texts[count++] = mem_strdup(text);
    } else if (yaml_expect_list(node, what, reader->diags)) {
        if (node->count == 0)
            yaml_error(reader->diags, node, "%s: the list is empty", what);
        for (size_t i = 0; i < node->count; i++)
            if (yaml_read_text(node->items[i], what, &text, reader->diags))
                texts[count++] = mem_strdup(text);
    }
    *ret_count = count;
    return texts;
}

/* --- webhook ---------------------------------------------------------------------------------- */

static void read_webhook_address(const struct reader *reader, const struct yaml_node *map)
{
    struct notify__receiver *receiver = reader->receiver;
    read_text(reader, map, "webhook", &receiver->url);
    read_path(reader, map, "url_file", &receiver->url_file);
    if (receiver->url_file)
        receiver->where = mem_printf("url_file %s", receiver->url_file);
    else if (receiver->url && !(receiver->where = notify__show_url(receiver->url)))
        complain(reader, yaml_get(map, "webhook"),
                 "webhook: this is no http:// or https:// address");
}

static void read_proxy(const struct reader *reader, const struct yaml_node *map)
{
    struct notify__receiver *receiver = reader->receiver;
    read_text(reader, map, "proxy", &receiver->proxy);
    CLEANUP_FREE char *shown = receiver->proxy ? notify__show_url(receiver->proxy) : NULL;
    if (receiver->proxy && !shown)
        complain(reader, yaml_get(map, "proxy"), "proxy: this is no http:// or https:// address");
}

static void read_webhook(const struct reader *reader, const struct yaml_node *map)
{
    static const char *const formats[] = {[NOTIFY__JSON] = "json",
                                          [NOTIFY__SLACK] = "slack",
                                          [NOTIFY__ALERTMANAGER] = "alertmanager",
                                          NULL};
    struct notify__receiver *receiver = reader->receiver;
    size_t index;
    read_webhook_address(reader, map);
    read_proxy(reader, map);
    if (read_choice(reader, map, "format", formats, &index))
        receiver->format = (enum notify__format)index;
    read_text(reader, map, "text_key", &receiver->text_key);
    if (receiver->text_key && receiver->format != NOTIFY__SLACK)
        complain(reader, yaml_get(map, "text_key"), "text_key is of 'format: slack' only");
    read_path(reader, map, "headers_file", &receiver->headers_file);
    read_path(reader, map, "bearer_token_file", &receiver->bearer_token_file);
    read_path(reader, map, "ca_file", &receiver->ca_file);
}

/* --- mail ------------------------------------------------------------------------------------- */

/* What stands between '<' and '>' in a dialogue with a mail server: nothing in it may end a line or
 * the bracket. Names beside the address ("Ops <a@b>") are not taken. */
static bool is_address(const char *text)
{
    const char *at = strrchr(text, '@');
    if (!at || at == text || !at[1] || strlen(text) > ADDRESS_MAX || *text == '-')
        return false;
    for (const char *c = text; *c; c++)
        if (*c <= ' ' || *c >= 0x7f || strchr("<>()[]\\,;:\"", *c) || (*c == '@' && c != at))
            return false;
    return true;
}

static void check_address(const struct reader *reader, const struct yaml_node *node,
                          const char *key, const char *address)
{
    if (!is_address(address))
        yaml_error(reader->diags, node, "notify: %s: mail: %s: '%s' is no address such as a@b.org",
                   reader->receiver->name, key, address);
}

static bool is_loopback(const char *host)
{
    return strcmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 ||
           strcmp(host, "[::1]") == 0;
}

/* The host of smtp://host:port or smtps://host:port; NULL when it is nothing of the kind. The
 * caller frees it. */
static char *mail_host(const char *server)
{
    const char *rest = strncmp(server, "smtp://", 7) == 0    ? server + 7
                       : strncmp(server, "smtps://", 8) == 0 ? server + 8
                                                             : NULL;
    CURLU *parts = rest ? curl_url() : NULL;
    char *host = NULL;
    char *copy = NULL;
    /* More than host and port is a mistake, and may be a password. */
    if (parts && *rest && !strpbrk(rest, "/?#@ \t\r\n") &&
        curl_url_set(parts, CURLUPART_URL, server, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK &&
        curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK)
        copy = mem_strdup(host);
    curl_free(host);
    curl_url_cleanup(parts);
    return copy;
}

static void check_server(const struct reader *reader, const struct yaml_node *mail)
{
    struct notify__receiver *receiver = reader->receiver;
    CLEANUP_FREE char *host = mail_host(receiver->server);
    bool encrypted =
        strncmp(receiver->server, "smtps://", 8) == 0 || receiver->tls == NOTIFY__TLS_REQUIRED;
    if (!host)
        complain(reader, yaml_get(mail, "server"),
                 "mail: server: expected smtp://host:port or smtps://host:port");
    else if (receiver->user && !encrypted && !is_loopback(host))
        complain(reader, yaml_get(mail, "tls"),
                 "mail: a password is not sent without TLS: 'tls: required'");
    if (host)
        receiver->where = mem_strdup(receiver->server);
}

static void read_recipients(const struct reader *reader, const struct yaml_node *mail)
{
    struct notify__receiver *receiver = reader->receiver;
    const struct yaml_node *to = yaml_get(mail, "to");
    if (!to) {
        complain(reader, mail, "mail: 'to' is missing");
        return;
    }
    receiver->to = read_texts(reader, to, "mail: to", &receiver->to_count);
    for (size_t i = 0; i < receiver->to_count; i++)
        check_address(reader, to, "to", receiver->to[i]);
}

static void read_login(const struct reader *reader, const struct yaml_node *mail)
{
    struct notify__receiver *receiver = reader->receiver;
    read_text(reader, mail, "user", &receiver->user);
    read_path(reader, mail, "password_file", &receiver->password_file);
    if (!receiver->user != !receiver->password_file)
        complain(reader, mail, "mail: 'user' and 'password_file' go together");
}

static void read_mail(const struct reader *reader, const struct yaml_node *map)
{
    static const char *const known[] = {"server",        "from", "to",      "user",
                                        "password_file", "tls",  "ca_file", NULL};
    static const char *const tls[] = {[NOTIFY__TLS_REQUIRED] = "required",
                                      [NOTIFY__TLS_OPTIONAL] = "optional",
                                      [NOTIFY__TLS_NONE] = "none",
                                      NULL};
    struct notify__receiver *receiver = reader->receiver;
    const struct yaml_node *mail = yaml_get(map, "mail");
    CLEANUP_FREE char *what = what_of(reader, "mail");
    size_t index;
    if (!yaml_expect_map(mail, what, known, reader->diags) && mail->kind != YAML_MAP)
        return;
    if (read_choice(reader, mail, "tls", tls, &index))
        receiver->tls = (enum notify__tls)index;
    read_text(reader, mail, "server", &receiver->server);
    read_text(reader, mail, "from", &receiver->from);
    read_path(reader, mail, "ca_file", &receiver->ca_file);
    read_recipients(reader, mail);
    read_login(reader, mail);
    if (receiver->from)
        check_address(reader, yaml_get(mail, "from"), "from", receiver->from);
    else if (!yaml_get(mail, "from"))
        complain(reader, mail, "mail: 'from' is missing");
    if (receiver->server)
        check_server(reader, mail);
    else if (!yaml_get(mail, "server"))
        complain(reader, mail, "mail: 'server' is missing");
}

/* --- exec ------------------------------------------------------------------------------------- */

static void read_exec(const struct reader *reader, const struct yaml_node *map)
{
    struct notify__receiver *receiver = reader->receiver;
    const struct yaml_node *node = yaml_get(map, "exec");
    size_t count;
    receiver->argv = read_texts(reader, node, "exec", &count);
    if (count > 0 && receiver->argv[0][0] != '/')
        complain(reader, node, "exec: the command begins with '/': no PATH is searched");
    if (count > 0)
        receiver->where = mem_strdup(receiver->argv[0]); /* arguments may be secrets */
}

/* --- a receiver ------------------------------------------------------------------------------- */

static bool is_name(const char *text)
{
    size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");
    return len > 0 && len <= NAME_MAX_LEN && !text[len];
}

static void read_name(const struct reader *reader, const struct yaml_node *map)
{
    const struct yaml_node *node = yaml_get(map, "name");
    const char *text;
    if (!node)
        yaml_error(reader->diags, map, "notify: a receiver has no 'name'");
    else if (yaml_read_text(node, "notify: name", &text, reader->diags) && !is_name(text))
        yaml_error(reader->diags, node,
                   "notify: name: '%s' is not made of letters, digits, '.', '_' and '-'", text);
    if (node && node->kind == YAML_TEXT)
        mem_replace(&reader->receiver->name, node->text);
}

/* Which way, by its key; false when there is none, or more than one. */
static bool read_way(const struct reader *reader, const struct yaml_node *map)
{
    static const struct {
        const char *key;
        enum notify__way way;
    } ways[] = {{"webhook", NOTIFY__WEBHOOK},
                {"url_file", NOTIFY__WEBHOOK},
                {"mail", NOTIFY__MAIL},
                {"exec", NOTIFY__EXEC}};
    size_t found = 0;
    for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
        if (!yaml_get(map, ways[i].key))
            continue;
        reader->receiver->way = ways[i].way;
        found++;
    }
    return found == 1 ||
           complain(reader, map, "expected one of 'webhook', 'url_file', 'mail' and 'exec'");
}

static void check_keys(const struct reader *reader, const struct yaml_node *map)
{
    static const char *const of_webhook[] = {"format", "text_key",          "headers_file",
                                             "proxy",  "bearer_token_file", "ca_file"};
    for (size_t i = 0; i < ARRAY_SIZE(of_webhook); i++) {
        const struct yaml_node *node = yaml_get(map, of_webhook[i]);
        if (node && reader->receiver->way != NOTIFY__WEBHOOK)
            yaml_error(reader->diags, node, "notify: %s: '%s' is of a webhook only",
                       reader->receiver->name, of_webhook[i]);
    }
}

static void read_on(const struct reader *reader, const struct yaml_node *map)
{
    static const char *const kinds[] = {
        [NOTIFY__TRIGGERED] = "triggered",     [NOTIFY__ACTED] = "acted",   [NOTIFY__ASK] = "ask",
        [NOTIFY__HANDED_OVER] = "handed-over", [NOTIFY__HEALED] = "healed", NULL};
    struct notify__receiver *receiver = reader->receiver;
    const struct yaml_node *node = yaml_get(map, "on");
    CLEANUP_FREE char *what = what_of(reader, "on");
    size_t index;
    receiver->on = 1U << NOTIFY__TRIGGERED | 1U << NOTIFY__ASK | 1U << NOTIFY__HANDED_OVER |
                   1U << NOTIFY__HEALED;
    if (!node || !yaml_expect_list(node, what, reader->diags))
        return;
    receiver->on = 0;
    for (size_t i = 0; i < node->count; i++)
        if (yaml_read_choice(node->items[i], what, kinds, &index, reader->diags))
            receiver->on |= 1U << index;
    if (node->count == 0)
        complain(reader, node, "on: the list is empty");
    else if (receiver->on == 1U << NOTIFY__HEALED)
        complain(reader, node,
                 "on: 'healed' is told to those who have been told of the trouble: add its kind");
}

static void read_common(const struct reader *reader, const struct yaml_node *map)
{
    struct notify__receiver *receiver = reader->receiver;
    const struct yaml_node *node = yaml_get(map, "timeout");
    CLEANUP_FREE char *what = what_of(reader, "timeout");
    size_t index;
    receiver->timeout_ms = receiver->way == NOTIFY__WEBHOOK ? WEBHOOK_TIMEOUT_MS : TIMEOUT_MS;
    if (node)
        yaml_read_duration(node, what, TIMEOUT_MIN_MS, TIMEOUT_MAX_MS, &receiver->timeout_ms,
                           reader->diags);
    if (read_choice(reader, map, "severity", notify__severity_names, &index))
        receiver->severity = (enum notify__severity)index;
    read_on(reader, map);
}

static struct notify__receiver *read_receiver(const struct yaml_node *map, struct diag_list *diags)
{
    static const char *const known[] = {"name",     "webhook",      "url_file",
                                        "mail",     "exec",         "format",
                                        "text_key", "headers_file", "bearer_token_file",
                                        "proxy",    "ca_file",      "severity",
                                        "on",       "timeout",      NULL};
    static void (*const readers[])(const struct reader *reader, const struct yaml_node *map) = {
        [NOTIFY__WEBHOOK] = read_webhook, [NOTIFY__MAIL] = read_mail, [NOTIFY__EXEC] = read_exec};
    struct reader reader = {.receiver = mem_new(sizeof *reader.receiver), .diags = diags};
    reader.receiver->references = 1;
    reader.receiver->name = mem_strdup("?");
    if (!yaml_expect_map(map, "notify", known, diags) && map->kind != YAML_MAP)
        return notify__receiver_unref(reader.receiver);
    read_name(&reader, map);
    if (!read_way(&reader, map))
        return notify__receiver_unref(reader.receiver);
    check_keys(&reader, map);
    read_common(&reader, map);
    readers[reader.receiver->way](&reader, map);
    return reader.receiver;
}

/* --- the whole -------------------------------------------------------------------------------- */

static void add_receiver(struct notify_config *config, struct notify__receiver *receiver,
                         const struct yaml_node *node, struct diag_list *diags)
{
    for (size_t i = 0; i < config->count; i++)
        if (strcmp(config->receivers[i]->name, receiver->name) == 0)
            yaml_error(diags, node, "notify: there are two receivers '%s'", receiver->name);
    config->receivers =
        mem_grow(config->receivers, config->count, sizeof(struct notify__receiver *));
    config->receivers[config->count++] = receiver;
}

struct notify_config *notify_config_read(const struct yaml_node *list, struct diag_list *diags)
{
    size_t before = diags->count;
    struct notify_config *config = mem_new(sizeof *config);
    config->references = 1;
    if (yaml_expect_list(list, "notify", diags)) {
        for (size_t i = 0; i < list->count; i++) {
            struct notify__receiver *receiver = read_receiver(list->items[i], diags);
            if (receiver)
                add_receiver(config, receiver, list->items[i], diags);
        }
    }
    return diags->count > before ? notify_config_unref(config) : config;
}
