/* Error codes as HTTP statuses. See control.h. */
#include "base/mem.h"
#include "control/control.h"

static const int statuses[] = {
    [ERR_NONE] = 200,        [ERR_INVALID] = 400,   [ERR_NOT_FOUND] = 404, [ERR_PERMISSION] = 403,
    [ERR_UNREACHABLE] = 502, /* the engine or the database: we are here */
    [ERR_TIMEOUT] = 504,     [ERR_CANCELLED] = 503, [ERR_PROTOCOL] = 502,  [ERR_CONFLICT] = 409,
    [ERR_REFUSED] = 409,     [ERR_EXHAUSTED] = 503, [ERR_FAILED] = 500,    [ERR_UNSUPPORTED] = 501,
};
_Static_assert(ARRAY_SIZE(statuses) == ERR_CODES, "a status for every code");

int control_status_of(enum err_code code)
{
    return (unsigned)code < ERR_CODES ? statuses[code] : statuses[ERR_FAILED];
}
