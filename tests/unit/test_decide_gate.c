/* What lets a policy act and what holds it back: its mode, a pause, the time of day, alerts, other
 * policies and their runs. What is expected are the lines of policies_fixture.h. */
#include "decide_policies.h"
#include "policies_fixture.h"

#include "policies/moment.h"
#include "unit.h"

/* --- modes ------------------------------------------------------------------------------------ */

START_TEST(ask_waits_for_an_answer_at_every_rung)
{
    struct fixture f;
    fixture_begin(&f, LADDER "  mode: ask\n", NULL);
    hold(&f, 0, 6000, 0.9);
    expect(&f, "0 ask full clean 1/3 !\n");
    tell(&f, "{'at':7000,'approve':true}");
    expect(&f, "7000 run full clean 1/3\n");
    ended(&f, 8000, "done");
    hold(&f, 9000, 17000, 0.9);
    until(&f, 18000);
    expect(&f, "18000 ask full restart-leaker 2/3 !\n");
    tell(&f, "{'at':19000,'approve':false}");
    hold(&f, 20000, 60000, 0.9);
    expect(&f, "19000 hand-over full\n");
    fixture_end(&f);
}
END_TEST

START_TEST(what_comes_of_an_answer_names_the_question)
{
    struct fixture f;
    fixture_begin(&f, LADDER "  mode: ask\n", NULL);
    hold(&f, 0, 6000, 0.9);
    int64_t asked = f.last_asked;
    ck_assert_int_eq(f.question, 0);
    tell(&f, "{'at':7000,'pause':3000,'reason':'deploy'}");
    tell(&f, "{'at':8000,'approve':true}");
    expect(&f, "0 ask full clean 1/3 !\n8000 refused full paused\n");
    ck_assert_int_eq(f.question, 0);
    until(&f, 10000);
    expect(&f, "10000 run full clean 1/3\n");
    ck_assert_int_eq(f.question, asked);
    ended(&f, 11000, "not begun");
    until(&f, 12000);
    expect(&f, "11000 refused full not-begun\n12000 run full clean 1/3\n");
    ck_assert_msg(f.question == asked, "a second try is of the same question");
    ended(&f, 13000, "done");
    hold(&f, 14000, 24000, 0.9);
    ck_assert_int_ne(f.last_asked, asked);
    ck_assert_int_eq(f.question, 0);
    tell(&f, "{'at':25000,'approve':false}");
    expect_has(&f, "25000 hand-over full\n");
    ck_assert_int_eq(f.question, f.last_asked);
    fixture_end(&f);
    fixture_begin(&f, LADDER, NULL);
    hold(&f, 0, 0, 0.9);
    expect(&f, "0 run full clean 1/3\n");
    ck_assert_msg(f.question == 0, "nobody was asked");
    fixture_end(&f);
}
END_TEST

START_TEST(a_question_that_comes_and_goes_rings_once)
{
    struct fixture f;
    fixture_begin(&f, LADDER "  mode: ask\n", NULL);
    for (int64_t at = 0; at < 60000; at += 20000) {
        hold(&f, at, at, 0.9);
        hold(&f, at + 10000, at + 10000, 0.3);
    }
    expect(&f, "0 ask full clean 1/3 !\n20000 ask full clean 1/3\n40000 ask full clean 1/3\n");
    hold(&f, 52000, 350000, 0.3);
    expect(&f, "350000 healed full !\n");
    fixture_end(&f);
}
END_TEST

START_TEST(a_hand_over_after_a_question_is_news)
{
    struct fixture f;
    fixture_begin(&f, ONCE "  mode: ask\n", NULL);
    hold(&f, 0, 0, 0.9);
    tell(&f, "{'at':1000,'approve':true}");
    ended(&f, 2000, "done");
    until(&f, 3000);
    expect(&f, "0 ask full clean 1/1 !\n1000 run full clean 1/1\n3000 hand-over full !\n");
    fixture_end(&f);
}
END_TEST

