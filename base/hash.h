/* A short content id: 64-bit FNV-1a, printed as 16 hex digits.
 *
 * Tells "the same plan" from "another plan"; it protects against mistakes, not against an
 * adversary. Source: the constants of http://www.isthe.com/chongo/tech/comp/fnv/.
 * May use: libc.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define HASH_TEXT_MAX 17

static inline uint64_t hash_bytes(const void *bytes, size_t len)
{
    const unsigned char *at = bytes;
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static inline const char *hash_text(uint64_t hash, char out[static HASH_TEXT_MAX])
{
    snprintf(out, HASH_TEXT_MAX, "%016" PRIx64, hash);
    return out;
}

#endif
