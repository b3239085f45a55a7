/* See world.h. */
#include "world.h"

#include "base/clock.h"
#include "policies/derive.h"
#include "policies/moment.h"
#include "unit.h"

#include <math.h>

enum { TICK_MS = 1000, CALM_MS = 15000, PRESSED_MS = 2000, CHECK_MS = 5000, CHECKS_TO_FAIL = 3 };

static const double pressed_from = 0.5; /* of the usable slots: the watcher samples often */

/* --- telling the policies --------------------------------------------------------------------- */

static const char *full_name(const char *name, const char *of,
                             char out[static OBSERVATION_NAME_MAX])
{
    const char *ignored;
    size_t len;
    return observation_name(observation_find(name, strlen(name), &ignored, &len), of, out);
}

static void say(struct world *world, const char *name, const char *of, double value)
{
    char full[OBSERVATION_NAME_MAX];
    number(&world->fixture, world->now_ms, full_name(name, of, full), value);
}

static void say_word(struct world *world, const char *name, const char *of, const char *value)
{
    char full[OBSERVATION_NAME_MAX];
    word(&world->fixture, world->now_ms, full_name(name, of, full), value);
}

static void set_health(struct world *world, struct app *app, const char *health)
{
    if (app->health == health)
        return;
    app->health = health;
    say_word(world, "service.health", app->name, health);
}

/* --- slots ------------------------------------------------------------------------------------ */

int world_used(const struct world *world)
{
    int used = 0;
    for (int i = 0; i < world->usable; i++)
        used += world->slots[i].app >= 0;
    return used;
}

static bool reachable(const struct world *world)
{
    return strcmp(world->database, "ready") == 0;
}

static bool login(struct world *world, int app, bool leaked)
{
    if (!reachable(world))
        return false;
    for (int i = 0; i < world->usable; i++)
        if (world->slots[i].app < 0) {
            world->slots[i] = (struct session){
                app, leaked, leaked && world->apps[app].in_transaction, world->now_ms};
            return true;
        }
    world->refused++;
    world->refusals[world->refusal_count++ % ARRAY_SIZE(world->refusals)] = world->now_ms;
    return false;
}

static void end_sessions(struct world *world, int app)
{
    for (int i = 0; i < world->usable; i++)
        if (world->slots[i].app == app)
            world->slots[i].app = -1;
}

static int held(const struct world *world, int app, bool leaked)
{
    int count = 0;
    for (int i = 0; i < world->usable; i++)
        count += world->slots[i].app == app && world->slots[i].leaked == leaked;
    return count;
}

/* --- apps ------------------------------------------------------------------------------------- */

static void work(struct world *world, int place)
{
    struct app *app = &world->apps[place];
    if (app->down)
        return;
    for (int missing = app->busy - held(world, place, false); missing > 0; missing--)
        if (!login(world, place, false)) {
            app->broken = app->broken || (app->breaks && reachable(world));
            break;
        }
    app->owed += app->leaks * TICK_MS / SECOND_MS;
    while (app->owed >= 1) {
        bool may = held(world, place, true) < app->leaks_most;
        app->owed -= 1;
        if (may && !login(world, place, true))
            break;
    }
}

static void check_health(struct world *world, int place)
{
    struct app *app = &world->apps[place];
    if (app->down)
        return;
    bool fine =
        !app->unhealable && !app->broken && reachable(world) && world_used(world) < world->usable;
    app->failed_checks = fine ? 0 : app->failed_checks + 1;
    if (fine)
        set_health(world, app, "healthy");
    else if (app->failed_checks >= CHECKS_TO_FAIL)
        set_health(world, app, "unhealthy");
}

static void restart(struct world *world, int place)
{
    struct app *app = &world->apps[place];
    end_sessions(world, place);
    app->restarts++;
    app->broken = false;
    app->failed_checks = 0;
    app->owed = 0;
    if (app->cured_by_restart)
        app->leaks = 0;
}

/* --- sampling --------------------------------------------------------------------------------- */

