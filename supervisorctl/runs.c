/* supervisorctl runs, run, attach, abort, playbooks: what there is and what there was. */
#include "base/mem.h"
#include "supervisorctl/backend.h"
#include "supervisorctl/ctl.h"
#include "supervisorctl/follow.h"
#include "supervisorctl/story.h"

#include <inttypes.h>
#include <string.h>

static void add_run(struct print_table *table, const json_t *run, int64_t now_ms)
{
    char ago[PRINT_AGO_MAX];
    char took[DURATION_MAX];
    const char *state = json_text_at(run, "state", "?");
    print_table_cellf(table, TONE_PLAIN, "%" PRId64, json_int_at(run, "run", 0));
    print_table_cell(table, TONE_PLAIN, json_text_at(run, "playbook", NULL));
    print_table_cell(table, print_tone_of(state), state);
    print_table_cell(table, TONE_PLAIN,
                     print_ago(json_text_at(run, "started_at", NULL), now_ms, ago));
    print_table_cell(table, TONE_PLAIN, duration_text(json_int_at(run, "took_ms", 0), took));
    print_table_cell(table, TONE_PLAIN, json_text_at(run, "trigger", NULL));
    print_table_cell(table, TONE_PLAIN, json_text_at(run, "requester", NULL));
    print_table_cell(table, TONE_DIM, json_text_at(run, "text", NULL));
}

/* The newest such run is the one that can be carried on. */
static void say_interrupted(struct ctl *ctl, const json_t *runs)
{
    CLEANUP_FREE char *hint = ctl_carry_on_hint(ctl);
    for (size_t i = 0; i < json_array_size(runs); i++) {
        const json_t *run = json_array_get(runs, i);
        if (!story_is_interrupted(run))
            continue;
        ctl_say(ctl, "run %" PRId64 " was interrupted, and nobody works on it: %s",
                json_int_at(run, "run", 0), hint);
        return;
    }
}

int ctl_runs(struct ctl *ctl)
{
    static const char *const headings[] = {">RUN",    "PLAYBOOK", "STATE",     "STARTED", ">TOOK",
                                           "TRIGGER", "ASKED BY", "WHAT CAME", NULL};
    struct question question = {.ask = ASK_RUNS};
    CLEANUP_JSON json_t *answer = NULL;
    int code;
    if (!ctl_ask(ctl, &question, &answer, &code))
        return code;
    const json_t *runs = json_at(answer, "runs");
    if (json_array_size(runs) == 0) {
        ctl_say(ctl, "there were no runs yet");
        return WIRE_EXIT_DONE;
    }
    struct print_table *table = print_table_new(headings);
    for (size_t i = 0; i < json_array_size(runs); i++)
        add_run(table, json_array_get(runs, i), clock_wall_ms());
    print_table_end(table, ctl->out, &ctl->style, 0);
    say_interrupted(ctl, runs);
    return WIRE_EXIT_DONE;
}

int ctl_run(struct ctl *ctl)
{
    struct err e;
    struct question question = {.ask = ASK_RUN};
    CLEANUP_JSON json_t *run = NULL;
    int code;
    if (!ctl_read_run(ctl->options->args[0], &question.run, &e))
        return ctl_fail(ctl, WIRE_EXIT_USAGE, &e);
    if (!ctl_ask(ctl, &question, &run, &code))
        return code;
    story_print(ctl->out, &ctl->style, run, clock_wall_ms());
    if (story_is_interrupted(run)) {
        CLEANUP_FREE char *hint = ctl_carry_on_hint(ctl);
        fprintf(ctl->out,
                "run %" PRId64 " was interrupted, and nobody works on it: ", question.run);
        print_text(ctl->out, hint);
        fputc('\n', ctl->out);
    }
    return WIRE_EXIT_DONE;
}

/* The run that is meant: the one that was typed, or the one that is under way. 0 or an exit
 * code. */
