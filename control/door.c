/* See door.h. */
#include "control/door.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BACKLOG = 4096, TOKEN_MIN = 16, TOKEN_MAX = 4096, PORT_MAX = 65535 };

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* --- listening -------------------------------------------------------------------------------- */

/* The host's length and the port behind its last colon; false when there is none. */
static bool split(const char *text, size_t *ret_host_len, int *ret_port)
{
    const char *colon = strrchr(text, ':');
    int port = 0;
    if (!colon || !colon[1] || strspn(colon + 1, "0123456789") != strlen(colon + 1) ||
        strlen(colon + 1) > 5)
        return false;
    for (const char *digit = colon + 1; *digit; digit++)
        port = port * 10 + (*digit - '0');
    *ret_host_len = (size_t)(colon - text);
    *ret_port = port;
    return port > 0 && port <= PORT_MAX;
}

static bool is(const char *text, size_t len, const char *word)
{
    return strlen(word) == len && strncmp(text, word, len) == 0;
}

static int resolve(const char *section, const char *text, union address *ret, socklen_t *ret_len,
                   struct err *e)
{
    size_t len;
    int port;
    if (!split(text, &len, &port))
        return err_set(e, ERR_INVALID, "%s: listen: '%s' is not of the form 127.0.0.1:9497",
                       section, text);
    *ret = (union address){0};
    if (is(text, len, "[::1]")) {
        ret->v6.sin6_family = AF_INET6;
        ret->v6.sin6_addr = in6addr_loopback;
        ret->v6.sin6_port = htons((uint16_t)port);
        *ret_len = sizeof ret->v6;
        return 0;
    }
    if (!is(text, len, "127.0.0.1") && !is(text, len, "localhost")) {
        err_set(e, ERR_INVALID, "%s: listen: %s is not this machine's loopback address", section,
                text);
        err_hint(e, "listen on 127.0.0.1 and put a reverse proxy before it for others");
        return -(int)ERR_INVALID;
    }
    ret->v4.sin_family = AF_INET;
    ret->v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ret->v4.sin_port = htons((uint16_t)port);
    *ret_len = sizeof ret->v4;
    return 0;
}

int control__door_listen(const char *section, const char *address, int *ret_fd, struct err *e)
{
    union address where;
    socklen_t len = 0;
    int yes = 1;
    int failed = resolve(section, address, &where, &len, e);
    if (failed)
        return failed;
    int fd = socket(where.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0 &&
        bind(fd, &where.any, len) == 0 && listen(fd, BACKLOG) == 0) {
        *ret_fd = fd;
        return 0;
    }
    int problem = errno;
    if (fd >= 0)
        close(fd);
    err_set(e, problem == EADDRINUSE ? ERR_CONFLICT : ERR_FAILED, "%s: cannot listen on %s: %s",
            section, address, strerror(problem));
    err_hint(e, "choose another port with %s.listen", section);
    return -(int)e->code;
}

/* --- the token -------------------------------------------------------------------------------- */

static int read_token(int fd, const char *path, char **ret, struct err *e)
{
    char text[TOKEN_MAX + 2];
    struct stat file;
    if (fstat(fd, &file) == 0 && S_ISREG(file.st_mode) && (file.st_mode & S_IROTH)) {
        err_set(e, ERR_PERMISSION, "alerts: the token in %s may be read by everybody", path);
        err_hint(e, "chmod 0640 %s", path);
        return -(int)ERR_PERMISSION;
    }
    ssize_t len = read(fd, text, sizeof text - 1);
    if (len < 0)
        return err_set(e, ERR_FAILED, "alerts: the token in %s: %s", path, strerror(errno));
    text[len] = '\0';
    size_t used = strcspn(text, "\r\n");
    if (used < TOKEN_MIN || used > TOKEN_MAX)
        err_set(e, ERR_INVALID, "alerts: the token in %s must have %d to %d characters", path,
                TOKEN_MIN, TOKEN_MAX);
    else
        *ret = mem_strndup(text, used);
    explicit_bzero(text, sizeof text);
    if (*ret)
        return 0;
    err_hint(e, "openssl rand -hex 24 >%s", path);
    return -(int)ERR_INVALID;
}

int control__door_token(const char *path, char **ret, struct err *e)
{
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    *ret = NULL;
    if (fd < 0)
        return err_set(e, errno == EACCES ? ERR_PERMISSION : ERR_NOT_FOUND,
                       "alerts: the token in %s: %s", path, strerror(errno));
    return read_token(fd, path, ret, e);
}

/* --- who may pass ----------------------------------------------------------------------------- */

static bool is_this_machine(const char *host)
{
    size_t len;
    int port;
    if (!host)
        return false;
    if (!split(host, &len, &port))
        len = strlen(host);
    return is(host, len, "localhost") || is(host, len, "127.0.0.1") || is(host, len, "[::1]");
}

/* In a time that depends on nothing but the length of what was sent. */
static bool same_secret(const char *sent, const char *token)
{
    size_t len = strlen(sent);
    size_t token_len = strlen(token);
    unsigned char differs = len != token_len;
    for (size_t i = 0; i < len; i++)
        differs |= (unsigned char)(sent[i] ^ token[i % token_len]);
    return !differs;
}

int control__door_host(const char *host, struct err *e)
{
    if (is_this_machine(host))
        return 0;
    err_set(e, ERR_PERMISSION, "the Host of the request is not this machine's");
    err_hint(e, "ask http://127.0.0.1 itself, or set the Host in the reverse proxy");
    return 403;
}

int control__door_bearer(const char *authorization, const char *token, struct err *e)
{
    static const char scheme[] = "Bearer ";
    if (authorization && strncasecmp(authorization, scheme, sizeof scheme - 1) == 0 &&
        same_secret(authorization + sizeof scheme - 1, token))
        return 0;
    err_set(e, ERR_PERMISSION, "the bearer token is missing or wrong");
    err_hint(e, "Authorization: Bearer, and the content of alerts.token_file");
    return 401;
}
