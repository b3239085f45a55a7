/* A trace: what the engine was fed, one JSON object a line, for `simulate` and for tests.
 *
 *     {"at":0,"trace":1,"local":1764547200000}       the first line: local is at's civil time
 *     {"at":1000,"observe":"connections.utilization","value":0.71}
 *     {"at":1000,"observe":"database.state","value":"ready"}
 *     {"at":1500,"forget":"service.health"}
 *     {"at":9000,"run":"done"}                       the engine's run ended: done, failed, aborted,
 *                                                  not begun
 *     {"at":9000,"foreign":true,"disruptive":true}   a run by hand began (false: ended)
 *     {"at":9500,"pause":1800000,"reason":"deploy"}  for that long; null: until resumed
 *     {"at":9900,"resume":true}
 *     {"at":9950,"approve":true}                     the first open question (false: denied)
 *     {"at":9960,"alert":"PostgresDown","firing":true}
 *     {"at":9970,"restart":2000}                     the daemon was away for so long
 *     {"at":9999,"step":true}                        nothing but time
 *
 * `at` is monotonic milliseconds and never falls, but at a `trace` line: that is another boot of
 * the host, and `local` tells how long it took. Lines that are empty or begin with # are passed
 * over.
 *
 * May use: base. Pure: text in, text out.
 */
#ifndef POLICIES_TRACE_H
#define POLICIES_TRACE_H

#include "base/buf.h"
#include "base/err.h"
#include "policies/decide.h"

enum trace_kind {
    TRACE_START,
    TRACE_OBSERVE,
    TRACE_FORGET,
    TRACE_RUN,
    TRACE_FOREIGN,
    TRACE_PAUSE,
    TRACE_RESUME,
    TRACE_APPROVE,
    TRACE_ALERT,
    TRACE_RESTART,
    TRACE_STEP,
    TRACE_KINDS
};

struct trace_event {
    int64_t at_ms;
    enum trace_kind kind;
    const char *name;         /* of an observation or an alert; why it is paused. Borrowed. */
    const char *word;         /* of an observation that is a word, else NULL. Borrowed. */
    double number;            /* of one that is not */
    bool yes;                 /* foreign begins, approve, alert fires */
    bool disruptive;          /* of a foreign run */
    enum run_outcome outcome; /* of a run */
    int64_t span_ms;          /* pause (NEVER: until resumed), restart; TRACE_START: local */
};

/* Appends the event as one line. */
void trace_print(const struct trace_event *event, struct buf *out);

/* Reads one line. Its texts are borrowed from *ret_line, which the caller frees with json_decref
 * after its last use of the event. 1: read; 0: nothing on it; negative: ERR_PROTOCOL. */
int trace_parse(const char *line, size_t len, struct trace_event *ret, json_t **ret_line,
                struct err *e);

#endif
