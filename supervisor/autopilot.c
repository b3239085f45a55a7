/* Stepping the engine and carrying out what it decides. See autopilot.h. */
#include "supervisor/autopilot_private.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "supervisor/trace_file.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

/* --- time ------------------------------------------------------------------------------------- */

struct moment autopilot__now(const struct autopilot *autopilot)
{
    struct tm civil;
    int64_t wall_ms = clock_wall_ms();
    time_t seconds = (time_t)(wall_ms / SECOND_MS);
    localtime_r(&seconds, &civil);
    return (struct moment){.mono_ms = loop_now(autopilot->options.loop),
                           .local_ms = wall_ms + (int64_t)civil.tm_gmtoff * SECOND_MS};
}

static void trace(struct autopilot *autopilot, struct trace_event event)
{
    event.at_ms = loop_now(autopilot->options.loop);
    trace_file_add(autopilot->trace, &event);
}

/* What was said of the world from outside, and holds. */
static void trace_told(const struct autopilot *autopilot, struct moment now, struct buf *out)
{
    const char *name;
    json_t *instances;
    int64_t until_ms;
    const char *reason;
    json_object_foreach(autopilot->alerts, name, instances) trace_print(
        &(struct trace_event){.at_ms = now.mono_ms, .kind = TRACE_ALERT, .name = name, .yes = true},
        out);
    if (autopilot->engine && decide_paused(autopilot->engine, &until_ms, &reason))
        trace_print(
            &(struct trace_event){.at_ms = now.mono_ms,
                                  .kind = TRACE_PAUSE,
                                  .span_ms = until_ms == NEVER ? NEVER : until_ms - now.mono_ms,
                                  .name = reason},
            out);
}

/* A trace begins with the world as it is: the newest sample of everything. */
static void trace_head(void *data, struct buf *out)
{
    const struct autopilot *autopilot = data;
    const struct board *board = feed_board(autopilot->feed);
    struct moment now = autopilot__now(autopilot);
    trace_print(
        &(struct trace_event){.at_ms = now.mono_ms, .kind = TRACE_START, .span_ms = now.local_ms},
        out);
    for (size_t i = 0; i < board_count(board); i++) {
        char name[OBSERVATION_NAME_MAX];
        const struct series *series = board_at(board, i);
        const struct sample *newest = series_fresh(series, now.mono_ms, INT64_MIN);
        if (!newest)
            continue;
        observation_name(series_kind(series), series_parameter(series), name);
        trace_print(&(struct trace_event){.at_ms = now.mono_ms,
                                          .kind = TRACE_OBSERVE,
                                          .name = name,
                                          .word = newest->word,
                                          .number = newest->number},
                    out);
    }
    trace_told(autopilot, now, out);
}

static void on_feed_wrote(void *data, const struct trace_event *event)
{
    struct autopilot *autopilot = data;
    trace_file_add(autopilot->trace, event);
}

/* --- a run of the engine's own ---------------------------------------------------------------- */

/* What the runner was asked, until it answers. */
struct launch {
    struct autopilot *autopilot;
    int64_t decision;
    char *playbook, *requester;
    json_t *params;
};

static void launch_free(struct launch *launch)
{
    free(launch->playbook);
    free(launch->requester);
    json_decref(launch->params);
    free(launch);
}

static void flight_ends(struct autopilot *autopilot, enum run_outcome outcome)
{
    struct moment now = autopilot__now(autopilot);
    int64_t decision = autopilot->flight.decision;
    free(autopilot->flight.requester);
    autopilot->flight = (struct flight){0};
    trace(autopilot, (struct trace_event){.kind = TRACE_RUN, .outcome = outcome});
    decide_run_ended(autopilot->engine, &now, decision, outcome);
    autopilot__step(autopilot);
    autopilot__remember(autopilot);
}

