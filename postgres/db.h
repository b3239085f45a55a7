/* The PostgreSQL client: the door of postgres/.
 *
 * One `struct db` watches one server with at most TWO connection slots, ever: the **lifeline**, a
 * session opened in good times and kept, and one other session at a time (a probe's fresh login,
 * or a query's when the lifeline is gone). Everything that wants that second slot queues for it.
 * When no login is to be had, a **back door** given by the caller (an exec of psql into the
 * container, as its superuser over its Unix socket) takes the second slot's place.
 *
 * Every call is an operation by the contract of base/op.h. libpq's connect_timeout does nothing in
 * asynchronous mode and a stopped postmaster accepts without ever answering, so deadlines are ours.
 * Every statement sent yields exactly one JSON value, so that a session and the back door are read
 * by the same code. What a callback is given is borrowed for its duration.
 *
 * Passwords live in the connection string in memory, are taken from libpq's own places when it has
 * none, and never appear in an error or a log.
 *
 * May use: base, libpq. Knows nothing of Docker, playbooks or policies.
 */
#ifndef POSTGRES_DB_H
#define POSTGRES_DB_H

#include "base/err.h"
#include "base/json.h"
#include "base/loop.h"
#include "base/op.h"

struct db;

/* --- the state of a server, by SQLSTATE and never by text ----------------------------------- */

enum db_state {
    DB_UNKNOWN,   /* not asked yet */
    DB_READY,     /* a login and a statement succeeded; is_standby tells whether it takes writes */
    DB_EXHAUSTED, /* 53300: see db_exhaustion for which limit */
    /* 57P03 is all that the server says in these three. They are told apart by what was seen
     * before (phase.h): without a lifeline, and without db_expect_shutdown(), it is always
     * "starting". All three mean: wait, and do not kill it. */
    DB_STARTING,
    DB_RECOVERING,    /* after a crash that the lifeline saw: WAL is replayed */
    DB_SHUTTING_DOWN, /* the lifeline is still open, or it was ended by a shutdown, or announced */
    DB_REFUSED,       /* nobody listens there */
    DB_AUTH_FAILED,   /* 28P01, 28000, no password: the server is well, we are not let in */
    DB_UNREACHABLE, /* no route, name not known, connection lost, not PostgreSQL at all, 3D000 … */
    DB_HUNG,        /* accepts and never answers */
    DB_STATES
};

/* 53300 has four meanings; a restart cures only the first two. */
enum db_exhaustion {
    DB_EXHAUSTION_NONE,
    DB_EXHAUSTION_RESERVED, /* ordinary slots are gone, reserved ones are left */
    DB_EXHAUSTION_ALL,      /* every slot is taken */
    DB_EXHAUSTION_ROLE,     /* the role's CONNECTION LIMIT */
    DB_EXHAUSTION_DATABASE, /* the database's CONNECTION LIMIT */
    DB_EXHAUSTION_UNKNOWN,  /* nobody could be asked which, or none is met any more */
    DB_EXHAUSTIONS
};

const char *db_state_name(enum db_state state);                /* "ready", "exhausted", … */
const char *db_exhaustion_name(enum db_exhaustion exhaustion); /* "reserved", "all", "role", … */
enum db_state db_state_parse(const char *name);

/* --- making one ----------------------------------------------------------------------------- */

/* How to get in when no login is to be had: runs one SQL text as a superuser inside the server's
 * container and calls done exactly once, never from inside run. The text is one argument of psql's
 * -c (several statements in one message: its limits stand in front), at most 100 kB. `out` is what
 * psql printed, standard output and errors, run as
 *     psql -X -A -t -q -v VERBOSITY=sqlstate -c TEXT
 * `e` tells that psql could not be run, or ended with an error; `out` (may be NULL) is read all
 * the same. It uses one slot while it runs. `sql` is borrowed for the call of run. */
struct db_backdoor {
    void (*run)(void *context, const char *sql, int64_t deadline_ms,
                void (*done)(void *data, const struct err *e, const char *out), void *data);
    void *context;
};

struct db_options {
    const char *conninfo; /* libpq's: keywords or URI; copied. A host name is resolved off the
                             loop's thread, never by libpq. */
    const char *application_name;       /* NULL: "stack-supervisor" */
    const struct db_backdoor *backdoor; /* copied; NULL: none */
};

/* ERR_INVALID for a connection string that libpq does not understand. Connects nothing. */
int db_new(struct loop *loop, const struct db_options *options, struct db **ret, struct err *e);

/* A connection string says itself where the server is (host, hostaddr), or cannot be read. */
bool db_conninfo_has_host(const char *conninfo);

/* Ends both sessions (each says goodbye, so that its slot is free at once) and gives up what is
 * under way; the callbacks still come. Accepts NULL; returns NULL. */
struct db *db_free(struct db *db);

/* "host=127.0.0.1 port=5432 dbname=x user=y": never a password. As long as db lives. */
const char *db_where(const struct db *db);

