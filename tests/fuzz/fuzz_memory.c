/* What the journal keeps for policies/: the board and the engine's memory. One that is taken over
 * lives on for some minutes, and is saved to something that can be taken over. */
#include "fuzz.h"

#include "policies/decide.h"

#include <assert.h>

static const struct life life = {.mono_ms = 5000, .boot = "fuzz"};
static const struct decide_options options = {.recoveries = DECIDE_RECOVERIES_DEFAULT};

static void live(struct decide *engine, const json_t *kept)
{
    struct board *board = board_new();
    board_restore(board, kept, -5000);
    board_set_number(board, "connections.utilization", 0, 0.97, NULL);
    board_set_word(board, "database.state", 0, "exhausted", NULL);
    for (int i = 1; i < 20; i++) {
        size_t count;
        struct moment now = {5000 + i * 15 * SECOND_MS, i * 7 * HOUR_MS};
        decide_step(engine, &now, board, &count);
        assert(decide_next_ms(engine, &now, board) > now.mono_ms);
        if (i % 4 == 0)
            decide_run_ended(engine, &now, decide_running(engine),
                             (enum run_outcome)(i % RUN_OUTCOMES));
        if (i == 19)
            json_decref(decide_json(engine, &now, board));
    }
    board_free(board);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct policy_set *set;
    static const struct moment now = {5000, 0};
    struct err e;
    set = set ? set : policy_set_new();
    CLEANUP_JSON json_t *saved = json_parse((const char *)data, size, "fuzz", &e);
    if (!saved)
        return 0;
    struct decide *engine = decide_new(set, &options, &now);
    if (decide_restore(engine, json_at(saved, "engine"), &life, &now, &e) == 0) {
        live(engine, json_at(saved, "board"));
        CLEANUP_JSON json_t *again = decide_save(engine, &life);
        struct decide *next = decide_new(set, &options, &now);
        int status = decide_restore(next, again, &life, &now, NULL);
        assert(status == 0);
        decide_free(next);
    }
    decide_free(engine);
    return 0;
}
