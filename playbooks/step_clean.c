/* End leaked sessions, and tell who was ended and why. */
#include "base/fault_point.h"
#include "base/log.h"
#include "base/mem.h"
#include "playbooks/clean_rules.h"
#include "playbooks/run_private.h"

enum { FIND_MS = 2000 };

struct clean_work {
    struct stack *stack; /* to tell whose sessions they are; or NULL */
    struct clean_rules *rules;
};

static void clean_free(struct action_run *a)
{
    struct clean_work *work = a->work;
    if (!work)
        return;
    clean_rules_free(work->rules);
    stack_unref(work->stack);
    free(work);
}

/* No result of the action will say whom it has ended: the run was aborted, the daemon ends, or the
 * way in was taken. */
static void tell_unfinished(struct action_run *a, const struct db_clean_report *report)
{
    if (!report || report->victims + report->stayed == 0)
        return;
    CLEANUP_FREE char *text = mem_printf(
        "%s did not come to its end; it had ended %d session%s, and asked %d more to end",
        a->action->id, report->victims, report->victims == 1 ? "" : "s", report->stayed);
    log_warning("run %lld: %s", (long long)a->run->id, text);
    story_keep_then(a, text, db_clean_report_json(report), NULL);
}

static void on_cleaned(void *data, const struct err *e, const struct db_clean_report *report)
{
    struct action_run *a = data;
    FAULT_POINT("postgres.cleaned");
    bool is_alive = step_landed(a);
    if (e || !is_alive) {
        tell_unfinished(a, report);
        if (is_alive)
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

/* It tells who stayed when its own time is over, which must be before ours. */
static int64_t clean_ms(const struct action_run *a)
{
    enum { REPORT_MS = 500 };
    int64_t left_ms = step_left_ms(a);
    return left_ms / 2 > REPORT_MS ? left_ms - REPORT_MS : left_ms;
}

static void clean_begin(struct action_run *a, struct db *db)
{
    const struct clean_work *work = a->work;
    step_says(a, "ending leaked sessions");
    FAULT_POINT("postgres.clean");
    step_begins(a, db_clean(db, &work->rules->rules, false, clean_ms(a), on_cleaned, a));
}

/* --- by container: whose sessions are they? --------------------------------------------------- */

static void on_found(void *data, const struct holders *holders)
{
    struct action_run *a = data;
    struct clean_work *work = a->work;
    if (!step_landed(a))
        return;
    work->rules = clean_rules_new(a->action->step, holders);
    if (work->rules->unknown > 0)
        run_note(a->run, "sessions left alone because nobody knows who holds them: %zu",
                 work->rules->unknown);
    step_with_database(a, clean_begin);
}

static void on_activity(void *data, const struct err *e, const struct db_activity *activity)
{
    struct action_run *a = data;
    const struct clean_work *work = a->work;
    if (!step_landed(a))
        return;
    if (e)
        step_fail(a, e);
    else
        step_begins(a, holders_find(runner_holders(a->run->runner), activity, work->stack, FIND_MS,
                                    on_found, a));
}

static void clean_look(struct action_run *a, struct db *db)
{
    step_says(a, "looking whose sessions they are");
    step_begins(a, db_activity(db, step_left_ms(a), on_activity, a));
}

static void on_loaded(void *data, const struct err *e, struct stack *stack)
{
    struct action_run *a = data;
    struct clean_work *work = a->work;
    if (!step_landed(a))
        return;
    if (e) {
        step_fail(a, e);
        return;
    }
    work->stack = stack_ref(stack);
    step_with_database(a, clean_look);
}

/* --- the whole -------------------------------------------------------------------------------- */

static void clean_start(struct action_run *a)
{
    struct clean_work *work = mem_new(sizeof *work);
    a->work = work;
    if (clean_rules_want_holders(a->action->step)) {
        step_begins(a, run_load_stack(a->run, step_left_ms(a), on_loaded, a));
        return;
    }
    work->rules = clean_rules_new(a->action->step, NULL);
    step_with_database(a, clean_begin);
}

const struct step_class step_clean = {.start = clean_start, .free_work = clean_free};
