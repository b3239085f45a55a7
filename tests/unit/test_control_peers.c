/* Who has a place when there are few: one user's share, the places kept for root, who is cut. */
#include "control/peers.h"
#include "control/reception.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { PLACES = 8, SHARE = 2, KEPT = 2, ROOT = 0, ANN = 54001, BOB, EVE, DAN };

/* A client, and our end of its connection. */
struct client {
    int far, near;
    struct peer *peer;
};

static struct loop *loop;
static struct peers *peers;

static void begin(void)
{
    const struct peers_rules rules = {
        .arrival_ms = 60000, .places = PLACES, .share = SHARE, .kept = KEPT};
    loop = loop_new();
    peers = control__peers_new(loop, &rules);
}

static void end(void)
{
    control__peers_free(peers);
    loop_free(loop);
}

/* A pair of sockets whose peers are of that user: the raw call changes this thread alone. */
static bool connect_as(uid_t uid, struct client *client)
{
    int ends[2];
    ck_assert_int_eq(syscall(SYS_setresuid, -1, uid, -1), 0);
    int made = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
    ck_assert_int_eq(syscall(SYS_setresuid, -1, ROOT, -1), 0);
    ck_assert_int_eq(made, 0);
    *client = (struct client){.far = ends[0], .near = ends[1]};
    if (!control__peers_have_place(peers, client->near))
        return false;
    client->peer = control__peer_add(peers, client->near);
    return true;
}

static void leave(struct client *client)
{
    if (client->peer)
        control__peer_remove(peers, client->peer);
    close(client->far);
    close(client->near);
}

static void leave_all(struct client *clients, size_t count)
{
    for (size_t i = 0; i < count; i++)
        leave(&clients[i]);
}

/* As its client sees it. */
static bool is_cut(const struct client *client)
{
    char byte;
    return recv(client->far, &byte, 1, MSG_DONTWAIT) == 0;
}

static void fill(struct client *clients, size_t count, const uid_t *users, bool ask)
{
    for (size_t i = 0; i < count; i++) {
        ck_assert(connect_as(users[i], &clients[i]));
        if (ask)
            control__peer_arrived(clients[i].peer);
    }
}

START_TEST(one_user_has_a_share_and_the_longest_silent_makes_way)
{
    struct client clients[5] = {0};
    begin();
    fill(clients, 2, (uid_t[]){ANN, ANN}, false);
    ck_assert(connect_as(BOB, &clients[2])); /* is none of ann's business */
    ck_assert(!is_cut(&clients[0]));
    ck_assert(connect_as(ANN, &clients[3]));
    ck_assert(is_cut(&clients[0]) && !is_cut(&clients[1]) && !is_cut(&clients[2]));
    ck_assert(connect_as(ANN, &clients[4]));
    ck_assert(is_cut(&clients[1]) && !is_cut(&clients[2]) && !is_cut(&clients[3]));
    leave_all(clients, 5);
    end();
}
END_TEST

START_TEST(who_has_asked_is_not_cut)
{
    struct client clients[4] = {0};
    begin();
    fill(clients, 2, (uid_t[]){ANN, ANN}, true);
    ck_assert(!connect_as(ANN, &clients[2]));
    ck_assert(!is_cut(&clients[0]) && !is_cut(&clients[1]));
    control__peer_answered(peers, clients[1].peer); /* it may ask again, and has not */
    ck_assert(connect_as(ANN, &clients[3]));
    ck_assert(!is_cut(&clients[0]) && is_cut(&clients[1]));
    leave_all(clients, 4);
    end();
}
END_TEST

START_TEST(some_places_are_for_root_alone)
{
    struct client clients[10] = {0};
    begin();
    fill(clients, 6, (uid_t[]){ANN, ANN, BOB, BOB, EVE, EVE}, true);
    ck_assert(!connect_as(DAN, &clients[6]));
    ck_assert(connect_as(ROOT, &clients[7]) && connect_as(ROOT, &clients[8]));
    /* Now all are taken. Root's own silent ones make way for root, and for nobody else. */
    ck_assert(connect_as(ROOT, &clients[9]));
    ck_assert(is_cut(&clients[7]) && !is_cut(&clients[8]));
    for (size_t i = 0; i < 6; i++)
        ck_assert(!is_cut(&clients[i]));
    leave_all(clients, 10);
    end();
}
END_TEST

START_TEST(root_takes_the_place_of_a_silent_user_first)
{
    struct client clients[10] = {0};
    begin();
    fill(clients, 2, (uid_t[]){ROOT, ROOT}, false);
    fill(clients + 2, 6, (uid_t[]){ANN, ANN, BOB, BOB, EVE, EVE}, false);
    ck_assert(connect_as(ROOT, &clients[8]));
    ck_assert(is_cut(&clients[2]) && !is_cut(&clients[0]) && !is_cut(&clients[1]));
    ck_assert(connect_as(DAN, &clients[9])); /* the place that ann has lost is root's now */
    ck_assert(is_cut(&clients[3]) && !is_cut(&clients[8]));
    leave_all(clients, 10);
    end();
}
END_TEST

