/* Wait until PostgreSQL really takes logins: a fresh login and a statement, not pg_isready, which
 * says "accepting" in exhaustion too.
 *
 * After a restart the answer must come from the server that was started: its own start time may not
 * lie before the container's. A server that replays its WAL is never given up while it gets on. The
 * signs of that are what its startup process calls itself ("startup recovering 0000…2B", another
 * for every 16 MB), in whatever language the server speaks, and the lines that PostgreSQL 15 writes
 * every ten seconds ("…, elapsed time: 20.00 s, …"). Whatever else is in its log may be of clients,
 * our own probes among them, and is no sign. */
#include "base/fault_point.h"
#include "base/hash.h"
#include "base/mem.h"
#include "playbooks/run_private.h"

#include <string.h>

enum {
    PROBE_MS = 5000,
    PROBE_AGAIN_MAX_MS = 200,
    INSPECT_MS = 5000,
    LOOK_MS = 5000,
    LINES_LOOKED_AT = 200,    /* clients that are refused write many between two signs */
    CLOCK_SLACK_US = 1000000, /* the postmaster's clock is read before the container's stamp */
};

struct ready_work {
    int64_t container_started_us;
    int64_t last_refused_ms; /* when a probe last said no */
    uint64_t progress;       /* a hash of the signs of progress */
    bool replaying;          /* the last probe said: starting or recovering */
    uint64_t seen;           /* what the signs are now, as far as they have been asked for */
    bool tty;                /* of the container: how its log is read */
    bool judging;            /* the time is over: signs of progress are asked for */
    char last[200];
};

static void ready_inspect(void *data);
static void ready_probe(void *data);

/* --- progress --------------------------------------------------------------------------------- */

static void add_sign(struct action_run *a, const char *text, size_t len)
{
    struct ready_work *work = a->work;
    work->seen = work->seen * 31 + hash_bytes(text, len);
}

static void ready_judge(struct action_run *a)
{
    struct ready_work *work = a->work;
    bool moved = work->seen != work->progress && work->seen != 0;
    work->judging = false;
    work->progress = work->seen;
    if (moved) {
        step_calm(a);
        step_says(a, "replaying its WAL and making progress: given more time");
        step_extend(a, a->action->timeout_ms);
        ready_probe(a);
        return;
    }
    struct err failure;
    char waited[DURATION_MAX];
    err_set(&failure, ERR_TIMEOUT, "%s does not take logins after %s, and shows no progress: %s",
            a->action->service, duration_text(loop_now(a->run->loop) - a->started_ms, waited),
            work->last);
    err_hint(&failure, "docker logs %s", a->action->container);
    step_fail(a, &failure);
}

static void on_titles(void *data, const struct err *e, const char *const *commands, size_t count)
{
    struct action_run *a = data;
    if (!step_landed(a))
        return;
    for (size_t i = 0; !e && i < count; i++)
        if (strstr(commands[i], "recovering"))
            add_sign(a, commands[i], strlen(commands[i]));
    ready_judge(a);
}

static void on_progress_logs(void *data, const struct err *e, const struct docker_log_line *lines,
                             size_t count)
{
    static const char sign[] = "elapsed time: ";
    struct action_run *a = data;
    if (!step_landed(a))
        return;
    for (size_t i = 0; !e && i < count; i++)
        if (memmem(lines[i].text, lines[i].len, sign, strlen(sign)))
            add_sign(a, lines[i].text, lines[i].len);
    step_begins(a, docker_top(runner_docker(a->run->runner), a->action->container_id, LOOK_MS,
                              on_titles, a));
}

/* The time is over. A server that starts up is asked for signs of life before it is given up. */
static bool ready_deadline(struct action_run *a)
{
    struct ready_work *work = a->work;
    if (!work->replaying)
        return false;
    work->judging = true;
    work->seen = 0;
    if (a->again)
        timer_stop(a->again);
    step_begins(a, docker_logs(runner_docker(a->run->runner), a->action->container_id, work->tty,
                               LINES_LOOKED_AT, 0, LOOK_MS, on_progress_logs, a));
    return true;
}

