/* A round: every console at once → the feed. See pooler.h. */
#include "watch/pooler.h"

#include "base/mem.h"

#include <string.h>

enum {
    CALM_MS = 15000,
    PRESSED_MS = 2000,
    TIMEOUT_MS = 5000,
    STAYS_PRESSED_MS = 30000, /* after the last client that waited */
    REST_MS = 60000,          /* who is not let in need not ask again so soon: it logs each login */
};

/* One pooler: a life of its container. */
struct member {
    struct watch_pooler *watch;
    struct container *container;
    struct pooler *pooler; /* NULL: its console is not known */
    struct pooler_state state;
    bool known;   /* the state is of this round */
    bool looking; /* its answer has not come */
    bool gone;    /* freed when it has */
    bool told;    /* its trouble was */
    int64_t rest_until_ms;
};

struct watch_pooler {
    struct watch_pooler_options options;
    struct timer *next;
    struct member **members;
    size_t count;
    int pending; /* answers that have not come, also of members that are gone */
    int64_t pressed_until_ms;
    bool in_round;
    bool hurries;  /* another round right behind this one */
    bool has_told; /* what is to be forgotten, when nothing is known any more */
    bool is_over;
};

static void on_state(void *data, const struct err *e, const struct pooler_state *state);

/* --- a member --------------------------------------------------------------------------------- */

static void tell_trouble(struct member *member, const struct err *e)
{
    const struct watch_pooler_options *options = &member->watch->options;
    bool news = member->told != (e != NULL);
    member->told = e != NULL;
    if (news && options->on_trouble)
        options->on_trouble(options->data, member->container->name, e);
}

static void member_connect(struct member *member)
{
    const struct watch_pooler_options *options = &member->watch->options;
    struct err e;
    if (options->connect(options->data, member->container, &member->pooler, &e) != 0) {
        member->pooler = NULL;
        tell_trouble(member, &e);
    }
}

static void member_look(struct member *member)
{
    struct watch_pooler *w = member->watch;
    member->known = false;
    if (loop_now(w->options.loop) < member->rest_until_ms)
        return;
    if (!member->pooler)
        member_connect(member);
    if (!member->pooler)
        return;
    member->looking = true;
    w->pending++;
    pooler_look(member->pooler, w->options.timeout_ms, on_state, member);
}

static void member_free(struct member *member)
{
    member->pooler = pooler_free(member->pooler); /* its answer comes all the same */
    member->gone = true;
    if (member->looking)
        return;
    container_unref(member->container);
    free(member);
}

/* --- a round ---------------------------------------------------------------------------------- */

static bool yields(const struct watch_pooler *w)
{
    return w->options.yields && w->options.yields(w->options.data);
}

static void tell(struct watch_pooler *w, int waiting, int64_t max_wait_ms, size_t known)
{
    if (known == 0 && w->has_told) {
        feed_forget(w->options.feed, "pgbouncer.cl_waiting", NULL);
        feed_forget(w->options.feed, "pgbouncer.maxwait", NULL);
    }
    w->has_told = known > 0;
    if (known == 0)
        return;
    feed_number(w->options.feed, "pgbouncer.cl_waiting", NULL, waiting);
    feed_number(w->options.feed, "pgbouncer.maxwait", NULL, (double)max_wait_ms);
}

static void tell_all(struct watch_pooler *w)
{
    int waiting = 0;
    int64_t max_wait_ms = 0;
    size_t known = 0;
    for (size_t i = 0; i < w->count; i++) {
        const struct member *member = w->members[i];
        if (!member->known)
            continue;
        known++;
        waiting += member->state.clients_waiting;
        if (member->state.max_wait_ms > max_wait_ms)
            max_wait_ms = member->state.max_wait_ms;
    }
    if (waiting > 0)
        w->pressed_until_ms = loop_now(w->options.loop) + STAYS_PRESSED_MS;
    tell(w, waiting, max_wait_ms, known);
}

