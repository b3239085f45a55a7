/* The application: everything the daemon is made of, created in order and ended in reverse.
 *
 * Opens the state directory (and its lock: one supervisor a state directory), the journal, the
 * engine and the database, and offers what it can do as the table of control/control.h. The daemon
 * puts a socket on that table; supervisorctl --standalone calls it in its own process.
 *
 * May use: everything below supervisor/.
 */
#ifndef SUPERVISOR_APP_H
#define SUPERVISOR_APP_H

#include "control/control.h"
#include "supervisor/config.h"

struct app;

struct app_options {
    struct config *config;   /* taken over, also on failure */
    const char *docker_host; /* flag or environment: wins over the configuration; may be NULL */
    const char *state_dir;
    /* For one command: no lifeline kept, nothing watched, no policy; an unfinished run is left as
     * it is until the command acts on it: by a request for the same, by its abort, by following
     * it. */
    bool standalone;
    bool leftover_only;    /* standalone, by who has no configuration: see supervisor/leftover.h */
    enum policy_mode mode; /* no policy does more, whatever the configuration says: --mode */
    /* Called once, by the loop, when what earlier lives left has been read: who asks sooner about
     * policies is refused. May be NULL; not called when standalone. */
    loop_fn on_ready;
    /* Called once, by the loop: the run of an earlier life that is carried on, or 0. May be NULL.
     */
    void (*on_resumed)(void *data, int64_t run);
    void *data;
};

/* ERR_CONFLICT when the lock is held ("a supervisor runs already: pid …"), ERR_PERMISSION and
 * others with the command that mends it. Connects in the background: an engine that is not there
 * yet is no failure here. */
int app_new(struct loop *loop, const struct app_options *options, struct app **ret, struct err *e);

const struct config *app_config(const struct app *app); /* borrowed till the next app_reload */

/* Swaps the configuration (taken over). A run that is under way keeps the plan it has. */
void app_reload(struct app *app, struct config *config);

/* There is a new one, and it has errors: the old one stays in force. */
void app_reload_failed(struct app *app);

/* Ends what is under way in an orderly manner, then calls done: a run in progress is left in the
 * journal for the next life at an action's boundary, never cut in the middle of a stop. */
void app_shutdown(struct app *app, loop_fn done, void *data);
struct app *app_free(struct app *app); /* after done; accepts NULL; returns NULL */

const struct control_ops *app_ops(void);

/* --- for the service manager ------------------------------------------------------------------ */

char *app_sentence(const struct app *app);  /* "watching shop: healthy"; the caller frees it */
bool app_is_at_work(const struct app *app); /* a run is under way */
int64_t app_journal_busy_ms(const struct app *app); /* see journal.h */

/* Whether an unfinished run of an earlier life was found and is being carried on. */
bool app_is_resuming(const struct app *app);

#endif
