/* The queue before the store: jobs in order, one at a time on a pool thread, and the copy in
 * memory that answers when the disk does not. See journal.h. */
#include "playbooks/journal.h"

#include "base/log.h"
#include "base/mem.h"
#include "playbooks/journal_store.h"

#include <string.h>

enum { RECENT_MAX = 20 };

enum job_kind { JOB_BEGIN, JOB_ADD, JOB_END, JOB_LIST, JOB_READ, JOB_UNFINISHED };

/* One piece of work for the store. Whoever waits for it is told once: by the result, or by the
 * patience running out, whichever is first. */
struct job {
    struct job *next;
    struct journal *journal;
    enum job_kind kind;
    int64_t run;
    int limit;
    char *text; /* summary or entry */
    char *plan;
    json_t *answer;
    struct err result; /* the worker's, until the job is settled */
    bool late;         /* told by the patience: what the worker finds is for nobody */
    struct timer *patience;
    void (*tell)(struct job *job); /* NULL once told */
    union {
        journal_begun_fn begun;
        loop_fn done;
        journal_answer_fn answered;
    } to;
    void *data;
};

struct journal {
    struct loop *loop;
    struct store *store; /* NULL: in memory */
    struct job *first, **last;
    struct job *active;
    uv_work_t work;
    int64_t last_id;
    json_t *recent; /* runs begun in this life, the oldest first: summary + plan + entries */
    struct err trouble;
};

/* --- memory ------------------------------------------------------------------------------------
 */

static json_t *recent_find(const struct journal *journal, int64_t run)
{
    json_t *record;
    size_t i;
    json_array_foreach(journal->recent, i,
                       record) if (json_int_at(record, "run", 0) == run) return record;
    return NULL;
}

static void recent_begin(struct journal *journal, int64_t run, const json_t *summary,
                         const json_t *plan)
{
    json_t *record = json_deep_copy(summary);
    json_set_int(record, "run", run);
    json_object_set_new(record, "plan", json_deep_copy(plan));
    json_object_set_new(record, "entries", json_array());
    json_array_append_new(journal->recent, record);
    if (json_array_size(journal->recent) > RECENT_MAX)
        json_array_remove(journal->recent, 0);
}

/* A copy without plan and entries. */
static json_t *record_summary(const json_t *record)
{
    json_t *summary = json_copy((json_t *)(uintptr_t)record);
    json_object_del(summary, "plan");
    json_object_del(summary, "entries");
    return summary;
}

static json_t *recent_list(const struct journal *journal, int limit)
{
    json_t *list = json_array();
    for (size_t i = json_array_size(journal->recent);
         i-- > 0 && (int)json_array_size(list) < limit;)
        json_array_append_new(list, record_summary(json_array_get(journal->recent, i)));
    return list;
}

/* --- jobs --------------------------------------------------------------------------------------
 */

static void job_free(struct job *job)
{
    timer_free(job->patience);
    free(job->text);
    free(job->plan);
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
    return job->kind == JOB_BEGIN || job->kind == JOB_ADD || job->kind == JOB_END;
}

static void on_patience(void *data)
{
    struct job *job = data;
    struct err e;
    err_set(&e, ERR_TIMEOUT, "journal: the disk has not answered for %d ms", JOURNAL_PATIENCE_MS);
    err_hint(&e, "look at the disk that holds the state directory");
    journal_note_trouble(job->journal, &e);
    job->late = true;
    job_tell(job);
}

/* On the pool thread: touches the job and the store, nothing else. */
static void job_do(struct job *job, struct store *store)
{
    struct err *e = &job->result;
    switch (job->kind) {
    case JOB_BEGIN:
        if (store_begin(store, job->run, job->text, job->plan, e) == 0)
            store_prune(store, JOURNAL_KEEP_RUNS, NULL);
        break;
    case JOB_ADD:
        store_add(store, job->run, job->text, e);
        break;
    case JOB_END:
        store_end(store, job->run, job->text, e);
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
    }
}

static void on_work(uv_work_t *work)
{
    struct journal *journal = work->data;
    job_do(journal->active, journal->store);
}

static void journal_next(struct journal *journal);

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
    job_free(job);
}

static void on_worked(uv_work_t *work, int status)
{
    (void)status;
    struct journal *journal = work->data;
    struct job *job = journal->active;
    journal->active = NULL;
    job_settle(job);
    journal_next(journal);
}

static void journal_next(struct journal *journal)
{
    if (journal->active || !journal->first)
        return;
    struct job *job = journal->first;
    journal->first = job->next;
    if (!journal->first)
        journal->last = &journal->first;
    journal->active = job;
    journal->work.data = journal;
    uv_queue_work(loop_uv(journal->loop), &journal->work, on_work, on_worked);
}

/* In memory the answer is known already; it is told by a deferred call all the same. */
static void tell_later(void *data)
{
    struct job *job = data;
    job_tell(job);
    job_free(job);
}

static void job_queue(struct job *job)
{
    struct journal *journal = job->journal;
    if (!journal->store) {
        loop_defer(journal->loop, tell_later, job);
        return;
    }
    if (job->tell) {
        job->patience = timer_new(journal->loop, on_patience, job);
        timer_start(job->patience, JOURNAL_PATIENCE_MS);
    }
    *journal->last = job;
    journal->last = &job->next;
    journal_next(journal);
}

