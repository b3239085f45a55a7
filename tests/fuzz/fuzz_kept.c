/* What the journal keeps for notify/: notifications that wait, in all the forms in which they go
 * out, and what was told of an incident. */
#include "fuzz.h"

#include "base/mem.h"
#include "notify/notification.h"
#include "notify/told.h"

#include <assert.h>
#include <string.h>

static void write_mail(const struct notify__notification *notification)
{
    char *to[] = {(char[]){"ops@example.org"}};
    CLEANUP_FREE char *mail = notify__as_mail(notification, "stack@example.org", to, 1);
    for (const char *end = strchr(mail, '\n'); end; end = strchr(end + 1, '\n'))
        assert(end > mail && end[-1] == '\r');
}

static void write_forms(const struct notify__notification *notification)
{
    free(notify__as_json(notification));
    free(notify__as_slack(notification, "text"));
    free(notify__as_alerts(notification));
    free(notify__as_text(notification));
    free(notify__notification_name(notification));
    notify__at_ms(notification);
    write_mail(notification);
}

static void take_told(const json_t *row)
{
    struct notify__told *told = notify__told_new();
    if (notify__told_restore(told, "incident", row)) {
        json_decref(notify__told_list(told, "incident", "ops"));
        notify__told_since(told, "incident", "ops", 0);
        notify__told_has(told, "incident", "ops", "acted clean");
    }
    notify__told_free(told);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e;
    struct notify__notification notification;
    CLEANUP_JSON json_t *row = json_parse((const char *)data, size, "fuzz", &e);
    if (!row)
        return 0;
    take_told(row);
    if (notify__notification_load(&notification, row)) {
        write_forms(&notification);
        json_decref(notify__notification_save(&notification));
        notify__notification_clear(&notification);
    }
    return 0;
}
