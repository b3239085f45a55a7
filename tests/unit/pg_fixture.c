/* See pg_fixture.h. */
#include "tests/unit/pg_fixture.h"

#include "base/buf.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <glob.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

static char template_dir[64];

/* --- processes ------------------------------------------------------------------------------ */

static const char *bin_dir(void)
{
    static char dir[128];
    glob_t found;
    if (!dir[0] && glob("/usr/lib/postgresql/*/bin", 0, NULL, &found) == 0) {
        snprintf(dir, sizeof dir, "%s", found.gl_pathv[found.gl_pathc - 1]);
        globfree(&found);
    }
    ck_assert_msg(dir[0], "no PostgreSQL server under /usr/lib/postgresql");
    return dir;
}

/* PostgreSQL refuses to run as root. The kernel forgets the death signal with a change of user, so
 * it is asked for afterwards; a test that dies takes its server along. */
static void become_postgres(int death_signal)
{
    struct passwd *user = geteuid() == 0 ? getpwnam("postgres") : NULL;
    if (user && (setgroups(0, NULL) != 0 || setgid(user->pw_gid) != 0 || setuid(user->pw_uid) != 0))
        _exit(126);
    prctl(PR_SET_PDEATHSIG, death_signal);
    unsetenv("PGHOST");
}

static pid_t spawn(const char *dir, const char *const *argv)
{
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid > 0)
        return pid;
    become_postgres(SIGQUIT);
    CLEANUP_FREE char *log = mem_printf("%s/log", dir);
    if (!freopen(log, "a", stderr) || !freopen("/dev/null", "r", stdin))
        _exit(126);
    dup2(STDERR_FILENO, STDOUT_FILENO);
    setpgid(0, 0);
    execv(argv[0], (char *const *)argv);
    _exit(127);
}

static void run_to_end(const char *dir, const char *const *argv)
{
    int status;
    pid_t pid = spawn(dir, argv);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s failed, see %s/log", argv[0],
                  dir);
}

static void make_dir(char dir[static 64], const char *pattern)
{
    snprintf(dir, 64, "%s", pattern);
    ck_assert_ptr_nonnull(mkdtemp(dir));
    struct passwd *user = geteuid() == 0 ? getpwnam("postgres") : NULL;
    if (user)
        ck_assert_int_eq(chown(dir, user->pw_uid, user->pw_gid), 0);
}

static void remove_dir(const char *dir)
{
    ck_assert(strncmp(dir, "/tmp/pgt.", 9) == 0);
    CLEANUP_FREE char *command = mem_printf("rm -rf %s", dir);
    ck_assert_int_eq(system(command), 0);
}

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/* --- the server ----------------------------------------------------------------------------- */

static int bound_socket(int *ret_port)
{
    /* Outside the range from which the kernel takes ports of outgoing connections. */
    for (int port = 20000 + getpid() * 37 % 10000;; port++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_port = htons((uint16_t)port),
                                      .sin_addr = {htonl(INADDR_LOOPBACK)}};
        ck_assert_int_ge(fd, 0);
        if (bind(fd, (struct sockaddr *)&address, sizeof address) == 0) {
            *ret_port = port;
            return fd;
        }
        ck_assert_int_eq(errno, EADDRINUSE);
        close(fd);
    }
}

int free_port(void)
{
    int port;
    close(bound_socket(&port));
    return port;
}

void pg_launch(struct pg *pg)
{
    CLEANUP_FREE char *postgres = mem_printf("%s/postgres", bin_dir());
    CLEANUP_FREE char *data = mem_printf("%s/data", pg->dir);
    CLEANUP_FREE char *port = mem_printf("--port=%d", pg->port);
    CLEANUP_FREE char *sockets = mem_printf("--unix_socket_directories=%s", pg->dir);
    const char *argv[] = {postgres, "-D", data, port, sockets, NULL};
    pg->pid = spawn(pg->dir, argv);
}

PGconn *pg_try(const struct pg *pg, const char *user, const char *application)
{
    CLEANUP_FREE char *conninfo =
        mem_printf("host=%s port=%d dbname=app user=%s application_name='%s'", pg->dir, pg->port,
                   user, application);
    PGconn *conn = PQconnectdb(conninfo);
    if (PQstatus(conn) == CONNECTION_OK)
        return conn;
    PQfinish(conn);
    return NULL;
}

