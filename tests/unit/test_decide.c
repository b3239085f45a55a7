/* The life of a policy, step by step: when it begins, its ladder, and how that ends. What is
 * expected are the lines of policies_fixture.h. */
#include "decide_policies.h"
#include "policies_fixture.h"

#include "policies/moment.h"
#include "unit.h"

/* --- settling and waiting --------------------------------------------------------------------- */

START_TEST(nothing_is_done_until_it_has_settled)
{
    struct fixture f;
    fixture_begin(
        &f, "- {name: full, when: connections.utilization > 80%, ladder: [{run: clean}]}\n", NULL);
    hold(&f, 0, 29000, 0.9);
    expect(&f, "0 refused full settling\n");
    until(&f, 30000);
    expect(&f, "30000 run full clean 1/1\n");
    fixture_end(&f);
}
END_TEST

START_TEST(it_waits_for_its_time_to_the_millisecond)
{
    struct fixture f;
    fixture_begin(&f, FULL "  for: 15s\n  ladder: [{run: clean}]\n", NULL);
    number(&f, 1000, utilization, 0.9);
    until(&f, 15999);
    expect(&f, "");
    until(&f, 16000);
    expect(&f, "16000 run full clean 1/1\n");
    fixture_end(&f);
}
END_TEST

START_TEST(a_moment_below_begins_the_time_anew)
{
    struct fixture f;
    fixture_begin(&f, FULL "  for: 15s\n  ladder: [{run: clean}]\n", NULL);
    hold(&f, 0, 14000, 0.9);
    number(&f, 14500, utilization, 0.7);
    hold(&f, 15000, 29000, 0.9);
    expect(&f, "");
    until(&f, 30000);
    expect(&f, "30000 run full clean 1/1\n");
    fixture_end(&f);
}
END_TEST

START_TEST(what_is_not_known_triggers_nothing)
{
    struct fixture f;
    fixture_begin(&f, FULL "  for: 70s\n  ladder: [{run: clean}]\n", NULL);
    number(&f, 0, utilization, 0.9); /* and no more: unknown after a minute */
    until(&f, 300000);
    expect(&f, "");
    fixture_end(&f);
}
END_TEST

/* --- the ladder ------------------------------------------------------------------------------- */

START_TEST(the_first_rung_helps)
{
    struct fixture f;
    fixture_begin(&f, LADDER, NULL);
    number(&f, 1000, utilization, 0.9);
    expect(&f, "1000 run full clean 1/3\n");
    ended(&f, 3000, "done");
    expect(&f, "");
    number(&f, 4000, utilization, 0.3);
    expect(&f, "4000 healed full\n");
    fixture_end(&f);
}
END_TEST

START_TEST(each_rung_is_tried_only_after_the_one_before_has_failed)
{
    struct fixture f;
    fixture_begin(&f, LADDER, NULL);
    hold(&f, 0, 0, 0.9);
    ended(&f, 2000, "done");
    hold(&f, 2001, 11999, 0.9);
    expect(&f, "0 run full clean 1/3\n");
    until(&f, 12000);
    expect(&f, "12000 run full restart-leaker 2/3\n");
    ended(&f, 20000, "failed"); /* which is verified like any other */
    hold(&f, 20001, 49999, 0.9);
    expect(&f, "");
    until(&f, 50000);
    expect(&f, "50000 run full recover 3/3\n");
    ended(&f, 60000, "done");
    hold(&f, 60001, 119999, 0.9);
    expect(&f, "");
    until(&f, 120000);
    expect(&f, "120000 hand-over full !\n");
    hold(&f, 122000, 600000, 0.9);
    expect(&f, "");
    fixture_end(&f);
}
END_TEST

/* --- what could not be begun ------------------------------------------------------------------ */

