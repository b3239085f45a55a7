/* See options.h. */
#include "supervisorctl/options.h"

#include "base/clock.h"
#include "base/diag.h"
#include "base/mem.h"
#include "control/wire.h"

#include <getopt.h>
#include <string.h>

enum { GETOPT_FIRST = 256, HELP_COLUMN = 30 };

static const struct {
    const char *name;
    char letter;       /* 0: none */
    const char *value; /* what it takes, in the words of the help; NULL: nothing */
    const char *environment;
    const char *help;
} rows[] = {
    [OPTION_SOCKET] = {"socket", 0, "PATH", WIRE_ENV_SOCKET,
                       "the daemon's socket (" WIRE_SOCKET_DEFAULT ")"},
    [OPTION_DOCKER_HOST] =
        {"docker-host", 0, "HOST", WIRE_ENV_DOCKER_HOST,
         "the engine, with --standalone and for check: unix:///path or tcp://host:port"},
    [OPTION_STATE_DIR] = {"state-dir", 0, "DIR", WIRE_ENV_STATE_DIR,
                          "the journal, with --standalone (" WIRE_STATE_DIR_DEFAULT ")"},
    [OPTION_CONFIG] = {"config", 0, "FILE", WIRE_ENV_CONFIG,
                       "the configuration, with --standalone and check"},
    [OPTION_JSON] = {"json", 0, NULL, WIRE_ENV_JSON, "print one JSON object and nothing else"},
    [OPTION_STANDALONE] = {"standalone", 0, NULL, WIRE_ENV_STANDALONE,
                           "do it in this process, with no daemon running"},
    [OPTION_COLOR] = {"color", 0, "auto|always|never", WIRE_ENV_COLOR,
                      "colours; auto: on a terminal, unless NO_COLOR is set"},
    [OPTION_TIMEOUT] = {"timeout", 0, "DURATION", WIRE_ENV_TIMEOUT,
                        "wait no longer than this (exit code 124)"},
    [OPTION_HELP] = {"help", 'h', NULL, NULL, "show help"},
    [OPTION_VERSION] = {"version", 0, NULL, NULL, "show the version of this command"},
    [OPTION_PLAN] = {"plan", 0, NULL, NULL, "show the plan and run nothing"},
    [OPTION_YES] = {"yes", 'y', NULL, NULL, "do not ask"},
    [OPTION_DETACH] = {"detach", 0, NULL, NULL, "return as soon as the run has begun"},
    [OPTION_DRY_RUN] = {"dry-run", 'n', NULL, NULL, "show who would be ended, and end nobody"},
    [OPTION_IDLE] = {"idle", 0, "DURATION", NULL, "end sessions idle for longer, or never"},
    [OPTION_IDLE_IN_TRANSACTION] = {"idle-in-transaction", 0, "DURATION", NULL,
                                    "the same for idle open transactions"},
    [OPTION_APPLICATION] = {"application", 0, "NAME", NULL,
                            "only of this application; may be repeated, 'web*' matches any tail"},
    [OPTION_ROLE] = {"role", 0, "NAME", NULL, "only of this role; may be repeated"},
    [OPTION_DATABASE] = {"database", 0, "NAME", NULL, "only in this database; may be repeated"},
    [OPTION_CLIENT] = {"client", 0, "ADDRESS", NULL, "only from this address; may be repeated"},
    [OPTION_CONTAINER] = {"container", 0, "NAME", NULL,
                          "this container (or service) only; may be repeated"},
    [OPTION_SERVICE] = {"service", 0, "NAME", NULL, "this service only; may be repeated"},
    [OPTION_PROTECT] = {"protect", 0, "NAME", NULL,
                        "never of this application or role; may be repeated"},
    [OPTION_SUPERUSERS] = {"superusers", 0, NULL, NULL, "also sessions of superusers"},
    [OPTION_ALL] =
        {"all", 0, NULL, NULL,
         "clean: every ordinary session, whatever it does; why, simulate: every decision"},
    [OPTION_FOR] = {"for", 0, "DURATION", NULL, "it ends by itself after so long"},
    [OPTION_REASON] = {"reason", 0, "TEXT", NULL, "why, for those who look later"},
    [OPTION_POLICIES] = {"policies", 0, "FILE", NULL,
                         "the configuration whose policies are tried; else the built-in ones"},
};
_Static_assert(ARRAY_SIZE(rows) == CTL_OPTIONS, "a row for every option");
_Static_assert(CTL_OPTIONS <= 32, "a bit for every option");

