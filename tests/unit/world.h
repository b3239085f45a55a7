/* A simulated stack for the built-in policies: apps that leak, a PostgreSQL with so many slots,
 * watchers that sample it (every 15 s, every 2 s while pressed), health checks, and runs that do
 * what the playbooks do. Time is simulated; half an hour takes milliseconds.
 *
 * It closes the loop: what the policies decide changes the world that they see next.
 * May use: check, base, policies, policies_fixture. */
#ifndef TESTS_WORLD_H
#define TESTS_WORLD_H

#include "policies_fixture.h"

enum { WORLD_APPS = 8, WORLD_SLOTS_MAX = 400 };

struct app {
    const char *name; /* of its service and of its container */
    int busy;         /* sessions that it works with */
    double leaks;     /* sessions a second, */
    int leaks_most;   /* until so many have leaked */
    bool in_transaction;
    bool cured_by_restart;
    bool unhealable; /* its health check fails whatever happens */
    bool breaks;     /* a refused login breaks its pool: unhealthy until it is restarted */
    /* the world's own */
    bool broken, down;
    int restarts;
    int failed_checks;
    double owed; /* of the next session to leak */
    const char *health;
};

struct session {
    int app;     /* -1: the slot is free */
    bool leaked; /* else it is at work */
    bool in_transaction;
    int64_t since_ms;
};

struct world {
    struct fixture fixture;
    struct app apps[WORLD_APPS];
    int app_count;
    int usable;
    struct session slots[WORLD_SLOTS_MAX];
    const char *database; /* its state but for exhaustion, which follows from the slots */
    int64_t now_ms, sample_ms;
    int refused; /* logins, since the beginning */
    int64_t refusals[512];
    size_t refusal_count;
    bool logs; /* the apps' logs tell of refused logins */
    /* the run that is under way */
    char playbook[64];
    json_t *params;
    int64_t run_began_ms, run_ends_ms; /* 0: none */
    int runs, recoveries;
    int notified;
};

/* The built-in policies, with six recoveries an hour, or others. */
void world_begin(struct world *world, int usable);
void world_end(struct world *world);

struct app *world_app(struct world *world, struct app app);
void world_run(struct world *world, int64_t until_ms);

/* The decisions so far, as lines of the fixture. */
const char *world_log(const struct world *world);
int world_times(const struct world *world, const char *part); /* how often they have it */
int world_used(const struct world *world);

#endif
