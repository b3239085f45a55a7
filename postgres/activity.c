/* Who holds the connections: the operation, and the snapshot as JSON for people and the API.
 * Reading a snapshot from the server's JSON is activity_parse.c. May use: base, this folder.
 */
#include "postgres/activity.h"
#include "base/fault_point.h"
#include "base/mem.h"
#include "postgres/internal.h"
#include "postgres/sql.h"
#include "postgres/visit.h"

#include <string.h>

/* --- the snapshot --------------------------------------------------------------------------- */

static void free_session(struct db_session *session)
{
    free(session->backend_start);
    free(session->role);
    free(session->database);
    free(session->application);
    free(session->client);
    free(session->state);
    free(session->backend_type);
}

struct db_activity *db_activity_ref(const struct db_activity *activity)
{
    struct db_activity *shared = mem_unconst(activity);
    shared->references++;
    return shared;
}

void db_activity_free(struct db_activity *activity)
{
    if (!activity || --activity->references > 0)
        return;
    for (size_t i = 0; i < activity->session_count; i++)
        free_session(&activity->sessions[i]);
    free(activity->sessions);
    free(activity->version);
    free(activity->role);
    free(activity);
}

double db_activity_utilization(const struct db_activity *activity)
{
    int ordinary = activity->max_connections - activity->reserved;
    return ordinary > 0 ? (double)activity->used / ordinary : 0;
}

json_t *db__session_json(const struct db_session *session)
{
    json_t *json = json_object();
    json_set_int(json, "pid", session->pid);
    json_set_text(json, "backend_start", session->backend_start);
    json_set_text(json, "role", session->role);
    json_set_text(json, "database", session->database);
    json_set_text(json, "application", session->application);
    json_set_text(json, "client", session->client);
    json_set_int(json, "client_port", session->client_port);
    json_set_text(json, "state", session->state);
    json_set_text(json, "backend_type", session->backend_type);
    json_object_set_new(json, "state_seconds", json_real(session->state_age_s));
    json_object_set_new(json, "age_seconds", json_real(session->age_s));
    json_set_int(json, "blocks", session->blocks);
    json_set_bool(json, "superuser", session->superuser);
    json_set_bool(json, "replication", session->replication);
    json_set_bool(json, "backup", session->backup);
    json_set_bool(json, "ours", session->ours);
    return json;
}

json_t *db_activity_json(const struct db_activity *activity)
{
    json_t *json = json_object();
    json_set_int(json, "max", activity->max_connections);
    json_set_int(json, "reserved", activity->reserved);
    json_set_int(json, "used", activity->used);
    json_set_int(json, "available", activity->available);
    json_object_set_new(json, "utilization", json_real(db_activity_utilization(activity)));
    json_set_text(json, "by", activity->by);
    json_set_bool(json, "restricted", activity->restricted);
    json_set_int(json, "prepared", activity->prepared);
    json_set_bool(json, "in_recovery", activity->in_recovery);
    json_set_text(json, "version", activity->version);
    json_t *sessions = json_array();
    for (size_t i = 0; i < activity->session_count; i++)
        json_array_append_new(sessions, db__session_json(&activity->sessions[i]));
    json_object_set_new(json, "sessions", sessions);
    return json;
}

/* --- the operation -------------------------------------------------------------------------- */

const enum db__way db__ways_to_look[] = {DB__WAY_LIFELINE, DB__WAY_LOGIN, DB__WAY_BACKDOOR,
                                         DB__WAY_NONE};

struct look {
    struct db__job job; /* first: the operation */
    struct db__visit *visit;
    struct db_activity *activity;
    db_activity_fn done;
    void *data;
};

static void on_answer(void *data, const struct db__fault *fault, const char *value)
{
    struct look *look = data;
    struct err e = {0};
    FAULT_POINT("postgres.looked");
    if (fault) {
        e = fault->e;
    } else if (db_activity_parse(value, strlen(value), &look->activity, &e) == 0) {
        look->activity->by = db__visit_by(look->visit);
    }
    look->visit = db__visit_free(look->visit);
    op_end(&look->job.op, err_is_set(&e) ? &e : NULL);
}

static void drop(struct op *op)
{
    struct look *look = (struct look *)op;
    look->visit = db__visit_free(look->visit);
}

static void deliver(struct op *op, const struct err *e)
{
    struct look *look = (struct look *)op;
    look->done(look->data, e, e ? NULL : look->activity);
    db_activity_free(look->activity);
    db__job_end(&look->job);
    free(look);
}

op_id db_activity(struct db *db, int64_t deadline_ms, db_activity_fn done, void *data)
{
    static const struct op_class class = {.drop = drop, .deliver = deliver};
    struct look *look = mem_new(sizeof *look);
    look->done = done;
    look->data = data;
    op_id id = db__job_begin(&look->job, db, &class, "look who is connected to", deadline_ms);
    look->visit = db__visit_new(db, db__ways_to_look, db__until_ms(db, deadline_ms));
    FAULT_POINT("postgres.look");
    db__visit_ask(look->visit, db__sql_activity(db->application), on_answer, look);
    return id;
}
