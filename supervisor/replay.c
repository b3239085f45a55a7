/* Following a run that has ended: its entries out of the journal, one after the other. If it proves
 * to be the run of an earlier life that this one is about to carry on, it is followed live. */
#include "base/mem.h"
#include "supervisor/app_private.h"

struct replay {
    struct replay *next;
    struct app *app;
    int64_t run;
    uint64_t handle; /* 0: nobody listens any more */
    uint64_t live;   /* the runner's handle, once it is followed there; 0 before */
    control_entry_fn on_entry;
    void *data;
};

static void replay_unlink(struct replay *replay)
{
    struct replay **at = &replay->app->replays;
    while (*at != replay)
        at = &(*at)->next;
    *at = replay->next;
}

static void replay_drop(struct replay *replay)
{
    replay_unlink(replay);
    free(replay);
}

static void on_live_entry(void *data, const json_t *entry, bool last)
{
    struct replay *replay = data;
    replay->on_entry(replay->data, entry, last);
    if (last)
        replay_drop(replay);
}

static void on_record(void *data, const struct err *e, const json_t *record)
{
    struct replay *replay = data;
    struct app *app = replay->app;
    /* Unfinished runs are asked for before anybody can follow one, and the journal answers in
     * order: what is to be carried on is under way by now, or waits for us. */
    if (replay->handle && app->runner)
        runner_carry_on(app->runner, replay->run);
    if (replay->handle && app->runner && runner_present(app->runner) == replay->run) {
        replay->live = runner_follow(app->runner, replay->run, on_live_entry, replay, NULL);
        app_query_ends(app);
        return;
    }
    const json_t *entries = e ? NULL : json_at(record, "entries");
    size_t count = json_array_size(entries);
    for (size_t i = 0; i < count && replay->handle; i++)
        replay->on_entry(replay->data, json_array_get(entries, i), i + 1 == count);
    if (count == 0 && replay->handle)
        replay->on_entry(replay->data, NULL, true);
    replay_drop(replay);
    app_query_ends(app);
}

uint64_t replay_begin(struct app *app, int64_t run, control_entry_fn on_entry, void *data)
{
    struct replay *replay = mem_new(sizeof *replay);
    *replay = (struct replay){.next = app->replays,
                              .app = app,
                              .run = run,
                              .handle = loop_next_id(app->loop),
                              .on_entry = on_entry,
                              .data = data};
    app->replays = replay;
    app_query_begins(app);
    journal_read(app->journal, run, on_record, replay);
    return replay->handle;
}

bool replay_end(struct app *app, uint64_t handle)
{
    for (struct replay *replay = app->replays; replay; replay = replay->next) {
        if (replay->handle != handle)
            continue;
        replay->handle = 0;
        if (replay->live) {
            if (app->runner)
                runner_unfollow(app->runner, replay->live);
            replay_drop(replay);
        }
        return true;
    }
    return false;
}
