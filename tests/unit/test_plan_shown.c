/* A plan as it is shown and kept: its id, its way through JSON, its sentences. */
#include "tests/unit/plan_fixture.h"
#include "tests/unit/unit.h"

/* --- identity --------------------------------------------------------------------------------- */

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

/* --- through JSON ----------------------------------------------------------------------------- */

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

/* --- sentences -------------------------------------------------------------------------------- */

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

UNIT_MAIN("plan_shown", the_same_stack_gives_the_same_id_and_another_one_another,
          the_order_in_which_the_engine_lists_is_of_no_account, a_stored_plan_is_the_same_plan,
          a_plan_in_json_tells_all_and_no_secret, a_damaged_plan_is_refused,
          a_cleans_sentence_says_whom_it_means, every_action_has_a_sentence)
