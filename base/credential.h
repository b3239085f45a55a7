/* Credentials: files that the service manager hands to this service alone, named in place of a
 * path: "credential:NAME" is the file NAME in $CREDENTIALS_DIRECTORY.
 *
 * Source: systemd.exec(5), LoadCredential=. Outside the service (`supervisorctl check`, a command
 * of root's) the variable is not set, and the place where systemd keeps those of the unit is meant.
 *
 * May use: libc.
 */
#ifndef BASE_CREDENTIAL_H
#define BASE_CREDENTIAL_H

#include <stdbool.h>

#define CREDENTIAL_PREFIX  "credential:"
#define CREDENTIAL_DEFAULT "/run/credentials/stack-supervisor.service"

/* A name is what can be a file's name there: not empty, no slash, no leading dot. False for a text
 * that begins as a credential and is none; any other text is a path. */
bool credential_is_path(const char *text);

/* The path that the text means; the caller frees it. */
char *credential_path(const char *text);

/* Whether such a path is a credential's. */
bool credential_is_one(const char *path);

#endif