START_TEST(a_run_that_could_not_be_begun_is_tried_again_for_half_a_minute)
{
    struct fixture f;
    fixture_begin(&f, LADDER, NULL);
    hold(&f, 0, 0, 0.9);
    expect(&f, "0 run full clean 1/3\n");
    static const int64_t tries_ms[] = {0, 1000, 2000, 4000, 8000, 16000, 32000};
    for (size_t i = 0; i < 6; i++) {
        CLEANUP_FREE char *told =
            mem_printf("%lld refused full not-begun\n%lld run full clean 1/3\n",
                       (long long)tries_ms[i], (long long)tries_ms[i + 1]);
        ended(&f, tries_ms[i], "not begun");
        hold(&f, tries_ms[i], tries_ms[i + 1], 0.9);
        until(&f, tries_ms[i + 1]);
        expect(&f, told);
    }
    ended(&f, 32000, "not begun"); /* from here on a run that failed: the world decides */
    hold(&f, 32001, 41999, 0.9);
    expect(&f, "");
    until(&f, 42000);
    expect(&f, "42000 run full restart-leaker 2/3\n");
    fixture_end(&f);
}
END_TEST

START_TEST(what_could_not_be_begun_is_not_done_when_the_trouble_is_over)
{
    struct fixture f;
    fixture_begin(&f, LADDER, NULL);
    hold(&f, 0, 0, 0.9);
    ended(&f, 10, "not begun");
    number(&f, 500, utilization, 0.2);
    until(&f, 100000);
    expect(&f, "0 run full clean 1/3\n10 refused full not-begun\n");
    fixture_end(&f);
}
END_TEST

START_TEST(what_could_not_be_begun_costs_no_budget)
{
    struct fixture f;
    const struct replay_options one_an_hour = {.decide = {.recoveries = {1, HOUR_MS}}};
    fixture_begin(&f, FULL "  budget: 1 per 1h\n  ladder: [{run: recover}]\n", &one_an_hour);
    hold(&f, 0, 0, 0.9);
    ended(&f, 10, "not begun");
    tell(&f, "{'at':20,'restart':100}"); /* nor does a new life of the daemon forget the wait */
    hold(&f, 500, 1010, 0.9);
    until(&f, 1010);
    expect(&f, "0 run full recover 1/1\n10 refused full not-begun\n1010 run full recover 1/1\n");
    fixture_end(&f);
}
END_TEST

START_TEST(what_could_not_be_begun_passes_the_gates_once_more)
{
    struct fixture f;
    fixture_begin(&f, LADDER, NULL);
    hold(&f, 0, 0, 0.9);
    ended(&f, 10, "not begun");
    tell(&f, "{'at':20,'pause':60000,'reason':'deploy'}");
    hold(&f, 30, 59999, 0.9);
    expect(&f, "0 run full clean 1/3\n10 refused full not-begun\n20 refused full paused\n");
    hold(&f, 60000, 60020, 0.9);
    until(&f, 60020);
    expect(&f, "60020 run full clean 1/3\n");
    fixture_end(&f);
}
END_TEST

START_TEST(a_later_rung_that_could_not_be_begun_is_still_the_one_after_the_first)
{
    struct fixture f;
    fixture_begin(&f, LADDER, NULL);
    hold(&f, 0, 0, 0.9);
    ended(&f, 1000, "done");
    hold(&f, 1001, 11000, 0.9);
    ended(&f, 11000, "not begun");
    expect(&f, "0 run full clean 1/3\n11000 run full restart-leaker 2/3\n"
               "11000 refused full not-begun\n");
    f.values = true;
    hold(&f, 11001, 12000, 0.9);
    until(&f, 12000);
    expect_has(&f, "restart-leaker (2 of 3), as clean did not help");
    fixture_end(&f);
}
END_TEST

START_TEST(a_run_that_failed_may_have_helped)
{
    struct fixture f;
    fixture_begin(&f, LADDER, NULL);
    hold(&f, 0, 0, 0.9);
    ended(&f, 2000, "failed");
    number(&f, 2500, utilization, 0.4);
    expect(&f, "0 run full clean 1/3\n2500 healed full\n");
    fixture_end(&f);
}
END_TEST

