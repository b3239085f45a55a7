/* The built-in policies in a simulated stack (world.h): what each must cure, and what it must leave
 * alone. The letters are those of the scenarios that the lab shows for real. */
#include "world.h"

#include "policies/moment.h"
#include "unit.h"

enum { START_MS = 60000, SLOTS = 27 };

/* A healthy shop that has settled; the worker is who will leak. */
static struct app *shop(struct world *world)
{
    world_begin(world, SLOTS);
    world_app(world, (struct app){.name = "backend", .busy = 3});
    struct app *worker = world_app(
        world,
        (struct app){.name = "worker", .busy = 2, .leaks_most = 30, .cured_by_restart = true});
    world_app(world, (struct app){.name = "frontend", .busy = 1});
    world_run(world, START_MS);
    return worker;
}

static int restarts(const struct world *world)
{
    int restarts = 0;
    for (int i = 0; i < world->app_count; i++)
        restarts += world->apps[i].restarts;
    return restarts;
}

static void run_for(struct world *world, int64_t span_ms)
{
    world_run(world, world->now_ms + span_ms);
}

#define expect_count(world, value, expected)                                                       \
    ck_assert_msg((value) == (expected), "%s is %d, not %d:\n%.2000s", #value, (int)(value),       \
                  (int)(expected), world_log(world))

START_TEST(every_policy_has_its_test_here)
{
    static const char *const tested[] = {"exhausted",         "leaking",        "unhealthy",
                                         "database-down",     "pressed",        "alert-utilization",
                                         "alert-connections", "alert-database", "weekly-clean"};
    struct policy_set *set = policy_set_new();
    ck_assert_uint_eq(policy_set_count(set), ARRAY_SIZE(tested));
    for (size_t i = 0; i < ARRAY_SIZE(tested); i++)
        ck_assert_str_eq(policy_set_at(set, i)->name, tested[i]);
    policy_set_free(set);
}
END_TEST

START_TEST(a_healthy_stack_is_left_alone)
{
    struct world world;
    shop(&world);
    run_for(&world, 30 * (int64_t)MINUTE_MS);
    ck_assert_str_eq(world_log(&world), "");
    world_end(&world);
}
END_TEST

/* --- leaks ------------------------------------------------------------------------------------ */

/* (a) Cleaning holds it: nobody is refused, nothing is restarted. */
START_TEST(a_slow_leak_is_cleaned_before_anybody_is_refused)
{
    static const double rates[] = {0.05, 0.1, 0.2};
    for (size_t i = 0; i < ARRAY_SIZE(rates); i++) {
        struct world world;
        struct app *worker = shop(&world);
        worker->in_transaction = i % 2;
        worker->leaks = rates[i];
        run_for(&world, 20 * (int64_t)MINUTE_MS);
        expect_count(&world, world.refused, 0);
        expect_count(&world, restarts(&world), 0);
        ck_assert_int_gt(world_times(&world, "run pressed clean"), 0);
        expect_count(&world, world_times(&world, "run "), world_times(&world, "run pressed"));
        world_end(&world);
    }
}
END_TEST

static int64_t time_to_restart(struct world *world, const struct app *app, int64_t most_ms)
{
    int64_t began_ms = world->now_ms;
    while (app->restarts == 0 && world->now_ms - began_ms < most_ms)
        run_for(world, SECOND_MS);
    return world->now_ms - began_ms;
}

/* (b) It comes back after cleaning: the one container that leaks is restarted, once, and soon. */
START_TEST(a_leak_that_comes_back_restarts_the_leaker_alone)
{
    static const struct {
        double rate;
        int64_t within_ms;
    } rows[] = {{0.25, 200000}, {0.3, 150000}, {0.4, 100000}, {0.5, 90000}, {0.7, 90000},
                {1, 80000},     {2, 60000},    {5, 60000},    {20, 60000}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct world world;
        struct app *worker = shop(&world);
        worker->in_transaction = i % 2 == 0;
        worker->leaks = rows[i].rate;
        int64_t taken_ms = time_to_restart(&world, worker, HOUR_MS);
        ck_assert_msg(taken_ms <= rows[i].within_ms, "%g a second: restarted after %d s\n%.2000s",
                      rows[i].rate, (int)(taken_ms / SECOND_MS), world_log(&world));
        ck_assert_int_gt(world_times(&world, "clean 1/"), 0); /* after it was cleaned */
        run_for(&world, 12 * (int64_t)MINUTE_MS);
        expect_count(&world, worker->restarts, 1);
        expect_count(&world, restarts(&world), 1);
        expect_count(&world, world.recoveries, 0);
        expect_count(&world, world_times(&world, "hand-over"), 0);
        world_end(&world);
    }
}
END_TEST

