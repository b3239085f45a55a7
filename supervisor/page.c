/* See page.h. */
#include "supervisor/page.h"

#include "base/buf.h"
#include "base/mem.h"
#include "page_files.h"

#include <inttypes.h>
#include <string.h>

enum { PAGE_MAX = 4 << 20 };

const char *page_style(void)
{
    return page_files[0].text;
}

/* --- pieces ----------------------------------------------------------------------------------- */

static void add_text(struct buf *out, const char *text)
{
    static const struct {
        char character;
        const char *entity;
    } entities[] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}, {'\'', "&#39;"}};
    for (; text && *text; text++) {
        const char *entity = NULL;
        for (size_t i = 0; i < ARRAY_SIZE(entities); i++)
            if (entities[i].character == *text)
                entity = entities[i].entity;
        if (entity)
            buf_puts(out, entity);
        else
            buf_add(out, text, 1);
    }
}

static void add_cell(struct buf *out, const char *class, const char *text)
{
    if (class)
        buf_printf(out, "<td class=\"%s\">", class); /* a class is one of ours */
    else
        buf_puts(out, "<td>");
    add_text(out, text);
    buf_puts(out, "</td>");
}

static void begin_table(struct buf *out, const char *title, const char *const *columns)
{
    buf_printf(out, "<h2>%s</h2>\n<table>\n<tr>", title);
    for (; *columns; columns++)
        buf_printf(out, "<th>%s</th>", *columns);
    buf_puts(out, "</tr>\n");
}

static void end_table(struct buf *out)
{
    buf_puts(out, "</table>\n");
}

/* How a word about the state of something looks. */
static const char *class_of(const char *word)
{
    static const struct {
        const char *class;
        const char *words[12];
    } classes[] = {
        {"good", {"healthy", "ready", "succeeded", "running", "watching"}},
        {"bad",
         {"unhealthy", "exhausted", "failed", "handed", "exited", "unreachable", "hung", "dead",
          "aborted", "auth_failed", "refused"}},
        {"busy", {"starting", "due", "asking", "verifying", "cooling", "restarting", "paused"}},
    };
    for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
        for (const char *const *known = classes[i].words; *known; known++)
            if (strcmp(*known, word) == 0)
                return classes[i].class;
    return NULL;
}

static void add_state(struct buf *out, const char *word)
{
    add_cell(out, class_of(word), word);
}

/* The observation of that name if it is fresh, or NULL. */
static const json_t *observed(const struct page *page, const char *name)
{
    const json_t *one;
    size_t i;
    json_array_foreach(page->observations, i, one)
    {
        if (strcmp(json_text_at(one, "name", ""), name) == 0 && json_bool_at(one, "fresh", false))
            return one;
    }
    return NULL;
}

static const char *observed_text(const struct page *page, const char *name)
{
    return json_text_at(observed(page, name), "text", "unknown");
}

/* --- sections --------------------------------------------------------------------------------- */

static void add_database(struct buf *out, const struct page *page)
{
    static const char *const columns[] = {"State",  "Connections", "Idle", "In a transaction",
                                          "Leaker", NULL};
    const json_t *used = observed(page, "connections.used");
    const json_t *usable = observed(page, "connections.usable");
    begin_table(out, "Database", columns);
    buf_puts(out, "<tr>");
    add_state(out, observed_text(page, "database.state"));
    buf_puts(out, "<td class=\"number\">");
    if (used && usable) {
        double limit = json_number_at(usable, "value", 0);
        buf_printf(out, "<meter min=\"0\" max=\"%g\" high=\"%g\" value=\"%g\"></meter> %g of %g",
                   limit, limit * 0.75, json_number_at(used, "value", 0),
                   json_number_at(used, "value", 0), limit);
    } else {
        buf_puts(out, "unknown");
    }
    buf_puts(out, "</td>");
    add_cell(out, "number", observed_text(page, "connections.idle"));
    add_cell(out, "number", observed_text(page, "connections.idle_in_transaction"));
    add_cell(out, NULL, observed_text(page, "connections.leaker"));
    buf_puts(out, "</tr>\n");
    end_table(out);
}