/* A value of the very millisecond of the end may have been measured before it. */
START_TEST(only_news_verify)
{
    struct fixture f;
    fixture_begin(&f, LADDER, NULL);
    number(&f, 0, utilization, 0.9);
    number(&f, 1999, utilization, 0.3);
    ended(&f, 2000, "done");
    number(&f, 2000, utilization, 0.3);
    until(&f, 3000);
    expect(&f, "0 run full clean 1/3\n");
    number(&f, 3001, utilization, 0.3);
    expect(&f, "3001 healed full\n");
    fixture_end(&f);
}
END_TEST

START_TEST(without_a_verification_the_trouble_must_be_gone_at_this_instant)
{
    struct fixture f;
    fixture_begin(&f,
                  "- {name: a, when: connections.utilization > 80% for 5s, settle: 0,\n"
                  "   ladder: [{run: clean, within: 10s}, {run: second}]}\n",
                  NULL);
    hold(&f, 0, 6000, 0.9);
    expect(&f, "5000 run a clean 1/2\n");
    ended(&f, 7000, "done");
    hold(&f, 7001, 16000, 0.9); /* for a while not yet for 5 s again: that proves nothing */
    expect(&f, "");
    until(&f, 17000);
    expect(&f, "17000 run a second 2/2\n");
    fixture_end(&f);
    fixture_begin(&f,
                  "- {name: b, when: connections.utilization > 80%, for: 2 of 3, settle: 0,\n"
                  "   ladder: [{run: clean, within: 10s}, {run: second}]}\n",
                  NULL);
    hold(&f, 0, 2000, 0.9);
    expect(&f, "2000 run b clean 1/2\n");
    ended(&f, 3000, "done");
    number(&f, 4000, utilization, 0.9);
    expect(&f, "");
    number(&f, 6000, utilization, 0.7);
    expect(&f, "6000 healed b\n6000 refused b cool-down\n"); /* still two of three */
    fixture_end(&f);
}
END_TEST

START_TEST(help_that_comes_late_is_help)
{
    struct fixture f;
    fixture_begin(&f, LADDER, NULL);
    hold(&f, 0, 0, 0.9);
    ended(&f, 2000, "done");
    hold(&f, 3000, 5000, 0.9);
    tell(&f, "{'at':6000,'foreign':true,'disruptive':false}"); /* somebody else is at it */
    hold(&f, 7000, 29000, 0.9);
    tell(&f, "{'at':30000,'foreign':false}");
    number(&f, 31000, utilization, 0.4);
    expect(&f, "0 run full clean 1/3\n31000 healed full\n");
    fixture_end(&f);
}
END_TEST

START_TEST(a_verification_may_ask_for_time)
{
    struct fixture f;
    fixture_begin(&f,
                  FULL "  ladder:\n"
                       "    - {run: clean, verify: connections.utilization < 50% for 6s, "
                       "within: 10s}\n"
                       "    - {run: second}\n",
                  NULL);
    hold(&f, 0, 0, 0.9);
    ended(&f, 1000, "done");
    hold(&f, 1001, 5001, 0.4);
    hold(&f, 6001, 6001, 0.6); /* it comes back */
    hold(&f, 8001, 10999, 0.4);
    expect(&f, "0 run full clean 1/2\n");
    until(&f, 11000);
    expect(&f, "11000 run full second 2/2\n");
    fixture_end(&f);
}
END_TEST

/* --- after it helped -------------------------------------------------------------------------- */

