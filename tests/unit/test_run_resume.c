/* Runs that go on in another life of the daemon, in the process of a command, and beside another
 * supervisor. */
#include "base/clock.h"
#include "playbooks/stack_lock.h"
#include "tests/unit/run_fixture.h"

#include <sqlite3.h>

/* --- other lives ------------------------------------------------------------------------------ */

START_TEST(a_daemon_that_ends_lets_a_stop_end_and_the_next_carries_on)
{
    end_life();
    begin_life(path);
    static const char stop_route[] = "POST /v1.41/containers/shop_web_1/stop";
    fake_engine_text(world.engine, stop_route, "", FAKE_HOLD);
    int64_t run = start("bounce");
    await_asked("web", "/stop", 1);
    bool drained = false;
    runner_drain(runner, on_drained, &drained);
    for (int i = 0; i < 20; i++)
        uv_run(loop_uv(loop), UV_RUN_NOWAIT);
    ck_assert(!drained); /* it waits for the stop */
    world_exit(&world, world_find(&world, "web"), 0);
    fake_engine_push(world.engine, stop_route, "HTTP/1.1 204 X\r\n\r\n", 18);
    while (!drained)
        turn();
    ck_assert_int_eq(world_find(&world, "web")->starts, 0);

    end_life();
    begin_life(path);
    ck_assert(resume());
    ck_assert_int_eq(runner_present(runner), run);
    await_end();
    json_t *record = record_of(run);
    assert_end(record, "succeeded", 0);
    ck_assert(json_bool_at(record, "resumed", false));
    ck_assert(has_entry(record, "resume", "carrying the run on"));
    assert_results(record, "stop:shop_web_1 done, start:shop_web_1 done, "
                           "wait-healthy:shop_web_1 done");
    ck_assert_uint_eq(world_asked(&world, "POST", "web", "/stop"), 1);
    assert_up("web");
    json_decref(record);
    ck_assert(!resume());
}
END_TEST

static void on_begun(void *data, int64_t run)
{
    *(int64_t *)data = run;
}

/* What the journal has of a `bounce` of an earlier life: how many of its entries behind "begin". */
enum { NOTHING, INTENT_TO_STOP, ALL_BUT_THE_END = 6 };

static void keep(int64_t run, const json_t *entry)
{
    bool kept = false;
    journal_add(journal, run, entry, on_drained, &kept);
    while (!kept)
        turn();
}

/* Such a run, begun `began_ms` ago. */
static int64_t unfinished_with(int entries, int64_t began_ms, const char *plan_damage)
{
    end_life();
    begin_life(path);
    int64_t run = start("bounce");
    await_end();
    json_t *record = record_of(run);
    json_t *summary = json_copy(record);
    json_t *plan = json_incref(json_object_get(record, "plan"));
    json_object_del(summary, "plan");
    json_object_del(summary, "entries");
    json_set_int(summary, "started_ms", clock_wall_ms() - began_ms);
    json_set_text(summary, "state", "running");
    if (plan_damage)
        json_set_text(plan, plan_damage, "?");
    run = 0;
    journal_begin(journal, summary, plan, on_begun, &run);
    while (run == 0)
        turn();
    const json_t *intent = json_array_get(json_at(record, "entries"), INTENT_TO_STOP);
    ck_assert_str_eq(json_text_at(intent, "action", ""), "stop:shop_web_1");
    ck_assert_str_eq(json_text_at(intent, "state", ""), "running");
    for (int i = 1; i <= entries; i++)
        keep(run, json_array_get(json_at(record, "entries"), (size_t)i));
    json_decref(plan);
    json_decref(summary);
    json_decref(record);
    end_life();
    begin_life(path);
    return run;
}

/* One whose last word was the intent to stop web. */
static int64_t unfinished_run(int64_t began_ms, const char *plan_damage)
{
    return unfinished_with(INTENT_TO_STOP, began_ms, plan_damage);
}

