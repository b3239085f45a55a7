/* Reading the configuration. See config.h. */
#include "supervisor/config_private.h"

#include "base/buf.h"
#include "base/mem.h"
#include "control/wire.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { FILE_MAX = 1 << 20 };

/* --- pieces ----------------------------------------------------------------------------------- */

static void read_text(const struct yaml_node *map, const char *key, const char *what, char **slot,
                      struct diag_list *diags)
{
    const struct yaml_node *node = yaml_get(map, key);
    const char *text;
    if (node && yaml_read_text(node, what, &text, diags))
        mem_replace(slot, text);
}

static void read_path(const struct yaml_node *map, const char *key, const char *what, char **slot,
                      struct diag_list *diags)
{
    const struct yaml_node *node = yaml_get(map, key);
    if (node)
        yaml_read_path(node, what, slot, diags);
}

static void read_docker(struct config *config, const struct yaml_node *node,
                        struct diag_list *diags)
{
    static const char *const known[] = {"host", NULL};
    if (yaml_expect_map(node, "docker", known, diags) || node->kind == YAML_MAP)
        read_text(node, "host", "docker: host", &config->docker_host, diags);
}

/* "password=…" or "password = …", and not a path or a host that bears the word. */
static bool sets_password(const char *connect)
{
    static const char word[] = "password";
    for (const char *at = strstr(connect, word); at; at = strstr(at + 1, word)) {
        const char *behind = at + strlen(word);
        if (behind[strspn(behind, " ")] == '=')
            return true;
    }
    const char *authority = strstr(connect, "://");
    if (!authority)
        return false;
    authority += 3;
    size_t user = strcspn(authority, "@/"); /* as libpq looks for it */
    return authority[user] == '@' && memchr(authority, ':', user);
}

/* A password in the file would be readable wherever the file is: libpq has better places. */
static void check_connect(const char *connect, const char *section, const struct yaml_node *node,
                          struct diag_list *diags)
{
    if (connect && sets_password(connect))
        yaml_error(diags, yaml_get(node, "connect"),
                   "%s: connect: no password here; put it into %s.passfile, ~/.pgpass or "
                   "PGPASSWORD",
                   section, section);
}

static void read_database(struct config *config, const struct yaml_node *node,
                          struct diag_list *diags)
{
    static const char *const known[] = {"service", "connect", "passfile", NULL};
    if (!yaml_expect_map(node, "database", known, diags) && node->kind != YAML_MAP)
        return;
    read_text(node, "service", "database: service", &config->database_service, diags);
    read_text(node, "connect", "database: connect", &config->database_connect, diags);
    read_path(node, "passfile", "database: passfile", &config->database_passfile, diags);
    check_connect(config->database_connect, "database", node, diags);
}

static void read_pgbouncer(struct config *config, const struct yaml_node *node,
                           struct diag_list *diags)
{
    static const char *const known[] = {"connect", "passfile", NULL};
    if (!yaml_expect_map(node, "pgbouncer", known, diags) && node->kind != YAML_MAP)
        return;
    read_text(node, "connect", "pgbouncer: connect", &config->pooler_connect, diags);
    read_path(node, "passfile", "pgbouncer: passfile", &config->pooler_passfile, diags);
    check_connect(config->pooler_connect, "pgbouncer", node, diags);
}

static void read_control(struct config *config, const struct yaml_node *node,
                         struct diag_list *diags)
{
    static const char *const known[] = {"group", "read_group", NULL};
    if (!yaml_expect_map(node, "control", known, diags) && node->kind != YAML_MAP)
        return;
    read_text(node, "group", "control: group", &config->socket_group, diags);
    read_text(node, "read_group", "control: read_group", &config->read_group, diags);
}

static void read_status(struct config *config, const struct yaml_node *node,
                        struct diag_list *diags)
{
    static const char *const known[] = {"listen", NULL};
    if (yaml_expect_map(node, "status", known, diags))
        read_text(node, "listen", "status: listen", &config->status_listen, diags);
}

