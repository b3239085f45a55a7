/* Greedy shrinking: whatever can be taken out of a story that is wrong, so that it stays wrong, is
 * taken out; over and over until nothing can. See trial.h. */
#include "base/mem.h"
#include "trial.h"

#include <string.h>

struct shrinking {
    struct life_story *story;
    enum judge_fault fault;
    bool progress;
};

static bool still_wrong(const struct life_story *story, enum judge_fault fault)
{
    struct judge_tally ignored = {0};
    struct policy_set *policies = trial_policies(story);
    CLEANUP_FREE char *wrong = trial(story, policies, fault, &ignored);
    policy_set_free(policies);
    return wrong != NULL;
}

static void keep_if_wrong(struct shrinking *s, const struct life_story *candidate)
{
    if (!still_wrong(candidate, s->fault))
        return;
    *s->story = *candidate;
    s->progress = true;
}

/* --- events ----------------------------------------------------------------------------------- */

static void drop_events(struct shrinking *s)
{
    for (int size = s->story->event_count; size > 0; size /= 2)
        for (int first = 0; first < s->story->event_count;) {
            struct life_story candidate = *s->story;
            int count = size < candidate.event_count - first ? size : candidate.event_count - first;
            memmove(candidate.events + first, candidate.events + first + count,
                    (size_t)(candidate.event_count - first - count) * sizeof *candidate.events);
            candidate.event_count -= count;
            int before = s->story->event_count;
            keep_if_wrong(s, &candidate);
            if (s->story->event_count == before)
                first += size;
        }
}

/* --- policies --------------------------------------------------------------------------------- */

/* Those behind it move up and change their names, which means nothing. */
static void drop_policies(struct shrinking *s)
{
    for (int i = s->story->policy_count - 1; i >= 0 && s->story->policy_count > 1; i--) {
        struct life_story candidate = *s->story;
        memmove(candidate.policies + i, candidate.policies + i + 1,
                (size_t)(candidate.policy_count - i - 1) * sizeof *candidate.policies);
        candidate.policy_count--;
        keep_if_wrong(s, &candidate);
    }
}

static void drop_rungs(struct shrinking *s, int place)
{
    for (int i = s->story->policies[place].rung_count - 1; i >= 0; i--) {
        struct life_story candidate = *s->story;
        struct life_policy *policy = &candidate.policies[place];
        memmove(policy->rungs + i, policy->rungs + i + 1,
                (size_t)(policy->rung_count - i - 1) * sizeof *policy->rungs);
        policy->rung_count--;
        if (policy->rung_count || (!policy->schedule && !policy->again))
            keep_if_wrong(s, &candidate);
    }
}

/* Sets a number of a policy to a plainer value, if it is another. */
static void plainer(struct shrinking *s, size_t offset, int value)
{
    int old;
    struct life_story candidate = *s->story;
    char *at = (char *)&candidate + offset;
    memcpy(&old, at, sizeof old);
    memcpy(at, &value, sizeof value);
    if (old != value)
        keep_if_wrong(s, &candidate);
}

static void simplify_policy(struct shrinking *s, int place)
{
    const struct life_policy *policy = &s->story->policies[place];
#define PLAINER(field, value)                                                                      \
    plainer(s, (size_t)((const char *)&policy->field - (const char *)s->story), value)
    if (policy->schedule == 0 || policy->when.which != NO_CONDITION)
        PLAINER(schedule, 0);
    PLAINER(only, 0);
    PLAINER(for_s, 0);
    PLAINER(when.for_s, 0);
    PLAINER(settle_s, 0);
    if (policy->rearm_s)
        PLAINER(rearm_healthy_s, 0);
    for (int i = 0; i < policy->rung_count; i++) {
        PLAINER(rungs[i].verify.which, NO_CONDITION);
        PLAINER(rungs[i].verify.for_s, 0);
        PLAINER(rungs[i].playbook, 0);
    }
#undef PLAINER
}

void shrink(struct life_story *story, enum judge_fault fault)
{
    struct shrinking s = {.story = story, .fault = fault};
    do {
        s.progress = false;
        drop_events(&s);
        drop_policies(&s);
        for (int i = 0; i < story->policy_count; i++) {
            drop_rungs(&s, i);
            simplify_policy(&s, i);
        }
    } while (s.progress);
}
