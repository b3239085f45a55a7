/* A command that is run for a notification: a list of arguments, never a shell.
 *
 * It is a process group of its own. Nothing else is ever sent a signal.
 *
 * May use: base, libuv.
 */
#ifndef NOTIFY_HOOK_H
#define NOTIFY_HOOK_H

struct notify__hook;

enum { NOTIFY__HOOK_GRACE_MS = 2000 }; /* from SIGTERM to SIGKILL */

/* No result comes any more; what still runs is killed. Accepts NULL; returns NULL. */
struct notify__hook *notify__hook_abandon(struct notify__hook *hook);

#endif
