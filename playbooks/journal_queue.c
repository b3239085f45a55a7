/* The queue before the store: jobs in order, one at a time on a pool thread, and what becomes of
 * them when the disk does not answer, or refuses, or cannot be opened. See journal.h. */
#include "base/fault_point.h"
#include "base/log.h"
#include "base/mem.h"
#include "playbooks/journal_private.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum {
    OPEN_AGAIN_MS = 1000,
};

/* --- jobs ------------------------------------------------------------------------------------- */

static void job_free(struct job *job)
{
    timer_free(job->patience);
    free(job->text);
    free(job->summary);
    free(job->plan);
    free(job->key);
    json_decref(job->answer);
    free(job);
}

static void job_tell(struct job *job)
{
    void (*tell)(struct job * job) = job->tell;
    job->tell = NULL;
    job->patience = timer_free(job->patience);
    if (tell)
        tell(job);
}

static void journal_note_trouble(struct journal *journal, const struct err *e)
{
    if (!err_is_set(&journal->trouble))
        log_err(LOG_LEVEL_WARNING, "history is kept in memory only", e);
    err_copy(&journal->trouble, e);
}

static bool job_writes(const struct job *job)
{
    return job->kind == JOB_BEGIN || job->kind == JOB_ADD || job->kind == JOB_END ||
           job->kind == JOB_KEEP;
}

static int job_patience_ms(const struct job *job)
{
    bool counts = job->kind == JOB_UNFINISHED || job->kind == JOB_RECALL;
    return counts ? JOURNAL_RECALL_PATIENCE_MS : JOURNAL_PATIENCE_MS;
}

static void on_patience(void *data)
{
    struct job *job = data;
    struct err e;
    err_set(&e, ERR_TIMEOUT, "journal: the disk has not answered for %d ms", job_patience_ms(job));
    err_hint(&e, "look at the disk that holds the state directory");
    if (!job->journal->opening) /* else why is known */
        journal_note_trouble(job->journal, &e);
    job->late = true;
    job_tell(job);
}

#ifdef FAULT_POINTS
static bool is_intent(const char *entry)
{
    return strstr(entry, "\"state\":\"running\"") != NULL;
}
#endif

/* On the pool thread: touches the job and the store, nothing else. */
static void job_try(struct job *job, struct store *store)
{
    struct err *e = &job->result;
    switch (job->kind) {
    case JOB_OPEN:
        store_open(job->text, &job->store, e);
        break;
    case JOB_BEGIN:
        FAULT_POINT("journal.begin");
        if (store_begin(store, job->run, job->summary, job->plan, e) == 0)
            store_prune(store, JOURNAL_KEEP_RUNS, NULL);
        FAULT_POINT("journal.begun");
        break;
    case JOB_ADD:
        FAULT_POINT(is_intent(job->text) ? "journal.intent" : "journal.entry");
        store_add(store, job->run, job->text, e);
        FAULT_POINT(is_intent(job->text) ? "journal.intended" : "journal.entered");
        break;
    case JOB_END:
        FAULT_POINT("journal.end");
        store_end(store, job->run, job->text, job->summary, e);
        FAULT_POINT("journal.ended");
        break;
    case JOB_LIST:
        store_list(store, job->limit, &job->answer, e);
        break;
    case JOB_UNFINISHED:
        if (store_unfinished(store, &job->run, e) != 0)
            break;
        if (job->run == 0)
            job->answer = json_null();
        else
            store_read(store, job->run, &job->answer, e);
        break;
    case JOB_READ:
        store_read(store, job->run, &job->answer, e);
        break;
    case JOB_KEEP:
        FAULT_POINT("journal.keep");
        store_keep(store, job->key, job->text, e);
        FAULT_POINT("journal.kept");
        break;
    case JOB_RECALL:
        store_recall(store, job->key, &job->answer, e);
        break;
    }
}

static bool job_is_of_a_run(const struct job *job)
{
    return job->kind == JOB_BEGIN || job->kind == JOB_ADD || job->kind == JOB_END;
}

static void job_do(struct job *job, struct store *store)
{
    job_try(job, store);
    if (job_is_of_a_run(job) && err_is_set(&job->result) && store_finds_room(store, job->urgent)) {
        err_clear(&job->result);
        job_try(job, store);
    }
}

static void on_work(uv_work_t *work)
{
    struct journal *journal = work->data;
    job_do(journal->active, journal->store);
}

