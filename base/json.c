/* See json.h. */
#include "base/json.h"

#include "base/buf.h"
#include "base/mem.h"

#include <string.h>

json_t *json_at(const json_t *root, const char *path)
{
    const json_t *here = root;
    while (here && *path) {
        size_t len = strcspn(path, "/");
        here = json_object_getn(here, path, len);
        path += len + (path[len] == '/');
    }
    return (json_t *)here;
}

const char *json_text_at(const json_t *root, const char *path, const char *fallback)
{
    const char *text = json_string_value(json_at(root, path));
    return text ? text : fallback;
}

int64_t json_int_at(const json_t *root, const char *path, int64_t fallback)
{
    const json_t *value = json_at(root, path);
    return json_is_integer(value) ? json_integer_value(value) : fallback;
}

double json_number_at(const json_t *root, const char *path, double fallback)
{
    const json_t *value = json_at(root, path);
    return json_is_number(value) ? json_number_value(value) : fallback;
}

bool json_bool_at(const json_t *root, const char *path, bool fallback)
{
    const json_t *value = json_at(root, path);
    return json_is_boolean(value) ? json_is_true(value) : fallback;
}

json_t *json_parse(const char *bytes, size_t len, const char *what, struct err *e)
{
    json_error_t problem;
    json_t *value = json_loadb(bytes, len, JSON_ALLOW_NUL, &problem);
    if (!value)
        err_set(e, ERR_PROTOCOL, "%s: not JSON: %s at line %d, column %d", what, problem.text,
                problem.line, problem.column);
    return value;
}

char *json_line(const json_t *value)
{
    char *line = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    return line ? line : mem_strdup("null");
}

/* The length of the UTF-8 sequence that starts at `at`, or 0 if there is none. */
static size_t utf8_sequence(const unsigned char *at, size_t left)
{
    size_t len = at[0] < 0x80                    ? 1
                 : at[0] >= 0xC2 && at[0] < 0xE0 ? 2
                 : at[0] >= 0xE0 && at[0] < 0xF0 ? 3
                 : at[0] >= 0xF0 && at[0] < 0xF5 ? 4
                                                 : 0;
    if (len == 0 || len > left)
        return 0;
    /* Overlong forms, surrogates, and what lies past U+10FFFF: the second byte tells. */
    if ((at[0] == 0xE0 && at[1] < 0xA0) || (at[0] == 0xED && at[1] >= 0xA0) ||
        (at[0] == 0xF0 && at[1] < 0x90) || (at[0] == 0xF4 && at[1] >= 0x90))
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((at[i] & 0xC0) != 0x80)
            return 0;
    return len;
}

json_t *json_lossy_string(const char *bytes, size_t len)
{
    json_t *value = json_stringn(bytes, len);
    if (value)
        return value;
    struct buf clean;
    buf_init(&clean, len * 3 + 1);
    for (size_t i = 0; i < len;) {
        size_t sequence = utf8_sequence((const unsigned char *)bytes + i, len - i);
        if (sequence)
            buf_add(&clean, bytes + i, sequence);
        else
            buf_puts(&clean, "\xEF\xBF\xBD");
        i += sequence ? sequence : 1;
    }
    value = json_stringn(buf_text(&clean), clean.len);
    buf_free(&clean);
    return value;
}

void json_set_text(json_t *object, const char *key, const char *text)
{
    json_object_set_new(object, key, text ? json_lossy_string(text, strlen(text)) : json_null());
}

void json_set_int(json_t *object, const char *key, int64_t value)
{
    json_object_set_new(object, key, json_integer(value));
}

void json_set_bool(json_t *object, const char *key, bool value)
{
    json_object_set_new(object, key, json_boolean(value));
}

json_t *json_from_err(const struct err *e)
{
    json_t *object = json_object();
    json_set_text(object, "code", err_code_name(e->code));
    json_set_text(object, "message", e->text);
    json_set_text(object, "hint", e->hint[0] ? e->hint : NULL);
    return object;
}

void json_to_err(const json_t *object, struct err *e)
{
    err_set(e, err_code_parse(json_text_at(object, "code", NULL)), "%s",
            json_text_at(object, "message", "unknown error"));
    err_hint(e, "%s", json_text_at(object, "hint", ""));
}
