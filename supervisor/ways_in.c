/* See ways_in.h. */
#include "supervisor/ways_in.h"

#include "base/log.h"
#include "base/mem.h"

#include <string.h>

enum { SCOPES = CONTROL_PAGE + 1 };

struct ways_in {
    struct control *controls[SCOPES]; /* NULL: not configured */
};

/* read.sock beside the other socket; the caller frees it. */
static char *read_path(const char *socket_path)
{
    const char *slash = strrchr(socket_path, '/');
    int len = slash ? (int)(slash - socket_path) + 1 : 0;
    return mem_printf("%.*s" WIRE_READ_SOCKET, len, socket_path);
}

static const char *name_of(const struct control_options *options)
{
    return options->listen ? options->listen : options->socket_path;
}

int ways_in_open(struct loop *loop, const char *socket_path, const struct config *config,
                 const struct control_ops *ops, void *app, struct ways_in **ret, struct err *e)
{
    CLEANUP_FREE char *beside = read_path(socket_path);
    const struct {
        bool wanted;
        const char *what;
        struct control_options options;
    } table[SCOPES] = {
        [CONTROL_ACT] = {true, "", {.socket_path = socket_path, .group = config->socket_group}},
        [CONTROL_READ] = {config->read_group,
                          " for questions",
                          {.socket_path = beside, .group = config->read_group}},
        [CONTROL_ALERTS] = {config->alerts_listen,
                            " for alerts",
                            {.listen = config->alerts_listen,
                             .token_file = config->alerts_token_file}},
        [CONTROL_PAGE] = {config->status_listen,
                          " for the status page and metrics",
                          {.listen = config->status_listen}},
    };
    struct ways_in *ways = mem_new(sizeof *ways);
    for (size_t i = 0; i < SCOPES; i++) {
        struct control_options options = table[i].options;
        options.scope = (enum control_scope)i;
        options.ops = ops;
        options.app = app;
        if (!table[i].wanted)
            continue;
        int failed = control_new(loop, &options, &ways->controls[i], e);
        if (failed) {
            ways_in_close(ways);
            return failed;
        }
    }
    for (size_t i = 0; i < SCOPES; i++) {
        if (ways->controls[i])
            log_info("stack-supervisord %s listens on %s%s", STACK_SUPERVISOR_VERSION,
                     name_of(&table[i].options), table[i].what);
    }
    *ret = ways;
    return 0;
}

struct ways_in *ways_in_close(struct ways_in *ways)
{
    for (size_t i = 0; ways && i < SCOPES; i++)
        control_free(ways->controls[i]);
    free(ways);
    return NULL;
}
