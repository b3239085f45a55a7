/* See replay.h. */
#include "policies/replay.h"

#include "base/mem.h"

#include <inttypes.h>
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
    int64_t asked;           /* the question last put */
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

/* --- time --------------------------------------------------------------------------------------
 */

static void set_time(struct replay *replay, int64_t at_ms)
{
    replay->now = (struct moment){at_ms, at_ms + replay->local_offset_ms};
}

static void step(struct replay *replay)
{
    size_t count;
    const struct decision *decisions =
        decide_step(replay->engine, &replay->now, replay->board, &count);
    for (size_t i = 0; i < count; i++) {
        if (decisions[i].kind == DECISION_ASK)
            replay->asked = decisions[i].id;
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

/* Everything that time alone brings before at_ms. */
static void pass_time(struct replay *replay, int64_t at_ms)
{
    for (;;) {
        int64_t next = earlier(decide_next_ms(replay->engine, &replay->now, replay->board),
                               replay->run_ends_ms);
        if (next > at_ms)
            break;
        set_time(replay, next);
        if (next == replay->run_ends_ms)
            end_run(replay, RUN_DONE);
        step(replay);
    }
    set_time(replay, at_ms);
}

/* --- events ------------------------------------------------------------------------------------
 */

/* One boot all along: the monotonic clock goes on. */
static struct life life_at(int64_t at_ms)
{
    return (struct life){.mono_ms = at_ms, .wall_ms = at_ms, .boot = "replay"};
}

static void restart(struct replay *replay, int64_t away_ms)
{
    struct life before = life_at(replay->now.mono_ms);
    CLEANUP_JSON json_t *engine = decide_save(replay->engine, &before);
    CLEANUP_JSON json_t *board = board_save(replay->board);
    decide_free(replay->engine);
    board_free(replay->board);
    set_time(replay, replay->now.mono_ms + away_ms);
    struct life after = life_at(replay->now.mono_ms);
    replay->board = board_new();
    board_restore(replay->board, board, life_shift_ms(&before, &after));
    replay->engine = decide_new(replay->policies, &replay->options.decide, &replay->now);
    decide_restore(replay->engine, engine, &after, &replay->now, NULL);
}

static int observe(struct replay *replay, const struct trace_event *event, struct err *e)
{
    if (event->word)
        return board_set_word(replay->board, event->name, event->at_ms, event->word, e);
    return board_set_number(replay->board, event->name, event->at_ms, event->number, e);
}

static int apply(struct replay *replay, const struct trace_event *event, struct err *e)
{
    struct decide *engine = replay->engine;
    const struct moment *now = &replay->now;
    switch (event->kind) {
    case TRACE_OBSERVE:
        return observe(replay, event, e);
    case TRACE_FORGET:
        board_forget(replay->board, event->name);
        break;
    case TRACE_RUN:
        if (!replay->options.run_ms)
            end_run(replay, event->outcome);
        break;
    case TRACE_FOREIGN:
        decide_foreign_run(engine, now, event->yes, event->disruptive);
        break;
    case TRACE_PAUSE:
        decide_pause(engine, now, instant_shift(event->span_ms, now->mono_ms), event->name);
        break;
    case TRACE_RESUME:
        decide_resume(engine, now);
        break;
    case TRACE_APPROVE: {
        /* A question that is no longer open is no error of the trace: policies may differ. */
        struct err ignored;
        if (event->yes)
            decide_approve(engine, now, replay->asked, &ignored);
        else
            decide_deny(engine, now, replay->asked, &ignored);
        break;
    }
    case TRACE_ALERT:
        decide_alert(engine, now, event->name, event->yes);
        break;
    case TRACE_RESTART:
        restart(replay, event->span_ms);
        break;
    default:
        break;
    }
    return 0;
}

int replay_event(struct replay *replay, const struct trace_event *event, struct err *e)
{
    if (replay->engine && event->at_ms < replay->now.mono_ms)
        return err_set(e, ERR_PROTOCOL, "time goes back from %" PRId64 " to %" PRId64,
                       replay->now.mono_ms, event->at_ms);
    if (event->kind == TRACE_START)
        replay->local_offset_ms = event->span_ms - event->at_ms;
    if (!replay->engine) {
        set_time(replay, event->at_ms);
        replay->engine = decide_new(replay->policies, &replay->options.decide, &replay->now);
    }
    pass_time(replay, event->at_ms);
    int status = apply(replay, event, e);
    step(replay);
    return status;
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
    return 0;
}
