/* Playbook × stack → plan: what is done, behind what, what is left alone and why, and the plan's
 * way through JSON. */
#include "playbooks/plan.h"

#include "base/buf.h"
#include "tests/unit/unit.h"

enum { CONTAINERS_MAX = 12 };

/* --- stacks ------------------------------------------------------------------------------------
 */

struct project {
    struct container *containers[CONTAINERS_MAX];
    size_t count;
};

/* `depends` is compose's label; `state` is the inside of State, `config` and `host` of Config and
 * HostConfig, each beginning with its comma or empty. */
static void put(struct project *p, const char *service, int number, const char *depends,
                const char *state, const char *config, const char *host)
{
    struct err e;
    CLEANUP_FREE char *text = mem_printf(
        "{'Id':'id-%s-%d','Name':'/%s_%d','State':{'Status':'%s','StartedAt':"
        "'2026-11-23T04:57:32.5Z'},'Config':{'Image':'%s','Labels':{"
        "'com.docker.compose.project':'shop','com.docker.compose.service':'%s',"
        "'com.docker.compose.container-number':'%d','com.docker.compose.depends_on':'%s'}%s},"
        "'HostConfig':{'NetworkMode':'shop_default'%s}}",
        service, number, service, number, state,
        strcmp(service, "db") == 0        ? "postgres:15"
        : strcmp(service, "bouncer") == 0 ? "edoburu/pgbouncer:1.18"
                                          : "app",
        service, number, depends, config, host);
    json_t *body = unit_json(text);
    p->containers[p->count] = container_from_json(body, &e);
    ck_assert_ptr_nonnull(p->containers[p->count++]);
    json_decref(body);
}

#define CHECKED                                                                                    \
    ",'Healthcheck':{'Test':['CMD','x'],'Interval':1000000000,'Timeout':1000000000,'Retries':3}"

static void put_database(struct project *p)
{
    put(p, "db", 1, "", "running", ",'StopSignal':'SIGINT'" CHECKED, "");
}

static void put_app(struct project *p, const char *service, int number, const char *depends)
{
    put(p, service, number, depends, "running", CHECKED, "");
}

static struct stack *build(struct project *p)
{
    struct stack *stack = NULL;
    struct err e;
    ck_assert_msg(stack_build("shop", p->containers, p->count, NULL, NULL, &stack, &e) == 0, "%s",
                  e.text);
    for (size_t i = 0; i < p->count; i++)
        container_unref(p->containers[i]);
    p->count = 0;
    return stack;
}

/* --- plans -------------------------------------------------------------------------------------
 */

static struct playbook *playbook(const char *text)
{
    struct diag_list diags;
    diag_init(&diags, "p.yaml", text);
    struct yaml_node *node = yaml_parse(text, strlen(text), &diags);
    struct playbook *read = node ? playbook_read("p", node, &diags) : NULL;
    ck_assert_msg(read != NULL, "%s", diags.count ? diags.items[0].text : "");
    yaml_node_free(node);
    diag_free(&diags);
    return read;
}

static struct plan *try_plan(struct project *p, const char *text, struct err *e)
{
    struct stack *stack = build(p);
    struct playbook *source = playbook(text);
    struct plan *plan = NULL;
    err_clear(e);
    int status = plan_make(source, stack, &plan, e);
    ck_assert((status == 0) == (plan != NULL));
    ck_assert_int_eq(status, -(int)e->code);
    playbook_unref(source);
    stack_unref(stack);
    return plan;
}

static struct plan *make_plan(struct project *p, const char *text)
{
    struct err e;
    struct plan *plan = try_plan(p, text, &e);
    ck_assert_msg(plan != NULL, "%s", e.text);
    return plan;
}

/* "id < what it stands behind, sorted as the plan has it", an action a line. */
static char *shape(const struct plan *plan)
{
    struct buf all;
    buf_init(&all, 1 << 16);
    for (size_t i = 0; i < plan->action_count; i++) {
        buf_printf(&all, "%s%s", plan->actions[i].id, plan->actions[i].after_count ? " <" : "");
        for (size_t k = 0; k < plan->action_count; k++)
            for (size_t n = 0; n < plan->actions[i].after_count; n++)
                if (plan->actions[i].after[n] == k)
                    buf_printf(&all, " %s", plan->actions[k].id);
        buf_puts(&all, "\n");
    }
    return buf_take(&all);
}

static void assert_plan(struct project *p, const char *text, const char *expected)
{
    struct plan *plan = make_plan(p, text);
    CLEANUP_FREE char *found = shape(plan);
    ck_assert_str_eq(found, expected);
    plan_unref(plan);
}

static const struct action *find(const struct plan *plan, const char *id)
{
    for (size_t i = 0; i < plan->action_count; i++)
        if (strcmp(plan->actions[i].id, id) == 0)
            return &plan->actions[i];
    ck_abort_msg("no action %s", id);
    return NULL;
}

static bool has_note(const struct plan *plan, const char *words)
{
    for (size_t i = 0; i < plan->note_count; i++)
        if (strstr(plan->notes[i], words))
            return true;
    return false;
}

static const char *skip_reason(const struct plan *plan, const char *container)
{
    for (size_t i = 0; i < plan->skip_count; i++)
        if (strcmp(plan->skipped[i].container, container) == 0)
            return plan->skipped[i].reason;
    return "";
}

#define RECOVER                                                                                    \
    "- capture: evidence\n- stop: apps\n- clean: {}\n- checkpoint: database\n"                     \
    "- restart: database\n- wait: database ready\n- start: apps\n"                                 \
    "- verify: {services: healthy}\n"

/* --- order -------------------------------------------------------------------------------------
 */

START_TEST(apps_stop_against_the_dependencies_and_start_along_them)
{
    struct project p = {0};
    put_database(&p);
    put_app(&p, "backend", 1, "db:service_healthy:false");
    put_app(&p, "worker", 1, "backend:service_healthy:false");
    assert_plan(&p, RECOVER,
                "capture\n"
                "stop:worker_1 < capture\n"
                "stop:backend_1 < stop:worker_1\n"
                "clean < stop:backend_1\n"
                "checkpoint < clean\n"
                "stop:db_1 < checkpoint\n"
                "start:db_1 < stop:db_1\n"
                "wait-ready:db_1 < start:db_1\n"
                "start:backend_1 < wait-ready:db_1\n"
                "wait-healthy:backend_1 < start:backend_1\n"
                "start:worker_1 < wait-healthy:backend_1\n"
                "wait-healthy:worker_1 < start:worker_1\n"
                "verify < wait-healthy:worker_1\n");
}
END_TEST

