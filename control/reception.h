/* The reception: takes connections from a listening socket, as fast as they come, and shows those
 * who have no place the door (503) instead of letting them wait in the kernel's queue, where they
 * would keep others out.
 *
 * When the process is out of descriptors nothing can be taken; it looks again a second later.
 *
 * Private to control/; knows no HTTP library. May use: base, peers.h.
 */
#ifndef CONTROL_RECEPTION_H
#define CONTROL_RECEPTION_H

#include "base/loop.h"
#include "control/peers.h"

struct reception;

/* Takes over a connection: from here on the descriptor is its. */
typedef void (*reception_fn)(void *data, int fd);

/* `listener` listens, non-blocking; it is the reception's from here on, and closed with it. NULL
 * (and it is closed) when the kernel does not watch it. */
struct reception *control__reception_new(struct loop *loop, int listener, struct peers *peers,
                                         reception_fn take, void *data);
struct reception *control__reception_free(struct reception *reception); /* NULL in, NULL out */

/* How many may be taken in one turn of the loop. */
enum { RECEPTION_BATCH = 32 };

#endif
