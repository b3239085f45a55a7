/* See patterns.h. */
#include "watch/patterns.h"

#include "base/mem.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include "log_patterns.h"

#include <assert.h>
#include <pcre2.h>
#include <stdio.h>
#include <string.h>

/* A sane expression needs some hundred steps a line. This many take about a millisecond. */
enum { MATCH_LIMIT = 100000, DEPTH_LIMIT = 10000, HEAP_LIMIT_KIB = 4096 };
enum { NAME_MAX_BYTES = 64 };

enum { ROLES_DEFAULT = 1 << ROLE_APP | 1 << ROLE_POOLER };
enum { ROLES_ANY = ROLES_DEFAULT | 1 << ROLE_DATABASE };

struct expression {
    pcre2_code *code;
};

struct pattern {
    char *name;
    struct expression *expressions;
    size_t count;
    unsigned roles; /* bits 1 << enum stack_role */
    char **services;
    size_t service_count; /* 0: all */
};

struct patterns {
    struct pattern *items;
    size_t count;
    pcre2_match_data *data;
    pcre2_match_context *limits;
};

/* --- life ------------------------------------------------------------------------------------- */

static void pattern_clear(struct pattern *pattern)
{
    for (size_t i = 0; i < pattern->count; i++)
        pcre2_code_free(pattern->expressions[i].code);
    for (size_t i = 0; i < pattern->service_count; i++)
        free(pattern->services[i]);
    free(pattern->expressions);
    free(pattern->services);
    free(pattern->name);
}

struct patterns *patterns_free(struct patterns *patterns)
{
    if (!patterns)
        return NULL;
    for (size_t i = 0; i < patterns->count; i++)
        pattern_clear(&patterns->items[i]);
    free(patterns->items);
    pcre2_match_data_free(patterns->data);
    pcre2_match_context_free(patterns->limits);
    free(patterns);
    return NULL;
}

static struct patterns *patterns_new(void)
{
    struct patterns *patterns = mem_new(sizeof *patterns);
    patterns->data = pcre2_match_data_create(1, NULL);
    patterns->limits = pcre2_match_context_create(NULL);
    if (!patterns->data || !patterns->limits)
        abort(); /* out of memory: see base/mem.h */
    pcre2_set_match_limit(patterns->limits, MATCH_LIMIT);
    pcre2_set_depth_limit(patterns->limits, DEPTH_LIMIT);
    pcre2_set_heap_limit(patterns->limits, HEAP_LIMIT_KIB);
    return patterns;
}

/* --- reading one ------------------------------------------------------------------------------ */

static bool read_name(const struct yaml_node *value, struct pattern *pattern,
                      struct diag_list *diags)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    const char *text;
    if (!yaml_read_text(value, "name", &text, diags))
        return false;
    size_t good = strspn(text, allowed);
    if (text[good])
        return yaml_error_at(diags, value, good,
                             "name: '%c' may not stand in a name; use letters, digits, - and _",
                             text[good]);
    if (strlen(text) > NAME_MAX_BYTES)
        return yaml_error(diags, value, "name: longer than %d letters", NAME_MAX_BYTES);
    pattern->name = mem_strdup(text);
    return true;
}

static bool complain_about(const struct yaml_node *node, int code, size_t offset,
                           struct diag_list *diags)
{
    PCRE2_UCHAR message[256];
    pcre2_get_error_message(code, message, sizeof message);
    return yaml_error_at(diags, node, offset, "match: %s", (const char *)message);
}

static bool read_expression(const struct yaml_node *node, struct pattern *pattern, uint32_t options,
                            struct diag_list *diags)
{
    const char *text;
    int code;
    PCRE2_SIZE offset;
    if (!yaml_read_text(node, "match", &text, diags))
        return false;
    pcre2_code *compiled =
        pcre2_compile((PCRE2_SPTR)text, strlen(text), options, &code, &offset, NULL);
    if (!compiled)
        return complain_about(node, code, offset, diags);
    /* Faster where the kernel lets us (systemd's MemoryDenyWriteExecute does not); else as it is.
     */
    pcre2_jit_compile(compiled, PCRE2_JIT_COMPLETE);
    MEM_PUSH(pattern->expressions, pattern->count)->code = compiled;
    uint32_t matches_empty = 0;
    pcre2_pattern_info(compiled, PCRE2_INFO_MATCHEMPTY, &matches_empty);
    return !matches_empty || yaml_error(diags, node, "match: '%s' matches every line", text);
}

