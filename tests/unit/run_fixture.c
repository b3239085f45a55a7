/* See run_fixture.h. */
#include "tests/unit/run_fixture.h"

#include "base/buf.h"
#include "holders/holders.h"
#include "tests/unit/pg_fixture.h"

#include <stdio.h>

struct loop *loop;
struct world world;
struct reach *reach;
struct journal *journal;
struct runner *runner;
char *path;
char lock_scope[32];
static struct holders_cache *holders;
static struct playbook_set *playbooks;
static struct timer *guard;
static char folder[32];

/* --- around each test ------------------------------------------------------------------------- */

static void on_guard(void *data)
{
    (void)data;
    ck_abort_msg("it took too long");
}

void add_playbook(const char *name, const char *text)
{
    struct diag_list diags;
    diag_init(&diags, name, text);
    struct yaml_node *node = yaml_parse(text, strlen(text), &diags);
    struct playbook *playbook = node ? playbook_read(name, node, &diags) : NULL;
    ck_assert_msg(playbook != NULL, "%s", diags.count ? diags.items[0].text : "");
    playbook_set_put(playbooks, playbook);
    playbook_unref(playbook);
    yaml_node_free(node);
    diag_free(&diags);
}

static void on_event(void *data, const struct docker_event *event)
{
    (void)data;
    if (runner)
        runner_docker_event(runner, event);
}

void begin_life(const char *journal_path)
{
    struct err e;
    static const struct stack_selector selector = {0};
    journal = journal_open(loop, journal_path, &e);
    const struct runner_options options = {.loop = loop,
                                           .docker = world.docker,
                                           .reach = reach,
                                           .journal = journal,
                                           .holders = holders,
                                           .lock_scope = lock_scope,
                                           .lock_patience_ms = LOCK_PATIENCE_MS};
    runner = runner_new(&options);
    runner_configure(runner, playbooks, &selector);
}

void end_life(void)
{
    runner = runner_free(runner);
    journal = journal_close(journal);
}