START_TEST(an_action_without_a_result_is_done_again)
{
    int64_t run = unfinished_run(1000, NULL);
    ck_assert(resume());
    await_end();
    json_t *record = record_of(run);
    assert_end(record, "succeeded", 0);
    ck_assert_int_eq(world_find(&world, "web")->stops, 2);
    assert_up("web");
    json_decref(record);
}
END_TEST

START_TEST(a_run_too_old_is_wound_up)
{
    int64_t run = unfinished_run(3 * 3600 * 1000, NULL);
    world_exit(&world, world_find(&world, "web"), 0); /* its stop did come through */
    ck_assert(resume());
    await_end();
    json_t *record = record_of(run);
    assert_end(record, "failed", 0);
    unit_assert_has(json_text_at(end_of(record), "text", ""), "began too long ago");
    ck_assert(has_entry(record, "resume", "winding the run up"));
    assert_results(record, "stop:shop_web_1 failed, start:shop_web_1 done, "
                           "wait-healthy:shop_web_1 done");
    ck_assert_int_eq(world_find(&world, "web")->stops, 1); /* only that of the run before */
    assert_up("web");
    json_decref(record);
}
END_TEST

static sqlite3 *read_journal(void)
{
    sqlite3 *db;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, "BEGIN; SELECT count(*) FROM runs", NULL, NULL, NULL),
                     SQLITE_OK);
    return db;
}

/* A backup, and the daemon is told to end: nobody is there to wait for. */
START_TEST(a_runner_that_waits_for_the_journal_ends_when_it_is_told_to)
{
    int64_t run = unfinished_run(1000, NULL);
    end_life();
    sqlite3 *reader = read_journal();
    begin_life(path);
    int64_t began = loop_now(loop);
    int resumed = -1;
    runner_resume(runner, on_resumed, &resumed);
    drain();
    ck_assert_int_eq(resumed, 0);
    ck_assert_int_lt(loop_now(loop) - began, 5000);
    end_life();
    sqlite3_close(reader);
    begin_life(path);
    ck_assert(resume());
    await_end();
    json_t *record = record_of(run);
    assert_end(record, "succeeded", 0);
    json_decref(record);
}
END_TEST

START_TEST(a_clock_that_was_set_back_between_two_lives_makes_no_run_take_less_than_nothing)
{
    int64_t run = unfinished_run(-3600 * 1000, NULL);
    ck_assert(resume());
    await_end();
    json_t *record = record_of(run);
    int64_t took = json_int_at(end_of(record), "took_ms", -1);
    ck_assert(took >= 0 && took < 60000);
    json_decref(record);
}
END_TEST

static void keep_abort(int64_t run)
{
    json_t *abort = unit_json("{'seq':3,'type':'abort','by':'somebody'}");
    keep(run, abort);
    json_decref(abort);
    end_life();
    begin_life(path);
}

START_TEST(a_stop_begun_before_an_abort_and_the_end_of_the_daemon_is_made_good)
{
    int64_t run = unfinished_run(1000, NULL);
    keep_abort(run);
    world_exit(&world, world_find(&world, "web"), 0);
    ck_assert(resume());
    await_end();
    json_t *record = record_of(run);
    assert_end(record, "aborted", 0);
    ck_assert_str_eq(json_text_at(end_of(record), "text", ""), "aborted by somebody");
    assert_up("web");
    json_decref(record);
}
END_TEST

START_TEST(what_ended_while_nobody_listened_has_not_finished)
{
    /* The engine was restarted between the lives: an app that ends well is no job that is done. */
    int64_t run = unfinished_with(ALL_BUT_THE_END, 1000, NULL);
    world_exit(&world, world_find(&world, "web"), 0);
    ck_assert(resume());
    await_end();
    json_t *record = record_of(run);
    assert_end(record, "succeeded", 0);
    assert_up("web");
    json_decref(record);
}
END_TEST

