/* The typed readers of yaml.h: what a node must be, and the complaint when it is not. */
#include "base/clock.h"
#include "base/credential.h"
#include "base/mem.h"
#include "base/yaml.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

const char *yaml_kind_name(const struct yaml_node *node)
{
    static const char *const names[] = {
        [YAML_NULL] = "nothing",
        [YAML_TEXT] = "a text",
        [YAML_LIST] = "a list",
        [YAML_MAP] = "a map",
    };
    return names[node->kind];
}

bool yaml_error(struct diag_list *diags, const struct yaml_node *node, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    CLEANUP_FREE char *text = mem_vprintf(format, args);
    va_end(args);
    return diag_add(diags, node->line, node->column, "%s", text);
}

/* Says what was found in place of what was wanted. */
static bool wanted(struct diag_list *diags, const struct yaml_node *node, const char *what,
                   const char *wish)
{
    if (node->kind == YAML_TEXT)
        return yaml_error(diags, node, "%s: '%s' is not %s", what, node->text, wish);
    return yaml_error(diags, node, "%s: expected %s, found %s", what, wish, yaml_kind_name(node));
}

static bool known_key(const struct yaml_node *key, const char *const *known)
{
    if (strncmp(key->text, "x-", 2) == 0)
        return true;
    for (; *known; known++)
        if (strcmp(key->text, *known) == 0)
            return true;
    return false;
}

bool yaml_expect_map(const struct yaml_node *node, const char *what, const char *const *known,
                     struct diag_list *diags)
{
    if (node->kind != YAML_MAP)
        return wanted(diags, node, what, "a map");
    bool fine = true;
    for (size_t i = 0; i < node->count; i++) {
        const struct yaml_node *key = node->keys[i];
        if (known_key(key, known))
            continue;
        const char *near = diag_nearest(key->text, known);
        fine = near ? yaml_error(diags, key, "%s: unknown key '%s'; did you mean '%s'?", what,
                                 key->text, near)
                    : yaml_error(diags, key, "%s: unknown key '%s'", what, key->text);
    }
    return fine;
}

bool yaml_expect_list(const struct yaml_node *node, const char *what, struct diag_list *diags)
{
    return node->kind == YAML_LIST || wanted(diags, node, what, "a list");
}

bool yaml_read_text(const struct yaml_node *node, const char *what, const char **ret_text,
                    struct diag_list *diags)
{
    if (node->kind != YAML_TEXT || !*node->text)
        return wanted(diags, node, what, "a text");
    *ret_text = node->text;
    return true;
}

bool yaml_read_path(const struct yaml_node *node, const char *what, char **slot,
                    struct diag_list *diags)
{
    const char *text = NULL;
    if (!yaml_read_text(node, what, &text, diags))
        return false;
    if (!credential_is_path(text))
        return yaml_error(diags, node, "%s: behind '" CREDENTIAL_PREFIX "' stands a file's name",
                          what);
    char *path = credential_path(text);
    free(*slot);
    *slot = path;
    return true;
}

bool yaml_read_int(const struct yaml_node *node, const char *what, int64_t min, int64_t max,
                   int64_t *ret_value, struct diag_list *diags)
{
    if (node->kind != YAML_TEXT)
        return wanted(diags, node, what, "a whole number");
    char *end;
    errno = 0;
    long long value = strtoll(node->text, &end, 10);
    if (end == node->text || *end || isspace((unsigned char)*node->text))
        return wanted(diags, node, what, "a whole number");
    if (errno == ERANGE || value < min || value > max)
        return yaml_error(diags, node, "%s: %s is not between %" PRId64 " and %" PRId64, what,
                          node->text, min, max);
    *ret_value = value;
    return true;
}

bool yaml_read_bool(const struct yaml_node *node, const char *what, bool *ret_value,
                    struct diag_list *diags)
{
    /* In quotes too: a tree that went through JSON comes back with every text in quotes. */
    if (node->kind == YAML_TEXT) {
        bool yes = strcmp(node->text, "true") == 0 || strcmp(node->text, "yes") == 0 ||
                   strcmp(node->text, "on") == 0;
        bool no = strcmp(node->text, "false") == 0 || strcmp(node->text, "no") == 0 ||
                  strcmp(node->text, "off") == 0;
        if (yes || no) {
            *ret_value = yes;
            return true;
        }
    }
    return wanted(diags, node, what, "true or false");
}

bool yaml_read_duration(const struct yaml_node *node, const char *what, int64_t min_ms,
                        int64_t max_ms, int64_t *ret_ms, struct diag_list *diags)
{
    int64_t ms;
    if (node->kind != YAML_TEXT || !duration_parse(node->text, &ms))
        return wanted(diags, node, what, "a duration such as 30s, 5m or 1h30m");
    if (ms < min_ms || ms > max_ms) {
        char low[DURATION_MAX];
        char high[DURATION_MAX];
        return yaml_error(diags, node, "%s: %s is not between %s and %s", what, node->text,
                          duration_text(min_ms, low), duration_text(max_ms, high));
    }
    *ret_ms = ms;
    return true;
}

bool yaml_read_choice(const struct yaml_node *node, const char *what, const char *const *words,
                      size_t *ret_index, struct diag_list *diags)
{
    if (node->kind != YAML_TEXT)
        return wanted(diags, node, what, "a word");
    for (size_t i = 0; words[i]; i++) {
        if (strcmp(node->text, words[i]) == 0) {
            *ret_index = i;
            return true;
        }
    }
    char list[256] = "";
    for (size_t i = 0; words[i]; i++) {
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", words[i]);
    }
    const char *near = diag_nearest(node->text, words);
    return near ? yaml_error(diags, node, "%s: '%s' is none of %s; did you mean '%s'?", what,
                             node->text, list, near)
                : yaml_error(diags, node, "%s: '%s' is none of %s", what, node->text, list);
}
