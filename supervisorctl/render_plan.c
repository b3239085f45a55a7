/* See render_plan.h. */
#include "supervisorctl/render_plan.h"

#include "base/buf.h"
#include "base/mem.h"

#include <string.h>

/* The place of an action in the plan, from 1; 0 when it has none. */
static size_t number_of(const json_t *actions, const char *id)
{
    for (size_t i = 0; i < json_array_size(actions); i++)
        if (strcmp(json_text_at(json_array_get(actions, i), "id", ""), id) == 0)
            return i + 1;
    return 0;
}

/* "after 2, 3"; "at once" for an action that waits for nothing. The caller frees it. */
static char *after_text(const json_t *actions, const json_t *action)
{
    enum { AFTER_MAX = 4096 };
    struct buf text;
    const json_t *after = json_at(action, "after");
    buf_init(&text, AFTER_MAX);
    for (size_t i = 0; i < json_array_size(after); i++) {
        const char *id = json_string_value(json_array_get(after, i));
        buf_printf(&text, "%s%zu", i ? ", " : "after ", number_of(actions, id ? id : ""));
    }
    if (text.len == 0)
        buf_puts(&text, "at once");
    return buf_take(&text);
}

static void render_actions(FILE *out, const struct print_style *style, const json_t *actions)
{
    static const char *const headings[] = {">#", "ACTION", ">LIMIT", "WHEN", NULL};
    struct print_table *table = print_table_new(headings);
    for (size_t i = 0; i < json_array_size(actions); i++) {
        const json_t *action = json_array_get(actions, i);
        char limit[DURATION_MAX];
        CLEANUP_FREE char *after = after_text(actions, action);
        print_table_cellf(table, TONE_PLAIN, "%zu", i + 1);
        print_table_cell(table, TONE_PLAIN,
                         json_text_at(action, "text", json_text_at(action, "id", "?")));
        print_table_cell(table, TONE_DIM,
                         duration_text(json_int_at(action, "timeout_ms", 0), limit));
        print_table_cell(table, TONE_DIM, after);
    }
    print_table_end(table, out, style, 0);
}

static void render_remarks(FILE *out, const struct print_style *style, const json_t *plan)
{
    const json_t *skipped = json_at(plan, "skipped");
    const json_t *notes = json_at(plan, "notes");
    for (size_t i = 0; i < json_array_size(skipped); i++) {
        const json_t *skip = json_array_get(skipped, i);
        print_toned(out, style, TONE_WARN, "left alone: ");
        print_text(out, json_text_at(skip, "container", "?"));
        fputs(": ", out);
        print_text(out, json_text_at(skip, "reason", ""));
        fputc('\n', out);
    }
    for (size_t i = 0; i < json_array_size(notes); i++) {
        const char *note = json_string_value(json_array_get(notes, i));
        print_toned(out, style, TONE_WARN, "note: ");
        print_text(out, note ? note : "");
        fputc('\n', out);
    }
}

void render_plan(FILE *out, const struct print_style *style, const json_t *plan)
{
    char worst[DURATION_MAX];
    const json_t *actions = json_at(plan, "actions");
    fputs(print_tone_on(style, TONE_BOLD), out);
    print_text(out, json_text_at(plan, "playbook", "?"));
    fputs(" on ", out);
    print_text(out, json_text_at(plan, "project", "?"));
    fputs(print_tone_off(style, TONE_BOLD), out);
    fprintf(out, ": %zu action%s, at the worst %s, plan ", json_array_size(actions),
            json_array_size(actions) == 1 ? "" : "s",
            duration_text(json_int_at(plan, "worst_case_ms", 0), worst));
    print_text(out, json_text_at(plan, "id", "?"));
    fputs("\n\n", out);
    render_actions(out, style, actions);
    if (json_array_size(json_at(plan, "skipped")) + json_array_size(json_at(plan, "notes")) > 0)
        fputc('\n', out);
    render_remarks(out, style, plan);
}
