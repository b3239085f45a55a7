/* Ctrl-C, termination and resizing as something to wait for.
 *
 * While it is open the signals are blocked and come as readable bytes, so nothing is interrupted
 * half way and no handler touches anything. After it is closed they do what they always do.
 *
 * May use: base, the kernel.
 */
#ifndef SUPERVISORCTL_SIGNALS_H
#define SUPERVISORCTL_SIGNALS_H

#include <signal.h>
#include <stdbool.h>

struct signals {
    int fd; /* readable when there is news; -1 when closed, or when it could not be made */
    sigset_t before;
    int interrupts; /* SIGINT, SIGTERM and SIGHUP so far */
    bool resized;   /* SIGWINCH came; whoever acts on it clears it */
};

#define SIGNALS_CLOSED ((struct signals){.fd = -1})

void signals_open(struct signals *signals); /* once more does nothing */
void signals_read(struct signals *signals); /* takes in what has come; never waits */
void signals_close(struct signals *signals);

#endif