static struct job *job_new(struct journal *journal, enum job_kind kind, int64_t run)
{
    struct job *job = mem_new(sizeof *job);
    job->journal = journal;
    job->kind = kind;
    job->run = run;
    return job;
}

/* --- opening -----------------------------------------------------------------------------------
 */

struct journal *journal_open(struct loop *loop, const char *path, struct err *e)
{
    struct journal *journal = mem_new(sizeof *journal);
    journal->loop = loop;
    journal->last = &journal->first;
    journal->recent = json_array();
    err_clear(e);
    if (path && store_open(path, &journal->store, e) == 0 &&
        store_last_id(journal->store, &journal->last_id, e) != 0)
        journal->store = store_close(journal->store);
    if (path && !journal->store)
        err_copy(&journal->trouble, e);
    return journal;
}

struct journal *journal_close(struct journal *journal)
{
    if (!journal)
        return NULL;
    /* The worker first, then what is still queued, here and now. */
    while (journal->active)
        uv_run(loop_uv(journal->loop), UV_RUN_ONCE);
    for (struct job *job = journal->first; job;) {
        struct job *next = job->next;
        job_do(job, journal->store);
        job_settle(job);
        job = next;
    }
    store_close(journal->store);
    json_decref(journal->recent);
    free(journal);
    return NULL;
}

const struct err *journal_trouble(const struct journal *journal)
{
    return err_is_set(&journal->trouble) ? &journal->trouble : NULL;
}

/* --- writing -----------------------------------------------------------------------------------
 */

static void tell_begun(struct job *job)
{
    job->to.begun(job->data, job->run);
}

static void tell_done(struct job *job)
{
    if (job->to.done)
        job->to.done(job->data);
}

void journal_begin(struct journal *journal, const json_t *summary, const json_t *plan,
                   journal_begun_fn done, void *data)
{
    struct job *job = job_new(journal, JOB_BEGIN, ++journal->last_id);
    recent_begin(journal, job->run, summary, plan);
    json_t *record = recent_find(journal, job->run);
    json_t *stored = record_summary(record);
    job->text = json_line(stored);
    job->plan = json_line(plan);
    json_decref(stored);
    job->tell = tell_begun;
    job->to.begun = done;
    job->data = data;
    job_queue(job);
}

void journal_add(struct journal *journal, int64_t run, const json_t *entry, loop_fn done,
                 void *data)
{
    json_t *record = recent_find(journal, run);
    if (record)
        json_array_append_new(json_object_get(record, "entries"), json_deep_copy(entry));
    struct job *job = job_new(journal, JOB_ADD, run);
    job->text = json_line(entry);
    job->tell = tell_done;
    job->to.done = done;
    job->data = data;
    job_queue(job);
}

void journal_end(struct journal *journal, int64_t run, const json_t *summary, loop_fn done,
                 void *data)
{
    json_t *record = recent_find(journal, run);
    if (record)
        json_object_update(record, (json_t *)(uintptr_t)summary);
    struct job *job = job_new(journal, JOB_END, run);
    job->text = json_line(summary);
    job->tell = tell_done;
    job->to.done = done;
    job->data = data;
    job_queue(job);
}

/* --- reading -----------------------------------------------------------------------------------
 */

/* What memory knows; NULL for a run it does not. */
static json_t *memory_answer(const struct job *job)
{
    if (job->kind == JOB_LIST)
        return recent_list(job->journal, job->limit);
    if (job->kind == JOB_READ)
        return json_incref(recent_find(job->journal, job->run));
    return json_null();
}

/* The disk's answer; when it has none, memory's. The worker may still be at work on a late job, so
 * that only what is the loop's own is looked at then. */
static void tell_answer(struct job *job)
{
    bool from_disk = !job->late && job->journal->store && !err_is_set(&job->result);
    json_t *answer = from_disk ? json_incref(job->answer) : memory_answer(job);
    struct err e;
    err_set(&e, ERR_NOT_FOUND, "there is no run %lld", (long long)job->run);
    if (!job->late && err_is_set(&job->result))
        err_copy(&e, &job->result);
    job->to.answered(job->data, answer ? NULL : &e, answer);
    json_decref(answer);
}

static void journal_ask(struct journal *journal, enum job_kind kind, int64_t run, int limit,
                        journal_answer_fn done, void *data)
{
    struct job *job = job_new(journal, kind, run);
    job->limit = limit;
    job->tell = tell_answer;
    job->to.answered = done;
    job->data = data;
    job_queue(job);
}

void journal_list(struct journal *journal, int limit, journal_answer_fn done, void *data)
{
    journal_ask(journal, JOB_LIST, 0, limit, done, data);
}

void journal_read(struct journal *journal, int64_t run, journal_answer_fn done, void *data)
{
    journal_ask(journal, JOB_READ, run, 0, done, data);
}

void journal_unfinished(struct journal *journal, journal_answer_fn done, void *data)
{
    journal_ask(journal, JOB_UNFINISHED, 0, 0, done, data);
}
