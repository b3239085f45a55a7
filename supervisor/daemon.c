/* See daemon.h. */
#include "supervisor/daemon.h"

#include "base/log.h"
#include "base/mem.h"
#include "supervisor/app.h"
#include "supervisor/leftover.h"
#include "supervisor/sd.h"
#include "supervisor/watchdog.h"
#include "supervisor/ways_in.h"

#include <signal.h>

struct daemon;

struct daemon_signal {
    uv_signal_t uv;
    struct daemon *daemon;
    void (*handle)(struct daemon *daemon);
};

struct daemon {
    const struct daemon_options *options;
    struct loop *loop;
    struct app *app;
    struct ways_in *ways_in;
    struct watchdog *watchdog;
    struct daemon_signal signals[4];
    struct timer *patience; /* with what earlier lives left: see open_ways_in */
    bool barred;            /* a way in did not open, and that has been said */
    bool carries_on;        /* no more than the run of an earlier life: see daemon_carry_on */
    bool resumed;           /* and it is known whether there is one */
    int code;               /* of exit */
    bool stopping;
};

enum { PATIENCE_MS = 3000, BARRED_AGAIN_MS = 1000, BARRED_EXTENSION_MS = 30000 };

/* --- what the signals ask for ----------------------------------------------------------------- */

static void on_signal_closed(uv_handle_t *handle)
{
    (void)handle; /* lives in struct daemon, which outlives the loop */
}

static void on_app_stopped(void *data)
{
    struct daemon *daemon = data;
    daemon->watchdog = watchdog_free(daemon->watchdog);
    for (size_t i = 0; i < ARRAY_SIZE(daemon->signals); i++)
        uv_close((uv_handle_t *)&daemon->signals[i].uv, on_signal_closed);
    loop_stop(daemon->loop); /* the journal may wait for its file yet */
}

static void daemon_stop(struct daemon *daemon)
{
    if (daemon->stopping)
        return;
    daemon->stopping = true;
    if (!daemon->carries_on || app_is_resuming(daemon->app))
        log_info("stopping");
    sd_stopping();
    watchdog_ending(daemon->watchdog);
    daemon->patience = timer_free(daemon->patience);
    daemon->ways_in = ways_in_close(daemon->ways_in);
    app_shutdown(daemon->app, on_app_stopped, daemon);
}

/* What is told with it is true for a moment, and would stand there until the sentence changes. */
static void tell_ready(const struct daemon *daemon, const char *told)
{
    sd_ready(told);
    watchdog_tell_anew(daemon->watchdog);
}

/* It may be what is left of one that said whom to leave alone. */
static void tell_unwritten(const struct config *config)
{
    if (config->path && config->is_unwritten)
        log_warning("%s is empty: all defaults are in force, and the policies act; a file that "
                    "holds {} says that this is meant",
                    config->path);
}

static void daemon_reload(struct daemon *daemon)
{
    struct config *config = NULL;
    struct diag_list diags;
    const char *told;
    if (daemon->stopping)
        return;
    if (daemon->carries_on) {
        log_info("the configuration is read anew at the next start");
        return;
    }
    sd_reloading();
    if (config_load_anew(daemon->options->config_path, app_config(daemon->app), &config, &diags) ==
        0) {
        app_reload(daemon->app, config);
        tell_unwritten(config);
        log_info("configuration read anew");
        told = "configuration read anew";
    } else {
        log_error("the configuration has errors: the old one stays in force");
        CLEANUP_FREE char *errors = diag_format(&diags);
        log_text(LOG_LEVEL_ERROR, errors);
        app_reload_failed(daemon->app);
        told = "the configuration has errors: the old one stays in force";
    }
    if (daemon->ways_in) /* else it is not ready yet, and will say so */
        tell_ready(daemon, told);
    diag_free(&diags);
}

static void on_recover_reply(void *data, const struct err *e, const json_t *body)
{
    (void)data;
    if (e)
        log_err(LOG_LEVEL_ERROR, "recover, asked for by SIGUSR1", e);
    else
        log_info("recover, asked for by SIGUSR1: run %lld", (long long)json_int_at(body, "run", 0));
}

