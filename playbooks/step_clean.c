/* End leaked sessions, and tell who was ended and why. */
#include "base/mem.h"
#include "playbooks/run_private.h"

#include <string.h>

/* The rules of a step for the stack as it is. Addresses of containers are looked up when the step
 * names some. */
struct clean_work {
    char **clients; /* NULL-terminated; the step's own and the containers' */
    size_t client_count;
};

static void clean_free(struct action_run *a)
{
    struct clean_work *work = a->work;
    for (size_t i = 0; work && i < work->client_count; i++)
        free(work->clients[i]);
    if (work)
        free(work->clients);
    free(work);
}

static bool step_names(const struct step *step, const struct container *c)
{
    for (size_t i = 0; step->containers[i]; i++)
        if (strcmp(step->containers[i], c->name) == 0 ||
            strcmp(step->containers[i], c->service) == 0)
            return true;
    return false;
}

static void add_client(struct clean_work *work, const char *client)
{
    *MEM_PUSH(work->clients, work->client_count) = mem_strdup(client);
}

static void on_cleaned(void *data, const struct err *e, const struct db_clean_report *report)
{
    struct action_run *a = data;
    if (!step_landed(a))
        return;
    if (e) {
        step_fail(a, e);
        return;
    }
    if (err_is_set(&report->hint))
        run_note(a->run, "%s; %s", report->hint.text, report->hint.hint);
    int slots = report->activity->max_connections - report->activity->reserved;
    json_t *detail = db_clean_report_json(report);
    if (report->stayed + report->denied > 0)
        step_finish(a, detail, "ended %d, could not end %d; %d of %d connections used",
                    report->victims, report->stayed + report->denied, report->used_after, slots);
    else
        step_finish(a, detail, "ended %d session%s; %d of %d connections used", report->victims,
                    report->victims == 1 ? "" : "s", report->used_after, slots);
}

static void clean_begin(struct action_run *a)
{
    const struct step *step = a->action->step;
    struct clean_work *work = a->work;
    struct db *db = reach_db(runner_reach(a->run->runner));
    if (!db) {
        struct err e;
        err_set(&e, ERR_UNREACHABLE, "clean: the database's address is not known");
        step_fail(a, &e);
        return;
    }
    bool narrowed = step->clients || step->containers;
    if (narrowed) {
        size_t count = work->client_count;
        *MEM_PUSH(work->clients, count) = NULL;
    }
    const struct db_clean_rules rules = {
        .idle_ms = step->idle_ms,
        .idle_in_transaction_ms = step->idle_in_transaction_ms,
        .applications = (const char *const *)step->applications,
        .roles = (const char *const *)step->roles,
        .databases = (const char *const *)step->databases,
        .clients = narrowed ? (const char *const *)work->clients : NULL,
        .protect = (const char *const *)step->protect,
        .superusers = step->superusers,
        .all = step->all_sessions,
    };
    step_says(a, "ending leaked sessions");
    step_begins(a, db_clean(db, &rules, false, step_left_ms(a), on_cleaned, a));
}

static void on_loaded(void *data, const struct err *e, struct stack *stack)
{
    struct action_run *a = data;
    if (!step_landed(a))
        return;
    if (e) {
        step_fail(a, e);
        return;
    }
    for (size_t s = 0; s < stack->service_count; s++)
        for (size_t i = 0; i < stack->services[s].container_count; i++) {
            const struct container *c = stack->services[s].containers[i];
            for (size_t n = 0; step_names(a->action->step, c) && n < c->network_count; n++)
                if (*c->networks[n].address)
                    add_client(a->work, c->networks[n].address);
        }
    clean_begin(a);
}

static void clean_start(struct action_run *a)
{
    const struct step *step = a->action->step;
    struct clean_work *work = mem_new(sizeof *work);
    a->work = work;
    for (size_t i = 0; step->clients && step->clients[i]; i++)
        add_client(work, step->clients[i]);
    if (!step->containers) {
        clean_begin(a);
        return;
    }
    step_begins(a, stack_load(runner_docker(a->run->runner), runner_selector(a->run->runner),
                              step_left_ms(a), on_loaded, a));
}

const struct step_class step_clean = {.start = clean_start, .free_work = clean_free};
