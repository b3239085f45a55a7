/* See receiver.h. */
#include "tests/fake/receiver.h"

#include "base/buf.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct line {
    char *verb; /* SMTP */
    char *text;
    bool used;
};

struct text {
    char *bytes;
};

struct connection {
    uv_tcp_t tcp; /* first: a handle of it is the connection */
    struct fake_receiver *receiver;
    struct connection *next;
    struct buf in;
    bool in_mail, in_login;
};

struct fake_receiver {
    struct loop *loop;
    bool is_smtp, is_held;
    int port;
    uv_tcp_t *listener; /* NULL: down */
    struct connection *connections;
    size_t open, most;
    struct line *script;
    size_t script_count;
    struct text *texts;
    size_t count;
    struct buf dialogue;
};

/* --- connections ------------------------------------------------------------------------------ */

static void on_closed(uv_handle_t *handle)
{
    struct connection *c = (struct connection *)handle;
    buf_free(&c->in);
    free(c);
}

static void close_connection(struct connection *c)
{
    if (uv_is_closing((uv_handle_t *)&c->tcp))
        return;
    struct connection **at = &c->receiver->connections;
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    c->receiver->open--;
    uv_close((uv_handle_t *)&c->tcp, on_closed);
}

struct write {
    uv_write_t request;
    char *bytes;
};

static void on_written(uv_write_t *request, int status)
{
    struct write *write = (struct write *)request;
    (void)status;
    free(write->bytes);
    free(write);
}

static void put(struct connection *c, const char *text)
{
    struct write *write = mem_new(sizeof *write);
    write->bytes = mem_strdup(text);
    uv_buf_t bytes = uv_buf_init(write->bytes, (unsigned)strlen(text));
    uv_write(&write->request, (uv_stream_t *)&c->tcp, &bytes, 1, on_written);
}

static void keep(struct fake_receiver *receiver, const char *text, size_t len)
{
    MEM_PUSH(receiver->texts, receiver->count)->bytes = mem_strndup(text, len);
}

static const char *scripted(struct fake_receiver *receiver, const char *verb, size_t len)
{
    for (size_t i = 0; i < receiver->script_count; i++) {
        struct line *line = &receiver->script[i];
        if (line->used || strlen(line->verb) != len || strncasecmp(line->verb, verb, len) != 0)
            continue;
        line->used = true;
        return line->text;
    }
    return NULL;
}

/* --- HTTP ------------------------------------------------------------------------------------- */

static void take_http(struct connection *c)
{
    const char *text = buf_text(&c->in);
    const char *end = strstr(text, "\r\n\r\n");
    const char *length = strcasestr(text, "\r\nContent-Length:");
    if (!end || c->receiver->is_held)
        return;
    size_t body = length && length < end ? (size_t)strtoul(length + 17, NULL, 10) : 0;
    size_t len = (size_t)(end - text) + 4 + body;
    if (c->in.len < len)
        return;
    keep(c->receiver, text, len);
    buf_consume(&c->in, len);
    const char *answer = scripted(c->receiver, "", 0);
    put(c, answer ? answer : "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
}

/* --- SMTP ------------------------------------------------------------------------------------- */

static const char *default_answer(const char *line)
{
    if (strncasecmp(line, "EHLO", 4) == 0)
        return "250-fake\r\n250-8BITMIME\r\n250 AUTH PLAIN";
    if (strncasecmp(line, "AUTH", 4) == 0)
        return "334 "; /* and the next line is the login */
    if (strncasecmp(line, "DATA", 4) == 0)
        return "354 go on";
    if (strncasecmp(line, "QUIT", 4) == 0)
        return "221 bye";
    return "250 fine";
}

static void say(struct connection *c, const char *answer)
{
    CLEANUP_FREE char *line = mem_printf("%s\r\n", answer);
    put(c, line);
}

static void take_line(struct connection *c, const char *line)
{
    const char *answer = scripted(c->receiver, line, strcspn(line, " "));
    if (!answer)
        answer = c->in_login ? "235 welcome" : default_answer(line);
    c->in_login = *answer == '3' && strncasecmp(line, "AUTH", 4) == 0;
    c->in_mail = strncasecmp(line, "DATA", 4) == 0 && *answer == '3';
    say(c, answer);
    if (strncmp(answer, "421", 3) == 0 || strncasecmp(line, "QUIT", 4) == 0)
        close_connection(c);
}

static bool take_mail(struct connection *c)
{
    const char *text = buf_text(&c->in);
    const char *end = strstr(text, "\r\n.\r\n");
    if (!end)
        return false;
    const char *answer = scripted(c->receiver, ".", 1);
    if (!answer)
        keep(c->receiver, text, (size_t)(end - text) + 2);
    buf_consume(&c->in, (size_t)(end - text) + 5);
    c->in_mail = false;
    say(c, answer ? answer : "250 taken");
    return true;
}

static void take_smtp(struct connection *c)
{
    while (!c->receiver->is_held && !uv_is_closing((uv_handle_t *)&c->tcp)) {
        if (c->in_mail) {
            if (!take_mail(c))
                return;
            continue;
        }
        const char *end = strstr(buf_text(&c->in), "\r\n");
        if (!end)
            return;
        size_t len = (size_t)(end - c->in.data);
        CLEANUP_FREE char *line = mem_strndup(c->in.data, len);
        buf_consume(&c->in, len + 2);
        take_line(c, line);
    }
}

static void take(struct connection *c)
{
    if (c->receiver->is_smtp)
        take_smtp(c);
    else
        take_http(c);
}

/* --- life ------------------------------------------------------------------------------------- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    (void)handle;
    *ret = uv_buf_init(mem_new(suggested), (unsigned)suggested);
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    struct connection *c = (struct connection *)stream;
    if (count > 0) {
        buf_add(&c->receiver->dialogue, buffer->base, (size_t)count);
        buf_add(&c->in, buffer->base, (size_t)count);
        take(c);
    } else if (count < 0) {
        close_connection(c);
    }
    free(buffer->base);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct fake_receiver *receiver = listener->data;
    assert(status == 0);
    struct connection *c = mem_new(sizeof *c);
    c->receiver = receiver;
    buf_init(&c->in, 1 << 20);
    uv_tcp_init(loop_uv(receiver->loop), &c->tcp);
    uv_accept(listener, (uv_stream_t *)&c->tcp);
    c->next = receiver->connections;
    receiver->connections = c;
    if (++receiver->open > receiver->most)
        receiver->most = receiver->open;
    uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
    if (receiver->is_smtp) {
        const char *greeting = scripted(receiver, "", 0);
        say(c, greeting ? greeting : "220 fake");
    }
}

static void on_listener_closed(uv_handle_t *handle)
{
    free(handle);
}

void fake_receiver_listen(struct fake_receiver *receiver, bool on)
{
    struct sockaddr_in address;
    if (receiver->listener)
        uv_close((uv_handle_t *)receiver->listener, on_listener_closed);
    receiver->listener = NULL;
    if (!on)
        return;
    receiver->listener = mem_new(sizeof *receiver->listener);
    receiver->listener->data = receiver;
    uv_tcp_init(loop_uv(receiver->loop), receiver->listener);
    uv_ip4_addr("127.0.0.1", receiver->port, &address);
    int code = uv_tcp_bind(receiver->listener, (struct sockaddr *)&address, 0);
    assert(code == 0);
    code = uv_listen((uv_stream_t *)receiver->listener, 64, on_connection);
    assert(code == 0);
    (void)code;
    int len = sizeof address;
    uv_tcp_getsockname(receiver->listener, (struct sockaddr *)&address, &len);
    receiver->port = ntohs(address.sin_port);
}

static struct fake_receiver *receiver_new(struct loop *loop, bool is_smtp)
{
    struct fake_receiver *receiver = mem_new(sizeof *receiver);
    signal(SIGPIPE, SIG_IGN); /* libuv writes without MSG_NOSIGNAL, and clients hang up on us */
    receiver->loop = loop;
    receiver->is_smtp = is_smtp;
    buf_init(&receiver->dialogue, 1 << 22);
    fake_receiver_listen(receiver, true);
    return receiver;
}

