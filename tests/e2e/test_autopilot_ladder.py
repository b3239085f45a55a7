"""Nobody is at the keyboard: what the daemon does when nothing helps, who is left alone, and the
smallest cut that works. The other half is in test_autopilot.py."""

import time

import pytest
from autopilot import (WATCHFUL, Pager, act, decisions, observation, policy, runs, wait_calm,
                       wait_decision, wait_observation)
from checks import lives, running, variant
from lab import wait_until
from traffic import Traffic, address


UNHEALTHY_SOON = """
policies:
  - name: unhealthy
    when: any service.health == unhealthy and database.state == ready
    for: 3s
    ladder:
      - run: restart-unhealthy
        with: {services: "${services.unhealthy.names}"}
        verify: not (any service.health == unhealthy or any service.health == starting)
        within: 10s
    cooldown: 2s
    budget: 2 per 1h
    then: notify
    rearm: {after: 5s}
playbooks:
  restart-unhealthy:
    - restart: selected
      timeout: 10s
"""


@pytest.mark.long
def test_what_cannot_be_healed_costs_a_budget_and_one_notification(lab, stack, supervisor,
                                                                   tmp_path):
    """(f) A check that never passes again."""
    def edit(services):
        services["worker"]["healthcheck"]["test"] = [
            "CMD", "sh", "-c", "test ! -e /tmp/sick && leaky check"]

    project = stack(variant(tmp_path, "five", edit))
    pager = Pager(tmp_path)
    act(supervisor, WATCHFUL + UNHEALTHY_SOON + pager.configuration("handed-over", "healed"))
    before = lives(lab, project)
    sick = lab.container(project, "worker")
    lab.exec(sick, ["touch", "/tmp/sick"])
    lab.wait_unhealthy(project, "worker")
    wait_decision(supervisor, 90, policy="unhealthy", decision="hand-over")
    wait_until(lambda: pager.events(), 20, "somebody to be told")
    wait_until(lambda: len(decisions(supervisor, policy="unhealthy", refusal="budget")) > 0
               or len(runs(supervisor)) >= 2, 60, "the budget to be met")
    began = time.monotonic()
    wait_until(lambda: time.monotonic() - began > 15, 20, "several re-armings to have gone by")
    assert len(runs(supervisor)) <= 2, "more than the budget"
    assert pager.events() == ["handed-over"]
    assert pager.told()[0]["run"] == 1, "which run did not help?"
    now = lives(lab, project)
    assert {name for name in now if now[name] != before.get(name)} <= {sick}


@pytest.mark.long
def test_a_deploy_by_hand_is_nobody_elses_business(lab, stack, supervisor):
    """(g) Stopped, started, recreated: by somebody who is at it."""
    project = stack("five")
    act(supervisor, WATCHFUL + UNHEALTHY_SOON)
    lab.docker("stop", "-t", "1", lab.container(project, "backend"))
    lab.docker("stop", "-t", "5", lab.postgres(project))
    wait_observation(supervisor, "database.state", lambda it: it == "stopped", timeout=30)
    assert observation(supervisor, "service(backend).health") is None
    shown = supervisor.ctl("status")
    assert shown.code == 3, shown
    for name in (lab.container(project, "backend"), lab.postgres(project)):
        assert f"{name} was stopped by hand: left alone" in shown.out, shown
    for question in (["connections"], ["clean", "--dry-run"], ["status"]):
        answer = supervisor.ctl(*question)
        assert f"docker start {lab.postgres(project)}" in answer.out + answer.err, answer
    began = time.monotonic()
    wait_until(lambda: time.monotonic() - began > 10, 20, "ten seconds in this state")
    lab.compose(project, "up", "-d")
    lab.compose(project, "up", "-d", "--force-recreate", "worker")
    lab.wait_healthy(project, timeout=60)
    wait_observation(supervisor, "database.state", lambda it: it == "ready", timeout=30)
    wait_observation(supervisor, "service(worker).health", lambda it: it == "healthy", timeout=30)
    wait_calm(supervisor)
    assert runs(supervisor) == []
    assert decisions(supervisor, decision="run") == []
    assert policy(supervisor, "database-down")["state"] == "watching"
    assert len(running(lab, project)) == 5


