"""What is known of a run: while it goes on, and long after."""

from itertools import pairwise

import pytest
from checks import all_before, exhaust, spans

# ---- one run, told from all sides ------------------------------------------------------------------


class Recovered:
    """A five-service stack that was exhausted and recovered once, and what was seen of it."""

    def __init__(self, lab, daemon, project):
        self.lab, self.daemon, self.project = lab, daemon, project
        exhaust(lab, project, "backend", "worker")
        self.held = {name: int(lab.psql(project, "SELECT count(*) FROM pg_stat_activity WHERE "
                                                 f"application_name = '{name}'"))
                     for name in ("backend", "worker")}
        with lab.events() as events:
            command = daemon.spawn("recover", "--yes")
            self.pid = command.pid
            events.wait(lambda one: one.action == "start" and one.service == "backend")
            self.attached = daemon.spawn("attach")
            self.out, _ = command.communicate(timeout=120)
            self.attached_out, _ = self.attached.communicate(timeout=10)
            self.events = events.all()
        self.run = daemon.json("run", "1")
        self.end = self.run["entries"][-1]


@pytest.fixture(scope="module")
def recovered(lab, lasting_stack, lasting_supervisor):
    project = lasting_stack("five")
    return Recovered(lab, lasting_supervisor.start(), project)


def entries_of(run, kind):
    return [entry for entry in run["entries"] if entry["type"] == kind]


def test_the_story_tells_who_asked_and_why(recovered):
    run = recovered.run
    assert run["trigger"] == "command" and run["playbook"] == "recover"
    assert run["requester"] == f"uid 0 (root), pid {recovered.pid}"
    assert run["project"] == recovered.project and run["state"] == "succeeded"
    begin = run["entries"][0]
    assert begin["type"] == "begin" and begin["requester"] == run["requester"]
    assert begin["plan_id"] == run["plan"]["id"] == run["plan_id"]
    assert [entry["seq"] for entry in run["entries"]] == list(range(1, len(run["entries"]) + 1))


# A slot that was free for a moment was a health check's, or the one's and then the other's.
MOVING = 2
# The supervisor's second session, when it is open just then, has a slot of the reserved ones.
ALL_TAKEN = range(27 - MOVING, 29)


def test_the_story_holds_the_evidence_that_was_there_before(recovered):
    run, lab, project = recovered.run, recovered.lab, recovered.project
    evidence = entries_of(run, "evidence")
    first_stop = next(entry["seq"] for entry in run["entries"]
                      if entry.get("action", "").startswith("stop:"))
    assert all(entry["seq"] < first_stop for entry in evidence)
    connections, = (one["detail"] for one in evidence if one["what"] == "connections")
    assert connections["max"] - connections["reserved"] == 27
    assert connections["used"] in ALL_TAKEN
    groups = {key: {one["name"]: one["count"] for one in connections["groups"][key]}
              for key in ("state", "application", "container")}
    for name, count in recovered.held.items():
        assert abs(groups["application"][name] - count) <= MOVING
        assert abs(groups["container"][lab.container(project, name)] - count) <= MOVING
    assert abs(groups["state"]["idle"] - sum(recovered.held.values())) <= MOVING
    assert len(connections["sessions"]) == connections["used"]
    logs = {one["detail"]["container"]: one["detail"]["lines"] for one in evidence
            if one["what"] == "logs"}
    assert set(logs) == {one.name for one in lab.containers(project)}
    assert any("remaining connection slots are reserved" in line
               for line in logs[lab.postgres(project)])
    assert any("connection slots" in line or "too many clients" in line
               for line in logs[lab.container(project, "worker")])


