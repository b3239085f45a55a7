/* What each receiver has been told of the incidents that are open, so that it is told once.
 *
 * An incident's row, as the store keeps it:
 *     {"since": {"ops": 1764…}, "to": {"ops": [{"what": "acted clean", "kind": "acted",
 *                                               "severity": "warning"}]}}
 * Bounded: with too many incidents the oldest is forgotten.
 *
 * May use: base. Pure: it is told the time.
 */
#ifndef NOTIFY_TOLD_H
#define NOTIFY_TOLD_H

#include "base/json.h"
#include "notify/words.h"

struct notify_event;
struct notify__told;

struct notify__told *notify__told_new(void);
struct notify__told *notify__told_free(struct notify__told *told); /* accepts NULL; gives NULL */

/* What makes a notification of an incident another one: its kind; of a question which decision, of
 * an act which playbook. The caller frees it. */
char *notify__told_what(enum notify__kind kind, const struct notify_event *event);

bool notify__told_has(const struct notify__told *told, const char *key, const char *receiver,
                      const char *what);

/* [{"kind","severity"}] of what the receiver was told, NULL when nothing; the caller owns it. */
json_t *notify__told_list(const struct notify__told *told, const char *key, const char *receiver);

/* When it was first told of the incident; now_wall_ms when it was not. */
int64_t notify__told_since(const struct notify__told *told, const char *key, const char *receiver,
                           int64_t now_wall_ms);

/* The receiver is told. `forgotten` gets the key of an incident that had to make room (the caller
 * frees it), or NULL. */
void notify__told_add(struct notify__told *told, const char *key, const char *receiver,
                      const char *what, enum notify__kind kind, enum notify__severity severity,
                      int64_t now_wall_ms, char **ret_forgotten);

/* The incident is over. False when it was not known. */
bool notify__told_forget(struct notify__told *told, const char *key);

/* Its row, borrowed; NULL when it is not known. And taking one that was kept: false when it is
 * none. */
const json_t *notify__told_row(const struct notify__told *told, const char *key);
bool notify__told_restore(struct notify__told *told, const char *key, const json_t *row);

#endif
