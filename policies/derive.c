/* See derive.h. */
#include "policies/derive.h"

#include "base/buf.h"
#include "base/mem.h"
#include "policies/moment.h"

#include <math.h>
#include <string.h>

enum { GROWTH_SPAN_MS = 5 * MINUTE_MS, NAMES_MAX = 8192 };

static const double leak_share = 0.1; /* of usable slots: below it nobody is a danger */
static const double leak_most = 0.5;  /* of its sessions */
static const double lead = 2;         /* over the next one */
static const double storm_factor = 2; /* new sessions a minute, in usable slots */

/* --- growth ----------------------------------------------------------------------------------- */

/* The value that would stand at `place` if they were sorted (Hoare's selection): what is before it
 * is not greater then. There are two thousand slopes a series, so they are not sorted. */
static double select_place(double *values, size_t count, size_t place)
{
    size_t low = 0;
    size_t high = count - 1;
    while (low < high) {
        double pivot = values[low + (high - low) / 2];
        size_t i = low;
        size_t j = high;
        for (;;) {
            while (values[i] < pivot)
                i++;
            while (pivot < values[j])
                j--;
            if (i >= j)
                break;
            double swap = values[i];
            values[i++] = values[j];
            values[j--] = swap;
        }
        if (place <= j)
            high = j;
        else
            low = j + 1;
    }
    return values[place];
}

static double median(double *values, size_t count)
{
    double upper = select_place(values, count, count / 2);
    double lower = count % 2 ? upper : select_place(values, count, count / 2 - 1);
    return (lower + upper) / 2;
}

static size_t samples_within(const struct series *series, int64_t span_ms)
{
    const struct sample *newest = series_sample(series, 0);
    size_t count = 0;
    const struct sample *sample;
    while ((sample = series_sample(series, count)) && newest->at_ms - sample->at_ms <= span_ms)
        count++;
    return count;
}

bool derive_growth(const struct series *series, int64_t span_ms, double *ret_per_minute)
{
    double slopes[SERIES_HISTORY * (SERIES_HISTORY - 1) / 2];
    size_t pairs = 0;
    size_t count = series ? samples_within(series, span_ms) : 0;
    if (count < DERIVE_SAMPLES_MIN ||
        series_sample(series, 0)->at_ms - series_sample(series, count - 1)->at_ms <
            DERIVE_SPAN_MIN_MS)
        return false;
    for (size_t i = 0; i < count; i++)
        for (size_t j = i + 1; j < count; j++) {
            const struct sample *late = series_sample(series, i);
            const struct sample *early = series_sample(series, j);
            slopes[pairs++] =
                (late->number - early->number) / (double)(late->at_ms - early->at_ms) * MINUTE_MS;
        }
    *ret_per_minute = median(slopes, pairs);
    return true;
}

bool derive_time_to_exhaustion(double used, double usable, double per_minute, double *ret_ms)
{
    double left = used < usable ? usable - used : 0;
    if (!(per_minute > 0) || left * MINUTE_MS > per_minute * (double)DAY_MS)
        return false;
    *ret_ms = left * MINUTE_MS / per_minute;
    return true;
}

/* --- rates ------------------------------------------------------------------------------------ */

void rate_add(struct rate *rate, int64_t now_ms)
{
    rate->times[rate->next] = now_ms;
    rate->next = (rate->next + 1) % RATE_EVENTS_MAX;
    if (rate->count < RATE_EVENTS_MAX)
        rate->count++;
}

double rate_per_minute(const struct rate *rate, int64_t now_ms)
{
    size_t recent = 0;
    for (size_t i = 0; i < rate->count; i++)
        recent += now_ms - rate->times[i] < RATE_SPAN_MS;
    return (double)recent * MINUTE_MS / RATE_SPAN_MS;
}

/* --- who holds it ----------------------------------------------------------------------------- */

