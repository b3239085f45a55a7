/* A round: probe → activity → holders → the feed. See database.h. */
#include "watch/database.h"

#include "base/mem.h"
#include "policies/derive.h"
#include "policies/moment.h"
#include "watch/sessions.h"

#include <string.h>

enum {
    CALM_MS = 15000,
    PRESSED_MS = 2000,
    TIMEOUT_MS = 5000,
    GAP_MS = 500,                   /* from one round's begin to the next, at the least */
    STAYS_PRESSED_MS = 30000,       /* after the last sign of it */
    SOON_MS = 5 * MINUTE_MS,        /* slots that run out within it are a sign */
    GROWTH_SPAN_MS = 5 * MINUTE_MS, /* as for connections.growth */
};

static const double pressed_above = 0.5; /* of the usable slots */
static const double calm_below = 0.45;   /* once pressed */

struct watch_database {
    struct watch_database_options options;
    struct timer *next;
    op_id op; /* the question that is open; 0: none */
    int64_t began_ms;
    bool hurries; /* another round right behind this one */
    bool is_void; /* what this round measures no longer counts */
    bool is_over;
    bool login_is_trouble;
    enum db_state met;  /* by the last login that was told of; DB_UNKNOWN: by none */
    bool is_let_in;     /* the login of this round succeeded; what that means is not told yet */
    double utilization; /* of the last snapshot; 0: not known */
    int64_t pressed_until_ms;
    struct rate refused, opened;
    struct watch__seen seen;
};

static int64_t now_of(const struct watch_database *w)
{
    return loop_now(w->options.loop);
}

static bool asks(bool (*question)(void *data), void *data)
{
    return question && question(data);
}

static const struct observation_kind *kind_of(const char *name)
{
    const char *parameter;
    size_t len;
    return observation_find(name, strlen(name), &parameter, &len);
}

/* --- the pace --------------------------------------------------------------------------------- */

static bool runs_out_soon(const struct watch_database *w)
{
    const struct board *board = feed_board(w->options.feed);
    const struct series *used = board_find(board, kind_of("connections.used"), NULL);
    const struct series *usable = board_find(board, kind_of("connections.usable"), NULL);
    double growth;
    double left_ms;
    return used && usable && derive_growth(used, GROWTH_SPAN_MS, &growth) &&
           derive_time_to_exhaustion(series_sample(used, 0)->number,
                                     series_sample(usable, 0)->number, growth, &left_ms) &&
           left_ms < SOON_MS;
}

static bool is_pressed(struct watch_database *w)
{
    int64_t now_ms = now_of(w);
    bool was = now_ms < w->pressed_until_ms;
    if (w->login_is_trouble || w->utilization > (was ? calm_below : pressed_above) ||
        runs_out_soon(w))
        w->pressed_until_ms = now_ms + STAYS_PRESSED_MS;
    return now_ms < w->pressed_until_ms;
}

static void schedule(struct watch_database *w, int64_t from_begin_ms)
{
    int64_t in_ms = w->began_ms + from_begin_ms - now_of(w);
    timer_start(w->next, in_ms > 0 ? in_ms : 0);
}

static void round_ends(struct watch_database *w)
{
    int64_t pace_ms = is_pressed(w) ? w->options.pressed_ms : w->options.calm_ms;
    bool hurries = w->hurries;
    w->hurries = false;
    w->is_void = false;
    schedule(w, hurries || pace_ms < GAP_MS ? GAP_MS : pace_ms);
}

/* --- what a login met ------------------------------------------------------------------------- */

/* What was known of a server's sessions, when there is none that could have any. Rates speak of
 * what has happened, and stay. */
static void forget_sessions(struct watch_database *w)
{
    const struct observation_kind *kind;
    for (size_t i = 0; (kind = observation_kind_at(i)); i++) {
        bool is_of_sessions = strncmp(kind->name, "connections.", 12) == 0 ||
                              strncmp(kind->name, "container.", 10) == 0;
        if (is_of_sessions && !strstr(kind->name, ".rate"))
            feed_forget(w->options.feed, kind->name, NULL);
    }
    w->utilization = 0;
}

