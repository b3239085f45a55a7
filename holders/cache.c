/* What is known of the sessions of the last snapshot. A session is named for good by its pid and
 * its start, and its client's end belongs to the same container for all its life: so what was
 * certain once stays so. See holders_private.h. */
#include "base/mem.h"
#include "holders/holders_private.h"

#include <string.h>

static void clear(struct holders_cache *cache)
{
    for (size_t i = 0; i < cache->count; i++)
        free(cache->seen[i].backend_start);
    free(cache->seen);
    cache->seen = NULL;
    cache->count = 0;
}

struct holders_cache *holders_cache_new(struct loop *loop)
{
    struct holders_cache *cache = mem_new(sizeof *cache);
    cache->references = 1;
    cache->loop = loop;
    return cache;
}

struct holders_cache *holders__cache_ref(struct holders_cache *cache)
{
    cache->references++;
    return cache;
}

void holders__cache_unref(struct holders_cache *cache)
{
    if (--cache->references > 0)
        return;
    clear(cache);
    free(cache->proc);
    free(cache->server);
    free(cache);
}

struct holders_cache *holders_cache_free(struct holders_cache *cache)
{
    if (cache)
        holders__cache_unref(cache);
    return NULL;
}

void holders__cache_proc(struct holders_cache *cache, const char *proc)
{
    mem_replace(&cache->proc, proc);
}

bool holders__cache_serves(const struct holders_cache *cache, const char *server)
{
    return cache->server && strcmp(cache->server, server) == 0;
}

void holders__cache_serve(struct holders_cache *cache, const char *server)
{
    if (holders__cache_serves(cache, server))
        return;
    clear(cache);
    mem_replace(&cache->server, server);
}

static int compare(const void *left, const void *right)
{
    const struct seen *a = left, *b = right;
    if (a->pid != b->pid)
        return a->pid < b->pid ? -1 : 1;
    return strcmp(a->backend_start, b->backend_start);
}

const struct seen *holders__cache_find(const struct holders_cache *cache,
                                       const struct db_session *session)
{
    const struct seen key = {.pid = session->pid, .backend_start = session->backend_start};
    return cache->count ? bsearch(&key, cache->seen, cache->count, sizeof key, compare) : NULL;
}

void holders__cache_keep(struct holders_cache *cache, const struct db_activity *activity,
                         const struct seen *found)
{
    clear(cache);
    for (size_t i = 0; i < activity->session_count; i++) {
        const struct db_session *session = &activity->sessions[i];
        if (!*session->backend_start) /* hidden: a later session may have the same pid */
            continue;
        struct seen *seen = MEM_PUSH(cache->seen, cache->count);
        *seen = found[i];
        seen->pid = session->pid;
        seen->backend_start = mem_strdup(session->backend_start);
    }
    if (cache->count)
        qsort(cache->seen, cache->count, sizeof *cache->seen, compare);
}
