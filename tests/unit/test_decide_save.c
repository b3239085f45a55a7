/* What the engine writes down, and how it goes on from there: within a boot, across one, and with
 * policies that have changed meanwhile. */
#include "policies_fixture.h"

#include "policies/moment.h"
#include "unit.h"

#define LADDER                                                                                     \
    "- name: full\n"                                                                               \
    "  when: connections.utilization > 80%\n"                                                      \
    "  settle: 20s\n"                                                                              \
    "  for: 10s\n"                                                                                 \
    "  cooldown: 2m\n"                                                                             \
    "  ladder:\n"                                                                                  \
    "    - {run: clean, verify: connections.utilization < 50% for 5s, within: 10s}\n"              \
    "    - {run: recover, verify: connections.utilization < 50%, within: 60s}\n"

static const char utilization[] = "connections.utilization";

/* --- within a boot ---------------------------------------------------------------------------- */

/* A life of 200 s through every state, with a restart of 0 ms at `restart_ms` (negative: none). */
static char *life_with_restart(const char *yaml, int64_t restart_ms)
{
    struct fixture f;
    bool asks = strstr(yaml, "ask") != NULL;
    fixture_begin(&f, yaml, NULL);
    f.quiet = f.values = true;
    for (int64_t at = 0; at <= 200000; at += 1000) {
        double value = at >= 60000 && at < 100000 ? 0.3 : 0.9;
        number(&f, at, utilization, value);
        if (at == 25000 && asks)
            tell(&f, "{'at':25000,'approve':true}");
        if (at == 145000 && asks)
            tell(&f, "{'at':145000,'approve':true}");
        if (at == 32000 || at == 50000 || at == 160000)
            ended(&f, at, "done");
        if (at == 180000)
            tell(&f, "{'at':180000,'pause':5000,'reason':'x'}");
        if (at == restart_ms) {
            CLEANUP_FREE char *event = mem_printf("{'at':%d,'restart':0}", (int)at);
            tell(&f, event);
        }
    }
    replay_finish(f.replay);
    char *log = buf_take(&f.log);
    fixture_end(&f);
    return log;
}

static void expect_the_same(const char *yaml)
{
    CLEANUP_FREE char *unbroken = life_with_restart(yaml, -1);
    unit_assert_has(unbroken, "recover");
    for (int64_t at = 0; at <= 200000; at += 1000) {
        CLEANUP_FREE char *broken = life_with_restart(yaml, at);
        ck_assert_msg(strcmp(unbroken, broken) == 0, "a restart at %d made of\n%s\nthis\n%s",
                      (int)at, unbroken, broken);
    }
}

START_TEST(a_restart_at_any_time_changes_no_decision)
{
    expect_the_same(LADDER);
    expect_the_same(LADDER "  mode: ask\n");
    expect_the_same(LADDER "  budget: 1 per 1h\n  then: again\n- {name: x, when: "
                           "connections.utilization > 60%, for: 3 of 5, ladder: [{run: clean}]}\n");
}
END_TEST

START_TEST(an_absence_counts)
{
    struct fixture f;
    fixture_begin(&f, LADDER, NULL);
    for (int64_t at = 0; at <= 25000; at += 1000)
        number(&f, at, utilization, 0.9);
    expect(&f, "10000 refused full settling\n20000 run full clean 1/2\n");
    ended(&f, 26000, "done");
    tell(&f, "{'at':27000,'restart':50000}");
    expect(&f, "77000 run full recover 2/2\n"); /* its time went by meanwhile */
    fixture_end(&f);
}
END_TEST

START_TEST(a_pause_and_a_run_by_hand_are_remembered)
{
    struct fixture f;
    fixture_begin(&f, LADDER, NULL);
    tell(&f, "{'at':0,'pause':60000,'reason':'deploy'}");
    tell(&f, "{'at':1000,'restart':2000}");
    const char *reason = NULL;
    int64_t until_ms = 0;
    ck_assert(decide_paused(replay_engine(f.replay), &until_ms, &reason));
    ck_assert_str_eq(reason, "deploy");
    ck_assert_int_eq(until_ms, 60000);
    tell(&f, "{'at':4000,'foreign':true,'disruptive':false}");
    tell(&f, "{'at':5000,'restart':1000}");
    hold(&f, 50000, 78000, 0.9);
    expect(&f, "60000 refused full another-run\n");
    tell(&f, "{'at':79000,'foreign':false}");
    expect(&f, "79000 run full clean 1/2\n");
    fixture_end(&f);
}
END_TEST

