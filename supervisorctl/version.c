/* supervisorctl version: of this command, and of the daemon if one answers. */
#include "supervisorctl/backend.h"
#include "supervisorctl/ctl.h"

#include <inttypes.h>

int ctl_version(struct ctl *ctl)
{
    struct err e;
    struct question question = {.ask = ASK_VERSION};
    CLEANUP_JSON json_t *answer = NULL;
    bool reached = backend_ask(ctl->backend, &question, &answer, &e) == 0;
    if (ctl->options->json) {
        CLEANUP_JSON json_t *object = json_object();
        json_set_text(object, "command", STACK_SUPERVISOR_VERSION);
        json_object_set(object, "daemon", reached ? answer : json_null());
        return ctl_print_json(ctl, WIRE_EXIT_DONE, object);
    }
    fprintf(ctl->out, "supervisorctl %s (stack-supervisor)\n", STACK_SUPERVISOR_VERSION);
    if (!reached) { /* no failure: this command's version was asked for too */
        ctl_say(ctl, "%s", e.text);
        return WIRE_EXIT_DONE;
    }
    fputs("stack-supervisord ", ctl->out);
    print_text(ctl->out, json_text_at(answer, "version", "?"));
    fputs(", API ", ctl->out);
    print_text(ctl->out, json_text_at(answer, "api", "?"));
    fprintf(ctl->out, ", pid %" PRId64 "\n", json_int_at(answer, "pid", 0));
    return WIRE_EXIT_DONE;
}