START_TEST(a_diamond_moves_its_sides_at_once)
{
    struct project p = {0};
    put_database(&p);
    put_app(&p, "a", 1, "db:service_healthy:false");
    put_app(&p, "b", 1, "db:service_healthy:false");
    put_app(&p, "c", 1, "a:service_healthy:false,b:service_healthy:false");
    assert_plan(&p, "- stop: apps\n- start: apps\n",
                "stop:c_1\n"
                "stop:a_1 < stop:c_1\n"
                "stop:b_1 < stop:c_1\n"
                "start:a_1 < stop:a_1 stop:b_1\n"
                "wait-healthy:a_1 < start:a_1\n"
                "start:b_1 < stop:a_1 stop:b_1\n"
                "wait-healthy:b_1 < start:b_1\n"
                "start:c_1 < wait-healthy:a_1 wait-healthy:b_1\n"
                "wait-healthy:c_1 < start:c_1\n");
}
END_TEST

START_TEST(replicas_move_at_once_and_are_all_waited_for)
{
    struct project p = {0};
    put_database(&p);
    for (int number = 1; number <= 3; number++)
        put_app(&p, "pool", number, "db");
    put_app(&p, "web", 1, "pool:service_healthy:false");
    assert_plan(&p, "- stop: apps\n- start: apps\n",
                "stop:web_1\n"
                "stop:pool_1 < stop:web_1\n"
                "stop:pool_2 < stop:web_1\n"
                "stop:pool_3 < stop:web_1\n"
                "start:pool_1 < stop:pool_1 stop:pool_2 stop:pool_3\n"
                "wait-healthy:pool_1 < start:pool_1\n"
                "start:pool_2 < stop:pool_1 stop:pool_2 stop:pool_3\n"
                "wait-healthy:pool_2 < start:pool_2\n"
                "start:pool_3 < stop:pool_1 stop:pool_2 stop:pool_3\n"
                "wait-healthy:pool_3 < start:pool_3\n"
                "start:web_1 < wait-healthy:pool_1 wait-healthy:pool_2 wait-healthy:pool_3\n"
                "wait-healthy:web_1 < start:web_1\n");
}
END_TEST

START_TEST(a_dependency_that_need_only_be_started_is_not_waited_for)
{
    struct project p = {0};
    put_database(&p);
    put_app(&p, "a", 1, "db");
    put_app(&p, "b", 1, "a:service_started:false");
    assert_plan(&p, "- stop: apps\n- start: apps\n",
                "stop:b_1\n"
                "stop:a_1 < stop:b_1\n"
                "start:a_1 < stop:a_1\n"
                "wait-healthy:a_1 < start:a_1\n"
                "start:b_1 < start:a_1\n"
                "wait-healthy:b_1 < start:b_1\n");
}
END_TEST

START_TEST(without_a_check_there_is_no_health_to_wait_for)
{
    struct project p = {0};
    put_database(&p);
    put(&p, "a", 1, "db", "running", "", "");
    put(&p, "b", 1, "a:service_healthy:false", "running", "", "");
    assert_plan(&p, "- stop: apps\n- start: apps\n",
                "stop:b_1\n"
                "stop:a_1 < stop:b_1\n"
                "start:a_1 < stop:a_1\n"
                "start:b_1 < start:a_1\n");
}
END_TEST

START_TEST(the_order_holds_across_one_that_is_not_running)
{
    struct project p = {0};
    put_database(&p);
    put_app(&p, "a", 1, "db");
    put(&p, "b", 1, "a:service_healthy:false", "exited", CHECKED, "");
    put_app(&p, "c", 1, "b");
    assert_plan(&p, "- stop: apps\n- start: apps\n",
                "stop:c_1\n"
                "stop:a_1 < stop:c_1\n"
                "start:a_1 < stop:a_1\n"
                "wait-healthy:a_1 < start:a_1\n"
                "start:c_1 < wait-healthy:a_1\n"
                "wait-healthy:c_1 < start:c_1\n");
}
END_TEST

START_TEST(a_restart_of_all_has_the_database_in_the_middle)
{
    struct project p = {0};
    put_database(&p);
    put_app(&p, "a", 1, "db:service_healthy:false");
    assert_plan(&p, "- restart: all\n",
                "stop:a_1\n"
                "stop:db_1 < stop:a_1\n"
                "start:db_1 < stop:db_1\n"
                "wait-ready:db_1 < start:db_1\n"
                "start:a_1 < stop:a_1 wait-ready:db_1\n"
                "wait-healthy:a_1 < start:a_1\n");
}
END_TEST

START_TEST(named_services_alone_are_moved)
{
    struct project p = {0};
    put_database(&p);
    put_app(&p, "a", 1, "db");
    put_app(&p, "b", 1, "db");
    put_app(&p, "c", 1, "db");
    assert_plan(&p, "- restart: [a, c]\n- wait: b healthy\n",
                "stop:a_1\n"
                "stop:c_1\n"
                "start:a_1 < stop:a_1\n"
                "wait-healthy:a_1 < start:a_1\n"
                "start:c_1 < stop:c_1\n"
                "wait-healthy:c_1 < start:c_1\n"
                "wait-healthy:b_1 < wait-healthy:a_1 wait-healthy:c_1\n");
}
END_TEST

START_TEST(the_same_again_has_an_id_of_its_own)
{
    struct project p = {0};
    put_database(&p);
    put_app(&p, "a", 1, "db");
    put_app(&p, "a", 10, "db");
    assert_plan(&p, "- clean: {}\n- restart: a\n- clean: {}\n- restart: a\n",
                "clean\n"
                "stop:a_1 < clean\n"
                "stop:a_10 < clean\n"
                "start:a_1 < stop:a_1\n"
                "wait-healthy:a_1 < start:a_1\n"
                "start:a_10 < stop:a_10\n"
                "wait-healthy:a_10 < start:a_10\n"
                "clean#2 < wait-healthy:a_1 wait-healthy:a_10\n"
                "stop:a_1#2 < clean#2\n"
                "stop:a_10#2 < clean#2\n"
                "start:a_1#2 < stop:a_1#2\n"
                "wait-healthy:a_1#2 < start:a_1#2\n"
                "start:a_10#2 < stop:a_10#2\n"
                "wait-healthy:a_10#2 < start:a_10#2\n");
}
END_TEST

