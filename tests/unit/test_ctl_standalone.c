/* supervisorctl --standalone: interrupts, time limits and the end, over a fake application.
 *
 * The app_…() functions here stand in for those of supervisor/: the linker takes what the program
 * brings itself before it looks into a library.
 */
#include "base/mem.h"
#include "supervisor/app.h"
#include "supervisorctl/backend.h"
#include "supervisorctl/follow.h"
#include "supervisorctl/outlet.h"
#include "tests/unit/unread.h"

#include <check.h>
#include <signal.h>
#include <string.h>

enum { RUN = 5 };

/* --- the fake application -------------------------------------------------------------------- */

struct app {
    struct loop *loop;
    struct timer *interrupt; /* sends us the signal */
    struct timer *late;      /* answers a question that takes its time */
    control_reply_fn late_reply;
    void *late_data;
    control_entry_fn on_entry;
    void *entry_data;
};

/* What a test chooses, and what came of it: the application is made inside the backend. */
static struct {
    int interrupts;      /* to be sent while a run is watched */
    bool obeys_abort;    /* the run ends when it is asked to */
    bool ends_by_itself; /* the run ends at once */
    bool silent_end;     /* the last call has no entry */
    bool answers_late;
    bool interrupted; /* there is an unfinished run, and nobody works on it */
    int left_stopped; /* containers that its end tells of */
    int aborts, follows, unfollows, shutdowns;
    char requester[CONTROL_REQUESTER_MAX];
} fake;

static void on_interrupt(void *data)
{
    struct app *app = data;
    if (fake.interrupts-- > 0) {
        raise(SIGINT);
        timer_start(app->interrupt, 50);
    }
}

static json_t *summary(void)
{
    json_t *run = json_object();
    json_set_int(run, "run", RUN);
    json_set_text(run, "playbook", "recover");
    json_set_text(run, "requester", "uid 0 (root), pid 4711");
    json_set_text(run, "state", fake.interrupted ? "interrupted" : "succeeded");
    return run;
}

static void on_late(void *data)
{
    struct app *app = data;
    json_t *body = json_object();
    if (fake.interrupted)
        json_object_set_new(body, "run", summary());
    app->late_reply(app->late_data, NULL, body);
    json_decref(body);
}

int app_new(struct loop *loop, const struct app_options *options, struct app **ret, struct err *e)
{
    config_free(options->config);
    if (strcmp(options->state_dir, "/locked") == 0)
        return err_set(e, ERR_CONFLICT, "a supervisor runs already: pid 1");
    ck_assert(options->standalone);
    struct app *app = mem_new(sizeof *app);
    app->loop = loop;
    app->interrupt = timer_new(loop, on_interrupt, app);
    app->late = timer_new(loop, on_late, app);
    *ret = app;
    return 0;
}

void app_shutdown(struct app *app, loop_fn done, void *data)
{
    fake.shutdowns++;
    if (timer_is_running(app->late)) /* what was asked for is answered before the end */
        on_late(app);
    loop_defer(app->loop, done, data);
}

struct app *app_free(struct app *app)
{
    if (app) {
        timer_free(app->interrupt);
        timer_free(app->late);
        free(app);
    }
    return NULL;
}

static void tell(struct app *app, const char *type, const char *state, bool last)
{
    json_t *entry = json_object();
    json_set_int(entry, "seq", 1);
    json_set_text(entry, "type", type);
    json_set_text(entry, "state", state);
    json_t *left = json_array();
    for (int i = 0; i < fake.left_stopped; i++)
        json_array_append_new(left, json_string("shop_web_1 (exited)"));
    json_object_set_new(entry, "left_stopped", left);
    app->on_entry(app->entry_data, last && fake.silent_end ? NULL : entry, last);
    json_decref(entry);
}

static void begin_telling(void *data)
{
    struct app *app = data;
    tell(app, "begin", NULL, false);
    if (fake.ends_by_itself)
        tell(app, "end", "succeeded", true);
    else if (fake.obeys_abort && fake.aborts > 0)
        tell(app, "end", "aborted", true);
    else
        timer_start(app->interrupt, 1);
}

static uint64_t fake_follow(void *data, int64_t run, control_entry_fn on_entry, void *entry_data,
                            struct err *e)
{
    struct app *app = data;
    if (run != RUN) {
        err_set(e, ERR_NOT_FOUND, "there is no such run");
        return 0;
    }
    fake.follows++;
    app->on_entry = on_entry;
    app->entry_data = entry_data;
    loop_defer(app->loop, begin_telling, app);
    return 1;
}

static void fake_unfollow(void *data, uint64_t handle)
{
    (void)data;
    ck_assert_uint_eq(handle, 1);
    fake.unfollows++;
}

