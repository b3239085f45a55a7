/* See routes.h. */
#include "control/routes.h"

#include "base/clock.h"
#include "base/diag.h"
#include "base/mem.h"

#include <ctype.h>
#include <string.h>

enum field_kind {
    FIELD_TEXT,
    FIELD_FLAG,
    FIELD_AGE,
    FIELD_DURATION,
    FIELD_COUNT, /* as text, from 1 */
    FIELD_NAMES,
    FIELD_WHOM,    /* names, or one text with commas */
    FIELD_TRIGGER, /* of those that a client may mean */
    FIELD_RULES,
    FIELD_ANYTHING, /* the operation's own to check */
};

struct field {
    const char *name; /* NULL ends a list */
    enum field_kind kind;
    bool required;
};

/* What `clean` may be told, in a request of its own and as a run's options: the settings of a
 * playbook's clean step under the same names. A run may be told of services, too. */
#define CLEAN_RULES                                                                                \
    {"idle", FIELD_AGE, false}, {"idle_in_transaction", FIELD_AGE, false},                         \
        {"applications", FIELD_NAMES, false}, {"roles", FIELD_NAMES, false},                       \
        {"databases", FIELD_NAMES, false}, {"clients", FIELD_NAMES, false},                        \
        {"containers", FIELD_WHOM, false}, {"protect", FIELD_NAMES, false},                        \
        {"superusers", FIELD_FLAG, false},                                                         \
    {                                                                                              \
        "all", FIELD_FLAG, false                                                                   \
    }

static const struct field no_fields[] = {{.name = NULL}};
static const struct field clean_fields[] = {
    {"dry_run", FIELD_FLAG, true}, CLEAN_RULES, {.name = NULL}};
static const struct field run_options[] = {
    CLEAN_RULES, {"services", FIELD_WHOM, false}, {.name = NULL}};
static const struct field plan_query[] = {{"playbook", FIELD_TEXT, true},
                                          {"containers", FIELD_TEXT, false},
                                          {"services", FIELD_TEXT, false},
                                          {.name = NULL}};
static const struct field start_fields[] = {
    {"playbook", FIELD_TEXT, true},
    {"plan_id", FIELD_TEXT, false},
    {"trigger", FIELD_TRIGGER, false},
    {"options", FIELD_RULES, false},
    {.name = NULL},
};

static const struct field decisions_query[] = {{"limit", FIELD_COUNT, false}, {.name = NULL}};
static const struct field pause_fields[] = {
    {"for", FIELD_DURATION, false}, {"reason", FIELD_TEXT, false}, {.name = NULL}};
static const struct field trial_fields[] = {{"receiver", FIELD_TEXT, false}, {.name = NULL}};
/* Somebody else's object, which may grow: what is not known in it is let pass. */
static const struct field foreign_fields[] = {{"*", FIELD_ANYTHING, false}, {.name = NULL}};

struct route {
    const char *method;
    const char *path; /* "ID" stands for a number */
    const struct field *query;
    const struct field *fields;
    void (*call)(const struct request *request, control_reply_fn reply, void *data);
    const char *type; /* of the answers; NULL: JSON */
};

static void call_version(const struct request *r, control_reply_fn reply, void *data)
{
    r->ops->version(r->app, reply, data);
}

static void call_status(const struct request *r, control_reply_fn reply, void *data)
{
    r->ops->status(r->app, reply, data);
}

static void call_playbooks(const struct request *r, control_reply_fn reply, void *data)
{
    r->ops->playbooks(r->app, reply, data);
}

static void call_plan(const struct request *r, control_reply_fn reply, void *data)
{
    CLEANUP_JSON json_t *options = json_deep_copy(r->query);
    json_object_del(options, "playbook");
    r->ops->plan(r->app, json_text_at(r->query, "playbook", ""),
                 json_object_size(options) ? options : NULL, reply, data);
}

static void call_connections(const struct request *r, control_reply_fn reply, void *data)
{
    r->ops->connections(r->app, reply, data);
}

static void call_clean(const struct request *r, control_reply_fn reply, void *data)
{
    if (json_bool_at(r->body, "dry_run", false)) {
        r->ops->clean(r->app, r->body, reply, data);
        return;
    }
    struct err e;
    err_set(&e, ERR_INVALID, "clean: only a dry run is answered here");
    err_hint(&e, "to end sessions: POST " WIRE_RUNS
                 " {\"playbook\":\"clean\",\"options\":{…}}, which is journalled");
    reply(data, &e, NULL);
}

