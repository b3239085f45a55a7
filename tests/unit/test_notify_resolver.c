/* Name servers that do not answer must not hold up the loop. In a network and mount namespace of
 * its own, with a name server that is deaf; where the kernel does not allow that, nothing is
 * tested, and it says so.
 */
#include "base/clock.h"
#include "tests/unit/notify_fixture.h"

#include <arpa/inet.h>
#include <limits.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>

enum { BETWEEN_MS = 5, TOO_LONG_MS = 3000 };

/* The longest time between two turns of the loop. */
struct gauge {
    struct timer *timer;
    int64_t last_ms, worst_ms;
};

static void on_tick(void *data)
{
    struct gauge *gauge = data;
    int64_t now_ms = clock_mono_ms();
    if (gauge->last_ms && now_ms - gauge->last_ms > gauge->worst_ms)
        gauge->worst_ms = now_ms - gauge->last_ms;
    gauge->last_ms = now_ms;
    timer_start(gauge->timer, BETWEEN_MS);
}

static bool bring_up_loopback(void)
{
    CLEANUP_CLOSE int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    return ioctl(fd, SIOCSIFFLAGS, &request) == 0;
}

static int deaf_name_server(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(53)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

/* False where namespaces are not to be had. */
static bool isolate(const struct owner *owner)
{
    CLEANUP_FREE char *mine = owner_file(owner, "resolv.conf", "nameserver 127.0.0.1\n");
    char real[PATH_MAX];
    return unshare(CLONE_NEWNS | CLONE_NEWNET) == 0 && bring_up_loopback() &&
           mount("", "/", "", MS_REC | MS_PRIVATE, NULL) == 0 &&
           realpath("/etc/resolv.conf", real) && mount(mine, real, "", MS_BIND, NULL) == 0;
}

START_TEST(a_deaf_name_server_holds_nothing_up)
{
    struct owner owner;
    owner_open(&owner);
    if (!isolate(&owner)) {
        puts("not tested: no namespaces of our own to be had");
        owner_close(&owner);
        return;
    }
    int fd = deaf_name_server();
    owner.limits.retry_first_ms = 10;
    owner_start(&owner,
                "- {name: hook, webhook: 'http://hook.example.test/', timeout: 300ms}\n"
                "- {name: mail, mail: {server: 'smtp://mx.example.test', from: a@b.test,"
                " to: c@d.test, tls: none}, timeout: 300ms}",
                0);
    struct gauge gauge = {0};
    gauge.timer = timer_new(owner.loop, on_tick, &gauge);
    timer_start(gauge.timer, BETWEEN_MS);
    tell(&owner, "k", "handed-over", "critical", "x");
    AWAIT(&owner, number_of(&owner, "failed") >= 2);
    ck_assert(error_has(&owner, "Resolving timed out"));
    AWAIT(&owner, strstr(buf_text(&owner.log), "notify: mail: ") != NULL);
    timer_free(gauge.timer);
    int64_t begin_ms = clock_mono_ms();
    owner_close(&owner);
    ck_assert_int_lt(clock_mono_ms() - begin_ms, TOO_LONG_MS);
    ck_assert_int_lt(gauge.worst_ms, TOO_LONG_MS);
    close(fd);
}
END_TEST

UNIT_MAIN("notify_resolver", a_deaf_name_server_holds_nothing_up)