START_TEST(what_does_not_help_for_long_leads_to_the_next_rung)
{
    struct fixture f;
    fixture_begin(&f, LADDER, NULL);
    hold(&f, 0, 0, 0.9);
    ended(&f, 1000, "done");
    hold(&f, 2000, 30000, 0.4);
    expect(&f, "0 run full clean 1/3\n2000 healed full\n");
    f.quiet = true;
    hold(&f, 32000, 32000, 0.9); /* thirty seconds after it helped */
    expect(&f, "32000 quiet full\n32000 run full restart-leaker 2/3\n");
    f.quiet = false;
    f.values = true;
    ended(&f, 34000, "done");
    hold(&f, 34001, 34001, 0.4);
    hold(&f, 66000, 66000, 0.95);
    expect_has(&f, "66000 full: runs recover (3 of 3), as restart-leaker did not help for long: "
                   "connections.utilization is 95% (> 80%)\n");
    fixture_end(&f);
}
END_TEST

/* Rates count over half a minute: what they say sooner is of the time before. */
START_TEST(for_half_a_minute_nothing_is_judged)
{
    struct fixture f;
    fixture_begin(&f, LADDER, NULL);
    hold(&f, 0, 0, 0.9);
    ended(&f, 1000, "done");
    hold(&f, 2000, 2000, 0.4);
    hold(&f, 4000, 30000, 0.9);
    hold(&f, 31000, 33000, 0.4);
    expect(&f, "0 run full clean 1/3\n2000 healed full\n4000 refused full cool-down\n");
    hold(&f, 34000, 34000, 0.9);
    expect(&f, "34000 run full restart-leaker 2/3\n");
    fixture_end(&f);
}
END_TEST

START_TEST(behind_the_last_rung_the_cool_down_is_waited_out)
{
    struct fixture f;
    fixture_begin(&f, FULL "  cooldown: 1m\n  ladder: [{run: clean}]\n", NULL);
    hold(&f, 0, 0, 0.9);
    ended(&f, 1000, "done");
    hold(&f, 2000, 38000, 0.4);
    hold(&f, 40000, 60000, 0.9);
    expect(&f, "0 run full clean 1/1\n2000 healed full\n40000 refused full cool-down\n");
    hold(&f, 62000, 62000, 0.9);
    expect(&f, "62000 run full clean 1/1\n");
    fixture_end(&f);
}
END_TEST

START_TEST(after_the_cool_down_the_ladder_begins_anew)
{
    struct fixture f;
    fixture_begin(&f, LADDER "  cooldown: 1m\n", NULL);
    hold(&f, 0, 0, 0.9);
    ended(&f, 1000, "done");
    hold(&f, 2000, 62000, 0.4);
    hold(&f, 64000, 64000, 0.9);
    expect(&f, "0 run full clean 1/3\n2000 healed full\n64000 run full clean 1/3\n");
    fixture_end(&f);
}
END_TEST

START_TEST(what_goes_away_before_the_next_rung_can_run_is_over)
{
    struct fixture f;
    fixture_begin(&f, LADDER, NULL);
    hold(&f, 0, 0, 0.9);
    ended(&f, 1000, "done");
    hold(&f, 2000, 30000, 0.4);
    tell(&f, "{'at':31000,'foreign':true,'disruptive':false}");
    hold(&f, 40000, 42000, 0.9); /* it is due, and another run is under way */
    tell(&f, "{'at':43000,'foreign':false}");
    hold(&f, 43001, 43001, 0.4);
    expect(&f, "0 run full clean 1/3\n2000 healed full\n40000 refused full another-run\n"
               "43001 healed full\n");
    hold(&f, 70000, 70000, 0.9);
    expect(&f, "70000 refused full cool-down\n");
    until(&f, 74000);
    expect(&f, "73001 run full restart-leaker 2/3\n");
    fixture_end(&f);
}
END_TEST

/* --- budgets ---------------------------------------------------------------------------------- */

