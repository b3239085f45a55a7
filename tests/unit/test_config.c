/* The configuration file: what it says, and everything that is wrong with it, each at its place. */
#include "supervisor/config.h"

#include "base/buf.h"
#include "tests/unit/unit.h"

#include <stdio.h>

/* NULL with *told set to "line:column: words", one a line, in the order of the text. */
static struct config *parse(const char *text, char **told)
{
    struct diag_list diags;
    struct config *config = NULL;
    struct buf all;
    buf_init(&all, 1 << 16);
    int status = config_parse("s.yaml", text, strlen(text), &config, &diags);
    ck_assert((status == 0) == (config != NULL));
    ck_assert((status == 0) == (diags.count == 0));
    json_decref(diag_json(&diags)); /* puts them in order */
    for (size_t i = 0; i < diags.count; i++)
        buf_printf(&all, "%d:%d: %s\n", diags.items[i].line, diags.items[i].column,
                   diags.items[i].text);
    *told = buf_take(&all);
    diag_free(&diags);
    return config;
}

static struct config *parse_fine(const char *text)
{
    CLEANUP_FREE char *told = NULL;
    struct config *config = parse(text, &told);
    ck_assert_str_eq(told, "");
    return config;
}

static void assert_errors(const char *text, const char *expected)
{
    CLEANUP_FREE char *told = NULL;
    struct config *config = parse(text, &told);
    ck_assert_str_eq(told, expected);
    ck_assert_ptr_null(config);
}

static const struct stack_override *override_of(const struct config *config, const char *service)
{
    for (size_t i = 0; i < config->override_count; i++)
        if (strcmp(config->overrides[i].service, service) == 0)
            return &config->overrides[i];
    ck_abort_msg("nothing of %s", service);
    return NULL;
}

/* --- what it says ----------------------------------------------------------------------------- */

static void assert_defaults(const struct config *config)
{
    ck_assert_ptr_null(config->stack);
    ck_assert_ptr_null(config->docker_host);
    ck_assert_ptr_null(config->database_service);
    ck_assert_ptr_null(config->database_connect);
    ck_assert_ptr_null(config->database_passfile);
    ck_assert_ptr_null(config->socket_group);
    ck_assert_ptr_null(config->read_group);
    ck_assert_ptr_null(config->alerts_listen);
    ck_assert_ptr_null(config->status_listen);
    ck_assert_uint_eq(config->override_count, 0);
    ck_assert_ptr_nonnull(playbook_set_find(config->playbooks, "recover"));
    ck_assert_ptr_nonnull(policy_set_find(config->policies, "leaking"));
    ck_assert_int_eq(config->mode, MODE_ACT);
    ck_assert_int_eq(config->recoveries.count, 6);
    ck_assert_int_eq(config->recoveries.per_ms, 3600000);
    ck_assert_int_eq(config->watch.calm_ms, 15000);
    ck_assert_int_eq(config->watch.pressed_ms, 2000);
    ck_assert_int_eq(config->watch.timeout_ms, 5000);
}

START_TEST(an_empty_file_is_all_defaults)
{
    static const char *const empty[] = {"",
                                        "\n\n",
                                        "# nothing\n",
                                        "---\n",
                                        "~\n",
                                        "{}\n",
                                        "docker:\nservices: ~\nplaybooks:\n",
                                        "x-mine: 1\n"};
    for (size_t i = 0; i < ARRAY_SIZE(empty); i++) {
        struct config *config = parse_fine(empty[i]);
        assert_defaults(config);
        ck_assert_ptr_null(config_free(config));
    }
    config_free(NULL);
}
END_TEST