static bool has_sessions(enum db_state state)
{
    return state != DB_REFUSED && state != DB_STARTING && state != DB_RECOVERING;
}

/* The role's own limit, or the database's, is no want of slots: others still get in. */
static bool is_want_of_slots(const struct db_probe *probe)
{
    return probe->state == DB_EXHAUSTED && probe->exhaustion != DB_EXHAUSTION_ROLE &&
           probe->exhaustion != DB_EXHAUSTION_DATABASE;
}

static void tell_refused(struct watch_database *w)
{
    feed_number(w->options.feed, "connections.refused.rate", NULL,
                rate_per_minute(&w->refused, now_of(w)));
}

static void tell_state(struct watch_database *w, const char *state, enum db_exhaustion exhaustion)
{
    feed_word(w->options.feed, "database.state", NULL, state);
    feed_word(w->options.feed, "database.exhaustion", NULL, db_exhaustion_name(exhaustion));
}

/* A superuser still gets in by a reserved slot where every app is refused: so of a login that
 * succeeded only the sessions tell what it was (activity NULL: they cannot be had). */
static void tell_let_in(struct watch_database *w, const struct db_activity *activity)
{
    bool full = activity && activity->available <= 0;
    tell_state(w, db_state_name(full ? DB_EXHAUSTED : DB_READY),
               full ? DB_EXHAUSTION_RESERVED : DB_EXHAUSTION_NONE);
    w->login_is_trouble = full;
}

static struct stack *stack_of(const struct watch_database *w)
{
    return w->options.stack ? w->options.stack(w->options.data) : NULL;
}

/* On a network of Docker's own a container that is down has no address: nobody listens there, which
 * is no trouble of the network. */
static bool is_down(const struct watch_database *w)
{
    const struct stack *stack = stack_of(w);
    const struct series *running =
        stack && stack->database ? board_find(feed_board(w->options.feed),
                                              kind_of("service.running"), stack->database->name)
                                 : NULL;
    return running && series_sample(running, 0)->number == 0;
}

static bool has_answered(const struct db_probe *probe)
{
    bool met_nobody =
        probe->state == DB_REFUSED || probe->state == DB_UNREACHABLE || probe->state == DB_HUNG;
    return !met_nobody || *probe->sqlstate || probe->lifeline_open;
}

static enum db_state state_met(struct watch_database *w, const struct db_probe *probe)
{
    const struct stack *stack = stack_of(w);
    const struct stack_service *database = stack ? stack->database : NULL;
    bool has_container = database && database->container_count > 0;
    first_answer_look(w->options.first, has_container ? database->containers[0] : NULL,
                      has_answered(probe));
    if (is_down(w))
        return probe->state == DB_UNREACHABLE ? DB_REFUSED : probe->state;
    bool gets_ready = probe->state == DB_REFUSED && first_answer_is_due(w->options.first);
    return gets_ready ? DB_STARTING : probe->state;
}

static void tell_met(struct watch_database *w, enum db_state state, const struct db_probe *probe)
{
    if (state == w->met)
        return;
    w->met = state;
    if (w->options.met)
        w->options.met(w->options.data, state, probe);
}

static void tell_login(struct watch_database *w, const struct db_probe *probe)
{
    enum db_state state = state_met(w, probe);
    bool lets_in = probe->state == DB_READY || probe->state == DB_EXHAUSTED;
    bool by_hand = !lets_in && asks(w->options.stopped_by_hand, w->options.data);
    w->is_let_in = probe->state == DB_READY;
    if (!w->is_let_in)
        tell_state(w, by_hand ? "stopped" : db_state_name(state), probe->exhaustion);
    if (!by_hand)
        tell_met(w, state, probe);
    if (is_want_of_slots(probe))
        rate_add(&w->refused, now_of(w));
    tell_refused(w);
    if (!has_sessions(state))
        forget_sessions(w);
    /* What nobody is about to mend by himself is looked at in peace. */
    w->login_is_trouble = probe->state != DB_READY && probe->state != DB_AUTH_FAILED && !by_hand;
}