START_TEST(a_spent_budget_calls_a_person_once)
{
    struct fixture f;
    fixture_begin(&f, FULL "  budget: 2 per 10m\n  cooldown: 10s\n  ladder: [{run: clean}]\n",
                  NULL);
    for (int64_t at = 0; at <= 40000; at += 20000) {
        number(&f, at, utilization, 0.9);
        ended(&f, at + 1000, "done");
        number(&f, at + 2000, utilization, 0.3);
    }
    expect(&f, "0 run full clean 1/1\n2000 healed full\n20000 run full clean 1/1\n"
               "22000 healed full\n40000 refused full budget\n40000 hand-over full !\n");
    /* It is over, and comes back later: that is another incident. */
    hold(&f, 44000, 360000, 0.3);
    expect(&f, "342000 healed full !\n");
    hold(&f, 362000, 362000, 0.9);
    expect(&f, "362000 refused full budget\n362000 hand-over full !\n");
    fixture_end(&f);
}
END_TEST

START_TEST(who_tries_again_waits_for_the_budget)
{
    struct fixture f;
    fixture_begin(&f,
                  FULL "  budget: 2 per 1m\n  cooldown: 5s\n  then: again\n"
                       "  ladder: [{run: clean, within: 5s}]\n",
                  NULL);
    for (int64_t at = 0; at <= 60000; at += 1000) {
        number(&f, at, utilization, 0.9);
        if (at % 10000 == 0)
            ended(&f, at + 500, "done");
    }
    expect(&f, "0 run full clean 1/1\n10500 run full clean 1/1\n20500 refused full budget\n"
               "60000 run full clean 1/1\n");
    fixture_end(&f);
}
END_TEST

START_TEST(the_recoveries_of_all_policies_have_one_budget)
{
    struct fixture f;
    struct replay_options options = {.decide.recoveries = {1, HOUR_MS}, .run_ms = 1000};
    fixture_begin(&f,
                  "- {name: a, when: connections.storm, settle: 0, ladder: [{run: recover}]}\n"
                  "- {name: b, when: connections.blocked > 5, settle: 0,\n"
                  "   ladder: [{run: clean, verify: connections.used < 1, within: 5s},\n"
                  "            {run: restart}]}\n",
                  &options);
    number(&f, 0, "connections.storm", 1);
    number(&f, 2000, "connections.storm", 0);
    expect(&f, "0 run a recover 1/1\n2000 healed a\n");
    number(&f, 3000, "connections.blocked", 9); /* cleaning is no recovery */
    number(&f, 5000, "connections.used", 9);
    until(&f, 20000);
    expect(&f, "3000 run b clean 1/2\n9000 refused b recoveries\n9000 hand-over b !\n");
    fixture_end(&f);
}
END_TEST

/* --- a person was called ---------------------------------------------------------------------- */

START_TEST(proof_of_health_arms_it_again)
{
    struct fixture f;
    fixture_begin(&f, ONCE "  rearm: {healthy_for: 1m}\n", NULL);
    hold(&f, 0, 0, 0.9);
    ended(&f, 1000, "done");
    until(&f, 2000);
    expect(&f, "0 run full clean 1/1\n2000 hand-over full !\n");
    hold(&f, 4000, 10000, 0.3);
    hold(&f, 12000, 12000, 0.9); /* not for a minute yet */
    hold(&f, 14000, 72000, 0.3);
    expect(&f, "12000 refused full not-rearmed\n");
    hold(&f, 74000, 74000, 0.3);
    expect(&f, "74000 healed full !\n");
    hold(&f, 76000, 76000, 0.9);
    expect(&f, "76000 run full clean 1/1\n");
    fixture_end(&f);
}
END_TEST

START_TEST(time_arms_it_again_and_nobody_is_called_twice)
{
    struct fixture f;
    fixture_begin(&f, ONCE "  rearm: {after: 10m}\n", NULL);
    hold(&f, 0, 0, 0.9);
    ended(&f, 1000, "done");
    hold(&f, 2000, 602000, 0.9);
    expect(&f, "0 run full clean 1/1\n2000 hand-over full !\n602000 run full clean 1/1\n");
    ended(&f, 603000, "done");
    hold(&f, 604000, 610000, 0.9);
    expect(&f, "604000 hand-over full\n");
    fixture_end(&f);
}
END_TEST

