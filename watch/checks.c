/* See checks.h. Each check has one timer: until its next try, or, while one is under way, until
 * that one is late. A command in a container may be late for long, as the Engine cannot end it:
 * then it fails again and again, but there is never a second one beside it. */
#include "watch/checks.h"

#include "base/mem.h"
#include "watch/check.h"

enum {
    LATE_MS = 500,    /* beyond its time-out, at which most tries end themselves */
    STAGGER_MS = 100, /* between the first tries */
};

enum state { STATE_UNKNOWN, STATE_PASSING, STATE_FAILING };

struct entry {
    struct entry *next;
    const struct check *check;
    struct watch_checks *watch; /* NULL: over */
    struct timer *timer;
    op_id op; /* the try under way; 0: none */
    bool is_late;
    int64_t started_at, took_ms;
    int fails, passes; /* in a row */
    enum state state;
    struct err problem; /* of the last try; clear if it passed */
};

struct watch_checks {
    struct watch_checks_options options;
    struct multi *multi;
    struct stack *stack;
    struct entry *entries; /* in the order of the list */
};

static const char *state_name(enum state state)
{
    static const char *const names[] = {"unknown", "passing", "failing"};
    return names[state];
}

/* --- verdicts --------------------------------------------------------------------------------- */

static void verdict(struct entry *entry, const struct err *e)
{
    const struct check *check = entry->check;
    entry->took_ms = loop_now(entry->watch->options.loop) - entry->started_at;
    err_copy(&entry->problem, e);
    if (e && e->code == ERR_CANCELLED)
        return; /* nothing is known: the state grows old on the board */
    entry->fails = e ? entry->fails + 1 : 0;
    entry->passes = e ? 0 : entry->passes + 1;
    if (entry->fails >= check->failures)
        entry->state = STATE_FAILING;
    else if (entry->passes >= check->successes)
        entry->state = STATE_PASSING;
    if (entry->state != STATE_UNKNOWN)
        feed_word(entry->watch->options.feed, "check.state", check->name, state_name(entry->state));
}

static void on_end(void *data, const struct err *e)
{
    struct entry *entry = data;
    entry->op = 0;
    if (!entry->watch) {
        free(entry);
        return;
    }
    /* A late one was judged already. */
    if (!entry->is_late)
        verdict(entry, e);
    int64_t next = entry->started_at + entry->check->every_ms;
    timer_start(entry->timer, next - loop_now(entry->watch->options.loop));
}

static void begin(struct entry *entry)
{
    static op_id (*const kinds[])(const struct watch__check_tools *, const struct check *,
                                  docker_done_fn, void *) = {
        [CHECK_HTTP] = watch__check_http,
        [CHECK_TCP] = watch__check_tcp,
        [CHECK_EXEC] = watch__check_exec,
    };
    const struct watch_checks *watch = entry->watch;
    struct watch__check_tools tools = {.loop = watch->options.loop,
                                       .multi = watch->multi,
                                       .docker = watch->options.docker,
                                       .stack = watch->stack};
    entry->is_late = false;
    entry->started_at = loop_now(watch->options.loop);
    timer_start(entry->timer, entry->check->timeout_ms + LATE_MS);
    entry->op = kinds[entry->check->kind](&tools, entry->check, on_end, entry);
}

static void on_timer(void *data)
{
    struct entry *entry = data;
    struct err e;
    if (!entry->op) {
        begin(entry);
        return;
    }
    entry->is_late = true;
    err_set(&e, ERR_TIMEOUT, "%s: not ended yet", entry->check->shown);
    verdict(entry, &e);
    timer_start(entry->timer, entry->check->every_ms);
}

/* --- life ------------------------------------------------------------------------------------- */

static struct entry *entry_new(struct watch_checks *watch, size_t index)
{
    struct entry *entry = mem_new(sizeof *entry);
    entry->watch = watch;
    entry->check = &watch->options.checks->items[index];
    entry->timer = timer_new(watch->options.loop, on_timer, entry);
    timer_start(entry->timer, (int64_t)index * STAGGER_MS % entry->check->every_ms);
    return entry;
}

struct watch_checks *watch_checks_new(const struct watch_checks_options *options)
{
    struct watch_checks *watch = mem_new(sizeof *watch);
    watch->options = *options;
    watch->multi = multi_new(options->loop, watch__check_on_done);
    struct entry **last = &watch->entries;
    for (size_t i = 0; i < options->checks->count; i++) {
        *last = entry_new(watch, i);
        last = &(*last)->next;
    }
    return watch;
}

struct watch_checks *watch_checks_free(struct watch_checks *watch)
{
    if (!watch)
        return NULL;
    while (watch->entries) {
        struct entry *entry = watch->entries;
        watch->entries = entry->next;
        timer_free(entry->timer);
        entry->watch = NULL;
        if (entry->op)
            op_cancel(watch->options.loop, entry->op); /* on_end frees it */
        else
            free(entry);
    }
    multi_free(watch->multi); /* whose transfers let go of it when they were cancelled */
    stack_unref(watch->stack);
    free(watch);
    return NULL;
}

void watch_checks_stack(struct watch_checks *watch, struct stack *stack)
{
    stack_ref(stack);
    stack_unref(watch->stack);
    watch->stack = stack;
}

json_t *watch_checks_json(const struct watch_checks *watch)
{
    json_t *list = json_array();
    for (const struct entry *entry = watch->entries; entry; entry = entry->next) {
        json_t *item = json_object();
        json_set_text(item, "name", entry->check->name);
        json_set_text(item, "state", state_name(entry->state));
        json_set_text(item, "problem", err_is_set(&entry->problem) ? entry->problem.text : NULL);
        json_set_int(item, "took_ms", entry->took_ms);
        json_array_append_new(list, item);
    }
    return list;
}
