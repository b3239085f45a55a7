/* Reading policies: what is taken, what is refused and where, defaults, and sets of them. */
#include "policies/policy.h"

#include "base/json.h"
#include "policies/moment.h"
#include "unit.h"

static bool read_into(struct policy_set *set, const char *yaml, struct diag_list *diags)
{
    diag_init(diags, "p.yaml", yaml);
    struct yaml_node *root = yaml_parse(yaml, strlen(yaml), diags);
    bool fine = root && policy_set_read(set, root, diags);
    yaml_node_free(root);
    return fine;
}

static struct policy_set *read_good(const char *yaml)
{
    struct diag_list diags;
    struct policy_set *set = policy_set_empty();
    bool fine = read_into(set, yaml, &diags);
    CLEANUP_FREE char *shown = diag_format(&diags);
    ck_assert_msg(fine && diags.count == 0, "%s", shown);
    diag_free(&diags);
    return set;
}

/* All complaints, one a line: "line:column: text". */
static void expect_errors(const char *yaml, const char *expected)
{
    struct diag_list diags;
    struct policy_set *set = policy_set_empty();
    ck_assert_msg(!read_into(set, yaml, &diags), "no error in:\n%s", yaml);
    free(diag_format(&diags)); /* sorts them */
    char *all = mem_strdup("");
    for (size_t i = 0; i < diags.count; i++) {
        char *more = mem_printf("%s%d:%d: %s\n", all, diags.items[i].line, diags.items[i].column,
                                diags.items[i].text);
        free(all);
        all = more;
    }
    ck_assert_str_eq(all, expected);
    free(all);
    diag_free(&diags);
    policy_set_free(set);
}

/* --- what is taken ---------------------------------------------------------------------------- */

START_TEST(everything_that_can_be_said_is_read)
{
    struct policy_set *set =
        read_good("- name: all-of-it\n"
                  "  description: for a test\n"
                  "  when: connections.utilization > 80%\n"
                  "  for: 15s\n"
                  "  on_alert: PostgresFull\n"
                  "  only: [Mon-Fri 08:00-18:00, sat]\n"
                  "  ladder:\n"
                  "    - run: clean\n"
                  "      with: {idle: 30s, containers: '${connections.leaker}'}\n"
                  "      verify: connections.utilization < 70%\n"
                  "      within: 20s\n"
                  "    - run: recover\n"
                  "  cooldown: 10m\n"
                  "  budget: 2 per 30m\n"
                  "  mode: ask\n"
                  "  then: again\n"
                  "  settle: 0\n"
                  "  rearm: {after: never, healthy_for: 1m}\n"
                  "  x-mine: passes\n");
    const struct policy *policy = policy_set_at(set, 0);
    ck_assert_str_eq(policy->name, "all-of-it");
    ck_assert_str_eq(condition_text(policy->when), "connections.utilization > 80%");
    ck_assert_int_eq(policy->for_ms, 15000);
    ck_assert_str_eq(policy->on_alert, "PostgresFull");
    ck_assert_uint_eq(policy->only.count, 2);
    ck_assert_uint_eq(policy->rung_count, 2);
    ck_assert_str_eq(policy->rungs[0].playbook, "clean");
    ck_assert_str_eq(json_text_at(policy->rungs[0].with, "idle", ""), "30s");
    ck_assert_ptr_nonnull(policy->rungs[0].verify);
    ck_assert_int_eq(policy->rungs[0].within_ms, 20000);
    ck_assert_ptr_null(policy->rungs[1].verify);
    ck_assert_int_eq(policy->rungs[1].within_ms, MINUTE_MS);
    ck_assert_int_eq(policy->cooldown_ms, 10 * MINUTE_MS);
    ck_assert_int_eq(policy->budget.count, 2);
    ck_assert_int_eq(policy->budget.per_ms, 30 * MINUTE_MS);
    ck_assert_int_eq(policy->mode, MODE_ASK);
    ck_assert_int_eq(policy->then, THEN_AGAIN);
    ck_assert_int_eq(policy->settle_ms, 0);
    ck_assert(policy->rearm_after_ms == NEVER);
    ck_assert_int_eq(policy->rearm_healthy_ms, MINUTE_MS);
    policy_set_free(set);
}
END_TEST

