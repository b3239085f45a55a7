/* Conditions, YAML and traces of a generated life; life_make.c throws the dice. See life.h. */
#include "life.h"

#include "base/mem.h"
#include "policies/moment.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* --- the world -------------------------------------------------------------------------------- */

const char *seen_name(enum seen seen)
{
    static const char *const names[] = {
        [SEEN_UTILIZATION] = "connections.utilization",
        [SEEN_BLOCKED] = "connections.blocked",
        [SEEN_STATE] = "database.state",
        [SEEN_A] = "service(a).health",
        [SEEN_B] = "service(b).health",
        [SEEN_LEAKER] = "connections.leaker",
    };
    return names[seen];
}

/* The value if it may be relied upon. Health stands; the rest is good for a minute. */
static const struct seen_value *look(const struct scene *scene, enum seen seen, int64_t from_ms)
{
    const struct seen_value *value = &scene->values[seen];
    bool stands = seen == SEEN_A || seen == SEEN_B;
    if (!value->known)
        return NULL;
    if (stands)
        return value;
    return value->at_ms >= from_ms && scene->now_ms - value->at_ms < MINUTE_MS ? value : NULL;
}

static enum truth truth_of(bool is)
{
    return is ? TRUTH_TRUE : TRUTH_FALSE;
}

static enum truth above(const struct scene *scene, enum seen seen, double limit, int64_t from_ms)
{
    const struct seen_value *value = look(scene, seen, from_ms);
    return value ? truth_of(value->number > limit) : TRUTH_UNKNOWN;
}

static enum truth below(const struct scene *scene, double limit, int64_t from_ms)
{
    const struct seen_value *value = look(scene, SEEN_UTILIZATION, from_ms);
    return value ? truth_of(value->number < limit) : TRUTH_UNKNOWN;
}

static enum truth is(const struct scene *scene, enum seen seen, const char *word, int64_t from_ms)
{
    const struct seen_value *value = look(scene, seen, from_ms);
    return value ? truth_of(strcmp(value->word, word) == 0) : TRUTH_UNKNOWN;
}

static enum truth least(enum truth a, enum truth b)
{
    return a < b ? a : b;
}

static enum truth most(enum truth a, enum truth b)
{
    return a > b ? a : b;
}

static enum truth over_60(const struct scene *s, int64_t from)
{
    return above(s, SEEN_UTILIZATION, 0.6, from);
}

static enum truth over_80(const struct scene *s, int64_t from)
{
    return above(s, SEEN_UTILIZATION, 0.8, from);
}

static enum truth under_50(const struct scene *s, int64_t from)
{
    return below(s, 0.5, from);
}

static enum truth exhausted(const struct scene *s, int64_t from)
{
    return is(s, SEEN_STATE, "exhausted", from);
}

static enum truth ready(const struct scene *s, int64_t from)
{
    return is(s, SEEN_STATE, "ready", from);
}

/* Only who is known at all belongs to the family. */
static enum truth any_unhealthy(const struct scene *s, int64_t from)
{
    const struct seen_value *a = look(s, SEEN_A, from);
    const struct seen_value *b = look(s, SEEN_B, from);
    if (!a && !b)
        return TRUTH_UNKNOWN;
    return truth_of((a && strcmp(a->word, "unhealthy") == 0) ||
                    (b && strcmp(b->word, "unhealthy") == 0));
}

static enum truth blocked(const struct scene *s, int64_t from)
{
    return above(s, SEEN_BLOCKED, 5, from);
}

static enum truth full_but_ready(const struct scene *s, int64_t from)
{
    return least(over_60(s, from), ready(s, from));
}

static enum truth not_ready(const struct scene *s, int64_t from)
{
    return TRUTH_TRUE - ready(s, from);
}

static enum truth ready_or_roomy(const struct scene *s, int64_t from)
{
    return most(ready(s, from), below(s, 0.7, from));
}

const struct condition_text life_conditions[CONDITIONS] = {
    {"connections.utilization > 60%", over_60, true},
    {"connections.utilization > 80%", over_80, true},
    {"connections.utilization < 50%", under_50, true},
    {"database.state == exhausted", exhausted, true},
    {"database.state == ready", ready, true},
    {"any service.health == unhealthy", any_unhealthy, false},
    {"connections.blocked > 5", blocked, true},
    {"(connections.utilization > 60% and database.state == ready)", full_but_ready, false},
    {"not database.state == ready", not_ready, false},
    {"(database.state == ready or connections.utilization < 70%)", ready_or_roomy, false},
};

/* --- policies as text ------------------------------------------------------------------------- */

static const char *const schedules[] = {NULL, "every 20s", "every 2m", "every day 00:03",
                                        "every thursday 00:06"};
static const char *const windows[] = {NULL, "00:02-00:05", "[thu 00:00-00:04, fri]", "sat"};
static const char *const playbooks[] = {"clean", "restart-leaker", "recover", "restart"};

const char *life_name(int place)
{
    static const char *const names[LIFE_POLICIES] = {"p0", "p1", "p2", "p3", "p4"};
    return names[place];
}

const char *life_only(const struct life_policy *policy)
{
    return windows[policy->only];
}

static void print_condition(const char *key, const struct life_condition *condition,
                            struct buf *out)
{
    buf_printf(out, "%s: '%s", key, life_conditions[condition->which].text);
    if (condition->for_s)
        buf_printf(out, " for %ds", condition->for_s);
    if (condition->of_n)
        buf_printf(out, " %d of %d", condition->of_n, condition->m);
    buf_puts(out, "'");
}

