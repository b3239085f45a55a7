/* Reading JSON that somebody else wrote, without a chain of NULL checks.
 *
 * A path names nested object keys with '/' between them ("State/Health/Status"). What is missing
 * or of another type gives the fallback. Keys that hold a '/' themselves are read with jansson
 * directly. May use: jansson.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/err.h"

#include <jansson.h>
#include <stdint.h>

/* Borrowed from `root`, valid as long as it is; NULL when missing. */
json_t *json_at(const json_t *root, const char *path);
const char *json_text_at(const json_t *root, const char *path, const char *fallback);
int64_t json_int_at(const json_t *root, const char *path, int64_t fallback);
double json_number_at(const json_t *root, const char *path, double fallback);
bool json_bool_at(const json_t *root, const char *path, bool fallback);

/* Parses bytes that came from outside. The caller owns the result; NULL with `e` set to
 * ERR_PROTOCOL ("<what>: not JSON: … at line l, column c"). */
json_t *json_parse(const char *bytes, size_t len, const char *what, struct err *e);

/* One line, keys in the order they were set; the caller frees it. */
char *json_line(const json_t *value);

/* object[key] = text, or null when text is NULL. Invalid UTF-8 is replaced, never dropped. */
void json_set_text(json_t *object, const char *key, const char *text);
void json_set_int(json_t *object, const char *key, int64_t value);
void json_set_bool(json_t *object, const char *key, bool value);

/* A JSON string of bytes that may not be UTF-8 (a log line): bad bytes become U+FFFD. */
json_t *json_lossy_string(const char *bytes, size_t len);

/* {"code": …, "message": …, "hint": …}; the caller owns it. */
json_t *json_from_err(const struct err *e);
void json_to_err(const json_t *object, struct err *e);

static inline void json_cleanup_decref(json_t **value)
{
    json_decref(*value);
}

#define CLEANUP_JSON __attribute__((cleanup(json_cleanup_decref)))

#endif
