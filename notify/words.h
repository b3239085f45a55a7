/* The words of a notification: what kind it is, and how grave.
 *
 * May use: libc.
 */
#ifndef NOTIFY_WORDS_H
#define NOTIFY_WORDS_H

#include <stdbool.h>

enum notify__kind {
    NOTIFY__TRIGGERED,   /* a policy that only notifies holds */
    NOTIFY__ACTED,       /* a playbook was begun */
    NOTIFY__ASK,         /* somebody must approve one */
    NOTIFY__HANDED_OVER, /* the supervisor is at its end: a person is needed */
    NOTIFY__HEALED,      /* it is over */
    NOTIFY__TEST,        /* somebody tries whether it arrives */
    NOTIFY__KINDS
};

enum notify__severity { NOTIFY__INFO, NOTIFY__WARNING, NOTIFY__CRITICAL, NOTIFY__SEVERITIES };

/* NULL-terminated, in the order of the enum, for yaml_read_choice. */
extern const char *const notify__kind_names[];
extern const char *const notify__severity_names[];

bool notify__kind_parse(const char *name, enum notify__kind *ret);
bool notify__severity_parse(const char *name, enum notify__severity *ret);

#endif
