/* Errors are values: what was tried, on what, what came back, and what to do next.
 *
 * A function that can fail takes a `struct err *` owned by its caller, fills it, and returns a
 * negative number (0 is success). Every function here accepts NULL for the error. Lower folders
 * return errors and show none; playbooks/ puts them into the story of a run, and supervisor/,
 * control/ and supervisorctl/ before people.
 *
 * May use: libc.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdbool.h>

enum err_code {
    ERR_NONE = 0,
    ERR_INVALID,     /* what was asked for makes no sense (a usage or configuration error) */
    ERR_NOT_FOUND,   /* no such container, run, file … */
    ERR_PERMISSION,  /* the kernel, the Engine or PostgreSQL does not let us */
    ERR_UNREACHABLE, /* nobody answers there: refused, no such socket, connection lost */
    ERR_TIMEOUT,     /* the deadline passed first */
    ERR_CANCELLED,   /* somebody on our side gave it up */
    ERR_PROTOCOL,    /* an answer came that is not one */
    ERR_CONFLICT,    /* the thing is in a state that forbids it (409, already running …) */
    ERR_REFUSED,     /* we ourselves decline: another run, a plan that has changed … */
    ERR_EXHAUSTED,   /* no connection slot: SQLSTATE 53300 */
    ERR_FAILED,      /* tried, and it did not work */
    ERR_UNSUPPORTED, /* known, and not done by this version or that engine */
    ERR_CODES
};

#define ERR_TEXT_MAX 1024
#define ERR_HINT_MAX 384

struct err {
    enum err_code code;
    char text[ERR_TEXT_MAX]; /* what was tried, on what, what came back */
    char hint[ERR_HINT_MAX]; /* what to do next; empty when there is nothing to say */
};

/* Each sets *e and returns -(int)code, so that it can stand in a return statement. */
int err_set(struct err *e, enum err_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Adds the next step to an error that is set. */
void err_hint(struct err *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts context in front of an error on its way up: "start backend: " + text. Returns -(int)code. */
int err_wrap(struct err *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What the analyzer of clang-tidy, which looks at one file at a time, cannot know of them. */
#ifdef __clang_analyzer__
#define err_set(...)  ((void)err_set(__VA_ARGS__), -(int)ERR_FAILED)
#define err_wrap(...) ((void)err_wrap(__VA_ARGS__), -(int)ERR_FAILED)
#endif

void err_clear(struct err *e);
void err_copy(struct err *to, const struct err *from); /* from NULL clears */
bool err_is_set(const struct err *e);

/* The stable word for a code, as used in JSON: "not-found", "timeout" … */
const char *err_code_name(enum err_code code);

/* The code for such a word; ERR_FAILED for one that is not known. */
enum err_code err_code_parse(const char *name);

#endif
