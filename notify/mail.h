/* A mail on its way. May use: base, libcurl, libuv. */
#ifndef NOTIFY_MAIL_H
#define NOTIFY_MAIL_H

struct notify__mail;

/* No result comes any more; its thread ends within a second. Accepts NULL; returns NULL. */
struct notify__mail *notify__mail_abandon(struct notify__mail *mail);

#endif