START_TEST(an_answer_that_comes_too_late_is_refused)
{
    struct fixture f;
    struct err e;
    struct policy_set *set = policies_of(LADDER "  mode: ask\n");
    struct board *board = board_new();
    struct moment now = {0, 0};
    struct decide_options options = {0};
    struct decide *engine = decide_new(set, &options, &now);
    size_t count;
    board_set_number(board, utilization, 0, 0.9, NULL);
    const struct decision *asked = decide_step(engine, &now, board, &count);
    ck_assert_uint_eq(count, 1);
    int64_t id = asked->id;
    ck_assert_int_eq(decide_asked(engine), id);
    board_set_number(board, utilization, 1, 0.1, NULL);
    now.mono_ms = 1;
    decide_step(engine, &now, board, &count);
    ck_assert_int_eq(decide_asked(engine), 0);
    ck_assert_int_eq(decide_approve(engine, &now, id, &e), -(int)ERR_NOT_FOUND);
    ck_assert_int_eq(decide_deny(engine, &now, 99, &e), -(int)ERR_NOT_FOUND);
    unit_assert_has(e.text, "decision 99 does not wait for an approval");
    decide_free(engine);
    board_free(board);
    policy_set_free(set);
    (void)f;
}
END_TEST

START_TEST(observe_says_what_it_would_have_done_once)
{
    struct fixture f;
    fixture_begin(&f, LADDER "  mode: observe\n", NULL);
    hold(&f, 0, 600000, 0.9);
    expect(&f, "0 would full clean 1/3\n");
    fixture_end(&f);
}
END_TEST

START_TEST(off_is_silent)
{
    struct fixture f;
    fixture_begin(&f,
                  LADDER "  mode: off\n"
                         "- {name: b, schedule: every 10s, ladder: [{run: clean}], mode: off}\n",
                  NULL);
    f.quiet = true;
    hold(&f, 0, 60000, 0.9);
    hold(&f, 62000, 70000, 0.2);
    expect(&f, "");
    fixture_end(&f);
}
END_TEST

/* --- a pause ---------------------------------------------------------------------------------- */

START_TEST(a_pause_holds_everything_and_ends_by_itself)
{
    struct fixture f;
    fixture_begin(&f, LADDER, NULL);
    tell(&f, "{'at':0,'pause':60000,'reason':'deploy'}");
    hold(&f, 1000, 59000, 0.9);
    expect(&f, "1000 refused full paused\n");
    until(&f, 60000);
    expect(&f, "60000 run full clean 1/3\n");
    fixture_end(&f);
}
END_TEST

START_TEST(a_pause_can_be_ended_early_and_made_longer)
{
    struct fixture f;
    fixture_begin(&f, LADDER, NULL);
    tell(&f, "{'at':0,'pause':10000,'reason':'a'}");
    tell(&f, "{'at':5000,'pause':null,'reason':'b'}");
    hold(&f, 6000, 200000, 0.9);
    expect(&f, "6000 refused full paused\n");
    tell(&f, "{'at':201000,'resume':true}");
    expect(&f, "201000 run full clean 1/3\n");
    fixture_end(&f);
}
END_TEST

START_TEST(what_a_pause_interrupts_is_verified_anew)
{
    struct fixture f;
    fixture_begin(&f, LADDER, NULL);
    hold(&f, 0, 0, 0.9);
    tell(&f, "{'at':500,'pause':60000,'reason':'x'}");
    ended(&f, 1000, "done"); /* what is under way goes on */
    hold(&f, 2000, 58000, 0.9);
    until(&f, 60500);
    hold(&f, 61000, 70000, 0.9);
    expect(&f, "0 run full clean 1/3\n");
    until(&f, 70500);
    expect(&f, "70500 run full restart-leaker 2/3\n");
    fixture_end(&f);
}
END_TEST

