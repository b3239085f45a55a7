/* Reading the `checks:` list: a table of keys, each with its reader. See checks.h. */
#include "base/mem.h"
#include "watch/check.h"
#include "watch/checks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    NAME_MAX_BYTES = 64,
    ARGS_MAX = 64,
    TIMES_MAX = 100,
    EVERY_MIN_MS = 1000,
    EVERY_MAX_MS = 30000, /* a state holds for a minute: see policies/observation.c */
    EVERY_MS = 10000,
    TIMEOUT_MIN_MS = 500,
    TIMEOUT_MS = 5000,
};

typedef bool (*key_reader)(const struct yaml_node *value, struct check *check,
                           struct diag_list *diags);

static bool read_name(const struct yaml_node *value, struct check *check, struct diag_list *diags)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    const char *text;
    if (!yaml_read_text(value, "name", &text, diags))
        return false;
    size_t good = strspn(text, allowed);
    if (text[good])
        return yaml_error_at(diags, value, good,
                             "name: '%c' may not stand in a name; use letters, digits, - and _",
                             text[good]);
    if (good > NAME_MAX_BYTES)
        return yaml_error(diags, value, "name: longer than %d letters", NAME_MAX_BYTES);
    check->name = mem_strdup(text);
    return true;
}

/* --- what is checked -------------------------------------------------------------------------- */

static bool read_http(const struct yaml_node *value, struct check *check, struct diag_list *diags)
{
    const char *text;
    const char *reason;
    if (!yaml_read_text(value, "http", &text, diags))
        return false;
    check->kind = CHECK_HTTP;
    if (!watch__check_url(text, &check->host, &check->shown, &reason))
        return yaml_error(diags, value, "http: %s", reason);
    check->url = mem_strdup(text);
    return true;
}

static bool port_parse(const char *text, int *ret)
{
    char *end;
    long port = strtol(text, &end, 10);
    *ret = (int)port;
    return *text >= '0' && *text <= '9' && !*end && port >= 1 && port <= 65535;
}

/* "host:port" or "[address]:port" */
static bool read_tcp(const struct yaml_node *value, struct check *check, struct diag_list *diags)
{
    const char *text;
    if (!yaml_read_text(value, "tcp", &text, diags))
        return false;
    check->kind = CHECK_TCP;
    const char *colon = strrchr(text, ':');
    size_t len = colon ? (size_t)(colon - text) : 0;
    bool is_bracketed = len > 2 && text[0] == '[' && text[len - 1] == ']';
    if (len == 0 || !port_parse(colon + 1, &check->port) ||
        (!is_bracketed && memchr(text, ':', len)) || strpbrk(text, "/@ "))
        return yaml_error(diags, value, "tcp: '%s' is not of the form host:port", text);
    free(check->host); /* of an http that stands beside it, which is refused later */
    check->host = is_bracketed ? mem_strndup(text + 1, len - 2) : mem_strndup(text, len);
    mem_replace(&check->shown, text);
    return true;
}

static bool read_exec(const struct yaml_node *value, struct check *check, struct diag_list *diags)
{
    const char *text;
    bool fine = true;
    check->kind = CHECK_EXEC;
    if (value->kind != YAML_LIST)
        return yaml_error(diags, value,
                          "exec: expected a list such as [/usr/bin/test, -e, /run/x]; there is no "
                          "shell unless you name one");
    if (value->count == 0 || value->count > ARGS_MAX)
        return yaml_error(diags, value, "exec: expected 1 to %d words, found %zu", ARGS_MAX,
                          value->count);
    check->argv = mem_new((value->count + 1) * sizeof *check->argv);
    for (size_t i = 0; i < value->count; i++)
        if (!yaml_read_text(value->items[i], "exec", &text, diags))
            fine = false;
        else
            check->argv[check->argc++] = mem_strdup(text);
    mem_replace(&check->shown, check->argc ? check->argv[0] : "");
    return fine;
}

static bool read_container(const struct yaml_node *value, struct check *check,
                           struct diag_list *diags)
{
    const char *text;
    if (!yaml_read_text(value, "container", &text, diags))
        return false;
    check->container = mem_strdup(text);
    return true;
}

/* --- what is expected ------------------------------------------------------------------------- */

/* "200" or "200-399" */
static bool read_range(const struct yaml_node *value, struct check *check, struct diag_list *diags)
{
    int low = 0;
    int high = 0;
    int used = 0;
    bool fine = value->kind == YAML_TEXT && sscanf(value->text, "%3d%n", &low, &used) == 1;
    if (fine && value->text[used] == '-') {
        int more = 0;
        fine = sscanf(value->text + used + 1, "%3d%n", &high, &more) == 1;
        used += 1 + more;
    } else {
        high = low;
    }
    if (!fine || value->text[used] || low < 100 || high > 599 || low > high)
        return yaml_error(diags, value, "expect: a status such as 200, or a range such as 200-399");
    check->statuses[check->status_count++] = (struct check_statuses){low, high};
    return true;
}

static bool read_expect(const struct yaml_node *value, struct check *check, struct diag_list *diags)
{
    bool fine = true;
    if (value->kind != YAML_LIST)
        return read_range(value, check, diags);
    if (value->count == 0 || value->count > CHECK_STATUSES_MAX)
        return yaml_error(diags, value, "expect: expected 1 to %d of them", CHECK_STATUSES_MAX);
    for (size_t i = 0; i < value->count; i++)
        fine = read_range(value->items[i], check, diags) && fine;
    return fine;
}

