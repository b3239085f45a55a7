/*
 * leaky - an application that leaks PostgreSQL connections on demand.
 *
 *   leaky                     run the application (usually as PID 1 of a container)
 *   leaky check               the health check: log in anew, SELECT 1; 0 = healthy, 1 = not
 *   leaky ctl KEY=VALUE ...   change the running application, e.g. ctl pool=20 mode=idle rate=50
 *
 * The database is named by libpq's own variables (PGHOST, PGUSER, PGPASSWORD, PGDATABASE, ...).
 * The application is told what to do by these; the first four can be changed by ctl (lower case):
 *
 *   POOL        connections to hold (0)
 *   RATE        connections to open per second (10)
 *   MODE        idle | idle_tx | active: what they do while held; polite: open, query, close
 *   REOPEN      1: open lost connections again, as a pool does; 0: lost stays lost (1)
 *   ON_REFUSED  retry | exit | unhealthy: what to do when a login is refused (retry);
 *               unhealthy fails every check from then on, until a restart: a broken pool
 *   PORT        answer "ok" over HTTP on this TCP port (none)
 *   LISTEN      1: only listen on PORT, no database: the part of a cache
 *   APP_NAME    application_name (leaky)
 *   START_DELAY seconds to be busy before the work begins; unhealthy until then (0)
 *   IGNORE_TERM 1: ignore SIGTERM, so that only SIGKILL stops it
 *
 * One thread, one poll(2) loop, connections opened without blocking: a hung server must not hang
 * the application too.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <libpq-fe.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define STATE_DIR    "/run/leaky"
#define CONTROL_FILE STATE_DIR "/mode"   /* written by ctl, read by the application */
#define READY_FILE   STATE_DIR "/ready"  /* exists once the application has begun to work */
#define BROKEN_FILE  STATE_DIR "/broken" /* exists once ON_REFUSED=unhealthy has struck */

enum {
    MAX_POOL = 1000,
    TICK_MS = 100,
    POLITE_PAUSE_MS = 1000,
    REFUSED_PAUSE_MS = 500,
    CONNECT_TIMEOUT_MS = 5000,
    CONTROL_TEXT_SIZE = 512,
};

enum mode { MODE_IDLE, MODE_IDLE_TX, MODE_ACTIVE, MODE_POLITE, MODE_COUNT };
enum on_refused { REFUSED_RETRY, REFUSED_EXIT, REFUSED_UNHEALTHY, REFUSED_COUNT };

static const char *const mode_names[MODE_COUNT] = {
    [MODE_IDLE] = "idle",
    [MODE_IDLE_TX] = "idle_tx",
    [MODE_ACTIVE] = "active",
    [MODE_POLITE] = "polite",
};

/* What a connection sends once it is open. The sleep outlasts every test. */
static const char *const mode_queries[MODE_COUNT] = {
    [MODE_IDLE] = "SELECT 1",
    [MODE_IDLE_TX] = "BEGIN; SELECT 1",
    [MODE_ACTIVE] = "SELECT pg_sleep(86400)",
    [MODE_POLITE] = "SELECT 1",
};

static const char *const on_refused_names[REFUSED_COUNT] = {
    [REFUSED_RETRY] = "retry",
    [REFUSED_EXIT] = "exit",
    [REFUSED_UNHEALTHY] = "unhealthy",
};

struct orders {
    int pool;
    int rate;
    enum mode mode;
    bool reopen;
};

enum slot_state { SLOT_EMPTY, SLOT_CONNECTING, SLOT_OPEN };

struct slot {
    enum slot_state state;
    PGconn *conn;
    short wants;   /* the poll(2) events libpq waits for */
    long since_ms; /* when the connection was begun */
};

struct app {
    struct orders orders;
    enum on_refused on_refused;
    struct timespec control_stamp; /* modification time of the control file last read */
    struct slot slots[MAX_POOL];
    int in_use;        /* slots that are not empty */
    int lost;          /* connections lost while REOPEN=0: they count as opened */
    long next_open_ms; /* no connection is begun before this time */
    int listener;      /* -1 = none */
};

