/* The API on Unix sockets and loopback ports: the door of control/.
 *
 * HTTP/1.1 with JSON by libmicrohttpd, driven by the loop without a thread of its own. control/
 * knows no application: it is given a table of operations (struct control_ops) and turns requests
 * into calls of it. supervisorctl's --standalone calls the same table without any socket.
 *
 * Every operation answers by its reply function, exactly once, at once or later; the body is
 * borrowed for the duration of the call. A client that goes away changes nothing: the reply is
 * dropped.
 *
 * One connection is bounded in everything: a request must have arrived whole within ten seconds,
 * its body may have 64 KiB, a reader that stalls is cut off. One user has a share of the places,
 * event streams have another, and some of both are kept for root and the daemon's own user: neither
 * watching nor a flood can keep an administrator from acting.
 *
 * Every request that may change something leaves a line in the log, whatever came of it:
 * "audit: uid 1000 (ann), pid 4711: POST /v1/pause: 200".
 *
 * May use: base, libmicrohttpd (server.c only).
 */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include "base/err.h"
#include "base/json.h"
#include "base/loop.h"
#include "control/wire.h"

#include <sys/types.h>

typedef void (*control_reply_fn)(void *data, const struct err *e, const json_t *body);

/* One entry of a run (control/wire.h), `last` with the "end" entry or when nothing more can come;
 * entry is NULL when there is nothing to tell but that it is over. */
typedef void (*control_entry_fn)(void *data, const json_t *entry, bool last);

struct control_ops {
    void (*version)(void *app, control_reply_fn reply, void *data);
    void (*status)(void *app, control_reply_fn reply, void *data);
    void (*playbooks)(void *app, control_reply_fn reply, void *data);
    /* options: whom it is about ({"containers":…, "services":…}), or NULL. */
    void (*plan)(void *app, const char *playbook, const json_t *options, control_reply_fn reply,
                 void *data);
    void (*connections)(void *app, control_reply_fn reply, void *data);
    void (*clean)(void *app, const json_t *request, control_reply_fn reply, void *data);
    void (*runs)(void *app, control_reply_fn reply, void *data);
    void (*run)(void *app, int64_t run, control_reply_fn reply, void *data);
    /* requester is who asked, for the journal: "uid 0 (root), pid 4711". */
    void (*start)(void *app, const json_t *request, const char *requester, control_reply_fn reply,
                  void *data);
    void (*abort)(void *app, int64_t run, const char *requester, control_reply_fn reply,
                  void *data);
    void (*policies)(void *app, control_reply_fn reply, void *data);
    void (*observations)(void *app, control_reply_fn reply, void *data);
    void (*decisions)(void *app, int limit, control_reply_fn reply, void *data);
    void (*answer)(void *app, int64_t decision, bool approve, const char *requester,
                   control_reply_fn reply, void *data);
    void (*pause)(void *app, const json_t *request, const char *requester, control_reply_fn reply,
                  void *data);
    void (*resume)(void *app, const char *requester, control_reply_fn reply, void *data);
    /* receiver: NULL for all of them. */
    void (*notify_test)(void *app, const char *receiver, control_reply_fn reply, void *data);
    void (*alerts)(void *app, const json_t *body, const char *requester, control_reply_fn reply,
                   void *data);
    /* What is no JSON: the body is a JSON text that holds it. `path` is WIRE_PAGE or WIRE_STYLE. */
    void (*page)(void *app, const char *path, control_reply_fn reply, void *data);
    void (*metrics)(void *app, control_reply_fn reply, void *data);
    /* Follows a run from its first entry. Returns a handle, or 0 with e set (ERR_NOT_FOUND).
     * Entries come from the loop, never from inside follow(); after `last` the handle is gone, and
     * after unfollow() nothing comes any more. */
    uint64_t (*follow)(void *app, int64_t run, control_entry_fn on_entry, void *data,
                       struct err *e);
    void (*unfollow)(void *app, uint64_t handle);
};

struct control;

/* Zero is the default. */
struct control_limits {
    int connections;    /* 64; a quarter for one user, an eighth kept for root and our own */
    int streams;        /* 16 of the connections; a quarter kept likewise */
    int64_t arrival_ms; /* 10 s: from the connection, or the last answer, to a whole request */
    int64_t stall_ms;   /* 30 s: without the peer taking a byte of what it is sent */
    int64_t ping_ms;    /* 10 s: a comment on every stream; a client that left is noticed by it */
};

/* Where it listens, and what is answered there. Each is a control of its own with its own limits,
 * so that those of one cannot hold up those of another. */
enum control_scope {
    CONTROL_ACT,    /* a Unix socket: everything */
    CONTROL_READ,   /* a Unix socket: GET, and a clean's dry run */
    CONTROL_ALERTS, /* a loopback port: POST /v1/alerts alone, for those who send the token */
    CONTROL_PAGE,   /* a loopback port: the page and the metrics alone */
};

struct control_options {
    enum control_scope scope;
    const char *socket_path; /* of a socket: made with mode 0660; an old one of ours is replaced */
    const char *group;       /* its owning group; NULL: the process's */
    const char *listen;      /* of a port: "127.0.0.1:9497" */
    const char *token_file;  /* CONTROL_ALERTS */
    const struct control_ops *ops;
    void *app; /* outlives the control */
    struct control_limits limits;
};

/* Listens. Errors name the socket and the command that mends it: another daemon is alive there
 * (ERR_CONFLICT), no such directory, no permission. */
int control_new(struct loop *loop, const struct control_options *options, struct control **ret,
                struct err *e);

/* Ends every stream, answers what is under way with 503 and stops listening; the socket file is
 * removed. Replies that come later are dropped. Not from inside one of the operations. Accepts
 * NULL, returns NULL. */
struct control *control_free(struct control *control);

/* The HTTP status that goes with an error code. */
int control_status_of(enum err_code code);

/* Who asks, in the words of the journal: "uid 0 (root), pid 4711". Names are those of /etc/passwd
 * only: other sources may have to be asked over a network, and nothing here may wait. */
#define CONTROL_REQUESTER_MAX 96
const char *control_requester(uid_t uid, pid_t pid, char out[static CONTROL_REQUESTER_MAX]);

#endif