def test_the_story_tells_each_action_with_its_time_and_result(recovered):
    run = recovered.run
    told = {}
    for entry in entries_of(run, "action"):
        told.setdefault(entry["action"], []).append(entry)
    assert set(told) == {action["id"] for action in run["plan"]["actions"]}
    for begin, result in told.values():
        assert (begin["state"], result["state"]) == ("running", "done")
        # Between the intent and the work stands the disk.
        span = result["elapsed_ms"] - begin["elapsed_ms"]
        assert result["took_ms"] - 5 <= span < result["took_ms"] + 500
        assert result["text"]
    for action, earlier in all_before(run["plan"]).items():
        assert all(told[other][1]["seq"] < told[action][0]["seq"] for other in earlier)


def test_the_story_compares_before_and_after(recovered):
    before, after = recovered.end["before"], recovered.end["after"]
    health = [{one["service"]: one["health"] for one in side["containers"]}
              for side in (before, after)]
    assert health[0]["backend"] == health[0]["worker"] == "unhealthy"
    assert health[1] == {"postgres": "healthy", "backend": "healthy", "worker": "healthy",
                         "frontend": "healthy", "cache": "none"}
    assert before["connections"]["used"] in ALL_TAKEN
    assert before["connections"]["utilization"] >= 1
    assert after["connections"]["used"] < 10 and after["database"] == "ready"
    assert recovered.end["left_stopped"] == []


@pytest.mark.alone
def test_the_overhead_is_small_and_the_critical_path_is_what_docker_says(recovered):
    """The critical path is reckoned once more from the engine's events: from the signal to the end
    of a stop, from a start to health; what has no event of its own counts as the story has it."""
    plan, end = recovered.run["plan"], recovered.end
    known = spans(plan, recovered.events)
    results = {entry["action"]: entry for entry in entries_of(recovered.run, "action")}
    intents = {entry["action"]: entry for entry in entries_of(recovered.run, "action")
               if entry["state"] == "running"}
    began_ns = recovered.run["started_ms"] * 10**6
    ends = {}
    for action in plan["actions"]:
        name = action["id"]
        if name in known and action["kind"] == "stop":
            own = (known[name][1] - known[name][0]) / 1e6
        elif name in known:  # a start, a wait: from its intent to the event
            own = (known[name][1] - began_ns) / 1e6 - intents[name]["elapsed_ms"]
        else:
            own = results[name]["took_ms"]
        ends[name] = own + max((ends[other] for other in action["after"]), default=0)
    critical = max(ends.values())

    assert abs(end["critical_ms"] - critical) < 0.05 * critical, (end["critical_ms"], critical)
    assert end["overhead"] == pytest.approx(end["took_ms"] / end["critical_ms"] - 1, abs=0.001)
    assert end["overhead"] < 0.05
    assert end["took_ms"] < 1.05 * critical + 20


def test_a_person_reads_the_same(recovered):
    told = recovered.daemon.ctl("run", "1").out
    for words in ("asked by  uid 0 (root)", "Evidence, taken before anything was touched",
                  "What happened", "run 1 succeeded", "overhead", " of 27 connections used",
                  recovered.run["plan_id"]):
        assert words in told, told
    for action in recovered.run["plan"]["actions"]:
        assert action["text"] in told
    listed = recovered.daemon.ctl("runs").out.splitlines()
    assert len(listed) == 2 and "recover" in listed[1] and "succeeded" in listed[1]
    answer = recovered.daemon.ctl("run", "2")
    assert answer.code == 1 and "2" in answer.err


def test_attach_shows_a_run_from_its_beginning(recovered):
    """The second watcher came when the run was half done, and saw the same."""
    assert recovered.attached.returncode == 0
    first, second = (text.splitlines() for text in (recovered.out, recovered.attached_out))
    assert "asked for by uid 0" in first[0] and "capture running" in "\n".join(first)
    assert first == second
    assert recovered.daemon.ctl("attach", "1").out.splitlines()[0] == first[0]
    times = [float(line[1:].split("s")[0]) for line in first if line.startswith("+")]
    assert len(times) > 30 and all(one <= other for one, other in pairwise(times))
