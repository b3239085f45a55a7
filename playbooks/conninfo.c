/* See conninfo.h. */
#include "playbooks/conninfo.h"

#include "base/mem.h"

#include <ctype.h>
#include <string.h>

bool conninfo__is_uri(const char *text)
{
    static const char *const schemes[] = {"postgresql://", "postgres://"};
    for (size_t i = 0; i < ARRAY_SIZE(schemes); i++)
        if (strncmp(text, schemes[i], strlen(schemes[i])) == 0)
            return true;
    return false;
}

void conninfo__add(struct buf *out, const char *key, const char *value)
{
    buf_printf(out, "%s%s='", out->len ? " " : "", key);
    for (; *value; value++) {
        if (*value == '\'' || *value == '\\')
            buf_puts(out, "\\");
        buf_add(out, value, 1);
    }
    buf_puts(out, "'");
}

/* The query of a URI begins at the '?' behind its authority: a password may hold one too. */
static bool uri_has_query(const char *uri)
{
    const char *rest = strstr(uri, "://") + 3;
    size_t user = strcspn(rest, "@/");
    return strchr(rest[user] == '@' ? rest + user : rest, '?') != NULL;
}

void conninfo__add_to_uri(struct buf *out, const char *key, const char *value)
{
    buf_printf(out, "%c%s=", uri_has_query(buf_text(out)) ? '&' : '?', key);
    for (; *value; value++) {
        unsigned char byte = (unsigned char)*value;
        if (byte < 0x80 && (isalnum(byte) || strchr("/._-~", byte)))
            buf_add(out, value, 1);
        else
            buf_printf(out, "%%%02X", byte);
    }
}

bool conninfo__address(const struct container *container, int port, const char **ret_host,
                       int *ret_port)
{
    *ret_port = port;
    if (strcmp(container->network_mode, "host") == 0) {
        *ret_host = "127.0.0.1";
        return true;
    }
    for (size_t i = 0; i < container->network_count; i++) {
        if (!*container->networks[i].address)
            continue;
        *ret_host = container->networks[i].address;
        return true;
    }
    for (size_t i = 0; i < container->port_count; i++) {
        const struct container_port *published = &container->ports[i];
        if (published->port != port || published->host_port == 0)
            continue;
        bool any = strcmp(published->host_address, "0.0.0.0") == 0 ||
                   strcmp(published->host_address, "::") == 0 || !*published->host_address;
        *ret_host = any ? "127.0.0.1" : published->host_address;
        *ret_port = published->host_port;
        return true;
    }
    return false;
}

const char *conninfo__env(const struct container *container, const char *key, const char *fallback)
{
    const char *value = container_env(container, key);
    return value && *value ? value : fallback;
}

char *conninfo__take(struct buf *out)
{
    if (!out->overflowed)
        return buf_take(out);
    if (out->data)
        explicit_bzero(out->data, out->len);
    buf_free(out);
    return NULL;
}
