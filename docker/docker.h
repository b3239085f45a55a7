/* The Engine API client: the door of docker/.
 *
 * One `struct docker` talks to one engine, over a Unix socket or over tcp (with TLS where a
 * certificate directory is given). The version is negotiated by `GET /_ping` before the first
 * call and again whenever the connection was lost: the highest that both sides know, from 1.41 on.
 *
 * Every call is an operation by the contract of base/op.h: it has a deadline, it can be cancelled
 * by its id, its callback comes exactly once and never from inside the call. What a callback is
 * given is borrowed for its duration. An error keeps the Engine's own message and names the call
 * and the container; its code is
 *     ERR_NOT_FOUND    404 "No such container"
 *     ERR_CONFLICT     409, and 304 where the caller must know of it
 *     ERR_UNREACHABLE  refused, no such socket, connection lost before the answer was whole
 *     ERR_PERMISSION   no access to the socket (EACCES), 401, 403 (also a filtering proxy's)
 *     ERR_UNSUPPORTED  an engine too old (below 1.41) or too new (its minimum above ours), ssh://,
 *                      a call that this engine does not know (501, 404 "page not found")
 *     ERR_PROTOCOL     an answer that is none
 *     ERR_FAILED       any other refusal (400, 5xx)
 * Calls that change something are sent on a connection of their own and never repeated by the
 * transport (curl repeats a POST on a reused connection that dies: see `once` in http.h).
 *
 * May use: base, libcurl. Knows nothing of PostgreSQL, playbooks or policies.
 */
#ifndef DOCKER_DOCKER_H
#define DOCKER_DOCKER_H

#include "base/err.h"
#include "base/json.h"
#include "base/loop.h"
#include "base/op.h"
#include "docker/container.h"

struct docker;

/* All NULL: DOCKER_HOST, DOCKER_CERT_PATH (or DOCKER_TLS_VERIFY), DOCKER_API_VERSION from the
 * environment, then unix:///var/run/docker.sock. Strings are copied. */
struct docker_options {
    const char *host;        /* "unix:///path", "tcp://host:port"; a bare path is a socket */
    const char *cert_dir;    /* ca.pem, cert.pem, key.pem: TLS, always verified */
    const char *api_version; /* "1.43": no negotiation */
};

/* Fails with ERR_INVALID or ERR_UNSUPPORTED for a host that cannot be used. Connects nothing. */
int docker_new(struct loop *loop, const struct docker_options *options, struct docker **ret,
               struct err *e);

/* Gives up every call that is under way (their callbacks still come, with ERR_CANCELLED) and
 * frees the client as soon as the last one was delivered. Calls that such a callback still makes
 * are cancelled too. Watches are freed before their client. Accepts NULL; returns NULL. */
struct docker *docker_free(struct docker *docker);

const char *docker_host(const struct docker *docker);        /* as it was resolved */
const char *docker_api_version(const struct docker *docker); /* "1.41"; "" before the first ping */
const char *docker_server(const struct docker *docker);      /* "Docker/20.10.24 (linux)" or "" */

/* Adds a next step to an Engine's silence (a deadline that passed) that says none. */
void docker_hint_silence(struct err *e);

typedef void (*docker_done_fn)(void *data, const struct err *e);

/* Negotiates (again) and tells whether the engine answers. */
op_id docker_ping(struct docker *docker, int64_t deadline_ms, docker_done_fn done, void *data);

/* Containers, running or not, that bear every one of the labels ("key" or "key=value",
 * NULL-terminated array, may be NULL). Summaries: inspect gives the whole. */
struct docker_summary {
    char id[CONTAINER_ID_MAX];
    char *name; /* without the leading slash */
    char *image;
    enum container_state state;
    json_t *labels; /* an object of texts */
};
typedef void (*docker_list_fn)(void *data, const struct err *e, const struct docker_summary *items,
                               size_t count);
op_id docker_list(struct docker *docker, const char *const *labels, int64_t deadline_ms,
                  docker_list_fn done, void *data);

/* The callback may keep the container with container_ref(). */
typedef void (*docker_inspect_fn)(void *data, const struct err *e, struct container *container);
op_id docker_inspect(struct docker *docker, const char *id, int64_t deadline_ms,
                     docker_inspect_fn done, void *data);

/* `changed` is false when the container was in that state already (the Engine's 304). */
typedef void (*docker_change_fn)(void *data, const struct err *e, bool changed);

/* Signals, waits grace_s seconds, then the Engine kills. signal (NULL = the container's own) is
 * honoured from API 1.42 on and by a kill before the stop on older engines. The deadline is
 * grace_s + 20 s (the Engine's own worst case): the answer comes only after the exit. The call
 * must not be cancelled lightly: engines 23.0.0-23.0.6 and 24.0.0-24.0.2 kill at once when the
 * client hangs up. */
op_id docker_stop(struct docker *docker, const char *id, const char *signal, int grace_s,
                  docker_change_fn done, void *data);

/* A container in its restart policy's back-off counts as started for the Engine (changed is false)
 * though nothing runs: docker_restart is for those. */
op_id docker_start(struct docker *docker, const char *id, int64_t deadline_ms,
                   docker_change_fn done, void *data);

/* Starts a stopped one too. The deadline is grace_s + 60 s. */
op_id docker_restart(struct docker *docker, const char *id, int grace_s, docker_change_fn done,
                     void *data);

/* signal NULL is SIGKILL. */
op_id docker_kill(struct docker *docker, const char *id, const char *signal, int64_t deadline_ms,
                  docker_done_fn done, void *data);