def test_a_leak_that_comes_back_costs_one_container_its_life(lab, stack, supervisor):
    """(b) Open transactions, opened again whenever they are ended: only who leaks is restarted."""
    project = stack("five")
    act(supervisor)
    before = lives(lab, project)
    lab.leak(project, "worker", pool=26, mode="idle_tx", rate=2, reopen=True)
    leaker = lab.container(project, "worker")
    wait_until(lambda: lives(lab, project).get(leaker, before[leaker]) != before[leaker], 150,
               f"the leaker to be restarted:\n{supervisor.log()}")
    wait_observation(supervisor, "connections.utilization", lambda it: it and it < 0.6, timeout=60)
    lab.wait_healthy(project, timeout=60)
    wait_calm(supervisor)
    now = lives(lab, project)
    assert {name for name in now if now[name] != before[name]} == {leaker}
    ladder = [one["playbook"] for one in decisions(supervisor, decision="run")
              if one["policy"] in ("leaking", "exhausted")]
    assert ladder == ["clean", "restart-leaker"]
    restart = decisions(supervisor, decision="run", playbook="restart-leaker")[0]
    assert restart["params"] == {"containers": leaker}
    assert "clean did not help" in restart["sentence"]


ON_ALERT = """
policies:
  - name: bloated
    on_alert: PostgresNeedsRestart
    ladder:
      - run: restart-database
        within: 60s
"""


def test_clients_of_pgbouncer_notice_nothing_of_a_restart(lab, stack, supervisor, tmp_path):
    """(h) An alert from outside has PostgreSQL restarted; the clients wait, and none fails."""
    project = stack("pgbouncer")
    act(supervisor, WATCHFUL + ON_ALERT)
    before = lives(lab, project)
    traffic = Traffic(tmp_path, address(lab, lab.container(project, "pgbouncer")), 6432)
    try:
        traffic.wait_flowing()
        told = supervisor.api("POST", "/v1/alerts", {
            "version": "4", "status": "firing", "alerts": [
                {"status": "firing", "labels": {"alertname": "PostgresNeedsRestart"}}]})
        assert told == {"alerts": [
            {"name": "PostgresNeedsRestart", "firing": True, "policies": 1}]}
        run = wait_decision(supervisor, 30, policy="bloated", decision="run")
        wait_until(lambda: runs(supervisor) and runs(supervisor)[-1]["state"] == "succeeded", 60,
                   f"the run of decision {run['id']} to succeed:\n{supervisor.log()}")
        traffic.wait_flowing()
        assert traffic.errors() == []
    finally:
        traffic.end()
    now = lives(lab, project)
    assert {name for name in now if now[name] != before[name]} == {lab.postgres(project)}


@pytest.mark.long
def test_a_run_by_hand_that_another_process_ended_blinds_no_policy(lab, stack, supervisor):
    """Begun by the daemon, carried on by a command in its place: the next daemon acts as ever."""
    project = stack("five")
    act(supervisor)
    story = supervisor.begin("recover")
    story.wait_action(f"stop:{lab.container(project, 'worker')}", "done")
    assert supervisor.stop() == 0
    assert supervisor.ctl("recover", "--standalone", "--yes").code == 0
    lab.wait_healthy(project, timeout=60)
    act(supervisor)
    assert supervisor.api("GET", f"/v1/runs/{story.run}")["state"] == "succeeded"
    for service in ("backend", "worker"):
        lab.leak(project, service, pool=30, mode="idle", reopen=True)
    wait_decision(supervisor, 60, policy="exhausted", decision="run")


# So that a first start of seconds shows what one of minutes would.
HASTY = WATCHFUL + """
policies:
  - name: database-down
    when: database.state == refused
    for: 1s
    ladder: [{run: recover, verify: database.state == ready, within: 1m}]
"""


def test_a_database_is_let_finish_its_first_start(lab, stack, supervisor):
    """Its init scripts run for seconds, with nobody listening on the network. A restart in the
    middle would leave a database that is half made, and taken for a whole one ever after."""
    act(supervisor, HASTY)
    project = stack("trap", "v2", healthy=False)
    began = lab.inspect(lab.postgres(project))["State"]["StartedAt"]
    wait_observation(supervisor, "database.state", lambda state: state == "starting")
    wait_observation(supervisor, "database.state", lambda state: state == "ready")
    assert runs(supervisor) == []
    assert lab.inspect(lab.postgres(project))["State"]["StartedAt"] == began


@pytest.mark.long
def test_a_database_that_is_asked_for_at_the_wrong_port_is_left_alone(lab, stack, supervisor):
    project = stack("five")
    address = lab.pg_address(project)[0]
    act(supervisor, HASTY + f"database: {{connect: 'host={address} port=5433 user=postgres'}}\n")
    before = lives(lab, project)
    wait_observation(supervisor, "database.state", lambda state: state == "starting")
    began = time.monotonic()
    wait_until(lambda: time.monotonic() - began > 5, 10, "five times as long as it takes to act")
    assert runs(supervisor) == [] and lives(lab, project) == before
    assert "has not answered since its container started" in supervisor.log()
    assert "check host and port" in supervisor.log()
