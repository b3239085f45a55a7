/* See target.h. */
#include "postgres/target.h"

#include "base/mem.h"
#include "postgres/db.h"

#include <libpq-fe.h>
#include <string.h>

struct setting {
    char *keyword, *value;
};

struct db__target {
    struct setting *settings;
    size_t count;
    char *where;
};

static struct setting *find(const struct db__target *target, const char *keyword)
{
    for (size_t i = 0; i < target->count; i++)
        if (strcmp(target->settings[i].keyword, keyword) == 0)
            return &target->settings[i];
    return NULL;
}

static void put(struct db__target *target, const char *keyword, const char *value)
{
    struct setting *setting = find(target, keyword);
    if (!setting) {
        setting = MEM_PUSH(target->settings, target->count);
        setting->keyword = mem_strdup(keyword);
    }
    mem_replace(&setting->value, value);
}

static void put_unless_set(struct db__target *target, const char *keyword, const char *value)
{
    if (!find(target, keyword))
        put(target, keyword, value);
}

static void put_all(struct db__target *target, const PQconninfoOption *options)
{
    for (; options && options->keyword; options++)
        if (options->val && options->val[0])
            put(target, options->keyword, options->val);
}

/* What every session of ours has, unless the connection string says otherwise. */
static void put_ours(struct db__target *target, const char *application)
{
    put(target, "application_name", application);
    put(target, "client_encoding", "UTF8"); /* our answers are JSON */
    /* A vanished host is noticed in about ten seconds; a stopped server is not, as its kernel goes
     * on answering: deadlines are for that. */
    put_unless_set(target, "keepalives_idle", "5");
    put_unless_set(target, "keepalives_interval", "2");
    put_unless_set(target, "keepalives_count", "3");
    put_unless_set(target, "tcp_user_timeout", "8000");
}

static void describe(struct db__target *target)
{
    const char *host = db__target_value(target, "host");
    if (!host[0])
        host = db__target_value(target, "hostaddr");
    target->where = mem_printf("host=%s port=%s dbname=%s user=%s", host[0] ? host : "local",
                               db__target_value(target, "port"), db__target_value(target, "dbname"),
                               db__target_value(target, "user"));
}

static void fill(struct db__target *target, const PQconninfoOption *given, const char *application)
{
    PQconninfoOption *defaults = PQconndefaults();
    put_all(target, defaults);
    PQconninfoFree(defaults);
    bool gss_wanted = false;
    for (const PQconninfoOption *at = given; at->keyword; at++)
        gss_wanted |= at->val && strcmp(at->keyword, "gssencmode") == 0;
    if (!gss_wanted && !getenv("PGGSSENCMODE"))
        put(target, "gssencmode", "disable"); /* a ticket is fetched over the network, blocking */
    put_all(target, given);
    put_unless_set(target, "port", "5432");
    put_unless_set(target, "dbname", db__target_value(target, "user"));
    put_ours(target, application);
    describe(target);
}

bool db_conninfo_has_host(const char *conninfo)
{
    PQconninfoOption *given = PQconninfoParse(conninfo, NULL);
    bool has = !given; /* what cannot be read is left as it is, to be told of */
    for (const PQconninfoOption *at = given; at && at->keyword; at++)
        has |=
            at->val && (strcmp(at->keyword, "host") == 0 || strcmp(at->keyword, "hostaddr") == 0);
    PQconninfoFree(given);
    return has;
}

int db__target_new(const char *conninfo, const char *application, struct db__target **ret,
                   struct err *e)
{
    char *message = NULL;
    PQconninfoOption *given = PQconninfoParse(conninfo, &message);
    PQfreemem(message);
    if (!given) {
        /* libpq's message quotes the string, and with it perhaps half a password. */
        int rc = err_set(e, ERR_INVALID, "postgres: the connection string cannot be read");
        err_hint(e, "write 'host=… port=… dbname=… user=…' or postgresql://user@host:port/dbname; "
                    "a value with blanks needs quotes");
        return rc;
    }
    struct db__target *target = mem_new(sizeof *target);
    fill(target, given, application);
    PQconninfoFree(given);
    if (find(target, "service")) {
        db__target_free(target);
        int rc = err_set(e, ERR_INVALID, "postgres: service= is not supported");
        err_hint(e, "write host, port, dbname and user into the connection string");
        return rc;
    }
    *ret = target;
    return 0;
}

struct db__target *db__target_free(struct db__target *target)
{
    if (!target)
        return NULL;
    for (size_t i = 0; i < target->count; i++) {
        struct setting *setting = &target->settings[i];
        explicit_bzero(setting->value, strlen(setting->value));
        free(setting->value);
        free(setting->keyword);
    }
    free(target->settings);
    free(target->where);
    free(target);
    return NULL;
}

const char *db__target_where(const struct db__target *target)
{
    return target->where;
}

const char *db__target_value(const struct db__target *target, const char *keyword)
{
    const struct setting *setting = find(target, keyword);
    return setting ? setting->value : "";
}

static void add_param(struct db__params *params, size_t *count, const char *keyword,
                      const char *value)
{
    params->keywords[*count] = keyword;
    params->values[(*count)++] = value;
}

struct db__params db__target_params(const struct db__target *target, const char *host,
                                    const char *hostaddr, const char *port)
{
    size_t room = target->count + 4, count = 0;
    struct db__params params = {mem_new(room * sizeof(char *)), mem_new(room * sizeof(char *))};
    for (size_t i = 0; i < target->count; i++)
        add_param(&params, &count, target->settings[i].keyword, target->settings[i].value);
    /* Of two of the same keyword libpq takes the later one. */
    if (host)
        add_param(&params, &count, "host", host);
    if (hostaddr)
        add_param(&params, &count, "hostaddr", hostaddr);
    if (port)
        add_param(&params, &count, "port", port);
    return params;
}

void db__params_free(struct db__params *params)
{
    free(params->keywords);
    free(params->values);
}
