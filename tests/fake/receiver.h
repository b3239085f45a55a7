/* A fake receiver of notifications on 127.0.0.1, in the loop of the test: an HTTP server that keeps
 * what it is sent, or a mail server that keeps the dialogue and the mails.
 *
 * HTTP: each request gets the next scripted answer; without one, 200. SMTP: a verb that has a
 * scripted answer gets it once; all else is accepted. "." is the verb of a mail's end, "" that of
 * the greeting.
 */
#ifndef FAKE_RECEIVER_H
#define FAKE_RECEIVER_H

#include "base/loop.h"

#include <stddef.h>

struct fake_receiver;

struct fake_receiver *fake_receiver_http(struct loop *loop);
struct fake_receiver *fake_receiver_smtp(struct loop *loop);
struct fake_receiver *fake_receiver_free(struct fake_receiver *receiver);

int fake_receiver_port(const struct fake_receiver *receiver);

/* Refuses connections, as a server that is down, until it is called with true (the port stays). */
void fake_receiver_listen(struct fake_receiver *receiver, bool on);

/* HTTP: "503 Unavailable", "302 Found\r\nLocation: /x"; with a body that may be NULL. */
void fake_receiver_answer(struct fake_receiver *receiver, const char *status, const char *body);
/* SMTP */
void fake_receiver_says(struct fake_receiver *receiver, const char *verb, const char *answer);
/* Requests are taken and not answered, until called with false. */
void fake_receiver_hold(struct fake_receiver *receiver, bool on);

/* Whole requests with their heads, or mails as they were on the wire (dots still stuffed). */
size_t fake_receiver_count(const struct fake_receiver *receiver);
const char *fake_receiver_text(const struct fake_receiver *receiver, size_t index);
const char *fake_receiver_body(const struct fake_receiver *receiver, size_t index);
/* All that clients have sent, of every connection. */
const char *fake_receiver_dialogue(const struct fake_receiver *receiver);
size_t fake_receiver_most_at_once(const struct fake_receiver *receiver); /* connections */

#endif
