/* Alerts from outside: the body of an Alertmanager webhook, version 4.
 *
 * Foreign bytes: what is not as it should be is refused as a whole, with the place named. What the
 * alerts mean is not known here.
 * Source: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
 *
 * May use: base. Pure.
 */
#ifndef CONTROL_ALERTS_H
#define CONTROL_ALERTS_H

#include "base/err.h"
#include "base/json.h"

#include <stdbool.h>
#include <stddef.h>

struct alert {
    const char *name;        /* its label alertname: never empty, no control characters */
    bool firing;             /* else resolved */
    const char *fingerprint; /* the sender's id of its labels; "" when there is none */
    const json_t *labels;    /* an object of texts */
};

struct alerts {
    struct alert *items; /* in the order of the body */
    size_t count;        /* at least one */
    int64_t left_out;    /* by the sender, for their number */
    json_t *body;        /* what the items point into */
};

/* ERR_INVALID names what is wrong: "alerts[2]: no label 'alertname'". *ret is then untouched. */
int alerts_read(json_t *body, struct alerts *ret, struct err *e);

void alerts_clear(struct alerts *alerts);

#endif
