/* The table of observations. See observation.h. */
#include "policies/observation.h"

#include "base/clock.h"
#include "base/diag.h"
#include "base/mem.h"
#include "policies/moment.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SAMPLED = MINUTE_MS, STANDING = 0 };

static const struct observation_kind kinds[] = {
    {"connections.used", NULL, UNIT_COUNT, SAMPLED, "sessions that hold a slot", {NULL}},
    {"connections.usable",
     NULL,
     UNIT_COUNT,
     SAMPLED,
     "slots an app can get: max_connections less the reserved ones",
     {NULL}},
    {"connections.utilization", NULL, UNIT_SHARE, SAMPLED, "used of usable slots", {NULL}},
    {"connections.growth",
     NULL,
     UNIT_PER_MINUTE,
     SAMPLED,
     "how fast the used slots grow (below zero: shrink)",
     {NULL}},
    {"connections.time_to_exhaustion",
     NULL,
     UNIT_DURATION,
     SAMPLED,
     "until the last usable slot is taken, at the present growth",
     {NULL}},
    {"connections.idle", NULL, UNIT_COUNT, SAMPLED, "sessions that wait for their client", {NULL}},
    {"connections.idle_in_transaction",
     NULL,
     UNIT_COUNT,
     SAMPLED,
     "sessions that wait for their client inside a transaction",
     {NULL}},
    {"connections.longest_idle",
     NULL,
     UNIT_DURATION,
     SAMPLED,
     "how long the longest of the idle sessions has waited",
     {NULL}},
    {"connections.longest_idle_in_transaction",
     NULL,
     UNIT_DURATION,
     SAMPLED,
     "how long the longest of those in a transaction has waited",
     {NULL}},
    {"connections.blocked", NULL, UNIT_COUNT, SAMPLED, "sessions that wait for a lock", {NULL}},
    {"connections.opened.rate", NULL, UNIT_PER_MINUTE, SAMPLED, "new sessions", {NULL}},
    {"connections.refused.rate",
     NULL,
     UNIT_PER_MINUTE,
     SAMPLED,
     "logins refused for want of a slot (53300), over the last 30 s",
     {NULL}},
    {"connections.storm",
     NULL,
     UNIT_YES_NO,
     SAMPLED,
     "everybody reconnects at once: new sessions a minute exceed twice the usable slots",
     {NULL}},
    {"connections.leaker",
     NULL,
     UNIT_WORD,
     SAMPLED,
     "the container (or service) that holds the leaked sessions; none when it is not clear",
     {NULL}},
    {"database.state",
     NULL,
     UNIT_WORD,
     SAMPLED,
     "what a fresh login met; starting: also one that runs and has not answered since its "
     "container started; stopped: somebody stopped it by hand",
     {"unknown", "ready", "exhausted", "starting", "recovering", "shutting_down", "refused",
      "auth_failed", "unreachable", "hung", "stopped", NULL}},
    {"database.exhaustion",
     NULL,
     UNIT_WORD,
     SAMPLED,
     "which limit a refused login met; none: the last login was not refused",
     {"none", "reserved", "all", "role", "database", "unknown", NULL}},
    {"service.health",
     "service",
     UNIT_WORD,
     STANDING,
     "the worst health of its containers",
     {"healthy", "unhealthy", "starting", "none", NULL}},
    {"service.running",
     "service",
     UNIT_YES_NO,
     STANDING,
     "all its containers run; unknown while somebody has stopped them",
     {NULL}},
    {"service.restarts.rate",
     "service",
     UNIT_PER_MINUTE,
     SAMPLED,
     "how often it dies unasked",
     {NULL}},
    {"service.oom.rate",
     "service",
     UNIT_PER_MINUTE,
     SAMPLED,
     "how often the kernel kills one of its processes for want of memory",
     {NULL}},
    {"services.unhealthy",
     NULL,
     UNIT_COUNT,
     STANDING,
     "services whose health is unhealthy",
     {NULL}},
    {"services.unhealthy.names",
     NULL,
     UNIT_WORD,
     STANDING,
     "their names, separated by commas",
     {NULL}},
    {"container.connections", "container", UNIT_COUNT, SAMPLED, "sessions it holds", {NULL}},
    {"container.share", "container", UNIT_SHARE, SAMPLED, "its sessions of usable slots", {NULL}},
    {"container.idle", "container", UNIT_COUNT, SAMPLED, "its idle sessions", {NULL}},
    {"container.idle_in_transaction",
     "container",
     UNIT_COUNT,
     SAMPLED,
     "its sessions idle in a transaction",
     {NULL}},
    {"container.oldest_idle",
     "container",
     UNIT_DURATION,
     SAMPLED,
     "how long the longest of its idle sessions has waited, in a transaction or not",
     {NULL}},
    {"container.leaked",
     "container",
     UNIT_COUNT,
     SAMPLED,
     "its sessions that have idled for 10 s or more, in a transaction or not",
     {NULL}},
    {"container.growth", "container", UNIT_PER_MINUTE, SAMPLED, "how its sessions grow", {NULL}},
    {"log.rate",
     "pattern",
     UNIT_PER_MINUTE,
     STANDING,
     "log lines that match the pattern, over the last 30 s",
     {NULL}},
    {"pgbouncer.cl_waiting", NULL, UNIT_COUNT, SAMPLED, "clients that wait for a server", {NULL}},
    {"pgbouncer.maxwait", NULL, UNIT_DURATION, SAMPLED, "how long the first of them waits", {NULL}},
    {"check.state",
     "check",
     UNIT_WORD,
     SAMPLED,
     "a check of one's own (HTTP, TCP, exec)",
     {"passing", "failing", NULL}},
};