START_TEST(a_run_that_a_person_aborts_is_not_followed_by_another)
{
    struct fixture f;
    fixture_begin(&f, LADDER, NULL);
    hold(&f, 0, 0, 0.9);
    ended(&f, 1000, "aborted");
    hold(&f, 2000, 300000, 0.9);
    expect(&f, "0 run full clean 1/3\n1000 hand-over full\n");
    fixture_end(&f);
}
END_TEST

/* --- settings --------------------------------------------------------------------------------- */

#define LEAKER                                                                                     \
    FULL "  ladder:\n"                                                                             \
         "    - {run: restart-leaker, with: {containers: '${connections.leaker}', n: '3'},\n"      \
         "       verify: connections.utilization < 50%, within: 10s}\n"                            \
         "    - {run: recover, verify: connections.utilization < 50%}\n"

START_TEST(settings_are_filled_in_with_what_is_observed)
{
    struct fixture f;
    fixture_begin(&f, LEAKER, NULL);
    word(&f, 0, "connections.leaker", "worker-2");
    number(&f, 0, utilization, 0.9);
    expect(&f, "0 run full restart-leaker 1/2\n");
    CLEANUP_JSON json_t *expected = unit_json("{'containers':'worker-2','n':'3'}");
    ck_assert(json_equal(f.params, expected));
    fixture_end(&f);
}
END_TEST

START_TEST(an_approval_is_for_the_settings_that_were_shown)
{
    struct fixture f;
    fixture_begin(&f, LEAKER "  mode: ask\n", NULL);
    word(&f, 0, "connections.leaker", "worker-2");
    number(&f, 0, utilization, 0.9);
    word(&f, 1000, "connections.leaker", "backend");
    tell(&f, "{'at':2000,'approve':true}");
    expect(&f, "0 ask full restart-leaker 1/2 !\n2000 ask full restart-leaker 1/2 !\n");
    tell(&f, "{'at':3000,'approve':true}");
    expect(&f, "3000 run full restart-leaker 1/2\n");
    CLEANUP_JSON json_t *expected = unit_json("{'containers':'backend','n':'3'}");
    ck_assert(json_equal(f.params, expected));
    fixture_end(&f);
}
END_TEST

START_TEST(a_rung_without_its_value_is_passed_over_and_says_so)
{
    struct fixture f;
    fixture_begin(&f, LEAKER, NULL);
    word(&f, 0, "connections.leaker", "none");
    number(&f, 0, utilization, 0.9);
    expect(&f, "0 refused full not-applicable\n0 run full recover 2/2\n");
    fixture_end(&f);
    fixture_begin(&f, LEAKER, NULL);
    f.values = true;
    number(&f, 0, utilization, 0.9);
    expect(&f, "0 full: cannot run restart-leaker: connections.leaker is not known\n"
               "0 full: runs recover (2 of 2): connections.utilization is 90% (> 80%)\n");
    fixture_end(&f);
}
END_TEST

/* It was never run, so there is nothing to verify; and if the trouble ends nothing was done. */
START_TEST(what_was_passed_over_is_not_verified)
{
    struct fixture f;
    fixture_begin(&f, LEAKER, NULL);
    tell(&f, "{'at':0,'foreign':true,'disruptive':false}");
    number(&f, 1000, utilization, 0.9);
    tell(&f, "{'at':2000,'pause':20000,'reason':'x'}");
    tell(&f, "{'at':3000,'foreign':false}");
    hold(&f, 4000, 20000, 0.9);
    expect(&f, "1000 refused full another-run\n2000 refused full paused\n");
    hold(&f, 22000, 22000, 0.9);
    expect(&f, "22000 refused full not-applicable\n22000 run full recover 2/2\n");
    fixture_end(&f);
}
END_TEST

