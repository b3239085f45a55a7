/* What the steps that ask the database share: knowing where it is, and not waiting for one that
 * cannot answer. See step_with_database in run_private.h. */
#include "playbooks/run_private.h"

enum { LOAD_MS = 5000, PROBE_MS = 3000 };

static void database_known(struct action_run *a);

static bool can_be_asked(const struct db_probe *probe)
{
    switch (probe->state) {
    case DB_READY:
    case DB_EXHAUSTED:   /* the lifeline's place is taken by a reserved slot or the back door */
    case DB_AUTH_FAILED: /* the back door may do */
        return true;
    default:
        return false;
    }
}

static void on_probed(void *data, const struct db_probe *probe)
{
    struct action_run *a = data;
    if (!step_landed(a))
        return;
    if (can_be_asked(probe))
        a->with_database(a, reach_db(runner_reach(a->run->runner)));
    else
        step_fail(a, &probe->why);
}

static void on_loaded(void *data, const struct err *e, struct stack *stack)
{
    struct action_run *a = data;
    struct err failure;
    if (!step_landed(a))
        return;
    if (!e && stack->database->container_count == 0) {
        err_set(&failure, ERR_NOT_FOUND, "the database has no container");
        e = &failure;
    } else if (!e && reach_aim(runner_reach(a->run->runner), stack->database->containers[0],
                               &failure) != 0) {
        e = &failure;
    }
    if (e)
        step_fail(a, e);
    else
        database_known(a);
}

static void database_known(struct action_run *a)
{
    struct db *db = reach_db(runner_reach(a->run->runner));
    if (!db)
        step_begins(a, stack_load(runner_docker(a->run->runner), runner_selector(a->run->runner),
                                  LOAD_MS, on_loaded, a));
    else if (db_lifeline_is_open(db))
        a->with_database(a, db);
    else
        step_begins(a, db_probe(db, PROBE_MS, on_probed, a));
}

void step_with_database(struct action_run *a, void (*then)(struct action_run *a, struct db *db))
{
    a->with_database = then;
    database_known(a);
}
