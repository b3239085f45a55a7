/* Reading playbooks: every form of every step, every complaint at its place, and the way through
 * JSON that a stored run takes. */
#include "playbooks/playbook.h"

#include "base/buf.h"
#include "tests/unit/unit.h"

/* The playbook of a text, or NULL; *told gets its errors as "line:column: words", one a line. */
static struct playbook *read_text(const char *text, char **told)
{
    struct diag_list diags;
    struct buf all;
    diag_init(&diags, "p.yaml", text);
    buf_init(&all, 1 << 16);
    struct yaml_node *node = yaml_parse(text, strlen(text), &diags);
    struct playbook *playbook = node ? playbook_read("p", node, &diags) : NULL;
    json_decref(diag_json(&diags)); /* puts them in order */
    for (size_t i = 0; i < diags.count; i++)
        buf_printf(&all, "%d:%d: %s\n", diags.items[i].line, diags.items[i].column,
                   diags.items[i].text);
    *told = buf_take(&all);
    yaml_node_free(node);
    diag_free(&diags);
    return playbook;
}

static struct playbook *read_fine(const char *text)
{
    CLEANUP_FREE char *told = NULL;
    struct playbook *playbook = read_text(text, &told);
    ck_assert_str_eq(told, "");
    ck_assert_ptr_nonnull(playbook);
    return playbook;
}

static void assert_errors(const char *text, const char *expected)
{
    CLEANUP_FREE char *told = NULL;
    struct playbook *playbook = read_text(text, &told);
    ck_assert_str_eq(told, expected);
    ck_assert_ptr_null(playbook);
}

/* "a,b" of a NULL-terminated list; "-" of none. */
static void assert_names(char **names, const char *expected)
{
    struct buf all;
    buf_init(&all, 1 << 10);
    for (size_t i = 0; names && names[i]; i++)
        buf_printf(&all, "%s%s", i ? "," : "", names[i]);
    ck_assert_str_eq(names ? buf_text(&all) : "-", expected);
    buf_free(&all);
}

/* --- forms ------------------------------------------------------------------------------------ */

START_TEST(a_list_of_steps_is_a_playbook)
{
    struct playbook *p = read_fine("- capture: evidence\n- checkpoint: database\n");
    ck_assert_str_eq(p->name, "p");
    ck_assert_str_eq(p->description, "");
    ck_assert_uint_eq(p->step_count, 2);
    ck_assert_int_eq(p->steps[0].kind, STEP_CAPTURE);
    ck_assert(p->steps[0].goes_on);
    ck_assert_int_eq(p->steps[1].kind, STEP_CHECKPOINT);
    ck_assert(p->steps[1].goes_on);
    ck_assert_int_eq(p->steps[1].line, 2);
    ck_assert_int_eq(p->steps[1].column, 3);
    playbook_unref(p);
}
END_TEST

START_TEST(a_map_has_a_description_too)
{
    struct playbook *p = read_fine("description: what it does\nsteps: [capture: evidence]\n");
    ck_assert_str_eq(p->description, "what it does");
    ck_assert_uint_eq(p->step_count, 1);
    playbook_unref(p);
}
END_TEST

START_TEST(who_may_be_a_group_a_service_or_a_list)
{
    struct playbook *p = read_fine("- stop: apps\n- stop: database\n- restart: all\n- start: web\n"
                                   "- start: [web, apps]\n");
    ck_assert_int_eq(p->steps[0].who, WHO_APPS);
    ck_assert_int_eq(p->steps[1].who, WHO_DATABASE);
    ck_assert_int_eq(p->steps[2].who, WHO_ALL);
    ck_assert_int_eq(p->steps[3].who, WHO_SERVICES);
    ck_assert_uint_eq(p->steps[3].service_count, 1);
    ck_assert_str_eq(p->steps[3].services[0], "web");
    ck_assert_int_eq(p->steps[3].service_lines[0], 4);
    ck_assert_int_eq(p->steps[3].service_columns[0], 10);
    ck_assert_int_eq(p->steps[4].who, WHO_SERVICES); /* in a list every word is a service */
    ck_assert_str_eq(p->steps[4].services[1], "apps");
    ck_assert_int_eq(p->steps[4].service_columns[1], 16);
    playbook_unref(p);
}
END_TEST