void run_set_up(void)
{
    loop = loop_new();
    snprintf(folder, sizeof folder, "/tmp/run-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    path = mem_printf("%s/journal.db", folder);
    snprintf(lock_scope, sizeof lock_scope, "test-run-%d", (int)getpid());
    holders = holders_cache_new(loop);
    world_open(&world, loop);
    world.on_event = on_event;
    world_add(&world, "db", "");
    world_add(&world, "web", "db:service_healthy:false");
    playbooks = playbook_set_new();
    add_playbook("bounce", "- stop: apps\n- start: apps\n");
    add_playbook("other", "- capture: evidence\n");
    /* Nobody listens there: the database answers quickly that it does not. */
    CLEANUP_FREE char *connect =
        mem_printf("host=127.0.0.1 port=%d user=x password=x sslmode=disable", free_port());
    const struct reach_options options = {.connect = connect};
    reach = reach_new(loop, world.docker, &options);
    guard = timer_new(loop, on_guard, NULL);
    timer_start(guard, 40000);
    begin_life(NULL);
}

void run_tear_down(void)
{
    end_life();
    reach_free(reach);
    holders_cache_free(holders);
    world_close(&world);
    playbook_set_free(playbooks);
    timer_free(guard);
    loop_free(loop);
    static const char *const endings[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < ARRAY_SIZE(endings); i++) {
        CLEANUP_FREE char *file = mem_printf("%s%s", path, endings[i]);
        remove(file);
    }
    remove(folder);
    free(path);
}

/* --- asking ----------------------------------------------------------------------------------- */

static void on_asked(void *data, const struct err *e, int64_t run, bool joined,
                     const struct plan *plan)
{
    struct asked *asked = data;
    ck_assert(!asked->told);
    asked->told = true;
    asked->joined = joined;
    asked->run = run;
    err_copy(&asked->e, e);
    if (plan)
        snprintf(asked->plan_id, sizeof asked->plan_id, "%s", plan->id);
}

void turn(void)
{
    uv_run(loop_uv(loop), UV_RUN_ONCE);
}

void ask(const char *playbook, const char *plan_id, struct asked *asked)
{
    const struct run_request request = {
        .playbook = playbook, .plan_id = plan_id, .trigger = "test", .requester = "nobody"};
    *asked = (struct asked){0};
    runner_start(runner, &request, on_asked, asked);
    ck_assert(!asked->told);
}

int64_t start(const char *playbook)
{
    struct asked asked;
    ask(playbook, NULL, &asked);
    while (!asked.told)
        turn();
    ck_assert_msg(!err_is_set(&asked.e), "%s", asked.e.text);
    return asked.run;
}

void await_end(void)
{
    while (runner_present(runner))
        turn();
}

void await_asked(const char *service, const char *what, size_t times)
{
    while (world_asked(&world, "POST", service, what) < times)
        turn();
}

static void on_read(void *data, const struct err *e, const json_t *record)
{
    ck_assert_msg(record != NULL, "%s", e ? e->text : "");
    *(json_t **)data = json_deep_copy(record);
}

/* The caller owns it. */
json_t *record_of(int64_t run)
{
    json_t *record = NULL;
    journal_read(journal, run, on_read, &record);
    while (!record)
        turn();
    return record;
}

json_t *run_to_end(const char *playbook)
{
    int64_t run = start(playbook);
    await_end();
    return record_of(run);
}

const json_t *end_of(const json_t *record)
{
    const json_t *entries = json_at(record, "entries");
    const json_t *end = json_array_get(entries, json_array_size(entries) - 1);
    ck_assert_str_eq(json_text_at(end, "type", ""), "end");
    return end;
}

/* "stop:shop_web_1 done, start:shop_web_1 failed": the results in their order. */
void assert_results(const json_t *record, const char *expected)
{
    struct buf all;
    buf_init(&all, 1 << 16);
    const json_t *entries = json_at(record, "entries");
    for (size_t i = 0; i < json_array_size(entries); i++) {
        const json_t *entry = json_array_get(entries, i);
        const char *state = json_text_at(entry, "state", "");
        if (strcmp(json_text_at(entry, "type", ""), "action") == 0 && strcmp(state, "running") != 0)
            buf_printf(&all, "%s%s %s", all.len ? ", " : "", json_text_at(entry, "action", ""),
                       state);
    }
    ck_assert_str_eq(buf_text(&all), expected);
    buf_free(&all);
}

void assert_end(const json_t *record, const char *state, size_t left_stopped)
{
    const json_t *end = end_of(record);
    ck_assert_msg(strcmp(json_text_at(end, "state", ""), state) == 0, "%s: %s",
                  json_text_at(end, "state", ""), json_text_at(end, "text", ""));
    ck_assert_str_eq(json_text_at(record, "state", ""), state);
    ck_assert_uint_eq(json_array_size(json_at(end, "left_stopped")), left_stopped);
}

bool has_entry(const json_t *record, const char *type, const char *words)
{
    const json_t *entries = json_at(record, "entries");
    for (size_t i = 0; i < json_array_size(entries); i++) {
        const json_t *entry = json_array_get(entries, i);
        if (strcmp(json_text_at(entry, "type", ""), type) == 0 &&
            strstr(json_text_at(entry, "text", ""), words))
            return true;
    }
    return false;
}

void assert_up(const char *service)
{
    ck_assert_str_eq(world_find(&world, service)->state, "running");
}

void on_entry(void *data, const json_t *entry, bool last)
{
    struct heard *heard = data;
    ck_assert(!heard->over);
    int64_t seq = json_int_at(entry, "seq", 0);
    if (seq) {
        ck_assert_int_eq(seq, heard->last_seq + 1);
        heard->last_seq = seq;
        heard->kept++;
    }
    heard->over = last;
    if (heard->leaves)
        runner_unfollow(runner, heard->handle);
}

/* --- other lives ------------------------------------------------------------------------------ */

void on_resumed(void *data, bool resumed)
{
    *(int *)data = resumed;
}

bool resume(void)
{
    int resumed = -1;
    runner_resume(runner, on_resumed, &resumed);
    ck_assert_int_eq(resumed, -1);
    while (resumed < 0)
        turn();
    return resumed;
}

void on_drained(void *data)
{
    *(bool *)data = true;
}

void drain(void)
{
    bool drained = false;
    runner_drain(runner, on_drained, &drained);
    ck_assert(!drained);
    while (!drained)
        turn();
}
