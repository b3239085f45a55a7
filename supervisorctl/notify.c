/* supervisorctl test-notify: does a receiver of notifications take one? */
#include "base/mem.h"
#include "supervisorctl/backend.h"
#include "supervisorctl/ctl.h"

static void show_result(struct ctl *ctl, const json_t *result)
{
    char took[DURATION_MAX];
    bool delivered = json_bool_at(result, "delivered", false);
    const char *hint = json_text_at(result, "hint", NULL);
    duration_text(json_int_at(result, "took_ms", 0), took);
    print_text(ctl->out, json_text_at(result, "receiver", "?"));
    fputs(": ", ctl->out);
    if (delivered) {
        print_toned(ctl->out, &ctl->style, TONE_GOOD, "delivered");
        fprintf(ctl->out, " in %s\n", took);
        return;
    }
    print_toned(ctl->out, &ctl->style, TONE_BAD, "failed");
    fprintf(ctl->out, " after %s: ", took);
    print_text(ctl->out, json_text_at(result, "error", "?"));
    if (hint) {
        fputs("\n  ", ctl->out);
        print_text(ctl->out, hint);
    }
    fputc('\n', ctl->out);
}

static bool all_delivered(const json_t *results)
{
    bool all = true;
    for (size_t i = 0; i < json_array_size(results); i++)
        all &= json_bool_at(json_array_get(results, i), "delivered", false);
    return all;
}

int ctl_test_notify(struct ctl *ctl)
{
    struct err e;
    CLEANUP_JSON json_t *body = json_object();
    CLEANUP_JSON json_t *answer = NULL;
    struct question question = {.ask = ASK_NOTIFY_TEST, .body = body};
    if (ctl->options->arg_count > 0)
        json_set_text(body, "receiver", ctl->options->args[0]);
    int code = backend_ask(ctl->backend, &question, &answer, &e);
    if (code)
        return ctl_fail(ctl, code, &e);
    const json_t *results = json_at(answer, "results");
    code = all_delivered(results) ? WIRE_EXIT_DONE : WIRE_EXIT_FAILED;
    if (ctl->options->json)
        return ctl_print_json(ctl, code, answer);
    for (size_t i = 0; i < json_array_size(results); i++)
        show_result(ctl, json_array_get(results, i));
    return code;
}
