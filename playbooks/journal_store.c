/* See journal_store.h.
 *
 * One connection with locking_mode=EXCLUSIVE: nobody else can open the file meanwhile, which also
 * keeps clear of SQLite's WAL-reset bug (two connections, before 3.51.3), and synchronous=FULL:
 * what was acknowledged survives a power cut. */
#include "playbooks/journal_store.h"

#include "base/mem.h"
#include "playbooks/journal_reserve.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Somebody who reads it for a moment (a backup) is waited for. */
enum { SCHEMA_VERSION = 2, BUSY_MS = 1000 };

struct store {
    sqlite3 *db;
    char *path;
    struct reserve *reserve;
    bool full; /* the last call that failed did so for want of room */
};

static const char store_settings[] = "PRAGMA locking_mode=EXCLUSIVE;"
                                     "PRAGMA journal_mode=WAL;"
                                     "PRAGMA synchronous=FULL;"
                                     "PRAGMA foreign_keys=ON;";

static const char store_schema[] =
    "BEGIN;"
    "CREATE TABLE IF NOT EXISTS runs ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT, summary TEXT NOT NULL, plan TEXT NOT NULL,"
    " ended INTEGER NOT NULL DEFAULT 0);"
    "CREATE TABLE IF NOT EXISTS entries ("
    " id INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES runs(id) ON DELETE CASCADE,"
    " entry TEXT NOT NULL);"
    "CREATE INDEX IF NOT EXISTS entries_run ON entries(run);"
    "CREATE TABLE IF NOT EXISTS kept (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
    "PRAGMA user_version=2;"
    "COMMIT;";

static enum err_code code_of(int code)
{
    switch (code) {
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
        return ERR_PERMISSION;
    case SQLITE_CONSTRAINT:
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_TOOBIG:
        return ERR_PROTOCOL;
    default:
        return ERR_FAILED;
    }
}

static int store_fail(struct store *store, const char *tried, struct err *e)
{
    int code = sqlite3_extended_errcode(store->db) & 0xff;
    store->full = code == SQLITE_FULL;
    err_set(e, code_of(code), "journal %s: %s: %s", store->path, tried, sqlite3_errmsg(store->db));
    if (code == SQLITE_FULL)
        err_hint(e, "free space on its disk; runs go on without history meanwhile");
    else if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB)
        err_hint(e, "move the file away; a new one is made at the next start");
    else if (code == SQLITE_BUSY)
        err_hint(e, "another process holds it open");
    return -(int)e->code;
}

/* --- opening ---------------------------------------------------------------------------------- */

static int store_integer(struct store *store, const char *sql, int64_t *ret, struct err *e);

/* There is evidence in it, log lines of the apps among them: nobody else's, and what SQLite puts
 * beside it has the same mode. */
static void store_keep_private(const char *path)
{
    struct stat status;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return; /* SQLite says why */
    if (fstat(fd, &status) == 0 && (status.st_mode & 07))
        (void)!fchmod(fd, status.st_mode & 0770);
    close(fd);
}

/* What is in order is not written to: on a full disk it can be read all the same. */
static int store_set_up(struct store *store, struct err *e)
{
    int64_t version = 0;
    if (sqlite3_exec(store->db, store_settings, NULL, NULL, NULL) != SQLITE_OK)
        return store_fail(store, "open", e);
    int status = store_integer(store, "PRAGMA user_version", &version, e);
    if (status != 0 || version == SCHEMA_VERSION)
        return status;
    if (version > SCHEMA_VERSION) {
        status = err_set(e, ERR_UNSUPPORTED,
                         "journal %s: a newer stack-supervisord has written it (form %lld, this "
                         "one knows %d)",
                         store->path, (long long)version, SCHEMA_VERSION);
        err_hint(e, "install that version again, or move the file away");
        return status;
    }
    if (sqlite3_exec(store->db, store_schema, NULL, NULL, NULL) == SQLITE_OK)
        return 0;
    status = store_fail(store, "open", e);
    if (!sqlite3_get_autocommit(store->db))
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    return status;
}

int store_open(const char *path, struct store **ret, struct err *e)
{
    struct store *store = mem_new(sizeof *store);
    struct err failure;
    store->path = mem_strdup(path);
    store_keep_private(path);
    int status =
        sqlite3_open_v2(path, &store->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL)
            ? store_fail(store, "open", &failure)
            : 0;
    sqlite3_busy_timeout(store->db, BUSY_MS);
    status = status ? status : store_set_up(store, &failure);
    if (status != 0) {
        err_copy(e, &failure);
        store_close(store);
        return status;
    }
    store->reserve = reserve_open(path);
    *ret = store;
    return 0;
}

