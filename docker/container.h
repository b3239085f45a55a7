/* What the Engine says of one container, as a value.
 *
 * Made by docker_inspect(), shared by reference count and never changed after it was made, so a
 * plan and a view may hold the same one. Names, labels and environment are foreign input.
 *
 * May use: base.
 */
#ifndef DOCKER_CONTAINER_H
#define DOCKER_CONTAINER_H

#include "base/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONTAINER_ID_MAX 72 /* 64 hex digits and a NUL; roomier for other engines */

enum container_state {
    CONTAINER_CREATED,
    CONTAINER_RUNNING,
    CONTAINER_PAUSED,
    CONTAINER_RESTARTING, /* waiting in the restart policy's back-off: nothing runs */
    CONTAINER_REMOVING,
    CONTAINER_EXITED,
    CONTAINER_DEAD,
    CONTAINER_STATE_UNKNOWN,
    CONTAINER_STATES
};

enum container_health {
    HEALTH_NONE, /* no health check, or a disabled one */
    HEALTH_STARTING,
    HEALTH_HEALTHY,
    HEALTH_UNHEALTHY,
    HEALTH_STATES
};

struct container_network {
    char *name;
    char *address; /* IPv4 or IPv6 text; may be "" */
};

struct container_port {
    int port;           /* inside */
    char *host_address; /* "0.0.0.0", "127.0.0.1", "::" */
    int host_port;
};

struct container {
    int references;
    char id[CONTAINER_ID_MAX];
    char *name; /* without the leading slash */
    char *image;
    /* from the compose labels; "" when they are missing */
    char *project;
    char *service;
    int number;
    bool oneoff;
    bool is_partial; /* the Engine lists it but did not inspect it in time (stuck?): only name,
                        image, labels and state are known, the rest stands at its defaults */

    enum container_state state;
    enum container_health health; /* HEALTH_NONE unless running: a dead one's is stale */
    bool has_healthcheck;
    int health_retries;
    int64_t health_interval_ms; /* effective: Docker's defaults filled in */
    int64_t health_timeout_ms;
    int64_t health_start_period_ms;
    char *health_output; /* the last probe's output, "" if none */
    int failing_streak;
    int64_t checked_ns; /* when the last health check ended, by the engine's clock; 0: none has */

    int pid; /* on the engine's host; 0 when not running */
    int exit_code;
    bool oom_killed;
    char *error;                     /* the Engine's last start error, "" if none */
    int64_t started_ns, finished_ns; /* since 1970; 0 = never */
    int restart_count;

    int stop_timeout_s;   /* effective: Docker's 10 where none is set; -1: as long as it takes */
    char *stop_signal;    /* "" if not set: SIGTERM then */
    char *restart_policy; /* "no", "always", "unless-stopped", "on-failure" */
    bool auto_remove;     /* --rm: gone once it stops */
    bool tty;
    char *log_driver;
    char *network_mode; /* "host", "container:<id>", a network's name … */

    struct container_network *networks;
    size_t network_count;
    struct container_port *ports;
    size_t port_count;
    json_t *labels;      /* an object of texts */
    json_t *environment; /* an object of texts: holds secrets, never shown or stored */
};

/* From the body of GET /containers/{id}/json. NULL with ERR_PROTOCOL when it is no container. The
 * caller owns one reference. Pure; fuzzed. */
struct container *container_from_json(const json_t *body, struct err *e);

struct container *container_ref(struct container *container);
struct container *container_unref(struct container *container); /* accepts NULL; returns NULL */

const char *container_label(const struct container *container, const char *key); /* or NULL */
const char *container_env(const struct container *container, const char *key);   /* or NULL */

/* Running or about to run by itself (running, paused, restarting). */
bool container_is_up(const struct container *container);

/* A time to end in, in seconds, that can be waited for: Docker's -1, as long as it takes, is ten
 * minutes. */
int container_grace(int grace_s);

/* The time a health check can take at most until it says healthy or unhealthy for good. */
int64_t container_health_worst_ms(const struct container *container);

const char *container_state_name(enum container_state state);
enum container_state container_state_parse(const char *name);
const char *container_health_name(enum container_health health);

#endif
