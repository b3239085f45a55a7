/* The connection string for a database's container. */
#include "playbooks/reach.h"

#include "playbooks/pooler_reach.h"
#include "tests/unit/unit.h"

#include <libpq-fe.h>

/* `config`, `host` and `network` are the insides of Config, HostConfig and NetworkSettings. */
static struct container *database(const char *config, const char *host, const char *network)
{
    struct err e;
    CLEANUP_FREE char *text = mem_printf(
        "{'Id':'db-0123456789abcdef','Name':'/shop_db_1','State':{'Status':'%s'},"
        "'Config':{'Image':'postgres:15'%s%s},'HostConfig':{%s},"
        "'NetworkSettings':{%s}}",
        *network || *host ? "running" : "exited", *config ? "," : "", config, host, network);
    json_t *body = unit_json(text);
    struct container *c = container_from_json(body, &e);
    json_decref(body);
    ck_assert_ptr_nonnull(c);
    return c;
}

#define AT_5 "'Networks':{'shop_default':{'IPAddress':'172.18.0.5'}}"

static char *conninfo(const char *config, const char *host, const char *network,
                      const struct reach_options *options, struct err *e)
{
    struct container *c = database(config, host, network);
    const struct reach_options none = {0};
    err_clear(e);
    char *text = reach_conninfo(c, options ? options : &none, e);
    container_unref(c);
    return text;
}

static void assert_conninfo(const char *config, const char *host, const char *network,
                            const char *expected)
{
    struct err e;
    CLEANUP_FREE char *text = conninfo(config, host, network, NULL, &e);
    ck_assert_msg(text != NULL, "%s", e.text);
    ck_assert_str_eq(text, expected);
}

/* What libpq makes of it: the value of a keyword. */
static char *option(const char *text, const char *keyword)
{
    char *problem = NULL;
    char *value = NULL;
    PQconninfoOption *options = PQconninfoParse(text, &problem);
    ck_assert_msg(options != NULL, "%s", problem);
    for (PQconninfoOption *o = options; o->keyword; o++)
        if (strcmp(o->keyword, keyword) == 0)
            value = mem_strdup(o->val); /* NULL when it is not set */
    PQconninfoFree(options);
    return value;
}

static void assert_option(const char *text, const char *keyword, const char *expected)
{
    CLEANUP_FREE char *value = option(text, keyword);
    ck_assert_ptr_nonnull(value);
    ck_assert_str_eq(value, expected);
}

START_TEST(without_a_word_it_is_postgres_on_its_own_address)
{
    assert_conninfo("", "", AT_5,
                    "host='172.18.0.5' port='5432' user='postgres' dbname='postgres'");
}
END_TEST

START_TEST(a_role_alone_is_led_to_the_container)
{
    struct err e;
    const struct reach_options role = {.connect = "user=guard"};
    CLEANUP_FREE char *text = conninfo("'Env':['POSTGRES_DB=store']", "", AT_5, &role, &e);
    assert_option(text, "host", "172.18.0.5");
    assert_option(text, "port", "5432");
    assert_option(text, "dbname", "store");
    assert_option(text, "user", "guard");
    const struct reach_options other = {.connect = "user=guard dbname=other port=6000"};
    CLEANUP_FREE char *elsewhere = conninfo("", "", AT_5, &other, &e);
    assert_option(elsewhere, "host", "172.18.0.5");
    assert_option(elsewhere, "port", "6000");
    assert_option(elsewhere, "dbname", "other");
    const struct reach_options tricky = {.connect = "user=ghost dbname=hosting"};
    CLEANUP_FREE char *led = conninfo("", "", AT_5, &tricky, &e);
    assert_option(led, "host", "172.18.0.5");
    assert_option(led, "dbname", "hosting");
    const struct reach_options socket = {.connect = "host=/run/pg user=guard"};
    CLEANUP_FREE char *own = conninfo("", "", AT_5, &socket, &e);
    ck_assert_str_eq(own, "host=/run/pg user=guard");
}
END_TEST

