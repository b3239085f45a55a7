/* See story.h. */
#include "supervisorctl/story.h"

#include "base/mem.h"
#include "control/wire.h"

#include <inttypes.h>
#include <string.h>

/* --- connections ------------------------------------------------------------------------------ */

void story_print_use(FILE *out, const json_t *connections)
{
    int64_t used = json_int_at(connections, "used", 0);
    int64_t slots = json_int_at(connections, "max", 0) - json_int_at(connections, "reserved", 0);
    fprintf(out, "%" PRId64 " of %" PRId64 " connections used (%.0f%%)", used, slots,
            json_number_at(connections, "utilization", 0) * 100);
}

/* Groups in parentheses are what is known where no container of the stack is. */
static const json_t *largest_holder(const json_t *connections)
{
    size_t i;
    json_t *item;
    json_array_foreach(json_at(connections, "groups/container"), i, item)
    {
        if (*json_text_at(item, "name", "(") != '(')
            return item;
    }
    return NULL;
}

void story_print_holder(FILE *out, const json_t *connections, int indent)
{
    const json_t *holder = largest_holder(connections);
    int64_t slots = json_int_at(connections, "max", 0) - json_int_at(connections, "reserved", 0);
    double oldest_s = json_number_at(holder, "oldest_idle_seconds", 0);
    char oldest[DURATION_MAX];
    if (!holder)
        return;
    fprintf(out, "%*s", indent, "");
    print_text(out, json_text_at(holder, "name", "?"));
    fprintf(out, " holds %" PRId64 " of %" PRId64, json_int_at(holder, "count", 0), slots);
    if (oldest_s > 0)
        fprintf(out, ", oldest idle %s", duration_text((int64_t)(oldest_s * 1000), oldest));
    fputc('\n', out);
}

static void print_group(FILE *out, const struct print_style *style, const json_t *items,
                        const char *const *headings, size_t limit, int indent)
{
    struct print_table *table = print_table_new(headings);
    size_t count = json_array_size(items);
    for (size_t i = 0; i < count && i < limit; i++) {
        const json_t *item = json_array_get(items, i);
        const char *name = json_text_at(item, "name", "?");
        double oldest_s = json_number_at(item, "oldest_seconds", 0);
        char oldest[DURATION_MAX];
        print_table_cellf(table, TONE_PLAIN, "%" PRId64, json_int_at(item, "count", 0));
        print_table_cell(table, TONE_DIM, duration_text((int64_t)(oldest_s * 1000), oldest));
        print_table_cell(table, print_tone_of(name), name);
    }
    print_table_end(table, out, style, indent);
    if (count > limit)
        fprintf(out, "%*sand %zu more\n", indent, "", count - limit);
}

void story_print_groups(FILE *out, const struct print_style *style, const json_t *connections,
                        size_t limit, int indent)
{
    static const struct {
        const char *path;
        const char *headings[4];
    } groups[] = {
        {"groups/state", {">COUNT", ">OLDEST", "STATE", NULL}},
        {"groups/application", {">COUNT", ">OLDEST", "APPLICATION", NULL}},
        {"groups/client", {">COUNT", ">OLDEST", "CLIENT", NULL}},
        {"groups/container", {">COUNT", ">OLDEST", "CONTAINER", NULL}},
    };
    for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
        const json_t *items = json_at(connections, groups[i].path);
        if (json_array_size(items) == 0)
            continue;
        print_group(out, style, items, groups[i].headings, limit, indent);
        fputc('\n', out);
    }
}

/* --- how it ended ----------------------------------------------------------------------------- */

static bool is_well(const json_t *container)
{
    const char *health = json_text_at(container, "health", "");
    return strcmp(json_text_at(container, "state", ""), "running") == 0 &&
           strcmp(health, "unhealthy") != 0 && strcmp(health, "starting") != 0;
}

static void print_world(FILE *out, const struct print_style *style, const char *title,
                        const json_t *world)
{
    if (!json_is_object(world))
        return;
    const json_t *containers = json_at(world, "containers");
    const json_t *connections = json_at(world, "connections");
    const char *database = json_text_at(world, "database", "unknown");
    size_t well = 0;
    for (size_t i = 0; i < json_array_size(containers); i++)
        well += is_well(json_array_get(containers, i));
    fprintf(out, "%s: database ", title);
    print_toned(out, style, print_tone_of(database), database);
    if (json_is_object(connections)) {
        fputs(", ", out);
        story_print_use(out, connections);
    }
    fprintf(out, "; %zu of %zu containers well\n", well, json_array_size(containers));
}

