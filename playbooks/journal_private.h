/* What journal.c and journal_queue.c share: a piece of work for the disk, and the journal itself.
 * Private to playbooks/. */
#ifndef PLAYBOOKS_JOURNAL_PRIVATE_H
#define PLAYBOOKS_JOURNAL_PRIVATE_H

#include "playbooks/journal.h"
#include "playbooks/journal_memory.h"
#include "playbooks/journal_store.h"

enum job_kind {
    JOB_OPEN,
    JOB_BEGIN,
    JOB_ADD,
    JOB_END,
    JOB_LIST,
    JOB_READ,
    JOB_UNFINISHED,
    JOB_KEEP,
    JOB_RECALL
};

/* One piece of work for the store. Whoever waits for it is told once: by the result, or by the
 * patience running out, whichever is first. */
struct job {
    struct job *next;
    struct journal *journal;
    enum job_kind kind;
    int64_t run;
    int limit;
    char *text; /* entry or value */
    char *summary, *plan;
    char *key; /* of a value, or what keys begin with */
    json_t *answer;
    struct err result;   /* the worker's, until the job is settled */
    bool late;           /* told by the patience, before the worker had found anything */
    bool urgent;         /* the end of a run, or in front of one */
    struct store *store; /* what it has opened */
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
    char *path;          /* NULL: there is no file */
    struct store *store; /* NULL: in memory */
    bool opening;        /* the file may yet be opened: as a disk that does not answer */
    bool blind;          /* what is in the file is not known */
    struct timer *again; /* to open it */
    struct job *first;   /* in their order */
    struct job *active;
    int64_t active_since_ms;
    uv_work_t work;
    int64_t last_id;
    bool refusing; /* the disk has refused the first: it is tried again with the next */
    bool telling;
    struct memory *memory;
    struct err trouble;
};

/* journal_queue.c: a job is the queue's from journal__queue on, which frees it. */
struct job *journal__job_new(struct journal *journal, enum job_kind kind, int64_t run);
void journal__queue(struct job *job);

/* In memory, for this life: whoever waits is told so. */
void journal__give_up_opening(struct journal *journal);

#endif
