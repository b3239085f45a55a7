/* See pgb_fixture.h. */
#include "tests/unit/pgb_fixture.h"

#include "base/mem.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

static const char program[] = "/usr/sbin/pgbouncer";

static char *ini_path(const struct pgb *pgb)
{
    return mem_printf("%s/pgbouncer.ini", pgb->pg->dir);
}

static void write_ini(const struct pgb *pgb, const char *settings)
{
    CLEANUP_FREE char *path = ini_path(pgb);
    FILE *out = fopen(path, "w");
    ck_assert_ptr_nonnull(out);
    fprintf(
        out,
        "[databases]\napp = host=%s port=%d dbname=app user=guard\n[pgbouncer]\nlisten_addr = "
        "127.0.0.1\n"
        "listen_port = %d\nunix_socket_dir =\nauth_type = trust\nauth_file = %s/users.txt\n"
        "pool_mode = transaction\ndefault_pool_size = 1\nadmin_users = app\nstats_users = seer\n%s",
        pgb->pg->dir, pgb->pg->port, pgb->port, pgb->pg->dir, settings);
    fclose(out);
    CLEANUP_FREE char *users = mem_printf("%s/users.txt", pgb->pg->dir);
    out = fopen(users, "w");
    ck_assert_ptr_nonnull(out);
    fputs("\"app\" \"\"\n\"guard\" \"\"\n\"plain\" \"\"\n\"seer\" \"\"\n", out);
    fclose(out);
}

static void launch(struct pgb *pgb)
{
    CLEANUP_FREE char *ini = ini_path(pgb);
    pgb->pid = fork();
    ck_assert_int_ge(pgb->pid, 0);
    if (pgb->pid == 0) {
        if (!freopen("/dev/null", "w", stderr))
            _exit(126);
        const char *const root[] = {program, "-q", "-u", "postgres", ini, NULL};
        const char *const user[] = {program, "-q", ini, NULL};
        const char *const *argv = geteuid() == 0 ? root : user;
        execv(argv[0], (char *const *)argv);
        _exit(127);
    }
}

static void await_console(const struct pgb *pgb)
{
    for (;;) {
        PGconn *conn = PQconnectdb(pgb_conninfo(pgb, "pgbouncer", "app"));
        bool open = PQstatus(conn) == CONNECTION_OK;
        PQfinish(conn);
        if (open)
            return;
        ck_assert_int_eq(waitpid(pgb->pid, NULL, WNOHANG), 0);
    }
}

bool pgb_start(struct pgb *pgb, const struct pg *pg, const char *settings)
{
    *pgb = (struct pgb){.pg = pg, .port = free_port()};
    if (access(program, X_OK) != 0) {
        puts("no PgBouncer: nothing is tested");
        return false;
    }
    write_ini(pgb, settings);
    pgb_again(pgb);
    return true;
}

void pgb_again(struct pgb *pgb)
{
    launch(pgb);
    await_console(pgb);
}

void pgb_kill(struct pgb *pgb)
{
    if (pgb->pid <= 0)
        return;
    kill(pgb->pid, SIGKILL);
    waitpid(pgb->pid, NULL, 0);
    pgb->pid = 0;
}

const char *pgb_conninfo(const struct pgb *pgb, const char *database, const char *user)
{
    static char texts[3][120];
    static int next;
    char *text = texts[next++ % 3];
    snprintf(text, sizeof texts[0], "host=127.0.0.1 port=%d dbname=%s user=%s", pgb->port, database,
             user);
    return text;
}

PGconn *pgb_connect(const struct pgb *pgb, const char *database, const char *user)
{
    PGconn *conn = PQconnectdb(pgb_conninfo(pgb, database, user));
    ck_assert_msg(PQstatus(conn) == CONNECTION_OK, "%s", PQerrorMessage(conn));
    return conn;
}
