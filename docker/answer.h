/* What an answer of the Engine means as an error, and how a path is written. Pure.
 *
 * May use: base, http.h (the answer's shape only).
 */
#ifndef DOCKER_ANSWER_H
#define DOCKER_ANSWER_H

#include "docker/http.h"

/* 0 for a good answer; else sets *e (codes as in docker.h) with the Engine's own message.
 * `method` and `path` name what a guard in front of the Engine denied. */
int docker__answer_check(const struct docker__answer *answer, const char *method, const char *path,
                         struct err *e);

/* True for the Engine's word that it does not speak the version we asked with. */
bool docker__answer_wants_other_version(const struct docker__answer *answer);

/* "1.43" to 43; 0 for anything else. */
int docker__parse_version(const char *text);

/* Percent-encodes everything but unreserved characters; the caller frees it. */
char *docker__escape(const char *text);

/* "abcdef012345" for a full id, the text itself for anything else; the caller frees it. */
char *docker__short_id(const char *id);

#endif
