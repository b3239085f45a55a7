/* What every sub-command is given: the options, the way to the supervisor, and where to print.
 *
 * Data goes to stdout, messages go to stderr. With --json stdout carries exactly one object,
 * whatever happens. Every function that ends a sub-command returns its exit code (control/wire.h).
 *
 * May use: base, control/wire.h.
 */
#ifndef SUPERVISORCTL_CTL_H
#define SUPERVISORCTL_CTL_H

#include "base/err.h"
#include "base/json.h"
#include "control/wire.h"
#include "supervisorctl/options.h"
#include "supervisorctl/print.h"
#include "supervisorctl/signals.h"

struct backend;
struct outlet;
struct question;

struct ctl {
    const struct ctl_options *options;
    struct backend *backend; /* NULL for a sub-command that needs none */
    FILE *out;
    FILE *messages;
    struct outlet *outlet;    /* behind these two, with --standalone; else NULL */
    struct print_style style; /* of `out` */
    struct print_style messages_style;
    bool interactive;       /* a person sits there who can be asked */
    struct signals signals; /* open while a run is watched */
};

/* Shows an error (and, with --json, prints it as the one object) and returns `code`. */
int ctl_fail(struct ctl *ctl, int code, const struct err *e);

/* The same for an error of the command line: exit code 2. */
int ctl_fail_usage(struct ctl *ctl, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The one object of --json; returns `code`. */
int ctl_print_json(struct ctl *ctl, int code, const json_t *object);

/* A message for the person, not data. */
void ctl_say(struct ctl *ctl, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Only with no daemon, whose next life carries on by itself what was interrupted: how that is done,
 * in a sentence with the command line for it. The caller frees it. */
char *ctl_carry_on_hint(const struct ctl *ctl);

/* The exit code that goes with an error that the supervisor gave. */
int ctl_exit_of(enum err_code code);

/* The number of a run as it was typed; false with e set for anything else. */
bool ctl_read_run(const char *text, int64_t *ret, struct err *e);

/* Asks, and prints the answer when that is all there is to do (--json, or a failure): then false,
 * with the exit code. *ret is the caller's in every case. */
bool ctl_ask(struct ctl *ctl, const struct question *question, json_t **ret, int *ret_code);

/* The sub-commands (commands.c has the table). */
int ctl_status(struct ctl *ctl);
int ctl_recover(struct ctl *ctl);
int ctl_clean(struct ctl *ctl);
int ctl_connections(struct ctl *ctl);
int ctl_playbooks(struct ctl *ctl);
int ctl_runs(struct ctl *ctl);
int ctl_run(struct ctl *ctl);
int ctl_attach(struct ctl *ctl);
int ctl_abort(struct ctl *ctl);
int ctl_why(struct ctl *ctl);
int ctl_policies(struct ctl *ctl);
int ctl_observations(struct ctl *ctl);
int ctl_approve(struct ctl *ctl);
int ctl_deny(struct ctl *ctl);
int ctl_pause(struct ctl *ctl);
int ctl_resume(struct ctl *ctl);
int ctl_test_notify(struct ctl *ctl);
int ctl_simulate(struct ctl *ctl);
int ctl_check(struct ctl *ctl);
int ctl_init(struct ctl *ctl);
int ctl_version(struct ctl *ctl);
int ctl_help(struct ctl *ctl);

#endif
