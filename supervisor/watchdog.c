/* See watchdog.h. */
#include "supervisor/watchdog.h"

#include "base/log.h"
#include "base/mem.h"
#include "supervisor/sd.h"

#include <string.h>

enum {
    ROUND_MS = 2000,
    ROUNDS = 4,          /* at least so many before the manager's patience ends */
    LATE_PART = 4,       /* later than this part of it is too late */
    WORKER_PATIENCE = 4, /* so many times it the journal's thread may take for one thing */
    EXTENSION_MS = 30000,
};

struct watchdog {
    struct watchdog_options options;
    struct timer *timer;
    int64_t limit_ms;
    int64_t due_ms;
    char *told; /* the sentence that the manager has; NULL: none, or not ours */
    bool objected;
    bool ending;
};

const char *watchdog_objection(const struct watchdog_facts *facts)
{
    int64_t limit = facts->limit_ms ? facts->limit_ms : (int64_t)ROUND_MS * ROUNDS;
    if (facts->late_ms > limit / LATE_PART)
        return "the loop was held up";
    if (facts->worker_busy_ms > limit * WORKER_PATIENCE && !facts->at_work)
        return "the journal's thread is stuck: look at the disk that holds the state directory";
    return NULL;
}

static int64_t round_ms(const struct watchdog *watchdog)
{
    int64_t part = watchdog->limit_ms / ROUNDS;
    return part > 0 && part < ROUND_MS ? part : ROUND_MS;
}

static void tell_sentence(struct watchdog *watchdog)
{
    CLEANUP_FREE char *sentence = watchdog->options.sentence(watchdog->options.data);
    if (watchdog->told && strcmp(watchdog->told, sentence) == 0)
        return;
    mem_replace(&watchdog->told, sentence);
    sd_status(sentence);
}

/* Said once, when it begins. */
static void complain(struct watchdog *watchdog, const char *objection,
                     const struct watchdog_facts *facts)
{
    if (!objection || watchdog->objected)
        return;
    log_warning("watchdog: %s (late by %lld ms, journal at work for %lld ms)", objection,
                (long long)facts->late_ms, (long long)facts->worker_busy_ms);
}

static void on_round(void *data)
{
    struct watchdog *watchdog = data;
    const struct watchdog_options *options = &watchdog->options;
    int64_t now = loop_now(options->loop);
    const struct watchdog_facts facts = {.limit_ms = watchdog->limit_ms,
                                         .late_ms = now - watchdog->due_ms,
                                         .worker_busy_ms = options->worker_busy_ms(options->data),
                                         .at_work = options->at_work(options->data)};
    const char *objection = watchdog_objection(&facts);
    complain(watchdog, objection, &facts);
    watchdog->objected = objection;
    log_catch_up(); /* the one thing that comes round whether or not there is something to log */
    if (!objection)
        sd_alive();
    tell_sentence(watchdog);
    if (watchdog->ending)
        sd_extend(EXTENSION_MS);
    watchdog->due_ms = now + round_ms(watchdog);
    timer_start(watchdog->timer, round_ms(watchdog));
}

struct watchdog *watchdog_new(const struct watchdog_options *options)
{
    struct watchdog *watchdog = mem_new(sizeof *watchdog);
    watchdog->options = *options;
    watchdog->limit_ms = sd_watchdog_ms();
    watchdog->timer = timer_new(options->loop, on_round, watchdog);
    watchdog->due_ms = loop_now(options->loop);
    timer_start(watchdog->timer, 0);
    return watchdog;
}

struct watchdog *watchdog_free(struct watchdog *watchdog)
{
    if (!watchdog)
        return NULL;
    timer_free(watchdog->timer);
    free(watchdog->told);
    free(watchdog);
    return NULL;
}

void watchdog_tell_anew(struct watchdog *watchdog)
{
    mem_replace(&watchdog->told, NULL);
}

void watchdog_ending(struct watchdog *watchdog)
{
    watchdog->ending = true;
    sd_extend(EXTENSION_MS);
}
