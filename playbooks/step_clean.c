/* End leaked sessions, and tell who was ended and why. */
#include "playbooks/clean_rules.h"
#include "playbooks/run_private.h"

static void clean_free(struct action_run *a)
{
    clean_rules_free(a->work);
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
    int left = report->stayed + report->denied;
    json_t *detail = db_clean_report_json(report);
    if (left > 0)
        step_finish(a, detail, "ended %d, could not end %d; %d of %d connections used",
                    report->victims, left, report->used_after, slots);
    else
        step_finish(a, detail, "ended %d session%s; %d of %d connections used", report->victims,
                    report->victims == 1 ? "" : "s", report->used_after, slots);
}

static void clean_begin(struct action_run *a, struct db *db)
{
    const struct clean_rules *rules = a->work;
    step_says(a, "ending leaked sessions");
    step_begins(a, db_clean(db, &rules->rules, false, step_left_ms(a), on_cleaned, a));
}

static void clean_ready(struct action_run *a, const struct stack *stack)
{
    a->work = clean_rules_new(a->action->step, stack);
    step_with_database(a, clean_begin);
}

static void on_loaded(void *data, const struct err *e, struct stack *stack)
{
    struct action_run *a = data;
    if (!step_landed(a))
        return;
    if (e)
        step_fail(a, e);
    else
        clean_ready(a, stack);
}

static void clean_start(struct action_run *a)
{
    if (!clean_rules_want_stack(a->action->step)) {
        clean_ready(a, NULL);
        return;
    }
    step_begins(a, stack_load(runner_docker(a->run->runner), runner_selector(a->run->runner),
                              step_left_ms(a), on_loaded, a));
}

const struct step_class step_clean = {.start = clean_start, .free_work = clean_free};