/* --- values ---------------------------------------------------------------------------------- */

static int read_color(const char *text, enum print_color_choice *ret, struct err *e)
{
    static const char *const words[] = {"auto", "always", "never", NULL};
    for (size_t i = 0; words[i]; i++) {
        if (strcmp(words[i], text) == 0) {
            *ret = (enum print_color_choice)i;
            return 0;
        }
    }
    return err_set(e, ERR_INVALID, "--color: '%s' is not auto, always or never", text);
}

static int read_duration(enum ctl_option option, const char *text, int64_t *ret, struct err *e)
{
    if (duration_parse(text, ret))
        return 0;
    int failed = err_set(e, ERR_INVALID, "--%s: '%s' is no duration", rows[option].name, text);
    err_hint(e, "write 250ms, 90s, 5m, 1h30m");
    return failed;
}

/* An age as the clean step of a playbook takes it. */
static int read_age(enum ctl_option option, const char *text, const char **ret, struct err *e)
{
    int64_t ignored;
    *ret = text;
    return strcmp(text, "never") == 0 ? 0 : read_duration(option, text, &ignored, e);
}

static int read_timeout(const char *text, int64_t *ret, struct err *e)
{
    int failed = read_duration(OPTION_TIMEOUT, text, ret, e);
    if (!failed && *ret == 0)
        failed = err_set(e, ERR_INVALID, "--timeout: it must be more than nothing");
    return failed;
}

static int push(struct ctl_names *names, const char *name)
{
    *MEM_PUSH(names->items, names->count) = name;
    return 0;
}

static int set(bool *flag)
{
    *flag = true;
    return 0;
}

static int set_text(const char **slot, const char *text)
{
    *slot = text;
    return 0;
}

static int apply(struct ctl_options *o, enum ctl_option option, const char *value, struct err *e)
{
    int64_t ignored;
    switch (option) {
    case OPTION_SOCKET:
        return set_text(&o->socket, value);
    case OPTION_DOCKER_HOST:
        return set_text(&o->docker_host, value);
    case OPTION_STATE_DIR:
        return set_text(&o->state_dir, value);
    case OPTION_CONFIG:
        return set_text(&o->config, value);
    case OPTION_JSON:
        return set(&o->json);
    case OPTION_STANDALONE:
        return set(&o->standalone);
    case OPTION_COLOR:
        return read_color(value, &o->color, e);
    case OPTION_TIMEOUT:
        return read_timeout(value, &o->timeout_ms, e);
    case OPTION_HELP:
        return set(&o->help);
    case OPTION_VERSION:
        return set(&o->version);
    case OPTION_PLAN:
        return set(&o->plan);
    case OPTION_YES:
        return set(&o->yes);
    case OPTION_DETACH:
        return set(&o->detach);
    case OPTION_DRY_RUN:
        return set(&o->dry_run);
    case OPTION_IDLE:
        return read_age(option, value, &o->idle, e);
    case OPTION_IDLE_IN_TRANSACTION:
        return read_age(option, value, &o->idle_in_transaction, e);
    case OPTION_APPLICATION:
        return push(&o->applications, value);
    case OPTION_ROLE:
        return push(&o->roles, value);
    case OPTION_DATABASE:
        return push(&o->databases, value);
    case OPTION_CLIENT:
        return push(&o->clients, value);
    case OPTION_CONTAINER:
        return push(&o->containers, value);
    case OPTION_SERVICE:
        return push(&o->services, value);
    case OPTION_PROTECT:
        return push(&o->protect, value);
    case OPTION_SUPERUSERS:
        return set(&o->superusers);
    case OPTION_ALL:
        return set(&o->all);
    case OPTION_FOR:
        return set_text(&o->pause_for, value) + read_duration(option, value, &ignored, e);
    case OPTION_REASON:
        return set_text(&o->reason, value);
    case OPTION_POLICIES:
        return set_text(&o->policies, value);
    case CTL_OPTIONS:
        break;
    }
    return err_set(e, ERR_INVALID, "no such option");
}

/* --- the environment ------------------------------------------------------------------------- */

