/* Who holds the connections: by the process, by the address, from the cache; and as JSON. */
#include "holders/holders_private.h"

#include "tests/unit/peer_scene.h"
#include "tests/unit/unit.h"

/* --- a stack and a snapshot ------------------------------------------------------------------- */

enum { MEMBERS_MAX = 8 };

struct world {
    struct container *members[MEMBERS_MAX];
    size_t count;
    struct stack *stack;
    json_t *sessions;
};

/* id: 64 digits; address "": none; started: RFC 3339, "" for never */
static void add_member(struct world *world, const char *service, const char *id, int pid,
                       const char *address, const char *mode, const char *started)
{
    struct err e;
    bool database = strcmp(service, "db") == 0;
    CLEANUP_FREE char *text = mem_printf(
        "{'Id':'%s','Name':'/shop_%s_1','State':{'Status':'running','Pid':%d,'StartedAt':'%s'},"
        "'Config':{'Image':'%s','Labels':{'com.docker.compose.project':'shop',"
        "'com.docker.compose.service':'%s','com.docker.compose.depends_on':''}},"
        "'HostConfig':{'NetworkMode':'%s'},"
        "'NetworkSettings':{'Networks':{'shop_default':{'IPAddress':'%s'}}}}",
        id, service, pid, *started ? started : "0001-01-01T00:00:00Z",
        database ? "postgres:15" : "shop/app", service, mode, address);
    CLEANUP_JSON json_t *body = unit_json(text);
    world->members[world->count] = container_from_json(body, &e);
    ck_assert_msg(world->members[world->count] != NULL, "%s", e.text);
    world->count++;
}

static void build(struct world *world)
{
    struct err e;
    ck_assert_msg(
        stack_build("shop", world->members, world->count, NULL, NULL, &world->stack, &e) == 0, "%s",
        e.text);
}

/* Idle since ten minutes; `more` overrides. */
static void add_session(struct world *world, int pid, const char *client, int port,
                        const char *more)
{
    CLEANUP_FREE char *text = mem_printf(
        "{'pid':%d,'start':'2026-11-23T22:47:05.123456Z','role':'app','database':'shop',"
        "'application':'web','client':'%s','port':%d,'state':'idle','type':'client backend',"
        "'state_age':600.5,'age':0}",
        pid, client, port);
    CLEANUP_FREE char *extra = mem_printf("{%s}", more);
    json_t *session = unit_json(text);
    CLEANUP_JSON json_t *overrides = unit_json(extra);
    json_object_update(session, overrides);
    if (!world->sessions)
        world->sessions = json_array();
    json_array_append_new(world->sessions, session);
}

static struct db_activity *activity_of(const struct world *world)
{
    struct err e;
    struct db_activity *activity = NULL;
    CLEANUP_JSON json_t *json = unit_json("{'max':23,'reserved':3,'used':5,'role':'guard'}");
    json_object_set(json, "sessions", world->sessions);
    CLEANUP_FREE char *text = json_line(json);
    ck_assert_msg(db_activity_parse(text, strlen(text), &activity, &e) == 0, "%s", e.text);
    return activity;
}

static void world_clear(struct world *world)
{
    for (size_t i = 0; i < world->count; i++)
        container_unref(world->members[i]);
    stack_unref(world->stack);
    json_decref(world->sessions);
}

/* --- asking ----------------------------------------------------------------------------------- */

struct answer {
    int calls;
    json_t *json;
    size_t own; /* sessions of a container of the stack */
};

static void on_found(void *data, const struct holders *holders)
{
    struct answer *answer = data;
    answer->calls++;
    answer->json = holders_json(holders);
    for (size_t i = 0; i < holders_activity(holders)->session_count; i++) {
        const struct container *container = holders_container(holders, i);
        answer->own += container != NULL;
        if (container)
            ck_assert_str_eq(container->name, holders_label(holders, i));
    }
}

/* The answer as JSON, which the caller owns. */
static json_t *find(struct loop *loop, struct holders_cache *cache, struct world *world)
{
    struct answer answer = {0};
    struct db_activity *activity = activity_of(world);
    holders_find(cache, activity, world->stack, 60000, on_found, &answer);
    db_activity_free(activity); /* it has taken what it needs */
    ck_assert_int_eq(answer.calls, 0);
    loop_run(loop);
    ck_assert_int_eq(answer.calls, 1);
    return answer.json;
}

static void expect_holder(const json_t *json, size_t session, const char *container,
                          const char *label)
{
    const json_t *item = json_array_get(json_at(json, "sessions"), session);
    const char *name = json_text_at(item, "container", NULL);
    ck_assert_str_eq(name ? name : "", container);
    ck_assert_str_eq(json_text_at(item, "holder", ""), label);
    ck_assert((json_text_at(item, "service", NULL) != NULL) == (*container != '\0'));
}