/* What the moment forbids may do in another; what the plan or the request forbids will not. */
static enum run_outcome outcome_of_refusal(const struct autopilot *autopilot, const struct err *e)
{
    switch (e->code) {
    case ERR_INVALID:
    case ERR_NOT_FOUND:
    case ERR_UNSUPPORTED:
        return RUN_FAILED;
    case ERR_REFUSED: /* by somebody else's run, or of what the plan cannot act on */
        return autopilot->foreign_run || autopilot->held ? RUN_NOT_BEGUN : RUN_FAILED;
    default:
        return RUN_NOT_BEGUN;
    }
}

static void on_run_started(void *data, const struct err *e, int64_t run, bool joined,
                           const struct plan *plan)
{
    struct launch *launch = data;
    struct autopilot *autopilot = launch->autopilot;
    (void)plan;
    autopilot->pending--;
    if (!autopilot->stopped && autopilot->flight.decision == launch->decision) {
        if (e) {
            log_err(LOG_LEVEL_WARNING, launch->requester, e);
            flight_ends(autopilot, outcome_of_refusal(autopilot, e));
        } else if (joined) {
            /* Somebody was quicker by a moment: that run is as good as ours. */
            autopilot->flight.run = run;
            autopilot__record_run(autopilot, launch->decision, run);
        }
    }
    launch_free(launch);
    autopilot__landed(autopilot);
}

/* The journal writes in its order: the run's beginning comes behind the decision, so that whoever
 * is killed finds no run without its decision. The stack is read while both are on their way. */
static void launch_run(struct launch *launch)
{
    const struct run_request request = {.playbook = launch->playbook,
                                        .options = launch->params,
                                        .trigger = AUTOPILOT_TRIGGER,
                                        .requester = launch->requester,
                                        .may_miss = true};
    runner_start(launch->autopilot->options.runner, &request, on_run_started, launch);
}

/* Who asked for a decision's run: the same words in every life, as the journal's run is found by
 * them. */
static char *requester_of(const struct autopilot *autopilot, int64_t decision)
{
    const json_t *told = autopilot__told(autopilot, decision);
    const char *approver = json_text_at(told, "approved_by", NULL);
    if (!told)
        return mem_printf("decision %" PRId64, decision);
    return mem_printf("policy %s, decision %" PRId64 "%s%s", json_text_at(told, "policy", ""),
                      decision, approver ? ", approved by " : "", approver ? approver : "");
}

static struct launch *launch_new(struct autopilot *autopilot, const struct decision *decision)
{
    struct launch *launch = mem_new(sizeof *launch);
    launch->autopilot = autopilot;
    launch->decision = decision->id;
    launch->playbook = mem_strdup(decision->playbook);
    launch->params =
        json_object_size(decision->params) > 0 ? json_deep_copy(decision->params) : NULL;
    launch->requester = requester_of(autopilot, decision->id);
    autopilot->flight =
        (struct flight){.decision = decision->id, .requester = mem_strdup(launch->requester)};
    autopilot->pending++;
    return launch;
}

/* --- stepping --------------------------------------------------------------------------------- */

static enum log_level level_of(const struct decision *decision)
{
    switch (decision->kind) {
    case DECISION_QUIET:
        return LOG_LEVEL_DEBUG;
    case DECISION_RUN:
    case DECISION_HAND_OVER:
        return LOG_LEVEL_WARNING;
    default:
        return LOG_LEVEL_INFO;
    }
}

static void wake_later(struct autopilot *autopilot)
{
    struct moment now = autopilot__now(autopilot);
    int64_t next_ms = decide_next_ms(autopilot->engine, &now, feed_board(autopilot->feed));
    if (next_ms == NEVER)
        timer_stop(autopilot->wake);
    else
        timer_start(autopilot->wake, next_ms > now.mono_ms ? next_ms - now.mono_ms : 0);
}