static void add_container(struct buf *out, const struct page *page, const json_t *container)
{
    const char *service = json_text_at(container, "service", "");
    const char *name = json_text_at(container, "container", "");
    CLEANUP_FREE char *health = mem_printf("service(%s).health", service);
    CLEANUP_FREE char *sessions = mem_printf("container(%s).connections", name);
    const json_t *held = observed(page, sessions);
    buf_puts(out, "<tr>");
    add_cell(out, NULL, name);
    add_cell(out, NULL, service);
    add_state(out, json_text_at(container, "state", ""));
    add_state(out, observed_text(page, health));
    add_cell(out, "number", held ? json_text_at(held, "text", "") : "");
    buf_puts(out, "</tr>\n");
}

static void add_containers(struct buf *out, const struct page *page)
{
    static const char *const columns[] = {
        "Container", "Service", "State", "Health of the service", "Connections", NULL};
    begin_table(out, "Containers", columns);
    for (size_t i = 0; i < json_array_size(page->containers); i++)
        add_container(out, page, json_array_get(page->containers, i));
    end_table(out);
}

static void add_policies(struct buf *out, const struct page *page)
{
    static const char *const columns[] = {"Policy", "Mode", "State", "Because", NULL};
    const json_t *policy;
    size_t i;
    begin_table(out, "Policies", columns);
    json_array_foreach(page->policies, i, policy)
    {
        buf_puts(out, "<tr>");
        add_cell(out, NULL, json_text_at(policy, "name", ""));
        add_cell(out, NULL, json_text_at(policy, "mode", ""));
        add_state(out, json_text_at(policy, "state", ""));
        add_cell(out, NULL, json_text_at(policy, "explanation", ""));
        buf_puts(out, "</tr>\n");
    }
    end_table(out);
}

static void add_runs(struct buf *out, const struct page *page)
{
    static const char *const columns[] = {"Run", "Began", "Playbook", "State", "Outcome", NULL};
    const json_t *run;
    size_t i;
    begin_table(out, "Runs", columns);
    json_array_foreach(page->runs, i, run)
    {
        buf_printf(out, "<tr><td class=\"number\">%" PRId64 "</td>", json_int_at(run, "run", 0));
        add_cell(out, "number", json_text_at(run, "started_at", ""));
        add_cell(out, NULL, json_text_at(run, "playbook", ""));
        add_state(out, json_text_at(run, "state", ""));
        add_cell(out, NULL, json_text_at(run, "text", ""));
        buf_puts(out, "</tr>\n");
    }
    end_table(out);
}

static void add_decisions(struct buf *out, const struct page *page)
{
    static const char *const columns[] = {"Decided", "What", "Why", NULL};
    const json_t *decision;
    size_t i;
    begin_table(out, "Decisions", columns);
    json_array_foreach(page->decisions, i, decision)
    {
        buf_puts(out, "<tr>");
        add_cell(out, "number", json_text_at(decision, "at", ""));
        add_cell(out, NULL, json_text_at(decision, "decision", ""));
        add_cell(out, NULL, json_text_at(decision, "sentence", ""));
        buf_puts(out, "</tr>\n");
    }
    end_table(out);
}

char *page_html(const struct page *page)
{
    struct buf out;
    buf_init(&out, PAGE_MAX);
    buf_puts(&out, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                   "<meta name=\"viewport\" content=\"width=device-width\">\n"
                   "<meta http-equiv=\"refresh\" content=\"5\">\n"
                   "<link rel=\"stylesheet\" href=\"/style.css\">\n<title>");
    add_text(&out, page->sentence);
    buf_puts(&out, "</title>\n</head>\n<body>\n<h1>");
    add_text(&out, page->project ? page->project : "stack-supervisor");
    buf_puts(&out, "</h1>\n<p>");
    add_text(&out, page->sentence);
    buf_puts(&out, "</p>\n");
    add_database(&out, page);
    add_containers(&out, page);
    add_policies(&out, page);
    add_runs(&out, page);
    add_decisions(&out, page);
    buf_puts(&out, "<footer>stack-supervisor " STACK_SUPERVISOR_VERSION ", ");
    add_text(&out, page->at);
    buf_puts(&out, ". This page changes nothing; supervisorctl does.</footer>\n</body>\n</html>\n");
    return buf_take(&out);
}