START_TEST(every_setting_is_taken)
{
    struct config *config = parse_fine("stack: shop\n"
                                       "docker: {host: 'tcp://10.0.0.1:2376'}\n"
                                       "database:\n"
                                       "  service: pg\n"
                                       "  connect: host=127.0.0.1 user=guard\n"
                                       "  passfile: /etc/pgpass\n"
                                       "pgbouncer: {connect: user=boss, passfile: /etc/pgb}\n"
                                       "control: {group: docker, read_group: dev}\n"
                                       "status: {listen: 'localhost:9496'}\n"
                                       "alerts: {listen: '127.0.0.1:9497', token_file: /etc/t}\n"
                                       "mode: observe\n"
                                       "settle: 5s\n"
                                       "recoveries: 2 per 30m\n"
                                       "watch: {calm: 30s, pressed: 1s, timeout: 3s}\n");
    ck_assert_str_eq(config->path, "s.yaml");
    ck_assert_str_eq(config->stack, "shop");
    ck_assert_str_eq(config->docker_host, "tcp://10.0.0.1:2376");
    ck_assert_str_eq(config->database_service, "pg");
    ck_assert_str_eq(config->database_connect, "host=127.0.0.1 user=guard");
    ck_assert_str_eq(config->database_passfile, "/etc/pgpass");
    ck_assert_str_eq(config->pooler_connect, "user=boss");
    ck_assert_str_eq(config->pooler_passfile, "/etc/pgb");
    ck_assert_str_eq(config->socket_group, "docker");
    ck_assert_str_eq(config->read_group, "dev");
    ck_assert_str_eq(config->status_listen, "localhost:9496");
    ck_assert_str_eq(config->alerts_listen, "127.0.0.1:9497");
    ck_assert_str_eq(config->alerts_token_file, "/etc/t");
    ck_assert_int_eq(config->mode, MODE_OBSERVE);
    ck_assert_int_eq(policy_set_find(config->policies, "leaking")->settle_ms, 5000);
    ck_assert_int_eq(config->recoveries.count, 2);
    ck_assert_int_eq(config->recoveries.per_ms, 1800000);
    ck_assert_int_eq(config->watch.calm_ms, 30000);
    ck_assert_int_eq(config->watch.pressed_ms, 1000);
    ck_assert_int_eq(config->watch.timeout_ms, 3000);
    config_free(config);
}
END_TEST

START_TEST(a_file_with_a_secret_may_be_a_credential)
{
    static const char text[] = "database: {passfile: 'credential:pgpass'}\n"
                               "pgbouncer: {passfile: 'credential:pgpass'}\n"
                               "alerts: {listen: '127.0.0.1:9497', token_file: 'credential:t'}\n";
    setenv("CREDENTIALS_DIRECTORY", "/run/credentials/x.service", 1);
    struct config *config = parse_fine(text);
    ck_assert_str_eq(config->database_passfile, "/run/credentials/x.service/pgpass");
    ck_assert_str_eq(config->pooler_passfile, "/run/credentials/x.service/pgpass");
    ck_assert_str_eq(config->alerts_token_file, "/run/credentials/x.service/t");
    config_free(config);
    unsetenv("CREDENTIALS_DIRECTORY"); /* as `supervisorctl check` finds it */
    config = parse_fine(text);
    ck_assert_str_eq(config->database_passfile, "/run/credentials/stack-supervisor.service/pgpass");
    config_free(config);
}
END_TEST

START_TEST(services_have_roles_and_dependencies)
{
    struct config *config = parse_fine("services:\n"
                                       "  pg: {role: database}\n"
                                       "  pool: {role: pooler, depends_on: [pg]}\n"
                                       "  web:\n"
                                       "    depends_on:\n"
                                       "      pool: {condition: service_healthy}\n"
                                       "      once: {condition: service_completed_successfully}\n"
                                       "      log: {}\n"
                                       "  adminer: {role: ignore, depends_on: []}\n");
    ck_assert_uint_eq(config->override_count, 4);
    const struct stack_override *pg = override_of(config, "pg");
    ck_assert(pg->has_role && pg->role == ROLE_DATABASE && !pg->has_dependencies);
    const struct stack_override *pool = override_of(config, "pool");
    ck_assert(pool->role == ROLE_POOLER && pool->has_dependencies);
    ck_assert_uint_eq(pool->dependency_count, 1);
    ck_assert_int_eq(pool->dependencies[0].condition, CONDITION_STARTED);
    const struct stack_override *web = override_of(config, "web");
    ck_assert(!web->has_role);
    ck_assert_uint_eq(web->dependency_count, 3);
    ck_assert_str_eq(web->dependencies[0].service, "pool");
    ck_assert_int_eq(web->dependencies[0].condition, CONDITION_HEALTHY);
    ck_assert_int_eq(web->dependencies[1].condition, CONDITION_COMPLETED);
    ck_assert_int_eq(web->dependencies[2].condition, CONDITION_STARTED);
    const struct stack_override *adminer = override_of(config, "adminer");
    ck_assert(adminer->role == ROLE_IGNORE && adminer->has_dependencies);
    ck_assert_uint_eq(adminer->dependency_count, 0); /* "on nothing" is said, too */
    config_free(config);
}
END_TEST

