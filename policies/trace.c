/* See trace.h. */
#include "policies/trace.h"

#include "base/mem.h"

#include <ctype.h>
#include <string.h>

static const char *const outcome_names[] = {
    [RUN_DONE] = "done",
    [RUN_FAILED] = "failed",
    [RUN_ABORTED] = "aborted",
    [RUN_NOT_BEGUN] = "not begun",
};
_Static_assert(ARRAY_SIZE(outcome_names) == RUN_OUTCOMES, "a name for every outcome");

/* The key that makes an event of its kind. */
static const char *const kind_keys[] = {
    [TRACE_START] = "trace",     [TRACE_OBSERVE] = "observe", [TRACE_FORGET] = "forget",
    [TRACE_RUN] = "run",         [TRACE_FOREIGN] = "foreign", [TRACE_PAUSE] = "pause",
    [TRACE_RESUME] = "resume",   [TRACE_APPROVE] = "approve", [TRACE_ALERT] = "alert",
    [TRACE_RESTART] = "restart", [TRACE_STEP] = "step",
};
_Static_assert(ARRAY_SIZE(kind_keys) == TRACE_KINDS, "a key for every kind");

/* --- printing --------------------------------------------------------------------------------- */

static void set_value(json_t *line, const struct trace_event *event)
{
    const char *parameter;
    size_t len;
    const struct observation_kind *kind =
        observation_find(event->name, strlen(event->name), &parameter, &len);
    json_t *value = event->word ? json_string(event->word) : json_real(event->number);
    if (kind && kind->unit == UNIT_YES_NO) {
        json_decref(value);
        value = json_boolean(event->number != 0);
    }
    json_set_text(line, "observe", event->name);
    json_object_set_new(line, "value", value);
}

void trace_print(const struct trace_event *event, struct buf *out)
{
    CLEANUP_JSON json_t *line = json_object();
    const char *key = kind_keys[event->kind];
    json_set_int(line, "at", event->at_ms);
    switch (event->kind) {
    case TRACE_START:
        json_set_int(line, key, 1);
        json_set_int(line, "local", event->span_ms);
        break;
    case TRACE_OBSERVE:
        set_value(line, event);
        break;
    case TRACE_FORGET:
        json_set_text(line, key, event->name);
        break;
    case TRACE_RUN:
        json_set_text(line, key, outcome_names[event->outcome]);
        break;
    case TRACE_FOREIGN:
        json_set_bool(line, key, event->yes);
        json_set_bool(line, "disruptive", event->disruptive);
        break;
    case TRACE_PAUSE:
        json_object_set_new(line, key,
                            event->span_ms == NEVER ? json_null() : json_integer(event->span_ms));
        json_set_text(line, "reason", event->name);
        break;
    case TRACE_ALERT:
        json_set_text(line, key, event->name);
        json_set_bool(line, "firing", event->yes);
        break;
    case TRACE_RESTART:
        json_set_int(line, key, event->span_ms);
        break;
    default:
        json_set_bool(line, key, event->kind != TRACE_APPROVE || event->yes);
    }
    CLEANUP_FREE char *text = json_dumps(line, JSON_COMPACT | JSON_REAL_PRECISION(15));
    buf_printf(out, "%s\n", text ? text : "{}");
}

/* --- reading ---------------------------------------------------------------------------------- */

static int read_value(const json_t *line, struct trace_event *event, struct err *e)
{
    const json_t *value = json_object_get(line, "value");
    event->name = json_text_at(line, "observe", NULL);
    event->word = json_string_value(value);
    event->number = json_is_boolean(value) ? json_is_true(value) : json_number_value(value);
    if (!event->name || !(event->word || json_is_number(value) || json_is_boolean(value)))
        return err_set(e, ERR_PROTOCOL, "observe: it needs a name and a value");
    return 1;
}

static int read_outcome(const json_t *value, struct trace_event *event, struct err *e)
{
    const char *word = json_string_value(value);
    for (size_t i = 0; word && i < ARRAY_SIZE(outcome_names); i++)
        if (strcmp(outcome_names[i], word) == 0) {
            event->outcome = (enum run_outcome)i;
            return 1;
        }
    return err_set(e, ERR_PROTOCOL, "run: it ends done, failed or aborted, or was not begun");
}

static int read_span(const json_t *value, struct trace_event *event, struct err *e)
{
    bool never = event->kind == TRACE_PAUSE && json_is_null(value);
    event->span_ms = never ? NEVER : json_integer_value(value);
    bool good =
        never || (json_is_integer(value) && event->span_ms >= 0 && event->span_ms <= 3650 * DAY_MS);
    return good ? 1 : err_set(e, ERR_PROTOCOL, "%s: it needs milliseconds", kind_keys[event->kind]);
}

static int read_start(const json_t *line, struct trace_event *event, struct err *e)
{
    event->span_ms = json_int_at(line, "local", 0);
    if (event->span_ms < 0 || event->span_ms > INSTANT_MAX)
        return err_set(e, ERR_PROTOCOL, "trace: local is no time in milliseconds since 1970");
    return 1;
}

static int read_event(const json_t *line, const json_t *value, struct trace_event *event,
                      struct err *e)
{
    event->yes = json_is_true(value);
    switch (event->kind) {
    case TRACE_START:
        return read_start(line, event, e);
    case TRACE_OBSERVE:
        return read_value(line, event, e);
    case TRACE_RUN:
        return read_outcome(value, event, e);
    case TRACE_FOREIGN:
        event->disruptive = json_bool_at(line, "disruptive", true);
        return 1;
    case TRACE_PAUSE:
        event->name = json_text_at(line, "reason", "");
        return read_span(value, event, e);
    case TRACE_RESTART:
        return read_span(value, event, e);
    case TRACE_ALERT:
    case TRACE_FORGET:
        event->name = json_string_value(value);
        event->yes = json_bool_at(line, "firing", true);
        return event->name
                   ? 1
                   : err_set(e, ERR_PROTOCOL, "%s: it needs a name", kind_keys[event->kind]);
    default:
        return 1;
    }
}

static int find_kind(const json_t *line, struct trace_event *event, struct err *e)
{
    for (size_t i = 0; i < TRACE_KINDS; i++) {
        const json_t *value = json_object_get(line, kind_keys[i]);
        if (!value)
            continue;
        event->kind = (enum trace_kind)i;
        return read_event(line, value, event, e);
    }
    return err_set(e, ERR_PROTOCOL, "no event of a trace: observe, run, pause …");
}

int trace_parse(const char *line, size_t len, struct trace_event *ret, json_t **ret_line,
                struct err *e)
{
    *ret_line = NULL;
    *ret = (struct trace_event){0};
    while (len && isspace((unsigned char)*line)) {
        line++;
        len--;
    }
    if (len == 0 || *line == '#')
        return 0;
    json_t *json = json_parse(line, len, "trace", e);
    if (!json)
        return -(int)ERR_PROTOCOL;
    ret->at_ms = json_int_at(json, "at", -1);
    bool timed = ret->at_ms >= 0 && ret->at_ms <= INSTANT_MAX;
    int status = timed ? find_kind(json, ret, e)
                       : err_set(e, ERR_PROTOCOL, "it needs \"at\", in milliseconds");
    if (status < 0)
        json_decref(json);
    else
        *ret_line = json;
    return status;
}