/* Everything by address: no process is asked. */
static json_t *find_by_address(struct world *world)
{
    struct loop *loop = loop_new();
    struct holders_cache *cache = holders_cache_new(loop);
    json_t *json = find(loop, cache, world);
    holders_cache_free(cache);
    loop_free(loop);
    return json;
}

/* --- by address ------------------------------------------------------------------------------- */

#define THIRD  "3333333333333333333333333333333333333333333333333333333333333333"
#define BRIDGE "shop_default"
#define PAST   "2001-01-01T00:00:00Z"

START_TEST(an_address_that_one_container_has)
{
    struct world world = {.count = 0};
    add_member(&world, "db", SERVER, 0, "172.18.0.2", BRIDGE, PAST);
    add_member(&world, "web", APP, 0, "172.18.0.3", BRIDGE, PAST);
    build(&world);
    add_session(&world, 1, "172.18.0.3", 4000, "");
    add_session(&world, 2, "172.18.0.1", 4000, "");
    add_session(&world, 3, "local", -1, "");
    add_session(&world, 4, "", 0, "");
    CLEANUP_JSON json_t *json = find_by_address(&world);
    expect_holder(json, 0, "shop_web_1", "shop_web_1");
    for (size_t i = 1; i < 4; i++)
        expect_holder(json, i, "", "(unknown)");
    world_clear(&world);
}
END_TEST

START_TEST(an_address_that_says_nothing)
{
    struct world world = {.count = 0};
    add_member(&world, "db", SERVER, 0, "172.18.0.2", BRIDGE, PAST);
    add_member(&world, "web", APP, 0, "172.18.0.3", BRIDGE, PAST);
    add_member(&world, "side", OTHER, 0, "", "container:" APP, PAST); /* shares web's address */
    add_member(&world, "young", THIRD, 0, "172.18.0.4", BRIDGE, "2026-01-01T00:00:00Z");
    build(&world);
    add_session(&world, 1, "172.18.0.3", 4000, "");
    /* It was there before that container: somebody else had the address. */
    add_session(&world, 2, "172.18.0.4", 4000, "'age': 999999999");
    add_session(&world, 3, "172.18.0.4", 4001, "");
    CLEANUP_JSON json_t *json = find_by_address(&world);
    expect_holder(json, 0, "", "(unknown)");
    expect_holder(json, 1, "", "(unknown)");
    expect_holder(json, 2, "shop_young_1", "shop_young_1");
    world_clear(&world);
}
END_TEST

START_TEST(no_stack)
{
    struct world world = {.count = 0};
    add_session(&world, 1, "172.18.0.3", 4000, "");
    CLEANUP_JSON json_t *json = find_by_address(&world);
    expect_holder(json, 0, "", "(unknown)");
    ck_assert(json_is_null(json_at(json, "attribution_error")));
    world_clear(&world);
}
END_TEST

/* --- by process ------------------------------------------------------------------------------- */

struct stage {
    struct scene scene;
    struct world world;
    struct loop *loop;
    struct holders_cache *cache;
};

/* A server with the clients app, other (of no stack) and one on the host, on one loopback. */
static void set_stage_with(struct stage *stage, void (*more)(struct stage *stage))
{
    struct scene *scene = &stage->scene;
    *stage = (struct stage){.loop = loop_new()};
    stage->cache = holders_cache_new(stage->loop);
    scene_set_up();
    holders__cache_proc(stage->cache, scene_proc);
    scene_open(scene, scene_listen_tcp());
    scene_add(scene, be_tcp_client, DOCKER(APP));
    scene_add(scene, be_tcp_client, DOCKER(OTHER));
    scene_add(scene, be_tcp_client, "0::/\n");
    add_member(&stage->world, "db", SERVER, scene->server.pid, "", "host", PAST);
    add_member(&stage->world, "web", APP, scene->clients[0].pid, "", "host", PAST);
    if (more)
        more(stage);
    build(&stage->world);
    for (size_t i = 0; i < scene->count; i++)
        add_session(&stage->world, scene->sessions[i].backend_pid, "127.0.0.1",
                    scene->sessions[i].port, "");
}

static void set_stage(struct stage *stage)
{
    set_stage_with(stage, NULL);
}