START_TEST(the_leaker_is_told_by_its_name)
{
    struct world world;
    struct app *worker = shop(&world);
    worker->in_transaction = true;
    worker->leaks = 2;
    time_to_restart(&world, worker, HOUR_MS);
    ck_assert_str_eq(json_text_at(world.fixture.params, "containers", ""), "worker");
    world_end(&world);
}
END_TEST

/* Without logs the probe alone tells: exhausted for 15 s. */
START_TEST(a_leak_is_cured_when_no_log_can_be_read)
{
    struct world world;
    struct app *worker = shop(&world);
    world.logs = false;
    worker->in_transaction = true;
    worker->leaks = 2;
    ck_assert_int_le(time_to_restart(&world, worker, HOUR_MS), 100000);
    run_for(&world, 12 * (int64_t)MINUTE_MS);
    expect_count(&world, restarts(&world), 1);
    world_end(&world);
}
END_TEST

/* (f) of leaks: a restart does not cure it. A person is called, and there is no storm. */
START_TEST(a_leak_that_nothing_cures_ends_with_a_person_and_not_in_a_storm)
{
    static const double rates[] = {0.5, 20};
    for (size_t i = 0; i < ARRAY_SIZE(rates); i++) {
        struct world world;
        struct app *worker = shop(&world);
        worker->cured_by_restart = false;
        worker->leaks = rates[i];
        run_for(&world, 75 * (int64_t)MINUTE_MS);
        int disruptive = world_times(&world, "run exhausted restart-leaker") +
                         world_times(&world, "run leaking restart-leaker") +
                         world_times(&world, "run exhausted recover");
        ck_assert_msg(disruptive <= 2 * 6, "%d in an hour and a quarter\n%.2000s", disruptive,
                      world_log(&world));
        ck_assert_int_ge(world_times(&world, "hand-over exhausted !"), 1);
        ck_assert_int_le(world_times(&world, "hand-over exhausted !"), 2); /* one an hour */
        ck_assert_int_le(world_times(&world, "hand-over leaking !"),
                         4); /* each an incident of its own */
        world_end(&world);
    }
}
END_TEST

START_TEST(a_large_pool_at_rest_is_no_leak)
{
    struct world world;
    world_begin(&world, SLOTS);
    world_app(&world, (struct app){.name = "backend", .leaks = 20, .leaks_most = 22});
    world_app(&world, (struct app){.name = "worker", .busy = 1});
    run_for(&world,
            30 * (int64_t)MINUTE_MS); /* it fills its pool at once, and again when cleaned */
    expect_count(&world, restarts(&world), 0);
    expect_count(&world, world.recoveries, 0);
    expect_count(&world, world_times(&world, "notify alert-utilization !"), 1);
    world_end(&world);
}
END_TEST

START_TEST(hard_work_is_no_leak)
{
    struct world world;
    shop(&world);
    world.apps[0].busy = 21;
    run_for(&world, 15 * (int64_t)MINUTE_MS);
    expect_count(&world, world.runs, 0);
    expect_count(&world, world_times(&world, "notify alert-utilization !"), 1);
    expect_count(&world, world_times(&world, "notify alert-connections !"), 1);
    world.apps[0].busy = 3;
    for (int i = 0; i < world.usable; i++)
        world.slots[i].app = -1;
    run_for(&world, 10 * (int64_t)MINUTE_MS);
    expect_count(&world, world_times(&world, "healed alert-utilization !"), 1);
    expect_count(&world, world_times(&world, "healed alert-connections !"), 1);
    world_end(&world);
}
END_TEST

/* --- exhaustion ------------------------------------------------------------------------------- */