/* --- the lifeline --------------------------------------------------------------------------- */

/* Opens the lifeline and keeps it: when it is lost it is tried again after 1 s, doubling to 30 s,
 * never while another login of ours is under way. on_change (may be NULL) tells each opening
 * (e NULL) and each loss (e says why, with the server's SQLSTATE), not each vain try. */
typedef void (*db_lifeline_fn)(void *data, bool open, const struct err *e);
void db_lifeline_keep(struct db *db, db_lifeline_fn on_change, void *data);
void db_lifeline_drop(struct db *db); /* closes it and stops trying: before a planned stop */
bool db_lifeline_is_open(const struct db *db);
void db_lifeline_retry_now(struct db *db); /* somebody knows the server is up again */

/* The caller is about to stop the server, or (false) has given that up: while it is so, 57P03 means
 * shutting down. It ends by itself when nobody listens there any more. */
void db_expect_shutdown(struct db *db, bool stop_ahead);

/* --- the probe ------------------------------------------------------------------------------ */

struct db_probe {
    enum db_state state;
    enum db_exhaustion exhaustion;
    char sqlstate[6]; /* "" when none came */
    bool lifeline_open;
    bool is_standby;    /* when ready */
    int64_t started_us; /* pg_postmaster_start_time, µs since 1970, when ready; else 0 */
    int64_t took_ms;    /* from its turn to the result */
    struct err why;     /* when not ready: what was tried, the answer, the next step */
};
typedef void (*db_probe_fn)(void *data, const struct db_probe *probe);

/* One fresh login and one statement, then logs out. Never fails as an operation: what happened is
 * the state; a deadline that passes is DB_HUNG (it accepted) or DB_UNREACHABLE (it did not), a
 * cancel is DB_UNKNOWN. A deadline that passed behind another login of ours is silence as well when
 * that one has met no answer in all this time; else (it was slow in other ways) it is DB_UNKNOWN.
 * An exhausted answer is followed by one question over the lifeline or the back door about which
 * limit was met. */
op_id db_probe(struct db *db, int64_t deadline_ms, db_probe_fn done, void *data);

/* --- who holds the connections -------------------------------------------------------------- */

struct db_session {
    int pid;
    char *backend_start; /* as text: (pid, backend_start) names a session for good */
    char *role, *database, *application;
    char *client; /* address, or "local" for a Unix socket, or "" when it may not be seen */
    int client_port;
    char *state; /* "active", "idle", "idle in transaction", "idle in transaction (aborted)", … */
    char *backend_type; /* "client backend", "walsender", … */
    double state_age_s; /* since the last change of state */
    double age_s;       /* since login */
    int blocks;         /* how many others wait for a lock of it */
    bool superuser, replication, ours;
    bool backup; /* runs or looks like a backup (by application name or query) */
    bool denied; /* the role that we came in as may not end it */
};

struct db_activity {
    int references;
    int max_connections;
    int reserved;    /* superuser_reserved_connections + reserved_connections (16+) */
    int used;        /* client backends */
    int available;   /* ordinary slots still free; may be negative */
    bool restricted; /* pg_monitor is missing: states and addresses of others are hidden */
    int blocked;     /* client backends that wait for a lock */
    int prepared;    /* prepared transactions: they hold locks and have no session */
    bool in_recovery;
    char *version;               /* "15.18" */
    char *role;                  /* that we came in as */
    const char *by;              /* "lifeline", "login", "container": the way in */
    struct db_session *sessions; /* client backends and walsenders; the oldest in its state first */
    size_t session_count;
};
/* A snapshot is never changed once it is made, so it may be shared: the last one frees it. */
struct db_activity *db_activity_ref(const struct db_activity *activity);
void db_activity_free(struct db_activity *activity); /* gives a reference up; accepts NULL */

typedef void (*db_activity_fn)(void *data, const struct err *e, const struct db_activity *activity);

/* A snapshot, by the lifeline, else by a login, else by the back door. ERR_EXHAUSTED when no way
 * in is left. */
op_id db_activity(struct db *db, int64_t deadline_ms, db_activity_fn done, void *data);

/* {"max":…,"reserved":…,"used":…,"available":…,"utilization":0..1,"by":…,"sessions":[…]}. */
json_t *db_activity_json(const struct db_activity *activity);

/* From the JSON that our statement yields; pure, fuzzed. The caller frees it. */
int db_activity_parse(const char *text, size_t len, struct db_activity **ret, struct err *e);

/* used / (max - reserved), 0 when unknown. */
double db_activity_utilization(const struct db_activity *activity);

/* --- cleaning ------------------------------------------------------------------------------- */

/* One session for good: its pid alone may be another's later. */
struct db_session_id {
    int pid;
    const char *backend_start;
};

