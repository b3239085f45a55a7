/* Putting decisions into words: the sentence, the values, the settings. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "policies/decide_private.h"

#include <stdio.h>
#include <string.h>

enum { SENTENCE_MAX = 4096 };

static const struct rung *present_rung(const struct track *track)
{
    bool climbing = track->state == STATE_DUE || track->state == STATE_ASKING ||
                    track->state == STATE_RUNNING || track->state == STATE_VERIFYING;
    return climbing && track->rung < track->policy->rung_count ? &track->policy->rungs[track->rung]
                                                               : NULL;
}

static void remember(struct decide *engine, const struct decision *decision)
{
    json_t **slot = &engine->history[engine->history_count++ % HISTORY_MAX];
    json_decref(*slot);
    *slot = decision_json(decision);
}

bool decide__disrupts(const struct decide *engine, const char *playbook)
{
    if (engine->options.disrupts)
        return engine->options.disrupts(engine->options.data, playbook);
    return strcmp(playbook, "clean") != 0;
}

static void describe(const struct decide *engine, const struct track *track,
                     struct decision *decision)
{
    const struct policy *policy = track->policy;
    const struct rung *rung = present_rung(track);
    decision->at_ms = engine->now.mono_ms;
    decision->policy = mem_strdup(policy->name);
    decision->incident = track->incident;
    decision->rungs = (int)policy->rung_count;
    if (rung) {
        decision->rung = (int)track->rung + 1;
        decision->playbook = mem_strdup(rung->playbook);
        decision->disruptive = decide__disrupts(engine, rung->playbook);
    }
    const struct condition *shown = policy->when;
    int64_t not_before_ms = engine->calm_ms;
    if (rung && rung->verify && track->state == STATE_VERIFYING) {
        shown = rung->verify;
        not_before_ms = track->verify_from_ms;
    }
    decision->values =
        shown ? condition_values(shown, engine->board, engine->now.mono_ms, not_before_ms)
              : json_array();
}

static struct decision *say(struct decide *engine, struct track *track, enum decision_kind kind,
                            enum refusal refusal, const char *text)
{
    struct decision *decision = MEM_PUSH(engine->decisions, engine->decision_count);
    decision->id = ++engine->last_decision;
    decision->kind = kind;
    decision->refusal = refusal;
    describe(engine, track, decision);
    decision->sentence = mem_printf("%s: %s", track->policy->name, text);
    return decision;
}

/* The step's end: what its decisions have become is remembered. */
void decide__remember(struct decide *engine)
{
    for (size_t i = 0; i < engine->decision_count; i++)
        remember(engine, &engine->decisions[i]);
}

struct decision *decide__say(struct decide *engine, struct track *track, enum decision_kind kind,
                             const char *format, ...)
{
    va_list args;
    va_start(args, format);
    CLEANUP_FREE char *text = mem_vprintf(format, args);
    va_end(args);
    return say(engine, track, kind, REFUSAL_NONE, text);
}

void decide__refuse(struct decide *engine, struct track *track, enum refusal refusal,
                    const char *format, ...)
{
    if (track->refused == refusal)
        return;
    track->refused = refusal;
    va_list args;
    va_start(args, format);
    CLEANUP_FREE char *text = mem_vprintf(format, args);
    va_end(args);
    say(engine, track, DECISION_REFUSED, refusal, text);
}

char *decide__reason(const struct decide *engine, const struct track *track)
{
    const struct policy *policy = track->policy;
    struct buf out;
    char duration[DURATION_MAX];
    buf_init(&out, SENTENCE_MAX);
    if (track->cause == CAUSE_SCHEDULE)
        buf_puts(&out, policy->when ? "it is time, and " : "it is time");
    if (track->cause == CAUSE_ALERT)
        buf_printf(&out, "the alert %s fires", policy->on_alert);
    else if (policy->when)
        condition_explain(policy->when, engine->board, engine->now.mono_ms, engine->calm_ms, &out);
    bool lasts = track->held_since_ms != NEVER && engine->now.mono_ms > track->held_since_ms;
    if (track->cause == CAUSE_WHEN && policy->for_ms && lasts)
        buf_printf(&out, ", for %s",
                   duration_text(engine->now.mono_ms - track->held_since_ms, duration));
    return buf_take(&out);
}

/* --- settings --------------------------------------------------------------------------------- */

/* The present value of the observation in "${…}" as JSON, or NULL when it is unknown. */
static json_t *observed(const struct decide *engine, const char *name, size_t len)
{
    const char *parameter;
    size_t parameter_len;
    const struct observation_kind *kind = observation_find(name, len, &parameter, &parameter_len);
    CLEANUP_FREE char *key = parameter ? mem_strndup(parameter, parameter_len) : NULL;
    const struct series *series = kind ? board_find(engine->board, kind, key) : NULL;
    const struct sample *sample =
        series ? series_fresh(series, engine->now.mono_ms, engine->calm_ms) : NULL;
    if (!sample || (sample->word && (!*sample->word || strcmp(sample->word, "none") == 0)))
        return NULL;
    char text[OBSERVATION_TEXT_MAX];
    const char *value = sample->word; /* in full: a list of names may be long */
    if (!value)
        value = observation_text(kind, sample->number, NULL, text);
    return json_lossy_string(value, strlen(value));
}

bool decide__params(const struct decide *engine, const struct track *track, json_t **ret_params,
                    char **ret_missing)
{
    const char *key;
    json_t *value;
    *ret_params = NULL;
    *ret_missing = NULL;
    json_t *with = track->policy->rungs[track->rung].with;
    if (!with)
        return true;
    json_t *params = json_object();
    json_object_foreach(with, key, value)
    {
        const char *text = json_string_value(value);
        if (!text || strncmp(text, "${", 2) != 0) {
            json_object_set(params, key, value);
            continue;
        }
        json_t *filled = observed(engine, text + 2, strcspn(text + 2, "}"));
        if (!filled) {
            *ret_missing = mem_strndup(text + 2, strcspn(text + 2, "}"));
            json_decref(params);
            return false;
        }
        json_object_set_new(params, key, filled);
    }
    *ret_params = params;
    return true;
}
