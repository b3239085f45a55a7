/* supervisorctl connections: who holds the database's connections. */
#include "base/mem.h"
#include "supervisorctl/backend.h"
#include "supervisorctl/ctl.h"
#include "supervisorctl/story.h"

#include <inttypes.h>
#include <string.h>

static const char *age(const json_t *session, const char *key, char out[static DURATION_MAX])
{
    return duration_text((int64_t)(json_number_at(session, key, 0) * 1000), out);
}

/* What marks a session off from an ordinary one; the caller frees it. */
static char *remarks_of(const json_t *session)
{
    int64_t blocks = json_int_at(session, "blocks", 0);
    CLEANUP_FREE char *blocking =
        blocks > 0 ? mem_printf(" blocks %" PRId64, blocks) : mem_strdup("");
    char *text = mem_printf("%s%s%s%s%s", json_bool_at(session, "ours", false) ? " ours" : "",
                            json_bool_at(session, "superuser", false) ? " superuser" : "",
                            json_bool_at(session, "replication", false) ? " replication" : "",
                            json_bool_at(session, "backup", false) ? " backup" : "", blocking);
    return text;
}

static void print_sessions(struct ctl *ctl, const json_t *sessions)
{
    static const char *const headings[] = {">PID",     "STATE",  ">SINCE",      ">LOGIN",
                                           "HOLDER",   "CLIENT", "APPLICATION", "ROLE",
                                           "DATABASE", "",       NULL};
    struct print_table *table = print_table_new(headings);
    for (size_t i = 0; i < json_array_size(sessions); i++) {
        const json_t *session = json_array_get(sessions, i);
        const char *state = json_text_at(session, "state", "");
        char text[DURATION_MAX];
        CLEANUP_FREE char *remarks = remarks_of(session);
        print_table_cellf(table, TONE_PLAIN, "%" PRId64, json_int_at(session, "pid", 0));
        print_table_cell(table, print_tone_of(state), state);
        print_table_cell(table, TONE_PLAIN, age(session, "state_seconds", text));
        print_table_cell(table, TONE_DIM, age(session, "age_seconds", text));
        print_table_cell(table, TONE_PLAIN, json_text_at(session, "holder", NULL));
        print_table_cell(table, TONE_PLAIN, json_text_at(session, "client", NULL));
        print_table_cell(table, TONE_PLAIN, json_text_at(session, "application", NULL));
        print_table_cell(table, TONE_PLAIN, json_text_at(session, "role", NULL));
        print_table_cell(table, TONE_PLAIN, json_text_at(session, "database", NULL));
        if (*remarks)
            print_table_cell(table, TONE_WARN, remarks + 1); /* each begins with a space */
        else
            print_table_blank(table);
    }
    print_table_end(table, ctl->out, &ctl->style, 0);
}

static void print_head(struct ctl *ctl, const json_t *answer)
{
    double utilization = json_number_at(answer, "utilization", 0);
    CLEANUP_FREE char *bar = print_bar(utilization, 20);
    /* A session of ours in a reserved slot makes it one less than none. */
    int64_t available = json_int_at(answer, "available", 0);
    enum print_tone tone = utilization >= 0.9   ? TONE_BAD
                           : utilization >= 0.6 ? TONE_WARN
                                                : TONE_GOOD;
    print_toned(ctl->out, &ctl->style, tone, bar);
    fputc(' ', ctl->out);
    story_print_use(ctl->out, answer);
    fprintf(ctl->out, "; %" PRId64 " free, %" PRId64 " of %" PRId64 " reserved; asked by %s\n",
            available > 0 ? available : 0, json_int_at(answer, "reserved", 0),
            json_int_at(answer, "max", 0), json_text_at(answer, "by", "?"));
    story_print_holder(ctl->out, answer, 0);
    fputc('\n', ctl->out);
}

/* Why some holders are unknown, when it is us who could not look. */
static void say_unseen(struct ctl *ctl, const json_t *error)
{
    struct err e;
    if (!json_is_object(error))
        return;
    json_to_err(error, &e);
    ctl_say(ctl, "%s%s%s", e.text, *e.hint ? "; " : "", e.hint);
}

int ctl_connections(struct ctl *ctl)
{
    struct err e;
    struct question question = {.ask = ASK_CONNECTIONS};
    CLEANUP_JSON json_t *answer = NULL;
    int code = backend_ask(ctl->backend, &question, &answer, &e);
    if (code)
        return ctl_fail(ctl, code, &e);
    if (ctl->options->json)
        return ctl_print_json(ctl, WIRE_EXIT_DONE, answer);
    print_head(ctl, answer);
    story_print_groups(ctl->out, &ctl->style, answer, SIZE_MAX, 0);
    print_sessions(ctl, json_at(answer, "sessions"));
    if (json_bool_at(answer, "restricted", false))
        ctl_say(ctl, "states and addresses of other roles are hidden: GRANT pg_monitor TO the "
                     "supervisor's role shows them");
    say_unseen(ctl, json_at(answer, "attribution_error"));
    return WIRE_EXIT_DONE;
}