static void expect_stage(struct stage *stage)
{
    CLEANUP_JSON json_t *json = find(stage->loop, stage->cache, &stage->world);
    expect_holder(json, 0, "shop_web_1", "shop_web_1");
    expect_holder(json, 1, "", "(container) 0123456789ab");
    expect_holder(json, 2, "", "(host) " ACTOR_NAME);
    ck_assert(json_is_null(json_at(json, "attribution_error")));
}

static void clear_stage(struct stage *stage)
{
    scene_close(&stage->scene);
    world_clear(&stage->world);
    holders_cache_free(stage->cache);
    loop_free(stage->loop);
    scene_tear_down();
}

START_TEST(what_an_address_cannot_tell)
{
    struct stage stage;
    set_stage(&stage);
    expect_stage(&stage);
    clear_stage(&stage);
}
END_TEST

START_TEST(what_was_found_is_not_looked_for_again)
{
    struct stage stage;
    set_stage(&stage);
    expect_stage(&stage);
    holders__cache_proc(stage.cache, "/nowhere");
    expect_stage(&stage);
    clear_stage(&stage);
}
END_TEST

/* The same process id and port, another session: nothing that was known of the old one is said. */
START_TEST(a_new_session_under_an_old_pid)
{
    struct stage stage;
    set_stage(&stage);
    expect_stage(&stage);
    holders__cache_proc(stage.cache, "/nowhere");
    json_set_text(json_array_get(stage.world.sessions, 0), "start", "2026-11-23T22:47:06.000000Z");
    CLEANUP_JSON json_t *json = find(stage.loop, stage.cache, &stage.world);
    expect_holder(json, 0, "", "(unknown)");
    unit_assert_has(json_text_at(json, "attribution_error/message", ""), "/nowhere");
    expect_holder(json, 2, "", "(host) " ACTOR_NAME);
    clear_stage(&stage);
}
END_TEST

/* Nobody asks who holds the supervisor's own: it is no reason to complain. */
START_TEST(our_own_session_is_no_riddle)
{
    struct stage stage;
    set_stage(&stage);
    holders__cache_proc(stage.cache, "/nowhere");
    json_array_clear(stage.world.sessions);
    add_session(&stage.world, 1, "172.18.0.1", 4000, "'ours': true");
    CLEANUP_JSON json_t *json = find(stage.loop, stage.cache, &stage.world);
    expect_holder(json, 0, "", "(unknown)");
    ck_assert(json_is_null(json_at(json, "attribution_error")));
    clear_stage(&stage);
}
END_TEST

START_TEST(another_server_is_another_matter)
{
    struct stage stage;
    struct world moved = {.count = 0};
    set_stage(&stage);
    expect_stage(&stage);
    add_member(&moved, "db", THIRD, stage.scene.server.pid, "", "host", PAST);
    build(&moved);
    moved.sessions = json_incref(stage.world.sessions);
    CLEANUP_JSON json_t *json = find(stage.loop, stage.cache, &moved);
    expect_holder(json, 0, "", "(unknown)");
    ck_assert_str_eq(json_text_at(json, "attribution_error/code", ""), "not-found");
    world_clear(&moved);
    clear_stage(&stage);
}
END_TEST

/* In vain three times, and that is that: a NAT must not cost a look at each sampling. */
START_TEST(what_cannot_be_found_is_let_be)
{
    struct stage stage;
    set_stage(&stage);
    json_set_int(json_array_get(stage.world.sessions, 0), "port", 1); /* nobody has that port */
    for (int i = 0; i < 3; i++) {
        CLEANUP_JSON json_t *json = find(stage.loop, stage.cache, &stage.world);
        expect_holder(json, 0, "", "(unknown)");
    }
    json_set_int(json_array_get(stage.world.sessions, 0), "port", stage.scene.sessions[0].port);
    CLEANUP_JSON json_t *json = find(stage.loop, stage.cache, &stage.world);
    expect_holder(json, 0, "", "(unknown)");
    clear_stage(&stage);
}
END_TEST

static void add_liar(struct stage *stage)
{
    add_member(&stage->world, "liar", THIRD, stage->scene.server.pid, "127.0.0.1", BRIDGE, PAST);
}

/* What the processes say stands, whatever the address says. */
START_TEST(the_process_has_the_last_word)
{
    struct stage stage;
    set_stage_with(&stage, add_liar);
    expect_stage(&stage);
    clear_stage(&stage);
}
END_TEST

