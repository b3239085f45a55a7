/* Decisions: what the engine (decide.h) says, each with its reason and the values it was taken on.
 *
 * May use: base. Pure.
 */
#ifndef POLICIES_DECISION_H
#define POLICIES_DECISION_H

#include "base/json.h"

#include <stdbool.h>
#include <stdint.h>

enum decision_kind {
    DECISION_RUN,       /* run `playbook` with `params`, and tell decide_run_ended */
    DECISION_ASK,       /* the same, once somebody approves it (decide_approve with its id) */
    DECISION_WOULD,     /* mode observe: what would have been run */
    DECISION_NOTIFY,    /* a policy without a ladder: tell somebody */
    DECISION_HAND_OVER, /* the policy is at its end: a person is needed */
    DECISION_HEALED,    /* verified, or over by itself */
    DECISION_REFUSED,   /* it would act, and may not: see `refusal` */
    DECISION_QUIET,     /* nothing to do, and since when: the condition's outcome changed */
    DECISION_KINDS
};

enum refusal {
    REFUSAL_NONE,
    REFUSAL_PAUSED,
    REFUSAL_SETTLING,       /* the host has just started */
    REFUSAL_ANOTHER_RUN,    /* one at a time, or another policy watches what its run did */
    REFUSAL_OUTSIDE_WINDOW, /* only: */
    REFUSAL_COOL_DOWN,
    REFUSAL_BUDGET,         /* the policy's own */
    REFUSAL_RECOVERIES,     /* that of all policies together */
    REFUSAL_NOT_REARMED,    /* a person was called and has not cured it yet */
    REFUSAL_NOT_APPLICABLE, /* a setting's observation has no value: the rung cannot be run */
    REFUSAL_NOT_BEGUN,      /* its run could not be begun: it is tried again soon */
    REFUSAL_MISSED,         /* its scheduled time went by meanwhile */
    REFUSALS
};

struct decision {
    int64_t id; /* from 1, never used twice, also across restarts */
    enum decision_kind kind;
    enum refusal refusal; /* of DECISION_REFUSED */
    int64_t at_ms;        /* monotonic */
    char *policy;
    int64_t incident; /* from the first trigger to the cure; 0: none */
    int64_t question; /* the DECISION_ASK whose answer it comes of; 0: nobody was asked */
    int rung, rungs;  /* from 1; 0 when it is not about a rung */
    char *playbook;   /* or NULL */
    json_t *params;   /* its settings, observations filled in; or NULL */
    bool disruptive;  /* counts as a recovery */
    bool notify;      /* somebody should be told: once an incident, and on change */
    char *sentence;   /* "leaking: runs clean (1 of 3): connections.utilization is 71% (> 60%)" */
    json_t *values;   /* condition_values, an array */
};

const char *decision_kind_name(enum decision_kind kind); /* "run", "ask" … */
const char *refusal_name(enum refusal refusal);          /* "paused", "budget" … */

void decision_clear(struct decision *decision); /* frees what it holds */

/* Everything in it; the caller owns the result. */
json_t *decision_json(const struct decision *decision);

#endif