START_TEST(what_the_journal_may_have_missed_is_named)
{
    /* The disk refused the intent, then the daemon died: nobody knows who stopped it. */
    int64_t run = unfinished_with(NOTHING, 1000, NULL);
    keep_abort(run);
    world_exit(&world, world_find(&world, "web"), 0);
    ck_assert(resume());
    await_end();
    json_t *record = record_of(run);
    assert_end(record, "aborted", 1);
    const char *left =
        json_string_value(json_array_get(json_at(end_of(record), "left_stopped"), 0));
    unit_assert_has(left, "shop_web_1 (exited, exit code 0; ");
    unit_assert_has(left, "whether this run stopped it");
    json_decref(record);
}
END_TEST

START_TEST(a_run_that_cannot_be_read_is_not_carried_on)
{
    unfinished_run(1000, "source");
    ck_assert(!resume());
    ck_assert_int_eq(runner_present(runner), 0);
    ck_assert_int_gt(start("other"), 0); /* and does not stand in the way */
    await_end();
}
END_TEST

START_TEST(a_request_that_comes_before_the_journal_is_read_joins_what_is_carried_on)
{
    int64_t run = unfinished_run(1000, NULL);
    struct asked same;
    int resumed = -1;
    runner_resume(runner, on_resumed, &resumed);
    ask("bounce", NULL, &same);
    while (!same.told)
        turn();
    ck_assert_int_eq(resumed, 1);
    ck_assert_int_eq(same.run, run);
    ck_assert(same.joined);
    await_end();
}
END_TEST

START_TEST(who_named_another_plan_does_not_join_what_is_carried_on)
{
    struct asked other;
    int resumed = -1;
    unfinished_run(1000, NULL);
    runner_resume(runner, on_resumed, &resumed);
    ask("bounce", "0000000000000000", &other);
    while (!other.told)
        turn();
    ck_assert_int_eq(resumed, 1);
    ck_assert_int_eq(other.e.code, ERR_REFUSED);
    await_end();
}
END_TEST

/* --- beside another supervisor ---------------------------------------------------------------- */

/* As another supervisor's run does; gives what is closed at its end, or -1 where one is at work. */
static int lock_stack(void)
{
    const struct stack_lock_name name = {.scope = lock_scope,
                                         .database = "shop_db_1",
                                         .project = "shop",
                                         .docker_host = "unix:///nowhere"};
    int fd = -1;
    struct err e;
    if (stack_lock_take(&name, &fd, &e) != 0)
        ck_assert_int_eq(e.code, ERR_CONFLICT);
    return fd;
}

START_TEST(a_request_beside_the_run_of_another_supervisor_is_refused)
{
    struct asked asked;
    CLEANUP_FREE char *who = mem_printf("another supervisor (pid %d)", (int)getpid());
    int fd = lock_stack();
    ask("bounce", NULL, &asked);
    while (!asked.told)
        turn();
    ck_assert_int_eq(asked.e.code, ERR_CONFLICT);
    unit_assert_has(asked.e.text, who);
    ck_assert_int_eq(runner_present(runner), 0);
    ck_assert_int_eq(world_find(&world, "web")->stops, 0);
    close(fd);
    start("bounce");
    ck_assert_int_eq(lock_stack(), -1); /* and the other is kept off as long as ours is at work */
    await_end();
    fd = lock_stack();
    ck_assert_int_ge(fd, 0);
    close(fd);
}
END_TEST

static void on_lock_left(void *data)
{
    close(*(int *)data);
}

/* What the other has brought back is not taken down once more. */
START_TEST(a_run_that_comes_back_beside_another_supervisors_waits_and_is_wound_up)
{
    int64_t run = unfinished_run(1000, NULL);
    int stops = world_find(&world, "web")->stops;
    world_exit(&world, world_find(&world, "web"), 0);
    int fd = lock_stack();
    struct timer *leave = timer_new(loop, on_lock_left, &fd);
    timer_start(leave, LOCK_PATIENCE_MS / 2);
    ck_assert(resume());
    await_end();
    timer_free(leave);
    json_t *record = record_of(run);
    ck_assert(has_entry(record, "note", "is at work on this stack: its end is waited for"));
    ck_assert(!has_entry(record, "note", "all the same"));
    assert_end(record, "failed", 0);
    unit_assert_has(json_text_at(end_of(record), "text", ""), "another run was at work");
    ck_assert_int_eq(world_find(&world, "web")->stops, stops);
    assert_up("web");
    json_decref(record);
}
END_TEST

