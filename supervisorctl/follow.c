/* See follow.h. */
#include "supervisorctl/follow.h"

#include "base/clock.h"
#include "base/mem.h"
#include "supervisorctl/backend.h"
#include "supervisorctl/outlet.h"
#include "supervisorctl/progress.h"
#include "supervisorctl/story.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

enum { UNREAD_MAX = 1 << 20 }; /* bytes that nobody has read; beyond it lines are left out */

struct watch {
    struct ctl *ctl;
    int64_t run;
    struct progress *progress; /* NULL with --json */
    json_t *entries;           /* those that are kept */
    const json_t *end;         /* the last of them, when it has come */
    int64_t deadline_ms;       /* monotonic; INT64_MAX: none */
    int acted_on;              /* interrupts that something was done about */
    bool timed_out;
    bool winding_up;
    bool left;
    bool lost; /* the daemon does not answer at present */
};

/* Of a run whose daemon may be gone. Only that daemon knew where its state directory is. */
#define WHO_CARRIES_ON                                                                             \
    "the next daemon on its state directory carries it on: systemctl start stack-supervisor, or "  \
    "stack-supervisord as it was started by hand; without one, with its --state-dir: "             \
    "supervisorctl --standalone attach"

static bool runs_outlive_us(const struct ctl *ctl)
{
    return ctl->backend->class->runs_outlive_us;
}

/* --- while it runs ---------------------------------------------------------------------------- */

static void on_entry(void *data, const json_t *entry)
{
    struct watch *watch = data;
    const char *type = json_text_at(entry, "type", "");
    progress_quiet(watch->progress, outlet_held(watch->ctl->outlet) > UNREAD_MAX);
    progress_entry(watch->progress, entry);
    if (strcmp(type, WIRE_ENTRY_PROGRESS) == 0)
        return;
    json_t *kept = json_deep_copy(entry);
    json_array_append_new(watch->entries, kept);
    if (strcmp(type, WIRE_ENTRY_END) == 0)
        watch->end = kept;
}

static enum follow_wish leave(struct watch *watch)
{
    watch->left = true;
    return FOLLOW_LEAVE;
}

/* In this process leaving would stop the run's work half way, so it is asked to wind up first. */
static enum follow_wish wind_up(struct watch *watch, const char *why)
{
    if (runs_outlive_us(watch->ctl) || watch->winding_up)
        return leave(watch);
    watch->winding_up = true;
    progress_break(watch->progress);
    ctl_say(watch->ctl,
            "%s: run %" PRId64 " winds up and starts again what it stopped; once more Ctrl-C "
            "leaves it as it is",
            why, watch->run);
    return FOLLOW_WIND_UP;
}

static enum follow_wish on_tick(void *data)
{
    struct watch *watch = data;
    struct signals *signals = &watch->ctl->signals;
    signals_read(signals);
    outlet_pass_on(watch->ctl->outlet);
    if (outlet_held(watch->ctl->outlet) == 0) /* no picture on top of one that is not seen yet */
        progress_tick(watch->progress);
    if (signals->interrupts > watch->acted_on) {
        watch->acted_on = signals->interrupts;
        return wind_up(watch, "interrupted");
    }
    if (!watch->timed_out && clock_mono_ms() >= watch->deadline_ms) {
        watch->timed_out = true;
        return wind_up(watch, "the time is over");
    }
    return FOLLOW_ON;
}

static void on_gap(void *data, bool restored, const struct err *e)
{
    struct watch *watch = data;
    char limit[DURATION_MAX];
    watch->lost = !restored;
    progress_break(watch->progress);
    if (restored)
        ctl_say(watch->ctl, "the daemon is back");
    else
        ctl_say(watch->ctl, "%s; trying again for %s, a daemon that is back carries the run on",
                e->text, duration_text(FOLLOW_RETRY_MS, limit));
}

/* --- when it is over -------------------------------------------------------------------------- */

