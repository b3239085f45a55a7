/* What a condition was decided on, for people: a sentence and a list of values. */
#include "policies/condition.h"

#include "base/mem.h"
#include "policies/condition_tree.h"

enum { SHOWN_MAX = 3 }; /* of a family: more would hide the rest of the sentence */

typedef void (*value_fn)(void *data, const struct node *node, const struct series *series,
                         const char *name);

struct walk {
    const struct board *board;
    int64_t now_ms, not_before_ms;
    value_fn fn;
    void *data;
};

/* Of a family, those that satisfy the comparison are shown (for `all`: those that do not); when
 * there are none, the family as a whole. */
static void visit_family(const struct walk *walk, const struct node *node)
{
    const struct series *const *family;
    size_t count = board_family(walk->board, node->observation, &family);
    enum truth wanted = node->quantifier == QUANTIFIER_ANY ? TRUTH_TRUE : TRUTH_FALSE;
    char name[OBSERVATION_NAME_MAX];
    int shown = 0;
    for (size_t i = 0; i < count && shown < SHOWN_MAX; i++) {
        if (condition__outcome(node, family[i], walk->now_ms, walk->not_before_ms) != wanted)
            continue;
        observation_name(node->observation, series_parameter(family[i]), name);
        walk->fn(walk->data, node, family[i], name);
        shown++;
    }
    if (shown == 0) {
        observation_name(node->observation, NULL, name);
        walk->fn(walk->data, node, NULL, name);
    }
}

static void visit(void *data, const struct node *node)
{
    const struct walk *walk = data;
    if (node->quantifier != QUANTIFIER_ONE) {
        visit_family(walk, node);
        return;
    }
    char name[OBSERVATION_NAME_MAX];
    observation_name(node->observation, node->parameter, name);
    walk->fn(walk->data, node, board_find(walk->board, node->observation, node->parameter), name);
}

/* --- what decided it -------------------------------------------------------------------------- */

static enum truth truth_of(const struct walk *walk, const struct node *node)
{
    return condition__truth(node, walk->board, walk->now_ms, walk->not_before_ms);
}

/* Whether that side is a reason for the outcome of the whole: one true side makes an `or` true,
 * one false side an `and` false, and of an unknown one the unknown sides are to be told. */
static bool decides(const struct walk *walk, const struct node *whole, const struct node *side)
{
    enum truth outcome = truth_of(walk, whole);
    enum truth needs_both = whole->kind == NODE_AND ? TRUTH_TRUE : TRUTH_FALSE;
    return outcome == needs_both || truth_of(walk, side) == outcome;
}

/* From left to right, what decided; *negated within a `not`. */
static void visit_reasons(struct walk *walk, const struct node *node, bool *negated)
{
    switch (node->kind) {
    case NODE_COMPARE:
        visit(walk, node);
        break;
    case NODE_NOT:
        *negated = !*negated;
        visit_reasons(walk, node->left, negated);
        *negated = !*negated;
        break;
    case NODE_AND:
    case NODE_OR:
        if (decides(walk, node, node->left))
            visit_reasons(walk, node->left, negated);
        if (decides(walk, node, node->right))
            visit_reasons(walk, node->right, negated);
        break;
    default:
        visit_reasons(walk, node->left, negated);
    }
}

/* --- telling it ------------------------------------------------------------------------------- */

static enum comparison opposite(enum comparison comparison)
{
    static const enum comparison opposites[] = {
        [COMPARE_GT] = COMPARE_LE, [COMPARE_GE] = COMPARE_LT, [COMPARE_LT] = COMPARE_GE,
        [COMPARE_LE] = COMPARE_GT, [COMPARE_EQ] = COMPARE_NE, [COMPARE_NE] = COMPARE_EQ};
    return opposites[comparison];
}

/* "> 60%"; "<= 60%" within a `not`. */
static char *wanted_text(const struct node *node, bool negated)
{
    char text[OBSERVATION_TEXT_MAX];
    enum comparison comparison = negated ? opposite(node->comparison) : node->comparison;
    observation_text(node->observation, node->number, node->word, text);
    return mem_printf("%s %s", condition__comparison_text(comparison), text);
}

struct telling {
    const struct walk *walk;
    struct buf *out;
    json_t *list;
    bool first;
    bool negated; /* within a `not` */
};

static const char *const family_words[] = {
    [QUANTIFIER_ONE] = "", [QUANTIFIER_ANY] = "any ", [QUANTIFIER_ALL] = "all "};

static void tell(void *data, const struct node *node, const struct series *series, const char *name)
{
    struct telling *telling = data;
    const struct walk *walk = telling->walk;
    const struct sample *sample =
        series ? series_fresh(series, walk->now_ms, walk->not_before_ms) : NULL;
    char text[OBSERVATION_TEXT_MAX] = "unknown";
    bool one = node->quantifier == QUANTIFIER_ONE;
    CLEANUP_FREE char *wanted = wanted_text(node, telling->negated && one);
    if (sample)
        observation_text(node->observation, sample->number, sample->word, text);
    buf_puts(telling->out, telling->first ? "" : ", ");
    telling->first = false;
    if (!series && !one)
        buf_printf(telling->out, "%s %s %s", node->quantifier == QUANTIFIER_ANY ? "no" : "every",
                   name, wanted);
    else
        buf_printf(telling->out, "%s is %s (%s%s%s)", name, text,
                   telling->negated && !one ? "not " : "", family_words[node->quantifier], wanted);
}

void condition_explain(const struct condition *condition, const struct board *board, int64_t now_ms,
                       int64_t not_before_ms, struct buf *out)
{
    struct walk walk = {board, now_ms, not_before_ms, tell, NULL};
    struct telling telling = {.walk = &walk, .out = out, .first = true};
    walk.data = &telling;
    visit_reasons(&walk, condition->root, &telling.negated);
}

static void list_value(void *data, const struct node *node, const struct series *series,
                       const char *name)
{
    struct telling *telling = data;
    const struct walk *walk = telling->walk;
    const struct sample *sample =
        series ? series_fresh(series, walk->now_ms, walk->not_before_ms) : NULL;
    char text[OBSERVATION_TEXT_MAX];
    CLEANUP_FREE char *wanted = wanted_text(node, false);
    json_t *item = json_object();
    json_set_text(item, "name", name);
    json_set_text(item, "value",
                  sample ? observation_text(node->observation, sample->number, sample->word, text)
                         : NULL);
    json_set_text(item, "wanted", wanted);
    json_set_text(item, "outcome",
                  truth_name(condition__outcome(node, series, walk->now_ms, walk->not_before_ms)));
    if (sample)
        json_set_int(item, "age_ms", walk->now_ms - sample->at_ms);
    json_array_append_new(telling->list, item);
}

json_t *condition_values(const struct condition *condition, const struct board *board,
                         int64_t now_ms, int64_t not_before_ms)
{
    struct walk walk = {board, now_ms, not_before_ms, list_value, NULL};
    struct telling telling = {.walk = &walk, .list = json_array()};
    walk.data = &telling;
    condition__each_comparison(condition->root, visit, &walk);
    return telling.list;
}
