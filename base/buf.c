/* See buf.h. */
#include "base/buf.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

void buf_init(struct buf *b, size_t ceiling)
{
    *b = (struct buf){.ceiling = ceiling};
}

void buf_free(struct buf *b)
{
    size_t ceiling = b->ceiling;
    free(b->data);
    buf_init(b, ceiling);
}

static bool buf_reserve(struct buf *b, size_t more)
{
    if (more > b->ceiling || b->len > b->ceiling - more) {
        b->overflowed = true;
        return false;
    }
    size_t need = b->len + more + 1;
    if (need <= b->room)
        return true;
    size_t room = b->room ? b->room : 256;
    while (room < need)
        room *= 2;
    char *grown = mem_new(room);
    if (b->len)
        memcpy(grown, b->data, b->len);
    free(b->data);
    b->data = grown;
    b->room = room;
    return true;
}

bool buf_add(struct buf *b, const void *bytes, size_t len)
{
    if (!buf_reserve(b, len))
        return false;
    if (len)
        memcpy(b->data + b->len, bytes, len);
    b->len += len;
    b->data[b->len] = '\0';
    return true;
}

bool buf_puts(struct buf *b, const char *text)
{
    return buf_add(b, text, strlen(text));
}

bool buf_printf(struct buf *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    CLEANUP_FREE char *text = mem_vprintf(format, args);
    va_end(args);
    return buf_puts(b, text);
}

void buf_consume(struct buf *b, size_t len)
{
    if (len >= b->len) {
        buf_reset(b);
        return;
    }
    memmove(b->data, b->data + len, b->len - len);
    b->len -= len;
    b->data[b->len] = '\0';
}

void buf_reset(struct buf *b)
{
    b->len = 0;
    b->overflowed = false;
    if (b->data)
        b->data[0] = '\0';
}

const char *buf_text(const struct buf *b)
{
    return b->data ? b->data : "";
}

char *buf_take(struct buf *b)
{
    char *taken = b->data ? b->data : mem_strdup("");
    b->data = NULL;
    buf_free(b);
    return taken;
}
