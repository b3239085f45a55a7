/* The report of a cleaning: freeing, JSON. May use: base, this folder. */
#include "postgres/clean.h"

#include "base/mem.h"

void db_clean_report_free(struct db_clean_report *report)
{
    if (!report)
        return;
    db_activity_free(report->activity);
    free(report->items);
    free(report);
}

static json_t *item_json(const struct db_cleaned *item)
{
    const struct db_session *session = item->session;
    json_t *json = json_object();
    json_set_int(json, "pid", session->pid);
    json_set_text(json, "role", session->role);
    json_set_text(json, "database", session->database);
    json_set_text(json, "application", session->application);
    json_set_text(json, "client", session->client);
    json_set_int(json, "client_port", session->client_port);
    json_set_text(json, "state", session->state);
    json_object_set_new(json, "idle_seconds", json_real(session->state_age_s));
    json_set_int(json, "blocks", session->blocks);
    json_set_text(json, "why", item->why);
    return json;
}

static json_t *items_json(const struct db_clean_report *report, enum db_verdict verdict)
{
    json_t *list = json_array();
    for (size_t i = 0; i < report->count; i++)
        if (report->items[i].verdict == verdict)
            json_array_append_new(list, item_json(&report->items[i]));
    return list;
}

json_t *db_clean_report_json(const struct db_clean_report *report)
{
    json_t *json = json_object();
    json_set_bool(json, "dry_run", report->dry_run);
    json_set_text(json, "by", report->activity->by);
    json_set_int(json, "used_before", report->used_before);
    json_set_int(json, "used_after", report->used_after);
    json_object_set_new(json, "ended", items_json(report, DB_VICTIM));
    json_object_set_new(json, "spared", items_json(report, DB_SPARED));
    json_object_set_new(json, "stayed", items_json(report, DB_STAYED));
    json_object_set_new(json, "denied", items_json(report, DB_DENIED));
    json_object_set_new(json, "hint",
                        err_is_set(&report->hint) ? json_from_err(&report->hint) : json_null());
    return json;
}
