/* The members of the stack, their inspections, and what follows for each service. See containers.h.
 *
 *   event ─ member_event ─┬─ publish
 *                         └─ inspect ─ member_inspected ─ publish
 *
 * An answer that an event has overtaken is thrown away and asked for again. */
#include "watch/containers.h"

#include "base/mem.h"
#include "watch/member.h"
#include "watch/service.h"

#include <stdio.h>
#include <string.h>

enum {
    INSPECT_MS = 8000,
    SWEEP_MIN_MS = 1000,
    BURST_MS = 5000,     /* stops closer together are one burst: an Engine's, or a person's */
    BEAT_MS = 45000,     /* rates are sampled: at rest they are told so often … */
    BEAT_BUSY_MS = 5000, /* … and so often while one of them has to fall again */
    REMEMBERED_MAX = 1000,
};

struct inspection {
    struct watch_containers *watch;
    struct inspection *next;
    op_id op;
    bool is_overtaken;
    char id[CONTAINER_ID_MAX];
};

struct watch_containers {
    struct watch_containers_options options;
    struct watch__member **members;
    size_t member_count;
    struct watch__service **services;
    size_t service_count;
    struct inspection *inspections;
    struct timer *sweep; /* the next member that is due for a look without an event */
    struct timer *beat;
    json_t *remembered; /* as save has it: stopped by hand, and no member now */
    unsigned burst;
    int64_t asked_ms; /* when a stop by hand was last seen; 0: never */
    bool is_live;     /* between a model and the stream's loss */
    bool has_begun;   /* a first model has come */
    bool is_over;
};

static int64_t now_of(const struct watch_containers *w)
{
    return loop_now(w->options.loop);
}

static bool is_ours(const struct watch_containers *w, const char *container)
{
    return w->options.ours && w->options.ours(w->options.data, container);
}

static struct watch__member *find_member(const struct watch_containers *w, const char *id)
{
    for (size_t i = 0; i < w->member_count; i++)
        if (strcmp(w->members[i]->id, id) == 0)
            return w->members[i];
    return NULL;
}

/* --- telling ---------------------------------------------------------------------------------- */

static void publish(struct watch_containers *w, const struct watch__service *service)
{
    struct watch__said said = WATCH__SAYS_NOTHING;
    if (!w->is_live)
        return;
    for (size_t i = 0; i < w->member_count; i++) {
        const struct watch__member *m = w->members[i];
        if (m->service == service)
            watch__said_add(&said, watch__member_running(m), watch__member_health(m));
    }
    watch__service_tell(service, w->options.feed, &said);
}

static void on_beat(void *data)
{
    struct watch_containers *w = data;
    bool busy = false;
    for (size_t i = 0; i < w->service_count; i++)
        busy |= watch__service_tell_rates(w->services[i], w->options.feed, now_of(w));
    timer_start(w->beat, busy ? BEAT_BUSY_MS : BEAT_MS);
}

static void count(struct watch_containers *w, const struct watch__service *service,
                  struct rate **rate, int times)
{
    if (times <= 0)
        return;
    watch__service_count(rate, times, now_of(w));
    watch__service_tell_rates(service, w->options.feed, now_of(w));
    if (timer_left_ms(w->beat) > BEAT_BUSY_MS)
        timer_start(w->beat, BEAT_BUSY_MS);
}

/* --- inspections ------------------------------------------------------------------------------ */

static void inspect(struct watch_containers *w, const struct watch__member *m);

static struct inspection *find_inspection(const struct watch_containers *w, const char *id)
{
    struct inspection *inspection = w->inspections;
    while (inspection && strcmp(inspection->id, id) != 0)
        inspection = inspection->next;
    return inspection;
}

static void schedule_sweep(struct watch_containers *w)
{
    int64_t next_ms = INT64_MAX;
    for (size_t i = 0; i < w->member_count; i++) {
        int64_t due_ms = watch__member_due_ms(w->members[i]);
        next_ms = due_ms < next_ms ? due_ms : next_ms;
    }
    int64_t in_ms = next_ms - now_of(w);
    if (next_ms == INT64_MAX)
        timer_stop(w->sweep);
    else
        timer_start(w->sweep, in_ms > SWEEP_MIN_MS ? in_ms : SWEEP_MIN_MS);
}

