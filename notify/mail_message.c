/* A notification as an RFC 5322 message: headers that nobody can add to, a body that survives any
 * mail server (7 bit, quoted-printable where it must be).
 */
#include "base/buf.h"
#include "base/hash.h"
#include "base/mem.h"
#include "notify/notification.h"

#include <string.h>
#include <time.h>

enum {
    MESSAGE_MAX = 1 << 20,
    SUBJECT_MAX = 180,    /* bytes of the text */
    WORD_MAX = 39,        /* bytes in one encoded word: with base64 and its frame a line of 76 */
    LINE_MAX_LEN = 76,    /* RFC 2045 6.7 */
    HEADER_LINE_MAX = 78, /* RFC 5322 2.1.1 */
    PLAIN_LINE_MAX = 780, /* 998 is its limit */
};

static bool is_ascii(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text >= 0x80)
            return false;
    return true;
}

/* --- the subject ------------------------------------------------------------------------------ */

static void add_base64(struct buf *out, const char *bytes, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < len; i += 3) {
        unsigned group = 0;
        for (size_t k = 0; k < 3; k++)
            group = group << 8 | (i + k < len ? (unsigned char)bytes[i + k] : 0U);
        char quad[4];
        for (int k = 0; k < 4; k++)
            quad[k] = digits[group >> (18 - 6 * k) & 63];
        for (size_t k = len - i; k < 3; k++)
            quad[k + 1] = '=';
        buf_add(out, quad, sizeof quad);
    }
}

/* RFC 2047: several encoded words, each whole characters, one a line. */
static void add_encoded(struct buf *out, const char *text)
{
    while (*text) {
        size_t len = notify__utf8_cut(text, WORD_MAX);
        buf_puts(out, "=?UTF-8?B?");
        add_base64(out, text, len);
        text += len;
        buf_puts(out, *text ? "?=\r\n " : "?=");
    }
}

static void add_subject(struct buf *out, const char *text)
{
    size_t len = notify__utf8_cut(text, SUBJECT_MAX);
    CLEANUP_FREE char *subject = mem_printf("%.*s%s", (int)len, text, text[len] ? "…" : "");
    notify__one_line(subject);
    buf_puts(out, "Subject: ");
    /* What looks like an encoded word would be shown decoded. */
    if (is_ascii(subject) && !strstr(subject, "=?"))
        buf_puts(out, subject);
    else
        add_encoded(out, subject);
    buf_puts(out, "\r\n");
}

/* --- the other headers ------------------------------------------------------------------------ */

static void add_date(struct buf *out, int64_t wall_ms)
{
    /* Not strftime: the words are English in every locale. */
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    buf_printf(out, "Date: %s, %02d %s %d %02d:%02d:%02d +0000\r\n", days[tm.tm_wday], tm.tm_mday,
               months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static void add_recipients(struct buf *out, char *const *to, size_t count)
{
    size_t column = 4;
    buf_puts(out, "To: ");
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(to[i]) + 2;
        if (i > 0 && column + len > HEADER_LINE_MAX) {
            buf_puts(out, "\r\n ");
            column = 1;
        }
        buf_printf(out, "%s%s", to[i], i + 1 < count ? ", " : "\r\n");
        column += len;
    }
}

/* All mails of an incident are one thread: they refer to a message that never was. */
static void add_thread(struct buf *out, const struct notify__notification *notification,
                       const char *domain)
{
    char text[HASH_TEXT_MAX];
    const char *key = json_text_at(notification->body, "key", NULL);
    const char *stack = json_text_at(notification->body, "stack", "");
    if (!key)
        return;
    CLEANUP_FREE char *incident = mem_printf("%s/%s", stack, key);
    buf_printf(out, "References: <incident-%s@%s>\r\n",
               hash_text(hash_bytes(incident, strlen(incident)), text), domain);
}

/* --- the body --------------------------------------------------------------------------------- */

static bool fits_7bit(const char *text)
{
    size_t column = 0;
    for (const char *c = text; *c; c++) {
        column = *c == '\n' ? 0 : column + 1;
        if (column > PLAIN_LINE_MAX)
            return false;
    }
    return is_ascii(text);
}

static void add_crlf(struct buf *out, const char *text)
{
    for (const char *c = text; *c; c++)
        buf_add(out, *c == '\n' ? "\r\n" : c, *c == '\n' ? 2 : 1);
}

static void add_quoted_printable(struct buf *out, const char *text)
{
    size_t column = 0;
    for (const char *c = text; *c; c++) {
        if (*c == '\n') {
            buf_puts(out, "\r\n");
            column = 0;
            continue;
        }
        bool last = c[1] == '\n' || !c[1];
        bool plain = (*c > ' ' && *c < 0x7f && *c != '=') || (*c == ' ' && !last);
        if (column + (plain ? 1 : 3) > LINE_MAX_LEN - 1) {
            buf_puts(out, "=\r\n");
            column = 0;
        }
        if (plain)
            buf_add(out, c, 1);
        else
            buf_printf(out, "=%02X", (unsigned char)*c);
        column += plain ? 1 : 3;
    }
}

/* --- the whole -------------------------------------------------------------------------------- */

char *notify__as_mail(const struct notify__notification *notification, const char *from,
                      char *const *to, size_t to_count)
{
    const char *domain = strrchr(from, '@') + 1;
    CLEANUP_FREE char *text = notify__as_text(notification);
    bool plain = fits_7bit(text);
    struct buf out;
    buf_init(&out, MESSAGE_MAX);
    buf_printf(&out, "From: %s\r\n", from);
    add_recipients(&out, to, to_count);
    add_subject(&out, json_text_at(notification->body, "text", ""));
    add_date(&out, notify__at_ms(notification)); /* the same at every try */
    buf_printf(&out, "Message-ID: <%s@%s>\r\n", notification->id, domain);
    add_thread(&out, notification, domain);
    buf_printf(&out, "X-Stack-Supervisor-Notification-Id: %s\r\n", notification->id);
    buf_puts(&out, "Auto-Submitted: auto-generated\r\n"
                   "MIME-Version: 1.0\r\n"
                   "Content-Type: text/plain; charset=utf-8\r\n");
    buf_printf(&out, "Content-Transfer-Encoding: %s\r\n\r\n", plain ? "7bit" : "quoted-printable");
    if (plain)
        add_crlf(&out, text);
    else
        add_quoted_printable(&out, text);
    return buf_take(&out);
}
