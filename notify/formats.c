/* The forms of a notification that other programs have laid down: Slack's incoming webhooks (and
 * what understands them), and the Alertmanager's API v2; and the plain text.
 *
 * Sources: https://api.slack.com/reference/surfaces/formatting (what is to be escaped),
 * https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml (postableAlerts).
 */
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "notify/notification.h"

#include <string.h>

enum { TEXT_MAX = 65536 };

/* Without being sent anew an alert ends at its endsAt. The resolved one ends it before; should
 * that never come, it is to outlive a weekend. */
static const int64_t ALERT_LIFE_MS = INT64_C(3) * 24 * 3600 * 1000;
static const int64_t TEST_LIFE_MS = INT64_C(60) * 1000;

static const char *text_at(const struct notify__notification *notification, const char *key)
{
    return json_text_at(notification->body, key, "");
}

/* --- Slack ------------------------------------------------------------------------------------ */

/* "<!channel>" in a container's name must not call everybody. */
static char *escape(const char *text)
{
    struct buf out;
    buf_init(&out, strlen(text) * 5 + 1);
    for (const char *c = text; *c; c++) {
        if (*c == '&')
            buf_puts(&out, "&amp;");
        else if (*c == '<')
            buf_puts(&out, "&lt;");
        else if (*c == '>')
            buf_puts(&out, "&gt;");
        else
            buf_add(&out, c, 1);
    }
    return buf_take(&out);
}

char *notify__as_slack(const struct notify__notification *notification, const char *text_key)
{
    const char *text = text_at(notification, "text");
    CLEANUP_FREE char *escaped = text_key ? NULL : escape(text);
    CLEANUP_JSON json_t *message = json_object();
    json_set_text(message, text_key ? text_key : "text", escaped ? escaped : text);
    return json_line(message);
}

/* --- Alertmanager ----------------------------------------------------------------------------- */

/* A kind is an alert of its own: a change of the annotations alone would be told to nobody. */
static const char *alert_name(enum notify__kind kind)
{
    static const char *const names[] = {
        [NOTIFY__TRIGGERED] = "StackSupervisorTriggered",
        [NOTIFY__ACTED] = "StackSupervisorActed",
        [NOTIFY__ASK] = "StackSupervisorAsks",
        [NOTIFY__HANDED_OVER] = "StackSupervisorHandedOver",
        [NOTIFY__HEALED] = "StackSupervisorHealed",
        [NOTIFY__TEST] = "StackSupervisorTest",
    };
    return names[kind];
}

static void set_label(json_t *labels, const char *name, const char *value)
{
    if (*value) /* an empty label is none */
        json_set_text(labels, name, value);
}

static json_t *alert(const struct notify__notification *notification, enum notify__kind kind,
                     enum notify__severity severity, int64_t ends_ms)
{
    char stamp[CLOCK_STAMP_MAX];
    CLEANUP_FREE char *description = notify__as_text(notification);
    json_t *labels = json_object();
    json_t *annotations = json_object();
    json_t *alert = json_object();
    set_label(labels, "alertname", alert_name(kind));
    set_label(labels, "stack", text_at(notification, "stack"));
    set_label(labels, "policy", text_at(notification, "policy"));
    set_label(labels, "severity", notify__severity_names[severity]);
    json_set_text(annotations, "summary", text_at(notification, "text"));
    json_set_text(annotations, "description", description);
    json_object_set_new(alert, "labels", labels);
    json_object_set_new(alert, "annotations", annotations);
    json_set_text(alert, "startsAt", clock_stamp(notification->since_wall_ms, stamp));
    /* The clock may have been set back; the Alertmanager refuses an end before the start. */
    ends_ms = ends_ms > notification->since_wall_ms ? ends_ms : notification->since_wall_ms;
    json_set_text(alert, "endsAt", clock_stamp(ends_ms, stamp));
    return alert;
}

/* Everything that this receiver has been told of the incident ends. */
static void add_resolved(json_t *alerts, const struct notify__notification *notification)
{
    size_t index;
    json_t *told;
    json_array_foreach(notification->told, index, told)
    {
        enum notify__kind kind;
        enum notify__severity severity;
        if (notify__kind_parse(json_text_at(told, "kind", NULL), &kind) &&
            notify__severity_parse(json_text_at(told, "severity", NULL), &severity))
            json_array_append_new(alerts,
                                  alert(notification, kind, severity, notify__at_ms(notification)));
    }
}

char *notify__as_alerts(const struct notify__notification *notification)
{
    CLEANUP_JSON json_t *alerts = json_array();
    int64_t life_ms = notification->kind == NOTIFY__TEST ? TEST_LIFE_MS : ALERT_LIFE_MS;
    if (notification->kind == NOTIFY__HEALED)
        add_resolved(alerts, notification);
    else
        json_array_append_new(alerts,
                              alert(notification, notification->kind, notification->severity,
                                    notify__at_ms(notification) + life_ms));
    return json_line(alerts);
}

/* --- plain text ------------------------------------------------------------------------------- */

static void add_values(struct buf *out, const json_t *values)
{
    size_t index;
    json_t *value;
    if (json_array_size(values) > 0)
        buf_puts(out, "\nvalues:\n");
    json_array_foreach(values, index, value)
    {
        const char *wanted = json_text_at(value, "wanted", "");
        CLEANUP_FREE char *line = mem_printf("  %s: %s%s%s%s", json_text_at(value, "name", "?"),
                                             json_text_at(value, "value", "unknown"),
                                             *wanted ? " (" : "", wanted, *wanted ? ")" : "");
        notify__one_line(line);
        buf_printf(out, "%s\n", line);
    }
}

char *notify__as_text(const struct notify__notification *notification)
{
    static const char *const fields[] = {"severity", "stack", "policy", "playbook", "host", "at"};
    static const char *const numbers[] = {"incident", "decision", "run"};
    struct buf out;
    buf_init(&out, TEXT_MAX);
    buf_printf(&out, "%s\n\n", text_at(notification, "text"));
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
        if (*text_at(notification, fields[i]))
            buf_printf(&out, "%s: %s\n", fields[i], text_at(notification, fields[i]));
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        int64_t number = json_int_at(notification->body, numbers[i], 0);
        if (number)
            buf_printf(&out, "%s: %lld\n", numbers[i], (long long)number);
    }
    add_values(&out, json_at(notification->body, "values"));
    return buf_take(&out);
}
