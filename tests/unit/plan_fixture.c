/* See plan_fixture.h. */
#include "tests/unit/plan_fixture.h"

#include "base/buf.h"
#include "tests/unit/unit.h"

/* --- stacks ----------------------------------------------------------------------------------- */

void put(struct project *p, const char *service, int number, const char *depends, const char *state,
         const char *config, const char *host)
{
    struct err e;
    CLEANUP_FREE char *text = mem_printf(
        "{'Id':'id-%s-%d','Name':'/%s_%d','State':{'Status':'%s','StartedAt':"
        "'2026-11-23T04:57:32.5Z'},'Config':{'Image':'%s','Labels':{"
        "'com.docker.compose.project':'shop','com.docker.compose.service':'%s',"
        "'com.docker.compose.container-number':'%d','com.docker.compose.depends_on':'%s'}%s},"
        "'HostConfig':{'NetworkMode':'shop_default'%s}}",
        service, number, service, number, state,
        strcmp(service, "db") == 0        ? "postgres:15"
        : strcmp(service, "bouncer") == 0 ? "edoburu/pgbouncer:1.18"
                                          : "app",
        service, number, depends, config, host);
    json_t *body = unit_json(text);
    p->containers[p->count] = container_from_json(body, &e);
    ck_assert_ptr_nonnull(p->containers[p->count++]);
    json_decref(body);
}

void put_database(struct project *p)
{
    put(p, "db", 1, "", "running", ",'StopSignal':'SIGINT'" CHECKED, "");
}

void put_app(struct project *p, const char *service, int number, const char *depends)
{
    put(p, service, number, depends, "running", CHECKED, "");
}

struct stack *build(struct project *p)
{
    struct stack *stack = NULL;
    struct err e;
    ck_assert_msg(stack_build("shop", p->containers, p->count, NULL, NULL, &stack, &e) == 0, "%s",
                  e.text);
    for (size_t i = 0; i < p->count; i++)
        container_unref(p->containers[i]);
    p->count = 0;
    return stack;
}

/* --- plans ------------------------------------------------------------------------------------ */

struct playbook *playbook(const char *text)
{
    struct diag_list diags;
    diag_init(&diags, "p.yaml", text);
    struct yaml_node *node = yaml_parse(text, strlen(text), &diags);
    struct playbook *read = node ? playbook_read("p", node, &diags) : NULL;
    ck_assert_msg(read != NULL, "%s", diags.count ? diags.items[0].text : "");
    yaml_node_free(node);
    diag_free(&diags);
    return read;
}

struct plan *try_plan(struct project *p, const char *text, struct err *e)
{
    struct stack *stack = build(p);
    struct playbook *source = playbook(text);
    struct plan *plan = NULL;
    err_clear(e);
    int status = plan_make(source, stack, &plan, e);
    ck_assert((status == 0) == (plan != NULL));
    ck_assert_int_eq(status, -(int)e->code);
    playbook_unref(source);
    stack_unref(stack);
    return plan;
}

struct plan *make_plan(struct project *p, const char *text)
{
    struct err e;
    struct plan *plan = try_plan(p, text, &e);
    ck_assert_msg(plan != NULL, "%s", e.text);
    return plan;
}

char *shape(const struct plan *plan)
{
    struct buf all;
    buf_init(&all, 1 << 16);
    for (size_t i = 0; i < plan->action_count; i++) {
        buf_printf(&all, "%s%s", plan->actions[i].id, plan->actions[i].after_count ? " <" : "");
        for (size_t k = 0; k < plan->action_count; k++)
            for (size_t n = 0; n < plan->actions[i].after_count; n++)
                if (plan->actions[i].after[n] == k)
                    buf_printf(&all, " %s", plan->actions[k].id);
        buf_puts(&all, "\n");
    }
    return buf_take(&all);
}

void assert_plan(struct project *p, const char *text, const char *expected)
{
    struct plan *plan = make_plan(p, text);
    CLEANUP_FREE char *found = shape(plan);
    ck_assert_str_eq(found, expected);
    plan_unref(plan);
}

const struct action *find(const struct plan *plan, const char *id)
{
    for (size_t i = 0; i < plan->action_count; i++)
        if (strcmp(plan->actions[i].id, id) == 0)
            return &plan->actions[i];
    ck_abort_msg("no action %s", id);
    return NULL;
}

bool has_note(const struct plan *plan, const char *words)
{
    for (size_t i = 0; i < plan->note_count; i++)
        if (strstr(plan->notes[i], words))
            return true;
    return false;
}

const char *skip_reason(const struct plan *plan, const char *container)
{
    for (size_t i = 0; i < plan->skip_count; i++)
        if (strcmp(plan->skipped[i].container, container) == 0)
            return plan->skipped[i].reason;
    return "";
}

/* --- through JSON ----------------------------------------------------------------------------- */

struct plan *through_json(const struct plan *plan)
{
    json_t *json = plan_json(plan);
    CLEANUP_FREE char *line = json_line(json);
    json_decref(json);
    json_t *stored = json_loads(line, 0, NULL);
    struct plan *back = NULL;
    struct err e;
    ck_assert_msg(plan_parse(stored, &back, &e) == 0, "%s", e.text);
    json_decref(stored);
    return back;
}

void assert_same_action(const struct action *a, const struct action *b)
{
    ck_assert_int_eq(a->kind, b->kind);
    ck_assert_pstr_eq(a->service, b->service);
    ck_assert_pstr_eq(a->container, b->container);
    ck_assert_pstr_eq(a->container_id, b->container_id);
    ck_assert_pstr_eq(a->signal, b->signal);
    ck_assert_int_eq(a->database, b->database);
    ck_assert_int_eq(a->timeout_ms, b->timeout_ms);
    ck_assert_int_eq(a->grace_s, b->grace_s);
    ck_assert_int_eq(a->goes_on, b->goes_on);
    ck_assert_int_eq(a->step->kind, b->step->kind);
    CLEANUP_FREE char *text = action_text(a);
    CLEANUP_FREE char *back = action_text(b);
    ck_assert_str_eq(text, back);
}
