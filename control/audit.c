/* See audit.h. */
#include "control/audit.h"

#include "base/log.h"
#include "base/mem.h"

#include <string.h>

struct audit {
    char *what;
};

struct audit *control__audit_new(const char *requester, const char *method, const char *path)
{
    if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0)
        return NULL;
    struct audit *audit = mem_new(sizeof *audit);
    audit->what = mem_printf("%s: %.16s %.128s", requester, method, path);
    return audit;
}

struct audit *control__audit_end(struct audit *audit, int status, const struct err *e)
{
    if (!audit)
        return NULL;
    if (e)
        log_info("audit: %s: %d %s", audit->what, status, e->text);
    else
        log_info("audit: %s: %d", audit->what, status);
    free(audit->what);
    free(audit);
    return NULL;
}