/* --- what the sessions say -------------------------------------------------------------------- */

static const struct container *holder_of(void *data, size_t session)
{
    const struct holders *const *holders = data;
    return holders_container(*holders, session);
}

static void tell_holding(struct watch_database *w, const struct stack *stack,
                         const struct watch__holding *holding)
{
    struct feed *feed = w->options.feed;
    const char *name = holding->container->name;
    feed_number(feed, "container.connections", name, holding->connections);
    if (watch__idle_says_nothing(stack, holding->container))
        return;
    feed_number(feed, "container.idle", name, holding->idle);
    feed_number(feed, "container.idle_in_transaction", name, holding->idle_in_transaction);
    feed_number(feed, "container.oldest_idle", name, holding->oldest_idle_ms);
    feed_number(feed, "container.leaked", name, holding->leaked);
}

static bool holds_any(const struct watch__tally *tally, const char *name)
{
    for (size_t i = 0; i < tally->holding_count; i++)
        if (strcmp(tally->holdings[i].container->name, name) == 0)
            return true;
    return false;
}

/* Who held sessions and holds none now is told so; who is no more is forgotten. */
static void tell_former_holders(struct watch_database *w, const struct stack *stack,
                                const struct watch__tally *tally)
{
    static const char *const told[] = {
        "container.connections", "container.idle",   "container.idle_in_transaction",
        "container.oldest_idle", "container.leaked", "container.share",
        "container.growth",
    };
    const struct series *const *family;
    size_t count =
        board_family(feed_board(w->options.feed), kind_of("container.connections"), &family);
    char **names = mem_new((count + 1) * sizeof *names); /* writing moves the family */
    for (size_t i = 0; i < count; i++)
        names[i] = mem_strdup(series_parameter(family[i]));
    for (size_t i = 0; i < count; i++) {
        const struct container *container = stack_container(stack, names[i]);
        if (container && !holds_any(tally, names[i]))
            tell_holding(w, stack, &(struct watch__holding){.container = container});
        for (size_t k = 0; !container && k < ARRAY_SIZE(told); k++)
            feed_forget(w->options.feed, told[k], names[i]);
        free(names[i]);
    }
    free(names);
}

static void tell_states(struct watch_database *w, const struct db_activity *activity,
                        const struct watch__tally *tally)
{
    struct feed *feed = w->options.feed;
    feed_number(feed, "connections.idle", NULL, tally->idle);
    feed_number(feed, "connections.idle_in_transaction", NULL, tally->idle_in_transaction);
    feed_number(feed, "connections.longest_idle", NULL, tally->longest_idle_ms);
    feed_number(feed, "connections.longest_idle_in_transaction", NULL,
                tally->longest_idle_in_transaction_ms);
    feed_number(feed, "connections.blocked", NULL, activity->blocked);
    watch__seen_next(&w->seen, activity, &w->opened, now_of(w));
    feed_number(feed, "connections.opened.rate", NULL, rate_per_minute(&w->opened, now_of(w)));
}

static void tell_activity(struct watch_database *w, const struct holders *holders)
{
    const struct db_activity *activity = holders_activity(holders);
    const struct stack *stack = stack_of(w);
    struct feed *feed = w->options.feed;
    struct watch__tally tally;
    w->utilization = db_activity_utilization(activity);
    if (w->is_let_in)
        tell_let_in(w, activity);
    feed_number(feed, "connections.used", NULL, activity->used);
    feed_number(feed, "connections.usable", NULL, activity->max_connections - activity->reserved);
    if (activity->restricted)
        return;
    watch__tally_make(&tally, activity, holder_of, &holders);
    tell_states(w, activity, &tally);
    for (size_t i = 0; stack && i < tally.holding_count; i++)
        tell_holding(w, stack, &tally.holdings[i]);
    if (stack)
        tell_former_holders(w, stack, &tally);
    watch__tally_clear(&tally);
}