START_TEST(defaults_of_stop_and_start)
{
    struct playbook *p = read_fine("- stop: apps\n- start: apps\n- restart: database\n");
    ck_assert(p->steps[0].goes_on); /* what does not stop is no reason to leave the rest down */
    ck_assert(!p->steps[1].goes_on);
    ck_assert(!p->steps[2].goes_on);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(p->steps[i].timeout_ms, 0);
        ck_assert_int_eq(p->steps[i].grace_ms, -1);
    }
    playbook_unref(p);
}
END_TEST

START_TEST(common_settings)
{
    struct playbook *p = read_fine("- {stop: apps, timeout: 90s, grace: 1m, on_failure: fail}\n"
                                   "- {start: apps, on_failure: continue}\n"
                                   "- {restart: database, grace: 0, x-why: because}\n");
    ck_assert_int_eq(p->steps[0].timeout_ms, 90000);
    ck_assert_int_eq(p->steps[0].grace_ms, 60000);
    ck_assert(!p->steps[0].goes_on);
    ck_assert(p->steps[1].goes_on);
    ck_assert_int_eq(p->steps[2].grace_ms, 0);
    playbook_unref(p);
}
END_TEST

START_TEST(waits)
{
    struct playbook *p = read_fine("- wait: database ready\n- wait: apps healthy\n"
                                   "- wait: all healthy\n- wait: web healthy\n"
                                   "- wait: database healthy\n");
    ck_assert_int_eq(p->steps[0].who, WHO_DATABASE);
    ck_assert_int_eq(p->steps[1].who, WHO_APPS);
    ck_assert_int_eq(p->steps[2].who, WHO_ALL);
    ck_assert_int_eq(p->steps[3].who, WHO_SERVICES);
    ck_assert_str_eq(p->steps[3].services[0], "web");
    ck_assert_int_eq(p->steps[4].who, WHO_DATABASE);
    ck_assert(!p->steps[0].goes_on);
    playbook_unref(p);
}
END_TEST

START_TEST(clean_with_everything)
{
    struct playbook *p = read_fine("- clean: {}\n"
                                   "- clean:\n"
                                   "    idle: 10s\n"
                                   "    idle_in_transaction: never\n"
                                   "    applications: [web*, 'worker']\n"
                                   "    roles: app\n"
                                   "    databases: [shop]\n"
                                   "    clients: [172.18.0.5]\n"
                                   "    containers: [web]\n"
                                   "    protect: [pg_dump]\n"
                                   "    superusers: yes\n"
                                   "    all: true\n");
    const struct step *plain = &p->steps[0];
    ck_assert_int_eq(plain->idle_ms, 60000);
    ck_assert_int_eq(plain->idle_in_transaction_ms, 60000);
    ck_assert(!plain->superusers && !plain->all_sessions && plain->goes_on);
    assert_names(plain->applications, "-");
    assert_names(plain->containers, "-");
    const struct step *full = &p->steps[1];
    ck_assert_int_eq(full->idle_ms, 10000);
    ck_assert_int_lt(full->idle_in_transaction_ms, 0);
    ck_assert(full->superusers && full->all_sessions);
    assert_names(full->applications, "web*,worker");
    assert_names(full->roles, "app");
    assert_names(full->databases, "shop");
    assert_names(full->clients, "172.18.0.5");
    assert_names(full->containers, "web");
    assert_names(full->protect, "pg_dump");
    playbook_unref(p);
}
END_TEST

START_TEST(verify_with_everything)
{
    struct playbook *p =
        read_fine("- verify: {services: healthy, connections.utilization: '< 60%', for: 3s}\n"
                  "- verify: {connections.utilization: '<0.25'}\n"
                  "- verify: {services: healthy}\n");
    ck_assert(p->steps[0].services_healthy);
    ck_assert_double_eq_tol(p->steps[0].utilization_below, 0.6, 1e-9);
    ck_assert_int_eq(p->steps[0].hold_ms, 3000);
    ck_assert(!p->steps[1].services_healthy);
    ck_assert_double_eq_tol(p->steps[1].utilization_below, 0.25, 1e-9);
    ck_assert_double_lt(p->steps[2].utilization_below, 0);
    ck_assert_int_eq(p->steps[2].hold_ms, 0);
    playbook_unref(p);
}
END_TEST

/* --- complaints ------------------------------------------------------------------------------- */

static const char who_wanted[] =
    "1:9: stop: expected apps, database, all, selected, a service or a list of services\n";

#define NO_STEP                                                                                    \
    "1:3: not a step: expected one of capture, stop, start, restart, clean, checkpoint, wait, "    \
    "verify, pause, resume, block, unblock\n"
