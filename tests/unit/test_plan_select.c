/* A playbook for some containers only: whom a selection means, and what it refuses. */
#include "tests/unit/plan_fixture.h"
#include "tests/unit/unit.h"

/* --- the selection ---------------------------------------------------------------------------- */

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

UNIT_MAIN("plan_select", only_the_selected_container_is_restarted,
          a_service_by_its_name_is_all_of_it, a_containers_name_goes_before_a_services,
          who_is_not_there_is_not_selected, who_asks_is_told_whom_there_is_not,
          somebody_has_to_be_selected, a_selection_that_cannot_be_moved_is_refused_with_the_reason,
          the_database_is_left_out_of_a_selection)
