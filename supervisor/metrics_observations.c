/* The observation board as metrics: one family a kind, its name and its help made of the kind's
 * own. See metrics.h. */
#include "supervisor/metrics.h"

#include "base/mem.h"

#include <string.h>

enum { NAME_MAX = 128 };

static const double per_unit[UNITS] = {
    [UNIT_COUNT] = 1, [UNIT_SHARE] = 1,  [UNIT_DURATION] = 1e-3, [UNIT_PER_MINUTE] = 1 / 60.0,
    [UNIT_WORD] = 1,  [UNIT_YES_NO] = 1,
};

static const char *suffix_of(const struct observation_kind *kind)
{
    if (kind->unit == UNIT_SHARE)
        return "_ratio";
    return kind->unit == UNIT_DURATION ? "_seconds" : "";
}

/* "connections.longest_idle" is stack_connections_longest_idle_seconds. */
static void name_of(const struct observation_kind *kind, char out[static NAME_MAX])
{
    snprintf(out, NAME_MAX, "stack_%s%s", kind->name, suffix_of(kind));
    for (char *c = out; *c; c++)
        if (*c == '.')
            *c = '_';
}

/* The kind's own words as a sentence; the caller frees it. */
static char *help_of(const struct observation_kind *kind)
{
    const char *unit = kind->unit == UNIT_PER_MINUTE ? ", a second" : "";
    char *help = mem_printf("%s%s.", kind->doc, unit);
    if (*help >= 'a' && *help <= 'z')
        *help = (char)(*help - 'a' + 'A');
    return help;
}

/* One sample a word that it may be; of a kind that may be any word, the one that it is. */
static void expose_word(const struct observation_kind *kind, const char *parameter,
                        const char *word, struct exposition *out)
{
    struct metric_label labels[3] = {{.name = NULL}};
    size_t at = 0;
    if (kind->parameter)
        labels[at++] = (struct metric_label){kind->parameter, parameter};
    labels[at].name = kind->words[0] ? "state" : "is";
    labels[at].value = word;
    if (!kind->words[0])
        exposition_sample(out, labels, 1);
    for (size_t i = 0; kind->words[i]; i++) {
        labels[at].value = kind->words[i];
        exposition_sample(out, labels, strcmp(word, kind->words[i]) == 0 ? 1 : 0);
    }
}

static void expose_series(const struct series *series, int64_t now_ms, struct exposition *out)
{
    const struct observation_kind *kind = series_kind(series);
    const struct sample *sample = series_fresh(series, now_ms, 0);
    const struct metric_label labels[] = {{kind->parameter, series_parameter(series)},
                                          {.name = NULL}};
    if (!sample)
        return;
    if (kind->unit == UNIT_WORD)
        expose_word(kind, series_parameter(series), sample->word, out);
    else
        exposition_sample(out, labels, sample->number * per_unit[kind->unit]);
}

void metrics_observations(const struct board *board, int64_t now_ms, struct exposition *out)
{
    const struct observation_kind *kind;
    for (size_t i = 0; (kind = observation_kind_at(i)) != NULL; i++) {
        const struct series *const *first;
        size_t count = board_family(board, kind, &first);
        char name[NAME_MAX];
        name_of(kind, name);
        CLEANUP_FREE char *help = help_of(kind);
        exposition_family(out, name, METRIC_GAUGE, help);
        for (size_t k = 0; k < count; k++)
            expose_series(first[k], now_ms, out);
    }
}