/* --- the probe -------------------------------------------------------------------------------- */

static void ready_finish(struct action_run *a, const struct db_probe *probe)
{
    const struct ready_work *work = a->work;
    char took[DURATION_MAX];
    duration_text(loop_now(a->run->loop) - a->started_ms, took);
    /* Ours is the time since the last refusal: it may have been ready right after. */
    if (work->last_refused_ms)
        a->own_ms = work->last_refused_ms - a->started_ms;
    reach_wake_lifeline(runner_reach(a->run->runner));
    if (step_is_turned_away(probe)) {
        run_note(a->run, "the database answers, but does not let the supervisor in: %s",
                 probe->why.text);
        step_finish(a, NULL, "answers after %s (the supervisor's login is refused)", took);
    } else {
        step_finish(a, NULL, "takes logins after %s%s", took,
                    probe->is_standby ? " (a standby)" : "");
    }
}

static bool is_the_old_server(const struct action_run *a, const struct db_probe *probe)
{
    const struct ready_work *work = a->work;
    return probe->started_us && work->container_started_us &&
           probe->started_us + CLOCK_SLACK_US < work->container_started_us;
}

static void on_probed(void *data, const struct db_probe *probe)
{
    struct action_run *a = data;
    struct ready_work *work = a->work;
    FAULT_POINT("postgres.probed");
    if (!step_landed(a))
        return;
    if (work->judging && probe->state != DB_READY)
        return; /* on_progress_logs goes on from here */
    bool ready = probe->state == DB_READY && !is_the_old_server(a, probe);
    if (ready || step_is_turned_away(probe)) {
        ready_finish(a, probe);
        return;
    }
    work->last_refused_ms = loop_now(a->run->loop);
    /* One code for all three, and a restart that nobody saw may be called by the wrong name. */
    work->replaying = probe->state == DB_STARTING || probe->state == DB_RECOVERING ||
                      probe->state == DB_SHUTTING_DOWN;
    snprintf(work->last, sizeof work->last, "%s", db_state_name(probe->state));
    step_says(a, "%s", db_state_name(probe->state));
    /* Refused for long may mean that the container is down, or has another address now. */
    bool look = probe->state == DB_REFUSED || probe->state == DB_UNREACHABLE;
    step_again(a, look && a->retries % 8 == 7 ? ready_inspect : ready_probe, PROBE_AGAIN_MAX_MS);
}

static void ready_probe(void *data)
{
    struct action_run *a = data;
    struct db *db = reach_db(runner_reach(a->run->runner));
    FAULT_POINT("postgres.probe");
    step_begins(a, db_probe(db, PROBE_MS, on_probed, a));
}

/* --- the container ---------------------------------------------------------------------------- */

static void on_inspected(void *data, const struct err *e, struct container *c)
{
    struct action_run *a = data;
    struct ready_work *work = a->work;
    if (!step_landed(a) || step_awaits_engine(a, e, ready_inspect) ||
        step_asks_again(a, e, ready_inspect))
        return;
    struct err failure;
    if (e) {
        step_fail(a, e);
    } else if (!container_is_up(c)) {
        err_set(&failure, ERR_FAILED, "%s is not running (%s, exit code %d)%s%s", c->name,
                container_state_name(c->state), c->exit_code, *c->error ? ": " : "", c->error);
        err_hint(&failure, "docker logs %s", c->name);
        step_fail(a, &failure);
    } else if (reach_aim(runner_reach(a->run->runner), c, &failure) != 0) {
        step_fail(a, &failure);
    } else {
        work->container_started_us = c->started_ns / 1000;
        work->tty = c->tty;
        ready_probe(a);
    }
}

static void ready_inspect(void *data)
{
    struct action_run *a = data;
    step_begins(a, docker_inspect(runner_docker(a->run->runner), a->action->container_id,
                                  INSPECT_MS, on_inspected, a));
}

static void ready_start(struct action_run *a)
{
    a->work = mem_new(sizeof(struct ready_work));
    ready_inspect(a);
}

const struct step_class step_wait_ready = {
    .start = ready_start, .on_deadline = ready_deadline, .owed = true};