static void on_sweep(void *data)
{
    struct watch_containers *w = data;
    int64_t now_ms = now_of(w);
    for (size_t i = 0; w->is_live && i < w->member_count; i++)
        if (watch__member_due_ms(w->members[i]) <= now_ms)
            inspect(w, w->members[i]);
    schedule_sweep(w);
}

static void unlink_inspection(struct inspection *inspection)
{
    struct inspection **link = &inspection->watch->inspections;
    while (*link != inspection)
        link = &(*link)->next;
    *link = inspection->next;
}

static void take_answer(struct watch_containers *w, struct watch__member *m, const struct err *e,
                        const struct container *container)
{
    struct watch__service *service = m->service;
    int deaths = e ? watch__member_not_inspected(m, e->code == ERR_NOT_FOUND, now_of(w))
                   : watch__member_inspected(m, container, is_ours(w, m->name), now_of(w));
    count(w, service, &service->deaths, deaths);
    publish(w, service);
    schedule_sweep(w);
}

static void on_inspected(void *data, const struct err *e, struct container *container)
{
    struct inspection *inspection = data;
    struct watch_containers *w = inspection->watch;
    struct watch__member *m = find_member(w, inspection->id);
    bool is_overtaken = inspection->is_overtaken;
    unlink_inspection(inspection);
    free(inspection);
    if (w->is_over) {
        if (!w->inspections)
            free(w);
        return;
    }
    if (!w->is_live || !m || m->is_gone)
        return;
    if (is_overtaken && !e)
        inspect(w, m);
    else
        take_answer(w, m, e, container);
}

static void inspect(struct watch_containers *w, const struct watch__member *m)
{
    struct inspection *inspection = find_inspection(w, m->id);
    if (inspection) {
        inspection->is_overtaken = true;
        return;
    }
    inspection = mem_new(sizeof *inspection);
    inspection->watch = w;
    inspection->next = w->inspections;
    snprintf(inspection->id, sizeof inspection->id, "%s", m->id);
    w->inspections = inspection;
    inspection->op = docker_inspect(w->options.docker, m->id, INSPECT_MS, on_inspected, inspection);
}

/* --- events ----------------------------------------------------------------------------------- */

static bool is_somebody_stopping(const struct watch_containers *w)
{
    for (size_t i = 0; i < w->member_count; i++)
        if (w->members[i]->stopping_until_ms && !w->members[i]->stopping_is_ours)
            return true;
    return false;
}

/* `was_stopping`: before this event. */
static void note_burst(struct watch_containers *w, struct watch__member *m, bool was_stopping)
{
    int64_t now_ms = now_of(w);
    if (!was_stopping && now_ms - w->asked_ms > BURST_MS)
        w->burst++;
    w->asked_ms = now_ms;
    m->burst = w->burst;
}

void watch_containers_event(struct watch_containers *watch, const struct docker_event *event)
{
    struct watch__member *m = find_member(watch, event->id);
    if (m && !watch->is_live) /* what else has changed is found when all is inspected */
        watch__member_replayed(m, event);
    if (!m || !watch->is_live)
        return;
    struct watch__service *service = m->service;
    bool was_stopping = is_somebody_stopping(watch);
    unsigned asks = watch__member_event(m, event, is_ours(watch, event->name), now_of(watch));
    struct inspection *inspection = find_inspection(watch, m->id);
    if (inspection)
        inspection->is_overtaken = true;
    if (asks & MEMBER_ASKED)
        note_burst(watch, m, was_stopping);
    if (asks & MEMBER_OOM)
        count(watch, service, &service->ooms, 1);
    if (asks & MEMBER_INSPECT)
        inspect(watch, m);
    publish(watch, service);
    schedule_sweep(watch);
}

/* An Engine that shuts down stops all containers at once, tells of it, and is gone. */
static void doubt_last_burst(struct watch_containers *w)
{
    bool is_recent = w->asked_ms && now_of(w) - w->asked_ms <= BURST_MS;
    if (!is_recent && !is_somebody_stopping(w))
        return;
    for (size_t i = 0; i < w->member_count; i++) {
        struct watch__member *m = w->members[i];
        if (m->burst == w->burst && m->down == DOWN_BY_HAND && !m->is_gone)
            m->down = DOWN_LEFT;
    }
}

