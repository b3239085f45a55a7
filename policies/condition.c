/* The outcome of a condition, and what `for` and `of` remember. See condition.h. */
#include "policies/condition.h"

#include "base/mem.h"
#include "policies/condition_tree.h"
#include "policies/moment.h"

#include <string.h>

struct slot {
    bool held;
    int64_t since_ms; /* of a `for` that is held */
    uint32_t bits;    /* of an `of`: the latest sample's outcome in bit 0 */
    int counted;      /* how many samples are in the bits, at most of_m */
    int64_t last_ms;  /* of the latest sample counted */
};

struct condition_state {
    struct slot *slots;
    size_t count;
};

/* --- life ------------------------------------------------------------------------------------- */

struct node *condition__node_free(struct node *node)
{
    if (!node)
        return NULL;
    condition__node_free(node->left);
    condition__node_free(node->right);
    free(node->parameter);
    free(node->word);
    free(node);
    return NULL;
}

struct condition *condition_free(struct condition *condition)
{
    if (!condition)
        return NULL;
    condition__node_free(condition->root);
    free(condition->text);
    free(condition);
    return NULL;
}

const char *condition_text(const struct condition *condition)
{
    return condition->text;
}

const char *truth_name(enum truth truth)
{
    static const char *const names[] = {
        [TRUTH_FALSE] = "false", [TRUTH_UNKNOWN] = "unknown", [TRUTH_TRUE] = "true"};
    return names[truth];
}

void condition__each_comparison(const struct node *node,
                                void (*fn)(void *data, const struct node *node), void *data)
{
    if (!node)
        return;
    if (node->kind == NODE_COMPARE)
        fn(data, node);
    condition__each_comparison(node->left, fn, data);
    condition__each_comparison(node->right, fn, data);
}

struct asked {
    size_t left;
    const struct node *found;
};

static void count_down(void *data, const struct node *node)
{
    struct asked *asked = data;
    if (asked->left == 0 && !asked->found)
        asked->found = node;
    else
        asked->left -= asked->left > 0;
}

bool condition_asks(const struct condition *condition, size_t index,
                    const struct observation_kind **ret_kind, const char **ret_parameter)
{
    struct asked asked = {.left = index};
    condition__each_comparison(condition->root, count_down, &asked);
    if (!asked.found)
        return false;
    *ret_kind = asked.found->observation;
    *ret_parameter = asked.found->parameter ? asked.found->parameter : "";
    return true;
}

struct condition_state *condition_state_new(const struct condition *condition)
{
    struct condition_state *state = mem_new(sizeof *state);
    state->count = condition->slots;
    state->slots = mem_new(condition->slots * sizeof *state->slots);
    condition_state_reset(state);
    return state;
}

struct condition_state *condition_state_free(struct condition_state *state)
{
    if (state)
        free(state->slots);
    free(state);
    return NULL;
}

void condition_state_reset(struct condition_state *state)
{
    for (size_t i = 0; i < state->count; i++)
        state->slots[i] = (struct slot){.last_ms = INT64_MIN};
}

/* --- evaluating ------------------------------------------------------------------------------- */

struct evaluation {
    struct condition_state *state; /* NULL: only the instant counts */
    const struct board *board;
    int64_t now_ms;
    int64_t not_before_ms;
};

bool condition__satisfied(const struct node *node, const struct sample *sample)
{
    if (node->observation->unit == UNIT_WORD)
        return (strcmp(sample->word, node->word) == 0) == (node->comparison == COMPARE_EQ);
    switch (node->comparison) {
    case COMPARE_GT:
        return sample->number > node->number;
    case COMPARE_GE:
        return sample->number >= node->number;
    case COMPARE_LT:
        return sample->number < node->number;
    case COMPARE_LE:
        return sample->number <= node->number;
    case COMPARE_EQ:
        return sample->number == node->number;
    default:
        return sample->number != node->number;
    }
}

