/* See replay.h. */
#include "policies/replay.h"

#include "base/mem.h"
#include "policies/derive.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct replay {
    const struct policy_set *policies;
    struct replay_options options;
    replay_fn on_decision;
    void *data;
    struct board *board;
    struct decide *engine; /* made by the first event, whose time it begins at */
    struct moment now;
    int64_t local_offset_ms; /* local less monotonic */
    int64_t run_ends_ms;     /* with options.run_ms; NEVER: none is under way */
    int boot;
    bool touched; /* observations of this instant wait for their step */
    bool derives; /* and others follow from them */
};

struct replay *replay_new(const struct policy_set *policies, const struct replay_options *options,
                          replay_fn on_decision, void *data)
{
    struct replay *replay = mem_new(sizeof *replay);
    *replay = (struct replay){.policies = policies,
                              .options = *options,
                              .on_decision = on_decision,
                              .data = data,
                              .board = board_new(),
                              .run_ends_ms = NEVER};
    return replay;
}

struct replay *replay_free(struct replay *replay)
{
    if (!replay)
        return NULL;
    decide_free(replay->engine);
    board_free(replay->board);
    free(replay);
    return NULL;
}

const struct decide *replay_engine(const struct replay *replay)
{
    return replay->engine;
}

const struct board *replay_board(const struct replay *replay)
{
    return replay->board;
}

struct moment replay_now(const struct replay *replay)
{
    return replay->now;
}

/* --- time ------------------------------------------------------------------------------------- */

static void set_time(struct replay *replay, int64_t at_ms)
{
    replay->now = (struct moment){at_ms, at_ms + replay->local_offset_ms};
}

static void step(struct replay *replay)
{
    size_t count;
    if (replay->derives)
        derive_board(replay->board, replay->now.mono_ms);
    replay->derives = replay->touched = false;
    const struct decision *decisions =
        decide_step(replay->engine, &replay->now, replay->board, &count);
    for (size_t i = 0; i < count; i++) {
        if (decisions[i].kind == DECISION_RUN && replay->options.run_ms)
            replay->run_ends_ms = replay->now.mono_ms + replay->options.run_ms;
        replay->on_decision(replay->data, &decisions[i], &replay->now);
    }
}

static void end_run(struct replay *replay, enum run_outcome outcome)
{
    replay->run_ends_ms = NEVER;
    decide_run_ended(replay->engine, &replay->now, decide_running(replay->engine), outcome);
}

/* A run that was to have ended by now has. */
static void look_around(struct replay *replay)
{
    if (replay->run_ends_ms <= replay->now.mono_ms)
        end_run(replay, RUN_DONE);
}

/* Everything that time alone brings until at_ms. */
static void pass_time(struct replay *replay, int64_t at_ms)
{
    if (replay->touched && at_ms > replay->now.mono_ms)
        step(replay);
    for (;;) {
        int64_t next = earlier(decide_next_ms(replay->engine, &replay->now, replay->board),
                               replay->run_ends_ms);
        if (next > at_ms)
            break;
        set_time(replay, next);
        look_around(replay);
        step(replay);
    }
    set_time(replay, at_ms);
}

/* --- restarts --------------------------------------------------------------------------------- */

static struct life life_of(const struct replay *replay)
{
    struct life life = {.mono_ms = replay->now.mono_ms, .wall_ms = replay->now.local_ms};
    snprintf(life.boot, sizeof life.boot, "replay-%d", replay->boot);
    return life;
}

/* Both are thrown away and restored; come_back sets the time of the next life. */
static void live_again(struct replay *replay, void (*come_back)(struct replay *, int64_t),
                       int64_t argument)
{
    struct life before = life_of(replay);
    CLEANUP_JSON json_t *engine = decide_save(replay->engine, &before);
    CLEANUP_JSON json_t *board = board_save(replay->board);
    decide_free(replay->engine);
    board_free(replay->board);
    come_back(replay, argument);
    struct life after = life_of(replay);
    int64_t shift_ms = life_shift_ms(&before, &after);
    replay->board = board_new();
    board_restore(replay->board, board, shift_ms);
    replay->engine = decide_new(replay->policies, &replay->options.decide, &replay->now);
    decide_restore(replay->engine, engine, &after, &replay->now, NULL);
    replay->run_ends_ms = instant_shift(replay->run_ends_ms, shift_ms);
}

static void after_a_while(struct replay *replay, int64_t away_ms)
{
    set_time(replay, replay->now.mono_ms + away_ms);
}

static void in_another_boot(struct replay *replay, int64_t at_ms)
{
    replay->boot++;
    set_time(replay, at_ms);
}

