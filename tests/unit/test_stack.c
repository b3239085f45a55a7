/* The model of a project: dependencies from every source, roles, circles, and the loading. */
#include "docker/stack.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "tests/fake/engine.h"
#include "tests/unit/hanging_open.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

/* --- small containers ------------------------------------------------------------------------ */

enum { PROJECT_MAX = 16 };

struct project {
    struct container *containers[PROJECT_MAX];
    size_t count;
};

/* `labels` and `extra` are the inside of JSON objects: the labels beside compose's own, and what
 * goes beside Id, Name and Config ("" for none). */
static char *container_text(const char *service, int number, const char *image, const char *labels,
                            const char *config)
{
    return mem_printf(
        "{\"Id\":\"%s%d-0123456789abcdef\",\"Name\":\"/shop_%s_%d\",\"State\":{\"Status\":"
        "\"running\"},\"Config\":{\"Image\":\"%s\",\"Labels\":{\"com.docker.compose.project\":"
        "\"shop\",\"com.docker.compose.service\":\"%s\",\"com.docker.compose.container-number\":"
        "\"%d\"%s%s}%s%s}}",
        service, number, service, number, image, service, number, *labels ? "," : "", labels,
        *config ? "," : "", config);
}

static struct container *add_text(struct project *p, const char *text)
{
    struct err e;
    json_error_t problem;
    json_t *body = json_loads(text, 0, &problem);
    ck_assert_msg(body != NULL, "%s in %s", problem.text, text);
    struct container *c = container_from_json(body, &e);
    json_decref(body);
    ck_assert_ptr_nonnull(c);
    return p->containers[p->count++] = c;
}

static struct container *add(struct project *p, const char *service, const char *image,
                             const char *labels)
{
    CLEANUP_FREE char *text = container_text(service, 1, image, labels, "");
    return add_text(p, text);
}

#define DEPENDS(value) "\"com.docker.compose.depends_on\":\"" value "\""
#define CHECKED        "\"Healthcheck\":{\"Test\":[\"CMD\",\"x\"]}"

/* A database with a health check and no dependencies. */
static void add_database(struct project *p)
{
    CLEANUP_FREE char *text = container_text("db", 1, "postgres:15", DEPENDS(""), CHECKED);
    add_text(p, text);
}

static void project_clear(struct project *p)
{
    for (size_t i = 0; i < p->count; i++)
        container_unref(p->containers[i]);
}

static struct stack *build(struct project *p, const struct stack_selector *selector,
                           const struct stack_file *file, struct err *e)
{
    struct stack *stack = NULL;
    int code = stack_build("shop", p->containers, p->count, selector, file, &stack, e);
    ck_assert((code == 0) == (stack != NULL));
    return stack;
}

/* "a:service_started,b:service_healthy" */
static char *deps_text(const struct stack_dependency *list, size_t count)
{
    char *text = mem_strdup("");
    for (size_t i = 0; i < count; i++) {
        char *longer = mem_printf("%s%s%s:%s", text, i ? "," : "", list[i].service,
                                  stack_condition_name(list[i].condition) + strlen("service_"));
        free(text);
        text = longer;
    }
    return text;
}

static void expect_deps(const struct stack *stack, const char *service, const char *deps,
                        const char *source)
{
    const struct stack_service *s = stack_service(stack, service);
    ck_assert_ptr_nonnull(s);
    CLEANUP_FREE char *text = deps_text(s->dependencies, s->dependency_count);
    ck_assert_str_eq(text, deps);
    ck_assert_str_eq(s->source, source);
}

static bool has_note(const struct stack *stack, const char *words)
{
    for (size_t i = 0; i < stack->note_count; i++)
        if (strstr(stack->notes[i], words))
            return true;
    return false;
}

/* --- the label -------------------------------------------------------------------------------- */

static void expect_label(const char *value, const char *expected)
{
    struct stack_dependency *list;
    size_t count;
    stack_parse_depends_label(value, &list, &count);
    CLEANUP_FREE char *text = deps_text(list, count);
    ck_assert_str_eq(text, expected);
    stack_dependencies_free(list, count);
}

START_TEST(the_depends_label_is_read_in_all_its_ages)
{
    expect_label("", "");
    expect_label("redis,db", "db:started,redis:started");
    expect_label("db:service_healthy,m:service_completed_successfully",
                 "db:healthy,m:completed_successfully");
    expect_label("redis:service_started:true,db:service_healthy:false", "db:healthy,redis:started");
}
END_TEST

START_TEST(what_makes_no_sense_in_the_label_is_left_out)
{
    expect_label(",, ,", "");
    expect_label("a b,/etc,:service_healthy,ok", "ok:started");
    expect_label(" db : x, web ", "web:started");
    expect_label("db:running_or_healthy:true", "db:started");
    expect_label("db,db:service_healthy,db", "db:healthy"); /* the stronger stays */
}
END_TEST

/* --- the compose file ------------------------------------------------------------------------- */

static struct stack_file *parse_file(const char *text)
{
    struct stack_file *file = NULL;
    struct err e;
    int code = stack_file_parse(text, strlen(text), "compose.yml", &file, &e);
    ck_assert_msg(code == 0, "%s", e.text);
    return file;
}

