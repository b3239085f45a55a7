/* What is asked of the journal, and who answers: its disk (journal_queue.c), its memory, or both.
 * See journal.h. */
#include "base/mem.h"
#include "playbooks/journal_private.h"

#include <string.h>

/* --- writing ---------------------------------------------------------------------------------- */

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
    if (journal->opening)
        journal__give_up_opening(journal); /* which numbers are taken is not known */
    struct job *job = journal__job_new(journal, JOB_BEGIN, ++journal->last_id);
    json_t *stored = memory_begin(journal->memory, job->run, summary, plan);
    job->summary = json_line(stored);
    job->plan = json_line(plan);
    json_decref(stored);
    job->tell = tell_begun;
    job->to.begun = done;
    job->data = data;
    journal__queue(job);
}

void journal_add(struct journal *journal, int64_t run, const json_t *entry, loop_fn done,
                 void *data)
{
    memory_add(journal->memory, run, entry);
    struct job *job = journal__job_new(journal, JOB_ADD, run);
    job->text = json_line(entry);
    job->tell = tell_done;
    job->to.done = done;
    job->data = data;
    journal__queue(job);
}

void journal_end(struct journal *journal, int64_t run, const json_t *entry, const json_t *summary,
                 loop_fn done, void *data)
{
    memory_add(journal->memory, run, entry);
    memory_end(journal->memory, run, summary);
    struct job *job = journal__job_new(journal, JOB_END, run);
    job->text = json_line(entry);
    job->summary = json_line(summary);
    job->tell = tell_done;
    job->to.done = done;
    job->data = data;
    journal__queue(job);
}

/* --- reading ---------------------------------------------------------------------------------- */

/* The worker may still be at work on a late job, so that only what is the loop's own is looked at
 * then. */
static json_t *stored_answer(const struct job *job)
{
    return job->late || err_is_set(&job->result) ? NULL : job->answer;
}

/* What was written in this life does as an answer when the disk gives none; nothing does not. */
static json_t *find_values(const struct job *job, const json_t *stored)
{
    const struct journal *journal = job->journal;
    json_t *found = memory_recall(journal->memory, stored, job->key);
    bool known = stored || (!journal->store && !journal->blind);
    if (known || json_object_size(found) > 0)
        return found;
    json_decref(found);
    return NULL;
}

/* The caller owns the answer; NULL when there is none. */
static json_t *find_answer(struct job *job)
{
    struct journal *journal = job->journal;
    json_t *stored = stored_answer(job);
    if (job->kind == JOB_LIST)
        return memory_newest(journal->memory, stored, job->limit);
    if (job->kind == JOB_READ) {
        json_t *recent = memory_find(journal->memory, job->run);
        return json_incref(recent ? recent : stored);
    }
    if (job->kind == JOB_RECALL)
        return find_values(job, stored);
    if (!journal->store)
        return journal->blind ? NULL : json_null();
    if (json_is_object(stored))
        memory_take(journal->memory, json_deep_copy(stored)); /* it goes on in this life */
    return json_incref(stored);
}

static void tell_answer(struct job *job)
{
    if (!job->to.answered) /* forgotten */
        return;
    json_t *answer = find_answer(job);
    struct err e;
    err_set(&e, ERR_NOT_FOUND, "there is no run %lld", (long long)job->run);
    if (job->late || (job->journal->blind && job->kind != JOB_READ))
        err_copy(&e, &job->journal->trouble);
    else if (err_is_set(&job->result))
        err_copy(&e, &job->result);
    job->to.answered(job->data, answer ? NULL : &e, answer);
    json_decref(answer);
}

static void journal_ask(struct journal *journal, enum job_kind kind, int64_t run, int limit,
                        journal_answer_fn done, void *data)
{
    struct job *job = journal__job_new(journal, kind, run);
    job->limit = limit;
    job->tell = tell_answer;
    job->to.answered = done;
    job->data = data;
    journal__queue(job);
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

static void forget_asker(struct job *job)
{
    if (job->kind == JOB_UNFINISHED)
        job->to.answered = NULL;
}

void journal_unfinished_forget(struct journal *journal)
{
    if (journal->active)
        forget_asker(journal->active);
    for (struct job *job = journal->first; job; job = job->next)
        forget_asker(job);
}

/* --- values by name --------------------------------------------------------------------------- */

void journal_keep(struct journal *journal, const char *key, const json_t *value, loop_fn done,
                  void *data)
{
    memory_keep(journal->memory, key, value);
    struct job *job = journal__job_new(journal, JOB_KEEP, 0);
    job->key = mem_strdup(key);
    job->text = value ? json_line(value) : NULL;
    job->tell = tell_done;
    job->to.done = done;
    job->data = data;
    journal__queue(job);
}

void journal_recall(struct journal *journal, const char *prefix, journal_answer_fn done, void *data)
{
    struct job *job = journal__job_new(journal, JOB_RECALL, 0);
    job->key = mem_strdup(prefix);
    job->tell = tell_answer;
    job->to.answered = done;
    job->data = data;
    journal__queue(job);
}
