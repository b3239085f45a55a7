/* See peers.h. */
#include "control/peers.h"

#include "base/mem.h"
#include "control/control.h"

#include <assert.h>
#include <stdio.h>
#include <sys/socket.h>

enum { SWEEP_MS = 1000 };

/* Who is at the other end, as the kernel keeps it from the moment of connect(). */
struct who {
    bool known; /* false: it came by a port */
    uid_t uid;
    pid_t pid;
};

struct peer {
    struct peer *next; /* who came before */
    int fd;
    struct who who;
    bool cut;              /* it is on its way out, and has no place any more */
    int64_t waiting_since; /* monotonic; 0 while a request is in hand */
    char requester[CONTROL_REQUESTER_MAX];
};

struct peers {
    struct loop *loop;
    struct timer *sweep; /* runs while there is a peer */
    struct peers_rules rules;
    struct peer *newest;
};

/* --- who -------------------------------------------------------------------------------------- */

static struct who who_is(int fd)
{
    struct ucred ucred;
    socklen_t len = sizeof ucred;
    int domain = AF_UNSPEC;
    socklen_t domain_len = sizeof domain;
    getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &domain_len);
    if (domain == AF_UNIX && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &ucred, &len) == 0)
        return (struct who){.known = true, .uid = ucred.uid, .pid = ucred.pid};
    return (struct who){.known = false};
}

static bool is_privileged(const struct who *who)
{
    return who->known && (who->uid == 0 || who->uid == geteuid());
}

bool control__peer_is_privileged(const struct peer *peer)
{
    return is_privileged(&peer->who);
}

const char *control__peer_requester(struct peer *peer)
{
    if (*peer->requester)
        return peer->requester;
    if (peer->who.known)
        control_requester(peer->who.uid, peer->who.pid, peer->requester);
    else
        snprintf(peer->requester, sizeof peer->requester, "somebody at the port");
    return peer->requester;
}

/* --- places ----------------------------------------------------------------------------------- */

static void cut(struct peer *peer)
{
    peer->cut = true;
    shutdown(peer->fd, SHUT_RDWR); /* the library reads the end and closes it */
}

/* Those who share a limit: one user, all who are not privileged, everybody. */
typedef bool (*peer_match)(const struct peer *peer, const struct who *who);

static bool match_user(const struct peer *peer, const struct who *who)
{
    return peer->who.known && peer->who.uid == who->uid;
}

static bool match_others(const struct peer *peer, const struct who *who)
{
    (void)who;
    return !is_privileged(&peer->who);
}

static bool match_all(const struct peer *peer, const struct who *who)
{
    (void)peer;
    (void)who;
    return true;
}

/* Whether fewer than `limit` of them are here, if need be after the one of `victims` that has been
 * silent longest was cut. */
static bool fits(const struct peers *peers, int limit, peer_match match, peer_match victims,
                 const struct who *who)
{
    int count = 0;
    struct peer *silent = NULL;
    for (struct peer *peer = peers->newest; peer; peer = peer->next) {
        count += !peer->cut && match(peer, who);
        if (!peer->cut && peer->waiting_since && victims(peer, who) &&
            (!silent || peer->waiting_since <= silent->waiting_since))
            silent = peer;
    }
    if (count < limit)
        return true;
    if (silent)
        cut(silent);
    return silent;
}

bool control__peers_have_place(struct peers *peers, int fd)
{
    const struct peers_rules *rules = &peers->rules;
    const struct who who = who_is(fd);
    if (is_privileged(&who))
        return fits(peers, rules->places, match_all, match_others, &who) ||
               fits(peers, rules->places, match_all, match_all, &who);
    if (!who.known)
        return fits(peers, rules->places, match_all, match_all, &who);
    return fits(peers, rules->share, match_user, match_user, &who) &&
           fits(peers, rules->places - rules->kept, match_others, match_others, &who) &&
           fits(peers, rules->places, match_all, match_others, &who);
}

/* --- the clock -------------------------------------------------------------------------------- */

static void on_sweep(void *data)
{
    struct peers *peers = data;
    int64_t late = loop_now(peers->loop) - peers->rules.arrival_ms;
    for (struct peer *peer = peers->newest; peer; peer = peer->next)
        if (!peer->cut && peer->waiting_since && peer->waiting_since <= late)
            cut(peer);
    if (peers->newest)
        timer_start(peers->sweep, SWEEP_MS);
}

struct peers *control__peers_new(struct loop *loop, const struct peers_rules *rules)
{
    struct peers *peers = mem_new(sizeof *peers);
    peers->loop = loop;
    peers->rules = *rules;
    peers->sweep = timer_new(loop, on_sweep, peers);
    return peers;
}

void control__peers_free(struct peers *peers)
{
    if (!peers)
        return;
    assert(!peers->newest);
    timer_free(peers->sweep);
    free(peers);
}

struct peer *control__peer_add(struct peers *peers, int fd)
{
    struct peer *peer = mem_new(sizeof *peer);
    *peer = (struct peer){
        .next = peers->newest, .fd = fd, .who = who_is(fd), .waiting_since = loop_now(peers->loop)};
    peers->newest = peer;
    if (!timer_is_running(peers->sweep))
        timer_start(peers->sweep, SWEEP_MS);
    return peer;
}

void control__peer_remove(struct peers *peers, struct peer *peer)
{
    struct peer **at = &peers->newest;
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