static double rate(const struct world *world)
{
    int recent = 0;
    size_t count = world->refusal_count;
    for (size_t i = 0; i < count && i < ARRAY_SIZE(world->refusals); i++)
        recent += world->now_ms - world->refusals[i] < RATE_SPAN_MS;
    return recent * 2.0;
}

struct held {
    double sessions, idle, in_transaction, leaked, oldest_ms, oldest_idle_ms, oldest_transaction_ms;
};

static struct held count_held(const struct world *world, int app)
{
    struct held held = {0};
    for (int i = 0; i < world->usable; i++) {
        const struct session *session = &world->slots[i];
        if (session->app < 0 || (app >= 0 && session->app != app))
            continue;
        double age = (double)(world->now_ms - session->since_ms);
        held.sessions++;
        if (!session->leaked)
            continue;
        held.idle += !session->in_transaction;
        held.in_transaction += session->in_transaction;
        held.leaked += age >= 10 * SECOND_MS;
        held.oldest_ms = fmax(held.oldest_ms, age);
        double *oldest =
            session->in_transaction ? &held.oldest_transaction_ms : &held.oldest_idle_ms;
        *oldest = fmax(*oldest, age);
    }
    return held;
}

static void sample_sessions(struct world *world)
{
    struct held all = count_held(world, -1);
    say(world, "connections.usable", NULL, world->usable);
    say(world, "connections.used", NULL, all.sessions);
    say(world, "connections.idle", NULL, all.idle);
    say(world, "connections.idle_in_transaction", NULL, all.in_transaction);
    say(world, "connections.longest_idle", NULL, all.oldest_idle_ms);
    say(world, "connections.longest_idle_in_transaction", NULL, all.oldest_transaction_ms);
    for (int i = 0; i < world->app_count; i++) {
        const char *name = world->apps[i].name;
        struct held held = count_held(world, i);
        say(world, "container.connections", name, held.sessions);
        say(world, "container.idle", name, held.idle);
        say(world, "container.idle_in_transaction", name, held.in_transaction);
        say(world, "container.oldest_idle", name, held.oldest_ms);
        say(world, "container.leaked", name, held.leaked);
    }
}

static void sample(struct world *world)
{
    bool ready = reachable(world);
    bool full = ready && world_used(world) >= world->usable;
    say_word(world, "database.state", NULL, full ? "exhausted" : world->database);
    say_word(world, "database.exhaustion", NULL, full ? "reserved" : "none");
    if (ready)
        sample_sessions(world); /* the lifeline sees them though it is full */
    if (world->logs)
        say(world, "log.rate", "too-many-clients", rate(world));
    double used = (double)world_used(world) / world->usable;
    world->sample_ms = world->now_ms + (!ready || used > pressed_from ? PRESSED_MS : CALM_MS);
}

/* --- runs ------------------------------------------------------------------------------------- */

