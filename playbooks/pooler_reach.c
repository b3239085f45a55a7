/* See pooler_reach.h. */
#include "playbooks/pooler_reach.h"

#include "base/mem.h"
#include "playbooks/conninfo.h"

#include <string.h>

enum { CONSOLE_PORT = 6432 };

/* The port as the images in use name it in their environment. */
static int console_port(const struct container *pooler)
{
    static const char *const keys[] = {"LISTEN_PORT", "PGBOUNCER_LISTEN_PORT", "PGBOUNCER_PORT"};
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        const char *text = conninfo__env(pooler, keys[i], "");
        long number = strtol(text, NULL, 10);
        if (number > 0 && number < 65536)
            return (int)number;
    }
    return CONSOLE_PORT;
}

/* Who of the pooler's own environment may use the console. ADMIN_USERS is a list whose members have
 * no password there, but for the one role that the image is given. */
struct admin {
    const char *password; /* NULL: from libpq's own places */
    char user[128];
};

static bool find_admin(const struct container *pooler, struct admin *ret)
{
    const char *user = conninfo__env(pooler, "ADMIN_USER", NULL);
    const char *users = conninfo__env(pooler, "ADMIN_USERS", NULL);
    const char *role = conninfo__env(pooler, "DB_USER", "");
    *ret = (struct admin){.password = NULL};
    if (user) {
        snprintf(ret->user, sizeof ret->user, "%s", user);
        ret->password = conninfo__env(pooler, "ADMIN_PASSWORD", NULL);
    } else if (users) {
        snprintf(ret->user, sizeof ret->user, "%.*s", (int)strcspn(users, ", "), users);
        if (strcmp(ret->user, role) == 0)
            ret->password = conninfo__env(pooler, "DB_PASSWORD", NULL);
    }
    return *ret->user;
}

/* The console's place in front of, or in place of, what `out` says of the database's. */
static void add_place(struct buf *out, const char *host, int port)
{
    void (*add)(struct buf *, const char *, const char *) =
        conninfo__is_uri(buf_text(out)) ? conninfo__add_to_uri : conninfo__add;
    char digits[16];
    snprintf(digits, sizeof digits, "%d", port);
    add(out, "host", host);
    add(out, "port", digits);
    add(out, "dbname", "pgbouncer");
}

static void add_passfile(struct buf *out, const struct reach_options *console)
{
    if (console->passfile && conninfo__is_uri(buf_text(out)))
        conninfo__add_to_uri(out, "passfile", console->passfile);
    else if (console->passfile)
        conninfo__add(out, "passfile", console->passfile);
}

/* As configured; what it leaves out of host, port and dbname is the container's. */
static void add_configured(struct buf *out, const struct reach_options *console, const char *host,
                           int port)
{
    if (host && !conninfo__is_uri(console->connect)) {
        add_place(out, host, port);
        buf_puts(out, " ");
    }
    buf_puts(out, console->connect);
    add_passfile(out, console);
}

static void add_admin(struct buf *out, const struct admin *admin,
                      const struct reach_options *console, const char *host, int port)
{
    add_place(out, host, port);
    conninfo__add(out, "user", admin->user);
    if (admin->password)
        conninfo__add(out, "password", admin->password);
    add_passfile(out, console);
}

/* As the database is logged in to, at another place. */
static int add_as_database(struct buf *out, const struct container *database,
                           const struct reach_options *console, const struct reach_options *options,
                           const char *host, int port, struct err *e)
{
    CLEANUP_FREE char *way =
        database || options->connect ? reach_conninfo(database, options, e) : NULL;
    if (!way)
        return err_set(e, ERR_NOT_FOUND, "it is not known who may use the pooler's console");
    buf_puts(out, way);
    explicit_bzero(way, strlen(way));
    add_place(out, host, port);
    add_passfile(out, console);
    return 0;
}

char *pooler_conninfo(const struct container *pooler, const struct container *database,
                      const struct reach_options *console, const struct reach_options *options,
                      struct err *e)
{
    struct buf out;
    struct admin admin;
    const char *host = NULL;
    int port = 0;
    int status = 0;
    buf_init(&out, CONNINFO_MAX);
    bool placed = conninfo__address(pooler, console_port(pooler), &host, &port);
    if (console->connect)
        add_configured(&out, console, placed ? host : NULL, port);
    else if (!placed)
        status = err_set(e, ERR_NOT_FOUND, "the pooler's container %s has no address (%s)",
                         pooler->name, container_state_name(pooler->state));
    else if (find_admin(pooler, &admin))
        add_admin(&out, &admin, console, host, port);
    else
        status = add_as_database(&out, database, console, options, host, port, e);
    out.overflowed |= status != 0;
    char *conninfo = conninfo__take(&out);
    if (!conninfo && status == 0)
        err_set(e, ERR_INVALID, "the connection settings of %s are longer than %d characters",
                pooler->name, CONNINFO_MAX);
    else if (!conninfo)
        err_hint(e, "set pgbouncer.connect in the configuration");
    return conninfo;
}