/* One text, or a list of them. */
static bool read_match(const struct yaml_node *value, bool ignore_case, struct pattern *pattern,
                       struct diag_list *diags)
{
    uint32_t options = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C;
    options |= ignore_case ? PCRE2_CASELESS : 0;
    bool fine = true;
    if (value->kind != YAML_LIST)
        return read_expression(value, pattern, options, diags);
    if (value->count == 0)
        return yaml_error(diags, value, "match: the list is empty");
    for (size_t i = 0; i < value->count; i++)
        fine = read_expression(value->items[i], pattern, options, diags) && fine;
    return fine;
}

static bool read_role(const struct yaml_node *node, unsigned *roles, struct diag_list *diags)
{
    static const char *const words[] = {"app", "pooler", "database", "any", NULL};
    static const unsigned bits[] = {1 << ROLE_APP, 1 << ROLE_POOLER, 1 << ROLE_DATABASE, ROLES_ANY};
    size_t index;
    if (!yaml_read_choice(node, "role", words, &index, diags))
        return false;
    *roles |= bits[index];
    return true;
}

static bool read_roles(const struct yaml_node *value, struct pattern *pattern,
                       struct diag_list *diags)
{
    bool fine = true;
    pattern->roles = 0;
    if (value->kind != YAML_LIST)
        return read_role(value, &pattern->roles, diags);
    if (value->count == 0)
        return yaml_error(diags, value, "role: the list is empty");
    for (size_t i = 0; i < value->count; i++)
        fine = read_role(value->items[i], &pattern->roles, diags) && fine;
    return fine;
}

static bool read_services(const struct yaml_node *value, struct pattern *pattern,
                          struct diag_list *diags)
{
    bool fine = true;
    const char *text;
    if (!yaml_expect_list(value, "services", diags))
        return false;
    if (value->count == 0)
        return yaml_error(diags, value, "services: the list is empty");
    for (size_t i = 0; i < value->count; i++)
        if (!yaml_read_text(value->items[i], "services", &text, diags))
            fine = false;
        else
            *MEM_PUSH(pattern->services, pattern->service_count) = mem_strdup(text);
    return fine;
}

/* Fills the pattern, which the caller clears whatever comes. */
static bool read_pattern(const struct yaml_node *node, struct pattern *pattern,
                         struct diag_list *diags)
{
    static const char *const known[] = {"name", "match", "role", "services", "ignore_case", NULL};
    if (node->kind != YAML_MAP)
        return yaml_expect_map(node, "logs", known, diags);
    const struct yaml_node *name = yaml_get(node, "name");
    const struct yaml_node *match = yaml_get(node, "match");
    const struct yaml_node *role = yaml_get(node, "role");
    const struct yaml_node *services = yaml_get(node, "services");
    const struct yaml_node *ignore_case = yaml_get(node, "ignore_case");
    bool caseless = false;
    bool fine = yaml_expect_map(node, "logs", known, diags);
    /* Who names services means them, whatever they are. */
    pattern->roles = services ? ROLES_ANY | 1 << ROLE_IGNORE : ROLES_DEFAULT;
    if (!name || !match)
        fine = yaml_error(diags, node, "logs: a pattern needs a name and a match");
    if (ignore_case)
        fine = yaml_read_bool(ignore_case, "ignore_case", &caseless, diags) && fine;
    if (name)
        fine = read_name(name, pattern, diags) && fine;
    if (match)
        fine = read_match(match, caseless, pattern, diags) && fine;
    if (role)
        fine = read_roles(role, pattern, diags) && fine;
    if (services)
        fine = read_services(services, pattern, diags) && fine;
    return fine;
}

