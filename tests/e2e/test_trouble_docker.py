"""The Docker Engine is not there, not allowed, of another age, or slow: what a user is told."""

import os
import signal
import time

import pytest
from checks import QUICK_RECOVER, faults_but, lives, running
from engine_proxy import pretend_versions
from lab import Lab, wait_until
from programs import Supervisor


def ready(lab, project):
    """Without a health check, "up" says nothing of PostgreSQL."""
    lab.wait_ready(project)
    return project


@pytest.fixture(scope="module")
def lasting(lab, lasting_stack):
    return ready(lab, lasting_stack("nohealth"))


@pytest.fixture
def project(lasting, supervisor):
    supervisor.configure(f"stack: {lasting}\n{QUICK_RECOVER}")
    return lasting


def degraded(supervisor, *words):
    """`status` says that all is not well, and why; gives its text."""
    answer = supervisor.ctl("status")
    assert answer.code == 3, answer.out + answer.err
    for word in words:
        assert word in answer.out, answer.out
    return answer.out


def test_no_engine_there_is_told_and_waited_for(lab, project, supervisor, tmp_path):
    place = tmp_path / "docker.sock"
    supervisor.use_docker(f"unix://{place}")
    supervisor.start()
    degraded(supervisor, "unknown", str(place), "No such file", "systemctl start docker")
    answer = supervisor.ctl("recover", "--yes")
    assert answer.code == 1 and "systemctl start docker" in answer.err
    assert "the Docker Engine is not reached" in supervisor.log()

    place.symlink_to(lab.socket)  # it is there now, and nobody restarted the daemon
    wait_until(lambda: supervisor.ctl("status").code == 0, 10, "the daemon to find the engine")
    wait_until(lambda: supervisor.json("status")["database"]["lifeline"], 10, "the lifeline")


def test_the_engines_socket_is_not_for_everybody(supervisor, project):
    supervisor.become_nobody()
    supervisor.start()
    degraded(supervisor, "permission denied", "usermod -aG docker nobody")


def test_the_daemons_socket_is_not_for_everybody(daemon):
    daemon.become_nobody()
    answer = daemon.ctl("status")
    assert answer.code == 4
    assert "no permission" in answer.err and "group root" in answer.err, answer.err


def test_an_engine_too_old_is_told(proxy, supervisor, project):
    pretend_versions(proxy, newest=40)
    supervisor.start()
    degraded(supervisor, "1.40", "at least 1.41 (Docker 20.10)")
    assert not proxy.requests("POST")


def test_an_engine_too_new_is_told(proxy, supervisor, project):
    pretend_versions(proxy, newest=70, oldest=60)
    supervisor.start()
    degraded(supervisor, "too old", "1.60")


def test_an_engine_that_refuses_old_clients_is_spoken_to_in_its_own_words(proxy, supervisor,
                                                                          project, lab):
    """As Docker 29.0 does, which knows 1.44 to 1.52."""
    pretend_versions(proxy, newest=52, oldest=44)
    supervisor.start()
    before = lives(lab, project)
    assert supervisor.json("status")["engine"]["api_version"] == "1.52"
    assert supervisor.ctl("recover", "--yes").code == 0
    assert {one.version for one in proxy.requests() if "_ping" not in one.path} == {52}
    after = lives(lab, project)
    assert before.keys() == after.keys() and not set(before.values()) & set(after.values())


def test_images_without_a_health_check_are_recovered_too(lab, project, supervisor):
    """Running is all that can be asked of them; PostgreSQL is still asked for a login."""
    supervisor.start()
    plan = supervisor.json("recover", "--plan")
    kinds = [one["kind"] for one in plan["actions"]]
    assert "wait-healthy" not in kinds and kinds.count("wait-ready") == 1
    assert supervisor.ctl("recover", "--yes").code == 0
    run = supervisor.json("run", "1")
    done = [one["action"] for one in run["entries"]
            if one["type"] == "action" and one["state"] == "done"]
    ready = next(index for index, one in enumerate(done) if one.startswith("wait-ready"))
    for service in ("backend", "worker"):
        assert done.index(f"start:{lab.container(project, service)}") > ready


def test_a_container_removed_in_the_middle_is_named_and_the_others_run(lab, stack, supervisor):
    project = ready(lab, stack("nohealth", project="removed"))
    victim = lab.container(project, "backend")
    supervisor.configure(f"stack: {project}\n{QUICK_RECOVER}")
    supervisor.start()
    before = running(lab, project)
    story = supervisor.begin()
    story.wait_action(f"stop:{victim}", "done")
    assert lab.docker("rm", "--force", victim).returncode == 0
    end = story.wait_end()
    assert end["state"] == "failed"
    assert victim in end["text"] and f"{victim} (it was removed" in end["left_stopped"][0]
    assert running(lab, project) == before - {victim}
    told = supervisor.ctl("run", story.run)
    assert "docker-compose up -d backend" in told.out
    assert supervisor.ctl("attach", story.run).code == 1


