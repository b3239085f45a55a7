/* See sessions.h. */
#include "watch/sessions.h"

#include "base/hash.h"
#include "base/mem.h"

#include <string.h>

static const char in_transaction[] = "idle in transaction"; /* and "… (aborted)" */

static bool counts(const struct db_session *session)
{
    return !session->ours && strcmp(session->backend_type, "client backend") == 0;
}

static void keep_longest(double *longest_ms, double age_s)
{
    if (age_s * 1000 > *longest_ms)
        *longest_ms = age_s * 1000;
}

/* --- who holds how many ----------------------------------------------------------------------- */

/* An idle session, in a transaction or not. */
static void add_idle(struct watch__holding *holding, double age_s)
{
    keep_longest(&holding->oldest_idle_ms, age_s);
    holding->leaked += age_s * 1000 >= DERIVE_LEAKED_MS;
}

static struct watch__holding *holding_of(struct watch__tally *tally,
                                         const struct container *container)
{
    for (size_t i = 0; i < tally->holding_count; i++)
        if (strcmp(tally->holdings[i].container->id, container->id) == 0)
            return &tally->holdings[i];
    struct watch__holding *holding = MEM_PUSH(tally->holdings, tally->holding_count);
    holding->container = container;
    return holding;
}

static void add_session(struct watch__tally *tally, const struct db_session *session,
                        const struct container *container)
{
    struct watch__holding nobody = {0};
    struct watch__holding *holding = container ? holding_of(tally, container) : &nobody;
    holding->connections++;
    if (strcmp(session->state, "idle") == 0) {
        tally->idle++;
        holding->idle++;
        keep_longest(&tally->longest_idle_ms, session->state_age_s);
        add_idle(holding, session->state_age_s);
    } else if (strncmp(session->state, in_transaction, sizeof in_transaction - 1) == 0) {
        tally->idle_in_transaction++;
        holding->idle_in_transaction++;
        keep_longest(&tally->longest_idle_in_transaction_ms, session->state_age_s);
        add_idle(holding, session->state_age_s);
    }
}

void watch__tally_make(struct watch__tally *tally, const struct db_activity *activity,
                       watch__holder_fn holder, void *data)
{
    *tally = (struct watch__tally){0};
    for (size_t i = 0; i < activity->session_count; i++)
        if (counts(&activity->sessions[i]))
            add_session(tally, &activity->sessions[i], holder(data, i));
}

void watch__tally_clear(struct watch__tally *tally)
{
    free(tally->holdings);
    *tally = (struct watch__tally){0};
}

bool watch__idle_says_nothing(const struct stack *stack, const struct container *container)
{
    const struct stack_service *service = stack_service(stack, container->service);
    return service && (service->role == ROLE_POOLER || service->role == ROLE_DATABASE);
}

/* --- which are new ---------------------------------------------------------------------------- */

static uint64_t key_of(const struct db_session *session)
{
    CLEANUP_FREE char *text = mem_printf("%d %s", session->pid, session->backend_start);
    return hash_bytes(text, strlen(text));
}

static int compare_keys(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

void watch__seen_next(struct watch__seen *seen, const struct db_activity *activity,
                      struct rate *opened, int64_t now_ms)
{
    struct watch__seen next = {.keys = mem_new((activity->session_count + 1) * sizeof(uint64_t))};
    for (size_t i = 0; i < activity->session_count; i++) {
        const struct db_session *session = &activity->sessions[i];
        if (!counts(session))
            continue;
        uint64_t key = key_of(session);
        next.keys[next.count++] = key;
        bool is_new =
            !seen->count || !bsearch(&key, seen->keys, seen->count, sizeof key, compare_keys);
        if (is_new && session->age_s * 1000 < RATE_SPAN_MS)
            rate_add(opened, now_ms - (int64_t)(session->age_s * 1000));
    }
    qsort(next.keys, next.count, sizeof *next.keys, compare_keys);
    watch__seen_clear(seen);
    *seen = next;
}

void watch__seen_clear(struct watch__seen *seen)
{
    free(seen->keys);
    *seen = (struct watch__seen){0};
}
