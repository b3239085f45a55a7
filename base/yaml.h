/* YAML as a tree of nodes that know their line and column, and typed readers on it.
 *
 * libyaml parses; this layer adds what it lacks: duplicate keys are errors, `<<` merges, aliases
 * are expanded under a ceiling (an alias bomb is an error, not an afternoon), depth is limited.
 * Scalars are never guessed: the reader says what it wants, so `no` and `1:30` stay texts.
 * Every reader adds its complaint to the diagnostics and returns false.
 *
 * May use: libyaml, jansson.
 */
#ifndef BASE_YAML_H
#define BASE_YAML_H

#include "base/diag.h"

#include <stdbool.h>
#include <stdint.h>

enum yaml_kind { YAML_NULL, YAML_TEXT, YAML_LIST, YAML_MAP };

struct yaml_node {
    enum yaml_kind kind;
    int line, column;         /* from 1 */
    bool quoted;              /* a text in quotes: "null" is then a text */
    char *text;               /* of a YAML_TEXT */
    struct yaml_node **items; /* of a list; the values of a map */
    struct yaml_node **keys;  /* of a map, in the order of the text */
    size_t count;
};

/* At most 1 MiB. NULL when there was a syntax error, which is in `diags` then; an empty document
 * gives a YAML_NULL. The caller frees the tree with yaml_node_free, after its last use of any node.
 */
struct yaml_node *yaml_parse(const char *text, size_t len, struct diag_list *diags);
void yaml_node_free(struct yaml_node *root);

/* The tree as JSON, every scalar a text; the caller owns it. JSON is YAML, so yaml_parse reads its
 * dump back to an equal tree. */
json_t *yaml_json(const struct yaml_node *node);

/* The value of a key, or NULL. Borrowed. */
const struct yaml_node *yaml_get(const struct yaml_node *map, const char *key);

/* The word for what a node is: "a list", "a map" … */
const char *yaml_kind_name(const struct yaml_node *node);

bool yaml_error(struct diag_list *diags, const struct yaml_node *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A complaint about the byte `offset` of node->text: the caret points into the scalar, whatever its
 * quotes and line breaks. Always false. */
bool yaml_error_at(struct diag_list *diags, const struct yaml_node *node, size_t offset,
                   const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Refuses keys that are not in `known` (NULL-terminated) with "did you mean"; keys that begin
 * with "x-" are the user's own and pass. True when the node is a map and all keys are known. */
bool yaml_expect_map(const struct yaml_node *node, const char *what, const char *const *known,
                     struct diag_list *diags);
bool yaml_expect_list(const struct yaml_node *node, const char *what, struct diag_list *diags);

bool yaml_read_text(const struct yaml_node *node, const char *what, const char **ret_text,
                    struct diag_list *diags);

/* The path of a file, or "credential:NAME" (base/credential.h); what was in *slot is freed. The
 * file is not looked at. */
bool yaml_read_path(const struct yaml_node *node, const char *what, char **slot,
                    struct diag_list *diags);
bool yaml_read_int(const struct yaml_node *node, const char *what, int64_t min, int64_t max,
                   int64_t *ret_value, struct diag_list *diags);
bool yaml_read_bool(const struct yaml_node *node, const char *what, bool *ret_value,
                    struct diag_list *diags);

/* A duration between min and max milliseconds (see clock.h for its form). */
bool yaml_read_duration(const struct yaml_node *node, const char *what, int64_t min_ms,
                        int64_t max_ms, int64_t *ret_ms, struct diag_list *diags);

/* One of `words` (NULL-terminated); *ret_index is its place. */
bool yaml_read_choice(const struct yaml_node *node, const char *what, const char *const *words,
                      size_t *ret_index, struct diag_list *diags);

#endif