START_TEST(what_is_owed_is_started_also_beside_another_supervisor_that_goes_on)
{
    int64_t run = unfinished_run(1000, NULL);
    world_exit(&world, world_find(&world, "web"), 0);
    int fd = lock_stack();
    ck_assert(resume());
    await_end();
    close(fd);
    json_t *record = record_of(run);
    assert_end(record, "failed", 0);
    ck_assert(has_entry(record, "note", "what is owed is started all the same"));
    assert_up("web");
    json_decref(record);
}
END_TEST

/* By then the other may be gone, and has brought back what the plan would stop. */
START_TEST(a_run_that_waits_for_another_supervisor_is_wound_up_by_the_next_life)
{
    int64_t run = unfinished_run(1000, NULL);
    int stops = world_find(&world, "web")->stops;
    int fd = lock_stack();
    ck_assert(resume());
    drain();
    close(fd);
    end_life();
    begin_life(path);
    ck_assert(resume());
    await_end();
    json_t *record = record_of(run);
    assert_end(record, "failed", 0);
    unit_assert_has(json_text_at(end_of(record), "text", ""), "another run was at work");
    ck_assert_int_eq(world_find(&world, "web")->stops, stops);
    assert_up("web");
    json_decref(record);
}
END_TEST

START_TEST(who_aborts_a_run_that_waits_waits_no_longer)
{
    struct err e;
    int64_t run = unfinished_run(1000, NULL);
    world_exit(&world, world_find(&world, "web"), 0);
    int fd = lock_stack();
    ck_assert(resume());
    ck_assert_int_eq(runner_abort(runner, run, "me", &e), 0);
    await_end();
    close(fd);
    json_t *record = record_of(run);
    assert_end(record, "aborted", 0);
    ck_assert(!has_entry(record, "note", "all the same")); /* nor till the end of the patience */
    assert_up("web");
    json_decref(record);
}
END_TEST

/* --- left until it is asked for --------------------------------------------------------------- */

/* What a command's process does: an unfinished run is found, and left alone until it is asked for.
 */
static bool find_left(void)
{
    int found = -1;
    runner_find_left(runner, on_resumed, &found);
    while (found < 0)
        turn();
    return found;
}

static void assert_untouched(int64_t run)
{
    json_t *record = record_of(run);
    ck_assert_uint_eq(json_array_size(json_at(record, "entries")), INTENT_TO_STOP);
    ck_assert_int_eq(runner_present(runner), 0);
    ck_assert_int_eq(world_find(&world, "web")->stops, 1); /* that of the run before */
    json_decref(record);
}

START_TEST(an_unfinished_run_that_nobody_asks_for_is_told_and_left_alone)
{
    int64_t run = unfinished_run(1000, NULL);
    ck_assert(find_left());
    json_t *summary = runner_summary(runner);
    ck_assert_int_eq(json_int_at(summary, "run", 0), run);
    ck_assert_str_eq(json_text_at(summary, "state", ""), "interrupted");
    json_decref(summary);
    drain();
    assert_untouched(run);
    end_life();
    begin_life(path);
    ck_assert(find_left()); /* it is still there for the next */
}
END_TEST

START_TEST(who_asks_for_an_unfinished_run_carries_it_on)
{
    struct heard heard = {.last_seq = 1}; /* its "begin" is not in what the journal has */
    int64_t run = unfinished_run(1000, NULL);
    ck_assert(find_left());
    runner_carry_on(runner, run + 1); /* another */
    assert_untouched(run);
    runner_carry_on(runner, run);
    ck_assert_int_eq(runner_present(runner), run);
    heard.handle = runner_follow(runner, run, on_entry, &heard, NULL);
    await_end();
    ck_assert(heard.over);
    json_t *record = record_of(run);
    assert_end(record, "succeeded", 0);
    ck_assert(has_entry(record, "resume", "carrying the run on"));
    json_decref(record);
    ck_assert(!find_left());
}
END_TEST

