/* See check_transfer.h. */
#include "watch/check_transfer.h"

#include "base/clock.h"
#include "base/mem.h"

#include <string.h>

/* --- where a name leads ----------------------------------------------------------------------- */

static bool runs(const struct container *container)
{
    return container->state == CONTAINER_RUNNING && !container->is_partial;
}

static const char *address_of(const struct container *container)
{
    for (size_t i = 0; i < container->network_count; i++)
        if (container->networks[i].address[0])
            return container->networks[i].address;
    return strcmp(container->network_mode, "host") == 0 ? "127.0.0.1" : NULL;
}

/* The address for a name of the stack; NULL when it is none. *ret_down: it is one, and nothing of
 * it runs. */
static const char *stack_address(const struct stack *stack, const char *name, bool *ret_down)
{
    const struct container *container = stack ? stack_container(stack, name) : NULL;
    const struct stack_service *service = stack ? stack_service(stack, name) : NULL;
    const char *address = container && runs(container) ? address_of(container) : NULL;
    for (size_t i = 0; service && !address && i < service->container_count; i++)
        if (runs(service->containers[i]))
            address = address_of(service->containers[i]);
    *ret_down = (container || service) && !address;
    return address;
}

/* curl keeps the URL's name for the Host header and the certificate. False when nothing runs. */
static bool lead_to_container(struct check_transfer *transfer, const struct stack *stack,
                              const char *name)
{
    bool is_down;
    const char *address = stack_address(stack, name, &is_down);
    if (!address)
        return !is_down;
    CLEANUP_FREE char *route = mem_printf(strchr(address, ':') ? "::[%s]:" : "::%s:", address);
    transfer->connect_to = curl_slist_append(NULL, route);
    if (!transfer->connect_to)
        abort(); /* out of memory: see base/mem.h */
    curl_easy_setopt(transfer->easy, CURLOPT_CONNECT_TO, transfer->connect_to);
    return true;
}

/* --- its life --------------------------------------------------------------------------------- */

static void let_go(struct check_transfer *transfer)
{
    if (!transfer->easy)
        return;
    multi_remove(transfer->multi, transfer->easy);
    curl_easy_cleanup(transfer->easy);
    transfer->easy = NULL;
}

static void on_drop(struct op *op)
{
    let_go((struct check_transfer *)op);
}

static void on_deliver(struct op *op, const struct err *e)
{
    struct check_transfer *transfer = (struct check_transfer *)op;
    transfer->done(transfer->data, e);
    if (transfer->clear)
        transfer->clear(transfer);
    curl_slist_free_all(transfer->connect_to);
    free(transfer->what);
    free(transfer);
}

void watch__check_on_done(CURL *easy, CURLcode result)
{
    char *private = NULL;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
    struct check_transfer *transfer = (struct check_transfer *)(void *)private;
    transfer->ended(transfer, result);
}

static void set_up(struct check_transfer *transfer)
{
    CURL *easy = transfer->easy;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->problem);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
    /* Else giving up while a name is being resolved waits, on the loop, for the resolver. */
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "*"); /* a proxy's health is not what is asked for */
    curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
}

op_id watch__transfer_begin(struct check_transfer *transfer, const struct watch__check_tools *tools,
                            const struct check *check, docker_done_fn done, void *data)
{
    static const struct op_class class = {.drop = on_drop, .deliver = on_deliver};
    struct err e;
    transfer->multi = tools->multi;
    transfer->done = done;
    transfer->data = data;
    set_up(transfer);
    bool leads = lead_to_container(transfer, tools->stack, check->host);
    op_id id = op_begin(&transfer->op, tools->loop, &class, transfer->what, check->timeout_ms);
    if (leads) {
        multi_add(transfer->multi, transfer->easy);
        return id;
    }
    curl_easy_cleanup(transfer->easy);
    transfer->easy = NULL;
    err_set(&e, ERR_UNREACHABLE, "no container of %s runs", check->host);
    watch__transfer_end(transfer, &e);
    return id;
}

void watch__transfer_end(struct check_transfer *transfer, const struct err *e)
{
    struct err named;
    let_go(transfer);
    err_copy(&named, e);
    if (e)
        err_wrap(&named, "%s: ", transfer->what);
    op_end(&transfer->op, e ? &named : NULL);
}

void watch__transfer_explain(const struct check_transfer *transfer, CURLcode result, struct err *e)
{
    const char *problem = transfer->problem[0] ? transfer->problem : curl_easy_strerror(result);
    long number = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_OS_ERRNO, &number);
    if (result == CURLE_COULDNT_CONNECT && number)
        err_set(e, ERR_UNREACHABLE, "cannot connect: %s", strerror((int)number));
    else if (result == CURLE_PEER_FAILED_VERIFICATION)
        err_set(e, ERR_PERMISSION, "TLS: %s", problem);
    else
        err_set(e, ERR_UNREACHABLE, "%s", problem);
}