START_TEST(an_approval_is_remembered_with_its_question)
{
    struct fixture f;
    fixture_begin(&f, LADDER "  mode: ask\n", NULL);
    hold(&f, 0, 20000, 0.9);
    tell(&f, "{'at':21000,'pause':5000,'reason':'deploy'}");
    tell(&f, "{'at':22000,'approve':true}");
    tell(&f, "{'at':23000,'restart':1000}");
    hold(&f, 25000, 27000, 0.9);
    expect_has(&f, "26000 run full clean 1/2\n");
    ck_assert_int_ne(f.last_asked, 0);
    ck_assert_int_eq(f.question, f.last_asked);
    fixture_end(&f);
}
END_TEST

START_TEST(an_approval_of_an_earlier_version_is_one_without_a_question)
{
    struct fixture f;
    struct err e;
    size_t count;
    struct life life = {.mono_ms = 22000};
    struct moment now = {.mono_ms = 22000};
    fixture_begin(&f, LADDER "  mode: ask\n", NULL);
    hold(&f, 0, 20000, 0.9);
    tell(&f, "{'at':21000,'pause':5000,'reason':'deploy'}");
    tell(&f, "{'at':22000,'approve':true}");
    CLEANUP_JSON json_t *saved = decide_save(replay_engine(f.replay), &life);
    json_t *policy = json_at(saved, "policies/full");
    ck_assert_int_eq(json_object_del(policy, "question"), 0);
    struct decide_options options = {0};
    struct board *board = board_new();
    struct decide *engine = decide_new(f.policies, &options, &now);
    ck_assert_int_eq(decide_restore(engine, saved, &life, &now, &e), 0);
    now.mono_ms = 27000;
    board_set_number(board, utilization, now.mono_ms, 0.9, NULL);
    const struct decision *run = decide_step(engine, &now, board, &count);
    ck_assert_uint_eq(count, 1);
    ck_assert_int_eq(run->kind, DECISION_RUN);
    ck_assert_int_eq(run->question, 0);
    decide_free(engine);
    board_free(board);
    fixture_end(&f);
}
END_TEST

/* --- across a boot ---------------------------------------------------------------------------- */

START_TEST(after_a_boot_everything_settles_and_budgets_stay_spent)
{
    struct fixture f;
    fixture_begin(&f, LADDER "  budget: 1 per 1h\n", NULL);
    hold(&f, 0, 20000, 0.9);
    ended(&f, 21000, "done");
    hold(&f, 22000, 40000, 0.3);
    expect(&f, "10000 refused full settling\n20000 run full clean 1/2\n27000 healed full\n");
    tell(&f, "{'at':5000,'trace':1,'local':1000000}"); /* up for 5 s, a quarter of an hour later */
    hold(&f, 6000, 24000, 0.9);
    expect(&f, "");
    hold(&f, 26000, 26000, 0.9);
    expect(&f, "25000 refused full budget\n25000 hand-over full !\n");
    fixture_end(&f);
}
END_TEST

START_TEST(a_budget_is_free_again_when_the_wall_clock_says_so)
{
    struct fixture f;
    fixture_begin(&f, LADDER "  budget: 1 per 1h\n", NULL);
    hold(&f, 0, 20000, 0.9);
    ended(&f, 21000, "done");
    hold(&f, 22000, 200000, 0.3);
    tell(&f, "{'at':5000,'trace':1,'local':3570000}"); /* fifty-nine minutes after the run */
    hold(&f, 6000, 26000, 0.9);
    expect(&f, "10000 refused full settling\n20000 run full clean 1/2\n27000 healed full\n"
               "16000 refused full settling\n25000 refused full budget\n"
               "25000 hand-over full !\n");
    fixture_end(&f);
    fixture_begin(&f, LADDER "  budget: 1 per 1h\n", NULL);
    hold(&f, 0, 20000, 0.9);
    ended(&f, 21000, "done");
    hold(&f, 22000, 200000, 0.3);
    tell(&f, "{'at':5000,'trace':1,'local':3625000}"); /* an hour and a little */
    hold(&f, 6000, 26000, 0.9);
    expect_has(&f, "25000 run full clean 1/2\n");
    fixture_end(&f);
}
END_TEST

START_TEST(a_wall_clock_that_went_back_gives_no_budget_back)
{
    struct fixture f;
    struct policy_set *set = policies_of(LADDER "  budget: 1 per 1h\n");
    fixture_begin_with(&f, set, NULL, 10 * DAY_MS);
    hold(&f, 0, 20000, 0.9);
    ended(&f, 21000, "done");
    hold(&f, 22000, 200000, 0.3);
    tell(&f, "{'at':5000,'trace':1,'local':0}");
    hold(&f, 6000, 26000, 0.9);
    expect_has(&f, "25000 hand-over full !\n");
    fixture_end(&f);
}
END_TEST

