/* What the steps that ask the database share: knowing where it is, and not waiting for one that
 * cannot answer. See step_with_database in run_private.h. */
#include "base/mem.h"
#include "playbooks/run_private.h"

#include <string.h>

enum { LOAD_MS = 5000, PROBE_MS = 3000 };

static void database_known(struct action_run *a);
static void on_probed_again(void *data, const struct db_probe *probe);

static void no_database(struct action_run *a, const struct err *e)
{
    if (a->without_database)
        a->without_database(a, e);
    else
        step_fail(a, e);
}

bool step_is_turned_away(const struct db_probe *probe)
{
    static const char *const no_such_database = "3D000", *const takes_no_logins = "55000";
    return probe->state == DB_AUTH_FAILED || strcmp(probe->sqlstate, no_such_database) == 0 ||
           strcmp(probe->sqlstate, takes_no_logins) == 0;
}

/* Exhausted, there is still a reserved slot or the back door; turned away, the back door. */
static bool can_be_asked(const struct db_probe *probe)
{
    return probe->state == DB_READY || probe->state == DB_EXHAUSTED || step_is_turned_away(probe);
}

int run_aim(struct run *run, const struct stack *stack, struct err *e)
{
    struct reach *reach = runner_reach(run->runner);
    int status = stack->database->container_count > 0
                     ? reach_aim(reach, stack->database->containers[0], e)
                     : err_set(e, ERR_NOT_FOUND, "the database has no container");
    return reach_db(reach) ? 0 : status;
}

/* A container that came back may have come back elsewhere. */
static void on_looked_again(void *data, const struct err *e, struct stack *stack)
{
    struct action_run *a = data;
    struct reach *reach = runner_reach(a->run->runner);
    struct err failure;
    if (!step_landed(a))
        return;
    bool moved = !e && run_aim(a->run, stack, &failure) == 0 &&
                 strcmp(a->unreached_at, db_where(reach_db(reach))) != 0;
    if (moved)
        step_begins(a, db_probe(reach_db(reach), PROBE_MS, on_probed_again, a));
    else
        no_database(a, &a->unreached);
}

static bool with_database(struct action_run *a, const struct db_probe *probe)
{
    if (!can_be_asked(probe))
        return false;
    a->with_database(a, reach_db(runner_reach(a->run->runner)));
    return true;
}

static void on_probed_again(void *data, const struct db_probe *probe)
{
    struct action_run *a = data;
    if (step_landed(a) && !with_database(a, probe))
        no_database(a, &probe->why);
}

static void on_probed(void *data, const struct db_probe *probe)
{
    struct action_run *a = data;
    if (!step_landed(a) || with_database(a, probe))
        return;
    a->unreached = probe->why;
    mem_replace(&a->unreached_at, db_where(reach_db(runner_reach(a->run->runner))));
    step_begins(a, run_load_stack(a->run, LOAD_MS, on_looked_again, a));
}

static void on_loaded(void *data, const struct err *e, struct stack *stack)
{
    struct action_run *a = data;
    struct err failure;
    if (!step_landed(a))
        return;
    if (!e && run_aim(a->run, stack, &failure) != 0)
        e = &failure;
    if (e)
        no_database(a, e);
    else
        database_known(a);
}

static void database_known(struct action_run *a)
{
    struct db *db = reach_db(runner_reach(a->run->runner));
    if (!db)
        step_begins(a, run_load_stack(a->run, LOAD_MS, on_loaded, a));
    else if (db_lifeline_is_open(db))
        a->with_database(a, db);
    else
        step_begins(a, db_probe(db, PROBE_MS, on_probed, a));
}

void step_with_database(struct action_run *a, void (*then)(struct action_run *a, struct db *db))
{
    step_try_database(a, then, NULL);
}

void step_try_database(struct action_run *a, void (*then)(struct action_run *a, struct db *db),
                       void (*otherwise)(struct action_run *a, const struct err *e))
{
    a->with_database = then;
    a->without_database = otherwise;
    database_known(a);
}
