/* A container as a value: from the Engine's inspection, from Podman's, from the list alone. */
#include "docker/container.h"
#include "docker/summary.h"

#include "base/mem.h"

#include <check.h>
#include <string.h>

static struct container *parse(const char *text)
{
    struct err e;
    json_error_t problem;
    json_t *body = json_loads(text, 0, &problem);
    ck_assert_msg(body != NULL, "%s at %d:%d", problem.text, problem.line, problem.column);
    struct container *c = container_from_json(body, &e);
    json_decref(body);
    return c;
}

static const char whole[] =
    "{\"Id\":\"0123\",\"Name\":\"/shop_db_1\",\"RestartCount\":2,"
    "\"State\":{\"Status\":\"running\",\"Pid\":77,\"ExitCode\":0,\"OOMKilled\":true,"
    "\"Error\":\"once\",\"StartedAt\":\"2026-11-23T04:57:32.5Z\","
    "\"FinishedAt\":\"0001-01-01T00:00:00Z\","
    "\"Health\":{\"Status\":\"healthy\",\"FailingStreak\":1,\"Log\":[{\"Output\":\"old\"},"
    "{\"Output\":\"new\"}]}},"
    "\"Config\":{\"Image\":\"postgres:15\",\"StopSignal\":\"SIGINT\",\"StopTimeout\":60,"
    "\"Tty\":true,\"Env\":[\"PG_MAJOR=15\",\"EMPTY=\",\"bare\",\"EQ=a=b\",7],"
    "\"Labels\":{\"com.docker.compose.project\":\"shop\",\"com.docker.compose.service\":\"db\","
    "\"com.docker.compose.container-number\":\"1\",\"com.docker.compose.oneoff\":\"False\","
    "\"odd\":7},"
    "\"Healthcheck\":{\"Test\":[\"CMD-SHELL\",\"pg_isready\"],\"Interval\":2000000000,"
    "\"Timeout\":500000000,\"StartPeriod\":1,\"Retries\":5}},"
    "\"HostConfig\":{\"RestartPolicy\":{\"Name\":\"always\"},\"AutoRemove\":true,"
    "\"LogConfig\":{\"Type\":\"json-file\"},\"NetworkMode\":\"shop_default\"},"
    "\"NetworkSettings\":{\"Networks\":{\"shop_default\":{\"IPAddress\":\"172.30.0.2\","
    "\"GlobalIPv6Address\":\"fd00::2\"}},\"Ports\":{\"5432/tcp\":[{\"HostIp\":\"127.0.0.1\","
    "\"HostPort\":\"15432\"}],\"9/udp\":null}}}";

START_TEST(an_inspection_is_read)
{
    struct container *c = parse(whole);
    ck_assert_str_eq(c->id, "0123");
    ck_assert_str_eq(c->name, "shop_db_1");
    ck_assert_str_eq(c->image, "postgres:15");
    ck_assert_str_eq(c->project, "shop");
    ck_assert_str_eq(c->service, "db");
    ck_assert_int_eq(c->number, 1);
    ck_assert(!c->oneoff);
    ck_assert(!c->is_partial);
    ck_assert_int_eq(c->state, CONTAINER_RUNNING);
    ck_assert_int_eq(c->pid, 77);
    ck_assert(c->oom_killed);
    ck_assert_str_eq(c->error, "once");
    ck_assert_int_eq(c->started_ns, INT64_C(1795409852500000000));
    ck_assert_int_eq(c->finished_ns, 0);
    ck_assert_int_eq(c->restart_count, 2);
    ck_assert_str_eq(c->stop_signal, "SIGINT");
    ck_assert_int_eq(c->stop_timeout_s, 60);
    ck_assert_str_eq(c->restart_policy, "always");
    ck_assert(c->auto_remove && c->tty);
    ck_assert_str_eq(c->log_driver, "json-file");
    ck_assert_str_eq(c->network_mode, "shop_default");
    container_unref(c);
}
END_TEST

