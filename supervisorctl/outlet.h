/* What a command prints while the application works in its own process: passed on as fast as it is
 * taken, and held back where it is not – a pager that waits, Ctrl-S, a collector that hangs.
 * Whoever prints goes on at once, and so does the run.
 *
 * It holds all that it is given: who may print without end looks at outlet_held(). All functions
 * accept NULL, for a command that may as well wait, and do nothing then. May use: base.
 */
#ifndef SUPERVISORCTL_OUTLET_H
#define SUPERVISORCTL_OUTLET_H

#include <stddef.h>
#include <stdio.h>

struct outlet;

/* Puts streams of its own in the place of *out and *messages, until its end. */
struct outlet *outlet_new(FILE **out, FILE **messages);

void outlet_pass_on(struct outlet *outlet); /* what is taken by now; never waits */
size_t outlet_held(const struct outlet *outlet);

/* Passes on the rest, waiting for as long as it takes, and puts the streams back. -1 when some of
 * what went to *out could not be written. */
int outlet_free(struct outlet *outlet);

#endif
