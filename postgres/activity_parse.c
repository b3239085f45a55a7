/* A snapshot from the JSON that our statement yields. Pure, and fuzzed: whatever comes in, the
 * result is a well-formed snapshot or an error. May use: base.
 */
#include "base/mem.h"
#include "postgres/db.h"

#include <limits.h>
#include <math.h>
#include <string.h>

enum { TEXT_CEILING = 64 * 1024 * 1024 };

static int int_at(const json_t *json, const char *key, int fallback)
{
    int64_t value = json_int_at(json, key, fallback);
    return value > INT_MAX ? INT_MAX : value < INT_MIN ? INT_MIN : (int)value;
}

/* The server's clock may have been set back since: an age is never below 0. */
static double age_at(const json_t *json, const char *key)
{
    double age = json_number_at(json, key, 0);
    return isfinite(age) && age > 0 ? age : 0;
}

static char *text_at(const json_t *json, const char *key)
{
    return mem_strdup(json_text_at(json, key, ""));
}

static void read_session(const json_t *json, struct db_session *session)
{
    session->pid = int_at(json, "pid", 0);
    session->backend_start = text_at(json, "start");
    session->role = text_at(json, "role");
    session->database = text_at(json, "database");
    session->application = text_at(json, "application");
    session->client = text_at(json, "client");
    session->client_port = int_at(json, "port", 0);
    session->state = text_at(json, "state");
    session->backend_type = text_at(json, "type");
    session->state_age_s = age_at(json, "state_age");
    session->age_s = age_at(json, "age");
    session->blocks = int_at(json, "blocks", 0);
    session->superuser = json_bool_at(json, "superuser", false);
    session->replication = json_bool_at(json, "replication", false);
    session->ours = json_bool_at(json, "ours", false);
    session->backup = json_bool_at(json, "backup", false);
    session->denied = json_bool_at(json, "denied", false);
}

static int read_sessions(const json_t *list, struct db_activity *activity, struct err *e)
{
    size_t i;
    json_t *item;
    json_array_foreach((json_t *)list, i, item)
    {
        if (int_at(item, "pid", 0) <= 0)
            return err_set(e, ERR_PROTOCOL, "postgres: connections: session %zu has no pid", i);
        read_session(item, MEM_PUSH(activity->sessions, activity->session_count));
    }
    return 0;
}

static int read_activity(const json_t *json, struct db_activity *activity, struct err *e)
{
    const json_t *sessions = json_at(json, "sessions");
    activity->max_connections = int_at(json, "max", 0);
    if (activity->max_connections <= 0 || !json_is_array(sessions))
        return err_set(e, ERR_PROTOCOL, "postgres: connections: the answer is not ours");
    int64_t reserved = int_at(json, "reserved", 0), used = int_at(json, "used", 0);
    activity->reserved = reserved < 0 ? 0 : (int)reserved;
    activity->used = used < 0 ? 0 : (int)used;
    int64_t available = (int64_t)activity->max_connections - activity->reserved - activity->used;
    activity->available = available < INT_MIN ? INT_MIN : (int)available;
    activity->restricted = json_bool_at(json, "restricted", false);
    activity->blocked = int_at(json, "blocked", 0);
    activity->prepared = int_at(json, "prepared", 0);
    activity->in_recovery = json_bool_at(json, "in_recovery", false);
    activity->version = text_at(json, "version");
    activity->role = text_at(json, "role");
    activity->by = "";
    return read_sessions(sessions, activity, e);
}

/* A database in SQL_ASCII holds names in any encoding, and sends them as they are. */
static json_t *parse_lossily(const char *text, size_t len, struct err *e)
{
    CLEANUP_JSON json_t *mended = json_lossy_string(text, len);
    return json_parse(json_string_value(mended), json_string_length(mended),
                      "postgres: connections", e);
}

int db_activity_parse(const char *text, size_t len, struct db_activity **ret, struct err *e)
{
    if (len > TEXT_CEILING)
        return err_set(e, ERR_PROTOCOL, "postgres: connections: an answer of %zu bytes", len);
    CLEANUP_JSON json_t *json = parse_lossily(text, len, e);
    if (!json)
        return -(int)ERR_PROTOCOL;
    struct db_activity *activity = mem_new(sizeof *activity);
    activity->references = 1;
    int rc = read_activity(json, activity, e);
    if (rc < 0)
        db_activity_free(activity);
    else
        *ret = activity;
    return rc;
}
