/* Who is at the other end: real processes, sockets and network namespaces. */
#include "host/look.h"
#include "host/peers.h"
#include "host/proc.h"

#include "base/clock.h"
#include "tests/unit/peer_scene.h"
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

enum { NOBODY = 65534 };

static struct peers_query query_of(const struct scene *scene)
{
    return (struct peers_query){.proc = scene_proc,
                                .server_pid = scene->server.pid,
                                .server_container = SERVER,
                                .sessions = scene->sessions,
                                .session_count = scene->count};
}

static void look(const struct scene *scene, struct peer peers[static CLIENTS_MAX], struct err *e)
{
    struct peers_query query = query_of(scene);
    memset(peers, 0, CLIENTS_MAX * sizeof *peers);
    host__look(&query, clock_mono_ms() + 60000, peers, e);
}

static void expect(const struct peer *peer, enum peer_kind kind, const char *id)
{
    ck_assert_int_eq(peer->kind, kind);
    ck_assert_str_eq(peer->container_id, id);
    ck_assert_str_eq(peer->process, kind >= PEER_HOST ? ACTOR_NAME : "");
}

/* --- one network namespace -------------------------------------------------------------------- */

START_TEST(clients_on_the_same_loopback)
{
    struct scene scene;
    struct peer peers[CLIENTS_MAX];
    struct err e;
    scene_set_up();
    scene_open(&scene, scene_listen_tcp());
    scene_add(&scene, be_tcp_client, DOCKER(APP));
    scene_add(&scene, be_tcp_client, "0::/user.slice\n");
    scene_add(&scene, be_mapped_client, "0::/system.slice/docker-" OTHER ".scope\n");
    scene_add(&scene, be_tcp_client, "2:cpu:/docker/" APP "\n1:pids:/docker/" OTHER "\n");
    look(&scene, peers, &e);
    ck_assert_msg(!err_is_set(&e), "%s", e.text);
    expect(&peers[0], PEER_CONTAINER, APP);
    expect(&peers[1], PEER_HOST, "");
    expect(&peers[2], PEER_CONTAINER, OTHER);
    ck_assert_int_eq(peers[3].kind, PEER_UNKNOWN);
    scene_close(&scene);
    scene_tear_down();
}
END_TEST

START_TEST(clients_on_a_unix_socket)
{
    struct scene scene;
    struct peer peers[CLIENTS_MAX];
    struct err e;
    scene_set_up();
    scene_open(&scene, scene_listen_unix(".s.PGSQL.5432"));
    scene_add(&scene, be_unix_client, DOCKER(OTHER));
    scene_add(&scene, be_unix_client, DOCKER(APP));
    scene_add(&scene, be_unix_client, "0::/\n");
    look(&scene, peers, &e);
    ck_assert_msg(!err_is_set(&e), "%s", e.text);
    expect(&peers[0], PEER_CONTAINER, OTHER);
    expect(&peers[1], PEER_CONTAINER, APP);
    expect(&peers[2], PEER_HOST, "");
    scene_close(&scene);
    scene_tear_down();
}
END_TEST

START_TEST(near_containers_or_not)
{
    struct scene scene;
    struct peer peers[CLIENTS_MAX] = {0};
    struct err e;
    const char *near[] = {APP, "x"};
    scene_set_up();
    scene_open(&scene, scene_listen_tcp());
    scene_add(&scene, be_tcp_client, DOCKER(APP));
    scene_add(&scene, be_tcp_client, DOCKER(OTHER));
    struct peers_query query = query_of(&scene);
    query.near = near;
    query.near_count = ARRAY_SIZE(near);
    host__look(&query, clock_mono_ms() + 60000, peers, &e);
    expect(&peers[0], PEER_CONTAINER, APP);
    expect(&peers[1], PEER_CONTAINER, OTHER);
    scene_close(&scene);
    scene_tear_down();
}
END_TEST

/* --- unknown, never wrong --------------------------------------------------------------------- */