/* (c) Many at once, and none of them clearly the one: the ordered recovery, once. */
START_TEST(sudden_exhaustion_by_many_is_recovered_in_order)
{
    for (int transactions = 0; transactions < 2; transactions++) {
        struct world world;
        world_begin(&world, SLOTS);
        static const char *const names[] = {"backend", "worker", "frontend"};
        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
            world_app(&world, (struct app){.name = names[i],
                                           .busy = 2,
                                           .leaks_most = 12,
                                           .in_transaction = transactions,
                                           .cured_by_restart = true});
        world_run(&world, START_MS);
        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
            world.apps[i].leaks = 10;
        run_for(&world, 2 * (int64_t)MINUTE_MS);
        expect_count(&world, world.recoveries, 1);
        ck_assert_int_gt(world_times(&world, "run exhausted clean 1/3"), 0);
        expect_count(&world, world_times(&world, "refused exhausted not-applicable"), 1);
        run_for(&world, 20 * (int64_t)MINUTE_MS);
        expect_count(&world, world.recoveries, 1);
        expect_count(&world, world_times(&world, "hand-over"), 0);
        world_end(&world);
    }
}
END_TEST

/* The fixture alone, with what a probe says. */
static void probe(struct fixture *fixture, int64_t from_ms, int64_t to_ms, const char *state,
                  const char *exhaustion)
{
    for (int64_t at_ms = from_ms; at_ms <= to_ms; at_ms += 2000) {
        word(fixture, at_ms, "database.state", state);
        word(fixture, at_ms, "database.exhaustion", exhaustion);
        number(fixture, at_ms, "connections.refused.rate", strcmp(state, "exhausted") ? 0 : 30);
        replay_finish(fixture->replay);
    }
}

START_TEST(a_limit_of_a_role_or_a_database_is_not_cured_by_restarts)
{
    static const char *const limits[] = {"role", "database"};
    for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
        struct fixture f;
        fixture_begin_with(&f, policy_set_new(), NULL, 12 * (int64_t)HOUR_MS);
        probe(&f, 0, 600000, "exhausted", limits[i]);
        expect(&f, "");
        probe(&f, 602000, 602000, "exhausted", "all");
        expect(&f, "602000 run exhausted clean 1/3\n");
        fixture_end(&f);
    }
}
END_TEST

START_TEST(a_moment_of_exhaustion_is_none)
{
    struct fixture f;
    fixture_begin_with(&f, policy_set_new(), NULL, 12 * (int64_t)HOUR_MS);
    probe(&f, 0, 40000, "ready", "none");
    word(&f, 42000, "database.state", "exhausted"); /* one refused login of our own */
    number(&f, 42000, "connections.refused.rate", 2);
    number(&f, 44000, "connections.refused.rate", 8); /* and three of others: four in all */
    probe(&f, 46000, 100000, "ready", "none");
    expect(&f, "");
    fixture_end(&f);
}
END_TEST

/* --- the database ----------------------------------------------------------------------------- */

static void database_dies(struct world *world, const char *state)
{
    world->database = state;
    for (int i = 0; i < world->usable; i++)
        world->slots[i].app = -1;
}

/* (d) It replays its WAL and comes back by itself; who is still sick then is restarted, alone. */
START_TEST(a_database_that_was_killed_replays_its_log_in_peace)
{
    struct world world;
    struct app *worker = shop(&world);
    database_dies(&world, "refused");
    run_for(&world, 3000);
    world.database = "recovering";
    run_for(&world, 5 * (int64_t)MINUTE_MS);
    worker->broken = true; /* its pool does not come back by itself */
    world.database = "ready";
    expect_count(&world, world.runs, 0);
    run_for(&world, 20 * (int64_t)MINUTE_MS);
    expect_count(&world, worker->restarts, 1);
    expect_count(&world, restarts(&world), 1);
    expect_count(&world, world.recoveries, 0);
    world_end(&world);
}
END_TEST

/* (e) Its storage stalls: nothing is restarted, however long; after a minute somebody is told. */
START_TEST(a_database_that_hangs_is_left_alone)
{
    struct world world;
    shop(&world);
    world.database = "hung";
    run_for(&world, 20000);
    world.database = "ready";
    run_for(&world, 10 * (int64_t)MINUTE_MS);
    ck_assert_str_eq(world_log(&world), "");
    world.database = "hung";
    run_for(&world, 20 * (int64_t)MINUTE_MS);
    expect_count(&world, world.runs, 0);
    expect_count(&world, world_times(&world, "notify alert-database !"), 1);
    world.database = "ready";
    run_for(&world, 20 * (int64_t)MINUTE_MS);
    expect_count(&world, world.runs, 0);
    expect_count(&world, world_times(&world, "healed alert-database !"), 1);
    world_end(&world);
}
END_TEST

