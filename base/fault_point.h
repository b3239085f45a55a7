/* Places at which a test may kill the process: FAULT_POINT("journal.intent"). Built in by the CMake
 * option FAULT_POINTS, for tests alone; without it nothing is left of them.
 *
 *     STACK_SUPERVISOR_FAULT=NAME[:N]      the Nth time (the first) that NAME is passed
 *     STACK_SUPERVISOR_FAULT_SIGNAL=TERM   SIGTERM in place of SIGKILL: the process lives on to end
 *     STACK_SUPERVISOR_FAULT_LOG=FILE      each name passed, a line each
 *
 * May be passed on any thread. May use: nothing.
 */
#ifndef BASE_FAULT_POINT_H
#define BASE_FAULT_POINT_H

#ifdef FAULT_POINTS
void fault_point(const char *name);
#define FAULT_POINT(name) fault_point(name)
#else
#define FAULT_POINT(name) ((void)0)
#endif

#endif
