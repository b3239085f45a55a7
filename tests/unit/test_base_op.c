/* The contract of asynchronous operations: one completion, never from inside, by result, deadline
 * or cancel, whichever is first. */
#include "base/op.h"

#include "tests/unit/unit.h"

/* An operation that does nothing by itself. */
struct work {
    struct op op; /* first */
    struct asker *asker;
};

struct asker {
    struct loop *loop;
    int delivered;
    int dropped;
    enum err_code code;
    char text[ERR_TEXT_MAX];
    op_id again; /* cancelled from inside the callback, when set */
};

static void work_drop(struct op *op)
{
    ((struct work *)op)->asker->dropped++;
}

static void work_deliver(struct op *op, const struct err *e)
{
    struct asker *asker = ((struct work *)op)->asker;
    asker->delivered++;
    asker->code = e ? e->code : ERR_NONE;
    snprintf(asker->text, sizeof asker->text, "%s", e ? e->text : "");
    if (asker->again)
        op_cancel(asker->loop, asker->again);
    free(op);
}

static const struct op_class work_class = {.drop = work_drop, .deliver = work_deliver};

static struct work *work_new(struct asker *asker, int64_t deadline_ms)
{
    struct work *work = mem_new(sizeof *work);
    work->asker = asker;
    op_begin(&work->op, asker->loop, &work_class, "test: work", deadline_ms);
    return work;
}

static void asker_is(const struct asker *asker, int delivered, int dropped, enum err_code code)
{
    ck_assert_int_eq(asker->delivered, delivered);
    ck_assert_int_eq(asker->dropped, dropped);
    ck_assert_int_eq(asker->code, code);
}

START_TEST(it_completes_once_and_not_from_inside)
{
    struct asker asker = {.loop = loop_new(), .code = ERR_CODES};
    struct work *work = work_new(&asker, 60000);
    ck_assert_uint_ne(work->op.id, 0);
    op_end(&work->op, NULL);
    asker_is(&asker, 0, 0, ERR_CODES);
    loop_run(asker.loop);
    asker_is(&asker, 1, 0, ERR_NONE);
    loop_free(asker.loop);
}
END_TEST

START_TEST(the_first_result_counts)
{
    struct asker asker = {.loop = loop_new()};
    struct work *work = work_new(&asker, 60000);
    struct err e;
    err_set(&e, ERR_CONFLICT, "first");
    op_end(&work->op, &e);
    err_set(&e, ERR_FAILED, "second"); /* the error was copied */
    op_end(&work->op, &e);
    op_end(&work->op, NULL);
    op_cancel(asker.loop, work->op.id);
    op_extend(&work->op, 1);
    loop_run(asker.loop);
    asker_is(&asker, 1, 0, ERR_CONFLICT);
    ck_assert_str_eq(asker.text, "first");
    loop_free(asker.loop);
}
END_TEST

START_TEST(the_deadline_ends_it_and_says_so)
{
    struct asker asker = {.loop = loop_new()};
    work_new(&asker, 5);
    loop_run(asker.loop);
    asker_is(&asker, 1, 1, ERR_TIMEOUT);
    ck_assert_str_eq(asker.text, "test: work: no answer within 5ms");
    loop_free(asker.loop);
}
END_TEST

START_TEST(a_deadline_can_be_moved)
{
    struct asker asker = {.loop = loop_new()};
    struct work *work = work_new(&asker, 60000);
    int64_t before = loop_now(asker.loop);
    op_extend(&work->op, 20);
    loop_run(asker.loop);
    ck_assert_int_ge(loop_now(asker.loop) - before, 20);
    asker_is(&asker, 1, 1, ERR_TIMEOUT);
    ck_assert_str_eq(asker.text, "test: work: no answer within 20ms");
    loop_free(asker.loop);
}
END_TEST

START_TEST(a_cancel_lets_go_at_once_and_tells_later)
{
    struct asker asker = {.loop = loop_new()};
    op_id id = work_new(&asker, 60000)->op.id;
    op_cancel(asker.loop, id);
    asker_is(&asker, 0, 1, ERR_NONE);
    op_cancel(asker.loop, id); /* twice is harmless */
    loop_run(asker.loop);
    asker_is(&asker, 1, 1, ERR_CANCELLED);
    op_cancel(asker.loop, id); /* and so is afterwards */
    op_cancel(asker.loop, 0);
    op_cancel(asker.loop, 999);
    loop_run(asker.loop);
    asker_is(&asker, 1, 1, ERR_CANCELLED);
    loop_free(asker.loop);
}
END_TEST

START_TEST(a_result_after_a_cancel_is_for_nobody)
{
    struct asker asker = {.loop = loop_new()};
    struct work *work = work_new(&asker, 60000);
    op_cancel(asker.loop, work->op.id);
    op_end(&work->op, NULL);
    loop_run(asker.loop);
    asker_is(&asker, 1, 1, ERR_CANCELLED);
    loop_free(asker.loop);
}
END_TEST

START_TEST(a_stream_has_no_deadline)
{
    struct asker asker = {.loop = loop_new()};
    struct work *work = work_new(&asker, OP_FOREVER);
    ck_assert_ptr_null(work->op.deadline);
    op_extend(&work->op, 1);
    ck_assert_ptr_null(work->op.deadline);
    op_cancel(asker.loop, work->op.id);
    loop_run(asker.loop);
    asker_is(&asker, 1, 1, ERR_CANCELLED);
    loop_free(asker.loop);
}
END_TEST

START_TEST(one_may_be_cancelled_by_the_callback_of_another)
{
    struct asker first = {.loop = loop_new()};
    struct asker second = {.loop = first.loop};
    struct work *work = work_new(&first, 60000);
    first.again = work_new(&second, 60000)->op.id;
    op_end(&work->op, NULL);
    loop_run(first.loop);
    asker_is(&first, 1, 0, ERR_NONE);
    asker_is(&second, 1, 1, ERR_CANCELLED);
    loop_free(first.loop);
}
END_TEST

START_TEST(many_end_in_any_order)
{
    enum { MANY = 200 };
    struct asker asker = {.loop = loop_new()};
    struct work *works[MANY];
    for (int i = 0; i < MANY; i++) {
        works[i] = work_new(&asker, 60000);
        ck_assert_uint_eq(works[i]->op.id, (op_id)i + 1);
    }
    for (int i = 0; i < MANY; i++) {
        struct work *work = works[(i * 77) % MANY];
        if (i % 3)
            op_end(&work->op, NULL);
        else
            op_cancel(asker.loop, work->op.id);
    }
    ck_assert_ptr_null(*loop_operations(asker.loop));
    loop_run(asker.loop);
    ck_assert_int_eq(asker.delivered, MANY);
    ck_assert_int_eq(asker.dropped, (MANY + 2) / 3);
    loop_free(asker.loop);
}
END_TEST

START_TEST(what_is_settled_is_delivered_at_the_end_of_the_loop)
{
    struct asker asker = {.loop = loop_new()};
    struct work *work = work_new(&asker, 60000);
    op_end(&work->op, NULL);
    loop_free(asker.loop);
    asker_is(&asker, 1, 0, ERR_NONE);
}
END_TEST

UNIT_MAIN("base_op", it_completes_once_and_not_from_inside, the_first_result_counts,
          the_deadline_ends_it_and_says_so, a_deadline_can_be_moved,
          a_cancel_lets_go_at_once_and_tells_later, a_result_after_a_cancel_is_for_nobody,
          a_stream_has_no_deadline, one_may_be_cancelled_by_the_callback_of_another,
          many_end_in_any_order, what_is_settled_is_delivered_at_the_end_of_the_loop)