/* (g) Somebody deploys. */
START_TEST(a_database_that_was_stopped_by_hand_is_nobodys_business)
{
    struct world world;
    shop(&world);
    database_dies(&world, "stopped");
    run_for(&world, 20 * (int64_t)MINUTE_MS);
    world.database = "starting";
    run_for(&world, 20 * (int64_t)SECOND_MS);
    world.database = "ready";
    run_for(&world, 20 * (int64_t)MINUTE_MS);
    ck_assert_str_eq(world_log(&world), "");
    world_end(&world);
}
END_TEST

START_TEST(a_database_that_is_down_is_recovered_after_a_minute)
{
    struct world world;
    shop(&world);
    database_dies(&world, "refused");
    run_for(&world, 59 * (int64_t)SECOND_MS);
    expect_count(&world, world.runs, 0);
    run_for(&world, 20 * (int64_t)SECOND_MS);
    expect_count(&world, world_times(&world, "run database-down recover 1/1"), 1);
    run_for(&world, 20 * (int64_t)MINUTE_MS);
    expect_count(&world, world.recoveries, 1);
    world_end(&world);
}
END_TEST

START_TEST(a_database_that_replays_its_log_for_long_is_told_of_and_nothing_else)
{
    static const char *const states[] = {"recovering", "starting"};
    for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
        struct world world;
        shop(&world);
        database_dies(&world, states[i]);
        run_for(&world, 9 * (int64_t)MINUTE_MS);
        ck_assert_str_eq(world_log(&world), "");
        run_for(&world, 30 * (int64_t)MINUTE_MS);
        expect_count(&world, world.runs, 0);
        expect_count(&world, world_times(&world, "notify alert-database !"), 1);
        world_end(&world);
    }
}
END_TEST

/* --- health ----------------------------------------------------------------------------------- */

START_TEST(a_sick_service_is_restarted_alone)
{
    struct world world;
    struct app *worker = shop(&world);
    worker->broken = true;
    run_for(&world, 2 * (int64_t)MINUTE_MS);
    expect_count(&world, worker->restarts, 1);
    ck_assert_str_eq(json_text_at(world.fixture.params, "services", ""), "worker");
    run_for(&world, 20 * (int64_t)MINUTE_MS);
    expect_count(&world, restarts(&world), 1);
    expect_count(&world, world_times(&world, "healed unhealthy"), 1);
    world_end(&world);
}
END_TEST

START_TEST(a_fit_of_weakness_is_no_illness)
{
    struct world world;
    struct app *worker = shop(&world);
    worker->broken = true;
    run_for(&world, 50 * (int64_t)SECOND_MS);
    worker->broken = false;
    run_for(&world, 20 * (int64_t)MINUTE_MS);
    expect_count(&world, world.runs, 0);
    world_end(&world);
}
END_TEST

/* (f) One that cannot be healed: at most two restarts an hour, and one call in all. */
START_TEST(a_service_that_cannot_be_healed_costs_one_call)
{
    struct world world;
    struct app *worker = shop(&world);
    worker->unhealable = true;
    run_for(&world, 10 * (int64_t)MINUTE_MS);
    expect_count(&world, worker->restarts, 1);
    expect_count(&world, world_times(&world, "hand-over unhealthy !"), 1);
    run_for(&world, 70 * (int64_t)MINUTE_MS);
    ck_assert_int_le(worker->restarts, 3);
    expect_count(&world, restarts(&world), worker->restarts);
    expect_count(&world, world_times(&world, " !"), 1);
    world_end(&world);
}
END_TEST

START_TEST(a_service_that_falls_ill_again_and_again_spends_the_budget_and_costs_one_call)
{
    struct world world;
    struct app *worker = shop(&world);
    for (int i = 0; i < 60; i++) {
        run_for(&world, MINUTE_MS);
        worker->broken = true;
    }
    expect_count(&world, worker->restarts, 2);
    expect_count(&world, world_times(&world, "hand-over unhealthy !"), 1);
    expect_count(&world, world_times(&world, " !"), 1);
    world_end(&world);
}
END_TEST

START_TEST(while_the_database_is_the_cause_no_app_is_restarted)
{
    static const char *const causes[] = {"recovering", "hung", "unreachable", "stopped",
                                         "auth_failed"};
    for (size_t i = 0; i < ARRAY_SIZE(causes); i++) {
        struct world world;
        shop(&world);
        world.database = causes[i];
        run_for(&world, 10 * (int64_t)MINUTE_MS);
        expect_count(&world, world.runs, 0);
        world_end(&world);
    }
}
END_TEST

/* --- the rest --------------------------------------------------------------------------------- */

