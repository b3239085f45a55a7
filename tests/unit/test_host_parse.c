/* What /proc and the kernel's answers about sockets say. */
#include "host/proc_parse.h"
#include "host/unix_parse.h"

#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>

/* --- net/tcp ---------------------------------------------------------------------------------- */

static void expect_endpoint(const struct host__endpoint *endpoint, const char *address, int port)
{
    struct host__endpoint expected;
    ck_assert(host__endpoint_parse(address, port, &expected));
    ck_assert_mem_eq(endpoint, &expected, sizeof expected);
}

START_TEST(a_connection_of_each_family)
{
    struct host__connection connection;
    uint64_t inode = 0;
    ck_assert(host__tcp_line(
        "   1: 0100007F:1538 0200A8C0:A0F4 01 00000000:00000000 02:000A7D5B 00000000   999        "
        "0 274667 2 ffff9c5f8b8d0000 20 4 30 10 -1\n",
        &connection, &inode));
    expect_endpoint(&connection.local, "127.0.0.1", 5432);
    expect_endpoint(&connection.remote, "192.168.0.2", 41204);
    ck_assert_uint_eq(inode, 274667);

    ck_assert(host__tcp_line(
        "   0: B80D01200000000067452301EFCDAB89:1538 0000000000000000FFFF00000100007F:1539 01 "
        "00000000:00000000 00:00000000 00000000     0        0 18446744073709551615 1\n",
        &connection, &inode));
    expect_endpoint(&connection.local, "2001:db8::123:4567:89ab:cdef", 5432);
    expect_endpoint(&connection.remote, "127.0.0.1", 5433); /* mapped: the same as IPv4 */
    ck_assert_uint_eq(inode, UINT64_MAX);
}
END_TEST

START_TEST(what_is_no_connection)
{
    static const char *const lines[] = {
        "",
        "\n",
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  "
        "timeout "
        "inode",
        /* nobody holds it any more: TIME_WAIT */
        "   1: 0100007F:1538 0200A8C0:A0F4 06 00000000:00000000 03:000A7D5B 00000000     0        "
        "0 "
        "0 3 ffff9c5f8b8d0000",
        "   1: 0100007F:1538 0200A8C0:A0F4 01 00000000:00000000 02:000A7D5B 00000000   999",
        "   1: 0100007F:153 0200A8C0:A0F4 01 0:0 0:0 0 0 0 274667",
        "   1: 0100007F:1538 0200A8C:A0F4 01 0:0 0:0 0 0 0 274667",
        "   1: 0100007F00000000:1538 0200A8C0:A0F4 01 0:0 0:0 0 0 0 274667",
        "   1: 0100007F:1538 0200A8C0:A0F4 01 0:0 0:0 0 0 0 27x4667",
    };
    struct host__connection connection;
    uint64_t inode;
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
        ck_assert_msg(!host__tcp_line(lines[i], &connection, &inode), "'%s'", lines[i]);
}
END_TEST

START_TEST(addresses_of_clients)
{
    struct host__endpoint endpoint;
    ck_assert(host__endpoint_parse("127.9.9.9", 1, &endpoint) && host__is_loopback(&endpoint));
    ck_assert(host__endpoint_parse("::1", 1, &endpoint) && host__is_loopback(&endpoint));
    ck_assert(host__endpoint_parse("::ffff:127.0.0.1", 1, &endpoint) &&
              host__is_loopback(&endpoint));
    ck_assert(host__endpoint_parse("172.18.0.5", 65535, &endpoint) &&
              !host__is_loopback(&endpoint));
    ck_assert(host__endpoint_parse("fd00::1", 1, &endpoint) && !host__is_loopback(&endpoint));
    ck_assert(!host__endpoint_parse("", 1, &endpoint));
    ck_assert(!host__endpoint_parse("local", 1, &endpoint));
    ck_assert(!host__endpoint_parse("172.18.0.5", -1, &endpoint));
    ck_assert(!host__endpoint_parse("172.18.0.5", 65536, &endpoint));
}
END_TEST

/* --- cgroup ----------------------------------------------------------------------------------- */

#define ID_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ID_B "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