/* The server's processes may be looked at and the client's may not: as without any right. */
START_TEST(who_is_hidden_is_told_by_the_address)
{
    struct stage stage = {.loop = loop_new()};
    struct scene *scene = &stage.scene;
    stage.cache = holders_cache_new(stage.loop);
    scene_set_up();
    scene_narrow();
    holders__cache_proc(stage.cache, scene_proc);
    scene_open(scene, scene_listen_tcp());
    scene_add(scene, be_tcp_client, NULL);
    scene_add(scene, be_tcp_client, NULL);
    add_member(&stage.world, "db", SERVER, scene->server.pid, "172.18.0.2", BRIDGE, PAST);
    add_member(&stage.world, "web", APP, scene->clients[0].pid, "127.0.0.1", BRIDGE, PAST);
    build(&stage.world);
    add_session(&stage.world, scene->sessions[0].backend_pid, "127.0.0.1", scene->sessions[0].port,
                "");
    /* It was there before the container that has the address now. */
    add_session(&stage.world, scene->sessions[1].backend_pid, "127.0.0.1", scene->sessions[1].port,
                "'age': 999999999");
    CLEANUP_JSON json_t *json = find(stage.loop, stage.cache, &stage.world);
    expect_holder(json, 0, "shop_web_1", "shop_web_1");
    expect_holder(json, 1, "", "(unknown)");
    unit_assert_has(json_text_at(json, "attribution_error/hint", ""), "CAP_SYS_PTRACE");
    clear_stage(&stage);
}
END_TEST

START_TEST(given_up_in_the_middle)
{
    struct stage stage;
    struct answer answer = {0};
    set_stage(&stage);
    struct db_activity *activity = activity_of(&stage.world);
    op_id id = holders_find(stage.cache, activity, stage.world.stack, 60000, on_found, &answer);
    op_cancel(stage.loop, id);
    db_activity_free(activity);
    loop_run(stage.loop);
    ck_assert_int_eq(answer.calls, 1);
    expect_holder(answer.json, 0, "", "(unknown)");
    json_decref(answer.json);
    expect_stage(&stage); /* it does not count as looked for in vain */
    clear_stage(&stage);
}
END_TEST

/* --- as JSON ---------------------------------------------------------------------------------- */

static const json_t *group(const json_t *json, const char *path, const char *name)
{
    size_t i;
    json_t *item;
    json_array_foreach(json_at(json, path), i, item)
    {
        if (strcmp(json_text_at(item, "name", ""), name) == 0)
            return item;
    }
    ck_abort_msg("no %s in %s", name, path);
    return NULL;
}

START_TEST(groups_tell_how_much_is_held)
{
    struct world world = {.count = 0};
    add_member(&world, "db", SERVER, 0, "172.18.0.2", BRIDGE, PAST);
    add_member(&world, "web", APP, 0, "172.18.0.3", BRIDGE, PAST);
    build(&world);
    add_session(&world, 1, "172.18.0.3", 4000, "'state_age': 10");
    add_session(&world, 2, "172.18.0.3", 4001, "'state':'idle in transaction','state_age': 840");
    add_session(&world, 3, "172.18.0.3", 4002,
                "'state':'idle in transaction (aborted)','state_age': 3");
    add_session(&world, 4, "172.18.0.3", 4003, "'state':'active','state_age': 5000");
    add_session(&world, 5, "172.18.0.9", 4004, "");
    CLEANUP_JSON json_t *json = find_by_address(&world);
    const json_t *web = group(json, "groups/container", "shop_web_1");
    ck_assert_int_eq(json_int_at(web, "count", 0), 4);
    ck_assert_int_eq(json_int_at(web, "idle", 0), 1);
    ck_assert_int_eq(json_int_at(web, "idle_in_transaction", 0), 2);
    ck_assert_double_eq_tol(json_number_at(web, "oldest_seconds", 0), 5000, 1e-9);
    ck_assert_double_eq_tol(json_number_at(web, "oldest_idle_seconds", 0), 840, 1e-9);
    ck_assert_double_eq_tol(json_number_at(web, "share", 0), 4.0 / 20, 1e-9);
    ck_assert_int_eq(json_int_at(group(json, "groups/service", "web"), "count", 0), 4);
    ck_assert_int_eq(json_int_at(group(json, "groups/container", "(unknown)"), "count", 0), 1);
    ck_assert_ptr_null(json_at(group(json, "groups/state", "idle"), "share"));
    world_clear(&world);
}
END_TEST

UNIT_MAIN("holders", an_address_that_one_container_has, an_address_that_says_nothing, no_stack,
          what_an_address_cannot_tell, what_was_found_is_not_looked_for_again,
          a_new_session_under_an_old_pid, our_own_session_is_no_riddle,
          another_server_is_another_matter, what_cannot_be_found_is_let_be,
          the_process_has_the_last_word, given_up_in_the_middle,
          who_is_hidden_is_told_by_the_address, groups_tell_how_much_is_held)
