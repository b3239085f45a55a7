/* A decision becomes a run. What only the moment forbids (the engine is away, or answers nonsense)
 * is asked for again for half a minute: the smallest cut must not be passed over for it. After
 * that, or when somebody else has taken the matter into his hands, the run counts as one that
 * failed, and the world decides. */
#include "base/log.h"
#include "base/mem.h"
#include "supervisor/autopilot_private.h"

#include <inttypes.h>
#include <string.h>

struct launch {
    struct autopilot *autopilot;
    int64_t decision;
    char *playbook, *requester;
    json_t *params;
    struct timer *again; /* runs while it waits for its next try */
    size_t tries;
    bool asked; /* the runner has not answered yet */
    bool given_up;
};

/* From one try to the next. */
static const int64_t waits_ms[] = {1000, 2000, 4000, 8000, 15000};

static void launch_free(struct launch *launch)
{
    timer_free(launch->again);
    free(launch->playbook);
    free(launch->requester);
    json_decref(launch->params);
    free(launch);
}

/* The owner has no launch any more; one that the runner was asked for is freed by its answer. */
static void let_go(struct launch *launch)
{
    if (launch->autopilot->launch == launch)
        launch->autopilot->launch = NULL;
    launch->given_up = true;
    if (!launch->asked)
        launch_free(launch);
}

static bool is_momentary(const struct err *e)
{
    return e->code == ERR_UNREACHABLE || e->code == ERR_TIMEOUT || e->code == ERR_PROTOCOL ||
           e->code == ERR_FAILED;
}

static void failed(struct launch *launch, const struct err *e)
{
    struct autopilot *autopilot = launch->autopilot;
    log_err(LOG_LEVEL_WARNING, launch->requester, e);
    if (is_momentary(e) && launch->tries < ARRAY_SIZE(waits_ms) && !autopilot->held) {
        int64_t wait_ms = waits_ms[launch->tries++];
        log_info("%s: its run could not be begun; tried again in %" PRId64 " s", launch->requester,
                 wait_ms / SECOND_MS);
        timer_start(launch->again, wait_ms);
        return;
    }
    let_go(launch);
    autopilot__flight_ends(autopilot, RUN_FAILED);
}

static void on_run_started(void *data, const struct err *e, int64_t run, bool joined,
                           const struct plan *plan)
{
    struct launch *launch = data;
    struct autopilot *autopilot = launch->autopilot;
    (void)plan;
    autopilot->pending--;
    launch->asked = false;
    if (launch->given_up) {
        launch_free(launch);
    } else if (e) {
        failed(launch, e);
    } else {
        int64_t decision = launch->decision;
        let_go(launch);
        if (joined && autopilot->flight.decision == decision) {
            /* Somebody was quicker by a moment: that run is as good as ours. */
            autopilot->flight.run = run;
            autopilot__record_run(autopilot, decision, run);
        }
    }
    autopilot__landed(autopilot);
}

/* The journal writes in its order: the run's beginning comes behind the decision, so that whoever
 * is killed finds no run without its decision. The stack is read while both are on their way. */
static void ask(void *data)
{
    struct launch *launch = data;
    const struct run_request request = {.playbook = launch->playbook,
                                        .options = launch->params,
                                        .trigger = AUTOPILOT_TRIGGER,
                                        .requester = launch->requester};
    launch->asked = true;
    launch->autopilot->pending++;
    runner_start(launch->autopilot->options.runner, &request, on_run_started, launch);
}

void autopilot__launch_plan(struct autopilot *autopilot, const struct decision *decision)
{
    autopilot__launch_drop(autopilot); /* its run was over before the runner had answered */
    struct launch *launch = mem_new(sizeof *launch);
    launch->autopilot = autopilot;
    launch->decision = decision->id;
    launch->playbook = mem_strdup(decision->playbook);
    launch->params =
        json_object_size(decision->params) > 0 ? json_deep_copy(decision->params) : NULL;
    launch->requester = mem_printf("policy %s, decision %" PRId64, decision->policy, decision->id);
    launch->again = timer_new(autopilot->options.loop, ask, launch);
    autopilot->launch = launch;
    autopilot->flight =
        (struct flight){.decision = decision->id, .requester = mem_strdup(launch->requester)};
}

void autopilot__launch(struct autopilot *autopilot)
{
    ask(autopilot->launch);
}

static bool waits(const struct autopilot *autopilot)
{
    return autopilot->launch && !autopilot->launch->asked;
}

void autopilot__launch_hold(struct autopilot *autopilot)
{
    if (waits(autopilot))
        let_go(autopilot->launch);
}

void autopilot__launch_drop(struct autopilot *autopilot)
{
    if (autopilot->launch)
        let_go(autopilot->launch);
}

void autopilot__launch_give_up(struct autopilot *autopilot, const char *why)
{
    if (!waits(autopilot))
        return;
    log_info("%s: its run is not begun any more: %s", autopilot->launch->requester, why);
    let_go(autopilot->launch);
    autopilot__flight_ends(autopilot, RUN_FAILED);
}