enum truth condition__outcome(const struct node *node, const struct series *series, int64_t now_ms,
                              int64_t not_before_ms)
{
    const struct sample *sample = series ? series_fresh(series, now_ms, not_before_ms) : NULL;
    if (!sample)
        return TRUTH_UNKNOWN;
    return condition__satisfied(node, sample) ? TRUTH_TRUE : TRUTH_FALSE;
}

static enum truth minimum(enum truth a, enum truth b)
{
    return a < b ? a : b;
}

static enum truth maximum(enum truth a, enum truth b)
{
    return a > b ? a : b;
}

static enum truth eval_compare(const struct evaluation *ev, const struct node *node)
{
    if (node->quantifier == QUANTIFIER_ONE)
        return condition__outcome(node, board_find(ev->board, node->observation, node->parameter),
                                  ev->now_ms, ev->not_before_ms);
    const struct series *const *family;
    size_t count = board_family(ev->board, node->observation, &family);
    if (count == 0)
        return TRUTH_UNKNOWN;
    bool any = node->quantifier == QUANTIFIER_ANY;
    enum truth truth = any ? TRUTH_FALSE : TRUTH_TRUE;
    for (size_t i = 0; i < count; i++) {
        enum truth one = condition__outcome(node, family[i], ev->now_ms, ev->not_before_ms);
        truth = any ? maximum(truth, one) : minimum(truth, one);
    }
    return truth;
}

static enum truth eval_for(const struct evaluation *ev, const struct node *node, enum truth inner)
{
    if (!ev->state)
        return inner;
    struct slot *slot = &ev->state->slots[node->slot];
    if (inner != TRUTH_TRUE) {
        slot->held = false;
        return inner;
    }
    if (!slot->held)
        slot->since_ms = ev->now_ms;
    slot->held = true;
    return ev->now_ms - slot->since_ms >= node->for_ms ? TRUTH_TRUE : TRUTH_FALSE;
}

/* Counts the samples that came since the last time, the oldest of them first. */
static void count_samples(const struct evaluation *ev, const struct node *node, struct slot *slot)
{
    const struct node *comparison = node->left;
    const struct series *series =
        board_find(ev->board, comparison->observation, comparison->parameter);
    size_t new = 0;
    const struct sample *sample;
    while (series && (sample = series_sample(series, new)) && sample->at_ms > slot->last_ms &&
           sample->at_ms >= ev->not_before_ms)
        new ++;
    while (new -- > 0) {
        sample = series_sample(series, new);
        slot->bits = slot->bits << 1 | condition__satisfied(comparison, sample);
        slot->counted += slot->counted < node->of_m;
        slot->last_ms = sample->at_ms;
    }
}

static int bits_set(uint32_t bits, int among)
{
    int set = 0;
    for (int i = 0; i < among; i++)
        set += (int)(bits >> i & 1U);
    return set;
}

/* True as soon as n of the samples counted are, be there m of them yet or not. */
static enum truth eval_of(const struct evaluation *ev, const struct node *node, enum truth inner)
{
    if (!ev->state)
        return inner;
    struct slot *slot = &ev->state->slots[node->slot];
    count_samples(ev, node, slot);
    if (inner == TRUTH_UNKNOWN) { /* a gap: what was counted before it says nothing of now */
        slot->bits = 0;
        slot->counted = 0;
        return TRUTH_UNKNOWN;
    }
    return bits_set(slot->bits, slot->counted) >= node->of_n ? TRUTH_TRUE : TRUTH_FALSE;
}

/* Both sides are always evaluated: a `for` on the right goes on while the left is false. */
static enum truth eval_node(const struct evaluation *ev, const struct node *node)
{
    enum truth left = node->left ? eval_node(ev, node->left) : TRUTH_UNKNOWN;
    enum truth right = node->right ? eval_node(ev, node->right) : TRUTH_UNKNOWN;
    switch (node->kind) {
    case NODE_NOT:
        return TRUTH_TRUE - left;
    case NODE_AND:
        return minimum(left, right);
    case NODE_OR:
        return maximum(left, right);
    case NODE_FOR:
        return eval_for(ev, node, left);
    case NODE_OF:
        return eval_of(ev, node, left);
    default:
        return eval_compare(ev, node);
    }
}

