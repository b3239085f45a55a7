/* See proc_parse.h. */
#include "host/proc_parse.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { ID_LEN = HOST__ID_MAX - 1, STAT_START = 22 };

static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};

/* --- endpoints -------------------------------------------------------------------------------- */

static void set_ipv4(struct host__endpoint *endpoint, const void *bytes)
{
    memcpy(endpoint->address, mapped, sizeof mapped);
    memcpy(endpoint->address + sizeof mapped, bytes, 4);
}

bool host__endpoint_parse(const char *address, int port, struct host__endpoint *ret)
{
    unsigned char ipv4[4];
    if (port <= 0 || port > UINT16_MAX)
        return false;
    *ret = (struct host__endpoint){.port = (uint16_t)port};
    if (inet_pton(AF_INET, address, ipv4) == 1)
        set_ipv4(ret, ipv4);
    else if (inet_pton(AF_INET6, address, ret->address) != 1)
        return false;
    return true;
}

bool host__is_loopback(const struct host__endpoint *endpoint)
{
    static const unsigned char ipv6[16] = {[15] = 1};
    return memcmp(endpoint->address, ipv6, sizeof ipv6) == 0 ||
           (memcmp(endpoint->address, mapped, sizeof mapped) == 0 && endpoint->address[12] == 127);
}

/* --- net/tcp ---------------------------------------------------------------------------------- */

/* Exactly `digits` hex digits; moves *at past them. */
static bool take_hex(const char **at, int digits, uint32_t *ret)
{
    *ret = 0;
    for (int i = 0; i < digits; i++, (*at)++) {
        unsigned char c = (unsigned char)**at;
        if (!isxdigit(c))
            return false;
        *ret = *ret << 4 | (uint32_t)(isdigit(c) ? c - '0' : tolower(c) - 'a' + 10);
    }
    return true;
}

static bool take_endpoint(const char **at, struct host__endpoint *ret)
{
    uint32_t words[4];
    uint32_t port;
    int count = 0;
    for (; count < 4 && **at != ':'; count++)
        if (!take_hex(at, 8, &words[count]))
            return false;
    if ((count != 1 && count != 4) || **at != ':')
        return false;
    ++*at;
    if (!take_hex(at, 4, &port))
        return false;
    if (count == 1)
        set_ipv4(ret, words);
    else
        memcpy(ret->address, words, sizeof ret->address);
    ret->port = (uint16_t)port;
    return true;
}

static const char *skip_spaces(const char *at)
{
    while (*at == ' ')
        at++;
    return at;
}

static const char *skip_words(const char *at, int count)
{
    for (; count > 0; count--) {
        at = skip_spaces(at);
        while (*at && *at != ' ')
            at++;
    }
    return skip_spaces(at);
}

static bool read_number(const char *at, uint64_t *ret)
{
    char *end;
    if (!isdigit((unsigned char)*at))
        return false;
    *ret = strtoull(at, &end, 10);
    return *end == '\0' || isspace((unsigned char)*end);
}

/* "  0: LOCAL REMOTE state queues timer retransmits uid timeout inode …" */
bool host__tcp_line(const char *line, struct host__connection *ret, uint64_t *ret_inode)
{
    const char *at = skip_words(line, 1);
    if (!take_endpoint(&at, &ret->local) || *at != ' ')
        return false;
    at = skip_spaces(at);
    if (!take_endpoint(&at, &ret->remote) || *at != ' ')
        return false;
    return read_number(skip_words(at, 6), ret_inode) && *ret_inode != 0;
}

/* --- cgroup ----------------------------------------------------------------------------------- */

/* The last run of exactly 64 hex digits in [at, end), or NULL. */
static const char *last_id(const char *at, const char *end)
{
    const char *found = NULL;
    while (at < end) {
        const char *begin = at;
        while (at < end && isxdigit((unsigned char)*at))
            at++;
        if (at - begin == ID_LEN)
            found = begin;
        if (at == begin)
            at++;
    }
    return found;
}

/* conmon watches over a container of podman's from outside, under the container's name. */
static bool is_monitor(const char *path, const char *id)
{
    static const char word[] = "conmon-";
    ptrdiff_t len = sizeof word - 1;
    return id - path >= len && memcmp(id - len, word, (size_t)len) == 0;
}

/* "HIERARCHY:CONTROLLERS:PATH" */
static const char *path_of(const char *line, const char *end)
{
    const char *first = memchr(line, ':', (size_t)(end - line));
    const char *second = first ? memchr(first + 1, ':', (size_t)(end - first - 1)) : NULL;
    return second ? second + 1 : end;
}

enum host__membership host__cgroup_parse(const char *text, char out[static HOST__ID_MAX])
{
    out[0] = '\0';
    while (*text) {
        const char *end = text + strcspn(text, "\n");
        const char *path = path_of(text, end);
        const char *id = last_id(path, end);
        if (id && !is_monitor(path, id)) {
            if (out[0] && memcmp(out, id, ID_LEN) != 0)
                return HOST__UNCLEAR;
            memcpy(out, id, ID_LEN);
            out[ID_LEN] = '\0';
        }
        text = *end ? end + 1 : end;
    }
    return out[0] ? HOST__CONTAINER : HOST__NO_CONTAINER;
}

/* --- status, stat, links ---------------------------------------------------------------------- */

bool host__status_parse(const char *text, int *ret_pid, int *ret_depth)
{
    const char *at = strstr(text, "\nNSpid:");
    *ret_depth = 0;
    if (!at)
        return false;
    at += strlen("\nNSpid:");
    for (;;) {
        at += strspn(at, " \t");
        if (!isdigit((unsigned char)*at))
            break;
        char *end;
        unsigned long pid = strtoul(at, &end, 10);
        if (pid == 0 || pid > INT_MAX)
            return false;
        *ret_pid = (int)pid;
        ++*ret_depth;
        at = end;
    }
    return *ret_depth > 0 && (*at == '\n' || *at == '\0');
}

/* The second field is the program's name in parentheses, with whatever stands in it. */
bool host__stat_parse(const char *text, uint64_t *ret_ticks)
{
    const char *name_end = strrchr(text, ')');
    return name_end && read_number(skip_words(name_end + 1, STAT_START - 3), ret_ticks);
}

bool host__link_parse(const char *link, uint64_t *ret_inode)
{
    static const char head[] = "socket:[";
    char *end;
    if (strncmp(link, head, sizeof head - 1) != 0 || !isdigit((unsigned char)link[sizeof head - 1]))
        return false;
    *ret_inode = strtoull(link + sizeof head - 1, &end, 10);
    return strcmp(end, "]") == 0;
}