START_TEST(a_step_that_has_nothing_to_do_keeps_the_order_of_its_neighbours)
{
    struct project p = {0};
    put_database(&p);
    assert_plan(&p, "- clean: {}\n- stop: apps\n- restart: database\n",
                "clean\n"
                "stop:db_1 < clean\n"
                "start:db_1 < stop:db_1\n");
}
END_TEST

/* --- what is stopped is started ----------------------------------------------------------------
 */

START_TEST(a_playbook_that_never_starts_is_completed)
{
    struct project p = {0};
    put_database(&p);
    put_app(&p, "a", 1, "db:service_healthy:false");
    struct plan *plan = make_plan(&p, "- stop: all\n- clean: {}\n");
    CLEANUP_FREE char *found = shape(plan);
    ck_assert_str_eq(found, "stop:a_1\n"
                            "stop:db_1 < stop:a_1\n"
                            "clean < stop:db_1\n"
                            "start:db_1 < clean\n"
                            "wait-ready:db_1 < start:db_1\n"
                            "start:a_1 < wait-ready:db_1\n"
                            "wait-healthy:a_1 < start:a_1\n");
    ck_assert(has_note(plan, "stops 2 containers that it never starts"));
    ck_assert(!find(plan, "start:a_1")->goes_on);
    plan_unref(plan);
}
END_TEST

START_TEST(one_that_was_forgotten_is_started_at_the_end)
{
    struct project p = {0};
    put_database(&p);
    put_app(&p, "a", 1, "db");
    put_app(&p, "b", 1, "db");
    struct plan *plan = make_plan(&p, "- stop: [a, b]\n- start: b\n- clean: {}\n");
    CLEANUP_FREE char *found = shape(plan);
    ck_assert_str_eq(found, "stop:a_1\n"
                            "stop:b_1\n"
                            "start:b_1 < stop:a_1 stop:b_1\n"
                            "wait-healthy:b_1 < start:b_1\n"
                            "clean < wait-healthy:b_1\n"
                            "start:a_1 < clean\n"
                            "wait-healthy:a_1 < start:a_1\n");
    ck_assert(has_note(plan, "stops 1 container that it never starts"));
    plan_unref(plan);
}
END_TEST

START_TEST(what_was_not_stopped_is_not_started)
{
    struct project p = {0};
    put_database(&p);
    put_app(&p, "a", 1, "db");
    put(&p, "b", 1, "db", "exited", CHECKED, "");
    assert_plan(&p, "- start: all\n", "");
}
END_TEST

START_TEST(a_stop_is_made_once)
{
    struct project p = {0};
    put_database(&p);
    put_app(&p, "a", 1, "db");
    assert_plan(&p, "- stop: a\n- stop: apps\n- start: apps\n",
                "stop:a_1\nstart:a_1 < stop:a_1\nwait-healthy:a_1 < start:a_1\n");
}
END_TEST

/* --- what is left alone ------------------------------------------------------------------------
 */

START_TEST(what_is_left_alone_has_a_reason)
{
    struct project p = {0};
    put_database(&p);
    put_app(&p, "a", 1, "db");
    put(&p, "down", 1, "db", "exited", CHECKED, "");
    put(&p, "frozen", 1, "db", "paused", CHECKED, "");
    put(&p, "fleeting", 1, "db", "running", CHECKED, ",'AutoRemove':true");
    put(&p, "created", 1, "db", "created", "", "");
    put(&p, "dead", 1, "db", "dead", "", "");
    struct plan *plan = make_plan(&p, RECOVER);
    ck_assert_str_eq(skip_reason(plan, "down_1"), "was not running");
    ck_assert_str_eq(skip_reason(plan, "created_1"), "was not running");
    ck_assert_str_eq(skip_reason(plan, "dead_1"), "was not running");
    unit_assert_has(skip_reason(plan, "frozen_1"), "paused");
    unit_assert_has(skip_reason(plan, "fleeting_1"), "--rm");
    ck_assert_uint_eq(plan->skip_count, 5);
    CLEANUP_FREE char *found = shape(plan);
    unit_assert_has(found, "stop:a_1");
    unit_assert_lacks(found, "down");
    unit_assert_lacks(found, "frozen");
    unit_assert_lacks(found, "fleeting");
    plan_unref(plan);
}
END_TEST

START_TEST(an_ignored_service_is_never_touched)
{
    struct project p = {0};
    put_database(&p);
    put_app(&p, "a", 1, "db");
    put(&p, "b", 1, "db", "running", CHECKED, "");
    struct stack *stack = build(&p);
    stack_service(stack, "b")->role = ROLE_IGNORE;
    struct playbook *source = playbook("- restart: [a, b]\n- wait: all healthy\n");
    struct plan *plan = NULL;
    struct err e;
    ck_assert_int_eq(plan_make(source, stack, &plan, &e), 0);
    CLEANUP_FREE char *found = shape(plan);
    unit_assert_has(found, "stop:a_1");
    unit_assert_lacks(found, "b_1\n");
    unit_assert_has(skip_reason(plan, "b_1"), "ignored");
    plan_unref(plan);
    playbook_unref(source);
    stack_unref(stack);
}
END_TEST

START_TEST(a_container_in_its_back_off_is_recovered_too)
{
    struct project p = {0};
    put_database(&p);
    put(&p, "a", 1, "db", "restarting", CHECKED, "");
    assert_plan(&p, "- restart: apps\n",
                "stop:a_1\nstart:a_1 < stop:a_1\nwait-healthy:a_1 < start:a_1\n");
}
END_TEST

START_TEST(a_database_that_is_down_is_raised)
{
    struct project p = {0};
    put(&p, "db", 1, "", "exited", ",'StopSignal':'SIGINT'", "");
    put_app(&p, "a", 1, "db:service_healthy:false");
    struct plan *plan = make_plan(&p, RECOVER);
    CLEANUP_FREE char *found = shape(plan);
    unit_assert_lacks(found, "stop:db_1");
    unit_assert_has(found, "start:db_1 < checkpoint\n");
    ck_assert(has_note(plan, "db_1 is not running: it is started"));
    ck_assert_uint_eq(plan->skip_count, 0);
    plan_unref(plan);
}
END_TEST

