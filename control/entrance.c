/* See entrance.h. */
#include "control/entrance.h"

#include "base/mem.h"
#include "control/door.h"

#include <string.h>

/* --- opening and closing ---------------------------------------------------------------------- */

static char *forget(char *secret)
{
    if (secret)
        explicit_bzero(secret, strlen(secret));
    free(secret);
    return NULL;
}

static bool is_port(enum control_scope scope)
{
    return scope == CONTROL_ALERTS || scope == CONTROL_PAGE;
}

static int open_port(const struct control_options *options, struct entrance *entrance, int *ret_fd,
                     struct err *e)
{
    const char *section = options->scope == CONTROL_ALERTS ? "alerts" : "status";
    char *token = NULL;
    int failed =
        options->scope == CONTROL_ALERTS ? control__door_token(options->token_file, &token, e) : 0;
    if (!failed)
        failed = control__door_listen(section, options->listen, ret_fd, e);
    if (failed)
        forget(token);
    else
        *entrance = (struct entrance){.scope = options->scope, .token = token};
    return failed;
}

int control__entrance_open(const struct control_options *options, struct entrance *entrance,
                           int *ret_fd, struct err *e)
{
    struct listener listener;
    if (is_port(options->scope))
        return open_port(options, entrance, ret_fd, e);
    int failed = control__listen(options->socket_path, options->group, &listener, ret_fd, e);
    if (!failed)
        *entrance = (struct entrance){.scope = options->scope, .listener = listener};
    return failed;
}

void control__entrance_close(struct entrance *entrance)
{
    control__unlisten(&entrance->listener);
    entrance->token = forget(entrance->token);
}

/* --- who may ask what ------------------------------------------------------------------------- */

/* What a clean would end is a question, for all that it is a POST: its rules need a body, and the
 * route answers nothing but a dry run. */
static int check_reading(const struct visit *visit, struct err *e)
{
    bool is_dry_run = strcmp(visit->method, "POST") == 0 && strcmp(visit->path, WIRE_CLEAN) == 0;
    if (strcmp(visit->method, "GET") == 0 || is_dry_run)
        return 0;
    err_set(e, ERR_PERMISSION, "this socket answers questions only, and %.16s %.64s is none",
            visit->method, visit->path);
    err_hint(e, "to act, ask control.sock beside it as a member of control.group, or as root");
    return 403;
}

static int check_alerts(const struct entrance *entrance, const struct visit *visit, struct err *e)
{
    int refused = control__door_host(visit->host, e);
    if (!refused)
        refused = control__door_bearer(visit->authorization, entrance->token, e);
    if (!refused && strcmp(visit->path, WIRE_ALERTS) != 0) {
        err_set(e, ERR_NOT_FOUND, "only " WIRE_ALERTS " is answered here");
        refused = 404;
    }
    return refused;
}

static int check_page(const struct visit *visit, struct err *e)
{
    static const char *const shown[] = {WIRE_PAGE, WIRE_STYLE, WIRE_METRICS};
    int refused = control__door_host(visit->host, e);
    if (refused)
        return refused;
    for (size_t i = 0; i < ARRAY_SIZE(shown); i++)
        if (strcmp(visit->path, shown[i]) == 0)
            return 0;
    err_set(e, ERR_NOT_FOUND, "only " WIRE_PAGE " and " WIRE_METRICS " are answered here");
    err_hint(e, "the API is on the Unix socket");
    return 404;
}

int control__entrance_check(const struct entrance *entrance, const struct visit *visit,
                            struct err *e)
{
    switch (entrance->scope) {
    case CONTROL_ACT:
        break;
    case CONTROL_READ:
        return check_reading(visit, e);
    case CONTROL_ALERTS:
        return check_alerts(entrance, visit, e);
    case CONTROL_PAGE:
        return check_page(visit, e);
    }
    return 0;
}