START_TEST(a_playbook_of_ones_own_is_beside_or_in_place_of_the_built_in)
{
    struct config *config = parse_fine("playbooks:\n"
                                       "  recover: [capture: evidence]\n"
                                       "  nightly:\n"
                                       "    description: mine\n"
                                       "    steps: [clean: {}]\n");
    ck_assert_uint_eq(playbook_set_find(config->playbooks, "recover")->step_count, 1);
    ck_assert_str_eq(playbook_set_find(config->playbooks, "nightly")->description, "mine");
    ck_assert_ptr_nonnull(playbook_set_find(config->playbooks, "restart"));
    config_free(config);
}
END_TEST

START_TEST(a_policy_of_ones_own_is_before_or_in_place_of_the_built_in)
{
    struct config *config =
        parse_fine("playbooks: {nightly: [clean: {}]}\n"
                   "policies:\n"
                   "  - {name: mine, schedule: every day 03:00, ladder: [run: nightly]}\n"
                   "  - {name: leaking, when: connections.used > 9}\n");
    const struct policy_set *builtin = policy_set_new();
    ck_assert_str_eq(policy_set_at(config->policies, 0)->name, "mine");
    ck_assert_uint_eq(policy_set_find(config->policies, "leaking")->rung_count, 0);
    ck_assert_uint_eq(policy_set_count(config->policies), policy_set_count(builtin) + 1);
    policy_set_free((struct policy_set *)(uintptr_t)builtin);
    config_free(config);
}
END_TEST

/* --- what is wrong with it -------------------------------------------------------------------- */

static const struct {
    const char *text;
    const char *told;
} wrong[] = {
    {"text\n", "1:1: configuration: 'text' is not a map\n"},
    {"- a\n", "1:1: configuration: expected a map, found a list\n"},
    {"stack: [a]\n", "1:8: stack: expected a text, found a list\n"},
    {"stack: ''\n", "1:8: stack: '' is not a text\n"},
    {"stack: a\nstack: b\n", "2:1: duplicate key 'stack' (first at line 1)\n"},
    {"docker: x\n", "1:9: docker: 'x' is not a map\n"},
    {"docker: {hots: x}\n", "1:10: docker: unknown key 'hots'; did you mean 'host'?\n"},
    {"database: [x]\n", "1:11: database: expected a map, found a list\n"},
    {"database: {connect: {}}\n", "1:21: database: connect: expected a text, found a map\n"},
    {"control: {groop: x}\n", "1:11: control: unknown key 'groop'; did you mean 'group'?\n"},
    {"database: {passfile: 'credential:../x'}\n",
     "1:22: database: passfile: behind 'credential:' stands a file's name\n"},
    {"alerts: {listen: a, token_file: 'credential:'}\n",
     "1:33: alerts: token_file: behind 'credential:' stands a file's name\n"},
    {"services: [web]\n", "1:11: services: expected a map, found a list\n"},
    {"services: {web: ignore}\n", "1:17: web: 'ignore' is not a map\n"},
    {"services: {web: {role: db}}\n",
     "1:24: role: 'db' is none of app, database, pooler, ignore\n"},
    {"services: {web: {depends_on: db}}\n", "1:30: depends_on: 'db' is not a list\n"},
    {"services: {web: {depends_on: {db: {condition: healthy}}}}\n",
     "1:47: condition: 'healthy' is none of service_started, service_healthy, "
     "service_completed_successfully\n"},
    {"services: {web: {depends_on: [[db]]}}\n",
     "1:31: depends_on: expected a text, found a list\n"},
    {"services: {web: {depends_on: [web]}}\n", "1:12: 'web' depends on itself: web → web\n"},
    {"services:\n  a: {depends_on: [c]}\n  b: {depends_on: {a: {}}}\n  c: {depends_on: [b]}\n",
     "2:3: 'a' depends on itself: a → c → b → a\n"},
    {"alerts: {listen: '127.0.0.1:1'}\n",
     "1:9: alerts: a port that everybody on this machine reaches needs a token_file\n"},
    {"mode: on\n", "1:7: mode: 'on' is none of act, ask, observe, off\n"},
    {"recoveries: 3\n", "1:13: recoveries: '3' is not of the form '6 per 1h'\n"},
    {"watch: {clam: 1s}\n", "1:9: watch: unknown key 'clam'; did you mean 'calm'?\n"},
    {"watch: {calm: 1ms}\n", "1:15: watch: calm: 1ms is not between 1.0s and 1m00s\n"},
    {"policies:\n  - name: mine\n    when: connections.used > 9\n    ladder: [run: nosuch]\n",
     "4:19: policy mine: there is no playbook 'nosuch'\n"},
    {"policies:\n  - name: mine\n    when: connections.used > 9\n    ladder: [run: recoverr]\n",
     "4:19: policy mine: there is no playbook 'recoverr'; did you mean 'recover'?\n"},
    {"policies:\n  - {name: mine, on_alert: X, ladder: [{run: clean, with: {idl: 5s}}]}\n",
     "2:46: policy mine: with: options: clean: unknown key 'idl'; did you mean 'idle'?\n"},
    {"policies:\n  - {name: mine, when: check(up).state == failing}\n",
     "2:12: policy mine: there is no check 'up' under checks:\n"},
    {"policies:\n  - {name: mine, when: log(nope).rate > 1/min}\n",
     "2:12: policy mine: there is no log pattern 'nope'\n"},
    {"policies:\n  - {name: mine, when: connections.used > 9, ladder: [run: restart-leaker]}\n",
     "2:60: policy mine: restart-leaker must be told whom: with: {containers: …} or {services: "
     "…}\n"},
    {"playbooks: [recover]\n", "1:12: playbooks: expected a map, found a list\n"},
    {"playbooks: {p: [wait: x]}\n", "1:23: wait: 'x' is not 'database ready', 'apps healthy', 'all "
                                    "healthy', 'selected healthy' or '<service> "
                                    "healthy'\n"},
};

