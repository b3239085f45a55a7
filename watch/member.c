/* See member.h. */
#include "watch/member.h"

#include "base/mem.h"
#include "watch/signal_number.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

enum {
    KILL_MS = 20000,      /* from a SIGKILL to the die: the Engine's own worst case */
    GUESS_MS = 10000,     /* a die so soon behind a kill whose signal is not told: by that kill */
    PATIENT_MS = 3600000, /* a stop timeout of -1 waits for ever: so long is for ever */
    PROBE_DEFAULT_MS = 60000,
    RETRY_MS = 30000,
};

/* --- its make --------------------------------------------------------------------------------- */

static void learn(struct watch__member *m, const struct container *c)
{
    int signal_number = watch__signal_number(c->stop_signal);
    mem_replace(&m->name, c->name);
    m->signal_is_told = !container_label(c, "signal");
    if (c->is_partial)
        return;
    m->is_inspected = true;
    m->has_healthcheck = c->has_healthcheck;
    m->restarts_always = strcmp(c->restart_policy, "always") == 0 ||
                         strcmp(c->restart_policy, "unless-stopped") == 0;
    m->stop_signal = signal_number ? signal_number : SIGTERM;
    m->stop_ms = c->stop_timeout_s < 0 ? PATIENT_MS : (int64_t)c->stop_timeout_s * 1000 + KILL_MS;
    m->probe_ms = c->health_interval_ms + c->health_timeout_ms;
}

struct watch__member *watch__member_new(const struct container *container)
{
    struct watch__member *m = mem_new(sizeof *m);
    snprintf(m->id, sizeof m->id, "%s", container->id);
    m->stop_signal = SIGTERM;
    m->stop_ms = KILL_MS;
    m->probe_ms = PROBE_DEFAULT_MS;
    watch__member_inspected(m, container, false, 0);
    return m;
}

struct watch__member *watch__member_free(struct watch__member *member)
{
    if (member)
        free(member->name);
    free(member);
    return NULL;
}

/* --- events ----------------------------------------------------------------------------------- */

static bool is_up(const struct watch__member *m)
{
    return m->state == CONTAINER_RUNNING || m->state == CONTAINER_PAUSED ||
           m->state == CONTAINER_RESTARTING;
}

static void go_down(struct watch__member *m, enum watch__down why)
{
    m->state = CONTAINER_EXITED;
    m->health = HEALTH_NONE;
    m->down = why;
    m->finished_ns = 0;
    m->deaths = 0;
}

static unsigned on_kill(struct watch__member *m, const struct docker_event *event, bool ours,
                        int64_t now_ms)
{
    const char *text = json_text_at(event->attributes, "signal", NULL);
    int number = m->signal_is_told ? watch__signal_number(text) : 0;
    int64_t patience_ms = number == 0                ? GUESS_MS
                          : number == SIGKILL        ? KILL_MS
                          : number == m->stop_signal ? m->stop_ms
                                                     : 0;
    if (!patience_ms) /* a reload (HUP), a dump (USR1) */
        return 0;
    m->stopping_until_ms = now_ms + patience_ms;
    m->stopping_is_ours = ours;
    return ours ? 0 : MEMBER_ASKED;
}

static unsigned on_die(struct watch__member *m, bool ours, int64_t now_ms)
{
    bool asked = now_ms < m->stopping_until_ms;
    bool by_us = ours || (asked && m->stopping_is_ours);
    m->stopping_until_ms = 0;
    if (!asked && !by_us) {
        m->deaths++; /* judged when it was inspected: a job may just be done */
        m->has_died = true;
        return MEMBER_INSPECT;
    }
    go_down(m, by_us ? DOWN_BY_US : DOWN_BY_HAND);
    return MEMBER_INSPECT | (by_us ? 0 : MEMBER_ASKED);
}

/* Behind the die; alone when it was in its restart policy's back-off. Certain, so it also corrects
 * what on_die took for a crash: a patience (`stop -t 300`) that the configuration does not tell. */