static void expect_file(const char *text, const char *web_deps)
{
    struct project p = {0};
    struct err e;
    add_database(&p);
    add(&p, "web", "web", "");
    add(&p, "cache", "redis", "");
    struct stack_file *file = parse_file(text);
    struct stack *stack = build(&p, NULL, file, &e);
    ck_assert_msg(stack != NULL, "%s", e.text);
    expect_deps(stack, "web", web_deps, "compose file");
    stack_unref(stack);
    stack_file_free(file);
    project_clear(&p);
}

START_TEST(every_form_of_a_compose_file_is_read)
{
    expect_file("version: '2.4'\nservices:\n  web:\n    depends_on:\n      db: {condition: "
                "service_healthy}\n      cache:\n        condition: service_started\n",
                "cache:started,db:healthy");
    expect_file("services:\n  web:\n    depends_on: [db]\n    links: ['cache:c']\n",
                "cache:started,db:started");
    expect_file("web:\n  image: x\n  links:\n   - db\n", "db:started"); /* file format 1 */
    expect_file("services:\n  web:\n    volumes_from: ['db:ro', 'container:other']\n",
                "db:started");
    expect_file("services:\n  web:\n    network_mode: 'service:db'\n", "db:started");
    expect_file("services:\n  web:\n    network_mode: host\n    depends_on: db\n", "");
    expect_file("x-base: &base\n  depends_on: {db: {condition: service_healthy}}\nservices:\n"
                "  web:\n    <<: *base\n",
                "db:healthy");
    expect_file("services:\n  web:\n", "");
}
END_TEST

START_TEST(a_file_that_is_none_says_where)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"services: [", "compose.yml:2:1: "},
        {"services: [a]\n", "no services"},
        {"version: '3'\n", "no services"},
        {"- a\n", "no services"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct stack_file *file = NULL;
        struct err e;
        ck_assert_int_eq(
            stack_file_parse(cases[i].text, strlen(cases[i].text), "compose.yml", &file, &e),
            -ERR_INVALID);
        ck_assert_msg(strstr(e.text, cases[i].error) != NULL, "%s", e.text);
        ck_assert_ptr_null(file);
    }
    stack_file_free(parse_file(""));
    ck_assert_ptr_null(stack_file_free(NULL));
}
END_TEST

/* --- building --------------------------------------------------------------------------------- */

START_TEST(services_replicas_and_oneoffs_are_sorted_out)
{
    struct project p = {0};
    struct err e;
    CLEANUP_FREE char *two = container_text("web", 2, "web", DEPENDS("db"), "");
    add_text(&p, two);
    add(&p, "web", "web", DEPENDS("db"));
    add(&p, "run", "web", "\"com.docker.compose.oneoff\":\"True\"");
    add(&p, "hook", "web", "\"com.docker.compose.hook\":\"pre_start\"");
    add_database(&p);
    struct stack *stack = build(&p, NULL, NULL, &e);
    ck_assert_uint_eq(stack->service_count, 2);
    ck_assert_str_eq(stack->services[0].name, "db");
    ck_assert_ptr_eq(stack->database, &stack->services[0]);
    ck_assert_int_eq(stack->database->role, ROLE_DATABASE);
    ck_assert_uint_eq(stack->services[1].container_count, 2);
    ck_assert_int_eq(stack->services[1].containers[0]->number, 1);
    ck_assert_uint_eq(stack->oneoff_count, 2);
    ck_assert_ptr_nonnull(stack_container(stack, "shop_web_2"));
    ck_assert_ptr_nonnull(stack_container(stack, "web2-0123456789"));
    ck_assert_ptr_nonnull(stack_container(stack, "shop_run_1"));
    ck_assert_ptr_null(stack_container(stack, "web"));
    ck_assert_ptr_null(stack_service(stack, "run"));
    struct stack *same = stack_ref(stack);
    stack_unref(same);
    expect_deps(stack, "web", "db:started", "label");
    stack_unref(stack);
    ck_assert_ptr_null(stack_unref(NULL));
    project_clear(&p);
}
END_TEST

START_TEST(the_heavier_word_wins)
{
    struct project p = {0};
    struct err e;
    add_database(&p);
    add(&p, "a", "a", DEPENDS("db"));
    add(&p, "b", "b", DEPENDS("db"));
    add(&p, "c", "c", DEPENDS("db") ",\"stack-supervisor.depends_on\":\"a:service_started,b\"");
    add(&p, "d", "d", DEPENDS("db") ",\"stack-supervisor.depends_on\":\"a\"");
    char on_c[] = "c";
    struct stack_dependency deps[] = {{.service = on_c, .condition = CONDITION_STARTED}};
    struct stack_override overrides[] = {
        {.service = "d", .has_dependencies = true, .dependencies = deps, .dependency_count = 1},
        {.service = "b", .has_dependencies = true},
    };
    struct stack_selector selector = {.overrides = overrides, .override_count = 2};
    struct stack_file *file = parse_file("services: {a: {}, b: {depends_on: [a]}}");
    struct stack *stack = build(&p, &selector, file, &e);
    ck_assert_msg(stack != NULL, "%s", e.text);
    expect_deps(stack, "a", "", "compose file");
    expect_deps(stack, "b", "", "configuration");
    expect_deps(stack, "c", "a:started,b:started", "label");
    expect_deps(stack, "d", "c:started", "configuration");
    stack_file_free(file);
    stack_unref(stack);
    project_clear(&p);
}
END_TEST

