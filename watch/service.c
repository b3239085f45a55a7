/* See service.h. */
#include "watch/service.h"

#include "base/mem.h"
#include "docker/container.h"

struct watch__service *watch__service_new(const char *name)
{
    struct watch__service *service = mem_new(sizeof *service);
    service->name = mem_strdup(name);
    return service;
}

struct watch__service *watch__service_free(struct watch__service *service)
{
    if (!service)
        return NULL;
    free(service->name);
    free(service->deaths);
    free(service->ooms);
    free(service);
    return NULL;
}

/* How bad a health is; the worst of a service's containers is the service's. */
static int badness(int health)
{
    static const int of[HEALTH_STATES] = {
        [HEALTH_NONE] = 0, [HEALTH_HEALTHY] = 1, [HEALTH_STARTING] = 2, [HEALTH_UNHEALTHY] = 3};
    return health < 0 ? -1 : of[health];
}

void watch__said_add(struct watch__said *said, int running, int health)
{
    if (running == 0 || said->running < 0)
        said->running = running < 0 ? said->running : running;
    if (badness(health) > badness(said->health))
        said->health = health;
}

void watch__service_tell(const struct watch__service *service, struct feed *feed,
                         const struct watch__said *said)
{
    if (said->running < 0)
        feed_forget(feed, "service.running", service->name);
    else
        feed_number(feed, "service.running", service->name, said->running);
    if (said->health < 0)
        feed_forget(feed, "service.health", service->name);
    else
        feed_word(feed, "service.health", service->name,
                  container_health_name((enum container_health)said->health));
}

static double rate_of(const struct rate *rate, int64_t now_ms)
{
    return rate ? rate_per_minute(rate, now_ms) : 0;
}

bool watch__service_tell_rates(const struct watch__service *service, struct feed *feed,
                               int64_t now_ms)
{
    double deaths = rate_of(service->deaths, now_ms);
    double ooms = rate_of(service->ooms, now_ms);
    feed_number(feed, "service.restarts.rate", service->name, deaths);
    feed_number(feed, "service.oom.rate", service->name, ooms);
    return deaths > 0 || ooms > 0;
}

void watch__service_count(struct rate **rate, int times, int64_t now_ms)
{
    if (!*rate)
        *rate = mem_new(sizeof **rate);
    for (int i = 0; i < times; i++)
        rate_add(*rate, now_ms);
}

void watch__service_forget(const struct watch__service *service, struct feed *feed)
{
    static const char *const told[] = {"service.health", "service.running", "service.restarts.rate",
                                       "service.oom.rate"};
    for (size_t i = 0; i < ARRAY_SIZE(told); i++)
        feed_forget(feed, told[i], service->name);
}