START_TEST(a_session_that_is_another_by_now)
{
    struct scene scene;
    struct peer peers[CLIENTS_MAX];
    struct err e;
    scene_set_up();
    scene_open(&scene, scene_listen_tcp());
    scene_add(&scene, be_tcp_client, DOCKER(APP));
    scene_add(&scene, be_tcp_client, DOCKER(APP));
    scene_add(&scene, be_tcp_client, DOCKER(APP));
    scene_add(&scene, be_tcp_client, DOCKER(APP));
    scene.sessions[0].port++;                   /* the backend serves somebody else */
    scene.sessions[1].address = "127.0.0.2";    /* so does that */
    scene.sessions[2].backend_pid = INT32_MAX;  /* it has ended */
    scene.sessions[3].address = "no address\n"; /* hidden, or nonsense */
    look(&scene, peers, &e);
    ck_assert(!err_is_set(&e));
    for (size_t i = 0; i < scene.count; i++)
        expect(&peers[i], PEER_UNKNOWN, "");
    scene_close(&scene);
    scene_tear_down();
}
END_TEST

START_TEST(a_backend_that_is_younger_than_its_session)
{
    struct scene scene;
    struct peer peers[CLIENTS_MAX];
    struct err e;
    scene_set_up();
    scene_open(&scene, scene_listen_unix(".s.PGSQL.5432"));
    scene_add(&scene, be_unix_client, DOCKER(APP));
    scene_add(&scene, be_unix_client, DOCKER(APP));
    scene.sessions[1].age_s = 3600;
    look(&scene, peers, &e);
    expect(&peers[0], PEER_CONTAINER, APP);
    expect(&peers[1], PEER_UNKNOWN, "");
    scene_close(&scene);
    scene_tear_down();
}
END_TEST

START_TEST(a_socket_that_is_no_postgres)
{
    struct scene scene;
    struct peer peers[CLIENTS_MAX];
    struct err e;
    scene_set_up();
    scene_listen_unix("other.sock");
    CLEANUP_FREE char *from = mem_printf("%s/other.sock", scene_folder);
    CLEANUP_FREE char *to = mem_printf("%s/.s.PGSQL.5432", scene_folder);
    ck_assert_int_eq(rename(from, to), 0); /* the kernel keeps the name it was bound to */
    scene_open(&scene, 0);
    scene_add(&scene, be_unix_client, DOCKER(APP));
    look(&scene, peers, &e);
    expect(&peers[0], PEER_UNKNOWN, "");
    scene_close(&scene);
    scene_tear_down();
}
END_TEST

START_TEST(a_client_that_is_gone)
{
    struct scene scene;
    struct peer peers[CLIENTS_MAX];
    struct err e;
    scene_set_up();
    scene_open(&scene, scene_listen_tcp());
    scene_add(&scene, be_tcp_client, DOCKER(APP));
    end(scene.clients[0]);
    look(&scene, peers, &e);
    expect(&peers[0], PEER_UNKNOWN, "");
    scene.clients[0] = act(be_bystander, 0);
    scene_close(&scene);
    scene_tear_down();
}
END_TEST

START_TEST(a_client_that_is_hidden_from_proc)
{
    struct scene scene;
    struct peer peers[CLIENTS_MAX];
    struct err e;
    scene_set_up();
    scene_open(&scene, scene_listen_tcp());
    scene_add(&scene, be_tcp_client, NULL);
    look(&scene, peers, &e);
    expect(&peers[0], PEER_UNKNOWN, "");
    scene_close(&scene);
    scene_tear_down();
}
END_TEST

/* --- not to be seen --------------------------------------------------------------------------- */

START_TEST(a_server_on_another_machine)
{
    struct scene scene;
    struct peer peers[CLIENTS_MAX];
    struct err e;
    scene_set_up();
    scene_open(&scene, scene_listen_tcp());
    scene_add(&scene, be_tcp_client, DOCKER(APP));
    scene_put_in(scene.server.pid, DOCKER(OTHER)); /* the process id is somebody else's here */
    look(&scene, peers, &e);
    ck_assert_int_eq(e.code, ERR_NOT_FOUND);
    unit_assert_has(e.text, "container 5e5e5e5e5e5e ");
    expect(&peers[0], PEER_UNSEEN, "");
    scene_close(&scene);
    scene_tear_down();
}
END_TEST

START_TEST(no_time)
{
    struct scene scene;
    struct peer peers[CLIENTS_MAX] = {0};
    struct err e;
    scene_set_up();
    scene_open(&scene, scene_listen_tcp());
    scene_add(&scene, be_tcp_client, DOCKER(APP));
    struct peers_query query = query_of(&scene);
    host__look(&query, clock_mono_ms() - 1, peers, &e);
    ck_assert_int_eq(e.code, ERR_TIMEOUT);
    expect(&peers[0], PEER_UNSEEN, "");
    scene_close(&scene);
    scene_tear_down();
}
END_TEST

