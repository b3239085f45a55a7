/* The trace on disk: what the engine was fed, for `supervisorctl simulate` (policies/trace.h has
 * the form).
 *
 * Written on libuv's pool, a piece at a time, and never waited for. A file that is there, and one
 * that has grown to TRACE_FILE_MAX, becomes PATH.1 in place of an older one, so that each file
 * begins with a head of its own and at most twice that is ever on disk. A disk that refuses loses
 * lines of the trace and nothing else.
 *
 * May use: base, policies/trace.h.
 */
#ifndef SUPERVISOR_TRACE_FILE_H
#define SUPERVISOR_TRACE_FILE_H

#include "base/loop.h"
#include "policies/trace.h"

enum { TRACE_FILE_MAX = 8 << 20 };

struct trace_file;

/* head(data, out) appends what a file begins with: its first line, and the world as it is then. It
 * is called from inside trace_file_new and trace_file_add. */
struct trace_file *trace_file_new(struct loop *loop, const char *path,
                                  void (*head)(void *data, struct buf *out), void *data);

/* Writes what waits, blocking, and frees: when the loop does not run any more. Accepts NULL;
 * returns NULL. */
struct trace_file *trace_file_free(struct trace_file *trace);

void trace_file_add(struct trace_file *trace, const struct trace_event *event); /* accepts NULL */

#endif
