/* See reach.h. */
#include "playbooks/reach.h"

#include "base/buf.h"
#include "base/mem.h"

#include <string.h>

enum { POSTGRES_PORT = 5432, CONNINFO_MAX = 4096 };

struct reach {
    struct loop *loop;
    struct docker *docker;
    char *connect;
    char *passfile;
    struct db *db;
    char *conninfo; /* what db was made with; holds a password */
    /* what the back door needs of the container */
    char *container_id;
    char *superuser;
    char *maintenance_db;
    db_lifeline_fn on_lifeline;
    void *lifeline_data;
    bool keep_lifeline;
};

/* --- the connection string ---------------------------------------------------------------------
 */

/* key='value' with libpq's quoting. */
static void conninfo_add(struct buf *out, const char *key, const char *value)
{
    buf_printf(out, "%s%s='", out->len ? " " : "", key);
    for (; *value; value++) {
        if (*value == '\'' || *value == '\\')
            buf_puts(out, "\\");
        buf_add(out, value, 1);
    }
    buf_puts(out, "'");
}

static int server_port(const struct container *container)
{
    const char *port = container_env(container, "PGPORT");
    int64_t number = port ? strtol(port, NULL, 10) : 0;
    return number > 0 && number < 65536 ? (int)number : POSTGRES_PORT;
}

/* Where the host can reach the server: its own address, else a published port, else loopback. */
static bool server_address(const struct container *container, const char **ret_host, int *ret_port)
{
    *ret_port = server_port(container);
    if (strcmp(container->network_mode, "host") == 0) {
        *ret_host = "127.0.0.1";
        return true;
    }
    for (size_t i = 0; i < container->network_count; i++) {
        if (!*container->networks[i].address)
            continue;
        *ret_host = container->networks[i].address;
        return true;
    }
    for (size_t i = 0; i < container->port_count; i++) {
        const struct container_port *port = &container->ports[i];
        if (port->port != *ret_port || port->host_port == 0)
            continue;
        bool any = strcmp(port->host_address, "0.0.0.0") == 0 ||
                   strcmp(port->host_address, "::") == 0 || !*port->host_address;
        *ret_host = any ? "127.0.0.1" : port->host_address;
        *ret_port = port->host_port;
        return true;
    }
    return false;
}

char *reach_conninfo(const struct container *container, const struct reach_options *options,
                     struct err *e)
{
    struct buf out;
    buf_init(&out, CONNINFO_MAX);
    if (options->connect) {
        bool uri = strstr(options->connect, "://") != NULL;
        buf_puts(&out, options->connect);
        if (options->passfile && uri)
            buf_printf(&out, "%cpassfile=%s", strchr(options->connect, '?') ? '&' : '?',
                       options->passfile);
        else if (options->passfile)
            conninfo_add(&out, "passfile", options->passfile);
        return buf_take(&out);
    }
    const char *host;
    int port;
    if (!server_address(container, &host, &port)) {
        err_set(e, ERR_NOT_FOUND, "the database's container %s has no address to connect to (%s)",
                container->name, container_state_name(container->state));
        err_hint(e, "set database.connect in the configuration");
        return NULL;
    }
    const char *user = container_env(container, "POSTGRES_USER");
    const char *database = container_env(container, "POSTGRES_DB");
    const char *password = container_env(container, "POSTGRES_PASSWORD");
    char digits[16];
    snprintf(digits, sizeof digits, "%d", port);
    conninfo_add(&out, "host", host);
    conninfo_add(&out, "port", digits);
    conninfo_add(&out, "user", user ? user : "postgres");
    conninfo_add(&out, "dbname", database ? database : user ? user : "postgres");
    if (password)
        conninfo_add(&out, "password", password);
    if (options->passfile)
        conninfo_add(&out, "passfile", options->passfile);
    return buf_take(&out);
}

/* --- the back door -----------------------------------------------------------------------------
 */

struct knock {
    void (*done)(void *data, const struct err *e, const char *out);
    void *data;
};

/* psql's own failure: what it said on stderr, by SQLSTATE. */
static void knock_failed(const struct docker_output *output, struct err *e)
{
    bool full = strstr(output->err, "53300") != NULL;
    err_set(e, full ? ERR_EXHAUSTED : ERR_FAILED, "psql in the container ended with %d: %.*s",
            output->exit_code, (int)strcspn(output->err, "\r\n"),
            *output->err ? output->err : "(it said nothing)");
    if (output->exit_code == 126 || output->exit_code == 127)
        err_hint(e, "the image has no psql: give a lifeline's login by database.connect");
}

