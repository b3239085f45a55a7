/* Runs, from the request to the end of their story, on a small world behind a fake Engine: what the
 * real one does not do on demand. Runs of an earlier life are test_run_resume.c's, the database's
 * part is test_run_database.c's. */
#include "tests/unit/run_fixture.h"

#include <stdio.h>

/* --- the ordinary ----------------------------------------------------------------------------- */

START_TEST(a_run_does_what_the_plan_says_and_tells_of_it)
{
    json_t *record = run_to_end("bounce");
    assert_end(record, "succeeded", 0);
    assert_results(record, "stop:shop_web_1 done, start:shop_web_1 done, "
                           "wait-healthy:shop_web_1 done");
    ck_assert_int_eq(world_find(&world, "web")->stops, 1);
    ck_assert_int_eq(world_find(&world, "web")->starts, 1);
    ck_assert_int_eq(world_find(&world, "db")->stops, 0);
    const json_t *begin = json_array_get(json_at(record, "entries"), 0);
    ck_assert_str_eq(json_text_at(begin, "type", ""), "begin");
    ck_assert_str_eq(json_text_at(begin, "trigger", ""), "test");
    ck_assert_str_eq(json_text_at(begin, "requester", ""), "nobody");
    const json_t *entries = json_at(record, "entries");
    for (size_t i = 0; i < json_array_size(entries); i++)
        ck_assert_int_eq(json_int_at(json_array_get(entries, i), "seq", 0), (int64_t)i + 1);
    ck_assert_int_gt(json_int_at(record, "critical_ms", -1), -1);
    ck_assert_ptr_nonnull(json_text_at(record, "ended_at", NULL));
    json_decref(record);
}
END_TEST

START_TEST(one_run_at_a_time_and_the_same_again_joins_it)
{
    struct asked first, same, other, later, shown, stale;
    ask("bounce", NULL, &first);
    ask("bounce", NULL, &same);
    ask("other", NULL, &other);
    while (!first.told || !same.told || !other.told)
        turn();
    ask("bounce", NULL, &later);
    ask("bounce", "0000000000000000", &stale);
    ask("bounce", first.plan_id, &shown);
    while (!later.told || !stale.told || !shown.told)
        turn();
    ck_assert(!first.joined && same.joined && later.joined && shown.joined);
    ck_assert_int_eq(stale.e.code, ERR_REFUSED); /* who agreed to a plan gets that one or none */
    ck_assert_int_eq(same.run, first.run);
    ck_assert_int_eq(later.run, first.run);
    ck_assert_str_eq(same.plan_id, first.plan_id);
    ck_assert_str_eq(later.plan_id, first.plan_id);
    ck_assert_int_eq(other.e.code, ERR_REFUSED);
    unit_assert_has(other.e.text, "bounce");
    await_end();
    ck_assert_int_eq(world_find(&world, "web")->stops, 1);
    ck_assert_int_eq(start("other"), 2);
    await_end();
}
END_TEST

START_TEST(only_the_plan_that_was_shown_is_run)
{
    struct asked asked;
    ask("bounce", "0000000000000000", &asked);
    while (!asked.told)
        turn();
    ck_assert_int_eq(asked.e.code, ERR_REFUSED);
    unit_assert_has(asked.e.text, "the stack has changed");
    ck_assert_int_eq(runner_present(runner), 0);
    ask("nothing", NULL, &asked);
    while (!asked.told)
        turn();
    ck_assert_int_eq(asked.e.code, ERR_NOT_FOUND);
    ck_assert_int_eq(world_find(&world, "web")->stops, 0);
}
END_TEST