/* ---- small helpers ---------------------------------------------------------------------- */

static long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000L + now.tv_nsec / 1000000L;
}

static const char *env_text(const char *name, const char *fallback)
{
    const char *value = getenv(name);
    return value != NULL && *value != '\0' ? value : fallback;
}

static bool parse_int(const char *text, int low, int high, int *out)
{
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value < low || value > high) {
        return false;
    }
    *out = (int)value;
    return true;
}

/* A bad variable is a mistake in the test: say so and end, rather than run another test. */
static int env_int(const char *name, int fallback, int low, int high)
{
    int value = fallback;
    const char *text = env_text(name, "");
    if (*text != '\0' && !parse_int(text, low, high, &value)) {
        fprintf(stderr, "leaky: %s=%s is not a number from %d to %d\n", name, text, low, high);
        exit(2);
    }
    return value;
}

static int index_of(const char *text, const char *const names[], int count)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(text, names[i]) == 0) {
            return i;
        }
    }
    return -1;
}

static int env_choice(const char *name, const char *const names[], int count)
{
    const char *text = env_text(name, names[0]);
    int choice = index_of(text, names, count);
    if (choice < 0) {
        fprintf(stderr, "leaky: %s=%s is not a choice\n", name, text);
        exit(2);
    }
    return choice;
}

static bool touch(const char *path)
{
    FILE *file = fopen(path, "we");
    return file != NULL && fclose(file) == 0;
}

/* ---- orders: from the environment, then from the control file ---------------------------- */

static struct orders orders_from_environment(void)
{
    return (struct orders){
        .pool = env_int("POOL", 0, 0, MAX_POOL),
        .rate = env_int("RATE", 10, 1, 1000),
        .mode = (enum mode)env_choice("MODE", mode_names, MODE_COUNT),
        .reopen = env_int("REOPEN", 1, 0, 1) != 0,
    };
}

static bool apply_order(struct orders *orders, const char *key, const char *value)
{
    int number;
    if (strcmp(key, "pool") == 0) {
        return parse_int(value, 0, MAX_POOL, &orders->pool);
    }
    if (strcmp(key, "rate") == 0) {
        return parse_int(value, 1, 1000, &orders->rate);
    }
    if (strcmp(key, "reopen") == 0) {
        bool valid = parse_int(value, 0, 1, &number);
        orders->reopen = valid ? number != 0 : orders->reopen;
        return valid;
    }
    if (strcmp(key, "mode") == 0) {
        int mode = index_of(value, mode_names, MODE_COUNT);
        orders->mode = mode < 0 ? orders->mode : (enum mode)mode;
        return mode >= 0;
    }
    return false;
}

/* Applies "key=value key=value ..."; the text is taken apart on the way. */
static bool apply_orders(struct orders *orders, char *text)
{
    bool valid = true;
    char *rest = NULL;
    for (char *word = strtok_r(text, " \n", &rest); word; word = strtok_r(NULL, " \n", &rest)) {
        char *equals = strchr(word, '=');
        if (equals == NULL) {
            return false;
        }
        *equals = '\0';
        valid = apply_order(orders, word, equals + 1) && valid;
    }
    return valid;
}

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static void read_control_file(struct app *app)
{
    struct stat status;
    if (stat(CONTROL_FILE, &status) != 0 || same_time(status.st_mtim, app->control_stamp)) {
        return;
    }
    app->control_stamp = status.st_mtim;
    FILE *file = fopen(CONTROL_FILE, "re");
    if (file == NULL) {
        return;
    }
    char text[CONTROL_TEXT_SIZE];
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    apply_orders(&app->orders, text); /* ctl has checked them before */
    app->lost = 0;
    app->next_open_ms = 0;
    printf("leaky: told to hold pool=%d mode=%s rate=%d reopen=%d\n", app->orders.pool,
           mode_names[app->orders.mode], app->orders.rate, app->orders.reopen);
}