static void journal_next(struct journal *journal);

/* Whoever asked for an unfinished run was told that the disk does not answer; it has now. */
static void job_tell_late(struct job *job)
{
    bool late = job->late && job->kind == JOB_UNFINISHED && json_is_object(job->answer);
    if (!late || !job->to.answered)
        return;
    memory_take(job->journal->memory, json_deep_copy(job->answer));
    job->to.answered(job->data, NULL, job->answer);
}

static void job_settle(struct job *job)
{
    struct journal *journal = job->journal;
    if (job_writes(job)) {
        if (err_is_set(&job->result))
            journal_note_trouble(journal, &job->result);
        else if (err_is_set(&journal->trouble)) {
            err_clear(&journal->trouble);
            log_info("history is on disk again");
        }
    }
    job_tell(job);
    job_tell_late(job);
    job_free(job);
}

/* --- a disk that refuses ------------------------------------------------------------------------
 *
 * What it refuses stays at the head of the queue, in its order, so that the disk always has the
 * beginning of the story: a run that has ended is not carried on by the next life for want of its
 * end. Nobody waits for it meanwhile. */

/* For this write; the next may come through. What does not fit into the file (it is damaged, the
 * run is not there) never will. */
static bool job_is_refused(const struct job *job)
{
    return job_writes(job) &&
           (job->result.code == ERR_FAILED || job->result.code == ERR_PERMISSION);
}

/* Takes the first out. */
static struct job *job_pop(struct job **at)
{
    struct job *job = *at;
    if (job)
        *at = job->next;
    return job;
}

/* The first that may be worked on: reads pass what is refused. */
static struct job *journal_pop(struct journal *journal)
{
    struct job **at = &journal->first;
    while (*at && journal->refusing && job_writes(*at))
        at = &(*at)->next;
    return job_pop(at);
}

/* An older value of the same name need not be written any more; and of too much the oldest entry is
 * let go, rather than the beginning or the end of a run. Only what nobody waits for. */
static void journal_make_room(struct journal *journal, const struct job *newest)
{
    size_t count = 0;
    for (const struct job *job = journal->first; job; job = job->next)
        count++;
    for (struct job **at = &journal->first; *at;) {
        const struct job *job = *at;
        bool older =
            job->kind == JOB_KEEP && newest->kind == JOB_KEEP && strcmp(job->key, newest->key) == 0;
        bool too_much = job->kind == JOB_ADD && count >= JOURNAL_HELD_MAX;
        if (!job->tell && (older || too_much)) {
            job_free(job_pop(at));
            count--;
        } else {
            at = &(*at)->next;
        }
    }
}

static void journal_append(struct journal *journal, struct job *job)
{
    if (err_is_set(&journal->trouble) && !journal->telling && job_writes(job))
        journal_make_room(journal, job);
    struct job **last = &journal->first;
    while (*last)
        last = &(*last)->next;
    *last = job;
}

static void journal_refused(struct journal *journal, struct job *job)
{
    journal_note_trouble(journal, &job->result);
    err_clear(&job->result);
    job->next = journal->first;
    journal->first = job;
    journal->refusing = true;
    journal->telling = true;
    for (struct job *waiting = journal->first; waiting; waiting = waiting->next)
        if (job_writes(waiting))
            job_tell(waiting);
    journal->telling = false;
}

static void journal_opened(struct journal *journal, struct job *job);

/* --- the worker ------------------------------------------------------------------------------- */

static void on_worked(uv_work_t *work, int status)
{
    (void)status;
    struct journal *journal = work->data;
    struct job *job = journal->active;
    journal->active = NULL;
    if (job->kind == JOB_OPEN)
        journal_opened(journal, job);
    else if (job_is_refused(job))
        journal_refused(journal, job);
    else
        job_settle(job);
    journal_next(journal);
}

static void journal_work(struct journal *journal, struct job *job)
{
    for (const struct job *behind = job; behind; behind = behind->next)
        job->urgent |= behind->kind == JOB_END;
    journal->active = job;
    journal->active_since_ms = loop_now(journal->loop);
    journal->work.data = journal;
    uv_queue_work(loop_uv(journal->loop), &journal->work, on_work, on_worked);
}

static void journal_next(struct journal *journal)
{
    bool may = journal->store && !journal->active && !journal->telling;
    struct job *job = may ? journal_pop(journal) : NULL;
    if (job)
        journal_work(journal, job);
}