START_TEST(a_run_under_way_at_the_boot_is_still_waited_for)
{
    struct fixture f;
    fixture_begin(&f, LADDER, NULL);
    hold(&f, 0, 20000, 0.9);
    tell(&f, "{'at':5000,'trace':1,'local':100000}");
    hold(&f, 6000, 60000, 0.9);
    ck_assert_int_ne(decide_running(replay_engine(f.replay)), 0);
    ended(&f, 61000, "failed");
    hold(&f, 62000, 70000, 0.9);
    until(&f, 71000);
    expect(&f, "10000 refused full settling\n20000 run full clean 1/2\n"
               "71000 run full recover 2/2\n");
    fixture_end(&f);
}
END_TEST

/* --- with other policies ---------------------------------------------------------------------- */

/* An engine that lives on under `after`, from the state it had under `before`. */
struct change {
    struct policy_set *set;
    struct board *board;
    struct decide *engine;
    struct moment now;
};

static size_t step(struct change *change, int64_t at_ms, double value,
                   const struct decision **ret_decisions)
{
    size_t count;
    change->now = (struct moment){at_ms, at_ms};
    board_set_number(change->board, utilization, at_ms, value, NULL);
    *ret_decisions = decide_step(change->engine, &change->now, change->board, &count);
    return count;
}

static void change_begin(struct change *change, const char *yaml)
{
    const struct decide_options options = {0};
    *change = (struct change){.set = policies_of(yaml), .board = board_new()};
    change->engine = decide_new(change->set, &options, &change->now);
}

static void change_life(struct change *change, const char *yaml, const struct life *then,
                        const struct life *life)
{
    const struct decide_options options = {0};
    struct err e;
    CLEANUP_JSON json_t *saved = decide_save(change->engine, then);
    decide_free(change->engine);
    policy_set_free(change->set);
    change->set = policies_of(yaml);
    change->engine = decide_new(change->set, &options, &change->now);
    ck_assert_int_eq(decide_restore(change->engine, saved, life, &change->now, &e), 0);
}

static void change_policies(struct change *change, const char *yaml)
{
    const struct life life = {.mono_ms = change->now.mono_ms, .boot = "one"};
    change_life(change, yaml, &life, &life);
}

static void change_end(struct change *change)
{
    decide_free(change->engine);
    policy_set_free(change->set);
    board_free(change->board);
}

static const char *state_of(struct change *change, size_t place)
{
    static char state[32];
    CLEANUP_JSON json_t *shown = decide_json(change->engine, &change->now, change->board);
    snprintf(state, sizeof state, "%s", json_text_at(json_array_get(shown, place), "state", ""));
    return state;
}

#define ONE(when, more)                                                                            \
    "- {name: a, settle: 0, when: " when ", cooldown: 1m,\n"                                       \
    "   ladder: [{run: clean, within: 5s}, {run: recover}]" more "}\n"

/* A hardened unit does not see the boot's id. */
START_TEST(without_an_id_of_the_boot_the_clocks_tell)
{
    static const struct {
        struct life then, now;
        const char *state;
    } lives[] = {
        {{10000, 500000, ""}, {12000, 502000, ""}, "verifying"}, /* two seconds later */
        {{10000, 500000, ""}, {12000, 501000, ""}, "verifying"}, /* a clock that was adjusted */
        {{10000, 500000, ""}, {5000, 560000, ""}, "settling"},   /* up for less time */
        {{10000, 500000, ""}, {12000, 560000, ""}, "settling"},  /* a long while between */
        {{10000, 500000, ""}, {12000, 440000, ""}, "settling"},  /* the clock went back */
        {{10000, 500000, "a"}, {12000, 502000, ""}, "settling"}, /* one is known */
        {{10000, 500000, "a"}, {12000, 990000, "a"}, "verifying"},
    };
    static const char yaml[] = "- {name: a, settle: 30s, when: connections.utilization > 80%,\n"
                               "   ladder: [{run: clean, within: 5m}, {run: recover}]}\n";
    for (size_t i = 0; i < ARRAY_SIZE(lives); i++) {
        struct change c;
        const struct decision *decisions;
        change_begin(&c, yaml);
        step(&c, 0, 0.9, &decisions);
        ck_assert_uint_eq(step(&c, 31000, 0.9, &decisions), 1);
        decide_run_ended(c.engine, &c.now, decisions[0].id, RUN_DONE);
        change_life(&c, yaml, &lives[i].then, &lives[i].now);
        ck_assert_msg(strcmp(state_of(&c, 0), lives[i].state) == 0, "%zu: %s", i, state_of(&c, 0));
        change_end(&c);
    }
}
END_TEST