START_TEST(what_nothing_speaks_of_depends_on_the_database)
{
    struct project p = {0};
    struct err e;
    CLEANUP_FREE char *text = container_text("db", 1, "postgres:15", "", CHECKED);
    add_text(&p, text);
    add(&p, "web", "web", "");
    add(&p, "other", "other", "\"stack-supervisor.role\":\"ignore\"");
    struct stack *stack = build(&p, NULL, NULL, &e);
    expect_deps(stack, "web", "db:healthy", "assumed");
    expect_deps(stack, "db", "", "none");
    expect_deps(stack, "other", "", "none");
    ck_assert(has_note(stack, "taken to depend on db: web;"));
    stack_unref(stack);
    project_clear(&p);
}
END_TEST

START_TEST(the_guess_makes_no_circle)
{
    struct project p = {0};
    struct err e;
    add(&p, "db", "postgres", "\"stack-supervisor.depends_on\":\"storage\"");
    add(&p, "storage", "nfs", "");
    add(&p, "web", "web", "");
    struct stack *stack = build(&p, NULL, NULL, &e);
    ck_assert_msg(stack != NULL, "%s", e.text);
    expect_deps(stack, "storage", "", "none");
    expect_deps(stack, "web", "db:started", "assumed");
    stack_unref(stack);
    project_clear(&p);
}
END_TEST

START_TEST(a_shared_network_is_a_dependency)
{
    struct project p = {0};
    struct err e;
    add_database(&p);
    add(&p, "vpn", "vpn", DEPENDS(""));
    char *text = container_text("web", 1, "web", DEPENDS("db:service_healthy"), "");
    text[strlen(text) - 1] = '\0';
    CLEANUP_FREE char *joined = mem_printf(
        "%s,\"HostConfig\":{\"NetworkMode\":\"container:vpn1-0123456789abcdef\"}}", text);
    free(text);
    add_text(&p, joined);
    struct stack *stack = build(&p, NULL, NULL, &e);
    expect_deps(stack, "web", "db:healthy,vpn:started", "label");
    stack_unref(stack);
    project_clear(&p);
}
END_TEST

START_TEST(a_circle_is_named)
{
    struct project p = {0};
    struct err e;
    add_database(&p);
    add(&p, "a", "a", DEPENDS("b"));
    add(&p, "b", "b", DEPENDS("c"));
    add(&p, "c", "c", DEPENDS("b,db"));
    ck_assert_ptr_null(build(&p, NULL, NULL, &e));
    ck_assert_int_eq(e.code, ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(e.text, "depends on itself: b → c → b"));
    project_clear(&p);

    struct project self = {0};
    add_database(&self);
    add(&self, "a", "a", DEPENDS("a"));
    ck_assert_ptr_null(build(&self, NULL, NULL, &e));
    ck_assert_ptr_nonnull(strstr(e.text, "a → a"));
    project_clear(&self);
}
END_TEST

START_TEST(what_was_removed_or_cannot_get_healthy_does_not_stop_a_recovery)
{
    struct project p = {0};
    struct err e;
    add_database(&p);
    add(&p, "cache", "redis", DEPENDS(""));
    add(&p, "web", "web", DEPENDS("gone:service_started,cache:service_healthy,db:service_healthy"));
    struct stack *stack = build(&p, NULL, NULL, &e);
    expect_deps(stack, "web", "cache:started,db:healthy", "label");
    ck_assert(has_note(stack, "web depends on gone"));
    ck_assert(has_note(stack, "cache to be healthy, which has no health check"));
    stack_unref(stack);
    project_clear(&p);
}
END_TEST

START_TEST(a_configuration_that_speaks_of_what_was_taken_down_keeps_no_stack_from_recovery)
{
    struct project p = {0};
    struct err e;
    add_database(&p);
    add(&p, "backend", "web", DEPENDS("db"));
    char on_queue[] = "message-queue";
    struct stack_dependency gone[] = {{.service = on_queue, .condition = CONDITION_STARTED}};
    struct stack_override overrides[] = {
        {.service = "nightly-report", .has_role = true, .role = ROLE_IGNORE},
        {.service = "backend",
         .has_dependencies = true,
         .dependencies = gone,
         .dependency_count = 1}};
    struct stack_selector selector = {.overrides = overrides, .override_count = 2};
    struct stack *stack = build(&p, &selector, NULL, &e);
    ck_assert_msg(stack != NULL, "%s", e.text);
    ck_assert(
        has_note(stack, "the configuration speaks of nightly-report, which has no container"));
    ck_assert(has_note(stack, "backend depends on message-queue, which has no container"));
    stack_unref(stack);
    overrides[0].service = "backend-b"; /* taken down as well, or a slip of the pen? */
    stack = build(&p, &selector, NULL, &e);
    ck_assert_msg(stack != NULL, "%s", e.text);
    ck_assert(has_note(stack, "the configuration speaks of backend-b, which has no container"));
    ck_assert(has_note(stack, "if 'backend' is meant, correct it"));
    stack_unref(stack);
    project_clear(&p);
}
END_TEST

