/* A fake Engine on a Unix socket, in the loop of the test: for what the real one does not do on
 * demand. It knows HTTP as far as requests go (a head, a body of Content-Length bytes) and answers
 * from a script, byte for byte.
 *
 * `route` is the beginning of "METHOD /path", as it was sent. Of several that fit the one that was
 * added last counts. The replies of a route are given in turn; the last one repeats. What has no
 * route goes to fake_engine_otherwise's function, and what that does not know is answered with the
 * Engine's own 404, but for GET /_ping, which answers.
 */
#ifndef FAKE_ENGINE_H
#define FAKE_ENGINE_H

#include "base/loop.h"

#include <stddef.h>

struct fake_engine;

enum fake_end {
    FAKE_KEEP,  /* the next request may come on this connection */
    FAKE_CLOSE, /* closed behind the last byte */
    FAKE_HOLD,  /* nothing more until fake_engine_push or fake_engine_cut */
};

struct fake_engine *fake_engine_new(struct loop *loop);
struct fake_engine *fake_engine_free(struct fake_engine *engine);

const char *fake_engine_host(const struct fake_engine *engine); /* "unix:///tmp/…" */
void fake_engine_set_api(struct fake_engine *engine,
                         const char *version); /* of the ping's answer */
void fake_engine_set_server(struct fake_engine *engine, const char *server);

/* Adds a reply to a route: raw bytes, or an answer with a JSON body, or chunked. */
void fake_engine_raw(struct fake_engine *engine, const char *route, const char *bytes, size_t len,
                     enum fake_end end);
void fake_engine_text(struct fake_engine *engine, const char *route, const char *text,
                      enum fake_end end);
void fake_engine_json(struct fake_engine *engine, const char *route, int status, const char *body);

/* A reply that is made when the request is there: the bytes are the fake's to free. */
typedef char *(*fake_answer_fn)(void *data, const char *request, size_t *ret_len,
                                enum fake_end *ret_end);
void fake_engine_answer(struct fake_engine *engine, const char *route, fake_answer_fn fn,
                        void *data);

/* The reply added last comes after a pause. */
void fake_engine_delay(struct fake_engine *engine, int delay_ms);

/* Further bytes to, or the end of, every connection that is held by a reply of this route. */
void fake_engine_push(struct fake_engine *engine, const char *route, const char *bytes, size_t len);
void fake_engine_push_chunk(struct fake_engine *engine, const char *route, const char *bytes,
                            size_t len); /* as a chunk of a chunked body */
void fake_engine_end_chunks(struct fake_engine *engine, const char *route); /* the last one */
void fake_engine_cut(struct fake_engine *engine, const char *route);

/* Whoever answers what no route fits: gives the whole answer, which is freed, or NULL. */
typedef char *(*fake_otherwise_fn)(void *data, const char *request);
void fake_engine_otherwise(struct fake_engine *engine, fake_otherwise_fn fn, void *data);

/* Refuses connections, as an engine that is down, until it is called with true. */
void fake_engine_listen(struct fake_engine *engine, bool on);

/* What was asked: how often, on how many connections, and the whole text of the last time. */
size_t fake_engine_count(const struct fake_engine *engine, const char *route);
const char *fake_engine_last(const struct fake_engine *engine, const char *route);
size_t fake_engine_connections(const struct fake_engine *engine); /* accepted since the start */

/* A whole answer with a JSON body; the caller frees it. */
char *fake_json(int status, const char *body);

/* A chunk of a chunked body, and the head that goes before it; for fake_engine_push. The caller
 * frees it. */
char *fake_chunk(const char *text);
#define FAKE_CHUNKED_HEAD                                                                          \
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"

#endif
