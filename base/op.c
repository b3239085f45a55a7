/* See op.h. */
#include "base/op.h"

#include "base/clock.h"

static void op_unlink(struct op *op)
{
    struct op **at = loop_operations(op->loop);
    while (*at && *at != op)
        at = &(*at)->next;
    if (*at)
        *at = op->next;
}

static void op_deliver(void *data)
{
    struct op *op = data;
    op->class->deliver(op, op->result.code == ERR_NONE ? NULL : &op->result);
}

/* The one place where an operation gets its result. */
static void op_settle(struct op *op, const struct err *e)
{
    op->over = true;
    op->deadline = timer_free(op->deadline);
    op_unlink(op);
    err_copy(&op->result, e);
    loop_defer(op->loop, op_deliver, op);
}

static void on_deadline(void *data)
{
    struct op *op = data;
    char limit[DURATION_MAX];
    struct err e;
    err_set(&e, ERR_TIMEOUT, "%s: no answer within %s", op->what,
            duration_text(op->limit_ms, limit));
    op->class->drop(op);
    op_settle(op, &e);
}

op_id op_begin(struct op *op, struct loop *loop, const struct op_class *class, const char *what,
               int64_t deadline_ms)
{
    op->id = loop_next_id(loop);
    op->loop = loop;
    op->class = class;
    op->what = what;
    op->over = false;
    op->limit_ms = deadline_ms;
    op->next = *loop_operations(loop);
    *loop_operations(loop) = op;
    op->deadline = NULL;
    if (deadline_ms != OP_FOREVER) {
        op->deadline = timer_new(loop, on_deadline, op);
        timer_start(op->deadline, deadline_ms);
    }
    return op->id;
}

void op_end(struct op *op, const struct err *e)
{
    if (!op->over)
        op_settle(op, e);
}

void op_extend(struct op *op, int64_t deadline_ms)
{
    if (op->over || !op->deadline)
        return;
    op->limit_ms = deadline_ms;
    timer_start(op->deadline, deadline_ms);
}

void op_cancel(struct loop *loop, op_id id)
{
    for (struct op *op = *loop_operations(loop); op; op = op->next) {
        if (op->id != id)
            continue;
        struct err e;
        err_set(&e, ERR_CANCELLED, "%s: cancelled", op->what);
        op->class->drop(op);
        op_settle(op, &e);
        return;
    }
}