static int exit_of_left(const struct watch *watch)
{
    if (watch->timed_out)
        return WIRE_EXIT_TIMEOUT;
    if (watch->lost)
        return WIRE_EXIT_UNREACHABLE;
    return runs_outlive_us(watch->ctl) ? WIRE_EXIT_DONE : WIRE_EXIT_FAILED;
}

static int exit_of_watch(const struct watch *watch)
{
    if (!watch->end)
        return exit_of_left(watch);
    if (watch->timed_out)
        return WIRE_EXIT_TIMEOUT;
    bool good = strcmp(json_text_at(watch->end, "state", ""), "succeeded") == 0;
    return good ? WIRE_EXIT_DONE : WIRE_EXIT_FAILED;
}

static int print_object(const struct watch *watch)
{
    CLEANUP_JSON json_t *object = json_object();
    json_set_int(object, "run", watch->run);
    json_set_text(object, "state",
                  json_text_at(watch->end, "state", watch->lost ? "unknown" : "running"));
    json_object_set(object, "entries", watch->entries);
    return ctl_print_json(watch->ctl, exit_of_watch(watch), object);
}

static void say_left_here(const struct watch *watch)
{
    CLEANUP_FREE char *hint = ctl_carry_on_hint(watch->ctl);
    ctl_say(watch->ctl,
            "left; run %" PRId64 " stands in the journal and the next supervisor carries it on: %s",
            watch->run, hint);
}

static void say_left(const struct watch *watch)
{
    const char *why = watch->timed_out ? "the time is over" : "detached";
    if (watch->lost)
        ctl_say(watch->ctl,
                "%s; the daemon does not answer, and it is not known whether run %" PRId64
                " goes on. If the daemon is gone, " WHO_CARRIES_ON,
                why, watch->run);
    else if (runs_outlive_us(watch->ctl))
        ctl_say(watch->ctl, "%s; run %" PRId64 " goes on: supervisorctl attach %" PRId64, why,
                watch->run, watch->run);
    else
        say_left_here(watch);
}

/* What became of the run is told first; the lost connection only explains it. */
static int fail(struct watch *watch, int code, const struct err *e)
{
    struct err gone;
    progress_break(watch->progress);
    if (e->code != ERR_UNREACHABLE)
        return ctl_fail(watch->ctl, code, e);
    err_set(&gone, ERR_UNREACHABLE,
            "run %" PRId64 " is unfinished as far as is known, and containers that it stopped may "
            "be down: %.*s",
            watch->run, ERR_TEXT_MAX / 2, e->text);
    err_hint(&gone, "%s", WHO_CARRIES_ON);
    return ctl_fail(watch->ctl, code, &gone);
}

static int finish(struct watch *watch, int code, const struct err *e)
{
    struct ctl *ctl = watch->ctl;
    if (code)
        return fail(watch, code, e);
    if (!watch->end && !watch->left) {
        struct err lost;
        err_set(&lost, ERR_PROTOCOL, "run %" PRId64 ": its end was not told", watch->run);
        err_hint(&lost, "supervisorctl run %" PRId64, watch->run);
        return ctl_fail(ctl, WIRE_EXIT_FAILED, &lost);
    }
    if (watch->left)
        say_left(watch);
    if (ctl->options->json)
        return print_object(watch);
    if (watch->end)
        story_print_outcome(ctl->out, &ctl->style, watch->run, watch->end);
    return exit_of_watch(watch);
}

int ctl_watch(struct ctl *ctl, int64_t run, const json_t *plan, json_t **ret_entries)
{
    struct err e;
    int64_t limit_ms = ctl->options->timeout_ms;
    struct watch watch = {
        .ctl = ctl,
        .run = run,
        .progress = ctl->options->json ? NULL : progress_new(ctl->out, &ctl->style, plan),
        .entries = json_array(),
        .deadline_ms = limit_ms ? clock_mono_ms() + limit_ms : INT64_MAX,
    };
    signals_open(&ctl->signals);
    struct follower follower = {.on_entry = on_entry,
                                .on_tick = on_tick,
                                .on_gap = on_gap,
                                .wake_fd = ctl->signals.fd,
                                .data = &watch};
    int code = ctl->backend->class->follow(ctl->backend, run, &follower, &e);
    progress_quiet(watch.progress, false);
    progress_tick(watch.progress);
    code = finish(&watch, code, &e);
    signals_close(&ctl->signals);
    progress_free(watch.progress);
    if (ret_entries)
        *ret_entries = json_incref(watch.entries);
    json_decref(watch.entries);
    return code;
}

