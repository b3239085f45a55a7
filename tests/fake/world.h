/* A small world behind the fake Engine: the containers of one compose project, which stop and start
 * as they are told, and whatever trouble a test wants of them. Every change is told as the Engine's
 * event, to the function that the test gave.
 */
#ifndef FAKE_WORLD_H
#define FAKE_WORLD_H

#include "docker/docker.h"
#include "tests/fake/engine.h"

enum { WORLD_MAX = 8 };

struct world_container {
    char id[64], service[32], depends[128];
    const char *state, *health; /* health NULL: it has no check */
    char started_at[40], finished_at[40];
    int exit_code;
    int starts, stops; /* that changed something */
    /* trouble */
    int refused_starts;  /* so many starts fail, */
    const char *refusal; /* with these words */
    const char *error;   /* of the last start, as an inspection tells it; NULL: it went well */
    bool sick;           /* does not get healthy */
    int ends_with;       /* >= 0: ends right after a start, with this code */
    bool ignores_stop;   /* a stop is answered with a 500, and it runs on */
    bool stop_under_way; /* a start is answered 304 meanwhile */
    bool stop_ends;      /* right behind that answer, which takes the start with it */
};

struct world {
    struct loop *loop;
    struct fake_engine *engine;
    struct docker *docker;
    struct world_container containers[WORLD_MAX];
    size_t count;
    void (*on_event)(void *data, const struct docker_event *event);
    void *data;
};

void world_open(struct world *world, struct loop *loop);
void world_close(struct world *world);

/* A running container; `depends` is compose's label. The service "db" is a PostgreSQL. */
struct world_container *world_add(struct world *world, const char *service, const char *depends);
struct world_container *world_find(struct world *world, const char *service);

/* It ends, by itself or because somebody else stopped it. */
void world_exit(struct world *world, struct world_container *container, int exit_code);
void world_become(struct world *world, struct world_container *container, const char *health);

/* How often it was asked for: world_asked(world, "POST", "web", "/stop"). */
size_t world_asked(const struct world *world, const char *method, const char *service,
                   const char *what);

#endif