static bool leads(const struct holder *first, const struct holder *other)
{
    return first->leaked >= lead * other->leaked ||
           (first->leaked > other->leaked && first->growth > 0 && other->growth <= 0);
}

static bool suspicious(const struct holder *holder, double fair_share, double usable)
{
    return holder->used >= leak_share * usable && holder->used > fair_share &&
           holder->leaked > leak_most * holder->used;
}

int derive_leaker(const struct holder *holders, size_t count, double usable)
{
    double total = 0;
    size_t first = 0;
    if (count == 0 || !(usable > 0))
        return -1;
    for (size_t i = 0; i < count; i++) {
        total += holders[i].used;
        if (holders[i].leaked > holders[first].leaked)
            first = i;
    }
    double fair_share = count > 1 ? total / (double)count : 0;
    if (!suspicious(&holders[first], fair_share, usable))
        return -1;
    for (size_t i = 0; i < count; i++)
        if (i != first && !leads(&holders[first], &holders[i]))
            return -1;
    return (int)first;
}

/* --- a whole board ---------------------------------------------------------------------------- */

static const struct observation_kind *kind_of(const char *name)
{
    const char *parameter;
    size_t len;
    return observation_find(name, strlen(name), &parameter, &len);
}

/* The fresh sample of an observation; NULL when it is unknown. Borrowed until a value is set. */
static const struct sample *read_sample(const struct board *board, const char *name,
                                        const char *parameter, int64_t now_ms)
{
    const struct series *series = board_find(board, kind_of(name), parameter);
    return series ? series_fresh(series, now_ms, INT64_MIN) : NULL;
}

static double read_number(const struct board *board, const char *name, const char *parameter,
                          int64_t now_ms)
{
    const struct sample *sample = read_sample(board, name, parameter, now_ms);
    return sample ? sample->number : 0;
}

/* at_ms is the time of the sample that the value follows from: what is derived again from an old
 * sample must not look new, least of all to a verification that asks for news. */
static void set(struct board *board, const char *kind, const char *parameter, int64_t at_ms,
                double number)
{
    char name[OBSERVATION_NAME_MAX];
    board_set_number(board, observation_name(kind_of(kind), parameter, name), at_ms, number, NULL);
}

static void forget(struct board *board, const char *name)
{
    if (board_find(board, kind_of(name), NULL))
        board_forget(board, name);
}

static void derive_connections(struct board *board, int64_t now_ms, double usable)
{
    const struct sample *sample = read_sample(board, "connections.used", NULL, now_ms);
    double growth;
    double left_ms;
    if (!sample)
        return;
    double used = sample->number;
    int64_t at_ms = sample->at_ms;
    set(board, "connections.utilization", NULL, at_ms, used / usable);
    if (!derive_growth(board_find(board, kind_of("connections.used"), NULL), GROWTH_SPAN_MS,
                       &growth))
        return;
    set(board, "connections.growth", NULL, at_ms, growth);
    /* What does not run out gets no time, and what was said before must not stay. */
    if (!derive_time_to_exhaustion(used, usable, growth, &left_ms))
        left_ms = (double)DAY_MS;
    set(board, "connections.time_to_exhaustion", NULL, at_ms, left_ms);
}

static void derive_storm(struct board *board, int64_t now_ms, double usable)
{
    const struct sample *opened = read_sample(board, "connections.opened.rate", NULL, now_ms);
    if (opened)
        set(board, "connections.storm", NULL, opened->at_ms,
            opened->number > storm_factor * usable);
}

/* Where nobody counts how many have idled for long, the oldest speaks for all of them; for those
 * outside a transaction, which may be a pool at rest, only after a minute. */
static double leaked_guess(const struct board *board, const char *name, int64_t now_ms)
{
    double oldest_ms = read_number(board, "container.oldest_idle", name, now_ms);
    double leaked = 0;
    if (oldest_ms >= DERIVE_LEAKED_MS)
        leaked += read_number(board, "container.idle_in_transaction", name, now_ms);
    if (oldest_ms >= MINUTE_MS)
        leaked += read_number(board, "container.idle", name, now_ms);
    return leaked;
}