void watch_containers_lost(struct watch_containers *watch)
{
    if (watch->is_live)
        doubt_last_burst(watch);
    for (size_t i = 0; i < watch->member_count; i++)
        watch__member_lost(watch->members[i]);
    watch->is_live = false;
    timer_stop(watch->sweep);
    timer_stop(watch->beat);
    feed_forget(watch->options.feed, "service.health", NULL);
    feed_forget(watch->options.feed, "service.running", NULL);
}

/* --- a new model ------------------------------------------------------------------------------ */

static struct watch__service *adopt_service(struct watch_containers *w, const char *name)
{
    struct watch__service *service = NULL;
    for (size_t i = 0; !service && i < w->service_count; i++)
        if (strcmp(w->services[i]->name, name) == 0)
            service = w->services[i];
    if (!service) {
        service = watch__service_new(name);
        watch__service_tell_rates(service, w->options.feed, now_of(w));
        *MEM_PUSH(w->services, w->service_count) = service;
    }
    service->is_present = true;
    return service;
}

/* Those that are not present; the array is made anew, as MEM_PUSH only knows arrays that grow. */
static void drop_absent_services(struct watch_containers *w)
{
    struct watch__service **kept = NULL;
    size_t kept_count = 0;
    for (size_t i = 0; i < w->service_count; i++) {
        struct watch__service *service = w->services[i];
        if (service->is_present) {
            *MEM_PUSH(kept, kept_count) = service;
            continue;
        }
        watch__service_forget(service, w->options.feed);
        watch__service_free(service);
    }
    free(w->services);
    w->services = kept;
    w->service_count = kept_count;
}

/* Takes a member of the old model over, if it is there. */
static struct watch__member *take_member(struct watch_containers *w, const char *id)
{
    for (size_t i = 0; i < w->member_count; i++) {
        struct watch__member *m = w->members[i];
        if (m && strcmp(m->id, id) == 0) {
            w->members[i] = NULL;
            return m;
        }
    }
    return NULL;
}

/* What the Engine lists and does not describe just now is taken to be as it is remembered, until an
 * inspection tells of another death. */
static void find_at_first(struct watch_containers *w, struct watch__member *m,
                          const struct container *container)
{
    int64_t ended_ns = json_integer_value(json_object_get(w->remembered, m->id));
    if (!w->has_begun)
        watch__member_found(m, container);
    if (ended_ns && !container_is_up(container) &&
        (container->is_partial || container->finished_ns == ended_ns)) {
        m->down = DOWN_BY_HAND;
        m->finished_ns = ended_ns;
    }
    json_object_del(w->remembered, m->id);
}

static struct watch__member *adopt_member(struct watch_containers *w,
                                          const struct container *container)
{
    struct watch__member *m = take_member(w, container->id);
    if (!m) {
        m = watch__member_new(container);
        find_at_first(w, m, container);
    } else if (!w->is_live) {
        watch__member_inspected(m, container, is_ours(w, container->name), now_of(w));
    } /* else the events know better than a model that took a while to load */
    return m;
}

static bool is_known_by_hand(const struct watch__member *m)
{
    return m->down == DOWN_BY_HAND && m->finished_ns;
}

static void drop_members(struct watch_containers *w)
{
    for (size_t i = 0; i < w->member_count; i++) {
        const struct watch__member *m = w->members[i];
        if (m && is_known_by_hand(m) && !m->is_gone)
            json_set_int(w->remembered, m->id, m->finished_ns);
        watch__member_free(w->members[i]);
    }
    free(w->members);
}

static void adopt_members(struct watch_containers *w, const struct stack *stack)
{
    struct watch__member **members = NULL;
    size_t member_count = 0;
    for (size_t i = 0; i < stack->service_count; i++) {
        const struct stack_service *model = &stack->services[i];
        if (model->role == ROLE_IGNORE)
            continue;
        struct watch__service *service = adopt_service(w, model->name);
        for (size_t c = 0; c < model->container_count; c++) {
            struct watch__member *m = adopt_member(w, model->containers[c]);
            m->service = service;
            *MEM_PUSH(members, member_count) = m;
        }
    }
    drop_members(w);
    w->members = members;
    w->member_count = member_count;
}

static bool is_complete(const struct stack *stack)
{
    for (size_t i = 0; i < stack->service_count; i++)
        for (size_t c = 0; c < stack->services[i].container_count; c++)
            if (stack->services[i].containers[c]->is_partial)
                return false;
    return true;
}