static void restart(struct replay *replay, int64_t away_ms)
{
    if (replay->options.unbroken)
        after_a_while(replay, away_ms);
    else
        live_again(replay, after_a_while, away_ms);
    look_around(replay);
}

/* A head within a trace: of another boot, or of a daemon that has started again. */
static void start(struct replay *replay, const struct trace_event *event)
{
    int64_t offset_ms = event->span_ms - event->at_ms;
    bool boot = replay->engine && event->at_ms < replay->now.mono_ms;
    if (boot && replay->touched)
        step(replay);
    if (!boot && replay->engine)
        pass_time(replay, event->at_ms);
    replay->local_offset_ms = offset_ms;
    if (boot)
        live_again(replay, in_another_boot, event->at_ms);
    else
        set_time(replay, event->at_ms);
    look_around(replay);
}

/* --- events ----------------------------------------------------------------------------------- */

static int observe(struct replay *replay, const struct trace_event *event, struct err *e)
{
    int status = event->word
                     ? board_set_word(replay->board, event->name, event->at_ms, event->word, e)
                     : board_set_number(replay->board, event->name, event->at_ms, event->number, e);
    const char *parameter;
    size_t len;
    if (status == 0)
        replay->derives =
            derive_needs(observation_find(event->name, strlen(event->name), &parameter, &len)) ||
            replay->derives;
    replay->touched = true;
    return status;
}

static int forget(struct replay *replay, const struct trace_event *event, struct err *e)
{
    const char *parameter;
    size_t len;
    const struct observation_kind *kind =
        observation_find(event->name, strlen(event->name), &parameter, &len);
    if (!kind)
        return err_set(e, ERR_INVALID, "observation '%s': no such name", event->name);
    board_forget(replay->board, event->name);
    replay->derives = derive_needs(kind) || replay->derives;
    replay->touched = true;
    return 0;
}

/* A question that is no longer open is no error of the trace: policies may differ. */
static void answer(struct replay *replay, bool yes)
{
    int64_t decision = decide_asked(replay->engine);
    if (decision && yes)
        decide_approve(replay->engine, &replay->now, decision, NULL);
    else if (decision)
        decide_deny(replay->engine, &replay->now, decision, NULL);
}

static void apply(struct replay *replay, const struct trace_event *event)
{
    struct decide *engine = replay->engine;
    const struct moment *now = &replay->now;
    switch (event->kind) {
    case TRACE_RUN:
        end_run(replay, event->outcome);
        break;
    case TRACE_FOREIGN:
        decide_foreign_run(engine, now, event->yes, event->disruptive);
        break;
    case TRACE_PAUSE:
        decide_pause(engine, now, event->span_ms == NEVER ? NEVER : now->mono_ms + event->span_ms,
                     event->name);
        break;
    case TRACE_RESUME:
        decide_resume(engine, now);
        break;
    case TRACE_APPROVE:
        answer(replay, event->yes);
        break;
    case TRACE_ALERT:
        decide_alert(engine, now, event->name, event->yes);
        break;
    case TRACE_RESTART:
        restart(replay, event->span_ms);
        break;
    default:
        break;
    }
    step(replay);
}

int replay_event(struct replay *replay, const struct trace_event *event, struct err *e)
{
    if (event->kind == TRACE_START)
        start(replay, event);
    else if (replay->engine && event->at_ms < replay->now.mono_ms)
        return err_set(e, ERR_PROTOCOL, "time goes back from %" PRId64 " to %" PRId64,
                       replay->now.mono_ms, event->at_ms);
    if (!replay->engine) {
        set_time(replay, event->at_ms);
        replay->engine = decide_new(replay->policies, &replay->options.decide, &replay->now);
    }
    pass_time(replay, event->at_ms);
    if (event->kind == TRACE_OBSERVE)
        return observe(replay, event, e);
    if (event->kind == TRACE_FORGET)
        return forget(replay, event, e);
    if (replay->touched)
        step(replay);
    apply(replay, event);
    return 0;
}

void replay_finish(struct replay *replay)
{
    if (replay->engine && replay->touched)
        step(replay);
}

int replay_text(struct replay *replay, const char *text, size_t len, struct err *e)
{
    const char *end = text + len;
    for (int number = 1; text < end; number++) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        size_t line_len = (size_t)((newline ? newline : end) - text);
        struct trace_event event;
        json_t *line;
        int status = trace_parse(text, line_len, &event, &line, e);
        if (status > 0)
            status = replay_event(replay, &event, e);
        json_decref(line);
        if (status < 0)
            return err_wrap(e, "line %d: ", number);
        text += line_len + (newline != NULL);
    }
    replay_finish(replay);
    return 0;
}