bool store_may_open(const struct err *e)
{
    return e->code == ERR_FAILED;
}

struct store *store_close(struct store *store)
{
    if (store) {
        reserve_close(store->reserve);
        sqlite3_close(store->db);
        free(store->path);
        free(store);
    }
    return NULL;
}

/* Prepares sql and binds its parameters by the letters of `form`: i an int64, s a text. */
static sqlite3_stmt *store_prepare(struct store *store, const char *sql, const char *form, ...)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL) != SQLITE_OK)
        return NULL;
    va_list args;
    va_start(args, form);
    for (int i = 0; form[i]; i++) {
        if (form[i] == 'i')
            sqlite3_bind_int64(statement, i + 1, va_arg(args, int64_t));
        else
            sqlite3_bind_text(statement, i + 1, va_arg(args, const char *), -1, SQLITE_TRANSIENT);
    }
    va_end(args);
    return statement;
}

/* Runs a statement that yields no rows. */
static int store_do(struct store *store, sqlite3_stmt *statement, const char *tried, struct err *e)
{
    struct err failure;
    int status = statement && sqlite3_step(statement) == SQLITE_DONE
                     ? 0
                     : store_fail(store, tried, &failure);
    if (status)
        err_copy(e, &failure);
    sqlite3_finalize(statement);
    return status;
}

/* --- writing ---------------------------------------------------------------------------------- */

bool store_finds_room(struct store *store, bool to_an_end)
{
    bool full = store->full;
    store->full = false;
    return full && reserve_give(store->reserve, to_an_end);
}

int store_begin(struct store *store, int64_t run, const char *summary, const char *plan,
                struct err *e)
{
    return store_do(store,
                    store_prepare(store, "INSERT INTO runs(id, summary, plan) VALUES(?, ?, ?)",
                                  "iss", run, summary, plan),
                    "begin a run", e);
}

int store_add(struct store *store, int64_t run, const char *entry, struct err *e)
{
    return store_do(
        store,
        store_prepare(store, "INSERT INTO entries(run, entry) VALUES(?, ?)", "is", run, entry),
        "add an entry", e);
}

static int store_mark_end(struct store *store, int64_t run, const char *summary, struct err *e)
{
    int status =
        store_do(store,
                 store_prepare(store, "UPDATE runs SET summary = ?, ended = 1 WHERE id = ?", "si",
                               summary, run),
                 "end a run", e);
    if (status == 0 && sqlite3_changes(store->db) == 0) {
        err_set(e, ERR_NOT_FOUND, "journal %s: the disk does not have run %lld", store->path,
                (long long)run);
        status = -(int)ERR_NOT_FOUND;
    }
    return status;
}

int store_end(struct store *store, int64_t run, const char *entry, const char *summary,
              struct err *e)
{
    int status = store_do(store, store_prepare(store, "BEGIN", ""), "end a run", e);
    if (status == 0)
        status = store_mark_end(store, run, summary, e);
    if (status == 0)
        status = store_add(store, run, entry, e);
    if (status == 0)
        status = store_do(store, store_prepare(store, "COMMIT", ""), "end a run", e);
    if (status != 0 && !sqlite3_get_autocommit(store->db))
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    return status;
}

int store_prune(struct store *store, int keep, struct err *e)
{
    reserve_fill(store->reserve);
    return store_do(
        store,
        store_prepare(store,
                      "DELETE FROM runs WHERE ended = 1 AND id <= (SELECT max(id) FROM runs) - ?",
                      "i", (int64_t)keep),
        "prune", e);
}

/* --- reading ---------------------------------------------------------------------------------- */

/* One integer, 0 when there is no row. */
static int store_integer(struct store *store, const char *sql, int64_t *ret, struct err *e)
{
    sqlite3_stmt *statement = store_prepare(store, sql, "");
    int stepped = statement ? sqlite3_step(statement) : SQLITE_ERROR;
    int status = 0;
    if (stepped == SQLITE_ROW)
        *ret = sqlite3_column_int64(statement, 0);
    else if (stepped == SQLITE_DONE)
        *ret = 0;
    else {
        struct err failure;
        status = store_fail(store, "read", &failure);
        err_copy(e, &failure);
    }
    sqlite3_finalize(statement);
    return status;
}