#define NOTHING_TO_VERIFY                                                                          \
    "1:11: verify: nothing to verify; give services, selected or connections.utilization\n"

static const struct {
    const char *text;
    const char *told;
} wrong[] = {
    {"text", "1:1: steps: 'text' is not a list\n"},
    {"[]", "1:1: a playbook needs a step\n"},
    {"description: x\n", "1:1: playbook p has no steps\n"},
    {"steps: []\n", "1:8: a playbook needs a step\n"},
    {"steps: {}\n", "1:8: steps: expected a list, found a map\n"},
    {"description: [x]\nsteps: [capture: evidence]\n",
     "1:14: description: expected a text, found a list\n"},
    {"descripton: x\nsteps: [capture: evidence]\n",
     "1:1: playbook: unknown key 'descripton'; did you mean 'description'?\n"},
    {"- text\n", "1:3: step: 'text' is not a map\n"},
    {"-\n", "1:2: step: expected a map, found nothing\n"},
    {"- stopp: apps\n", "1:3: step: unknown key 'stopp'; did you mean 'stop'?\n"},
    {"- {timeout: 5s}\n", NO_STEP},
    {"- {x-stop: apps}\n", NO_STEP},
    {"- stop: apps\n  start: apps\n",
     "1:3: two steps in one: stop and start; each wants its own '-'\n"},
    {"- stop: []\n", who_wanted},
    {"- stop: {}\n", who_wanted},
    {"- stop: ''\n", who_wanted},
    {"- stop: ~\n", who_wanted},
    {"- stop: [web, [x], '']\n",
     "1:15: stop: expected a text, found a list\n1:20: stop: '' is not a text\n"},
    {"- capture: everything\n", "1:12: capture: 'everything' is none of evidence\n"},
    {"- checkpoint: databse\n",
     "1:15: checkpoint: 'databse' is none of database; did you mean 'database'?\n"},
    {"- wait: forever\n", "1:9: wait: 'forever' is not 'database ready', 'apps healthy', 'all "
                          "healthy', 'selected healthy' or '<service> healthy'\n"},
    {"- wait: web ready\n", "1:9: wait: only the database can be 'ready'; say 'web healthy'\n"},
    {"- wait: ' healthy'\n", "1:9: wait: ' healthy' is not 'database ready', 'apps healthy', 'all "
                             "healthy', 'selected healthy' or '<service> healthy'\n"},
    {"- wait: [web]\n", "1:9: wait: expected a text, found a list\n"},
    {"- clean: all\n", "1:10: clean: 'all' is not a map\n"},
    {"- clean: {idel: 5s}\n", "1:11: clean: unknown key 'idel'; did you mean 'idle'?\n"},
    {"- clean: {idle: 5}\n", "1:17: clean: idle: '5' is not a duration such as 30s, 5m or 1h30m\n"},
    {"- clean: {idle: 25h}\n", "1:17: clean: idle: 25h is not between 0ms and 1d00h\n"},
    {"- clean: {superusers: maybe, all: 1}\n",
     "1:23: clean: superusers: 'maybe' is not true or false\n"
     "1:35: clean: all: '1' is not true or false\n"},
    {"- clean: {roles: {}, protect: [[]]}\n",
     "1:18: roles: expected a list, found a map\n1:32: protect: expected a text, found a list\n"},
    {"- verify: {}\n", NOTHING_TO_VERIFY},
    {"- verify: {for: 3s}\n", NOTHING_TO_VERIFY},
    {"- verify: {selected: up}\n", "1:22: verify: selected: 'up' is none of healthy\n"},
    {"- pause: database\n", "1:10: pause: 'database' is none of pooler\n"},
    {"- resume: [pooler]\n", "1:11: resume: expected a word, found a list\n"},
    {"- block: app\n", "1:10: block: 'app' is none of apps; did you mean 'apps'?\n"},
    {"- unblock: all\n", "1:12: unblock: 'all' is none of apps\n"},
    {"- {pause: pooler, when: poler}\n",
     "1:25: when: 'poler' is none of always, pooler, no pooler; did you mean 'pooler'?\n"},
    {"- {stop: apps, gate: 20%}\n", "1:22: gate: stop starts nothing\n"},
    {"selected: web\nsteps: [restart: selected]\n", "1:11: selected: 'web' is not a map\n"},
    {"selected: {container: web}\nsteps: [restart: selected]\n",
     "1:12: selected: unknown key 'container'; did you mean 'containers'?\n"},
    {"- verify: {services: up}\n", "1:22: verify: services: 'up' is none of healthy\n"},
    {"- verify: {services: healthy, for: 2h}\n",
     "1:36: verify: for: 2h is not between 0ms and 1h00m\n"},
    {"- verify: {services: healthy, forr: 2s}\n",
     "1:31: verify: unknown key 'forr'; did you mean 'for'?\n"},
    {"- {stop: apps, timeout: 1ms}\n", "1:25: timeout: 1ms is not between 1.0s and 1d00h\n"},
    {"- {stop: apps, grace: 400d}\n", "1:23: grace: 400d is not between 0ms and 1h00m\n"},
    {"- {start: apps, grace: 5s}\n", "1:24: grace: start stops nothing\n"},
    {"- {capture: evidence, grace: 5s}\n", "1:30: grace: capture stops nothing\n"},
    {"- {stop: apps, on_failure: ignore}\n",
     "1:28: on_failure: 'ignore' is none of continue, fail\n"},
};