/* --- a round ---------------------------------------------------------------------------------- */

static void end(struct watch_database *w)
{
    watch__seen_clear(&w->seen);
    free(w);
}

/* An answer has come. False when it is not to be used: the watch may be gone then. */
static bool landed(struct watch_database *w)
{
    w->op = 0;
    if (w->is_over) {
        end(w);
        return false;
    }
    if (w->is_void || asks(w->options.yields, w->options.data)) {
        round_ends(w);
        return false;
    }
    return true;
}

static void on_holders(void *data, const struct holders *holders)
{
    struct watch_database *w = data;
    if (!landed(w))
        return;
    tell_activity(w, holders);
    round_ends(w);
}

static void on_activity(void *data, const struct err *e, const struct db_activity *activity)
{
    struct watch_database *w = data;
    if (!landed(w))
        return;
    if (e && w->is_let_in)
        tell_let_in(w, NULL);
    if (e)
        round_ends(w);
    else
        w->op = holders_find(w->options.holders, activity, stack_of(w), w->options.timeout_ms,
                             on_holders, w);
}

/* Where a login says that nobody is there, asking further would be another vain login. */
static bool may_look(enum db_state state, struct db *db)
{
    return state == DB_READY || state == DB_EXHAUSTED || state == DB_AUTH_FAILED ||
           db_lifeline_is_open(db);
}

static void on_probe(void *data, const struct db_probe *probe)
{
    struct watch_database *w = data;
    if (!landed(w))
        return;
    struct db *db = w->options.database(w->options.data);
    w->is_let_in = false;
    if (probe->state != DB_UNKNOWN) /* it was not asked, so nothing is known */
        tell_login(w, probe);
    if (db && may_look(probe->state, db)) {
        w->op = db_activity(db, w->options.timeout_ms, on_activity, w);
        return;
    }
    if (w->is_let_in)
        tell_let_in(w, NULL);
    round_ends(w);
}

static void begin(void *data)
{
    struct watch_database *w = data;
    struct db *db = w->options.database(w->options.data);
    w->began_ms = now_of(w);
    if (!db)
        schedule(w, w->options.calm_ms);
    else if (asks(w->options.yields, w->options.data))
        schedule(w, w->options.pressed_ms); /* should nobody tell when it is over */
    else
        w->op = db_probe(db, w->options.timeout_ms, on_probe, w);
}

void watch_database_hurry(struct watch_database *watch)
{
    if (watch->op)
        watch->hurries = true;
    else if (timer_left_ms(watch->next) > 0)
        schedule(watch, watch->began_ms ? GAP_MS : 0);
}

void watch_database_again(struct watch_database *watch)
{
    watch->is_void = watch->op != 0;
    watch_database_hurry(watch);
}

/* --- life ------------------------------------------------------------------------------------- */

struct watch_database *watch_database_new(const struct watch_database_options *options)
{
    struct watch_database *w = mem_new(sizeof *w);
    w->options = *options;
    w->options.calm_ms = options->calm_ms ? options->calm_ms : CALM_MS;
    w->options.pressed_ms = options->pressed_ms ? options->pressed_ms : PRESSED_MS;
    w->options.timeout_ms = options->timeout_ms ? options->timeout_ms : TIMEOUT_MS;
    w->next = timer_new(options->loop, begin, w);
    timer_start(w->next, 0);
    return w;
}

struct watch_database *watch_database_free(struct watch_database *watch)
{
    if (!watch)
        return NULL;
    timer_free(watch->next);
    watch->is_over = true;
    if (watch->op)
        op_cancel(watch->options.loop, watch->op);
    else
        end(watch);
    return NULL;
}
