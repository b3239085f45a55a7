/* The journal: what is kept, in memory and on disk, over the lives of the daemon and over every way
 * in which a disk can fail. */
#include "playbooks/journal.h"

#include "tests/unit/unit.h"

#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>

static struct loop *loop;
static char folder[32];
static char *path;

static void set_up(void)
{
    loop = loop_new();
    snprintf(folder, sizeof folder, "/tmp/journal-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    path = mem_printf("%s/journal.db", folder);
}

static void tear_down(void)
{
    static const char *const endings[] = {"", "-wal", "-shm", ".reserve"};
    for (size_t i = 0; i < ARRAY_SIZE(endings); i++) {
        CLEANUP_FREE char *file = mem_printf("%s%s", path, endings[i]);
        remove(file);
    }
    remove(folder);
    free(path);
    loop_free(loop);
}

static struct journal *open_at(const char *where)
{
    struct err e;
    struct journal *journal = journal_open(loop, where, &e);
    ck_assert_ptr_nonnull(journal);
    ck_assert_int_eq(err_is_set(&e), journal_trouble(journal) != NULL);
    return journal;
}

static struct journal *open_fine(const char *where)
{
    struct journal *journal = open_at(where);
    ck_assert_ptr_null(journal_trouble(journal));
    return journal;
}

/* --- asking, and running the loop until the answer -------------------------------------------- */

struct answer {
    bool told;
    int64_t run;
    struct err e;
    json_t *json;
};

static void await(const struct answer *answer)
{
    ck_assert(!answer->told); /* never from inside the call */
    while (!answer->told)
        uv_run(loop_uv(loop), UV_RUN_ONCE);
}

static void on_begun(void *data, int64_t run)
{
    struct answer *answer = data;
    answer->told = true;
    answer->run = run;
}

static void on_done(void *data)
{
    ((struct answer *)data)->told = true;
}

static void on_answer(void *data, const struct err *e, const json_t *json)
{
    struct answer *answer = data;
    ck_assert((e == NULL) == (json != NULL));
    answer->told = true;
    err_copy(&answer->e, e);
    answer->json = json_deep_copy(json);
}

static int64_t begin(struct journal *journal, const char *summary)
{
    struct answer answer = {0};
    json_t *json = unit_json(summary);
    json_t *plan = unit_json("{'id':'p1'}");
    journal_begin(journal, json, plan, on_begun, &answer);
    json_decref(json);
    json_decref(plan);
    await(&answer);
    return answer.run;
}

static void add(struct journal *journal, int64_t run, const char *entry)
{
    struct answer answer = {0};
    json_t *json = unit_json(entry);
    journal_add(journal, run, json, on_done, &answer);
    json_decref(json);
    await(&answer);
}

static void end(struct journal *journal, int64_t run, const char *summary)
{
    struct answer answer = {0};
    json_t *json = unit_json(summary);
    json_t *entry = unit_json("{'name':'over'}");
    json_set_int(json, "run", run);
    journal_end(journal, run, entry, json, on_done, &answer);
    json_decref(json);
    json_decref(entry);
    await(&answer);
}

static void keep(struct journal *journal, const char *key, const char *value)
{
    struct answer answer = {0};
    json_t *json = unit_json(value);
    journal_keep(journal, key, json, on_done, &answer);
    json_decref(json);
    await(&answer);
}

/* The caller owns the answers; NULL with *e set. */
static json_t *read_run(struct journal *journal, int64_t run, struct err *e)
{
    struct answer answer = {0};
    journal_read(journal, run, on_answer, &answer);
    await(&answer);
    err_copy(e, &answer.e);
    return answer.json;
}

static json_t *unfinished(struct journal *journal)
{
    struct answer answer = {0};
    journal_unfinished(journal, on_answer, &answer);
    await(&answer);
    ck_assert_ptr_nonnull(answer.json);
    return answer.json;
}

static void assert_unfinished(struct journal *journal, int64_t run)
{
    json_t *found = unfinished(journal);
    ck_assert_int_eq(json_int_at(found, "run", 0), run);
    json_decref(found);
}

static void assert_kept(struct journal *journal, const char *key, int64_t value)
{
    struct answer answer = {0};
    journal_recall(journal, key, on_answer, &answer);
    await(&answer);
    ck_assert_int_eq(json_int_at(json_object_get(answer.json, key), "value", 0), value);
    json_decref(answer.json);
}

/* "3 succeeded, 2 running" */
static void assert_list(struct journal *journal, int limit, const char *expected)
{
    struct answer answer = {0};
    journal_list(journal, limit, on_answer, &answer);
    await(&answer);
    char text[256] = "";
    for (size_t i = 0; i < json_array_size(answer.json); i++) {
        const json_t *one = json_array_get(answer.json, i);
        size_t len = strlen(text);
        snprintf(text + len, sizeof text - len, "%s%lld %s", i ? ", " : "",
                 (long long)json_int_at(one, "run", 0), json_text_at(one, "state", "?"));
        ck_assert_ptr_null(json_at(one, "plan"));
        ck_assert_ptr_null(json_at(one, "entries"));
    }
    ck_assert_str_eq(text, expected);
    json_decref(answer.json);
}

/* What is known of a run: its state, and its entries' names, "running: one two". */
static void assert_run(struct journal *journal, int64_t run, const char *expected)
{
    struct err e;
    json_t *record = read_run(journal, run, &e);
    ck_assert_msg(record != NULL, "%s", e.text);
    ck_assert_int_eq(json_int_at(record, "run", 0), run);
    ck_assert_str_eq(json_text_at(record, "plan/id", ""), "p1");
    char text[256];
    snprintf(text, sizeof text, "%s:", json_text_at(record, "state", "?"));
    const json_t *entries = json_at(record, "entries");
    for (size_t i = 0; i < json_array_size(entries); i++) {
        size_t len = strlen(text);
        snprintf(text + len, sizeof text - len, " %s",
                 json_text_at(json_array_get(entries, i), "name", "?"));
    }
    ck_assert_str_eq(text, expected);
    json_decref(record);
}

#define RUNNING   "{'state':'running'}"
#define SUCCEEDED "{'state':'succeeded'}"

/* Two runs: the first is over, the second has two entries and no end. */
static void two_runs(struct journal *journal)
{
    ck_assert_int_eq(begin(journal, RUNNING), 1);
    add(journal, 1, "{'name':'one'}");
    end(journal, 1, SUCCEEDED);
    ck_assert_int_eq(begin(journal, RUNNING), 2);
    add(journal, 2, "{'name':'intent'}");
    add(journal, 2, "{'name':'result'}");
}

static void assert_two_runs(struct journal *journal)
{
    assert_list(journal, 10, "2 running, 1 succeeded");
    assert_list(journal, 1, "2 running");
    assert_run(journal, 1, "succeeded: one over");
    assert_run(journal, 2, "running: intent result");
    struct err e;
    ck_assert_ptr_null(read_run(journal, 3, &e));
    ck_assert_int_eq(e.code, ERR_NOT_FOUND);
    unit_assert_has(e.text, "no run 3");
}

/* --- in memory and on disk -------------------------------------------------------------------- */

START_TEST(in_memory_it_answers_the_same)
{
    struct journal *journal = open_fine(NULL);
    two_runs(journal);
    assert_two_runs(journal);
    json_t *none = unfinished(journal);
    ck_assert(json_is_null(none)); /* there was no life before */
    json_decref(none);
    ck_assert_ptr_null(journal_close(journal));
    journal_close(NULL);
}
END_TEST

START_TEST(the_next_life_knows_what_the_last_one_wrote)
{
    struct journal *journal = open_fine(path);
    two_runs(journal);
    assert_two_runs(journal);
    journal_close(journal);
    journal = open_fine(path);
    assert_two_runs(journal);
    ck_assert_int_eq(begin(journal, RUNNING), 3);
    assert_list(journal, 10, "3 running, 2 running, 1 succeeded");
    journal_close(journal);
}
END_TEST

START_TEST(an_unfinished_run_is_found_and_can_be_finished)
{
    struct journal *journal = open_fine(path);
    two_runs(journal);
    journal_close(journal);
    journal = open_fine(path);
    json_t *found = unfinished(journal);
    ck_assert_int_eq(json_int_at(found, "run", 0), 2);
    ck_assert_str_eq(json_text_at(found, "plan/id", ""), "p1");
    ck_assert_uint_eq(json_array_size(json_at(found, "entries")), 2);
    json_decref(found);
    add(journal, 2, "{'name':'resumed'}");
    end(journal, 2, SUCCEEDED);
    assert_run(journal, 2, "succeeded: intent result resumed over");
    journal_close(journal);
    journal = open_fine(path);
    found = unfinished(journal);
    ck_assert(json_is_null(found));
    json_decref(found);
    assert_run(journal, 2, "succeeded: intent result resumed over");
    journal_close(journal);
}
END_TEST

START_TEST(what_is_queued_is_written_when_it_closes)
{
    struct journal *journal = open_fine(path);
    struct answer answers[20] = {0};
    int64_t run = begin(journal, RUNNING);
    for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
        json_t *entry = unit_json("{'name':'x'}");
        journal_add(journal, run, entry, on_done, &answers[i]);
        json_decref(entry);
    }
    json_t *entry = unit_json("{'name':'nobody waits'}");
    journal_add(journal, run, entry, NULL, NULL);
    json_decref(entry);
    journal_close(journal);
    for (size_t i = 0; i < ARRAY_SIZE(answers); i++)
        ck_assert(answers[i].told);
    journal = open_fine(path);
    struct err e;
    json_t *record = read_run(journal, run, &e);
    ck_assert_uint_eq(json_array_size(json_at(record, "entries")), ARRAY_SIZE(answers) + 1);
    json_decref(record);
    journal_close(journal);
}
END_TEST