def test_a_paused_database_is_not_touched(lab, stack, supervisor):
    project = ready(lab, stack("nohealth", project="paused"))
    postgres = lab.postgres(project)
    supervisor.configure(f"stack: {project}\n")
    supervisor.start()
    assert lab.docker("pause", postgres).returncode == 0
    before = lives(lab, project)
    degraded(supervisor, f"{postgres} is paused")
    for command in (["recover", "--plan"], ["recover", "--yes"]):
        answer = supervisor.ctl(*command)
        assert answer.code == 5 and f"docker unpause {postgres}" in answer.err, answer
    assert lives(lab, project) == before
    assert lab.docker("unpause", postgres).returncode == 0
    wait_until(lambda: supervisor.ctl("status").code == 0, 10, "all to be well again")


def test_two_stacks_with_a_database_must_be_told_apart(lab, lasting, stack, supervisor):
    other = ready(lab, stack("nohealth", project="other"))
    supervisor.start()
    degraded(supervisor, lasting, other, "name one by `stack:` in the configuration")
    supervisor.configure(f"stack: {other}\n")
    supervisor.process.send_signal(signal.SIGHUP)
    wait_until(lambda: supervisor.json("status")["project"] == other, 10, "the named stack")


# ---- an engine that goes away: it has a lab of its own ---------------------------------------------

@pytest.fixture(scope="module", ids=["", "live-restore"],
                params=[False, pytest.param(True, marks=pytest.mark.faults)])
def fragile_lab(request):
    with Lab(live_restore=request.param) as one:
        yield one


@pytest.fixture(scope="module")
def fragile(fragile_lab):
    """A stack whose containers have no restart policy: what a restarted engine does not start."""
    project = fragile_lab.up("stubborn")
    fragile_lab.wait_healthy(project, timeout=60)
    return project


@pytest.fixture
def guard(fragile_lab, supervisor):
    supervisor.use_docker(fragile_lab.docker_host)
    # An engine that boots may have stopped the database and not yet the app that waits for it.
    supervisor.configure(QUICK_RECOVER.replace("start: apps", "{start: apps, timeout: 15s}"))
    return supervisor.start()


def forgotten(entries):
    """Whether an engine with live-restore runs the health checks no more that were there before its
    restart, and the run has said so."""
    return any(entry["type"] == "note" and entry["text"].startswith("no health check of ")
               for entry in entries)


@pytest.mark.parametrize("number", faults_but([signal.SIGTERM, signal.SIGKILL], [signal.SIGKILL]),
                         ids=["stopped", "killed"])
@pytest.mark.parametrize("action, state", faults_but(
    [("stop:{}", "running"), ("wait-healthy:{}", "running")], [("stop:{}", "running")]),
                         ids=["while it stops an app", "while it waits for an app"])
def test_what_ran_runs_although_the_engine_went_away(fragile_lab, fragile, guard, number, action,
                                                     state):
    before = running(fragile_lab, fragile)
    story = guard.begin()
    story.wait_action(action.format(fragile_lab.container(fragile, "mule")), state)
    fragile_lab.engine_stop(number)
    wait_until(lambda: "the Docker Engine is not reached" in guard.log(), 10, "it to be noticed")
    fragile_lab.engine_start()
    end = story.wait_end()
    assert end["left_stopped"] == [] and running(fragile_lab, fragile) == before, end
    if forgotten(story.entries()):  # of whom nobody waits for the engine has forgotten it as well
        names = [one.name for one in fragile_lab.containers(fragile)]
        fragile_lab.docker("restart", "--time", "1", *names)
    fragile_lab.wait_healthy(fragile)


def test_an_engine_that_hangs_does_not_hang_the_answer(fragile_lab, fragile, guard):
    fragile_lab.engine_signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        text = degraded(guard, "unknown")
        assert time.monotonic() - began < 15
        assert "hangs" in text or "no answer" in text, text
        for question in (["recover", "--plan"], ["clean", "--dry-run"]):
            answer = guard.ctl(*question)
            assert answer.code == 1 and "systemctl status docker" in answer.err, answer
    finally:
        fragile_lab.engine_signal(signal.SIGCONT)
    wait_until(lambda: guard.ctl("status").code == 0, 20, "all to be well again")