static void on_knock(void *data, const struct err *e, const struct docker_output *output)
{
    struct knock *knock = data;
    struct err failure;
    if (!e && output->exit_code != 0) {
        knock_failed(output, &failure);
        e = &failure;
    }
    knock->done(knock->data, e, e ? NULL : output->out);
    free(knock);
}

static void reach_backdoor(void *context, const char *sql, int64_t deadline_ms,
                           void (*done)(void *data, const struct err *e, const char *out),
                           void *data)
{
    struct reach *reach = context;
    struct knock *knock = mem_new(sizeof *knock);
    *knock = (struct knock){.done = done, .data = data};
    const char *const argv[] = {"psql",
                                "-X",
                                "-A",
                                "-t",
                                "-q",
                                "-v",
                                "ON_ERROR_STOP=1",
                                "-v",
                                "VERBOSITY=sqlstate",
                                "-w",
                                "-U",
                                reach->superuser,
                                "-d",
                                reach->maintenance_db,
                                "-c",
                                sql,
                                NULL};
    const struct docker_exec command = {.argv = argv, .deadline_ms = deadline_ms};
    docker_exec(reach->docker, reach->container_id, &command, on_knock, knock);
}

/* --- aiming ------------------------------------------------------------------------------------
 */

struct reach *reach_new(struct loop *loop, struct docker *docker,
                        const struct reach_options *options)
{
    struct reach *reach = mem_new(sizeof *reach);
    reach->loop = loop;
    reach->docker = docker;
    reach->connect = mem_strdup(options->connect);
    reach->passfile = mem_strdup(options->passfile);
    return reach;
}

void reach_configure(struct reach *reach, const struct reach_options *options)
{
    mem_replace(&reach->connect, options->connect);
    mem_replace(&reach->passfile, options->passfile);
}

static void forget_conninfo(struct reach *reach)
{
    if (reach->conninfo)
        explicit_bzero(reach->conninfo, strlen(reach->conninfo));
    free(reach->conninfo);
    reach->conninfo = NULL;
}

struct reach *reach_free(struct reach *reach)
{
    if (!reach)
        return NULL;
    db_free(reach->db);
    forget_conninfo(reach);
    free(reach->connect);
    free(reach->passfile);
    free(reach->container_id);
    free(reach->superuser);
    free(reach->maintenance_db);
    free(reach);
    return NULL;
}

int reach_aim(struct reach *reach, const struct container *container, struct err *e)
{
    const struct reach_options options = {.connect = reach->connect, .passfile = reach->passfile};
    const char *superuser = container_env(container, "POSTGRES_USER");
    mem_replace(&reach->container_id, container->id);
    mem_replace(&reach->superuser, superuser ? superuser : "postgres");
    mem_replace(&reach->maintenance_db, "postgres");
    char *conninfo = reach_conninfo(container, &options, e);
    if (!conninfo)
        return -(int)ERR_NOT_FOUND;
    if (reach->db && strcmp(conninfo, reach->conninfo) == 0) {
        explicit_bzero(conninfo, strlen(conninfo));
        free(conninfo);
        return 0;
    }
    struct db *db = NULL;
    const struct db_backdoor backdoor = {.run = reach_backdoor, .context = reach};
    const struct db_options db_options = {.conninfo = conninfo, .backdoor = &backdoor};
    int status = db_new(reach->loop, &db_options, &db, e);
    if (status != 0) {
        explicit_bzero(conninfo, strlen(conninfo));
        free(conninfo);
        return status;
    }
    db_free(reach->db); /* before the new one logs in: two slots at most */
    forget_conninfo(reach);
    reach->db = db;
    reach->conninfo = conninfo;
    if (reach->keep_lifeline)
        db_lifeline_keep(db, reach->on_lifeline, reach->lifeline_data);
    return 0;
}

struct db *reach_db(const struct reach *reach)
{
    return reach->db;
}

void reach_keep_lifeline(struct reach *reach, db_lifeline_fn on_change, void *data)
{
    reach->keep_lifeline = true;
    reach->on_lifeline = on_change;
    reach->lifeline_data = data;
    if (reach->db)
        db_lifeline_keep(reach->db, on_change, data);
}

void reach_rest_lifeline(struct reach *reach)
{
    if (reach->keep_lifeline && reach->db)
        db_lifeline_drop(reach->db);
}

void reach_wake_lifeline(struct reach *reach)
{
    if (reach->keep_lifeline && reach->db && !db_lifeline_is_open(reach->db))
        db_lifeline_keep(reach->db, reach->on_lifeline, reach->lifeline_data);
}