/* ---- connections -------------------------------------------------------------------------- */

static PGconn *begin_login(const char *seconds)
{
    const char *const keys[] = {"dbname", "application_name", "connect_timeout", NULL};
    const char *const values[] = {env_text("PGDATABASE", ""), env_text("APP_NAME", "leaky"),
                                  seconds, NULL};
    return PQconnectStartParams(keys, values, 0);
}

static void empty_slot(struct app *app, struct slot *slot)
{
    PQfinish(slot->conn);
    *slot = (struct slot){.state = SLOT_EMPTY};
    app->in_use--;
}

/* The line real applications leave in their log: what libpq says, as it says it. */
static void log_failure(const PGconn *conn)
{
    const char *message = PQerrorMessage(conn);
    printf("leaky: %s%s", message, message[0] != '\0' && strchr(message, '\n') ? "" : "\n");
}

static void login_refused(struct app *app, struct slot *slot)
{
    log_failure(slot->conn);
    empty_slot(app, slot);
    app->next_open_ms = now_ms() + REFUSED_PAUSE_MS;
    if (app->on_refused == REFUSED_EXIT) {
        exit(1);
    }
    if (app->on_refused == REFUSED_UNHEALTHY) {
        touch(BROKEN_FILE);
    }
}

static void log_notice(void *unused, const char *message)
{
    (void)unused;
    printf("leaky: %s", message);
}

static void connection_lost(struct app *app, struct slot *slot)
{
    (void)PQisBusy(slot->conn); /* reads the server's parting words, a notice, if there are any */
    log_failure(slot->conn);
    empty_slot(app, slot);
    if (!app->orders.reopen) {
        app->lost++;
    }
}

static void login_done(struct app *app, struct slot *slot)
{
    slot->state = SLOT_OPEN;
    slot->wants = POLLIN;
    PQsetnonblocking(slot->conn, 1);
    PQsetNoticeProcessor(slot->conn, log_notice, NULL);
    if (PQsendQuery(slot->conn, mode_queries[app->orders.mode]) != 1) {
        connection_lost(app, slot);
    }
}

static void step_login(struct app *app, struct slot *slot)
{
    switch (PQconnectPoll(slot->conn)) {
    case PGRES_POLLING_READING:
        slot->wants = POLLIN;
        break;
    case PGRES_POLLING_WRITING:
        slot->wants = POLLOUT;
        break;
    case PGRES_POLLING_OK:
        login_done(app, slot);
        break;
    default:
        login_refused(app, slot);
        break;
    }
}

static void step_open(struct app *app, struct slot *slot)
{
    if (PQconsumeInput(slot->conn) != 1 || PQstatus(slot->conn) == CONNECTION_BAD) {
        connection_lost(app, slot);
        return;
    }
    bool answered = false;
    while (!PQisBusy(slot->conn)) {
        PGresult *result = PQgetResult(slot->conn);
        if (result == NULL) {
            break;
        }
        answered = true;
        PQclear(result);
    }
    if (answered && app->orders.mode == MODE_POLITE) {
        empty_slot(app, slot);
    }
}

static void open_one(struct app *app)
{
    struct slot *slot = app->slots;
    while (slot->state != SLOT_EMPTY) {
        slot++;
    }
    *slot = (struct slot){
        .state = SLOT_CONNECTING,
        .conn = begin_login("5"),
        .wants = POLLOUT,
        .since_ms = now_ms(),
    };
    app->in_use++;
    if (slot->conn == NULL || PQstatus(slot->conn) == CONNECTION_BAD) {
        login_refused(app, slot);
    }
}

