/* The command line and its environment twins, read into one value.
 *
 * One table holds every option: its name, the environment variable that stands for it, and its
 * help. Global options may stand before and behind the sub-command; the others belong to the
 * sub-commands that name them. Names must be written whole: an abbreviation that is unambiguous
 * today may mean something else in the next version.
 *
 * May use: base, control/wire.h.
 */
#ifndef SUPERVISORCTL_OPTIONS_H
#define SUPERVISORCTL_OPTIONS_H

#include "base/err.h"
#include "supervisorctl/print.h"

#include <stdint.h>
#include <stdio.h>

enum ctl_option {
    OPTION_SOCKET,
    OPTION_DOCKER_HOST,
    OPTION_STATE_DIR,
    OPTION_CONFIG,
    OPTION_JSON,
    OPTION_STANDALONE,
    OPTION_COLOR,
    OPTION_TIMEOUT,
    OPTION_HELP,
    OPTION_VERSION,
    /* from here on of single sub-commands */
    OPTION_PLAN,
    OPTION_YES,
    OPTION_DETACH,
    OPTION_DRY_RUN,
    OPTION_IDLE,
    OPTION_IDLE_IN_TRANSACTION,
    OPTION_APPLICATION,
    OPTION_ROLE,
    OPTION_DATABASE,
    OPTION_CLIENT,
    OPTION_CONTAINER,
    OPTION_SERVICE,
    OPTION_PROTECT,
    OPTION_SUPERUSERS,
    OPTION_ALL,
    OPTION_FOR,
    OPTION_REASON,
    OPTION_POLICIES,
    CTL_OPTIONS
};

#define OPTION_BIT(option) (UINT32_C(1) << (option))

enum { CTL_ARGS_MAX = 4 };

struct ctl_names { /* an option that may be given several times */
    const char **items;
    size_t count;
};

/* All texts are borrowed from the argument vector and the environment. */
struct ctl_options {
    const char *command;            /* NULL when none was given */
    const char *args[CTL_ARGS_MAX]; /* what stands behind it */
    int arg_count;
    const char *socket;
    const char *docker_host; /* or NULL */
    const char *state_dir;
    const char *config; /* or NULL */
    enum print_color_choice color;
    int64_t timeout_ms; /* 0: none */
    bool json, standalone, help, version;
    bool plan, yes, detach, dry_run, superusers, all;
    const char *idle, *idle_in_transaction; /* durations, checked; or NULL */
    const char *pause_for;                  /* likewise */
    const char *reason;                     /* or NULL */
    const char *policies;                   /* or NULL */
    struct ctl_names applications, roles, databases, clients, containers, services, protect;
    uint32_t given; /* OPTION_BIT of those that stood on the command line */
};

/* The options a sub-command takes beside the global ones; *ret_known is false when there is no
 * such sub-command (then the rest of the line is not looked at). */
typedef uint32_t (*ctl_accepts_fn)(const char *command, bool *ret_known);

/* ERR_INVALID with what is wrong, and "did you mean" as its hint. The caller frees the options in
 * every case. */
int ctl_options_parse(int argc, char **argv, ctl_accepts_fn accepts, struct ctl_options *options,
                      struct err *e);
void ctl_options_free(struct ctl_options *options);

/* The help of the options in `which`, one line each. */
void ctl_options_help(FILE *out, uint32_t which);

#define CTL_GLOBAL_OPTIONS (OPTION_BIT(OPTION_PLAN) - 1)

#endif
