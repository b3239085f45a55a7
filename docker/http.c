/* See http.h. */
#include "docker/http.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/multi.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { CONNECT_TIMEOUT_MS = 10000, KEEPALIVE_S = 30 };

struct docker__http {
    struct multi *multi;
    const struct docker__host *host;
};

struct docker__exchange {
    struct docker__http *http;
    CURL *easy;
    struct curl_slist *headers;
    char *body_out;
    bool (*on_bytes)(void *data, const char *bytes, size_t len);
    void (*on_headers)(void *data);
    docker__answer_fn done;
    void *data;
    struct buf body;
    char problem[CURL_ERROR_SIZE]; /* curl's own words */
};

static bool is_good(long status)
{
    return status >= 200 && status < 400;
}

static long status_of(const struct docker__exchange *exchange)
{
    long status = 0;
    curl_easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

/* --- curl's callbacks: put away, nothing else ---------------------------------------------- */

static size_t on_curl_write(char *bytes, size_t size, size_t count, void *data)
{
    struct docker__exchange *exchange = data;
    size_t len = size * count;
    bool taken = exchange->on_bytes && is_good(status_of(exchange))
                     ? exchange->on_bytes(exchange->data, bytes, len)
                     : buf_add(&exchange->body, bytes, len);
    return taken ? len : 0;
}

static size_t on_curl_header(char *line, size_t size, size_t count, void *data)
{
    struct docker__exchange *exchange = data;
    size_t len = size * count;
    bool is_last = len > 0 && (line[0] == '\r' || line[0] == '\n');
    if (is_last && exchange->on_headers && is_good(status_of(exchange)))
        exchange->on_headers(exchange->data);
    return len;
}

/* --- the answer ------------------------------------------------------------------------------ */

static void copy_header(CURL *easy, const char *name, char *out, size_t room)
{
    struct curl_header *header;
    if (curl_easy_header(easy, name, 0, CURLH_HEADER, -1, &header) == CURLHE_OK)
        snprintf(out, room, "%s", header->value);
}

static void explain_permission(const struct docker__host *host, struct err *e)
{
    err_set(e, ERR_PERMISSION, "%s: permission denied", host->name);
    err_hint(e,
             "let the user %s use the Engine (`usermod -aG docker %s`, then log in again or "
             "restart the service)",
             host->user, host->user);
}

static void explain_connect(const struct docker__exchange *exchange, struct err *e)
{
    const char *place = exchange->http->host->name;
    long number = 0;
    curl_easy_getinfo(exchange->easy, CURLINFO_OS_ERRNO, &number);
    if (number == EACCES || number == EPERM) {
        explain_permission(exchange->http->host, e);
        return;
    }
    err_set(e, ERR_UNREACHABLE, "cannot connect to %s: %s", place,
            number ? strerror((int)number) : exchange->problem);
    err_hint(e, number == ENOENT ? "is the Docker Engine running? `systemctl start docker`, or "
                                   "name its socket with --docker-host"
                                 : "is the Docker Engine running? `systemctl status docker`");
}

static void explain(const struct docker__exchange *exchange, CURLcode result, struct err *e)
{
    const char *place = exchange->http->host->name;
    const char *problem = exchange->problem[0] ? exchange->problem : curl_easy_strerror(result);
    switch (result) {
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_OPERATION_TIMEDOUT: /* only connecting has a limit here */
        explain_connect(exchange, e);
        return;
    case CURLE_OUT_OF_MEMORY:
        mem_exhausted();
    case CURLE_WRITE_ERROR: /* our own doing */
        err_set(e, ERR_PROTOCOL, "the answer of %s is larger than %zu KiB", place,
                exchange->body.ceiling / 1024);
        return;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
        err_set(e, ERR_PERMISSION, "TLS to %s: %s", place, problem);
        err_hint(e, "look at ca.pem, cert.pem and key.pem of the certificate directory");
        return;
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
        err_set(e, ERR_PROTOCOL, "%s does not answer in HTTP: %s", place, problem);
        return;
    default:
        err_set(e, ERR_UNREACHABLE, "the connection to %s was lost: %s", place, problem);
        return;
    }
}

static void exchange_free(struct docker__exchange *exchange)
{
    multi_remove(exchange->http->multi, exchange->easy);
    curl_easy_cleanup(exchange->easy);
    curl_slist_free_all(exchange->headers);
    free(exchange->body_out);
    buf_free(&exchange->body);
    free(exchange);
}

static void on_done(CURL *easy, CURLcode result)
{
    char *private = NULL;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
    struct docker__exchange *exchange = (struct docker__exchange *)(void *)private;
    struct err failure;
    struct docker__answer answer = {
        .status = (int)status_of(exchange),
        .body = buf_text(&exchange->body),
        .len = exchange->body.len,
    };
    if (result != CURLE_OK) {
        explain(exchange, result, &failure);
        answer.failure = &failure;
    }
    char date[64] = "";
    copy_header(easy, "Date", date, sizeof date);
    copy_header(easy, "Api-Version", answer.api_version, sizeof answer.api_version);
    copy_header(easy, "Server", answer.server, sizeof answer.server);
    time_t seconds = date[0] ? curl_getdate(date, NULL) : -1;
    answer.date_s = seconds > 0 ? (int64_t)seconds : 0;
    exchange->done(exchange->data, &answer);
    exchange_free(exchange);
}

/* --- the request ----------------------------------------------------------------------------- */

static void set_transport(CURL *easy, const struct docker__host *host)
{
    if (host->socket_path)
        curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, host->socket_path);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "*"); /* http_proxy is not meant for the Engine */
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, host->ca ? "https" : "http");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, (long)KEEPALIVE_S);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, (long)KEEPALIVE_S);
    if (!host->ca)
        return;
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(easy, CURLOPT_CAINFO, host->ca);
    curl_easy_setopt(easy, CURLOPT_SSLCERT, host->cert);
    curl_easy_setopt(easy, CURLOPT_SSLKEY, host->key);
}

