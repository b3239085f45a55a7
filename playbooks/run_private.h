/* The run as the files of playbooks/ share it: run.c drives, run_restore.c takes up an earlier
 * life's, story.c tells, settle.c ends, step_*.c act. Private to playbooks/. */
#ifndef PLAYBOOKS_RUN_PRIVATE_H
#define PLAYBOOKS_RUN_PRIVATE_H

#include "base/clock.h"
#include "playbooks/runner.h"

struct run;
struct action_run;

/* --- one action at work ----------------------------------------------------------------------- */

enum action_state {
    ACTION_PENDING,  /* stands behind others */
    ACTION_INTENDED, /* its intent is being written */
    ACTION_RUNNING,
    ACTION_DONE,
    ACTION_FAILED,
    ACTION_SKIPPED,
    ACTION_STATES
};

/* A kind of action. Functions are called with the action RUNNING, from the loop. Each ends in
 * step_finish() or step_fail(), sooner or later; asynchronous calls are counted by step_begins()
 * and step_landed(). */
struct step_class {
    void (*start)(struct action_run *a);
    void (*on_event)(struct action_run *a, const struct docker_event *event); /* or NULL */
    void (*on_sync)(struct action_run *a);                                    /* or NULL */
    /* The action's time is over: finish somehow, or return true to be asked again later. NULL:
     * it fails with a time-out. */
    bool (*on_deadline)(struct action_run *a);
    void (*free_work)(struct action_run *a); /* or NULL: free(a->work) */
    bool owed;    /* done also while winding up: it gives back what was taken, or keeps the order */
    bool patient; /* never given up half-way: a stop or a start must be let end */
};

struct action_run {
    struct run *run;
    const struct action *action;
    const struct step_class *class;
    enum action_state state;
    bool begun_before;            /* in an earlier life of the run, and nobody knows how it ended */
    int64_t started_ms, ended_ms; /* monotonic */
    int64_t started_ns, ended_ns; /* wall clock, to compare with the Engine's events */
    int64_t own_ms; /* what the world needed of it; -1: as told by the events, else all of it */
    struct timer *deadline;
    struct timer *again; /* a step's own timer: retries, polls */
    loop_fn again_fn;
    int retries;
    op_id operation; /* the one that is cancelled when the action is given up; 0: none */
    int in_flight;   /* asynchronous calls whose callback has not come */
    void *work;      /* the step's own state */
    void (*with_database)(struct action_run *a, struct db *db); /* see step_with_database */
    void (*without_database)(struct action_run *a, const struct err *e);
    struct err unreached;  /* what the probe said, while it is looked whether the database moved */
    char *unreached_at;    /* and where it asked */
    struct gate *gate;     /* see step_pass_gate */
    struct pooler *pooler; /* see step_with_pooler */
    void (*with_pooler)(struct action_run *a, struct pooler *pooler);
    void (*without_pooler)(struct action_run *a, const struct err *e);
    char said[160]; /* the last progress, so that it is not repeated */
};

extern const struct step_class step_capture, step_stop, step_start, step_clean, step_checkpoint,
    step_wait_ready, step_wait_healthy, step_verify, step_pause, step_resume, step_block,
    step_unblock;

/* For the callback of an asynchronous call: step_begins(a, id) when it is made, step_landed(a)
 * first thing in the callback. False: the action is over, touch nothing. */
void step_begins(struct action_run *a, op_id operation);
bool step_landed(struct action_run *a);

