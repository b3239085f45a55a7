/* See credential.h. */
#include "base/credential.h"

#include "base/mem.h"

#include <string.h>

/* What stands behind the prefix, or NULL. */
static const char *name_in(const char *text)
{
    size_t len = strlen(CREDENTIAL_PREFIX);
    return strncmp(text, CREDENTIAL_PREFIX, len) == 0 ? text + len : NULL;
}

bool credential_is_path(const char *text)
{
    const char *name = name_in(text);
    return !name || (*name && *name != '.' && !strchr(name, '/'));
}

static const char *directory(void)
{
    const char *given = getenv("CREDENTIALS_DIRECTORY");
    return given && *given ? given : CREDENTIAL_DEFAULT;
}

char *credential_path(const char *text)
{
    const char *name = name_in(text);
    return name ? mem_printf("%s/%s", directory(), name) : mem_strdup(text);
}

bool credential_is_one(const char *path)
{
    size_t len = strlen(directory());
    return strncmp(path, directory(), len) == 0 && path[len] == '/' && !strchr(path + len + 1, '/');
}
