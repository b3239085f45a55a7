/* See container.h. Field names as in the Engine's `GET /containers/{id}/json`; Podman's compat API
 * differs where said. */
#include "docker/container.h"

#include "base/clock.h"
#include "base/mem.h"
#include "docker/summary.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define COMPOSE_LABEL "com.docker.compose."

enum { NS_PER_MS = 1000000, DEFAULT_STOP_S = 10, DEFAULT_RETRIES = 3 };
enum { DEFAULT_INTERVAL_MS = 30000, DEFAULT_TIMEOUT_MS = 30000 };
enum { RETRIES_MAX = 1000000, SETTING_MAX_MS = 7 * 86400 * 1000 };

static const char *const state_names[] = {
    [CONTAINER_CREATED] = "created",   [CONTAINER_RUNNING] = "running",
    [CONTAINER_PAUSED] = "paused",     [CONTAINER_RESTARTING] = "restarting",
    [CONTAINER_REMOVING] = "removing", [CONTAINER_EXITED] = "exited",
    [CONTAINER_DEAD] = "dead",         [CONTAINER_STATE_UNKNOWN] = "unknown",
};
_Static_assert(ARRAY_SIZE(state_names) == CONTAINER_STATES, "a name for every state");

static const char *const health_names[] = {
    [HEALTH_NONE] = "none",
    [HEALTH_STARTING] = "starting",
    [HEALTH_HEALTHY] = "healthy",
    [HEALTH_UNHEALTHY] = "unhealthy",
};
_Static_assert(ARRAY_SIZE(health_names) == HEALTH_STATES, "a name for every health");

/* Podman's own words beside Docker's. */
static const struct {
    const char *name;
    enum container_state state;
} other_state_names[] = {
    {"configured", CONTAINER_CREATED},
    {"initialized", CONTAINER_CREATED},
    {"stopping", CONTAINER_RUNNING}, /* its process still lives */
    {"stopped", CONTAINER_EXITED},
};

const char *container_state_name(enum container_state state)
{
    return (unsigned)state < CONTAINER_STATES ? state_names[state] : "unknown";
}

enum container_state container_state_parse(const char *name)
{
    for (size_t i = 0; name && i < ARRAY_SIZE(state_names); i++)
        if (strcmp(state_names[i], name) == 0)
            return (enum container_state)i;
    for (size_t i = 0; name && i < ARRAY_SIZE(other_state_names); i++)
        if (strcmp(other_state_names[i].name, name) == 0)
            return other_state_names[i].state;
    return CONTAINER_STATE_UNKNOWN;
}

const char *container_health_name(enum container_health health)
{
    return (unsigned)health < HEALTH_STATES ? health_names[health] : "none";
}

/* --- small readers --------------------------------------------------------------------------- */

static char *text_at(const json_t *root, const char *path)
{
    return mem_strdup(json_text_at(root, path, ""));
}

static int int_at(const json_t *root, const char *path, int fallback)
{
    int64_t value = json_int_at(root, path, fallback);
    return value < INT_MIN ? INT_MIN : value > INT_MAX ? INT_MAX : (int)value;
}

static int64_t time_at(const json_t *root, const char *path)
{
    int64_t ns = 0;
    return clock_parse_rfc3339_ns(json_text_at(root, path, NULL), &ns) ? ns : 0;
}

/* 0 and below mean "the default" in the Engine's health settings. The ceiling keeps what is
 * reckoned with it from overflowing. */
static int64_t setting_ms(const json_t *check, const char *key, int64_t fallback_ms)
{
    int64_t ns = json_int_at(check, key, 0);
    int64_t ms = ns / NS_PER_MS + (ns % NS_PER_MS != 0);
    return ns <= 0 ? fallback_ms : ms < SETTING_MAX_MS ? ms : SETTING_MAX_MS;
}

/* --- the parts of a container ----------------------------------------------------------------- */

static json_t *texts_of(const json_t *object)
{
    json_t *texts = json_object();
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value) if (json_is_string(value))
        json_object_set(texts, key, value);
    return texts;
}

static json_t *environment_of(const json_t *list)
{
    json_t *environment = json_object();
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item)
    {
        const char *text = json_string_value(item);
        const char *sign = text ? strchr(text, '=') : NULL;
        if (!sign)
            continue;
        CLEANUP_FREE char *key = mem_strndup(text, (size_t)(sign - text));
        json_object_set_new(environment, key, json_string(sign + 1));
    }
    return environment;
}