/* What a recreation that failed half-way leaves has the same volume. */
START_TEST(no_database_is_raised_beside_one_that_is_up)
{
    struct project p = {0};
    put_database(&p);
    put(&p, "db", 2, "", "exited", ",'StopSignal':'SIGINT'", "");
    put_app(&p, "a", 1, "db:service_healthy:false");
    struct plan *plan = make_plan(&p, RECOVER);
    CLEANUP_FREE char *found = shape(plan);
    unit_assert_has(found, "start:db_1");
    unit_assert_lacks(found, "start:db_2");
    ck_assert_uint_eq(plan->skip_count, 1);
    plan_unref(plan);
}
END_TEST

START_TEST(a_playbook_that_starts_no_database_leaves_it_down)
{
    struct project p = {0};
    put(&p, "db", 1, "", "exited", "", "");
    put_app(&p, "a", 1, "db:service_healthy:false");
    struct plan *plan = make_plan(&p, "- restart: apps\n");
    ck_assert_str_eq(skip_reason(plan, "db_1"), "was not running");
    plan_unref(plan);
}
END_TEST

/* --- refusals ----------------------------------------------------------------------------------
 */

START_TEST(a_database_that_would_vanish_is_refused)
{
    struct project p = {0};
    struct err e;
    put(&p, "db", 1, "", "running", "", ",'AutoRemove':true");
    put_app(&p, "a", 1, "db");
    ck_assert_ptr_null(try_plan(&p, RECOVER, &e));
    ck_assert_int_eq(e.code, ERR_REFUSED);
    unit_assert_has(e.text, "db_1");
    unit_assert_has(e.text, "--rm");
    /* The apps alone may be moved. */
    put(&p, "db", 1, "", "running", "", ",'AutoRemove':true");
    put_app(&p, "a", 1, "db");
    plan_unref(make_plan(&p, "- restart: apps\n"));
}
END_TEST

START_TEST(a_paused_database_is_refused_with_the_next_step)
{
    struct project p = {0};
    struct err e;
    put(&p, "db", 1, "", "paused", "", "");
    ck_assert_ptr_null(try_plan(&p, RECOVER, &e));
    ck_assert_int_eq(e.code, ERR_REFUSED);
    ck_assert_str_eq(e.hint, "docker unpause db_1");
}
END_TEST

START_TEST(a_service_that_is_not_there_is_named_with_its_line)
{
    struct project p = {0};
    struct err e;
    put_database(&p);
    put_app(&p, "a", 1, "db");
    ck_assert_ptr_null(try_plan(&p, "- capture: evidence\n- restart:\n    - a\n    - wev\n", &e));
    ck_assert_int_eq(e.code, ERR_INVALID);
    ck_assert_str_eq(e.text, "playbook p, line 4: restart: no service 'wev' in stack shop");
}
END_TEST

/* --- times and signals -------------------------------------------------------------------------
 */

START_TEST(a_stop_has_the_time_its_container_asks_for)
{
    struct project p = {0};
    put_database(&p);
    put(&p, "a", 1, "db", "running", ",'StopTimeout':7", "");
    put(&p, "b", 1, "db", "running", "", "");
    put(&p, "c", 1, "db", "running", ",'StopTimeout':-1", ""); /* as long as it takes */
    put(&p, "d", 1, "db", "running", ",'StopTimeout':1800", "");
    struct plan *plan = make_plan(&p, "- stop: apps\n- restart: database\n- start: apps\n");
    ck_assert_int_eq(find(plan, "stop:c_1")->grace_s, 600);
    ck_assert_int_eq(find(plan, "stop:d_1")->grace_s, 1800); /* it knows why */
    ck_assert_int_eq(find(plan, "stop:a_1")->grace_s, 7);
    ck_assert_int_eq(find(plan, "stop:a_1")->timeout_ms, 27000);
    ck_assert_int_eq(find(plan, "stop:b_1")->grace_s, 10); /* the Engine's own */
    /* Docker's 10 s would kill a server that writes its checkpoint. */
    ck_assert_int_eq(find(plan, "stop:db_1")->grace_s, 60);
    ck_assert_ptr_null(find(plan, "stop:a_1")->signal);
    plan_unref(plan);
}
END_TEST

START_TEST(a_playbooks_grace_counts_and_no_timeout_cuts_it_short)
{
    struct project p = {0};
    put_database(&p);
    put(&p, "a", 1, "db", "running", ",'StopTimeout':7", "");
    struct plan *plan = make_plan(&p, "- {stop: apps, grace: 1500ms, timeout: 1s}\n"
                                      "- {restart: database, grace: 5s}\n- start: apps\n");
    ck_assert_int_eq(find(plan, "stop:a_1")->grace_s, 2); /* whole seconds, not fewer */
    ck_assert_int_eq(find(plan, "stop:a_1")->timeout_ms, 22000);
    ck_assert_int_eq(find(plan, "stop:db_1")->grace_s, 5);
    plan_unref(plan);
}
END_TEST

START_TEST(a_server_is_never_told_to_wait_for_its_clients)
{
    static const char *const signals[] = {"", ",'StopSignal':'SIGTERM'", ",'StopSignal':'SIGINT'"};
    for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
        struct project p = {0};
        put(&p, "db", 1, "", "running", signals[i], "");
        struct plan *plan = make_plan(&p, "- restart: database\n");
        const char *signal = find(plan, "stop:db_1")->signal;
        if (strstr(signals[i], "SIGINT"))
            ck_assert_ptr_null(signal); /* it is its own already */
        else
            ck_assert_str_eq(signal, "SIGINT");
        plan_unref(plan);
    }
}
END_TEST

START_TEST(a_wait_for_health_knows_the_check)
{
    struct project p = {0};
    put_database(&p);
    put_app(&p, "quick", 1, "db");
    put(&p, "slow", 1, "db", "running",
        ",'Healthcheck':{'Test':['CMD','x'],'Interval':60000000000,'Timeout':30000000000,"
        "'Retries':3}",
        "");
    struct plan *plan = make_plan(&p, "- restart: apps\n");
    ck_assert_int_gt(find(plan, "wait-healthy:slow_1")->timeout_ms, 2 * 3 * 60000);
    ck_assert_int_lt(find(plan, "wait-healthy:quick_1")->timeout_ms, 120000);
    plan_unref(plan);
}
END_TEST