START_TEST(what_is_not_said_has_its_default)
{
    struct policy_set *set = read_good("- {name: short, when: connections.storm}\n");
    const struct policy *policy = policy_set_find(set, "short");
    ck_assert_str_eq(policy->description, "");
    ck_assert_int_eq(policy->for_ms, 0);
    ck_assert_int_eq(policy->cooldown_ms, 5 * MINUTE_MS);
    ck_assert_int_eq(policy->budget.count, 3);
    ck_assert_int_eq(policy->budget.per_ms, HOUR_MS);
    ck_assert_int_eq(policy->mode, MODE_ACT);
    ck_assert_int_eq(policy->then, THEN_NOTIFY);
    ck_assert_int_eq(policy->settle_ms, 30 * SECOND_MS);
    ck_assert_int_eq(policy->rearm_after_ms, HOUR_MS);
    ck_assert_int_eq(policy->rearm_healthy_ms, 5 * MINUTE_MS);
    ck_assert_ptr_null(policy_set_find(set, "long"));
    policy_set_free(set);
}
END_TEST

START_TEST(for_may_count_samples_whatever_the_order_of_the_keys)
{
    struct policy_set *set = read_good("- {name: a, for: 3 of 5, when: connections.blocked > 9}\n");
    ck_assert_int_eq(policy_set_at(set, 0)->for_ms, 0);
    policy_set_free(set);
    expect_errors("- {name: a, for: 4 of 3, when: connections.blocked > 9}\n",
                  "1:18: for: 4 of 3 can never be\n");
    expect_errors("- {name: a, for: 3 of 5, when: any service.health == unhealthy}\n",
                  "1:18: for: '3 of 5' counts the samples of one comparison; write it behind that "
                  "comparison in `when`\n");
    expect_errors("- {name: a, for: 3 of, when: connections.storm}\n",
                  "1:18: for: '3 of' is not a duration such as 30s, 5m or 1h30m\n");
}
END_TEST

START_TEST(what_is_off_needs_nothing_else)
{
    struct policy_set *set = read_good("- {name: pressed, mode: off}\n");
    ck_assert_int_eq(policy_set_find(set, "pressed")->mode, MODE_OFF);
    policy_set_free(set);
}
END_TEST

/* --- what is refused -------------------------------------------------------------------------- */

START_TEST(all_errors_are_told_at_once_each_at_its_place)
{
    expect_errors("- name: leak ing\n"
                  "  when: connections.utilisation > 60\n"
                  "  fro: 15s\n"
                  "  cooldown: soon\n"
                  "  mode: akt\n"
                  "  budget: lots\n"
                  "  ladder:\n"
                  "    - runn: clean\n"
                  "    - run: clean\n"
                  "      verify: database.state == redy\n"
                  "      with: {containers: '${connections.leeker}'}\n"
                  "- when: connections.storm\n",
                  "1:13: name: ' ' may not stand in a name; use letters, digits, - and _\n"
                  "2:9: when: unknown observation 'connections.utilisation'; did you mean "
                  "'connections.utilization'?\n"
                  "3:3: policy: unknown key 'fro'; did you mean 'for'?\n"
                  "4:13: cooldown: 'soon' is not a duration such as 30s, 5m or 1h30m\n"
                  "5:9: mode: 'akt' is none of act, ask, observe, off; did you mean 'act'?\n"
                  "6:11: budget: 'lots' is not of the form '3 per 1h'\n"
                  "8:7: ladder: unknown key 'runn'; did you mean 'run'?\n"
                  "10:33: verify: database.state is never 'redy'; did you mean 'ready'?\n"
                  "11:29: with: unknown observation 'connections.leeker'; did you mean "
                  "'connections.leaker'?\n"
                  "12:3: a policy needs a name\n");
}
END_TEST

