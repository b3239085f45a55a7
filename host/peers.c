/* See peers.h. The job is a thread's while that works on it; the operation may end before. */
#include "host/peers.h"

#include "base/clock.h"
#include "base/mem.h"
#include "host/look.h"

struct find;

struct job {
    uv_work_t work;
    struct find *find; /* NULL: given up, nobody waits any more */
    struct peers_query query;
    struct peer_session *sessions; /* the query's lists, owned */
    char **near;
    int64_t until_ms;
    struct peer *peers;
    struct err e;
};

struct find {
    struct op op; /* first: the operation */
    struct job *job;
    struct peer *peers;
    size_t count;
    peers_fn done;
    void *data;
};

/* --- the job ---------------------------------------------------------------------------------- */

static struct job *job_new(const struct peers_query *query, int64_t deadline_ms)
{
    struct job *job = mem_new(sizeof *job);
    job->query = *query;
    job->query.proc = mem_strdup(query->proc);
    job->query.server_container = mem_strdup(query->server_container);
    job->sessions = mem_new((query->session_count + 1) * sizeof *job->sessions);
    for (size_t i = 0; i < query->session_count; i++) {
        job->sessions[i] = query->sessions[i];
        job->sessions[i].address = mem_strdup(query->sessions[i].address);
    }
    job->near = mem_new((query->near_count + 1) * sizeof *job->near);
    for (size_t i = 0; i < query->near_count; i++)
        job->near[i] = mem_strdup(query->near[i]);
    job->query.sessions = job->sessions;
    job->query.near = (const char *const *)job->near;
    job->peers = mem_new((query->session_count + 1) * sizeof *job->peers);
    /* Before the operation's own deadline: what the thread has found by then still counts. */
    job->until_ms = clock_mono_ms() + deadline_ms - deadline_ms / 8;
    return job;
}

static void job_free(struct job *job)
{
    for (size_t i = 0; i < job->query.session_count; i++)
        free((char *)job->sessions[i].address);
    for (size_t i = 0; i < job->query.near_count; i++)
        free(job->near[i]);
    free((char *)job->query.proc);
    free((char *)job->query.server_container);
    free(job->sessions);
    free(job->near);
    free(job->peers);
    free(job);
}

static void on_thread(uv_work_t *work)
{
    struct job *job = work->data;
    host__look(&job->query, job->until_ms, job->peers, &job->e);
}

static void on_looked(uv_work_t *work, int status)
{
    struct job *job = work->data;
    struct find *find = job->find;
    (void)status; /* who cancels the work has let go of it before */
    if (find) {
        find->job = NULL;
        find->peers = job->peers;
        job->peers = NULL;
        op_end(&find->op, err_is_set(&job->e) ? &job->e : NULL);
    }
    job_free(job);
}

/* --- the operation ---------------------------------------------------------------------------- */

static void on_drop(struct op *op)
{
    struct find *find = (struct find *)op;
    uv_cancel((uv_req_t *)&find->job->work); /* unless a thread is at it already */
    find->job->find = NULL;
    find->job = NULL;
}

static void on_deliver(struct op *op, const struct err *e)
{
    struct find *find = (struct find *)op;
    if (!find->peers)
        find->peers = mem_new((find->count + 1) * sizeof *find->peers);
    find->done(find->data, e, find->peers, find->count);
    free(find->peers);
    free(find);
}

op_id peers_find(struct loop *loop, const struct peers_query *query, int64_t deadline_ms,
                 peers_fn done, void *data)
{
    static const struct op_class class = {.drop = on_drop, .deliver = on_deliver};
    struct find *find = mem_new(sizeof *find);
    find->count = query->session_count;
    find->done = done;
    find->data = data;
    find->job = job_new(query, deadline_ms);
    find->job->find = find;
    find->job->work.data = find->job;
    op_id id =
        op_begin(&find->op, loop, &class, "host: look who holds the connections", deadline_ms);
    uv_queue_work(loop_uv(loop), &find->job->work, on_thread, on_looked);
    return id;
}
