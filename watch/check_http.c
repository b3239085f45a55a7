/* A check by HTTP: one GET, its status, and a text in its answer. See check.h. */
#include "base/buf.h"
#include "base/mem.h"
#include "watch/check_transfer.h"

#include <string.h>

enum { BODY_MAX = 256 * 1024 };

struct http_try {
    struct check_transfer transfer;
    const struct check *check;
    struct buf body;
    bool is_full; /* the rest of the answer is not read */
};

/* The beginning of an answer, enough to look for a text in it. */
static size_t on_bytes(char *bytes, size_t size, size_t count, void *data)
{
    struct http_try *http = data;
    size_t len = size * count;
    size_t room = BODY_MAX - http->body.len;
    buf_add(&http->body, bytes, len < room ? len : room);
    http->is_full = len > room;
    return http->is_full ? 0 : len;
}

static bool is_expected(const struct check *check, int status)
{
    for (size_t i = 0; i < check->status_count; i++)
        if (status >= check->statuses[i].low && status <= check->statuses[i].high)
            return true;
    return false;
}

static bool has_text(const struct http_try *http)
{
    const char *text = http->check->contains;
    return !text || memmem(buf_text(&http->body), http->body.len, text, strlen(text));
}

static void ended(struct check_transfer *transfer, CURLcode result)
{
    const struct http_try *http = (struct http_try *)transfer;
    struct err e;
    long status = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    if (result != CURLE_OK && !http->is_full)
        watch__transfer_explain(transfer, result, &e);
    else if (!is_expected(http->check, (int)status))
        err_set(&e, ERR_FAILED, "HTTP %ld", status);
    else if (!has_text(http))
        err_set(&e, ERR_FAILED, "HTTP %ld, but the answer does not contain '%s'", status,
                http->check->contains);
    else
        err_clear(&e);
    watch__transfer_end(transfer, err_is_set(&e) ? &e : NULL);
}

static void clear(struct check_transfer *transfer)
{
    buf_free(&((struct http_try *)transfer)->body);
}

op_id watch__check_http(const struct watch__check_tools *tools, const struct check *check,
                        docker_done_fn done, void *data)
{
    struct http_try *http = mem_new(sizeof *http);
    http->check = check;
    buf_init(&http->body, BODY_MAX);
    http->transfer.what = mem_printf("GET %s", check->shown);
    http->transfer.ended = ended;
    http->transfer.clear = clear;
    CURL *easy = http->transfer.easy = curl_easy_init();
    if (!easy)
        abort(); /* out of memory: see base/mem.h */
    curl_easy_setopt(easy, CURLOPT_URL, check->url);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "stack-supervisor/" STACK_SUPERVISOR_VERSION);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, http);
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
    return watch__transfer_begin(&http->transfer, tools, check, done, data);
}

/* --- the URL ---------------------------------------------------------------------------------- */

/* "" where it has none. */
static char *part_of(CURLU *url, CURLUPart part)
{
    char *text = NULL;
    bool has = curl_url_get(url, part, &text, 0) == CURLUE_OK && text;
    char *copy = mem_strdup(has ? text : "");
    curl_free(text);
    return copy;
}

/* "[::1]" to "::1" */
static void strip_brackets(char *host)
{
    size_t len = strlen(host);
    if (host[0] != '[' || len < 2)
        return;
    memmove(host, host + 1, len - 2);
    host[len - 2] = '\0';
}

bool watch__check_url(const char *url, char **ret_host, char **ret_shown, const char **ret_reason)
{
    CURLU *parts = curl_url();
    if (!parts)
        abort(); /* out of memory: see base/mem.h */
    *ret_host = *ret_shown = NULL;
    *ret_reason = NULL;
    CURLUcode code = curl_url_set(parts, CURLUPART_URL, url, 0);
    CLEANUP_FREE char *scheme = part_of(parts, CURLUPART_SCHEME);
    if (code != CURLUE_OK)
        *ret_reason = curl_url_strerror(code);
    else if (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)
        *ret_reason = "only http:// and https:// can be checked";
    else {
        *ret_host = part_of(parts, CURLUPART_HOST);
        strip_brackets(*ret_host);
        curl_url_set(parts, CURLUPART_USER, NULL, 0);
        curl_url_set(parts, CURLUPART_PASSWORD, NULL, 0);
        curl_url_set(parts, CURLUPART_FRAGMENT, NULL, 0);
        CLEANUP_FREE char *query = part_of(parts, CURLUPART_QUERY);
        curl_url_set(parts, CURLUPART_QUERY, NULL, 0);
        CLEANUP_FREE char *rest = part_of(parts, CURLUPART_URL);
        *ret_shown = mem_printf("%s%s", rest, *query ? "?…" : "");
    }
    curl_url_cleanup(parts);
    return *ret_reason == NULL;
}