START_TEST(a_policy_that_makes_no_sense_is_refused)
{
    static const struct {
        const char *yaml, *error;
    } rows[] = {
        {"- {name: a}\n", "1:3: policy a: it needs when:, schedule: or on_alert:\n"},
        {"- {name: a, on_alert: X, for: 5s}\n", "1:31: for: it goes with when:\n"},
        {"- {name: a, schedule: every 5m}\n", "1:3: a schedule needs a ladder to run\n"},
        {"- {name: a, when: connections.storm, then: again}\n",
         "1:44: then: again goes with a ladder; there is nothing to do again\n"},
        {"- {name: a, when: connections.storm, rearm: {after: never, healthy_for: never}}\n",
         "1:45: rearm: never by time and never by health is mode: off\n"},
        {"- {name: '', when: connections.storm}\n", "1:10: name: '' is not a text\n"},
        {"- {name: a, on_alert: ''}\n", "1:23: on_alert: '' is not a text\n"},
        {"- {name: a, on_alert: X, ladder: [{run: ''}]}\n", "1:41: run: '' is not a text\n"},
        {"- {name: a, on_alert: X, ladder: [{run: b, with: 5}]}\n",
         "1:50: with: expected a map of the playbook's settings, found a text\n"},
        {"- {name: a, on_alert: X, ladder: [{run: b, with: {c: '${service.health}'}}]}\n",
         "1:57: with: which service? say service(NAME).health\n"},
        {"- {name: a, on_alert: X, ladder: [{run: b, with: {c: ['${connections.leaker}']}}]}\n",
         "1:56: with: an observation is a setting's whole value, not a part of a list or map\n"},
        {"- {name: a, on_alert: X, ladder: [{run: b, with: {c: '${connections.leaker'}}]}\n",
         "1:55: with: '${connections.leaker' is not '${OBSERVATION}'\n"},
        {"- {name: a, when: connections.storm}\n- {name: a, when: connections.storm}\n",
         "2:10: two policies bear the name a\n"},
        {"- just a text\n", "1:3: policy: expected a map, found a text\n"},
        {"name: a\n", "1:1: policies: expected a list, found a map\n"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        expect_errors(rows[i].yaml, rows[i].error);
}
END_TEST

START_TEST(a_ladder_has_an_end)
{
    char *yaml = mem_strdup("- {name: a, on_alert: X, ladder: [{run: r}");
    for (int i = 0; i < 16; i++) {
        char *more = mem_printf("%s, {run: r}", yaml);
        free(yaml);
        yaml = more;
    }
    CLEANUP_FREE char *whole = mem_printf("%s]}\n", yaml);
    expect_errors(whole, "1:34: ladder: more than 16 rungs\n");
    free(yaml);
}
END_TEST

/* --- sets ------------------------------------------------------------------------------------- */

START_TEST(ones_own_come_first_and_replace_those_of_the_same_name)
{
    struct diag_list diags;
    struct policy_set *set = policy_set_new();
    size_t built_in = policy_set_count(set);
    CLEANUP_FREE char *last = mem_strdup(policy_set_at(set, built_in - 1)->name);
    ck_assert_uint_gt(built_in, 5);
    CLEANUP_FREE char *yaml = mem_printf("- {name: mine, when: connections.storm}\n"
                                         "- {name: %s, when: connections.storm, mode: off}\n"
                                         "- {name: second, when: connections.storm}\n",
                                         last);
    ck_assert(read_into(set, yaml, &diags));
    ck_assert_uint_eq(policy_set_count(set), built_in + 2);
    ck_assert_str_eq(policy_set_at(set, 0)->name, "mine");
    ck_assert_str_eq(policy_set_at(set, 1)->name, "second");
    ck_assert_str_eq(policy_set_at(set, built_in + 1)->name, last);
    ck_assert_int_eq(policy_set_at(set, built_in + 1)->mode, MODE_OFF);
    diag_free(&diags);
    policy_set_free(set);
}
END_TEST

START_TEST(a_set_shows_itself_as_json)
{
    struct policy_set *set = read_good("- name: a\n  when: connections.storm\n  for: 90s\n"
                                       "  ladder: [{run: clean, with: {idle: 5s}}]\n");
    CLEANUP_JSON json_t *shown = policy_set_json(set);
    CLEANUP_JSON json_t *expected = unit_json(
        "[{'name':'a','description':'','mode':'act','when':'connections.storm','for':'1m30s',"
        "'scheduled':false,'on_alert':null,'ladder':[{'run':'clean','with':{'idle':'5s'},"
        "'verify':null,'within':'1m00s'}],'cooldown':'5m00s','budget':'3 per 1h00m',"
        "'then':'notify'}]");
    CLEANUP_FREE char *line = json_line(shown);
    ck_assert_msg(json_equal(shown, expected), "%s", line);
    policy_set_free(set);
}
END_TEST

START_TEST(a_definition_has_a_fingerprint)
{
    struct policy_set *a = read_good("- {name: a, when: connections.storm}\n");
    struct policy_set *b = read_good("- {when: connections.storm,   name: a} # the same\n");
    struct policy_set *c = read_good("- {name: a, when: connections.storm, for: 1s}\n");
    struct policy_set *d = read_good("- {name: a, when: connections.storm}\n");
    ck_assert(policy_set_at(a, 0)->fingerprint == policy_set_at(d, 0)->fingerprint);
    ck_assert(policy_set_at(a, 0)->fingerprint != policy_set_at(c, 0)->fingerprint);
    policy_set_free(a);
    policy_set_free(b);
    policy_set_free(c);
    policy_set_free(d);
}
END_TEST

UNIT_MAIN("policy", everything_that_can_be_said_is_read, what_is_not_said_has_its_default,
          for_may_count_samples_whatever_the_order_of_the_keys, what_is_off_needs_nothing_else,
          all_errors_are_told_at_once_each_at_its_place, a_policy_that_makes_no_sense_is_refused,
          a_ladder_has_an_end, ones_own_come_first_and_replace_those_of_the_same_name,
          a_set_shows_itself_as_json, a_definition_has_a_fingerprint)
