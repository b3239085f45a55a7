/* The policies that test_decide.c and test_decide_gate.c share. May use: nothing. */
#ifndef TESTS_UNIT_DECIDE_POLICIES_H
#define TESTS_UNIT_DECIDE_POLICIES_H

/* Acts at once, so that a test can be about something else. */
#define FULL                                                                                       \
    "- name: full\n"                                                                               \
    "  when: connections.utilization > 80%\n"                                                      \
    "  settle: 0\n"

#define LADDER                                                                                     \
    FULL "  ladder:\n"                                                                             \
         "    - {run: clean, verify: connections.utilization < 50%, within: 10s}\n"                \
         "    - {run: restart-leaker, verify: connections.utilization < 50%, within: 30s}\n"       \
         "    - {run: recover, verify: connections.utilization < 50%, within: 60s}\n"

/* Its one rung never helps: a person is called. */
#define ONCE FULL "  ladder: [{run: clean, verify: connections.used < 1, within: 1s}]\n"

static const char utilization[] = "connections.utilization";

#endif
