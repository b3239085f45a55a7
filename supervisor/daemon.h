/* The daemon around the application: its options, its signals, its socket.
 *
 * SIGTERM and SIGINT end it in an orderly manner (a run is left at an action's boundary for the
 * next life), SIGHUP reads the configuration anew, SIGUSR1 asks for the playbook `recover`.
 *
 * May use: everything below supervisor/.
 */
#ifndef SUPERVISOR_DAEMON_H
#define SUPERVISOR_DAEMON_H

#include "policies/policy.h"

struct daemon_options {
    const char *config_path; /* NULL: the default path, if there is one */
    const char *state_dir;
    const char *socket_path;
    const char *docker_host; /* may be NULL */
    enum policy_mode mode;   /* no policy does more than this */
};

/* Runs until told to stop; the process's exit code (control/wire.h). */
int daemon_run(const struct daemon_options *options);

#endif
