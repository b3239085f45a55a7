/* A mail: one dialogue with a mail server, by one try of an attempt.
 *
 * libcurl speaks SMTP: STARTTLS or TLS, the login, dot-stuffing. But it waits, also under its multi
 * interface, for the answers to the end of the text and to QUIT; so the dialogue has a thread of
 * its own, not one of libuv's pool, where the journal would stand behind it. The thread touches
 * nothing but its own `struct notify__mail`.
 *
 * A server that refuses some of the recipients still gets the mail for the others. Once it has
 * begun to take the text, a refusal (5xx) is about this very mail: it is not tried again.
 */
#include "notify/mail.h"

#include "base/clock.h"
#include "base/mem.h"
#include "notify/attempt.h"
#include "notify/transfer.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>

struct notify__mail {
    struct notify__attempt *attempt; /* NULL: abandoned */
    struct notify__transfer *transfer;
    uv_thread_t thread;
    uv_async_t over; /* from the thread: it has ended */
    atomic_bool given_up;
    int64_t until_ms; /* monotonic */
    char *message;
    size_t sent; /* of it */
    CURLcode result;
};

/* --- on the thread ---------------------------------------------------------------------------- */

static size_t on_wanted(char *out, size_t size, size_t count, void *data)
{
    struct notify__mail *mail = data;
    size_t left = strlen(mail->message + mail->sent);
    size_t len = size * count < left ? size * count : left;
    memcpy(out, mail->message + mail->sent, len);
    mail->sent += len;
    return len;
}

/* A command that is run for another receiver must not inherit it. */
static int on_new_socket(void *data, curl_socket_t fd, curlsocktype purpose)
{
    (void)data;
    (void)purpose;
    return fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 ? CURL_SOCKOPT_OK : CURL_SOCKOPT_ERROR;
}

/* curl asks once a second at least, also where it waits without regard to its own time limit. */
static int on_progress(void *data, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    struct notify__mail *mail = data;
    (void)a, (void)b, (void)c, (void)d;
    return atomic_load(&mail->given_up) || clock_mono_ms() > mail->until_ms;
}

/* The farewell is sent when the connection is closed; its answer is not waited for. */
static void close_politely(CURL *easy)
{
    curl_socket_t fd = CURL_SOCKET_BAD;
    if (curl_easy_getinfo(easy, CURLINFO_ACTIVESOCKET, &fd) == CURLE_OK && fd != CURL_SOCKET_BAD)
        shutdown(fd, SHUT_RD);
}

static void on_thread(void *data)
{
    struct notify__mail *mail = data;
    mail->result = curl_easy_perform(mail->transfer->easy);
    close_politely(mail->transfer->easy);
    uv_async_send(&mail->over);
}

/* --- on the loop ------------------------------------------------------------------------------ */

static void on_closed(uv_handle_t *handle)
{
    struct notify__mail *mail = handle->data;
    notify__transfer_free(mail->transfer);
    free(mail->message);
    free(mail);
}

static void give_result(struct notify__mail *mail)
{
    struct notify__attempt *attempt = mail->attempt;
    struct err e;
    long status = 0;
    mail->attempt = NULL;
    attempt->mail = NULL;
    if (mail->result == CURLE_OK) {
        notify__attempt_end(attempt, NULL);
        return;
    }
    curl_easy_getinfo(mail->transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    CURLcode result =
        mail->result == CURLE_ABORTED_BY_CALLBACK ? CURLE_OPERATION_TIMEDOUT : mail->result;
    notify__transfer_explain(mail->transfer, result, attempt->what, &e);
    attempt->for_good = mail->sent > 0 && status >= 500 && status < 600;
    notify__attempt_end(attempt, &e);
}

static void on_over(uv_async_t *over)
{
    struct notify__mail *mail = over->data;
    uv_thread_join(&mail->thread);
    if (mail->attempt)
        give_result(mail);
    uv_close((uv_handle_t *)over, on_closed);
}

struct notify__mail *notify__mail_abandon(struct notify__mail *mail)
{
    if (mail) {
        mail->attempt = NULL;
        atomic_store(&mail->given_up, true);
    }
    return NULL;
}

/* --- its beginning ---------------------------------------------------------------------------- */

static void set_login(const struct notify__attempt *attempt, CURL *easy)
{
    static const long levels[] = {[NOTIFY__TLS_REQUIRED] = CURLUSESSL_ALL,
                                  [NOTIFY__TLS_OPTIONAL] = CURLUSESSL_TRY,
                                  [NOTIFY__TLS_NONE] = CURLUSESSL_NONE};
    curl_easy_setopt(easy, CURLOPT_USE_SSL, levels[attempt->receiver->tls]);
    if (!attempt->secrets.password)
        return;
    curl_easy_setopt(easy, CURLOPT_USERNAME, attempt->receiver->user);
    curl_easy_setopt(easy, CURLOPT_PASSWORD, attempt->secrets.password);
}

static void set_envelope(struct notify__mail *mail, const struct notify__receiver *receiver)
{
    CURL *easy = mail->transfer->easy;
    CLEANUP_FREE char *from = mem_printf("<%s>", receiver->from);
    for (size_t i = 0; i < receiver->to_count; i++) {
        CLEANUP_FREE char *to = mem_printf("<%s>", receiver->to[i]);
        notify__transfer_list(mail->transfer, to);
    }
    curl_easy_setopt(easy, CURLOPT_MAIL_FROM, from);
    curl_easy_setopt(easy, CURLOPT_MAIL_RCPT, mail->transfer->list);
    curl_easy_setopt(easy, CURLOPT_MAIL_RCPT_ALLLOWFAILS, 1L);
}

static struct notify__mail *mail_new(struct notify__attempt *attempt)
{
    const struct notify__receiver *receiver = attempt->receiver;
    struct notify__mail *mail = mem_new(sizeof *mail);
    mail->attempt = attempt;
    mail->until_ms = clock_mono_ms() + receiver->timeout_ms;
    mail->message =
        notify__as_mail(&attempt->notification, receiver->from, receiver->to, receiver->to_count);
    mail->transfer = notify__transfer_new(receiver);
    mail->over.data = mail;
    CURL *easy = mail->transfer->easy;
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    curl_easy_setopt(easy, CURLOPT_URL, receiver->server);
    curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_wanted);
    curl_easy_setopt(easy, CURLOPT_READDATA, mail);
    curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_new_socket);
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* does not wait for the resolver either */
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(easy, CURLOPT_XFERINFODATA, mail);
    /* Else it says QUIT, and waits for the answer, before it tells that the mail was taken. */
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 0L);
    set_envelope(mail, receiver);
    set_login(attempt, easy);
    return mail;
}

void notify__mail_begin(struct notify__attempt *attempt)
{
    struct notify__mail *mail = mail_new(attempt);
    uv_async_init(loop_uv(attempt->all->loop), &mail->over, on_over);
    int code = uv_thread_create(&mail->thread, on_thread, mail);
    if (code == 0) {
        attempt->mail = mail;
        return;
    }
    struct err e;
    err_set(&e, ERR_FAILED, "%s: no thread for it: %s", attempt->what, uv_strerror(code));
    notify__attempt_end(attempt, &e);
    uv_close((uv_handle_t *)&mail->over, on_closed);
}
