/* The journal: every run and each of its entries, kept in SQLite, so that nothing a run owes is
 * forgotten when the daemon dies.
 *
 * Intent is written before an action and result after it; the next life finds the run that has no
 * end and carries it on. SQLite works on a thread of libuv's pool, one job at a time, so that a
 * slow disk never holds up the loop. History never blocks recovery: when the disk is full or does
 * not answer within JOURNAL_PATIENCE_MS the run goes on, and the journal says so (journal_trouble).
 * What the disk refused is kept, at most JOURNAL_HELD_MAX writes, and given to it again, in its
 * order, with the next one and at the close: the disk always has the beginning of the story.
 *
 * May use: base; SQLite in journal_store.c only.
 */
#ifndef PLAYBOOKS_JOURNAL_H
#define PLAYBOOKS_JOURNAL_H

#include "base/err.h"
#include "base/json.h"
#include "base/loop.h"

enum {
    JOURNAL_PATIENCE_MS = 2000,
    /* For journal_unfinished and journal_recall: an unfinished run that is overlooked stays down,
     * and a budget that is forgotten is spent twice. Both are worth a longer wait. */
    JOURNAL_RECALL_PATIENCE_MS = 20000,
    JOURNAL_KEEP_RUNS = 500,
    JOURNAL_HELD_MAX = 5000,
};

struct journal;

/* Opens (or makes) the file; path NULL keeps everything in memory. Blocks: call it before the loop
 * runs. It always gives a journal: when the file cannot be used, `e` says why and the journal
 * lives in memory. Where it may be usable in a moment (somebody reads it, its disk is away) it is
 * tried again, every second, until a run is begun: whoever asks meanwhile waits, for the patience.
 */
struct journal *journal_open(struct loop *loop, const char *path, struct err *e);

/* Finishes what is queued, then frees. Blocks for the queued writes; call it when the loop has
 * nothing else to do. Accepts NULL; returns NULL. */
struct journal *journal_close(struct journal *journal);

/* What keeps it from being durable right now, or NULL. Borrowed until the next call. */
const struct err *journal_trouble(const struct journal *journal);

/* For how long its thread has been at the present piece of work; 0: it is idle. */
int64_t journal_busy_ms(const struct journal *journal);

/* A new run; gives its id (never used again) when it is stored, or after the patience. `summary`
 * and `plan` are copied. */
typedef void (*journal_begun_fn)(void *data, int64_t run);
void journal_begin(struct journal *journal, const json_t *summary, const json_t *plan,
                   journal_begun_fn done, void *data);

/* One more entry of a run. done (may be NULL) is called once: when it is on disk, or after the
 * patience, or when the journal lives in memory; never from inside. */
void journal_add(struct journal *journal, int64_t run, const json_t *entry, loop_fn done,
                 void *data);

/* The run is over: its last entry, and its summary as it stands now; on disk together or not at
 * all. */
void journal_end(struct journal *journal, int64_t run, const json_t *entry, const json_t *summary,
                 loop_fn done, void *data);

/* Answers are borrowed for the call. */
typedef void (*journal_answer_fn)(void *data, const struct err *e, const json_t *answer);

/* The newest `limit` summaries, newest first. */
void journal_list(struct journal *journal, int limit, journal_answer_fn done, void *data);

/* One run: its summary with "plan" and "entries". ERR_NOT_FOUND. */
void journal_read(struct journal *journal, int64_t run, journal_answer_fn done, void *data);

/* The newest run without an end, in the form of journal_read, or a JSON null. An error when there
 * may be one and it cannot be read. After ERR_TIMEOUT done is called once more, if there is one and
 * the disk tells of it at last. */
void journal_unfinished(struct journal *journal, journal_answer_fn done, void *data);

/* Whoever asked that goes away: nothing late is told any more. */
void journal_unfinished_forget(struct journal *journal);

/* --- values by name ------------------------------------------------------------------------------
 *
 * What must outlive the process and is no run: what the policies remember, notifications that wait
 * to be delivered. Written in order with everything else of this journal. */

/* Keeps a copy of `value` under `key`, in place of what was there; NULL forgets it. done (may be
 * NULL) as for journal_add. */
void journal_keep(struct journal *journal, const char *key, const json_t *value, loop_fn done,
                  void *data);

/* All kept values whose key begins with `prefix`, as an object: key -> value. An error when there
 * may be some and they cannot be read. */
void journal_recall(struct journal *journal, const char *prefix, journal_answer_fn done,
                    void *data);

#endif