START_TEST(old_runs_are_forgotten_but_not_what_is_owed)
{
    struct journal *journal = open_fine(path);
    begin(journal, RUNNING); /* its end never came */
    for (int i = 0; i <= JOURNAL_KEEP_RUNS; i++)
        end(journal, begin(journal, RUNNING), SUCCEEDED);
    journal_close(journal);
    journal = open_fine(path);
    struct err e;
    ck_assert_ptr_null(read_run(journal, 2, &e));
    ck_assert_int_eq(e.code, ERR_NOT_FOUND);
    assert_run(journal, 3, "succeeded: over");
    assert_run(journal, 1, "running:");
    ck_assert_int_eq(begin(journal, RUNNING), JOURNAL_KEEP_RUNS + 3); /* never used again */
    journal_close(journal);
}
END_TEST

/* Its beginning was lost on a full disk: the disk is not "there again" before it has a run as a
 * whole. */
START_TEST(the_end_of_a_run_that_the_disk_does_not_have_is_no_success)
{
    struct journal *journal = open_fine(path);
    end(journal, 7, SUCCEEDED);
    ck_assert_ptr_nonnull(journal_trouble(journal));
    unit_assert_has(journal_trouble(journal)->text, "does not have run 7");
    begin(journal, RUNNING);
    ck_assert_ptr_null(journal_trouble(journal));
    journal_close(journal);
}
END_TEST

