/* See backdoor.h. */
#include "postgres/backdoor.h"

#include "base/mem.h"
#include "postgres/sql.h"

#include <stdio.h>
#include <string.h>

/* --- reading what psql printed -------------------------------------------------------------- */

/* The last line that begins with '{': each statement yields its value on one line. */
static char *find_value(const char *out)
{
    const char *value = NULL;
    for (const char *line = out; *line;) {
        size_t len = strcspn(line, "\n");
        if (line[0] == '{')
            value = line;
        line += len + (line[len] == '\n');
    }
    return value ? mem_strndup(value, strcspn(value, "\r\n")) : NULL;
}

/* psql gives no SQLSTATE for a login that fails, whatever VERBOSITY says: these are the server's
 * English sentences, and in another language the cause stays unknown. */
static const struct {
    const char *phrase;
    const char *sqlstate;
} login_phrases[] = {
    {"too many clients already", "53300"},
    {"connection slots are reserved", "53300"},
    {"too many connections", "53300"},
    {"the database system is", "57P03"},
};

static void explain(const char *where, const char *out, struct db__fault *ret)
{
    const char *login = strstr(out, "psql: error: ");
    for (size_t i = 0; login && i < ARRAY_SIZE(login_phrases); i++) {
        if (!strstr(login, login_phrases[i].phrase))
            continue;
        CLEANUP_FREE char *message = mem_printf("FATAL:  %s", login_phrases[i].sqlstate);
        db__fault_login(ret, where, message);
        return;
    }
    if (login) {
        db__fault_login(ret, where, login + strlen("psql: error: "));
        return;
    }
    memset(ret, 0, sizeof *ret);
    err_set(&ret->e, ERR_PROTOCOL, "psql gave no answer");
}

/* A code that stands on a line of its own, but for those of plain warnings. */
static bool find_error(const char *out, char sqlstate[static DB__SQLSTATE_MAX])
{
    for (const char *line = out; *line;) {
        size_t len = strcspn(line, "\n");
        CLEANUP_FREE char *copy = mem_strndup(line, len);
        if (copy[0] != '{' && db__sqlstate_find(copy, sqlstate) && strncmp(sqlstate, "01", 2) != 0)
            return true;
        line += len + (line[len] == '\n');
    }
    return false;
}

char *db__backdoor_read(const char *where, const struct err *e, const char *out,
                        struct db__fault *ret_fault)
{
    char sqlstate[DB__SQLSTATE_MAX];
    if (!out)
        out = "";
    char *value = err_is_set(e) ? NULL : find_value(out);
    if (value)
        return value; /* whatever warnings stand beside it */
    if (find_error(out, sqlstate)) {
        db__fault_statement(ret_fault, where, sqlstate);
    } else {
        explain(where, out, ret_fault);
        if (err_is_set(e) && ret_fault->e.code == ERR_PROTOCOL)
            ret_fault->e = *e;
    }
    err_wrap(&ret_fault->e, "back door: ");
    return NULL;
}

/* --- running it ----------------------------------------------------------------------------- */

struct db__backdoor_run {
    struct db *db;
    struct db__turn turn;
    char *sql;
    int64_t until_ms;
    db__backdoor_fn done; /* NULL when it was given up */
    void *data;
    bool running;
};

static void destroy(struct db__backdoor_run *run)
{
    struct db *db = run->db;
    db__turn_end(&db->slots, &run->turn, NULL);
    free(run->sql);
    free(run);
    db__unref(db);
}

static void on_done(void *data, const struct err *e, const char *out)
{
    struct db__backdoor_run *run = data;
    run->running = false;
    if (!run->done) {
        destroy(run);
        return;
    }
    struct db__fault fault;
    CLEANUP_FREE char *value = db__backdoor_read(db_where(run->db), e, out, &fault);
    run->done(run->data, value ? NULL : &fault, value);
}

static void on_granted(void *data)
{
    struct db__backdoor_run *run = data;
    run->running = true;
    const struct db_backdoor *door = &run->db->backdoor;
    int64_t left_ms = db__left_ms(run->db, run->until_ms);
    CLEANUP_FREE char *sql = db__sql_bounded(run->sql, left_ms);
    door->run(door->context, sql, left_ms, on_done, run);
}

struct db__backdoor_run *db__backdoor_new(struct db *db, const char *sql, int64_t until_ms,
                                          db__backdoor_fn done, void *data)
{
    struct db__backdoor_run *run = mem_new(sizeof *run);
    *run = (struct db__backdoor_run){
        .db = db,
        .turn = {.granted = on_granted, .data = run},
        .sql = mem_strdup(sql),
        .until_ms = until_ms,
        .done = done,
        .data = data,
    };
    db__ref(db);
    db__turn_ask(&db->slots, &run->turn);
    return run;
}

struct db__backdoor_run *db__backdoor_free(struct db__backdoor_run *run)
{
    if (!run)
        return NULL;
    run->done = NULL;
    if (!run->running)
        destroy(run); /* else when psql is done */
    return NULL;
}