static void call_runs(const struct request *r, control_reply_fn reply, void *data)
{
    r->ops->runs(r->app, reply, data);
}

static void call_run(const struct request *r, control_reply_fn reply, void *data)
{
    r->ops->run(r->app, r->number, reply, data);
}

static void call_start(const struct request *r, control_reply_fn reply, void *data)
{
    r->ops->start(r->app, r->body, r->requester, reply, data);
}

static void call_abort(const struct request *r, control_reply_fn reply, void *data)
{
    r->ops->abort(r->app, r->number, r->requester, reply, data);
}

static void call_policies(const struct request *r, control_reply_fn reply, void *data)
{
    r->ops->policies(r->app, reply, data);
}

static void call_observations(const struct request *r, control_reply_fn reply, void *data)
{
    r->ops->observations(r->app, reply, data);
}

static void call_decisions(const struct request *r, control_reply_fn reply, void *data)
{
    enum { DECISIONS_DEFAULT = 50 };
    const char *limit = json_text_at(r->query, "limit", NULL);
    /* check_count has seen it. */
    r->ops->decisions(r->app, limit ? (int)strtol(limit, NULL, 10) : DECISIONS_DEFAULT, reply,
                      data);
}

static void call_approve(const struct request *r, control_reply_fn reply, void *data)
{
    r->ops->answer(r->app, r->number, true, r->requester, reply, data);
}

static void call_deny(const struct request *r, control_reply_fn reply, void *data)
{
    r->ops->answer(r->app, r->number, false, r->requester, reply, data);
}

static void call_pause(const struct request *r, control_reply_fn reply, void *data)
{
    r->ops->pause(r->app, r->body, r->requester, reply, data);
}

static void call_resume(const struct request *r, control_reply_fn reply, void *data)
{
    r->ops->resume(r->app, r->requester, reply, data);
}

static void call_notify_test(const struct request *r, control_reply_fn reply, void *data)
{
    r->ops->notify_test(r->app, json_text_at(r->body, "receiver", NULL), reply, data);
}

static void call_alerts(const struct request *r, control_reply_fn reply, void *data)
{
    r->ops->alerts(r->app, r->body, r->requester, reply, data);
}

static void call_page(const struct request *r, control_reply_fn reply, void *data)
{
    r->ops->page(r->app, WIRE_PAGE, reply, data);
}

static void call_style(const struct request *r, control_reply_fn reply, void *data)
{
    r->ops->page(r->app, WIRE_STYLE, reply, data);
}

static void call_metrics(const struct request *r, control_reply_fn reply, void *data)
{
    r->ops->metrics(r->app, reply, data);
}

#define TYPE_PAGE    "text/html; charset=utf-8"
#define TYPE_STYLE   "text/css; charset=utf-8"
#define TYPE_METRICS "text/plain; version=0.0.4; charset=utf-8"

static const struct route routes[] = {
    {"GET", WIRE_VERSION, no_fields, no_fields, call_version, NULL},
    {"GET", WIRE_STATUS, no_fields, no_fields, call_status, NULL},
    {"GET", WIRE_PLAYBOOKS, no_fields, no_fields, call_playbooks, NULL},
    {"GET", WIRE_PLAN, plan_query, no_fields, call_plan, NULL},
    {"GET", WIRE_CONNECTIONS, no_fields, no_fields, call_connections, NULL},
    {"POST", WIRE_CLEAN, no_fields, clean_fields, call_clean, NULL},
    {"GET", WIRE_RUNS, no_fields, no_fields, call_runs, NULL},
    {"POST", WIRE_RUNS, no_fields, start_fields, call_start, NULL},
    {"GET", WIRE_RUNS "/ID", no_fields, no_fields, call_run, NULL},
    {"GET", WIRE_RUNS "/ID" WIRE_EVENTS, no_fields, no_fields, NULL, NULL}, /* a stream */
    {"POST", WIRE_RUNS "/ID" WIRE_ABORT, no_fields, no_fields, call_abort, NULL},
    {"GET", WIRE_POLICIES, no_fields, no_fields, call_policies, NULL},
    {"GET", WIRE_OBSERVATIONS, no_fields, no_fields, call_observations, NULL},
    {"GET", WIRE_DECISIONS, decisions_query, no_fields, call_decisions, NULL},
    {"POST", WIRE_DECISIONS "/ID" WIRE_APPROVE, no_fields, no_fields, call_approve, NULL},
    {"POST", WIRE_DECISIONS "/ID" WIRE_DENY, no_fields, no_fields, call_deny, NULL},
    {"POST", WIRE_PAUSE, no_fields, pause_fields, call_pause, NULL},
    {"POST", WIRE_RESUME, no_fields, no_fields, call_resume, NULL},
    {"POST", WIRE_NOTIFY_TEST, no_fields, trial_fields, call_notify_test, NULL},
    {"POST", WIRE_ALERTS, no_fields, foreign_fields, call_alerts, NULL},
    {"GET", WIRE_PAGE, no_fields, no_fields, call_page, TYPE_PAGE},
    {"GET", WIRE_STYLE, no_fields, no_fields, call_style, TYPE_STYLE},
    /* foreign: scrapers may send parameters of their own */
    {"GET", WIRE_METRICS, foreign_fields, no_fields, call_metrics, TYPE_METRICS},
};

