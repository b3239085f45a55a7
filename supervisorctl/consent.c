/* supervisorctl approve, deny, pause, resume: what a person lets the policies do. */
#include "base/mem.h"
#include "supervisorctl/backend.h"
#include "supervisorctl/ctl.h"

#include <inttypes.h>

/* --- approve and deny ------------------------------------------------------------------------- */

/* The one question that is open; 0 or an exit code. */
static int only_question(struct ctl *ctl, int64_t *ret, struct err *e)
{
    struct question question = {.ask = ASK_POLICIES};
    CLEANUP_JSON json_t *answer = NULL;
    int code = backend_ask(ctl->backend, &question, &answer, e);
    int open = 0;
    const json_t *policies = json_at(answer, "policies");
    for (size_t i = 0; !code && i < json_array_size(policies); i++) {
        int64_t asks = json_int_at(json_array_get(policies, i), "asks", 0);
        open += asks != 0;
        *ret = asks ? asks : *ret;
    }
    if (code || open == 1)
        return code;
    err_set(e, ERR_NOT_FOUND, open ? "%d policies ask: say which is meant" : "no policy asks",
            open);
    err_hint(e, "supervisorctl why lists what was asked");
    return WIRE_EXIT_FAILED;
}

static int answer_question(struct ctl *ctl, enum ask ask, const char *done)
{
    struct err e;
    struct question question = {.ask = ask};
    CLEANUP_JSON json_t *answer = NULL;
    int code = 0;
    if (ctl->options->arg_count == 0)
        code = only_question(ctl, &question.run, &e);
    else if (!ctl_read_run(ctl->options->args[0], &question.run, &e))
        code = WIRE_EXIT_USAGE;
    if (code)
        return ctl_fail(ctl, code, &e);
    if (!ctl_ask(ctl, &question, &answer, &code))
        return code;
    fprintf(ctl->out, "decision %" PRId64 " is %s\n", question.run, done);
    return WIRE_EXIT_DONE;
}

int ctl_approve(struct ctl *ctl)
{
    return answer_question(ctl, ASK_APPROVE, "approved");
}

int ctl_deny(struct ctl *ctl)
{
    return answer_question(ctl, ASK_DENY, "denied");
}

/* --- pause and resume ------------------------------------------------------------------------- */

static void tell_unkept(struct ctl *ctl, const json_t *answer)
{
    if (!json_bool_at(answer, "kept", true))
        ctl_say(ctl, "the journal cannot be written: a restart of the daemon forgets this (see "
                     "`supervisorctl status`)");
}

int ctl_pause(struct ctl *ctl)
{
    struct question question = {.ask = ASK_PAUSE};
    CLEANUP_JSON json_t *body = json_object();
    CLEANUP_JSON json_t *answer = NULL;
    int code;
    if (ctl->options->pause_for)
        json_set_text(body, "for", ctl->options->pause_for);
    if (ctl->options->reason)
        json_set_text(body, "reason", ctl->options->reason);
    question.body = body;
    if (!ctl_ask(ctl, &question, &answer, &code))
        return code;
    const char *until = json_text_at(answer, "paused/until", NULL);
    fprintf(ctl->out, "no policy acts until %s; supervisorctl resume ends it\n",
            until ? until : "somebody resumes");
    tell_unkept(ctl, answer);
    return WIRE_EXIT_DONE;
}

int ctl_resume(struct ctl *ctl)
{
    struct question question = {.ask = ASK_RESUME};
    CLEANUP_JSON json_t *answer = NULL;
    int code;
    if (ctl_ask(ctl, &question, &answer, &code)) {
        fputs("policies act again\n", ctl->out);
        tell_unkept(ctl, answer);
    }
    return code;
}
