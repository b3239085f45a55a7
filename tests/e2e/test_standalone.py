"""recover and clean with no daemon running: the same, in the command's own process."""

import re
import signal
import socket

import pytest
from autopilot import WATCHFUL, act, runs, wait_decision
from checks import (QUICK_RECOVER, assert_clean_shutdown, assert_order, exhaust, postgres_log,
                    running)
from lab import wait_until
from unread import Unread


def test_a_stack_comes_back_without_a_daemon(lab, stack, supervisor):
    project = stack("diamond")
    supervisor.configure(QUICK_RECOVER)
    lab.leak(project, "a", pool=10)
    lab.wait_until(lambda: lab.psql(project, "SELECT count(*) FROM pg_stat_activity WHERE "
                                             "application_name = 'a' AND state_change < now() - "
                                             "interval '200ms'") == "10", 10, "idle sessions")
    cleaned = supervisor.ctl("clean", "--standalone", "--yes", "--idle", "100ms")
    assert cleaned.code == 0 and "ended: 1" in cleaned.out, cleaned

    exhaust(lab, project, "a", "b")
    assert supervisor.ctl("status").code == 4  # nobody listens
    assert supervisor.ctl("status", "--standalone").code == 3
    log = postgres_log(lab, project)
    shown = supervisor.json("recover", "--standalone", "--plan")
    with lab.events() as events:
        answer = supervisor.ctl("recover", "--standalone", "--yes")
        assert answer.code == 0, answer.out + answer.err
        assert_order(shown, events.all())
    assert_clean_shutdown(postgres_log(lab, project)[len(log):])
    assert supervisor.ctl("status", "--standalone").code == 0
    # The journal is the daemon's: a daemon knows of it afterwards.
    supervisor.start()
    runs = supervisor.json("runs")["runs"]
    assert [(run["playbook"], run["state"]) for run in runs] == [("recover", "succeeded"),
                                                                ("clean", "succeeded")]
    assert runs[0]["plan_id"] == shown["id"]

    # While it runs, nobody else acts on the same state directory.
    before = running(lab, project)
    for command in (["recover", "--yes"], ["clean", "--yes"], ["status"]):
        refused = supervisor.ctl(*command, "--standalone")
        assert refused.code == 5 and f"pid {supervisor.process.pid}" in refused.err, refused
    assert running(lab, project) == before and len(supervisor.json("runs")["runs"]) == 2


@pytest.mark.long
def test_an_unfinished_run_without_a_daemon_is_carried_on_by_the_next(lab, stack, supervisor):
    project = stack("stubborn")
    supervisor.configure(QUICK_RECOVER)
    before = running(lab, project)
    mule = lab.container(project, "mule")
    with lab.events() as events:
        command = supervisor.spawn("recover", "--standalone", "--yes")
        events.wait(lambda one: one.action == "die" and one.name == mule)
        daemon = supervisor.spawn_daemon()
        assert daemon.wait(timeout=10) == 5
        assert f"pid {command.pid}" in supervisor.log()
        command.send_signal(signal.SIGKILL)
        command.wait()
    assert running(lab, project) < before
    supervisor.start()
    end = supervisor.follow(1).wait_end()
    assert end["state"] == "succeeded" and end["resumed"] and running(lab, project) == before
    assert [entry["type"] for entry in supervisor.json("run", "1")["entries"]].count("resume") == 1


def interrupted_at(lab, project, supervisor, action, service, *arguments):
    """`recover` in a command's own process, killed when the Engine tells of it: of that container's
    start, or death."""
    name = lab.container(project, service)
    with lab.events() as events:
        command = supervisor.spawn("recover", "--standalone", "--yes", *arguments)
        events.wait(lambda one: one.action == action and one.name == name)
        command.send_signal(signal.SIGKILL)
        command.wait()