START_TEST(containers_of_every_engine)
{
    static const struct {
        const char *text;
        enum host__membership membership;
        const char *id;
    } cases[] = {
        {"12:pids:/docker/" ID_A "\n11:cpu,cpuacct:/docker/" ID_A "\n0::/\n", HOST__CONTAINER,
         ID_A},
        {"0::/system.slice/docker-" ID_B ".scope\n", HOST__CONTAINER, ID_B},
        {"0::/docker/" ID_B, HOST__CONTAINER, ID_B},
        {"0::/machine.slice/libpod-" ID_B ".scope/container\n", HOST__CONTAINER, ID_B},
        {"0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-" ID_B ".scope\n", HOST__CONTAINER,
         ID_B},
        /* our own control group namespace hides the way to it */
        {"0::/../" ID_A "\n", HOST__CONTAINER, ID_A},
        /* a container in a container: the inner one */
        {"0::/docker/" ID_A "/docker/" ID_B "\n", HOST__CONTAINER, ID_B},
        /* a service manager in a container */
        {"0::/docker/" ID_A "/system.slice/postgresql.service\n", HOST__CONTAINER, ID_A},
        {"0::/\n", HOST__NO_CONTAINER, ""},
        {"", HOST__NO_CONTAINER, ""},
        {"0::/system.slice/docker.service\n", HOST__NO_CONTAINER, ""},
        {"4:memory:/process_api/a25b35daa297e790df1ab7f3f55b2794\n", HOST__NO_CONTAINER, ""},
        {"0::/docker/" ID_A "0\n", HOST__NO_CONTAINER, ""}, /* 65 digits */
        /* what watches over a container is not in it */
        {"0::/machine.slice/libpod-conmon-" ID_B ".scope\n", HOST__NO_CONTAINER, ""},
        {"2:cpu:/docker/" ID_A "\n1:pids:/docker/" ID_B "\n", HOST__UNCLEAR, NULL},
        /* a controller's name is not a place */
        {"3:name=" ID_A ":/\n", HOST__NO_CONTAINER, ""},
        {ID_A, HOST__NO_CONTAINER, ""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char id[HOST__ID_MAX];
        ck_assert_msg(host__cgroup_parse(cases[i].text, id) == cases[i].membership, "%s",
                      cases[i].text);
        if (cases[i].id)
            ck_assert_str_eq(id, cases[i].id);
    }
}
END_TEST

/* --- status, stat, links ---------------------------------------------------------------------- */

START_TEST(process_ids_in_namespaces)
{
    int pid = 0, depth = 0;
    ck_assert(host__status_parse("Name:\tpostgres\nPid:\t4711\nNStgid:\t4711\t17\n"
                                 "NSpid:\t4711\t17\nNSpgid:\t4711\t17\n",
                                 &pid, &depth));
    ck_assert_int_eq(pid, 17);
    ck_assert_int_eq(depth, 2);
    ck_assert(host__status_parse("\nNSpid:\t4711", &pid, &depth));
    ck_assert_int_eq(pid, 4711);
    ck_assert_int_eq(depth, 1);
    ck_assert(!host__status_parse("Name:\tNSpid: 7\n", &pid, &depth)); /* a name may say anything */
    ck_assert(!host__status_parse("\nNSpid:\n", &pid, &depth));
    ck_assert(!host__status_parse("\nNSpid:\t99999999999\n", &pid, &depth));
    ck_assert(!host__status_parse("\nNSpid:\t17 x\n", &pid, &depth));
}
END_TEST

START_TEST(when_a_process_began)
{
    uint64_t ticks = 0;
    ck_assert(host__stat_parse("17 (a) R (b) S 1 17 17 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 "
                               "987654 9 10 11\n",
                               &ticks));
    ck_assert_uint_eq(ticks, 987654);
    ck_assert(!host__stat_parse("17 (a) S 1 17 17 0 -1\n", &ticks));
    ck_assert(!host__stat_parse("", &ticks));
}
END_TEST

START_TEST(links_of_descriptors)
{
    uint64_t inode = 0;
    ck_assert(host__link_parse("socket:[4711]", &inode) && inode == 4711);
    ck_assert(!host__link_parse("socket:[]", &inode));
    ck_assert(!host__link_parse("socket:[12", &inode));
    ck_assert(!host__link_parse("pipe:[4711]", &inode));
    ck_assert(!host__link_parse("/tmp/socket:[4711]", &inode));
    ck_assert(!host__link_parse("", &inode));
}
END_TEST

/* --- sock_diag -------------------------------------------------------------------------------- */

struct datagram {
    unsigned char bytes[512];
    size_t len;
};

static void add(struct datagram *d, const void *bytes, size_t len)
{
    ck_assert(d->len + len + 4 <= sizeof d->bytes);
    memcpy(d->bytes + d->len, bytes, len);
    d->len += NLMSG_ALIGN(len);
}

static void add_attribute(struct datagram *d, unsigned short type, const void *bytes, size_t len)
{
    struct rtattr head = {.rta_len = (unsigned short)RTA_LENGTH(len), .rta_type = type};
    add(d, &head, sizeof head);
    add(d, bytes, len);
}

/* A socket; peer 0: none is told. */
static void add_socket(struct datagram *d, uint32_t inode, uint32_t peer, const char *name,
                       size_t name_len, unsigned char state)
{
    size_t start = d->len;
    struct nlmsghdr head = {.nlmsg_type = SOCK_DIAG_BY_FAMILY};
    struct unix_diag_msg message = {.udiag_ino = inode, .udiag_state = state};
    add(d, &head, sizeof head);
    add(d, &message, sizeof message);
    if (name)
        add_attribute(d, UNIX_DIAG_NAME, name, name_len);
    if (peer)
        add_attribute(d, UNIX_DIAG_PEER, &peer, sizeof peer);
    head.nlmsg_len = (uint32_t)(d->len - start);
    memcpy(d->bytes + start, &head, sizeof head);
}

static void add_end(struct datagram *d, unsigned short type)
{
    struct nlmsghdr head = {.nlmsg_type = type, .nlmsg_len = NLMSG_HDRLEN + 4};
    const uint32_t zero = 0;
    add(d, &head, sizeof head);
    add(d, &zero, sizeof zero);
}

START_TEST(unix_sockets_and_their_peers)
{
    static const char path[] = "/var/run/postgresql/.s.PGSQL.5432";
    static const char hidden[] = "\0sockets/.s.PGSQL.5433"; /* an abstract name */
    struct datagram d = {.len = 0};
    struct host__unix_list list = {0};
    add_socket(&d, 10, 11, path, sizeof path, 1);
    add_socket(&d, 11, 10, NULL, 0, 1);
    add_socket(&d, 12, 13, hidden, sizeof hidden - 1, 1);
    add_socket(&d, 14, 0, path, sizeof path, 10); /* listens */
    add_socket(&d, 15, 0, path, sizeof path, 1);  /* its peer is gone */
    ck_assert_int_eq(host__unix_parse(d.bytes, d.len, &list), HOST__UNIX_MORE);
    add_end(&d, NLMSG_DONE);
    ck_assert_uint_eq(list.count, 3);
    ck_assert(list.sockets[0].inode == 10 && list.sockets[0].peer == 11);
    ck_assert(list.sockets[0].postgres && !list.sockets[1].postgres && list.sockets[2].postgres);
    ck_assert_int_eq(host__unix_parse(d.bytes, d.len, &list), HOST__UNIX_DONE);
    free(list.sockets);
}
END_TEST

START_TEST(answers_that_are_none)
{
    struct datagram d = {.len = 0};
    struct host__unix_list list = {0};
    add_end(&d, NLMSG_ERROR);
    ck_assert_int_eq(host__unix_parse(d.bytes, d.len, &list), HOST__UNIX_BROKEN);
    d.len = 0;
    add_socket(&d, 10, 11, "x", 1, 1);
    for (size_t len = sizeof(struct nlmsghdr); len < d.len; len++)
        ck_assert_int_eq(host__unix_parse(d.bytes, len, &list), HOST__UNIX_BROKEN);
    ck_assert_uint_eq(list.count, 0);
    /* an attribute that claims more than there is */
    d.bytes[NLMSG_HDRLEN + sizeof(struct unix_diag_msg)] = 200;
    ck_assert_int_eq(host__unix_parse(d.bytes, d.len, &list), HOST__UNIX_MORE);
    ck_assert_uint_eq(list.count, 0);
    free(list.sockets);
}
END_TEST

UNIT_MAIN("host_parse", a_connection_of_each_family, what_is_no_connection, addresses_of_clients,
          containers_of_every_engine, process_ids_in_namespaces, when_a_process_began,
          links_of_descriptors, unix_sockets_and_their_peers, answers_that_are_none)