/* What a supervisor without rights sees of a server of somebody else's. */
START_TEST(no_right)
{
    struct scene scene;
    struct peer peers[CLIENTS_MAX];
    struct err e;
    if (geteuid() != 0)
        return; /* becoming somebody else takes root */
    scene_set_up();
    scene_open(&scene, scene_listen_tcp());
    scene_add(&scene, be_tcp_client, DOCKER(APP));
    ck_assert_int_eq(seteuid(NOBODY), 0);
    look(&scene, peers, &e);
    ck_assert_int_eq(seteuid(0), 0);
    ck_assert_int_eq(e.code, ERR_PERMISSION);
    unit_assert_has(e.hint, "CAP_SYS_PTRACE");
    expect(&peers[0], PEER_UNSEEN, "");
    scene_close(&scene);
    scene_tear_down();
}
END_TEST

static bool on_socket(void *data, int fd, uint64_t inode)
{
    ck_abort_msg("a socket %d in %p: %d", fd, data, (int)inode);
}

/* The kernel asks for more than the same user where it reads the links of a process's files. */
START_TEST(a_folder_that_opens_and_tells_nothing)
{
    if (geteuid() != 0)
        return;
    scene_set_up();
    CLEANUP_FREE char *folder = mem_printf("%s/1/fd", scene_proc);
    CLEANUP_FREE char *link = mem_printf("%s/3", folder);
    ck_assert_int_eq(symlink("socket:[4711]", link), 0);
    ck_assert_int_eq(chmod(folder, 0744), 0);
    CLEANUP_CLOSE int proc = open(scene_proc, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_eq(seteuid(NOBODY), 0);
    int problem = host__proc_sockets(proc, 1, on_socket, NULL);
    ck_assert_int_eq(seteuid(0), 0);
    ck_assert_int_eq(problem, -EACCES);
    scene_tear_down();
}
END_TEST

static void expect_hidden(const struct err *e)
{
    ck_assert_int_eq(e->code, ERR_PERMISSION);
    unit_assert_has(e->hint, "CAP_SYS_PTRACE");
}

/* Who has the server's own user, and no right beyond, sees its processes under hidepid, and nobody
 * else's: who is not found may be one of those. */
START_TEST(a_proc_that_shows_the_server_alone)
{
    struct scene scene;
    struct peer peers[CLIENTS_MAX];
    struct err e;
    scene_set_up();
    scene_narrow();
    scene_open(&scene, scene_listen_tcp());
    scene_add(&scene, be_tcp_client, NULL);
    scene_add(&scene, be_tcp_client, DOCKER(APP));
    scene_add(&scene, be_tcp_client, DOCKER(APP));
    scene.sessions[2].port++; /* the backend serves somebody else: that was seen */
    look(&scene, peers, &e);
    expect_hidden(&e);
    expect(&peers[0], PEER_UNSEEN, "");
    expect(&peers[1], PEER_CONTAINER, APP);
    expect(&peers[2], PEER_UNKNOWN, "");
    scene_close(&scene);
    scene_tear_down();
}
END_TEST

/* --- several network namespaces --------------------------------------------------------------- */

/* Leaves for a network namespace of its own that has a loopback; false without the right to. */
static bool leave(void)
{
    struct ifreq request = {.ifr_flags = IFF_UP};
    snprintf(request.ifr_name, sizeof request.ifr_name, "lo");
    if (unshare(CLONE_NEWNET) != 0)
        return false;
    CLEANUP_CLOSE int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return ioctl(fd, SIOCSIFFLAGS, &request) == 0;
}

/* The scene is played in another namespace; the test looks at it from here. */
START_TEST(a_server_in_another_namespace)
{
    struct scene scene;
    struct peer peers[CLIENTS_MAX];
    struct err e;
    CLEANUP_CLOSE int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    scene_set_up();
    if (leave()) {
        scene_open(&scene, scene_listen_tcp());
        scene_add(&scene, be_tcp_client, DOCKER(APP));
        ck_assert_int_eq(setns(home, CLONE_NEWNET), 0);
        look(&scene, peers, &e);
        ck_assert_msg(!err_is_set(&e), "%s", e.text);
        expect(&peers[0], PEER_CONTAINER, APP);
        scene_close(&scene);
    }
    scene_tear_down();
}
END_TEST

static int be_distant_client(int unused)
{
    return leave() ? be_unix_client(unused) : -1;
}

/* Each client has a namespace of its own, and so has the server. */
START_TEST(a_unix_socket_between_namespaces)
{
    struct scene scene;
    struct peer peers[CLIENTS_MAX];
    struct err e;
    struct stat before, after;
    if (geteuid() != 0)
        return;
    scene_set_up();
    scene_open(&scene, scene_listen_unix(".s.PGSQL.5432"));
    scene_add(&scene, be_distant_client, DOCKER(APP));
    scene_add(&scene, be_unix_client, "0::/\n");
    scene_add(&scene, be_distant_client, DOCKER(OTHER));
    ck_assert_int_eq(stat("/proc/thread-self/ns/net", &before), 0);
    look(&scene, peers, &e);
    ck_assert_msg(!err_is_set(&e), "%s", e.text);
    expect(&peers[0], PEER_CONTAINER, APP);
    expect(&peers[1], PEER_HOST, "");
    expect(&peers[2], PEER_CONTAINER, OTHER);
    ck_assert_int_eq(stat("/proc/thread-self/ns/net", &after), 0);
    ck_assert_uint_eq(before.st_ino, after.st_ino); /* nobody was left in there */
    scene_close(&scene);
    scene_tear_down();
}
END_TEST

/* A connection on this loopback that looks just like one of another namespace. */
static void impersonate(int port, int client_port)
{
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_in client = {.sin_family = AF_INET, .sin_port = htons((uint16_t)client_port)};
    const int on = 1;
    server.sin_addr.s_addr = client.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int connecting = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(connecting, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    ck_assert_int_eq(bind(listening, (struct sockaddr *)&server, sizeof server), 0);
    ck_assert_int_eq(listen(listening, 1), 0);
    ck_assert_int_eq(bind(connecting, (struct sockaddr *)&client, sizeof client), 0);
    ck_assert_int_eq(connect(connecting, (struct sockaddr *)&server, sizeof server), 0);
}

/* In a namespace that was just made: no port that the kernel hands out elsewhere. */
static void use_other_ports(void)
{
    FILE *range = fopen("/proc/sys/net/ipv4/ip_local_port_range", "we");
    if (!range)
        return; /* /proc/sys is read-only here: the ports may meet, which they seldom do */
    fputs("24000 31000\n", range);
    fclose(range);
}

/* Loopback addresses are the same everywhere: only those of the server's own namespace count. */
START_TEST(the_same_addresses_in_two_namespaces)
{
    struct scene scene;
    struct peer peers[CLIENTS_MAX];
    struct err e;
    CLEANUP_CLOSE int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    scene_set_up();
    if (leave()) {
        use_other_ports();
        scene_open(&scene, scene_listen_tcp());
        scene_add(&scene, be_tcp_client, DOCKER(APP));
        ck_assert_int_eq(setns(home, CLONE_NEWNET), 0);
        impersonate(scene.port, scene.clients[0].said);
        scene_put_in(getpid(), DOCKER(OTHER));
        scene_put_in(1, "0::/\n"); /* which leads to this namespace */
        scene.sessions[0].near_pid = getpid();
        look(&scene, peers, &e);
        expect(&peers[0], PEER_CONTAINER, APP);
        end(scene.clients[0]);
        look(&scene, peers, &e);
        expect(&peers[0], PEER_UNKNOWN, "");
        scene.clients[0] = act(be_bystander, 0);
        scene_close(&scene);
    }
    scene_tear_down();
}
END_TEST

START_TEST(a_proc_that_shows_no_client_of_a_unix_socket)
{
    struct scene scene;
    struct peer peers[CLIENTS_MAX];
    struct err e;
    if (geteuid() != 0)
        return;
    scene_set_up();
    scene_narrow();
    scene_open(&scene, scene_listen_unix(".s.PGSQL.5432"));
    scene_add(&scene, be_distant_client, NULL);
    look(&scene, peers, &e);
    expect_hidden(&e);
    expect(&peers[0], PEER_UNSEEN, "");
    scene_close(&scene);
    scene_tear_down();
}
END_TEST

/* The client's process, and with it its network namespace, is not there to be seen. */
START_TEST(a_namespace_that_nobody_shows)
{
    struct scene scene;
    struct peer peers[CLIENTS_MAX];
    struct err e;
    CLEANUP_CLOSE int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    scene_set_up();
    if (leave()) {
        scene_open(&scene, scene_listen_tcp());
        scene_add(&scene, be_tcp_client, NULL);
        scene_add(&scene, be_tcp_client, NULL);
        ck_assert_int_eq(setns(home, CLONE_NEWNET), 0);
        struct actor stranger = act(be_bystander, 0);
        /* From the server's own namespace only its own end is to be seen, as on a bridge. */
        scene_part_networks(&scene);
        scene_put_in(stranger.pid, DOCKER(APP));
        scene.sessions[0].near_pid = INT32_MAX;    /* hidden */
        scene.sessions[1].near_pid = stranger.pid; /* seen, and it has no such connection */
        look(&scene, peers, &e);
        expect(&peers[1], PEER_UNKNOWN, "");
        expect(&peers[0], PEER_UNKNOWN, ""); /* it may have ended meanwhile */
        scene_narrow();
        look(&scene, peers, &e);
        expect_hidden(&e);
        expect(&peers[0], PEER_UNSEEN, "");
        expect(&peers[1], PEER_UNKNOWN, "");
        end(stranger);
        scene_close(&scene);
    }
    scene_tear_down();
}
END_TEST

/* --- the operation ---------------------------------------------------------------------------- */

struct answer {
    int calls;
    enum err_code code;
    struct peer peers[CLIENTS_MAX];
    size_t count;
};

static void on_found(void *data, const struct err *e, const struct peer *peers, size_t count)
{
    struct answer *answer = data;
    answer->calls++;
    answer->code = e ? e->code : ERR_NONE;
    answer->count = count;
    memcpy(answer->peers, peers, count * sizeof *peers);
}

START_TEST(away_from_the_loop)
{
    struct scene scene;
    struct answer answer = {0};
    struct loop *loop = loop_new();
    scene_set_up();
    scene_open(&scene, scene_listen_tcp());
    scene_add(&scene, be_tcp_client, DOCKER(APP));
    struct peers_query query = query_of(&scene);
    peers_find(loop, &query, 60000, on_found, &answer);
    memset(scene.sessions, 0, sizeof scene.sessions); /* it was copied */
    ck_assert_int_eq(answer.calls, 0);
    loop_run(loop);
    ck_assert_int_eq(answer.calls, 1);
    ck_assert_int_eq(answer.code, ERR_NONE);
    ck_assert_uint_eq(answer.count, 1);
    expect(&answer.peers[0], PEER_CONTAINER, APP);
    scene_close(&scene);
    loop_free(loop);
    scene_tear_down();
}
END_TEST

START_TEST(given_up)
{
    struct scene scene;
    struct answer answer = {0};
    struct loop *loop = loop_new();
    scene_set_up();
    scene_open(&scene, scene_listen_tcp());
    scene_add(&scene, be_tcp_client, DOCKER(APP));
    struct peers_query query = query_of(&scene);
    op_cancel(loop, peers_find(loop, &query, 60000, on_found, &answer));
    loop_run(loop);
    ck_assert_int_eq(answer.calls, 1);
    ck_assert_int_eq(answer.code, ERR_CANCELLED);
    expect(&answer.peers[0], PEER_UNSEEN, "");
    scene_close(&scene);
    loop_free(loop);
    scene_tear_down();
}
END_TEST

UNIT_MAIN("host_peers", clients_on_the_same_loopback, clients_on_a_unix_socket,
          near_containers_or_not, a_session_that_is_another_by_now,
          a_backend_that_is_younger_than_its_session, a_socket_that_is_no_postgres,
          a_client_that_is_gone, a_client_that_is_hidden_from_proc, a_server_on_another_machine,
          no_time, no_right, a_folder_that_opens_and_tells_nothing,
          a_proc_that_shows_the_server_alone, a_proc_that_shows_no_client_of_a_unix_socket,
          a_namespace_that_nobody_shows, a_server_in_another_namespace,
          a_unix_socket_between_namespaces, the_same_addresses_in_two_namespaces,
          away_from_the_loop, given_up)