static void daemon_recover(struct daemon *daemon)
{
    if (daemon->stopping || daemon->carries_on)
        return;
    json_t *request = json_pack("{s:s, s:s}", "playbook", "recover", "trigger", "signal");
    app_ops()->start(daemon->app, request, "SIGUSR1", on_recover_reply, daemon);
    json_decref(request);
}

static void on_signal(uv_signal_t *uv, int number)
{
    struct daemon_signal *signal = uv->data;
    (void)number;
    signal->handle(signal->daemon);
}

static void watch_signals(struct daemon *daemon)
{
    static const struct {
        int number;
        void (*handle)(struct daemon *daemon);
    } table[] = {
        {SIGTERM, daemon_stop},
        {SIGINT, daemon_stop},
        {SIGHUP, daemon_reload},
        {SIGUSR1, daemon_recover},
    };
    _Static_assert(ARRAY_SIZE(table) == ARRAY_SIZE(daemon->signals), "a handle for every signal");
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        struct daemon_signal *signal = &daemon->signals[i];
        signal->daemon = daemon;
        signal->handle = table[i].handle;
        signal->uv.data = signal;
        uv_signal_init(loop_uv(daemon->loop), &signal->uv);
        uv_signal_start(&signal->uv, on_signal, table[i].number);
    }
}

/* --- what the service manager hears ----------------------------------------------------------- */

static int64_t worker_busy_ms(void *data)
{
    const struct daemon *daemon = data;
    return app_journal_busy_ms(daemon->app);
}

static bool at_work(void *data)
{
    const struct daemon *daemon = data;
    return app_is_at_work(daemon->app);
}

static char *sentence(void *data)
{
    const struct daemon *daemon = data;
    CLEANUP_FREE char *app = app_sentence(daemon->app);
    if (!daemon->carries_on)
        return mem_strdup(app);
    return app_is_at_work(daemon->app) ? mem_printf("the configuration has errors; %s", app)
                                       : mem_strdup("the configuration has errors");
}

static struct watchdog *open_watchdog(struct daemon *daemon)
{
    const struct watchdog_options options = {.loop = daemon->loop,
                                             .worker_busy_ms = worker_busy_ms,
                                             .at_work = at_work,
                                             .sentence = sentence,
                                             .data = daemon};
    return watchdog_new(&options);
}

/* --- beginning -------------------------------------------------------------------------------- */

static int exit_code_of(const struct err *e)
{
    switch (e->code) {
    case ERR_INVALID:
    case ERR_UNSUPPORTED:
        return WIRE_EXIT_USAGE;
    case ERR_PERMISSION:
    case ERR_UNREACHABLE:
        return WIRE_EXIT_UNREACHABLE;
    case ERR_CONFLICT:
        return WIRE_EXIT_REFUSED;
    default:
        return WIRE_EXIT_FAILED;
    }
}

/* A port that somebody else holds, a group that is unknown: it ends, but not with containers that
 * an earlier life stopped. Their run is carried to its end first, since every life would meet the
 * same and none get past the first wait; the ways in are tried meanwhile. */
static void on_barred(struct daemon *daemon, const struct err *e)
{
    if (daemon->resumed && !app_is_resuming(daemon->app)) {
        log_err(LOG_LEVEL_ERROR, "cannot start", e);
        daemon->code = exit_code_of(e);
        daemon_stop(daemon);
        return;
    }
    if (!daemon->barred)
        log_err(LOG_LEVEL_ERROR,
                "cannot start, and will end with the run that an earlier life left, if it did", e);
    daemon->barred = true;
    sd_extend(BARRED_EXTENSION_MS);
    timer_start(daemon->patience, BARRED_AGAIN_MS);
}

/* Not before what earlier lives left has been read: whoever asks as soon as there is a socket, or
 * the service has started, is answered and not told to come again. A disk that hangs keeps nobody
 * waiting for long. */
