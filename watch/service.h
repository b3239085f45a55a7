/* A service of the stack on the board: its worst health, whether all of it runs, how often it dies.
 *
 * May use: base, policies, feed.h.
 */
#ifndef WATCH_SERVICE_H
#define WATCH_SERVICE_H

#include "policies/derive.h"
#include "watch/feed.h"

struct watch__service {
    char *name;
    bool is_present;            /* in the newest model */
    struct rate *deaths, *ooms; /* NULL: never any */
};

struct watch__service *watch__service_new(const char *name);
struct watch__service *watch__service_free(struct watch__service *service);

/* What its containers say, put together: of each watch__member_running and _health. Begin with
 * WATCH__SAYS_NOTHING. */
struct watch__said {
    int running, health;
};
#define WATCH__SAYS_NOTHING ((struct watch__said){-1, -1})
void watch__said_add(struct watch__said *said, int running, int health);

void watch__service_tell(const struct watch__service *service, struct feed *feed,
                         const struct watch__said *said);

/* True while one of its rates has to fall again. */
bool watch__service_tell_rates(const struct watch__service *service, struct feed *feed,
                               int64_t now_ms);

/* *rate is one of the service's. */
void watch__service_count(struct rate **rate, int times, int64_t now_ms);

void watch__service_forget(const struct watch__service *service, struct feed *feed);

#endif