void autopilot__step(struct autopilot *autopilot)
{
    struct moment now = autopilot__now(autopilot);
    struct launch *launch = NULL;
    size_t count;
    if (!autopilot->engine || autopilot->held)
        return;
    const struct decision *decisions =
        decide_step(autopilot->engine, &now, feed_board(autopilot->feed), &count);
    for (size_t i = 0; i < count; i++) {
        const struct decision *decision = &decisions[i];
        log_line(level_of(decision), "%s", decision->sentence);
        autopilot__record(autopilot, decision);
        if (decision->kind == DECISION_RUN)
            launch = launch_new(autopilot, decision);
        autopilot->options.on_decision(autopilot->options.data, decision);
    }
    if (count > 0)
        autopilot__remember(autopilot);
    else
        autopilot__remember_soon(autopilot);
    if (launch)
        launch_run(launch);
    wake_later(autopilot);
}

static void on_wake(void *data)
{
    autopilot__step(data);
}

static void on_changed(void *data)
{
    autopilot__step(data);
}

/* --- runs, whoever asked ---------------------------------------------------------------------- */

static void foreign(struct autopilot *autopilot, int64_t run, bool disruptive)
{
    struct moment now = autopilot__now(autopilot);
    autopilot->foreign_run = run;
    trace(autopilot,
          (struct trace_event){.kind = TRACE_FOREIGN, .yes = run != 0, .disruptive = disruptive});
    decide_foreign_run(autopilot->engine, &now, run != 0, disruptive);
    autopilot__step(autopilot);
}

void autopilot_run_began(struct autopilot *autopilot, int64_t run, const struct plan *plan,
                         const char *trigger)
{
    if (!autopilot->engine)
        return; /* of an earlier life: autopilot_resumed tells */
    if (strcmp(trigger, AUTOPILOT_TRIGGER) == 0 && autopilot->flight.decision) {
        autopilot->flight.run = run;
        autopilot__record_run(autopilot, autopilot->flight.decision, run);
    } else {
        foreign(autopilot, run, plan_is_disruptive(plan));
    }
}

static enum run_outcome outcome_of(const char *state)
{
    return strcmp(state, "succeeded") == 0 ? RUN_DONE
           : strcmp(state, "aborted") == 0 ? RUN_ABORTED
                                           : RUN_FAILED;
}

void autopilot_run_ended(struct autopilot *autopilot, int64_t run, const char *state)
{
    if (!autopilot->engine) {
        if (autopilot->resumed_run == run)
            autopilot->resumed_run = 0; /* the journal tells how it ended */
        return;
    }
    if (autopilot->foreign_run == run)
        foreign(autopilot, 0, false);
    if (autopilot->flight.run == run && run)
        flight_ends(autopilot, outcome_of(state));
}

/* --- what another life left ------------------------------------------------------------------- */

/* The newest runs of the journal: did the decision's run end while nobody listened? */
static void on_runs(void *data, const struct err *e, const json_t *list)
{
    struct autopilot *autopilot = data;
    json_t *summary;
    size_t i;
    autopilot->pending--;
    if (autopilot->stopped || !autopilot->flight.decision || autopilot->flight.run) {
        autopilot__landed(autopilot);
        return;
    }
    int64_t noted = json_int_at(autopilot__told(autopilot, autopilot->flight.decision), "run", -1);
    enum run_outcome outcome = e ? RUN_FAILED : RUN_NOT_BEGUN;
    json_array_foreach(e ? NULL : list, i, summary)
    {
        bool own = strcmp(json_text_at(summary, "requester", ""), autopilot->flight.requester) == 0;
        int64_t run = json_int_at(summary, "run", 0);
        if (!own && run != noted) /* it may have joined one */
            continue;
        outcome = outcome_of(json_text_at(summary, "state", ""));
        autopilot__record_run(autopilot, autopilot->flight.decision,
                              json_int_at(summary, "run", 0));
        break;
    }
    flight_ends(autopilot, outcome);
}

