/* Policies: any list of them, its complaints; and a set that is read lives for some minutes, is
 * saved and restored. */
#include "fuzz.h"

#include "base/mem.h"
#include "policies/decide.h"

#include <assert.h>

enum { STEPS = 24 };

static void feed(struct board *board, int at)
{
    static const char *const words[] = {"ready", "exhausted", "hung"};
    int64_t now = at * (int64_t)10000;
    board_set_number(board, "connections.utilization", now, at % 7 * 0.15, NULL);
    board_set_word(board, "database.state", now, words[at % 3], NULL);
    board_set_word(board, "service(a).health", now, at % 5 ? "healthy" : "unhealthy", NULL);
    board_set_word(board, "connections.leaker", now, at % 4 ? "worker-1" : "none", NULL);
}

static struct decide *born_again(struct decide *engine, const struct policy_set *set,
                                 const struct moment *now)
{
    const struct decide_options options = {.recoveries = DECIDE_RECOVERIES_DEFAULT};
    const struct life life = {.mono_ms = now->mono_ms, .boot = "fuzz"};
    CLEANUP_JSON json_t *saved = decide_save(engine, &life);
    decide_free(engine);
    engine = decide_new(set, &options, now);
    int status = decide_restore(engine, saved, &life, now, NULL);
    assert(status == 0);
    return engine;
}

static void live(const struct policy_set *set)
{
    const struct decide_options options = {.recoveries = DECIDE_RECOVERIES_DEFAULT};
    struct moment now = {0, 0};
    struct board *board = board_new();
    struct decide *engine = decide_new(set, &options, &now);
    for (int i = 0; i < STEPS; i++) {
        size_t count;
        now = (struct moment){i * (int64_t)10000, i * (int64_t)7777777};
        feed(board, i);
        decide_step(engine, &now, board, &count);
        assert(decide_next_ms(engine, &now, board) > now.mono_ms);
        if (i % 3 == 0)
            decide_run_ended(engine, &now, decide_running(engine),
                             (enum run_outcome)(i % RUN_OUTCOMES));
        if (i % 5 == 0 && decide_asked(engine))
            decide_approve(engine, &now, decide_asked(engine), NULL);
        if (i % 8 == 7)
            engine = born_again(engine, set, &now);
    }
    json_decref(decide_json(engine, &now, board));
    json_decref(decide_history(engine, 64));
    decide_free(engine);
    board_free(board);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct diag_list diags;
    CLEANUP_FREE char *text = mem_strndup((const char *)data, size);
    diag_init(&diags, "fuzz", text);
    struct yaml_node *list = yaml_parse(text, size, &diags);
    struct policy_set *set = policy_set_empty();
    if (list && policy_set_read(set, list, &diags)) {
        json_decref(policy_set_json(set));
        live(set);
    }
    free(diag_format(&diags));
    policy_set_free(set);
    yaml_node_free(list);
    diag_free(&diags);
    return 0;
}