@pytest.mark.long
def test_a_command_carries_on_behind_the_wait_for_the_database(lab, stack, supervisor):
    project = stack("diamond")
    # The database's address was found by a step that is done.
    supervisor.configure(QUICK_RECOVER.replace(
        "for: 100ms", "connections.utilization: '< 90%', for: 100ms"))
    before = running(lab, project)
    interrupted_at(lab, project, supervisor, "start", "a")
    answer = supervisor.ctl("recover", "--standalone", "--yes")
    assert answer.code == 0 and "joined run 1" in answer.err, answer
    run = supervisor.json("run", "1", "--standalone")
    assert run["state"] == "succeeded" and running(lab, project) == before
    ready = [entry["elapsed_ms"] for entry in run["entries"]
             if entry.get("action", "").startswith("wait-ready") and entry["state"] == "done"]
    resumed = [entry["elapsed_ms"] for entry in run["entries"] if entry["type"] == "resume"]
    assert len(ready) == len(resumed) == 1 and ready < resumed
    assert run["entries"][-1]["after"]["database"] == "ready"


@pytest.mark.long
def test_questions_leave_an_unfinished_run_as_it_is(lab, stack, supervisor):
    project = stack("diamond")
    supervisor.configure(QUICK_RECOVER)
    before = running(lab, project)
    interrupted_at(lab, project, supervisor, "die", "c")
    entries = supervisor.json("run", "1", "--standalone")["entries"]
    with lab.events() as events:
        for question in (["connections"], ["recover", "--plan"], ["clean", "--dry-run"],
                         ["playbooks"], ["version"]):
            answer = supervisor.ctl(*question, "--standalone")
            assert answer.code == 0, answer
        status = supervisor.ctl("status", "--standalone")
        assert status.code == 3 and "run 1 (recover) is unfinished" in status.out, status
        assert "1 recover interrupted" in status.out
        assert "supervisorctl --standalone attach" in status.out
        runs = supervisor.ctl("runs", "--standalone")
        assert "interrupted" in runs.out and "supervisorctl --standalone attach" in runs.err
        told = supervisor.ctl("run", "1", "--standalone")
        assert "it goes on" not in told.out and "supervisorctl --standalone attach" in told.out
        refused = supervisor.ctl("clean", "--standalone", "--yes", "--state-dir",
                                 supervisor.folder / "state")
        assert refused.code == 5, refused
        assert (f"supervisorctl --standalone --state-dir {supervisor.folder}/state attach"
                in refused.err)
        assert supervisor.json("run", "1", "--standalone")["entries"] == entries
        assert not [one for one in events.all() if one.action == "start"]
    attached = supervisor.ctl("attach", "--standalone")
    assert attached.code == 0 and "run 1 succeeded" in attached.out, attached
    assert running(lab, project) == before
    again = supervisor.ctl("attach", "--standalone")
    assert again.code == 1 and "no run is under way" in again.err


@pytest.mark.long
def test_an_abort_without_a_daemon_stays_until_all_is_up_again(lab, stack, supervisor):
    project = stack("diamond")
    supervisor.configure(QUICK_RECOVER)
    before = running(lab, project)
    interrupted_at(lab, project, supervisor, "die", "c")
    aborted = supervisor.ctl("abort", "--standalone")
    assert aborted.code == 0 and "run 1 aborted" in aborted.out, aborted
    assert running(lab, project) == before
    # A daemon finds nothing to do.
    supervisor.start()
    run = supervisor.json("run", "1")
    assert run["state"] == "aborted"
    assert [entry["type"] for entry in run["entries"]].count("resume") == 1


@pytest.mark.long
def test_ctrl_c_without_a_daemon_starts_again_what_was_stopped(lab, stack, supervisor):
    project = stack("stubborn")
    supervisor.configure(QUICK_RECOVER)
    before = running(lab, project)
    mule = lab.container(project, "mule")
    with lab.events() as events:
        command = supervisor.spawn("recover", "--standalone", "--yes")
        events.wait(lambda one: one.action == "kill" and one.name == mule)
        command.send_signal(signal.SIGINT)
        out, err = command.communicate(timeout=60)
    assert command.returncode == 1 and "winds up" in err, err
    assert "aborted" in out and running(lab, project) == before
    run = supervisor.json("run", "1", "--standalone")
    assert run["state"] == "aborted"


