/* Policies: when to do what, as people write it.
 *
 *     - name: leaking
 *       description: …
 *       when: connections.utilization > 80%   # policies/condition.h
 *       for: 15s                              # or: 3 of 5
 *       schedule: every sunday 04:00          # instead of when; with it: asked at those times only
 *       on_alert: PostgresTooManyClients      # an alert from outside
 *       only: Mon-Fri 08:00-18:00             # or a list; nothing is begun outside
 *       ladder:                               # none: a policy that only notifies
 *         - run: clean                        # a playbook
 *           with: {idle: 30s}                 # its settings; "${NAME}" is the observation's value
 *           verify: connections.utilization < 70%   # else: `when` is no longer true
 *           within: 15s
 *       cooldown: 5m                          # after it helped
 *       budget: 3 per 1h                      # runs of this policy; over all: decide_options
 *       mode: act                             # act, ask, observe, off
 *       then: notify                          # the last rung failed: a person; or: again
 *       settle: 30s                           # after a start of the host
 *       rearm: {after: 1h, healthy_for: 5m}   # after a person was called
 *
 * The built-in policies are files in policies/builtin/, embedded when building and read by the
 * very loader that reads a user's.
 *
 * May use: base. Pure: reading text, no file and no clock.
 */
#ifndef POLICIES_POLICY_H
#define POLICIES_POLICY_H

#include "base/yaml.h"
#include "policies/condition.h"
#include "policies/schedule.h"
#include "policies/window.h"

enum policy_mode { MODE_ACT, MODE_ASK, MODE_OBSERVE, MODE_OFF, MODES };
enum policy_then { THEN_NOTIFY, THEN_AGAIN, THENS };

struct rung {
    char *playbook;
    json_t *with;             /* an object, or NULL */
    struct condition *verify; /* or NULL: the policy's `when` is no longer true */
    int64_t within_ms;
    int line, column; /* of its playbook's name, for those who know the playbooks */
};

struct policy {
    char *name;
    char *description;
    struct condition *when; /* or NULL */
    int64_t for_ms;         /* 0: at once */
    bool scheduled;
    struct schedule schedule;
    char *on_alert; /* or NULL */
    struct time_windows only;
    struct rung *rungs;
    size_t rung_count;
    int64_t cooldown_ms;
    struct budget budget;
    enum policy_mode mode;
    enum policy_then then;
    int64_t settle_ms;
    bool settle_given;        /* its own, not the default */
    int64_t rearm_after_ms;   /* NEVER: only by health */
    int64_t rearm_healthy_ms; /* NEVER: only by time */
    uint64_t fingerprint;     /* of its definition: tells whether saved state still fits */
    int line, column;         /* of its name, for complaints of those who know the stack */
};

/* One policy from its map; NULL when there were errors, all of which are in diags. */
struct policy *policy_read(const struct yaml_node *node, struct diag_list *diags);
struct policy *policy_free(struct policy *policy); /* accepts NULL; returns NULL */

const char *policy_mode_name(enum policy_mode mode);
bool policy_mode_parse(const char *name, enum policy_mode *ret);

/* The built-in ones: name and YAML text of each, in the order of the file names; false past the
 * last. */
bool policy_builtin(size_t index, const char **ret_name, const char **ret_text);

/* --- a set: the built-in ones, with a user's own of the same name in their place -------------- */

struct policy_set;
struct policy_set *policy_set_new(void);                    /* with the built-in ones */
struct policy_set *policy_set_empty(void);                  /* without */
struct policy_set *policy_set_free(struct policy_set *set); /* accepts NULL; returns NULL */

/* Reads the configuration's `policies:` list into the set: one that bears a name of the set takes
 * its place, others come first, in their order: a user's own go before the built-in ones. False
 * when there were errors; the set is then only good for being freed. */
bool policy_set_read(struct policy_set *set, const struct yaml_node *list, struct diag_list *diags);

/* How long those policies settle that do not say it themselves. */
void policy_set_settle(struct policy_set *set, int64_t settle_ms);

/* No policy of the set does more than `mode` allows: act > ask > observe > off. */
void policy_set_cap(struct policy_set *set, enum policy_mode mode);

/* In the order of their precedence: the first that may run does. */
size_t policy_set_count(const struct policy_set *set);
const struct policy *policy_set_at(const struct policy_set *set, size_t index);
const struct policy *policy_set_find(const struct policy_set *set, const char *name);

/* [{"name","description","mode","when",…}]; the caller owns it. */
json_t *policy_set_json(const struct policy_set *set);

#endif