START_TEST(the_worst_case_is_the_longest_path)
{
    struct project p = {0};
    put_database(&p);
    put(&p, "a", 1, "db", "running", ",'StopTimeout':7", "");
    put(&p, "b", 1, "db", "running", ",'StopTimeout':30", "");
    struct plan *plan = make_plan(&p, "- {capture: evidence, timeout: 3s}\n- stop: apps\n"
                                      "- {start: apps, timeout: 10s}\n");
    ck_assert_int_eq(plan->worst_case_ms, 3000 + 50000 + 10000); /* b is beside a, not behind it */
    plan_unref(plan);
}
END_TEST

START_TEST(failures_that_may_be_passed_over_are_marked)
{
    struct project p = {0};
    put_database(&p);
    put_app(&p, "a", 1, "db");
    struct plan *plan = make_plan(&p, "- {stop: apps, on_failure: fail}\n- clean: {}\n"
                                      "- restart: database\n- {start: apps, on_failure: continue}\n"
                                      "- {verify: {services: healthy}, on_failure: continue}\n");
    ck_assert(!find(plan, "stop:a_1")->goes_on);
    ck_assert(find(plan, "clean")->goes_on);
    ck_assert(find(plan, "stop:db_1")->goes_on); /* it is started all the same */
    ck_assert(!find(plan, "start:db_1")->goes_on);
    ck_assert(!find(plan, "start:a_1")->goes_on);
    ck_assert(find(plan, "verify")->goes_on);
    plan_unref(plan);
}
END_TEST

/* --- identity ----------------------------------------------------------------------------------
 */

static void put_three(struct project *p, const char *state_of_b)
{
    put_database(p);
    put_app(p, "a", 1, "db");
    put(p, "b", 1, "a:service_healthy:false", state_of_b, CHECKED, "");
}

START_TEST(the_same_stack_gives_the_same_id_and_another_one_another)
{
    struct project p = {0};
    put_three(&p, "running");
    struct plan *one = make_plan(&p, RECOVER);
    put_three(&p, "running");
    struct plan *same = make_plan(&p, RECOVER);
    put_three(&p, "exited");
    struct plan *other_state = make_plan(&p, RECOVER);
    put_three(&p, "running");
    struct plan *other_playbook = make_plan(&p, RECOVER "- clean: {}\n");
    ck_assert_uint_eq(strlen(one->id), 16);
    ck_assert_str_eq(one->id, same->id);
    ck_assert_str_ne(one->id, other_state->id);
    ck_assert_str_ne(one->id, other_playbook->id);
    ck_assert_str_ne(other_state->id, other_playbook->id);
    plan_unref(one);
    plan_unref(same);
    plan_unref(other_state);
    plan_unref(other_playbook);
}
END_TEST

START_TEST(the_order_in_which_the_engine_lists_is_of_no_account)
{
    struct project p = {0};
    put_three(&p, "running");
    struct plan *one = make_plan(&p, RECOVER);
    put_three(&p, "running");
    struct container *first = p.containers[0];
    p.containers[0] = p.containers[2];
    p.containers[2] = first;
    struct plan *other = make_plan(&p, RECOVER);
    ck_assert_str_eq(one->id, other->id);
    plan_unref(one);
    plan_unref(other);
}
END_TEST

/* --- through JSON ------------------------------------------------------------------------------
 */

static struct plan *through_json(const struct plan *plan)
{
    json_t *json = plan_json(plan);
    CLEANUP_FREE char *line = json_line(json);
    json_decref(json);
    json_t *stored = json_loads(line, 0, NULL);
    struct plan *back = NULL;
    struct err e;
    ck_assert_msg(plan_parse(stored, &back, &e) == 0, "%s", e.text);
    json_decref(stored);
    return back;
}

static void assert_same_action(const struct action *a, const struct action *b)
{
    ck_assert_int_eq(a->kind, b->kind);
    ck_assert_pstr_eq(a->service, b->service);
    ck_assert_pstr_eq(a->container, b->container);
    ck_assert_pstr_eq(a->container_id, b->container_id);
    ck_assert_pstr_eq(a->signal, b->signal);
    ck_assert_int_eq(a->database, b->database);
    ck_assert_int_eq(a->timeout_ms, b->timeout_ms);
    ck_assert_int_eq(a->grace_s, b->grace_s);
    ck_assert_int_eq(a->goes_on, b->goes_on);
    ck_assert_int_eq(a->step->kind, b->step->kind);
    CLEANUP_FREE char *text = action_text(a);
    CLEANUP_FREE char *back = action_text(b);
    ck_assert_str_eq(text, back);
}

START_TEST(a_stored_plan_is_the_same_plan)
{
    struct project p = {0};
    put_three(&p, "running");
    /* never starts: its added starts belong to no step of the playbook */
    struct plan *plan =
        make_plan(&p, "- capture: evidence\n- stop: apps\n- clean: {roles: [x]}\n"
                      "- restart: database\n- verify: {services: healthy, for: 1s}\n");
    struct plan *back = through_json(plan);
    ck_assert_str_eq(plan->id, back->id);
    ck_assert_str_eq(back->project, "shop");
    ck_assert_int_eq(plan->worst_case_ms, back->worst_case_ms);
    CLEANUP_FREE char *found = shape(plan);
    CLEANUP_FREE char *found_back = shape(back);
    ck_assert_str_eq(found, found_back);
    for (size_t i = 0; i < plan->action_count; i++)
        assert_same_action(&plan->actions[i], &back->actions[i]);
    struct plan *again = through_json(back);
    ck_assert_str_eq(again->id, plan->id);
    plan_unref(again);
    plan_unref(back);
    plan_unref(plan);
}
END_TEST

START_TEST(a_plan_in_json_tells_all_and_no_secret)
{
    struct project p = {0};
    put(&p, "db", 1, "", "running", ",'Env':['POSTGRES_PASSWORD=geheim']", "");
    put(&p, "b", 1, "db", "exited", "", "");
    struct plan *plan = make_plan(&p, RECOVER);
    json_t *json = plan_json(plan);
    CLEANUP_FREE char *line = json_line(json);
    ck_assert_str_eq(json_text_at(json, "id", ""), plan->id);
    ck_assert_str_eq(json_text_at(json, "playbook", ""), "p");
    const json_t *action = json_array_get(json_at(json, "actions"), 1);
    ck_assert_str_eq(json_text_at(action, "id", ""), "clean");
    ck_assert_str_eq(json_string_value(json_array_get(json_at(action, "after"), 0)), "capture");
    unit_assert_has(line, "\"reason\":\"was not running\"");
    unit_assert_lacks(line, "geheim");
    json_decref(json);
    plan_unref(plan);
}
END_TEST

