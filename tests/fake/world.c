/* See world.h. */
#include "tests/fake/world.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define API "/v1.41/containers/"

/* To the nanosecond, as the Engine has it. */
static void stamp_now(char out[static 40])
{
    int64_t now = clock_wall_ns();
    char at[CLOCK_STAMP_MAX];
    clock_stamp(now / 1000000, at);
    at[strcspn(at, ".")] = '\0';
    snprintf(out, 40, "%.20s.%09uZ", at, (unsigned)(now % 1000000000) % 1000000000);
}

static void tell(const struct world *world, const struct world_container *c, const char *action,
                 const char *detail)
{
    const struct docker_event event = {
        .action = action, .detail = detail, .id = c->id, .name = c->id, .time_ns = clock_wall_ns()};
    if (world->on_event)
        world->on_event(world->data, &event);
}

/* --- what happens ----------------------------------------------------------------------------- */

void world_exit(struct world *world, struct world_container *c, int exit_code)
{
    c->state = "exited";
    c->exit_code = exit_code;
    stamp_now(c->finished_at);
    tell(world, c, "die", "");
}

void world_become(struct world *world, struct world_container *c, const char *health)
{
    c->health = health;
    tell(world, c, "health_status", health);
}

static char *refuse(int status, const char *message)
{
    CLEANUP_FREE char *body = mem_printf("{\"message\":\"%s\"}", message);
    return fake_json(status, body);
}

static char *stop(struct world *world, struct world_container *c)
{
    if (c->ignores_stop)
        return refuse(500, "tried to kill container, but did not receive an exit event");
    if (strcmp(c->state, "running") != 0)
        return fake_json(304, "");
    c->stops++;
    tell(world, c, "kill", "");
    world_exit(world, c, 0);
    tell(world, c, "stop", "");
    return fake_json(204, "");
}

static char *start(struct world *world, struct world_container *c)
{
    if (c->refused_starts > 0) {
        c->refused_starts--;
        c->error = c->refusal;
        return refuse(500, c->refusal);
    }
    if (strcmp(c->state, "running") == 0 || c->stop_under_way) {
        if (c->stop_ends) {
            c->stop_ends = c->stop_under_way = false;
            world_exit(world, c, 143);
        }
        return fake_json(304, "");
    }
    c->starts++;
    c->error = NULL;
    c->state = "running";
    c->exit_code = 0;
    stamp_now(c->started_at);
    tell(world, c, "start", "");
    if (c->ends_with >= 0)
        world_exit(world, c, c->ends_with);
    else if (c->health)
        world_become(world, c, c->sick ? "unhealthy" : "healthy");
    return fake_json(204, "");
}

/* --- what is told ----------------------------------------------------------------------------- */

static char *labels(const struct world_container *c)
{
    return mem_printf("{\"com.docker.compose.project\":\"shop\",\"com.docker.compose.service\":"
                      "\"%s\",\"com.docker.compose.container-number\":\"1\","
                      "\"com.docker.compose.depends_on\":\"%s\"}",
                      c->service, c->depends);
}

static const char *image(const struct world_container *c)
{
    return strcmp(c->service, "db") == 0 ? "postgres:15" : "app";
}

static char *list(const struct world *world)
{
    struct buf body;
    buf_init(&body, 1 << 20);
    for (size_t i = 0; i < world->count; i++) {
        const struct world_container *c = &world->containers[i];
        CLEANUP_FREE char *their = labels(c);
        buf_printf(&body,
                   "%s{\"Id\":\"%s\",\"Names\":[\"/%s\"],\"Image\":\"%s\",\"State\":\"%s\","
                   "\"Labels\":%s}",
                   i ? "," : "[", c->id, c->id, image(c), c->state, their);
    }
    buf_puts(&body, world->count ? "]" : "[]");
    char *answer = fake_json(200, buf_text(&body));
    buf_free(&body);
    return answer;
}

