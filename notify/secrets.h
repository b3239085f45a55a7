/* What is secret about a receiver: read from its files before each delivery, wiped after it, and
 * taken out of every text that a peer or a library gives us.
 *
 * May use: base.
 */
#ifndef NOTIFY_SECRETS_H
#define NOTIFY_SECRETS_H

#include "base/err.h"
#include "base/files.h"
#include "notify/receiver.h"

struct notify__secrets {
    char *url;      /* of a webhook, from its file or from the configuration */
    char *token;    /* or NULL */
    char *headers;  /* lines, or NULL */
    char *password; /* or NULL */
};

/* The files to be read for a receiver, an array for files_read; NULL with *ret_count 0: none. */
char **notify__secrets_paths(const struct notify__receiver *receiver, size_t *ret_count);

/* Takes what was read, in the same order. Negative when a file could not be read or does not hold
 * what it should; `secrets` is then only good for being cleared. */
int notify__secrets_take(struct notify__secrets *secrets, const struct notify__receiver *receiver,
                         const struct file *files, size_t count, struct err *e);

void notify__secrets_clear(struct notify__secrets *secrets);

/* Replaces every secret in the text by "***"; the caller frees the result. Of an address that is
 * its userinfo, its query and every longer part of its path. */
char *notify__secrets_hide(const struct notify__secrets *secrets, const char *text);

#endif
