/* Evidence before anything is touched: the state of the database, who holds its connections (by
 * state, application, client and container), and the last log lines of every container.
 *
 * It asks everything at the same time and takes what has come when its time is over: evidence must
 * not hold up a recovery. */
#include "base/mem.h"
#include "playbooks/run_private.h"

enum { LOG_TAIL = 20, LOAD_MS = 5000, PROBE_MS = 3000, FIND_MS = 2000 };

struct capture_log {
    struct action_run *a;
    char *container;
};

struct capture_work {
    struct stack *stack;
    struct capture_log *logs; /* one a container that is asked */
    size_t log_count;
    int open; /* questions whose answer has not come */
    int logs_got;
    bool connections_got;
};

static void capture_free(struct action_run *a)
{
    struct capture_work *work = a->work;
    if (!work)
        return;
    for (size_t i = 0; i < work->log_count; i++)
        free(work->logs[i].container);
    free(work->logs);
    stack_unref(work->stack);
    free(work);
}

static void add_evidence(struct run *run, const char *what, json_t *detail)
{
    json_t *entry = json_object();
    json_set_text(entry, "type", "evidence");
    json_set_text(entry, "what", what);
    json_object_set_new(entry, "detail", detail);
    story_add(run, entry);
}

static void capture_close(struct action_run *a)
{
    const struct capture_work *work = a->work;
    step_finish(a, NULL, "%s, logs of %d container%s",
                work->connections_got ? "connections" : "no connections (see the notes)",
                work->logs_got, work->logs_got == 1 ? "" : "s");
}

/* One question is answered; true when the action is still on. */
static bool capture_landed(struct action_run *a)
{
    struct capture_work *work = a->work;
    work->open--;
    return step_landed(a);
}

static void capture_check(struct action_run *a)
{
    const struct capture_work *work = a->work;
    if (work->open == 0)
        capture_close(a);
}

/* --- logs ------------------------------------------------------------------------------------- */

static void on_logs(void *data, const struct err *e, const struct docker_log_line *lines,
                    size_t count)
{
    struct capture_log *log = data;
    struct action_run *a = log->a;
    struct capture_work *work = a->work;
    if (!capture_landed(a))
        return;
    json_t *detail = json_object();
    json_t *texts = json_array();
    for (size_t i = 0; !e && i < count; i++)
        json_array_append_new(texts, json_lossy_string(lines[i].text, lines[i].len));
    json_set_text(detail, "container", log->container);
    json_object_set_new(detail, "lines", texts);
    if (e)
        json_object_set_new(detail, "error", json_from_err(e));
    else
        work->logs_got++;
    add_evidence(a->run, "logs", detail);
    capture_check(a);
}

static void ask_logs(struct action_run *a, const struct container *c)
{
    struct capture_work *work = a->work;
    struct capture_log *log = &work->logs[work->log_count++];
    log->a = a;
    log->container = mem_strdup(c->name);
    work->open++;
    step_begins(a, docker_logs(runner_docker(a->run->runner), c->id, c->tty, LOG_TAIL, 0,
                               step_left_ms(a), on_logs, log));
}

/* --- connections ------------------------------------------------------------------------------ */

static void on_found(void *data, const struct holders *holders)
{
    struct action_run *a = data;
    struct capture_work *work = a->work;
    if (!capture_landed(a))
        return;
    work->connections_got = true;
    add_evidence(a->run, "connections", holders_json(holders));
    capture_check(a);
}

static void tell_before(json_t *world, const struct db_activity *activity)
{
    json_object_set_new(world, "connections", story_connections(activity));
    /* A superuser's probe gets in by a reserved slot where every app is refused. */
    if (activity->available <= 0)
        json_set_text(world, "database", db_state_name(DB_EXHAUSTED));
}

static void on_activity(void *data, const struct err *e, const struct db_activity *activity)
{
    struct action_run *a = data;
    struct capture_work *work = a->work;
    struct run *run = a->run;
    if (!capture_landed(a))
        return;
    if (e) {
        run_note(run, "evidence: %s", e->text);
        capture_check(a);
        return;
    }
    if (run->before)
        tell_before(run->before, activity);
    work->open++;
    step_begins(
        a, holders_find(runner_holders(run->runner), activity, work->stack, FIND_MS, on_found, a));
}

static void on_probed(void *data, const struct db_probe *probe)
{
    struct action_run *a = data;
    struct capture_work *work = a->work;
    if (!capture_landed(a))
        return;
    json_t *detail = json_object();
    json_set_text(detail, "state", db_state_name(probe->state));
    json_set_text(detail, "exhaustion",
                  probe->exhaustion ? db_exhaustion_name(probe->exhaustion) : NULL);
    if (err_is_set(&probe->why))
        json_object_set_new(detail, "error", json_from_err(&probe->why));
    add_evidence(a->run, "database", detail);
    if (a->run->before)
        json_set_text(a->run->before, "database", db_state_name(probe->state));
    /* A server that cannot be asked is not asked again. */
    if (probe->state == DB_READY || probe->state == DB_EXHAUSTED || probe->lifeline_open) {
        work->open++;
        step_begins(a, db_activity(reach_db(runner_reach(a->run->runner)), step_left_ms(a),
                                   on_activity, a));
    }
    capture_check(a);
}

static void ask_database(struct action_run *a)
{
    struct capture_work *work = a->work;
    struct err failure;
    if (run_aim(a->run, work->stack, &failure) != 0) {
        run_note(a->run, "evidence: %s", failure.text);
        return;
    }
    work->open++;
    step_begins(a, db_probe(reach_db(runner_reach(a->run->runner)), PROBE_MS, on_probed, a));
}

/* --- the whole -------------------------------------------------------------------------------- */

static size_t count_containers(const struct stack *stack)
{
    size_t count = 0;
    for (size_t s = 0; s < stack->service_count; s++)
        count += stack->services[s].container_count;
    return count;
}

static void on_loaded(void *data, const struct err *e, struct stack *stack)
{
    struct action_run *a = data;
    struct capture_work *work = a->work;
    if (!step_landed(a))
        return;
    if (e) {
        step_fail(a, e);
        return;
    }
    work->stack = stack_ref(stack);
    work->logs = mem_new(count_containers(stack) * sizeof *work->logs);
    ask_database(a);
    for (size_t s = 0; s < stack->service_count; s++)
        for (size_t i = 0; i < stack->services[s].container_count; i++)
            ask_logs(a, stack->services[s].containers[i]);
    capture_check(a);
}

static void capture_start(struct action_run *a)
{
    a->work = mem_new(sizeof(struct capture_work));
    step_says(a, "asking for connections and logs");
    step_begins(a, run_load_stack(a->run, LOAD_MS, on_loaded, a));
}

/* What has come is kept; what has not, is done without. */
static bool capture_deadline(struct action_run *a)
{
    capture_close(a);
    return true;
}

const struct step_class step_capture = {
    .start = capture_start, .on_deadline = capture_deadline, .free_work = capture_free};
