/* Metrics as text: the format that Prometheus reads, version 0.0.4.
 *
 * Source: https://prometheus.io/docs/instrumenting/exposition_formats/#text-format-details. A
 * family is begun once, with its help and type; its samples follow it at once. A family without a
 * sample is left out. The caller keeps to the naming rules: base units, `_total` for counters.
 *
 * May use: base. Pure.
 */
#ifndef SUPERVISOR_EXPOSITION_H
#define SUPERVISOR_EXPOSITION_H

#include "base/buf.h"

#include <stdbool.h>

enum metric_type { METRIC_GAUGE, METRIC_COUNTER };

struct exposition {
    struct buf text;
    const char *name; /* of the present family; borrowed */
    const char *help;
    enum metric_type type;
    bool begun; /* it has had a sample */
};

/* Texts longer than this are cut at a family's end: nobody is served half a line. */
void exposition_init(struct exposition *out);
void exposition_family(struct exposition *out, const char *name, enum metric_type type,
                       const char *help);

/* A pair of a label and its value; the value is anybody's text. */
struct metric_label {
    const char *name; /* NULL ends a list */
    const char *value;
};

/* `labels` may be NULL: none. */
void exposition_sample(struct exposition *out, const struct metric_label *labels, double value);

/* A family of one sample without labels. */
void exposition_single(struct exposition *out, const char *name, enum metric_type type,
                       const char *help, double value);

/* The text, which the caller frees. */
char *exposition_take(struct exposition *out);

#endif