static struct curl_slist *append(struct curl_slist *list, const char *header)
{
    struct curl_slist *grown = curl_slist_append(list, header);
    if (!grown)
        abort(); /* out of memory: see base/mem.h */
    return grown;
}

static void set_request(struct docker__exchange *exchange, const struct docker__request *request)
{
    CURL *easy = exchange->easy;
    CLEANUP_FREE char *url = mem_printf("%s%s", exchange->http->host->base_url, request->path);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    if (strcmp(request->method, "POST") == 0) {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)strlen(exchange->body_out));
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, exchange->body_out);
        /* curl's own form type is answered with 400; and nobody shall wait for a 100. */
        exchange->headers = append(exchange->headers, "Content-Type: application/json");
        exchange->headers = append(exchange->headers, "Expect:");
    }
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, exchange->headers);
    if (request->once) {
        curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
        curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
    }
}

static void set_callbacks(struct docker__exchange *exchange)
{
    CURL *easy = exchange->easy;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, exchange);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, exchange->problem);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_curl_write);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, exchange);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_curl_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, exchange);
}

struct docker__exchange *docker__exchange_start(struct docker__http *http,
                                                const struct docker__request *request,
                                                docker__answer_fn done, void *data)
{
    struct docker__exchange *exchange = mem_new(sizeof *exchange);
    exchange->http = http;
    exchange->on_bytes = request->on_bytes;
    exchange->on_headers = request->on_headers;
    exchange->body_out = mem_strdup(request->body ? request->body : "");
    exchange->done = done;
    exchange->data = data;
    buf_init(&exchange->body, request->ceiling);
    exchange->easy = curl_easy_init();
    if (!exchange->easy)
        abort(); /* out of memory: see base/mem.h */
    set_transport(exchange->easy, http->host);
    set_request(exchange, request);
    set_callbacks(exchange);
    multi_add(http->multi, exchange->easy);
    return exchange;
}

struct docker__exchange *docker__exchange_abort(struct docker__exchange *exchange)
{
    if (exchange)
        exchange_free(exchange);
    return NULL;
}

struct docker__http *docker__http_new(struct loop *loop, const struct docker__host *host)
{
    struct docker__http *http = mem_new(sizeof *http);
    http->multi = multi_new(loop, on_done);
    http->host = host;
    return http;
}

struct docker__http *docker__http_free(struct docker__http *http)
{
    if (!http)
        return NULL;
    multi_free(http->multi);
    free(http);
    return NULL;
}