static void open_ways_in(void *data)
{
    struct daemon *daemon = data;
    struct err e;
    if (ways_in_open(daemon->loop, daemon->options->socket_path, app_config(daemon->app), app_ops(),
                     daemon->app, &daemon->ways_in, &e) != 0) {
        on_barred(daemon, &e);
        return;
    }
    daemon->patience = timer_free(daemon->patience);
    tell_ready(daemon, "watching");
}

/* By the loop: the application is in the middle of its own beginning. */
static void on_ready(void *data)
{
    struct daemon *daemon = data;
    if (daemon->patience)
        timer_start(daemon->patience, 0);
}

static void on_resumed(void *data, int64_t run)
{
    struct daemon *daemon = data;
    daemon->resumed = true;
    if (!daemon->carries_on)
        return;
    if (run)
        log_warning("run %lld, which an earlier life left, is carried on to its end before this "
                    "one ends for the errors of its configuration",
                    (long long)run);
    if (daemon->patience)
        timer_start(daemon->patience, 0);
}

/* `on_patience` is called by and by, and whenever the timer is started for it. */
static int daemon_live(struct daemon *daemon, const struct app_options *options,
                       loop_fn on_patience)
{
    struct err e;
    signal(SIGPIPE, SIG_IGN);
    daemon->loop = loop_new();
    if (app_new(daemon->loop, options, &daemon->app, &e) != 0) {
        log_err(LOG_LEVEL_ERROR,
                daemon->carries_on ? "cannot see whether a run is to be carried on"
                                   : "cannot start",
                &e);
        daemon->code = exit_code_of(&e);
    } else {
        watch_signals(daemon);
        daemon->watchdog = open_watchdog(daemon);
        daemon->patience = timer_new(daemon->loop, on_patience, daemon);
        timer_start(daemon->patience, PATIENCE_MS);
        loop_run(daemon->loop);
        app_free(daemon->app);
    }
    loop_free(daemon->loop);
    return daemon->code;
}

/* The configuration is the application's from here on. */
static int daemon_serve(const struct daemon_options *options, struct config *config)
{
    struct daemon daemon = {.options = options};
    const struct app_options app_options = {.config = config,
                                            .docker_host = options->docker_host,
                                            .state_dir = options->state_dir,
                                            .mode = options->mode,
                                            .on_ready = on_ready,
                                            .on_resumed = on_resumed,
                                            .data = &daemon};
    return daemon_live(&daemon, &app_options, open_ways_in);
}

/* --- without a configuration ------------------------------------------------------------------ */

static void await_end_of_run(void *data)
{
    struct daemon *daemon = data;
    if (daemon->resumed && !app_is_resuming(daemon->app)) {
        daemon_stop(daemon);
        return;
    }
    sd_extend(BARRED_EXTENSION_MS);
    timer_start(daemon->patience, BARRED_AGAIN_MS);
}

/* It cannot serve, and not every life will be mended soon: what an earlier one stopped would stay
 * down as long as that. The plan is in the journal and wants no configuration. Whatever comes of
 * it, the errors are what it ends for. */
static void daemon_carry_on(const struct daemon_options *options)
{
    if (!leftover_is_possible(options->state_dir))
        return;
    struct daemon daemon = {.options = options, .carries_on = true};
    const struct app_options app_options = {.config = config_remains(options->config_path),
                                            .docker_host = options->docker_host,
                                            .state_dir = options->state_dir,
                                            .leftover_only = true,
                                            .on_resumed = on_resumed,
                                            .data = &daemon};
    daemon_live(&daemon, &app_options, await_end_of_run);
}

int daemon_run(const struct daemon_options *options)
{
    struct config *config = NULL;
    struct diag_list diags;
    if (config_load(options->config_path, &config, &diags) != 0) {
        diag_print(&diags, stderr);
        diag_free(&diags);
        daemon_carry_on(options);
        return WIRE_EXIT_USAGE;
    }
    diag_free(&diags);
    tell_unwritten(config);
    return daemon_serve(options, config);
}
