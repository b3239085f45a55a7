/* See logs.h. One follow a container (log_follow.c), one tally a pattern. */
#include "watch/logs.h"

#include "base/mem.h"
#include "policies/derive.h"
#include "watch/log_follow.h"

#include <string.h>

enum {
    TICK_MS = 1000,      /* how finely a rate decays */
    HARD_REST_MS = 1000, /* a pattern that was too hard for a line rests so long */
    NS_PER_MS = 1000000,
};

/* What a pattern met. */
struct tally {
    struct rate rate;
    double shown;        /* on the board */
    bool was_told;       /* that it is too hard */
    int64_t rests_until; /* loop time */
};

struct watch_logs {
    struct watch_logs_options options;
    struct watch__follow *follows;
    struct tally *tallies; /* by pattern */
    size_t count;
    struct timer *tick;
    bool is_queued; /* publish() will run */
    bool is_lost;
    bool is_over;
};

/* --- the rates -------------------------------------------------------------------------------- */

/* Somebody whose log can be read is searched for it. */
static bool is_looked_for(const struct watch_logs *watch, size_t pattern)
{
    for (const struct watch__follow *f = watch->follows; f; f = f->next)
        if (f->searched[pattern] && !f->is_unreadable)
            return true;
    return false;
}

/* While a rate is above 0 it falls by time alone. */
static void publish_all(struct watch_logs *watch)
{
    int64_t now = loop_now(watch->options.loop);
    bool falls = false;
    for (size_t i = 0; i < watch->count; i++) {
        struct tally *tally = &watch->tallies[i];
        const char *name = patterns_name(watch->options.patterns, i);
        tally->shown = rate_per_minute(&tally->rate, now);
        falls = falls || tally->shown > 0;
        if (is_looked_for(watch, i))
            feed_number(watch->options.feed, "log.rate", name, tally->shown);
        else
            feed_forget(watch->options.feed, "log.rate", name);
    }
    if (falls && !timer_is_running(watch->tick))
        timer_start(watch->tick, TICK_MS);
}

static void on_tick(void *data)
{
    publish_all(data);
}

void watch_logs_begin_anew(struct watch_logs *watch)
{
    for (size_t i = 0; i < watch->count; i++)
        watch->tallies[i].rate = (struct rate){0};
    publish_all(watch);
}

static void publish(void *data)
{
    struct watch_logs *watch = data;
    watch->is_queued = false;
    if (!watch->is_over && !watch->is_lost)
        publish_all(watch);
}

/* Once a turn of the loop, however many lines match. */
static void queue_publish(struct watch_logs *watch)
{
    if (watch->is_queued)
        return;
    watch->is_queued = true;
    loop_defer(watch->options.loop, publish, watch);
}

/* --- lines ------------------------------------------------------------------------------------ */

static int64_t age_ms(const struct watch_logs *watch, const struct docker_log_line *line)
{
    int64_t age_ns = docker_now_ns(watch->options.docker) - line->time_ns;
    return line->time_ns && age_ns > 0 ? age_ns / NS_PER_MS : 0;
}

static void tell(const struct watch_logs *watch, const struct err *e)
{
    if (watch->options.on_trouble)
        watch->options.on_trouble(watch->options.data, e);
}

/* Such a pattern must not cost the loop its time, line after line. */
static void too_hard(struct watch_logs *watch, size_t pattern, const struct container *container)
{
    struct tally *tally = &watch->tallies[pattern];
    struct err e;
    tally->rests_until = loop_now(watch->options.loop) + HARD_REST_MS;
    if (tally->was_told)
        return;
    tally->was_told = true;
    err_set(&e, ERR_FAILED, "log pattern %s gives up on a line of %s: it backtracks too much",
            patterns_name(watch->options.patterns, pattern), container->name);
    err_hint(&e, "no nested repetitions such as (a+)+; such lines do not count");
    tell(watch, &e);
}

static void count_match(struct watch_logs *watch, size_t pattern, const struct container *container,
                        const struct docker_log_line *line)
{
    int64_t age = age_ms(watch, line);
    if (age >= RATE_SPAN_MS)
        return;
    rate_add(&watch->tallies[pattern].rate, loop_now(watch->options.loop) - age);
    queue_publish(watch);
    if (watch->options.on_match)
        watch->options.on_match(watch->options.data,
                                patterns_name(watch->options.patterns, pattern), container, line);
}

/* After each call of the owner the watch may be over. */
static void on_line(void *data, struct watch__follow *follow, const struct docker_log_line *line)
{
    struct watch_logs *watch = data;
    for (size_t i = 0; !watch->is_over && i < watch->count; i++) {
        const struct tally *tally = &watch->tallies[i];
        if (!follow->searched[i] ||
            (tally->rests_until && loop_now(watch->options.loop) < tally->rests_until))
            continue;
        switch (patterns_match(watch->options.patterns, i, line->text, line->len)) {
        case PATTERN_YES:
            count_match(watch, i, follow->container, line);
            break;
        case PATTERN_TOO_HARD:
            too_hard(watch, i, follow->container);
            break;
        case PATTERN_NO:
            break;
        }
    }
}

static void on_trouble(void *data, const struct err *e)
{
    struct watch_logs *watch = data;
    queue_publish(watch); /* perhaps nobody is left who is searched */
    tell(watch, e);
}

/* --- who is followed -------------------------------------------------------------------------- */