struct db_clean_rules {
    int64_t idle_ms;                /* end sessions idle longer than this; < 0: leave them */
    int64_t idle_in_transaction_ms; /* the same for open transactions */
    /* Only these, when given (NULL-terminated lists, exact names; a trailing '*' matches any
     * tail): */
    const char *const *applications;
    const char *const *roles;
    const char *const *databases;
    const char *const *clients; /* addresses */
    /* These very sessions; beside `clients` one of the two is enough. NULL: not asked for; none in
     * the list: nobody. */
    const struct db_session_id *sessions;
    size_t session_count;
    const char *const *protect; /* never: application or role names */
    bool superusers;            /* also sessions of superusers (needs to be one) */
    bool all;                   /* every ordinary session whatever its state: before a restart */
    int limit;                  /* at most so many; 0 = no limit */
};
/* The defaults: idle and idle in transaction for more than 60 s. */
#define DB_CLEAN_DEFAULTS                                                                          \
    ((struct db_clean_rules){.idle_ms = 60000, .idle_in_transaction_ms = 60000})

enum db_verdict {
    DB_VICTIM, /* to be ended (dry run), or ended and gone */
    DB_SPARED, /* old enough to be a victim, and protected: see why */
    DB_STAYED, /* told to end, and not seen to go: still there at the deadline, or see why */
    DB_DENIED, /* the server does not let us end it: see why for the missing grant */
    DB_VERDICTS
};
struct db_cleaned {
    const struct db_session *session;
    enum db_verdict verdict;
    char why[160]; /* "idle for 14m02s", "superuser; not ended unless told (superusers: true)" */
};
struct db_clean_report {
    bool dry_run;
    struct db_activity *activity; /* the snapshot it was decided on */
    struct db_cleaned *items;     /* victims first */
    size_t count;
    int victims, spared, stayed, denied;
    int used_before, used_after; /* client backends; equal in a dry run */
    /* Set when something stands in the way of more: ERR_PERMISSION, a grant is missing: which, and
     * the statement that gives it; ERR_REFUSED, superusers' sessions were spared. */
    struct err hint;
};
void db_clean_report_free(struct db_clean_report *report);

/* Chooses; pure. Walsenders, replication, background workers, backups and our own sessions are
 * never chosen, and not reported. The caller frees the report, which takes `activity` over. */
struct db_clean_report *db_clean_select(struct db_activity *activity,
                                        const struct db_clean_rules *rules);

/* Snapshot, selection, pg_terminate_backend for each victim (checked again in the same statement:
 * pid, start, and that it has not been in use since), then waits until they are really gone.
 * ERR_TIMEOUT is not used for victims that stay: they are reported. Fails only when there was no
 * way in, or when it is given up. Where our role lacks rights and there is a back door, that does
 * it. The rules are copied.
 *
 * With an error the report comes as well, once the server was asked to end anybody: what was done
 * stays done, whatever became of the call. Else it is NULL then. */
typedef void (*db_clean_fn)(void *data, const struct err *e, const struct db_clean_report *report);
op_id db_clean(struct db *db, const struct db_clean_rules *rules, bool dry_run, int64_t deadline_ms,
               db_clean_fn done, void *data);

/* {"dry_run":…,"by":…,"used_before":…,"used_after":…,"ended":[{"pid":…,"role":…,"application":…,
 * "client":…,"state":…,"idle_seconds":…,"why":…}],"spared":[…],"stayed":[…],"denied":[…],
 * "hint":{"code":…,"message":…,"hint":…} or null} */
json_t *db_clean_report_json(const struct db_clean_report *report);

/* --- holding new logins off ----------------------------------------------------------------- */

typedef void (*db_done_fn)(void *data, const struct err *e);

/* The roles whose sessions hold the connections, with their CONNECTION LIMIT: {"app": -1}, -1 for
 * none. Left out are those that no limit holds (superusers), that should not be held (replication)
 * and our own. */
typedef void (*db_limits_fn)(void *data, const struct err *e, const json_t *limits);
op_id db_limits(struct db *db, int64_t deadline_ms, db_limits_fn done, void *data);

/* CONNECTION LIMIT 0 for these roles (an answer of db_limits, copied): sessions stay, and nobody
 * logs in. Done twice it changes nothing. ERR_PERMISSION with the grant that is missing; goes by
 * the back door when the login may not. */
op_id db_block(struct db *db, const json_t *limits, int64_t deadline_ms, db_done_fn done,
               void *data);

/* Their limits as they were, but for roles whose limit is 0 no more: somebody has set another. */
op_id db_unblock(struct db *db, const json_t *limits, int64_t deadline_ms, db_done_fn done,
                 void *data);

/* The statements that db_unblock would send, for a person: "ALTER ROLE app CONNECTION LIMIT -1;".
 * The caller frees it. */
char *db_unblock_text(const json_t *limits);

/* --- the rest ------------------------------------------------------------------------------- */

/* CHECKPOINT, so that the shutdown that follows is short. ERR_PERMISSION with the grant that is
 * missing (pg_checkpoint, from 15 on; a superuser before). Goes by the back door when the login
 * may not. */
op_id db_checkpoint(struct db *db, int64_t deadline_ms, db_done_fn done, void *data);

#endif