START_TEST(the_environment_tells_role_database_and_password)
{
    assert_conninfo("'Env':['POSTGRES_USER=shop','POSTGRES_DB=store','POSTGRES_PASSWORD=pw']", "",
                    AT_5, "host='172.18.0.5' port='5432' user='shop' dbname='store' password='pw'");
    /* as the image does it: the database bears the name of the user */
    assert_conninfo("'Env':['POSTGRES_USER=shop']", "", AT_5,
                    "host='172.18.0.5' port='5432' user='shop' dbname='shop'");
}
END_TEST

START_TEST(what_is_empty_in_the_environment_is_not_set)
{
    /* `POSTGRES_DB: ${DB}` with no DB; the image takes an empty value for none. */
    assert_conninfo("'Env':['POSTGRES_USER=','POSTGRES_DB=','POSTGRES_PASSWORD=']", "", AT_5,
                    "host='172.18.0.5' port='5432' user='postgres' dbname='postgres'");
}
END_TEST

START_TEST(values_are_quoted_as_libpq_reads_them)
{
    struct err e;
    CLEANUP_FREE char *text =
        conninfo("'Env':['POSTGRES_USER=a b','POSTGRES_PASSWORD=q\\u0027x\\\\y = z \\\"']", "",
                 AT_5, NULL, &e);
    ck_assert_ptr_nonnull(text);
    assert_option(text, "user", "a b");
    assert_option(text, "password", "q'x\\y = z \"");
    assert_option(text, "host", "172.18.0.5");
}
END_TEST

START_TEST(a_value_cannot_bring_a_keyword_of_its_own)
{
    struct err e;
    CLEANUP_FREE char *text =
        conninfo("'Env':['POSTGRES_USER=x\\u0027 host=\\u0027evil']", "", AT_5, NULL, &e);
    assert_option(text, "host", "172.18.0.5");
    assert_option(text, "user", "x' host='evil");
}
END_TEST

START_TEST(the_port_is_the_servers_own)
{
    assert_conninfo("'Env':['PGPORT=6432']", "", AT_5,
                    "host='172.18.0.5' port='6432' user='postgres' dbname='postgres'");
    assert_conninfo("'Env':['PGPORT=70000']", "", AT_5,
                    "host='172.18.0.5' port='5432' user='postgres' dbname='postgres'");
    assert_conninfo("'Env':['PGPORT=nonsense']", "", AT_5,
                    "host='172.18.0.5' port='5432' user='postgres' dbname='postgres'");
}
END_TEST

START_TEST(on_the_hosts_network_it_is_loopback)
{
    assert_conninfo("'Env':['PGPORT=5433']", "'NetworkMode':'host'",
                    "'Networks':{'host':{'IPAddress':''}}",
                    "host='127.0.0.1' port='5433' user='postgres' dbname='postgres'");
}
END_TEST

START_TEST(its_own_address_goes_before_a_published_port)
{
    assert_conninfo("", "", AT_5 ",'Ports':{'5432/tcp':[{'HostIp':'0.0.0.0','HostPort':'15432'}]}",
                    "host='172.18.0.5' port='5432' user='postgres' dbname='postgres'");
    assert_conninfo("", "", "'Networks':{'a':{'IPAddress':''},'b':{'IPAddress':'10.1.0.2'}}",
                    "host='10.1.0.2' port='5432' user='postgres' dbname='postgres'");
}
END_TEST

