/* The words of the control socket: paths, field names and values that daemon and command share.
 * docs/api.md shows every object whole.
 *
 * Version 1
 *   1.0  version, status, plan, runs, connections, clean (dry run), playbooks
 *   1.1  policies, observations, decisions, pause, resume, alerts; whom a run means (options
 *        containers and services, in a plan's query too)
 *   1.2  a trial of the receivers (notify/test)
 *
 * May use: nothing.
 */
#ifndef CONTROL_WIRE_H
#define CONTROL_WIRE_H

#define WIRE_API               "1.2"
#define WIRE_SOCKET_DEFAULT    "/run/stack-supervisor/control.sock"
#define WIRE_READ_SOCKET       "read.sock" /* beside it, when there is a control.read_group */
#define WIRE_STATE_DIR_DEFAULT "/var/lib/stack-supervisor"
#define WIRE_CONFIG_DEFAULT    "/etc/stack-supervisor/supervisor.yaml"

/* Each flag has an environment twin; the flag wins. An empty variable is one that is not set. */
#define WIRE_ENV_CONFIG      "STACK_SUPERVISOR_CONFIG"
#define WIRE_ENV_STATE_DIR   "STACK_SUPERVISOR_STATE_DIR"
#define WIRE_ENV_SOCKET      "STACK_SUPERVISOR_SOCKET"
#define WIRE_ENV_DOCKER_HOST "STACK_SUPERVISOR_DOCKER_HOST"
#define WIRE_ENV_JSON        "STACK_SUPERVISOR_JSON"
#define WIRE_ENV_STANDALONE  "STACK_SUPERVISOR_STANDALONE"
#define WIRE_ENV_COLOR       "STACK_SUPERVISOR_COLOR"
#define WIRE_ENV_TIMEOUT     "STACK_SUPERVISOR_TIMEOUT"
#define WIRE_ENV_MODE        "STACK_SUPERVISOR_MODE"

/*  GET  /v1/version               who answers
 *  GET  /v1/status                stack, database, the present run: asked live
 *  GET  /v1/playbooks             names and what each is for
 *  GET  /v1/plan?playbook=NAME    the plan as it would run now
 *  GET  /v1/connections           who holds the connections
 *  POST /v1/clean                 {"dry_run":true, rules…}: what `clean` would end; the rules are
 *                                 those of a playbook's clean step (idle, idle_in_transaction,
 *                                 applications, roles, databases, clients, containers, protect,
 *                                 superusers, all)
 *  GET  /v1/runs                  the last runs, newest first
 *  POST /v1/runs                  {"playbook":…, "plan_id":…, "trigger":…, "options":{rules…}}:
 *                                 start one, or join the one there is
 *  GET  /v1/runs/ID               one run with its plan and its entries
 *  GET  /v1/runs/ID/events        server-sent events: all entries from the first, then live ones
 *  POST /v1/runs/ID/abort         stop what it does, start what it stopped
 *
 *  GET  /v1/policies              each policy, and where it stands
 *  GET  /v1/observations          the newest value of everything that is watched
 *  GET  /v1/decisions?limit=N     the last decisions, also those not to act, newest first
 *  POST /v1/decisions/ID/approve  do what a policy of mode `ask` asks for
 *  POST /v1/decisions/ID/deny     do not
 *  POST /v1/pause                 {"for":"30m", "reason":…}: no policy acts meanwhile
 *  POST /v1/resume                they may again
 *  POST /v1/notify/test           {"receiver":…}: send it, or all, one notification
 *  POST /v1/alerts                an Alertmanager webhook (version 4)
 *
 *  GET  /                         the status page, for people
 *  GET  /metrics                  in the text format of Prometheus, 0.0.4
 *
 * A failure is {"error":{"code":…,"message":…,"hint":…}} with the fitting status. */
#define WIRE_VERSION      "/v1/version"
#define WIRE_STATUS       "/v1/status"
#define WIRE_PLAYBOOKS    "/v1/playbooks"
#define WIRE_PLAN         "/v1/plan"
#define WIRE_CONNECTIONS  "/v1/connections"
#define WIRE_CLEAN        "/v1/clean"
#define WIRE_RUNS         "/v1/runs"
#define WIRE_EVENTS       "/events" /* behind a run's path */
#define WIRE_ABORT        "/abort"
#define WIRE_POLICIES     "/v1/policies"
#define WIRE_OBSERVATIONS "/v1/observations"
#define WIRE_DECISIONS    "/v1/decisions"
#define WIRE_APPROVE      "/approve" /* behind a decision's path */
#define WIRE_DENY         "/deny"
#define WIRE_PAUSE        "/v1/pause"
#define WIRE_RESUME       "/v1/resume"
#define WIRE_NOTIFY_TEST  "/v1/notify/test"
#define WIRE_ALERTS       "/v1/alerts"
#define WIRE_PAGE         "/"
#define WIRE_STYLE        "/style.css"
#define WIRE_METRICS      "/metrics"

/* Entries of a run: what the journal keeps and the event stream sends. Each has "seq" (from 1),
 * "at" (UTC) and "type":
 *   begin     run, playbook, project, plan_id, trigger, requester
 *   action    action (its id in the plan), state, text, took_ms, error, detail
 *   progress  action, text           – live only: not kept, no "seq"
 *   evidence  what                   – "connections" | "logs" | "containers", detail
 *   note      text                   – something a person should know; with action and detail: what
 *             an action keeps because it has to give it back, or had done when it was given up
 *   abort     by
 *   resume    text                   – a new life of the daemon carries the run on
 *   end       state, text, took_ms, critical_ms, overhead, own_ms ({action: ms}: what the world
 *             needed of each), left_stopped, before, after */
#define WIRE_ENTRY_BEGIN    "begin"
#define WIRE_ENTRY_ACTION   "action"
#define WIRE_ENTRY_PROGRESS "progress"
#define WIRE_ENTRY_EVIDENCE "evidence"
#define WIRE_ENTRY_NOTE     "note"
#define WIRE_ENTRY_ABORT    "abort"
#define WIRE_ENTRY_RESUME   "resume"
#define WIRE_ENTRY_END      "end"

/* States of an action: "running", then one of "done", "failed", "skipped".
 * States of a run: "running", "aborting", then one of "succeeded", "failed", "aborted". */

/* Exit codes of supervisorctl. */
enum wire_exit {
    WIRE_EXIT_DONE = 0,
    WIRE_EXIT_FAILED = 1,
    WIRE_EXIT_USAGE = 2,
    WIRE_EXIT_DEGRADED = 3,
    WIRE_EXIT_UNREACHABLE = 4, /* no daemon there, or no permission */
    WIRE_EXIT_REFUSED = 5,     /* another run, a plan that has changed, paused, out of budget */
    WIRE_EXIT_TIMEOUT = 124,
};

#endif
