/* See reach.h. */
#include "playbooks/reach.h"

#include "base/mem.h"
#include "base/private_file.h"
#include "playbooks/conninfo.h"
#include "playbooks/pooler_reach.h"

#include <string.h>

enum { POSTGRES_PORT = 5432 };

struct reach {
    struct loop *loop;
    struct docker *docker;
    char *connect;
    struct private_file *passfile;
    char *pooler_connect; /* the configuration's for the pooler's console */
    struct private_file *pooler_passfile;
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

/* --- the connection string -------------------------------------------------------------------- */

static int server_port(const struct container *container)
{
    const char *port = container_env(container, "PGPORT");
    int64_t number = port ? strtol(port, NULL, 10) : 0;
    return number > 0 && number < 65536 ? (int)number : POSTGRES_PORT;
}

/* Where the container is. False when it has no address. */
static bool add_address(struct buf *out, const struct container *container)
{
    const char *host;
    int port;
    char digits[16];
    if (!conninfo__address(container, server_port(container), &host, &port))
        return false;
    snprintf(digits, sizeof digits, "%d", port);
    conninfo__add(out, "host", host);
    conninfo__add(out, "port", digits);
    return true;
}

static const char *superuser_of(const struct container *container)
{
    return conninfo__env(container, "POSTGRES_USER", "postgres");
}

/* As the image does it: the database bears the name of the user. */
static void add_database(struct buf *out, const struct container *container)
{
    conninfo__add(out, "dbname", conninfo__env(container, "POSTGRES_DB", superuser_of(container)));
}

/* Where one has an address and another not, the setting helps; one that does not run has none. */
static int refuse_addressless(const struct container *container, struct err *e)
{
    if (container_is_up(container)) {
        err_set(e, ERR_NOT_FOUND, "the database's container %s has no address to connect to (%s)",
                container->name, container_state_name(container->state));
        err_hint(e, "set database.connect in the configuration");
    } else {
        err_set(e, ERR_NOT_FOUND, "the database's container %s is not running (%s)",
                container->name, container_state_name(container->state));
        err_hint(e, "docker start %s, or supervisorctl recover", container->name);
    }
    return -(int)ERR_NOT_FOUND;
}

/* As configured. Keywords that do not say where are led to the container, whose address another
 * start may change; of a key that stands twice libpq takes the later one. While that container does
 * not run they lead nowhere: libpq would take them to a PostgreSQL of this machine's own. */
static int add_configured(struct buf *out, const struct container *container,
                          const struct reach_options *options, struct err *e)
{
    bool is_uri = conninfo__is_uri(options->connect);
    bool is_led = container && !is_uri && !db_conninfo_has_host(options->connect);
    if (is_led && add_address(out, container)) {
        add_database(out, container);
        buf_puts(out, " ");
    } else if (is_led && (!container_is_up(container) || container->is_partial)) {
        return refuse_addressless(container, e);
    }
    buf_puts(out, options->connect);
    if (options->passfile && is_uri)
        conninfo__add_to_uri(out, "passfile", options->passfile);
    else if (options->passfile)
        conninfo__add(out, "passfile", options->passfile);
    return 0;
}

static int add_found(struct buf *out, const struct container *container,
                     const struct reach_options *options, struct err *e)
{
    const char *password = conninfo__env(container, "POSTGRES_PASSWORD", NULL);
    if (!add_address(out, container))
        return refuse_addressless(container, e);
    conninfo__add(out, "user", superuser_of(container));
    add_database(out, container);
    if (password)
        conninfo__add(out, "password", password);
    if (options->passfile)
        conninfo__add(out, "passfile", options->passfile);
    return 0;
}

char *reach_conninfo(const struct container *container, const struct reach_options *options,
                     struct err *e)
{
    struct buf out;
    buf_init(&out, CONNINFO_MAX);
    int status = options->connect ? add_configured(&out, container, options, e)
                                  : add_found(&out, container, options, e);
    out.overflowed |= status != 0;
    char *conninfo = conninfo__take(&out);
    if (!conninfo && status == 0)
        err_set(e, ERR_INVALID, "the connection settings of %s are longer than %d characters",
                container ? container->name : "the database", CONNINFO_MAX);
    return conninfo;
}

/* --- the back door ---------------------------------------------------------------------------- */

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
    /* psql says on stderr what PostgreSQL refused: that tells more than its exit code. */
    knock->done(knock->data, e, !e ? output->out : e == &failure ? output->err : NULL);
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

/* --- aiming ----------------------------------------------------------------------------------- */

struct reach *reach_new(struct loop *loop, struct docker *docker,
                        const struct reach_options *options)
{
    struct reach *reach = mem_new(sizeof *reach);
    reach->loop = loop;
    reach->docker = docker;
    reach->connect = mem_strdup(options->connect);
    reach->passfile = private_file_new(options->passfile);
    return reach;
}

void reach_configure(struct reach *reach, const struct reach_options *options)
{
    mem_replace(&reach->connect, options->connect);
    private_file_replace(&reach->passfile, options->passfile);
}

void reach_configure_pooler(struct reach *reach, const struct reach_options *options)
{
    mem_replace(&reach->pooler_connect, options->connect);
    private_file_replace(&reach->pooler_passfile, options->passfile);
}

static struct reach_options options_of(const struct reach *reach)
{
    return (struct reach_options){.connect = reach->connect,
                                  .passfile = private_file_path(reach->passfile)};
}

int reach_pooler(const struct reach *reach, const struct container *pooler,
                 const struct container *database, struct pooler **ret, struct err *e)
{
    const struct reach_options console = {.connect = reach->pooler_connect,
                                          .passfile = private_file_path(reach->pooler_passfile)};
    const struct reach_options options = options_of(reach);
    struct err failure;
    char *conninfo = pooler_conninfo(pooler, database, &console, &options, &failure);
    int status = conninfo ? pooler_new(reach->loop, conninfo, ret, &failure) : -(int)failure.code;
    if (conninfo)
        explicit_bzero(conninfo, strlen(conninfo));
    free(conninfo);
    if (status != 0)
        err_copy(e, &failure);
    return status;
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
    private_file_free(reach->passfile);
    free(reach->pooler_connect);
    private_file_free(reach->pooler_passfile);
    free(reach->container_id);
    free(reach->superuser);
    free(reach->maintenance_db);
    free(reach);
    return NULL;
}

int reach_aim(struct reach *reach, const struct container *container, struct err *e)
{
    const struct reach_options options = options_of(reach);
    mem_replace(&reach->container_id, container->id);
    mem_replace(&reach->superuser, superuser_of(container));
    mem_replace(&reach->maintenance_db, "postgres");
    struct err failure;
    char *conninfo = reach_conninfo(container, &options, &failure);
    if (!conninfo) {
        err_copy(e, &failure);
        return -(int)failure.code;
    }
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