static void open_what_is_due(struct app *app)
{
    long now = now_ms();
    if (app->next_open_ms == 0) {
        app->next_open_ms = now;
    }
    long pause = app->orders.mode == MODE_POLITE ? POLITE_PAUSE_MS : 1000 / app->orders.rate;
    while (app->in_use + app->lost < app->orders.pool && app->next_open_ms <= now) {
        app->next_open_ms += pause > 0 ? pause : 1;
        open_one(app);
    }
    if (app->next_open_ms < now) {
        app->next_open_ms = now; /* nothing was due: do not save up for a burst */
    }
}

static void close_what_is_too_much(struct app *app)
{
    for (int i = MAX_POOL - 1; i >= 0 && app->in_use > app->orders.pool; i--) {
        if (app->slots[i].state != SLOT_EMPTY) {
            empty_slot(app, &app->slots[i]);
        }
    }
}

/* ---- the listener ------------------------------------------------------------------------- */

static int open_listener(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr.s_addr = htonl(INADDR_ANY),
    };
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 16) != 0) {
        printf("leaky: cannot listen on port %d: %s\n", port, strerror(errno));
        exit(1);
    }
    return fd;
}

static void answer_visitor(int listener)
{
    static const char answer[] = "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nok\n";
    const struct timeval patience = {.tv_usec = TICK_MS * 1000L};
    char request[1024];
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) {
        return;
    }
    /* Read before closing: unread bytes would turn the close into a reset. */
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (recv(fd, request, sizeof request, 0) >= 0 || errno == EAGAIN) {
        (void)!send(fd, answer, sizeof answer - 1, MSG_NOSIGNAL);
    }
    close(fd);
}

/* ---- the loop ------------------------------------------------------------------------------ */

static void step_slot(struct app *app, struct slot *slot, bool ready)
{
    if (slot->state == SLOT_CONNECTING && ready) {
        step_login(app, slot);
    } else if (slot->state == SLOT_CONNECTING && now_ms() - slot->since_ms > CONNECT_TIMEOUT_MS) {
        printf("leaky: login timed out after %d ms\n", CONNECT_TIMEOUT_MS);
        login_refused(app, slot);
    } else if (slot->state == SLOT_OPEN && ready) {
        step_open(app, slot);
    }
}

static void wait_and_step(struct app *app)
{
    static struct pollfd fds[MAX_POOL + 1];
    fds[MAX_POOL] = (struct pollfd){.fd = app->listener, .events = POLLIN};
    for (int i = 0; i < MAX_POOL; i++) {
        struct slot *slot = &app->slots[i];
        bool used = slot->state != SLOT_EMPTY;
        fds[i] = (struct pollfd){.fd = used ? PQsocket(slot->conn) : -1, .events = slot->wants};
    }
    if (poll(fds, MAX_POOL + 1, TICK_MS) < 0) {
        return;
    }
    for (int i = 0; i < MAX_POOL; i++) {
        step_slot(app, &app->slots[i], fds[i].revents != 0);
    }
    if (fds[MAX_POOL].revents != 0) {
        answer_visitor(app->listener);
    }
}

static void end_at_once(int signal)
{
    (void)signal;
    _exit(0); /* the kernel closes the connections: PostgreSQL sees its client gone */
}

static void handle_signals(void)
{
    /* PID 1 gets no default action: without a handler SIGTERM and SIGINT would be ignored. */
    struct sigaction on_term = {.sa_handler = end_at_once};
    if (env_int("IGNORE_TERM", 0, 0, 1) != 0) {
        on_term.sa_handler = SIG_IGN;
    }
    sigaction(SIGTERM, &on_term, NULL);
    sigaction(SIGINT, &on_term, NULL);
}

/* A restarted container keeps its files: orders of its former life must not come back. */
static void forget_former_life(void)
{
    unlink(CONTROL_FILE);
    unlink(READY_FILE);
    unlink(BROKEN_FILE);
}

