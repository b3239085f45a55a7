/* supervisorctl status: the stack, its database, the run that is under way. */
#include "base/mem.h"
#include "supervisorctl/backend.h"
#include "supervisorctl/ctl.h"
#include "supervisorctl/story.h"

#include <inttypes.h>
#include <string.h>

static void label(struct ctl *ctl, const char *text)
{
    fprintf(ctl->out, "%s%-10s%s ", print_tone_on(&ctl->style, TONE_DIM), text,
            print_tone_off(&ctl->style, TONE_DIM));
}

static void print_toned_state(struct ctl *ctl, const char *state)
{
    print_toned(ctl->out, &ctl->style, print_tone_of(state), state);
}

static void print_hint(struct ctl *ctl, const char *hint)
{
    label(ctl, "");
    fputs(ctl->style.unicode ? "→ " : "-> ", ctl->out);
    print_text(ctl->out, hint);
    fputc('\n', ctl->out);
}

/* An error with its next step, in lines of their own. */
static void print_error(struct ctl *ctl, const json_t *error)
{
    const char *message = json_text_at(error, "message", NULL);
    const char *hint = json_text_at(error, "hint", NULL);
    if (message) {
        label(ctl, "");
        print_text(ctl->out, message);
        fputc('\n', ctl->out);
    }
    if (hint)
        print_hint(ctl, hint);
}

static void print_head(struct ctl *ctl, const json_t *status)
{
    const json_t *reasons = json_at(status, "reasons");
    print_toned(ctl->out, &ctl->style, TONE_BOLD, json_text_at(status, "project", "no stack"));
    fputs(": ", ctl->out);
    print_toned_state(ctl, json_text_at(status, "status", "unknown"));
    fputc('\n', ctl->out);
    for (size_t i = 0; i < json_array_size(reasons); i++) {
        const char *reason = json_string_value(json_array_get(reasons, i));
        fputs("  ", ctl->out);
        print_text(ctl->out, reason ? reason : "");
        fputc('\n', ctl->out);
    }
    fputc('\n', ctl->out);
}

/* --- services --------------------------------------------------------------------------------- */

static void add_container(struct print_table *table, const json_t *service, const json_t *container,
                          int64_t now_ms)
{
    char ago[PRINT_AGO_MAX] = "-";
    const char *state = json_text_at(container, "state", "no container");
    const char *health = json_text_at(container, "health", "none");
    bool up = strcmp(state, "running") == 0;
    if (up) {
        print_ago(json_text_at(container, "started_at", NULL), now_ms, ago);
        ago[strcspn(ago, " ")] = '\0'; /* it is up for so long: no "ago" */
    }
    int64_t restarts = json_int_at(container, "restarts", 0);
    print_table_cell(table, TONE_BOLD, json_text_at(service, "name", NULL));
    print_table_cell(table, TONE_DIM, json_text_at(service, "role", NULL));
    print_table_cell(table, TONE_PLAIN, json_text_at(container, "name", NULL));
    print_table_cell(table, up ? TONE_PLAIN : print_tone_of(state), state);
    print_table_cell(table, print_tone_of(health), strcmp(health, "none") == 0 ? "-" : health);
    print_table_cell(table, TONE_PLAIN, ago);
    print_table_cellf(table, restarts ? TONE_WARN : TONE_PLAIN, "%" PRId64, restarts);
}

static void print_services(struct ctl *ctl, const json_t *stack)
{
    static const char *const headings[] = {"SERVICE", "ROLE", "CONTAINER", "STATE",
                                           "HEALTH",  ">UP",  ">RESTARTS", NULL};
    const json_t *services = json_at(stack, "services");
    struct print_table *table = print_table_new(headings);
    for (size_t i = 0; i < json_array_size(services); i++) {
        const json_t *service = json_array_get(services, i);
        const json_t *containers = json_at(service, "containers");
        for (size_t k = 0; k < json_array_size(containers); k++)
            add_container(table, service, json_array_get(containers, k), clock_wall_ms());
        if (json_array_size(containers) == 0)
            add_container(table, service, NULL, 0);
    }
    print_table_end(table, ctl->out, &ctl->style, 0);
    fputc('\n', ctl->out);
}