static void read_alerts(struct config *config, const struct yaml_node *node,
                        struct diag_list *diags)
{
    static const char *const known[] = {"listen", "token_file", NULL};
    if (!yaml_expect_map(node, "alerts", known, diags) && node->kind != YAML_MAP)
        return;
    read_text(node, "listen", "alerts: listen", &config->alerts_listen, diags);
    read_path(node, "token_file", "alerts: token_file", &config->alerts_token_file, diags);
    if (config->alerts_listen && !yaml_get(node, "token_file"))
        yaml_error(diags, node,
                   "alerts: a port that everybody on this machine reaches needs a "
                   "token_file");
}

/* --- services --------------------------------------------------------------------------------- */

/* Dependencies are gathered in an array of our own first: the override's is const. */
struct dependency_list {
    struct stack_dependency *items;
    size_t count;
};

static void add_dependency(struct dependency_list *list, const char *service,
                           enum stack_condition condition)
{
    *MEM_PUSH(list->items, list->count) =
        (struct stack_dependency){.service = mem_strdup(service), .condition = condition};
}

static void read_condition(const struct yaml_node *node, enum stack_condition *condition,
                           struct diag_list *diags)
{
    static const char *const known[] = {"condition", NULL};
    static const char *const conditions[] = {[CONDITION_STARTED] = "service_started",
                                             [CONDITION_HEALTHY] = "service_healthy",
                                             [CONDITION_COMPLETED] =
                                                 "service_completed_successfully",
                                             NULL};
    size_t index;
    const struct yaml_node *value;
    if (yaml_expect_map(node, "depends_on", known, diags) &&
        (value = yaml_get(node, "condition")) &&
        yaml_read_choice(value, "condition", conditions, &index, diags))
        *condition = (enum stack_condition)index;
}

/* [a, b] or {a: {condition: service_healthy}}, as compose has it. */
static void read_depends_on(const struct yaml_node *node, struct dependency_list *list,
                            struct diag_list *diags)
{
    const char *name;
    if (node->kind == YAML_MAP) {
        for (size_t i = 0; i < node->count; i++) {
            enum stack_condition condition = CONDITION_STARTED;
            read_condition(node->items[i], &condition, diags);
            add_dependency(list, node->keys[i]->text, condition);
        }
    } else if (yaml_expect_list(node, "depends_on", diags)) {
        for (size_t i = 0; i < node->count; i++)
            if (yaml_read_text(node->items[i], "depends_on", &name, diags))
                add_dependency(list, name, CONDITION_STARTED);
    }
}

static void read_service(struct config *config, const struct yaml_node *key,
                         const struct yaml_node *node, struct diag_list *diags)
{
    static const char *const known[] = {"role", "depends_on", NULL};
    static const char *const roles[] = {[ROLE_APP] = "app",
                                        [ROLE_DATABASE] = "database",
                                        [ROLE_POOLER] = "pooler",
                                        [ROLE_IGNORE] = "ignore",
                                        NULL};
    struct stack_override *override = MEM_PUSH(config->overrides, config->override_count);
    struct dependency_list dependencies = {0};
    const struct yaml_node *value;
    size_t index;
    override->service = mem_strdup(key->text);
    if (!yaml_expect_map(node, key->text, known, diags) && node->kind != YAML_MAP)
        return;
    if ((value = yaml_get(node, "role")) && yaml_read_choice(value, "role", roles, &index, diags)) {
        override->has_role = true;
        override->role = (enum stack_role)index;
    }
    if ((value = yaml_get(node, "depends_on"))) {
        override->has_dependencies = true;
        read_depends_on(value, &dependencies, diags);
    }
    override->dependencies = dependencies.items;
    override->dependency_count = dependencies.count;
}

static const struct stack_override *find_override(const struct config *config, const char *service)
{
    for (size_t i = 0; i < config->override_count; i++)
        if (strcmp(config->overrides[i].service, service) == 0)
            return &config->overrides[i];
    return NULL;
}

/* Follows the configured dependencies from `service`; true (and the way in `path`) when they lead
 * back to `start`. */
