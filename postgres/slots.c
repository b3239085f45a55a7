/* See slots.h. */
#include "postgres/slots.h"

#include <assert.h>
#include <stddef.h>

static void leave_queue(struct db__slots *slots, struct db__turn *turn)
{
    struct db__turn **at = &slots->first;
    while (*at != turn)
        at = &(*at)->next;
    *at = turn->next;
    turn->waiting = false;
}

/* The first of those that would not yield, else the first: to begin a turn while somebody waits
 * for whom it would have to end at once makes no sense. */
static struct db__turn *choose(const struct db__slots *slots)
{
    for (struct db__turn *turn = slots->first; turn; turn = turn->next)
        if (!turn->yield)
            return turn;
    return slots->first;
}

static void grant_next(struct db__slots *slots)
{
    if (!slots->first || slots->holder || slots->leaving || slots->closed)
        return;
    struct db__turn *turn = choose(slots);
    leave_queue(slots, turn);
    slots->holder = turn;
    turn->held = true;
    turn->granted(turn->data);
}

static void on_gone(void *data)
{
    struct db__slots *slots = data;
    slots->leaving = NULL;
    grant_next(slots);
}

void db__turn_ask(struct db__slots *slots, struct db__turn *turn)
{
    assert(!turn->waiting && !turn->held);
    struct db__turn **at = &slots->first;
    while (*at)
        at = &(*at)->next;
    turn->next = NULL;
    turn->waiting = true;
    *at = turn;
    if (slots->holder && slots->holder->yield)
        slots->holder->yield(slots->holder->data);
    else
        grant_next(slots);
}

static enum db__silence silence_of(const struct db__session *login)
{
    if (!login || db__session_was_answered(login))
        return DB__SILENCE_NONE;
    return db__session_was_accepted(login) ? DB__SILENCE_ACCEPTED : DB__SILENCE_NOT_MET;
}

enum db__silence db__slots_silence(const struct db__slots *slots)
{
    if (slots->holder)
        return silence_of(slots->holder->login);
    return slots->leaving ? slots->left_in : DB__SILENCE_NONE;
}

void db__turn_end(struct db__slots *slots, struct db__turn *turn, struct db__session *session)
{
    if (turn->waiting)
        leave_queue(slots, turn);
    if (!turn->held) {
        assert(!session);
        return;
    }
    assert(slots->holder == turn && !slots->leaving);
    slots->left_in = silence_of(session);
    slots->answers += slots->left_in == DB__SILENCE_NONE;
    turn->login = NULL;
    turn->held = false;
    slots->holder = NULL;
    slots->leaving = db__session_close(session, on_gone, slots);
    if (slots->closed)
        slots->leaving = db__farewell_free(slots->leaving);
    grant_next(slots);
}

void db__turn_keep(struct db__slots *slots, struct db__turn *turn)
{
    db__turn_end(slots, turn, NULL);
}

void db__slots_close(struct db__slots *slots)
{
    slots->closed = true;
    slots->leaving = db__farewell_free(slots->leaving);
}
