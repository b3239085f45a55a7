/* A budget: at most so many events in any span of so much time.
 *
 * The span slides and is half open: an event at t counts in [t, t + span), so with 3 per 1h the
 * fourth may come exactly one hour after the first. Refusing is the caller's: a window only counts.
 *
 * May use: base. Pure: it is told the time.
 */
#ifndef POLICIES_WINDOW_H
#define POLICIES_WINDOW_H

#include "base/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BUDGET_COUNT_MAX = 1000 };

struct budget {
    int count;      /* 1 … BUDGET_COUNT_MAX; 0: no limit */
    int64_t per_ms; /* the span */
};

/* "3 per 1h". False for anything else. */
bool budget_parse(const char *text, struct budget *ret);

#define BUDGET_TEXT_MAX 48
const char *budget_text(const struct budget *budget, char out[static BUDGET_TEXT_MAX]);

struct window {
    int64_t *times; /* of the events still counted, oldest first */
    size_t count;
};

void window_free(struct window *window);

/* Counts one more, and forgets those that no span of this budget can hold any more. */
void window_add(struct window *window, const struct budget *budget, int64_t now_ms);

/* The last one has not come after all. */
void window_take_back(struct window *window, const struct budget *budget);

/* How many of the events count now. */
size_t window_used(const struct window *window, const struct budget *budget, int64_t now_ms);

/* May one more come? And if not, when: now_ms if at once. */
bool window_allows(const struct window *window, const struct budget *budget, int64_t now_ms);
int64_t window_allows_at_ms(const struct window *window, const struct budget *budget,
                            int64_t now_ms);

/* The times, and back; restore replaces what is there, moving every time by shift_ms. */
json_t *window_save(const struct window *window);
void window_restore(struct window *window, const json_t *saved, int64_t shift_ms);

#endif