static bool leads_back(const struct config *config, const char *service, const char *start,
                       struct buf *path, size_t depth)
{
    const struct stack_override *override = find_override(config, service);
    if (!override || depth > config->override_count)
        return false;
    for (size_t i = 0; i < override->dependency_count; i++) {
        const char *next = override->dependencies[i].service;
        size_t len = path->len;
        buf_printf(path, " → %s", next);
        if (strcmp(next, start) == 0 || leads_back(config, next, start, path, depth + 1))
            return true;
        path->len = len;
        path->data[len] = '\0';
    }
    return false;
}

/* A cycle within the configuration is seen without an engine; one that runs through the labels is
 * refused by stack_build. */
static void check_cycles(const struct config *config, const struct yaml_node *services,
                         struct diag_list *diags)
{
    for (size_t i = 0; i < config->override_count; i++) {
        const char *service = config->overrides[i].service;
        struct buf path;
        buf_init(&path, 4096);
        buf_puts(&path, service);
        bool cycle = leads_back(config, service, service, &path, 0);
        if (cycle)
            yaml_error(diags, services->keys[i], "'%s' depends on itself: %s", service,
                       buf_text(&path));
        buf_free(&path);
        if (cycle)
            return; /* its other members would say the same */
    }
}

static void read_services(struct config *config, const struct yaml_node *node,
                          struct diag_list *diags)
{
    if (node->kind != YAML_MAP) {
        yaml_error(diags, node, "services: expected a map, found %s", yaml_kind_name(node));
        return;
    }
    for (size_t i = 0; i < node->count; i++)
        read_service(config, node->keys[i], node->items[i], diags);
    check_cycles(config, node, diags);
}

/* --- playbooks -------------------------------------------------------------------------------- */

static void read_playbooks(struct config *config, const struct yaml_node *node,
                           struct diag_list *diags)
{
    if (node->kind != YAML_MAP) {
        yaml_error(diags, node, "playbooks: expected a map, found %s", yaml_kind_name(node));
        return;
    }
    for (size_t i = 0; i < node->count; i++) {
        struct playbook *playbook = playbook_read(node->keys[i]->text, node->items[i], diags);
        if (playbook)
            playbook_set_put(config->playbooks, playbook);
        playbook_unref(playbook);
    }
}

/* --- the whole -------------------------------------------------------------------------------- */

static struct config *config_new(const char *path)
{
    struct config *config = mem_new(sizeof *config);
    config->path = mem_strdup(path);
    config->playbooks = playbook_set_new();
    config__policy_defaults(config);
    return config;
}

void config__read(struct config *config, const struct yaml_node *root, struct diag_list *diags)
{
    static const char *const known[] = {
        "stack",  "docker",   "database",  "pgbouncer", "control",  "alerts",
        "status", "services", "playbooks", "mode",      "policies", "recoveries",
        "settle", "watch",    "logs",      "checks",    "notify",   NULL};
    static const struct {
        const char *key;
        void (*read)(struct config *config, const struct yaml_node *node, struct diag_list *diags);
    } sections[] = {
        {"docker", read_docker},         {"database", read_database},
        {"pgbouncer", read_pgbouncer},   {"control", read_control},
        {"alerts", read_alerts},         {"status", read_status},
        {"services", read_services},     {"playbooks", read_playbooks},
        {"mode", config__read_mode},     {"policies", config__read_policies},
        {"settle", config__read_settle}, {"recoveries", config__read_recoveries},
        {"watch", config__read_watch},   {"logs", config__read_logs},
        {"checks", config__read_checks}, {"notify", config__read_notify},
    };
    config->is_unwritten = root->kind == YAML_NULL;
    if (config->is_unwritten)
        return; /* an empty file: all defaults */
    if (!yaml_expect_map(root, "configuration", known, diags) && root->kind != YAML_MAP)
        return;
    read_text(root, "stack", "stack", &config->stack, diags);
    for (size_t i = 0; i < ARRAY_SIZE(sections); i++) {
        const struct yaml_node *node = yaml_get(root, sections[i].key);
        if (node && node->kind != YAML_NULL)
            sections[i].read(config, node, diags);
    }
    config__check_policies(config, diags);
}

