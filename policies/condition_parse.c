/* Reading conditions: a lexer that keeps offsets, and one function a rule of the grammar that
 * stands in condition.h. The first fault of form ends the reading; faults of meaning (an unknown
 * name, a literal of the wrong unit) are collected. */
#include "policies/condition_tree.h"

#include "base/clock.h"
#include "base/mem.h"
#include "policies/moment.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

enum { TEXT_MAX = 4096, DEPTH_MAX = 32 };

enum token_kind {
    TOKEN_END,
    TOKEN_NAME,
    TOKEN_LITERAL,
    TOKEN_OPERATOR,
    TOKEN_OPEN,
    TOKEN_SHUT,
    TOKEN_BAD
};

struct token {
    enum token_kind kind;
    const char *at; /* within the text */
    size_t len;
    bool quoted; /* a literal in quotes; at and len are without them */
};

struct parser {
    const struct yaml_node *node;
    struct diag_list *diags;
    const char *what;
    const char *cursor; /* behind the token */
    struct token token;
    struct condition *condition;
    int depth;
    bool wrong; /* a fault of meaning was found */
};

#define COMPLAIN_AT(p, where, ...)                                                                 \
    yaml_error_at((p)->diags, (p)->node, (size_t)((where) - (p)->node->text), __VA_ARGS__)

static struct node *parse_condition(struct parser *p);

/* --- tokens ----------------------------------------------------------------------------------- */

static const char *const keywords[] = {"and", "or", "not", "for", "of", "any", "all", NULL};

static bool is_keyword(const char *at, size_t len)
{
    for (size_t i = 0; keywords[i]; i++)
        if (strlen(keywords[i]) == len && strncmp(at, keywords[i], len) == 0)
            return true;
    return false;
}

static bool name_char(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '.' || c == '-';
}

/* A name may have a parameter right behind its first part: service(backend).health. Whatever
 * stands in the parentheses belongs to it. */
static size_t name_length(const char *at)
{
    size_t len = 0;
    while (name_char(at[len]))
        len++;
    if (at[len] != '(' || is_keyword(at, len))
        return len;
    const char *shut = strchr(at + len, ')');
    if (!shut)
        return len;
    len = (size_t)(shut - at) + 1;
    while (name_char(at[len]))
        len++;
    return len;
}

static void read_operator(struct token *token)
{
    bool two = token->at[1] == '=';
    token->kind = TOKEN_OPERATOR;
    token->len = two ? 2 : 1;
    if (!two && (*token->at == '=' || *token->at == '!'))
        token->kind = TOKEN_BAD;
}

static void read_quoted(struct token *token)
{
    const char *shut = strchr(token->at + 1, *token->at);
    token->kind = shut ? TOKEN_LITERAL : TOKEN_BAD;
    token->quoted = true;
    token->len = shut ? (size_t)(shut - token->at) - 1 : 1;
    token->at += shut != NULL;
}

static void advance(struct parser *p)
{
    while (isspace((unsigned char)*p->cursor))
        p->cursor++;
    struct token token = {.kind = TOKEN_END, .at = p->cursor};
    char c = *p->cursor;
    if (c == '(' || c == ')') {
        token.kind = c == '(' ? TOKEN_OPEN : TOKEN_SHUT;
        token.len = 1;
    } else if (c && strchr("<>=!", c)) {
        read_operator(&token);
    } else if (c == '"' || c == '\'') {
        read_quoted(&token);
    } else if (isdigit((unsigned char)c) || c == '-') {
        token.kind = TOKEN_LITERAL;
        token.len = strcspn(c == '-' ? p->cursor + 1 : p->cursor, " \t\r\n()<>=!") + (c == '-');
    } else if (isalpha((unsigned char)c)) {
        token.kind = TOKEN_NAME;
        token.len = name_length(p->cursor);
    } else if (c) {
        token.kind = TOKEN_BAD;
        token.len = 1;
    }
    p->cursor = token.at + token.len + (token.quoted && token.kind == TOKEN_LITERAL);
    p->token = token;
}

static bool token_is(const struct parser *p, const char *word)
{
    return p->token.kind == TOKEN_NAME && p->token.len == strlen(word) &&
           strncmp(p->token.at, word, p->token.len) == 0;
}

static bool take(struct parser *p, const char *word)
{
    if (!token_is(p, word))
        return false;
    advance(p);
    return true;
}

