/* A snapshot of pg_stat_activity, and the choice of victims on it. */
#include "fuzz.h"

#include "postgres/db.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct db_activity *activity = NULL;
    struct err e;
    if (db_activity_parse((const char *)data, size, &activity, &e) != 0)
        return 0;
    const struct db_clean_rules rules = DB_CLEAN_DEFAULTS;
    struct db_clean_report *report = db_clean_select(activity, &rules);
    json_decref(db_clean_report_json(report));
    db_clean_report_free(report);
    return 0;
}
