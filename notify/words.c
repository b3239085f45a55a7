/* See words.h. */
#include "notify/words.h"

#include <stddef.h>
#include <string.h>

const char *const notify__kind_names[] = {
    [NOTIFY__TRIGGERED] = "triggered",
    [NOTIFY__ACTED] = "acted",
    [NOTIFY__ASK] = "ask",
    [NOTIFY__HANDED_OVER] = "handed-over",
    [NOTIFY__HEALED] = "healed",
    [NOTIFY__TEST] = "test",
    [NOTIFY__KINDS] = NULL,
};

const char *const notify__severity_names[] = {
    [NOTIFY__INFO] = "info",
    [NOTIFY__WARNING] = "warning",
    [NOTIFY__CRITICAL] = "critical",
    [NOTIFY__SEVERITIES] = NULL,
};

static bool find(const char *const *names, const char *name, int *ret)
{
    for (int i = 0; name && names[i]; i++) {
        if (strcmp(names[i], name) == 0) {
            *ret = i;
            return true;
        }
    }
    return false;
}

bool notify__kind_parse(const char *name, enum notify__kind *ret)
{
    int index;
    if (!find(notify__kind_names, name, &index))
        return false;
    *ret = (enum notify__kind)index;
    return true;
}

bool notify__severity_parse(const char *name, enum notify__severity *ret)
{
    int index;
    if (!find(notify__severity_names, name, &index))
        return false;
    *ret = (enum notify__severity)index;
    return true;
}