static _Noreturn void run_application(void)
{
    static struct app app;
    setvbuf(stdout, NULL, _IOLBF, 0);
    forget_former_life();
    handle_signals();
    app.orders = orders_from_environment();
    app.on_refused = (enum on_refused)env_choice("ON_REFUSED", on_refused_names, REFUSED_COUNT);
    sleep((unsigned)env_int("START_DELAY", 0, 0, 3600));
    int port = env_int("PORT", 0, 0, 65535);
    app.listener = port != 0 ? open_listener(port) : -1;
    touch(READY_FILE);
    printf("leaky: %s ready, pool=%d mode=%s\n", env_text("APP_NAME", "leaky"), app.orders.pool,
           mode_names[app.orders.mode]);
    for (;;) {
        read_control_file(&app);
        if (env_int("LISTEN", 0, 0, 1) == 0) {
            close_what_is_too_much(&app);
            open_what_is_due(&app);
        }
        wait_and_step(&app);
    }
}

/* ---- leaky check ---------------------------------------------------------------------------- */

static int check_listener(void)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)env_int("PORT", 0, 1, 65535)),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        printf("cannot connect to own port: %s\n", strerror(errno));
        return 1;
    }
    close(fd);
    return 0;
}

static int check_database(void)
{
    const char *const keys[] = {"dbname", "application_name", "connect_timeout", NULL};
    const char *const values[] = {env_text("PGDATABASE", ""), "health check", "2", NULL};
    PGconn *conn = PQconnectdbParams(keys, values, 0);
    int status = 1;
    if (PQstatus(conn) == CONNECTION_OK) {
        PGresult *result = PQexec(conn, "SELECT 1");
        status = PQresultStatus(result) == PGRES_TUPLES_OK ? 0 : 1;
        PQclear(result);
    }
    if (status != 0) {
        fputs(PQerrorMessage(conn), stdout);
    }
    PQfinish(conn);
    return status;
}

static int run_check(void)
{
    if (access(READY_FILE, F_OK) != 0) {
        puts("not ready yet");
        return 1;
    }
    if (access(BROKEN_FILE, F_OK) == 0) {
        puts("the pool is broken since a login was refused; restart the application");
        return 1;
    }
    return env_int("LISTEN", 0, 0, 1) != 0 ? check_listener() : check_database();
}

/* ---- leaky ctl ------------------------------------------------------------------------------ */

static bool join_words(int count, char *words[], char *text, size_t size)
{
    size_t length = 0;
    for (int i = 0; i < count; i++) {
        int added = snprintf(text + length, size - length, "%s\n", words[i]);
        if (added < 0 || (size_t)added >= size - length) {
            return false;
        }
        length += (size_t)added;
    }
    return true;
}

/* Written beside and renamed, so that the application never reads half of it. */
static bool write_control_file(const char *text)
{
    FILE *file = fopen(CONTROL_FILE ".new", "we");
    if (file == NULL) {
        return false;
    }
    bool written = fputs(text, file) >= 0;
    return fclose(file) == 0 && written && rename(CONTROL_FILE ".new", CONTROL_FILE) == 0;
}

static int run_ctl(int count, char *words[])
{
    char text[CONTROL_TEXT_SIZE] = "";
    char copy[CONTROL_TEXT_SIZE];
    struct orders probe = {0};
    bool fits = join_words(count, words, text, sizeof text);
    memcpy(copy, text, sizeof copy); /* checking takes the text apart */
    if (!fits || !apply_orders(&probe, copy)) {
        fputs("leaky: ctl takes pool=N rate=N reopen=0|1 mode=idle|idle_tx|active|polite\n",
              stderr);
        return 2;
    }
    if (!write_control_file(text)) {
        perror("leaky: " CONTROL_FILE);
        return 1;
    }
    return 0;
}

int main(int argc, char *argv[])
{
    if (argc == 1) {
        run_application();
    }
    if (argc == 2 && strcmp(argv[1], "check") == 0) {
        return run_check();
    }
    if (argc >= 3 && strcmp(argv[1], "ctl") == 0) {
        return run_ctl(argc - 2, argv + 2);
    }
    fputs("usage: leaky [check | ctl KEY=VALUE ...]\n", stderr);
    return 2;
}
