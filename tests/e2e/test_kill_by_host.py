"""The machine ends the daemon in the middle of a recovery: the kernel for want of memory, and a power
failure that takes the engine and every container with it. The next life carries the run on."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from checks import QUICK_RECOVER, running, variant
from lab import wait_until

pytestmark = pytest.mark.faults

MEMORY = Path("/sys/fs/cgroup/memory")
MIB = 1 << 20


@pytest.fixture
def little_memory():
    """A control group for memory, into which a process can be put."""
    group = MEMORY / f"stack-supervisor-test-{os.getpid()}"
    try:
        group.mkdir()
    except OSError as failure:
        pytest.skip(f"no control group for memory can be made here: {failure}")
    yield group
    wait_until(lambda: not (group / "cgroup.procs").read_text().split(), 20, "an empty group")
    group.rmdir()


def enter(group, pid, preference):
    """Into the group; of those in it the kernel ends first who is preferred most."""
    Path(f"/proc/{pid}/oom_score_adj").write_text(str(preference))
    (group / "cgroup.procs").write_text(str(pid))


def use_up(group):
    """Takes all the memory that the group has left, and more; until it is ended."""
    greedy = "import sys\nsys.stdin.readline()\nkept = []\nwhile True: kept.append(bytearray(1 << 20))"
    process = subprocess.Popen([sys.executable, "-c", greedy], stdin=subprocess.PIPE)
    enter(group, process.pid, 0)
    used = int((group / "memory.usage_in_bytes").read_text())
    (group / "memory.limit_in_bytes").write_text(str(used + 16 * MIB))
    process.stdin.write(b"\n")
    process.stdin.close()
    return process


def begin_recovery(supervisor, project):
    supervisor.configure(f"stack: {project}\n{QUICK_RECOVER}")
    supervisor.start()
    return supervisor.begin()


def assert_carried_on(lab, project, supervisor, run, before):
    """Gives the record of the run when it has ended."""
    def ended():
        record = supervisor.api("GET", f"/v1/runs/{run}")
        return record if record["state"] not in ("running", "aborting") else None
    record = wait_until(ended, 120, "the end of the run")
    assert record["state"] == "succeeded" and record["resumed"], record
    assert record["entries"][-1]["left_stopped"] == []
    assert running(lab, project) == before
    return record


def test_a_daemon_that_the_kernel_ends_for_want_of_memory(lab, stack, supervisor, little_memory):
    project = stack("five")
    before = running(lab, project)
    story = begin_recovery(supervisor, project)
    enter(little_memory, supervisor.process.pid, 1000)
    story.wait(lambda one: one["type"] == "action" and one["action"].startswith("stop:")
               and one["state"] == "done")
    greedy = use_up(little_memory)
    assert supervisor.process.wait(60) == -signal.SIGKILL
    greedy.kill()
    greedy.wait()
    told = (little_memory / "memory.oom_control").read_text()
    assert int(dict(line.split() for line in told.splitlines()).get("oom_kill", 1)) >= 1, told
    supervisor.start()
    assert_carried_on(lab, project, supervisor, story.run, before)


@pytest.mark.parametrize("policy", ["no", "unless-stopped"])
def test_a_power_failure_in_the_middle_of_a_run(lab, stack, supervisor, tmp_path, policy):
    """What the run had stopped is started in the order of the run: the database first."""
    def edit(services):
        for service in services.values():
            service["restart"] = policy

    project = stack(variant(tmp_path, "five", edit))
    before = running(lab, project)
    database = lab.postgres(project)
    story = begin_recovery(supervisor, project)
    story.wait_action(f"stop:{database}", "done")
    pids = [lab.inspect(one.name)["State"]["Pid"] for one in lab.containers(project)]
    supervisor.process.kill()
    lab.engine_stop(signal.SIGKILL)
    for pid in filter(None, pids):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    supervisor.process.wait()
    supervisor.start()  # at boot it may be there before the engine is
    lab.engine_start()
    record = assert_carried_on(lab, project, supervisor, story.run, before)
    started = {one.name: lab.inspect(one.name)["State"]["StartedAt"]
               for one in lab.containers(project)}
    apps = {action["container"] for action in record["plan"]["actions"]
            if action["kind"] == "start"} - {database}
    assert apps and all(started[database] < started[name] for name in apps), started