/* The first action's `key` becomes `value` (NULL: goes). */
static void assert_damaged(const json_t *good, const char *key, json_t *value)
{
    json_t *copy = json_deep_copy(good);
    json_t *action = json_array_get(json_object_get(copy, "actions"), 1);
    if (value)
        json_object_set_new(action, key, value);
    else
        json_object_del(action, key);
    struct plan *plan = NULL;
    struct err e;
    ck_assert_int_eq(plan_parse(copy, &plan, &e), -(int)ERR_PROTOCOL);
    ck_assert_ptr_null(plan);
    unit_assert_has(e.text, "action 2");
    json_decref(copy);
}

START_TEST(a_damaged_plan_is_refused)
{
    struct project p = {0};
    put_three(&p, "running");
    struct plan *plan = make_plan(&p, "- capture: evidence\n- restart: apps\n");
    json_t *good = plan_json(plan);
    assert_damaged(good, "id", NULL);
    assert_damaged(good, "kind", json_string("explode"));
    assert_damaged(good, "step", json_integer(-1));
    assert_damaged(good, "timeout_ms", json_integer(0));
    assert_damaged(good, "container_id", NULL);
    assert_damaged(good, "after", unit_json("['stop:b_1']"));  /* itself */
    assert_damaged(good, "after", unit_json("['start:a_1']")); /* forward: a circle */
    assert_damaged(good, "after", unit_json("['nothing']"));
    assert_damaged(good, "after", unit_json("[7]"));
    static const char *const nothing[] = {"null", "7", "[]", "{}", "{'playbook':'p','source':[]}"};
    for (size_t i = 0; i < ARRAY_SIZE(nothing); i++) {
        struct plan *none = NULL;
        struct err e;
        json_t *json = unit_json(nothing[i]);
        ck_assert_int_eq(plan_parse(json, &none, &e), -(int)ERR_PROTOCOL);
        json_decref(json);
    }
    json_decref(good);
    plan_unref(plan);
}
END_TEST

/* --- the selection -----------------------------------------------------------------------------
 */

static void put_three_workers(struct project *p)
{
    put_database(p);
    for (int number = 1; number <= 3; number++)
        put_app(p, "worker", number, "db:service_healthy:false");
    put_app(p, "web", 1, "worker");
}

START_TEST(only_the_selected_container_is_restarted)
{
    struct project p = {0};
    put_three_workers(&p);
    assert_plan(&p, "selected: {containers: worker_2}\nsteps:\n- restart: selected\n",
                "stop:worker_2\n"
                "start:worker_2 < stop:worker_2\n"
                "wait-healthy:worker_2 < start:worker_2\n");
}
END_TEST

START_TEST(a_service_by_its_name_is_all_of_it)
{
    struct project p = {0};
    static const char expected[] = "stop:web_1\n"
                                   "stop:worker_1 < stop:web_1\n"
                                   "stop:worker_2 < stop:web_1\n"
                                   "stop:worker_3 < stop:web_1\n"
                                   "wait-healthy:web_1 < stop:worker_1 stop:worker_2 "
                                   "stop:worker_3\n";
    put_three_workers(&p);
    struct plan *one = make_plan(&p, "selected: {containers: [worker, web_1]}\nsteps:\n"
                                     "- stop: selected\n- wait: web healthy\n");
    CLEANUP_FREE char *by_containers = shape(one);
    ck_assert_ptr_nonnull(strstr(by_containers, "start:worker_3")); /* what is stopped is started */
    ck_assert_int_eq(strncmp(by_containers, expected, strlen(expected)), 0);
    put_three_workers(&p);
    struct plan *other = make_plan(&p, "selected: {services: [worker, web]}\nsteps:\n"
                                       "- stop: selected\n- wait: web healthy\n");
    CLEANUP_FREE char *by_services = shape(other);
    ck_assert_str_eq(by_containers, by_services);
    ck_assert_str_ne(one->id, other->id); /* the selection is part of the plan */
    plan_unref(one);
    plan_unref(other);
}
END_TEST

START_TEST(a_containers_name_goes_before_a_services)
{
    struct project p = {0};
    put_three_workers(&p);
    struct stack *stack = build(&p);
    free(stack_container(stack, "worker_3")->name);
    stack_service(stack, "worker")->containers[2]->name = mem_strdup("web");
    struct playbook *source = playbook("selected: {containers: web}\nsteps:\n- stop: selected\n");
    struct plan *plan = NULL;
    struct err e;
    ck_assert_int_eq(plan_make(source, stack, &plan, &e), 0);
    CLEANUP_FREE char *found = shape(plan);
    ck_assert_str_eq(found, "stop:web\nstart:web < stop:web\nwait-healthy:web < start:web\n");
    plan_unref(plan);
    playbook_unref(source);
    stack_unref(stack);
}
END_TEST

static struct err refusal(struct project *p, const char *selected)
{
    struct err e;
    CLEANUP_FREE char *text = mem_printf("selected: %s\nsteps:\n- restart: selected\n", selected);
    ck_assert_ptr_null(try_plan(p, text, &e));
    return e;
}

START_TEST(who_is_not_there_is_not_selected)
{
    struct project p = {0};
    put_three_workers(&p);
    struct err e = refusal(&p, "{containers: [worker_1, workr_2]}");
    ck_assert_int_eq(e.code, ERR_INVALID);
    ck_assert_str_eq(e.text, "there is no container or service 'workr_2' in stack shop");
    ck_assert_str_eq(e.hint, "did you mean 'worker_2'?");
    put_three_workers(&p);
    e = refusal(&p, "{services: [worker_1]}"); /* a container is no service */
    ck_assert_str_eq(e.text, "there is no service 'worker_1' in stack shop");
    put_three_workers(&p);
    e = refusal(&p, "{containers: none}");
    ck_assert_str_eq(e.hint,
                     "there are db_1, web_1, worker_1, worker_2, worker_3, db, web, worker");
}
END_TEST

static int check_names(const struct stack *stack, const char *options, struct err *e)
{
    CLEANUP_JSON json_t *json = json_loads(options, 0, NULL);
    return plan_check_names(json, stack, e);
}