const struct observation_kind *observation_kind_at(size_t index)
{
    return index < ARRAY_SIZE(kinds) ? &kinds[index] : NULL;
}

/* "service(backend).health" → family "service.health" in `family`, the parameter by pointers.
 * False for parentheses that do not pair, or that hold nothing. */
static bool split_name(const char *name, size_t len, char family[static OBSERVATION_NAME_MAX],
                       const char **ret_parameter, size_t *ret_parameter_len)
{
    const char *open = memchr(name, '(', len);
    const char *end = name + len;
    *ret_parameter = NULL;
    *ret_parameter_len = 0;
    if (len >= OBSERVATION_NAME_MAX)
        return false;
    if (!open) {
        memcpy(family, name, len);
        family[len] = '\0';
        return true;
    }
    const char *shut = memchr(open, ')', (size_t)(end - open));
    if (!shut || shut == open + 1)
        return false;
    snprintf(family, OBSERVATION_NAME_MAX, "%.*s%.*s", (int)(open - name), name,
             (int)(end - shut - 1), shut + 1);
    *ret_parameter = open + 1;
    *ret_parameter_len = (size_t)(shut - open - 1);
    return true;
}

const struct observation_kind *observation_find(const char *name, size_t len,
                                                const char **ret_parameter,
                                                size_t *ret_parameter_len)
{
    char family[OBSERVATION_NAME_MAX];
    if (!split_name(name, len, family, ret_parameter, ret_parameter_len))
        return NULL;
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        if (strcmp(kinds[i].name, family) == 0)
            return *ret_parameter && !kinds[i].parameter ? NULL : &kinds[i];
    return NULL;
}

const char *observation_name(const struct observation_kind *kind, const char *parameter,
                             char out[static OBSERVATION_NAME_MAX])
{
    const char *dot = strchr(kind->name, '.');
    if (kind->parameter && parameter)
        snprintf(out, OBSERVATION_NAME_MAX, "%.*s(%.250s)%s", (int)(dot - kind->name), kind->name,
                 parameter, dot);
    else
        snprintf(out, OBSERVATION_NAME_MAX, "%s", kind->name);
    return out;
}

const char *observation_suggest(const char *typed, size_t len,
                                char out[static OBSERVATION_NAME_MAX])
{
    char family[OBSERVATION_NAME_MAX];
    const char *names[ARRAY_SIZE(kinds) + 1] = {NULL};
    const char *parameter;
    size_t parameter_len;
    if (!split_name(typed, len, family, &parameter, &parameter_len))
        return NULL;
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        names[i] = kinds[i].name;
    const char *near = diag_nearest(family, names);
    if (!near)
        return NULL;
    const struct observation_kind *kind =
        observation_find(near, strlen(near), &parameter, &parameter_len);
    assert(kind); /* of its own name */
    return observation_name(kind, "…", out);
}

/* At most one digit behind the point, and none when it is zero. */
static void print_number(char *out, size_t room, double number, const char *unit)
{
    double rounded = round(number * 10) / 10 + 0.0; /* no "-0" */
    int digits = rounded == floor(rounded) ? 0 : 1;
    snprintf(out, room, "%.*f%s", digits, rounded, unit);
}

/* A trace may hold any number; ten years are for ever. */
static int64_t whole_ms(double number)
{
    const double most = 3650.0 * (double)DAY_MS;
    return (int64_t)fmax(0, fmin(number, most));
}

const char *observation_text(const struct observation_kind *kind, double number, const char *word,
                             char out[static OBSERVATION_TEXT_MAX])
{
    char duration[DURATION_MAX];
    switch (kind->unit) {
    case UNIT_SHARE:
        print_number(out, OBSERVATION_TEXT_MAX, number * 100, "%");
        break;
    case UNIT_DURATION:
        snprintf(out, OBSERVATION_TEXT_MAX, "%s", duration_text(whole_ms(number), duration));
        break;
    case UNIT_PER_MINUTE:
        print_number(out, OBSERVATION_TEXT_MAX, number, "/min");
        break;
    case UNIT_WORD:
        snprintf(out, OBSERVATION_TEXT_MAX, "%.300s", word ? word : "");
        break;
    case UNIT_YES_NO:
        snprintf(out, OBSERVATION_TEXT_MAX, "%s", number != 0 ? "true" : "false");
        break;
    default:
        print_number(out, OBSERVATION_TEXT_MAX, number, "");
    }
    return out;
}

const char *observation_unit_wish(enum observation_unit unit)
{
    static const char *const wishes[] = {
        [UNIT_COUNT] = "a number such as 15",
        [UNIT_SHARE] = "a share such as 60%",
        [UNIT_DURATION] = "a duration such as 30s",
        [UNIT_PER_MINUTE] = "a rate such as 10/min",
        [UNIT_WORD] = "a word",
        [UNIT_YES_NO] = "true or false",
    };
    _Static_assert(ARRAY_SIZE(wishes) == UNITS, "a wish for every unit");
    return wishes[unit];
}