START_TEST(a_changed_policy_keeps_its_budget_and_not_its_climb)
{
    struct change c;
    const struct decision *decisions;
    change_begin(&c, ONE("connections.utilization > 80%", ", budget: 1 per 1h"));
    ck_assert_uint_eq(step(&c, 0, 0.9, &decisions), 1);
    ck_assert(decide_run_ended(c.engine, &c.now, decisions[0].id, RUN_DONE));
    ck_assert_str_eq(state_of(&c, 0), "verifying");
    change_policies(&c, ONE("connections.utilization > 70%", ", budget: 1 per 1h"));
    ck_assert_str_eq(state_of(&c, 0), "watching");
    ck_assert_uint_eq(step(&c, 1000, 0.9, &decisions), 2);
    ck_assert_int_eq(decisions[0].refusal, REFUSAL_BUDGET);
    ck_assert_int_eq(decisions[1].kind, DECISION_HAND_OVER);
    change_end(&c);
}
END_TEST

START_TEST(a_changed_condition_has_held_for_no_time_yet)
{
    struct change c;
    const struct decision *decisions;
    change_begin(&c, ONE("connections.utilization > 80%", ", for: 1m"));
    step(&c, 0, 0.9, &decisions);
    step(&c, 50000, 0.9, &decisions);
    change_policies(&c, ONE("connections.utilization > 70%", ", for: 1m"));
    step(&c, 61000, 0.9, &decisions);
    ck_assert_str_eq(state_of(&c, 0), "watching");
    step(&c, 110000, 0.9, &decisions);
    step(&c, 121000, 0.9, &decisions);
    ck_assert_str_eq(state_of(&c, 0), "running");
    change_end(&c);
}
END_TEST

START_TEST(a_changed_policy_cools_down_and_stays_handed_over)
{
    struct change c;
    const struct decision *decisions;
    change_begin(&c, ONE("connections.utilization > 80%", ""));
    step(&c, 0, 0.9, &decisions);
    decide_run_ended(c.engine, &c.now, decisions[0].id, RUN_DONE);
    step(&c, 1000, 0.1, &decisions);
    change_policies(&c, ONE("connections.utilization > 70%", ""));
    ck_assert_str_eq(state_of(&c, 0), "cooling");
    step(&c, 40000, 0.9, &decisions);
    ck_assert_str_eq(state_of(&c, 0), "cooling"); /* what helped was another ladder's */
    step(&c, 61000, 0.9, &decisions);
    ck_assert_str_eq(state_of(&c, 0), "running");
    decide_run_ended(c.engine, &c.now, decisions[0].id, RUN_ABORTED);
    change_policies(&c, ONE("connections.utilization > 60%", ""));
    ck_assert_str_eq(state_of(&c, 0), "handed");
    change_end(&c);
}
END_TEST

START_TEST(a_run_of_a_policy_that_is_no_more_is_still_the_only_one)
{
    struct change c;
    const struct decision *decisions;
    change_begin(&c, ONE("connections.utilization > 80%", ""));
    step(&c, 0, 0.9, &decisions);
    int64_t id = decisions[0].id;
    change_policies(&c, "- {name: b, settle: 0, when: connections.utilization > 80%,\n"
                        "   ladder: [{run: clean}]}\n");
    step(&c, 1000, 0.9, &decisions); /* it settles first: nobody knows it */
    ck_assert_uint_eq(step(&c, 2000, 0.9, &decisions), 0);
    ck_assert_str_eq(state_of(&c, 0), "due");
    ck_assert(decide_run_ended(c.engine, &c.now, id, RUN_DONE));
    ck_assert_uint_eq(step(&c, 3000, 0.9, &decisions), 1);
    ck_assert_int_eq(decisions[0].kind, DECISION_RUN);
    ck_assert_int_gt(decisions[0].id, id);
    change_end(&c);
}
END_TEST