/* Also of a playbook whose selected steps do not ask: one that ends sessions. */
START_TEST(who_asks_is_told_whom_there_is_not)
{
    struct project p = {0};
    struct err e;
    put_three_workers(&p);
    struct stack *stack = build(&p);
    ck_assert_int_eq(check_names(stack, "{}", &e), 0);
    ck_assert_int_eq(check_names(stack, "{\"containers\":[\"worker_1\",\"web\"]}", &e), 0);
    ck_assert_int_eq(check_names(stack, "{\"containers\":[\"web\",\"workr_2\"]}", &e),
                     -ERR_INVALID);
    ck_assert_str_eq(e.text, "there is no container or service 'workr_2' in stack shop");
    ck_assert_str_eq(e.hint, "did you mean 'worker_2'?");
    ck_assert_int_eq(check_names(stack, "{\"services\":\"web, worker_1\"}", &e), -ERR_INVALID);
    ck_assert_str_eq(e.text, "there is no service 'worker_1' in stack shop");
    stack_unref(stack);
}
END_TEST

START_TEST(somebody_has_to_be_selected)
{
    struct project p = {0};
    struct err e;
    put_three_workers(&p);
    ck_assert_ptr_null(try_plan(&p, "- restart: selected\n", &e));
    ck_assert_int_eq(e.code, ERR_INVALID);
    unit_assert_has(e.hint, "supervisorctl recover p --container NAME");
    put_three_workers(&p);
    ck_assert_int_eq(refusal(&p, "{containers: []}").code, ERR_INVALID);
    put_three_workers(&p);
    ck_assert_ptr_null(try_plan(&p, "- capture: evidence\n- verify: {selected: healthy}\n", &e));
    ck_assert_int_eq(e.code, ERR_INVALID);
}
END_TEST

START_TEST(a_selection_that_cannot_be_moved_is_refused_with_the_reason)
{
    struct project p = {0};
    put_database(&p);
    put(&p, "down", 1, "db", "exited", CHECKED, "");
    struct err e = refusal(&p, "{containers: down_1}");
    ck_assert_int_eq(e.code, ERR_REFUSED);
    unit_assert_has(e.text, "down_1: was not running");
    put_database(&p);
    put_app(&p, "a", 1, "db");
    e = refusal(&p, "{services: db}");
    ck_assert_int_eq(e.code, ERR_REFUSED);
    unit_assert_has(e.text, "db_1: it is the database");
}
END_TEST

START_TEST(the_database_is_left_out_of_a_selection)
{
    struct project p = {0};
    put_database(&p);
    put_app(&p, "a", 1, "db");
    struct plan *plan = make_plan(&p, "selected: {services: [db, a]}\nsteps:\n"
                                      "- restart: selected\n");
    CLEANUP_FREE char *found = shape(plan);
    ck_assert_str_eq(found, "stop:a_1\nstart:a_1 < stop:a_1\nwait-healthy:a_1 < start:a_1\n");
    unit_assert_has(skip_reason(plan, "db_1"), "it is the database");
    plan_unref(plan);
}
END_TEST

/* --- what is held off --------------------------------------------------------------------------
 */

static void put_bouncer(struct project *p, int number, const char *state)
{
    put(p, "bouncer", number, "db:service_healthy:false", state, CHECKED, "");
}

#define RESTART_DATABASE                                                                           \
    "- pause: pooler\n- restart: database\n- wait: database ready\n- resume: pooler\n"

START_TEST(every_pooler_is_paused_around_a_restart)
{
    struct project p = {0};
    put_database(&p);
    put_bouncer(&p, 1, "running");
    put_bouncer(&p, 2, "running");
    assert_plan(&p, RESTART_DATABASE,
                "pause-pool:bouncer_1\n"
                "pause-pool:bouncer_2\n"
                "stop:db_1 < pause-pool:bouncer_1 pause-pool:bouncer_2\n"
                "start:db_1 < stop:db_1\n"
                "wait-ready:db_1 < start:db_1\n"
                "resume-pool:bouncer_1 < wait-ready:db_1\n"
                "resume-pool:bouncer_2 < wait-ready:db_1\n");
}
END_TEST

START_TEST(without_a_pooler_nothing_is_paused_and_that_is_said)
{
    struct project p = {0};
    put_database(&p);
    put_bouncer(&p, 1, "exited");
    struct plan *plan = make_plan(&p, RESTART_DATABASE);
    CLEANUP_FREE char *found = shape(plan);
    ck_assert_str_eq(found, "stop:db_1\nstart:db_1 < stop:db_1\nwait-ready:db_1 < start:db_1\n");
    ck_assert(has_note(plan, "no pooler runs in this stack: nothing is paused"));
    plan_unref(plan);
}
END_TEST

#define QUIESCE                                                                                    \
    "- {pause: pooler, when: pooler}\n- {block: apps, when: no pooler}\n- clean: {}\n"             \
    "- unblock: apps\n- resume: pooler\n"

START_TEST(a_step_may_be_for_stacks_with_or_without_a_pooler)
{
    struct project p = {0};
    put_database(&p);
    assert_plan(&p, QUIESCE, "block\nclean < block\nunblock < clean\n");
    put_database(&p);
    put_bouncer(&p, 1, "running");
    assert_plan(&p, QUIESCE,
                "pause-pool:bouncer_1\nclean < pause-pool:bouncer_1\n"
                "resume-pool:bouncer_1 < clean\n");
}
END_TEST

START_TEST(what_is_held_off_and_never_let_go_is_let_go_at_the_end)
{
    struct project p = {0};
    put_database(&p);
    put_bouncer(&p, 1, "running");
    put_app(&p, "a", 1, "db");
    struct plan *plan = make_plan(
        &p, "- block: apps\n- block: apps\n- pause: pooler\n- pause: pooler\n- stop: a\n");
    CLEANUP_FREE char *found = shape(plan);
    ck_assert_str_eq(found, "block\n"
                            "pause-pool:bouncer_1 < block\n"
                            "stop:a_1 < pause-pool:bouncer_1\n"
                            "unblock < stop:a_1\n"
                            "resume-pool:bouncer_1 < unblock\n"
                            "start:a_1 < resume-pool:bouncer_1\n"
                            "wait-healthy:a_1 < start:a_1\n");
    ck_assert(has_note(plan, "blocks logins and never unblocks them"));
    ck_assert(has_note(plan, "pauses the pooler and never resumes it"));
    ck_assert(has_note(plan, "stops 1 container that it never starts"));
    struct plan *back = through_json(plan);
    for (size_t i = 0; i < plan->action_count; i++)
        assert_same_action(&plan->actions[i], &back->actions[i]);
    ck_assert(!find(back, "resume-pool:bouncer_1")->goes_on);
    plan_unref(back);
    plan_unref(plan);
}
END_TEST

