/* A webhook: one POST, by one try of an attempt. Every 2xx is a delivery.
 *
 * What says that this very notification is not understood (400, 413, 422) is not tried again, or it
 * would hold up what comes behind it for a day; all the rest may be mended on the other side.
 */
#include "base/mem.h"
#include "notify/attempt.h"
#include "notify/transfer.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { EXCERPT_MAX = 160 };

#define ALERTS_PATH "/api/v2/alerts"

/* --- the answer ------------------------------------------------------------------------------- */

static bool is_for_good(long status)
{
    return status == 400 || status == 413 || status == 422;
}

/* The first line of the answer without what is secret: " (no_service)". The caller frees it. */
static char *excerpt(const struct notify__attempt *attempt)
{
    const char *text = buf_text(&attempt->transfer->answer);
    int len = (int)strcspn(text, "\r\n");
    CLEANUP_FREE char *line = mem_printf("%.*s", len, text);
    for (char *c = line; *c; c++)
        if (*c < ' ' || *c >= 0x7f)
            *c = '?';
    CLEANUP_FREE char *clean = notify__secrets_hide(&attempt->secrets, line);
    return *clean ? mem_printf(" (%.*s)", EXCERPT_MAX, clean) : mem_strdup("");
}

static void explain_status(const struct notify__attempt *attempt, long status, struct err *e)
{
    CLEANUP_FREE char *said = excerpt(attempt);
    enum err_code code = status == 401 || status == 403 ? ERR_PERMISSION : ERR_FAILED;
    err_set(e, code, "%s: answered %ld%s", attempt->what, status, said);
    if (status >= 300 && status < 400)
        err_hint(e, "redirects are not followed: give the address that it leads to");
    else if (status == 401 || status == 403)
        err_hint(e, "look at the address, bearer_token_file and headers_file");
    else if (status == 404 || status == 410)
        err_hint(e, "the address is not, or no longer, valid there");
}

static void on_done(void *data, CURLcode result)
{
    struct notify__attempt *attempt = data;
    struct err e;
    long status = 0;
    curl_off_t retry_after = 0;
    curl_easy_getinfo(attempt->transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(attempt->transfer->easy, CURLINFO_RETRY_AFTER, &retry_after);
    if (result != CURLE_OK) {
        notify__transfer_explain(attempt->transfer, result, attempt->what, &e);
        notify__attempt_end(attempt, &e);
    } else if (status >= 200 && status < 300) {
        notify__attempt_end(attempt, NULL);
    } else {
        attempt->for_good = is_for_good(status);
        attempt->retry_after_ms = retry_after < 86400 ? (int64_t)retry_after * 1000 : 86400000;
        explain_status(attempt, status, &e);
        notify__attempt_end(attempt, &e);
    }
}

/* --- the request ------------------------------------------------------------------------------ */

/* The Alertmanager's address may be given with or without the path of its API. NULL: no address.
 * The caller frees it. */
static char *alerts_url(const char *url)
{
    CURLU *parts = curl_url();
    char *path = NULL;
    char *whole = NULL;
    char *copy = NULL;
    if (parts && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
        curl_url_get(parts, CURLUPART_PATH, &path, 0) == CURLUE_OK) {
        size_t len = strlen(path);
        while (len > 0 && path[len - 1] == '/')
            path[--len] = '\0';
        size_t tail = sizeof ALERTS_PATH - 1;
        bool complete = len >= tail && strcmp(path + len - tail, ALERTS_PATH) == 0;
        CLEANUP_FREE char *full = mem_printf("%s%s", path, complete ? "" : ALERTS_PATH);
        if (curl_url_set(parts, CURLUPART_PATH, full, 0) == CURLUE_OK &&
            curl_url_get(parts, CURLUPART_URL, &whole, 0) == CURLUE_OK)
            copy = mem_strdup(whole);
    }
    curl_free(path);
    curl_free(whole);
    curl_url_cleanup(parts);
    return copy;
}

static char *payload_of(const struct notify__attempt *attempt)
{
    switch (attempt->receiver->format) {
    case NOTIFY__SLACK:
        return notify__as_slack(&attempt->notification, attempt->receiver->text_key);
    case NOTIFY__ALERTMANAGER:
        return notify__as_alerts(&attempt->notification);
    case NOTIFY__JSON:
        break;
    }
    return notify__as_json(&attempt->notification);
}

static bool is_header_name(const char *text, size_t len)
{
    if (len == 0)
        return false;
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)text[i]) && !strchr("!#$%&'*+-.^_`|~", text[i]))
            return false;
    return true;
}

static bool is_ours(const char *name, size_t len)
{
    static const char *const ours[] = {"Content-Type", "Content-Length", "Transfer-Encoding",
                                       "Expect"};
    for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
        if (strlen(ours[i]) == len && strncasecmp(ours[i], name, len) == 0)
            return true;
    return false;
}

/* "Name: value" lines; empty ones and those that begin with '#' are passed over. */
static int add_own_headers(struct notify__attempt *attempt, struct err *e)
{
    const char *line = attempt->secrets.headers;
    for (int number = 1; line && *line; number++) {
        size_t len = strcspn(line, "\r\n");
        size_t name = strcspn(line, ":\r\n");
        if (len > 0 && *line != '#') {
            if (line[name] != ':' || !is_header_name(line, name))
                return err_set(e, ERR_INVALID, "headers_file %s: line %d is not 'Name: value'",
                               attempt->receiver->headers_file, number);
            if (is_ours(line, name))
                return err_set(e, ERR_INVALID, "headers_file %s: line %d: %.*s is set already",
                               attempt->receiver->headers_file, number, (int)name, line);
            CLEANUP_FREE char *header = mem_strndup(line, len);
            notify__transfer_list(attempt->transfer, header);
            explicit_bzero(header, len);
        }
        line += len;
        line += strncmp(line, "\r\n", 2) == 0 ? 2 : *line != '\0';
    }
    return 0;
}

static int set_headers(struct notify__attempt *attempt, struct err *e)
{
    struct notify__transfer *transfer = attempt->transfer;
    CLEANUP_FREE char *id =
        mem_printf("X-Stack-Supervisor-Notification-Id: %s", attempt->notification.id);
    notify__transfer_list(transfer, "Content-Type: application/json");
    notify__transfer_list(transfer, "Expect:"); /* nobody shall wait for a 100 */
    notify__transfer_list(transfer, id);
    if (attempt->secrets.token) {
        CLEANUP_FREE char *line = mem_printf("Authorization: Bearer %s", attempt->secrets.token);
        notify__transfer_list(transfer, line);
        explicit_bzero(line, strlen(line));
    }
    return add_own_headers(attempt, e);
}

void notify__webhook_begin(struct notify__attempt *attempt)
{
    struct err e;
    bool alerts = attempt->receiver->format == NOTIFY__ALERTMANAGER;
    CLEANUP_FREE char *url =
        alerts ? alerts_url(attempt->secrets.url) : mem_strdup(attempt->secrets.url);
    attempt->payload = payload_of(attempt);
    attempt->transfer = notify__transfer_new(attempt->receiver);
    CURL *easy = attempt->transfer->easy;
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "stack-supervisor/" STACK_SUPERVISOR_VERSION);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)strlen(attempt->payload));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, attempt->payload);
    if (set_headers(attempt, &e) != 0) {
        notify__attempt_end(attempt, &e);
        return;
    }
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, attempt->transfer->list);
    notify__transfer_start(attempt->transfer, attempt->all->multi, on_done, attempt);
}