enum truth condition_eval(const struct condition *condition, struct condition_state *state,
                          const struct board *board, int64_t now_ms, int64_t not_before_ms)
{
    struct evaluation ev = {state, board, now_ms, not_before_ms};
    return eval_node(&ev, condition->root);
}

enum truth condition__truth(const struct node *node, const struct board *board, int64_t now_ms,
                            int64_t not_before_ms)
{
    struct evaluation ev = {NULL, board, now_ms, not_before_ms};
    return eval_node(&ev, node);
}

enum truth condition_now(const struct condition *condition, const struct board *board,
                         int64_t now_ms, int64_t not_before_ms)
{
    return condition__truth(condition->root, board, now_ms, not_before_ms);
}

/* --- what time alone will change -------------------------------------------------------------- */

static int64_t after(int64_t at_ms, int64_t now_ms)
{
    return at_ms > now_ms ? at_ms : NEVER;
}

static int64_t next_stale(const struct node *node, const struct board *board, int64_t now_ms)
{
    int64_t next = NEVER;
    const struct series *const *family;
    if (node->quantifier == QUANTIFIER_ONE) {
        const struct series *series = board_find(board, node->observation, node->parameter);
        return series ? after(series_stale_at_ms(series), now_ms) : NEVER;
    }
    size_t count = board_family(board, node->observation, &family);
    for (size_t i = 0; i < count; i++)
        next = earlier(next, after(series_stale_at_ms(family[i]), now_ms));
    return next;
}

static int64_t next_change(const struct node *node, const struct condition_state *state,
                           const struct board *board, int64_t now_ms)
{
    if (!node)
        return NEVER;
    int64_t next = earlier(next_change(node->left, state, board, now_ms),
                           next_change(node->right, state, board, now_ms));
    if (node->kind == NODE_COMPARE)
        next = earlier(next, next_stale(node, board, now_ms));
    if (node->kind == NODE_FOR && state->slots[node->slot].held)
        next = earlier(next, after(state->slots[node->slot].since_ms + node->for_ms, now_ms));
    return next;
}

int64_t condition_next_change_ms(const struct condition *condition,
                                 const struct condition_state *state, const struct board *board,
                                 int64_t now_ms)
{
    return next_change(condition->root, state, board, now_ms);
}

/* --- keeping ---------------------------------------------------------------------------------- */

json_t *condition_state_save(const struct condition_state *state)
{
    json_t *saved = json_array();
    for (size_t i = 0; i < state->count; i++) {
        const struct slot *slot = &state->slots[i];
        json_t *item = json_object();
        if (slot->held)
            json_set_int(item, "since", slot->since_ms);
        if (slot->last_ms != INT64_MIN) {
            json_set_int(item, "bits", slot->bits);
            json_set_int(item, "counted", slot->counted);
            json_set_int(item, "last", slot->last_ms);
        }
        json_array_append_new(saved, item);
    }
    return saved;
}

static void restore_slot(struct slot *slot, const json_t *item, int64_t shift_ms)
{
    const json_t *since = json_at(item, "since");
    *slot = (struct slot){.last_ms = INT64_MIN};
    if (json_is_integer(since)) {
        slot->held = true;
        slot->since_ms = instant_shift(json_integer_value(since), shift_ms);
    }
    int64_t counted = json_int_at(item, "counted", -1);
    if (counted < 0 || counted > OF_SAMPLES_MAX)
        return;
    slot->bits = (uint32_t)json_int_at(item, "bits", 0);
    slot->counted = (int)counted;
    slot->last_ms = instant_shift(json_int_at(item, "last", 0), shift_ms);
}

void condition_state_restore(struct condition_state *state, const json_t *saved, int64_t shift_ms)
{
    condition_state_reset(state);
    if (json_array_size(saved) != state->count)
        return;
    for (size_t i = 0; i < state->count; i++)
        restore_slot(&state->slots[i], json_array_get(saved, i), shift_ms);
}
