/* The operations of the other operations_*.c, for the table in operations.c.
 * What each is given and must answer stands in control/control.h. Private to supervisor/. */
#ifndef SUPERVISOR_OPERATIONS_H
#define SUPERVISOR_OPERATIONS_H

#include "control/control.h"

void op_policies(void *data, control_reply_fn reply, void *reply_data);
void op_observations(void *data, control_reply_fn reply, void *reply_data);
void op_decisions(void *data, int limit, control_reply_fn reply, void *reply_data);
void op_answer(void *data, int64_t decision, bool approve, const char *requester,
               control_reply_fn reply, void *reply_data);
void op_pause(void *data, const json_t *request, const char *requester, control_reply_fn reply,
              void *reply_data);
void op_resume(void *data, const char *requester, control_reply_fn reply, void *reply_data);
void op_alerts(void *data, const json_t *body, const char *requester, control_reply_fn reply,
               void *reply_data);

/* operations_notify.c */
void op_notify_test(void *data, const char *receiver, control_reply_fn reply, void *reply_data);

/* operations_shown.c */
void op_page(void *data, const char *path, control_reply_fn reply, void *reply_data);
void op_metrics(void *data, control_reply_fn reply, void *reply_data);

#endif