START_TEST(health_networks_ports_labels_and_environment_are_read)
{
    struct container *c = parse(whole);
    ck_assert_int_eq(c->health, HEALTH_HEALTHY);
    ck_assert_str_eq(c->health_output, "new");
    ck_assert_int_eq(c->failing_streak, 1);
    ck_assert_int_eq(c->health_interval_ms, 2000);
    ck_assert_int_eq(c->health_timeout_ms, 500);
    ck_assert_int_eq(c->health_start_period_ms, 1); /* rounded up, not to nothing */
    ck_assert_int_eq(c->health_retries, 5);
    ck_assert_int_eq(container_health_worst_ms(c), 1 + 6 * 2500);
    ck_assert_uint_eq(c->network_count, 2);
    ck_assert_str_eq(c->networks[0].address, "172.30.0.2");
    ck_assert_str_eq(c->networks[1].address, "fd00::2");
    ck_assert_uint_eq(c->port_count, 1);
    ck_assert_int_eq(c->ports[0].port, 5432);
    ck_assert_int_eq(c->ports[0].host_port, 15432);
    ck_assert_str_eq(c->ports[0].host_address, "127.0.0.1");
    ck_assert_ptr_null(container_label(c, "odd"));
    ck_assert_str_eq(container_env(c, "PG_MAJOR"), "15");
    ck_assert_str_eq(container_env(c, "EMPTY"), "");
    ck_assert_str_eq(container_env(c, "EQ"), "a=b");
    ck_assert_ptr_null(container_env(c, "bare"));
    struct container *same = container_ref(c);
    ck_assert_ptr_null(container_unref(same));
    ck_assert_str_eq(c->name, "shop_db_1");
    container_unref(c);
    ck_assert_ptr_null(container_unref(NULL));
}
END_TEST

START_TEST(what_is_not_set_has_the_engines_defaults)
{
    struct container *c = parse("{\"Id\":\"a\",\"State\":{},\"Config\":{\"Labels\":null},"
                                "\"HostConfig\":{\"RestartPolicy\":{\"Name\":\"\"}}}");
    ck_assert_str_eq(c->name, "");
    ck_assert_int_eq(c->state, CONTAINER_STATE_UNKNOWN);
    ck_assert_int_eq(c->health, HEALTH_NONE);
    ck_assert(!c->has_healthcheck);
    ck_assert_int_eq(c->health_interval_ms, 30000);
    ck_assert_int_eq(c->health_timeout_ms, 30000);
    ck_assert_int_eq(c->health_start_period_ms, 0);
    ck_assert_int_eq(c->health_retries, 3);
    ck_assert_str_eq(c->stop_signal, "");
    ck_assert_int_eq(c->stop_timeout_s, 10);
    ck_assert_str_eq(c->restart_policy, "no");
    ck_assert_str_eq(c->project, "");
    container_unref(c);
}
END_TEST

static enum container_health health_of(const char *state, const char *health, const char *test)
{
    CLEANUP_FREE char *text =
        mem_printf("{\"Id\":\"a\",\"State\":{\"Status\":\"%s\",\"Health\":{\"Status\":\"%s\","
                   "\"Log\":null}},\"Config\":{\"Healthcheck\":{\"Test\":%s}}}",
                   state, health, test);
    struct container *c = parse(text);
    enum container_health result = c->health;
    container_unref(c);
    return result;
}

START_TEST(only_a_running_container_with_a_check_has_a_health)
{
    ck_assert_int_eq(health_of("running", "unhealthy", "[\"CMD\",\"x\"]"), HEALTH_UNHEALTHY);
    ck_assert_int_eq(health_of("running", "starting", "[\"CMD\",\"x\"]"), HEALTH_STARTING);
    ck_assert_int_eq(health_of("exited", "unhealthy", "[\"CMD\",\"x\"]"), HEALTH_NONE);
    ck_assert_int_eq(health_of("paused", "unhealthy", "[\"CMD\",\"x\"]"), HEALTH_NONE);
    ck_assert_int_eq(health_of("running", "unhealthy", "[\"NONE\"]"), HEALTH_NONE);
    ck_assert_int_eq(health_of("running", "", "null"), HEALTH_NONE); /* Podman */
    ck_assert_int_eq(health_of("running", "odd", "[\"CMD\",\"x\"]"), HEALTH_NONE);
}
END_TEST

START_TEST(what_is_no_container_is_refused)
{
    ck_assert_ptr_null(parse("[]"));
    ck_assert_ptr_null(parse("{\"Id\":\"a\"}"));
    ck_assert_ptr_null(parse("{\"Id\":\"\",\"State\":{},\"Config\":{}}"));
    char text[200];
    char id[100];
    memset(id, 'a', sizeof id - 1);
    id[sizeof id - 1] = '\0';
    snprintf(text, sizeof text, "{\"Id\":\"%s\",\"State\":{},\"Config\":{}}", id);
    ck_assert_ptr_null(parse(text));
}
END_TEST