static void print_left_stopped(FILE *out, const struct print_style *style, const json_t *names)
{
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *name = json_string_value(json_array_get(names, i));
        print_toned(out, style, TONE_BAD, "LEFT STOPPED: ");
        print_text(out, name ? name : "?");
        fputc('\n', out);
    }
}

static void print_times(FILE *out, const json_t *end)
{
    char took[DURATION_MAX];
    char critical[DURATION_MAX];
    fprintf(out, " in %s", duration_text(json_int_at(end, "took_ms", 0), took));
    if (json_is_integer(json_at(end, "critical_ms")))
        fprintf(out, ", critical path %s",
                duration_text(json_int_at(end, "critical_ms", 0), critical));
    if (json_is_number(json_at(end, "overhead")))
        fprintf(out, ", overhead %.1f%%", json_number_at(end, "overhead", 0) * 100);
}

void story_print_outcome(FILE *out, const struct print_style *style, int64_t run, const json_t *end)
{
    const char *state = json_text_at(end, "state", "?");
    bool good = strcmp(state, "succeeded") == 0;
    fprintf(out, "run %" PRId64 " ", run);
    print_toned(out, style, good ? TONE_GOOD : TONE_BAD, state);
    print_times(out, end);
    if (!good) {
        fputs(": ", out);
        print_text(out, json_text_at(end, "text", "no reason given"));
    }
    fputc('\n', out);
    print_world(out, style, "before", json_at(end, "before"));
    print_world(out, style, "after", json_at(end, "after"));
    print_left_stopped(out, style, json_at(end, "left_stopped"));
}

bool story_is_interrupted(const json_t *run)
{
    return strcmp(json_text_at(run, "state", ""), "interrupted") == 0;
}

/* --- the whole -------------------------------------------------------------------------------- */

static void print_line(FILE *out, const char *label, const char *text)
{
    fprintf(out, "  %-9s ", label);
    print_text(out, text);
    fputc('\n', out);
}

static void print_head(FILE *out, const struct print_style *style, const json_t *run,
                       int64_t now_ms)
{
    char ago[PRINT_AGO_MAX];
    const char *state = json_text_at(run, "state", "?");
    const char *started = json_text_at(run, "started_at", NULL);
    CLEANUP_FREE char *asked = mem_printf("%s (%s)", json_text_at(run, "requester", "nobody known"),
                                          json_text_at(run, "trigger", "?"));
    CLEANUP_FREE char *when =
        mem_printf("%s (%s)", started ? started : "-", print_ago(started, now_ms, ago));
    fprintf(out, "%srun %" PRId64, print_tone_on(style, TONE_BOLD), json_int_at(run, "run", 0));
    fputs(": ", out);
    print_text(out, json_text_at(run, "playbook", "?"));
    fputs(" on ", out);
    print_text(out, json_text_at(run, "project", "?"));
    fprintf(out, "%s, ", print_tone_off(style, TONE_BOLD));
    print_toned(out, style, print_tone_of(state), state);
    fputc('\n', out);
    print_line(out, "asked by", asked);
    print_line(out, "started", when);
    print_line(out, "plan", json_text_at(run, "plan_id", json_text_at(run, "plan/id", "-")));
}

static void print_heading(FILE *out, const struct print_style *style, const char *text)
{
    fputc('\n', out);
    print_toned(out, style, TONE_BOLD, text);
    fputc('\n', out);
}

/* A server that is out of connections says so again and again: equal lines are shown once. */
static size_t count_equal(const json_t *lines, size_t first)
{
    size_t end = first + 1;
    while (end < json_array_size(lines) &&
           json_equal(json_array_get(lines, first), json_array_get(lines, end)))
        end++;
    return end - first;
}

