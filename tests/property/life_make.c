/* The dice: random policies and random events, from a seed. See life.h. */
#include "life.h"

#include "base/mem.h"
#include "policies/moment.h"

/* splitmix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014). */
struct dice {
    uint64_t state;
};

static uint64_t throw_one(struct dice *dice)
{
    uint64_t z = dice->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static int below(struct dice *dice, int limit)
{
    return (int)(throw_one(dice) % (uint64_t)limit);
}

static bool chance(struct dice *dice, int percent)
{
    return below(dice, 100) < percent;
}

#define PICK(dice, array) ((array)[below((dice), (int)ARRAY_SIZE(array))])

/* --- policies --------------------------------------------------------------------------------- */

static struct life_condition make_condition(struct dice *dice, int suffix_percent)
{
    static const int times[] = {1, 3, 5, 10, 20};
    struct life_condition condition = {.which = below(dice, CONDITIONS)};
    if (!chance(dice, suffix_percent))
        return condition;
    if (life_conditions[condition.which].simple && chance(dice, 40)) {
        condition.m = 1 + below(dice, 5);
        condition.of_n = 1 + below(dice, condition.m);
    } else {
        condition.for_s = PICK(dice, times);
    }
    return condition;
}

static struct life_rung make_rung(struct dice *dice)
{
    static const int times[] = {1, 2, 5, 10, 20, 60};
    struct life_rung rung = {
        .playbook = below(dice, 4),
        .with_leaker = chance(dice, 25),
        .verify = {.which = NO_CONDITION},
        .within_s = PICK(dice, times),
    };
    if (chance(dice, 65))
        rung.verify = make_condition(dice, 30);
    return rung;
}

static void make_trigger(struct dice *dice, struct life_policy *policy)
{
    static const int times[] = {1, 5, 10, 30};
    int kind = below(dice, 10);
    if (kind < 8)
        policy->when = make_condition(dice, 20);
    if (kind < 8 && chance(dice, 50))
        policy->for_s = PICK(dice, times);
    else if (kind < 8 && policy->when.of_n == 0 && policy->when.for_s == 0 &&
             life_conditions[policy->when.which].simple && chance(dice, 20)) {
        policy->for_m = 1 + below(dice, 5);
        policy->for_n = 1 + below(dice, policy->for_m);
    }
    if (kind == 8 || kind == 7)
        policy->schedule = 1 + below(dice, 4);
    if (kind == 9 || kind == 6)
        policy->on_alert = true;
    if (chance(dice, 15))
        policy->only = 1 + below(dice, 3);
}

static struct life_policy make_policy(struct dice *dice)
{
    static const int cooldowns[] = {1, 5, 20, 45, 90, 300};
    static const int spans[] = {10, 30, 60, 120, 600};
    static const int settles[] = {0, 0, 5, 30};
    static const int rearms[] = {0, 5, 30, 120, 600};
    static const enum policy_mode modes[] = {MODE_ACT, MODE_ACT,     MODE_ACT, MODE_ACT,
                                             MODE_ASK, MODE_OBSERVE, MODE_OFF, MODE_ACT};
    struct life_policy policy = {
        .when = {.which = NO_CONDITION},
        .rung_count = chance(dice, 10) ? 0 : 1 + below(dice, LIFE_RUNGS),
        .cooldown_s = PICK(dice, cooldowns),
        .budget = 1 + below(dice, 4),
        .budget_s = PICK(dice, spans),
        .settle_s = PICK(dice, settles),
        .rearm_s = PICK(dice, rearms),
        .rearm_healthy_s = PICK(dice, rearms),
        .mode = PICK(dice, modes),
    };
    make_trigger(dice, &policy);
    if (policy.schedule && policy.rung_count == 0)
        policy.rung_count = 1;
    if (policy.rearm_s == 0 && policy.rearm_healthy_s == 0)
        policy.rearm_s = 60;
    for (int i = 0; i < policy.rung_count; i++)
        policy.rungs[i] = make_rung(dice);
    policy.again = policy.rung_count && chance(dice, 25);
    return policy;
}

void life_policies(struct life_story *story, uint64_t seed)
{
    static const int spans[] = {30, 120, 600};
    struct dice dice = {seed};
    story->policy_count = 1 + below(&dice, LIFE_POLICIES);
    for (int i = 0; i < story->policy_count; i++)
        story->policies[i] = make_policy(&dice);
    story->recoveries = (struct budget){0};
    if (chance(&dice, 50))
        story->recoveries =
            (struct budget){1 + below(&dice, 4), PICK(&dice, spans) * (int64_t)SECOND_MS};
}

/* --- events ----------------------------------------------------------------------------------- */

/* Often the very millisecond that something is due at. */
static int64_t make_gap(struct dice *dice)
{
    static const int64_t exact[] = {1000, 2000, 5000, 9999, 10000, 20000, 29999, 30000, 60000};
    int kind = below(dice, 10);
    if (kind < 5)
        return 1 + below(dice, 4000);
    if (kind < 8)
        return PICK(dice, exact);
    return 1 + below(dice, chance(dice, 20) ? 400000 : 40000);
}

static void make_observation(struct dice *dice, struct life_event *event)
{
    static const double shares[] = {0.3, 0.45, 0.55, 0.65, 0.75, 0.85, 0.95, 0.95, 1};
    static const char *const states[] = {"ready", "ready", "exhausted", "recovering", "hung"};
    static const char *const healths[] = {"healthy", "unhealthy", "starting"};
    static const char *const leakers[] = {"none", "w1", "w2"};
    static const enum seen kinds[] = {SEEN_UTILIZATION, SEEN_UTILIZATION, SEEN_UTILIZATION,
                                      SEEN_STATE,       SEEN_STATE,       SEEN_BLOCKED,
                                      SEEN_A,           SEEN_B,           SEEN_LEAKER};
    event->kind = LIFE_OBSERVE;
    event->seen = PICK(dice, kinds);
    if (event->seen == SEEN_UTILIZATION)
        event->number = PICK(dice, shares);
    else if (event->seen == SEEN_BLOCKED)
        event->number = below(dice, 12);
    else if (event->seen == SEEN_STATE)
        event->word = PICK(dice, states);
    else if (event->seen == SEEN_LEAKER)
        event->word = PICK(dice, leakers);
    else
        event->word = PICK(dice, healths);
}

static void make_span(struct dice *dice, struct life_event *event)
{
    static const int64_t spans[] = {0, 0, 500, 2000, 30000, 90000};
    event->span_ms = event->kind == LIFE_BOOT ? 20000 + below(dice, 600000) : PICK(dice, spans);
    if (event->kind == LIFE_PAUSE)
        event->span_ms = chance(dice, 10) ? NEVER : 1 + below(dice, 90000);
}

static struct life_event make_event(struct dice *dice)
{
    static const enum run_outcome outcomes[] = {
        RUN_DONE, RUN_DONE, RUN_DONE, RUN_FAILED, RUN_ABORTED, RUN_NOT_BEGUN, RUN_NOT_BEGUN};
    static const enum life_kind kinds[] = {
        LIFE_RUN,     LIFE_RUN,     LIFE_RUN,     LIFE_RUN,     LIFE_RUN,   LIFE_RUN,
        LIFE_RUN,     LIFE_RUN,     LIFE_RUN,     LIFE_FOREIGN, LIFE_PAUSE, LIFE_RESUME,
        LIFE_RESUME,  LIFE_APPROVE, LIFE_APPROVE, LIFE_ALERT,   LIFE_ALERT, LIFE_RESTART,
        LIFE_RESTART, LIFE_RESTART, LIFE_FORGET};
    struct life_event event = {0};
    if (chance(dice, 55)) {
        make_observation(dice, &event);
        return event;
    }
    event.kind = PICK(dice, kinds);
    event.yes = chance(dice, event.kind == LIFE_APPROVE ? 75 : 55);
    event.disruptive = chance(dice, 50);
    event.outcome = PICK(dice, outcomes);
    if (event.kind == LIFE_RESTART && chance(dice, 15))
        event.kind = LIFE_BOOT;
    if (event.kind == LIFE_FORGET)
        event.seen = (enum seen)below(dice, SEEN_COUNT);
    if (event.kind == LIFE_PAUSE || event.kind == LIFE_RESTART || event.kind == LIFE_BOOT)
        make_span(dice, &event);
    return event;
}

void life_events(struct life_story *story, uint64_t seed)
{
    static const int64_t mornings[] = {0, 60000, 12 * (int64_t)HOUR_MS, DAY_MS - 120000};
    struct dice dice = {seed ^ UINT64_C(0x5851f42d4c957f2d)};
    int64_t at_ms = 0;
    story->local_ms = PICK(&dice, mornings);
    story->event_count = 8 + below(&dice, LIFE_EVENTS - 8);
    for (int i = 0; i < story->event_count; i++) {
        struct life_event event = make_event(&dice);
        event.at_ms = at_ms += make_gap(&dice);
        if (event.kind == LIFE_RESTART || event.kind == LIFE_BOOT)
            at_ms += event.span_ms;
        story->events[i] = event;
    }
}
