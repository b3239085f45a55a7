/* struct holders as the files of holders/ share it. Private to holders/. */
#ifndef HOLDERS_HOLDERS_PRIVATE_H
#define HOLDERS_HOLDERS_PRIVATE_H

#include "holders/holders.h"
#include "host/peers.h"

struct holder {
    const struct container *container; /* borrowed from the stack; NULL: none of it, or unknown */
    char label[128];
    bool known;
};

struct holders {
    struct db_activity *activity;
    struct stack *stack;    /* or NULL */
    struct holder *holders; /* one a session */
    struct err why;         /* ERR_NONE, or why there are sessions that only more rights tell */
};

/* by_address.c: the container that the address tells of, or NULL when it is not certain. Pure;
 * now_ns is the wall clock, to compare with the container's start. */
const struct container *holders__by_address(const struct stack *stack,
                                            const struct db_session *session, int64_t now_ns);

/* cache.c: what is known of the sessions of the last snapshot. */
struct seen {
    int pid;
    char *backend_start;
    struct peer peer;
    int tries;    /* how often it was looked for in vain */
    bool settled; /* nothing better is to be had by looking again */
};

struct holders_cache {
    int references;
    struct loop *loop;
    char *proc;        /* NULL: /proc */
    char *server;      /* the id of the server's container; NULL: none yet */
    struct seen *seen; /* by pid and backend_start */
    size_t count;
    struct err why; /* of the unseen ones */
};

struct holders_cache *holders__cache_ref(struct holders_cache *cache);
void holders__cache_unref(struct holders_cache *cache);
/* It is this server's sessions that are known. */
bool holders__cache_serves(const struct holders_cache *cache, const char *server);
/* Another server's sessions are forgotten. */
void holders__cache_serve(struct holders_cache *cache, const char *server);
/* What is known of the session; NULL: nothing. Borrowed until the next holders__cache_keep. */
const struct seen *holders__cache_find(const struct holders_cache *cache,
                                       const struct db_session *session);
/* Keeps this of these sessions (one each), and nothing of any other. */
void holders__cache_keep(struct holders_cache *cache, const struct db_activity *activity,
                         const struct seen *found);
/* Looks at another folder than /proc: for tests. */
void holders__cache_proc(struct holders_cache *cache, const char *proc);

#endif