START_TEST(followers_hear_all_of_it_whenever_they_come)
{
    struct err e;
    struct heard early = {0}, late = {0}, leaving = {.leaves = true};
    int64_t run = start("bounce");
    early.handle = runner_follow(runner, run, on_entry, &early, &e);
    leaving.handle = runner_follow(runner, run, on_entry, &leaving, &e);
    await_asked("web", "/start", 1);
    late.handle = runner_follow(runner, run, on_entry, &late, &e);
    ck_assert(early.handle && late.handle && leaving.handle);
    await_end();
    json_t *record = record_of(run);
    ck_assert(early.over && late.over && !leaving.over);
    ck_assert_uint_eq(early.kept, json_array_size(json_at(record, "entries")));
    ck_assert_uint_eq(late.kept, early.kept);
    ck_assert_uint_le(leaving.kept, 1);
    ck_assert_uint_eq(runner_follow(runner, run, on_entry, &late, &e), 0);
    ck_assert_int_eq(e.code, ERR_NOT_FOUND);
    json_decref(record);
}
END_TEST

START_TEST(without_a_disk_it_runs_all_the_same)
{
    end_life();
    begin_life("/proc/nowhere/journal.db");
    ck_assert_ptr_nonnull(journal_trouble(journal));
    json_t *record = run_to_end("bounce");
    assert_end(record, "succeeded", 0);
    json_decref(record);
}
END_TEST

/* --- starts that fail ------------------------------------------------------------------------- */

START_TEST(a_start_that_fails_for_a_while_is_tried_again)
{
    /* What an engine says that was killed, and has not let go of the container's former life. */
    world_find(&world, "web")->refused_starts = 3;
    world_find(&world, "web")->refusal = "id already in use";
    json_t *record = run_to_end("bounce");
    assert_end(record, "failed", 0);
    unit_assert_has(json_text_at(end_of(record), "text", ""), "id already in use");
    assert_up("web");
    json_decref(record);
}
END_TEST

START_TEST(a_start_that_fails_for_good_is_reported)
{
    world_add(&world, "api", "db");
    world_find(&world, "web")->refused_starts = 1000;
    world_find(&world, "web")->refusal = "address already in use";
    json_t *record = run_to_end("bounce");
    assert_end(record, "failed", 1);
    const char *left =
        json_string_value(json_array_get(json_at(end_of(record), "left_stopped"), 0));
    unit_assert_has(left, "shop_web_1");
    unit_assert_has(json_text_at(end_of(record), "text", ""), "address already in use");
    assert_up("api");
    json_decref(record);
}
END_TEST

/* No start helps as long as that process lives: the report has what does. */
START_TEST(a_container_that_the_engine_has_lost_is_reported_with_the_cure)
{
    world_find(&world, "web")->refused_starts = 1000;
    world_find(&world, "web")->refusal = "id already in use";
    json_t *record = run_to_end("bounce");
    assert_end(record, "failed", 1);
    const char *left =
        json_string_value(json_array_get(json_at(end_of(record), "left_stopped"), 0));
    CLEANUP_FREE char *cure =
        mem_printf("ctr -n moby tasks kill -s SIGKILL %s; docker start %s",
                   world_find(&world, "web")->id, world_find(&world, "web")->id);
    unit_assert_has(left, "id already in use");
    unit_assert_has(left, cure);
    json_decref(record);
}
END_TEST

START_TEST(what_did_its_work_and_ended_need_not_run)
{
    world_find(&world, "web")->ends_with = 0;
    world_find(&world, "web")->health = NULL;
    json_t *record = run_to_end("bounce");
    assert_end(record, "succeeded", 0);
    ck_assert_int_eq(world_find(&world, "web")->starts, 1);
    json_decref(record);
}
END_TEST

START_TEST(what_ends_at_once_with_an_error_is_no_success)
{
    world_find(&world, "web")->ends_with = 3;
    json_t *record = run_to_end("bounce");
    assert_end(record, "failed", 1);
    unit_assert_has(json_text_at(end_of(record), "text", ""), "exit code 3");
    json_decref(record);
}
END_TEST