static void set_compose(struct container *c)
{
    const char *project = container_label(c, COMPOSE_LABEL "project");
    const char *service = container_label(c, COMPOSE_LABEL "service");
    const char *number = container_label(c, COMPOSE_LABEL "container-number");
    const char *oneoff = container_label(c, COMPOSE_LABEL "oneoff");
    c->project = mem_strdup(project ? project : "");
    c->service = mem_strdup(service ? service : "");
    long value = number ? strtol(number, NULL, 10) : 0;
    c->number = value > 0 && value < INT_MAX ? (int)value : 0;
    c->oneoff = oneoff && strcasecmp(oneoff, "true") == 0; /* compose writes "True" */
}

static void set_healthcheck(struct container *c, const json_t *check)
{
    const json_t *test = json_at(check, "Test");
    const char *kind = json_string_value(json_array_get(test, 0));
    c->has_healthcheck = kind && strcmp(kind, "NONE") != 0;
    c->health_interval_ms = setting_ms(check, "Interval", DEFAULT_INTERVAL_MS);
    c->health_timeout_ms = setting_ms(check, "Timeout", DEFAULT_TIMEOUT_MS);
    c->health_start_period_ms = setting_ms(check, "StartPeriod", 0);
    int retries = int_at(check, "Retries", 0);
    c->health_retries = retries <= 0            ? DEFAULT_RETRIES
                        : retries < RETRIES_MAX ? retries
                                                : RETRIES_MAX;
}

static enum container_health parse_health(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(health_names); i++)
        if (strcmp(health_names[i], name) == 0)
            return (enum container_health)i;
    return HEALTH_NONE; /* Podman writes "" where there is no check */
}

static void set_health(struct container *c, const json_t *health)
{
    const json_t *log = json_at(health, "Log");
    size_t count = json_array_size(log);
    const json_t *last = count ? json_array_get(log, count - 1) : NULL;
    c->health_output = text_at(last, "Output");
    c->failing_streak = int_at(health, "FailingStreak", 0);
    c->checked_ns = time_at(last, "End");
    /* Stopping and pausing leave "unhealthy" behind: a word about nothing that runs. */
    if (c->state == CONTAINER_RUNNING && c->has_healthcheck)
        c->health = parse_health(json_text_at(health, "Status", ""));
}

static void set_state(struct container *c, const json_t *state)
{
    c->state = container_state_parse(json_text_at(state, "Status", NULL));
    c->pid = int_at(state, "Pid", 0);
    c->exit_code = int_at(state, "ExitCode", 0);
    c->oom_killed = json_bool_at(state, "OOMKilled", false);
    c->error = text_at(state, "Error");
    c->started_ns = time_at(state, "StartedAt");
    c->finished_ns = time_at(state, "FinishedAt");
    set_health(c, json_at(state, "Health"));
}

static void set_config(struct container *c, const json_t *config)
{
    c->image = text_at(config, "Image");
    c->stop_signal = text_at(config, "StopSignal");
    c->stop_timeout_s = int_at(config, "StopTimeout", DEFAULT_STOP_S);
    c->tty = json_bool_at(config, "Tty", false);
    c->labels = texts_of(json_at(config, "Labels"));
    c->environment = environment_of(json_at(config, "Env"));
    set_healthcheck(c, json_at(config, "Healthcheck"));
    set_compose(c);
}

static void set_host_config(struct container *c, const json_t *host)
{
    const char *policy = json_text_at(host, "RestartPolicy/Name", "");
    c->restart_policy = mem_strdup(*policy ? policy : "no");
    c->auto_remove = json_bool_at(host, "AutoRemove", false);
    c->log_driver = text_at(host, "LogConfig/Type");
    c->network_mode = text_at(host, "NetworkMode");
}

static void add_network(struct container *c, const char *name, const char *address)
{
    struct container_network *network = MEM_PUSH(c->networks, c->network_count);
    network->name = mem_strdup(name);
    network->address = mem_strdup(address);
}

/* A network with IPv4 and IPv6 is there twice, once an address. */
static void set_networks(struct container *c, const json_t *networks)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)networks, name, value)
    {
        const char *v6 = json_text_at(value, "GlobalIPv6Address", "");
        add_network(c, name, json_text_at(value, "IPAddress", ""));
        if (*v6)
            add_network(c, name, v6);
    }
}

static void set_ports(struct container *c, const json_t *ports)
{
    const char *key; /* "5432/tcp" */
    json_t *bindings;
    json_object_foreach((json_t *)ports, key, bindings)
    {
        size_t i;
        json_t *binding;
        json_array_foreach(bindings, i, binding)
        {
            struct container_port *port = MEM_PUSH(c->ports, c->port_count);
            port->port = (int)(strtol(key, NULL, 10) & 0xFFFF);
            port->host_address = text_at(binding, "HostIp");
            port->host_port =
                (int)(strtol(json_text_at(binding, "HostPort", "0"), NULL, 10) & 0xFFFF);
        }
    }
}

