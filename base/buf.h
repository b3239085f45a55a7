/* A growing byte buffer that declares its ceiling when it is made.
 *
 * Bytes past the ceiling are refused as a whole (buf_add returns false and the buffer is marked
 * `overflowed`), so that a peer cannot make us eat memory. The content always ends in a NUL that
 * is not counted. May use: libc.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>

struct buf {
    char *data;  /* NULL while nothing was added */
    size_t len;  /* bytes in use, without the NUL */
    size_t room; /* bytes allocated */
    size_t ceiling;
    bool overflowed;
};

void buf_init(struct buf *b, size_t ceiling);
void buf_free(struct buf *b); /* frees the bytes; the struct can be used again */

bool buf_add(struct buf *b, const void *bytes, size_t len);
bool buf_puts(struct buf *b, const char *text);
bool buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Drops the first `len` bytes. */
void buf_consume(struct buf *b, size_t len);
void buf_reset(struct buf *b); /* empty, memory kept */

/* The text so far, never NULL; valid until the buffer changes. */
const char *buf_text(const struct buf *b);

/* Hands the bytes over to the caller, who frees them; the buffer is empty afterwards. */
char *buf_take(struct buf *b);

#endif
