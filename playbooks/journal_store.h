/* The journal's file: blocking SQLite, called from the journal's worker only. Private to
 * playbooks/.
 */
#ifndef PLAYBOOKS_JOURNAL_STORE_H
#define PLAYBOOKS_JOURNAL_STORE_H

#include "base/err.h"
#include "base/json.h"

#include <stdbool.h>

struct store;

/* Waits a second for somebody who reads it. ERR_PERMISSION, ERR_PROTOCOL (it is no journal) or
 * ERR_UNSUPPORTED (a newer program's) with the path and SQLite's words; with ERR_FAILED another try
 * may do. */
int store_open(const char *path, struct store **ret, struct err *e);
bool store_may_open(const struct err *e);       /* after such an error */
struct store *store_close(struct store *store); /* accepts NULL; returns NULL */

/* Whether the last call failed for want of room, and more has been found: it may be tried again.
 * `to_an_end`: it was the end of a run, for which the last of it is kept. */
bool store_finds_room(struct store *store, bool to_an_end);

/* A write that failed with one of these may come through another time; with ERR_PROTOCOL the file
 * is not what it should be. */
int store_begin(struct store *store, int64_t run, const char *summary, const char *plan,
                struct err *e);
int store_add(struct store *store, int64_t run, const char *entry, struct err *e);
/* The last entry and the mark of the end, together or not at all. ERR_NOT_FOUND: no such run. */
int store_end(struct store *store, int64_t run, const char *entry, const char *summary,
              struct err *e);

/* Deletes all but the newest `keep` runs, and fills the reserve up again. */
int store_prune(struct store *store, int keep, struct err *e);

int store_last_id(struct store *store, int64_t *ret, struct err *e);

/* The caller owns *ret. */
int store_list(struct store *store, int limit, json_t **ret, struct err *e);
int store_read(struct store *store, int64_t run, json_t **ret, struct err *e);
int store_unfinished(struct store *store, int64_t *ret_run, struct err *e); /* 0: none */

/* Values by name; value NULL deletes. *ret: an object, the caller's. */
int store_keep(struct store *store, const char *key, const char *value, struct err *e);
int store_recall(struct store *store, const char *prefix, json_t **ret, struct err *e);

#endif