/* A flag's twin: 1, yes or true sets it; 0, no or false leaves it. */
static int apply_flag_twin(struct ctl_options *o, enum ctl_option option, const char *value,
                           struct err *e)
{
    static const char *const yes[] = {"1", "yes", "true"};
    static const char *const no[] = {"0", "no", "false"};
    for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
        if (strcmp(value, yes[i]) == 0)
            return apply(o, option, value, e);
        if (strcmp(value, no[i]) == 0)
            return 0;
    }
    return err_set(e, ERR_INVALID, "%s: '%s' is neither yes nor no", rows[option].environment,
                   value);
}

static int apply_environment(struct ctl_options *o, struct err *e)
{
    for (int i = 0; i < CTL_OPTIONS; i++) {
        const char *value = rows[i].environment ? getenv(rows[i].environment) : NULL;
        if (!value || !*value)
            continue;
        int failed = rows[i].value ? apply(o, (enum ctl_option)i, value, e)
                                   : apply_flag_twin(o, (enum ctl_option)i, value, e);
        if (failed && rows[i].value)
            err_wrap(e, "environment %s: ", rows[i].environment);
        if (failed)
            return failed;
    }
    return 0;
}

/* --- the command line ------------------------------------------------------------------------ */

struct scan {
    struct option longs[CTL_OPTIONS + 1];
    char shorts[2 * CTL_OPTIONS + 3];
};

/* `mode` is getopt's: '+' stops at the first word that is no option, '-' gives words as option 1.
 * The ':' makes it tell a missing value from an unknown option. */
static void scan_init(struct scan *scan, char mode)
{
    size_t used = 0;
    *scan = (struct scan){0};
    scan->shorts[used++] = mode;
    scan->shorts[used++] = ':';
    for (int i = 0; i < CTL_OPTIONS; i++) {
        scan->longs[i] = (struct option){.name = rows[i].name,
                                         .has_arg = rows[i].value ? required_argument : no_argument,
                                         .val = GETOPT_FIRST + i};
        if (rows[i].letter)
            scan->shorts[used++] = rows[i].letter;
    }
}

static int find_letter(int letter)
{
    for (int i = 0; i < CTL_OPTIONS; i++)
        if (rows[i].letter && rows[i].letter == letter)
            return i;
    return -1;
}

static int refuse_unknown(const char *word, struct err *e)
{
    const char *names[CTL_OPTIONS + 1] = {NULL};
    for (int i = 0; i < CTL_OPTIONS; i++)
        names[i] = rows[i].name;
    size_t len = strcspn(word, "=");
    int failed = err_set(e, ERR_INVALID, "unknown option '%.*s'", (int)len, word);
    CLEANUP_FREE char *bare = mem_strndup(word, len);
    const char *meant = diag_nearest(bare + strspn(bare, "-"), names);
    if (meant)
        err_hint(e, "did you mean '--%s'?", meant);
    return failed;
}

/* The word that getopt has just taken apart. */
static const char *present_word(char **argv)
{
    bool value_apart = optarg && optarg == argv[optind - 1];
    return argv[optind - (value_apart ? 2 : 1)];
}

static int take(struct ctl_options *o, int got, char **argv, uint32_t accepted, struct err *e)
{
    int option = got >= GETOPT_FIRST ? got - GETOPT_FIRST : find_letter(got);
    if (got == ':')
        return err_set(e, ERR_INVALID, "%s: a value is missing", argv[optind - 1]);
    if (got == '?' && optopt && optopt < GETOPT_FIRST)
        return err_set(e, ERR_INVALID, "unknown option '-%c'", optopt);
    if (got == '?' && optopt >= GETOPT_FIRST)
        return err_set(e, ERR_INVALID, "--%s takes no value", rows[optopt - GETOPT_FIRST].name);
    const char *word = present_word(argv);
    if (option < 0)
        return refuse_unknown(word, e);
    /* getopt_long takes abbreviations for the whole; we do not. */
    if (got >= GETOPT_FIRST && strcspn(word + 2, "=") != strlen(rows[option].name))
        return refuse_unknown(word, e);
    if (!(accepted & OPTION_BIT(option)))
        return err_set(e, ERR_INVALID, "--%s is no option of %s", rows[option].name,
                       o->command ? o->command : "supervisorctl itself");
    o->given |= OPTION_BIT(option);
    return apply(o, (enum ctl_option)option, optarg, e);
}

