/* The observation board: the latest values of everything that is watched, with a short history.
 *
 * Watchers set, conditions read. Each series keeps its last SERIES_HISTORY samples; a board keeps
 * at most BOARD_SERIES_MAX series. Times are monotonic milliseconds; a sample that is older than
 * the newest of its series is dropped, one of the same millisecond replaces it.
 *
 * May use: base. Pure: it is told the time.
 */
#ifndef POLICIES_BOARD_H
#define POLICIES_BOARD_H

#include "base/err.h"
#include "base/json.h"
#include "policies/observation.h"

enum { SERIES_HISTORY = 64, BOARD_SERIES_MAX = 16384 };

struct board;
struct series;

struct sample {
    int64_t at_ms;
    double number; /* in the unit of its kind; of a word 0 */
    char *word;    /* of a UNIT_WORD, else NULL; owned by the board */
};

struct board *board_new(void);
struct board *board_free(struct board *board); /* accepts NULL; returns NULL */

/* Each gives 0, or ERR_INVALID for a name that is not known, lacks its parameter or has another
 * unit, and for a number that is none; ERR_EXHAUSTED for one series too many. */
int board_set_number(struct board *board, const char *name, int64_t now_ms, double number,
                     struct err *e);
int board_set_word(struct board *board, const char *name, int64_t now_ms, const char *word,
                   struct err *e);

/* The value is unknown from now on, its history gone: a container that is no more, a stream of
 * events that was lost. A family's name forgets all of it. */
void board_forget(struct board *board, const char *name);

/* --- reading ---------------------------------------------------------------------------------- */

/* NULL when nothing was ever set. Borrowed until the board is changed. */
const struct series *board_find(const struct board *board, const struct observation_kind *kind,
                                const char *parameter);

/* The series of a kind, ordered by parameter: *ret_first and how many follow it. */
size_t board_family(const struct board *board, const struct observation_kind *kind,
                    const struct series *const **ret_first);

size_t board_count(const struct board *board);
const struct series *board_at(const struct board *board, size_t index);

const struct observation_kind *series_kind(const struct series *series);
const char *series_parameter(const struct series *series); /* "" when the kind has none */

/* The sample `age` places before the newest (0), or NULL. */
const struct sample *series_sample(const struct series *series, size_t age);

/* The newest sample if it may be relied upon: not older than its time to live, and, when it is
 * sampled, not older than not_before_ms (what was measured before an action says nothing about
 * it). Else NULL, which is "unknown". */
const struct sample *series_fresh(const struct series *series, int64_t now_ms,
                                  int64_t not_before_ms);

/* When series_fresh would turn unknown by time alone; NEVER for a standing one. */
int64_t series_stale_at_ms(const struct series *series);

/* --- keeping ---------------------------------------------------------------------------------- */

/* [{"name","value","text","at","fresh"}]: the newest of each, for people. The caller owns it. */
json_t *board_json(const struct board *board, int64_t now_ms);

/* The whole board with its history, and back; restore adds to an empty board, moving every time by
 * shift_ms (life_shift_ms), and passes over names that this version does not know. */
json_t *board_save(const struct board *board);
void board_restore(struct board *board, const json_t *saved, int64_t shift_ms);

#endif