static void end_aborted(void *data)
{
    tell(data, "end", "aborted", true);
}

static void fake_abort(void *data, int64_t run, const char *requester, control_reply_fn reply,
                       void *reply_data)
{
    struct app *app = data;
    ck_assert_int_eq(run, RUN);
    snprintf(fake.requester, sizeof fake.requester, "%s", requester);
    fake.aborts++;
    json_t *body = json_object();
    reply(reply_data, NULL, body);
    json_decref(body);
    if (fake.obeys_abort && app->on_entry)
        loop_defer(app->loop, end_aborted, app);
}

static void fake_status(void *data, control_reply_fn reply, void *reply_data)
{
    struct app *app = data;
    app->late_reply = reply;
    app->late_data = reply_data;
    timer_start(app->late, fake.answers_late ? 60000 : 1);
}

static void fake_plan(void *data, const char *playbook, const json_t *options,
                      control_reply_fn reply, void *reply_data)
{
    (void)options;
    (void)data;
    struct err e;
    err_set(&e, ERR_REFUSED, "no plan for %s", playbook);
    reply(reply_data, &e, NULL); /* at once */
}

static void fake_start(void *data, const json_t *request, const char *requester,
                       control_reply_fn reply, void *reply_data)
{
    (void)data;
    (void)request;
    (void)requester;
    struct err e;
    err_set(&e, ERR_REFUSED, "not beside another");
    err_hint(&e, "ask again");
    reply(reply_data, &e, NULL);
}

static void fake_runs(void *data, control_reply_fn reply, void *reply_data)
{
    (void)data;
    json_t *body = json_object();
    json_t *runs = json_array();
    json_array_append_new(runs, summary());
    json_object_set_new(body, "runs", runs);
    reply(reply_data, NULL, body);
    json_decref(body);
}

static void fake_run(void *data, int64_t run, control_reply_fn reply, void *reply_data)
{
    (void)data;
    ck_assert_int_eq(run, RUN);
    json_t *body = summary();
    reply(reply_data, NULL, body);
    json_decref(body);
}

const struct control_ops *app_ops(void)
{
    static const struct control_ops ops = {.status = fake_status,
                                           .start = fake_start,
                                           .runs = fake_runs,
                                           .run = fake_run,
                                           .plan = fake_plan,
                                           .abort = fake_abort,
                                           .follow = fake_follow,
                                           .unfollow = fake_unfollow};
    return &ops;
}

/* --- the command ----------------------------------------------------------------------------- */

static struct ctl_options options;
static struct ctl ctl;
static char *out_text, *messages_text;
static size_t out_len, messages_len;

static void set_up(void)
{
    struct err e;
    memset(&fake, 0, sizeof fake);
    options = (struct ctl_options){.standalone = true, .state_dir = "/nowhere"};
    ctl = (struct ctl){.options = &options, .signals = SIGNALS_CLOSED};
    ctl.out = open_memstream(&out_text, &out_len);
    ctl.messages = open_memstream(&messages_text, &messages_len);
    ck_assert_int_eq(standalone_new(&options, ctl.messages, &ctl.backend, &e), 0);
}

static void tear_down(void)
{
    backend_free(ctl.backend);
    ck_assert_int_eq(fake.shutdowns, 1);
    fclose(ctl.out);
    fclose(ctl.messages);
    free(out_text);
    free(messages_text);
}

static int watch(void)
{
    int code = ctl_watch(&ctl, RUN, NULL, NULL);
    fflush(ctl.out);
    fflush(ctl.messages);
    return code;
}

START_TEST(test_a_run_to_its_end)
{
    fake.ends_by_itself = true;
    ck_assert_int_eq(watch(), WIRE_EXIT_DONE);
    ck_assert_ptr_nonnull(strstr(out_text, "run 5 succeeded"));
    ck_assert_int_eq(fake.unfollows, 0);
}
END_TEST

START_TEST(test_what_nobody_reads_holds_up_no_run)
{
    struct buf text;
    struct unread place = unread_open(UNREAD_PIPE);
    FILE *before[] = {ctl.out, ctl.messages};
    FILE *unread = fdopen(place.end, "w");
    buf_init(&text, 1 << 16);
    unread_fill(&place);
    ctl.out = ctl.messages = unread;
    ctl.outlet = outlet_new(&ctl.out, &ctl.messages);
    fake.interrupts = 1;
    fake.obeys_abort = true;
    ck_assert_int_eq(watch(), WIRE_EXIT_FAILED); /* not stopped by what it has to say */
    ck_assert_uint_gt(outlet_held(ctl.outlet), 0);
    unread_take(&place, &text);
    ck_assert_int_eq(outlet_free(ctl.outlet), 0);
    unread_take(&place, &text);
    ck_assert_ptr_nonnull(strstr(buf_text(&text), "run 5 winds up"));
    ck_assert_ptr_nonnull(strstr(buf_text(&text), "run 5 aborted"));
    ctl.out = before[0];
    ctl.messages = before[1];
    buf_free(&text);
    close(place.reader);
    fclose(unread);
}
END_TEST

