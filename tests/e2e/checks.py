"""What several scenarios ask of the world: who runs, in which order things happened, what
PostgreSQL said when it was stopped. And how a stack is made that the lab does not have."""

from pathlib import Path

import pytest
import yaml

STACKS = Path(__file__).resolve().parents[1] / "lab" / "stacks"

# The built-in recover with a shorter last look, for scenarios in which it is not what matters.
QUICK_RECOVER = """
playbooks:
  recover:
    - capture: evidence
    - stop: apps
    - clean: {idle: 60s, idle_in_transaction: 60s}
    - checkpoint: database
    - restart: database
      grace: 60s
    - wait: database ready
      timeout: 120s
    - start: apps
    - verify: {services: healthy, for: 100ms}
"""


# ---- what is tried by default --------------------------------------------------------------------

def faults_but(all_of_them, often):
    """Parameters of which those that are not in `often` are left to scripts/test --label faults."""
    return _but(all_of_them, often, pytest.mark.faults)


def long_but(all_of_them, often):
    """The same, left to scripts/test --label e2e-all."""
    return _but(all_of_them, often, pytest.mark.long)


def _but(all_of_them, often, mark):
    return [one if one in often
            else pytest.param(*(one if isinstance(one, tuple) else (one,)), marks=mark)
            for one in all_of_them]


# ---- stacks --------------------------------------------------------------------------------------

def variant(folder, stack, edit):
    """A compose file like that of `stack`, after edit(its services) has changed it."""
    content = yaml.safe_load((STACKS / stack / "docker-compose.yml").read_text(encoding="utf-8"))
    for service in content["services"].values():
        service["volumes"] = [mount.replace("../", f"{STACKS}/", 1)
                              for mount in service.get("volumes", [])]
    edit(content["services"])
    (folder / stack).mkdir(exist_ok=True)
    path = folder / stack / "docker-compose.yml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def exhaust(lab, project, *services, pool=30, mode="idle", unhealthy=True):
    """Makes services take every ordinary connection, until logins are refused and it shows."""
    for service in services:
        lab.leak(project, service, pool=pool, mode=mode)
    lab.wait_refused(project)
    if unhealthy:
        lab.wait_unhealthy(project, *services)


# ---- who runs --------------------------------------------------------------------------------------

def lives(lab, project):
    """{container: when its present life began}, of the containers that run."""
    inspected = [lab.inspect(one.name) for one in lab.containers(project)]
    return {one["Name"].lstrip("/"): one["State"]["StartedAt"] for one in inspected
            if one["State"]["Running"]}


def running(lab, project):
    return set(lives(lab, project))


# ---- the order of what happened --------------------------------------------------------------------

def spans(plan, events):
    """{action: (first ns, last ns)} of every action of which the engine tells by events."""
    found = {}
    for action in plan["actions"]:
        own = [one for one in events if one.container == action["container_id"]]
        starts = [one.time_ns for one in own if one.action == "start"]
        began = starts[0] if starts else float("inf")
        if action["kind"] == "stop":
            moments = [one.time_ns for one in own if one.action in ("kill", "die", "stop")
                       and one.time_ns < began]
        elif action["kind"] == "start":
            moments = starts
        elif action["kind"] == "wait-healthy":
            moments = [one.time_ns for one in own if one.time_ns > began
                       and one.action == "health_status: healthy"][:1]
        else:
            continue
        assert moments, f"no event tells of {action['id']}: {[one.action for one in own]}"
        found[action["id"]] = (min(moments), max(moments))
    return found


def all_before(plan):
    """{action: every action it stands behind, directly or not}."""
    before = {}
    for action in plan["actions"]:
        before[action["id"]] = set(action["after"]).union(
            *(before[other] for other in action["after"]))
    return before


def assert_order(plan, events):
    """The engine's events happened in the order of the plan, and nothing else was moved."""
    known = spans(plan, events)
    for action, earlier in all_before(plan).items():
        for other in earlier:
            if action in known and other in known:
                assert known[other][1] < known[action][0], f"{action} began before {other} ended"
    for kind, word in (("stop", "die"), ("start", "start")):
        planned = sorted(one["container"] for one in plan["actions"] if one["kind"] == kind)
        assert sorted(one.name for one in events if one.action == word) == planned
    return known


def assert_at_once(known, one, other, first="stop:{}", last="stop:{}"):
    """Two containers were on their way (from `first` to `last`) at the same time."""
    begins, ends = zip(*((known[first.format(name)][0], known[last.format(name)][1])
                         for name in (one, other)))
    assert max(begins) < min(ends), f"{one} and {other}: one after the other"


# ---- what PostgreSQL says ----------------------------------------------------------------------------

def postgres_log(lab, project):
    return lab.logs(lab.postgres(project)).splitlines()


def assert_clean_shutdown(lines):
    """The lines that PostgreSQL wrote during one recovery: a clean end, and no crash recovery."""
    text = "\n".join(lines)
    assert "received fast shutdown request" in text, text
    assert "database system is shut down" in text, text
    assert "database system was shut down at" in text, text
    for sign in ("was interrupted", "not properly shut down", "redo starts", "immediate shutdown",
                 "terminated by signal"):
        assert sign not in text, text