START_TEST(a_start_is_not_lost_during_a_stop)
{
    /* The stop fails and is yet under way: the engine says "running already" to a start. */
    struct world_container *web = world_find(&world, "web");
    static const char wait_route[] = "POST /v1.41/containers/shop_web_1/wait";
    web->ignores_stop = web->stop_under_way = true;
    fake_engine_text(world.engine, wait_route, "", FAKE_HOLD);
    int64_t run = start("bounce");
    while (fake_engine_count(world.engine, wait_route) == 0)
        turn();
    ck_assert_int_eq(web->starts, 0);
    web->stop_under_way = false;
    world_exit(&world, web, 137);
    CLEANUP_FREE char *exited = fake_json(200, "{\"StatusCode\":137}");
    fake_engine_push(world.engine, wait_route, exited, strlen(exited));
    await_end();
    json_t *record = record_of(run);
    assert_results(record, "stop:shop_web_1 failed, start:shop_web_1 done, "
                           "wait-healthy:shop_web_1 done");
    assert_up("web");
    ck_assert_int_eq(web->starts, 1);
    json_decref(record);
}
END_TEST

START_TEST(what_may_yet_be_stopping_is_named)
{
    /* Neither the stop nor the start has an end that is known. */
    struct world_container *web = world_find(&world, "web");
    web->ignores_stop = web->stop_under_way = true;
    web->refused_starts = 1000;
    web->refusal = "context deadline exceeded";
    json_t *record = run_to_end("bounce");
    assert_end(record, "failed", 1);
    const char *left =
        json_string_value(json_array_get(json_at(end_of(record), "left_stopped"), 0));
    unit_assert_has(left, "shop_web_1 (running, ");
    unit_assert_has(left, "stop may still be under way");
    json_decref(record);
}
END_TEST

START_TEST(a_start_that_went_down_with_a_stop_is_made_again)
{
    /* The stop ends between the Engine's "running already" and our look. */
    struct world_container *web = world_find(&world, "web");
    web->ignores_stop = web->stop_under_way = web->stop_ends = true;
    json_t *record = run_to_end("bounce");
    assert_results(record, "stop:shop_web_1 failed, start:shop_web_1 done, "
                           "wait-healthy:shop_web_1 done");
    assert_up("web");
    ck_assert_int_eq(web->starts, 1);
    ck_assert(!has_entry(record, "note", "starting it once more"));
    json_decref(record);
}
END_TEST

static void on_progress(void *data, const json_t *entry, bool last)
{
    char *said = data;
    (void)last;
    if (strstr(json_text_at(entry, "text", ""), "a stop may still be under way"))
        snprintf(said, 160, "%s", json_text_at(entry, "text", ""));
}

START_TEST(a_start_waits_for_as_long_as_a_stop_may_take)
{
    struct err e;
    char said[160] = "";
    static const char wait_route[] = "POST /v1.41/containers/shop_web_1/wait";
    add_playbook("patient", "- stop: apps\n  grace: 60s\n- start: apps\n");
    struct world_container *web = world_find(&world, "web");
    web->ignores_stop = web->stop_under_way = true;
    fake_engine_text(world.engine, wait_route, "", FAKE_HOLD);
    ck_assert(runner_follow(runner, start("patient"), on_progress, said, &e) != 0);
    while (!*said)
        turn();
    unit_assert_has(said, "1m25s"); /* the grace, and what the Engine itself may need then */
    web->stop_under_way = false;
    world_exit(&world, web, 137);
    CLEANUP_FREE char *exited = fake_json(200, "{\"StatusCode\":137}");
    while (fake_engine_count(world.engine, wait_route) == 0)
        turn();
    fake_engine_push(world.engine, wait_route, exited, strlen(exited));
    await_end();
    assert_up("web");
}
END_TEST

START_TEST(a_container_that_was_removed_is_named)
{
    int64_t run = start("bounce");
    await_asked("web", "/stop", 1);
    world_find(&world, "web")->id[0] = 'x'; /* nobody of that name any more */
    await_end();
    json_t *record = record_of(run);
    assert_end(record, "failed", 1);
    const char *left =
        json_string_value(json_array_get(json_at(end_of(record), "left_stopped"), 0));
    unit_assert_has(left, "shop_web_1 (it was removed: docker-compose up -d web");
    json_decref(record);
}
END_TEST

/* --- verifying -------------------------------------------------------------------------------- */