int config_parse(const char *name, const char *text, size_t len, struct config **ret,
                 struct diag_list *diags)
{
    CLEANUP_FREE char *shown = mem_strndup(text, len); /* diagnostics want a NUL behind it */
    diag_init(diags, name, shown);
    struct yaml_node *root = yaml_parse(text, len, diags);
    struct config *config = config_new(name);
    if (root)
        config__read(config, root, diags);
    yaml_node_free(root);
    if (diags->count > 0) {
        config_free(config);
        return -(int)ERR_INVALID;
    }
    *ret = config;
    return 0;
}

char *config__read_file(const char *path, size_t *ret_len)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return NULL;
    char *text = mem_new(FILE_MAX + 2);
    errno = 0;
    *ret_len = fread(text, 1, FILE_MAX + 1, file);
    int problem = ferror(file) ? errno : 0; /* a directory, a broken disk */
    fclose(file);
    if (problem) {
        free(text);
        errno = problem;
        return NULL;
    }
    text[*ret_len] = '\0';
    return text;
}

int config_load(const char *path, struct config **ret, struct diag_list *diags)
{
    const char *name = path ? path : WIRE_CONFIG_DEFAULT;
    size_t len = 0;
    char *text = config__read_file(name, &len);
    if (!text && !path && errno == ENOENT) {
        diag_init(diags, name, NULL);
        *ret = config_new(NULL);
        (*ret)->is_unwritten = true;
        return 0;
    }
    if (!text) {
        int problem = errno;
        diag_init(diags, name, NULL);
        diag_add(diags, 0, 0, "cannot be read: %s%s", strerror(problem),
                 problem == ENOENT ? "; supervisorctl init prints one to begin with" : "");
        return -(int)ERR_INVALID;
    }
    int status = config_parse(name, text, len, ret, diags);
    free(text);
    return status;
}

int config_load_anew(const char *path, const struct config *in_force, struct config **ret,
                     struct diag_list *diags)
{
    struct config *config = NULL;
    int status = config_load(path, &config, diags);
    if (status != 0)
        return status;
    if (config->is_unwritten && !in_force->is_unwritten) {
        diag_add(diags, 0, 0, "%s; a file that holds {} and nothing else means all defaults",
                 config->path ? "there is nothing in it" : "it is not there any more");
        config_free(config);
        return -(int)ERR_INVALID;
    }
    *ret = config;
    return 0;
}

struct config *config_remains(const char *path)
{
    static const struct {
        const char *key;
        void (*read)(struct config *config, const struct yaml_node *node, struct diag_list *diags);
    } ways[] = {
        {"docker", read_docker}, {"database", read_database}, {"pgbouncer", read_pgbouncer}};
    struct config *config = config_new(NULL);
    struct diag_list told_before;
    size_t len = 0;
    CLEANUP_FREE char *text = config__read_file(path ? path : WIRE_CONFIG_DEFAULT, &len);
    diag_init(&told_before, "", text);
    struct yaml_node *root = text ? yaml_parse(text, len, &told_before) : NULL;
    for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
        const struct yaml_node *node = yaml_get(root, ways[i].key);
        if (node && node->kind != YAML_NULL)
            ways[i].read(config, node, &told_before);
    }
    yaml_node_free(root);
    diag_free(&told_before);
    return config;
}

static void override_done(struct stack_override *override)
{
    for (size_t i = 0; i < override->dependency_count; i++)
        free(override->dependencies[i].service);
    free(mem_unconst(override->dependencies));
    free(mem_unconst(override->service));
}

struct config *config_free(struct config *config)
{
    if (!config)
        return NULL;
    for (size_t i = 0; i < config->override_count; i++)
        override_done(&config->overrides[i]);
    free(config->overrides);
    playbook_set_free(config->playbooks);
    policy_set_free(config->policies);
    patterns_free(config->patterns);
    checks_free(config->checks);
    notify_config_unref(config->notify);
    free(config->path);
    free(config->stack);
    free(config->docker_host);
    free(config->database_service);
    free(config->database_connect);
    free(config->database_passfile);
    free(config->pooler_connect);
    free(config->pooler_passfile);
    free(config->socket_group);
    free(config->read_group);
    free(config->status_listen);
    free(config->alerts_listen);
    free(config->alerts_token_file);
    free(config);
    return NULL;
}
