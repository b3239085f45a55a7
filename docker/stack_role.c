/* See stack_role.h. */
#include "docker/stack_role.h"

#include "base/mem.h"

#include <string.h>

static const char *const role_names[] = {
    [ROLE_APP] = "app",
    [ROLE_DATABASE] = "database",
    [ROLE_POOLER] = "pooler",
    [ROLE_IGNORE] = "ignore",
};

/* The last part of an image's name that stands for a PostgreSQL server. */
static const char *const database_images[] = {
    "postgres",    "postgresql",          "postgis", "timescaledb", "timescaledb-ha",
    "pgvector",    "timescaledb-postgis", "citus",   "pgrouting",   "paradedb",
    "alloydbomni",
};

const char *stack_role_name(enum stack_role role)
{
    return (unsigned)role < ARRAY_SIZE(role_names) ? role_names[role] : "app";
}

bool stack__role_parse(const char *name, enum stack_role *ret)
{
    for (size_t i = 0; i < ARRAY_SIZE(role_names); i++)
        if (strcmp(role_names[i], name) == 0) {
            *ret = (enum stack_role)i;
            return true;
        }
    return false;
}

bool stack__role_of_label(const struct container *container, enum stack_role *ret)
{
    const char *label = container_label(container, STACK__LABEL_ROLE);
    return label && stack__role_parse(label, ret);
}

/* "registry:5000/library/postgres:15@sha256:…" to "postgres". The caller frees it. */
static char *image_name(const char *image)
{
    const char *slash = strrchr(image, '/');
    const char *name = slash ? slash + 1 : image;
    return mem_strndup(name, strcspn(name, ":@"));
}

static bool is_database_image(const char *image)
{
    CLEANUP_FREE char *name = image_name(image);
    for (size_t i = 0; i < ARRAY_SIZE(database_images); i++)
        if (strcmp(database_images[i], name) == 0)
            return true;
    return false;
}

enum stack__rank stack__database_rank(const struct container *container)
{
    enum stack_role role;
    if (stack__role_of_label(container, &role))
        return role == ROLE_DATABASE ? RANK_LABEL : RANK_NONE;
    if (is_database_image(container->image))
        return RANK_IMAGE;
    if (stack__is_pooler(container))
        return RANK_NONE;
    if (container_env(container, "PG_MAJOR") || container_env(container, "PGDATA"))
        return RANK_ENVIRONMENT;
    return container_env(container, "POSTGRES_DB") ? RANK_HINT : RANK_NONE;
}

/* An exporter of a pooler's figures bears its name and is none. */
bool stack__is_pooler(const struct container *container)
{
    CLEANUP_FREE char *name = image_name(container->image);
    bool is_pgbouncer = strstr(name, "pgbouncer") && !strstr(name, "exporter");
    return is_pgbouncer || strcmp(name, "pgcat") == 0 || strcmp(name, "odyssey") == 0;
}

bool stack__is_oneoff(const struct container *container)
{
    return container->oneoff || container_label(container, STACK__LABEL_COMPOSE "hook");
}