START_TEST(a_database_that_is_not_there_is_refused)
{
    struct project p = {0};
    struct err e;
    add_database(&p);
    add(&p, "backend", "web", DEPENDS("db"));
    struct stack_selector selector = {.database_service = "dbx"};
    ck_assert_ptr_null(build(&p, &selector, NULL, &e));
    ck_assert_int_eq(e.code, ERR_INVALID);
    ck_assert_str_eq(e.hint, "did you mean 'db'?");
    selector = (struct stack_selector){.database_service = "zzzzzzzzzz"};
    ck_assert_ptr_null(build(&p, &selector, NULL, &e));
    ck_assert_str_eq(e.hint, "it has: backend, db");
    project_clear(&p);
}
END_TEST

/* --- roles ------------------------------------------------------------------------------------ */

static enum stack_role role_of(const char *image, const char *labels, const char *config)
{
    struct project p = {0};
    struct err e;
    CLEANUP_FREE char *text = container_text("x", 1, image, labels, config);
    add_text(&p, text);
    struct stack *stack = build(&p, NULL, NULL, &e);
    if (!stack) { /* no database: give it one */
        ck_assert_int_eq(e.code, ERR_NOT_FOUND);
        add(&p, "db", "postgres", "");
        stack = build(&p, NULL, NULL, &e);
    }
    enum stack_role role = stack_service(stack, "x")->role;
    stack_unref(stack);
    project_clear(&p);
    return role;
}

START_TEST(a_database_is_known_by_label_image_or_environment)
{
    ck_assert_int_eq(role_of("postgres", "", ""), ROLE_DATABASE);
    ck_assert_int_eq(role_of("reg:5000/library/postgres:15@sha256:00", "", ""), ROLE_DATABASE);
    ck_assert_int_eq(role_of("postgis/postgis:15-3.3", "", ""), ROLE_DATABASE);
    ck_assert_int_eq(role_of("timescale/timescaledb:latest", "", ""), ROLE_DATABASE);
    ck_assert_int_eq(role_of("pgvector/pgvector:pg16", "", ""), ROLE_DATABASE);
    ck_assert_int_eq(role_of("ours", "\"stack-supervisor.role\":\"database\"", ""), ROLE_DATABASE);
    ck_assert_int_eq(role_of("ours", "", "\"Env\":[\"PG_MAJOR=15\"]"), ROLE_DATABASE);
    ck_assert_int_eq(role_of("ours", "", "\"Env\":[\"PGDATA=/x\"]"), ROLE_DATABASE);
    ck_assert_int_eq(role_of("ours", "", "\"Env\":[\"POSTGRES_DB=x\"]"), ROLE_DATABASE);
    ck_assert_int_eq(role_of("postgres-exporter", "", ""), ROLE_APP);
    ck_assert_int_eq(role_of("prometheuscommunity/pgbouncer-exporter", "", ""), ROLE_APP);
    ck_assert_int_eq(role_of("edoburu/pgbouncer:1.2", "", "\"Env\":[\"POSTGRES_DB=x\"]"),
                     ROLE_POOLER);
    ck_assert_int_eq(role_of("postgres", "\"stack-supervisor.role\":\"ignore\"", ""), ROLE_IGNORE);
    ck_assert_int_eq(role_of("web", "\"stack-supervisor.role\":\"nonsense\"", ""), ROLE_APP);
    ck_assert_str_eq(stack_role_name(ROLE_POOLER), "pooler");
}
END_TEST

START_TEST(an_app_that_is_told_of_its_database_is_none)
{
    struct project p = {0};
    struct err e;
    CLEANUP_FREE char *web = container_text("web", 1, "web", "", "\"Env\":[\"POSTGRES_DB=x\"]");
    add_text(&p, web);
    CLEANUP_FREE char *db = container_text("store", 1, "ours/store", "", "\"Env\":[\"PGDATA=/x\"]");
    add_text(&p, db);
    struct stack *stack = build(&p, NULL, NULL, &e);
    ck_assert_str_eq(stack->database->name, "store");
    ck_assert_int_eq(stack_service(stack, "web")->role, ROLE_APP);
    stack_unref(stack);
    project_clear(&p);
}
END_TEST

START_TEST(of_several_databases_one_must_be_named)
{
    struct project p = {0};
    struct err e;
    add(&p, "db", "postgres", "");
    add(&p, "archive", "postgres", "");
    ck_assert_ptr_null(build(&p, NULL, NULL, &e));
    ck_assert_int_eq(e.code, ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(e.text, "several databases: archive, db"));
    struct stack_selector selector = {.database_service = "db"};
    struct stack *stack = build(&p, &selector, NULL, &e);
    ck_assert_str_eq(stack->database->name, "db");
    ck_assert_int_eq(stack_service(stack, "archive")->role, ROLE_APP);
    stack_unref(stack);
    struct stack_override overrides[] = {
        {.service = "db", .has_role = true, .role = ROLE_APP},
        {.service = "archive", .has_role = true, .role = ROLE_DATABASE},
    };
    selector = (struct stack_selector){.overrides = overrides, .override_count = 2};
    stack = build(&p, &selector, NULL, &e);
    ck_assert_str_eq(stack->database->name, "archive");
    stack_unref(stack);
    project_clear(&p);
}
END_TEST

