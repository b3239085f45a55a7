/* See hook.h. The JSON goes to the command's stdin, the main words into its environment; what it
 * prints is kept, the last of it, for the error. Exit status 0 is a delivery.
 *
 * Its pipes may be closed before its program has ended, and after: who is last frees it.
 */
#include "notify/hook.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/program.h"
#include "notify/attempt.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

enum {
    OUTPUT_MAX = ERR_TEXT_MAX, /* the last of it is kept: as much as an error has room for */
    CHUNK = 4096,
};

struct notify__hook {
    struct notify__attempt *attempt; /* NULL: abandoned */
    struct timer *timer;             /* to SIGTERM, then to SIGKILL */
    struct program *program;         /* NULL: ended, or never begun */
    uv_pipe_t in, out;
    uv_write_t write;
    char *input;
    int holders; /* the pipes that are not closed yet, and who waits for its end */
    bool timed_out, never_began;
    struct program_end end;
    char output[OUTPUT_MAX];
    size_t output_len;
    char chunk[CHUNK];
};

static void unhold(struct notify__hook *hook)
{
    if (--hook->holders > 0)
        return;
    free(hook->input);
    free(hook);
}

static void on_closed(uv_handle_t *handle)
{
    unhold(handle->data);
}

static void close_handle(uv_handle_t *handle)
{
    if (!uv_is_closing(handle))
        uv_close(handle, on_closed);
}

/* --- the result ------------------------------------------------------------------------------- */

/* What it said last, in one line and behind a colon. */
static const char *last_words(const struct notify__hook *hook, char *out, size_t room)
{
    size_t len = hook->output_len;
    while (len > 0 && strchr(" \t\r\n", hook->output[len - 1]))
        len--;
    size_t from = len > room - 3 ? len - (room - 3) : 0;
    snprintf(out, room, "%s%.*s", len ? ": " : "", (int)(len - from), hook->output + from);
    notify__one_line(out);
    return out;
}

static void explain(const struct notify__hook *hook, struct err *e)
{
    const char *what = hook->attempt->what;
    char limit[DURATION_MAX];
    char said[ERR_TEXT_MAX];
    size_t used = strlen(what) + 64; /* the sentence around them */
    last_words(hook, said, used < sizeof said / 2 ? sizeof said - used : sizeof said / 2);
    duration_text(hook->attempt->receiver->timeout_ms, limit);
    if (hook->never_began)
        err_set(e, ERR_TIMEOUT,
                "%s: had not begun within %s and was killed: does its file system answer?", what,
                limit);
    else if (hook->timed_out)
        err_set(e, ERR_TIMEOUT, "%s: did not end within %s and was killed%s", what, limit, said);
    else if (hook->end.error)
        err_set(e, ERR_FAILED, "%s: cannot be run: %s", what, program_problem(hook->end.error));
    else if (hook->end.signal)
        err_set(e, ERR_FAILED, "%s: was ended by signal %d%s", what, hook->end.signal, said);
    else
        err_set(e, ERR_FAILED, "%s: exit status %d%s", what, hook->end.exit_code, said);
}

static void give_result(struct notify__hook *hook)
{
    struct notify__attempt *attempt = hook->attempt;
    bool good =
        hook->end.exit_code == 0 && !hook->end.signal && !hook->end.error && !hook->timed_out;
    struct err e;
    if (!good)
        explain(hook, &e);
    hook->attempt = NULL;
    attempt->hook = NULL;
    notify__attempt_end(attempt, good ? NULL : &e);
}

/* --- its end ---------------------------------------------------------------------------------- */

static void keep_output(struct notify__hook *hook, const char *bytes, size_t len)
{
    if (len > OUTPUT_MAX) {
        bytes += len - OUTPUT_MAX;
        len = OUTPUT_MAX;
    }
    size_t kept = hook->output_len + len > OUTPUT_MAX ? OUTPUT_MAX - len : hook->output_len;
    memmove(hook->output, hook->output + hook->output_len - kept, kept);
    memcpy(hook->output + kept, bytes, len);
    hook->output_len = kept + len;
}