def test_a_state_directory_of_its_own_makes_no_second_run_on_a_stack(lab, stack, supervisor,
                                                                    tmp_path):
    """Two journals know nothing of one another; the stack is one supervisor's at a time."""
    project = stack("ports")
    supervisor.configure(QUICK_RECOVER)
    supervisor.start()
    before = running(lab, project)
    elsewhere = {"STACK_SUPERVISOR_STATE_DIR": str(tmp_path / "other")}
    with lab.events() as events:
        story = supervisor.begin()
        story.wait_action(f"stop:{lab.container(project, 'web')}", "running")
        beside = supervisor.ctl("recover", "--standalone", "--yes")
        assert beside.code == 5 and "--state-dir" not in beside.err, beside
        refused = supervisor.ctl("recover", "--standalone", "--yes", env=elsewhere)
        assert refused.code == 5, refused
        assert f"another supervisor (pid {supervisor.process.pid}) is at work" in refused.err
        end = story.wait_end()
        assert end["state"] == "succeeded", end
        died = [one.name for one in events.all() if one.action == "die"]
    assert len(died) == len(set(died)) == len(before), died
    assert running(lab, project) == before
    assert supervisor.ctl("recover", "--standalone", "--yes", env=elsewhere).code == 0


ON_ALERT = """
policies:
  - name: bloated
    on_alert: PostgresNeedsRestart
    ladder:
      - run: restart-database
        within: 60s
"""


@pytest.mark.long
def test_a_policys_run_beside_another_supervisors_is_due_again(lab, stack, supervisor):
    project = stack("ports")
    act(supervisor, WATCHFUL + ON_ALERT)
    with socket.socket(socket.AF_UNIX) as other:  # as another supervisor's run would
        other.bind(f"\0stack-supervisor/{lab.inspect(lab.postgres(project))['Id']}")
        other.listen()
        supervisor.api("POST", "/v1/alerts", {"version": "4", "status": "firing", "alerts": [
            {"status": "firing", "labels": {"alertname": "PostgresNeedsRestart"}}]})
        wait_decision(supervisor, 30, policy="bloated", decision="run")
        wait_until(lambda: supervisor.log().count("is at work on this stack") >= 2, 30,
                   "it to be refused, and once more")
        assert runs(supervisor) == []
    wait_until(lambda: [one["state"] for one in runs(supervisor)] == ["succeeded"], 60,
               f"the run to be made good:\n{supervisor.log()}")


@pytest.mark.long
@pytest.mark.parametrize("kind", ["pipe", "terminal"])
def test_what_it_prints_and_nobody_reads_holds_up_no_run(lab, stack, supervisor, kind):
    """Into `less`, or with Ctrl-S: the run is done, and told when somebody reads."""
    project = stack("ports")
    supervisor.configure(QUICK_RECOVER)
    before = running(lab, project)
    supervisor.environment |= {"TERM": "xterm", "NO_COLOR": "1"}
    unread = Unread(kind)
    try:
        with lab.events() as events:
            command = supervisor.spawn("recover", "--standalone", "--yes", out=unread.end)
            events.wait(lambda one: one.action == "die")
            unread.stop()
            events.wait(lambda one: one.action == "start"
                        and one.name == lab.container(project, "web"))
        lab.wait_until(lambda: running(lab, project) == before, 30, "what ran before to run")
        lab.wait_until(lambda: supervisor.ctl("status", "--standalone").code == 0, 30,
                       "the state directory to be another's")
        assert command.poll() is None  # it has something to tell
        lines = unread.read().wait("run 1 succeeded")
        assert command.wait(timeout=30) == 0
        if kind == "pipe":  # every line is told, and whole
            assert any(re.fullmatch(r"\+\d+\.\ds start \S+ done \S+.*", line) for line in lines), lines
            assert [line for line in lines if not re.match(r"\+\d|run 1 |before: |after: ", line)] == []
    finally:
        unread.close()
