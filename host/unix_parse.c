/* See unix_parse.h. The bytes need not be aligned: what is looked at is copied first. */
#include "host/unix_parse.h"

#include "base/mem.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <string.h>

enum { STATE_ESTABLISHED = 1 };

/* ".s.PGSQL.5432", whatever the folder; an accepted socket bears its listener's name. The name is
 * an abstract one when it begins with a NUL. */
static bool is_postgres(const unsigned char *name, size_t len)
{
    static const char word[] = ".s.PGSQL.";
    return memmem(name, len, word, sizeof word - 1) != NULL;
}

static void take_attribute(struct host__unix_socket *socket, unsigned type,
                           const unsigned char *bytes, size_t len)
{
    uint32_t peer;
    if (type == UNIX_DIAG_PEER && len >= sizeof peer) {
        memcpy(&peer, bytes, sizeof peer);
        socket->peer = peer;
    } else if (type == UNIX_DIAG_NAME) {
        socket->postgres = is_postgres(bytes, len);
    }
}

static void take_socket(struct host__unix_list *list, const unsigned char *bytes, size_t len)
{
    struct unix_diag_msg message;
    struct rtattr attribute;
    if (len < sizeof message)
        return;
    memcpy(&message, bytes, sizeof message);
    struct host__unix_socket socket = {.inode = message.udiag_ino};
    for (size_t at = NLMSG_ALIGN(sizeof message); at + sizeof attribute <= len;) {
        memcpy(&attribute, bytes + at, sizeof attribute);
        if (attribute.rta_len < sizeof attribute || attribute.rta_len > len - at)
            break;
        take_attribute(&socket, attribute.rta_type, bytes + at + RTA_LENGTH(0),
                       attribute.rta_len - RTA_LENGTH(0));
        at += RTA_ALIGN((size_t)attribute.rta_len);
    }
    if (message.udiag_state == STATE_ESTABLISHED && socket.inode && socket.peer)
        *MEM_PUSH(list->sockets, list->count) = socket;
}

enum host__unix_answer host__unix_parse(const void *bytes, size_t len, struct host__unix_list *list)
{
    const unsigned char *at = bytes;
    struct nlmsghdr header;
    while (len >= sizeof header) {
        memcpy(&header, at, sizeof header);
        if (header.nlmsg_len < NLMSG_HDRLEN || header.nlmsg_len > len)
            return HOST__UNIX_BROKEN;
        if (header.nlmsg_type == NLMSG_DONE)
            return HOST__UNIX_DONE;
        if (header.nlmsg_type != SOCK_DIAG_BY_FAMILY)
            return HOST__UNIX_BROKEN;
        take_socket(list, at + NLMSG_HDRLEN, header.nlmsg_len - NLMSG_HDRLEN);
        size_t step = NLMSG_ALIGN((size_t)header.nlmsg_len);
        if (step >= len)
            return HOST__UNIX_MORE;
        at += step;
        len -= step;
    }
    return HOST__UNIX_MORE;
}
