/* A loopback TCP port as a way in: for alerts, and for the status page.
 *
 * A port has no owner and no mode, so who may pass is decided by what is sent: a Host that names
 * this machine (a browser that was led to 127.0.0.1 under another name is turned away), and for
 * alerts a bearer token that is read from a file.
 *
 * Private to control/; knows no HTTP library. May use: base, the kernel.
 */
#ifndef CONTROL_DOOR_H
#define CONTROL_DOOR_H

#include "base/err.h"

#include <stdbool.h>

/* Listens on "127.0.0.1:PORT", "[::1]:PORT" or "localhost:PORT"; *ret_fd is the caller's,
 * non-blocking. ERR_INVALID for an address that is not the loopback's. `section` of the
 * configuration has the key `listen`. */
int control__door_listen(const char *section, const char *address, int *ret_fd, struct err *e);

/* The token in a file: its first line, 16 to 4096 characters. The caller frees it, and should
 * overwrite it first. ERR_PERMISSION for a file that everybody may read. Blocks: while starting. */
int control__door_token(const char *path, char **ret, struct err *e);

/* 0, or the HTTP status of a refusal: 403 for a foreign Host, 401 without the token. The headers
 * may be NULL. */
int control__door_host(const char *host, struct err *e);
int control__door_bearer(const char *authorization, const char *token, struct err *e);

#endif