/* Whether the journal has been read by then or not. */
static void ask_beside_unfinished(bool read, const char *playbook, struct asked *asked)
{
    int found = -1;
    if (read)
        ck_assert(find_left());
    else
        runner_find_left(runner, on_resumed, &found);
    ask(playbook, NULL, asked);
    while (!asked->told)
        turn();
}

static void carry_on_by_asking(bool read)
{
    struct asked same;
    int64_t run = unfinished_run(1000, NULL);
    ask_beside_unfinished(read, "bounce", &same);
    ck_assert(same.joined);
    ck_assert_int_eq(same.run, run);
    await_end();
    json_t *record = record_of(run);
    assert_end(record, "succeeded", 0);
    json_decref(record);
}

START_TEST(the_same_again_carries_an_unfinished_run_on)
{
    carry_on_by_asking(true);
}
END_TEST

START_TEST(the_same_again_may_come_before_the_journal_is_read)
{
    carry_on_by_asking(false);
}
END_TEST

static void be_refused_beside(int64_t run, bool read)
{
    struct asked other;
    ask_beside_unfinished(read, "other", &other);
    ck_assert_int_eq(other.e.code, ERR_REFUSED);
    unit_assert_has(other.e.text, "bounce");
    unit_assert_has(other.e.text, "unfinished");
    unit_assert_has(other.e.hint, "--standalone attach");
    drain();
    assert_untouched(run);
}

START_TEST(another_playbook_is_refused_beside_an_unfinished_run_which_is_left_alone)
{
    int64_t run = unfinished_run(1000, NULL);
    be_refused_beside(run, true);
    end_life();
    begin_life(path);
    be_refused_beside(run, false);
}
END_TEST

START_TEST(an_abort_of_an_unfinished_run_winds_it_up)
{
    struct err e;
    int64_t run = unfinished_run(1000, NULL);
    world_exit(&world, world_find(&world, "web"), 0); /* its stop did come through */
    ck_assert(find_left());
    ck_assert_int_eq(runner_abort(runner, run, "me", &e), 0);
    await_end();
    json_t *record = record_of(run);
    assert_end(record, "aborted", 0);
    assert_up("web");
    json_decref(record);
}
END_TEST

UNIT_MAIN_WITH("run_resume", run_set_up, run_tear_down,
               a_daemon_that_ends_lets_a_stop_end_and_the_next_carries_on,
               an_action_without_a_result_is_done_again, a_run_too_old_is_wound_up,
               a_runner_that_waits_for_the_journal_ends_when_it_is_told_to,
               a_clock_that_was_set_back_between_two_lives_makes_no_run_take_less_than_nothing,
               a_stop_begun_before_an_abort_and_the_end_of_the_daemon_is_made_good,
               what_ended_while_nobody_listened_has_not_finished,
               what_the_journal_may_have_missed_is_named,
               a_run_that_cannot_be_read_is_not_carried_on,
               a_request_that_comes_before_the_journal_is_read_joins_what_is_carried_on,
               who_named_another_plan_does_not_join_what_is_carried_on,
               a_request_beside_the_run_of_another_supervisor_is_refused,
               a_run_that_comes_back_beside_another_supervisors_waits_and_is_wound_up,
               what_is_owed_is_started_also_beside_another_supervisor_that_goes_on,
               a_run_that_waits_for_another_supervisor_is_wound_up_by_the_next_life,
               who_aborts_a_run_that_waits_waits_no_longer,
               an_unfinished_run_that_nobody_asks_for_is_told_and_left_alone,
               who_asks_for_an_unfinished_run_carries_it_on,
               the_same_again_carries_an_unfinished_run_on,
               the_same_again_may_come_before_the_journal_is_read,
               another_playbook_is_refused_beside_an_unfinished_run_which_is_left_alone,
               an_abort_of_an_unfinished_run_winds_it_up)