static int push_arg(struct ctl_options *o, const char *word, struct err *e)
{
    if (o->arg_count == CTL_ARGS_MAX)
        return err_set(e, ERR_INVALID, "%s: too many arguments", o->command);
    o->args[o->arg_count++] = word;
    return 0;
}

static int scan_globals(struct ctl_options *o, int argc, char **argv, struct err *e)
{
    struct scan scan;
    int got;
    int failed = 0;
    scan_init(&scan, '+');
    opterr = 0;
    optind = 0; /* makes glibc begin anew */
    while (!failed && (got = getopt_long(argc, argv, scan.shorts, scan.longs, NULL)) != -1)
        failed = take(o, got, argv, CTL_GLOBAL_OPTIONS, e);
    if (!failed && optind < argc)
        o->command = argv[optind++];
    return failed;
}

static int scan_command(struct ctl_options *o, int argc, char **argv, uint32_t accepted,
                        struct err *e)
{
    struct scan scan;
    int got;
    int failed = 0;
    scan_init(&scan, '-');
    optind = 0;
    while (!failed && (got = getopt_long(argc, argv, scan.shorts, scan.longs, NULL)) != -1)
        failed = got == 1 ? push_arg(o, optarg, e)
                          : take(o, got, argv, CTL_GLOBAL_OPTIONS | accepted, e);
    for (; !failed && optind < argc; optind++) /* what stands behind "--" */
        failed = push_arg(o, argv[optind], e);
    return failed;
}

/* An error in front of --json is to be told as JSON too. */
static bool asks_for_json(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--json") == 0)
            return true;
    return false;
}

/* What only means something together with something else must not be ignored in silence. */
static int check_together(const struct ctl_options *o, struct err *e)
{
    static const enum ctl_option standalone_only[] = {OPTION_DOCKER_HOST, OPTION_STATE_DIR};
    bool checks = strcmp(o->command, "check") == 0; /* asks the Engine itself, and keeps nothing */
    for (size_t i = 0; i < ARRAY_SIZE(standalone_only); i++)
        if ((o->given & OPTION_BIT(standalone_only[i])) && !o->standalone &&
            !(checks && standalone_only[i] == OPTION_DOCKER_HOST)) {
            int failed = err_set(e, ERR_INVALID, "--%s goes with --standalone only",
                                 rows[standalone_only[i]].name);
            err_hint(e, "the daemon has its own; see stack-supervisord(8)");
            return failed;
        }
    if (o->standalone && o->detach)
        return err_set(e, ERR_INVALID,
                       "--detach and --standalone: with no daemon there is nobody to go on");
    return 0;
}

int ctl_options_parse(int argc, char **argv, ctl_accepts_fn accepts, struct ctl_options *options,
                      struct err *e)
{
    *options = (struct ctl_options){.socket = WIRE_SOCKET_DEFAULT,
                                    .state_dir = WIRE_STATE_DIR_DEFAULT,
                                    .json = asks_for_json(argc, argv)};
    int failed = apply_environment(options, e);
    if (!failed)
        failed = scan_globals(options, argc, argv, e);
    if (failed || !options->command)
        return failed;
    bool known = false;
    uint32_t accepted = accepts(options->command, &known);
    int rest = optind - 1; /* getopt starts behind the first word: let that be the sub-command */
    if (known)
        failed = scan_command(options, argc - rest, argv + rest, accepted, e);
    return failed ? failed : check_together(options, e);
}

void ctl_options_free(struct ctl_options *options)
{
    free(options->applications.items);
    free(options->roles.items);
    free(options->databases.items);
    free(options->clients.items);
    free(options->containers.items);
    free(options->services.items);
    free(options->protect.items);
    *options = (struct ctl_options){0};
}

void ctl_options_help(FILE *out, uint32_t which)
{
    for (int i = 0; i < CTL_OPTIONS; i++) {
        if (!(which & OPTION_BIT(i)))
            continue;
        CLEANUP_FREE char *left =
            rows[i].letter ? mem_printf("-%c, --%s", rows[i].letter, rows[i].name)
                           : mem_printf("--%s%s%s", rows[i].name, rows[i].value ? " " : "",
                                        rows[i].value ? rows[i].value : "");
        fprintf(out, "  %-*s %s\n", HELP_COLUMN, left, rows[i].help);
        if (rows[i].environment)
            fprintf(out, "  %-*s environment: %s\n", HELP_COLUMN, "", rows[i].environment);
    }
}
