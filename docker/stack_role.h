/* Telling a database from an app by its container. Pure.
 *
 * May use: base, container.h, stack.h (the roles).
 */
#ifndef DOCKER_STACK_ROLE_H
#define DOCKER_STACK_ROLE_H

#include "docker/stack.h"

#define STACK__LABEL_ROLE            "stack-supervisor.role"
#define STACK__LABEL_DEPENDS         "stack-supervisor.depends_on"
#define STACK__LABEL_COMPOSE         "com.docker.compose."
#define STACK__LABEL_COMPOSE_PROJECT STACK__LABEL_COMPOSE "project"
#define STACK__LABEL_COMPOSE_DEPENDS STACK__LABEL_COMPOSE "depends_on"

/* How sure we are that a container is a PostgreSQL server. */
enum stack__rank {
    RANK_NONE,
    RANK_HINT,        /* POSTGRES_DB: apps that are told of their database bear it as well */
    RANK_ENVIRONMENT, /* PG_MAJOR or PGDATA: made from a PostgreSQL image */
    RANK_IMAGE,       /* the image's name */
    RANK_LABEL,       /* stack-supervisor.role=database */
};
enum stack__rank stack__database_rank(const struct container *container);

/* "app", "database", "pooler", "ignore"; false for anything else. */
bool stack__role_parse(const char *name, enum stack_role *ret);
/* By our label; false when there is none. */
bool stack__role_of_label(const struct container *container, enum stack_role *ret);
bool stack__is_pooler(const struct container *container);

/* A `run` container, or one of compose's own hooks: not part of a service. */
bool stack__is_oneoff(const struct container *container);

#endif