START_TEST(a_ladder_that_cannot_be_climbed_calls_a_person)
{
    struct fixture f;
    fixture_begin(
        &f, FULL "  ladder: [{run: restart-leaker, with: {c: '${connections.leaker}'}}]\n", NULL);
    hold(&f, 0, 10000, 0.9);
    expect(&f, "0 refused full not-applicable\n0 hand-over full !\n");
    fixture_end(&f);
}
END_TEST

/* --- showing ---------------------------------------------------------------------------------- */

START_TEST(the_engine_shows_where_everybody_stands)
{
    struct fixture f;
    fixture_begin(&f, LADDER, NULL);
    hold(&f, 0, 0, 0.9);
    struct moment now = replay_now(f.replay);
    CLEANUP_JSON json_t *shown = decide_json(replay_engine(f.replay), &now, replay_board(f.replay));
    const json_t *one = json_array_get(shown, 0);
    ck_assert_str_eq(json_text_at(one, "state", ""), "running");
    ck_assert_int_eq(json_int_at(one, "runs_in_budget", 0), 1);
    ck_assert_int_eq(json_int_at(one, "rung", 0), 1);
    ck_assert_str_eq(json_text_at(one, "explanation", ""),
                     "connections.utilization is 90% (> 80%)");
    CLEANUP_JSON json_t *history = decide_history(replay_engine(f.replay), 5);
    ck_assert_str_eq(json_text_at(json_array_get(history, 0), "decision", ""), "run");
    CLEANUP_FREE char *line = json_line(json_array_get(history, 0));
    unit_assert_has(line, "\"values\"");
    fixture_end(&f);
}
END_TEST

START_TEST(the_machine_draws_itself)
{
    CLEANUP_FREE char *drawn = decide_mermaid();
    unit_assert_has(drawn, "stateDiagram-v2\n    [*] --> settling\n");
    unit_assert_has(drawn, "    due --> running: started\n");
    unit_assert_has(drawn, "    cooling --> due: relapsed, next rung\n");
}
END_TEST

UNIT_MAIN("decide", nothing_is_done_until_it_has_settled, it_waits_for_its_time_to_the_millisecond,
          a_moment_below_begins_the_time_anew, what_is_not_known_triggers_nothing,
          the_first_rung_helps, each_rung_is_tried_only_after_the_one_before_has_failed,
          a_run_that_could_not_be_begun_is_tried_again_for_half_a_minute,
          what_could_not_be_begun_is_not_done_when_the_trouble_is_over,
          what_could_not_be_begun_costs_no_budget,
          what_could_not_be_begun_passes_the_gates_once_more,
          a_later_rung_that_could_not_be_begun_is_still_the_one_after_the_first,
          a_run_that_failed_may_have_helped, only_news_verify,
          without_a_verification_the_trouble_must_be_gone_at_this_instant,
          help_that_comes_late_is_help, a_verification_may_ask_for_time,
          what_does_not_help_for_long_leads_to_the_next_rung, for_half_a_minute_nothing_is_judged,
          behind_the_last_rung_the_cool_down_is_waited_out,
          after_the_cool_down_the_ladder_begins_anew,
          what_goes_away_before_the_next_rung_can_run_is_over, a_spent_budget_calls_a_person_once,
          who_tries_again_waits_for_the_budget, the_recoveries_of_all_policies_have_one_budget,
          proof_of_health_arms_it_again, time_arms_it_again_and_nobody_is_called_twice,
          a_run_that_a_person_aborts_is_not_followed_by_another,
          settings_are_filled_in_with_what_is_observed,
          an_approval_is_for_the_settings_that_were_shown,
          a_rung_without_its_value_is_passed_over_and_says_so, what_was_passed_over_is_not_verified,
          a_ladder_that_cannot_be_climbed_calls_a_person, the_engine_shows_where_everybody_stands,
          the_machine_draws_itself)
