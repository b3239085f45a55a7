/* supervisorctl recover: show the plan, ask, run it, watch it. */
#include "base/mem.h"
#include "supervisorctl/backend.h"
#include "supervisorctl/ctl.h"
#include "supervisorctl/follow.h"
#include "supervisorctl/render_plan.h"
#include "supervisorctl/story.h"

#include <inttypes.h>
#include <string.h>

static const char *playbook_of(const struct ctl *ctl)
{
    return ctl->options->arg_count ? ctl->options->args[0] : "recover";
}

static void add_names(json_t *options, const char *key, const struct ctl_names *names)
{
    if (names->count == 0)
        return;
    json_t *list = json_array();
    for (size_t i = 0; i < names->count; i++)
        json_array_append_new(list, json_lossy_string(names->items[i], strlen(names->items[i])));
    json_object_set_new(options, key, list);
}

/* Whom the playbook's `selected` means; NULL when nobody was named. The caller owns it. */
static json_t *options_of(const struct ctl *ctl)
{
    json_t *options = json_object();
    add_names(options, "containers", &ctl->options->containers);
    add_names(options, "services", &ctl->options->services);
    if (json_object_size(options) > 0)
        return options;
    json_decref(options);
    return NULL;
}

/* A name that no playbook bears is a slip of the command line, like any other unknown name. The
 * supervisor's answer alone does not tell: it finds no stack by the same code. */
static int code_of(struct ctl *ctl, int code, const struct err *e)
{
    struct err ignored;
    struct question question = {.ask = ASK_PLAYBOOKS};
    CLEANUP_JSON json_t *answer = NULL;
    const json_t *playbook;
    size_t i;
    if (code == 0 || e->code != ERR_NOT_FOUND ||
        backend_ask(ctl->backend, &question, &answer, &ignored) != 0)
        return code;
    json_array_foreach(json_at(answer, "playbooks"), i, playbook)
    {
        if (strcmp(json_text_at(playbook, "name", ""), playbook_of(ctl)) == 0)
            return code;
    }
    return WIRE_EXIT_USAGE;
}

static int ask_plan(struct ctl *ctl, json_t **ret, struct err *e)
{
    CLEANUP_JSON json_t *options = options_of(ctl);
    struct question question = {.ask = ASK_PLAN, .playbook = playbook_of(ctl), .body = options};
    return code_of(ctl, backend_ask(ctl->backend, &question, ret, e), e);
}

static int show_plan(struct ctl *ctl)
{
    struct err e;
    CLEANUP_JSON json_t *plan = NULL;
    int code = ask_plan(ctl, &plan, &e);
    if (code)
        return ctl_fail(ctl, code, &e);
    if (ctl->options->json)
        return ctl_print_json(ctl, WIRE_EXIT_DONE, plan);
    render_plan(ctl->out, &ctl->style, plan);
    return WIRE_EXIT_DONE;
}

/* plan_id NULL: whatever the plan is by then. */
static int start(struct ctl *ctl, const char *plan_id, json_t **ret_reply, struct err *e)
{
    CLEANUP_JSON json_t *request = json_object();
    json_set_text(request, "playbook", playbook_of(ctl));
    json_set_text(request, "trigger", "command");
    if (plan_id)
        json_set_text(request, "plan_id", plan_id);
    json_t *options = options_of(ctl);
    if (options)
        json_object_set_new(request, "options", options);
    return code_of(ctl, ctl_start(ctl, request, ret_reply, e), e);
}

static int run_at_once(struct ctl *ctl)
{
    struct err e;
    CLEANUP_JSON json_t *reply = NULL;
    int code = start(ctl, NULL, &reply, &e);
    return code ? ctl_fail(ctl, code, &e) : ctl_go_on_from(ctl, reply, NULL);
}

/* Whether a refusal means that the stack has another plan by now; *plan is that one then. */
static bool plan_has_changed(struct ctl *ctl, const struct err *refusal, json_t **plan)
{
    struct err ignored;
    json_t *now;
    if (refusal->code != ERR_REFUSED && refusal->code != ERR_CONFLICT)
        return false;
    if (ask_plan(ctl, &now, &ignored) != 0)
        return false;
    bool changed = strcmp(json_text_at(now, "id", ""), json_text_at(*plan, "id", "")) != 0;
    if (changed) {
        json_decref(*plan);
        *plan = now;
    } else {
        json_decref(now);
    }
    return changed;
}

/* Asks until the plan that was shown is the plan that runs. */
static int ask_and_run(struct ctl *ctl)
{
    struct err e;
    CLEANUP_JSON json_t *plan = NULL;
    int code = ask_plan(ctl, &plan, &e);
    if (code)
        return ctl_fail(ctl, code, &e);
    for (;;) {
        CLEANUP_JSON json_t *reply = NULL;
        render_plan(ctl->out, &ctl->style, plan);
        if (!ctl_confirm(ctl, "Run this plan?")) {
            ctl_say(ctl, "nothing was done");
            return WIRE_EXIT_FAILED;
        }
        code = start(ctl, json_text_at(plan, "id", NULL), &reply, &e);
        if (!code)
            return ctl_go_on_from(ctl, reply, NULL);
        if (!plan_has_changed(ctl, &e, &plan))
            return ctl_fail(ctl, code, &e);
        ctl_say(ctl, "the stack has changed meanwhile; this is its plan now:");
    }
}

static int join(struct ctl *ctl, const json_t *summary)
{
    int64_t run = json_int_at(summary, "run", 0);
    ctl_say(ctl, "run %" PRId64 " (%s) %s, started by %s", run,
            json_text_at(summary, "playbook", "?"),
            story_is_interrupted(summary) ? "was interrupted, and is carried on" : "is under way",
            json_text_at(summary, "requester", "nobody known"));
    return ctl_watch(ctl, run, NULL, NULL);
}

int ctl_recover(struct ctl *ctl)
{
    struct err e;
    CLEANUP_JSON json_t *present = NULL;
    if (ctl->options->plan)
        return show_plan(ctl);
    if (!ctl->interactive || ctl->options->yes)
        return run_at_once(ctl);
    /* A plan of a stack that is being recovered is of no use to anybody: the request would join
     * the run, or be refused because of it. */
    int code = ctl_present_run(ctl, &present, &e);
    if (code)
        return ctl_fail(ctl, code, &e);
    bool same = present && strcmp(json_text_at(present, "playbook", ""), playbook_of(ctl)) == 0;
    if (same && !ctl->options->detach)
        return join(ctl, present);
    return present ? run_at_once(ctl) : ask_and_run(ctl);
}