START_TEST(each_complaint_has_its_place)
{
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
        assert_errors(wrong[i].text, wrong[i].told);
}
END_TEST

START_TEST(utilization_has_one_form)
{
    static const char *const limits[] = {"60%",  "> 60%", "< 60 percent", "< 0%",  "< 101%",
                                         "< -1", "<",     "< nan",        "< inf", "< 60%%",
                                         "half", "<= 60%"};
    for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
        CLEANUP_FREE char *text =
            mem_printf("- verify: {connections.utilization: '%s'}\n", limits[i]);
        CLEANUP_FREE char *told =
            mem_printf("1:37: verify: connections.utilization: '%s' is not of the form "
                       "\"< 60%%\"\n",
                       limits[i]);
        assert_errors(text, told);
    }
}
END_TEST

START_TEST(a_gate_is_a_share_or_a_number)
{
    struct playbook *p = read_fine("- {start: apps, gate: 20%}\n- {restart: apps, gate: 5}\n"
                                   "- {start: apps, gate: 2.5%}\n- start: apps\n");
    ck_assert_double_eq_tol(p->steps[0].gate_share, 0.2, 1e-9);
    ck_assert_int_lt(p->steps[0].gate_slots, 0);
    ck_assert_int_eq(p->steps[1].gate_slots, 5);
    ck_assert_double_lt(p->steps[1].gate_share, 0);
    ck_assert_double_eq_tol(p->steps[2].gate_share, 0.025, 1e-9);
    ck_assert(p->steps[3].gate_share < 0 && p->steps[3].gate_slots < 0);
    playbook_unref(p);
    static const char *const gates[] = {"0%", "100%", "-5%",  "0",    "-1",   "1.5", "x",
                                        "%",  "nan%", "20 %", "20%%", "1e99", "0x10"};
    for (size_t i = 0; i < ARRAY_SIZE(gates); i++) {
        CLEANUP_FREE char *text = mem_printf("- {start: apps, gate: '%s'}\n", gates[i]);
        CLEANUP_FREE char *told = mem_printf(
            "1:23: gate: '%s' is neither a share such as 20%% nor a number of free slots\n",
            gates[i]);
        assert_errors(text, told);
    }
}
END_TEST

START_TEST(what_holds_clients_off_may_depend_on_the_stack)
{
    struct playbook *p = read_fine("- {pause: pooler, timeout: 3s, on_failure: continue}\n"
                                   "- {block: apps, when: no pooler}\n- unblock: apps\n"
                                   "- {resume: pooler, when: pooler}\n- wait: selected healthy\n"
                                   "- {checkpoint: database, when: always}\n");
    static const enum step_kind kinds[] = {STEP_PAUSE,  STEP_BLOCK, STEP_UNBLOCK,
                                           STEP_RESUME, STEP_WAIT,  STEP_CHECKPOINT};
    static const enum when whens[] = {WHEN_ALWAYS, WHEN_NO_POOLER, WHEN_ALWAYS,
                                      WHEN_POOLER, WHEN_ALWAYS,    WHEN_ALWAYS};
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        ck_assert_int_eq(p->steps[i].kind, kinds[i]);
        ck_assert_int_eq(p->steps[i].when, whens[i]);
    }
    ck_assert(p->steps[0].goes_on && !p->steps[1].goes_on);
    ck_assert_int_eq(p->steps[0].timeout_ms, 3000);
    ck_assert_int_eq(p->steps[4].who, WHO_SELECTED);
    playbook_unref(p);
}
END_TEST