START_TEST(without_an_address_the_published_port_is_taken)
{
    static const struct {
        const char *host_ip;
        const char *reached;
    } published[] = {{"0.0.0.0", "127.0.0.1"},
                     {"::", "127.0.0.1"},
                     {"", "127.0.0.1"},
                     {"::1", "::1"},
                     {"192.168.7.1", "192.168.7.1"}};
    for (size_t i = 0; i < ARRAY_SIZE(published); i++) {
        CLEANUP_FREE char *network =
            mem_printf("'Ports':{'9999/tcp':[{'HostIp':'','HostPort':'1'}],'5432/tcp':[{'HostIp':"
                       "'%s','HostPort':'15432'}]}",
                       published[i].host_ip);
        CLEANUP_FREE char *expected = mem_printf(
            "host='%s' port='15432' user='postgres' dbname='postgres'", published[i].reached);
        assert_conninfo("", "", network, expected);
    }
}
END_TEST

/* No setting gives a container an address that does not run. */
START_TEST(a_container_that_is_down_is_to_be_started)
{
    struct err e;
    ck_assert_ptr_null(conninfo("", "", "", NULL, &e));
    ck_assert_int_eq(e.code, ERR_NOT_FOUND);
    unit_assert_has(e.text, "the database's container shop_db_1 is not running (exited)");
    unit_assert_has(e.hint, "docker start shop_db_1");
    unit_assert_has(e.hint, "supervisorctl recover");
}
END_TEST

/* Else libpq would take a role alone to a PostgreSQL of this machine's own. */
START_TEST(a_role_alone_is_led_nowhere_while_the_container_is_down)
{
    struct err e;
    const struct reach_options role = {.connect = "user=supervisor"};
    ck_assert_ptr_null(conninfo("", "", "", &role, &e));
    ck_assert_int_eq(e.code, ERR_NOT_FOUND);
    unit_assert_has(e.text, "the database's container shop_db_1 is not running (exited)");
    const struct reach_options whole = {.connect = "host=10.0.0.9 user=supervisor"};
    CLEANUP_FREE char *text = conninfo("", "", "", &whole, &e);
    ck_assert_msg(text != NULL, "%s", e.text);
}
END_TEST

START_TEST(without_any_address_the_setting_is_named)
{
    static const char *const nowhere[] = {"'Networks':{'none':{'IPAddress':''}}",
                                          "'Ports':{'5432/tcp':null}",
                                          "'Ports':{'9999/tcp':[{'HostIp':'','HostPort':'9999'}]}"};
    for (size_t i = 0; i < ARRAY_SIZE(nowhere); i++) {
        struct err e;
        ck_assert_ptr_null(
            conninfo("'Env':['POSTGRES_PASSWORD=geheim']", "", nowhere[i], NULL, &e));
        ck_assert_int_eq(e.code, ERR_NOT_FOUND);
        unit_assert_has(e.text, "shop_db_1");
        unit_assert_has(e.hint, "database.connect");
        unit_assert_lacks(e.text, "geheim");
    }
}
END_TEST

START_TEST(the_configuration_is_taken_as_it_is)
{
    struct err e;
    const struct reach_options options = {.connect = "host=db.example user=guard"};
    CLEANUP_FREE char *text = conninfo("'Env':['POSTGRES_PASSWORD=geheim']", "", "", &options, &e);
    ck_assert_str_eq(text, "host=db.example user=guard");
}
END_TEST