static void print_logs(FILE *out, const struct print_style *style, const json_t *detail)
{
    const json_t *lines = json_at(detail, "lines");
    size_t count = json_array_size(lines);
    size_t equal;
    fputs("  log of ", out);
    print_text(out, json_text_at(detail, "container", "?"));
    fprintf(out, ", last %zu line%s\n", count, count == 1 ? "" : "s");
    for (size_t i = 0; i < count; i += equal) {
        const char *line = json_string_value(json_array_get(lines, i));
        equal = count_equal(lines, i);
        fputs("    ", out);
        print_toned(out, style, TONE_DIM, line ? line : "");
        if (equal > 1)
            fprintf(out, "  (%zu times)", equal);
        fputc('\n', out);
    }
}

static void print_database(FILE *out, const struct print_style *style, const json_t *detail)
{
    const char *state = json_text_at(detail, "state", "unknown");
    const char *kind = json_text_at(detail, "exhaustion", NULL);
    fputs("  database: ", out);
    print_toned(out, style, print_tone_of(state), state);
    if (kind) {
        fputs(", limit met: ", out);
        print_text(out, kind);
    }
    fputc('\n', out);
    const char *why = json_text_at(detail, "error/message", NULL);
    if (why) {
        fputs("    ", out);
        print_text(out, why);
        fputc('\n', out);
    }
}

static void print_containers(FILE *out, const struct print_style *style, const json_t *detail)
{
    static const char *const headings[] = {"CONTAINER", "STATE", "HEALTH", NULL};
    struct print_table *table = print_table_new(headings);
    const json_t *list = json_is_array(detail) ? detail : json_at(detail, "containers");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *container = json_array_get(list, i);
        const char *state = json_text_at(container, "state", NULL);
        const char *health = json_text_at(container, "health", NULL);
        print_table_cell(table, TONE_PLAIN, json_text_at(container, "name", NULL));
        print_table_cell(table, print_tone_of(state ? state : ""), state);
        print_table_cell(table, print_tone_of(health ? health : ""), health);
    }
    print_table_end(table, out, style, 2);
}

static void print_connections(FILE *out, const struct print_style *style, const json_t *detail)
{
    enum { GROUP_LIMIT = 10 };
    fputs("  ", out);
    story_print_use(out, detail);
    fputc('\n', out);
    story_print_holder(out, detail, 2);
    story_print_groups(out, style, detail, GROUP_LIMIT, 4);
}

/* In the order in which they are of interest; they were taken all at the same time. */
static const struct {
    const char *what;
    void (*print)(FILE *out, const struct print_style *style, const json_t *detail);
} evidence_kinds[] = {
    {"database", print_database},
    {"connections", print_connections},
    {"containers", print_containers},
    {"logs", print_logs},
};

static bool is_type(const json_t *entry, const char *type)
{
    return strcmp(json_text_at(entry, "type", ""), type) == 0;
}

static void print_evidence(FILE *out, const struct print_style *style, const json_t *entries)
{
    bool any = false;
    for (size_t kind = 0; kind < ARRAY_SIZE(evidence_kinds); kind++) {
        for (size_t i = 0; i < json_array_size(entries); i++) {
            const json_t *entry = json_array_get(entries, i);
            if (!is_type(entry, WIRE_ENTRY_EVIDENCE) ||
                strcmp(json_text_at(entry, "what", ""), evidence_kinds[kind].what) != 0)
                continue;
            if (!any)
                print_heading(out, style, "Evidence, taken before anything was touched");
            any = true;
            evidence_kinds[kind].print(out, style, json_at(entry, "detail"));
        }
    }
}

/* The sentence of the plan for an action, or its id. */
static const char *action_text(const json_t *run, const char *id)
{
    const json_t *actions = json_at(run, "plan/actions");
    for (size_t i = 0; i < json_array_size(actions); i++) {
        const json_t *action = json_array_get(actions, i);
        if (strcmp(json_text_at(action, "id", ""), id) == 0)
            return json_text_at(action, "text", id);
    }
    return id;
}

