/* See lookup.h. */
#include "postgres/lookup.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <string.h>

enum {
    MAX_ADDRESSES = 32, /* what comes behind them is not tried */
    LIST_CEILING = 16 * 1024
};

struct db__lookup {
    uv_getaddrinfo_t request;
    struct loop *loop;
    char *hosts, *ports;   /* the target's lists */
    const char *next_host; /* still to be looked at; NULL at the end */
    const char *next_port;
    char *host, *port; /* the present pair */
    struct db__addresses found;
    const char *reason;
    bool pending; /* go_on() is on its way to us: by the loop or by the resolver */
    bool given_up;
    db__lookup_fn done;
    void *data;
};

static bool is_name(const char *host)
{
    struct in_addr four;
    return host[0] != '\0' && host[0] != '/' && host[0] != '@' && !strchr(host, ':') &&
           inet_pton(AF_INET, host, &four) != 1;
}

/* Cuts the next element off a list. With a single port for several hosts it serves them all. */
static char *next_element(const char **at)
{
    size_t len = strcspn(*at, ",");
    char *element = mem_strndup(*at, len);
    *at = (*at)[len] == ',' ? *at + len + 1 : NULL;
    return element;
}

bool db__lookup_is_needed(const struct db__target *target)
{
    if (db__target_value(target, "hostaddr")[0])
        return false;
    bool needed = false;
    for (const char *at = db__target_value(target, "host"); at && !needed;) {
        CLEANUP_FREE char *host = next_element(&at);
        needed = is_name(host);
    }
    return needed;
}

static void add(struct db__lookup *lookup, const char *address)
{
    struct db__addresses *found = &lookup->found;
    const char *comma = found->count ? "," : "";
    if (found->count == MAX_ADDRESSES)
        return;
    if (buf_printf(&found->host, "%s%s", comma, lookup->host) &&
        buf_printf(&found->hostaddr, "%s%s", comma, address) &&
        buf_printf(&found->port, "%s%s", comma, lookup->port))
        found->count++;
}

static void add_all(struct db__lookup *lookup, const struct addrinfo *list)
{
    for (const struct addrinfo *at = list; at; at = at->ai_next) {
        char address[INET6_ADDRSTRLEN + 16]; /* a link-local one has its interface behind it */
        if (getnameinfo(at->ai_addr, at->ai_addrlen, address, sizeof address, NULL, 0,
                        NI_NUMERICHOST) == 0)
            add(lookup, address);
    }
}

static void destroy(void *data)
{
    struct db__lookup *lookup = data;
    buf_free(&lookup->found.host);
    buf_free(&lookup->found.hostaddr);
    buf_free(&lookup->found.port);
    free(lookup->hosts);
    free(lookup->ports);
    free(lookup->host);
    free(lookup->port);
    free(lookup);
}

static void go_on(void *data);

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *list)
{
    struct db__lookup *lookup = request->data;
    if (status == 0)
        add_all(lookup, list);
    else
        lookup->reason = uv_strerror(status);
    uv_freeaddrinfo(list);
    go_on(lookup);
}

static bool take_next(struct db__lookup *lookup)
{
    if (!lookup->next_host)
        return false;
    free(lookup->host);
    lookup->host = next_element(&lookup->next_host);
    if (lookup->next_port) {
        free(lookup->port);
        lookup->port = next_element(&lookup->next_port);
    }
    return true;
}

static bool start_asking(struct db__lookup *lookup)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    int status = uv_getaddrinfo(loop_uv(lookup->loop), &lookup->request, on_resolved, lookup->host,
                                NULL, &hints);
    if (status != 0)
        lookup->reason = uv_strerror(status);
    lookup->pending = status == 0;
    return lookup->pending;
}

/* Until a name has to be waited for, or the list is at its end. */
static void go_on(void *data)
{
    struct db__lookup *lookup = data;
    lookup->pending = false;
    while (!lookup->given_up && take_next(lookup)) {
        if (!is_name(lookup->host))
            add(lookup, "");
        else if (start_asking(lookup))
            return;
    }
    if (lookup->given_up)
        destroy(lookup);
    else
        lookup->done(lookup->data, &lookup->found, lookup->reason);
}

struct db__lookup *db__lookup_new(struct loop *loop, const struct db__target *target,
                                  db__lookup_fn done, void *data)
{
    struct db__lookup *lookup = mem_new(sizeof *lookup);
    *lookup = (struct db__lookup){.loop = loop, .done = done, .data = data, .pending = true};
    lookup->request.data = lookup;
    lookup->hosts = mem_strdup(db__target_value(target, "host"));
    lookup->ports = mem_strdup(db__target_value(target, "port"));
    lookup->next_host = lookup->hosts;
    lookup->next_port = lookup->ports;
    lookup->reason = "no address";
    buf_init(&lookup->found.host, LIST_CEILING);
    buf_init(&lookup->found.hostaddr, LIST_CEILING);
    buf_init(&lookup->found.port, LIST_CEILING);
    loop_defer(loop, go_on, lookup);
    return lookup;
}

struct db__lookup *db__lookup_free(struct db__lookup *lookup)
{
    if (!lookup)
        return NULL;
    lookup->given_up = true;
    if (!lookup->pending)
        loop_defer(lookup->loop, destroy, lookup);
    else
        uv_cancel(
            (uv_req_t *)&lookup->request); /* refused if it runs already: it then ends alone */
    return NULL;
}
