/* See log.h. */
#include "base/log.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/nowait.h"

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

/* --- writing ----------------------------------------------------------------------------------
 *
 * Whoever reads stderr may stop reading, and that must not stop a recovery. So no write waits: what
 * is not taken is counted. A line that was taken in part is finished before anything else. */

static struct {
    char *line; /* begun and not finished; or NULL */
    size_t done;
    size_t lost;
} log_owed;

/* False when it has to be tried again: also on a full disk, whose next line is not to begin in the
 * middle of this one. */
static bool finish_line(void)
{
    size_t left = log_owed.line ? strlen(log_owed.line + log_owed.done) : 0;
    if (left == 0)
        return true;
    ssize_t taken = nowait_write(STDERR_FILENO, log_owed.line + log_owed.done, left);
    log_owed.done += taken > 0 ? (size_t)taken : 0;
    if (log_owed.line[log_owed.done])
        return false;
    free(log_owed.line);
    log_owed.line = NULL;
    return true;
}

/* Takes the line over. False when nothing of it went out. */
static bool begin_line(char *line)
{
    ssize_t taken = nowait_write(STDERR_FILENO, line, strlen(line));
    if (taken > 0 && line[taken]) {
        log_owed.line = line;
        log_owed.done = (size_t)taken;
        return true;
    }
    free(line);
    return taken > 0;
}

/* One write a line, so that lines of several processes do not mix. */
static char *whole_line(enum log_level level, const char *text)
{
    if (getenv("JOURNAL_STREAM"))
        return mem_printf("<%d>%s\n", log_levels[level].priority, text);
    char stamp[CLOCK_STAMP_MAX];
    return mem_printf("%s %-7s %s\n", clock_stamp(clock_wall_ms(), stamp), log_levels[level].name,
                      text);
}

bool log_catch_up(void)
{
    if (!finish_line())
        return false;
    if (log_owed.lost == 0)
        return true;
    CLEANUP_FREE char *text =
        mem_printf("lines of the log lost, as nobody took them: %zu", log_owed.lost);
    if (!begin_line(whole_line(LOG_LEVEL_WARNING, text)))
        return false;
    log_owed.lost = 0;
    return !log_owed.line;
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
    if (!log_catch_up() || !begin_line(whole_line(level, text)))
        log_owed.lost++;
}

void log_err(enum log_level level, const char *what, const struct err *e)
{
    log_line(level, "%s: %s%s%s", what, e->text, e->hint[0] ? "; " : "", e->hint);
}

void log_text(enum log_level level, const char *text)
{
    while (*text) {
        size_t len = strcspn(text, "\n");
        log_line(level, "%.*s", (int)len, text);
        text += len + (text[len] == '\n');
    }
}
