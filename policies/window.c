/* See window.h. */
#include "policies/window.h"

#include "base/clock.h"
#include "base/mem.h"
#include "policies/moment.h"

#include <stdio.h>
#include <string.h>

bool budget_parse(const char *text, struct budget *ret)
{
    int count = 0;
    int used = 0;
    int64_t per_ms;
    if (sscanf(text, "%4d per %n", &count, &used) != 1 || used == 0)
        return false;
    if (count < 1 || count > BUDGET_COUNT_MAX || !duration_parse(text + used, &per_ms) ||
        per_ms < SECOND_MS)
        return false;
    *ret = (struct budget){count, per_ms};
    return true;
}

const char *budget_text(const struct budget *budget, char out[static BUDGET_TEXT_MAX])
{
    char per[DURATION_MAX];
    if (budget->count == 0)
        snprintf(out, BUDGET_TEXT_MAX, "no limit");
    else
        snprintf(out, BUDGET_TEXT_MAX, "%d per %s", budget->count,
                 duration_text(budget->per_ms, per));
    return out;
}

void window_free(struct window *window)
{
    free(window->times);
    *window = (struct window){0};
}

static bool counts(int64_t at_ms, const struct budget *budget, int64_t now_ms)
{
    return now_ms - at_ms < budget->per_ms;
}

size_t window_used(const struct window *window, const struct budget *budget, int64_t now_ms)
{
    size_t used = 0;
    for (size_t i = 0; i < window->count; i++)
        used += counts(window->times[i], budget, now_ms);
    return used;
}

void window_add(struct window *window, const struct budget *budget, int64_t now_ms)
{
    struct window kept = {0};
    for (size_t i = 0; i < window->count; i++)
        if (counts(window->times[i], budget, now_ms)) {
            int64_t at_ms = window->times[i];
            *MEM_PUSH(kept.times, kept.count) = at_ms;
        }
    if (budget->count)
        *MEM_PUSH(kept.times, kept.count) = now_ms;
    free(window->times);
    *window = kept;
}

void window_take_back(struct window *window, const struct budget *budget)
{
    if (budget->count && window->count)
        window->count--;
}

bool window_allows(const struct window *window, const struct budget *budget, int64_t now_ms)
{
    return budget->count == 0 || window_used(window, budget, now_ms) < (size_t)budget->count;
}

int64_t window_allows_at_ms(const struct window *window, const struct budget *budget,
                            int64_t now_ms)
{
    if (window_allows(window, budget, now_ms))
        return now_ms;
    /* The count-th event from the end is the one that has to leave. */
    return window->times[window->count - (size_t)budget->count] + budget->per_ms;
}

json_t *window_save(const struct window *window)
{
    json_t *saved = json_array();
    for (size_t i = 0; i < window->count; i++)
        json_array_append_new(saved, json_integer(window->times[i]));
    return saved;
}

void window_restore(struct window *window, const json_t *saved, int64_t shift_ms)
{
    window_free(window);
    for (size_t i = 0; i < json_array_size(saved) && i < BUDGET_COUNT_MAX; i++)
        *MEM_PUSH(window->times, window->count) =
            instant_shift(json_integer_value(json_array_get(saved, i)), shift_ms);
}