/* Says what was expected where something else stands; NULL, so that a rule can return it. */
static struct node *expected(struct parser *p, const char *wish)
{
    const struct token *t = &p->token;
    if (t->kind == TOKEN_END)
        COMPLAIN_AT(p, t->at, "%s: expected %s, but the condition ends here", p->what, wish);
    else if (t->kind == TOKEN_BAD && *t->at == '=')
        COMPLAIN_AT(p, t->at, "%s: '=' is no operator; did you mean '=='?", p->what);
    else if (t->kind == TOKEN_BAD && t->quoted)
        COMPLAIN_AT(p, t->at, "%s: this quote is never shut", p->what);
    else
        COMPLAIN_AT(p, t->at, "%s: expected %s, found '%.*s'", p->what, wish, (int)t->len, t->at);
    return NULL;
}

/* --- literals --------------------------------------------------------------------------------- */

/* The number at the start of a token; *ret_unit is what follows it. */
static bool split_number(const char *text, double *ret, const char **ret_unit)
{
    char *end;
    const char *digits = text + (*text == '-');
    if (!isdigit((unsigned char)*digits))
        return false;
    *ret = strtod(text, &end);
    *ret_unit = end;
    /* Not 0x10, nor 1e3: strtod reads more than people write. */
    return end == digits + strspn(digits, "0123456789.") && isfinite(*ret);
}

static bool per_minute(const char *unit, double *number)
{
    static const struct {
        const char *unit;
        double factor;
    } rates[] = {{"", 1}, {"/min", 1}, {"/m", 1}, {"/s", 60}, {"/h", 1.0 / 60}};
    for (size_t i = 0; i < ARRAY_SIZE(rates); i++)
        if (strcmp(rates[i].unit, unit) == 0) {
            *number *= rates[i].factor;
            return true;
        }
    return false;
}

/* A literal to the number that the unit counts in. */
static bool convert(enum observation_unit unit, const char *text, double *ret)
{
    const char *suffix = "";
    int64_t ms;
    bool number = split_number(text, ret, &suffix);
    switch (unit) {
    case UNIT_COUNT:
        return number && !*suffix;
    case UNIT_SHARE:
        if (number && strcmp(suffix, "%") == 0)
            *ret /= 100;
        else if (!number || *suffix)
            return false;
        return *ret >= 0 && *ret <= 1;
    case UNIT_DURATION:
        if (!duration_parse(text, &ms))
            return false;
        *ret = (double)ms;
        return true;
    case UNIT_PER_MINUTE:
        return number && per_minute(suffix, ret);
    case UNIT_YES_NO:
        *ret = strcmp(text, "true") == 0;
        return *ret != 0 || strcmp(text, "false") == 0;
    default:
        return false;
    }
}

static void wrong_literal(struct parser *p, const struct token *at, const struct node *node,
                          const char *text)
{
    double number = 0;
    const char *suffix = "";
    p->wrong = true;
    if (node->observation->unit == UNIT_SHARE && split_number(text, &number, &suffix) && !*suffix)
        COMPLAIN_AT(p, at->at, "%s: %s is a share; did you mean '%s%%'?", p->what,
                    node->observation->name, text);
    else if (node->observation->unit == UNIT_SHARE && strcmp(suffix, "%") == 0)
        COMPLAIN_AT(p, at->at, "%s: %s lies between 0%% and 100%%, so '%s' is never met", p->what,
                    node->observation->name, text);
    else
        COMPLAIN_AT(p, at->at, "%s: %s is compared with %s, not with '%s'", p->what,
                    node->observation->name, observation_unit_wish(node->observation->unit), text);
}

static void check_word(struct parser *p, const struct token *at, const struct node *node)
{
    const char *const *words = node->observation->words;
    if (!words[0])
        return;
    for (size_t i = 0; words[i]; i++)
        if (strcmp(words[i], node->word) == 0)
            return;
    const char *near = diag_nearest(node->word, words);
    p->wrong = true;
    if (near)
        COMPLAIN_AT(p, at->at, "%s: %s is never '%s'; did you mean '%s'?", p->what,
                    node->observation->name, node->word, near);
    else
        COMPLAIN_AT(p, at->at, "%s: %s is never '%s'", p->what, node->observation->name,
                    node->word);
}

static void read_literal(struct parser *p, struct node *node)
{
    CLEANUP_FREE char *text = mem_strndup(p->token.at, p->token.len);
    if (!node->observation)
        return; /* its name was complained about already */
    if (node->observation->unit == UNIT_WORD) {
        node->word = mem_strdup(text);
        check_word(p, &p->token, node);
    } else if (!convert(node->observation->unit, text, &node->number)) {
        wrong_literal(p, &p->token, node, text);
    }
}

/* --- comparisons ------------------------------------------------------------------------------ */

