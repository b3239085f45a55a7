/* A fake application for tests of control/: it answers at once, holds replies until they are let
 * go, and tells of runs. What a client wants of it (let go of what is held, end the server) it asks
 * for through the API itself. May use: check, control. */
#ifndef TESTS_UNIT_CONTROL_APP_H
#define TESTS_UNIT_CONTROL_APP_H

#include "control/control.h"

enum {
    RUN_SHORT = 7,     /* three entries and an end */
    RUN_ENDLESS = 8,   /* two entries, then nothing */
    RUN_LARGE = 9,     /* a megabyte of evidence and an end */
    ABORT_RELEASE = 1, /* lets the held replies go */
    ABORT_STOP = 2,    /* ends the server in the next turn of the loop */
    HELD_MAX = 64,
};

struct held {
    control_reply_fn reply;
    void *data;
};

struct follower; /* of a run */

struct world {
    char socket[108];
    struct loop *loop;
    struct control *control;
    struct timer *late;
    struct held held[HELD_MAX];
    size_t held_count;
    struct follower *followers;
    void (*client)(struct world *world);
    int done[2]; /* a pipe: the client thread has ended */
    int unfollowed;
};

extern const struct control_ops fake_ops; /* their `app` is a struct world */

void release(void *data); /* a world: its held replies go */

/* An entry of a run; seq 0: one that is not kept. The caller owns it. */
json_t *entry_of(int64_t seq, const char *type, const char *text);

/* A place for a socket, in a folder of its own; and away with the folder, which must be empty. The
 * path is cut to its folder's. */
void fresh_path(char out[static 108]);
void remove_dir_of(char *path);

#endif