START_TEST(what_was_not_held_off_is_not_let_go)
{
    struct project p = {0};
    put_database(&p);
    put_bouncer(&p, 1, "running");
    assert_plan(&p, "- capture: evidence\n- unblock: apps\n- resume: pooler\n", "capture\n");
}
END_TEST

/* --- sentences ---------------------------------------------------------------------------------
 */

/* Whom a clean is limited to is part of what is shown before it is done. */
START_TEST(a_cleans_sentence_says_whom_it_means)
{
    static const struct {
        const char *settings;
        const char *text;
    } sentences[] = {
        {"{containers: [a, b]}", "end sessions idle > 1m00s, idle in transaction > 1m00s; only of "
                                 "containers a, b"},
        {"{all: yes, roles: [app], databases: ['shop*'], clients: ['10.0.0.1']}",
         "end every ordinary session; only of roles app; only of databases shop*; only of clients "
         "10.0.0.1"},
        {"{idle: 10s, applications: [web], protect: [report, cron], superusers: yes}",
         "end sessions idle > 10.0s, idle in transaction > 1m00s; only of applications web; never "
         "of report, cron; superusers' too"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(sentences); i++) {
        CLEANUP_FREE char *steps = mem_printf("- clean: %s\n", sentences[i].settings);
        struct project p = {0};
        put_database(&p);
        struct plan *plan = make_plan(&p, steps);
        CLEANUP_FREE char *text = action_text(find(plan, "clean"));
        ck_assert_str_eq(text, sentences[i].text);
        plan_unref(plan);
    }
}
END_TEST

START_TEST(every_action_has_a_sentence)
{
    struct project p = {0};
    put(&p, "db", 1, "", "running", "", "");
    put_app(&p, "a", 1, "db");
    put(&p, "bouncer", 1, "db", "running", "", "");
    struct plan *plan = make_plan(&p, "- stop: apps\n- clean: {idle: never}\n- clean: {all: yes}\n"
                                      "- {restart: database, grace: 9s}\n"
                                      "- {start: apps, gate: 20%}\n- {stop: a}\n"
                                      "- {start: a, gate: 5}\n- {pause: pooler}\n- block: apps\n"
                                      "- unblock: apps\n- resume: pooler\n"
                                      "- verify: {connections.utilization: '< 60%', for: 2s}\n"
                                      "- verify: {connections.utilization: '< 60%', services: "
                                      "healthy}\n");
    static const struct {
        const char *id;
        const char *text;
    } sentences[] = {
        {"stop:a_1", "stop a (a_1), 10s to end"},
        {"clean", "end sessions idle > never, idle in transaction > 1m00s"},
        {"clean#2", "end every ordinary session"},
        {"stop:db_1", "stop db (db_1), 9s to end, by SIGINT"},
        {"start:db_1", "start db (db_1)"},
        {"start:a_1", "start a (a_1), when 20% of the slots are free"},
        {"start:a_1#2", "start a (a_1), when 5 slots are free"},
        {"wait-healthy:a_1", "wait until a (a_1) is healthy"},
        {"pause-pool:bouncer_1", "pause bouncer (bouncer_1): its clients wait"},
        {"resume-pool:bouncer_1", "resume bouncer (bouncer_1)"},
        {"block", "take no new logins of the roles that hold the connections"},
        {"unblock", "take their logins again"},
        {"verify", "verify: connections below 60%, for 2.0s"},
        {"verify#2", "verify: services healthy, connections below 60%, for 0ms"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(sentences); i++) {
        CLEANUP_FREE char *text = action_text(find(plan, sentences[i].id));
        ck_assert_str_eq(text, sentences[i].text);
    }
    plan_unref(plan);
}
END_TEST

UNIT_MAIN("plan", apps_stop_against_the_dependencies_and_start_along_them,
          a_diamond_moves_its_sides_at_once, replicas_move_at_once_and_are_all_waited_for,
          a_dependency_that_need_only_be_started_is_not_waited_for,
          without_a_check_there_is_no_health_to_wait_for,
          the_order_holds_across_one_that_is_not_running,
          a_restart_of_all_has_the_database_in_the_middle, named_services_alone_are_moved,
          the_same_again_has_an_id_of_its_own,
          a_step_that_has_nothing_to_do_keeps_the_order_of_its_neighbours,
          a_playbook_that_never_starts_is_completed, one_that_was_forgotten_is_started_at_the_end,
          what_was_not_stopped_is_not_started, a_stop_is_made_once, what_is_left_alone_has_a_reason,
          an_ignored_service_is_never_touched, a_container_in_its_back_off_is_recovered_too,
          no_database_is_raised_beside_one_that_is_up, a_database_that_is_down_is_raised,
          a_playbook_that_starts_no_database_leaves_it_down,
          a_database_that_would_vanish_is_refused, a_paused_database_is_refused_with_the_next_step,
          a_service_that_is_not_there_is_named_with_its_line,
          a_stop_has_the_time_its_container_asks_for,
          a_playbooks_grace_counts_and_no_timeout_cuts_it_short,
          a_server_is_never_told_to_wait_for_its_clients, a_wait_for_health_knows_the_check,
          the_worst_case_is_the_longest_path, failures_that_may_be_passed_over_are_marked,
          the_same_stack_gives_the_same_id_and_another_one_another,
          the_order_in_which_the_engine_lists_is_of_no_account, a_stored_plan_is_the_same_plan,
          a_plan_in_json_tells_all_and_no_secret, a_damaged_plan_is_refused,
          only_the_selected_container_is_restarted, a_service_by_its_name_is_all_of_it,
          a_containers_name_goes_before_a_services, who_is_not_there_is_not_selected,
          who_asks_is_told_whom_there_is_not, somebody_has_to_be_selected,
          a_selection_that_cannot_be_moved_is_refused_with_the_reason,
          the_database_is_left_out_of_a_selection, every_pooler_is_paused_around_a_restart,
          without_a_pooler_nothing_is_paused_and_that_is_said,
          a_step_may_be_for_stacks_with_or_without_a_pooler,
          what_is_held_off_and_never_let_go_is_let_go_at_the_end,
          what_was_not_held_off_is_not_let_go, every_action_has_a_sentence,
          a_cleans_sentence_says_whom_it_means)
