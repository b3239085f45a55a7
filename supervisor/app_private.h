/* struct app as the files of supervisor/ share it. Private to supervisor/. */
#ifndef SUPERVISOR_APP_PRIVATE_H
#define SUPERVISOR_APP_PRIVATE_H

#include "base/clock.h"
#include "playbooks/runner.h"
#include "supervisor/app.h"
#include "supervisor/autopilot.h"
#include "supervisor/lookout.h"
#include "supervisor/news.h"
#include "supervisor/tally.h"

struct replay;

struct app {
    struct loop *loop;
    struct config *config;
    struct config *previous; /* a call under way may still read what was configured before */
    struct stack_selector selector;
    char *docker_host; /* by flag or environment; NULL: the configuration's */
    char *state_dir;
    int lock_fd;
    bool standalone;
    int64_t started_wall_ms;

    struct journal *journal;
    struct docker *docker;
    struct docker_watch *watch;
    struct reach *reach;
    struct holders_cache *holders;
    struct runner *runner;
    struct autopilot *autopilot; /* NULL when standalone; so are the next two */
    struct lookout *lookout;
    struct news *news;
    struct tally *tally;
    enum policy_mode mode; /* --mode */
    loop_fn on_ready;
    void (*on_resumed)(void *data, int64_t run);
    void *owner; /* whose these two are */

    char *project; /* of the stack, as last seen; or NULL */
    bool looking;  /* the stack is being loaded to aim at the database */
    bool look_again;
    bool notes_told;          /* the stack's, in the log: once a configuration */
    struct timer *look_later; /* the Engine failed to tell: it is asked again */
    int64_t look_wait_ms;     /* how long to wait then; grows */
    bool resuming;
    bool blind;               /* what the policies remembered could not be read */
    bool run_disrupts;        /* the run that is under way, or was last */
    bool reload_failed;       /* the configuration's file has errors, and the old one is in force */
    int64_t reloaded_wall_ms; /* when it was last taken over */
    struct err engine_trouble; /* why the engine is not reached; ERR_NONE when it is */
    struct replay *replays;

    int queries; /* questions of the API whose answer has not come */
    bool stopping;
    loop_fn on_stopped;
    void *on_stopped_data;
};

/* app.c: the answer to whoever asks while the application ends: ERR_CANCELLED, as a negative
 * number. */
int app_refuse_stopping(struct err *e);

/* app.c: the most that any policy may do. */
enum policy_mode app_cap(const struct app *app);

/* app.c: a question begins and ends; the application ends only when none is open. */
void app_query_begins(struct app *app);
void app_query_ends(struct app *app);

/* query_*.c: the questions that ask the world. Each replies exactly once. */
void query_status(struct app *app, control_reply_fn reply, void *data);
void query_connections(struct app *app, control_reply_fn reply, void *data);
void query_clean(struct app *app, const json_t *request, control_reply_fn reply, void *data);

/* replay.c: following a run that has ended, out of the journal. */
uint64_t replay_begin(struct app *app, int64_t run, control_entry_fn on_entry, void *data);
bool replay_end(struct app *app, uint64_t handle);

#endif