/* What it printed is in the pipe when it has ended; what its children may print later is not
 * waited for. Bounded: one of those may be printing without end. */
static void read_rest(struct notify__hook *hook)
{
    uv_os_fd_t fd;
    if (uv_is_closing((uv_handle_t *)&hook->out) || uv_fileno((uv_handle_t *)&hook->out, &fd) != 0)
        return;
    for (int i = 0; i < 16; i++) {
        ssize_t got = read(fd, hook->chunk, sizeof hook->chunk);
        if (got <= 0)
            return;
        keep_output(hook, hook->chunk, (size_t)got);
    }
}

/* Nothing is waited for any more. */
static void close_all(struct notify__hook *hook)
{
    hook->timer = timer_free(hook->timer);
    close_handle((uv_handle_t *)&hook->in);
    close_handle((uv_handle_t *)&hook->out);
    unhold(hook);
}

static void on_ended(void *data, const struct program_end *end)
{
    struct notify__hook *hook = data;
    /* What it left behind is its group still. A command that ended by itself may leave something
     * running on purpose. */
    if (hook->timed_out)
        program_signal(hook->program, SIGKILL);
    hook->program = NULL;
    hook->end = *end;
    read_rest(hook);
    give_result(hook);
    close_all(hook);
}

/* One that has not begun has nothing to put in order. */
static void give_up(struct notify__hook *hook)
{
    hook->never_began = true;
    hook->program = program_abandon(hook->program);
    give_result(hook);
    close_all(hook);
}

static void on_timeout(void *data)
{
    struct notify__hook *hook = data;
    bool is_last = hook->timed_out;
    hook->timed_out = true;
    if (!program_has_begun(hook->program)) {
        give_up(hook);
        return;
    }
    program_signal(hook->program, is_last ? SIGKILL : SIGTERM);
    if (!is_last)
        timer_start(hook->timer, NOTIFY__HOOK_GRACE_MS);
}

struct notify__hook *notify__hook_abandon(struct notify__hook *hook)
{
    if (!hook)
        return NULL;
    hook->attempt = NULL;
    hook->program = program_abandon(hook->program);
    close_all(hook);
    return NULL;
}

/* --- its input and output --------------------------------------------------------------------- */

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    struct notify__hook *hook = handle->data;
    (void)suggested;
    *ret = uv_buf_init(hook->chunk, sizeof hook->chunk);
}

static void on_output(uv_stream_t *stream, ssize_t got, const uv_buf_t *chunk)
{
    struct notify__hook *hook = stream->data;
    if (got > 0)
        keep_output(hook, chunk->base, (size_t)got);
    else if (got < 0)
        close_handle((uv_handle_t *)stream);
}

/* Whether it was read or not: the command may do without. */
static void on_written(uv_write_t *write, int status)
{
    struct notify__hook *hook = write->data;
    (void)status;
    close_handle((uv_handle_t *)&hook->in);
}

static void feed(struct notify__hook *hook)
{
    uv_buf_t bytes = uv_buf_init(hook->input, (unsigned)strlen(hook->input));
    hook->write.data = hook;
    if (uv_write(&hook->write, (uv_stream_t *)&hook->in, &bytes, 1, on_written) != 0)
        close_handle((uv_handle_t *)&hook->in);
    uv_read_start((uv_stream_t *)&hook->out, on_room, on_output);
}

/* --- its beginning ---------------------------------------------------------------------------- */

struct environment {
    char **items; /* NULL-terminated */
    size_t count;
};

static void set(struct environment *env, const char *name, const char *value)
{
    *MEM_PUSH(env->items, env->count) = mem_printf("%s=%s", name, value ? value : "");
}