/* --- a disk that fails ------------------------------------------------------------------------ */

static void assert_lives_in_memory(struct journal *journal, const char *words)
{
    ck_assert_ptr_nonnull(journal_trouble(journal));
    unit_assert_has(journal_trouble(journal)->text, words);
    two_runs(journal);
    assert_two_runs(journal);
    journal_close(journal);
}

START_TEST(a_place_that_cannot_be_used_is_named_and_it_lives_in_memory)
{
    CLEANUP_FREE char *nowhere = mem_printf("%s/no/such/journal.db", folder);
    assert_lives_in_memory(open_at(nowhere), nowhere);
    assert_lives_in_memory(open_at(folder), folder);
}
END_TEST

START_TEST(a_file_that_is_no_journal_is_left_alone)
{
    FILE *file = fopen(path, "w");
    for (int i = 0; i < 200; i++)
        fputs("somebody's own text\n", file);
    fclose(file);
    struct journal *journal = open_at(path);
    unit_assert_has(journal_trouble(journal)->hint, "move the file away");
    assert_lives_in_memory(journal, path);
    struct stat status;
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_int_eq(status.st_size, 200 * 20);
}
END_TEST

START_TEST(a_file_that_another_holds_is_told)
{
    struct journal *journal = open_fine(path);
    begin(journal, RUNNING);
    struct journal *second = open_at(path);
    unit_assert_has(journal_trouble(second)->hint, "another process holds it");
    assert_lives_in_memory(second, path);
    assert_list(journal, 10, "1 running");
    journal_close(journal);
}
END_TEST