START_TEST(just_below_the_thresholds_nothing_happens)
{
    struct fixture f;
    fixture_begin_with(&f, policy_set_new(), NULL, 12 * (int64_t)HOUR_MS);
    for (int64_t at = 0; at < 600000; at += 2000) {
        number(&f, at, "connections.usable", 100);
        number(&f, at, "connections.used", 60);
        number(&f, at, "connections.longest_idle", 600000);
        number(&f, at, "container(a).connections", 15);
        replay_finish(f.replay);
    }
    expect(&f, "");
    number(&f, 600000, "connections.usable", 100);
    number(&f, 600000, "connections.used", 61);
    number(&f, 600000, "container(a).connections", 16);
    expect(&f, "600000 run pressed clean 1/1\n");
    fixture_end(&f);
}
END_TEST

START_TEST(when_nothing_can_be_cleaned_nothing_is_cleaned)
{
    struct fixture f;
    fixture_begin_with(&f, policy_set_new(), NULL, 12 * (int64_t)HOUR_MS);
    for (int64_t at = 0; at < 600000; at += 2000) {
        number(&f, at, "connections.usable", 100);
        number(&f, at, "connections.used", 65);
        number(&f, at, "connections.longest_idle", 60000);
        number(&f, at, "connections.longest_idle_in_transaction", 0);
        replay_finish(f.replay);
    }
    expect(&f, "");
    fixture_end(&f);
}
END_TEST

START_TEST(once_a_week_it_is_cleaned_trouble_or_not)
{
    struct fixture f;
    struct replay_options options = {.run_ms = 1000};
    fixture_begin_with(&f, policy_set_new(), &options, 0); /* a Thursday */
    until(&f, 15 * DAY_MS);
    expect(&f, "273600000 run weekly-clean clean 1/1\n273601000 healed weekly-clean\n"
               "878400000 run weekly-clean clean 1/1\n878401000 healed weekly-clean\n");
    fixture_end(&f);
}
END_TEST

START_TEST(all_recoveries_together_are_six_an_hour_whatever_happens)
{
    struct world world;
    struct app *worker = shop(&world);
    worker->cured_by_restart = false;
    worker->leaks = 0.4;
    world.apps[0].unhealable = true;
    for (int i = 0; i < 9; i++) {
        run_for(&world, 10 * (int64_t)MINUTE_MS);
        if (i % 5 == 2)
            database_dies(&world, "refused");
        if (i % 5 == 3)
            world.database = "ready";
    }
    int disruptive = world_times(&world, "restart-leaker ") + world_times(&world, "recover ") +
                     world_times(&world, "restart-unhealthy ");
    ck_assert_msg(disruptive <= 12, "%d in an hour and a half\n%.2000s", disruptive,
                  world_log(&world));
    ck_assert_int_ge(disruptive, 6);
    world_end(&world);
}
END_TEST

UNIT_MAIN("builtin_policies", every_policy_has_its_test_here, a_healthy_stack_is_left_alone,
          a_slow_leak_is_cleaned_before_anybody_is_refused,
          a_leak_that_comes_back_restarts_the_leaker_alone, the_leaker_is_told_by_its_name,
          a_leak_is_cured_when_no_log_can_be_read,
          a_leak_that_nothing_cures_ends_with_a_person_and_not_in_a_storm,
          a_large_pool_at_rest_is_no_leak, hard_work_is_no_leak,
          sudden_exhaustion_by_many_is_recovered_in_order,
          a_limit_of_a_role_or_a_database_is_not_cured_by_restarts, a_moment_of_exhaustion_is_none,
          a_database_that_was_killed_replays_its_log_in_peace, a_database_that_hangs_is_left_alone,
          a_database_that_was_stopped_by_hand_is_nobodys_business,
          a_database_that_is_down_is_recovered_after_a_minute,
          a_database_that_replays_its_log_for_long_is_told_of_and_nothing_else,
          a_sick_service_is_restarted_alone, a_fit_of_weakness_is_no_illness,
          a_service_that_cannot_be_healed_costs_one_call,
          a_service_that_falls_ill_again_and_again_spends_the_budget_and_costs_one_call,
          while_the_database_is_the_cause_no_app_is_restarted,
          just_below_the_thresholds_nothing_happens, when_nothing_can_be_cleaned_nothing_is_cleaned,
          once_a_week_it_is_cleaned_trouble_or_not,
          all_recoveries_together_are_six_an_hour_whatever_happens)
