/* curl's multi interface on the loop: which sockets to watch, when to wake, who is done.
 *
 * Knows transfers (easy handles) and nothing of HTTP or Docker. `done` is called from a loop
 * callback, never from inside one of curl's own, so it may add and remove transfers; it must not
 * call foreign code, which could free the multi in the middle of the draining.
 *
 * May use: base, libcurl. Used by: http.c.
 */
#ifndef DOCKER_MULTI_H
#define DOCKER_MULTI_H

#include "base/loop.h"

#include <curl/curl.h>

struct docker__multi;

/* The transfer has ended and is still added: `done` removes it. */
typedef void (*docker__multi_done_fn)(CURL *easy, CURLcode result);

struct docker__multi *docker__multi_new(struct loop *loop, docker__multi_done_fn done);
struct docker__multi *docker__multi_free(struct docker__multi *multi); /* no transfer is left */

/* Neither may be called from inside a callback of curl: curl refuses that and does nothing. */
void docker__multi_add(struct docker__multi *multi, CURL *easy);
void docker__multi_remove(struct docker__multi *multi, CURL *easy);

#endif