START_TEST(what_does_not_get_healthy_fails_the_run_and_runs)
{
    add_playbook("checked", "- restart: apps\n  timeout: 1s\n");
    world_find(&world, "web")->sick = true;
    json_t *record = run_to_end("checked");
    assert_end(record, "failed", 0);
    unit_assert_has(json_text_at(end_of(record), "text", ""), "wait-healthy:shop_web_1 failed");
    assert_up("web");
    json_decref(record);
}
END_TEST

START_TEST(verify_says_what_is_missing)
{
    add_playbook("verified", "- verify: {services: healthy}\n  timeout: 1s\n");
    world_find(&world, "web")->health = "unhealthy";
    json_t *record = run_to_end("verified");
    assert_end(record, "failed", 0);
    unit_assert_has(json_text_at(end_of(record), "text", ""), "shop_web_1 is unhealthy");
    json_decref(record);
}
END_TEST

START_TEST(verify_waits_until_it_holds_for_long_enough)
{
    add_playbook("verified", "- verify: {services: healthy, for: 300ms}\n");
    world_find(&world, "web")->health = "starting";
    int64_t run = start("verified");
    while (fake_engine_count(world.engine, "GET /v1.41/containers/shop_web_1/json") < 2)
        turn();
    world_become(&world, world_find(&world, "web"), "healthy");
    int64_t since = loop_now(loop);
    await_end();
    ck_assert_int_ge(loop_now(loop) - since, 290);
    json_t *record = record_of(run);
    assert_end(record, "succeeded", 0);
    json_decref(record);
}
END_TEST

/* --- abort ------------------------------------------------------------------------------------ */

START_TEST(an_abort_during_a_stop_starts_again_what_was_stopped)
{
    struct err e;
    static const char stop_route[] = "POST /v1.41/containers/shop_web_1/stop";
    fake_engine_text(world.engine, stop_route, "", FAKE_HOLD);
    int64_t run = start("bounce");
    await_asked("web", "/stop", 1);
    ck_assert_int_eq(runner_abort(runner, run + 1, "me", &e), -(int)ERR_NOT_FOUND);
    ck_assert_int_eq(runner_abort(runner, run, "me", &e), 0);
    ck_assert_int_eq(runner_abort(runner, run, "me", &e), 0); /* twice is harmless */
    json_t *summary = runner_summary(runner);
    ck_assert_str_eq(json_text_at(summary, "state", ""), "aborting");
    json_decref(summary);
    world_exit(&world, world_find(&world, "web"), 0);
    fake_engine_push(world.engine, stop_route, "HTTP/1.1 204 X\r\n\r\n", 18);
    await_end();
    json_t *record = record_of(run);
    assert_end(record, "aborted", 0);
    assert_up("web");
    ck_assert_int_eq(runner_abort(runner, run, "me", &e), -(int)ERR_NOT_FOUND);
    json_decref(record);
}
END_TEST

/* --- a supervisor that ends ------------------------------------------------------------------- */

START_TEST(a_supervisor_that_ends_takes_no_more_requests)
{
    struct asked asked;
    ask("bounce", NULL, &asked);
    drain();
    while (!asked.told)
        turn();
    ck_assert_int_eq(asked.e.code, ERR_REFUSED);
    ck_assert_int_eq(world_find(&world, "web")->stops, 0);
}
END_TEST

static void assert_refused_by_one_that_ends(void)
{
    struct asked asked;
    ask("bounce", NULL, &asked);
    while (!asked.told)
        turn();
    ck_assert_int_eq(asked.e.code, ERR_REFUSED);
    unit_assert_has(asked.e.text, "the supervisor is stopping");
    ck_assert_int_eq(asked.run, 0);
}

START_TEST(a_request_to_a_supervisor_that_has_ended_its_work_begins_nothing)
{
    drain();
    assert_refused_by_one_that_ends();
    ck_assert_int_eq(world_find(&world, "web")->stops, 0);
}
END_TEST

