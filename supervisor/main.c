/* stack-supervisord: reads its options and runs the daemon in the foreground, logging to stderr. */
#include "base/log.h"
#include "base/mem.h"
#include "control/wire.h"
#include "supervisor/daemon.h"

#include <getopt.h>
#include <stdio.h>

static const char usage[] =
    "usage: stack-supervisord [options]\n"
    "\n"
    "Watches a Docker Compose stack and its PostgreSQL, and recovers it: by its policies when it\n"
    "sees trouble, and on demand.\n"
    "It stays in the foreground and logs to stderr.\n"
    "\n"
    "  --config FILE       configuration   (STACK_SUPERVISOR_CONFIG)\n"
    "                      default: " WIRE_CONFIG_DEFAULT ", if it exists\n"
    "  --state-dir DIR     journal, lock   (STACK_SUPERVISOR_STATE_DIR)\n"
    "                      default: " WIRE_STATE_DIR_DEFAULT "\n"
    "  --socket PATH       control socket  (STACK_SUPERVISOR_SOCKET)\n"
    "                      default: " WIRE_SOCKET_DEFAULT "\n"
    "  --docker-host HOST  unix:///path or tcp://host:port (STACK_SUPERVISOR_DOCKER_HOST)\n"
    "                      default: docker.host of the configuration, DOCKER_HOST,\n"
    "                      unix:///var/run/docker.sock\n"
    "  --mode MODE         act, ask, observe or off: no policy does more (STACK_SUPERVISOR_MODE)\n"
    "                      default: act, or what the configuration says\n"
    "  --log-level LEVEL   error, warning, info or debug; default: info\n"
    "  --version, --help\n";

static const char *from_environment(const char *name, const char *fallback)
{
    const char *value = getenv(name);
    return value && *value ? value : fallback;
}

static int set_log_level(const char *name)
{
    enum log_level level;
    if (log_parse_level(name, &level)) {
        log_set_level(level);
        return 0;
    }
    fprintf(stderr, "stack-supervisord: --log-level: '%s' is none of error, warning, info, debug\n",
            name);
    return -1;
}

static int set_mode(const char *name, struct daemon_options *options)
{
    if (policy_mode_parse(name, &options->mode))
        return 0;
    fprintf(stderr, "stack-supervisord: --mode: '%s' is none of act, ask, observe, off\n", name);
    return -1;
}

/* Fills options; -1 to go on, else the exit code. */
static int parse_options(int argc, char **argv, struct daemon_options *options)
{
    enum {
        OPT_CONFIG = 256,
        OPT_STATE_DIR,
        OPT_SOCKET,
        OPT_DOCKER_HOST,
        OPT_MODE,
        OPT_LOG_LEVEL,
        OPT_VERSION,
        OPT_HELP
    };
    static const struct option table[] = {
        {"config", required_argument, NULL, OPT_CONFIG},
        {"state-dir", required_argument, NULL, OPT_STATE_DIR},
        {"socket", required_argument, NULL, OPT_SOCKET},
        {"docker-host", required_argument, NULL, OPT_DOCKER_HOST},
        {"mode", required_argument, NULL, OPT_MODE},
        {"log-level", required_argument, NULL, OPT_LOG_LEVEL},
        {"version", no_argument, NULL, OPT_VERSION},
        {"help", no_argument, NULL, OPT_HELP},
        {NULL, 0, NULL, 0},
    };
    const char *mode = from_environment(WIRE_ENV_MODE, NULL);
    int option;
    if (mode && set_mode(mode, options) != 0)
        return WIRE_EXIT_USAGE;
    while ((option = getopt_long(argc, argv, "", table, NULL)) != -1) {
        switch (option) {
        case OPT_CONFIG:
            options->config_path = optarg;
            break;
        case OPT_STATE_DIR:
            options->state_dir = optarg;
            break;
        case OPT_SOCKET:
            options->socket_path = optarg;
            break;
        case OPT_DOCKER_HOST:
            options->docker_host = optarg;
            break;
        case OPT_MODE:
            if (set_mode(optarg, options) != 0)
                return WIRE_EXIT_USAGE;
            break;
        case OPT_LOG_LEVEL:
            if (set_log_level(optarg) != 0)
                return WIRE_EXIT_USAGE;
            break;
        case OPT_VERSION:
            puts("stack-supervisord " STACK_SUPERVISOR_VERSION);
            return WIRE_EXIT_DONE;
        case OPT_HELP:
            fputs(usage, stdout);
            return WIRE_EXIT_DONE;
        default:
            fputs("try: stack-supervisord --help\n", stderr);
            return WIRE_EXIT_USAGE;
        }
    }
    if (optind == argc)
        return -1;
    fprintf(stderr, "stack-supervisord: unexpected argument '%s'\n", argv[optind]);
    return WIRE_EXIT_USAGE;
}

int main(int argc, char **argv)
{
    struct daemon_options options = {
        .config_path = from_environment(WIRE_ENV_CONFIG, NULL),
        .state_dir = from_environment(WIRE_ENV_STATE_DIR, WIRE_STATE_DIR_DEFAULT),
        .socket_path = from_environment(WIRE_ENV_SOCKET, WIRE_SOCKET_DEFAULT),
        .docker_host = from_environment(WIRE_ENV_DOCKER_HOST, NULL),
    };
    int code = parse_options(argc, argv, &options);
    return code >= 0 ? code : daemon_run(&options);
}