START_TEST(test_ctrl_c_asks_the_run_to_wind_up_and_waits)
{
    fake.interrupts = 1;
    fake.obeys_abort = true;
    ck_assert_int_eq(watch(), WIRE_EXIT_FAILED);
    ck_assert_int_eq(fake.aborts, 1);
    ck_assert_ptr_nonnull(strstr(fake.requester, "uid "));
    ck_assert_ptr_nonnull(strstr(messages_text, "run 5 winds up and starts again what it stopped"));
    ck_assert_ptr_nonnull(strstr(out_text, "run 5 aborted"));
}
END_TEST

START_TEST(test_a_second_ctrl_c_leaves_it_to_the_journal)
{
    fake.interrupts = 2;
    ck_assert_int_eq(watch(), WIRE_EXIT_FAILED);
    ck_assert_int_eq(fake.aborts, 1);
    ck_assert_int_eq(fake.unfollows, 1);
    ck_assert_ptr_nonnull(strstr(messages_text, "the next supervisor carries it on"));
}
END_TEST

START_TEST(test_a_time_limit_winds_up_with_124)
{
    options.timeout_ms = 10;
    fake.obeys_abort = true;
    ck_assert_int_eq(watch(), WIRE_EXIT_TIMEOUT);
    ck_assert_int_eq(fake.aborts, 1);
    ck_assert_ptr_nonnull(strstr(messages_text, "the time is over"));
}
END_TEST

START_TEST(test_an_end_that_was_not_told_is_an_error)
{
    fake.ends_by_itself = fake.silent_end = true;
    ck_assert_int_eq(watch(), WIRE_EXIT_FAILED);
    ck_assert_ptr_nonnull(strstr(messages_text, "its end was not told"));
}
END_TEST

START_TEST(test_a_run_that_is_not_there)
{
    ck_assert_int_eq(ctl_watch(&ctl, RUN + 1, NULL, NULL), WIRE_EXIT_FAILED);
}
END_TEST

START_TEST(test_signals_are_as_they_were_afterwards)
{
    sigset_t mask;
    fake.ends_by_itself = true;
    watch();
    sigprocmask(SIG_BLOCK, NULL, &mask);
    ck_assert(!sigismember(&mask, SIGINT));
    ck_assert_int_eq(ctl.signals.fd, -1);
}
END_TEST

START_TEST(test_answers_at_once_later_and_never)
{
    struct err e;
    json_t *answer;
    struct question status = {.ask = ASK_STATUS};
    struct question plan = {.ask = ASK_PLAN, .playbook = "x"};
    ck_assert_int_eq(backend_ask(ctl.backend, &plan, &answer, &e), WIRE_EXIT_REFUSED);
    ck_assert_str_eq(e.text, "no plan for x");
    ck_assert_int_eq(backend_ask(ctl.backend, &status, &answer, &e), 0);
    json_decref(answer);
    backend_free(ctl.backend);
    fake.shutdowns = 0;
    fake.answers_late = true;
    options.timeout_ms = 20;
    ck_assert_int_eq(standalone_new(&options, ctl.messages, &ctl.backend, &e), 0);
    ck_assert_int_eq(backend_ask(ctl.backend, &status, &answer, &e), WIRE_EXIT_TIMEOUT);
    ck_assert_int_eq(e.code, ERR_TIMEOUT); /* the reply comes at the end, and is dropped */
}
END_TEST

/* --- a run that an earlier command, or daemon, has left half way ----------------------------- */

static const char carry_on[] = "supervisorctl --standalone --state-dir /nowhere attach";

/* The command, with a state directory that was typed; its exit code. */
static int command(int (*run)(struct ctl *ctl), const char *argument)
{
    options.given = OPTION_BIT(OPTION_STANDALONE) | OPTION_BIT(OPTION_STATE_DIR);
    options.args[0] = argument;
    options.arg_count = argument != NULL;
    fake.interrupted = true;
    int code = run(&ctl);
    fflush(ctl.out);
    fflush(ctl.messages);
    return code;
}