static void on_time(void *data)
{
    *(bool *)data = true;
}

static void let_pass(int64_t ms)
{
    bool over = false;
    struct timer *timer = timer_new(loop, on_time, &over);
    timer_start(timer, ms);
    while (!over)
        uv_run(loop_uv(loop), UV_RUN_ONCE);
    timer_free(timer);
}

/* Somebody who looks into it: a backup, or a person with sqlite3. */
static sqlite3 *read_it(void)
{
    sqlite3 *db;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, "BEGIN; SELECT count(*) FROM entries", NULL, NULL, NULL),
                     SQLITE_OK);
    return db;
}

START_TEST(a_file_that_is_read_for_a_while_is_waited_for)
{
    struct journal *journal = open_fine(path);
    two_runs(journal);
    keep(journal, "key", "{'value':1}");
    journal_close(journal);
    sqlite3 *reader = read_it();
    journal = open_at(path);
    unit_assert_has(journal_trouble(journal)->hint, "another process holds it");
    struct answer answer = {0};
    journal_unfinished(journal, on_answer, &answer);
    let_pass(100);
    ck_assert(!answer.told);
    sqlite3_close(reader);
    await(&answer);
    ck_assert_int_eq(json_int_at(answer.json, "run", 0), 2);
    json_decref(answer.json);
    ck_assert_ptr_null(journal_trouble(journal));
    assert_kept(journal, "key", 1);
    ck_assert_int_eq(begin(journal, RUNNING), 3);
    journal_close(journal);
}
END_TEST

static void on_late_answer(void *data, const struct err *e, const json_t *json)
{
    struct answer *answer = data;
    answer->told = true;
    err_copy(&answer->e, e);
    json_decref(answer->json);
    answer->json = json_deep_copy(json);
}

/* What it stopped is down; the disk was away for longer than anybody waits. */
START_TEST(an_unfinished_run_is_told_of_late_rather_than_never)
{
    struct journal *journal = open_fine(path);
    two_runs(journal);
    journal_close(journal);
    sqlite3 *reader = read_it();
    journal = open_at(path);
    struct answer answer = {0};
    journal_unfinished(journal, on_late_answer, &answer);
    await(&answer);
    unit_assert_has(answer.e.hint, "another process holds it");
    answer.told = false;
    sqlite3_close(reader);
    await(&answer);
    ck_assert_int_eq(answer.e.code, ERR_NONE);
    ck_assert_int_eq(json_int_at(answer.json, "run", 0), 2);
    json_decref(answer.json);
    add(journal, 2, "{'name':'resumed'}");
    assert_run(journal, 2, "running: intent result resumed");
    journal_close(journal);
}
END_TEST

