/* Where a byte of a YAML scalar stands in its file, so that a caret points into the scalar.
 *
 * A scalar may be plain, quoted, folded or literal; quotes, line breaks and indentation are in the
 * file and not in the value. The value's visible characters are in the file in the same order, so
 * they are counted along.
 *
 * May use: base. Private to policies/.
 */
#ifndef POLICIES_PLACE_H
#define POLICIES_PLACE_H

#include "base/yaml.h"

struct place {
    int line, column; /* from 1 */
};

/* The place of byte `offset` of node->text; without a source in the diagnostics, as if the value
 * stood on one line. */
struct place policies__place(const struct yaml_node *node, size_t offset,
                             const struct diag_list *diags);

/* A complaint about that byte. Always false. */
bool policies__complain(struct diag_list *diags, const struct yaml_node *node, size_t offset,
                        const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