START_TEST(test_questions_say_that_a_run_is_interrupted_and_how_it_is_carried_on)
{
    ck_assert_int_eq(command(ctl_status, NULL), WIRE_EXIT_DEGRADED);
    ck_assert_ptr_nonnull(strstr(out_text, "5 recover interrupted"));
    ck_assert_ptr_nonnull(strstr(out_text, carry_on));
    ck_assert_int_eq(command(ctl_runs, NULL), WIRE_EXIT_DONE);
    ck_assert_ptr_nonnull(strstr(messages_text, "run 5 was interrupted"));
    ck_assert_ptr_nonnull(strstr(messages_text, carry_on));
    long before = ftell(ctl.out);
    ck_assert_int_eq(command(ctl_run, "5"), WIRE_EXIT_DONE);
    ck_assert_ptr_nonnull(strstr(out_text + before, "run 5 was interrupted"));
    ck_assert_ptr_nonnull(strstr(out_text + before, carry_on));
    ck_assert_ptr_null(strstr(out_text, "it goes on"));
    ck_assert_int_eq(fake.follows, 0);
}
END_TEST

START_TEST(test_attach_carries_on_what_was_interrupted)
{
    fake.ends_by_itself = true;
    ck_assert_int_eq(command(ctl_attach, NULL), WIRE_EXIT_DONE);
    ck_assert_int_eq(fake.follows, 1);
    ck_assert_ptr_nonnull(strstr(out_text, "run 5 succeeded"));
}
END_TEST

START_TEST(test_an_abort_stays_until_the_run_is_wound_up)
{
    fake.obeys_abort = true;
    ck_assert_int_eq(command(ctl_abort, NULL), WIRE_EXIT_DONE);
    ck_assert_int_eq(fake.aborts, 1);
    ck_assert_ptr_nonnull(strstr(out_text, "run 5 aborted"));
    ck_assert_ptr_null(strstr(out_text, "supervisorctl attach"));
    ck_assert_int_eq(ctl.signals.fd, -1);
}
END_TEST

START_TEST(test_an_abort_that_leaves_something_down_is_no_success)
{
    fake.obeys_abort = true;
    fake.left_stopped = 1;
    options.json = true;
    ck_assert_int_eq(command(ctl_abort, "5"), WIRE_EXIT_FAILED);
    CLEANUP_JSON json_t *object = json_loads(out_text, 0, NULL); /* one, and nothing behind it */
    ck_assert_str_eq(json_text_at(object, "state", ""), "aborted");
}
END_TEST

START_TEST(test_what_is_refused_beside_it_is_told_how_it_is_carried_on)
{
    options.yes = true;
    ck_assert_int_eq(command(ctl_clean, NULL), WIRE_EXIT_REFUSED);
    ck_assert_ptr_nonnull(strstr(messages_text, "not beside another"));
    ck_assert_ptr_nonnull(strstr(messages_text, carry_on));
}
END_TEST

START_TEST(test_a_folder_with_a_space_is_shown_as_a_shell_takes_it)
{
    options.state_dir = "/it's here";
    command(ctl_run, "5");
    ck_assert_ptr_nonnull(strstr(out_text, "--state-dir '/it'\\''s here' attach"));
}
END_TEST

START_TEST(test_a_lock_that_is_held)
{
    struct err e;
    struct backend *second = NULL;
    options.state_dir = "/locked";
    ck_assert_int_eq(standalone_new(&options, ctl.messages, &second, &e), WIRE_EXIT_REFUSED);
    ck_assert_ptr_nonnull(strstr(e.text, "pid 1"));
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("standalone");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, test_a_run_to_its_end);
    tcase_add_test(tests, test_what_nobody_reads_holds_up_no_run);
    tcase_add_test(tests, test_ctrl_c_asks_the_run_to_wind_up_and_waits);
    tcase_add_test(tests, test_a_second_ctrl_c_leaves_it_to_the_journal);
    tcase_add_test(tests, test_a_time_limit_winds_up_with_124);
    tcase_add_test(tests, test_an_end_that_was_not_told_is_an_error);
    tcase_add_test(tests, test_a_run_that_is_not_there);
    tcase_add_test(tests, test_signals_are_as_they_were_afterwards);
    tcase_add_test(tests, test_answers_at_once_later_and_never);
    tcase_add_test(tests, test_questions_say_that_a_run_is_interrupted_and_how_it_is_carried_on);
    tcase_add_test(tests, test_attach_carries_on_what_was_interrupted);
    tcase_add_test(tests, test_an_abort_stays_until_the_run_is_wound_up);
    tcase_add_test(tests, test_an_abort_that_leaves_something_down_is_no_success);
    tcase_add_test(tests, test_what_is_refused_beside_it_is_told_how_it_is_carried_on);
    tcase_add_test(tests, test_a_folder_with_a_space_is_shown_as_a_shell_takes_it);
    tcase_add_test(tests, test_a_lock_that_is_held);
    Suite *suite = suite_create("ctl_standalone");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