/* --- finding -------------------------------------------------------------------------------- */

/* A number at *cursor: decimal, from 1, as it is printed; moves behind it. */
static bool read_number(const char **cursor, int64_t *ret)
{
    enum { DIGITS_MAX = 18 };
    size_t digits = strspn(*cursor, "0123456789");
    if (digits == 0 || digits > DIGITS_MAX || **cursor == '0')
        return false;
    int64_t number = 0;
    for (const char *end = *cursor + digits; *cursor < end; (*cursor)++)
        number = number * 10 + (**cursor - '0');
    *ret = number;
    return true;
}

static bool path_matches(const char *pattern, const char *path, int64_t *ret_number)
{
    const char *id = strstr(pattern, "ID");
    if (!id)
        return strcmp(pattern, path) == 0;
    size_t before = (size_t)(id - pattern);
    if (strncmp(pattern, path, before) != 0)
        return false;
    const char *cursor = path + before;
    return read_number(&cursor, ret_number) && strcmp(cursor, id + 2) == 0;
}

int control__route_find(const char *method, const char *path, const struct route **ret,
                        int64_t *ret_number, char allow[static ROUTE_METHODS_MAX], struct err *e)
{
    size_t used = 0;
    allow[0] = '\0';
    for (size_t i = 0; i < ARRAY_SIZE(routes); i++) {
        if (!path_matches(routes[i].path, path, ret_number))
            continue;
        if (strcmp(routes[i].method, method) == 0) {
            *ret = &routes[i];
            return 0;
        }
        int more = snprintf(allow + used, ROUTE_METHODS_MAX - used, "%s%s", used ? ", " : "",
                            routes[i].method);
        used += more > 0 && (size_t)more < ROUTE_METHODS_MAX - used ? (size_t)more : 0;
    }
    if (used) {
        err_set(e, ERR_INVALID, "%s %s: this path knows only %s", method, path, allow);
        return 405;
    }
    err_set(e, ERR_NOT_FOUND, "%s %s: there is no such path", method, path);
    err_hint(e, "docs/api.md lists them; a newer command may be talking to an older daemon");
    return 404;
}

/* --- checking ------------------------------------------------------------------------------- */

static const struct field *find_field(const struct field *fields, const char *name)
{
    for (; fields->name; fields++)
        if (strcmp(fields->name, name) == 0 || fields->kind == FIELD_ANYTHING)
            return fields;
    return NULL;
}

static int refuse_name(const struct field *fields, const char *what, const char *name,
                       struct err *e)
{
    enum { NAMES_MAX = 16 };
    const char *known[NAMES_MAX + 1] = {NULL};
    for (size_t i = 0; i < NAMES_MAX && fields[i].name; i++)
        known[i] = fields[i].name;
    int failed = err_set(e, ERR_INVALID, "unknown %s '%.64s'", what, name);
    const char *meant = diag_nearest(name, known);
    if (meant)
        err_hint(e, "did you mean '%s'?", meant);
    else if (!known[0])
        err_hint(e, "none is taken here");
    return failed;
}

