/* See transfer.h. */
#include "notify/transfer.h"

#include "base/mem.h"

#include <string.h>

enum { ANSWER_MAX = 2048 };

void notify__transfer_on_done(CURL *easy, CURLcode result)
{
    char *private = NULL;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
    struct notify__transfer *transfer = (struct notify__transfer *)(void *)private;
    transfer->done(transfer->data, result);
}

/* Only the beginning of an answer is of use; the rest is taken and forgotten. */
static size_t on_bytes(char *bytes, size_t size, size_t count, void *data)
{
    struct notify__transfer *transfer = data;
    size_t len = size * count;
    size_t room = ANSWER_MAX - transfer->answer.len;
    buf_add(&transfer->answer, bytes, len < room ? len : room);
    return len;
}

static void set_common(struct notify__transfer *transfer, const struct notify__receiver *receiver)
{
    CURL *easy = transfer->easy;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->problem);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)receiver->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)receiver->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_PROXY, receiver->proxy ? receiver->proxy : "");
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
    curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    /* Notifications are rare: a connection that idled for hours would only be found dead. */
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    if (receiver->ca_file)
        curl_easy_setopt(easy, CURLOPT_CAINFO, receiver->ca_file);
}

struct notify__transfer *notify__transfer_new(const struct notify__receiver *receiver)
{
    struct notify__transfer *transfer = mem_new(sizeof *transfer);
    buf_init(&transfer->answer, ANSWER_MAX);
    transfer->easy = curl_easy_init();
    if (!transfer->easy)
        abort(); /* out of memory: see base/mem.h */
    set_common(transfer, receiver);
    return transfer;
}

void notify__transfer_list(struct notify__transfer *transfer, const char *text)
{
    struct curl_slist *grown = curl_slist_append(transfer->list, text);
    if (!grown)
        abort(); /* out of memory: see base/mem.h */
    transfer->list = grown;
}

void notify__transfer_start(struct notify__transfer *transfer, struct multi *multi,
                            void (*done)(void *data, CURLcode result), void *data)
{
    transfer->multi = multi;
    transfer->done = done;
    transfer->data = data;
    multi_add(multi, transfer->easy);
}

static void wipe_list(struct curl_slist *list)
{
    for (struct curl_slist *item = list; item; item = item->next)
        explicit_bzero(item->data, strlen(item->data));
    curl_slist_free_all(list);
}

struct notify__transfer *notify__transfer_free(struct notify__transfer *transfer)
{
    if (!transfer)
        return NULL;
    if (transfer->multi)
        multi_remove(transfer->multi, transfer->easy);
    curl_easy_cleanup(transfer->easy);
    wipe_list(transfer->list);
    buf_free(&transfer->answer);
    free(transfer);
    return NULL;
}

/* --- failures --------------------------------------------------------------------------------- */

static void explain_connect(const struct notify__transfer *transfer, const char *where,
                            struct err *e)
{
    long number = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_OS_ERRNO, &number);
    err_set(e, ERR_UNREACHABLE, "%s: cannot connect: %s", where,
            number ? strerror((int)number) : transfer->problem);
}

void notify__transfer_explain(const struct notify__transfer *transfer, CURLcode result,
                              const char *where, struct err *e)
{
    const char *problem = transfer->problem[0] ? transfer->problem : curl_easy_strerror(result);
    switch (result) {
    case CURLE_COULDNT_CONNECT:
        explain_connect(transfer, where, e);
        return;
    case CURLE_OPERATION_TIMEDOUT:
        err_set(e, ERR_TIMEOUT, "%s: no answer in time: %s", where, problem);
        return;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
        err_set(e, ERR_PERMISSION, "%s: TLS: %s", where, problem);
        err_hint(e, "if its certificate is of an authority of your own, name that in ca_file");
        return;
    case CURLE_USE_SSL_FAILED:
        err_set(e, ERR_PERMISSION, "%s: the server offers no TLS", where);
        err_hint(e, "'tls: none' sends without, which is for a server on this host");
        return;
    case CURLE_LOGIN_DENIED:
        err_set(e, ERR_PERMISSION, "%s: the login was refused: %s", where, problem);
        err_hint(e, "look at user and password_file");
        return;
    default:
        err_set(e, ERR_UNREACHABLE, "%s: %s", where, problem);
        return;
    }
}
