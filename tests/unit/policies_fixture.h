/* For tests of the engine: policies from YAML, a life told as a trace, and what was decided as
 * short lines:
 *
 *     "15000 run leaking clean 1/3"       time, kind, policy, playbook and rung
 *     "15000 refused leaking cool-down"   the gate that was shut
 *     "15000 hand-over leaking !"         somebody is notified
 *
 * Quiet decisions are passed over unless fixture->quiet is set. May use: check, base, policies. */
#ifndef TESTS_POLICIES_FIXTURE_H
#define TESTS_POLICIES_FIXTURE_H

#include "base/buf.h"
#include "policies/replay.h"

struct fixture {
    struct policy_set *policies;
    struct replay *replay;
    struct buf log;
    bool quiet;
    bool values;        /* the log has the sentences instead of short lines */
    json_t *params;     /* of the last decision that had some */
    int64_t last_asked; /* the last question's decision */
    int64_t question;   /* of the last decision that was not passed over */
};

/* The text is the list under `policies:`. */
struct policy_set *policies_of(const char *yaml);

/* The life begins at 0 with the local time 0 (a Thursday, 00:00). NULL options: no limit of all
 * recoveries, runs end as told. */
void fixture_begin(struct fixture *fixture, const char *yaml, const struct replay_options *options);
void fixture_begin_with(struct fixture *fixture, struct policy_set *policies,
                        const struct replay_options *options, int64_t local_ms);
void fixture_end(struct fixture *fixture);

/* An event in single quotes: "{'at':5,'observe':'connections.utilization','value':0.7}" */
void tell(struct fixture *fixture, const char *event);
void number(struct fixture *fixture, int64_t at_ms, const char *name, double value);
void word(struct fixture *fixture, int64_t at_ms, const char *name, const char *value);
void ended(struct fixture *fixture, int64_t at_ms, const char *outcome);
void until(struct fixture *fixture, int64_t at_ms); /* nothing but time */

/* The utilization, sampled every two seconds from `from` to `to`, both included. */
void hold(struct fixture *fixture, int64_t from_ms, int64_t to_ms, double utilization);

/* What was decided since the last time is exactly this; lines end in '\n'. */
void expect(struct fixture *fixture, const char *lines);
/* … or has this somewhere. The log goes on. */
void expect_has(struct fixture *fixture, const char *part);

#endif
