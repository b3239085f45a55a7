/* Log patterns: regular expressions with a name, looked for in the containers' logs.
 *
 *     - name: too-many-clients        # the parameter of log(too-many-clients).rate
 *       match: 'sorry, too many clients already'      # or a list: any of them
 *       role: [app, pooler]           # whose logs: app, pooler, database, any
 *       services: [backend]           # only these
 *       ignore_case: true
 *
 * Without role and services the logs of apps and poolers are searched, not the database's own: the
 * database writes `sorry, too many clients already` for every refused login, the supervisor's probe
 * included, and does not say whose it was. What the probe met is connections.refused.rate.
 *
 * The expressions are PCRE2's (https://www.pcre.org/current/doc/html/pcre2pattern.html), in UTF-8,
 * with limits on what one line may cost; a line that is no UTF-8 is searched all the same. The
 * shipped patterns are files in watch/patterns/, embedded when building and read by the very reader
 * that reads a user's.
 *
 * May use: base, docker (the stack's shape), libpcre2. Reading and matching are pure.
 */
#ifndef WATCH_PATTERNS_H
#define WATCH_PATTERNS_H

#include "base/yaml.h"
#include "docker/stack.h"

struct patterns;

/* The shipped ones and those of the configuration's `logs:` list (NULL: none), of which one that
 * bears a shipped one's name takes its place. NULL when there were errors, all of which are in
 * diags, the caret at the fault in the expression. The caller owns the result. */
struct patterns *patterns_read(const struct yaml_node *list, struct diag_list *diags);
struct patterns *patterns_free(struct patterns *patterns); /* accepts NULL; returns NULL */

size_t patterns_count(const struct patterns *patterns);
const char *patterns_name(const struct patterns *patterns, size_t index);

/* Whether that service's logs are searched for it. */
bool patterns_apply(const struct patterns *patterns, size_t index,
                    const struct stack_service *service);

enum pattern_verdict {
    PATTERN_NO,
    PATTERN_YES,
    PATTERN_TOO_HARD, /* given up: the expression backtracks too much on this line */
};
enum pattern_verdict patterns_match(const struct patterns *patterns, size_t index, const char *line,
                                    size_t len);

/* The shipped ones: name and YAML text of each, in the order of the file names; false past the
 * last. */
bool patterns_builtin(size_t index, const char **ret_name, const char **ret_text);

#endif