static void begin(struct autopilot *autopilot)
{
    enum { RUNS_LOOKED_AT = 20 };
    if (!autopilot->recalled || !autopilot->resumed || autopilot->engine || autopilot->stopped)
        return;
    autopilot__restore(autopilot);
    /* Not sooner: its head is the world with what was remembered of it. */
    if (autopilot->trace_path)
        autopilot->trace =
            trace_file_new(autopilot->options.loop, autopilot->trace_path, trace_head, autopilot);
    int64_t decision = decide_running(autopilot->engine);
    if (decision) {
        autopilot->flight = (struct flight){.decision = decision,
                                            .run = autopilot->resumed_run,
                                            .requester = requester_of(autopilot, decision)};
        /* One run at a time: what is carried on beside a decision's run is that run. (The life that
         * began it may have had no time left to note it.) */
        if (autopilot->resumed_run) {
            autopilot__record_run(autopilot, decision, autopilot->resumed_run);
        } else {
            autopilot->pending++;
            journal_list(autopilot->options.journal, RUNS_LOOKED_AT, on_runs, autopilot);
        }
    }
    if (!decision && autopilot->resumed_run) {
        foreign(autopilot, autopilot->resumed_run, true);
    } else {
        /* Somebody's run may have ended since it was written down, while nobody listened. */
        struct moment now = autopilot__now(autopilot);
        decide_foreign_run(autopilot->engine, &now, false, false);
    }
    autopilot->options.on_ready(autopilot->options.data);
    autopilot__step(autopilot);
}

void autopilot__recalled(struct autopilot *autopilot)
{
    autopilot->recalled = true;
    begin(autopilot);
}

void autopilot_resumed(struct autopilot *autopilot, int64_t run)
{
    autopilot->resumed = true;
    autopilot->resumed_run = run;
    begin(autopilot);
}

/* --- asked for by people ---------------------------------------------------------------------- */

bool autopilot_is_ready(const struct autopilot *autopilot)
{
    return autopilot->engine != NULL;
}

static int not_ready(struct err *e)
{
    return err_set(e, ERR_CANCELLED, "the supervisor has just started; try again in a moment");
}

int autopilot_answer(struct autopilot *autopilot, int64_t decision, bool approve, const char *who,
                     struct err *e)
{
    struct moment now = autopilot__now(autopilot);
    if (!autopilot->engine)
        return not_ready(e);
    int status = approve ? decide_approve(autopilot->engine, &now, decision, e)
                         : decide_deny(autopilot->engine, &now, decision, e);
    if (status != 0)
        return status;
    log_info("decision %" PRId64 " was %s by %s", decision, approve ? "approved" : "denied", who);
    trace(autopilot, (struct trace_event){.kind = TRACE_APPROVE, .yes = approve});
    autopilot__record_answer(autopilot, decision, approve, who);
    autopilot__step(autopilot);
    return 0;
}

int autopilot_pause(struct autopilot *autopilot, int64_t for_ms, const char *reason,
                    const char *who, struct err *e)
{
    struct moment now = autopilot__now(autopilot);
    if (!autopilot->engine)
        return not_ready(e);
    log_info("paused by %s: %s", who, reason);
    trace(autopilot, (struct trace_event){.kind = TRACE_PAUSE, .span_ms = for_ms, .name = reason});
    decide_pause(autopilot->engine, &now, for_ms == NEVER ? NEVER : now.mono_ms + for_ms, reason);
    autopilot__step(autopilot);
    autopilot__remember(autopilot);
    return 0;
}

int autopilot_resume(struct autopilot *autopilot, const char *who, struct err *e)
{
    struct moment now = autopilot__now(autopilot);
    if (!autopilot->engine)
        return not_ready(e);
    log_info("resumed by %s", who);
    trace(autopilot, (struct trace_event){.kind = TRACE_RESUME});
    decide_resume(autopilot->engine, &now);
    autopilot__step(autopilot);
    autopilot__remember(autopilot);
    return 0;
}

