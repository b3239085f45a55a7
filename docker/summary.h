/* A container as the Engine's list tells it. Pure.
 *
 * May use: base, docker.h.
 */
#ifndef DOCKER_SUMMARY_H
#define DOCKER_SUMMARY_H

#include "docker/docker.h"

/* From one item of GET /containers/json; false when it is none. Cleared with the next. */
bool docker__summary_from_json(const json_t *item, struct docker_summary *ret);
void docker__summary_clear(struct docker_summary *summary);

/* What can be said of a container that the Engine lists but does not inspect in time: name, image,
 * labels, state. The caller owns one reference. */
struct container *docker__container_from_summary(const struct docker_summary *summary);

#endif
