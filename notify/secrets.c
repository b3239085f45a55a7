/* See secrets.h. */
#include "notify/secrets.h"

#include "base/buf.h"
#include "base/mem.h"

#include <curl/curl.h>
#include <string.h>

enum {
    SECRET_MAX = 16384,
    WHOLE_MIN = 3, /* hiding a shorter one would only spoil the text */
    PART_MIN = 6,  /* shorter parts of an address are words such as "v2" */
};

/* --- reading ---------------------------------------------------------------------------------- */

struct source {
    const char *path; /* NULL: not configured */
    const char *key;
    char **slot; /* NULL when only paths are wanted */
    bool many;   /* lines may follow one another */
};

enum { SOURCES = 4 };

static void list_sources(const struct notify__receiver *receiver, struct notify__secrets *secrets,
                         struct source out[static SOURCES])
{
    out[0] = (struct source){receiver->url_file, "url_file", &secrets->url, false};
    out[1] =
        (struct source){receiver->bearer_token_file, "bearer_token_file", &secrets->token, false};
    out[2] = (struct source){receiver->headers_file, "headers_file", &secrets->headers, true};
    out[3] = (struct source){receiver->password_file, "password_file", &secrets->password, false};
}

char **notify__secrets_paths(const struct notify__receiver *receiver, size_t *ret_count)
{
    struct notify__secrets none = {0};
    struct source sources[SOURCES];
    char **paths = NULL;
    *ret_count = 0;
    list_sources(receiver, &none, sources);
    for (size_t i = 0; i < SOURCES; i++)
        if (sources[i].path)
            *MEM_PUSH(paths, *ret_count) = mem_strdup(sources[i].path);
    return paths;
}

static int take(const struct source *source, const struct file *file, struct err *e)
{
    if (!file->text)
        return err_set(e, ERR_PERMISSION, "%s %s cannot be read: %s", source->key, source->path,
                       file_problem(file));
    if (file->len > SECRET_MAX)
        return err_set(e, ERR_INVALID, "%s %s is larger than %d KiB", source->key, source->path,
                       SECRET_MAX / 1024);
    size_t len = file->len;
    while (len > 0 && strchr(" \t\r\n", file->text[len - 1]))
        len--;
    if (len == 0)
        return err_set(e, ERR_INVALID, "%s %s is empty", source->key, source->path);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)file->text[i];
        bool allowed = source->many && (c == '\n' || c == '\r' || c == '\t');
        if ((c < ' ' || c == 0x7f) && !allowed)
            return err_set(e, ERR_INVALID, "%s %s holds a control character%s", source->key,
                           source->path, source->many ? "" : " or a second line");
    }
    *source->slot = mem_strndup(file->text, len);
    return 0;
}

int notify__secrets_take(struct notify__secrets *secrets, const struct notify__receiver *receiver,
                         const struct file *files, size_t count, struct err *e)
{
    struct source sources[SOURCES];
    size_t next = 0;
    list_sources(receiver, secrets, sources);
    secrets->url = mem_strdup(receiver->url);
    for (size_t i = 0; i < SOURCES; i++) {
        if (!sources[i].path || next >= count)
            continue;
        int status = take(&sources[i], &files[next++], e);
        if (status != 0)
            return status;
    }
    CLEANUP_FREE char *shown = secrets->url ? notify__show_url(secrets->url) : NULL;
    if (secrets->url && !shown)
        return err_set(e, ERR_INVALID, "url_file %s holds no http:// or https:// address",
                       receiver->url_file);
    return 0;
}

static void wipe(char **slot)
{
    if (*slot)
        explicit_bzero(*slot, strlen(*slot));
    free(*slot);
    *slot = NULL;
}

void notify__secrets_clear(struct notify__secrets *secrets)
{
    wipe(&secrets->url);
    wipe(&secrets->token);
    wipe(&secrets->headers);
    wipe(&secrets->password);
}

/* --- hiding ----------------------------------------------------------------------------------- */

/* text without `part` (len bytes of it) if that has `min` bytes; takes the text over. */
static char *without(char *text, const char *part, size_t len, size_t min)
{
    struct buf out;
    char *found;
    const char *rest = text;
    if (len < min || !memmem(text, strlen(text), part, len))
        return text;
    buf_init(&out, strlen(text) * 2 + 64);
    while ((found = memmem(rest, strlen(rest), part, len)) != NULL) {
        buf_printf(&out, "%.*s***", (int)(found - rest), rest);
        rest = found + len;
    }
    buf_puts(&out, rest);
    free(text);
    return buf_take(&out);
}

static char *without_parts(char *text, const char *whole, const char *separators)
{
    text = without(text, whole, strlen(whole), PART_MIN);
    while (*whole) {
        size_t len = strcspn(whole, separators);
        text = without(text, whole, len, PART_MIN);
        whole += len + (whole[len] != '\0');
    }
    return text;
}

/* As it stands in the address, and as a server would repeat it. */
static char *without_url_part(CURLU *parts, CURLUPart part, char *text)
{
    char *value = NULL;
    if (curl_url_get(parts, part, &value, 0) == CURLUE_OK)
        text = without_parts(text, value, "/&=");
    curl_free(value);
    value = NULL;
    if (curl_url_get(parts, part, &value, CURLU_URLDECODE) == CURLUE_OK)
        text = without_parts(text, value, "/&=");
    curl_free(value);
    return text;
}

static char *without_url(const char *url, char *text)
{
    CURLU *parts = curl_url();
    if (parts && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK) {
        text = without_url_part(parts, CURLUPART_USER, text);
        text = without_url_part(parts, CURLUPART_PASSWORD, text);
        text = without_url_part(parts, CURLUPART_PATH, text);
        text = without_url_part(parts, CURLUPART_QUERY, text);
    }
    curl_url_cleanup(parts);
    return text;
}

char *notify__secrets_hide(const struct notify__secrets *secrets, const char *text)
{
    char *clean = mem_strdup(text);
    if (secrets->token)
        clean = without(clean, secrets->token, strlen(secrets->token), WHOLE_MIN);
    if (secrets->password)
        clean = without(clean, secrets->password, strlen(secrets->password), WHOLE_MIN);
    if (secrets->headers)
        clean = without_parts(clean, secrets->headers, "\r\n :");
    if (secrets->url)
        clean = without_url(secrets->url, clean);
    return clean;
}
