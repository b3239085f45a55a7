/* Observations: the names that watchers report under and that conditions ask for.
 *
 * One table holds every name with its unit, how long a value lasts and what it means; the manual,
 * the "did you mean" and the checks of types all come from it. A name may have a parameter:
 * `service(backend).health`; without it, `service.health` is the whole family, for any and all.
 *
 * A **sampled** value is measured again and again; it is unknown once it is older than its time to
 * live. A **standing** value (an event's: health, running) holds until it is replaced or
 * forgotten, so a watcher that loses its stream of events must forget what it said.
 *
 * May use: base. Pure.
 */
#ifndef POLICIES_OBSERVATION_H
#define POLICIES_OBSERVATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum observation_unit {
    UNIT_COUNT,      /* a number of things */
    UNIT_SHARE,      /* 0 … 1, written 60% */
    UNIT_DURATION,   /* milliseconds, written 15s */
    UNIT_PER_MINUTE, /* written 10/min */
    UNIT_WORD,       /* one of a few words, or a name */
    UNIT_YES_NO,     /* 1 or 0, written true or false */
    UNITS
};

enum { OBSERVATION_WORDS_MAX = 13, OBSERVATION_NAME_MAX = 320, OBSERVATION_TEXT_MAX = 320 };

struct observation_kind {
    const char *name;      /* "service.health": family and field, without the parameter */
    const char *parameter; /* what stands in the parentheses ("service"), or NULL */
    enum observation_unit unit;
    int64_t ttl_ms; /* 0: standing */
    const char *doc;
    const char *words[OBSERVATION_WORDS_MAX]; /* of a UNIT_WORD, NULL-terminated; none: any word */
};

/* The kinds in the order of the table; NULL past the last. They live as long as the program. */
const struct observation_kind *observation_kind_at(size_t index);

/* The kind of a written name of `len` bytes; *ret_parameter and *ret_parameter_len are the part in
 * parentheses within it (NULL and 0 when there are none). NULL for what is no known name, also for
 * one that has a parameter and should not. */
const struct observation_kind *observation_find(const char *name, size_t len,
                                                const char **ret_parameter,
                                                size_t *ret_parameter_len);

/* The known name nearest to what was typed, with its parameter as people write it
 * ("service(…).health"), or NULL. `out` holds OBSERVATION_NAME_MAX bytes. */
const char *observation_suggest(const char *typed, size_t len,
                                char out[static OBSERVATION_NAME_MAX]);

/* The full name with a parameter (NULL: the family's form); returns out. */
const char *observation_name(const struct observation_kind *kind, const char *parameter,
                             char out[static OBSERVATION_NAME_MAX]);

/* A value as people read it: "71%", "4.2s", "12/min", "ready", "true"; returns out. */
const char *observation_text(const struct observation_kind *kind, double number, const char *word,
                             char out[static OBSERVATION_TEXT_MAX]);

/* How a literal of that unit is written, for errors: "a share such as 60%". */
const char *observation_unit_wish(enum observation_unit unit);

#endif