void pg_await_ready(struct pg *pg)
{
    PGconn *conn = NULL;
    for (int tries = 0; !conn && tries < 3000; tries++) {
        conn = pg_try(pg, "postgres", "fixture");
        if (!conn)
            pause_ms(10);
    }
    ck_assert_msg(conn, "the server does not come up, see %s/log", pg->dir);
    PQfinish(conn);
}

void pg_start(struct pg *pg)
{
    /* Inside the template's, so that it goes with that if the test dies. */
    CLEANUP_FREE char *pattern = mem_printf("%s/XXXXXX", template_dir);
    make_dir(pg->dir, pattern);
    pg->port = free_port();
    CLEANUP_FREE char *from = mem_printf("%s/data", template_dir);
    CLEANUP_FREE char *to = mem_printf("%s/data", pg->dir);
    const char *argv[] = {"/bin/cp", "-a", from, to, NULL};
    run_to_end(pg->dir, argv);
    pg_launch(pg);
    pg_await_ready(pg);
}

void pg_halt(struct pg *pg, int signal_number)
{
    int status;
    if (pg->pid <= 0)
        return;
    kill(pg->pid, signal_number);
    ck_assert_int_eq(waitpid(pg->pid, &status, 0), pg->pid);
    pg->pid = 0;
}

void pg_stop(struct pg *pg)
{
    if (pg->pid > 0)
        kill(pg->pid, SIGCONT);
    pg_halt(pg, SIGQUIT);
    remove_dir(pg->dir);
}

static void write_settings(const char *data)
{
    CLEANUP_FREE char *conf = mem_printf("%s/postgresql.conf", data);
    CLEANUP_FREE char *hba = mem_printf("%s/pg_hba.conf", data);
    FILE *out = fopen(conf, "a");
    ck_assert_ptr_nonnull(out);
    fputs("listen_addresses = '127.0.0.1'\nmax_connections = 20\n"
          "superuser_reserved_connections = 3\nfsync = off\nlog_min_messages = warning\n"
          "shared_buffers = 16MB\nmax_wal_size = 64MB\nautovacuum = off\n"
          "max_prepared_transactions = 2\n",
          out);
    fclose(out);
    out = fopen(hba, "w");
    ck_assert_ptr_nonnull(out);
    fputs("local all all trust\nhost all stranger 127.0.0.1/32 reject\n"
          "host all all 127.0.0.1/32 scram-sha-256\n",
          out);
    fclose(out);
}

static void make_roles(void)
{
    struct pg pg = {.port = free_port()};
    snprintf(pg.dir, sizeof pg.dir, "%s", template_dir);
    pg_launch(&pg);
    CLEANUP_FREE char *conninfo =
        mem_printf("host=%s port=%d dbname=postgres user=postgres", pg.dir, pg.port);
    PGconn *conn = NULL;
    for (int tries = 0; tries < 3000; tries++) {
        conn = PQconnectdb(conninfo);
        if (PQstatus(conn) == CONNECTION_OK)
            break;
        PQfinish(conn);
        pause_ms(10);
    }
    pg_run(conn, "CREATE DATABASE app");
    pg_run(conn, "CREATE ROLE app LOGIN PASSWORD 'app';"
                 "CREATE ROLE guard LOGIN PASSWORD 'guard' IN ROLE pg_monitor, pg_signal_backend;"
                 "CREATE ROLE watcher LOGIN PASSWORD 'watcher' IN ROLE pg_monitor;"
                 "CREATE ROLE plain LOGIN PASSWORD 'plain'");
    PQfinish(conn);
    pg_halt(&pg, SIGINT);
}

void pg_template_make(void)
{
    make_dir(template_dir, "/tmp/pgt.XXXXXX");
    CLEANUP_FREE char *initdb = mem_printf("%s/initdb", bin_dir());
    CLEANUP_FREE char *data = mem_printf("%s/data", template_dir);
    const char *argv[] = {initdb,      "-D", data,   "-U",         "postgres",        "-A", "trust",
                          "--no-sync", "-E", "UTF8", "--locale=C", "--wal-segsize=1", NULL};
    run_to_end(template_dir, argv);
    write_settings(data);
    make_roles();
}

void pg_template_remove(void)
{
    remove_dir(template_dir);
}

/* --- sessions ------------------------------------------------------------------------------- */

const char *pg_conninfo(const struct pg *pg, const char *user)
{
    static char texts[3][240];
    static int next;
    char *text = texts[next++ % 3];
    /* The server has neither TLS nor Kerberos: a login need not make both ready to hear that. */
    snprintf(text, sizeof texts[0],
             "host=127.0.0.1 port=%d dbname=app user=%s password=%s sslmode=disable "
             "gssencmode=disable",
             pg->port, user, user);
    return text;
}