/* A model whose containers are all described has the last word on who is no more. One that is never
 * complete must not let the memory grow for ever: the oldest go first. Who is in the model and no
 * member is there, and not to be watched, which the next configuration may change. */
static void forget_absent(struct watch_containers *w, const struct stack *stack)
{
    bool complete = is_complete(stack);
    size_t count = json_object_size(w->remembered);
    const char *id;
    json_t *ended;
    void *next;
    json_object_foreach_safe(w->remembered, next, id, ended)
    {
        bool is_too_many = count > REMEMBERED_MAX;
        if (stack_container(stack, id) || (!complete && !is_too_many))
            continue;
        json_object_del(w->remembered, id);
        count--;
    }
}

void watch_containers_stack(struct watch_containers *watch, struct stack *stack)
{
    for (size_t i = 0; i < watch->service_count; i++)
        watch->services[i]->is_present = false;
    adopt_members(watch, stack);
    drop_absent_services(watch);
    forget_absent(watch, stack);
    watch->has_begun = true;
    watch->is_live = true;
    for (size_t i = 0; i < watch->service_count; i++)
        publish(watch, watch->services[i]);
    for (size_t i = 0; i < watch->member_count; i++)
        inspect(watch, watch->members[i]);
    if (!timer_is_running(watch->beat))
        on_beat(watch);
}

/* --- questions -------------------------------------------------------------------------------- */

bool watch_containers_stopped_by_hand(const struct watch_containers *watch, const char *container)
{
    const struct watch__member *found = NULL;
    for (size_t i = 0; i < watch->member_count; i++) {
        const struct watch__member *m = watch->members[i];
        bool is_it = strcmp(m->name, container) == 0 || strcmp(m->id, container) == 0;
        if (is_it && (!found || found->is_gone)) /* one that took a removed one's place counts */
            found = m;
    }
    return found && watch__member_is_by_hand(found);
}

json_t *watch_containers_json(const struct watch_containers *watch)
{
    json_t *list = json_array();
    for (size_t i = 0; watch->is_live && i < watch->member_count; i++) {
        const struct watch__member *m = watch->members[i];
        json_t *one = json_object();
        json_set_text(one, "container", m->name);
        json_set_text(one, "service", ((const struct watch__service *)m->service)->name);
        json_set_text(one, "state", container_state_name(m->state));
        json_set_bool(one, "up", m->state == CONTAINER_RUNNING);
        json_array_append_new(list, one);
    }
    return list;
}

json_t *watch_containers_save(const struct watch_containers *watch)
{
    json_t *saved = json_deep_copy(watch->remembered);
    for (size_t i = 0; i < watch->member_count; i++) {
        const struct watch__member *m = watch->members[i];
        if (is_known_by_hand(m))
            json_set_int(saved, m->id, m->finished_ns);
    }
    return saved;
}

void watch_containers_restore(struct watch_containers *watch, const json_t *saved)
{
    json_decref(watch->remembered);
    watch->remembered = json_is_object(saved) ? json_deep_copy(saved) : json_object();
}

/* --- life ------------------------------------------------------------------------------------- */

struct watch_containers *watch_containers_new(const struct watch_containers_options *options)
{
    struct watch_containers *w = mem_new(sizeof *w);
    w->options = *options;
    w->remembered = json_object();
    w->sweep = timer_new(options->loop, on_sweep, w);
    w->beat = timer_new(options->loop, on_beat, w);
    return w;
}

struct watch_containers *watch_containers_free(struct watch_containers *watch)
{
    if (!watch)
        return NULL;
    for (size_t i = 0; i < watch->member_count; i++)
        watch__member_free(watch->members[i]);
    for (size_t i = 0; i < watch->service_count; i++)
        watch__service_free(watch->services[i]);
    free(watch->members);
    free(watch->services);
    watch->members = NULL;
    watch->member_count = 0;
    json_decref(watch->remembered);
    timer_free(watch->sweep);
    timer_free(watch->beat);
    watch->is_over = true;
    for (struct inspection *i = watch->inspections; i; i = i->next)
        op_cancel(watch->options.loop, i->op);
    if (!watch->inspections)
        free(watch);
    return NULL;
}
