/* The daemon behind its socket. See backend.h.
 *
 * A question is one request; following a run is one stream of server-sent events that is taken up
 * again with Last-Event-ID when the daemon goes away and comes back in the middle.
 */
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "control/wire.h"
#include "supervisorctl/backend.h"
#include "supervisorctl/ctl.h"
#include "supervisorctl/events.h"

#include <curl/curl.h>
#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

enum {
    ANSWER_MAX = 64 << 20,
    ASK_LIMIT_MS = 120000, /* a daemon's own deadlines are shorter: it must be hung */
    TICK_MS = 100,
    RETRY_MS = 500,
};

struct remote {
    struct backend backend;
    char *socket;
    char *asking;       /* the socket for what is only asked */
    int64_t timeout_ms; /* of --timeout; 0: none */
    bool has_other;     /* --standalone would do, too */
};

static const struct {
    const char *method;
    const char *path;
    const char *tail; /* behind a number */
    bool acts;        /* and is for the socket of those who may act */
} requests[] = {
    [ASK_VERSION] = {"GET", WIRE_VERSION, NULL, false},
    [ASK_STATUS] = {"GET", WIRE_STATUS, NULL, false},
    [ASK_PLAYBOOKS] = {"GET", WIRE_PLAYBOOKS, NULL, false},
    [ASK_PLAN] = {"GET", WIRE_PLAN, NULL, false},
    [ASK_CONNECTIONS] = {"GET", WIRE_CONNECTIONS, NULL, false},
    [ASK_CLEAN] = {"POST", WIRE_CLEAN, NULL, false},
    [ASK_RUNS] = {"GET", WIRE_RUNS, NULL, false},
    [ASK_RUN] = {"GET", WIRE_RUNS, "", false},
    [ASK_START] = {"POST", WIRE_RUNS, NULL, true},
    [ASK_ABORT] = {"POST", WIRE_RUNS, WIRE_ABORT, true},
    [ASK_POLICIES] = {"GET", WIRE_POLICIES, NULL, false},
    [ASK_OBSERVATIONS] = {"GET", WIRE_OBSERVATIONS, NULL, false},
    [ASK_DECISIONS] = {"GET", WIRE_DECISIONS "?limit=500", NULL, false},
    [ASK_APPROVE] = {"POST", WIRE_DECISIONS, WIRE_APPROVE, true},
    [ASK_DENY] = {"POST", WIRE_DECISIONS, WIRE_DENY, true},
    [ASK_PAUSE] = {"POST", WIRE_PAUSE, NULL, true},
    [ASK_RESUME] = {"POST", WIRE_RESUME, NULL, true},
    [ASK_NOTIFY_TEST] = {"POST", WIRE_NOTIFY_TEST, NULL, true},
};
_Static_assert(ARRAY_SIZE(requests) == ASKS, "a request for every question");

/* --- errors of the way ------------------------------------------------------------------------ */

static void hint_group(const char *socket, struct err *e)
{
    struct stat file;
    const struct group *group = stat(socket, &file) == 0 ? getgrgid(file.st_gid) : NULL;
    if (group)
        err_hint(e, "run as root, or as a member of group %s", group->gr_name);
    else
        err_hint(e, "run as root, or as a member of the socket's group");
}

static int no_daemon(const struct remote *remote, CURL *curl, struct err *e)
{
    long code = 0;
    curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &code);
    if (code == EACCES || code == EPERM) {
        err_set(e, ERR_PERMISSION, "%s: no permission to talk to the daemon (%s)", remote->socket,
                strerrorname_np((int)code));
        hint_group(remote->socket, e);
        return WIRE_EXIT_UNREACHABLE;
    }
    const char *name = code ? strerrorname_np((int)code) : NULL;
    err_set(e, ERR_UNREACHABLE, "no daemon there: %s: %s%s%s%s", remote->socket,
            code ? strerror((int)code) : "cannot connect", name ? " (" : "", name ? name : "",
            name ? ")" : "");
    err_hint(e,
             "systemctl start stack-supervisor, or stack-supervisord by hand (--socket: where it "
             "listens)%s",
             remote->has_other ? "; or use --standalone" : "");
    return WIRE_EXIT_UNREACHABLE;
}