/* --- reading all ------------------------------------------------------------------------------ */

static size_t place_of(const struct patterns *patterns, const char *name)
{
    size_t place = 0;
    while (place < patterns->count && strcmp(patterns->items[place].name, name) != 0)
        place++;
    return place;
}

bool patterns_builtin(size_t index, const char **ret_name, const char **ret_text)
{
    if (index >= ARRAY_SIZE(log_patterns))
        return false;
    *ret_name = log_patterns[index].name;
    *ret_text = log_patterns[index].text;
    return true;
}

static void add_builtin(struct patterns *patterns, const char *name, const char *text)
{
    struct diag_list diags;
    diag_init(&diags, name, text);
    struct yaml_node *node = yaml_parse(text, strlen(text), &diags);
    struct pattern *pattern = MEM_PUSH(patterns->items, patterns->count);
    bool fine = node && read_pattern(node, pattern, &diags);
    if (!fine)
        diag_print(&diags, stderr);
    assert(fine && "a shipped log pattern does not load");
    yaml_node_free(node);
    diag_free(&diags);
}

/* A user's pattern, in the place of a shipped one of its name; not one that the list had before. */
static bool add_own(struct patterns *patterns, size_t shipped, bool *seen,
                    const struct yaml_node *node, struct diag_list *diags)
{
    struct pattern pattern = {0};
    if (!read_pattern(node, &pattern, diags)) {
        pattern_clear(&pattern);
        return false;
    }
    assert(pattern.name);
    size_t place = place_of(patterns, pattern.name);
    if (place < patterns->count && (place >= shipped || seen[place])) {
        pattern_clear(&pattern);
        return yaml_error(diags, yaml_get(node, "name"), "two patterns bear the name %s",
                          patterns->items[place].name);
    }
    if (place < patterns->count) {
        pattern_clear(&patterns->items[place]);
        seen[place] = true;
    } else {
        (void)MEM_PUSH(patterns->items, patterns->count);
    }
    patterns->items[place] = pattern;
    return true;
}

struct patterns *patterns_read(const struct yaml_node *list, struct diag_list *diags)
{
    struct patterns *patterns = patterns_new();
    const char *name;
    const char *text;
    bool seen[ARRAY_SIZE(log_patterns)] = {false};
    for (size_t i = 0; patterns_builtin(i, &name, &text); i++)
        add_builtin(patterns, name, text);
    size_t shipped = patterns->count;
    bool fine = !list || yaml_expect_list(list, "logs", diags);
    for (size_t i = 0; list && i < list->count; i++) /* no list has no items */
        fine = add_own(patterns, shipped, seen, list->items[i], diags) && fine;
    return fine ? patterns : patterns_free(patterns);
}

/* --- asking ----------------------------------------------------------------------------------- */

size_t patterns_count(const struct patterns *patterns)
{
    return patterns->count;
}

const char *patterns_name(const struct patterns *patterns, size_t index)
{
    return patterns->items[index].name;
}

bool patterns_apply(const struct patterns *patterns, size_t index,
                    const struct stack_service *service)
{
    const struct pattern *pattern = &patterns->items[index];
    bool is_named = pattern->service_count == 0;
    for (size_t i = 0; i < pattern->service_count; i++)
        is_named = is_named || strcmp(pattern->services[i], service->name) == 0;
    return is_named && (pattern->roles & 1U << service->role) != 0;
}

enum pattern_verdict patterns_match(const struct patterns *patterns, size_t index, const char *line,
                                    size_t len)
{
    const struct pattern *pattern = &patterns->items[index];
    enum pattern_verdict verdict = PATTERN_NO;
    for (size_t i = 0; i < pattern->count; i++) {
        int code = pcre2_match(pattern->expressions[i].code, (PCRE2_SPTR)line, len, 0, 0,
                               patterns->data, patterns->limits);
        if (code >= 0)
            return PATTERN_YES;
        if (code != PCRE2_ERROR_NOMATCH)
            verdict = PATTERN_TOO_HARD;
    }
    return verdict;
}
