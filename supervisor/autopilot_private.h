/* struct autopilot as its files share it: autopilot.c steps and acts, autopilot_memory.c remembers,
 * autopilot_show.c shows. Private to supervisor/. */
#ifndef SUPERVISOR_AUTOPILOT_PRIVATE_H
#define SUPERVISOR_AUTOPILOT_PRIVATE_H

#include "base/clock.h"
#include "supervisor/autopilot.h"

struct trace_file;

/* A decision to run something, from the decision to the end of its run. */
struct flight {
    int64_t decision; /* 0: none is under way */
    int64_t run;      /* 0: it has no number yet */
    char *requester;  /* how the journal names who asked: tells its run from others'. The run of a
                         decision that another life took is found by it. */
};

struct autopilot {
    bool blind; /* what the journal has was not read: it is not to be written over */
    struct autopilot_options options;
    struct autopilot_rules rules;
    struct feed *feed;
    struct decide *engine;    /* NULL until what was remembered has been read */
    struct timer *wake;       /* time alone may bring a decision */
    struct timer *save;       /* what is remembered is behind the world */
    char *trace_path;         /* NULL: none is written */
    struct trace_file *trace; /* NULL until the engine is made */
    struct flight flight;
    int64_t foreign_run; /* a run that no policy asked for; 0: none */
    bool recalled, resumed;
    int64_t resumed_run; /* of an earlier life, as the runner said */
    json_t *restoring;   /* what was remembered, until the engine is made */
    json_t *alerts;      /* that fire: {name: {id of an instance: true}} */
    json_t *history;     /* decisions as told to people, the oldest first */
    char boot[BOOT_ID_MAX];
    int pending; /* calls of the journal and the runner whose answer has not come */
    bool held;   /* the daemon is ending: nothing is decided */
    bool stopped;
    bool ended; /* the owner has let go: freed when nothing is pending */
};

struct moment autopilot__now(const struct autopilot *autopilot);

/* Decides, and carries out what comes of it. */
void autopilot__step(struct autopilot *autopilot);

/* Frees one that has ended when its last pending call has come. */
void autopilot__landed(struct autopilot *autopilot);

/* autopilot_memory.c */
void autopilot__recall(struct autopilot *autopilot); /* then autopilot__recalled */
void autopilot__recalled(struct autopilot *autopilot);
void autopilot__remember(struct autopilot *autopilot);
void autopilot__remember_soon(struct autopilot *autopilot);
void autopilot__restore(struct autopilot *autopilot);
/* Adds a decision to the history, on disk too. */
void autopilot__record(struct autopilot *autopilot, const struct decision *decision);
/* A decision as it was told, out of the history; borrowed, or NULL. */
json_t *autopilot__told(const struct autopilot *autopilot, int64_t decision);
/* The run that a decision began, noted beside it. */
void autopilot__record_run(struct autopilot *autopilot, int64_t decision, int64_t run);
/* Who answered a question, likewise; what comes of it will bear it, too. */
void autopilot__record_answer(struct autopilot *autopilot, int64_t decision, bool approve,
                              const char *who);

#endif
