/* The tree of a condition, shared by its reader, its evaluation and its explanation.
 *
 * Private to policies/.
 */
#ifndef POLICIES_CONDITION_TREE_H
#define POLICIES_CONDITION_TREE_H

#include "policies/condition.h"

enum node_kind { NODE_COMPARE, NODE_NOT, NODE_AND, NODE_OR, NODE_FOR, NODE_OF };
enum comparison { COMPARE_GT, COMPARE_GE, COMPARE_LT, COMPARE_LE, COMPARE_EQ, COMPARE_NE };
enum quantifier { QUANTIFIER_ONE, QUANTIFIER_ANY, QUANTIFIER_ALL };

enum { OF_SAMPLES_MAX = 32 };

struct node {
    enum node_kind kind;
    struct node *left, *right; /* right: and, or */
    /* compare */
    const struct observation_kind *observation;
    char *parameter; /* NULL when there is none */
    enum quantifier quantifier;
    enum comparison comparison;
    double number; /* in the observation's unit */
    char *word;
    /* for, of */
    int64_t for_ms;
    int of_n, of_m;
    size_t slot; /* its place in a condition_state */
};

struct condition {
    char *text;
    struct node *root;
    size_t slots; /* how many `for` and `of` there are */
};

struct node *condition__node_free(struct node *node);
const char *condition__comparison_text(enum comparison comparison);

/* Does one sample satisfy the comparison? */
bool condition__satisfied(const struct node *node, const struct sample *sample);

/* The outcome for one series (NULL: never set), without the quantifier. */
enum truth condition__outcome(const struct node *node, const struct series *series, int64_t now_ms,
                              int64_t not_before_ms);

/* The outcome of a part, as condition_now: without what `for` and `of` remember. */
enum truth condition__truth(const struct node *node, const struct board *board, int64_t now_ms,
                            int64_t not_before_ms);

/* Calls fn for each comparison from left to right. */
void condition__each_comparison(const struct node *node,
                                void (*fn)(void *data, const struct node *node), void *data);

#endif
