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
 * May use: base, libmicrohttpd (server.c only).
 */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include "base/err.h"
#include "base/json.h"
#include "base/loop.h"
#include "control/wire.h"

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
     * Entries come from the loop, never from inside follow(); after `last` the handle is gone. */
    uint64_t (*follow)(void *app, int64_t run, control_entry_fn on_entry, void *data,
                       struct err *e);
    void (*unfollow)(void *app, uint64_t handle);
};

struct control;

struct control_options {
    const char *socket_path; /* made with mode 0660; an old one of ours is replaced */
    const char *group;       /* owning group of the socket; NULL: the process's */
    const struct control_ops *ops;
    void *app;
};

/* Listens. Errors name the socket and the command that mends it: another daemon is alive there
 * (ERR_CONFLICT), no such directory, no permission. */
int control_new(struct loop *loop, const struct control_options *options, struct control **ret,
                struct err *e);

/* Ends every stream and stops listening; the socket file is removed. Accepts NULL, returns NULL. */
struct control *control_free(struct control *control);

/* The HTTP status that goes with an error code. */
int control_status_of(enum err_code code);

#endif
