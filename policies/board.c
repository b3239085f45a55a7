/* Series in an array sorted by kind and parameter, each with a ring of samples. See board.h. */
#include "policies/board.h"

#include "base/mem.h"
#include "policies/moment.h"

#include <assert.h>
#include <math.h>
#include <string.h>

struct series {
    const struct observation_kind *kind;
    char *parameter;
    struct sample *ring; /* grows to SERIES_HISTORY, then the oldest is overwritten */
    size_t count;
    size_t newest; /* its place in the ring */
};

struct board {
    struct series **items;
    size_t count;
};

struct board *board_new(void)
{
    return mem_new(sizeof(struct board));
}

static void series_free(struct series *series)
{
    for (size_t i = 0; i < series->count; i++)
        free(series->ring[i].word);
    free(series->ring);
    free(series->parameter);
    free(series);
}

struct board *board_free(struct board *board)
{
    for (size_t i = 0; board && i < board->count; i++)
        series_free(board->items[i]);
    if (board)
        free(board->items);
    free(board);
    return NULL;
}

/* Kinds are rows of one table, so their addresses are an order. */
static int series_compare(const struct series *series, const struct observation_kind *kind,
                          const char *parameter)
{
    if (series->kind != kind)
        return series->kind < kind ? -1 : 1;
    return strcmp(series->parameter, parameter);
}