START_TEST(a_ladder_that_lost_its_rung_does_not_run_it)
{
    struct change c;
    const struct decision *decisions;
    change_begin(&c, ONE("connections.utilization > 80%", ""));
    step(&c, 0, 0.9, &decisions);
    decide_run_ended(c.engine, &c.now, decisions[0].id, RUN_DONE);
    step(&c, 6000, 0.9, &decisions); /* recover is under way */
    int64_t id = decisions[0].id;
    change_policies(&c, "- {name: a, settle: 0, when: connections.utilization > 80%,\n"
                        "   ladder: [{run: clean}]}\n");
    ck_assert_str_eq(state_of(&c, 0), "watching");
    ck_assert_int_eq(decide_running(c.engine), id);
    ck_assert(decide_run_ended(c.engine, &c.now, id, RUN_DONE));
    step(&c, 8000, 0.9, &decisions);
    ck_assert_str_eq(state_of(&c, 0), "running");
    change_end(&c);
}
END_TEST

/* --mode caps the policies of a set, and no definition has changed. */
START_TEST(who_is_switched_off_climbs_no_further)
{
    struct change c;
    const struct decision *decisions;
    change_begin(&c, ONE("connections.utilization > 80%", ", mode: ask"));
    step(&c, 0, 0.9, &decisions);
    ck_assert_str_eq(state_of(&c, 0), "asking");
    ((struct policy *)(uintptr_t)policy_set_at(c.set, 0))->mode = MODE_OFF;
    ck_assert_uint_eq(step(&c, 1000, 0.9, &decisions), 0);
    ck_assert_str_eq(state_of(&c, 0), "watching");
    change_end(&c);
}
END_TEST

/* --- what is no saved state ------------------------------------------------------------------- */

START_TEST(what_is_no_saved_state_leaves_the_engine_as_it_was)
{
    static const char *const bad[] = {"{}", "[]", "{'form': 1}", "{'form': 2, 'policies': {}}",
                                      "{'form': 1, 'policies': []}"};
    struct change c;
    const struct life life = {.boot = "one"};
    change_begin(&c, ONE("connections.utilization > 80%", ""));
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct err e;
        CLEANUP_JSON json_t *saved = unit_json(bad[i]);
        ck_assert_int_eq(decide_restore(c.engine, saved, &life, &c.now, &e), -(int)ERR_PROTOCOL);
    }
    ck_assert_str_eq(state_of(&c, 0), "settling");
    change_end(&c);
}
END_TEST

START_TEST(a_saved_state_that_was_tampered_with_is_survived)
{
    static const char *const tampered[] = {
        "{'state': 'verifying', 'rung': 7}",
        "{'state': 'running', 'rung': -1}",
        "{'state': 'due', 'rung': 1, 'tried': 9}",
        "{'state': 'cooling', 'refused': 99, 'told': 99, 'notice': -5, 'cause': 'whim'}",
        "{'state': 'handed', 'runs': 'many', 'when': 5, 'verify': {}}",
        "{'state': 'unheard-of'}",
        "7",
    };
    for (size_t i = 0; i < ARRAY_SIZE(tampered); i++) {
        struct change c;
        struct err e;
        const struct decision *decisions;
        const struct life life = {.boot = "one"};
        change_begin(&c, ONE("connections.utilization > 80%", ""));
        CLEANUP_JSON json_t *saved = unit_json("{'form': 1, 'boot': 'one', 'policies': {}}");
        json_object_set_new(json_object_get(saved, "policies"), "a", unit_json(tampered[i]));
        ck_assert_int_eq(decide_restore(c.engine, saved, &life, &c.now, &e), 0);
        json_decref(decide_json(c.engine, &c.now, c.board));
        for (int at = 0; at < 100; at++)
            step(&c, at * 1000, 0.9, &decisions);
        change_end(&c);
    }
}
END_TEST

UNIT_MAIN("decide_save", a_restart_at_any_time_changes_no_decision, an_absence_counts,
          a_pause_and_a_run_by_hand_are_remembered, an_approval_is_remembered_with_its_question,
          an_approval_of_an_earlier_version_is_one_without_a_question,
          after_a_boot_everything_settles_and_budgets_stay_spent,
          a_budget_is_free_again_when_the_wall_clock_says_so,
          a_wall_clock_that_went_back_gives_no_budget_back,
          a_run_under_way_at_the_boot_is_still_waited_for,
          without_an_id_of_the_boot_the_clocks_tell,
          a_changed_policy_keeps_its_budget_and_not_its_climb,
          a_changed_condition_has_held_for_no_time_yet,
          a_changed_policy_cools_down_and_stays_handed_over,
          a_run_of_a_policy_that_is_no_more_is_still_the_only_one,
          a_ladder_that_lost_its_rung_does_not_run_it, who_is_switched_off_climbs_no_further,
          what_is_no_saved_state_leaves_the_engine_as_it_was,
          a_saved_state_that_was_tampered_with_is_survived)
