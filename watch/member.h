/* One container of the stack, as its events and inspections tell it: does it run, how well is it,
 * and, when it does not run, is that trouble.
 *
 * It is no trouble when somebody asked for it. What asks for an end announces it: a `kill` event
 * with the stop signal (or SIGKILL) comes before the `die`, and a `stop` comes behind it; a crash
 * is a `die` alone. What we did ourselves is told by the caller (`ours`).
 *
 * What may be believed of an event: its action, id and name, never exitCode. `signal` is believed
 * only when the container has no label of that name, as labels are copied over the event's own
 * attributes; without it, any kill shortly before the die counts as asking. Whatever else is needed
 * is inspected; an inspection waits for the Engine's lock on the container and so, unlike the list,
 * knows of a `die` that was just told (20.10 tells before it stores).
 *
 * May use: base, docker's doors. Pure: it is told the time.
 */
#ifndef WATCH_MEMBER_H
#define WATCH_MEMBER_H

#include "docker/docker.h"
#include "docker/stack.h"

/* Why it is down. */
enum watch__down {
    DOWN_UNASKED, /* or it is not down at all */
    DOWN_BY_HAND,
    DOWN_BY_US,
    DOWN_LEFT,     /* by us, and the run is over, or by an Engine that ends or begins: trouble */
    DOWN_FINISHED, /* ended with 0 and its policy leaves it at that: a job that is done */
};

struct watch__member {
    char id[CONTAINER_ID_MAX];
    char *name;
    void *service;  /* the caller's */
    unsigned burst; /* the caller's: the burst of stops that it was part of */

    /* of its make */
    bool is_inspected; /* what follows is known */
    bool has_healthcheck;
    bool signal_is_told; /* no label hides the kill events' signal */
    bool restarts_always;
    int stop_signal;
    int64_t stop_ms;  /* from the stop signal to the SIGKILL at the latest */
    int64_t probe_ms; /* from one health check's begin to the next one's end */

    /* of its life */
    enum container_state state;
    enum container_health health;
    bool has_served; /* was healthy once: no job, whose end may be in good order */
    enum watch__down down;
    int64_t finished_ns;       /* of the death that somebody asked for; 0: not known yet */
    int64_t stopping_until_ms; /* its end was announced and is due by then; 0: it was not */
    bool stopping_is_ours;     /* and it was us */
    int64_t health_unknown_ms; /* its health is a leftover of a pause until then; 0: it is not */
    int64_t retry_ms;          /* an inspection failed: the next one; 0: none is due */
    int deaths;                /* unasked for, not judged yet */
    bool has_died;             /* and not been started again since, as far as events tell */
    bool is_gone;              /* removed */
};

struct watch__member *watch__member_new(const struct container *container);
struct watch__member *watch__member_free(struct watch__member *member); /* accepts NULL */

/* What an event asks of the caller. */
enum {
    MEMBER_INSPECT = 1 << 0, /* look at it: watch__member_inspected wants the answer */
    MEMBER_OOM = 1 << 1,     /* the kernel killed one of its processes */
    MEMBER_ASKED = 1 << 2,   /* somebody, not us, asks it to end or has ended it */
};
unsigned watch__member_event(struct watch__member *member, const struct docker_event *event,
                             bool ours, int64_t now_ms);

/* The Engine's word, of an inspection that began after the last event. Returns how many deaths are
 * now certain that nobody asked for. */
int watch__member_inspected(struct watch__member *member, const struct container *container,
                            bool ours, int64_t now_ms);

/* The inspection failed (NULL: it is gone): what the events said has to do. The same count. */
int watch__member_not_inspected(struct watch__member *member, bool is_gone, int64_t now_ms);

/* The first look at a container that was down before anybody watched. An end in good order (exit
 * code 0), or a restart policy that would have brought it back, says that it was asked for. */
void watch__member_found(struct watch__member *member, const struct container *container);

/* When it should be inspected again without an event; INT64_MAX: no need. */
int64_t watch__member_due_ms(const struct watch__member *member);

/* An event from a gap in the stream, told when that was over. An Engine that crashed stops at its
 * next start whatever should not run again by itself; that is nobody's hand. */
void watch__member_replayed(struct watch__member *member, const struct docker_event *event);

/* The stream of events is lost: what was about to happen will not be told. */
void watch__member_lost(struct watch__member *member);

/* True when somebody, not we, has stopped, paused or removed it, or is about to. */
bool watch__member_is_by_hand(const struct watch__member *member);

/* Its part in the service's observations: 1 runs, 0 does not though it should, -1 says nothing. */
int watch__member_running(const struct watch__member *member);
/* A container_health, or -1: says nothing. */
int watch__member_health(const struct watch__member *member);

#endif
