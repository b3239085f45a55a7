/* The condition language: any YAML scalar, its complaints; and one that is read is evaluated,
 * explained, saved and restored. */
#include "fuzz.h"

#include "base/mem.h"
#include "policies/condition.h"
#include "policies/moment.h"

#include <assert.h>

static struct board *some_board(void)
{
    struct board *board = board_new();
    for (int at = 0; at < 5; at++) {
        board_set_number(board, "connections.utilization", at * SECOND_MS, at * 0.2, NULL);
        board_set_number(board, "connections.used", at * SECOND_MS, at * 7, NULL);
        board_set_word(board, "service(a).health", at, at % 2 ? "healthy" : "unhealthy", NULL);
    }
    board_set_word(board, "database.state", 0, "ready", NULL);
    board_set_number(board, "connections.storm", 0, 1, NULL);
    return board;
}

static void use(const struct condition *condition, const struct board *board)
{
    struct condition_state *state = condition_state_new(condition);
    struct condition_state *other = condition_state_new(condition);
    struct buf out;
    buf_init(&out, 1 << 16);
    for (int64_t now = 0; now < 30000; now += 1500) {
        enum truth truth = condition_eval(condition, state, board, now, now / 2);
        assert(truth == condition_eval(condition, state, board, now, now / 2));
        assert(condition_next_change_ms(condition, state, board, now) > now);
        CLEANUP_JSON json_t *saved = condition_state_save(state);
        condition_state_restore(other, saved, 0);
        assert(truth == condition_eval(condition, other, board, now, now / 2));
        condition_now(condition, board, now, INT64_MIN);
    }
    condition_explain(condition, board, 5000, INT64_MIN, &out);
    json_decref(condition_values(condition, board, 5000, INT64_MIN));
    buf_free(&out);
    condition_state_free(other);
    condition_state_free(state);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct diag_list diags;
    CLEANUP_FREE char *text = mem_strndup((const char *)data, size);
    diag_init(&diags, "fuzz", text);
    struct yaml_node *node = yaml_parse(text, size, &diags);
    struct condition *condition = node ? condition_read(node, "when", &diags) : NULL;
    if (condition) {
        struct board *board = some_board();
        use(condition, board);
        board_free(board);
    }
    free(diag_format(&diags));
    condition_free(condition);
    yaml_node_free(node);
    diag_free(&diags);
    return 0;
}
