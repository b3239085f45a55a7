/* See schedule.h. */
#include "policies/schedule.h"

#include "base/clock.h"
#include "base/mem.h"
#include "policies/moment.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum { DAY_MINUTES = 1440, ALL_DAYS = 0x7F, WEEKDAYS = 0x3E, EPOCH_WEEKDAY = 4 };

static int64_t floor_div(int64_t value, int64_t by)
{
    return value / by - (value % by < 0);
}

/* The day's number since 1970 and the minute within it. */
static int64_t split_day(int64_t local_ms, int *ret_minute)
{
    int64_t day = floor_div(local_ms, DAY_MS);
    *ret_minute = (int)((local_ms - day * DAY_MS) / MINUTE_MS);
    return day;
}

static bool on_day(unsigned days, int64_t day)
{
    int weekday = (int)(((day + EPOCH_WEEKDAY) % 7 + 7) % 7);
    return days >> weekday & 1U;
}

/* --- words ------------------------------------------------------------------------------------ */

/* What a reader of one text needs: the node for places, and how far it has read. */
struct cursor {
    const struct yaml_node *node;
    const char *at;
    struct diag_list *diags;
};

#define COMPLAIN(c, ...)                                                                           \
    yaml_error_at((c)->diags, (c)->node, (size_t)((c)->at - (c)->node->text), __VA_ARGS__)

static void skip_spaces(struct cursor *c)
{
    while (isspace((unsigned char)*c->at))
        c->at++;
}

static bool at_word(const struct cursor *c)
{
    return isalpha((unsigned char)*c->at);
}

/* "sun" … "saturday": the place in the week, or -1. */
static int weekday_of(const char *word, size_t len)
{
    static const char *const days[] = {"sunday",   "monday", "tuesday", "wednesday",
                                       "thursday", "friday", "saturday"};
    for (int i = 0; i < 7; i++)
        if ((len == 3 || len == strlen(days[i])) && strncasecmp(word, days[i], len) == 0)
            return i;
    return -1;
}

static bool read_weekday(struct cursor *c, int *ret)
{
    static const char *const known[] = {"sunday", "monday",   "tuesday", "wednesday", "thursday",
                                        "friday", "saturday", "day",     "weekday",   NULL};
    size_t len = 0;
    while (isalpha((unsigned char)c->at[len]))
        len++;
    *ret = weekday_of(c->at, len);
    if (*ret < 0) {
        CLEANUP_FREE char *word = mem_strndup(c->at, len);
        const char *near = diag_nearest(word, known);
        return near ? COMPLAIN(c, "'%s' is no day of the week; did you mean '%s'?", word, near)
                    : COMPLAIN(c, "expected a day of the week, such as mon or sunday");
    }
    c->at += len;
    return true;
}

/* "mon", "Mon-Fri", "sat,sun" */
static bool read_days(struct cursor *c, unsigned *ret)
{
    *ret = 0;
    for (;;) {
        int first;
        int last;
        if (!read_weekday(c, &first))
            return false;
        last = first;
        if (*c->at == '-') {
            c->at++;
            if (!read_weekday(c, &last))
                return false;
        }
        for (int day = first;; day = (day + 1) % 7) {
            *ret |= 1U << day;
            if (day == last)
                break;
        }
        if (*c->at != ',')
            return true;
        c->at++;
        skip_spaces(c);
    }
}

/* "08:00"; 24:00 is the end of a day. */
static bool read_clock(struct cursor *c, int *ret_minute)
{
    const char *t = c->at;
    bool form = isdigit((unsigned char)t[0]) && isdigit((unsigned char)t[1]) && t[2] == ':' &&
                isdigit((unsigned char)t[3]) && isdigit((unsigned char)t[4]);
    if (!form)
        return COMPLAIN(c, "expected a time of day such as 04:00");
    int hour = (t[0] - '0') * 10 + t[1] - '0';
    int minute = (t[3] - '0') * 10 + t[4] - '0';
    if (minute > 59 || hour > 24 || (hour == 24 && minute > 0))
        return COMPLAIN(c, "%.5s is no time of day", t);
    *ret_minute = hour * 60 + minute;
    c->at += 5;
    return true;
}

static bool at_end(struct cursor *c)
{
    skip_spaces(c);
    return !*c->at || COMPLAIN(c, "unexpected '%s'", c->at);
}

/* --- schedules -------------------------------------------------------------------------------- */

static bool take_word(struct cursor *c, const char *word)
{
    size_t len = strlen(word);
    if (strncasecmp(c->at, word, len) != 0 || isalpha((unsigned char)c->at[len]))
        return false;
    c->at += len;
    skip_spaces(c);
    return true;
}