static int check_age(const char *name, const json_t *value, struct err *e)
{
    int64_t ms;
    const char *text = json_string_value(value);
    if (text && (strcmp(text, "never") == 0 || duration_parse(text, &ms)))
        return 0;
    return err_set(e, ERR_INVALID,
                   "field '%s': expected a duration as text (\"90s\", \"5m\") or "
                   "\"never\"",
                   name);
}

static int check_duration(const char *name, const json_t *value, struct err *e)
{
    int64_t ms;
    const char *text = json_string_value(value);
    if (text && duration_parse(text, &ms) && ms > 0)
        return 0;
    return err_set(e, ERR_INVALID, "field '%s': expected a duration as text (\"90s\", \"30m\")",
                   name);
}

static int check_count(const char *name, const json_t *value, struct err *e)
{
    enum { DIGITS_MAX = 6 };
    const char *text = json_string_value(value);
    size_t digits = text ? strspn(text, "0123456789") : 0;
    if (digits > 0 && digits <= DIGITS_MAX && !text[digits] && *text != '0')
        return 0;
    return err_set(e, ERR_INVALID, "query parameter '%s': expected a number from 1", name);
}

static int check_names(const char *name, const json_t *value, struct err *e)
{
    bool fine = json_is_array(value);
    for (size_t i = 0; fine && i < json_array_size(value); i++)
        fine = json_is_string(json_array_get(value, i));
    return fine ? 0 : err_set(e, ERR_INVALID, "field '%s': expected a list of texts", name);
}

/* Others are the daemon's own words: whoever said "policy" would be taken for the run that a policy
 * is waiting for, and "signal" is SIGUSR1. */
static int check_trigger(const char *name, const json_t *value, struct err *e)
{
    static const char *const known[] = {"command", "api"};
    const char *text = json_string_value(value);
    for (size_t i = 0; text && i < ARRAY_SIZE(known); i++)
        if (strcmp(text, known[i]) == 0)
            return 0;
    return err_set(e, ERR_INVALID, "field '%s': expected \"%s\" or \"%s\"", name, known[0],
                   known[1]);
}

static int check_object(const struct field *fields, const char *what, const json_t *object,
                        struct err *e);

static int check_value(const struct field *field, const json_t *value, struct err *e)
{
    switch (field->kind) {
    case FIELD_TEXT:
        return json_string_length(value) > 0
                   ? 0
                   : err_set(e, ERR_INVALID, "field '%s': expected a text", field->name);
    case FIELD_FLAG:
        return json_is_boolean(value)
                   ? 0
                   : err_set(e, ERR_INVALID, "field '%s': expected true or false", field->name);
    case FIELD_AGE:
        return check_age(field->name, value, e);
    case FIELD_DURATION:
        return check_duration(field->name, value, e);
    case FIELD_COUNT:
        return check_count(field->name, value, e);
    case FIELD_ANYTHING:
        return 0;
    case FIELD_NAMES:
        return check_names(field->name, value, e);
    case FIELD_WHOM:
        return json_string_length(value) > 0 ? 0 : check_names(field->name, value, e);
    case FIELD_TRIGGER:
        return check_trigger(field->name, value, e);
    case FIELD_RULES:
        return json_is_object(value)
                   ? check_object(run_options, "option", value, e)
                   : err_set(e, ERR_INVALID, "field '%s': expected an object", field->name);
    }
    return 0;
}

static int check_object(const struct field *fields, const char *what, const json_t *object,
                        struct err *e)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)object, name, value)
    {
        const struct field *field = find_field(fields, name);
        int failed = field ? check_value(field, value, e) : refuse_name(fields, what, name, e);
        if (failed)
            return failed;
    }
    for (; fields->name; fields++)
        if (fields->required && !json_object_get(object, fields->name))
            return err_set(e, ERR_INVALID, "%s '%s' is missing", what, fields->name);
    return 0;
}

int control__route_check(const struct route *route, const json_t *query, const json_t *body,
                         struct err *e)
{
    int failed = check_object(route->query, "query parameter", query, e);
    return failed ? failed : check_object(route->fields, "field", body, e);
}

bool control__route_is_stream(const struct route *route)
{
    return !route->call;
}

const char *control__route_type(const struct route *route)
{
    return route->type;
}

void control__route_call(const struct route *route, const struct request *request,
                         control_reply_fn reply, void *data)
{
    route->call(request, reply, data);
}