static void round_ends(struct watch_pooler *w)
{
    w->in_round = false;
    if (!yields(w))
        tell_all(w);
    bool pressed = loop_now(w->options.loop) < w->pressed_until_ms;
    if (w->count > 0)
        timer_start(w->next, w->hurries ? 0 : pressed ? w->options.pressed_ms : w->options.calm_ms);
    w->hurries = false;
}

static void begin(void *data)
{
    struct watch_pooler *w = data;
    if (yields(w)) {
        timer_start(w->next, w->options.pressed_ms);
        return;
    }
    w->in_round = true;
    for (size_t i = 0; i < w->count; i++)
        member_look(w->members[i]);
    if (w->pending == 0)
        round_ends(w);
}

static void on_state(void *data, const struct err *e, const struct pooler_state *state)
{
    struct member *member = data;
    struct watch_pooler *w = member->watch;
    member->looking = false;
    member->known = !e;
    w->pending--;
    if (state)
        member->state = *state;
    if (e && e->code == ERR_PERMISSION)
        member->rest_until_ms = loop_now(w->options.loop) + REST_MS;
    if (member->gone)
        member_free(member);
    else
        tell_trouble(member, e);
    if (w->pending > 0)
        return;
    if (w->is_over)
        free(w);
    else if (w->in_round)
        round_ends(w);
}

/* --- the stack -------------------------------------------------------------------------------- */

static bool same_life(const struct container *one, const struct container *other)
{
    return strcmp(one->id, other->id) == 0 && one->started_ns == other->started_ns;
}

/* The member of this container, taken out of the old list; or a new one. */
static struct member *adopt(struct watch_pooler *w, struct container *container)
{
    for (size_t i = 0; i < w->count; i++) {
        struct member *member = w->members[i];
        if (!member || !same_life(member->container, container))
            continue;
        w->members[i] = NULL;
        return member;
    }
    struct member *member = mem_new(sizeof *member);
    *member = (struct member){.watch = w, .container = container_ref(container)};
    return member;
}

void watch_pooler_stack(struct watch_pooler *watch, const struct stack *stack)
{
    struct member **members = NULL;
    size_t count = 0;
    bool news = false;
    for (size_t s = 0; s < stack->service_count; s++) {
        const struct stack_service *service = &stack->services[s];
        for (size_t i = 0; service->role == ROLE_POOLER && i < service->container_count; i++)
            if (service->containers[i]->state == CONTAINER_RUNNING)
                *MEM_PUSH(members, count) = adopt(watch, service->containers[i]);
    }
    for (size_t i = 0; i < watch->count; i++)
        if (watch->members[i])
            member_free(watch->members[i]);
    for (size_t i = 0; i < count; i++)
        news |= !members[i]->pooler;
    free(watch->members);
    watch->members = members;
    watch->count = count;
    watch->hurries = watch->in_round && news;
    if (!watch->in_round && (news || count == 0))
        timer_start(watch->next, 0);
}

/* --- life ------------------------------------------------------------------------------------- */

struct watch_pooler *watch_pooler_new(const struct watch_pooler_options *options)
{
    struct watch_pooler *w = mem_new(sizeof *w);
    w->options = *options;
    w->options.calm_ms = options->calm_ms ? options->calm_ms : CALM_MS;
    w->options.pressed_ms = options->pressed_ms ? options->pressed_ms : PRESSED_MS;
    w->options.timeout_ms = options->timeout_ms ? options->timeout_ms : TIMEOUT_MS;
    w->next = timer_new(options->loop, begin, w);
    return w;
}

struct watch_pooler *watch_pooler_free(struct watch_pooler *watch)
{
    if (!watch)
        return NULL;
    watch->next = timer_free(watch->next);
    for (size_t i = 0; i < watch->count; i++)
        member_free(watch->members[i]);
    free(watch->members);
    watch->members = NULL;
    watch->count = 0;
    watch->is_over = true;
    if (watch->pending == 0)
        free(watch);
    return NULL;
}
