/* Memory: the one out-of-memory policy and the cleanup attributes.
 *
 * Policy: an allocation that fails ends the process (abort, after one line on stderr). That is
 * safe here and only here: whatever a run had stopped stands in the journal, and the next life of
 * the daemon carries the run on. So no caller of this header ever sees NULL.
 *
 * May use: libc.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

/* Zeroed memory. The caller owns it and frees it with free(). */
void *mem_new(size_t size) __attribute__((returns_nonnull));

/* Ends the process, as a failed allocation does: for a library that says it has no memory. The
 * next life carries on what this one was at, and need not go on half-blind. */
_Noreturn void mem_exhausted(void);

/* Copies; the caller owns the result. mem_strdup(NULL) is NULL. */
char *mem_strdup(const char *text);
char *mem_strndup(const char *text, size_t len) __attribute__((returns_nonnull));
char *mem_printf(const char *format, ...) __attribute__((format(printf, 1, 2), returns_nonnull));
char *mem_vprintf(const char *format, va_list args)
    __attribute__((format(printf, 1, 0), returns_nonnull));

/* Makes room for one more element behind `count` others, zeroed, and returns the array, which may
 * have moved. `array` may be NULL when `count` is 0. Arrays made this way only grow. */
void *mem_grow(void *array, size_t count, size_t element_size) __attribute__((returns_nonnull));

/* Appends a zeroed element and gives a pointer to it, valid until the next push:
 *     struct item *item = MEM_PUSH(list->items, list->count);
 * Its arguments are evaluated more than once. */
#define MEM_PUSH(array, count)                                                                     \
    ((array) = mem_grow((array), (count), sizeof *(array)), (count)++, &(array)[(count)-1])

/* Replaces *slot by a copy of text (may be NULL), freeing what was there. */
void mem_replace(char **slot, const char *text);

static inline void mem_cleanup_free(void *pointer)
{
    free(*(void **)pointer);
}

static inline void mem_cleanup_close(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

/* For what is one's own and was lent out, or is shared, as const: the owner's way back. */
static inline void *mem_unconst(const void *lent)
{
    union {
        const void *lent;
        void *own;
    } pointer = {.lent = lent};
    return pointer.own;
}

#define CLEANUP_FREE      __attribute__((cleanup(mem_cleanup_free)))
#define CLEANUP_CLOSE     __attribute__((cleanup(mem_cleanup_close)))

#define ARRAY_SIZE(array) (sizeof(array) / sizeof *(array))

#endif
