/* A daemon's part that runs playbooks, on a small world behind a fake Engine: "db", and "web" which
 * depends on it. One a test, between run_set_up and run_tear_down, which insist that nothing is
 * left. May use: check, playbooks, the fake Engine and its world. */
#ifndef TESTS_UNIT_RUN_FIXTURE_H
#define TESTS_UNIT_RUN_FIXTURE_H

#include "playbooks/runner.h"
#include "tests/fake/world.h"
#include "tests/unit/unit.h"

enum { LOCK_PATIENCE_MS = 300 };

extern struct loop *loop;
extern struct world world;
extern struct reach *reach; /* nobody listens there, so the answer is quick: there is no database */
extern struct journal *journal;
extern struct runner *runner;
extern char *path;          /* of a journal that a life may begin with */
extern char lock_scope[32]; /* nobody else's: the world's containers are the same in every test */

void run_set_up(void); /* begins a life without a disk; the playbooks "bounce" and "other" */
void run_tear_down(void);
void add_playbook(const char *name, const char *text);

/* --- asking ----------------------------------------------------------------------------------- */

struct asked {
    bool told, joined;
    struct err e;
    int64_t run;
    char plan_id[20];
};

void turn(void); /* of the loop */

/* Returns before it is answered; `asked` must live until then. */
void ask(const char *playbook, const char *plan_id, struct asked *asked);
int64_t start(const char *playbook); /* gives the run, which has begun */
void await_end(void);
void await_asked(const char *service, const char *what, size_t times); /* as world_asked counts */

json_t *record_of(int64_t run);             /* the caller owns it */
json_t *run_to_end(const char *playbook);   /* its record, likewise */
const json_t *end_of(const json_t *record); /* the last entry */

/* "stop:shop_web_1 done, start:shop_web_1 failed": the results in their order. */
void assert_results(const json_t *record, const char *expected);
void assert_end(const json_t *record, const char *state, size_t left_stopped);
bool has_entry(const json_t *record, const char *type, const char *words);
void assert_up(const char *service);

/* A follower: on_entry for runner_follow, which holds it to the order of what is kept. */
struct heard {
    int64_t last_seq;
    size_t kept;
    bool over;
    uint64_t handle;
    bool leaves; /* after the first entry */
};
void on_entry(void *data, const json_t *entry, bool last);

/* --- other lives ------------------------------------------------------------------------------ */

void begin_life(const char *journal_path); /* NULL: no disk */
void end_life(void);

bool resume(void);                         /* whether there was a run to carry on */
void on_resumed(void *data, bool resumed); /* data: an int, < 0 until then */
void drain(void);
void on_drained(void *data); /* data: a bool */

#endif