/* Nobody may take what cannot be read for nothing: what it stopped would stay down untold. */
START_TEST(what_cannot_be_opened_is_no_empty_journal)
{
    struct journal *journal = open_fine(path);
    two_runs(journal);
    journal_close(journal);
    sqlite3 *reader = read_it();
    journal = open_at(path);
    ck_assert_int_eq(begin(journal, RUNNING), 1); /* it is not waited for any longer */
    struct answer runs = {0}, values = {0};
    journal_unfinished(journal, on_answer, &runs);
    await(&runs);
    unit_assert_has(runs.e.hint, "another process holds it");
    journal_recall(journal, "", on_answer, &values);
    await(&values);
    unit_assert_has(values.e.hint, "another process holds it");
    journal_close(journal);
    sqlite3_close(reader);
}
END_TEST

START_TEST(a_newer_programs_file_is_not_written_to)
{
    struct journal *journal = open_fine(path);
    two_runs(journal);
    journal_close(journal);
    sqlite3 *db;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, "PRAGMA user_version=7", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    journal = open_at(path);
    unit_assert_has(journal_trouble(journal)->text, "a newer stack-supervisord");
    struct answer answer = {0};
    journal_unfinished(journal, on_answer, &answer);
    await(&answer);
    ck_assert_int_eq(answer.e.code, ERR_UNSUPPORTED);
    journal_close(journal);
}
END_TEST

START_TEST(nobody_else_may_read_it)
{
    mode_t before = umask(022);
    struct journal *journal = open_fine(path);
    begin(journal, RUNNING);
    static const char *const endings[] = {"", "-wal", ".reserve"};
    for (size_t i = 0; i < ARRAY_SIZE(endings); i++) {
        struct stat status;
        CLEANUP_FREE char *file = mem_printf("%s%s", path, endings[i]);
        ck_assert_int_eq(stat(file, &status), 0);
        ck_assert_int_eq(status.st_mode & 0777, 0600);
    }
    journal_close(journal);
    umask(before);
}
END_TEST

