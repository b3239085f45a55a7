/* supervisorctl simulate: a recorded trace through the policies of a configuration, and what would
 * have been done. No daemon is asked and nothing is touched.
 *
 * Beside standalone.c and config.c the only file here that knows the supervisor's configuration;
 * and the only one that knows policies/. */
#include "supervisor/config.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "policies/moment.h"
#include "policies/replay.h"
#include "supervisorctl/ctl.h"

#include <errno.h>
#include <string.h>

enum {
    TRACE_BYTES_MAX = 64 << 20, /* what is recorded is at most a quarter of it */
    RUN_MS = MINUTE_MS          /* a run that the trace does not end: other policies, other runs */
};

struct simulation {
    struct ctl *ctl;
    const struct config *config;
    json_t *list; /* with --json */
    long counts[DECISION_KINDS];
    long disruptive;
};

/* --- telling ---------------------------------------------------------------------------------- */

static enum print_tone tone_of(enum decision_kind kind)
{
    static const enum print_tone tones[DECISION_KINDS] = {
        [DECISION_RUN] = TONE_WARN,      [DECISION_ASK] = TONE_WARN,
        [DECISION_WOULD] = TONE_WARN,    [DECISION_NOTIFY] = TONE_WARN,
        [DECISION_HAND_OVER] = TONE_BAD, [DECISION_HEALED] = TONE_GOOD,
        [DECISION_REFUSED] = TONE_DIM,   [DECISION_QUIET] = TONE_DIM,
    };
    return tones[kind];
}

/* "2026-05-03 04:00:12.250", civil time where it was recorded. */
static const char *civil_time(int64_t local_ms, char out[static CLOCK_STAMP_MAX])
{
    clock_stamp(local_ms, out);
    out[strcspn(out, "T")] = ' ';
    out[strcspn(out, "Z")] = '\0';
    return out;
}

static void print_line(struct simulation *simulation, const struct decision *decision,
                       const struct moment *now)
{
    const struct ctl *ctl = simulation->ctl;
    char time[CLOCK_STAMP_MAX];
    CLEANUP_FREE char *word = decision->kind == DECISION_REFUSED
                                  ? mem_printf("refused: %s", refusal_name(decision->refusal))
                                  : mem_printf("%s%s", decision_kind_name(decision->kind),
                                               decision->notify ? ", tells somebody" : "");
    fprintf(ctl->out, "%s  ", civil_time(now->local_ms, time));
    print_toned(ctl->out, &ctl->style, tone_of(decision->kind), word);
    fprintf(ctl->out, "%*s", (int)(print_width(word) < 24 ? 24 - print_width(word) : 1), "");
    print_text(ctl->out, decision->sentence);
    fputc('\n', ctl->out);
}

static void add_object(struct simulation *simulation, const struct decision *decision,
                       const struct moment *now)
{
    char time[CLOCK_STAMP_MAX];
    json_t *object = decision_json(decision);
    json_set_text(object, "at", civil_time(now->local_ms, time));
    json_set_int(object, "mono_ms", now->mono_ms);
    json_array_append_new(simulation->list, object);
}

static void on_decision(void *data, const struct decision *decision, const struct moment *now)
{
    struct simulation *simulation = data;
    bool shown = decision->kind != DECISION_QUIET || simulation->ctl->options->all;
    simulation->counts[decision->kind]++;
    simulation->disruptive += decision->kind == DECISION_RUN && decision->disruptive;
    if (shown && simulation->list)
        add_object(simulation, decision, now);
    else if (shown)
        print_line(simulation, decision, now);
}

static void print_sum(struct simulation *simulation, const struct replay *replay)
{
    const long *counts = simulation->counts;
    char end[CLOCK_STAMP_MAX];
    struct moment now = replay_now(replay);
    ctl_say(
        simulation->ctl,
        "the trace ends at %s: %ld runs (%ld of them stop or restart something), %ld questions, "
        "%ld cures, %ld hand-overs",
        civil_time(now.local_ms, end), counts[DECISION_RUN], simulation->disruptive,
        counts[DECISION_ASK], counts[DECISION_HEALED], counts[DECISION_HAND_OVER]);
}

