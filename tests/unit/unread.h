/* A pipe, a socket or a terminal at whose other end nobody reads, until a test does. May use:
 * check, the kernel. */
#ifndef TESTS_UNREAD_H
#define TESTS_UNREAD_H

#include "base/buf.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum unread_kind { UNREAD_PIPE, UNREAD_SOCKET, UNREAD_TERMINAL, UNREAD_KINDS };

struct unread {
    int end; /* for the writer */
    int reader;
};

static inline struct unread unread_open(enum unread_kind kind)
{
    int ends[2];
    if (kind == UNREAD_SOCKET) {
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    } else if (kind == UNREAD_PIPE) {
        ck_assert_int_eq(pipe(ends), 0);
    } else {
        struct termios raw;
        ck_assert_int_eq(openpty(&ends[0], &ends[1], NULL, NULL, NULL), 0);
        tcgetattr(ends[1], &raw);
        cfmakeraw(&raw); /* bytes come out as they went in */
        tcsetattr(ends[1], TCSANOW, &raw);
    }
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    return (struct unread){.end = ends[1], .reader = ends[0]};
}

/* Fills it with ends of lines, to the last byte; the flags of `end` are left as they were. */
static inline void unread_fill(const struct unread *unread)
{
    int flags = fcntl(unread->end, F_GETFL);
    fcntl(unread->end, F_SETFL, flags | O_NONBLOCK);
    while (write(unread->end, "\n", 1) == 1)
        continue;
    ck_assert_int_eq(errno, EAGAIN);
    fcntl(unread->end, F_SETFL, flags);
}

/* What has been written by now, without the fill. */
static inline void unread_take(const struct unread *unread, struct buf *text)
{
    char bytes[4096];
    ssize_t got;
    while ((got = read(unread->reader, bytes, sizeof bytes)) > 0)
        for (ssize_t i = 0; i < got; i++)
            if (bytes[i] != '\n' || (text->len > 0 && text->data[text->len - 1] != '\n'))
                buf_add(text, &bytes[i], 1);
}

static inline void unread_close(const struct unread *unread)
{
    close(unread->end);
    close(unread->reader);
}

#endif
