/* Conditions: the small language in which a policy says when.
 *
 *     condition  = all {"or" all}
 *     all        = held {"and" held}
 *     held       = term ["for" DURATION | N "of" M]
 *     term       = "not" term | "(" condition ")" | [any|all] NAME [OPERATOR LITERAL]
 *     OPERATOR   = > >= < <= == !=
 *     LITERAL    = 15 | 60% | 4m30s | 10/min | word | 'word' | true | false
 *
 *     connections.utilization > 60% for 15s
 *     any service.health == unhealthy and not database.state == starting
 *     not any service.health == unhealthy for 10s           (for 10s nobody is)
 *     connections.blocked > 10 3 of 5                       (three of the last five samples)
 *     connections.storm                                     (a yes/no observation stands alone)
 *
 * Operators are checked against the observation's unit when reading. `for` binds to the comparison,
 * the `not` or the parentheses before it; `of` to one comparison.
 *
 * Evaluation has three values. A comparison with a value that is missing, stale or older than the
 * caller's `not_before` is unknown; and/or/not follow Kleene (false and unknown is false); `any`
 * is an `or` over the family, `all` an `and`, both unknown over nobody. Unknown never triggers:
 * the caller acts on TRUE alone, and `for` and `of` begin again when their condition turns unknown.
 *
 * A condition is immutable once read. What `for` and `of` remember is a condition_state, one for
 * each use of a condition; it can be saved and restored.
 *
 * May use: base. Pure: it is told the time.
 */
#ifndef POLICIES_CONDITION_H
#define POLICIES_CONDITION_H

#include "base/buf.h"
#include "base/yaml.h"
#include "policies/board.h"

struct condition;
struct condition_state;

enum truth { TRUTH_FALSE, TRUTH_UNKNOWN, TRUTH_TRUE }; /* in this order: and = min, or = max */

const char *truth_name(enum truth truth); /* "false", "unknown", "true" */

/* Reads the scalar; every complaint is in diags at its line and column within it. NULL on error.
 * `what` names the key ("when"). The caller owns the result. */
struct condition *condition_read(const struct yaml_node *node, const char *what,
                                 struct diag_list *diags);
struct condition *condition_free(struct condition *condition); /* accepts NULL; returns NULL */

const char *condition_text(const struct condition *condition); /* as written */

/* "N of M" around the whole of it, which must be one comparison: else false. */
bool condition_hold_of(struct condition *condition, int n, int m);

/* The observations asked for, for checks against a stack: kind and parameter ("" for any, all and
 * kinds without). False past the last. */
bool condition_asks(const struct condition *condition, size_t index,
                    const struct observation_kind **ret_kind, const char **ret_parameter);

/* --- evaluating ------------------------------------------------------------------------------- */

struct condition_state *condition_state_new(const struct condition *condition);
struct condition_state *condition_state_free(struct condition_state *state);
void condition_state_reset(struct condition_state *state); /* every `for` and `of` begins again */

/* Sampled values from before not_before_ms count as unknown (INT64_MIN: all count). */
enum truth condition_eval(const struct condition *condition, struct condition_state *state,
                          const struct board *board, int64_t now_ms, int64_t not_before_ms);

/* The outcome at this very instant, as if every `for` and `of` asked for nothing: is the trouble
 * there? (Not: has it been there for long enough?) */
enum truth condition_now(const struct condition *condition, const struct board *board,
                         int64_t now_ms, int64_t not_before_ms);

/* The next time at which the outcome could change with the board as it is: a `for` that ends, a
 * value that goes stale. Later than now_ms; NEVER when time changes nothing. */
int64_t condition_next_change_ms(const struct condition *condition,
                                 const struct condition_state *state, const struct board *board,
                                 int64_t now_ms);

/* The array is the state's own form; restore ignores what does not fit the condition. */
json_t *condition_state_save(const struct condition_state *state);
void condition_state_restore(struct condition_state *state, const json_t *saved, int64_t shift_ms);

/* --- explaining ------------------------------------------------------------------------------- */

/* What decided it, as one sentence without its end: "connections.utilization is 71% (> 60%),
 * database.state is unknown (== ready)". Of an `or` that is true only its true sides are told, of
 * an `and` that is false only the false ones. Appends. Values are taken as by condition_now. */
void condition_explain(const struct condition *condition, const struct board *board, int64_t now_ms,
                       int64_t not_before_ms, struct buf *out);

/* [{"name","value","wanted","outcome","age_ms"}], one a value; the caller owns it. */
json_t *condition_values(const struct condition *condition, const struct board *board,
                         int64_t now_ms, int64_t not_before_ms);

#endif