START_TEST(nobody_is_told_anything_while_paused)
{
    struct fixture f;
    fixture_begin(&f,
                  ONCE "  rearm: {healthy_for: 10s}\n"
                       "- {name: tell, when: connections.storm, settle: 0}\n",
                  NULL);
    hold(&f, 0, 0, 0.9);
    ended(&f, 1000, "done");
    until(&f, 2000);
    expect(&f, "0 run full clean 1/1\n2000 hand-over full !\n");
    tell(&f, "{'at':3000,'pause':100000,'reason':'x'}");
    number(&f, 4000, "connections.storm", 1);
    hold(&f, 5000, 101000, 0.3); /* healthy for long, and nobody hears of it */
    number(&f, 102000, "connections.storm", 1);
    expect(&f, "4000 refused tell paused\n102000 refused tell paused\n");
    hold(&f, 103000, 103000, 0.3);
    expect(&f, "103000 healed full !\n103000 notify tell !\n");
    fixture_end(&f);
}
END_TEST

/* --- time of day ------------------------------------------------------------------------------ */

START_TEST(outside_its_hours_nothing_is_begun)
{
    struct fixture f;
    fixture_begin(&f, LADDER "  only: 00:01-00:02\n", NULL);
    hold(&f, 0, 58000, 0.9);
    expect(&f, "0 refused full outside-window\n");
    until(&f, 60000);
    expect(&f, "60000 run full clean 1/3\n");
    ended(&f, 115000, "done");
    hold(&f, 116000, 124000, 0.9);
    until(&f, 125000); /* what was begun is carried on */
    expect(&f, "125000 run full restart-leaker 2/3\n");
    fixture_end(&f);
}
END_TEST

START_TEST(a_schedule_runs_at_its_time)
{
    struct fixture f;
    struct replay_options options = {.run_ms = 1000};
    fixture_begin(&f, "- {name: w, schedule: every thursday 04:00, ladder: [{run: clean}]}\n",
                  &options);
    until(&f, 8 * DAY_MS);
    expect(&f, "14400000 run w clean 1/1\n14401000 healed w\n"
               "619200000 run w clean 1/1\n619201000 healed w\n");
    fixture_end(&f);
}
END_TEST

START_TEST(an_interval_counts_from_the_start)
{
    struct fixture f;
    struct replay_options options = {.run_ms = 1000};
    fixture_begin(&f, "- {name: i, schedule: every 10m, cooldown: 1m, ladder: [{run: clean}]}\n",
                  &options);
    until(&f, 1300000);
    expect(&f, "600000 run i clean 1/1\n601000 healed i\n"
               "1200000 run i clean 1/1\n1201000 healed i\n");
    fixture_end(&f);
}
END_TEST

START_TEST(a_schedule_with_a_condition_asks_it_at_its_time)
{
    struct fixture f;
    fixture_begin(&f,
                  "- {name: s, schedule: every 10m, when: connections.utilization > 50%,\n"
                  "   ladder: [{run: clean}]}\n",
                  NULL);
    hold(&f, 0, 598000, 0.9);
    hold(&f, 599000, 601000, 0.3);
    hold(&f, 602000, 1199000, 0.9);
    expect(&f, "");
    hold(&f, 1200000, 1200000, 0.9);
    expect(&f, "1200000 run s clean 1/1\n");
    fixture_end(&f);
}
END_TEST

START_TEST(a_schedule_that_has_to_wait_for_long_is_missed)
{
    struct fixture f;
    fixture_begin(&f, "- {name: w, schedule: every day 00:10, ladder: [{run: clean}]}\n", NULL);
    tell(&f, "{'at':590000,'foreign':true}");
    until(&f, 1300000);
    expect(&f, "600000 refused w another-run\n1200000 refused w missed\n");
    tell(&f, "{'at':1300000,'foreign':false}");
    until(&f, 3000000);
    expect(&f, "");
    fixture_end(&f);
}
END_TEST

