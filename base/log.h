/* The log: one line on stderr an event, never anything else and never a secret.
 *
 * The only global of the project. Under systemd (JOURNAL_STREAM set) a line starts with its
 * priority "<4>" and carries no time stamp, as the journal adds its own; elsewhere it starts with
 * time and level. Library folders (base/, docker/, postgres/, policies/) do not log: they return
 * errors, and who receives one decides.
 *
 * No line is waited for: stderr may be a pipe, a socket or a terminal that nobody reads. Lines that
 * were not taken are lost and counted, and the count is told as soon as there is room again. Only
 * for the loop's thread. May use: libc, base/nowait.h.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/err.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

void log_set_level(enum log_level level);
bool log_parse_level(const char *name, enum log_level *ret_level);

/* One line; control characters in it are shown as '?'. */
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The lines of a text, each as a line of its own. */
void log_text(enum log_level level, const char *text);

/* Tells what is still to be told: the rest of a line, how many were lost. Every line begins with
 * it; a daemon calls it now and then, for when it has nothing to say. False: nobody takes it yet.
 */
bool log_catch_up(void);

/* An error with its hint, as one line: "<what>: <text>; <hint>". */
void log_err(enum log_level level, const char *what, const struct err *e);

#define log_error(...)   log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