/* Each question has it anew: what a person takes to answer ours is not the daemon's. */
static long limit_ms(const struct remote *remote)
{
    return (long)(remote->timeout_ms ? remote->timeout_ms : ASK_LIMIT_MS);
}

static int transport_error(const struct remote *remote, CURL *curl, CURLcode result, struct err *e)
{
    char limit[DURATION_MAX];
    switch (result) {
    case CURLE_COULDNT_CONNECT:
        return no_daemon(remote, curl, e);
    case CURLE_OPERATION_TIMEDOUT:
        err_set(e, ERR_TIMEOUT, "%s: no answer within %s", remote->socket,
                duration_text(limit_ms(remote), limit));
        return WIRE_EXIT_TIMEOUT;
    case CURLE_COULDNT_RESOLVE_HOST: /* how curl calls a path longer than a socket's address */
        err_set(e, ERR_INVALID, "--socket: '%s' cannot be the path of a socket", remote->socket);
        return WIRE_EXIT_USAGE;
    default:
        err_set(e, ERR_UNREACHABLE, "%s: the connection was lost: %s", remote->socket,
                curl_easy_strerror(result));
        err_hint(e, "journalctl -u stack-supervisor says what happened");
        return WIRE_EXIT_UNREACHABLE;
    }
}

/* What the daemon says of itself: an error object, or something that is none of ours. */
static int daemon_error(const struct remote *remote, long status, const struct buf *body,
                        struct err *e)
{
    json_t *answer = json_parse(buf_text(body), body->len, "answer", NULL);
    const json_t *error = json_object_get(answer, "error");
    if (error)
        json_to_err(error, e);
    else
        err_set(e, ERR_PROTOCOL,
                "%s: answers with status %ld and no word of ours: is it the "
                "supervisor's socket?",
                remote->socket, status);
    json_decref(answer);
    return ctl_exit_of(e->code);
}

/* --- one request ------------------------------------------------------------------------------ */

static CURL *curl_new(const char *socket, const char *path)
{
    CURL *curl = curl_easy_init();
    if (!curl)
        abort(); /* out of memory: see base/mem.h */
    CLEANUP_FREE char *url = mem_printf("http://localhost%s", path);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, socket);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*"); /* http_proxy is not for us */
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    return curl;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *data)
{
    return buf_add(data, bytes, size * count) ? size * count : 0;
}

static void add_escaped(struct buf *out, const char *text)
{
    char *escaped = curl_easy_escape(NULL, text, 0);
    buf_puts(out, escaped ? escaped : "");
    curl_free(escaped);
}

/* Its options are lists of names, which hold no commas. */
static char *plan_path(const struct question *question)
{
    enum { PATH_ROOM = 16384 };
    struct buf out;
    const char *key;
    json_t *names;
    buf_init(&out, PATH_ROOM);
    buf_puts(&out, WIRE_PLAN "?playbook=");
    add_escaped(&out, question->playbook);
    json_object_foreach((json_t *)question->body, key, names)
    {
        buf_printf(&out, "&%s=", key);
        for (size_t i = 0; i < json_array_size(names); i++) {
            buf_puts(&out, i ? "%2C" : "");
            add_escaped(&out, json_string_value(json_array_get(names, i)));
        }
    }
    return buf_take(&out);
}

static char *path_of(const struct question *question)
{
    const char *path = requests[question->ask].path;
    const char *tail = requests[question->ask].tail;
    if (tail)
        return mem_printf("%s/%" PRId64 "%s", path, question->run, tail);
    return question->ask == ASK_PLAN ? plan_path(question) : mem_strdup(path);
}