START_TEST(each_error_has_its_place)
{
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
        assert_errors(wrong[i].text, wrong[i].told);
}
END_TEST

START_TEST(all_errors_come_at_once)
{
    assert_errors("stack: {}\n"
                  "dokcer: {host: x}\n"
                  "database: {port: 5432, connect: password=geheim}\n"
                  "services:\n"
                  "  web: {role: ap, depends_on: 7}\n"
                  "  api: {depends_on: [api]}\n"
                  "playbooks:\n"
                  "  p: [stopp: x, wait: y]\n",
                  "1:8: stack: expected a text, found a map\n"
                  "2:1: configuration: unknown key 'dokcer'; did you mean 'docker'?\n"
                  "3:12: database: unknown key 'port'\n"
                  "3:33: database: connect: no password here; put it into database.passfile, "
                  "~/.pgpass or PGPASSWORD\n"
                  "5:15: role: 'ap' is none of app, database, pooler, ignore; did you mean 'app'?\n"
                  "5:31: depends_on: '7' is not a list\n"
                  "6:3: 'api' depends on itself: api → api\n"
                  "8:7: step: unknown key 'stopp'; did you mean 'stop'?\n"
                  "8:23: wait: 'y' is not 'database ready', 'apps healthy', 'all healthy', "
                  "'selected healthy' or "
                  "'<service> healthy'\n");
}
END_TEST

/* --- passwords -------------------------------------------------------------------------------- */

START_TEST(a_password_in_the_file_is_refused)
{
    static const char *const connects[] = {
        "host=db password=geheim",
        "password = geheim",
        "postgresql://guard:geheim@db/app",
        "postgres://guard:geheim@db",
        "postgresql://db/app?password=geheim",
        "postgresql://db/app?sslmode=disable&password=geheim",
        "host=db sslpassword=geheim",
    };
    for (size_t i = 0; i < ARRAY_SIZE(connects); i++) {
        CLEANUP_FREE char *text = mem_printf("database:\n  connect: %s\n", connects[i]);
        CLEANUP_FREE char *told = NULL;
        ck_assert_ptr_null(parse(text, &told));
        unit_assert_has(told, "2:12: database: connect: no password here");
        unit_assert_lacks(told, "geheim");
        CLEANUP_FREE char *console = mem_printf("pgbouncer:\n  connect: %s\n", connects[i]);
        CLEANUP_FREE char *told_again = NULL;
        ck_assert_ptr_null(parse(console, &told_again));
        unit_assert_has(told_again, "2:12: pgbouncer: connect: no password here");
        unit_assert_lacks(told_again, "geheim");
    }
}
END_TEST

