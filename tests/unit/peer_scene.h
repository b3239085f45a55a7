/* A server, its backends and its clients, for tests of who is at the other end: real processes and
 * sockets.
 *
 * They are looked at through a /proc of the test's own: each of its processes is there under its
 * number, all files of it are links to the real ones, but "cgroup", which says what the test wants.
 * So being in a container takes neither an engine nor any right.
 */
#ifndef TESTS_UNIT_PEER_SCENE_H
#define TESTS_UNIT_PEER_SCENE_H

#include "host/peers.h"

#include <sys/types.h>

#define SERVER     "5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e"
#define APP        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define OTHER      "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DOCKER(id) "0::/docker/" id "\n"

extern char scene_folder[64]; /* of the test */
extern char scene_proc[80];   /* its /proc */

void scene_set_up(void);
void scene_tear_down(void);

/* The process is in the container that this says. */
void scene_put_in(int pid, const char *cgroup);

/* /proc shows only those processes that may be looked at (hidepid): process 1 is gone as well. */
void scene_narrow(void);

#define ACTOR_NAME "actor"

/* One that plays a role, says a number when it is ready, and lives until it is ended. */
struct actor {
    pid_t pid;
    int said;
};

/* Opens a socket (or joins one) and gives the number to tell. */
typedef int (*role_fn)(int argument);

struct actor act(role_fn role, int argument);
void end(struct actor actor);

/* The listener is made by the test, so that its port is known before. */
int scene_listen_tcp(void);              /* on 127.0.0.1; gives the port */
int scene_listen_unix(const char *name); /* in the folder; gives 0 */

int be_tcp_client(int port);
int be_mapped_client(int port); /* as a JVM does: a socket of IPv6 that speaks IPv4 */
int be_unix_client(int unused); /* of .s.PGSQL.5432 in the folder */
int be_bystander(int unused);

/* --- a server and its clients ----------------------------------------------------------------- */

enum { CLIENTS_MAX = 4 };

struct scene {
    struct actor server, clients[CLIENTS_MAX], backends[CLIENTS_MAX];
    struct peer_session sessions[CLIENTS_MAX];
    size_t count;
    int port;
};

void scene_open(struct scene *scene, int port); /* 0: a Unix socket */
/* A client and its session; cgroup NULL: it is not to be seen at all. */
void scene_add(struct scene *scene, role_fn role, const char *cgroup);
/* The server's network shows its own ends alone, as where the clients have networks of their own.
 */
void scene_part_networks(const struct scene *scene);
void scene_close(struct scene *scene);

#endif