static int remote_ask(struct backend *backend, const struct question *question, json_t **ret,
                      struct err *e)
{
    const struct remote *remote = (const struct remote *)backend;
    CLEANUP_FREE char *path = path_of(question);
    CLEANUP_FREE char *sent = question->body ? json_line(question->body) : mem_strdup("");
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    struct buf body;
    long status = 0;
    buf_init(&body, ANSWER_MAX);
    bool posts = strcmp(requests[question->ask].method, "POST") == 0;
    bool acts = requests[question->ask].acts;
    CURL *curl = curl_new(acts ? remote->socket : remote->asking, path);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, limit_ms(remote));
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
    if (posts) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, sent);
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    }
    CURLcode result = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    int code = result != CURLE_OK ? transport_error(remote, curl, result, e) : 0;
    if (!code && status != 200)
        code = daemon_error(remote, status, &body, e);
    if (!code && !(*ret = json_parse(buf_text(&body), body.len, remote->socket, e)))
        code = WIRE_EXIT_FAILED;
    curl_easy_cleanup(curl);
    curl_slist_free_all(headers);
    buf_free(&body);
    return code;
}

/* --- following -------------------------------------------------------------------------------- */

struct stream {
    const struct remote *remote;
    const struct follower *follower;
    struct events events;
    struct buf refusal; /* the body of an answer that is no stream */
    CURL *curl;
    bool ended; /* the run's last entry came */
    bool left;  /* the follower has left */
    bool heard; /* something came on this connection */
};

static void on_event(void *data, const json_t *event)
{
    struct stream *stream = data;
    stream->follower->on_entry(stream->follower->data, event);
    if (strcmp(json_text_at(event, "type", ""), WIRE_ENTRY_END) == 0)
        stream->ended = true;
}

static size_t on_stream_bytes(char *bytes, size_t size, size_t count, void *data)
{
    struct stream *stream = data;
    long status = 0;
    size_t len = size * count;
    curl_easy_getinfo(stream->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status != 200)
        return buf_add(&stream->refusal, bytes, len) ? len : 0;
    stream->heard = true;
    return events_feed(&stream->events, bytes, len) ? len : 0;
}

/* Waits a moment, or for `multi`; false when the follower leaves. */
static bool wait_a_tick(struct stream *stream, CURLM *multi)
{
    const struct follower *follower = stream->follower;
    struct curl_waitfd wake = {.fd = follower->wake_fd, .events = CURL_WAIT_POLLIN};
    curl_multi_poll(multi, &wake, follower->wake_fd >= 0 ? 1 : 0, TICK_MS, NULL);
    stream->left = follower->on_tick(follower->data) == FOLLOW_LEAVE;
    return !stream->left;
}

/* Runs the transfer until it is over or left; its result. */
static CURLcode transfer(struct stream *stream, CURLM *multi)
{
    int running = 1;
    curl_multi_add_handle(multi, stream->curl);
    do
        curl_multi_perform(multi, &running);
    while (running && !stream->ended && wait_a_tick(stream, multi));
    CURLcode result = CURLE_OK;
    int queued;
    const CURLMsg *message;
    while ((message = curl_multi_info_read(multi, &queued)))
        if (message->msg == CURLMSG_DONE)
            result = message->data.result;
    curl_multi_remove_handle(multi, stream->curl);
    return result;
}

/* One connection's worth; 0 when the run ended, the follower left or the stream broke off, an exit
 * code with e set for anything that trying again does not mend. *ret_broken tells the breaking. */
