"""A stack whose PostgreSQL is out of connections comes back, in the right order."""

import pytest
from checks import (QUICK_RECOVER, assert_at_once, assert_clean_shutdown, assert_order, exhaust,
                    long_but, postgres_log, spans, variant)
from lab import wait_until

OWN_PLAYBOOK = """
stack: PROJECT
playbooks:
  recover:
    description: the same in other words
    steps:
      - capture: evidence
      - stop: [frontend, worker]
      - stop: [backend, cache]
      - restart: database
      - wait: database ready
      - start: apps
      - verify: {services: healthy, connections.utilization: "< 50%", for: 200ms}
"""

#   stack, flavour, options of `up`, who leaks, what they leave open, who moves side by side,
#   configuration
SCENARIOS = {
    "compose v1, no configuration": ("five", "v1", {}, ["backend", "worker"], "idle",
                                     ("worker", "frontend"), ""),
    "compose v2, no configuration": ("five", "v2", {}, ["backend", "worker"], "idle",
                                     ("worker", "frontend"), ""),
    "compose v2, a playbook of its own": ("five", "v2", {}, ["backend", "worker"], "idle",
                                          ("worker", "frontend"), OWN_PLAYBOOK),
    "compose v1, a diamond, open transactions": ("diamond", "v1", {}, ["a", "c"], "idle_tx",
                                                 ("a", "b"), QUICK_RECOVER),
    "compose v1, replicas": ("replicas", "v1", {"scale": {"worker": 4}}, ["worker"], "idle",
                             ("worker", "worker"), QUICK_RECOVER),
}
OFTEN = ["compose v2, no configuration", "compose v1, a diamond, open transactions"]


@pytest.mark.parametrize("scenario", long_but(SCENARIOS, OFTEN))
def test_a_stack_out_of_connections_comes_back_in_order(lab, stack, supervisor, scenario):
    name, flavour, options, leaking, mode, pair, configuration = SCENARIOS[scenario]
    project = stack(name, flavour, **options)
    supervisor.configure(configuration.replace("PROJECT", project))
    supervisor.start()
    assert supervisor.ctl("status").code == 0
    exhaust(lab, project, *leaking, mode=mode)
    # A machine that has more to do than it can may keep a login waiting: "hung" for the moment.
    wait_until(lambda: supervisor.json("status", code=3)["database"]["state"] == "exhausted", 60,
               "the status to say so")
    assert supervisor.json("status", code=3)["status"] == "degraded"

    before = postgres_log(lab, project)
    shown = supervisor.json("recover", "--plan")
    with lab.events() as events:
        answer = supervisor.ctl("recover", "--yes")
        assert answer.code == 0, answer.out + answer.err
        assert supervisor.ctl("status").code == 0
        happened = events.all()

    run = supervisor.json("run", "1")
    assert run["state"] == "succeeded" and run["plan"] == shown
    known = assert_order(shown, happened)
    one, other = lab.container(project, pair[0]), lab.containers(project, pair[1])[-1].name
    assert_at_once(known, one, other)
    assert_at_once(known, one, other, "start:{}", "wait-healthy:{}")
    assert_ready_before_apps(shown, run, happened)
    assert_clean_shutdown(postgres_log(lab, project)[len(before):])
    assert lab.refusal(project) == ""


def assert_ready_before_apps(plan, run, events):
    """No application was started before PostgreSQL took logins."""
    ready = [entry["elapsed_ms"] for entry in run["entries"] if entry["type"] == "action"
             and entry["action"].startswith("wait-ready") and entry["state"] == "done"]
    intents = [entry["elapsed_ms"] for entry in run["entries"] if entry["type"] == "action"
               and entry["action"].startswith("start:") and entry["state"] == "running"]
    assert len(ready) == 1 and sum(1 for intent in intents if intent < ready[0]) == 1
    database = next(one["container"] for one in plan["actions"] if one["kind"] == "wait-ready")
    starts = [one.name for one in events if one.action == "start"]
    assert starts[0] == database


def test_a_postgresql_whose_stop_signal_waits_for_clients_is_ended_cleanly(lab, stack, supervisor,
                                                                           tmp_path):
    def edit(services):
        # Smart shutdown: it would wait for every client to leave, for the whole grace of 60 s.
        services["postgres"] |= {"stop_signal": "SIGTERM", "restart": "unless-stopped"}

    project = stack(variant(tmp_path, "ports", edit))
    supervisor.configure(QUICK_RECOVER)
    supervisor.start()
    # Two clients that belong to no application: one at work, one in an open transaction.
    for sql in ("SELECT pg_sleep(600)", "BEGIN; SELECT pg_sleep(600)"):
        lab.docker("exec", "--detach", lab.postgres(project), "psql", "-U", "app", "-h",
                   "127.0.0.1", "-d", "app", "-c", sql)
    lab.wait_until(lambda: "2" == lab.psql(
        project, "SELECT count(*) FROM pg_stat_activity WHERE query ~ '^(BEGIN; )?SELECT pg_sleep'"
        " AND state = 'active'"), 10, "the two clients")
    before = postgres_log(lab, project)
    run = supervisor.json("recover", "--yes")
    assert run["state"] == "succeeded"
    took = {entry["action"]: entry["took_ms"] for entry in run["entries"]
            if entry["type"] == "action" and entry["state"] == "done"}
    assert took[f"stop:{lab.postgres(project)}"] < 10000
    assert_clean_shutdown(postgres_log(lab, project)[len(before):])


def test_applications_that_ignore_sigterm_cost_their_grace_only_once(lab, stack, supervisor):
    project = stack("stubborn")
    supervisor.configure(QUICK_RECOVER)
    daemon = supervisor.start()
    with lab.events() as events:
        assert daemon.ctl("recover", "--yes").code == 0
        happened = events.all()
    plan = daemon.json("run", "1")["plan"]
    known = spans(plan, happened)
    mule, ox = (lab.container(project, name) for name in ("mule", "ox"))
    for name in (mule, ox):
        began, ended = known[f"stop:{name}"]
        assert ended - began > 2.9e9, "its own grace of 3 s was not kept"
    began = min(known[f"stop:{name}"][0] for name in (mule, ox))
    ended = max(known[f"stop:{name}"][1] for name in (mule, ox))
    assert ended - began < 5e9, "the two were stopped one after the other"
    texts = [entry["text"] for entry in daemon.json("run", "1")["entries"]
             if entry.get("action") == f"stop:{mule}"]
    assert "killed after its grace of 3s" in texts[-1]
