/* The table of sub-commands: dispatch, help and usage all come from it.
 *
 * May use: base, control/wire.h.
 */
#ifndef SUPERVISORCTL_COMMANDS_H
#define SUPERVISORCTL_COMMANDS_H

#include "supervisorctl/ctl.h"

enum ctl_backend {
    BACKEND_NONE,
    BACKEND_ANY,    /* a daemon, or --standalone */
    BACKEND_DAEMON, /* what is watched, and decided by watching */
};

struct ctl_command {
    const char *name;
    const char *syntax;  /* what stands behind the name */
    const char *summary; /* one line */
    const char *details; /* more lines, or "" */
    int min_args, max_args;
    uint32_t options; /* OPTION_BIT of those it takes beside the global ones */
    enum ctl_backend backend;
    int (*run)(struct ctl *ctl);
};

const struct ctl_command *ctl_command_find(const char *name); /* or NULL */

/* The nearest name to one that is not known, or NULL. */
const char *ctl_command_meant(const char *name);

/* For ctl_options_parse(). */
uint32_t ctl_command_accepts(const char *name, bool *ret_known);

/* "usage: supervisorctl recover [PLAYBOOK] …": one line; of the whole when name is NULL or not
 * known. */
void ctl_print_usage(FILE *out, const char *name);

/* The help of one sub-command, or of all when it is NULL. */
void ctl_print_help(FILE *out, const struct ctl_command *command);

#endif
