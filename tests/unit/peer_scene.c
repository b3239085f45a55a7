/* See peer_scene.h. */
#include "tests/unit/peer_scene.h"

#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

/* --- a /proc ---------------------------------------------------------------------------------- */

char scene_folder[64];
char scene_proc[80];

void scene_set_up(void)
{
    snprintf(scene_folder, sizeof scene_folder, "/tmp/peers-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(scene_folder));
    ck_assert_int_eq(chmod(scene_folder, 0755), 0);
    snprintf(scene_proc, sizeof scene_proc, "%s/proc", scene_folder);
    ck_assert_int_eq(mkdir(scene_proc, 0755), 0);
    /* Process 1 is always there; it holds nothing, whatever the machine's own one does. */
    CLEANUP_FREE char *init = mem_printf("%s/1", scene_proc);
    CLEANUP_FREE char *sockets = mem_printf("%s/fd", init);
    ck_assert_int_eq(mkdir(init, 0755), 0);
    ck_assert_int_eq(mkdir(sockets, 0755), 0);
}

void scene_narrow(void)
{
    CLEANUP_FREE char *command = mem_printf("rm -rf %s/1", scene_proc);
    ck_assert_int_eq(system(command), 0);
}

void scene_tear_down(void)
{
    CLEANUP_FREE char *command = mem_printf("rm -rf %s", scene_folder);
    ck_assert_int_eq(system(command), 0);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    ck_assert_msg(file && fputs(text, file) >= 0 && fclose(file) == 0, "%s", path);
}

void scene_put_in(int pid, const char *cgroup)
{
    static const char *const names[] = {"fd", "net", "ns", "status", "stat", "comm"};
    CLEANUP_FREE char *path = mem_printf("%s/%d", scene_proc, pid);
    CLEANUP_FREE char *file = mem_printf("%s/cgroup", path);
    mkdir(path, 0755);
    write_file(file, cgroup);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        CLEANUP_FREE char *link = mem_printf("%s/%s", path, names[i]);
        CLEANUP_FREE char *target = mem_printf("/proc/%d/%s", pid, names[i]);
        (void)!symlink(target, link); /* it is there when a process is moved */
    }
}

/* --- processes -------------------------------------------------------------------------------- */

struct actor act(role_fn role, int argument)
{
    int pipe_ends[2];
    struct actor actor;
    ck_assert_int_eq(pipe2(pipe_ends, O_CLOEXEC), 0);
    actor.pid = fork();
    ck_assert_int_ge(actor.pid, 0);
    if (actor.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        prctl(PR_SET_NAME, ACTOR_NAME);
        int number = role(argument);
        if (write(pipe_ends[1], &number, sizeof number) == sizeof number)
            for (;;)
                pause();
        _exit(1);
    }
    close(pipe_ends[1]);
    ck_assert_int_eq(read(pipe_ends[0], &actor.said, sizeof actor.said), sizeof actor.said);
    close(pipe_ends[0]);
    return actor;
}

void end(struct actor actor)
{
    ck_assert_int_eq(kill(actor.pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(actor.pid, NULL, 0), actor.pid);
}

static struct sockaddr_in loopback(int port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int local_port(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in ipv4;
        struct sockaddr_in6 ipv6;
    } at;
    socklen_t len = sizeof at;
    ck_assert_int_eq(getsockname(fd, &at.any, &len), 0);
    return ntohs(at.any.sa_family == AF_INET ? at.ipv4.sin_port : at.ipv6.sin6_port);
}

static int listener = -1;

int scene_listen_tcp(void)
{
    struct sockaddr_in at = loopback(0);
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&at, sizeof at), 0);
    ck_assert_int_eq(listen(listener, 16), 0);
    return local_port(listener);
}

int scene_listen_unix(const char *name)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof at.sun_path, "%s/%s", scene_folder, name);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&at, sizeof at), 0);
    ck_assert_int_eq(listen(listener, 16), 0);
    return 0;
}

/* A backend: the one that has the connection. Its parent has the listener. */
static int be_backend(int unused)
{
    (void)unused;
    ck_assert_int_ge(accept4(listener, NULL, NULL, SOCK_CLOEXEC), 0);
    return 0;
}

int be_tcp_client(int port)
{
    struct sockaddr_in at = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    return local_port(fd);
}

int be_mapped_client(int port)
{
    struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(inet_pton(AF_INET6, "::ffff:127.0.0.1", &at.sin6_addr), 1);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    return local_port(fd);
}

int be_unix_client(int unused)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    (void)unused;
    snprintf(at.sun_path, sizeof at.sun_path, "%s/.s.PGSQL.5432", scene_folder);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    return 0;
}

int be_bystander(int unused)
{
    return unused;
}

/* --- a server and its clients ----------------------------------------------------------------- */

void scene_open(struct scene *scene, int port)
{
    *scene = (struct scene){.port = port, .server = act(be_bystander, 0)};
    scene_put_in(scene->server.pid, DOCKER(SERVER));
}

void scene_add(struct scene *scene, role_fn role, const char *cgroup)
{
    size_t i = scene->count++;
    scene->clients[i] = act(role, scene->port);
    scene->backends[i] = act(be_backend, 0);
    if (cgroup)
        scene_put_in(scene->clients[i].pid, cgroup);
    scene_put_in(scene->backends[i].pid, DOCKER(SERVER));
    scene->sessions[i] = (struct peer_session){
        .backend_pid = scene->backends[i].pid,
        .address = scene->port ? "127.0.0.1" : "local",
        .port = scene->port ? scene->clients[i].said : -1,
    };
}

void scene_part_networks(const struct scene *scene)
{
    CLEANUP_FREE char *command =
        mem_printf("cd %s/%d && rm net && mkdir net && "
                   "awk '$2 ~ /:%04X$/' /proc/%d/net/tcp > net/tcp",
                   scene_proc, scene->server.pid, (unsigned)scene->port, scene->server.pid);
    ck_assert_int_eq(system(command), 0);
}

void scene_close(struct scene *scene)
{
    end(scene->server);
    for (size_t i = 0; i < scene->count; i++) {
        end(scene->clients[i]);
        end(scene->backends[i]);
    }
    if (listener >= 0)
        close(listener);
    listener = -1;
}