START_TEST(a_passfile_is_added_in_every_form)
{
    static const struct {
        const char *connect;
        const char *passfile;
        const char *host;
    } forms[] = {
        {NULL, "/etc/pass file", "172.18.0.5"},
        {"host=far", "/etc/it's", "far"},
        {"host=far options='-c x=http://y'", "/etc/pgpass", "far"},
        {"postgresql://me@far/shop", "/etc/pgpass", "far"},
        {"postgres://me@far/shop?sslmode=disable", "/etc/pgpass", "far"},
        {"postgresql://me@far/shop", "/etc/a b&c=d%20#e", "far"},
        {"postgresql://me:a?b@far/shop", "/etc/pgpass", "far"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
        struct err e;
        const struct reach_options options = {.connect = forms[i].connect,
                                              .passfile = forms[i].passfile};
        CLEANUP_FREE char *text = conninfo("", "", AT_5, &options, &e);
        ck_assert_ptr_nonnull(text);
        assert_option(text, "passfile", forms[i].passfile);
        assert_option(text, "host", forms[i].host);
    }
}
END_TEST

START_TEST(what_does_not_fit_is_refused_and_not_cut)
{
    struct err e;
    char wide[10000];
    memset(wide, 'x', sizeof wide - 1);
    wide[sizeof wide - 1] = '\0';
    CLEANUP_FREE char *env = mem_printf("'Env':['POSTGRES_PASSWORD=%s']", wide);
    ck_assert_ptr_null(conninfo(env, "", AT_5, NULL, &e));
    ck_assert_int_ne(e.code, ERR_NONE);
    unit_assert_lacks(e.text, "xxx");
    const struct reach_options options = {.connect = wide};
    ck_assert_ptr_null(conninfo("", "", AT_5, &options, &e));
    ck_assert_int_ne(e.code, ERR_NONE);
}
END_TEST

/* --- the pooler's console --------------------------------------------------------------------- */

#define AT_9 "'Networks':{'shop_default':{'IPAddress':'172.18.0.9'}}"

/* The console's, with the database's container as docker made it, or without any. */
static char *console(const char *config, const char *host, const char *network, bool with_database,
                     const struct reach_options *own, const struct reach_options *options,
                     struct err *e)
{
    const struct reach_options none = {0};
    struct container *pooler = database(config, host, network);
    struct container *db =
        database("'Env':['POSTGRES_USER=shop','POSTGRES_PASSWORD=pw']", "", AT_5);
    err_clear(e);
    char *text = pooler_conninfo(pooler, with_database ? db : NULL, own ? own : &none,
                                 options ? options : &none, e);
    container_unref(pooler);
    container_unref(db);
    return text;
}

/* host, port, user, password ("" for none) and always the database pgbouncer. */
static void assert_console(const char *text, const char *host, const char *port, const char *user,
                           const char *password)
{
    ck_assert_ptr_nonnull(text);
    CLEANUP_FREE char *given = option(text, "password");
    assert_option(text, "host", host);
    assert_option(text, "port", port);
    assert_option(text, "user", user);
    assert_option(text, "dbname", "pgbouncer");
    ck_assert_str_eq(given ? given : "", password);
}

START_TEST(the_console_is_logged_in_to_as_the_database_is)
{
    struct err e;
    CLEANUP_FREE char *by_container = console("", "", AT_9, true, NULL, NULL, &e);
    assert_console(by_container, "172.18.0.9", "6432", "shop", "pw");
    const struct reach_options words = {.connect = "host=far port=1 dbname=shop user=guard",
                                        .passfile = "/etc/pgpass"};
    CLEANUP_FREE char *by_words = console("", "", AT_9, false, NULL, &words, &e);
    assert_console(by_words, "172.18.0.9", "6432", "guard", "");
    assert_option(by_words, "passfile", "/etc/pgpass");
    const struct reach_options uri = {.connect = "postgresql://guard@far:1/shop?sslmode=disable"};
    CLEANUP_FREE char *by_uri = console("", "", AT_9, false, NULL, &uri, &e);
    assert_console(by_uri, "172.18.0.9", "6432", "guard", "");
    assert_option(by_uri, "sslmode", "disable");
}
END_TEST

START_TEST(the_poolers_environment_tells_port_and_admin)
{
    struct err e;
    static const struct {
        const char *config;
        const char *port, *user, *password;
    } cases[] = {
        {"'Env':['ADMIN_USER=boss','ADMIN_PASSWORD=s3','LISTEN_PORT=7000']", "7000", "boss", "s3"},
        {"'Env':['ADMIN_USERS=boss, other','DB_USER=shop','DB_PASSWORD=no']", "6432", "boss", ""},
        {"'Env':['ADMIN_USERS=shop','DB_USER=shop','DB_PASSWORD=yes']", "6432", "shop", "yes"},
        {"'Env':['ADMIN_USER=','PGBOUNCER_PORT=6543','LISTEN_PORT=x']", "6543", "shop", "pw"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        CLEANUP_FREE char *text = console(cases[i].config, "", AT_9, true, NULL, NULL, &e);
        assert_console(text, "172.18.0.9", cases[i].port, cases[i].user, cases[i].password);
    }
}
END_TEST

START_TEST(what_is_configured_for_the_console_goes_before)
{
    struct err e;
    static const char env[] = "'Env':['ADMIN_USER=boss','ADMIN_PASSWORD=s3']";
    const struct reach_options user = {.connect = "user=me", .passfile = "/etc/pgpass"};
    CLEANUP_FREE char *by_user = console(env, "", AT_9, true, &user, NULL, &e);
    assert_console(by_user, "172.18.0.9", "6432", "me", ""); /* the place is the container's */
    assert_option(by_user, "passfile", "/etc/pgpass");
    const struct reach_options whole = {.connect = "host=far port=1 user=me"};
    CLEANUP_FREE char *by_whole = console(env, "", "", false, &whole, NULL, &e);
    assert_option(by_whole, "host", "far");
    CLEANUP_FREE char *over_place = console(env, "", AT_9, false, &whole, NULL, &e);
    assert_console(over_place, "far", "1", "me", "");
    const struct reach_options uri = {.connect = "postgresql://me@far/pgbouncer",
                                      .passfile = "/etc/pgpass"};
    CLEANUP_FREE char *by_uri = console(env, "", AT_9, false, &uri, NULL, &e);
    assert_option(by_uri, "host", "far");
    assert_option(by_uri, "passfile", "/etc/pgpass");
    const struct reach_options only_passfile = {.passfile = "/etc/pgpass"};
    CLEANUP_FREE char *text = console("", "", AT_9, true, &only_passfile, NULL, &e);
    assert_option(text, "passfile", "/etc/pgpass");
}
END_TEST

START_TEST(a_console_that_nobody_knows_names_the_setting)
{
    struct err e;
    ck_assert_ptr_null(console("", "", "", true, NULL, NULL, &e));
    ck_assert_int_eq(e.code, ERR_NOT_FOUND);
    unit_assert_has(e.hint, "pgbouncer.connect");
    ck_assert_ptr_null(console("", "", AT_9, false, NULL, NULL, &e));
    ck_assert_int_eq(e.code, ERR_NOT_FOUND);
    unit_assert_has(e.text, "who may use the pooler's console");
    char wide[10000];
    memset(wide, 'x', sizeof wide - 1);
    wide[sizeof wide - 1] = '\0';
    const struct reach_options endless = {.connect = wide};
    ck_assert_ptr_null(console("", "", AT_9, true, &endless, NULL, &e));
    ck_assert_int_eq(e.code, ERR_INVALID);
    unit_assert_lacks(e.text, "xxx");
}
END_TEST

UNIT_MAIN("reach", without_a_word_it_is_postgres_on_its_own_address,
          the_environment_tells_role_database_and_password, a_role_alone_is_led_to_the_container,
          what_is_empty_in_the_environment_is_not_set, values_are_quoted_as_libpq_reads_them,
          a_value_cannot_bring_a_keyword_of_its_own, the_port_is_the_servers_own,
          on_the_hosts_network_it_is_loopback, its_own_address_goes_before_a_published_port,
          without_an_address_the_published_port_is_taken, a_container_that_is_down_is_to_be_started,
          a_role_alone_is_led_nowhere_while_the_container_is_down,
          without_any_address_the_setting_is_named, the_configuration_is_taken_as_it_is,
          a_passfile_is_added_in_every_form, what_does_not_fit_is_refused_and_not_cut,
          the_console_is_logged_in_to_as_the_database_is,
          the_poolers_environment_tells_port_and_admin,
          what_is_configured_for_the_console_goes_before,
          a_console_that_nobody_knows_names_the_setting)
