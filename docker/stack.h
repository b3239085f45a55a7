/* The model of one compose project: services, their containers, and who depends on whom.
 *
 * Built by pure code from inspected containers plus, in this order of growing weight: compose v2's
 * `depends_on` label, the compose file that v1's labels name (v1 writes no such label), container
 * labels of our own (`stack-supervisor.role=database|app|pooler|ignore`,
 * `stack-supervisor.depends_on=a,b:service_healthy`), and the configuration. A shared network
 * namespace (`network_mode: container:<id>`) always orders two services. What nothing speaks of is
 * taken to depend on the database, and a note says so. stack_load() does it all against an engine.
 *
 * May use: base, docker's client.
 */
#ifndef DOCKER_STACK_H
#define DOCKER_STACK_H

#include "docker/docker.h"

enum stack_condition { CONDITION_STARTED, CONDITION_HEALTHY, CONDITION_COMPLETED };

enum stack_role {
    ROLE_APP,
    ROLE_DATABASE,
    ROLE_POOLER, /* PgBouncer: an app for ordering, known by its image */
    ROLE_IGNORE, /* never touched */
};

struct stack_dependency {
    char *service;
    enum stack_condition condition;
};

struct stack_service {
    char *name;
    enum stack_role role;
    struct container **containers; /* replicas in the order of their number; one-offs left out */
    size_t container_count;
    struct stack_dependency *dependencies; /* sorted by name, none twice */
    size_t dependency_count;
    const char *source; /* where the dependencies come from: "label", "compose file",
                           "configuration", "assumed" (on the database), "none" */
};

struct stack {
    int references;
    char *project;
    struct stack_service *services; /* sorted by name */
    size_t service_count;
    struct stack_service *database; /* one of services; never NULL in a stack that was loaded */
    struct container **oneoffs;     /* `docker-compose run` containers: shown, never touched */
    size_t oneoff_count;
    char **notes; /* what a person should know: "the compose file … cannot be read: …" */
    size_t note_count;
};

/* What the configuration says of one service. */
struct stack_override {
    const char *service;
    bool has_role;
    enum stack_role role;
    bool has_dependencies; /* replaces what labels and files say */
    const struct stack_dependency *dependencies;
    size_t dependency_count;
};

struct stack_selector {
    const char *project;          /* NULL: the one compose project that has a PostgreSQL */
    const char *database_service; /* NULL: by label, by image, by environment */
    const struct stack_override *overrides;
    size_t override_count;
};

/* Dependencies read from a compose file of v1 (or v2): "service" → its depends_on, links,
 * volumes_from and network_mode: service:x. Both forms of depends_on are known. `path` is for the
 * diagnostics. Pure; fuzzed. The result is freed with stack_file_free. */
struct stack_file;
int stack_file_parse(const char *text, size_t len, const char *path, struct stack_file **ret,
                     struct err *e);
struct stack_file *stack_file_free(struct stack_file *file);

/* compose v2's label value ("db:service_healthy:false,redis") into dependencies; entries that
 * make no sense are left out. The caller frees the array with stack_dependencies_free. Pure. */
void stack_parse_depends_label(const char *value, struct stack_dependency **ret, size_t *ret_count);
void stack_dependencies_free(struct stack_dependency *dependencies, size_t count);

/* Builds the model from all containers of one project (references are taken). `selector` and
 * `file` may be NULL. Fails with ERR_NOT_FOUND when there is no database, and with ERR_INVALID for
 * several, for a dependency cycle ("depends on itself: a → b → a"), and for a configuration whose
 * database is an unknown service; with ERR_TIMEOUT when the database may be a container that the
 * Engine did not describe. Whatever else is named (by label, file or configuration) and has no
 * container is left out with a note: what was removed since must not keep a stack from being
 * recovered. Pure.
 *
 * The database is the service that the selector names, else the one with the surest sign: role by
 * configuration or label, the image's name, PG_MAJOR or PGDATA in the environment, POSTGRES_DB. */
int stack_build(const char *project, struct container *const *containers, size_t count,
                const struct stack_selector *selector, const struct stack_file *file,
                struct stack **ret, struct err *e);

struct stack *stack_ref(struct stack *stack);
struct stack *stack_unref(struct stack *stack); /* accepts NULL; returns NULL */

struct stack_service *stack_service(const struct stack *stack, const char *name); /* or NULL */
/* The service whose name is so near that it may be meant; borrowed from the stack, or NULL. */
const char *stack_nearest_service(const struct stack *stack, const char *name);
/* Likewise, of its containers' names and its services'. */
const char *stack_nearest_name(const struct stack *stack, const char *name);
struct container *stack_container(const struct stack *stack, const char *id_or_name); /* or NULL */

/* The container whose address on any of its networks this is; NULL when none, or when two
 * containers bear it. */
const struct container *stack_container_at(const struct stack *stack, const char *address);

/* Finds the project, lists and inspects its containers, reads the compose file where needed, and
 * builds. A container that is listed but not inspected in time enters as `is_partial`, with a note.
 * The selector is copied. The callback may keep the stack with stack_ref(). ERR_NOT_FOUND when
 * there is no such project or none with a PostgreSQL; ERR_INVALID when several could be meant (they
 * are named). */
typedef void (*stack_load_fn)(void *data, const struct err *e, struct stack *stack);
op_id stack_load(struct docker *docker, const struct stack_selector *selector, int64_t deadline_ms,
                 stack_load_fn done, void *data);

/* {"project":…, "services":[{"name":…,"role":…,"depends_on":[{"service":…,"condition":…}],
 * "source":…,"containers":[{"name":…,"id":…,"image":…,"state":…,"health":…,"started_at":…,
 * "restarts":…}]}], "oneoffs":[containers], "notes":[…]}; the caller owns it. No environment and no
 * labels in it. */
json_t *stack_json(const struct stack *stack);

const char *stack_condition_name(enum stack_condition condition); /* "service_healthy" … */
const char *stack_role_name(enum stack_role role);

#endif