START_TEST(all_complaints_come_at_once)
{
    assert_errors("description: ''\n"
                  "steps:\n"
                  "  - stop: apps\n"
                  "    timeout: soon\n"
                  "    grace: -5s\n"
                  "    on_failure: maybe\n"
                  "  - wait: what\n"
                  "  - clean: {idle: x, roles: {}, idel: 1}\n",
                  "1:14: description: '' is not a text\n"
                  "4:14: timeout: 'soon' is not a duration such as 30s, 5m or 1h30m\n"
                  "5:12: grace: '-5s' is not a duration such as 30s, 5m or 1h30m\n"
                  "6:17: on_failure: 'maybe' is none of continue, fail\n"
                  "7:11: wait: 'what' is not 'database ready', 'apps healthy', 'all healthy', "
                  "'selected healthy' or '<service> healthy'\n"
                  "8:19: clean: idle: 'x' is not a duration such as 30s, 5m or 1h30m\n"
                  "8:29: roles: expected a list, found a map\n"
                  "8:33: clean: unknown key 'idel'; did you mean 'idle'?\n");
}
END_TEST

/* --- built-in ones and sets ------------------------------------------------------------------- */

START_TEST(the_built_in_ones_load)
{
    const char *name;
    const char *text;
    size_t count = 0;
    for (; playbook_builtin(count, &name, &text); count++) {
        struct playbook *p = read_fine(text);
        ck_assert_str_ne(p->description, "");
        playbook_unref(p);
    }
    ck_assert_uint_eq(count, 7);
    struct playbook_set *set = playbook_set_new();
    ck_assert_ptr_nonnull(playbook_set_find(set, "recover"));
    ck_assert_ptr_nonnull(playbook_set_find(set, "restart"));
    ck_assert_ptr_nonnull(playbook_set_find(set, "clean"));
    ck_assert_ptr_null(playbook_set_find(set, "Recover"));
    json_t *json = playbook_set_json(set);
    ck_assert_uint_eq(json_array_size(json), 7);
    ck_assert(json_string_length(json_object_get(json_array_get(json, 0), "description")) > 0);
    json_decref(json);
    playbook_set_free(set);
}
END_TEST

START_TEST(a_users_own_takes_the_place_of_a_built_in_one)
{
    struct playbook_set *set = playbook_set_new();
    struct diag_list diags;
    diag_init(&diags, "f", NULL);
    struct yaml_node *node = yaml_parse("- capture: evidence", 19, &diags);
    struct playbook *mine = playbook_read("recover", node, &diags);
    struct playbook *other = playbook_read("other", node, &diags);
    playbook_set_put(set, mine);
    playbook_set_put(set, other);
    playbook_set_put(set, other); /* the same again */
    ck_assert_ptr_eq(playbook_set_find(set, "recover"), mine);
    ck_assert_ptr_eq(playbook_set_find(set, "other"), other);
    json_t *json = playbook_set_json(set);
    ck_assert_uint_eq(json_array_size(json), 8);
    json_decref(json);
    ck_assert_ptr_null(playbook_unref(mine));
    playbook_unref(other);
    ck_assert_str_eq(playbook_set_find(set, "recover")->name, "recover");
    ck_assert_ptr_null(playbook_set_free(set));
    playbook_set_free(NULL);
    playbook_unref(NULL);
    yaml_node_free(node);
    diag_free(&diags);
}
END_TEST

/* --- through JSON ----------------------------------------------------------------------------- */

static struct playbook *through_json(const struct playbook *p)
{
    struct diag_list diags;
    diag_init(&diags, "stored", NULL);
    CLEANUP_FREE char *line = json_dumps(p->source, JSON_COMPACT);
    json_t *stored = json_loads(line, 0, NULL);
    struct playbook *back = playbook_read_json(p->name, stored, &diags);
    ck_assert_msg(back != NULL, "%s: %s", line, diags.count ? diags.items[0].text : "");
    json_decref(stored);
    diag_free(&diags);
    return back;
}