static struct watch__follow *find(const struct watch_logs *watch, const char *id)
{
    struct watch__follow *follow = watch->follows;
    while (follow && strcmp(follow->container->id, id) != 0)
        follow = follow->next;
    return follow;
}

/* The patterns that this service's logs are searched for; NULL when there are none. */
static bool *searched_for(const struct watch_logs *watch, const struct stack_service *service)
{
    bool *searched = mem_new(watch->count * sizeof *searched + 1);
    bool any = false;
    for (size_t i = 0; i < watch->count; i++) {
        searched[i] = patterns_apply(watch->options.patterns, i, service);
        any = any || searched[i];
    }
    if (!any) {
        free(searched);
        searched = NULL;
    }
    return searched;
}

/* Takes `searched` over. */
static void follow_container(struct watch_logs *watch, struct container *container, bool *searched)
{
    static const struct watch__follow_class class = {.on_line = on_line, .on_trouble = on_trouble};
    struct watch__follow *follow = find(watch, container->id);
    if (follow) {
        free(follow->searched);
        follow->searched = searched;
        follow->is_seen = true;
        if (!container->is_partial)
            watch__follow_inspected(follow, container);
        return;
    }
    if (container->is_partial) { /* terminal or not? the next model knows */
        free(searched);
        return;
    }
    /* What is older counts no more. */
    follow = watch__follow_new(watch->options.docker, watch->options.loop, container, RATE_SPAN_MS,
                               &class, watch);
    follow->searched = searched;
    follow->is_seen = true;
    follow->next = watch->follows;
    watch->follows = follow;
    if (watch->is_lost)
        watch__follow_lost(follow);
    else
        watch__follow_sync(follow);
}

/* Lets go of those that are not seen any more. */
static void sweep(struct watch_logs *watch)
{
    for (struct watch__follow **at = &watch->follows; *at;) {
        struct watch__follow *follow = *at;
        if (follow->is_seen) {
            at = &follow->next;
            continue;
        }
        *at = follow->next;
        watch__follow_free(follow);
    }
}

void watch_logs_stack(struct watch_logs *watch, const struct stack *stack)
{
    for (struct watch__follow *f = watch->follows; f; f = f->next)
        f->is_seen = false;
    for (size_t s = 0; s < stack->service_count; s++) {
        const struct stack_service *service = &stack->services[s];
        for (size_t c = 0; c < service->container_count; c++) {
            bool *searched = searched_for(watch, service);
            if (searched)
                follow_container(watch, service->containers[c], searched);
        }
    }
    sweep(watch);
    /* Not at once: what the new ones were asked for is still on its way. */
    if (!watch->is_lost && !timer_is_running(watch->tick))
        timer_start(watch->tick, TICK_MS);
}

/* --- from the stream of events ---------------------------------------------------------------- */

void watch_logs_event(struct watch_logs *watch, const struct docker_event *event)
{
    bool is_start = strcmp(event->action, "start") == 0;
    if (!is_start && strcmp(event->action, "die") != 0)
        return;
    struct watch__follow *follow = find(watch, event->id);
    if (follow && is_start)
        watch__follow_started(follow);
    else if (follow)
        watch__follow_died(follow);
}

void watch_logs_lost(struct watch_logs *watch)
{
    watch->is_lost = true;
    timer_stop(watch->tick);
    for (struct watch__follow *f = watch->follows; f; f = f->next)
        watch__follow_lost(f);
    feed_forget(watch->options.feed, "log.rate", NULL);
}

void watch_logs_sync(struct watch_logs *watch)
{
    watch->is_lost = false;
    for (struct watch__follow *f = watch->follows; f; f = f->next)
        watch__follow_sync(f);
    if (watch->follows)
        timer_start(watch->tick, TICK_MS);
}

/* --- life ------------------------------------------------------------------------------------- */

struct watch_logs *watch_logs_new(const struct watch_logs_options *options)
{
    struct watch_logs *watch = mem_new(sizeof *watch);
    watch->options = *options;
    watch->count = patterns_count(options->patterns);
    watch->tallies = mem_new(watch->count * sizeof *watch->tallies);
    watch->tick = timer_new(options->loop, on_tick, watch);
    return watch;
}

static void watch_end(void *data)
{
    struct watch_logs *watch = data;
    free(watch->tallies);
    free(watch);
}

struct watch_logs *watch_logs_free(struct watch_logs *watch)
{
    if (!watch)
        return NULL;
    watch->is_over = true;
    timer_free(watch->tick);
    for (struct watch__follow *f = watch->follows; f; f = f->next)
        f->is_seen = false;
    sweep(watch);
    loop_defer(watch->options.loop, watch_end, watch); /* publish() may be queued */
    return NULL;
}

static const char *state_name(const struct watch__follow *follow)
{
    if (follow->is_unreadable)
        return "unreadable";
    return follow->op ? "following" : "waiting";
}

json_t *watch_logs_json(const struct watch_logs *watch)
{
    json_t *list = json_array();
    for (const struct watch__follow *f = watch->follows; f; f = f->next) {
        json_t *item = json_object();
        json_set_text(item, "container", f->container->name);
        json_set_text(item, "state", state_name(f));
        json_set_text(item, "problem", err_is_set(&f->problem) ? f->problem.text : NULL);
        json_array_append_new(list, item);
    }
    return list;
}