START_TEST(what_only_looks_like_a_password_is_taken)
{
    static const char *const connects[] = {
        "host=db passfile=/run/secrets/db_password",
        "host=password.example user=password",
        "postgresql://guard@db:5432/app",
        "postgresql://db:5432/app?application_name=me@here",
        "postgresql://db1:5432,db2:5432/app?options=-c%20x@y",
        "postgresql://guard@db/app?passfile=/run/secrets/password",
    };
    for (size_t i = 0; i < ARRAY_SIZE(connects); i++) {
        CLEANUP_FREE char *text = mem_printf("database:\n  connect: %s\n", connects[i]);
        struct config *config = parse_fine(text);
        ck_assert_str_eq(config->database_connect, connects[i]);
        config_free(config);
    }
}
END_TEST

/* --- files ------------------------------------------------------------------------------------ */

static void assert_unreadable(const char *path, const char *words)
{
    struct diag_list diags;
    struct config *config = NULL;
    ck_assert_int_eq(config_load(path, &config, &diags), -(int)ERR_INVALID);
    ck_assert_ptr_null(config);
    ck_assert_uint_eq(diags.count, 1);
    unit_assert_has(diags.items[0].text, words);
    diag_free(&diags);
}

START_TEST(a_file_is_read_or_the_reason_told)
{
    char folder[] = "/tmp/config-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(folder));
    CLEANUP_FREE char *path = mem_printf("%s/s.yaml", folder);
    assert_unreadable(path, "No such file or directory; supervisorctl init prints one");
    assert_unreadable(folder, "Is a directory");

    FILE *file = fopen(path, "w");
    fputs("stack: shop\n", file);
    fclose(file);
    struct diag_list diags;
    struct config *config = NULL;
    ck_assert_int_eq(config_load(path, &config, &diags), 0);
    ck_assert_str_eq(config->stack, "shop");
    ck_assert_str_eq(config->path, path);
    config_free(config);
    diag_free(&diags);

    file = fopen(path, "a");
    for (int i = 0; i < 100000; i++)
        fputs("# a file without end\n", file);
    fclose(file);
    assert_unreadable(path, "larger than");
    remove(path);
    remove(folder);
}
END_TEST

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    fputs(text, file);
    fclose(file);
}

/* In place of `in_force`, from `path`: "" when it is taken, else why not. The caller frees it. */
static char *refusal_anew(const char *path, const struct config *in_force)
{
    struct config *config = NULL;
    struct diag_list diags;
    int status = config_load_anew(path, in_force, &config, &diags);
    ck_assert((status == 0) == (config != NULL));
    ck_assert((status == 0) == (diags.count == 0));
    char *told = status ? diag_format(&diags) : mem_strdup("");
    config_free(config);
    diag_free(&diags);
    return told;
}

START_TEST(what_nobody_wrote_takes_no_written_ones_place)
{
    static const char *const empty[] = {"", "\n", "# mode: observe\n", "---\n...\n", "~\n"};
    char folder[] = "/tmp/config-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(folder));
    CLEANUP_FREE char *path = mem_printf("%s/s.yaml", folder);
    struct config *written = parse_fine("mode: observe\n");
    struct config *meant = parse_fine("{}\n");
    struct config *unwritten = parse_fine("# nothing\n");
    for (size_t i = 0; i < ARRAY_SIZE(empty); i++) {
        write_file(path, empty[i]);
        CLEANUP_FREE char *refusal = refusal_anew(path, written);
        unit_assert_has(refusal, "s.yaml: error: there is nothing in it; a file that holds {}");
        CLEANUP_FREE char *of_defaults = refusal_anew(path, meant);
        unit_assert_has(of_defaults, "there is nothing in it");
        CLEANUP_FREE char *nothing_lost = refusal_anew(path, unwritten);
        ck_assert_str_eq(nothing_lost, "");
    }
    write_file(path, "# all that is wanted\n{}\n");
    CLEANUP_FREE char *taken = refusal_anew(path, written);
    ck_assert_str_eq(taken, "");
    remove(path);
    remove(folder);
    config_free(written);
    config_free(meant);
    config_free(unwritten);
}
END_TEST