static void assert_same_step(const struct step *a, const struct step *b)
{
    ck_assert_int_eq(a->kind, b->kind);
    ck_assert_int_eq(a->who, b->who);
    ck_assert_uint_eq(a->service_count, b->service_count);
    for (size_t i = 0; i < a->service_count; i++)
        ck_assert_str_eq(a->services[i], b->services[i]);
    ck_assert_int_eq(a->timeout_ms, b->timeout_ms);
    ck_assert_int_eq(a->grace_ms, b->grace_ms);
    ck_assert_int_eq(a->goes_on, b->goes_on);
    ck_assert_int_eq(a->idle_ms, b->idle_ms);
    ck_assert_int_eq(a->idle_in_transaction_ms, b->idle_in_transaction_ms);
    ck_assert_int_eq(a->superusers, b->superusers);
    ck_assert_int_eq(a->all_sessions, b->all_sessions);
    ck_assert_int_eq(a->services_healthy, b->services_healthy);
    ck_assert_double_eq(a->utilization_below, b->utilization_below);
    ck_assert_int_eq(a->hold_ms, b->hold_ms);
    ck_assert_int_eq(a->applications == NULL, b->applications == NULL);
    for (size_t i = 0; a->applications && a->applications[i]; i++)
        ck_assert_str_eq(a->applications[i], b->applications[i]);
}

static void assert_round_trip(const char *text)
{
    struct playbook *p = read_fine(text);
    struct playbook *back = through_json(p);
    ck_assert_str_eq(p->description, back->description);
    ck_assert_uint_eq(p->step_count, back->step_count);
    for (size_t i = 0; i < p->step_count; i++)
        assert_same_step(&p->steps[i], &back->steps[i]);
    ck_assert(json_equal(p->source, back->source));
    playbook_unref(p);
    playbook_unref(back);
}

START_TEST(the_source_reads_back_to_the_same)
{
    const char *name;
    const char *text;
    for (size_t i = 0; playbook_builtin(i, &name, &text); i++)
        assert_round_trip(text);
    assert_round_trip("- stop: [a, 'b c', \"ü\"]\n- start: all\n");
    assert_round_trip("description: \"tab \\t quote \\\" nl \\n 😀\"\n"
                      "steps:\n"
                      "  - &c {clean: {superusers: yes, all: on, idle: never, applications: '*'}}\n"
                      "  - {<<: *c, timeout: 10s}\n"
                      "  - {wait: apps healthy, on_failure: continue}\n");
}
END_TEST

START_TEST(a_source_that_is_none_is_refused)
{
    static const char *const sources[] = {
        "null", "7", "{}", "[]", "[1]", "{'steps':[{}]}", "[{'stop':7.5e300,'x':1}]"};
    for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
        struct diag_list diags;
        diag_init(&diags, "stored", NULL);
        json_t *source = unit_json(sources[i]);
        ck_assert_ptr_null(playbook_read_json("p", source, &diags));
        ck_assert_uint_gt(diags.count, 0);
        json_decref(source);
        diag_free(&diags);
    }
    struct diag_list diags;
    diag_init(&diags, "stored", NULL);
    ck_assert_ptr_null(playbook_read_json("p", NULL, &diags));
    diag_free(&diags);
}
END_TEST

/* --- other clean settings --------------------------------------------------------------------- */

static struct playbook *with_clean(const char *text, const char *settings, struct err *e)
{
    struct playbook *p = read_fine(text);
    json_t *json = unit_json(settings);
    struct playbook *changed = playbook_with_options(p, json, e);
    json_decref(json);
    playbook_unref(p);
    return changed;
}

START_TEST(every_clean_step_takes_other_settings)
{
    struct err e;
    struct playbook *p = with_clean("description: d\nsteps:\n"
                                    "- clean: {idle: 1m, applications: [x, y], protect: [z]}\n"
                                    "- stop: apps\n- clean: {}\n  on_failure: fail\n",
                                    "{'idle':'5s','superusers':true,'applications':['a']}", &e);
    ck_assert_ptr_nonnull(p);
    ck_assert_str_eq(p->name, "p");
    ck_assert_str_eq(p->description, "d");
    ck_assert_uint_eq(p->step_count, 3);
    for (size_t i = 0; i < 3; i += 2) {
        ck_assert_int_eq(p->steps[i].idle_ms, 5000);
        ck_assert_int_eq(p->steps[i].idle_in_transaction_ms, 60000);
        ck_assert(p->steps[i].superusers);
        assert_names(p->steps[i].applications, "a"); /* in place of its own, not beside them */
    }
    assert_names(p->steps[0].protect, "z"); /* what is not spoken of stays */
    ck_assert(p->steps[0].goes_on && !p->steps[2].goes_on);
    struct playbook *back = through_json(p); /* and it can be stored */
    ck_assert(back->steps[0].superusers);
    playbook_unref(back);
    playbook_unref(p);
}
END_TEST