int store_last_id(struct store *store, int64_t *ret, struct err *e)
{
    return store_integer(store, "SELECT seq FROM sqlite_sequence WHERE name = 'runs'", ret, e);
}

int store_unfinished(struct store *store, int64_t *ret_run, struct err *e)
{
    return store_integer(store, "SELECT max(id) FROM runs WHERE ended = 0", ret_run, e);
}

/* The JSON in a column; null when it is damaged. */
static json_t *store_column_json(sqlite3_stmt *statement, int column)
{
    const char *text = (const char *)sqlite3_column_text(statement, column);
    json_t *value = text ? json_parse(text, strlen(text), "journal", NULL) : NULL;
    return value ? value : json_null();
}

/* All rows' first columns as an array; damaged ones are left out. */
static int store_array(struct store *store, sqlite3_stmt *statement, json_t **ret, struct err *e)
{
    json_t *array = json_array();
    int stepped = SQLITE_ERROR;
    while (statement && (stepped = sqlite3_step(statement)) == SQLITE_ROW) {
        json_t *value = store_column_json(statement, 0);
        if (json_is_object(value))
            json_array_append(array, value);
        json_decref(value);
    }
    int status = 0;
    if (stepped == SQLITE_DONE) {
        *ret = array;
    } else {
        struct err failure;
        status = store_fail(store, "read", &failure);
        err_copy(e, &failure);
        json_decref(array);
    }
    sqlite3_finalize(statement);
    return status;
}

int store_list(struct store *store, int limit, json_t **ret, struct err *e)
{
    return store_array(store,
                       store_prepare(store, "SELECT summary FROM runs ORDER BY id DESC LIMIT ?",
                                     "i", (int64_t)limit),
                       ret, e);
}

int store_read(struct store *store, int64_t run, json_t **ret, struct err *e)
{
    sqlite3_stmt *statement =
        store_prepare(store, "SELECT summary, plan FROM runs WHERE id = ?", "i", run);
    if (!statement || sqlite3_step(statement) != SQLITE_ROW) {
        sqlite3_finalize(statement);
        return err_set(e, ERR_NOT_FOUND, "there is no run %lld", (long long)run);
    }
    json_t *record = store_column_json(statement, 0);
    json_t *plan = store_column_json(statement, 1);
    sqlite3_finalize(statement);
    json_t *entries = NULL;
    int status = store_array(
        store,
        store_prepare(store, "SELECT entry FROM entries WHERE run = ? ORDER BY id", "i", run),
        &entries, e);
    if (status || !json_is_object(record)) {
        json_decref(record);
        json_decref(plan);
        json_decref(entries);
        return status ? status
                      : err_set(e, ERR_PROTOCOL, "journal: run %lld is damaged", (long long)run);
    }
    json_object_set_new(record, "plan", plan);
    json_object_set_new(record, "entries", entries);
    *ret = record;
    return 0;
}

int store_keep(struct store *store, const char *key, const char *value, struct err *e)
{
    return store_do(store,
                    value ? store_prepare(store,
                                          "INSERT INTO kept(key, value) VALUES(?, ?)"
                                          " ON CONFLICT(key) DO UPDATE SET value = excluded.value",
                                          "ss", key, value)
                          : store_prepare(store, "DELETE FROM kept WHERE key = ?", "s", key),
                    "keep a value", e);
}

int store_recall(struct store *store, const char *prefix, json_t **ret, struct err *e)
{
    sqlite3_stmt *statement =
        store_prepare(store, "SELECT value, key FROM kept WHERE substr(key, 1, length(?)) = ?",
                      "ss", prefix, prefix);
    json_t *object = json_object();
    int stepped = SQLITE_ERROR;
    while (statement && (stepped = sqlite3_step(statement)) == SQLITE_ROW)
        json_object_set_new(object, (const char *)sqlite3_column_text(statement, 1),
                            store_column_json(statement, 0));
    int status = 0;
    if (stepped == SQLITE_DONE) {
        *ret = object;
    } else {
        struct err failure;
        status = store_fail(store, "recall values", &failure);
        err_copy(e, &failure);
        json_decref(object);
    }
    sqlite3_finalize(statement);
    return status;
}
