/* Checks of one's own: check(NAME).state, passing or failing.
 *
 *     - name: shop-up
 *       http: http://backend:8000/healthz   # a GET; redirects are not followed
 *       expect: 200-399                     # or a list: [200, 301-308]
 *       contains: '"status":"ok"'           # within the first 256 KiB of the answer
 *     - name: amqp
 *       tcp: rabbitmq:5672                  # takes a connection and does not drop it at once
 *     - name: backup-fresh
 *       exec: [/usr/local/bin/backup-age, --max, 26h]   # exit code 0; on this host, no shell
 *       container: backend                  # or in the first running container of that service
 *       every: 10s
 *       timeout: 5s
 *       failures: 3                         # so many in a row make it failing
 *       successes: 1                        # and so many passing again
 *
 * The name of a service or container of the stack stands for the container's own address, so the
 * same words work as inside of the stack; other names are resolved as on this host. The state is
 * unknown until it was decided once, and when no verdict comes for a minute.
 *
 * May use: base, docker, policies, feed.h, libcurl.
 */
#ifndef WATCH_CHECKS_H
#define WATCH_CHECKS_H

#include "base/yaml.h"
#include "docker/stack.h"
#include "watch/feed.h"

struct checks;

/* The configuration's `checks:` list (NULL: none). NULL when there were errors, all of which are in
 * diags. The caller owns the result. Pure. */
struct checks *checks_read(const struct yaml_node *list, struct diag_list *diags);
struct checks *checks_free(struct checks *checks); /* accepts NULL; returns NULL */

size_t checks_count(const struct checks *checks);
const char *checks_name(const struct checks *checks, size_t index);

struct watch_checks;

struct watch_checks_options {
    struct loop *loop;
    struct docker *docker;
    struct feed *feed;
    const struct checks *checks; /* borrowed as long as the watch is */
};

/* Begins at once. */
struct watch_checks *watch_checks_new(const struct watch_checks_options *options);
/* What is under way is given up, programs are killed. Before docker_free and feed_free. Accepts
 * NULL; returns NULL. */
struct watch_checks *watch_checks_free(struct watch_checks *watch);

/* The newest model, for the addresses of its containers; takes a reference. */
void watch_checks_stack(struct watch_checks *watch, struct stack *stack);

/* [{"name","state","problem","took_ms"}]: state is passing, failing or unknown; problem is the last
 * try's, or null. The caller owns it. */
json_t *watch_checks_json(const struct watch_checks *watch);

#endif
