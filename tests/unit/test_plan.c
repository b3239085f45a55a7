/* Playbook × stack → plan: what is done, behind what, and what is left alone and why. */
#include "tests/unit/plan_fixture.h"
#include "tests/unit/unit.h"

/* --- order ------------------------------------------------------------------------------------ */

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

/* --- what is stopped is started --------------------------------------------------------------- */

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

/* --- what is left alone ----------------------------------------------------------------------- */

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

/* --- refusals --------------------------------------------------------------------------------- */

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

/* --- times and signals ------------------------------------------------------------------------ */

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

/* --- what is held off ------------------------------------------------------------------------- */

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

UNIT_MAIN(
    "plan", apps_stop_against_the_dependencies_and_start_along_them,
    a_diamond_moves_its_sides_at_once, replicas_move_at_once_and_are_all_waited_for,
    a_dependency_that_need_only_be_started_is_not_waited_for,
    without_a_check_there_is_no_health_to_wait_for, the_order_holds_across_one_that_is_not_running,
    a_restart_of_all_has_the_database_in_the_middle, named_services_alone_are_moved,
    the_same_again_has_an_id_of_its_own,
    a_step_that_has_nothing_to_do_keeps_the_order_of_its_neighbours,
    a_playbook_that_never_starts_is_completed, one_that_was_forgotten_is_started_at_the_end,
    what_was_not_stopped_is_not_started, a_stop_is_made_once, what_is_left_alone_has_a_reason,
    an_ignored_service_is_never_touched, a_container_in_its_back_off_is_recovered_too,
    a_database_that_is_down_is_raised, no_database_is_raised_beside_one_that_is_up,
    a_playbook_that_starts_no_database_leaves_it_down, a_database_that_would_vanish_is_refused,
    a_paused_database_is_refused_with_the_next_step,
    a_service_that_is_not_there_is_named_with_its_line, a_stop_has_the_time_its_container_asks_for,
    a_playbooks_grace_counts_and_no_timeout_cuts_it_short,
    a_server_is_never_told_to_wait_for_its_clients, a_wait_for_health_knows_the_check,
    the_worst_case_is_the_longest_path, failures_that_may_be_passed_over_are_marked,
    every_pooler_is_paused_around_a_restart, without_a_pooler_nothing_is_paused_and_that_is_said,
    a_step_may_be_for_stacks_with_or_without_a_pooler,
    what_is_held_off_and_never_let_go_is_let_go_at_the_end, what_was_not_held_off_is_not_let_go)