struct fake_receiver *fake_receiver_http(struct loop *loop)
{
    return receiver_new(loop, false);
}

struct fake_receiver *fake_receiver_smtp(struct loop *loop)
{
    return receiver_new(loop, true);
}

struct fake_receiver *fake_receiver_free(struct fake_receiver *receiver)
{
    if (!receiver)
        return NULL;
    fake_receiver_listen(receiver, false);
    while (receiver->connections)
        close_connection(receiver->connections);
    for (size_t i = 0; i < receiver->script_count; i++) {
        free(receiver->script[i].verb);
        free(receiver->script[i].text);
    }
    for (size_t i = 0; i < receiver->count; i++)
        free(receiver->texts[i].bytes);
    free(receiver->script);
    free(receiver->texts);
    buf_free(&receiver->dialogue);
    free(receiver);
    return NULL;
}

int fake_receiver_port(const struct fake_receiver *receiver)
{
    return receiver->port;
}

/* --- the script and what came ----------------------------------------------------------------- */

void fake_receiver_says(struct fake_receiver *receiver, const char *verb, const char *answer)
{
    *MEM_PUSH(receiver->script, receiver->script_count) =
        (struct line){.verb = mem_strdup(verb), .text = mem_strdup(answer)};
}

void fake_receiver_answer(struct fake_receiver *receiver, const char *status, const char *body)
{
    body = body ? body : "";
    CLEANUP_FREE char *text =
        mem_printf("HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n%s", status, strlen(body), body);
    fake_receiver_says(receiver, "", text);
}

void fake_receiver_hold(struct fake_receiver *receiver, bool on)
{
    struct connection *next;
    receiver->is_held = on;
    for (struct connection *c = receiver->connections; c && !on; c = next) {
        next = c->next;
        take(c);
    }
}

size_t fake_receiver_count(const struct fake_receiver *receiver)
{
    return receiver->count;
}

const char *fake_receiver_text(const struct fake_receiver *receiver, size_t index)
{
    assert(index < receiver->count);
    return receiver->texts[index].bytes;
}

const char *fake_receiver_body(const struct fake_receiver *receiver, size_t index)
{
    return strstr(fake_receiver_text(receiver, index), "\r\n\r\n") + 4;
}

const char *fake_receiver_dialogue(const struct fake_receiver *receiver)
{
    return buf_text(&receiver->dialogue);
}

size_t fake_receiver_most_at_once(const struct fake_receiver *receiver)
{
    return receiver->most;
}