static int meant_run(struct ctl *ctl, int64_t *ret, struct err *e)
{
    if (ctl->options->arg_count)
        return ctl_read_run(ctl->options->args[0], ret, e) ? 0 : WIRE_EXIT_USAGE;
    CLEANUP_JSON json_t *present = NULL;
    int code = ctl_present_run(ctl, &present, e);
    if (code)
        return code;
    if (!present) {
        err_set(e, ERR_NOT_FOUND, "no run is under way");
        err_hint(e, "supervisorctl runs lists those that were");
        return WIRE_EXIT_FAILED;
    }
    *ret = json_int_at(present, "run", 0);
    return 0;
}

int ctl_attach(struct ctl *ctl)
{
    struct err e;
    struct question question = {.ask = ASK_RUN};
    CLEANUP_JSON json_t *run = NULL;
    int code = meant_run(ctl, &question.run, &e);
    if (!code)
        code = backend_ask(ctl->backend, &question, &run, &e);
    if (code)
        return ctl_fail(ctl, code, &e);
    return ctl_watch(ctl, question.run, json_at(run, "plan"), NULL);
}

/* Wound up, with everything up again: what was asked for. */
static bool is_wound_up(const json_t *entries)
{
    const json_t *end = json_array_get(entries, json_array_size(entries) - 1);
    return strcmp(json_text_at(end, "type", ""), WIRE_ENTRY_END) == 0 &&
           strcmp(json_text_at(end, "state", ""), "aborted") == 0 &&
           json_array_size(json_at(end, "left_stopped")) == 0;
}

/* With no daemon the run is wound up by this process, which must not go before that is done. */
static int abort_here(struct ctl *ctl, int64_t run)
{
    struct err e;
    struct question about = {.ask = ASK_RUN, .run = run};
    struct question question = {.ask = ASK_ABORT, .run = run};
    CLEANUP_JSON json_t *record = NULL;
    CLEANUP_JSON json_t *reply = NULL;
    CLEANUP_JSON json_t *entries = NULL;
    int code = backend_ask(ctl->backend, &about, &record, &e);
    signals_open(&ctl->signals);
    if (!code)
        code = backend_ask(ctl->backend, &question, &reply, &e);
    if (code) {
        signals_close(&ctl->signals);
        return ctl_fail(ctl, code, &e);
    }
    ctl_say(ctl, "run %" PRId64 " winds up and starts again what it stopped", run);
    code = ctl_watch(ctl, run, json_at(record, "plan"), &entries);
    return code == WIRE_EXIT_FAILED && is_wound_up(entries) ? WIRE_EXIT_DONE : code;
}

int ctl_abort(struct ctl *ctl)
{
    struct err e;
    struct question question = {.ask = ASK_ABORT};
    CLEANUP_JSON json_t *reply = NULL;
    int code = meant_run(ctl, &question.run, &e);
    if (code)
        return ctl_fail(ctl, code, &e);
    if (!ctl->backend->class->runs_outlive_us)
        return abort_here(ctl, question.run);
    if (!ctl_ask(ctl, &question, &reply, &code))
        return code;
    fprintf(ctl->out,
            "run %" PRId64 " winds up and starts again what it stopped: supervisorctl attach "
            "%" PRId64 "\n",
            question.run, question.run);
    return WIRE_EXIT_DONE;
}

int ctl_playbooks(struct ctl *ctl)
{
    static const char *const headings[] = {"PLAYBOOK", "WHAT IT DOES", NULL};
    struct question question = {.ask = ASK_PLAYBOOKS};
    CLEANUP_JSON json_t *answer = NULL;
    int code;
    if (!ctl_ask(ctl, &question, &answer, &code))
        return code;
    const json_t *playbooks = json_is_array(answer) ? answer : json_at(answer, "playbooks");
    struct print_table *table = print_table_new(headings);
    for (size_t i = 0; i < json_array_size(playbooks); i++) {
        const json_t *playbook = json_array_get(playbooks, i);
        print_table_cell(table, TONE_BOLD, json_text_at(playbook, "name", NULL));
        print_table_cell(table, TONE_PLAIN, json_text_at(playbook, "description", NULL));
    }
    print_table_end(table, ctl->out, &ctl->style, 0);
    return WIRE_EXIT_DONE;
}