op_id docker_unpause(struct docker *docker, const char *id, int64_t deadline_ms,
                     docker_done_fn done, void *data);

/* Until the container is not running; gives its exit code. */
typedef void (*docker_wait_fn)(void *data, const struct err *e, int64_t exit_code);
op_id docker_wait(struct docker *docker, const char *id, int64_t deadline_ms, docker_wait_fn done,
                  void *data);

/* Runs a command in a container, without a terminal. A command that ran and failed is no error:
 * look at exit_code; one that the image does not have is an ERR_FAILED. So is output beyond 8 MiB.
 * The Engine cannot end a command, so a deadline that passes leaves it running: give the command a
 * limit of its own. */
struct docker_exec {
    const char *const *argv; /* NULL-terminated */
    const char *user;        /* NULL: the image's */
    int64_t deadline_ms;
};
struct docker_output {
    int exit_code;
    const char *out, *err; /* NUL-terminated */
    size_t out_len, err_len;
};
typedef void (*docker_exec_fn)(void *data, const struct err *e, const struct docker_output *output);
op_id docker_exec(struct docker *docker, const char *id, const struct docker_exec *command,
                  docker_exec_fn done, void *data);

/* The last `tail` lines of a container's log, oldest first, at most 1 MiB of them, not older than
 * since_s (seconds since 1970; 0 = no limit). `tty` is the container's own: without a terminal the
 * stream is framed. */
struct docker_log_line {
    int64_t time_ns; /* since 1970; 0 if the Engine gave none */
    bool is_stderr;
    const char *text; /* without its newline */
    size_t len;
};
typedef void (*docker_logs_fn)(void *data, const struct err *e, const struct docker_log_line *lines,
                               size_t count);
op_id docker_logs(struct docker *docker, const char *id, bool tty, int tail, int64_t since_s,
                  int64_t deadline_ms, docker_logs_fn done, void *data);

/* What the processes of a running container call themselves (ps: args), as the Engine's host sees
 * them; borrowed for the call. */
typedef void (*docker_top_fn)(void *data, const struct err *e, const char *const *commands,
                              size_t count);
op_id docker_top(struct docker *docker, const char *id, int64_t deadline_ms, docker_top_fn done,
                 void *data);

/* How far a log was read: the next follow goes on there, without a gap and without a repeat. A
 * zeroed place with its since_ns (the Engine's clock; 0: the log's first line) is a beginning. It
 * may be moved between two follows: nothing older is asked for, and it is where to go on when the
 * last line's stamp lies in the future, as the clock was set back. The rest is the follow's own
 * business. */
struct docker_log_place {
    int64_t since_ns;
    int64_t newest_ns; /* of the last line that was told */
    struct {
        int64_t time_ns; /* the last stamp of this stream */
        uint64_t count;  /* of its lines that bear this stamp */
    } last[2];           /* stdout, stderr: each is in the order of its stamps, the two are not */
};

/* Follows a log: every line once, in its order, as it is written. The text of a line beyond 64 KiB
 * is cut. The Engine ends the stream when the container stops, and at once when it does not run: a
 * `done` without an error. A follow that ended, broke or was cancelled is taken up by another one
 * with the same place (after the container's next start, say). ERR_UNSUPPORTED: the container's
 * logging driver cannot be read.
 *
 * `place` must live until `done`; on_line may cancel, after which no line comes any more. */
typedef void (*docker_line_fn)(void *data, const struct docker_log_line *line);
op_id docker_logs_follow(struct docker *docker, const char *id, bool tty,
                         struct docker_log_place *place, docker_line_fn on_line,
                         docker_done_fn done, void *data);

/* Now by the Engine's clock, in nanoseconds since 1970: ours, unless the last ping's Date says that
 * the two differ by seconds. */
int64_t docker_now_ns(const struct docker *docker);

/* --- events ------------------------------------------------------------------------------- */

struct docker_event {
    const char *action;       /* "die", "start", "health_status" …: the tail is cut off */
    const char *detail;       /* what stood behind the ':' ("healthy", "unhealthy"), or "" */
    const char *id;           /* the container's */
    const char *name;         /* written by the Engine after the labels, so it can be believed */
    int64_t time_ns;          /* the Engine's clock, since 1970 */
    const json_t *attributes; /* labels override the Engine's own values here: never decide by
                                 exitCode or signal from an event, inspect instead */
};

/* A watch on container events that keeps itself alive: it reconnects with back-off (100 ms to
 * 5 s), asks for what it missed with an overlap, and drops what it has seen. It never pauses the
 * stream (a reader that stalls slows the whole engine down). Events from before its start are not
 * told.
 *
 * on_sync comes after every (re)connection, once the subscription stands: what was missed for good
 * (the Engine keeps 256 events) must be found by listing then. It comes too when an event could not
 * be read (broken, or beyond 1 MiB). on_lost comes once when the stream broke, or could not be had
 * at first, or the Engine stopped answering pings beside it (every 20 s, for 10 s); the next
 * on_sync ends that state. All may call docker_watch_free. */
struct docker_watch;
struct docker_watch_class {
    void (*on_event)(void *data, const struct docker_event *event);
    void (*on_sync)(void *data);
    void (*on_lost)(void *data, const struct err *e);
};
struct docker_watch *docker_watch_new(struct docker *docker, const struct docker_watch_class *class,
                                      void *data);
struct docker_watch *docker_watch_free(struct docker_watch *watch); /* accepts NULL; returns NULL */

#endif
