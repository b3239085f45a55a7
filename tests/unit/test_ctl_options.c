/* The command line and its environment twins. */
#include "base/mem.h"
#include "control/wire.h"
#include "supervisorctl/commands.h"

#include <check.h>
#include <string.h>

enum { WORDS_MAX = 16 };

static struct ctl_options options;
static struct err e;

/* Parses "status --json": words between spaces. */
static int parse(const char *line)
{
    static char copy[512];
    char *argv[WORDS_MAX + 2] = {(char *)"supervisorctl"};
    int argc = 1;
    snprintf(copy, sizeof copy, "%s", line);
    for (char *rest = NULL, *word = strtok_r(copy, " ", &rest); word && argc <= WORDS_MAX;
         word = strtok_r(NULL, " ", &rest))
        argv[argc++] = word;
    ctl_options_free(&options);
    err_clear(&e);
    return ctl_options_parse(argc, argv, ctl_command_accepts, &options, &e);
}

static void set_up(void)
{
    static const char *const twins[] = {
        WIRE_ENV_CONFIG, WIRE_ENV_STATE_DIR,  WIRE_ENV_SOCKET, WIRE_ENV_DOCKER_HOST,
        WIRE_ENV_JSON,   WIRE_ENV_STANDALONE, WIRE_ENV_COLOR,  WIRE_ENV_TIMEOUT};
    for (size_t i = 0; i < ARRAY_SIZE(twins); i++)
        unsetenv(twins[i]);
}

static void tear_down(void)
{
    ctl_options_free(&options);
}

START_TEST(test_defaults)
{
    ck_assert_int_eq(parse("status"), 0);
    ck_assert_str_eq(options.command, "status");
    ck_assert_str_eq(options.socket, WIRE_SOCKET_DEFAULT);
    ck_assert_str_eq(options.state_dir, WIRE_STATE_DIR_DEFAULT);
    ck_assert_ptr_null(options.config);
    ck_assert(!options.json && !options.standalone);
    ck_assert_int_eq(parse(""), 0);
    ck_assert_ptr_null(options.command);
}
END_TEST

START_TEST(test_globals_before_and_behind)
{
    ck_assert_int_eq(parse("--socket /a recover mine --yes --timeout 1m30s --json"), 0);
    ck_assert_str_eq(options.socket, "/a");
    ck_assert_str_eq(options.args[0], "mine");
    ck_assert_int_eq(options.arg_count, 1);
    ck_assert_int_eq(options.timeout_ms, 90000);
    ck_assert(options.yes && options.json);
    ck_assert_int_eq(parse("recover --socket=/b -y -- --odd"), 0);
    ck_assert_str_eq(options.socket, "/b");
    ck_assert_str_eq(options.args[0], "--odd");
}
END_TEST

START_TEST(test_the_flag_wins_over_the_environment)
{
    setenv(WIRE_ENV_SOCKET, "/env", 1);
    setenv(WIRE_ENV_COLOR, "never", 1);
    setenv(WIRE_ENV_JSON, "yes", 1);
    setenv(WIRE_ENV_STANDALONE, "0", 1);
    setenv(WIRE_ENV_STATE_DIR, "", 1); /* empty: as if it were not set */
    ck_assert_int_eq(parse("status"), 0);
    ck_assert_str_eq(options.socket, "/env");
    ck_assert_str_eq(options.state_dir, WIRE_STATE_DIR_DEFAULT);
    ck_assert(options.json && !options.standalone);
    ck_assert_int_eq(options.color, PRINT_COLOR_NEVER);
    ck_assert_int_eq(parse("status --socket /flag --color always"), 0);
    ck_assert_str_eq(options.socket, "/flag");
    ck_assert_int_eq(options.color, PRINT_COLOR_ALWAYS);
    setenv(WIRE_ENV_TIMEOUT, "soon", 1);
    ck_assert_int_eq(parse("status"), -ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(e.text, WIRE_ENV_TIMEOUT));
}
END_TEST

START_TEST(test_lists_and_rules)
{
    ck_assert_int_eq(parse("clean -n --role a --role=b --client 10.0.0.1 --idle never --all"), 0);
    ck_assert_uint_eq(options.roles.count, 2);
    ck_assert_str_eq(options.roles.items[1], "b");
    ck_assert_uint_eq(options.clients.count, 1);
    ck_assert_str_eq(options.idle, "never");
    ck_assert(options.dry_run && options.all);
}
END_TEST

START_TEST(test_names_are_written_whole)
{
    static const char *const lines[] = {"--jso status",     "--sock=/x status", "status --jso",
                                        "status --socke x", "recover --pla",    "--no-such status"};
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        ck_assert_msg(parse(lines[i]) == -ERR_INVALID, "%s", lines[i]);
        ck_assert_msg(strstr(e.text, "unknown option"), "%s: %s", lines[i], e.text);
    }
    ck_assert_int_eq(parse("recover --plam"), -ERR_INVALID);
    ck_assert_str_eq(e.hint, "did you mean '--plan'?");
}
END_TEST

START_TEST(test_what_makes_no_sense_is_refused)
{
    static const char *const lines[] = {
        "status --plan",         "--plan recover",      "status --timeout",
        "status --timeout 0",    "status --timeout 5",  "clean --idle-in-transaction x",
        "status --color red",    "status --json=1",     "status -q",
        "status --state-dir /x", "recover 1 2 3 4 5 6", "recover --detach --standalone",
    };
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
        ck_assert_msg(parse(lines[i]) == -ERR_INVALID, "%s", lines[i]);
    ck_assert_int_eq(parse("--standalone --state-dir /x status"), 0);
}
END_TEST

START_TEST(test_an_unknown_command_is_left_to_the_caller)
{
    ck_assert_int_eq(parse("statsu --whatever"), 0);
    ck_assert_str_eq(options.command, "statsu");
    ck_assert_str_eq(ctl_command_meant("statsu"), "status");
    ck_assert_ptr_null(ctl_command_meant("frobnicate"));
    ck_assert_ptr_null(ctl_command_find(NULL));
}
END_TEST

START_TEST(test_json_is_known_before_the_error)
{
    ck_assert_int_eq(parse("--nosuch status --json"), -ERR_INVALID);
    ck_assert(options.json);
}
END_TEST

START_TEST(test_run_numbers)
{
    int64_t run = 0;
    ck_assert(ctl_read_run("12", &run, &e));
    ck_assert_int_eq(run, 12);
    static const char *const wrong[] = {"", "0", "-1", "1x", "x", " 1", "99999999999999999999"};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
        ck_assert_msg(!ctl_read_run(wrong[i], &run, &e), "%s", wrong[i]);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("options");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, test_defaults);
    tcase_add_test(tests, test_globals_before_and_behind);
    tcase_add_test(tests, test_the_flag_wins_over_the_environment);
    tcase_add_test(tests, test_lists_and_rules);
    tcase_add_test(tests, test_names_are_written_whole);
    tcase_add_test(tests, test_what_makes_no_sense_is_refused);
    tcase_add_test(tests, test_an_unknown_command_is_left_to_the_caller);
    tcase_add_test(tests, test_json_is_known_before_the_error);
    tcase_add_test(tests, test_run_numbers);
    Suite *suite = suite_create("ctl_options");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
