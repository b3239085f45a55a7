/* The engine's inside, shared by its files. Private to policies/. */
#ifndef POLICIES_DECIDE_PRIVATE_H
#define POLICIES_DECIDE_PRIVATE_H

#include "policies/decide.h"
#include "policies/derive.h"

enum decide_state {
    STATE_NONE, /* of a table entry: no such move */
    STATE_SETTLING,
    STATE_WATCHING,
    STATE_DUE,
    STATE_ASKING,
    STATE_RUNNING,
    STATE_VERIFYING,
    STATE_COOLING,
    STATE_HANDED,
    STATES
};

enum decide_event {
    ON_SETTLED,
    ON_TRIGGERED,
    ON_CLEARED, /* over before anything was done */
    ON_ASKED,
    ON_APPROVED,
    ON_STARTED,
    ON_NOT_BEGUN,
    ON_ENDED,
    ON_ABORTED,
    ON_HEALED,
    ON_FAILED,        /* the verification; or the rung cannot be run: the next one is due */
    ON_RELAPSED,      /* it helped, but not for long: the next rung is due */
    ON_DISTURBED,     /* something else changed the world: verify again */
    ON_GAVE_UP,       /* a person is called */
    ON_LADDER_AT_END, /* and nobody is to be called */
    ON_COOLED,
    ON_REARMED,
    EVENTS
};

enum cause { CAUSE_WHEN, CAUSE_SCHEDULE, CAUSE_ALERT, CAUSES };

/* What a person has been told of an incident: each once. */
enum notice { NOTICE_NONE, NOTICE_ASKED, NOTICE_CALLED, NOTICES };

/* One policy at work. */
struct track {
    const struct policy *policy;
    enum decide_state state; /* written by decide__move (and a restore) alone */
    int64_t since_ms;        /* of the state */
    int64_t settled_ms;      /* after a boot: nothing triggers before */
    /* the condition */
    struct condition_state *when;    /* NULL without one */
    struct condition_state **verify; /* one a rung; NULL where `verify` says nothing */
    enum truth truth;                /* of `when`, as of this step */
    int64_t held_since_ms;           /* true since; NEVER */
    int64_t healthy_since_ms;        /* false since; NEVER */
    enum truth told;                 /* the outcome last reported */
    /* the climb */
    enum cause cause;
    int64_t wanted_until_ms; /* of a schedule's trigger */
    size_t rung;             /* due, running, verified, or the one that helped; from 0 */
    int tried;               /* of this climb, the rung that was run last; -1: none yet */
    int64_t verify_from_ms;  /* VERIFYING: values before it do not count; its time begins */
    int64_t verdict_ms;      /* DUE: when the rung before was found not to have helped */
    bool relapsed;           /* DUE, ASKING: it had helped, but not for long */
    bool helped;             /* COOLING: by a rung that helped, not by a ladder at its end */
    bool run_ok;             /* how its last run ended */
    bool approved;
    json_t *asked;        /* the settings that the last question showed; NULL: none was put */
    int64_t question;     /* the last one that was answered; 0: none, or an earlier version's */
    bool aborted, denied; /* HANDED: what a person did, to be told in the next step */
    int64_t not_begun_ms; /* its run could not be begun, for the first time; NEVER */
    int64_t again_ms;     /* nothing is run sooner, for that reason */
    int tried_before;     /* RUNNING: what these were, should it not be begun */
    bool relapsed_before, approved_before;
    bool uprooted;        /* RUNNING: decided before a boot, or for another ladder */
    int64_t decision;     /* of the run or the question that is under way */
    enum refusal refused; /* the last one reported in this state */
    struct window runs;
    int64_t incident;
    enum notice notice;
    /* triggers from outside */
    bool alert_firing, alert_new;
    int64_t next_mono_ms;  /* of an interval */
    int64_t next_local_ms; /* of a civil schedule */
};

enum {
    HISTORY_MAX = 64,
    /* Rates count over so long: what they say sooner after a run is of the time before it. */
    RELAPSE_AFTER_MS = RATE_SPAN_MS,
    NOT_BEGUN_MAX_MS = 30 * SECOND_MS,
    NOT_BEGUN_FORGET_MS = 60 * SECOND_MS /* without a try: the next one is a first one */
};

struct decide {
    const struct policy_set *policies;
    struct decide_options options;
    struct track *tracks;
    size_t track_count;
    struct moment now;         /* of the step or call under way */
    const struct board *board; /* of the step under way */
    struct decision *decisions;
    size_t decision_count;
    int64_t last_decision, last_incident;
    bool paused;
    int64_t pause_until_ms;
    char *pause_reason;
    int64_t run_decision; /* of the engine's own run; 0: none */
    bool run_disruptive;
    bool foreign_run, foreign_disruptive;
    int64_t changed_ms; /* the last end of a run or a pause: verifications begin anew */
    int64_t calm_ms;    /* the last end of a disruptive run */
    struct window recoveries;
    json_t *history[HISTORY_MAX];
    size_t history_count; /* ever */
};

/* decide_machine.c */
const char *decide__state_name(enum decide_state state);
enum decide_state decide__state_parse(const char *name);
void decide__move(struct decide *engine, struct track *track, enum decide_event event);

/* decide_say.c: adds a decision to the step's list. `format` is what follows "policy: ". */
struct decision *decide__say(struct decide *engine, struct track *track, enum decision_kind kind,
                             const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Once in a state for each refusal. */
void decide__refuse(struct decide *engine, struct track *track, enum refusal refusal,
                    const char *format, ...) __attribute__((format(printf, 4, 5)));
void decide__remember(struct decide *engine); /* what this step said, for decide_history */
bool decide__disrupts(const struct decide *engine, const char *playbook);
/* Why the policy was triggered, in words; the caller frees it. */
char *decide__reason(const struct decide *engine, const struct track *track);
/* The settings of the rung that is due, with "${…}" filled in; false when a value is unknown,
 * whose name is in *ret_missing (the caller frees both). */
bool decide__params(const struct decide *engine, const struct track *track, json_t **ret_params,
                    char **ret_missing);

/* decide_track.c */
bool decide__run_under_way(const struct decide *engine);
bool decide__disrupted(const struct decide *engine);
void decide__evaluate(struct decide *engine, struct track *track);
bool decide__triggered(const struct decide *engine, const struct track *track);
bool decide__schedule_due(const struct decide *engine, const struct track *track);
void decide__schedule_next(struct track *track, const struct moment *now);
/* Does what the state and the time ask for; true when the state changed. */
bool decide__advance(struct decide *engine, struct track *track);
/* Is a rung verified by what is observed? Else by its run's own end alone. */
bool decide__observed(const struct track *track, size_t rung);
void decide__finish_incident(struct track *track);
/* Nobody was told of it: it leaves no trace. Else its end will be told. */
void decide__drop_incident(struct track *track);
/* Ends the climb: a person is called, once an incident; or it will be tried again. */
bool decide__end_of_ladder(struct decide *engine, struct track *track, const char *why);
bool decide__healed(struct decide *engine, struct track *track, const char *why);
enum truth decide__verified(const struct decide *engine, struct track *track, size_t rung);

/* decide_gate.c: the policy is due. True when the state changed. */
bool decide__climb(struct decide *engine, struct track *track);

#endif
