/* See mem.h. */
#include "base/mem.h"

#include "base/nowait.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

void mem_exhausted(void)
{
    static const char message[] = "stack-supervisor: out of memory\n";
    /* The next life carries on, whether or not somebody reads this. */
    (void)nowait_write(STDERR_FILENO, message, sizeof message - 1);
    abort();
}

static void *mem_check(void *pointer)
{
    if (!pointer)
        mem_exhausted();
    return pointer;
}

void *mem_new(size_t size)
{
    return mem_check(calloc(1, size ? size : 1));
}

char *mem_strdup(const char *text)
{
    return text ? mem_check(strdup(text)) : NULL;
}

char *mem_strndup(const char *text, size_t len)
{
    char *copy = mem_new(len + 1);
    memcpy(copy, text, len);
    return copy;
}

char *mem_vprintf(const char *format, va_list args)
{
    char *text = NULL;
    if (vasprintf(&text, format, args) < 0)
        text = NULL;
    return mem_check(text);
}

char *mem_printf(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = mem_vprintf(format, args);
    va_end(args);
    return text;
}

void *mem_grow(void *array, size_t count, size_t element_size)
{
    /* The capacity is not stored: it is the power of two at or above the count. */
    if ((count & (count - 1)) == 0) {
        size_t capacity = count ? count * 2 : 1;
        if (capacity > SIZE_MAX / element_size)
            mem_check(NULL);
        array = mem_check(realloc(array, capacity * element_size));
    }
    memset((char *)array + count * element_size, 0, element_size);
    return array;
}

void mem_replace(char **slot, const char *text)
{
    char *copy = mem_strdup(text);
    free(*slot);
    *slot = copy;
}