/* The first place whose series does not come before (kind, parameter). */
static size_t lower_bound(const struct board *board, const struct observation_kind *kind,
                          const char *parameter)
{
    size_t low = 0;
    size_t high = board->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (series_compare(board->items[middle], kind, parameter) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct series *board_find(const struct board *board, const struct observation_kind *kind,
                                const char *parameter)
{
    const char *key = parameter ? parameter : "";
    size_t place = lower_bound(board, kind, key);
    if (place < board->count && series_compare(board->items[place], kind, key) == 0)
        return board->items[place];
    return NULL;
}

size_t board_family(const struct board *board, const struct observation_kind *kind,
                    const struct series *const **ret_first)
{
    size_t first = lower_bound(board, kind, "");
    size_t end = first;
    while (end < board->count && board->items[end]->kind == kind)
        end++;
    /* An empty board has no items to point into. */
    *ret_first = end > first ? (const struct series *const *)board->items + first : NULL;
    return end - first;
}

size_t board_count(const struct board *board)
{
    return board->count;
}

const struct series *board_at(const struct board *board, size_t index)
{
    return index < board->count ? board->items[index] : NULL;
}

/* --- setting ---------------------------------------------------------------------------------- */

static struct series *series_insert(struct board *board, const struct observation_kind *kind,
                                    char *parameter)
{
    size_t place = lower_bound(board, kind, parameter);
    size_t tail = board->count - place;
    struct series *series = mem_new(sizeof *series);
    series->kind = kind;
    series->parameter = parameter;
    (void)MEM_PUSH(board->items, board->count);
    memmove(board->items + place + 1, board->items + place, tail * sizeof *board->items);
    board->items[place] = series;
    return series;
}

/* The series to set, made if it is new; `word` is what the caller has for it. */
static int series_for(struct board *board, const char *name, const char *word, struct series **ret,
                      struct err *e)
{
    const char *parameter;
    size_t len;
    const struct observation_kind *kind = observation_find(name, strlen(name), &parameter, &len);
    if (!kind)
        return err_set(e, ERR_INVALID, "observation '%s': no such name", name);
    if (kind->parameter && !parameter)
        return err_set(e, ERR_INVALID, "observation '%s': which %s?", name, kind->parameter);
    if (!word && kind->unit == UNIT_WORD)
        return err_set(e, ERR_INVALID, "observation '%s': it is a word, not a number", name);
    if (word && kind->unit != UNIT_WORD)
        return err_set(e, ERR_INVALID, "observation '%s': it is a number, not the word '%s'", name,
                       word);
    CLEANUP_FREE char *key = parameter ? mem_strndup(parameter, len) : mem_strdup("");
    *ret = (struct series *)board_find(board, kind, key);
    if (*ret)
        return 0;
    if (board->count >= BOARD_SERIES_MAX)
        return err_set(e, ERR_EXHAUSTED, "observation '%s': %d others are kept already", name,
                       BOARD_SERIES_MAX);
    *ret = series_insert(board, kind, key);
    key = NULL; /* it is the series' now */
    return 0;
}

/* Takes the word over. */
static void series_push(struct series *series, int64_t at_ms, double number, char *word)
{
    assert(series);
    int64_t newest_ms = series->count > 0 ? series->ring[series->newest].at_ms : INT64_MIN;
    if (at_ms < newest_ms) {
        free(word);
        return;
    }
    if (at_ms > newest_ms && series->count < SERIES_HISTORY) {
        *MEM_PUSH(series->ring, series->count) = (struct sample){0};
        series->newest = series->count - 1;
    } else if (at_ms > newest_ms) {
        series->newest = (series->newest + 1) % SERIES_HISTORY;
    }
    struct sample *newest = &series->ring[series->newest];
    free(newest->word);
    *newest = (struct sample){at_ms, number, word};
}

int board_set_number(struct board *board, const char *name, int64_t now_ms, double number,
                     struct err *e)
{
    struct series *series;
    if (!isfinite(number))
        return err_set(e, ERR_INVALID, "observation '%s': not a number", name);
    int status = series_for(board, name, NULL, &series, e);
    if (status < 0)
        return status;
    series_push(series, now_ms, number, NULL);
    return 0;
}

int board_set_word(struct board *board, const char *name, int64_t now_ms, const char *word,
                   struct err *e)
{
    struct series *series;
    int status = series_for(board, name, word, &series, e);
    if (status < 0)
        return status;
    series_push(series, now_ms, 0, mem_strdup(word));
    return 0;
}

void board_forget(struct board *board, const char *name)
{
    const char *parameter;
    size_t len;
    const struct observation_kind *kind = observation_find(name, strlen(name), &parameter, &len);
    size_t kept = 0;
    for (size_t i = 0; i < board->count; i++) {
        struct series *series = board->items[i];
        if (series->kind == kind && (!parameter || (strlen(series->parameter) == len &&
                                                    !memcmp(series->parameter, parameter, len))))
            series_free(series);
        else
            board->items[kept++] = series;
    }
    /* MEM_PUSH knows an array's room by its count alone: one that shrank is made anew. */
    struct series **items = NULL;
    size_t count = 0;
    while (count < kept) {
        struct series *series = board->items[count];
        *MEM_PUSH(items, count) = series;
    }
    free(board->items);
    board->items = items;
    board->count = count;
}

/* --- reading ---------------------------------------------------------------------------------- */

const struct observation_kind *series_kind(const struct series *series)
{
    return series->kind;
}

const char *series_parameter(const struct series *series)
{
    return series->parameter;
}

const struct sample *series_sample(const struct series *series, size_t age)
{
    if (age >= series->count)
        return NULL;
    return &series->ring[(series->newest + series->count - age) % series->count];
}

const struct sample *series_fresh(const struct series *series, int64_t now_ms,
                                  int64_t not_before_ms)
{
    const struct sample *newest = series_sample(series, 0);
    if (!newest || series->kind->ttl_ms == 0)
        return newest;
    bool fresh = newest->at_ms >= not_before_ms && now_ms < series_stale_at_ms(series);
    return fresh ? newest : NULL;
}

int64_t series_stale_at_ms(const struct series *series)
{
    const struct sample *newest = series_sample(series, 0);
    return newest && series->kind->ttl_ms ? newest->at_ms + series->kind->ttl_ms : NEVER;
}

/* --- keeping ---------------------------------------------------------------------------------- */

static json_t *sample_value(const struct series *series, const struct sample *sample)
{
    switch (series->kind->unit) {
    case UNIT_WORD:
        return json_lossy_string(sample->word, strlen(sample->word));
    case UNIT_YES_NO:
        return json_boolean(sample->number != 0);
    default:
        return json_real(sample->number);
    }
}

json_t *board_json(const struct board *board, int64_t now_ms)
{
    json_t *list = json_array();
    for (size_t i = 0; i < board->count; i++) {
        const struct series *series = board->items[i];
        const struct sample *newest = series_sample(series, 0);
        if (!newest)
            continue;
        char name[OBSERVATION_NAME_MAX];
        char text[OBSERVATION_TEXT_MAX];
        json_t *item = json_object();
        json_set_text(item, "name", observation_name(series->kind, series->parameter, name));
        json_object_set_new(item, "value", sample_value(series, newest));
        json_set_text(item, "text",
                      observation_text(series->kind, newest->number, newest->word, text));
        json_set_int(item, "age_ms", now_ms - newest->at_ms);
        json_set_bool(item, "fresh", series_fresh(series, now_ms, INT64_MIN) != NULL);
        json_array_append_new(list, item);
    }
    return list;
}

json_t *board_save(const struct board *board)
{
    json_t *saved = json_object();
    for (size_t i = 0; i < board->count; i++) {
        const struct series *series = board->items[i];
        char name[OBSERVATION_NAME_MAX];
        json_t *samples = json_array();
        for (size_t age = series->count; age-- > 0;) {
            const struct sample *sample = series_sample(series, age);
            assert(sample);
            json_t *pair = json_array();
            json_array_append_new(pair, json_integer(sample->at_ms));
            json_array_append_new(pair, sample_value(series, sample));
            json_array_append_new(samples, pair);
        }
        json_object_set_new(saved, observation_name(series->kind, series->parameter, name),
                            samples);
    }
    return saved;
}

static void restore_sample(struct board *board, const char *name, const json_t *pair,
                           int64_t shift_ms)
{
    const json_t *at = json_array_get(pair, 0);
    const json_t *value = json_array_get(pair, 1);
    const char *word = json_string_value(value);
    struct series *series;
    bool is_value = word || json_is_number(value) || json_is_boolean(value);
    if (!json_is_integer(at) || !is_value || series_for(board, name, word, &series, NULL) < 0)
        return;
    double number = json_is_boolean(value) ? json_is_true(value) : json_number_value(value);
    series_push(series, instant_shift(json_integer_value(at), shift_ms), number, mem_strdup(word));
}

void board_restore(struct board *board, const json_t *saved, int64_t shift_ms)
{
    const char *name;
    json_t *samples;
    json_object_foreach((json_t *)saved, name, samples)
    {
        for (size_t i = 0; i < json_array_size(samples); i++)
            restore_sample(board, name, json_array_get(samples, i), shift_ms);
    }
}