/* compose v1 renames the old one and writes no label; where the new one did not start both stay. */
START_TEST(what_compose_v1_left_of_a_recreation_does_not_count)
{
    struct project p = {0};
    struct err e;
    add_database(&p);
    struct container *new = add(&p, "web", "web", DEPENDS("db"));
    add_text(&p, "{\"Id\":\"old\",\"Name\":\"/0123456789ab_web\",\"State\":{\"Status\":\"exited\"},"
                 "\"Config\":{\"Labels\":{\"com.docker.compose.service\":\"web\","
                 "\"com.docker.compose.container-number\":\"1\"}}}");
    struct stack *stack = build(&p, NULL, NULL, &e);
    ck_assert_uint_eq(stack_service(stack, "web")->container_count, 1);
    ck_assert_ptr_eq(stack_service(stack, "web")->containers[0], new);
    stack_unref(stack);
    new->state = CONTAINER_EXITED; /* its name says which is the new one */
    stack = build(&p, NULL, NULL, &e);
    ck_assert_ptr_eq(stack_service(stack, "web")->containers[0], new);
    stack_unref(stack);
    project_clear(&p);
}
END_TEST

START_TEST(a_recreated_container_is_there_once)
{
    struct project p = {0};
    struct err e;
    add_database(&p);
    struct container *old = add(&p, "web", "web", DEPENDS("db"));
    CLEANUP_FREE char *text = mem_printf(
        "{\"Id\":\"new\",\"Name\":\"/web1-0123456_shop_web_1\",\"State\":{\"Status\":\"created\"},"
        "\"Config\":{\"Labels\":{\"com.docker.compose.service\":\"web\","
        "\"com.docker.compose.container-number\":\"1\",\"com.docker.compose.replace\":\"%s\"}}}",
        old->name);
    struct container *new = add_text(&p, text);
    struct stack *stack = build(&p, NULL, NULL, &e);
    const struct stack_service *web = stack_service(stack, "web");
    ck_assert_uint_eq(web->container_count, 1);
    ck_assert_ptr_eq(web->containers[0], old); /* it still runs */
    ck_assert(has_note(stack, "being recreated"));
    stack_unref(stack);
    old->state = CONTAINER_EXITED;
    stack = build(&p, NULL, NULL, &e);
    ck_assert_ptr_eq(stack_service(stack, "web")->containers[0], new);
    stack_unref(stack);
    project_clear(&p);
}
END_TEST

/* --- looking up and showing ------------------------------------------------------------------- */

static void give_address(struct container *c, const char *address)
{
    struct container_network *network = MEM_PUSH(c->networks, c->network_count);
    network->name = mem_strdup("shop_default");
    network->address = mem_strdup(address);
}

START_TEST(an_address_leads_to_its_only_container)
{
    struct project p = {0};
    struct err e;
    add_database(&p);
    struct container *web = add(&p, "web", "web", DEPENDS("db"));
    struct container *run = add(&p, "run", "web", "\"com.docker.compose.oneoff\":\"True\"");
    give_address(web, "172.30.0.3");
    give_address(run, "172.30.0.4");
    give_address(run, "172.30.0.9");
    give_address(web, "172.30.0.9");
    struct stack *stack = build(&p, NULL, NULL, &e);
    ck_assert_ptr_eq(stack_container_at(stack, "172.30.0.3"), web);
    ck_assert_ptr_eq(stack_container_at(stack, "172.30.0.4"), run);
    ck_assert_ptr_null(stack_container_at(stack, "172.30.0.9"));
    ck_assert_ptr_null(stack_container_at(stack, "10.0.0.1"));
    ck_assert_ptr_null(stack_container_at(stack, ""));
    ck_assert_ptr_null(stack_container_at(stack, NULL));
    stack_unref(stack);
    project_clear(&p);
}
END_TEST

START_TEST(a_stack_is_shown_without_its_secrets)
{
    struct project p = {0};
    struct err e;
    CLEANUP_FREE char *db =
        container_text("db", 1, "postgres", "", "\"Env\":[\"POSTGRES_PASSWORD=hunter2\"]");
    add_text(&p, db)->started_ns = INT64_C(1795409852500000000);
    add(&p, "web", "web", DEPENDS("db:service_healthy"));
    struct stack *stack = build(&p, NULL, NULL, &e);
    CLEANUP_JSON json_t *shown = stack_json(stack);
    CLEANUP_FREE char *line = json_line(shown);
    ck_assert_ptr_null(strstr(line, "hunter2"));
    ck_assert_ptr_nonnull(strstr(line, "\"project\":\"shop\""));
    ck_assert_ptr_nonnull(strstr(line, "{\"service\":\"db\",\"condition\":\"service_started\"}"));
    ck_assert_ptr_nonnull(strstr(line, "\"started_at\":\"2026-11-23T04:57:32.500Z\""));
    ck_assert_ptr_nonnull(strstr(line, "\"role\":\"database\""));
    stack_unref(stack);
    project_clear(&p);
}
END_TEST

/* --- loading ---------------------------------------------------------------------------------- */

struct loading {
    struct loop *loop;
    struct fake_engine *engine;
    struct docker *docker;
    struct timer *guard;
    bool done;
    struct err e;
    struct stack *stack;
    struct buf list;
};

static void on_guard(void *data)
{
    (void)data;
    ck_abort_msg("no stack within 20 s");
}