/* --- simulating ------------------------------------------------------------------------------- */

static bool disrupts(void *data, const char *playbook)
{
    const struct simulation *simulation = data;
    return config_disrupts(simulation->config, playbook);
}

static int simulate(struct simulation *simulation, const struct buf *trace)
{
    struct ctl *ctl = simulation->ctl;
    const struct config *config = simulation->config;
    struct err e;
    struct replay_options options = {
        .decide = {.recoveries = config->recoveries, .disrupts = disrupts, .data = simulation},
        .run_ms = RUN_MS};
    policy_set_cap(config->policies, config->mode);
    struct replay *replay = replay_new(config->policies, &options, on_decision, simulation);
    int status = replay_text(replay, buf_text(trace), trace->len, &e);
    int code = WIRE_EXIT_DONE;
    if (status < 0) {
        err_wrap(&e, "%s: ", ctl->options->args[0]);
        code = ctl_fail(ctl, WIRE_EXIT_FAILED, &e);
    } else if (simulation->list) {
        CLEANUP_JSON json_t *object = json_object();
        json_object_set(object, "decisions", simulation->list);
        code = ctl_print_json(ctl, code, object);
    } else {
        print_sum(simulation, replay);
    }
    replay_free(replay);
    return code;
}

/* --- what it is given ------------------------------------------------------------------------- */

static int read_all(FILE *file, const char *path, struct buf *out, struct err *e)
{
    char piece[1 << 16];
    size_t len;
    while ((len = fread(piece, 1, sizeof piece, file)) > 0)
        if (!buf_add(out, piece, len))
            return err_set(e, ERR_INVALID, "%s: larger than %d MiB", path, TRACE_BYTES_MAX >> 20);
    return ferror(file) ? err_set(e, ERR_FAILED, "%s: %s", path, strerror(errno)) : 0;
}

static int read_trace(const char *path, struct buf *out, struct err *e)
{
    if (strcmp(path, "-") == 0)
        return read_all(stdin, path, out, e);
    FILE *file = fopen(path, "re");
    if (!file)
        return err_set(e, errno == ENOENT ? ERR_NOT_FOUND : ERR_FAILED, "%s: %s", path,
                       strerror(errno));
    int status = read_all(file, path, out, e);
    fclose(file);
    return status;
}

/* The built-in policies when no configuration is named. */
static int read_config(const char *path, struct config **ret, struct diag_list *diags)
{
    return path ? config_load(path, ret, diags) : config_parse("built-in", "", 0, ret, diags);
}

static int fail_config(struct ctl *ctl, struct diag_list *diags)
{
    diag_print(diags, ctl->messages);
    if (!ctl->options->json)
        return WIRE_EXIT_USAGE;
    CLEANUP_JSON json_t *object = json_object();
    json_set_text(object, "file", ctl->options->policies);
    json_object_set_new(object, "errors", diag_json(diags));
    return ctl_print_json(ctl, WIRE_EXIT_USAGE, object);
}

int ctl_simulate(struct ctl *ctl)
{
    struct simulation simulation = {.ctl = ctl};
    struct config *config = NULL;
    struct diag_list diags;
    struct buf trace;
    struct err e;
    int code;
    buf_init(&trace, TRACE_BYTES_MAX);
    simulation.list = ctl->options->json ? json_array() : NULL;
    if (read_config(ctl->options->policies, &config, &diags) != 0) {
        code = fail_config(ctl, &diags);
    } else if (read_trace(ctl->options->args[0], &trace, &e) < 0) {
        code = ctl_fail(ctl, WIRE_EXIT_FAILED, &e);
    } else {
        simulation.config = config;
        code = simulate(&simulation, &trace);
    }
    json_decref(simulation.list);
    buf_free(&trace);
    diag_free(&diags);
    config_free(config);
    return code;
}