static bool read_interval(struct cursor *c, struct schedule *ret)
{
    if (!duration_parse(c->at, &ret->every_ms))
        return COMPLAIN(c, "'%s' is not a duration such as 15m, nor a day such as sunday", c->at);
    if (ret->every_ms < 10 * (int64_t)SECOND_MS || ret->every_ms > 30 * DAY_MS)
        return COMPLAIN(c, "every %s: it must lie between 10s and 30d", c->at);
    return true;
}

bool schedule_read(const struct yaml_node *node, struct schedule *ret, struct diag_list *diags)
{
    const char *text;
    *ret = (struct schedule){0};
    if (!yaml_read_text(node, "schedule", &text, diags))
        return false;
    struct cursor c = {node, text, diags};
    if (!take_word(&c, "every"))
        return COMPLAIN(&c, "a schedule begins with 'every', such as 'every sunday 04:00'");
    if (!at_word(&c))
        return read_interval(&c, ret);
    if (take_word(&c, "day"))
        ret->days = ALL_DAYS;
    else if (take_word(&c, "weekday"))
        ret->days = WEEKDAYS;
    else if (!read_days(&c, &ret->days))
        return false;
    skip_spaces(&c);
    if (!read_clock(&c, &ret->minute))
        return false;
    if (ret->minute == DAY_MINUTES)
        return COMPLAIN(&c, "24:00 is 00:00 of the day after; say that");
    return at_end(&c);
}

int64_t schedule_next_local_ms(const struct schedule *schedule, int64_t local_ms)
{
    int minute;
    int64_t day = split_day(local_ms, &minute);
    for (;; day++) {
        int64_t at_ms = day * DAY_MS + (int64_t)schedule->minute * MINUTE_MS;
        if (at_ms > local_ms && on_day(schedule->days, day))
            return at_ms;
    }
}

/* --- time windows ----------------------------------------------------------------------------- */

static bool read_window(const struct yaml_node *node, struct time_window *ret,
                        struct diag_list *diags)
{
    const char *text;
    *ret = (struct time_window){.days = ALL_DAYS, .to = DAY_MINUTES};
    if (!yaml_read_text(node, "only", &text, diags))
        return false;
    struct cursor c = {node, text, diags};
    skip_spaces(&c);
    if (at_word(&c) && !read_days(&c, &ret->days))
        return false;
    skip_spaces(&c);
    if (!*c.at)
        return true;
    if (!read_clock(&c, &ret->from))
        return false;
    if (*c.at != '-')
        return COMPLAIN(&c, "expected '-' and the time at which the window shuts");
    c.at++;
    if (!read_clock(&c, &ret->to))
        return false;
    if (ret->from == ret->to)
        return COMPLAIN(&c, "the window shuts when it opens");
    return at_end(&c);
}

bool time_windows_read(const struct yaml_node *node, struct time_windows *ret,
                       struct diag_list *diags)
{
    if (node->kind != YAML_LIST)
        return read_window(node, MEM_PUSH(ret->items, ret->count), diags);
    bool fine = node->count > 0 || yaml_error(diags, node, "only: expected a time window");
    for (size_t i = 0; i < node->count; i++)
        fine = read_window(node->items[i], MEM_PUSH(ret->items, ret->count), diags) && fine;
    return fine;
}

void time_windows_free(struct time_windows *windows)
{
    free(windows->items);
    *windows = (struct time_windows){0};
}

static bool window_open(const struct time_window *window, int64_t day, int minute)
{
    if (window->from < window->to)
        return on_day(window->days, day) && minute >= window->from && minute < window->to;
    /* Over midnight: opened today, or opened yesterday and not shut yet. */
    return (on_day(window->days, day) && minute >= window->from) ||
           (on_day(window->days, day - 1) && minute < window->to);
}

bool time_windows_open(const struct time_windows *windows, int64_t local_ms)
{
    int minute;
    int64_t day = split_day(local_ms, &minute);
    bool open = windows->count == 0;
    for (size_t i = 0; i < windows->count && !open; i++)
        open = window_open(&windows->items[i], day, minute);
    return open;
}

int64_t time_windows_change_local_ms(const struct time_windows *windows, int64_t local_ms)
{
    int64_t next = NEVER;
    for (size_t i = 0; i < windows->count; i++) {
        /* Midnight is a change too where a day is not one of the window's. */
        const int minutes[] = {windows->items[i].from, windows->items[i].to, 0};
        for (size_t m = 0; m < ARRAY_SIZE(minutes); m++) {
            struct schedule edge = {.days = ALL_DAYS, .minute = minutes[m] % DAY_MINUTES};
            next = earlier(next, schedule_next_local_ms(&edge, local_ms));
        }
    }
    return next;
}
