/* The gate before a start: free slots for whom is about to connect, so that a stack that comes back
 * does not fill the server by everybody's reconnecting at once.
 *
 * It is shut while fewer slots are free than the step asks for. It opens all the same when nobody
 * has taken a slot for a moment (those who came are in: waiting brings nothing), when its time is
 * over, when the server cannot be asked, and when the run is winding up or the daemon ends. */
#include "base/mem.h"
#include "playbooks/run_private.h"

#include <limits.h>

enum {
    LOOK_MS = 3000,
    AGAIN_MAX_MS = 200,
    CALM_MS = 2000, /* no slot taken for so long: everybody is in */
    GATE_MS = 30000,
    START_MS = 60000, /* what is left for the start itself */
    WANTED_UNKNOWN = INT_MAX,
};

struct gate {
    loop_fn let;
    int64_t until_ms;
    int64_t calm_since_ms;
    int least_free; /* fewer than ever: slots are still being taken */
};

static void gate_look(void *data);

static void gate_open(struct action_run *a)
{
    loop_fn let = a->gate->let;
    free(a->gate);
    a->gate = NULL;
    step_calm(a);
    step_extend(a, START_MS);
    let(a);
}

static int slots_wanted(const struct step *step, const struct db_activity *activity)
{
    int usable = activity->max_connections - activity->reserved;
    return step->gate_slots >= 0 ? step->gate_slots : (int)(step->gate_share * usable + 0.5);
}

static void gate_wait(struct action_run *a, int free_slots, int wanted)
{
    struct gate *gate = a->gate;
    int64_t now = loop_now(a->run->loop);
    if (free_slots < gate->least_free) {
        gate->least_free = free_slots;
        gate->calm_since_ms = now;
    }
    if (now >= gate->until_ms || now - gate->calm_since_ms >= CALM_MS) {
        const char *why = now >= gate->until_ms ? "they did not become free in time"
                                                : "nobody else is connecting";
        if (wanted == WANTED_UNKNOWN)
            run_note(a->run, "%s is started with no free slots: %s", a->action->container, why);
        else
            run_note(a->run, "%s is started with %d free slots, not %d: %s", a->action->container,
                     free_slots, wanted, why);
        gate_open(a);
        return;
    }
    if (wanted == WANTED_UNKNOWN)
        step_says(a, "no slot is free; waiting");
    else
        step_says(a, "%d of %d slots are free; waiting", free_slots, wanted);
    step_again(a, gate_look, AGAIN_MAX_MS);
}

static void on_activity(void *data, const struct err *e, const struct db_activity *activity)
{
    struct action_run *a = data;
    if (!step_landed(a))
        return;
    /* A full server tells nothing, not even how many there are, when there is no way in. */
    int wanted = e ? WANTED_UNKNOWN : slots_wanted(a->action->step, activity);
    int free_slots = e ? 0 : activity->available;
    bool hurries = a->run->winding || a->run->draining;
    if ((e && e->code != ERR_EXHAUSTED) || free_slots >= wanted || hurries)
        gate_open(a);
    else
        gate_wait(a, free_slots, wanted);
}

static void gate_ask(struct action_run *a, struct db *db)
{
    step_begins(a, db_activity(db, LOOK_MS, on_activity, a));
}

static void gate_cannot_ask(struct action_run *a, const struct err *e)
{
    run_note(a->run, "%s is started without a look at the free slots: %s", a->action->container,
             e->text);
    gate_open(a);
}

static void gate_look(void *data)
{
    struct action_run *a = data;
    struct db *db = reach_db(runner_reach(a->run->runner));
    if (db)
        gate_ask(a, db);
    else /* a run that is carried on: it is to be found first */
        step_try_database(a, gate_ask, gate_cannot_ask);
}

void step_pass_gate(struct action_run *a, loop_fn let)
{
    const struct step *step = a->action->step;
    if ((step->gate_share < 0 && step->gate_slots < 0) || a->action->database || a->run->winding) {
        let(a);
        return;
    }
    struct gate *gate = mem_new(sizeof *gate);
    int64_t now = loop_now(a->run->loop);
    *gate = (struct gate){
        .let = let, .until_ms = now + GATE_MS, .calm_since_ms = now, .least_free = INT_MAX};
    a->gate = gate;
    step_extend(a, GATE_MS + START_MS);
    gate_look(a);
}