static int follow_once(struct stream *stream, CURLM *multi, const char *path, bool *ret_broken,
                       struct err *e)
{
    CLEANUP_FREE char *seen = mem_printf("Last-Event-ID: %" PRId64, stream->events.last_id);
    struct curl_slist *headers = curl_slist_append(NULL, seen);
    long status = 0;
    stream->curl = curl_new(stream->remote->asking, path);
    stream->heard = false;
    events_restart(&stream->events);
    buf_reset(&stream->refusal);
    curl_easy_setopt(stream->curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(stream->curl, CURLOPT_WRITEFUNCTION, on_stream_bytes);
    curl_easy_setopt(stream->curl, CURLOPT_WRITEDATA, stream);
    CURLcode result = transfer(stream, multi);
    int code = 0;
    curl_easy_getinfo(stream->curl, CURLINFO_RESPONSE_CODE, &status);
    *ret_broken = !stream->ended && !stream->left;
    if (*ret_broken && result != CURLE_OK)
        code = transport_error(stream->remote, stream->curl, result, e);
    else if (*ret_broken && status != 200)
        code = daemon_error(stream->remote, status, &stream->refusal, e);
    else if (*ret_broken)
        err_set(e, ERR_UNREACHABLE, "%s: the daemon ended the stream", stream->remote->socket);
    curl_easy_cleanup(stream->curl);
    curl_slist_free_all(headers);
    return code;
}

static bool is_worth_trying_again(const struct err *e)
{
    return e->code == ERR_UNREACHABLE || e->code == ERR_CANCELLED;
}

/* Keeps the follower ticking for a while without a daemon; false when it leaves. */
static bool pause_before_retry(struct stream *stream, CURLM *multi)
{
    int64_t until = clock_mono_ms() + RETRY_MS;
    while (clock_mono_ms() < until)
        if (!wait_a_tick(stream, multi))
            return false;
    return true;
}

/* The first connection must stand; later ones are tried for a while. */
static int follow_loop(struct stream *stream, CURLM *multi, const char *path, struct err *e)
{
    bool gap = false;
    bool ever = false;
    int64_t last_heard = clock_mono_ms();
    for (;;) {
        bool broken;
        int code = follow_once(stream, multi, path, &broken, e);
        ever |= stream->heard;
        if (gap && stream->heard)
            stream->follower->on_gap(stream->follower->data, true, NULL);
        if (!broken)
            return 0;
        if (!ever || (code && !is_worth_trying_again(e)))
            return code ? code : WIRE_EXIT_FAILED;
        gap = gap && !stream->heard;
        if (stream->heard)
            last_heard = clock_mono_ms();
        if (clock_mono_ms() - last_heard > FOLLOW_RETRY_MS)
            return code ? code : WIRE_EXIT_UNREACHABLE;
        if (!gap)
            stream->follower->on_gap(stream->follower->data, false, e);
        gap = true;
        if (!pause_before_retry(stream, multi))
            return 0;
    }
}

static int remote_follow(struct backend *backend, int64_t run, const struct follower *follower,
                         struct err *e)
{
    CLEANUP_FREE char *path = mem_printf("%s/%" PRId64 "%s", WIRE_RUNS, run, WIRE_EVENTS);
    struct stream stream = {.remote = (const struct remote *)backend, .follower = follower};
    events_init(&stream.events, on_event, &stream);
    buf_init(&stream.refusal, ANSWER_MAX);
    CURLM *multi = curl_multi_init();
    if (!multi)
        abort(); /* out of memory: see base/mem.h */
    int code = follow_loop(&stream, multi, path, e);
    curl_multi_cleanup(multi);
    events_free(&stream.events);
    buf_free(&stream.refusal);
    return code;
}

static void remote_free(struct backend *backend)
{
    struct remote *remote = (struct remote *)backend;
    free(remote->socket);
    free(remote->asking);
    free(remote);
    curl_global_cleanup();
}

static const struct backend_class remote_class = {
    .runs_outlive_us = true,
    .ask = remote_ask,
    .follow = remote_follow,
    .free = remote_free,
};

/* Who may not act has a socket beside it for what is only asked, if the daemon was told to make
 * one.
 */
static char *socket_for_asking(const char *socket)
{
    const char *slash = strrchr(socket, '/');
    if (slash && access(socket, W_OK) != 0 && errno == EACCES) {
        char *beside = mem_printf("%.*s/" WIRE_READ_SOCKET, (int)(slash - socket), socket);
        if (access(beside, W_OK) == 0)
            return beside;
        free(beside);
    }
    return mem_strdup(socket);
}

struct backend *remote_new(const struct ctl_options *options, bool has_other)
{
    struct remote *remote = mem_new(sizeof *remote);
    remote->backend.class = &remote_class;
    remote->socket = mem_strdup(options->socket);
    remote->asking = socket_for_asking(options->socket);
    remote->has_other = has_other;
    remote->timeout_ms = options->timeout_ms;
    curl_global_init(CURL_GLOBAL_NOTHING); /* a socket of this host: no TLS */
    return &remote->backend;
}