static void print_rung(const struct life_rung *rung, struct buf *out)
{
    buf_printf(out, "      - {run: %s", playbooks[rung->playbook]);
    if (rung->with_leaker)
        buf_puts(out, ", with: {containers: '${connections.leaker}'}");
    if (rung->verify.which != NO_CONDITION) {
        buf_puts(out, ", ");
        print_condition("verify", &rung->verify, out);
    }
    buf_printf(out, ", within: %ds}\n", rung->within_s);
}

static void print_rearm(const char *key, int seconds, struct buf *out)
{
    if (seconds)
        buf_printf(out, "%s: %ds", key, seconds);
    else
        buf_printf(out, "%s: never", key);
}

static void print_trigger(const struct life_policy *policy, struct buf *out)
{
    if (policy->when.which != NO_CONDITION) {
        buf_puts(out, "    ");
        print_condition("when", &policy->when, out);
        buf_puts(out, "\n");
    }
    if (policy->for_s)
        buf_printf(out, "    for: %ds\n", policy->for_s);
    if (policy->for_n)
        buf_printf(out, "    for: %d of %d\n", policy->for_n, policy->for_m);
    if (policy->schedule)
        buf_printf(out, "    schedule: %s\n", schedules[policy->schedule]);
    if (policy->on_alert)
        buf_puts(out, "    on_alert: Alarm\n");
    if (policy->only)
        buf_printf(out, "    only: %s\n", windows[policy->only]);
}

static void print_policy(const struct life_policy *policy, int place, struct buf *out)
{
    buf_printf(out, "  - name: %s\n", life_name(place));
    print_trigger(policy, out);
    if (policy->rung_count)
        buf_puts(out, "    ladder:\n");
    for (int i = 0; i < policy->rung_count; i++)
        print_rung(&policy->rungs[i], out);
    buf_printf(out, "    cooldown: %ds\n    budget: %d per %ds\n    settle: %ds\n",
               policy->cooldown_s, policy->budget, policy->budget_s, policy->settle_s);
    buf_puts(out, "    rearm: {");
    print_rearm("after", policy->rearm_s, out);
    buf_puts(out, ", ");
    print_rearm("healthy_for", policy->rearm_healthy_s, out);
    buf_printf(out, "}\n    mode: %s\n    then: %s\n", policy_mode_name(policy->mode),
               policy->again ? "again" : "notify");
}

void life_yaml(const struct life_story *story, struct buf *out)
{
    for (int i = 0; i < story->policy_count; i++)
        print_policy(&story->policies[i], i, out);
}

/* --- events as a trace ------------------------------------------------------------------------ */

struct trace_event life_event(const struct life_story *story, struct life_clock *clock,
                              const struct life_event *event)
{
    static const enum trace_kind kinds[LIFE_KINDS] = {
        [LIFE_OBSERVE] = TRACE_OBSERVE, [LIFE_FORGET] = TRACE_FORGET,
        [LIFE_RUN] = TRACE_RUN,         [LIFE_FOREIGN] = TRACE_FOREIGN,
        [LIFE_PAUSE] = TRACE_PAUSE,     [LIFE_RESUME] = TRACE_RESUME,
        [LIFE_APPROVE] = TRACE_APPROVE, [LIFE_ALERT] = TRACE_ALERT,
        [LIFE_RESTART] = TRACE_RESTART, [LIFE_BOOT] = TRACE_START,
    };
    struct trace_event told = {
        .at_ms = event->at_ms - clock->base_ms,
        .kind = kinds[event->kind],
        .name = event->kind == LIFE_ALERT   ? "Alarm"
                : event->kind == LIFE_PAUSE ? "because"
                                            : seen_name(event->seen),
        .word = event->word,
        .number = event->number,
        .yes = event->yes,
        .disruptive = event->disruptive,
        .outcome = event->outcome,
        .span_ms = event->span_ms,
    };
    if (event->kind == LIFE_BOOT) { /* it is over when the daemon starts again */
        int64_t up_ms = event->at_ms + event->span_ms;
        clock->base_ms = up_ms - LIFE_BOOTED_MS;
        told.at_ms = LIFE_BOOTED_MS;
        told.span_ms = story->local_ms + up_ms;
    }
    return told;
}

struct trace_event life_step(const struct life_clock *clock, int64_t at_ms)
{
    return (struct trace_event){.at_ms = at_ms - clock->base_ms, .kind = TRACE_STEP, .yes = true};
}

struct trace_event life_head(const struct life_story *story, struct life_clock *clock)
{
    clock->base_ms = -LIFE_BOOTED_MS;
    return (struct trace_event){
        .at_ms = LIFE_BOOTED_MS, .kind = TRACE_START, .span_ms = story->local_ms};
}

void life_trace(const struct life_story *story, struct buf *out)
{
    struct life_clock clock;
    struct trace_event head = life_head(story, &clock);
    trace_print(&head, out);
    for (int i = 0; i < story->event_count; i++) {
        const struct life_event *event = &story->events[i];
        struct trace_event step = life_step(&clock, event->at_ms);
        struct trace_event told = life_event(story, &clock, event);
        if (event->kind == LIFE_BOOT) /* the daemon lives until the host goes down */
            trace_print(&step, out);
        trace_print(&told, out);
    }
}
