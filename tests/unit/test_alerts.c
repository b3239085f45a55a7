/* What an Alertmanager sends, and what nobody should. */
#include "control/alerts.h"

#include "tests/unit/unit.h"

/* As Alertmanager 0.25 sends it. */
static const char real[] =
    "{'receiver':'supervisor','status':'firing','alerts':[{'status':'firing','labels':"
    "{'alertname':'PostgresTooManyClients','instance':'db1:9187','severity':'critical'},"
    "'annotations':{'summary':'97 of 97'},'startsAt':'2026-11-23T22:30:00.123Z',"
    "'endsAt':'0001-01-01T00:00:00Z','generatorURL':'http://prometheus/graph',"
    "'fingerprint':'c5e5b5a0d2e94b07'},{'status':'resolved','labels':{'alertname':'Other'},"
    "'annotations':{},'startsAt':'2026-11-23T22:00:00Z','endsAt':'2026-11-23T22:29:00Z',"
    "'generatorURL':'','fingerprint':'00ff'}],'groupLabels':{},'commonLabels':{},"
    "'commonAnnotations':{},'externalURL':'http://am:9093','version':'4',"
    "'groupKey':'{}:{}','truncatedAlerts':3}";

START_TEST(what_an_alertmanager_sends_is_read)
{
    struct alerts alerts;
    struct err e;
    json_t *body = unit_json(real);
    ck_assert_msg(alerts_read(body, &alerts, &e) == 0, "%s", e.text);
    json_decref(body); /* the alerts hold it */
    ck_assert_uint_eq(alerts.count, 2);
    ck_assert_str_eq(alerts.items[0].name, "PostgresTooManyClients");
    ck_assert(alerts.items[0].firing);
    ck_assert_str_eq(alerts.items[0].fingerprint, "c5e5b5a0d2e94b07");
    ck_assert_str_eq(json_text_at(alerts.items[0].labels, "instance", ""), "db1:9187");
    ck_assert_str_eq(alerts.items[1].name, "Other");
    ck_assert(!alerts.items[1].firing);
    ck_assert_int_eq(alerts.left_out, 3);
    alerts_clear(&alerts);
    ck_assert_uint_eq(alerts.count, 0);
    alerts_clear(&alerts);
}
END_TEST

START_TEST(what_is_none_is_refused_with_its_place)
{
    static const char *const cases[][2] = {
        {"[]", "alerts: expected an object"},
        {"{}", "alerts: version is not \"4\""},
        {"{'version':4,'alerts':[]}", "alerts: version is not \"4\""},
        {"{'version':'3','alerts':[]}", "alerts: version is not \"4\""},
        {"{'version':'4'}", "alerts: 'alerts' is no list of 1 to 1000 alerts"},
        {"{'version':'4','alerts':{}}", "alerts: 'alerts' is no list of 1 to 1000 alerts"},
        {"{'version':'4','alerts':[]}", "alerts: 'alerts' is no list of 1 to 1000 alerts"},
        {"{'version':'4','alerts':[7]}", "alerts[0]: expected an object"},
        {"{'version':'4','alerts':[{}]}", "alerts[0]: status is neither 'firing' nor 'resolved'"},
        {"{'version':'4','alerts':[{'status':'firing'}]}",
         "alerts[0]: labels is no object of at most 64 labels"},
        {"{'version':'4','alerts':[{'status':'firing','labels':{}}]}",
         "alerts[0]: no label 'alertname'"},
        {"{'version':'4','alerts':[{'status':'firing','labels':{'alertname':''}}]}",
         "alerts[0]: no label 'alertname'"},
        {"{'version':'4','alerts':[{'status':'firing','labels':{'alertname':'a'}},"
         "{'status':'resolved','labels':{'alertname':'b','c':null}}]}",
         "alerts[1]: a label's value is no text"},
        {"{'version':'4','alerts':[{'status':'firing','labels':{'alertname':'a\\nb'}}]}",
         "alerts[0]: alertname is longer than 256 bytes or holds a control character"},
        {"{'version':'4','alerts':[{'status':'firing','labels':{'alertname':'a\\u0000b'}}]}",
         "alerts[0]: alertname is longer than 256 bytes or holds a control character"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct alerts alerts = {.count = 99};
        struct err e;
        CLEANUP_FREE char *text = mem_strdup(cases[i][0]);
        for (char *c = text; *c; c++)
            *c = *c == '\'' ? '"' : *c;
        CLEANUP_JSON json_t *body = json_parse(text, strlen(text), "body", &e);
        ck_assert_ptr_nonnull(body);
        ck_assert_int_eq(alerts_read(body, &alerts, &e), -(int)ERR_INVALID);
        ck_assert_str_eq(e.text, cases[i][1]);
        ck_assert_uint_eq(alerts.count, 99);
    }
}
END_TEST

START_TEST(too_many_are_refused)
{
    struct alerts alerts;
    struct err e;
    CLEANUP_JSON json_t *body = unit_json("{'version':'4','alerts':[]}");
    for (int i = 0; i < 1001; i++)
        json_array_append_new(json_object_get(body, "alerts"),
                              unit_json("{'status':'firing','labels':{'alertname':'a'}}"));
    ck_assert_int_lt(alerts_read(body, &alerts, &e), 0);
    CLEANUP_JSON json_t *wide = unit_json("{'version':'4','alerts':[{'status':'firing',"
                                          "'labels':{'alertname':'a'}}]}");
    json_t *labels = json_object_get(json_array_get(json_object_get(wide, "alerts"), 0), "labels");
    for (int i = 0; i < 64; i++) {
        CLEANUP_FREE char *name = mem_printf("l%d", i);
        json_set_text(labels, name, "x");
    }
    ck_assert_int_lt(alerts_read(wide, &alerts, &e), 0);
}
END_TEST

UNIT_MAIN("alerts", what_an_alertmanager_sends_is_read, what_is_none_is_refused_with_its_place,
          too_many_are_refused)