START_TEST(root_and_our_own_user_are_privileged)
{
    struct client clients[2] = {0};
    char expected[64];
    begin();
    fill(clients, 2, (uid_t[]){ROOT, ANN}, false);
    ck_assert(control__peer_is_privileged(clients[0].peer));
    ck_assert(!control__peer_is_privileged(clients[1].peer));
    snprintf(expected, sizeof expected, "uid %d, pid %d", ANN, (int)getpid());
    ck_assert_str_eq(control__peer_requester(clients[1].peer), expected);
    ck_assert_int_eq(syscall(SYS_setresuid, -1, ANN, -1), 0);
    ck_assert(control__peer_is_privileged(clients[1].peer));
    ck_assert_int_eq(syscall(SYS_setresuid, -1, ROOT, -1), 0);
    leave_all(clients, 2);
    end();
}
END_TEST

/* --- the reception ---------------------------------------------------------------------------- */

struct taken {
    int fds[PLACES];
    struct peer *peers[PLACES];
    size_t count;
};

static void take(void *data, int fd)
{
    struct taken *taken = data;
    ck_assert_uint_lt(taken->count, PLACES);
    taken->fds[taken->count] = fd;
    taken->peers[taken->count] = control__peer_add(peers, fd);
    control__peer_arrived(taken->peers[taken->count++]);
}

/* Listens at an abstract address of the kernel's choice. */
static int listen_anywhere(struct sockaddr_un *ret, socklen_t *ret_len)
{
    struct sockaddr_un any = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    *ret_len = sizeof *ret;
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&any, sizeof any.sun_family), 0);
    ck_assert_int_eq(listen(fd, 64), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)ret, ret_len), 0);
    return fd;
}

static int dial(const struct sockaddr_un *address, socklen_t len)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(connect(fd, (const struct sockaddr *)address, len), 0);
    return fd;
}

static void give_back(struct taken *taken)
{
    for (size_t i = 0; i < taken->count; i++) {
        control__peer_remove(peers, taken->peers[i]);
        close(taken->fds[i]);
    }
}

static void stop(void *data)
{
    (void)data;
    loop_stop(loop);
}

/* Lets the loop run for so long. */
static void run_for(int64_t ms)
{
    struct timer *timer = timer_new(loop, stop, NULL);
    timer_start(timer, ms);
    loop_run(loop);
    timer_free(timer);
}

START_TEST(who_has_no_place_is_told_at_once)
{
    struct taken taken = {0};
    struct sockaddr_un address;
    socklen_t len;
    int clients[PLACES + 1];
    char answer[512] = "";
    begin();
    int listener = listen_anywhere(&address, &len);
    struct reception *reception = control__reception_new(loop, listener, peers, take, &taken);
    for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
        clients[i] = dial(&address, len);
    run_for(50);
    ck_assert_uint_eq(taken.count, PLACES);
    ck_assert_int_gt(recv(clients[PLACES], answer, sizeof answer - 1, 0), 0);
    unit_assert_has(answer, "HTTP/1.1 503 ");
    unit_assert_has(answer, "too many connections are open");
    ck_assert_int_eq(recv(clients[PLACES], answer, sizeof answer, 0), 0);
    for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
        close(clients[i]);
    give_back(&taken);
    control__reception_free(reception);
    end();
}
END_TEST

START_TEST(without_descriptors_it_waits_and_comes_back)
{
    struct taken taken = {0};
    struct sockaddr_un address;
    struct rlimit before;
    socklen_t len;
    begin();
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    int listener = listen_anywhere(&address, &len);
    struct reception *reception = control__reception_new(loop, listener, peers, take, &taken);
    int client = dial(&address, len);
    const struct rlimit none = {.rlim_cur = 0, .rlim_max = before.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    clock_t spent = clock();
    run_for(300);
    ck_assert_int_lt(clock() - spent, CLOCKS_PER_SEC / 10); /* it does not turn in circles */
    ck_assert_uint_eq(taken.count, 0);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    int other = dial(&address, len); /* valgrind has taken the first one, and thrown it away */
    run_for(1500);
    ck_assert_uint_ge(taken.count, 1);
    close(client);
    close(other);
    give_back(&taken);
    control__reception_free(reception);
    end();
}
END_TEST

UNIT_MAIN("control peers", one_user_has_a_share_and_the_longest_silent_makes_way,
          who_has_asked_is_not_cut, some_places_are_for_root_alone,
          root_takes_the_place_of_a_silent_user_first, root_and_our_own_user_are_privileged,
          who_has_no_place_is_told_at_once, without_descriptors_it_waits_and_comes_back)