static void tell(FILE *out, const struct print_style *style, enum print_tone tone,
                 const json_t *entry, const char *word, const char *text)
{
    char took[DURATION_MAX] = "";
    int64_t took_ms = json_int_at(entry, "took_ms", -1);
    if (took_ms >= 0)
        duration_text(took_ms, took);
    fprintf(out, "  %+8.1fs  %s%-8s%s %7s  ", (double)json_int_at(entry, "elapsed_ms", 0) / 1000,
            print_tone_on(style, tone), word, print_tone_off(style, tone), took);
    print_text(out, text);
    fputc('\n', out);
}

/* Sessions of a clean, and why: the first of them. */
static void tell_sessions(FILE *out, const json_t *sessions)
{
    enum { SHOWN = 20 };
    size_t count = json_array_size(sessions);
    for (size_t i = 0; i < count && i < SHOWN; i++) {
        const json_t *one = json_array_get(sessions, i);
        CLEANUP_FREE char *text =
            mem_printf("pid %d, %s, role %s, from %s: %s", (int)json_int_at(one, "pid", 0),
                       json_text_at(one, "application", "-"), json_text_at(one, "role", "-"),
                       json_text_at(one, "client", "-"), json_text_at(one, "why", "-"));
        fprintf(out, "%30s", "");
        print_text(out, text);
        fputc('\n', out);
    }
    if (count > SHOWN)
        fprintf(out, "%30sand %zu more: --json has them all\n", "", count - SHOWN);
}

/* Whom a clean ended, and whom it told to end. */
static void tell_cleaned(FILE *out, const json_t *detail)
{
    tell_sessions(out, json_at(detail, "ended"));
    tell_sessions(out, json_at(detail, "stayed"));
}

/* The beginning is told by the plan's sentence, the end by what came of it. */
static void tell_action(FILE *out, const struct print_style *style, const json_t *run,
                        const json_t *entry)
{
    const char *state = json_text_at(entry, "state", "?");
    const char *id = json_text_at(entry, "action", "?");
    if (strcmp(state, "running") == 0) {
        tell(out, style, TONE_DIM, entry, "begin", action_text(run, id));
        return;
    }
    const char *result = json_text_at(entry, "error/message", json_text_at(entry, "text", ""));
    const char *hint = json_text_at(entry, "error/hint", NULL);
    CLEANUP_FREE char *text = mem_printf("%s%s%s%s%s", id, *result ? ": " : "", result,
                                         hint ? "; " : "", hint ? hint : "");
    char *colon = strchr(text, ':'); /* "stop:shop_web_1" is read as "stop shop_web_1" */
    if (colon && colon < text + strlen(id))
        *colon = ' ';
    tell(out, style, print_tone_of(state), entry, state, text);
    tell_cleaned(out, json_at(entry, "detail"));
}

static void tell_entry(FILE *out, const struct print_style *style, const json_t *run,
                       const json_t *entry)
{
    const char *type = json_text_at(entry, "type", "");
    if (is_type(entry, WIRE_ENTRY_ACTION)) {
        tell_action(out, style, run, entry);
    } else if (is_type(entry, WIRE_ENTRY_NOTE) || is_type(entry, WIRE_ENTRY_RESUME)) {
        tell(out, style, TONE_WARN, entry, type, json_text_at(entry, "text", ""));
        tell_cleaned(out, json_at(entry, "detail"));
    } else if (is_type(entry, WIRE_ENTRY_ABORT)) {
        CLEANUP_FREE char *text =
            mem_printf("asked for by %s", json_text_at(entry, "by", "nobody known"));
        tell(out, style, TONE_WARN, entry, type, text);
    }
}

void story_print(FILE *out, const struct print_style *style, const json_t *run, int64_t now_ms)
{
    const json_t *entries = json_at(run, "entries");
    const json_t *end = NULL;
    print_head(out, style, run, now_ms);
    print_evidence(out, style, entries);
    print_heading(out, style, "What happened");
    for (size_t i = 0; i < json_array_size(entries); i++) {
        const json_t *entry = json_array_get(entries, i);
        tell_entry(out, style, run, entry);
        if (is_type(entry, WIRE_ENTRY_END))
            end = entry;
    }
    fputc('\n', out);
    if (end)
        story_print_outcome(out, style, json_int_at(run, "run", 0), end);
    else if (!story_is_interrupted(run))
        fprintf(out, "it goes on: supervisorctl attach %" PRId64 "\n", json_int_at(run, "run", 0));
}