START_TEST(all_of_them_and_an_age_exclude_one_another)
{
    struct err e;
    struct playbook *p = with_clean("- clean: {idle: 5s, protect: [z]}\n", "{'all':true}", &e);
    ck_assert_msg(p != NULL, "%s", e.text);
    ck_assert(p->steps[0].all_sessions);
    assert_names(p->steps[0].protect, "z");
    playbook_unref(p);
    p = with_clean("- clean: {all: true}\n", "{'idle':'5s'}", &e);
    ck_assert_msg(p != NULL, "%s", e.text);
    ck_assert(!p->steps[0].all_sessions);
    ck_assert_int_eq(p->steps[0].idle_ms, 5000);
    playbook_unref(p);
}
END_TEST

START_TEST(the_original_keeps_its_settings)
{
    struct err e;
    struct playbook *p = read_fine("- clean: {idle: 1m}\n");
    json_t *settings = unit_json("{'idle':'5s'}");
    struct playbook *changed = playbook_with_options(p, settings, &e);
    struct playbook *back = through_json(p);
    ck_assert_int_eq(p->steps[0].idle_ms, 60000);
    ck_assert_int_eq(back->steps[0].idle_ms, 60000);
    json_decref(settings);
    playbook_unref(back);
    playbook_unref(changed);
    playbook_unref(p);
}
END_TEST

START_TEST(settings_that_make_no_sense_are_refused)
{
    struct err e;
    ck_assert_ptr_null(with_clean("- stop: apps\n", "{'idle':'5s'}", &e));
    ck_assert_int_eq(e.code, ERR_INVALID);
    ck_assert_str_eq(e.text, "playbook p has no clean step to take options");
    ck_assert_ptr_null(with_clean("- clean: {}\n", "{'idel':'5s'}", &e));
    ck_assert_int_eq(e.code, ERR_INVALID);
    unit_assert_has(e.text, "unknown key 'idel'; did you mean 'idle'?");
    ck_assert_ptr_null(with_clean("- clean: {}\n", "{'idle':5}", &e));
    unit_assert_has(e.text, "'5' is not a duration");
    ck_assert_ptr_null(with_clean("- clean: {}\n", "[]", &e));
    ck_assert_ptr_null(with_clean("- clean: {}\n", "'text'", &e));
    ck_assert_ptr_null(with_clean("- clean: {}\n", "null", &e));
    ck_assert_int_eq(e.code, ERR_INVALID);
}
END_TEST

/* --- whom a run means ------------------------------------------------------------------------- */

START_TEST(options_select_containers_and_services)
{
    struct err e;
    struct playbook *p =
        with_clean("- capture: evidence\n- restart: selected\n",
                   "{'containers':'shop_worker_2, web ,,','services':['api','a,b']}", &e);
    ck_assert_msg(p != NULL, "%s", e.text);
    assert_names(p->selected_containers, "shop_worker_2,web");
    assert_names(p->selected_services, "api,a,b");
    ck_assert_str_eq(p->selected_services[1], "a,b"); /* a list is taken as it is */
    ck_assert(playbook_selects(p));
    struct playbook *back = through_json(p); /* it is stored with the plan */
    assert_names(back->selected_containers, "shop_worker_2,web");
    assert_names(back->selected_services, "api,a,b");
    playbook_unref(back);
    playbook_unref(p);
}
END_TEST

START_TEST(options_take_the_place_of_what_a_playbook_selects_itself)
{
    struct err e;
    static const char text[] = "selected: {services: web}\nsteps:\n- restart: selected\n";
    struct playbook *own = read_fine(text);
    assert_names(own->selected_services, "web");
    assert_names(own->selected_containers, "-");
    playbook_unref(own);
    struct playbook *p = with_clean(text, "{'containers':['x_1']}", &e);
    assert_names(p->selected_services, "");
    assert_names(p->selected_containers, "x_1");
    playbook_unref(p);
}
END_TEST

START_TEST(where_nothing_is_selected_the_names_are_cleans)
{
    struct err e;
    struct playbook *p = with_clean("- clean: {idle: 1m}\n",
                                    "{'containers':'a_1,b_1','services':['web'],'idle':'5s'}", &e);
    ck_assert_msg(p != NULL, "%s", e.text);
    assert_names(p->steps[0].containers, "a_1,b_1,web");
    ck_assert_int_eq(p->steps[0].idle_ms, 5000);
    ck_assert(!playbook_selects(p));
    playbook_unref(p);
}
END_TEST

