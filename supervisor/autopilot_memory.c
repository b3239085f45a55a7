/* What the autopilot remembers across its own death: the engine's state with the board, and the
 * decisions with their reasons. See autopilot.h. */
#include "supervisor/autopilot_private.h"

#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>
#include <string.h>

#define STATE_KEY       "policies/state"
#define DECISION_PREFIX "policies/decision/"

enum {
    HISTORY_KEPT = 500,
    /* Without a decision: what is lost of a `for` when the daemon is killed. */
    REMEMBER_EVERY_MS = 60000,
    /* After so long without anybody who looked, what holds until it changes holds no more. */
    AWAY_MAX_MS = 2 * REMEMBER_EVERY_MS,
};

static struct life life_now(const struct autopilot *autopilot)
{
    struct life life = {.mono_ms = loop_now(autopilot->options.loop), .wall_ms = clock_wall_ms()};
    memcpy(life.boot, autopilot->boot, sizeof life.boot);
    return life;
}

/* --- the engine's state ----------------------------------------------------------------------- */

static json_t *state_save(const struct autopilot *autopilot)
{
    struct life life = life_now(autopilot);
    json_t *state = json_object();
    json_object_set_new(state, "engine", decide_save(autopilot->engine, &life));
    json_object_set_new(state, "alerts", json_deep_copy(autopilot->alerts));
    json_object_set_new(state, "board", board_save(feed_board(autopilot->feed)));
    json_set_int(state, "mono", life.mono_ms);
    json_set_int(state, "wall", life.wall_ms);
    json_set_text(state, "boot", life.boot);
    return state;
}

void autopilot__remember(struct autopilot *autopilot)
{
    json_t *state = state_save(autopilot);
    timer_stop(autopilot->save);
    if (!autopilot->blind)
        journal_keep(autopilot->options.journal, STATE_KEY, state, NULL, NULL);
    json_decref(autopilot->restoring);
    autopilot->restoring = state; /* for a reload */
}

void autopilot__remember_soon(struct autopilot *autopilot)
{
    if (!timer_is_running(autopilot->save))
        timer_start(autopilot->save, REMEMBER_EVERY_MS);
}

static bool disrupts(void *data, const char *name)
{
    const struct autopilot *autopilot = data;
    const struct playbook *playbook = playbook_set_find(autopilot->rules.playbooks, name);
    return !playbook || playbook_is_disruptive(playbook);
}

static void forget_standing(struct autopilot *autopilot)
{
    const struct observation_kind *kind;
    for (size_t i = 0; (kind = observation_kind_at(i)); i++)
        if (kind->ttl_ms == 0)
            feed_forget(autopilot->feed, kind->name, NULL);
}

/* Only what has the form counts: the rest of the journal is foreign, too. */
static void restore_alerts(struct autopilot *autopilot, const json_t *saved)
{
    const char *name;
    json_t *instances;
    json_object_foreach((json_t *)mem_unconst(saved), name, instances)
    {
        if (json_is_object(instances) && json_object_size(instances) > 0)
            json_object_set_new(autopilot->alerts, name, json_deep_copy(instances));
    }
}

static void restore_board(struct autopilot *autopilot, const json_t *state, const struct life *life)
{
    struct life then = {0};
    then.mono_ms = json_int_at(state, "mono", 0);
    then.wall_ms = json_int_at(state, "wall", 0);
    snprintf(then.boot, sizeof then.boot, "%s", json_text_at(state, "boot", ""));
    int64_t shift_ms = life_shift_ms(&then, life);
    feed_restore(autopilot->feed, json_at(state, "board"), shift_ms);
    if (life->mono_ms - (then.mono_ms + shift_ms) > AWAY_MAX_MS)
        forget_standing(autopilot);
}

void autopilot__restore(struct autopilot *autopilot)
{
    struct err e;
    struct life life = life_now(autopilot);
    struct moment now = autopilot__now(autopilot);
    const json_t *state = autopilot->restoring;
    const struct decide_options options = {
        .recoveries = autopilot->rules.recoveries, .disrupts = disrupts, .data = autopilot};
    autopilot->engine = decide_new(autopilot->rules.policies, &options, &now);
    if (!state)
        return;
    if (decide_restore(autopilot->engine, json_at(state, "engine"), &life, &now, &e) != 0)
        log_err(LOG_LEVEL_WARNING, "what the policies remembered cannot be read: they begin anew",
                &e);
    if (json_object_size(autopilot->alerts) == 0)
        restore_alerts(autopilot, json_at(state, "alerts"));
    if (board_count(feed_board(autopilot->feed)) == 0)
        restore_board(autopilot, state, &life);
}

