/* Where the Engine is: an address as people write it, made into what curl needs.
 *
 * Reads the environment (DOCKER_HOST, DOCKER_TLS_VERIFY, DOCKER_CERT_PATH) for what the options
 * leave open, and looks whether certificates can be read; connects nothing. CLI contexts are not
 * followed: a daemon is told its engine.
 *
 * May use: base, libc.
 */
#ifndef DOCKER_HOST_H
#define DOCKER_HOST_H

#include "docker/docker.h"

struct docker__host {
    char *name;        /* "unix:///var/run/docker.sock", "tcp://host:2376": for people */
    char *socket_path; /* NULL: over tcp */
    char *base_url; /* "http://engine" (no name is looked up for a socket), "https://host:2376" */
    char *ca, *cert, *key; /* files; NULL: no TLS */
    char *user;            /* who we are, for the hint when the socket is closed to us */
};

int docker__host_resolve(const struct docker_options *options, struct docker__host *ret,
                         struct err *e);
void docker__host_clear(struct docker__host *host);

#endif
