/* See lookout.h. */
#include "supervisor/lookout.h"

#include "base/log.h"
#include "base/mem.h"
#include "watch/containers.h"
#include "watch/database.h"
#include "watch/logs.h"
#include "watch/pooler.h"

#include <string.h>

#define BY_HAND_KEY "watch/stopped-by-hand"

enum { SAVE_AFTER_MS = 1000 };

struct lookout {
    struct lookout_options options;
    struct stack *stack;                 /* the newest model, or NULL */
    struct watch_containers *containers; /* all NULL until what was remembered is there */
    struct watch_database *database;
    struct first_answer first; /* of that, also behind a reload */
    struct watch_logs *logs;
    struct watch_pooler *pooler;
    struct watch_checks *checks; /* NULL also where none are configured */
    struct timer *save;          /* what was stopped by hand may have changed */
    json_t *saved;               /* as it was written last, or NULL */
    bool recalling;
    bool is_lost; /* the Engine is out of reach */
    bool ended;   /* freed when the journal has answered */
};

/* --- what the watchers ask -------------------------------------------------------------------- */

static bool is_ours(void *data, const char *container)
{
    const struct lookout *lookout = data;
    return runner_works_on(lookout->options.runner, container);
}

static struct db *the_database(void *data)
{
    const struct lookout *lookout = data;
    return reach_db(lookout->options.reach);
}

static const struct container *database_container(const struct lookout *lookout)
{
    const struct stack *stack = lookout->stack;
    bool known = stack && stack->database && stack->database->container_count > 0;
    return known ? stack->database->containers[0] : NULL;
}

static bool database_is_stopped_by_hand(void *data)
{
    const struct lookout *lookout = data;
    const struct container *c = database_container(lookout);
    return c && watch_containers_stopped_by_hand(lookout->containers, c->name);
}

/* A run has the database for itself: it asks it what it needs, and what it does to it is not to be
 * taken for trouble. */
static bool is_run_under_way(void *data)
{
    const struct lookout *lookout = data;
    return runner_present(lookout->options.runner) != 0;
}

static struct stack *the_stack(void *data)
{
    const struct lookout *lookout = data;
    return lookout->stack;
}

/* --- making and ending ------------------------------------------------------------------------ */

/* Beside status and the board, for whoever reads the log alone: what a policy acts on is told by it
 * in any case, and no policy reacts to a wrong password. */
static void on_database_met(void *data, enum db_state state, const struct db_probe *probe)
{
    (void)data;
    if (state == DB_AUTH_FAILED)
        log_err(LOG_LEVEL_WARNING, "the database does not let the supervisor in", &probe->why);
    else if (state == DB_REFUSED)
        log_err(LOG_LEVEL_WARNING, "nobody can log in to the database", &probe->why);
    else if (state == DB_STARTING && probe->state == DB_REFUSED)
        log_err(LOG_LEVEL_INFO,
                "the database has not answered since its container started, as far as is known; "
                "until it does it is taken for one that is starting",
                &probe->why);
}

static struct watch_containers *open_containers(struct lookout *lookout)
{
    const struct watch_containers_options options = {.loop = lookout->options.loop,
                                                     .docker = lookout->options.docker,
                                                     .feed = lookout->options.feed,
                                                     .ours = is_ours,
                                                     .data = lookout};
    return watch_containers_new(&options);
}

static struct watch_database *open_database(struct lookout *lookout)
{
    const struct config *config = lookout->options.config;
    const struct watch_database_options options = {
        .loop = lookout->options.loop,
        .feed = lookout->options.feed,
        .holders = lookout->options.holders,
        .first = &lookout->first,
        .database = the_database,
        .stopped_by_hand = database_is_stopped_by_hand,
        .yields = is_run_under_way,
        .met = on_database_met,
        .stack = the_stack,
        .data = lookout,
        .calm_ms = config->watch.calm_ms,
        .pressed_ms = config->watch.pressed_ms,
        .timeout_ms = config->watch.timeout_ms,
    };
    return watch_database_new(&options);
}

/* An app has said that it is refused: the database is looked at now, not when its turn comes. */
static void on_match(void *data, const char *pattern, const struct container *container,
                     const struct docker_log_line *line)
{
    struct lookout *lookout = data;
    (void)pattern;
    (void)container;
    (void)line;
    watch_database_hurry(lookout->database);
}