START_TEST(a_default_file_that_went_away_leaves_its_words_in_force)
{
    struct config *written = parse_fine("mode: observe\n");
    struct config *unwritten = parse_fine("");
    if (access("/etc/stack-supervisor/supervisor.yaml", F_OK) != 0) { /* not on a machine in use */
        CLEANUP_FREE char *refusal = refusal_anew(NULL, written);
        unit_assert_has(refusal, "supervisor.yaml: error: it is not there any more; a file that");
        CLEANUP_FREE char *nothing_lost = refusal_anew(NULL, unwritten);
        ck_assert_str_eq(nothing_lost, "");
    }
    CLEANUP_FREE char *named = refusal_anew("/nowhere/s.yaml", unwritten);
    unit_assert_has(named, "No such file");
    config_free(written);
    config_free(unwritten);
}
END_TEST

static struct config *remains_of(const char *path, const char *text)
{
    write_file(path, text);
    return config_remains(path);
}

START_TEST(what_is_reached_and_how_remains_of_a_file_with_errors)
{
    char folder[] = "/tmp/config-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(folder));
    CLEANUP_FREE char *path = mem_printf("%s/s.yaml", folder);
    struct config *config = remains_of(path, "nonsense: 1\nmode: observe\nstack: shop\n"
                                             "docker: {host: 'unix:///engine.sock', hots: x}\n"
                                             "database: {connect: user=guard, passfile: /p}\n"
                                             "pgbouncer: {connect: user=boss}\n");
    ck_assert_str_eq(config->docker_host, "unix:///engine.sock");
    ck_assert_str_eq(config->database_connect, "user=guard");
    ck_assert_str_eq(config->database_passfile, "/p");
    ck_assert_str_eq(config->pooler_connect, "user=boss");
    config_free(config);
    static const char *const nothing[] = {"docker: {host: a\n", "docker: 7\n", "- docker\n", ""};
    for (size_t i = 0; i < ARRAY_SIZE(nothing); i++) {
        config = remains_of(path, nothing[i]);
        assert_defaults(config);
        config_free(config);
    }
    remove(path);
    config = config_remains(path);
    assert_defaults(config);
    config_free(config);
    remove(folder);
}
END_TEST

START_TEST(what_init_prints_is_a_file_that_changes_nothing)
{
    CLEANUP_FREE char *sample = config_sample();
    struct config *config = parse_fine(sample);
    assert_defaults(config);
    config_free(config);
    /* With the comment signs gone, every setting is there and each is known. */
    struct buf bare;
    buf_init(&bare, 1 << 20);
    for (const char *line = sample; *line;) {
        size_t len = strcspn(line, "\n");
        bool prose = len < 3 || *line != '#' || (line[1] == ' ' && line[2] != ' ');
        if (!prose)
            buf_printf(&bare, "%.*s\n", (int)len - 1, line + 1);
        line += len + (line[len] == '\n');
    }
    config = parse_fine(buf_text(&bare));
    ck_assert_ptr_nonnull(config->stack);
    ck_assert_ptr_nonnull(config->database_passfile);
    ck_assert_uint_gt(config->override_count, 0);
    unit_assert_has(sample, "restart: database");
    config_free(config);
    buf_free(&bare);
}
END_TEST

UNIT_MAIN("config", an_empty_file_is_all_defaults, every_setting_is_taken,
          a_file_with_a_secret_may_be_a_credential, services_have_roles_and_dependencies,
          a_playbook_of_ones_own_is_beside_or_in_place_of_the_built_in,
          a_policy_of_ones_own_is_before_or_in_place_of_the_built_in, each_error_has_its_place,
          all_errors_come_at_once, a_password_in_the_file_is_refused,
          what_only_looks_like_a_password_is_taken, a_file_is_read_or_the_reason_told,
          what_nobody_wrote_takes_no_written_ones_place,
          a_default_file_that_went_away_leaves_its_words_in_force,
          what_is_reached_and_how_remains_of_a_file_with_errors,
          what_init_prints_is_a_file_that_changes_nothing)