static void unknown_name(struct parser *p, const struct token *name)
{
    char near[OBSERVATION_NAME_MAX];
    p->wrong = true;
    if (observation_suggest(name->at, name->len, near))
        COMPLAIN_AT(p, name->at, "%s: unknown observation '%.*s'; did you mean '%s'?", p->what,
                    (int)name->len, name->at, near);
    else
        COMPLAIN_AT(p, name->at,
                    "%s: unknown observation '%.*s'; 'supervisorctl observations' shows all",
                    p->what, (int)name->len, name->at);
}

static void resolve_name(struct parser *p, const struct token *name, struct node *node)
{
    const char *parameter;
    size_t len;
    const struct observation_kind *kind = observation_find(name->at, name->len, &parameter, &len);
    char form[OBSERVATION_NAME_MAX];
    node->observation = kind;
    node->parameter = parameter ? mem_strndup(parameter, len) : NULL;
    if (!kind) {
        unknown_name(p, name);
        return;
    }
    bool quantified = node->quantifier != QUANTIFIER_ONE;
    p->wrong = p->wrong || quantified != (kind->parameter && !parameter);
    if (quantified && !kind->parameter)
        COMPLAIN_AT(p, name->at, "%s: there is only one %s; leave 'any' or 'all' out", p->what,
                    kind->name);
    else if (quantified && parameter)
        COMPLAIN_AT(p, name->at, "%s: 'any' and 'all' go with %s, without a name", p->what,
                    kind->name);
    else if (!quantified && kind->parameter && !parameter)
        COMPLAIN_AT(p, name->at, "%s: which %s? say %s, or 'any %s'", p->what, kind->parameter,
                    observation_name(kind, "NAME", form), kind->name);
}

static const struct {
    const char *text;
    bool ordered; /* asks for more or less, which words do not have */
} comparisons[] = {
    [COMPARE_GT] = {">", true},  [COMPARE_GE] = {">=", true},  [COMPARE_LT] = {"<", true},
    [COMPARE_LE] = {"<=", true}, [COMPARE_EQ] = {"==", false}, [COMPARE_NE] = {"!=", false},
};

const char *condition__comparison_text(enum comparison comparison)
{
    return comparisons[comparison].text;
}

static void read_comparison(struct parser *p, struct node *node)
{
    for (size_t i = 0; i < ARRAY_SIZE(comparisons); i++)
        if (strlen(comparisons[i].text) == p->token.len &&
            strncmp(comparisons[i].text, p->token.at, p->token.len) == 0)
            node->comparison = (enum comparison)i;
    if (!node->observation || !comparisons[node->comparison].ordered)
        return;
    if (node->observation->unit != UNIT_WORD && node->observation->unit != UNIT_YES_NO)
        return;
    p->wrong = true;
    COMPLAIN_AT(p, p->token.at, "%s: %s has no order; compare with == or !=", p->what,
                node->observation->name);
}

static struct node *parse_comparison(struct parser *p)
{
    struct node *node = mem_new(sizeof *node);
    node->kind = NODE_COMPARE;
    node->comparison = COMPARE_EQ;
    if (take(p, "any"))
        node->quantifier = QUANTIFIER_ANY;
    else if (take(p, "all"))
        node->quantifier = QUANTIFIER_ALL;
    if (p->token.kind != TOKEN_NAME || is_keyword(p->token.at, p->token.len)) {
        expected(p, "an observation such as connections.utilization");
        return condition__node_free(node);
    }
    resolve_name(p, &p->token, node);
    advance(p);
    if (p->token.kind != TOKEN_OPERATOR) {
        if (node->observation && node->observation->unit == UNIT_YES_NO &&
            p->token.kind != TOKEN_BAD) {
            node->number = 1;
            return node;
        }
        expected(p, "one of > >= < <= == !=");
        return condition__node_free(node);
    }
    read_comparison(p, node);
    advance(p);
    if (p->token.kind != TOKEN_LITERAL && p->token.kind != TOKEN_NAME) {
        expected(p, node->observation ? observation_unit_wish(node->observation->unit) : "a value");
        return condition__node_free(node);
    }
    read_literal(p, node);
    advance(p);
    return node;
}

/* --- what binds comparisons ------------------------------------------------------------------- */

static struct node *join(enum node_kind kind, struct node *left, struct node *right)
{
    struct node *node = mem_new(sizeof *node);
    node->kind = kind;
    node->left = left;
    node->right = right;
    return node;
}

static struct node *parse_primary(struct parser *p)
{
    if (p->token.kind != TOKEN_OPEN)
        return parse_comparison(p);
    if (p->depth >= DEPTH_MAX)
        return expected(p, "less nesting");
    p->depth++;
    advance(p);
    struct node *inner = parse_condition(p);
    p->depth--;
    if (!inner)
        return NULL;
    if (p->token.kind != TOKEN_SHUT) {
        expected(p, "'and', 'or' or ')'");
        return condition__node_free(inner);
    }
    advance(p);
    return inner;
}

