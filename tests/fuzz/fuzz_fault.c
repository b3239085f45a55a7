/* libpq's words about a login that failed, and codes of sessions that did. */
#include "fuzz.h"

#include "base/mem.h"
#include "postgres/fault.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP_FREE char *text = mem_strndup((const char *)data, size);
    struct db__fault fault;
    char sqlstate[DB__SQLSTATE_MAX];
    assert(db__sqlstate_find(text, sqlstate) == (strlen(sqlstate) == 5));
    db__fault_login(&fault, "127.0.0.1:5432", text);
    assert(err_is_set(&fault.e));
    db__fault_loss(&fault, "127.0.0.1:5432", sqlstate);
    db__fault_statement(&fault, "127.0.0.1:5432", sqlstate);
    db__fault_name(&fault, "db:5432", text);
    return 0;
}
