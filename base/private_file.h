/* A file for readers that insist on a private mode: libpq ignores a passfile that its group may
 * read, and that is how systemd (254 and later) hands credentials over – what looks like a right of
 * the group is the mask of the one ACL that lets the service in
 * (https://github.com/systemd/systemd/issues/29096).
 *
 * Such a credential is copied into memory, and read by the path of the copy. Every other file is
 * left to its reader's judgement.
 *
 * May use: libc, credential.h.
 */
#ifndef BASE_PRIVATE_FILE_H
#define BASE_PRIVATE_FILE_H

struct private_file;

/* Blocks for a small file; what cannot be read is left to the reader to complain of. `path` NULL
 * gives NULL. */
struct private_file *private_file_new(const char *path);
struct private_file *private_file_free(struct private_file *file); /* accepts NULL; returns NULL */

/* Where to read it, as long as it lives. Of NULL: NULL. */
const char *private_file_path(const struct private_file *file);

/* In place of *slot the one for `path`; it stays when it is for that path already. */
void private_file_replace(struct private_file **slot, const char *path);

#endif
