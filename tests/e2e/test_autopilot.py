"""Nobody is at the keyboard: the daemon sees trouble, and cures it with the least that works."""

import signal
import time

import pytest
from autopilot import act, decisions, runs, wait_calm, wait_decision, wait_observation
from checks import lives, postgres_log, variant
from lab import wait_until


def assert_nothing_was_restarted(lab, project, before):
    now = lives(lab, project)
    assert now == before, {name: (before.get(name), now.get(name)) for name in before | now
                           if before.get(name) != now.get(name)}


def refusals(lab, project):
    return [line for line in postgres_log(lab, project)
            if "too many clients" in line or "remaining connection slots" in line]


def test_a_slow_leak_is_cleaned_before_anybody_is_refused(lab, stack, supervisor):
    """(a) One more idle session every few seconds; those that idle for a minute are ended."""
    project = stack("five")
    act(supervisor)
    before = lives(lab, project)
    for held in range(3, 40):
        lab.leak(project, "worker", pool=held, mode="idle", rate=50)
        if decisions(supervisor, policy="pressed", decision="run"):
            break
        time.sleep(4.5)  # the leak's own pace: 13 a minute
    run = wait_decision(supervisor, 30, policy="pressed", decision="run")
    assert run["playbook"] == "clean" and not run["disruptive"]
    wait_observation(supervisor, "connections.utilization", lambda it: it and it < 0.6, timeout=90)
    assert refusals(lab, project) == []
    assert_nothing_was_restarted(lab, project, before)
    assert {one["playbook"] for one in runs(supervisor)} == {"clean"}


def test_sudden_exhaustion_by_many_services_ends_in_an_ordered_recovery(lab, stack, supervisor):
    """(c) No one container is to blame, and cleaning does not hold."""
    project = stack("five")
    act(supervisor)
    for service in ("backend", "worker"):  # half of the 27 slots each, and a few more
        lab.leak(project, service, pool=14, mode="idle", reopen=True)
    lab.wait_refused(project)
    healed = wait_decision(supervisor, 150, decision="healed", policy="exhausted")
    tried = decisions(supervisor, policy="exhausted", decision="run")
    assert [one["playbook"] for one in tried] == ["clean", "recover"]
    assert [one["id"] for one in tried] < [healed["id"]]
    assert lab.refusal(project) == ""
    lab.wait_healthy(project, timeout=30)
    last = supervisor.json("run", str(tried[-1]["run"]))
    assert last["trigger"] == "policy" and last["state"] == "succeeded"
    assert last["requester"] == f"policy exhausted, decision {tried[-1]['id']}"


@pytest.mark.long
def test_a_storage_stall_restarts_nothing(lab, stack, supervisor):
    """(e) The postmaster stands still for 20 s: it hangs, and that is no reason to kill it."""
    project = stack("five")
    act(supervisor)
    before = lives(lab, project)
    lab.freeze_postgres(project)
    try:
        wait_observation(supervisor, "database.state", lambda it: it == "hung", timeout=30)
        began = time.monotonic()
        wait_until(lambda: time.monotonic() - began > 20, 30, "the stall to have lasted 20 s")
    finally:
        lab.thaw_postgres(project)
    wait_observation(supervisor, "database.state", lambda it: it == "ready", timeout=30)
    lab.wait_healthy(project, timeout=60)
    wait_calm(supervisor)
    assert_nothing_was_restarted(lab, project, before)
    assert [one for one in runs(supervisor) if one["playbook"] != "clean"] == []


def test_a_database_that_was_killed_replays_its_wal_in_peace(lab, stack, supervisor, tmp_path):
    """(d) Its container is brought back by Docker; the apps find it again by themselves."""
    def edit(services):
        services["postgres"]["restart"] = "always"

    project = stack(variant(tmp_path, "five", edit))
    act(supervisor)
    lab.psql(project, "CREATE TABLE filler AS SELECT generate_series(1, 300000) AS n")
    before = lives(lab, project)
    database = lab.postgres(project)
    lab.signal(database, signal.SIGKILL)
    wait_until(lambda: lives(lab, project).get(database, before[database]) != before[database], 30,
               "Docker to have started the database again")
    wait_observation(supervisor, "database.state", lambda it: it == "ready", timeout=60)
    lab.wait_healthy(project, timeout=60)
    wait_calm(supervisor)
    assert "not properly shut down; automatic recovery" in "\n".join(postgres_log(lab, project))
    now = lives(lab, project)
    assert {name for name in now if now[name] != before[name]} == {database}
    assert runs(supervisor) == []


def test_a_backend_that_was_killed_restarts_no_container(lab, stack, supervisor):
    """(d) again, inside the server: it ends all sessions, and replays its WAL."""
    project = stack("five")
    act(supervisor)
    before = lives(lab, project)
    pid = lab.psql(project, "SELECT pid FROM pg_stat_activity WHERE application_name = 'worker'"
                            " LIMIT 1")
    lab.exec(lab.postgres(project), ["kill", "-9", pid.strip()])
    wait_until(lambda: "all server processes terminated; reinitializing"
               in "\n".join(postgres_log(lab, project)), 20, "the crash recovery")
    wait_observation(supervisor, "database.state", lambda it: it == "ready", timeout=60)
    lab.wait_healthy(project, timeout=60)
    wait_calm(supervisor)
    assert_nothing_was_restarted(lab, project, before)
    assert runs(supervisor) == []