/* From now on no file grows beyond the journal's present size: a full disk. */
static void fill_the_disk(void)
{
    struct stat status;
    CLEANUP_FREE char *wal = mem_printf("%s-wal", path);
    ck_assert_int_eq(stat(wal, &status), 0);
    signal(SIGXFSZ, SIG_IGN);
    const struct rlimit limit = {.rlim_cur = (rlim_t)status.st_size, .rlim_max = RLIM_INFINITY};
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void make_room(void)
{
    const struct rlimit limit = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

START_TEST(on_a_full_disk_the_run_goes_on_and_memory_knows_it)
{
    struct journal *journal = open_fine(path);
    begin(journal, RUNNING);
    add(journal, 1, "{'name':'kept'}");
    fill_the_disk();
    add(journal, 1, "{'name':'lost'}");
    ck_assert_ptr_nonnull(journal_trouble(journal));
    assert_run(journal, 1, "running: kept lost");
    end(journal, 1, SUCCEEDED);
    assert_run(journal, 1, "succeeded: kept lost over");
    ck_assert_int_eq(begin(journal, RUNNING), 2);
    add(journal, 2, "{'name':'intent'}");
    assert_run(journal, 2, "running: intent");
    assert_list(journal, 10, "2 running, 1 succeeded");
    assert_list(journal, 1, "2 running");
    make_room();
    ck_assert_int_eq(begin(journal, RUNNING), 3);
    ck_assert_ptr_null(journal_trouble(journal)); /* there is room again */
    assert_list(journal, 10, "3 running, 2 running, 1 succeeded");
    journal_close(journal);
}
END_TEST

/* The run's story with a hole in it, or without its end, would be carried on once more. */
START_TEST(what_a_full_disk_refused_is_written_when_there_is_room)
{
    struct journal *journal = open_fine(path);
    begin(journal, RUNNING);
    fill_the_disk();
    add(journal, 1, "{'name':'intent'}");
    keep(journal, "key", "{'value':1}");
    keep(journal, "key", "{'value':2}");
    add(journal, 1, "{'name':'result'}");
    end(journal, 1, SUCCEEDED);
    make_room();
    ck_assert_ptr_nonnull(journal_trouble(journal));
    ck_assert_int_eq(begin(journal, RUNNING), 2);
    ck_assert_ptr_null(journal_trouble(journal));
    journal_close(journal);
    journal = open_fine(path);
    assert_run(journal, 1, "succeeded: intent result over");
    assert_unfinished(journal, 2);
    assert_kept(journal, "key", 2);
    journal_close(journal);
}
END_TEST

START_TEST(what_a_full_disk_refused_is_tried_once_more_at_the_close)
{
    struct journal *journal = open_fine(path);
    begin(journal, RUNNING);
    fill_the_disk();
    add(journal, 1, "{'name':'refused'}");
    end(journal, 1, SUCCEEDED);
    make_room();
    journal_close(journal);
    journal = open_fine(path);
    assert_run(journal, 1, "succeeded: refused over");
    journal_close(journal);
}
END_TEST

START_TEST(a_disk_that_stays_full_has_the_beginning_of_the_story)
{
    struct journal *journal = open_fine(path);
    begin(journal, RUNNING);
    add(journal, 1, "{'name':'kept'}");
    fill_the_disk();
    add(journal, 1, "{'name':'refused'}");
    end(journal, 1, SUCCEEDED);
    journal_close(journal);
    make_room();
    journal = open_fine(path);
    assert_unfinished(journal, 1);
    assert_run(journal, 1, "running: kept");
    journal_close(journal);
}
END_TEST

START_TEST(a_disk_that_stays_full_does_not_fill_the_memory)
{
    struct journal *journal = open_fine(path);
    begin(journal, RUNNING);
    fill_the_disk();
    json_t *entry = unit_json("{'name':'x'}");
    for (int i = 0; i < JOURNAL_HELD_MAX + 10; i++)
        journal_add(journal, 1, entry, NULL, NULL);
    json_decref(entry);
    add(journal, 1, "{'name':'refused'}");
    add(journal, 1, "{'name':'the last'}");
    make_room();
    journal_close(journal);
    journal = open_fine(path);
    struct err e;
    json_t *record = read_run(journal, 1, &e);
    const json_t *entries = json_at(record, "entries");
    ck_assert_uint_le(json_array_size(entries), JOURNAL_HELD_MAX);
    const json_t *last = json_array_get(entries, json_array_size(entries) - 1);
    ck_assert_str_eq(json_text_at(last, "name", ""), "the last");
    json_decref(record);
    journal_close(journal);
}
END_TEST

START_TEST(on_a_full_disk_a_run_of_an_earlier_life_is_known_too)
{
    struct journal *journal = open_fine(path);
    two_runs(journal);
    journal_close(journal);
    journal = open_fine(path);
    json_decref(unfinished(journal));
    fill_the_disk();
    add(journal, 2, "{'name':'resumed'}");
    ck_assert_ptr_nonnull(journal_trouble(journal));
    end(journal, 2, SUCCEEDED);
    assert_run(journal, 2, "succeeded: intent result resumed over");
    assert_list(journal, 10, "2 succeeded, 1 succeeded");
    make_room();
    journal_close(journal);
}
END_TEST

/* The pool's threads, all of them at something else: as with a disk that does not answer. */
enum { THREADS_MAX = 4 };

static void on_block(uv_work_t *work)
{
    const int *fd = work->data;
    char byte;
    ck_assert_int_eq(read(*fd, &byte, 1), 0); /* until the other end is closed */
}

static void on_unblocked(uv_work_t *work, int status)
{
    (void)work;
    (void)status;
}

START_TEST(a_disk_that_does_not_answer_is_waited_for_no_longer_than_the_patience)
{
    struct journal *journal = open_fine(path);
    uv_work_t blocks[THREADS_MAX];
    int ends[2];
    begin(journal, RUNNING);
    ck_assert_int_eq(pipe(ends), 0);
    for (size_t i = 0; i < THREADS_MAX; i++) {
        blocks[i].data = &ends[0];
        uv_queue_work(loop_uv(loop), &blocks[i], on_block, on_unblocked);
    }
    int64_t asked = loop_now(loop);
    add(journal, 1, "{'name':'late'}");
    int64_t waited = loop_now(loop) - asked;
    ck_assert_int_ge(waited, JOURNAL_PATIENCE_MS - 1);
    ck_assert_int_lt(waited, JOURNAL_PATIENCE_MS + 2000);
    unit_assert_has(journal_trouble(journal)->text, "has not answered");
    assert_run(journal, 1, "running: late");
    assert_list(journal, 10, "1 running");
    close(ends[1]);
    add(journal, 1, "{'name':'after'}");
    ck_assert_ptr_null(journal_trouble(journal)); /* it was late, and nothing is lost */
    journal_close(journal);
    loop_run(loop);
    close(ends[0]);
    journal = open_fine(path);
    assert_run(journal, 1, "running: late after");
    journal_close(journal);
}
END_TEST

/* --- damage ----------------------------------------------------------------------------------- */

static void damage(const char *sql)
{
    sqlite3 *db;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

START_TEST(one_damaged_run_spoils_no_other)
{
    struct journal *journal = open_fine(path);
    two_runs(journal);
    journal_close(journal);
    damage("UPDATE runs SET summary = '{\"run\":' WHERE id = 1;"
           "UPDATE entries SET entry = 'x' WHERE entry LIKE '%intent%'");
    journal = open_fine(path);
    struct err e;
    ck_assert_ptr_null(read_run(journal, 1, &e));
    ck_assert_int_eq(e.code, ERR_PROTOCOL);
    unit_assert_has(e.text, "run 1 is damaged");
    assert_list(journal, 10, "2 running");
    assert_run(journal, 2, "running: result");
    journal_close(journal);
}
END_TEST

START_TEST(an_unfinished_run_that_is_damaged_is_told)
{
    struct journal *journal = open_fine(path);
    two_runs(journal);
    journal_close(journal);
    damage("UPDATE runs SET summary = '7' WHERE id = 2");
    journal = open_fine(path);
    struct answer answer = {0};
    journal_unfinished(journal, on_answer, &answer);
    await(&answer);
    ck_assert_int_eq(answer.e.code, ERR_PROTOCOL);
    unit_assert_has(answer.e.text, "run 2 is damaged");
    journal_close(journal);
}
END_TEST

UNIT_MAIN_WITH("journal", set_up, tear_down, in_memory_it_answers_the_same,
               the_next_life_knows_what_the_last_one_wrote,
               an_unfinished_run_is_found_and_can_be_finished,
               what_is_queued_is_written_when_it_closes,
               old_runs_are_forgotten_but_not_what_is_owed,
               a_place_that_cannot_be_used_is_named_and_it_lives_in_memory,
               a_file_that_is_no_journal_is_left_alone, a_file_that_another_holds_is_told,
               a_file_that_is_read_for_a_while_is_waited_for,
               an_unfinished_run_is_told_of_late_rather_than_never,
               what_cannot_be_opened_is_no_empty_journal, a_newer_programs_file_is_not_written_to,
               nobody_else_may_read_it, on_a_full_disk_the_run_goes_on_and_memory_knows_it,
               what_a_full_disk_refused_is_written_when_there_is_room,
               what_a_full_disk_refused_is_tried_once_more_at_the_close,
               a_disk_that_stays_full_has_the_beginning_of_the_story,
               a_disk_that_stays_full_does_not_fill_the_memory,
               on_a_full_disk_a_run_of_an_earlier_life_is_known_too,
               the_end_of_a_run_that_the_disk_does_not_have_is_no_success,
               a_disk_that_does_not_answer_is_waited_for_no_longer_than_the_patience,
               one_damaged_run_spoils_no_other, an_unfinished_run_that_is_damaged_is_told)