PGconn *pg_connect(const struct pg *pg, const char *user, const char *application)
{
    PGconn *conn = pg_try(pg, user, application);
    ck_assert_msg(conn, "no login for %s", user);
    return conn;
}

static PGresult *vrun(PGconn *conn, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

static PGresult *vrun(PGconn *conn, const char *format, va_list args)
{
    CLEANUP_FREE char *sql = mem_vprintf(format, args);
    PGresult *result = PQexec(conn, sql);
    ExecStatusType status = PQresultStatus(result);
    ck_assert_msg(status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK, "%s: %s", sql,
                  PQerrorMessage(conn));
    return result;
}

void pg_run(PGconn *conn, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    PQclear(vrun(conn, format, args));
    va_end(args);
}

long pg_number(PGconn *conn, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    PGresult *result = vrun(conn, format, args);
    va_end(args);
    ck_assert_int_eq(PQntuples(result), 1);
    long number = strtol(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
    return number;
}

void crowd_join(struct crowd *crowd, const struct pg *pg, const char *user, int count)
{
    for (int i = 0; i < count; i++)
        crowd->conns[crowd->count++] = pg_connect(pg, user, "crowd");
}

/* The slots that the role could still have; 0 where a limit of its own or the database's counts. */
static long slots_left(PGconn *conn, const char *user)
{
    if (pg_number(conn,
                  "SELECT count(*) FROM pg_roles, pg_database WHERE rolname = '%s' AND datname = "
                  "current_database() AND (rolconnlimit >= 0 OR datconnlimit >= 0)",
                  user) > 0)
        return 0;
    return pg_number(
        conn,
        "SELECT current_setting('max_connections')::int - count(*) - CASE WHEN '%s' = "
        "'postgres' THEN 0 ELSE current_setting('superuser_reserved_connections')::int "
        "END FROM pg_stat_activity WHERE usename IS NOT NULL AND datid IS NOT NULL",
        user);
}

/* A login that is refused has a slot for a moment itself, so that a refusal alone says little. */
void crowd_fill(struct crowd *crowd, const struct pg *pg, const char *user)
{
    do {
        PGconn *conn;
        while ((conn = pg_try(pg, user, "crowd")))
            crowd->conns[crowd->count++] = conn;
    } while (slots_left(crowd->conns[0], user) > 0);
}

void crowd_leave(struct crowd *crowd)
{
    while (crowd->count > 0)
        PQfinish(crowd->conns[--crowd->count]);
}

/* --- the back door -------------------------------------------------------------------------- */

struct door_run {
    uv_process_t process;
    uv_pipe_t pipe;
    struct pg_door *door;
    struct buf out;
    char chunk[4096];
    int open; /* handles */
    int64_t status;
    void (*done)(void *data, const struct err *e, const char *out);
    void *data;
};

static void door_closed(uv_handle_t *handle)
{
    struct door_run *run = handle->data;
    if (--run->open > 0)
        return;
    struct err e = {0};
    if (run->status != 0)
        err_set(&e, ERR_FAILED, "psql ended with %d", (int)run->status);
    run->done(run->data, err_is_set(&e) ? &e : NULL, buf_text(&run->out));
    buf_free(&run->out);
    free(run);
}

static void door_exited(uv_process_t *process, int64_t status, int signal_number)
{
    struct door_run *run = process->data;
    (void)signal_number;
    run->status = status;
    uv_close((uv_handle_t *)process, door_closed);
}

static void door_room(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
    struct door_run *run = handle->data;
    (void)size;
    *buf = uv_buf_init(run->chunk, sizeof run->chunk);
}

static void door_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
    struct door_run *run = stream->data;
    if (got < 0)
        uv_close((uv_handle_t *)stream, door_closed);
    else
        buf_add(&run->out, buf->base, (size_t)got);
}

static void door_broken(void *data)
{
    struct door_run *run = data;
    struct err e;
    err_set(&e, ERR_FAILED, "psql is not there");
    run->done(run->data, &e, NULL);
    free(run);
}

static void door_run_sql(void *context, const char *sql, int64_t deadline_ms,
                         void (*done)(void *data, const struct err *e, const char *out), void *data)
{
    struct pg_door *door = context;
    struct door_run *run = mem_new(sizeof *run);
    *run = (struct door_run){.door = door, .done = done, .data = data, .open = 2};
    ck_assert_int_gt(deadline_ms, 0);
    door->runs++;
    if (door->broken) {
        loop_defer(door->loop, door_broken, run);
        return;
    }
    buf_init(&run->out, 1024 * 1024);
    uv_pipe_init(loop_uv(door->loop), &run->pipe, 0);
    run->pipe.data = run->process.data = run;
    CLEANUP_FREE char *port = mem_printf("%d", door->pg->port);
    const char *user = door->user ? door->user : "postgres";
    const char *args[] = {"psql",     "-X",          "-A", "-t", "-q", "-v", "VERBOSITY=sqlstate",
                          "-h",       door->pg->dir, "-p", port, "-U", user, "-d",
                          "postgres", "-c",          sql,  NULL};
    uv_stdio_container_t stdio[3] = {
        {.flags = UV_IGNORE},
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&run->pipe},
        {.flags = UV_INHERIT_FD, .data.fd = 1}};
    /* Errors go where the values go, as from an exec of the Engine: the shell joins them. */
    CLEANUP_FREE char *script = mem_strdup("exec \"$@\" 2>&1");
    const char *shell[ARRAY_SIZE(args) + 4] = {"sh", "-c", script, "sh"};
    memcpy(shell + 4, args, sizeof args);
    uv_process_options_t options = {.file = "/bin/sh",
                                    .args = (char **)shell,
                                    .exit_cb = door_exited,
                                    .stdio = stdio,
                                    .stdio_count = 3};
    ck_assert_int_eq(uv_spawn(loop_uv(door->loop), &run->process, &options), 0);
    uv_read_start((uv_stream_t *)&run->pipe, door_room, door_read);
}