static char *inspect(const struct world_container *c)
{
    CLEANUP_FREE char *their = labels(c);
    CLEANUP_FREE char *health =
        c->health ? mem_printf(",\"Health\":{\"Status\":\"%s\",\"FailingStreak\":0,\"Log\":[]}",
                               c->health)
                  : mem_strdup("");
    CLEANUP_FREE char *body = mem_printf(
        "{\"Id\":\"%s\",\"Name\":\"/"
        "%s\",\"State\":{\"Status\":\"%s\",\"ExitCode\":%d,\"Error\":\"%s\","
        "\"StartedAt\":\"%s\",\"FinishedAt\":\"%s\"%s},\"Config\":{\"Image\":\"%s\","
        "\"StopTimeout\":1,\"Labels\":%s%s},\"HostConfig\":{\"NetworkMode\":\"shop\"},"
        "\"NetworkSettings\":{\"Networks\":{\"shop\":{\"IPAddress\":\"127.0.0.1\"}}}}",
        c->id, c->id, c->state, c->exit_code, c->error ? c->error : "", c->started_at,
        c->finished_at, health, image(c), their,
        c->health ? ",\"Healthcheck\":{\"Test\":[\"CMD\",\"x\"],\"Interval\":1000000000}" : "");
    return fake_json(200, body);
}

/* --- what is asked ---------------------------------------------------------------------------- */

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static char *answer_get(const struct world_container *c, const char *what)
{
    if (begins(what, "/json"))
        return inspect(c);
    return begins(what, "/logs") ? fake_json(200, "") : NULL; /* nothing was said */
}

static char *answer_post(struct world *world, struct world_container *c, const char *what)
{
    if (begins(what, "/stop"))
        return stop(world, c);
    if (begins(what, "/start"))
        return start(world, c);
    if (begins(what, "/kill"))
        return strcmp(c->state, "running") == 0 ? fake_json(204, "")
                                                : refuse(409, "it is not running");
    return NULL;
}

static char *on_request(void *data, const char *request)
{
    struct world *world = data;
    if (begins(request, "GET " API "json"))
        return list(world);
    bool get = begins(request, "GET " API);
    if (!get && !begins(request, "POST " API))
        return NULL;
    const char *id = strstr(request, API) + strlen(API);
    const char *what = id + strcspn(id, "/ ?");
    for (size_t i = 0; i < world->count; i++) {
        struct world_container *c = &world->containers[i];
        if (strlen(c->id) == (size_t)(what - id) && begins(id, c->id))
            return get ? answer_get(c, what) : answer_post(world, c, what);
    }
    return refuse(404, "No such container: it");
}

/* --- life ------------------------------------------------------------------------------------- */

void world_open(struct world *world, struct loop *loop)
{
    *world = (struct world){.loop = loop, .engine = fake_engine_new(loop)};
    fake_engine_otherwise(world->engine, on_request, world);
    const struct docker_options options = {.host = fake_engine_host(world->engine)};
    unsetenv("DOCKER_API_VERSION");
    int status = docker_new(loop, &options, &world->docker, NULL);
    assert(status == 0);
    (void)status;
}

void world_close(struct world *world)
{
    world->on_event = NULL;
    docker_free(world->docker);
    fake_engine_free(world->engine);
}

struct world_container *world_add(struct world *world, const char *service, const char *depends)
{
    assert(world->count < WORLD_MAX);
    struct world_container *c = &world->containers[world->count++];
    *c = (struct world_container){.state = "running", .health = "healthy", .ends_with = -1};
    snprintf(c->id, sizeof c->id, "shop_%s_1", service);
    snprintf(c->service, sizeof c->service, "%s", service);
    snprintf(c->depends, sizeof c->depends, "%s", depends);
    snprintf(c->started_at, sizeof c->started_at, "2026-01-01T00:00:00Z");
    snprintf(c->finished_at, sizeof c->finished_at, "0001-01-01T00:00:00Z");
    return c;
}

struct world_container *world_find(struct world *world, const char *service)
{
    for (size_t i = 0; i < world->count; i++)
        if (strcmp(world->containers[i].service, service) == 0)
            return &world->containers[i];
    abort();
}

size_t world_asked(const struct world *world, const char *method, const char *service,
                   const char *what)
{
    CLEANUP_FREE char *route = mem_printf("%s " API "shop_%s_1%s", method, service, what);
    return fake_engine_count(world->engine, route);
}