static void print_notes(struct ctl *ctl, const json_t *notes)
{
    for (size_t i = 0; i < json_array_size(notes); i++) {
        const char *note = json_string_value(json_array_get(notes, i));
        label(ctl, "note");
        print_text(ctl->out, note ? note : "");
        fputc('\n', ctl->out);
    }
}

/* --- database --------------------------------------------------------------------------------- */

static void print_use(struct ctl *ctl, const json_t *database)
{
    if (!json_is_integer(json_at(database, "used")))
        return;
    double utilization = json_number_at(database, "utilization", 0);
    int64_t max = json_int_at(database, "max", 0);
    int64_t reserved = json_int_at(database, "reserved", 0);
    CLEANUP_FREE char *bar = print_bar(utilization, 20);
    enum print_tone tone = utilization >= 0.9   ? TONE_BAD
                           : utilization >= 0.6 ? TONE_WARN
                                                : TONE_GOOD;
    label(ctl, "");
    print_toned(ctl->out, &ctl->style, tone, bar);
    fprintf(ctl->out,
            " %" PRId64 " of %" PRId64 " connections used (%.0f%%), %" PRId64 " reserved\n",
            json_int_at(database, "used", 0), max - reserved, utilization * 100, reserved);
}

/* 53300 has several meanings, and a restart does not cure all of them. */
static const char *exhaustion_text(const char *kind)
{
    static const struct {
        const char *kind;
        const char *text;
    } texts[] = {
        {"reserved", "ordinary slots are gone, reserved ones are left"},
        {"all", "every slot is taken"},
        {"role", "the role's own limit: a restart does not help"},
        {"database", "the database's own limit: a restart does not help"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        if (strcmp(texts[i].kind, kind) == 0)
            return texts[i].text;
    return "nobody could be asked which limit";
}

static void print_database(struct ctl *ctl, const json_t *database)
{
    label(ctl, "database");
    if (!json_is_object(database)) {
        fputs("not known\n", ctl->out);
        return;
    }
    const char *kind = json_text_at(database, "exhaustion", NULL);
    const char *sqlstate = json_text_at(database, "sqlstate", NULL);
    print_toned_state(ctl, json_text_at(database, "state", "unknown"));
    if (kind)
        fprintf(ctl->out, ": %s", exhaustion_text(kind));
    if (sqlstate)
        fprintf(ctl->out, " (%s)", sqlstate);
    fputs(", ", ctl->out);
    print_text(ctl->out, json_text_at(database, "where", "address not known"));
    fputc('\n', ctl->out);
    print_use(ctl, database);
    label(ctl, "lifeline");
    fputs(json_bool_at(database, "lifeline", false) ? "open\n" : "not open\n", ctl->out);
    print_error(ctl, json_at(database, "why"));
}

/* --- the rest --------------------------------------------------------------------------------- */

static void print_engine(struct ctl *ctl, const json_t *engine)
{
    label(ctl, "engine");
    if (!json_bool_at(engine, "reachable", false))
        print_toned(ctl->out, &ctl->style, TONE_BAD, "not reached, ");
    const char *server = json_text_at(engine, "server", "");
    const char *version = json_text_at(engine, "api_version", "");
    print_text(ctl->out, server);
    if (*version) {
        fputs(*server ? ", API " : "API ", ctl->out);
        print_text(ctl->out, version);
    }
    fputs(*server || *version ? ", " : "", ctl->out);
    print_text(ctl->out, json_text_at(engine, "host", "-"));
    fputc('\n', ctl->out);
    print_error(ctl, json_at(engine, "error"));
}

static void print_run(struct ctl *ctl, const char *name, const json_t *run)
{
    char ago[PRINT_AGO_MAX];
    char took[DURATION_MAX];
    label(ctl, name);
    if (!json_is_object(run)) {
        fputs("none\n", ctl->out);
        return;
    }
    fprintf(ctl->out, "%" PRId64 " ", json_int_at(run, "run", 0));
    print_text(ctl->out, json_text_at(run, "playbook", "?"));
    fputc(' ', ctl->out);
    print_toned_state(ctl, json_text_at(run, "state", "?"));
    fprintf(ctl->out, ", begun %s, ",
            print_ago(json_text_at(run, "started_at", NULL), clock_wall_ms(), ago));
    if (json_text_at(run, "ended_at", NULL))
        fprintf(ctl->out, "took %s, ", duration_text(json_int_at(run, "took_ms", 0), took));
    print_text(ctl->out, json_text_at(run, "requester", "nobody known"));
    fputc('\n', ctl->out);
    if (story_is_interrupted(run)) {
        CLEANUP_FREE char *hint = ctl_carry_on_hint(ctl);
        print_hint(ctl, hint);
    }
}

static void print_pause(struct ctl *ctl, const json_t *pause)
{
    char left[DURATION_MAX];
    print_toned(ctl->out, &ctl->style, TONE_WARN, "paused");
    if (json_is_integer(json_at(pause, "left_ms")))
        fprintf(ctl->out, " for another %s", duration_text(json_int_at(pause, "left_ms", 0), left));
    fputs(": ", ctl->out);
    print_text(ctl->out, json_text_at(pause, "reason", ""));
}

/* Only a daemon has policies at work. */
static void print_policies(struct ctl *ctl, const json_t *policies)
{
    const json_t *busy = json_at(policies, "busy");
    bool paused = json_is_object(json_at(policies, "paused"));
    if (!json_is_object(policies))
        return;
    label(ctl, "policies");
    if (paused)
        print_pause(ctl, json_at(policies, "paused"));
    for (size_t i = 0; i < json_array_size(busy); i++) {
        const json_t *policy = json_array_get(busy, i);
        fputs(i || paused ? ", " : "", ctl->out);
        print_text(ctl->out, json_text_at(policy, "name", "?"));
        fputs(": ", ctl->out);
        print_toned(ctl->out, &ctl->style, TONE_WARN, json_text_at(policy, "state", "?"));
        if (json_int_at(policy, "asks", 0))
            fprintf(ctl->out, " (supervisorctl approve %" PRId64 ")",
                    json_int_at(policy, "asks", 0));
    }
    const char *mode = json_text_at(policies, "mode", "act");
    bool is_off = strcmp(mode, "off") == 0;
    if (is_off)
        print_toned(ctl->out, &ctl->style, TONE_WARN, paused ? ", all off" : "all off");
    else if (!paused && json_array_size(busy) == 0)
        fputs("watching", ctl->out);
    if (!is_off && strcmp(mode, "act") != 0)
        fprintf(ctl->out, " (mode: %s)", mode);
    fputc('\n', ctl->out);
}

/* There only when there is trouble with it. */
static void print_journal(struct ctl *ctl, const json_t *trouble)
{
    if (!json_is_object(trouble))
        return;
    label(ctl, "journal");
    print_toned(ctl->out, &ctl->style, TONE_BAD, "in trouble: runs are not kept");
    fputc('\n', ctl->out);
    print_error(ctl, trouble);
}

static int exit_of(const json_t *status)
{
    bool healthy = strcmp(json_text_at(status, "status", "unknown"), "healthy") == 0;
    return healthy ? WIRE_EXIT_DONE : WIRE_EXIT_DEGRADED;
}

int ctl_status(struct ctl *ctl)
{
    struct err e;
    struct question question = {.ask = ASK_STATUS};
    CLEANUP_JSON json_t *status = NULL;
    int code = backend_ask(ctl->backend, &question, &status, &e);
    if (code)
        return ctl_fail(ctl, code, &e);
    if (ctl->options->json)
        return ctl_print_json(ctl, exit_of(status), status);
    print_head(ctl, status);
    if (json_is_object(json_at(status, "stack")))
        print_services(ctl, json_at(status, "stack"));
    print_database(ctl, json_at(status, "database"));
    print_engine(ctl, json_at(status, "engine"));
    print_run(ctl, "run", json_at(status, "run"));
    print_run(ctl, "last run", json_at(status, "last_run"));
    print_policies(ctl, json_at(status, "policies"));
    print_journal(ctl, json_at(status, "journal"));
    if (json_bool_at(status, "configuration_stale", false)) {
        label(ctl, "config");
        print_toned(ctl->out, &ctl->style, TONE_BAD,
                    "the file has errors: an older one is in force; "
                    "supervisorctl check FILE shows them");
        fputc('\n', ctl->out);
    }
    print_notes(ctl, json_at(status, "stack/notes"));
    return exit_of(status);
}