static void on_log_trouble(void *data, const struct err *e)
{
    (void)data;
    log_err(LOG_LEVEL_WARNING, "logs", e);
}

static struct watch_logs *open_logs(struct lookout *lookout)
{
    const struct watch_logs_options options = {.loop = lookout->options.loop,
                                               .docker = lookout->options.docker,
                                               .feed = lookout->options.feed,
                                               .patterns = lookout->options.config->patterns,
                                               .on_match = on_match,
                                               .on_trouble = on_log_trouble,
                                               .data = lookout};
    struct watch_logs *logs = watch_logs_new(&options);
    if (lookout->is_lost)
        watch_logs_lost(logs);
    if (lookout->stack)
        watch_logs_stack(logs, lookout->stack);
    return logs;
}

static int connect_pooler(void *data, const struct container *container, struct pooler **ret,
                          struct err *e)
{
    const struct lookout *lookout = data;
    return reach_pooler(lookout->options.reach, container, database_container(lookout), ret, e);
}

static void on_pooler_trouble(void *data, const char *container, const struct err *e)
{
    (void)data;
    if (e)
        log_err(LOG_LEVEL_WARNING, container, e);
    else
        log_info("%s: its console answers again", container);
}

static struct watch_pooler *open_pooler(struct lookout *lookout)
{
    const struct config *config = lookout->options.config;
    const struct watch_pooler_options options = {
        .loop = lookout->options.loop,
        .feed = lookout->options.feed,
        .connect = connect_pooler,
        .yields = is_run_under_way,
        .on_trouble = on_pooler_trouble,
        .data = lookout,
        .calm_ms = config->watch.calm_ms,
        .pressed_ms = config->watch.pressed_ms,
        .timeout_ms = config->watch.timeout_ms,
    };
    struct watch_pooler *pooler = watch_pooler_new(&options);
    if (lookout->stack)
        watch_pooler_stack(pooler, lookout->stack);
    return pooler;
}

static struct watch_checks *open_checks(struct lookout *lookout)
{
    const struct watch_checks_options options = {.loop = lookout->options.loop,
                                                 .docker = lookout->options.docker,
                                                 .feed = lookout->options.feed,
                                                 .checks = lookout->options.config->checks};
    if (!options.checks)
        return NULL;
    struct watch_checks *checks = watch_checks_new(&options);
    if (lookout->stack)
        watch_checks_stack(checks, lookout->stack);
    return checks;
}

static void watch_all(struct lookout *lookout)
{
    lookout->containers = open_containers(lookout);
    if (lookout->saved)
        watch_containers_restore(lookout->containers, lookout->saved);
    if (lookout->is_lost) /* what was remembered of them counts no more */
        watch_containers_lost(lookout->containers);
    else if (lookout->stack)
        watch_containers_stack(lookout->containers, lookout->stack);
    lookout->database = open_database(lookout);
    lookout->logs = open_logs(lookout);
    lookout->pooler = open_pooler(lookout);
    lookout->checks = open_checks(lookout);
}

/* --- what was stopped by hand, across a restart ----------------------------------------------- */

static void on_save(void *data)
{
    struct lookout *lookout = data;
    json_t *now = watch_containers_save(lookout->containers);
    /* Where the journal could not be read, nobody is no news: what it has of them stays. */
    bool is_news = lookout->saved || json_object_size(now) > 0;
    if (!is_news || json_equal(now, lookout->saved)) {
        json_decref(now);
        return;
    }
    journal_keep(lookout->options.journal, BY_HAND_KEY, now, NULL, NULL);
    json_decref(lookout->saved);
    lookout->saved = now;
}

static void on_recalled(void *data, const struct err *e, const json_t *kept)
{
    struct lookout *lookout = data;
    lookout->recalling = false;
    if (lookout->ended) {
        lookout_free(lookout);
        return;
    }
    if (e)
        log_err(LOG_LEVEL_WARNING, "what was stopped by hand is not known", e);
    else
        lookout->saved = json_deep_copy(json_object_get(kept, BY_HAND_KEY));
    watch_all(lookout);
}

void lookout_begin(struct lookout *lookout)
{
    lookout->recalling = true;
    journal_recall(lookout->options.journal, BY_HAND_KEY, on_recalled, lookout);
}