/* --- starting --------------------------------------------------------------------------------- */

/* Whatever was refused beside an unfinished run: that one comes first. */
static void hint_interrupted(struct ctl *ctl, struct err *e)
{
    struct err ignored;
    CLEANUP_JSON json_t *present = NULL;
    if (ctl_present_run(ctl, &present, &ignored) != 0 || !story_is_interrupted(present))
        return;
    CLEANUP_FREE char *hint = ctl_carry_on_hint(ctl);
    err_hint(e, "%s", hint);
}

int ctl_start(struct ctl *ctl, const json_t *request, json_t **ret_reply, struct err *e)
{
    struct question question = {.ask = ASK_START, .body = request};
    /* In this process an interrupt between the start and the watch would cut the run. */
    if (!runs_outlive_us(ctl))
        signals_open(&ctl->signals);
    int code = backend_ask(ctl->backend, &question, ret_reply, e);
    if (code == WIRE_EXIT_REFUSED && !runs_outlive_us(ctl))
        hint_interrupted(ctl, e);
    if (code)
        signals_close(&ctl->signals);
    return code;
}

static void say_joined(struct ctl *ctl, int64_t run)
{
    struct err e;
    json_t *summary;
    struct question question = {.ask = ASK_RUN, .run = run};
    bool known = backend_ask(ctl->backend, &question, &summary, &e) == 0;
    ctl_say(ctl, "joined run %" PRId64 ", started by %s", run,
            known ? json_text_at(summary, "requester", "nobody known") : "nobody known");
    json_decref(summary);
}

int ctl_go_on_from(struct ctl *ctl, const json_t *reply, json_t **ret_entries)
{
    int64_t run = json_int_at(reply, "run", 0);
    if (ret_entries)
        *ret_entries = NULL;
    if (json_bool_at(reply, "joined", false))
        say_joined(ctl, run);
    if (!ctl->options->detach)
        return ctl_watch(ctl, run, json_at(reply, "plan"), ret_entries);
    if (ctl->options->json)
        return ctl_print_json(ctl, WIRE_EXIT_DONE, reply);
    fprintf(ctl->out, "run %" PRId64 " goes on: supervisorctl attach %" PRId64 "\n", run, run);
    return WIRE_EXIT_DONE;
}

int ctl_present_run(struct ctl *ctl, json_t **ret_summary, struct err *e)
{
    struct question question = {.ask = ASK_RUNS};
    json_t *answer;
    *ret_summary = NULL;
    int code = backend_ask(ctl->backend, &question, &answer, e);
    if (code)
        return code;
    const json_t *runs = json_at(answer, "runs");
    for (size_t i = 0; i < json_array_size(runs) && !*ret_summary; i++) {
        json_t *run = json_array_get(runs, i);
        const char *state = json_text_at(run, "state", "");
        if (strcmp(state, "running") == 0 || strcmp(state, "aborting") == 0 ||
            story_is_interrupted(run))
            *ret_summary = json_incref(run);
    }
    json_decref(answer);
    return 0;
}

bool ctl_confirm(struct ctl *ctl, const char *question)
{
    char line[16];
    fprintf(ctl->out, "\n%s [y/N] ", question);
    fflush(ctl->out);
    if (!fgets(line, sizeof line, stdin)) {
        fputc('\n', ctl->out);
        return false;
    }
    line[strcspn(line, "\r\n")] = '\0';
    return strcasecmp(line, "y") == 0 || strcasecmp(line, "yes") == 0;
}
