/* A signal as people and the Engine write it, to its number.
 *
 * May use: libc. Pure.
 */
#ifndef WATCH_SIGNAL_NUMBER_H
#define WATCH_SIGNAL_NUMBER_H

/* "15", "TERM", "SIGTERM", "SIGRTMIN+3" (Linux' numbers, whatever libc keeps to itself); 0 for what
 * is none, NULL too. */
int watch__signal_number(const char *text);

#endif