START_TEST(each_step_takes_its_own_options)
{
    struct err e;
    struct playbook *p = with_clean("- clean: {idle: 1m}\n- restart: selected\n",
                                    "{'containers':['a_1'],'idle':'5s'}", &e);
    ck_assert_msg(p != NULL, "%s", e.text);
    assert_names(p->selected_containers, "a_1");
    assert_names(p->steps[0].containers, "-");
    ck_assert_int_eq(p->steps[0].idle_ms, 5000);
    playbook_unref(p);
    p = with_clean("- clean: {idle: 1m}\n- restart: selected\n", "{'containers':['a_1']}", &e);
    ck_assert_int_eq(p->steps[0].idle_ms, 60000); /* no setting of clean's was given */
    playbook_unref(p);
}
END_TEST

START_TEST(names_that_are_none_are_refused)
{
    struct err e;
    static const char *const options[] = {"{'containers':7}", "{'services':[7]}",
                                          "{'containers':{}}", "{'services':null}"};
    for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
        ck_assert_ptr_null(with_clean("- restart: selected\n", options[i], &e));
        ck_assert_int_eq(e.code, ERR_INVALID);
        unit_assert_has(e.text, "expected a list of names");
        ck_assert_ptr_null(with_clean("- clean: {}\n", options[i], &e));
        ck_assert_int_eq(e.code, ERR_INVALID);
    }
    ck_assert_ptr_null(with_clean("- restart: apps\n", "{'services':['web']}", &e));
    unit_assert_has(e.text, "no step that takes containers or services");
    ck_assert_ptr_null(with_clean("- verify: {services: healthy}\n", "{'services':['web']}", &e));
    unit_assert_has(e.text, "no step that takes containers or services");
    ck_assert_ptr_null(with_clean("- checkpoint: database\n", "{'containers':['web']}", &e));
    unit_assert_has(e.text, "neither a selected one nor clean");
    ck_assert_ptr_null(with_clean("- restart: selected\n", "{'idle':'5s'}", &e));
    unit_assert_has(e.text, "no clean step to take options");
}
END_TEST

/* A clean among its steps must not make a narrow request of a whole recovery. */
START_TEST(who_is_named_is_not_who_else_is_moved)
{
    struct err e;
    static const char *const playbooks[] = {
        "- stop: apps\n- clean: {idle: 1m}\n- start: apps\n",
        "- clean: {idle: 1m}\n- restart: database\n",
        "- restart: apps\n",
    };
    static const char *const options[] = {"{'services':['web']}", "{'containers':'web_1'}"};
    for (size_t i = 0; i < ARRAY_SIZE(playbooks); i++) {
        for (size_t k = 0; k < ARRAY_SIZE(options); k++) {
            ck_assert_ptr_null(with_clean(playbooks[i], options[k], &e));
            ck_assert_int_eq(e.code, ERR_INVALID);
            unit_assert_has(e.text, "playbook p has no step that takes containers or services");
            unit_assert_has(e.hint, "restart-leaker");
        }
    }
    struct playbook *p = with_clean(playbooks[0], "{'idle':'5s'}", &e); /* no name: as ever */
    ck_assert_int_eq(p->steps[1].idle_ms, 5000);
    playbook_unref(p);
    p = with_clean("- block: apps\n- clean: {}\n- unblock: apps\n", options[1], &e);
    assert_names(p->steps[1].containers, "web_1"); /* nobody is moved */
    playbook_unref(p);
}
END_TEST

UNIT_MAIN("playbook", a_list_of_steps_is_a_playbook, a_map_has_a_description_too,
          who_may_be_a_group_a_service_or_a_list, defaults_of_stop_and_start, common_settings,
          waits, clean_with_everything, verify_with_everything, each_complaint_has_its_place,
          utilization_has_one_form, a_gate_is_a_share_or_a_number,
          what_holds_clients_off_may_depend_on_the_stack, all_complaints_come_at_once,
          the_built_in_ones_load, a_users_own_takes_the_place_of_a_built_in_one,
          the_source_reads_back_to_the_same, a_source_that_is_none_is_refused,
          every_clean_step_takes_other_settings, all_of_them_and_an_age_exclude_one_another,
          the_original_keeps_its_settings, settings_that_make_no_sense_are_refused,
          options_select_containers_and_services,
          options_take_the_place_of_what_a_playbook_selects_itself,
          where_nothing_is_selected_the_names_are_cleans, each_step_takes_its_own_options,
          names_that_are_none_are_refused, who_is_named_is_not_who_else_is_moved)
