/* See host.h. Rules from docker/cli (opts/hosts.go) and the Go client's FromEnv, but for one: where
 * TLS is on, the peer is always verified. */
#include "docker/host.h"

#include "base/mem.h"

#include <ctype.h>
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#define DEFAULT_HOST "unix:///var/run/docker.sock"

enum { PORT_PLAIN = 2375, PORT_TLS = 2376 };

static const char *env(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

/* The text behind a scheme, or NULL if `text` has another one. */
static const char *behind(const char *text, const char *scheme)
{
    size_t len = strlen(scheme);
    return strncmp(text, scheme, len) == 0 ? text + len : NULL;
}

static int resolve_socket(const char *path, struct docker__host *host, struct err *e)
{
    const size_t room = sizeof((struct sockaddr_un *)NULL)->sun_path;
    if (path[0] != '/')
        return err_set(e, ERR_INVALID, "docker host '%s': the path of a socket begins with '/'",
                       path);
    if (strlen(path) >= room) {
        int code = err_set(e, ERR_INVALID,
                           "docker host: the socket's path has %zu bytes, the kernel takes %zu: %s",
                           strlen(path), room - 1, path);
        err_hint(e, "make a shorter symbolic link to it");
        return code;
    }
    host->name = mem_printf("unix://%s", path);
    host->socket_path = mem_strdup(path);
    host->base_url = mem_strdup("http://engine");
    return 0;
}

static int find_pem(const char *dir, const char *file, char **ret, struct err *e)
{
    *ret = mem_printf("%s/%s", dir, file);
    if (access(*ret, R_OK) == 0)
        return 0;
    int code = err_set(e, errno == EACCES ? ERR_PERMISSION : ERR_INVALID,
                       "docker host: cannot read the certificate %s: %s", *ret, strerror(errno));
    err_hint(e, "the certificate directory holds ca.pem, cert.pem and key.pem");
    return code;
}

/* The port is what follows the last ':' that is not inside an IPv6 address's brackets. */
static bool has_port(const char *address)
{
    const char *bracket = strrchr(address, ']');
    return strchr(bracket ? bracket : address, ':') != NULL;
}

static bool address_is_sane(const char *address)
{
    for (const char *at = address; *at; at++)
        if (!isalnum((unsigned char)*at) && !strchr(".-_:[]", *at))
            return false;
    return *address && *address != ':';
}

static int resolve_tcp(const char *text, const char *cert_dir, struct docker__host *host,
                       struct err *e)
{
    size_t len = strlen(text);
    CLEANUP_FREE char *address = mem_strndup(text, len && text[len - 1] == '/' ? len - 1 : len);
    if (!address_is_sane(address)) {
        int code = err_set(e, ERR_INVALID, "docker host 'tcp://%s': not host:port", text);
        err_hint(e, "write tcp://name:%d, or tcp://[::1]:%d", PORT_PLAIN, PORT_PLAIN);
        return code;
    }
    char port[8] = "";
    if (!has_port(address))
        snprintf(port, sizeof port, ":%d", cert_dir ? PORT_TLS : PORT_PLAIN);
    host->name = mem_printf("tcp://%s%s", address, port);
    host->base_url = mem_printf("%s://%s%s", cert_dir ? "https" : "http", address, port);
    int code = 0;
    if (cert_dir && (code = find_pem(cert_dir, "ca.pem", &host->ca, e)) == 0 &&
        (code = find_pem(cert_dir, "cert.pem", &host->cert, e)) == 0)
        code = find_pem(cert_dir, "key.pem", &host->key, e);
    return code;
}

static int refuse_ssh(const char *name, struct err *e)
{
    int code = err_set(e, ERR_UNSUPPORTED, "docker host '%s': ssh is not supported", name);
    err_hint(e, "forward the socket: ssh -N -L /run/engine.sock:/var/run/docker.sock HOST, "
                "then use unix:///run/engine.sock");
    return code;
}

/* The certificate directory that the environment asks for, or NULL. DOCKER_CERT_PATH alone turns
 * TLS on, as it does for Docker's SDKs; so does any value of DOCKER_TLS_VERIFY, "0" too, as for its
 * command. */
static char *cert_dir_of_environment(void)
{
    if (env("DOCKER_CERT_PATH"))
        return mem_strdup(env("DOCKER_CERT_PATH"));
    if (!env("DOCKER_TLS_VERIFY"))
        return NULL;
    return mem_printf("%s/.docker", env("HOME") ? env("HOME") : "/root");
}

static int resolve(const char *name, const char *cert_dir, struct docker__host *host, struct err *e)
{
    const char *rest;
    if ((rest = behind(name, "unix://")) != NULL)
        return resolve_socket(rest, host, e);
    if (name[0] == '/')
        return resolve_socket(name, host, e);
    if ((rest = behind(name, "tcp://")) != NULL)
        return resolve_tcp(rest, cert_dir, host, e);
    if (behind(name, "ssh://"))
        return refuse_ssh(name, e);
    int code = err_set(e, ERR_INVALID, "docker host '%s': not an address of an engine", name);
    err_hint(e, "write unix:///path/to/docker.sock or tcp://host:port");
    return code;
}

int docker__host_resolve(const struct docker_options *options, struct docker__host *ret,
                         struct err *e)
{
    const char *name = options->host && *options->host ? options->host : env("DOCKER_HOST");
    CLEANUP_FREE char *cert_dir =
        options->cert_dir ? mem_strdup(options->cert_dir) : cert_dir_of_environment();
    struct docker__host host = {0};
    int code = resolve(name ? name : DEFAULT_HOST, cert_dir, &host, e);
    if (code == 0 && options->cert_dir && host.socket_path)
        code = err_set(e, ERR_INVALID, "docker host '%s': certificates are for tcp:// only",
                       host.name);
    if (code != 0) {
        docker__host_clear(&host);
        return code;
    }
    const struct passwd *user = getpwuid(geteuid()); /* may block, so not when the error comes */
    host.user = mem_strdup(user ? user->pw_name : "USER");
    *ret = host;
    return 0;
}

void docker__host_clear(struct docker__host *host)
{
    free(host->name);
    free(host->socket_path);
    free(host->base_url);
    free(host->ca);
    free(host->cert);
    free(host->key);
    free(host->user);
    *host = (struct docker__host){0};
}