/* --- alerts ----------------------------------------------------------------------------------- */

START_TEST(an_alert_triggers_once_however_often_it_is_told)
{
    struct fixture f;
    struct replay_options options = {.run_ms = 1000};
    fixture_begin(
        &f, "- {name: a, on_alert: Down, settle: 0, cooldown: 10s, ladder: [{run: recover}]}\n",
        &options);
    tell(&f, "{'at':0,'alert':'Other','firing':true}");
    expect(&f, "");
    for (int at = 1000; at < 60000; at += 10000) {
        CLEANUP_FREE char *event = mem_printf("{'at':%d,'alert':'Down','firing':true}", at);
        tell(&f, event);
    }
    expect(&f, "1000 run a recover 1/1\n2000 healed a\n");
    tell(&f, "{'at':61000,'alert':'Down','firing':false}");
    tell(&f, "{'at':62000,'alert':'Down','firing':true}");
    expect(&f, "62000 run a recover 1/1\n");
    fixture_end(&f);
}
END_TEST

START_TEST(an_alert_that_is_resolved_before_anything_was_done_is_over)
{
    struct fixture f;
    fixture_begin(&f, "- {name: a, on_alert: Down, settle: 0, ladder: [{run: recover}]}\n", NULL);
    tell(&f, "{'at':0,'foreign':true}");
    tell(&f, "{'at':1000,'alert':'Down','firing':true}");
    tell(&f, "{'at':2000,'alert':'Down','firing':false}");
    tell(&f, "{'at':3000,'foreign':false}");
    until(&f, 60000);
    expect(&f, "1000 refused a another-run\n");
    fixture_end(&f);
}
END_TEST

START_TEST(a_policy_without_a_ladder_notifies_once_an_incident)
{
    struct fixture f;
    fixture_begin(&f, FULL, NULL);
    hold(&f, 0, 0, 0.9);
    hold(&f, 2000, 2000, 0.7);
    hold(&f, 4000, 4000, 0.9);
    hold(&f, 6000, 306000, 0.7);
    expect(&f, "0 notify full !\n4000 refused full not-rearmed\n306000 healed full !\n");
    hold(&f, 308000, 308000, 0.9);
    expect(&f, "308000 notify full !\n");
    fixture_end(&f);
}
END_TEST

/* --- one at a time ---------------------------------------------------------------------------- */

#define TWO                                                                                        \
    "- {name: a, when: connections.blocked > 5, settle: 0, ladder: [{run: first, within: 20s}]}\n" \
    "- {name: b, when: connections.storm, settle: 0, ladder: [{run: clean, within: 20s}]}\n"

START_TEST(the_first_of_the_list_goes_first_and_the_other_waits_for_its_verdict)
{
    struct fixture f;
    fixture_begin(&f, TWO, NULL);
    number(&f, 0, "connections.blocked", 9);
    number(&f, 0, "connections.storm", 1);
    expect(&f, "0 run a first 1/1\n0 refused b another-run\n");
    ended(&f, 5000, "done");
    number(&f, 6000, "connections.storm", 1);
    until(&f, 10000);
    expect(&f, "6000 refused b another-run\n");
    number(&f, 11000, "connections.blocked", 1);
    expect(&f, "11000 healed a\n11000 run b clean 1/1\n");
    fixture_end(&f);
}
END_TEST

START_TEST(one_before_it_may_act_while_it_verifies_and_it_looks_again)
{
    struct fixture f;
    fixture_begin(&f, TWO, NULL);
    number(&f, 0, "connections.storm", 1);
    ended(&f, 1000, "done");
    number(&f, 2000, "connections.blocked", 9);
    expect(&f, "0 run b clean 1/1\n2000 run a first 1/1\n");
    number(&f, 3000, "connections.storm", 0); /* during a disruptive run: not looked at */
    ended(&f, 8000, "done");
    number(&f, 9000, "connections.blocked", 0);
    number(&f, 9000, "connections.storm", 1);
    expect(&f, "9000 healed a\n");
    until(&f, 27999);
    expect(&f, "");
    until(&f, 28000);
    expect(&f, "28000 hand-over b !\n");
    fixture_end(&f);
}
END_TEST

