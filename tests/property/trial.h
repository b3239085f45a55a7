/* One life, lived and judged. */
#ifndef TESTS_TRIAL_H
#define TESTS_TRIAL_H

#include "judge.h"

/* Lives the story twice: with its restarts, looked at after every event, and as if it had never
 * been restarted nor stepped but where it asked to be; both must decide the same. NULL: all is
 * well. Else what was wrong; the caller frees it. */
char *trial(const struct life_story *story, const struct policy_set *policies,
            enum judge_fault fault, struct judge_tally *tally);

/* The policies of a story as the engine reads them; they must be good. */
struct policy_set *trial_policies(const struct life_story *story);

/* What was decided in either life, for people. */
void trial_tell(const struct life_story *story, const struct policy_set *policies, FILE *out);

/* Takes out of the story whatever it can be wrong without. */
void shrink(struct life_story *story, enum judge_fault fault);

#endif
