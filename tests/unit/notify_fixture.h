/* A notify with its owner: a store that is a JSON object, a log that is a text, waiting for
 * conditions. One a test.
 */
#ifndef TESTS_UNIT_NOTIFY_FIXTURE_H
#define TESTS_UNIT_NOTIFY_FIXTURE_H

#include "base/buf.h"
#include "notify/notify.h"
#include "tests/unit/unit.h"

struct owner {
    struct loop *loop;
    struct notify *notify;
    json_t *rows; /* what the store holds */
    struct buf log;
    struct notify_limits limits;
    char folder[40];
};

void owner_open(struct owner *owner);
void owner_close(struct owner *owner);

/* The configuration's list; %d in it is the port. */
struct notify_config *receivers(const char *yaml, int port);
void owner_start(struct owner *owner, const char *yaml, int port); /* notify_new */
/* The daemon ends and starts anew with the same store. */
void owner_restart(struct owner *owner, const char *yaml, int port);

/* Writes a file into the test's folder and gives its path; the caller frees it. */
char *owner_file(const struct owner *owner, const char *name, const char *text);

/* An event of an incident, of policy "leaking". */
void tell(struct owner *owner, const char *key, const char *kind, const char *severity,
          const char *sentence);

/* Runs the loop until it holds; fails after 20 s. */
#define AWAIT(owner, condition)                                                                    \
    do {                                                                                           \
        struct waiting waiting = wait_begin((owner), #condition);                                  \
        while (!(condition))                                                                       \
            wait_turn(&waiting);                                                                   \
        wait_end(&waiting);                                                                        \
    } while (0)

struct waiting {
    struct owner *owner;
    struct timer *timer;
    const char *condition;
    int64_t until_ms;
};
struct waiting wait_begin(struct owner *owner, const char *condition);
void wait_turn(struct waiting *waiting);
void wait_end(struct waiting *waiting);

/* A number, and a text, of the first receiver in notify_json. */
int64_t number_of(const struct owner *owner, const char *key);
char *error_of(const struct owner *owner); /* message and hint; the caller frees it */
bool error_has(const struct owner *owner, const char *part);

/* Everything that a person could read: notify_json and the log. The caller frees it. */
char *all_shown(const struct owner *owner);

#endif
