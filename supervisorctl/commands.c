/* See commands.h. */
#include "supervisorctl/commands.h"

#include "base/diag.h"
#include "base/mem.h"

#include <ctype.h>
#include <string.h>

#define CLEAN_OPTIONS                                                                              \
    (OPTION_BIT(OPTION_IDLE) | OPTION_BIT(OPTION_IDLE_IN_TRANSACTION) |                            \
     OPTION_BIT(OPTION_APPLICATION) | OPTION_BIT(OPTION_ROLE) | OPTION_BIT(OPTION_DATABASE) |      \
     OPTION_BIT(OPTION_CLIENT) | OPTION_BIT(OPTION_CONTAINER) | OPTION_BIT(OPTION_PROTECT) |       \
     OPTION_BIT(OPTION_SUPERUSERS) | OPTION_BIT(OPTION_ALL))
#define RUN_OPTIONS (OPTION_BIT(OPTION_YES) | OPTION_BIT(OPTION_DETACH))

static const struct ctl_command commands[] = {
    {"status", "", "show the stack, its database and the run that is under way",
     "Exit code: 0 healthy, 3 not healthy, 4 no daemon there.\n", 0, 0, 0, BACKEND_ANY, ctl_status},
    {"recover", "[PLAYBOOK] [--container NAME] [--service NAME] [--plan] [--yes] [--detach]",
     "run a playbook: by default, recover",
     "On a terminal it shows the plan and asks; elsewhere it runs at once. Then it shows what\n"
     "happens. Ctrl-C leaves the run to the daemon; with --standalone, it asks the run to wind up\n"
     "(start again what it stopped). When a run of the same playbook is under way, it joins it.\n"
     "--container and --service say whom restart-leaker, restart-unhealthy and the like act on;\n"
     "a playbook that has no such choice refuses them.\n",
     0, 1,
     OPTION_BIT(OPTION_PLAN) | RUN_OPTIONS | OPTION_BIT(OPTION_CONTAINER) |
         OPTION_BIT(OPTION_SERVICE),
     BACKEND_ANY, ctl_recover},
    {"clean", "[--dry-run] [--yes] [RULES]", "end leaked database sessions",
     "By default: sessions idle for more than 60 s, in a transaction or not. Never: replication,\n"
     "backups, the supervisor's own, superusers' unless told. Prints who was ended and why.\n",
     0, 0, OPTION_BIT(OPTION_DRY_RUN) | RUN_OPTIONS | CLEAN_OPTIONS, BACKEND_ANY, ctl_clean},
    {"connections", "", "show who holds the database's connections",
     "By state, application, client and container, and every session, the oldest first.\n", 0, 0, 0,
     BACKEND_ANY, ctl_connections},
    {"playbooks", "", "list the playbooks", "", 0, 0, 0, BACKEND_ANY, ctl_playbooks},
    {"runs", "", "list the last runs, newest first", "", 0, 0, 0, BACKEND_ANY, ctl_runs},
    {"run", "ID", "tell the story of a run",
     "Who asked for it, the evidence taken before, each action with its time and result, the\n"
     "state before and after.\n",
     1, 1, 0, BACKEND_ANY, ctl_run},
    {"attach", "[ID]", "follow a run: by default, the one that is under way",
     "With --standalone it carries on a run that was interrupted.\n"
     "Exit code: 0 when the run succeeded or is left to go on, 1 when it failed.\n",
     0, 1, 0, BACKEND_ANY, ctl_attach},
    {"abort", "[ID]", "end a run: it starts again what it stopped",
     "With --standalone it stays until that is done.\n", 0, 1, 0, BACKEND_ANY, ctl_abort},
    {"why", "[POLICY | ID] [--all]", "show the last decisions, and what each was taken on",
     "Also the decisions not to act. With the number of a decision: every value it was taken on.\n"
     "Without --all the last 20, without those that there is nothing to do.\n",
     0, 1, OPTION_BIT(OPTION_ALL), BACKEND_DAEMON, ctl_why},
    {"policies", "", "list the policies, and where each stands",
     "Whether it is triggered, which rung is being tried, what its budget still holds.\n", 0, 0, 0,
     BACKEND_DAEMON, ctl_policies},
    {"observations", "", "show the newest value of everything that is watched",
     "The names are those that conditions use: docs/policies.md.\n", 0, 0, 0, BACKEND_DAEMON,
     ctl_observations},
    {"approve", "[ID]", "let a policy do what it asks for: by default, the only one that asks", "",
     0, 1, 0, BACKEND_DAEMON, ctl_approve},
    {"deny", "[ID]", "do not let it", "", 0, 1, 0, BACKEND_DAEMON, ctl_deny},
    {"pause", "[--for DURATION] [--reason TEXT]", "let no policy act, until resumed or for a time",
     "What is under way goes on; `recover` by hand works as ever.\n", 0, 0,
     OPTION_BIT(OPTION_FOR) | OPTION_BIT(OPTION_REASON), BACKEND_DAEMON, ctl_pause},
    {"resume", "", "let policies act again", "", 0, 0, 0, BACKEND_DAEMON, ctl_resume},
    {"test-notify", "[RECEIVER]", "send a test notification: by default, to every receiver",
     "At once, beside the queues, one single time. Exit code: 0 taken by all, 1 not.\n", 0, 1, 0,
     BACKEND_DAEMON, ctl_test_notify},
    {"simulate", "TRACE [--policies FILE] [--all]",
     "replay a recorded trace through policies: what would have been done",
     "The daemon records one in its state directory; - reads it from standard input. Nothing is\n"
     "asked of a daemon and nothing is touched. A run that the trace does not end takes a minute.\n"
     "With --all also the decisions that there is nothing to do.\n",
     1, 1, OPTION_BIT(OPTION_POLICIES) | OPTION_BIT(OPTION_ALL), BACKEND_NONE, ctl_simulate},
    {"check", "[FILE]", "check a configuration file",
     "Shows every error with its line. Exit code: 0 fine, 2 errors.\n", 0, 1, 0, BACKEND_NONE,
     ctl_check},
    {"init", "", "print a configuration file with every setting at its default", "", 0, 0, 0,
     BACKEND_NONE, ctl_init},
    {"version", "", "show the versions of this command and of the daemon", "", 0, 0, 0, BACKEND_ANY,
     ctl_version},
    {"help", "[COMMAND]", "show help", "", 0, 1, 0, BACKEND_NONE, ctl_help},
};