static void loading_open(struct loading *l)
{
    *l = (struct loading){.loop = loop_new()};
    unsetenv("DOCKER_API_VERSION");
    l->engine = fake_engine_new(l->loop);
    l->guard = timer_new(l->loop, on_guard, NULL);
    buf_init(&l->list, 1 << 20);
    struct docker_options options = {.host = fake_engine_host(l->engine)};
    ck_assert_int_eq(docker_new(l->loop, &options, &l->docker, &l->e), 0);
}

static void loading_close(struct loading *l)
{
    stack_unref(l->stack);
    docker_free(l->docker);
    fake_engine_free(l->engine);
    timer_free(l->guard);
    buf_free(&l->list);
    loop_free(l->loop);
}

/* A container of a project: in the list, and (unless inspection is NULL) for inspection. */
static void offer(struct loading *l, const char *project, const char *service, const char *image,
                  const char *labels, const char *inspection)
{
    CLEANUP_FREE char *all_labels = mem_printf(
        "{\"com.docker.compose.project\":\"%s\",\"com.docker.compose.service\":\"%s\"%s%s}",
        project, service, *labels ? "," : "", labels);
    buf_printf(&l->list,
               "%s{\"Id\":\"%s-%s\",\"Names\":[\"/%s-%s-1\"],\"Image\":\"%s\","
               "\"State\":\"running\",\"Labels\":%s}",
               l->list.len ? "," : "[", project, service, project, service, image, all_labels);
    CLEANUP_FREE char *body = mem_printf(
        "{\"Id\":\"%s-%s\",\"Name\":\"/%s-%s-1\",\"State\":{\"Status\":\"running\"},"
        "\"Config\":{\"Image\":\"%s\",\"Labels\":%s}%s}",
        project, service, project, service, image, all_labels, inspection ? inspection : "");
    CLEANUP_FREE char *route = mem_printf("GET /v1.41/containers/%s-%s/json", project, service);
    if (inspection)
        fake_engine_json(l->engine, route, 200, body);
    else
        fake_engine_text(l->engine, route, "", FAKE_HOLD);
}

static void on_stack(void *data, const struct err *e, struct stack *stack)
{
    struct loading *l = data;
    l->done = true;
    err_copy(&l->e, e);
    stack_unref(l->stack);
    l->stack = stack ? stack_ref(stack) : NULL;
    loop_stop(l->loop);
}

static void await_stack(struct loading *l)
{
    timer_start(l->guard, 20000);
    while (!l->done)
        loop_run(l->loop);
    timer_stop(l->guard);
    l->done = false;
}

static void load(struct loading *l, const struct stack_selector *selector, int64_t deadline_ms)
{
    CLEANUP_FREE char *list = mem_printf("%s]", l->list.len ? buf_text(&l->list) : "[");
    fake_engine_json(l->engine, "GET /v1.41/containers/json?", 200, list);
    stack_load(l->docker, selector, deadline_ms, on_stack, l);
    await_stack(l);
}

START_TEST(the_only_project_with_a_database_is_found)
{
    struct loading l;
    loading_open(&l);
    offer(&l, "blog", "web", "wordpress", "", "");
    offer(&l, "shop", "db", "postgres:15", DEPENDS(""), "");
    offer(&l, "shop", "web", "web", DEPENDS("db"), "");
    load(&l, NULL, 10000);
    ck_assert_msg(l.stack != NULL, "%s", l.e.text);
    ck_assert_str_eq(l.stack->project, "shop");
    ck_assert_uint_eq(l.stack->service_count, 2);
    expect_deps(l.stack, "web", "db:started", "label");
    loading_close(&l);
}
END_TEST

START_TEST(several_projects_or_none_are_told)
{
    struct loading l;
    loading_open(&l);
    load(&l, NULL, 10000);
    ck_assert_int_eq(l.e.code, ERR_NOT_FOUND);
    struct stack_selector selector = {.project = "shop"};
    load(&l, &selector, 10000);
    ck_assert_int_eq(l.e.code, ERR_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(l.e.text, "'shop'"));
    loading_close(&l);

    loading_open(&l);
    offer(&l, "blog", "db", "postgres", DEPENDS(""), "");
    offer(&l, "shop", "db", "postgres", DEPENDS(""), "");
    load(&l, NULL, 10000);
    ck_assert_int_eq(l.e.code, ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(l.e.text, "blog, shop"));
    load(&l, &selector, 10000);
    ck_assert_int_eq(l.e.code, ERR_NONE);
    ck_assert_ptr_nonnull(strstr(fake_engine_last(l.engine, "GET /v1.41/containers/json"),
                                 "com.docker.compose.project%3Dshop"));
    loading_close(&l);
}
END_TEST

START_TEST(a_project_may_be_found_by_its_named_database)
{
    struct loading l;
    loading_open(&l);
    offer(&l, "blog", "main", "postgres", DEPENDS(""), "");
    offer(&l, "shop", "store", "ours", DEPENDS(""), "");
    struct stack_override overrides[] = {{.service = "store", .has_dependencies = true}};
    struct stack_selector selector = {
        .database_service = "store", .overrides = overrides, .override_count = 1};
    load(&l, &selector, 10000);
    ck_assert_msg(l.stack != NULL, "%s", l.e.text);
    ck_assert_str_eq(l.stack->project, "shop");
    overrides[0].has_role = true;
    overrides[0].role = ROLE_DATABASE;
    selector.database_service = NULL;
    load(&l, &selector, 10000);
    ck_assert_msg(l.stack != NULL, "%s", l.e.text);
    ck_assert_str_eq(l.stack->project, "shop");
    loading_close(&l);
}
END_TEST