START_TEST(absurd_numbers_do_not_overflow)
{
    struct container *c =
        parse("{\"Id\":\"a\",\"RestartCount\":9000000000000000000,\"State\":{\"Status\":\"exited\","
              "\"ExitCode\":-9000000000000000000},\"Config\":{\"Labels\":{"
              "\"com.docker.compose.container-number\":\"99999999999999999999\"},\"Healthcheck\":{"
              "\"Test\":[\"CMD\",\"x\"],\"Interval\":9223372036854775807,"
              "\"Timeout\":9223372036854775807,\"StartPeriod\":9223372036854775807,"
              "\"Retries\":2147483647}}}");
    ck_assert_int_eq(c->restart_count, INT32_MAX);
    ck_assert_int_eq(c->exit_code, INT32_MIN);
    ck_assert_int_eq(c->number, 0);
    ck_assert_int_gt(container_health_worst_ms(c), 0);
    container_unref(c);
}
END_TEST

START_TEST(states_have_names_and_podmans_are_known)
{
    for (int i = 0; i < CONTAINER_STATES; i++)
        ck_assert_int_eq(container_state_parse(container_state_name((enum container_state)i)), i);
    ck_assert_int_eq(container_state_parse("stopped"), CONTAINER_EXITED);
    ck_assert_int_eq(container_state_parse("stopping"), CONTAINER_RUNNING);
    ck_assert_int_eq(container_state_parse("configured"), CONTAINER_CREATED);
    ck_assert_int_eq(container_state_parse("new"), CONTAINER_STATE_UNKNOWN);
    ck_assert_int_eq(container_state_parse(NULL), CONTAINER_STATE_UNKNOWN);
    ck_assert_str_eq(container_health_name(HEALTH_UNHEALTHY), "unhealthy");
}
END_TEST

START_TEST(up_is_what_runs_or_will_by_itself)
{
    struct container c = {.state = CONTAINER_RUNNING};
    ck_assert(container_is_up(&c));
    c.state = CONTAINER_PAUSED;
    ck_assert(container_is_up(&c));
    c.state = CONTAINER_RESTARTING;
    ck_assert(container_is_up(&c));
    c.state = CONTAINER_EXITED;
    ck_assert(!container_is_up(&c));
}
END_TEST

START_TEST(the_list_alone_makes_a_partial_container)
{
    struct docker_summary summary;
    json_t *item =
        json_pack("{s:s, s:[s], s:s, s:s, s:{s:s, s:s}}", "Id", "abc", "Names", "/shop-db-1",
                  "Image", "postgres:15", "State", "running", "Labels",
                  "com.docker.compose.project", "shop", "com.docker.compose.service", "db");
    ck_assert(docker__summary_from_json(item, &summary));
    json_decref(item);
    struct container *c = docker__container_from_summary(&summary);
    docker__summary_clear(&summary);
    ck_assert(c->is_partial);
    ck_assert_str_eq(c->name, "shop-db-1");
    ck_assert_str_eq(c->image, "postgres:15");
    ck_assert_str_eq(c->service, "db");
    ck_assert_int_eq(c->state, CONTAINER_RUNNING);
    ck_assert_str_eq(c->restart_policy, "no");
    ck_assert_str_eq(c->network_mode, "");
    container_unref(c);
    item = json_pack("{s:s}", "Id", "");
    ck_assert(!docker__summary_from_json(item, &summary));
    json_decref(item);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        an_inspection_is_read,
        health_networks_ports_labels_and_environment_are_read,
        what_is_not_set_has_the_engines_defaults,
        only_a_running_container_with_a_check_has_a_health,
        what_is_no_container_is_refused,
        absurd_numbers_do_not_overflow,
        states_have_names_and_podmans_are_known,
        up_is_what_runs_or_will_by_itself,
        the_list_alone_makes_a_partial_container,
    };
    Suite *suite = suite_create("docker container");
    TCase *container = tcase_create("container");
    for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
        tcase_add_test(container, tests[i]);
    suite_add_tcase(suite, container);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