const struct ctl_command *ctl_command_find(const char *name)
{
    for (size_t i = 0; name && i < ARRAY_SIZE(commands); i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

const char *ctl_command_meant(const char *name)
{
    const char *names[ARRAY_SIZE(commands) + 1] = {NULL};
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
        names[i] = commands[i].name;
    return diag_nearest(name, names);
}

uint32_t ctl_command_accepts(const char *name, bool *ret_known)
{
    const struct ctl_command *command = ctl_command_find(name);
    *ret_known = command;
    return command ? command->options : 0;
}

void ctl_print_usage(FILE *out, const char *name)
{
    const struct ctl_command *command = ctl_command_find(name);
    if (command)
        fprintf(out, "usage: supervisorctl %s%s%s\n", command->name, *command->syntax ? " " : "",
                command->syntax);
    else
        fputs("usage: supervisorctl [OPTIONS] COMMAND …; supervisorctl help shows them\n", out);
}

static void print_overview(FILE *out)
{
    fputs("usage: supervisorctl [OPTIONS] COMMAND [ARGUMENTS]\n\n"
          "Brings a Docker compose stack back whose PostgreSQL ran out of connections.\n\n"
          "Commands:\n",
          out);
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
        fprintf(out, "  %-12s %s\n", commands[i].name, commands[i].summary);
    fputs("\nOptions, before or behind the command:\n", out);
    ctl_options_help(out, CTL_GLOBAL_OPTIONS);
    fputs("\nExit codes: 0 done, 1 failed, 2 usage, 3 not healthy, 4 no daemon or no permission,\n"
          "5 refused, 124 timed out. The manual: supervisorctl(1).\n",
          out);
}

void ctl_print_help(FILE *out, const struct ctl_command *command)
{
    if (!command) {
        print_overview(out);
        return;
    }
    ctl_print_usage(out, command->name);
    fprintf(out, "\n%c%s.\n%s", toupper((unsigned char)command->summary[0]), command->summary + 1,
            command->details);
    if (command->options) {
        fputs("\nOptions:\n", out);
        ctl_options_help(out, command->options);
    }
    fputs("\nsupervisorctl help shows the options that every command takes.\n", out);
}

int ctl_help(struct ctl *ctl)
{
    const char *name = ctl->options->arg_count ? ctl->options->args[0] : NULL;
    const struct ctl_command *command = ctl_command_find(name);
    if (name && !command)
        return ctl_fail_usage(ctl, "there is no command '%s'", name);
    ctl_print_help(ctl->out, command);
    return WIRE_EXIT_DONE;
}