/* --- the decisions ---------------------------------------------------------------------------- */

static char *decision_key(int64_t id)
{
    return mem_printf(DECISION_PREFIX "%012" PRId64, id); /* keys sort as the numbers do */
}

static void keep_told(struct autopilot *autopilot, const json_t *told)
{
    CLEANUP_FREE char *key = decision_key(json_int_at(told, "id", 0));
    if (!autopilot->blind) /* its numbers begin anew */
        journal_keep(autopilot->options.journal, key, told, NULL, NULL);
}

static void forget_oldest(struct autopilot *autopilot)
{
    while (json_array_size(autopilot->history) > HISTORY_KEPT) {
        CLEANUP_FREE char *key =
            decision_key(json_int_at(json_array_get(autopilot->history, 0), "id", 0));
        if (!autopilot->blind)
            journal_keep(autopilot->options.journal, key, NULL, NULL, NULL);
        json_array_remove(autopilot->history, 0);
    }
}

json_t *autopilot__told(const struct autopilot *autopilot, int64_t decision)
{
    json_t *told;
    size_t i;
    json_array_foreach(autopilot->history, i, told)
    {
        if (json_int_at(told, "id", 0) == decision)
            return told;
    }
    return NULL;
}

/* Under these keys an answered question, and what came of the answer, say by whom. */
static const char *const answer_keys[] = {"approved_by", "denied_by"};

static void take_answer(json_t *told, const json_t *question)
{
    for (size_t i = 0; i < ARRAY_SIZE(answer_keys); i++)
        if (json_at(question, answer_keys[i]))
            json_set_text(told, answer_keys[i], json_text_at(question, answer_keys[i], ""));
}

void autopilot__record(struct autopilot *autopilot, const struct decision *decision)
{
    char at[CLOCK_STAMP_MAX];
    json_t *told = decision_json(decision);
    json_set_text(told, "at", clock_stamp(clock_wall_ms(), at));
    json_object_set_new(told, "run", json_null());
    if (decision->question)
        take_answer(told, autopilot__told(autopilot, decision->question));
    json_array_append_new(autopilot->history, told);
    keep_told(autopilot, told);
    forget_oldest(autopilot);
}

void autopilot__record_run(struct autopilot *autopilot, int64_t decision, int64_t run)
{
    json_t *told = autopilot__told(autopilot, decision);
    if (!told)
        return;
    json_set_int(told, "run", run);
    keep_told(autopilot, told);
}

void autopilot__record_answer(struct autopilot *autopilot, int64_t decision, bool approve,
                              const char *who)
{
    json_t *told = autopilot__told(autopilot, decision);
    if (!told)
        return;
    json_set_text(told, answer_keys[approve ? 0 : 1], who);
    keep_told(autopilot, told);
}

/* --- recalling -------------------------------------------------------------------------------- */

static int compare_keys(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void recall_history(struct autopilot *autopilot, const json_t *kept)
{
    size_t count = 0;
    const char **keys = NULL;
    const char *key;
    json_t *value;
    json_object_foreach(mem_unconst(kept), key, value)
    {
        if (strncmp(key, DECISION_PREFIX, strlen(DECISION_PREFIX)) == 0 && json_is_object(value))
            *MEM_PUSH(keys, count) = key;
    }
    if (count)
        qsort(keys, count, sizeof *keys, compare_keys);
    for (size_t i = 0; i < count; i++)
        json_array_append(autopilot->history, json_object_get(kept, keys[i]));
    free(keys);
}

static void on_recalled(void *data, const struct err *e, const json_t *kept)
{
    struct autopilot *autopilot = data;
    autopilot->pending--;
    if (autopilot->stopped) {
        autopilot__landed(autopilot);
        return;
    }
    if (e) {
        log_err(
            LOG_LEVEL_ERROR,
            "what the policies remembered cannot be read: they only ask, until it can at a start",
            e);
        autopilot->blind = true;
        autopilot->options.on_blind(autopilot->options.data);
    } else {
        autopilot->restoring = json_deep_copy(json_object_get(kept, STATE_KEY));
        recall_history(autopilot, kept);
    }
    autopilot__recalled(autopilot);
}

void autopilot__recall(struct autopilot *autopilot)
{
    autopilot->pending++;
    journal_recall(autopilot->options.journal, "policies/", on_recalled, autopilot);
}