START_TEST(a_disruptive_run_blinds_and_then_everything_begins_anew)
{
    struct fixture f;
    fixture_begin(&f, FULL "  for: 10s\n  ladder: [{run: clean}]\n", NULL);
    hold(&f, 0, 8000, 0.9);
    tell(&f, "{'at':9000,'foreign':true,'disruptive':true}");
    hold(&f, 9001, 40000, 0.9);
    tell(&f, "{'at':41000,'foreign':false}");
    hold(&f, 42000, 50000, 0.9);
    expect(&f, "");
    hold(&f, 52000, 52000, 0.9);
    expect(&f, "52000 run full clean 1/1\n");
    fixture_end(&f);
}
END_TEST

START_TEST(a_gentle_run_by_hand_blinds_nobody)
{
    struct fixture f;
    fixture_begin(&f, FULL "  for: 10s\n  ladder: [{run: clean}]\n", NULL);
    hold(&f, 0, 8000, 0.9);
    tell(&f, "{'at':9000,'foreign':true,'disruptive':false}");
    hold(&f, 9001, 20000, 0.9);
    expect(&f, "10000 refused full another-run\n");
    tell(&f, "{'at':21000,'foreign':false}");
    expect(&f, "21000 run full clean 1/1\n");
    fixture_end(&f);
}
END_TEST

START_TEST(a_run_is_told_to_have_ended_only_once)
{
    struct policy_set *set = policies_of(LADDER);
    struct board *board = board_new();
    struct moment now = {0, 0};
    struct decide_options options = {0};
    struct decide *engine = decide_new(set, &options, &now);
    size_t count;
    board_set_number(board, utilization, 0, 0.9, NULL);
    int64_t id = decide_step(engine, &now, board, &count)->id;
    ck_assert_int_eq(decide_running(engine), id);
    ck_assert(!decide_run_ended(engine, &now, id + 1, RUN_DONE));
    ck_assert(!decide_run_ended(engine, &now, 0, RUN_DONE));
    ck_assert(decide_run_ended(engine, &now, id, RUN_DONE));
    ck_assert(!decide_run_ended(engine, &now, id, RUN_DONE));
    ck_assert_int_eq(decide_running(engine), 0);
    decide_free(engine);
    board_free(board);
    policy_set_free(set);
}
END_TEST

UNIT_MAIN("decide_gate", ask_waits_for_an_answer_at_every_rung,
          what_comes_of_an_answer_names_the_question, a_question_that_comes_and_goes_rings_once,
          a_hand_over_after_a_question_is_news, an_answer_that_comes_too_late_is_refused,
          observe_says_what_it_would_have_done_once, off_is_silent,
          a_pause_holds_everything_and_ends_by_itself, a_pause_can_be_ended_early_and_made_longer,
          what_a_pause_interrupts_is_verified_anew, nobody_is_told_anything_while_paused,
          outside_its_hours_nothing_is_begun, a_schedule_runs_at_its_time,
          an_interval_counts_from_the_start, a_schedule_with_a_condition_asks_it_at_its_time,
          a_schedule_that_has_to_wait_for_long_is_missed,
          an_alert_triggers_once_however_often_it_is_told,
          an_alert_that_is_resolved_before_anything_was_done_is_over,
          a_policy_without_a_ladder_notifies_once_an_incident,
          the_first_of_the_list_goes_first_and_the_other_waits_for_its_verdict,
          one_before_it_may_act_while_it_verifies_and_it_looks_again,
          a_disruptive_run_blinds_and_then_everything_begins_anew,
          a_gentle_run_by_hand_blinds_nobody, a_run_is_told_to_have_ended_only_once)