static unsigned on_stop(struct watch__member *m, bool ours)
{
    bool by_us = ours || m->down == DOWN_BY_US || (m->stopping_until_ms && m->stopping_is_ours);
    m->stopping_until_ms = 0;
    go_down(m, by_us ? DOWN_BY_US : DOWN_BY_HAND);
    return MEMBER_INSPECT | (by_us ? 0 : MEMBER_ASKED);
}

static unsigned on_start(struct watch__member *m)
{
    m->state = CONTAINER_RUNNING;
    m->has_died = false;
    m->health = m->has_healthcheck ? HEALTH_STARTING : HEALTH_NONE;
    m->down = DOWN_UNASKED;
    m->stopping_until_ms = 0;
    m->health_unknown_ms = 0;
    return m->is_inspected && !m->deaths ? 0 : MEMBER_INSPECT;
}

/* Pausing leaves "unhealthy" behind without an event, and thawing does not take it away: only the
 * next health check does, by an event if it passes, without one if it fails. */
static unsigned on_unpause(struct watch__member *m, int64_t now_ms)
{
    if (m->state != CONTAINER_PAUSED)
        return 0;
    m->state = CONTAINER_RUNNING;
    m->health_unknown_ms = m->has_healthcheck ? now_ms + m->probe_ms : 0;
    return 0;
}

static unsigned on_destroy(struct watch__member *m, bool ours)
{
    bool by_us = ours || m->down == DOWN_BY_US;
    m->is_gone = true;
    m->stopping_until_ms = 0;
    go_down(m, by_us ? DOWN_BY_US : DOWN_BY_HAND);
    return by_us ? 0 : MEMBER_ASKED;
}

/* Health checks go on, and fail, in a container that is being stopped. */
static unsigned on_health(struct watch__member *m, const char *word)
{
    enum container_health health = strcmp(word, "healthy") == 0     ? HEALTH_HEALTHY
                                   : strcmp(word, "unhealthy") == 0 ? HEALTH_UNHEALTHY
                                   : strcmp(word, "starting") == 0  ? HEALTH_STARTING
                                                                    : HEALTH_NONE;
    if (health == HEALTH_NONE || m->state != CONTAINER_RUNNING || m->has_died)
        return 0;
    m->has_healthcheck = true;
    m->has_served = m->has_served || health == HEALTH_HEALTHY;
    m->health = health;
    m->health_unknown_ms = 0;
    return 0;
}

unsigned watch__member_event(struct watch__member *member, const struct docker_event *event,
                             bool ours, int64_t now_ms)
{
    const char *action = event->action;
    if (member->is_gone)
        return 0;
    if (strcmp(action, "health_status") == 0)
        return on_health(member, event->detail);
    if (strcmp(action, "kill") == 0)
        return on_kill(member, event, ours, now_ms);
    if (strcmp(action, "die") == 0)
        return on_die(member, ours, now_ms);
    if (strcmp(action, "stop") == 0)
        return on_stop(member, ours);
    if (strcmp(action, "start") == 0)
        return on_start(member);
    if (strcmp(action, "unpause") == 0)
        return on_unpause(member, now_ms);
    if (strcmp(action, "destroy") == 0)
        return on_destroy(member, ours);
    if (strcmp(action, "rename") == 0)
        mem_replace(&member->name, event->name);
    if (strcmp(action, "pause") == 0)
        member->state = CONTAINER_PAUSED;
    if (strcmp(action, "oom") != 0)
        return 0;
    member->stopping_until_ms = 0; /* should it die now, then of this */
    return MEMBER_OOM;
}

/* --- inspections ------------------------------------------------------------------------------ */

static void take_health(struct watch__member *m, const struct container *c, int64_t now_ms)
{
    if (now_ms >= m->health_unknown_ms)
        m->health_unknown_ms = 0;
    m->health = c->health;
    m->has_served = m->has_served || c->health == HEALTH_HEALTHY;
}