/* In memory the answer is known already; it is told by a deferred call all the same. */
static void tell_later(void *data)
{
    struct job *job = data;
    job_tell(job);
    job_free(job);
}

void journal__queue(struct job *job)
{
    struct journal *journal = job->journal;
    if (!journal->store && !journal->opening) {
        loop_defer(journal->loop, tell_later, job);
        return;
    }
    if (job->tell) {
        job->patience = timer_new(journal->loop, on_patience, job);
        timer_start(job->patience, job_patience_ms(job));
    }
    journal_append(journal, job);
    journal->refusing = journal->refusing && !job_writes(job);
    journal_next(journal);
}

struct job *journal__job_new(struct journal *journal, enum job_kind kind, int64_t run)
{
    struct job *job = mem_new(sizeof *job);
    job->journal = journal;
    job->kind = kind;
    job->run = run;
    return job;
}

/* --- opening ---------------------------------------------------------------------------------- */

/* Takes over what store_open gave. */
static int journal_take(struct journal *journal, struct store *store, struct err *e)
{
    int status = store_last_id(store, &journal->last_id, e);
    if (status == 0)
        journal->store = store;
    else
        store_close(store);
    journal->opening = journal->opening && status != 0;
    journal->blind = journal->blind && status != 0;
    return status;
}

static void journal_open_again(void *data)
{
    struct journal *journal = data;
    struct job *job = journal__job_new(journal, JOB_OPEN, 0);
    job->text = mem_strdup(journal->path);
    journal_work(journal, job);
}

void journal__give_up_opening(struct journal *journal)
{
    journal->opening = false;
    journal->again = timer_free(journal->again);
    for (struct job *job; (job = job_pop(&journal->first));)
        loop_defer(journal->loop, tell_later, job);
}

static void journal_opened(struct journal *journal, struct job *job)
{
    struct err e = job->result;
    struct store *store = job->store;
    job_free(job);
    if (!store)
        err_copy(&journal->trouble, &e);
    else if (!journal->opening)
        store_close(store); /* a run has begun meanwhile, under a number that may be taken */
    else if (journal_take(journal, store, &journal->trouble) == 0)
        err_clear(&journal->trouble);
    if (journal->store)
        log_info("history is on disk again");
    else if (journal->opening && store_may_open(&journal->trouble))
        timer_start(journal->again, OPEN_AGAIN_MS);
    else
        journal__give_up_opening(journal);
}

struct journal *journal_open(struct loop *loop, const char *path, struct err *e)
{
    struct journal *journal = mem_new(sizeof *journal);
    struct store *store;
    journal->loop = loop;
    journal->memory = memory_new();
    err_clear(e);
    if (!path)
        return journal;
    journal->path = mem_strdup(path);
    journal->blind = access(path, F_OK) == 0 || errno != ENOENT;
    if (store_open(path, &store, e) == 0 && journal_take(journal, store, e) == 0)
        return journal;
    err_copy(&journal->trouble, e);
    journal->opening = store_may_open(e);
    journal->again = timer_new(loop, journal_open_again, journal);
    if (journal->opening)
        timer_start(journal->again, OPEN_AGAIN_MS);
    return journal;
}

struct journal *journal_close(struct journal *journal)
{
    if (!journal)
        return NULL;
    /* The worker first, then what is still queued, here and now. Behind what the disk refuses it is
     * given nothing more to write. */
    while (journal->active)
        uv_run(loop_uv(journal->loop), UV_RUN_ONCE);
    bool refused = !journal->store;
    for (struct job *job; (job = job_pop(&journal->first));) {
        if (refused && job_writes(job))
            err_copy(&job->result, &journal->trouble);
        else if (journal->store)
            job_do(job, journal->store);
        refused = refused || job_is_refused(job);
        if (job->kind == JOB_END && err_is_set(&job->result))
            log_error("run %lld has ended, and its end is not on disk: the next life of the "
                      "supervisor takes it for unfinished and carries it on",
                      (long long)job->run);
        job_settle(job);
    }
    timer_free(journal->again);
    store_close(journal->store);
    memory_free(journal->memory);
    free(journal->path);
    free(journal);
    return NULL;
}

int64_t journal_busy_ms(const struct journal *journal)
{
    return journal->active ? loop_now(journal->loop) - journal->active_since_ms : 0;
}

const struct err *journal_trouble(const struct journal *journal)
{
    return err_is_set(&journal->trouble) ? &journal->trouble : NULL;
}
