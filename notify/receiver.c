/* See receiver.h. */
#include "notify/receiver.h"

#include "base/mem.h"

#include <curl/curl.h>
#include <string.h>

struct notify__receiver *notify__receiver_ref(struct notify__receiver *receiver)
{
    receiver->references++;
    return receiver;
}

struct notify__receiver *notify__receiver_unref(struct notify__receiver *receiver)
{
    if (!receiver || --receiver->references > 0)
        return NULL;
    for (size_t i = 0; i < receiver->to_count; i++)
        free(receiver->to[i]);
    for (size_t i = 0; receiver->argv && receiver->argv[i]; i++)
        free(receiver->argv[i]);
    free(receiver->to);
    free(receiver->argv);
    free(receiver->name);
    free(receiver->where);
    free(receiver->url);
    free(receiver->url_file);
    free(receiver->text_key);
    free(receiver->headers_file);
    free(receiver->bearer_token_file);
    free(receiver->proxy);
    free(receiver->server);
    free(receiver->from);
    free(receiver->user);
    free(receiver->password_file);
    free(receiver->ca_file);
    free(receiver);
    return NULL;
}

struct notify_config *notify_config_ref(struct notify_config *config)
{
    if (config)
        config->references++;
    return config;
}

struct notify_config *notify_config_unref(struct notify_config *config)
{
    if (!config || --config->references > 0)
        return NULL;
    for (size_t i = 0; i < config->count; i++)
        notify__receiver_unref(config->receivers[i]);
    free(config->receivers);
    free(config);
    return NULL;
}

const char *notify__way_name(enum notify__way way)
{
    static const char *const names[] = {
        [NOTIFY__WEBHOOK] = "webhook", [NOTIFY__MAIL] = "mail", [NOTIFY__EXEC] = "exec"};
    return names[way];
}

const char *notify__format_name(enum notify__format format)
{
    static const char *const names[] = {[NOTIFY__JSON] = "json",
                                        [NOTIFY__SLACK] = "slack",
                                        [NOTIFY__ALERTMANAGER] = "alertmanager"};
    return names[format];
}

static bool is_plain(const char *url)
{
    for (; *url; url++)
        if ((unsigned char)*url <= ' ' || *url == 0x7f)
            return false;
    return true;
}

static char *show(CURLU *parts)
{
    char *scheme = NULL;
    char *host = NULL;
    char *port = NULL;
    char *path = NULL;
    char *query = NULL;
    char *shown = NULL;
    if (curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
        (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0) &&
        curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
        curl_url_get(parts, CURLUPART_PATH, &path, 0) == CURLUE_OK) {
        curl_url_get(parts, CURLUPART_PORT, &port, 0);
        curl_url_get(parts, CURLUPART_QUERY, &query, 0);
        bool more = query || strcmp(path, "/") != 0;
        shown = mem_printf("%s://%s%s%s/%s", scheme, host, port ? ":" : "", port ? port : "",
                           more ? "…" : "");
    }
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_free(path);
    curl_free(query);
    return shown;
}

char *notify__show_url(const char *url)
{
    CURLU *parts = curl_url();
    if (!parts)
        abort(); /* out of memory: see base/mem.h */
    char *shown = NULL;
    if (is_plain(url) && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK)
        shown = show(parts);
    curl_url_cleanup(parts);
    return shown;
}
