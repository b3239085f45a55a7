/* A clean by container: whose sessions may be ended. */
#include "holders/holders_private.h"
#include "playbooks/clean_rules.h"

#include "tests/unit/unit.h"

static struct container web = {.name = (char *)"shop_web_1", .service = (char *)"web"};
static struct container worker = {.name = (char *)"shop_worker_1", .service = (char *)"worker"};

/* One of web, one of worker, one of nobody knows whom, one of the host, one of ours. */
static struct db_session sessions[] = {
    {.pid = 1, .backend_start = (char *)"a", .client = (char *)"10.0.0.1"},
    {.pid = 2, .backend_start = (char *)"b", .client = (char *)"10.0.0.1"},
    {.pid = 3, .backend_start = (char *)"c", .client = (char *)"10.0.0.1"},
    {.pid = 4, .backend_start = (char *)"d", .client = (char *)"local"},
    {.pid = 5, .backend_start = (char *)"e", .client = (char *)"local", .ours = true},
};
static struct db_activity activity = {.sessions = sessions, .session_count = ARRAY_SIZE(sessions)};
static struct holder held[] = {{.container = &web, .known = true},
                               {.container = &worker, .known = true},
                               {.known = false},
                               {.known = true},
                               {.known = false}};
static const struct holders holders = {.activity = &activity, .holders = held};

/* "1a 2b", what may be ended */
static char *chosen_by(const char *container)
{
    char *names[] = {(char *)(uintptr_t)container, NULL};
    const struct step step = {.containers = names};
    ck_assert(clean_rules_want_holders(&step));
    struct clean_rules *rules = clean_rules_new(&step, &holders);
    char *text = mem_strdup("");
    ck_assert_ptr_nonnull(rules->rules.sessions);
    ck_assert_ptr_null(rules->rules.clients);
    ck_assert_uint_eq(rules->unknown, 1);
    for (size_t i = 0; i < rules->rules.session_count; i++) {
        char *longer = mem_printf("%s%s%d%s", text, *text ? " " : "", rules->sessions[i].pid,
                                  rules->sessions[i].backend_start);
        free(text);
        text = longer;
    }
    clean_rules_free(rules);
    return text;
}

START_TEST(only_sessions_that_the_container_holds)
{
    CLEANUP_FREE char *by_name = chosen_by("shop_worker_1");
    CLEANUP_FREE char *by_service = chosen_by("web");
    CLEANUP_FREE char *by_none = chosen_by("nobody");
    ck_assert_str_eq(by_name, "2b");
    ck_assert_str_eq(by_service, "1a");
    ck_assert_str_eq(by_none, "");
}
END_TEST

START_TEST(without_containers_nobody_is_asked)
{
    const struct step step = {.idle_ms = 5};
    ck_assert(!clean_rules_want_holders(&step));
    struct clean_rules *rules = clean_rules_new(&step, NULL);
    ck_assert_ptr_null(rules->rules.sessions);
    ck_assert_int_eq(rules->rules.idle_ms, 5);
    clean_rules_free(rules);
}
END_TEST

UNIT_MAIN("clean_rules", only_sessions_that_the_container_holds, without_containers_nobody_is_asked)
