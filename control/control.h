/* The API on the Unix socket: the door of control/.
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
 * its body may have 64 KiB, a reader that stalls is cut off. Event streams have a share of the
 * connections only, so that watching cannot keep anybody from acting.
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
    void (*plan)(void *app, const char *playbook, control_reply_fn reply, void *data);
    void (*connections)(void *app, control_reply_fn reply, void *data);
    void (*clean)(void *app, const json_t *request, control_reply_fn reply, void *data);
    void (*runs)(void *app, control_reply_fn reply, void *data);
    void (*run)(void *app, int64_t run, control_reply_fn reply, void *data);
    /* requester is who asked, for the journal: "uid 0 (root), pid 4711". */
    void (*start)(void *app, const json_t *request, const char *requester, control_reply_fn reply,
                  void *data);
    void (*abort)(void *app, int64_t run, const char *requester, control_reply_fn reply,
                  void *data);
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
    int connections;    /* 64 */
    int streams;        /* 16 of the connections */
    int64_t arrival_ms; /* 10 s: from the connection, or the last answer, to a whole request */
    int64_t stall_ms;   /* 30 s: without the peer taking a byte of what it is sent */
    int64_t ping_ms;    /* 10 s: a comment on every stream; a client that left is noticed by it */
};

struct control_options {
    const char *socket_path; /* made with mode 0660; an old one of ours is replaced */
    const char *group;       /* owning group of the socket; NULL: the process's */
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
