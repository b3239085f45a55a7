/* Traces: any lines. What is read is printed and read again to the same; and all of it is replayed
 * through the built-in policies, unless it leaps by more than an hour. */
#include "fuzz.h"

#include "base/mem.h"
#include "policies/moment.h"
#include "policies/replay.h"

#include <assert.h>
#include <string.h>

static void on_decision(void *data, const struct decision *decision, const struct moment *now)
{
    (void)data;
    (void)now;
    json_decref(decision_json(decision));
}

static void print_and_read(const struct trace_event *event)
{
    struct buf first;
    struct buf second;
    struct trace_event again;
    json_t *line;
    buf_init(&first, 1 << 20);
    buf_init(&second, 1 << 20);
    trace_print(event, &first);
    int status = trace_parse(buf_text(&first), first.len, &again, &line, NULL);
    assert(status == 1);
    trace_print(&again, &second);
    assert(strcmp(buf_text(&first), buf_text(&second)) == 0);
    json_decref(line);
    buf_free(&first);
    buf_free(&second);
}

static void take_line(struct replay *replay, const char *text, size_t len)
{
    struct trace_event event;
    json_t *line;
    int64_t now_ms = replay_now(replay).mono_ms;
    if (trace_parse(text, len, &event, &line, NULL) != 1)
        return;
    print_and_read(&event);
    bool leaps =
        event.at_ms - now_ms > HOUR_MS || (event.kind == TRACE_RESTART && event.span_ms > HOUR_MS);
    if (!leaps || !replay_engine(replay))
        replay_event(replay, &event, NULL);
    json_decref(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct replay_options options = {.run_ms = MINUTE_MS};
    const char *text = (const char *)data;
    const char *end = text + size;
    static struct policy_set *set;
    set = set ? set : policy_set_new(); /* most of the time would go into reading them */
    struct replay *replay = replay_new(set, &options, on_decision, NULL);
    while (text && text < end) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        take_line(replay, text, (size_t)((newline ? newline : end) - text));
        text = newline ? newline + 1 : NULL;
    }
    replay_finish(replay);
    replay_free(replay);
    return 0;
}
