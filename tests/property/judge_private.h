/* The judge as its files share it: judge.c sees what happens, judge_may.c says what is true and
 * what may be, judge_decide.c holds what is decided to that. Private to tests/property/. */
#ifndef TESTS_JUDGE_PRIVATE_H
#define TESTS_JUDGE_PRIVATE_H

#include "judge.h"
#include "policies/moment.h"

enum { RUNS_KEPT = 512, RELAPSE_MS = 30000 };

/* Where a policy stands, by what it said. */
enum stand {
    STAND_IDLE,
    STAND_RUNNING,
    STAND_VERIFYING, /* or due for the next rung */
    STAND_HELPED,
    STAND_RELAPSED,
    STAND_AT_END, /* and it will be tried again */
    STAND_HANDED
};

struct docket {
    enum stand stand;
    int rung;          /* the last that was run, from 1; 0: none in this climb */
    int passed;        /* rungs passed over since, */
    int64_t passed_ms; /* the last of them at */
    int64_t since_ms;  /* healed, handed, at the end */
    bool sealed;       /* HELPED before a boot: no relapse */
    int64_t run_end_ms;
    enum run_outcome outcome;
    int64_t held_ms; /* its condition is true since; NEVER */
    int64_t runs[RUNS_KEPT];
    int run_count;
    bool called; /* a person, in this incident */
    bool asked, approved;
    int asked_rung;
    int64_t asked_id, asked_ms;
    bool answered_no;
    bool doubted;     /* the last run could not be begun, */
    int64_t doubt_ms; /* for the first time at, */
    int64_t again_ms; /* and is not tried sooner than */
    bool uprooted;    /* RUNNING since before a boot */
};

struct judge {
    const struct life_story *story;
    const struct policy_set *policies;
    enum judge_fault fault;
    struct judge_tally *tally;
    struct scene scene;
    struct docket dockets[LIFE_POLICIES];
    struct docket before; /* the run that is under way: its policy's docket */
    int64_t recoveries[RUNS_KEPT];
    int recovery_count;
    /* runs */
    int own; /* the policy whose run is under way; -1 */
    bool own_disruptive;
    int64_t own_began_ms, own_ends_ms;
    bool foreign, foreign_disruptive;
    int64_t changed_ms, calm_ms; /* ends of a run or a pause; of a disruptive run */
    bool paused;
    int64_t pause_until_ms;
    int64_t started_ms; /* of this boot */
    int64_t back_ms;    /* from the last absence */
    int64_t last_id;
    char *verdict;
};

static inline int64_t judge__later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* --- judge.c ---------------------------------------------------------------------------------- */

/* A violation; the first is kept. decision: what it is about, or NULL. */
void judge__finds(struct judge *judge, const struct decision *decision, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void judge__pass_time(struct judge *judge, int64_t at_ms);

/* --- judge_may.c: the world, and each policy by its place ------------------------------------- */

/* A disruptive run is under way: nothing that is seen counts. */
bool judge__disrupted(const struct judge *judge);

/* Is the trouble there? Only for conditions without `of`, whose memory is the engine's own. */
enum truth judge__trouble(const struct judge *judge, const struct life_policy *policy);

bool judge__plain(const struct life_policy *policy); /* a condition, and no `of` */
bool judge__by_condition_alone(const struct life_policy *policy);

int judge__budget_left(const struct judge *judge, int place);
bool judge__recoveries_left(const struct judge *judge);
bool judge__hours_open(const struct judge *judge, int place);
bool judge__settled(const struct judge *judge, int place);

/* Of the last rung: is it verified by what is observed, or does the run's own end say all? Could it
 * have helped, and is that certain? Has it been given its time, in vain? */
bool judge__is_observed(const struct judge *judge, int place);
enum truth judge__proof(const struct judge *judge, int place);
bool judge__proof_is_certain(const struct judge *judge, int place);
bool judge__failed(const struct judge *judge, int place);

bool judge__may_begin(const struct judge *judge, int place); /* a climb, at all */
int judge__passed_over(const struct judge *judge, int place);
/* From 1; 0: none. *ret_first: it would begin a climb. */
int judge__rung_that_may_run(const struct judge *judge, int place, bool *ret_first);
bool judge__earlier_one_verifies(const struct judge *judge, int place);

#endif