static struct node *parse_for(struct parser *p, struct node *inner)
{
    CLEANUP_FREE char *text = mem_strndup(p->token.at, p->token.len);
    int64_t ms = 0;
    if (p->token.kind != TOKEN_LITERAL || !duration_parse(text, &ms) || ms <= 0 || ms > DAY_MS) {
        expected(p, "a duration such as 15s, at most a day");
        return condition__node_free(inner);
    }
    struct node *node = join(NODE_FOR, inner, NULL);
    node->for_ms = ms;
    node->slot = p->condition->slots++;
    advance(p);
    return node;
}

/* A whole number between 1 and OF_SAMPLES_MAX in the token; 0 for anything else. */
static int small_number(const struct token *token)
{
    int value = 0;
    if (token->kind != TOKEN_LITERAL || token->quoted || token->len > 2)
        return 0;
    for (size_t i = 0; i < token->len; i++) {
        if (!isdigit((unsigned char)token->at[i]))
            return 0;
        value = value * 10 + token->at[i] - '0';
    }
    return value <= OF_SAMPLES_MAX ? value : 0;
}

static struct node *parse_of(struct parser *p, struct node *inner)
{
    const char *start = p->token.at;
    int n = small_number(&p->token);
    advance(p);
    bool form = take(p, "of");
    int m = form ? small_number(&p->token) : 0;
    if (!form || n == 0 || m == 0) {
        expected(p, form ? "a number from 1 to 32, as in '3 of 5'" : "'of', as in '3 of 5'");
        return condition__node_free(inner);
    }
    if (n > m) {
        p->wrong = true;
        COMPLAIN_AT(p, start, "%s: %d of %d can never be", p->what, n, m);
    }
    if (inner->kind != NODE_COMPARE || inner->quantifier != QUANTIFIER_ONE) {
        p->wrong = true;
        COMPLAIN_AT(p, start, "%s: '%d of %d' counts the samples of one comparison only", p->what,
                    n, m);
    }
    struct node *node = join(NODE_OF, inner, NULL);
    node->of_n = n;
    node->of_m = m;
    node->slot = p->condition->slots++;
    advance(p);
    return node;
}

static struct node *parse_term(struct parser *p)
{
    bool inverted = false;
    while (take(p, "not"))
        inverted = !inverted;
    struct node *node = parse_primary(p);
    return node && inverted ? join(NODE_NOT, node, NULL) : node;
}

/* "not x for 15s" is (not x) for 15s, as people mean it. */
static struct node *parse_held(struct parser *p)
{
    struct node *node = parse_term(p);
    if (node && take(p, "for"))
        return parse_for(p, node);
    if (node && p->token.kind == TOKEN_LITERAL && !p->token.quoted)
        return parse_of(p, node);
    return node;
}

static struct node *parse_chain(struct parser *p, const char *word, enum node_kind kind,
                                struct node *(*parse_part)(struct parser *))
{
    struct node *left = parse_part(p);
    while (left && take(p, word)) {
        struct node *right = parse_part(p);
        if (!right)
            return condition__node_free(left);
        left = join(kind, left, right);
    }
    return left;
}

static struct node *parse_all(struct parser *p)
{
    return parse_chain(p, "and", NODE_AND, parse_held);
}

static struct node *parse_condition(struct parser *p)
{
    return parse_chain(p, "or", NODE_OR, parse_all);
}

struct condition *condition_read(const struct yaml_node *node, const char *what,
                                 struct diag_list *diags)
{
    const char *text;
    if (!yaml_read_text(node, what, &text, diags))
        return NULL;
    if (strlen(text) > TEXT_MAX) {
        yaml_error(diags, node, "%s: longer than %d characters", what, TEXT_MAX);
        return NULL;
    }
    struct condition *condition = mem_new(sizeof *condition);
    struct parser p = {
        .node = node, .diags = diags, .what = what, .cursor = text, .condition = condition};
    condition->text = mem_strdup(text);
    advance(&p);
    condition->root = parse_condition(&p);
    if (condition->root && p.token.kind != TOKEN_END) {
        expected(&p, "'and', 'or', 'for', 'N of M' or the end");
        p.wrong = true;
    }
    return condition->root && !p.wrong ? condition : condition_free(condition);
}

bool condition_hold_of(struct condition *condition, int n, int m)
{
    struct node *root = condition->root;
    if (root->kind != NODE_COMPARE || root->quantifier != QUANTIFIER_ONE)
        return false;
    condition->root = join(NODE_OF, root, NULL);
    condition->root->of_n = n;
    condition->root->of_m = m;
    condition->root->slot = condition->slots++;
    return true;
}
