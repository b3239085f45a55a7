/* What plan.c, plan_survey.c and plan_json.c share: a plan in the making. Private to playbooks/. */
#ifndef PLAYBOOKS_PLAN_PRIVATE_H
#define PLAYBOOKS_PLAN_PRIVATE_H

#include "playbooks/plan.h"

#define NONE SIZE_MAX

/* What is known of a container while the plan is made. */
struct place {
    struct container *container;
    const struct stack_service *service;
    bool movable;       /* up, and nothing forbids to stop it */
    bool selected;      /* the run's options name it */
    bool stopped;       /* a stop of it is planned, and no start yet */
    bool pausable;      /* a pooler that runs */
    bool paused;        /* a pause of it is planned, and no resume yet */
    size_t stop, start; /* the last action of each kind, NONE if there is none */
    size_t health;      /* the wait that its dependents stand behind, or NONE */
};

struct maker {
    struct plan *plan;
    const struct stack *stack;
    struct place *places;
    size_t place_count;
    size_t *barrier; /* what the next step's first actions stand behind */
    size_t barrier_count;
    size_t step_first; /* the first action of the step that is being compiled */
    bool blocked;      /* a block is planned, and no unblock yet */
    struct err *e;
};

/* plan_survey.c: what the stack is, whom the steps mean, and what cannot be. */
int plan__survey(struct maker *m); /* fills the places; or refuses */
bool plan__means(const struct maker *m, const struct step *step, const struct place *place);
bool plan__applies(const struct maker *m, const struct step *step); /* its `when` holds here */
bool plan__has_pooler(const struct maker *m);
void plan__note(struct maker *m, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The step that an action belongs to which stands in no playbook: it was added at the end. */
const struct step *plan__added_step(enum action_kind kind);

/* plan_json.c: sets the worst case and the content id of a plan that is otherwise whole. */
void plan__finish(struct plan *plan);

#endif