START_TEST(a_container_that_vanishes_is_left_out_and_a_stuck_one_is_noted)
{
    struct loading l;
    loading_open(&l);
    offer(&l, "shop", "db", "postgres", DEPENDS(""), "");
    offer(&l, "shop", "gone", "web", DEPENDS("db"), "");
    offer(&l, "shop", "stuck", "web", DEPENDS("db"), NULL);
    fake_engine_json(l.engine, "GET /v1.41/containers/shop-gone/json", 404,
                     "{\"message\":\"No such container: gone\"}");
    load(&l, NULL, 4000);
    ck_assert_msg(l.stack != NULL, "%s", l.e.text);
    ck_assert_ptr_null(stack_service(l.stack, "gone"));
    ck_assert(stack_service(l.stack, "stuck")->containers[0]->is_partial);
    ck_assert(has_note(l.stack, "shop-stuck-1"));
    loading_close(&l);
}
END_TEST

START_TEST(a_container_that_the_engine_cannot_describe_is_noted)
{
    struct loading l;
    loading_open(&l);
    offer(&l, "shop", "web", "web", DEPENDS("db"), "");
    offer(&l, "shop", "db", "postgres", DEPENDS(""), "");
    fake_engine_json(l.engine, "GET /v1.41/containers/shop-web/json", 500,
                     "{\"message\":\"layer does not exist\"}");
    load(&l, NULL, 10000);
    ck_assert_msg(l.stack != NULL, "%s", l.e.text);
    ck_assert(stack_service(l.stack, "web")->containers[0]->is_partial);
    ck_assert(has_note(l.stack, "layer does not exist"));
    loading_close(&l);
}
END_TEST

START_TEST(a_database_that_the_engine_cannot_describe_is_named)
{
    struct loading l;
    loading_open(&l);
    offer(&l, "shop", "db", "shop-db", DEPENDS(""), NULL); /* known by its environment alone */
    offer(&l, "shop", "web", "web", DEPENDS("db"), "");
    load(&l, NULL, 4000);
    ck_assert_int_eq(l.e.code, ERR_TIMEOUT); /* and not that there is none: it is asked for again */
    ck_assert_ptr_nonnull(strstr(l.e.text, "the Engine lists shop-db-1 and does not describe it"));
    loading_close(&l);
}
END_TEST

START_TEST(an_engine_that_refuses_ends_the_loading)
{
    struct loading l;
    loading_open(&l);
    offer(&l, "shop", "db", "postgres", DEPENDS(""), "");
    offer(&l, "shop", "web", "web", DEPENDS("db"), NULL);
    fake_engine_json(l.engine, "GET /v1.41/containers/shop-db/", 500, "{\"message\":\"bad day\"}");
    load(&l, NULL, 10000);
    ck_assert_int_eq(l.e.code, ERR_FAILED);
    ck_assert_ptr_nonnull(strstr(l.e.text, "bad day"));
    fake_engine_json(l.engine, "GET /v1.41/containers/json?a", 500, "{\"message\":\"no list\"}");
    stack_load(l.docker, NULL, 10000, on_stack, &l);
    await_stack(&l);
    ck_assert_ptr_nonnull(strstr(l.e.text, "no list"));
    loading_close(&l);
}
END_TEST

START_TEST(a_loading_can_be_given_up_at_any_stage)
{
    struct loading l;
    loading_open(&l);
    offer(&l, "shop", "db", "postgres", DEPENDS(""), NULL);
    op_id id = stack_load(l.docker, NULL, 10000, on_stack, &l);
    op_cancel(l.loop, id);
    await_stack(&l);
    ck_assert_int_eq(l.e.code, ERR_CANCELLED);
    load(&l, NULL, 300); /* both inspection and loading run out */
    ck_assert(l.e.code == ERR_NONE || l.e.code == ERR_TIMEOUT);
    stack_load(l.docker, NULL, 10000, on_stack, &l);
    l.docker = docker_free(l.docker);
    await_stack(&l);
    ck_assert_int_eq(l.e.code, ERR_CANCELLED);
    loading_close(&l);
}
END_TEST

/* --- compose files on disk -------------------------------------------------------------------- */

