/* See answer.h. The statuses and texts were seen on Docker 20.10 and Podman 4.3 and read in moby's
 * and Podman's sources; newer engines keep the statuses and vary the texts. */
#include "docker/answer.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"

#include <ctype.h>
#include <string.h>

enum { MESSAGE_MAX = 512 };

/* Foreign text for a person: one line, no control characters, not endless. */
static char *tidy(const char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    size_t len = strnlen(text, MESSAGE_MAX);
    while (len > 0 && isspace((unsigned char)text[len - 1]))
        len--;
    char *line = mem_strndup(text, len);
    for (char *at = line; *at; at++)
        if (iscntrl((unsigned char)*at))
            *at = ' ';
    return line;
}

/* The Engine answers {"message":…}, or plain text where its router speaks; a guard in front of it
 * answers with a page. *ret_is_json tells whose word it is. */
static char *message_of(const struct docker__answer *answer, bool *ret_is_json)
{
    CLEANUP_JSON json_t *body = json_parse(answer->body, answer->len, "answer", NULL);
    const char *message = json_text_at(body, "message", NULL);
    *ret_is_json = message != NULL;
    if (message)
        return tidy(message);
    if (answer->body[strspn(answer->body, " \r\n\t")] == '<')
        return mem_strdup("(a page that no Engine writes)");
    return tidy(answer->len ? answer->body : "(no message)");
}

static bool says(const char *message, const char *words)
{
    return strcasestr(message, words) != NULL;
}

static bool says_gone(const char *message)
{
    return says(message, "no such container") || says(message, "no container with") ||
           says(message, "no such exec");
}

/* Podman answers 500 where Docker answers 409, and so does Docker to an unpause. */
static bool says_conflict(const char *message)
{
    return says(message, "is not running") || says(message, "is not paused") ||
           says(message, "container state improper");
}

static enum err_code code_of(int status, const char *message, bool is_json)
{
    switch (status) {
    case 401:
    case 403:
        return ERR_PERMISSION;
    case 404:
        if (says_gone(message))
            return ERR_NOT_FOUND;
        return !is_json || says(message, "page not found") ? ERR_UNSUPPORTED : ERR_FAILED;
    case 409:
        return ERR_CONFLICT;
    case 501:
        return ERR_UNSUPPORTED;
    default:
        return status >= 500 && says_conflict(message) ? ERR_CONFLICT : ERR_FAILED;
    }
}

bool docker__answer_wants_other_version(const struct docker__answer *answer)
{
    return answer->status == 400 && says(answer->body, "client version") &&
           (says(answer->body, "too old") || says(answer->body, "too new"));
}

static int explain_version(const char *message, struct err *e)
{
    int code = err_set(e, ERR_UNSUPPORTED, "the Engine refuses our API version: %s", message);
    err_hint(e, says(message, "too old")
                    ? "the Engine is too new for this program, or DOCKER_API_VERSION too low; "
                      "some engines can be told DOCKER_MIN_API_VERSION"
                    : "was the Engine replaced by an older one, or DOCKER_API_VERSION set too "
                      "high? the version is negotiated anew at the next call");
    return code;
}

static int explain_guard(int status, const char *method, const char *path, const char *message,
                         struct err *e)
{
    int code =
        err_set(e, ERR_PERMISSION, "%s %s was denied (HTTP %d): %s", method, path, status, message);
    err_hint(e, "a proxy in front of the Engine's socket filters it: allow this call there (often "
                "CONTAINERS=1, EXEC=1, EVENTS=1, PING=1 and POST=1)");
    return code;
}

int docker__answer_check(const struct docker__answer *answer, const char *method, const char *path,
                         struct err *e)
{
    if (answer->failure) {
        err_copy(e, answer->failure);
        return -(int)answer->failure->code;
    }
    if (answer->status >= 200 && answer->status < 400)
        return 0;
    bool is_json;
    CLEANUP_FREE char *message = message_of(answer, &is_json);
    if (docker__answer_wants_other_version(answer))
        return explain_version(message, e);
    if (answer->status == 401 || answer->status == 403)
        return explain_guard(answer->status, method, path, message, e);
    enum err_code code = code_of(answer->status, message, is_json);
    if (is_json)
        return err_set(e, code, "%s (HTTP %d)", message, answer->status);
    int result = err_set(e, code, "%s %s: HTTP %d: %s", method, path, answer->status, message);
    if (says(message, "HTTPS server"))
        err_hint(e, "it speaks TLS: name the certificates (DOCKER_TLS_VERIFY=1, DOCKER_CERT_PATH)");
    return result;
}

int docker__parse_version(const char *text)
{
    if (strncmp(text, "1.", 2) != 0)
        return 0;
    size_t digits = strspn(text + 2, "0123456789");
    if (digits == 0 || digits > 3 || text[2 + digits] != '\0')
        return 0;
    return (int)strtol(text + 2, NULL, 10);
}

char *docker__escape(const char *text)
{
    struct buf out;
    buf_init(&out, strlen(text) * 3);
    for (const char *at = text; *at; at++)
        if (isalnum((unsigned char)*at) || strchr("-._~", *at))
            buf_add(&out, at, 1);
        else
            buf_printf(&out, "%%%02X", (unsigned)(unsigned char)*at);
    return buf_take(&out);
}

char *docker__short_id(const char *id)
{
    enum { FULL = 64, SHORT = 12 };
    bool is_full = strlen(id) == FULL && strspn(id, "0123456789abcdef") == FULL;
    return mem_strndup(id, is_full ? SHORT : strlen(id));
}
