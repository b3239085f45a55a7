/* See alerts.h. */
#include "control/alerts.h"

#include "base/mem.h"

#include <string.h>

enum { ALERTS_MAX = 1000, LABELS_MAX = 64, NAME_MAX_LEN = 256 };

static bool is_plain(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            return false;
    return true;
}

static int read_status(const json_t *item, size_t index, struct alert *alert, struct err *e)
{
    const char *status = json_text_at(item, "status", "");
    alert->firing = strcmp(status, "firing") == 0;
    if (!alert->firing && strcmp(status, "resolved") != 0)
        return err_set(e, ERR_INVALID, "alerts[%zu]: status is neither 'firing' nor 'resolved'",
                       index);
    return 0;
}

static int read_labels(const json_t *item, size_t index, struct alert *alert, struct err *e)
{
    const char *key;
    json_t *value;
    json_t *labels = json_object_get(item, "labels");
    if (!json_is_object(labels) || json_object_size(labels) > LABELS_MAX)
        return err_set(e, ERR_INVALID, "alerts[%zu]: labels is no object of at most %d labels",
                       index, LABELS_MAX);
    json_object_foreach(labels, key, value)
    {
        if (!json_is_string(value))
            return err_set(e, ERR_INVALID, "alerts[%zu]: a label's value is no text", index);
    }
    const json_t *text = json_object_get(labels, "alertname");
    const char *name = json_string_value(text);
    if (!name || !*name)
        return err_set(e, ERR_INVALID, "alerts[%zu]: no label 'alertname'", index);
    if (json_string_length(text) > NAME_MAX_LEN || !is_plain(name) ||
        strlen(name) != json_string_length(text))
        return err_set(e, ERR_INVALID,
                       "alerts[%zu]: alertname is longer than %d bytes or holds a control "
                       "character",
                       index, NAME_MAX_LEN);
    alert->name = name;
    alert->labels = labels;
    return 0;
}

static int read_alert(const json_t *item, size_t index, struct alert *alert, struct err *e)
{
    if (!json_is_object(item))
        return err_set(e, ERR_INVALID, "alerts[%zu]: expected an object", index);
    int status = read_status(item, index, alert, e);
    if (status == 0)
        status = read_labels(item, index, alert, e);
    alert->fingerprint = json_text_at(item, "fingerprint", "");
    return status;
}

static int read_envelope(const json_t *body, struct err *e)
{
    const json_t *list = json_object_get(body, "alerts");
    if (!json_is_object(body))
        return err_set(e, ERR_INVALID, "alerts: expected an object");
    if (strcmp(json_text_at(body, "version", ""), "4") != 0) {
        err_set(e, ERR_INVALID, "alerts: version is not \"4\"");
        err_hint(e, "this is for webhook_configs of an Alertmanager; its own API (a bare list of "
                    "alerts) is another");
        return -(int)ERR_INVALID;
    }
    if (json_array_size(list) == 0 || json_array_size(list) > ALERTS_MAX)
        return err_set(e, ERR_INVALID, "alerts: 'alerts' is no list of 1 to %d alerts", ALERTS_MAX);
    return 0;
}

int alerts_read(json_t *body, struct alerts *ret, struct err *e)
{
    int status = read_envelope(body, e);
    if (status != 0)
        return status;
    const json_t *list = json_object_get(body, "alerts");
    struct alerts alerts = {.count = json_array_size(list)};
    alerts.items = mem_new(alerts.count * sizeof *alerts.items);
    for (size_t i = 0; i < alerts.count && status == 0; i++)
        status = read_alert(json_array_get(list, i), i, &alerts.items[i], e);
    if (status != 0) {
        free(alerts.items);
        return status;
    }
    alerts.left_out = json_int_at(body, "truncatedAlerts", 0);
    alerts.body = json_incref(body);
    *ret = alerts;
    return 0;
}

void alerts_clear(struct alerts *alerts)
{
    free(alerts->items);
    json_decref(alerts->body);
    *alerts = (struct alerts){0};
}
