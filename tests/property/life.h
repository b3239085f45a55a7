/* A generated life: a set of policies and what happens to them.
 *
 * Times are those of one clock from the first event to the last, through restarts and boots; what
 * is fed and printed is on the clock of each boot (life_event). Taking anything out leaves a life
 * that can still be lived, which is what shrinking needs. */
#ifndef TESTS_LIFE_H
#define TESTS_LIFE_H

#include "base/buf.h"
#include "policies/trace.h"

/* --- a world that both the engine and the judge can look at ----------------------------------- */

enum seen { SEEN_UTILIZATION, SEEN_BLOCKED, SEEN_STATE, SEEN_A, SEEN_B, SEEN_LEAKER, SEEN_COUNT };

struct seen_value {
    bool known;
    int64_t at_ms;
    double number;
    const char *word;
};

struct scene {
    int64_t now_ms;
    struct seen_value values[SEEN_COUNT];
};

const char *seen_name(enum seen seen);

/* The conditions that policies are made of, and what each comes to: written down a second time,
 * with nothing of the engine's. Sampled values from before from_ms are unknown. */
struct condition_text {
    const char *text;
    enum truth (*now)(const struct scene *scene, int64_t from_ms);
    bool simple; /* one comparison: "3 of 5" may stand behind it */
};

enum { CONDITIONS = 10, NO_CONDITION = -1 };
extern const struct condition_text life_conditions[CONDITIONS];

/* --- a life ----------------------------------------------------------------------------------- */

struct life_condition {
    int which;   /* of life_conditions; NO_CONDITION */
    int for_s;   /* written behind it; 0: nothing */
    int of_n, m; /* 0: nothing */
};

enum { LIFE_RUNGS = 4, LIFE_POLICIES = 5, LIFE_EVENTS = 64 };

struct life_rung {
    int playbook;
    bool with_leaker;
    struct life_condition verify;
    int within_s;
};

struct life_policy {
    struct life_condition when;
    int for_s, for_n, for_m;
    int schedule; /* of a table; 0: none */
    bool on_alert;
    int only; /* of a table; 0: always */
    struct life_rung rungs[LIFE_RUNGS];
    int rung_count;
    int cooldown_s, budget, budget_s, settle_s, rearm_s, rearm_healthy_s; /* 0 s of rearm: never */
    enum policy_mode mode;
    bool again;
};

enum life_kind {
    LIFE_OBSERVE,
    LIFE_FORGET,
    LIFE_RUN,
    LIFE_FOREIGN,
    LIFE_PAUSE,
    LIFE_RESUME,
    LIFE_APPROVE,
    LIFE_ALERT,
    LIFE_RESTART,
    LIFE_BOOT,
    LIFE_KINDS
};

struct life_event {
    int64_t at_ms; /* later than the one before */
    enum life_kind kind;
    enum seen seen;
    double number;
    const char *word;
    bool yes, disruptive;
    enum run_outcome outcome;
    int64_t span_ms; /* pause, restart, boot */
};

struct life_story {
    struct life_policy policies[LIFE_POLICIES];
    int policy_count;
    struct budget recoveries;
    struct life_event events[LIFE_EVENTS];
    int event_count;
    int64_t local_ms; /* at time 0 */
};

enum { LIFE_BOOTED_MS = 10000 }; /* how long the host is up when the daemon starts */

void life_policies(struct life_story *story, uint64_t seed);
void life_events(struct life_story *story, uint64_t seed);

/* The name of a policy by its place: "p0" …; lives as long as the program. */
const char *life_name(int place);
const char *life_only(const struct life_policy *policy);

/* The list of policies as YAML, as it stands under `policies:`. */
void life_yaml(const struct life_story *story, struct buf *out);

/* Where an event stands on the clock of its boot. */
struct life_clock {
    int64_t base_ms; /* of this boot's clock */
};
struct trace_event life_head(const struct life_story *story, struct life_clock *clock);
struct trace_event life_event(const struct life_story *story, struct life_clock *clock,
                              const struct life_event *event);
struct trace_event life_step(const struct life_clock *clock, int64_t at_ms);

/* The whole of it as a trace. */
void life_trace(const struct life_story *story, struct buf *out);

#endif