static struct holder holder_read(struct board *board, const char *name, const struct sample *sample,
                                 double usable, int64_t now_ms)
{
    int64_t at_ms = sample->at_ms;
    const struct sample *leaked = read_sample(board, "container.leaked", name, now_ms);
    struct holder holder = {
        .name = name,
        .used = sample->number,
        .leaked = leaked ? leaked->number : leaked_guess(board, name, now_ms),
    };
    set(board, "container.share", name, at_ms, holder.used / usable);
    if (derive_growth(board_find(board, kind_of("container.connections"), name), GROWTH_SPAN_MS,
                      &holder.growth))
        set(board, "container.growth", name, at_ms, holder.growth);
    return holder;
}

static void derive_holders(struct board *board, int64_t now_ms, double usable)
{
    const struct observation_kind *kind = kind_of("container.connections");
    const struct series *const *family;
    size_t count = board_family(board, kind, &family);
    struct holder *holders = NULL;
    size_t known = 0;
    int64_t at_ms = INT64_MIN;
    /* Names first: setting a value moves the board's series. They belong to series, which stay. */
    const char **names = mem_new(count * sizeof *names);
    for (size_t i = 0; i < count; i++)
        names[i] = series_parameter(family[i]);
    for (size_t i = 0; i < count; i++) {
        const struct sample *sample = read_sample(board, "container.connections", names[i], now_ms);
        if (!sample)
            continue;
        at_ms = sample->at_ms > at_ms ? sample->at_ms : at_ms;
        struct holder holder = holder_read(board, names[i], sample, usable, now_ms);
        *MEM_PUSH(holders, known) = holder;
    }
    int leaker = derive_leaker(holders, known, usable);
    if (known)
        board_set_word(board, "connections.leaker", at_ms,
                       leaker < 0 ? "none" : holders[leaker].name, NULL);
    free(names);
    free(holders);
}

static void derive_services(struct board *board, int64_t now_ms)
{
    const struct series *const *family;
    size_t count = board_family(board, kind_of("service.health"), &family);
    size_t unhealthy = 0;
    struct buf names;
    if (count == 0) { /* all were forgotten: nothing follows from them any more */
        forget(board, "services.unhealthy");
        forget(board, "services.unhealthy.names");
        return;
    }
    buf_init(&names, NAMES_MAX);
    for (size_t i = 0; i < count; i++) {
        const struct sample *sample = series_sample(family[i], 0);
        if (!sample || strcmp(sample->word, "unhealthy") != 0)
            continue;
        buf_printf(&names, "%s%s", unhealthy ? "," : "", series_parameter(family[i]));
        unhealthy++;
    }
    board_set_number(board, "services.unhealthy", now_ms, (double)unhealthy, NULL);
    board_set_word(board, "services.unhealthy.names", now_ms, buf_text(&names), NULL);
    buf_free(&names);
}

bool derive_needs(const struct observation_kind *kind)
{
    static const char *const sources[] = {
        "connections.used",      "connections.usable", "connections.opened.rate",
        "container.connections", "container.idle",     "container.idle_in_transaction",
        "container.oldest_idle", "container.leaked",   "service.health",
    };
    for (size_t i = 0; i < ARRAY_SIZE(sources); i++)
        if (strcmp(sources[i], kind->name) == 0)
            return true;
    return false;
}

void derive_board(struct board *board, int64_t now_ms)
{
    derive_services(board, now_ms);
    double usable = read_number(board, "connections.usable", NULL, now_ms);
    if (!(usable > 0))
        return;
    derive_connections(board, now_ms, usable);
    derive_storm(board, now_ms, usable);
    derive_holders(board, now_ms, usable);
}
