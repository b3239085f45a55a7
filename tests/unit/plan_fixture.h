/* For tests of plans: a stack of containers as the Engine tells of them, a playbook from its YAML,
 * and the plan that comes of both, as a text to compare. May use: check, playbooks. */
#ifndef TESTS_UNIT_PLAN_FIXTURE_H
#define TESTS_UNIT_PLAN_FIXTURE_H

#include "playbooks/plan.h"

enum { CONTAINERS_MAX = 12 };

/* --- stacks ----------------------------------------------------------------------------------- */

struct project {
    struct container *containers[CONTAINERS_MAX];
    size_t count;
};

/* `depends` is compose's label; `state` is the inside of State, `config` and `host` of Config and
 * HostConfig, each beginning with its comma or empty. */
void put(struct project *p, const char *service, int number, const char *depends, const char *state,
         const char *config, const char *host);

#define CHECKED                                                                                    \
    ",'Healthcheck':{'Test':['CMD','x'],'Interval':1000000000,'Timeout':1000000000,'Retries':3}"

void put_database(struct project *p); /* "db", running */
void put_app(struct project *p, const char *service, int number, const char *depends);

/* The stack "shop"; the project is empty again. The caller owns it. */
struct stack *build(struct project *p);

/* --- plans ------------------------------------------------------------------------------------ */

struct playbook *playbook(const char *text); /* "p"; the caller owns it */

/* The plan for the stack that is built of the project, which is empty again; the caller owns it. */
struct plan *make_plan(struct project *p, const char *text);
struct plan *try_plan(struct project *p, const char *text, struct err *e); /* or NULL, and why */

/* "id < what it stands behind, sorted as the plan has it", an action a line. The caller
 * frees it. */
char *shape(const struct plan *plan);
void assert_plan(struct project *p, const char *text, const char *expected);

const struct action *find(const struct plan *plan, const char *id);
bool has_note(const struct plan *plan, const char *words);
const char *skip_reason(const struct plan *plan, const char *container); /* or "" */

#define RECOVER                                                                                    \
    "- capture: evidence\n- stop: apps\n- clean: {}\n- checkpoint: database\n"                     \
    "- restart: database\n- wait: database ready\n- start: apps\n"                                 \
    "- verify: {services: healthy}\n"

struct plan *through_json(const struct plan *plan); /* and back; the caller owns it */
void assert_same_action(const struct action *a, const struct action *b);

#endif
