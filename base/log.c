/* See log.h. */
#include "base/log.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

static enum log_level log_threshold = LOG_LEVEL_INFO;

static const struct {
    const char *name;
    int priority; /* syslog's */
} log_levels[] = {
    [LOG_LEVEL_ERROR] = {"error", 3},
    [LOG_LEVEL_WARNING] = {"warning", 4},
    [LOG_LEVEL_INFO] = {"info", 6},
    [LOG_LEVEL_DEBUG] = {"debug", 7},
};

void log_set_level(enum log_level level)
{
    log_threshold = level;
}

bool log_parse_level(const char *name, enum log_level *ret_level)
{
    for (size_t i = 0; i < ARRAY_SIZE(log_levels); i++) {
        if (strcmp(name, log_levels[i].name) == 0) {
            *ret_level = (enum log_level)i;
            return true;
        }
    }
    return false;
}

void log_line(enum log_level level, const char *format, ...)
{
    if (level > log_threshold)
        return;
    va_list args;
    va_start(args, format);
    CLEANUP_FREE char *text = mem_vprintf(format, args);
    va_end(args);
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < ' ')
            *c = '?';
    /* One write a line, so that lines of several processes do not mix. */
    CLEANUP_FREE char *line = NULL;
    if (getenv("JOURNAL_STREAM")) {
        line = mem_printf("<%d>%s\n", log_levels[level].priority, text);
    } else {
        char stamp[CLOCK_STAMP_MAX];
        line = mem_printf("%s %-7s %s\n", clock_stamp(clock_wall_ms(), stamp),
                          log_levels[level].name, text);
    }
    ssize_t ignored = write(STDERR_FILENO, line, strlen(line));
    (void)ignored; /* a full stderr must not stop a recovery */
}

void log_err(enum log_level level, const char *what, const struct err *e)
{
    log_line(level, "%s: %s%s%s", what, e->text, e->hint[0] ? "; " : "", e->hint);
}
