/* See policies_fixture.h. */
#include "policies_fixture.h"

#include "unit.h"

#include <inttypes.h>

struct policy_set *policies_of(const char *yaml)
{
    struct diag_list diags;
    struct policy_set *set = policy_set_empty();
    diag_init(&diags, "policies.yaml", yaml);
    struct yaml_node *root = yaml_parse(yaml, strlen(yaml), &diags);
    bool fine = root && policy_set_read(set, root, &diags);
    CLEANUP_FREE char *shown = diag_format(&diags);
    ck_assert_msg(fine, "%s", shown);
    yaml_node_free(root);
    diag_free(&diags);
    return set;
}

static void on_decision(void *data, const struct decision *decision, const struct moment *now)
{
    struct fixture *fixture = data;
    if (decision->params) {
        json_decref(fixture->params);
        fixture->params = json_deep_copy(decision->params);
    }
    if (decision->kind == DECISION_ASK)
        fixture->last_asked = decision->id;
    if (decision->kind == DECISION_QUIET && !fixture->quiet)
        return;
    fixture->question = decision->question;
    if (fixture->values) {
        buf_printf(&fixture->log, "%" PRId64 " %s\n", now->mono_ms, decision->sentence);
        return;
    }
    buf_printf(&fixture->log, "%" PRId64 " %s %s", now->mono_ms, decision_kind_name(decision->kind),
               decision->policy);
    if (decision->kind == DECISION_RUN || decision->kind == DECISION_ASK ||
        decision->kind == DECISION_WOULD)
        buf_printf(&fixture->log, " %s %d/%d", decision->playbook, decision->rung, decision->rungs);
    if (decision->kind == DECISION_REFUSED)
        buf_printf(&fixture->log, " %s", refusal_name(decision->refusal));
    buf_puts(&fixture->log, decision->notify ? " !\n" : "\n");
}

void fixture_begin_with(struct fixture *fixture, struct policy_set *policies,
                        const struct replay_options *options, int64_t local_ms)
{
    static const struct replay_options none = {.run_ms = 0};
    *fixture = (struct fixture){.policies = policies};
    buf_init(&fixture->log, 1 << 20);
    fixture->replay =
        replay_new(fixture->policies, options ? options : &none, on_decision, fixture);
    struct trace_event start = {.kind = TRACE_START, .span_ms = local_ms};
    ck_assert_int_eq(replay_event(fixture->replay, &start, NULL), 0);
}

void fixture_begin(struct fixture *fixture, const char *yaml, const struct replay_options *options)
{
    fixture_begin_with(fixture, policies_of(yaml), options, 0);
}

void fixture_end(struct fixture *fixture)
{
    replay_free(fixture->replay);
    policy_set_free(fixture->policies);
    json_decref(fixture->params);
    buf_free(&fixture->log);
}

static void feed(struct fixture *fixture, const struct trace_event *event)
{
    struct err e;
    ck_assert_msg(replay_event(fixture->replay, event, &e) == 0, "%s", e.text);
}

void tell(struct fixture *fixture, const char *event)
{
    struct err e;
    CLEANUP_JSON json_t *json = unit_json(event);
    CLEANUP_FREE char *line = json_line(json);
    ck_assert_msg(replay_text(fixture->replay, line, strlen(line), &e) == 0, "%s", e.text);
}

void number(struct fixture *fixture, int64_t at_ms, const char *name, double value)
{
    feed(fixture, &(struct trace_event){
                      .at_ms = at_ms, .kind = TRACE_OBSERVE, .name = name, .number = value});
}

void word(struct fixture *fixture, int64_t at_ms, const char *name, const char *value)
{
    feed(fixture,
         &(struct trace_event){.at_ms = at_ms, .kind = TRACE_OBSERVE, .name = name, .word = value});
}

void ended(struct fixture *fixture, int64_t at_ms, const char *outcome)
{
    CLEANUP_FREE char *event = mem_printf("{'at':%" PRId64 ",'run':'%s'}", at_ms, outcome);
    tell(fixture, event);
}

void until(struct fixture *fixture, int64_t at_ms)
{
    feed(fixture, &(struct trace_event){.at_ms = at_ms, .kind = TRACE_STEP});
}

void hold(struct fixture *fixture, int64_t from_ms, int64_t to_ms, double utilization)
{
    for (int64_t at_ms = from_ms; at_ms <= to_ms; at_ms += 2000) {
        number(fixture, at_ms, "connections.utilization", utilization);
        replay_finish(fixture->replay);
    }
}

void expect(struct fixture *fixture, const char *lines)
{
    replay_finish(fixture->replay);
    ck_assert_str_eq(buf_text(&fixture->log), lines);
    buf_reset(&fixture->log);
}

void expect_has(struct fixture *fixture, const char *part)
{
    replay_finish(fixture->replay);
    unit_assert_has(buf_text(&fixture->log), part);
}