/* --- what is heard ---------------------------------------------------------------------------- */

void lookout_stack(struct lookout *lookout, struct stack *stack)
{
    stack_ref(stack);
    stack_unref(lookout->stack);
    lookout->stack = stack;
    if (!lookout->containers)
        return;
    watch_containers_stack(lookout->containers, stack);
    watch_logs_stack(lookout->logs, stack);
    watch_pooler_stack(lookout->pooler, stack);
    if (lookout->checks)
        watch_checks_stack(lookout->checks, stack);
    watch_database_hurry(lookout->database); /* it may be another, or at another address */
}

/* Trouble that an event tells of is asked the database about at once. */
static bool is_alarming(const struct docker_event *event)
{
    return strcmp(event->action, "die") == 0 || strcmp(event->action, "oom") == 0 ||
           (strcmp(event->action, "health_status") == 0 && strcmp(event->detail, "unhealthy") == 0);
}

void lookout_event(struct lookout *lookout, const struct docker_event *event)
{
    if (!lookout->containers)
        return;
    watch_containers_event(lookout->containers, event);
    watch_logs_event(lookout->logs, event);
    timer_start(lookout->save, SAVE_AFTER_MS);
    if (is_alarming(event))
        watch_database_hurry(lookout->database);
}

void lookout_lost(struct lookout *lookout)
{
    lookout->is_lost = true;
    if (!lookout->containers)
        return;
    watch_containers_lost(lookout->containers);
    watch_logs_lost(lookout->logs);
}

void lookout_sync(struct lookout *lookout)
{
    lookout->is_lost = false;
    if (lookout->logs)
        watch_logs_sync(lookout->logs);
}

void lookout_run_ended(struct lookout *lookout, bool disruptive)
{
    if (lookout->logs && disruptive)
        watch_logs_begin_anew(lookout->logs);
    if (lookout->database)
        watch_database_again(lookout->database);
}

/* --- making and ending ------------------------------------------------------------------------ */

struct lookout *lookout_new(const struct lookout_options *options)
{
    struct lookout *lookout = mem_new(sizeof *lookout);
    lookout->options = *options;
    lookout->save = timer_new(options->loop, on_save, lookout);
    return lookout;
}

void lookout_configure(struct lookout *lookout, const struct config *config)
{
    lookout->options.config = config;
    if (!lookout->database)
        return;
    watch_checks_free(lookout->checks);
    watch_pooler_free(lookout->pooler);
    watch_logs_free(lookout->logs);
    watch_database_free(lookout->database);
    feed_forget(lookout->options.feed, "log.rate", NULL); /* of patterns that may be gone */
    lookout->database = open_database(lookout);
    lookout->logs = open_logs(lookout);
    lookout->pooler = open_pooler(lookout);
    lookout->checks = open_checks(lookout);
}

bool lookout_stopped_by_hand(const struct lookout *lookout, const char *container)
{
    return lookout->containers && watch_containers_stopped_by_hand(lookout->containers, container);
}

json_t *lookout_containers(const struct lookout *lookout)
{
    return lookout->containers ? watch_containers_json(lookout->containers) : json_array();
}

void lookout_json(const struct lookout *lookout, json_t *body)
{
    json_object_set_new(body, "logs",
                        lookout->logs ? watch_logs_json(lookout->logs) : json_array());
    json_object_set_new(body, "checks",
                        lookout->checks ? watch_checks_json(lookout->checks) : json_array());
}

struct lookout *lookout_free(struct lookout *lookout)
{
    if (!lookout)
        return NULL;
    if (lookout->containers)
        on_save(lookout);
    lookout->checks = watch_checks_free(lookout->checks);
    lookout->pooler = watch_pooler_free(lookout->pooler);
    lookout->logs = watch_logs_free(lookout->logs);
    lookout->database = watch_database_free(lookout->database);
    lookout->containers = watch_containers_free(lookout->containers);
    lookout->save = timer_free(lookout->save);
    stack_unref(lookout->stack);
    lookout->stack = NULL;
    lookout->ended = true;
    if (lookout->recalling)
        return NULL;
    json_decref(lookout->saved);
    first_answer_clear(&lookout->first);
    free(lookout);
    return NULL;
}
