/* See peers.h. */
#include "control/peers.h"

#include "base/mem.h"
#include "control/control.h"

#include <assert.h>
#include <stdio.h>
#include <sys/socket.h>

enum { SWEEP_MS = 1000 };

struct peer {
    struct peer *next;
    int fd;
    int64_t waiting_since; /* monotonic; 0 while a request is in hand */
    char requester[CONTROL_REQUESTER_MAX];
};

struct peers {
    struct loop *loop;
    struct timer *sweep; /* runs while there is a peer */
    int64_t arrival_ms;
    struct peer *first;
};

static void on_sweep(void *data)
{
    struct peers *peers = data;
    int64_t late = loop_now(peers->loop) - peers->arrival_ms;
    for (const struct peer *peer = peers->first; peer; peer = peer->next)
        if (peer->waiting_since && peer->waiting_since <= late)
            shutdown(peer->fd, SHUT_RDWR); /* the library reads the end and closes it */
    if (peers->first)
        timer_start(peers->sweep, SWEEP_MS);
}

struct peers *control__peers_new(struct loop *loop, int64_t arrival_ms)
{
    struct peers *peers = mem_new(sizeof *peers);
    peers->loop = loop;
    peers->arrival_ms = arrival_ms;
    peers->sweep = timer_new(loop, on_sweep, peers);
    return peers;
}

void control__peers_free(struct peers *peers)
{
    if (!peers)
        return;
    assert(!peers->first);
    timer_free(peers->sweep);
    free(peers);
}

/* Who connected; the kernel keeps it from the moment of connect(). */
static void read_credentials(int fd, char out[static CONTROL_REQUESTER_MAX])
{
    struct ucred who;
    socklen_t len = sizeof who;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0)
        control_requester(who.uid, who.pid, out);
    else
        snprintf(out, CONTROL_REQUESTER_MAX, "unknown");
}

struct peer *control__peer_add(struct peers *peers, int fd)
{
    struct peer *peer = mem_new(sizeof *peer);
    *peer = (struct peer){.next = peers->first, .fd = fd, .waiting_since = loop_now(peers->loop)};
    read_credentials(fd, peer->requester);
    peers->first = peer;
    if (!timer_is_running(peers->sweep))
        timer_start(peers->sweep, SWEEP_MS);
    return peer;
}

void control__peer_remove(struct peers *peers, struct peer *peer)
{
    struct peer **at = &peers->first;
    while (*at != peer)
        at = &(*at)->next;
    *at = peer->next;
    free(peer);
}

void control__peer_arrived(struct peer *peer)
{
    peer->waiting_since = 0;
}

void control__peer_answered(struct peers *peers, struct peer *peer)
{
    peer->waiting_since = loop_now(peers->loop);
}

const char *control__peer_requester(const struct peer *peer)
{
    return peer->requester;
}