static bool read_contains(const struct yaml_node *value, struct check *check,
                          struct diag_list *diags)
{
    const char *text;
    if (!yaml_read_text(value, "contains", &text, diags))
        return false;
    check->contains = mem_strdup(text);
    return true;
}

static bool read_every(const struct yaml_node *value, struct check *check, struct diag_list *diags)
{
    return yaml_read_duration(value, "every", EVERY_MIN_MS, EVERY_MAX_MS, &check->every_ms, diags);
}

static bool read_timeout(const struct yaml_node *value, struct check *check,
                         struct diag_list *diags)
{
    return yaml_read_duration(value, "timeout", TIMEOUT_MIN_MS, EVERY_MAX_MS, &check->timeout_ms,
                              diags);
}

static bool read_times(const struct yaml_node *value, const char *what, int *ret,
                       struct diag_list *diags)
{
    int64_t times = *ret;
    bool fine = yaml_read_int(value, what, 1, TIMES_MAX, &times, diags);
    *ret = (int)times;
    return fine;
}

static bool read_failures(const struct yaml_node *value, struct check *check,
                          struct diag_list *diags)
{
    return read_times(value, "failures", &check->failures, diags);
}

static bool read_successes(const struct yaml_node *value, struct check *check,
                           struct diag_list *diags)
{
    return read_times(value, "successes", &check->successes, diags);
}

/* --- the whole -------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    key_reader read;
} keys[] = {
    {"name", read_name},         {"http", read_http},           {"tcp", read_tcp},
    {"exec", read_exec},         {"container", read_container}, {"expect", read_expect},
    {"contains", read_contains}, {"every", read_every},         {"timeout", read_timeout},
    {"failures", read_failures}, {"successes", read_successes},
};

/* A key that says something of another kind of check only. */
static bool refuse_key(const struct yaml_node *node, const char *key, const char *of,
                       struct diag_list *diags)
{
    const struct yaml_node *value = yaml_get(node, key);
    return !value || yaml_error(diags, value, "%s: goes with %s only", key, of);
}

/* What no single key can tell. */
static bool check_whole(const struct yaml_node *node, struct check *check, struct diag_list *diags)
{
    int kinds = !!yaml_get(node, "http") + !!yaml_get(node, "tcp") + !!yaml_get(node, "exec");
    bool fine = true;
    if (!yaml_get(node, "name"))
        fine = yaml_error(diags, node, "check: it has no name");
    if (kinds != 1)
        return yaml_error(diags, node, "check: one of http, tcp and exec is needed%s",
                          kinds ? ", not several" : "");
    if (check->kind != CHECK_HTTP) {
        fine = refuse_key(node, "expect", "http", diags) && fine;
        fine = refuse_key(node, "contains", "http", diags) && fine;
    }
    if (check->kind != CHECK_EXEC)
        fine = refuse_key(node, "container", "exec", diags) && fine;
    const struct yaml_node *timeout = yaml_get(node, "timeout");
    if (timeout && check->timeout_ms > check->every_ms)
        fine = yaml_error(diags, timeout, "timeout: longer than every");
    if (check->timeout_ms > check->every_ms)
        check->timeout_ms = check->every_ms;
    if (check->status_count == 0)
        check->statuses[check->status_count++] = (struct check_statuses){200, 399};
    return fine;
}

static bool read_check(const struct yaml_node *node, struct check *check, struct diag_list *diags)
{
    const char *known[ARRAY_SIZE(keys) + 1] = {NULL};
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        known[i] = keys[i].name;
    if (node->kind != YAML_MAP)
        return yaml_expect_map(node, "check", known, diags);
    check->every_ms = EVERY_MS;
    check->timeout_ms = TIMEOUT_MS;
    check->failures = 3;
    check->successes = 1;
    bool fine = yaml_expect_map(node, "check", known, diags);
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        const struct yaml_node *value = yaml_get(node, keys[i].name);
        if (value)
            fine = keys[i].read(value, check, diags) && fine;
    }
    return check_whole(node, check, diags) && fine;
}

static bool is_taken(const struct checks *checks, const char *name)
{
    for (size_t i = 0; i + 1 < checks->count; i++)
        if (checks->items[i].name && strcmp(checks->items[i].name, name) == 0)
            return true;
    return false;
}

struct checks *checks_read(const struct yaml_node *list, struct diag_list *diags)
{
    struct checks *checks = mem_new(sizeof *checks);
    bool fine = !list || yaml_expect_list(list, "checks", diags);
    size_t count = list && list->kind == YAML_LIST ? list->count : 0;
    for (size_t i = 0; i < count; i++) {
        struct check *check = MEM_PUSH(checks->items, checks->count);
        fine = read_check(list->items[i], check, diags) && fine;
        if (check->name && is_taken(checks, check->name))
            fine = yaml_error(diags, yaml_get(list->items[i], "name"),
                              "two checks bear the name %s", check->name);
    }
    return fine ? checks : checks_free(checks);
}

static void check_clear(struct check *check)
{
    for (size_t i = 0; i < check->argc; i++)
        free(check->argv[i]);
    free(check->argv);
    free(check->name);
    free(check->url);
    free(check->shown);
    free(check->host);
    free(check->contains);
    free(check->container);
}

struct checks *checks_free(struct checks *checks)
{
    if (!checks)
        return NULL;
    for (size_t i = 0; i < checks->count; i++)
        check_clear(&checks->items[i]);
    free(checks->items);
    free(checks);
    return NULL;
}

size_t checks_count(const struct checks *checks)
{
    return checks->count;
}

const char *checks_name(const struct checks *checks, size_t index)
{
    return checks->items[index].name;
}