/* The daemon's own environment may hold passwords: a command gets what it needs to run. */
static void inherit(struct environment *env)
{
    static const char *const names[] = {"PATH", "HOME",   "USER", "LOGNAME", "SHELL",
                                        "LANG", "LC_ALL", "TZ",   "TMPDIR"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        const char *value = getenv(names[i]);
        if (value)
            set(env, names[i], value);
    }
    if (!getenv("PATH"))
        set(env, "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
}

static void describe(struct environment *env, const struct notify__notification *notification)
{
    static const struct {
        const char *name, *key;
    } texts[] = {{"STACK_SUPERVISOR_POLICY", "policy"},
                 {"STACK_SUPERVISOR_PLAYBOOK", "playbook"},
                 {"STACK_SUPERVISOR_TEXT", "text"},
                 {"STACK_SUPERVISOR_STACK", "stack"},
                 {"STACK_SUPERVISOR_ID", "id"}};
    static const struct {
        const char *name, *key;
    } numbers[] = {{"STACK_SUPERVISOR_INCIDENT", "incident"}, {"STACK_SUPERVISOR_RUN", "run"}};
    set(env, "STACK_SUPERVISOR_EVENT", notify__kind_names[notification->kind]);
    set(env, "STACK_SUPERVISOR_SEVERITY", notify__severity_names[notification->severity]);
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        set(env, texts[i].name, json_text_at(notification->body, texts[i].key, ""));
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        char text[24] = "";
        int64_t number = json_int_at(notification->body, numbers[i].key, 0);
        if (number)
            snprintf(text, sizeof text, "%lld", (long long)number);
        set(env, numbers[i].name, text);
    }
}

static void environment_free(struct environment *env)
{
    for (size_t i = 0; i < env->count; i++)
        free(env->items[i]);
    free(env->items);
}

/* A real pipe, unlike UV_CREATE_PIPE: a script may open /dev/stdin. One end is the child's, the
 * other the stream's. */
static int make_pipe(uv_pipe_t *stream, bool child_reads, uv_file *ret_child)
{
    uv_file ends[2];
    int code =
        uv_pipe(ends, child_reads ? 0 : UV_NONBLOCK_PIPE, child_reads ? UV_NONBLOCK_PIPE : 0);
    if (code != 0)
        return code;
    *ret_child = ends[child_reads ? 0 : 1];
    code = uv_pipe_open(stream, ends[child_reads ? 1 : 0]);
    if (code != 0) {
        close(ends[0]);
        close(ends[1]);
        *ret_child = -1;
    }
    return code;
}

/* An errno, or 0. */
static int start(struct notify__hook *hook, struct loop *loop, char **argv, char **env)
{
    CLEANUP_CLOSE uv_file in = -1;
    CLEANUP_CLOSE uv_file out = -1;
    int code = make_pipe(&hook->in, true, &in);
    if (code == 0)
        code = make_pipe(&hook->out, false, &out);
    if (code != 0)
        return -code; /* as libuv has it on Unix */
    const struct program_options options = {.argv = (const char *const *)argv,
                                            .environment = (const char *const *)env,
                                            .folder = "/",
                                            .in = in,
                                            .out = out};
    hook->program = program_start(loop, &options, on_ended, hook, &code);
    return code;
}

static struct notify__hook *hook_new(struct notify__attempt *attempt)
{
    struct notify__hook *hook = mem_new(sizeof *hook);
    struct loop *loop = attempt->all->loop;
    hook->attempt = attempt;
    hook->input = notify__as_json(&attempt->notification);
    hook->holders = 3;
    hook->timer = timer_new(loop, on_timeout, hook);
    uv_pipe_init(loop_uv(loop), &hook->in, 0);
    uv_pipe_init(loop_uv(loop), &hook->out, 0);
    hook->in.data = hook->out.data = hook;
    return hook;
}

void notify__hook_begin(struct notify__attempt *attempt)
{
    struct notify__hook *hook = hook_new(attempt);
    struct environment env = {0};
    inherit(&env);
    describe(&env, &attempt->notification);
    *MEM_PUSH(env.items, env.count) = NULL;
    hook->end.error = start(hook, attempt->all->loop, attempt->receiver->argv, env.items);
    environment_free(&env);
    if (hook->end.error) {
        give_result(hook);
        close_all(hook);
        return;
    }
    attempt->hook = hook;
    timer_start(hook->timer, attempt->receiver->timeout_ms);
    feed(hook);
}
