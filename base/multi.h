/* curl's multi interface on the loop: which sockets to watch, when to wake, who is done.
 *
 * Knows transfers (easy handles) and nothing of what they carry: the Engine's API, a check, a
 * notification. A transfer's owner sets it up (CURLOPT_PRIVATE says whose it is, CURLOPT_TIMEOUT_MS
 * is its deadline), adds it, and removes it when it is done or given up.
 *
 * May use: libcurl, loop.h.
 */
#ifndef BASE_MULTI_H
#define BASE_MULTI_H

#include "base/loop.h"

#include <curl/curl.h>

struct multi;

/* The transfer has ended and is still added: `done` removes it. It comes from a loop callback,
 * never from inside one of curl's own, so it may add and remove transfers; it must not call foreign
 * code, which could free the multi in the middle of the draining. */
typedef void (*multi_done_fn)(CURL *easy, CURLcode result);

struct multi *multi_new(struct loop *loop, multi_done_fn done);
struct multi *multi_free(struct multi *multi); /* no transfer is left */

/* Neither may be called from inside a callback of curl: curl refuses that and does nothing. */
void multi_add(struct multi *multi, CURL *easy);
void multi_remove(struct multi *multi, CURL *easy);

#endif
