/* See feed.h. */
#include "watch/feed.h"

#include "base/mem.h"
#include "policies/derive.h"

#include <assert.h>
#include <string.h>

struct feed {
    struct loop *loop;
    struct board *board;
    void (*changed)(void *data);
    void *changed_data;
    void (*wrote)(void *data, const struct trace_event *event);
    void *wrote_data;
    bool is_due;  /* a call of tell() is queued */
    bool derives; /* what others are derived from was written since the last one */
    bool is_over;
};

struct feed *feed_new(struct loop *loop)
{
    struct feed *feed = mem_new(sizeof *feed);
    feed->loop = loop;
    feed->board = board_new();
    return feed;
}

static void feed_end(void *data)
{
    struct feed *feed = data;
    board_free(feed->board);
    free(feed);
}

struct feed *feed_free(struct feed *feed)
{
    if (!feed)
        return NULL;
    feed->is_over = true;
    loop_defer(feed->loop, feed_end, feed); /* behind tell(), if that is queued */
    return NULL;
}

/* --- telling ---------------------------------------------------------------------------------- */

static void tell(void *data)
{
    struct feed *feed = data;
    feed->is_due = false;
    if (feed->is_over)
        return;
    if (feed->derives)
        derive_board(feed->board, loop_now(feed->loop));
    feed->derives = false;
    if (feed->changed)
        feed->changed(feed->changed_data);
}

static void touch(struct feed *feed, const struct observation_kind *kind)
{
    feed->derives = feed->derives || derive_needs(kind);
    if (feed->is_due)
        return;
    feed->is_due = true;
    loop_defer(feed->loop, tell, feed);
}

static void tap(struct feed *feed, const struct trace_event *event)
{
    if (feed->wrote)
        feed->wrote(feed->wrote_data, event);
}

/* --- writing ---------------------------------------------------------------------------------- */

static const struct observation_kind *kind_of(const char *name)
{
    const char *parameter;
    size_t len;
    const struct observation_kind *kind = observation_find(name, strlen(name), &parameter, &len);
    assert(kind && !parameter); /* names are our own, and their parameters come beside them */
    return kind;
}

static bool is_told_already(const struct feed *feed, const struct observation_kind *kind,
                            const char *parameter, double number, const char *word)
{
    const struct series *series = board_find(feed->board, kind, parameter);
    const struct sample *newest = series ? series_sample(series, 0) : NULL;
    if (kind->ttl_ms || !newest)
        return false;
    return word ? newest->word && strcmp(newest->word, word) == 0 : newest->number == number;
}

static void observe(struct feed *feed, const char *name, const char *parameter, double number,
                    const char *word)
{
    const struct observation_kind *kind = kind_of(name);
    int64_t now_ms = loop_now(feed->loop);
    char full[OBSERVATION_NAME_MAX];
    if (is_told_already(feed, kind, parameter, number, word))
        return;
    observation_name(kind, parameter, full);
    int status = word ? board_set_word(feed->board, full, now_ms, word, NULL)
                      : board_set_number(feed->board, full, now_ms, number, NULL);
    if (status < 0)
        return;
    tap(feed,
        &(struct trace_event){
            .at_ms = now_ms, .kind = TRACE_OBSERVE, .name = full, .word = word, .number = number});
    touch(feed, kind);
}

void feed_number(struct feed *feed, const char *name, const char *parameter, double number)
{
    observe(feed, name, parameter, number, NULL);
}

void feed_word(struct feed *feed, const char *name, const char *parameter, const char *word)
{
    observe(feed, name, parameter, 0, word);
}

void feed_forget(struct feed *feed, const char *name, const char *parameter)
{
    const struct observation_kind *kind = kind_of(name);
    const struct series *const *family;
    char full[OBSERVATION_NAME_MAX];
    bool is_known = parameter ? board_find(feed->board, kind, parameter) != NULL
                              : board_family(feed->board, kind, &family) > 0;
    if (!is_known)
        return;
    observation_name(kind, parameter, full);
    board_forget(feed->board, full);
    tap(feed,
        &(struct trace_event){.at_ms = loop_now(feed->loop), .kind = TRACE_FORGET, .name = full});
    touch(feed, kind);
}

/* --- reading, restoring, listening ------------------------------------------------------------ */

const struct board *feed_board(const struct feed *feed)
{
    return feed->board;
}

void feed_restore(struct feed *feed, const json_t *saved_board, int64_t shift_ms)
{
    board_restore(feed->board, saved_board, shift_ms);
}

void feed_listen(struct feed *feed, void (*changed)(void *data), void *data)
{
    feed->changed = changed;
    feed->changed_data = data;
}

void feed_tap(struct feed *feed, void (*wrote)(void *data, const struct trace_event *event),
              void *data)
{
    feed->wrote = wrote;
    feed->wrote_data = data;
}
