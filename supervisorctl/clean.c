/* supervisorctl clean: who would be ended, ask, end them, say who was ended and why. */
#include "supervisorctl/clean.h"

#include "base/mem.h"
#include "supervisorctl/backend.h"
#include "supervisorctl/ctl.h"
#include "supervisorctl/follow.h"

#include <inttypes.h>
#include <string.h>

/* --- printing --------------------------------------------------------------------------------- */

static void render_sessions(FILE *out, const struct print_style *style, const json_t *sessions)
{
    static const char *const headings[] = {">PID",  "APPLICATION", "ROLE", "CLIENT",
                                           "STATE", "WHY",         NULL};
    struct print_table *table = print_table_new(headings);
    for (size_t i = 0; i < json_array_size(sessions); i++) {
        const json_t *session = json_array_get(sessions, i);
        const char *client = json_text_at(session, "container", NULL);
        print_table_cellf(table, TONE_PLAIN, "%" PRId64, json_int_at(session, "pid", 0));
        print_table_cell(table, TONE_PLAIN, json_text_at(session, "application", NULL));
        print_table_cell(table, TONE_PLAIN, json_text_at(session, "role", NULL));
        print_table_cell(table, TONE_PLAIN,
                         client ? client : json_text_at(session, "client", NULL));
        print_table_cell(table, TONE_PLAIN, json_text_at(session, "state", NULL));
        print_table_cell(table, TONE_DIM, json_text_at(session, "why", NULL));
    }
    print_table_end(table, out, style, 2);
}

static void render_part(FILE *out, const struct print_style *style, const json_t *report,
                        const char *key, enum print_tone tone, const char *title)
{
    const json_t *sessions = json_at(report, key);
    size_t count = json_array_size(sessions);
    if (count == 0)
        return;
    fputs(print_tone_on(style, tone), out);
    fprintf(out, "%s: %zu session%s", title, count, count == 1 ? "" : "s");
    fprintf(out, "%s\n", print_tone_off(style, tone));
    render_sessions(out, style, sessions);
}

/* A grant that is missing, and the statement that gives it. */
static void render_hint(FILE *out, const struct print_style *style, const json_t *hint)
{
    if (!json_is_object(hint))
        return;
    print_toned(out, style, TONE_WARN, json_text_at(hint, "message", ""));
    fputc('\n', out);
    const char *next = json_text_at(hint, "hint", NULL);
    if (next) {
        fputs("  ", out);
        print_text(out, next);
        fputc('\n', out);
    }
}

void render_clean(FILE *out, const struct print_style *style, const json_t *report)
{
    bool dry = json_bool_at(report, "dry_run", false);
    if (json_array_size(json_at(report, "ended")) == 0)
        fputs(dry ? "nobody would be ended\n" : "nobody was ended\n", out);
    render_part(out, style, report, "ended", TONE_BOLD, dry ? "would be ended" : "ended");
    render_part(out, style, report, "spared", TONE_PLAIN, "spared");
    render_part(out, style, report, "stayed", TONE_BAD, "told to end, and not seen to go");
    render_part(out, style, report, "denied", TONE_BAD, "could not be ended");
    render_hint(out, style, json_at(report, "hint"));
    int64_t before = json_int_at(report, "used_before", 0);
    int64_t after = json_int_at(report, "used_after", before);
    if (dry)
        fprintf(out, "connections used: %" PRId64 "\n", before);
    else
        fprintf(out, "connections used: %" PRId64 " before, %" PRId64 " after\n", before, after);
}

/* --- asking ----------------------------------------------------------------------------------- */

static void add_names(json_t *rules, const char *key, const struct ctl_names *names)
{
    if (names->count == 0)
        return;
    json_t *list = json_array();
    for (size_t i = 0; i < names->count; i++)
        json_array_append_new(list, json_lossy_string(names->items[i], strlen(names->items[i])));
    json_object_set_new(rules, key, list);
}

/* The rules that were given, under the names of a playbook's clean step, whose other settings
 * stay; an empty object when none was. */