/* The result; `text` is one sentence for a person. detail (may be NULL) is taken over. */
void step_finish(struct action_run *a, json_t *detail, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void step_fail(struct action_run *a, const struct err *e);

/* Live progress: what it waits for. Not kept. */
void step_says(struct action_run *a, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Something a person should know; kept in the story. */
void run_note(struct run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Calls fn(a) after a while, growing from 50 ms to max_ms with each call since step_calm(). */
void step_again(struct action_run *a, loop_fn fn, int64_t max_ms);
void step_calm(struct action_run *a);
void step_extend(struct action_run *a, int64_t ms); /* the deadline, to at least ms from now */
int64_t step_left_ms(const struct action_run *a);   /* until the deadline */

/* True when e says that the Engine is away: the action waits for it (at most two minutes) and
 * calls fn again. */
bool step_awaits_engine(struct action_run *a, const struct err *e, loop_fn fn);

/* True when e may be this one answer's trouble (late, an error of the Engine's, illegible): fn is
 * called again soon, a handful of times since step_calm(). */
bool step_asks_again(struct action_run *a, const struct err *e, loop_fn fn);

/* Calls then(a, db) when the database can be asked at all: at once over an open lifeline, else when
 * a probe has said that it is not hung, away or starting. If it is, the stack is looked at: its
 * container may have another address by now. If not, the action fails with the probe's words, in
 * seconds and not at its deadline. Where the address is not known yet (a resumed run) the stack is
 * looked at first. */
void step_with_database(struct action_run *a, void (*then)(struct action_run *a, struct db *db));

/* The same with a word on the failure: the action does not fail by itself. */
void step_try_database(struct action_run *a, void (*then)(struct action_run *a, struct db *db),
                       void (*otherwise)(struct action_run *a, const struct err *e));

/* For who has a stack at hand, as it is now: aims at its database, wherever that is by now. It is
 * the run's own business: nobody else aims while it is under way, the address may not be known yet
 * in the life that carries it on, and a container that came back may have another one. 0 when there
 * is something to ask, be it at the old address, which then says itself what is wrong. */
int run_aim(struct run *run, const struct stack *stack, struct err *e);

/* Calls then(a, pooler) with the console of the action's container as it is now, or with NULL when
 * that container does not run. The client is the action's until the next call. Fails the action
 * when the console's address or user is not known. */
void step_with_pooler(struct action_run *a,
                      void (*then)(struct action_run *a, struct pooler *pooler));

/* The same with a word on the failure: the action does not fail by itself. */
void step_try_pooler(struct action_run *a,
                     void (*then)(struct action_run *a, struct pooler *pooler),
                     void (*otherwise)(struct action_run *a, const struct err *e));

/* The action that took what this one gives back (the stop of a start, …), or NULL. */
struct action_run *step_taker(const struct action_run *a);

/* Calls let(a) when enough slots are free for the container to start, or when waiting is of no use:
 * at once where the step asks for no gate. */
void step_pass_gate(struct action_run *a, loop_fn let);

/* The server answers, and its answer is that we are not let in: the role, the password or the
 * database is wrong, and not the server. */
bool step_is_turned_away(const struct db_probe *probe);

/* Down for good: it ended, and no restart policy will bring it back. */
bool step_is_over(const struct container *c);

/* --- the run ---------------------------------------------------------------------------------- */

enum run_phase {
    RUN_RUNNING,
    RUN_SETTLING, /* all actions are settled; the world is looked at */
    RUN_ENDED,
    RUN_LEFT /* an earlier life's, read and not begun: nobody works on it */
};

struct run {
    struct runner *runner;
    struct loop *loop;
    int64_t id;
    struct plan *plan;
    struct stack *stack; /* as it was when the run, or this life of it, began */
    char *trigger, *requester;
    char *database_id; /* of its container when the run began; NULL: not known */
    enum run_phase phase;
    struct action_run *actions; /* one a plan action, same index */
    bool winding;               /* only what is owed */
    bool aborted;
    bool failed;
    bool resumed;
    bool held; /* another supervisor is at work on the stack: begin nothing yet */
    bool engine_was_away;
    bool stream_was_lost;       /* of the Engine's events: what ended meanwhile, nobody heard why */
    bool draining;              /* the daemon ends: begin nothing */
    char outcome[ERR_TEXT_MAX]; /* the sentence of the end */
    int64_t started_ms, started_wall_ms; /* started_ms of a resumed run: as if in this life */
    json_t *entries;
    int64_t seq;
    json_t *before, *after;   /* or NULL */
    json_t *left_stopped;     /* names */
    struct run_event *events; /* the Engine's, for the critical path */
    size_t event_count;
    struct settle *settle;
    int in_flight; /* calls of the run itself (settling, the last journal entry) */
    bool turn_queued;
};

struct run_event {
    char id[CONTAINER_ID_MAX];
    char action[24];
    char detail[24];
    int64_t time_ns;
};

/* run.c */
struct run *run_new(struct runner *runner, struct plan *plan, struct stack *stack,
                    const char *trigger, const char *requester);
void run_free(struct run *run);
void run_begin(struct run *run); /* after its id is known */
void run_abort(struct run *run, const char *requester);
void run_wind_up(struct run *run);        /* turns it: from here on only what is owed is done */
void run_drain(struct run *run);          /* the daemon ends: see runner_drain */
void run_turn(struct run *run);           /* looks, a little later, what can be done next */
bool run_is_quiet(const struct run *run); /* nothing of it is under way */
/* Its own project as it is now, whatever else the engine has, or the configuration has come to
 * name, since the run began. */
op_id run_load_stack(struct run *run, int64_t deadline_ms, stack_load_fn done, void *data);

/* run_restore.c: an earlier life's run. */
void run_restore(struct run *run, const json_t *record); /* before run_begin, when resumed */
void run_comes_late(struct run *run); /* no longer held; only what is owed is done */

/* story.c: entries, summary, the critical path. */
void story_add(struct run *run,
               json_t *entry); /* takes entry; gives it seq and time, keeps, tells */
void story_add_then(struct run *run, json_t *entry, loop_fn done, void *data); /* done: on disk */
void story_end(struct run *run, json_t *entry, loop_fn done); /* the last; done(run): on disk */
void story_tell(struct run *run, json_t *entry);              /* takes entry; live only */
json_t *story_action(const struct action_run *a, const char *text, const struct err *e,
                     json_t *detail); /* takes detail */
/* Of the entries of this action, from every life: the last in that state, or NULL; how often it was
 * begun. */
const json_t *story_last(const struct run *run, const char *action, const char *state);
int story_times_begun(const struct run *run, const char *action);

/* What an action must not forget, whatever life it is in: a note with a detail (taken over) that is
 * on disk when done(a) is called (NULL: nobody waits for that); and the last detail that was kept
 * so, or NULL. */
void story_keep_then(struct action_run *a, const char *text, json_t *detail, loop_fn done);
const json_t *story_kept(const struct run *run, const char *action);
json_t *story_summary(const struct run *run);
const char *story_state(const struct run *run);
int64_t story_took_ms(const struct run *run);
int64_t story_critical_ms(const struct run *run);
json_t *story_own_times(const struct run *run); /* {"action id": ms}: what the world needed */
json_t *story_containers(const struct stack *stack);
json_t *story_connections(const struct db_activity *activity); /* the caller owns it */

/* settle.c: from the last action to the end. */
void settle_begin(struct run *run);
void settle_free(struct run *run);
/* It was started by the run, did its work and ended: a container that need not run. */
bool settle_has_finished(const struct run *run, const struct container *c);

/* runner.c: what a run calls back. */
struct loop *runner_loop(const struct runner *runner);
struct docker *runner_docker(const struct runner *runner);
struct reach *runner_reach(const struct runner *runner);
struct journal *runner_journal(const struct runner *runner);
struct holders_cache *runner_holders(const struct runner *runner);
const struct stack_selector *runner_selector(const struct runner *runner);
void runner_tell(struct runner *runner, const json_t *live_entry); /* NULL: a kept one is new */
void runner_ended(struct runner *runner);

#endif
