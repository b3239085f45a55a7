/* The states of a policy and every move between them, as a table. See decide.h. */
#include "base/buf.h"
#include "base/mem.h"
#include "policies/decide_private.h"

#include <assert.h>
#include <string.h>

static const char *const state_names[] = {
    [STATE_NONE] = "none",           [STATE_SETTLING] = "settling",
    [STATE_WATCHING] = "watching",   [STATE_DUE] = "due",
    [STATE_ASKING] = "asking",       [STATE_RUNNING] = "running",
    [STATE_VERIFYING] = "verifying", [STATE_COOLING] = "cooling",
    [STATE_HANDED] = "handed",
};
_Static_assert(ARRAY_SIZE(state_names) == STATES, "a name for every state");

static const char *const event_names[] = {
    [ON_SETTLED] = "settled",
    [ON_TRIGGERED] = "triggered",
    [ON_CLEARED] = "cleared",
    [ON_ASKED] = "asked",
    [ON_APPROVED] = "approved",
    [ON_STARTED] = "started",
    [ON_NOT_BEGUN] = "not begun",
    [ON_ENDED] = "ended",
    [ON_ABORTED] = "aborted",
    [ON_HEALED] = "healed",
    [ON_FAILED] = "failed, next rung",
    [ON_RELAPSED] = "relapsed, next rung",
    [ON_DISTURBED] = "disturbed",
    [ON_GAVE_UP] = "gave up, person called",
    [ON_LADDER_AT_END] = "ladder at its end",
    [ON_COOLED] = "cooled",
    [ON_REARMED] = "re-armed",
};
_Static_assert(ARRAY_SIZE(event_names) == EVENTS, "a name for every event");

static const enum decide_state moves[STATES][EVENTS] = {
    [STATE_SETTLING] = {[ON_SETTLED] = STATE_WATCHING},
    [STATE_WATCHING] = {[ON_TRIGGERED] = STATE_DUE},
    [STATE_DUE] =
        {
            [ON_CLEARED] = STATE_WATCHING,
            [ON_HEALED] = STATE_COOLING,
            [ON_DISTURBED] = STATE_VERIFYING,
            [ON_ASKED] = STATE_ASKING,
            [ON_STARTED] = STATE_RUNNING,
            [ON_FAILED] = STATE_DUE,
            [ON_GAVE_UP] = STATE_HANDED,
            [ON_LADDER_AT_END] = STATE_COOLING,
        },
    [STATE_ASKING] =
        {
            [ON_CLEARED] = STATE_WATCHING,
            [ON_HEALED] = STATE_COOLING,
            [ON_DISTURBED] = STATE_VERIFYING,
            [ON_APPROVED] = STATE_DUE,
            [ON_GAVE_UP] = STATE_HANDED,
        },
    [STATE_RUNNING] =
        {
            [ON_NOT_BEGUN] = STATE_DUE,
            [ON_ENDED] = STATE_VERIFYING,
            [ON_ABORTED] = STATE_HANDED,
        },
    [STATE_VERIFYING] =
        {
            [ON_HEALED] = STATE_COOLING,
            [ON_FAILED] = STATE_DUE,
            [ON_GAVE_UP] = STATE_HANDED,
            [ON_LADDER_AT_END] = STATE_COOLING,
        },
    [STATE_COOLING] = {[ON_COOLED] = STATE_WATCHING, [ON_RELAPSED] = STATE_DUE},
    [STATE_HANDED] = {[ON_REARMED] = STATE_WATCHING},
};
_Static_assert(ARRAY_SIZE(moves) == STATES, "a row for every state");

const char *decide__state_name(enum decide_state state)
{
    return state_names[state];
}

enum decide_state decide__state_parse(const char *name)
{
    for (size_t i = STATE_NONE + 1; name && i < STATES; i++)
        if (strcmp(state_names[i], name) == 0)
            return (enum decide_state)i;
    return STATE_NONE;
}

void decide__move(struct decide *engine, struct track *track, enum decide_event event)
{
    enum decide_state next = moves[track->state][event];
    assert(next != STATE_NONE && "no such move: the table and its callers disagree");
    track->state = next;
    track->since_ms = engine->now.mono_ms;
    track->refused = REFUSAL_NONE;
    if (next == STATE_VERIFYING)
        track->verify_from_ms = engine->now.mono_ms;
    if (next == STATE_VERIFYING && track->verify[track->rung])
        condition_state_reset(track->verify[track->rung]);
    if (next == STATE_WATCHING || next == STATE_COOLING || next == STATE_HANDED) {
        track->decision = 0;
        track->tried = -1;
    }
    if (next == STATE_WATCHING || next == STATE_HANDED)
        track->rung = 0;
    if (next != STATE_DUE && next != STATE_ASKING)
        track->relapsed = false;
    track->helped = event == ON_HEALED;
    track->approved = event == ON_APPROVED;
}

char *decide_mermaid(void)
{
    struct buf out;
    buf_init(&out, 1 << 16);
    buf_puts(&out, "stateDiagram-v2\n    [*] --> settling\n");
    for (size_t from = 0; from < STATES; from++)
        for (size_t event = 0; event < EVENTS; event++)
            if (moves[from][event] != STATE_NONE)
                buf_printf(&out, "    %s --> %s: %s\n", state_names[from],
                           state_names[moves[from][event]], event_names[event]);
    return buf_take(&out);
}