static const char *bare_name(const char *name)
{
    return *name == '/' ? name + 1 : name;
}

struct container *container_from_json(const json_t *body, struct err *e)
{
    const char *id = json_text_at(body, "Id", "");
    if (!*id || strlen(id) >= CONTAINER_ID_MAX || !json_is_object(json_at(body, "State")) ||
        !json_is_object(json_at(body, "Config"))) {
        err_set(e, ERR_PROTOCOL, "the answer describes no container");
        return NULL;
    }
    struct container *c = mem_new(sizeof *c);
    c->references = 1;
    snprintf(c->id, sizeof c->id, "%s", id);
    c->name = mem_strdup(bare_name(json_text_at(body, "Name", "")));
    c->restart_count = int_at(body, "RestartCount", 0);
    set_config(c, json_at(body, "Config"));
    set_state(c, json_at(body, "State"));
    set_host_config(c, json_at(body, "HostConfig"));
    set_networks(c, json_at(body, "NetworkSettings/Networks"));
    set_ports(c, json_at(body, "NetworkSettings/Ports"));
    return c;
}

/* --- the list's short form -------------------------------------------------------------------- */

bool docker__summary_from_json(const json_t *item, struct docker_summary *ret)
{
    const char *id = json_text_at(item, "Id", "");
    if (!*id || strlen(id) >= CONTAINER_ID_MAX)
        return false;
    const char *name = json_string_value(json_array_get(json_at(item, "Names"), 0));
    snprintf(ret->id, sizeof ret->id, "%s", id);
    ret->name = mem_strdup(name ? bare_name(name) : "");
    ret->image = text_at(item, "Image");
    ret->state = container_state_parse(json_text_at(item, "State", NULL));
    ret->labels = texts_of(json_at(item, "Labels"));
    return true;
}

void docker__summary_clear(struct docker_summary *summary)
{
    free(summary->name);
    free(summary->image);
    json_decref(summary->labels);
}

struct container *docker__container_from_summary(const struct docker_summary *summary)
{
    struct container *c = mem_new(sizeof *c);
    c->references = 1;
    snprintf(c->id, sizeof c->id, "%s", summary->id);
    c->name = mem_strdup(summary->name);
    set_config(c, NULL);
    mem_replace(&c->image, summary->image);
    json_decref(c->labels);
    c->labels = json_incref(summary->labels);
    free(c->project);
    free(c->service);
    set_compose(c);
    set_state(c, NULL);
    c->state = summary->state;
    c->is_partial = true;
    set_host_config(c, NULL);
    return c;
}

/* --- life and questions ----------------------------------------------------------------------- */

struct container *container_ref(struct container *container)
{
    container->references++;
    return container;
}

static void free_lists(struct container *c)
{
    for (size_t i = 0; i < c->network_count; i++) {
        free(c->networks[i].name);
        free(c->networks[i].address);
    }
    for (size_t i = 0; i < c->port_count; i++)
        free(c->ports[i].host_address);
    free(c->networks);
    free(c->ports);
    json_decref(c->labels);
    json_decref(c->environment);
}

struct container *container_unref(struct container *container)
{
    if (!container || --container->references > 0)
        return NULL;
    char *texts[] = {
        container->name,         container->image,          container->project,
        container->service,      container->health_output,  container->error,
        container->stop_signal,  container->restart_policy, container->log_driver,
        container->network_mode,
    };
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        free(texts[i]);
    free_lists(container);
    free(container);
    return NULL;
}

const char *container_label(const struct container *container, const char *key)
{
    return json_string_value(json_object_get(container->labels, key));
}

const char *container_env(const struct container *container, const char *key)
{
    return json_string_value(json_object_get(container->environment, key));
}

int container_grace(int grace_s)
{
    enum { ENDLESS_S = 600 };
    return grace_s < 0 ? ENDLESS_S : grace_s;
}

bool container_is_up(const struct container *container)
{
    return container->state == CONTAINER_RUNNING || container->state == CONTAINER_PAUSED ||
           container->state == CONTAINER_RESTARTING;
}

int64_t container_health_worst_ms(const struct container *container)
{
    /* The first probe comes one interval after the start and each may run into its time limit.
     * Failures within the start period do not count, and one probe may straddle its end. */
    int64_t probe_ms = container->health_interval_ms + container->health_timeout_ms;
    return container->health_start_period_ms + (container->health_retries + 1) * probe_ms;
}
