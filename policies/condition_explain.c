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

/* "> 60%" */
static char *wanted_text(const struct node *node)
{
    char text[OBSERVATION_TEXT_MAX];
    observation_text(node->observation, node->number, node->word, text);
    return mem_printf("%s %s", condition__comparison_text(node->comparison), text);
}

struct telling {
    const struct walk *walk;
    struct buf *out;
    json_t *list;
    bool first;
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
    CLEANUP_FREE char *wanted = wanted_text(node);
    if (sample)
        observation_text(node->observation, sample->number, sample->word, text);
    buf_puts(telling->out, telling->first ? "" : ", ");
    telling->first = false;
    if (!series && node->quantifier != QUANTIFIER_ONE)
        buf_printf(telling->out, "%s %s is %s", node->quantifier == QUANTIFIER_ANY ? "no" : "every",
                   name, wanted);
    else
        buf_printf(telling->out, "%s is %s (%s%s)", name, text, family_words[node->quantifier],
                   wanted);
}

void condition_explain(const struct condition *condition, const struct board *board, int64_t now_ms,
                       int64_t not_before_ms, struct buf *out)
{
    struct walk walk = {board, now_ms, not_before_ms, tell, NULL};
    struct telling telling = {.walk = &walk, .out = out, .first = true};
    walk.data = &telling;
    condition__each_comparison(condition->root, visit, &walk);
}

static void list_value(void *data, const struct node *node, const struct series *series,
                       const char *name)
{
    struct telling *telling = data;
    const struct walk *walk = telling->walk;
    const struct sample *sample =
        series ? series_fresh(series, walk->now_ms, walk->not_before_ms) : NULL;
    char text[OBSERVATION_TEXT_MAX];
    CLEANUP_FREE char *wanted = wanted_text(node);
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
