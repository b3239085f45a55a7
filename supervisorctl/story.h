/* Runs as people read them afterwards. May use: base. */
#ifndef SUPERVISORCTL_STORY_H
#define SUPERVISORCTL_STORY_H

#include "base/json.h"
#include "supervisorctl/print.h"

/* Whether a run, or its summary, says that it is unfinished and that nobody works on it. */
bool story_is_interrupted(const json_t *run);

/* How it ended: state, time, what was left stopped, before and after. `end` is the run's last
 * entry. */
void story_print_outcome(FILE *out, const struct print_style *style, int64_t run,
                         const json_t *end);

/* The whole: who asked, the evidence, each action, the outcome. `run` is GET /v1/runs/ID. How one
 * is carried on that was interrupted is the caller's to tell. */
void story_print(FILE *out, const struct print_style *style, const json_t *run, int64_t now_ms);

/* The groups of a connections object, each as a small table; up to `limit` lines each. */
void story_print_groups(FILE *out, const struct print_style *style, const json_t *connections,
                        size_t limit, int indent);

/* "97 of 97 connections used (100%)": one line without its end. */
void story_print_use(FILE *out, const json_t *connections);

/* "shop_worker_2 holds 71 of 97, oldest idle 14m02s": the container that holds the most, as a line;
 * nothing when none is known to hold any. */
void story_print_holder(FILE *out, const json_t *connections, int indent);

#endif