START_TEST(a_request_beside_a_run_that_is_left_to_the_next_life_does_not_join_it)
{
    static const char stop_route[] = "POST /v1.41/containers/shop_web_1/stop";
    fake_engine_text(world.engine, stop_route, "", FAKE_HOLD);
    start("bounce");
    await_asked("web", "/stop", 1);
    bool drained = false;
    runner_drain(runner, on_drained, &drained);
    assert_refused_by_one_that_ends();
    ck_assert(!drained); /* it waits for the stop */
    world_exit(&world, world_find(&world, "web"), 0);
    fake_engine_push(world.engine, stop_route, "HTTP/1.1 204 X\r\n\r\n", 18);
    while (!drained)
        turn();
}
END_TEST

/* --- an engine that comes and goes ------------------------------------------------------------ */

static void on_engine_back(void *data)
{
    (void)data;
    fake_engine_listen(world.engine, true);
}

START_TEST(an_engine_that_is_away_is_waited_for)
{
    struct timer *back = timer_new(loop, on_engine_back, NULL);
    int64_t run = start("bounce");
    await_asked("web", "/stop", 1);
    fake_engine_listen(world.engine, false);
    timer_start(back, 400);
    await_end();
    timer_free(back);
    json_t *record = record_of(run);
    assert_end(record, "succeeded", 0);
    assert_up("web");
    json_decref(record);
}
END_TEST

START_TEST(an_engine_that_was_away_is_given_longer_to_let_go)
{
    struct timer *back = timer_new(loop, on_engine_back, NULL);
    world_find(&world, "web")->refused_starts = 6;
    world_find(&world, "web")->refusal = "id already in use";
    int64_t run = start("bounce");
    await_asked("web", "/stop", 1);
    fake_engine_listen(world.engine, false);
    timer_start(back, 400);
    await_end();
    timer_free(back);
    json_t *record = record_of(run);
    assert_end(record, "failed", 0); /* the start did fail; the container runs all the same */
    assert_up("web");
    json_decref(record);
}
END_TEST

/* The Engine died under it, and its next life ended what ran, without a word to anybody. */
static void on_engine_back_without_web(void *data)
{
    (void)data;
    world_exit(&world, world_find(&world, "web"), 0);
    fake_engine_listen(world.engine, true);
}

START_TEST(what_ended_while_the_stream_was_lost_has_not_finished)
{
    struct timer *back = timer_new(loop, on_engine_back_without_web, NULL);
    int64_t run = start("bounce");
    await_asked("web", "/start", 1);
    fake_engine_listen(world.engine, false);
    runner_docker_lost(runner);
    timer_start(back, 400);
    await_end();
    timer_free(back);
    json_t *record = record_of(run);
    assert_end(record, "succeeded", 0);
    assert_up("web");
    json_decref(record);
}
END_TEST

UNIT_MAIN_WITH("run", run_set_up, run_tear_down, a_run_does_what_the_plan_says_and_tells_of_it,
               one_run_at_a_time_and_the_same_again_joins_it, only_the_plan_that_was_shown_is_run,
               followers_hear_all_of_it_whenever_they_come, without_a_disk_it_runs_all_the_same,
               a_start_that_fails_for_a_while_is_tried_again,
               a_start_that_fails_for_good_is_reported,
               a_container_that_the_engine_has_lost_is_reported_with_the_cure,
               what_did_its_work_and_ended_need_not_run,
               what_ends_at_once_with_an_error_is_no_success, a_start_is_not_lost_during_a_stop,
               what_may_yet_be_stopping_is_named, a_start_that_went_down_with_a_stop_is_made_again,
               a_start_waits_for_as_long_as_a_stop_may_take, a_container_that_was_removed_is_named,
               what_does_not_get_healthy_fails_the_run_and_runs, verify_says_what_is_missing,
               verify_waits_until_it_holds_for_long_enough,
               an_abort_during_a_stop_starts_again_what_was_stopped,
               a_supervisor_that_ends_takes_no_more_requests,
               a_request_to_a_supervisor_that_has_ended_its_work_begins_nothing,
               a_request_beside_a_run_that_is_left_to_the_next_life_does_not_join_it,
               an_engine_that_is_away_is_waited_for,
               an_engine_that_was_away_is_given_longer_to_let_go,
               what_ended_while_the_stream_was_lost_has_not_finished)