void autopilot_take_alert(struct autopilot *autopilot, const char *name, const char *id,
                          bool firing)
{
    enum { INSTANCES_MAX = 4096 };
    json_t *instances = json_object_get(autopilot->alerts, name);
    if (!firing) {
        json_object_del(instances, id);
        return;
    }
    if (!instances) {
        instances = json_object();
        json_object_set_new(autopilot->alerts, name, instances);
    }
    if (json_object_size(instances) < INSTANCES_MAX)
        json_object_set_new(instances, id, json_true());
}

size_t autopilot_alert(struct autopilot *autopilot, const char *name)
{
    struct moment now = autopilot__now(autopilot);
    bool firing = json_object_size(json_object_get(autopilot->alerts, name)) > 0;
    trace(autopilot, (struct trace_event){.kind = TRACE_ALERT, .name = name, .yes = firing});
    size_t waiting = decide_alert(autopilot->engine, &now, name, firing);
    if (!firing || waiting == 0)
        json_object_del(autopilot->alerts, name);
    autopilot__step(autopilot);
    autopilot__remember(autopilot);
    return waiting;
}

/* --- making, configuring, ending -------------------------------------------------------------- */

static void read_boot_id(char out[static BOOT_ID_MAX])
{
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
    out[0] = '\0';
    if (!file)
        return;
    if (!fgets(out, BOOT_ID_MAX, file))
        out[0] = '\0';
    out[strcspn(out, "\n")] = '\0';
    fclose(file);
}

static void on_save(void *data)
{
    autopilot__remember(data);
}

struct autopilot *autopilot_new(const struct autopilot_options *options,
                                const struct autopilot_rules *rules)
{
    struct autopilot *autopilot = mem_new(sizeof *autopilot);
    autopilot->options = *options;
    autopilot->rules = *rules;
    autopilot->feed = feed_new(options->loop);
    autopilot->alerts = json_object();
    autopilot->trace_path = mem_strdup(options->trace_path);
    autopilot->wake = timer_new(options->loop, on_wake, autopilot);
    autopilot->save = timer_new(options->loop, on_save, autopilot);
    autopilot->history = json_array();
    read_boot_id(autopilot->boot);
    tzset(); /* localtime_r need not */
    feed_tap(autopilot->feed, on_feed_wrote, autopilot);
    feed_listen(autopilot->feed, on_changed, autopilot);
    autopilot__recall(autopilot);
    return autopilot;
}

void autopilot_configure(struct autopilot *autopilot, const struct autopilot_rules *rules)
{
    if (!autopilot->engine) {
        autopilot->rules = *rules;
        return;
    }
    autopilot__remember(autopilot);
    autopilot->engine = decide_free(autopilot->engine);
    autopilot->rules = *rules;
    autopilot__restore(autopilot);
    autopilot__step(autopilot);
}

struct feed *autopilot_feed(struct autopilot *autopilot)
{
    return autopilot->feed;
}

void autopilot__landed(struct autopilot *autopilot)
{
    if (!autopilot->ended || autopilot->pending > 0)
        return;
    free(autopilot->flight.requester);
    json_decref(autopilot->restoring);
    json_decref(autopilot->history);
    json_decref(autopilot->alerts);
    free(autopilot->trace_path);
    free(autopilot);
}

void autopilot_hold(struct autopilot *autopilot)
{
    autopilot->held = true;
    timer_stop(autopilot->wake);
}

void autopilot_stop(struct autopilot *autopilot)
{
    autopilot_hold(autopilot);
    if (autopilot->engine)
        autopilot__remember(autopilot);
    autopilot->stopped = true;
    autopilot->engine = decide_free(autopilot->engine);
    autopilot->feed = feed_free(autopilot->feed);
    autopilot->wake = timer_free(autopilot->wake);
    autopilot->save = timer_free(autopilot->save);
}

struct autopilot *autopilot_free(struct autopilot *autopilot)
{
    if (!autopilot)
        return NULL;
    autopilot->ended = true;
    autopilot->trace = trace_file_free(autopilot->trace);
    autopilot__landed(autopilot);
    return NULL;
}