static json_t *rules_of(const struct ctl_options *options)
{
    json_t *rules = json_object();
    add_names(rules, "applications", &options->applications);
    add_names(rules, "roles", &options->roles);
    add_names(rules, "databases", &options->databases);
    add_names(rules, "clients", &options->clients);
    add_names(rules, "containers", &options->containers);
    add_names(rules, "protect", &options->protect);
    if (options->superusers)
        json_set_bool(rules, "superusers", true);
    if (options->all)
        json_set_bool(rules, "all", true);
    if (options->idle)
        json_set_text(rules, "idle", options->idle);
    if (options->idle_in_transaction)
        json_set_text(rules, "idle_in_transaction", options->idle_in_transaction);
    return rules;
}

static int dry_run(struct ctl *ctl, const json_t *rules, json_t **ret_report, struct err *e)
{
    CLEANUP_JSON json_t *request = json_object();
    json_set_bool(request, "dry_run", true);
    json_object_update(request, (json_t *)rules);
    struct question question = {.ask = ASK_CLEAN, .body = request};
    return backend_ask(ctl->backend, &question, ret_report, e);
}

static int show_dry_run(struct ctl *ctl, const json_t *rules)
{
    struct err e;
    CLEANUP_JSON json_t *report = NULL;
    int code = dry_run(ctl, rules, &report, &e);
    if (code)
        return ctl_fail(ctl, code, &e);
    if (ctl->options->json)
        return ctl_print_json(ctl, WIRE_EXIT_DONE, report);
    render_clean(ctl->out, &ctl->style, report);
    return WIRE_EXIT_DONE;
}

/* True to go on; else *ret_code is the exit code. */
static bool ask_first(struct ctl *ctl, const json_t *rules, int *ret_code)
{
    struct err e;
    CLEANUP_JSON json_t *report = NULL;
    int code = dry_run(ctl, rules, &report, &e);
    if (code) {
        *ret_code = ctl_fail(ctl, code, &e);
        return false;
    }
    render_clean(ctl->out, &ctl->style, report);
    size_t victims = json_array_size(json_at(report, "ended"));
    *ret_code = WIRE_EXIT_DONE;
    if (victims == 0)
        return false;
    CLEANUP_FREE char *question =
        mem_printf("End %zu session%s?", victims, victims == 1 ? "" : "s");
    if (ctl_confirm(ctl, question))
        return true;
    ctl_say(ctl, "nothing was done");
    *ret_code = WIRE_EXIT_FAILED;
    return false;
}

/* --- doing ------------------------------------------------------------------------------------ */

/* The report stands in the entry that ends the clean action, or in the note of one that was given
 * up. */
static void print_reports(struct ctl *ctl, const json_t *entries)
{
    for (size_t i = 0; i < json_array_size(entries); i++) {
        const json_t *detail = json_at(json_array_get(entries, i), "detail");
        if (json_is_array(json_at(detail, "ended")))
            render_clean(ctl->out, &ctl->style, detail);
    }
}

static int run(struct ctl *ctl, const json_t *rules)
{
    struct err e;
    CLEANUP_JSON json_t *reply = NULL;
    CLEANUP_JSON json_t *entries = NULL;
    CLEANUP_JSON json_t *request = json_object();
    json_set_text(request, "playbook", "clean");
    json_set_text(request, "trigger", "command");
    if (json_object_size(rules))
        json_object_set(request, "options", (json_t *)rules);
    int code = ctl_start(ctl, request, &reply, &e);
    if (code)
        return ctl_fail(ctl, code, &e);
    code = ctl_go_on_from(ctl, reply, &entries);
    if (!ctl->options->json)
        print_reports(ctl, entries);
    return code;
}

int ctl_clean(struct ctl *ctl)
{
    CLEANUP_JSON json_t *rules = rules_of(ctl->options);
    int code;
    if (ctl->options->dry_run)
        return show_dry_run(ctl, rules);
    if (ctl->interactive && !ctl->options->yes && !ask_first(ctl, rules, &code))
        return code;
    return run(ctl, rules);
}
