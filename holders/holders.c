/* See holders.h: what the cache knows, what the processes tell of the rest, what addresses tell of
 * what is left. */
#include "holders/holders.h"

#include "base/clock.h"
#include "base/mem.h"
#include "holders/holders_private.h"

#include <stdio.h>
#include <string.h>

/* A chain that breaks was mostly a session's end; one that always breaks (a NAT) is let be. */
enum { TRIES = 3 };

struct find {
    struct op op; /* first: the operation */
    struct holders_cache *cache;
    struct holders holders;
    struct seen *found; /* one a session */
    size_t *asked;      /* the sessions that the processes are asked about */
    size_t asked_count;
    op_id look; /* 0: none is under way */
    holders_fn done;
    void *data;
};

/* --- the answer ------------------------------------------------------------------------------- */

const struct db_activity *holders_activity(const struct holders *holders)
{
    return holders->activity;
}

const struct container *holders_container(const struct holders *holders, size_t session)
{
    return holders->holders[session].container;
}

bool holders_is_known(const struct holders *holders, size_t session)
{
    return holders->holders[session].known;
}

const char *holders_label(const struct holders *holders, size_t session)
{
    return holders->holders[session].label;
}

static void settle(struct holder *holder, const struct stack *stack, const struct peer *peer)
{
    if (peer->kind == PEER_CONTAINER)
        holder->container = stack_container(stack, peer->container_id);
    holder->known = holder->container || peer->kind >= PEER_HOST;
    if (holder->container)
        snprintf(holder->label, sizeof holder->label, "%s", holder->container->name);
    else if (peer->kind == PEER_CONTAINER)
        snprintf(holder->label, sizeof holder->label, "(container) %.12s", peer->container_id);
    else if (peer->kind == PEER_HOST)
        snprintf(holder->label, sizeof holder->label, "(host) %s", peer->process);
    else
        snprintf(holder->label, sizeof holder->label, "(unknown)");
}

static void settle_all(struct find *find)
{
    struct holders *holders = &find->holders;
    int64_t now_ns = clock_wall_ns();
    for (size_t i = 0; i < holders->activity->session_count; i++) {
        const struct db_session *session = &holders->activity->sessions[i];
        const struct peer *peer = &find->found[i].peer;
        struct holder *holder = &holders->holders[i];
        if (peer->kind == PEER_UNSEEN && holders->stack)
            holder->container = holders__by_address(holders->stack, session, now_ns);
        settle(holder, holders->stack, peer);
        if (peer->kind == PEER_UNSEEN && !holder->container && !session->ours)
            err_copy(&holders->why, &find->cache->why);
    }
}

/* --- what is known already -------------------------------------------------------------------- */

/* The container that reach.c aims at, too. NULL: it does not run, or nothing is known of it. */
static const struct container *server_of(const struct stack *stack)
{
    const struct container *server =
        stack && stack->database->container_count ? stack->database->containers[0] : NULL;
    return server && server->pid > 0 ? server : NULL;
}

static void recall(struct find *find)
{
    const struct db_activity *activity = find->holders.activity;
    for (size_t i = 0; i < activity->session_count; i++) {
        const struct seen *seen = holders__cache_find(find->cache, &activity->sessions[i]);
        if (seen)
            find->found[i] = *seen;
        if (!find->found[i].settled)
            *MEM_PUSH(find->asked, find->asked_count) = i;
    }
}

/* --- asking the processes --------------------------------------------------------------------- */

static void take_peer(struct seen *seen, const struct peer *peer, bool in_time)
{
    seen->peer = *peer;
    seen->tries += in_time;
    seen->settled = peer->kind >= PEER_HOST || seen->tries >= TRIES;
}

static void on_looked(void *data, const struct err *e, const struct peer *peers, size_t count)
{
    struct find *find = data;
    bool in_time = !e || (e->code != ERR_TIMEOUT && e->code != ERR_CANCELLED);
    find->look = 0;
    for (size_t i = 0; i < count; i++)
        take_peer(&find->found[find->asked[i]], &peers[i], in_time);
    err_copy(&find->cache->why, e);
    if (holders__cache_serves(find->cache, server_of(find->holders.stack)->id))
        holders__cache_keep(find->cache, find->holders.activity, find->found);
    op_end(&find->op, NULL);
}

static void collect_near(const struct stack *stack, const char ***near, size_t *count)
{
    for (size_t s = 0; s < stack->service_count; s++)
        for (size_t i = 0; i < stack->services[s].container_count; i++)
            *MEM_PUSH(*near, *count) = stack->services[s].containers[i]->id;
    for (size_t i = 0; i < stack->oneoff_count; i++)
        *MEM_PUSH(*near, *count) = stack->oneoffs[i]->id;
}

static struct peer_session *collect_sessions(const struct find *find)
{
    const struct stack *stack = find->holders.stack;
    struct peer_session *sessions = mem_new((find->asked_count + 1) * sizeof *sessions);
    for (size_t i = 0; i < find->asked_count; i++) {
        const struct db_session *session = &find->holders.activity->sessions[find->asked[i]];
        const struct container *near = stack_container_at(stack, session->client);
        sessions[i] = (struct peer_session){.backend_pid = session->pid,
                                            .address = session->client,
                                            .port = session->client_port,
                                            .age_s = session->age_s,
                                            .near_pid = near ? near->pid : 0};
    }
    return sessions;
}

static void look(struct find *find, const struct container *server, int64_t deadline_ms)
{
    const char **near = NULL;
    struct peers_query query = {.proc = find->cache->proc,
                                .server_pid = server->pid,
                                .server_container = server->id,
                                .session_count = find->asked_count};
    CLEANUP_FREE struct peer_session *sessions = collect_sessions(find);
    collect_near(find->holders.stack, &near, &query.near_count);
    query.sessions = sessions;
    query.near = near;
    find->look = peers_find(find->op.loop, &query, deadline_ms, on_looked, find);
    free(near);
}

/* --- the operation ---------------------------------------------------------------------------- */

/* The look's last words come before ours (base/op.h). */
static void on_drop(struct op *op)
{
    struct find *find = (struct find *)op;
    op_cancel(op->loop, find->look);
}

static void on_deliver(struct op *op, const struct err *e)
{
    struct find *find = (struct find *)op;
    (void)e; /* too late, or given up: what is known is known */
    settle_all(find);
    find->done(find->data, &find->holders);
    db_activity_free(find->holders.activity);
    stack_unref(find->holders.stack);
    free(find->holders.holders);
    free(find->found);
    free(find->asked);
    holders__cache_unref(find->cache);
    free(find);
}

op_id holders_find(struct holders_cache *cache, const struct db_activity *activity,
                   struct stack *stack, int64_t deadline_ms, holders_fn done, void *data)
{
    static const struct op_class class = {.drop = on_drop, .deliver = on_deliver};
    const struct container *server = server_of(stack);
    struct find *find = mem_new(sizeof *find);
    find->cache = holders__cache_ref(cache);
    find->holders.activity = db_activity_ref(activity);
    find->holders.stack = stack ? stack_ref(stack) : NULL;
    find->holders.holders = mem_new((activity->session_count + 1) * sizeof(struct holder));
    find->found = mem_new((activity->session_count + 1) * sizeof *find->found);
    find->done = done;
    find->data = data;
    op_id id =
        op_begin(&find->op, cache->loop, &class, "find who holds the connections", deadline_ms);
    if (server) {
        holders__cache_serve(cache, server->id);
        recall(find);
    }
    if (server && find->asked_count > 0)
        look(find, server, deadline_ms);
    else
        op_end(&find->op, NULL);
    return id;
}