static bool named(const char *names, const char *name)
{
    size_t len = strlen(name);
    for (const char *at = names; at && *at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
        if (strncmp(at, name, len) == 0 && (at[len] == ',' || at[len] == '\0'))
            return true;
    return false;
}

static void clean(struct world *world)
{
    int64_t idle_ms;
    int64_t transaction_ms;
    const char *only = json_text_at(world->params, "containers", NULL);
    ck_assert(duration_parse(json_text_at(world->params, "idle", "60s"), &idle_ms));
    ck_assert(
        duration_parse(json_text_at(world->params, "idle_in_transaction", "60s"), &transaction_ms));
    for (int i = 0; i < world->usable; i++) {
        struct session *session = &world->slots[i];
        if (session->app < 0 || !session->leaked ||
            (only && !named(only, world->apps[session->app].name)))
            continue;
        int64_t limit_ms = session->in_transaction ? transaction_ms : idle_ms;
        if (world->now_ms - session->since_ms > limit_ms)
            session->app = -1;
    }
}

static bool concerned(const struct world *world, int place)
{
    const char *name = world->apps[place].name;
    if (strcmp(world->playbook, "recover") == 0)
        return true;
    return named(json_text_at(world->params, "containers", ""), name) ||
           named(json_text_at(world->params, "services", ""), name);
}

/* What the playbook does at its beginning … */
static void run_acts(struct world *world)
{
    if (strcmp(world->playbook, "clean") == 0) {
        clean(world);
        return;
    }
    for (int i = 0; i < world->app_count; i++) {
        if (!concerned(world, i))
            continue;
        restart(world, i);
        world->apps[i].down = true;
        set_health(world, &world->apps[i], "starting");
    }
    if (strcmp(world->playbook, "recover") == 0) {
        world->recoveries++;
        world->database = "ready";
        for (int i = 0; i < world->usable; i++)
            world->slots[i].app = -1;
    }
}

/* … and at its end. */
static void run_lands(struct world *world)
{
    world->run_ends_ms = 0;
    json_decref(world->params);
    world->params = NULL;
    world->sample_ms = world->now_ms;
    for (int i = 0; i < world->app_count; i++)
        world->apps[i].down = false;
    ended(&world->fixture, world->now_ms, "done");
}

/* Finds the decision of the run that the engine says is under way. */
static void look_for_run(struct world *world)
{
    const struct decide *engine = replay_engine(world->fixture.replay);
    if (world->run_ends_ms || decide_running(engine) == 0)
        return;
    CLEANUP_JSON json_t *history = decide_history(engine, 64);
    const json_t *decision;
    size_t i;
    json_array_foreach(history, i, decision)
    {
        if (json_int_at(decision, "id", 0) != decide_running(engine))
            continue;
        snprintf(world->playbook, sizeof world->playbook, "%s",
                 json_text_at(decision, "playbook", ""));
        world->params = json_deep_copy(json_object_get(decision, "params"));
    }
    bool gentle = strcmp(world->playbook, "clean") == 0;
    bool whole = strcmp(world->playbook, "recover") == 0;
    world->runs++;
    world->run_began_ms = world->now_ms;
    world->run_ends_ms = world->now_ms + (gentle ? 1000 : whole ? 12000 : 5000);
}

/* --- time ------------------------------------------------------------------------------------- */

static void tick(struct world *world)
{
    look_for_run(world);
    if (world->run_ends_ms && world->now_ms == world->run_began_ms + TICK_MS)
        run_acts(world);
    if (world->run_ends_ms && world->now_ms >= world->run_ends_ms)
        run_lands(world);
    for (int i = 0; i < world->app_count; i++)
        work(world, i);
    if (world->now_ms % CHECK_MS == 0)
        for (int i = 0; i < world->app_count; i++)
            check_health(world, i);
    if (!world->run_ends_ms && world->now_ms >= world->sample_ms)
        sample(world);
    until(&world->fixture, world->now_ms);
}

void world_run(struct world *world, int64_t until_ms)
{
    for (; world->now_ms < until_ms; world->now_ms += TICK_MS)
        tick(world);
}

void world_begin(struct world *world, int usable)
{
    struct replay_options options = {.decide.recoveries = DECIDE_RECOVERIES_DEFAULT};
    *world = (struct world){.usable = usable, .database = "ready", .logs = true};
    for (int i = 0; i < WORLD_SLOTS_MAX; i++)
        world->slots[i].app = -1;
    fixture_begin_with(&world->fixture, policy_set_new(), &options, 12 * (int64_t)HOUR_MS);
}

void world_end(struct world *world)
{
    json_decref(world->params);
    fixture_end(&world->fixture);
}

struct app *world_app(struct world *world, struct app app)
{
    struct app *place = &world->apps[world->app_count++];
    *place = app;
    place->health = "";
    return place;
}

const char *world_log(const struct world *world)
{
    return buf_text(&world->fixture.log);
}

int world_times(const struct world *world, const char *part)
{
    int times = 0;
    for (const char *at = world_log(world); (at = strstr(at, part)); at++)
        times++;
    return times;
}