/* Why it is down, when the events have not said, or when it has been up since they did. */
static void judge_down(struct watch__member *m, const struct container *c, bool ours)
{
    bool asked = m->down == DOWN_BY_HAND || m->down == DOWN_BY_US;
    if (asked && m->finished_ns && m->finished_ns != c->finished_ns)
        m->down = DOWN_UNASKED;
    if (m->down == DOWN_FINISHED)
        m->down = DOWN_UNASKED; /* it may have run again */
    if (m->down == DOWN_BY_US && !ours)
        m->down = DOWN_LEFT;
    if (m->down == DOWN_UNASKED && c->state == CONTAINER_EXITED && c->exit_code == 0 &&
        !m->restarts_always && !m->has_served)
        m->down = DOWN_FINISHED;
    m->finished_ns = c->finished_ns;
}

int watch__member_inspected(struct watch__member *member, const struct container *container,
                            bool ours, int64_t now_ms)
{
    int deaths = member->deaths;
    member->deaths = 0;
    member->has_died = false;
    member->retry_ms = 0;
    learn(member, container);
    if (now_ms >= member->stopping_until_ms)
        member->stopping_until_ms = 0;
    member->state = container->state;
    take_health(member, container, now_ms);
    if (is_up(member))
        member->down = DOWN_UNASKED;
    else if (!container->is_partial)
        judge_down(member, container, ours);
    return member->down == DOWN_FINISHED ? 0 : deaths;
}

int watch__member_not_inspected(struct watch__member *member, bool is_gone, int64_t now_ms)
{
    int deaths = member->deaths;
    member->retry_ms = now_ms + RETRY_MS;
    if (is_gone) {
        member->is_gone = true;
        go_down(member, DOWN_BY_HAND);
        return 0;
    }
    if (member->has_died)
        go_down(member, DOWN_UNASKED);
    member->deaths = 0;
    return deaths;
}

void watch__member_found(struct watch__member *member, const struct container *container)
{
    if (member->state == CONTAINER_EXITED && !container->is_partial &&
        (member->restarts_always || container->exit_code == 0))
        member->down = DOWN_BY_HAND;
}

int64_t watch__member_due_ms(const struct watch__member *member)
{
    const int64_t dues[] = {member->stopping_until_ms, member->health_unknown_ms, member->retry_ms};
    int64_t first_ms = INT64_MAX;
    for (size_t i = 0; !member->is_gone && i < ARRAY_SIZE(dues); i++)
        if (dues[i] && dues[i] < first_ms)
            first_ms = dues[i];
    return first_ms;
}

void watch__member_replayed(struct watch__member *member, const struct docker_event *event)
{
    if (strcmp(event->action, "stop") == 0 && member->down == DOWN_UNASKED)
        member->down = DOWN_LEFT;
}

void watch__member_lost(struct watch__member *member)
{
    member->stopping_until_ms = 0;
    member->deaths = 0;
    member->has_died = false;
}

/* --- what it says ----------------------------------------------------------------------------- */

bool watch__member_is_by_hand(const struct watch__member *member)
{
    return member->down == DOWN_BY_HAND || member->state == CONTAINER_PAUSED ||
           (member->stopping_until_ms && !member->stopping_is_ours);
}

int watch__member_running(const struct watch__member *member)
{
    bool asked = member->down != DOWN_UNASKED && member->down != DOWN_LEFT;
    if (asked || member->stopping_until_ms)
        return -1;
    switch (member->state) {
    case CONTAINER_RUNNING:
        return 1;
    case CONTAINER_EXITED:
    case CONTAINER_DEAD:
    case CONTAINER_RESTARTING:
        return 0;
    default: /* created and never started, paused, being removed */
        return -1;
    }
}

int watch__member_health(const struct watch__member *member)
{
    if (member->state != CONTAINER_RUNNING || member->stopping_until_ms ||
        member->health_unknown_ms || !member->is_inspected)
        return -1;
    return (int)member->health;
}