static void write_file(const char *folder, const char *name, const char *text)
{
    CLEANUP_FREE char *path = mem_printf("%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

#define FILES(names) "\"com.docker.compose.project.config_files\":\"" names "\","

static void load_v1(struct loading *l, const char *folder, const char *files_label)
{
    CLEANUP_FREE char *labels =
        mem_printf("%s\"com.docker.compose.project.working_dir\":\"%s\"", files_label, folder);
    offer(l, "shop", "db", "postgres", labels, "");
    offer(l, "shop", "web", "web", labels, "");
    offer(l, "shop", "worker", "web", labels, "");
    load(l, NULL, 10000);
    ck_assert_msg(l->stack != NULL, "%s", l->e.text);
}

START_TEST(the_compose_files_of_v1_are_read_and_merged)
{
    char folder[] = "/tmp/stackXXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(folder));
    write_file(folder, "a.yml", "services: {db: {}, web: {depends_on: [db]}, worker: {}}");
    write_file(folder, "b.yml", "services: {worker: {depends_on: [web]}}");
    struct loading l;
    loading_open(&l);
    load_v1(&l, folder, FILES("a.yml,b.yml,-"));
    expect_deps(l.stack, "web", "db:started", "compose file");
    expect_deps(l.stack, "worker", "web:started", "compose file");
    ck_assert_uint_eq(l.stack->note_count, 0);
    loading_close(&l);
    CLEANUP_FREE char *command = mem_printf("rm -r %s", folder);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

static void expect_unread(const char *folder, const char *files_label, const char *why)
{
    struct loading l;
    loading_open(&l);
    load_v1(&l, folder, files_label);
    expect_deps(l.stack, "web", "db:started", "assumed");
    expect_deps(l.stack, "worker", "db:started", "assumed");
    ck_assert_msg(has_note(l.stack, why), "no note says '%s'", why);
    loading_close(&l);
}

START_TEST(a_compose_file_that_cannot_be_read_is_noted_and_replaced_by_a_guess)
{
    char folder[] = "/tmp/stackXXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(folder));
    write_file(folder, "good.yml", "services: {db: {}, web: {depends_on: [db]}, worker: {}}");
    write_file(folder, "bad.yml", "services: [");
    expect_unread(folder, FILES("gone.yml"), "/gone.yml: No such file or directory");
    expect_unread(folder, FILES("good.yml,bad.yml"), "bad.yml:2:1: ");
    expect_unread(folder, FILES("."), "Is a directory");
    expect_unread(folder, FILES("/dev/null"), "Invalid argument");
    expect_unread(folder, FILES("/proc/kcore"), "cannot be read");
    expect_unread(folder, "", "nothing says");
    CLEANUP_FREE char *command = mem_printf("head -c 1100000 /dev/zero > %s/big.yml", folder);
    ck_assert_int_eq(system(command), 0);
    expect_unread(folder, FILES("big.yml"), "File too large");
    CLEANUP_FREE char *clean = mem_printf("rm -r %s", folder);
    ck_assert_int_eq(system(clean), 0);
}
END_TEST

/* Its file system does not answer: the model is there in time all the same, and says what it lacks.
 */
START_TEST(a_compose_file_that_hangs_is_noted_in_a_second)
{
    char folder[] = "/tmp/stackXXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(folder));
    opens_hang("/hung.yml");
    int64_t began_ms = clock_mono_ms();
    expect_unread(folder, FILES("hung.yml"), "/hung.yml: it has not been read in time");
    ck_assert_int_lt(clock_mono_ms() - began_ms, 5000);
    opens_hang(NULL);
    CLEANUP_FREE char *command = mem_printf("rm -r %s", folder);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

static TCase *building(void)
{
    const TTest *const tests[] = {
        the_depends_label_is_read_in_all_its_ages,
        what_makes_no_sense_in_the_label_is_left_out,
        every_form_of_a_compose_file_is_read,
        a_file_that_is_none_says_where,
        services_replicas_and_oneoffs_are_sorted_out,
        the_heavier_word_wins,
        what_nothing_speaks_of_depends_on_the_database,
        the_guess_makes_no_circle,
        a_shared_network_is_a_dependency,
        a_circle_is_named,
        what_was_removed_or_cannot_get_healthy_does_not_stop_a_recovery,
        a_database_that_is_not_there_is_refused,
        a_configuration_that_speaks_of_what_was_taken_down_keeps_no_stack_from_recovery,
        a_database_is_known_by_label_image_or_environment,
        an_app_that_is_told_of_its_database_is_none,
        of_several_databases_one_must_be_named,
        what_compose_v1_left_of_a_recreation_does_not_count,
        a_recreated_container_is_there_once,
        an_address_leads_to_its_only_container,
        a_stack_is_shown_without_its_secrets,
    };
    TCase *tcase = tcase_create("building");
    for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
        tcase_add_test(tcase, tests[i]);
    return tcase;
}

static TCase *loading(void)
{
    const TTest *const tests[] = {
        the_only_project_with_a_database_is_found,
        several_projects_or_none_are_told,
        a_project_may_be_found_by_its_named_database,
        a_container_that_vanishes_is_left_out_and_a_stuck_one_is_noted,
        a_container_that_the_engine_cannot_describe_is_noted,
        a_database_that_the_engine_cannot_describe_is_named,
        an_engine_that_refuses_ends_the_loading,
        a_loading_can_be_given_up_at_any_stage,
        the_compose_files_of_v1_are_read_and_merged,
        a_compose_file_that_cannot_be_read_is_noted_and_replaced_by_a_guess,
        a_compose_file_that_hangs_is_noted_in_a_second,
    };
    TCase *tcase = tcase_create("loading");
    tcase_set_timeout(tcase, 60);
    for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
        tcase_add_test(tcase, tests[i]);
    return tcase;
}

int main(void)
{
    Suite *suite = suite_create("stack");
    suite_add_tcase(suite, building());
    suite_add_tcase(suite, loading());
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