struct db_backdoor pg_backdoor(struct pg_door *door)
{
    return (struct db_backdoor){.run = door_run_sql, .context = door};
}

/* --- the spy, the fakes --------------------------------------------------------------------- */

static void spy(const struct pg *pg, volatile int *most)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    PGconn *conn = pg_try(pg, "postgres", "spy");
    *most = conn ? 0 : -1;
    for (;;) {
        PGresult *result = PQexec(conn, "SELECT count(*) FROM pg_stat_activity "
                                        "WHERE application_name = 'stack-supervisor'");
        if (PQresultStatus(result) != PGRES_TUPLES_OK)
            _exit(0); /* the server is gone */
        int now = (int)strtol(PQgetvalue(result, 0, 0), NULL, 10);
        PQclear(result);
        if (now > *most)
            *most = now;
        pause_ms(1); /* no login is shorter; under valgrind all the rest would stand still */
    }
}

void pg_spy_start(struct pg_spy *spy_, const struct pg *pg)
{
    spy_->most = mmap(NULL, sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne((void *)spy_->most, MAP_FAILED);
    *spy_->most = -2;
    spy_->pid = fork();
    ck_assert_int_ge(spy_->pid, 0);
    if (spy_->pid == 0)
        spy(pg, spy_->most);
    while (*spy_->most == -2)
        pause_ms(1);
    ck_assert_int_eq(*spy_->most, 0);
}

int pg_spy_stop(struct pg_spy *spy_)
{
    int status, most = *spy_->most;
    kill(spy_->pid, SIGKILL);
    waitpid(spy_->pid, &status, 0);
    munmap((void *)spy_->most, sizeof(int));
    return most;
}

static void serve(int fd, const char *reply, bool closes)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        int peer = accept(fd, NULL, NULL);
        char request[1024];
        if (peer < 0)
            _exit(0);
        if (recv(peer, request, sizeof request, 0) > 0)
            send(peer, reply, strlen(reply), MSG_NOSIGNAL);
        if (closes)
            close(peer);
    }
}

void fake_listen(struct fake_listener *fake, const char *reply, bool closes)
{
    fake->fd = bound_socket(&fake->port);
    fake->pid = 0;
    ck_assert_int_eq(listen(fake->fd, 16), 0);
    if (!reply)
        return; /* the kernel takes the connections; nobody ever looks at them */
    fake->pid = fork();
    ck_assert_int_ge(fake->pid, 0);
    if (fake->pid == 0)
        serve(fake->fd, reply, closes);
}

void fake_stop(struct fake_listener *fake)
{
    int status;
    close(fake->fd);
    if (fake->pid > 0) {
        kill(fake->pid, SIGKILL);
        waitpid(fake->pid, &status, 0);
    }
}
