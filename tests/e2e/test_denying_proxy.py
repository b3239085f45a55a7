"""The list of the Engine's endpoints in docs/security.md is what is needed: a proxy that lets nothing
else pass is not noticed, and nothing else is asked."""

import re

import pytest
from autopilot import WATCHFUL, observation, wait_observation
from checks import QUICK_RECOVER, exhaust, running
from conftest import ROOT
from engine_proxy import Answer
from lab import wait_until

BACK_DOOR = ("POST /containers/ID/exec", "POST /exec/ID/start", "GET /exec/ID/json")
# What happens too rarely to be brought about here; test_run*.c and test_docker_client.c have them.
RARE = {"POST /containers/ID/restart", "POST /containers/ID/wait", "GET /containers/ID/top"}


def documented():
    """The list of docs/security.md: "METHOD PATH" of each endpoint."""
    text = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    section = text.split("## What it asks of the Docker Engine")[1].split("\n## ")[0]
    found = re.findall(r"^(GET|POST) +(/\S+) ", section, re.MULTILINE)
    assert len(found) == 15, found
    return [" ".join(one) for one in found]


@pytest.fixture(scope="module")
def used():
    return set()


@pytest.fixture
def strict(proxy, used):
    """The proxy with nothing but the list; what was asked beyond it fails the test."""
    proxy.permit(documented())
    yield proxy
    used |= proxy.used()
    assert not proxy.denied(), proxy.denied()


@pytest.mark.long
def test_watching_and_logs_work(lab, stack, strict, supervisor):
    project = stack("five")
    supervisor.configure(f"stack: {project}\n{WATCHFUL}logs: [{{name: any, match: '.', "
                         "role: any}]\n"
                         "checks: [{name: inside, exec: ['true'], container: backend}]\n")
    supervisor.start()
    wait_observation(supervisor, "connections.used", lambda used: used)
    wait_observation(supervisor, "service(backend).health", lambda health: health == "healthy")
    wait_observation(supervisor, "check(inside).state", lambda state: state == "passing")
    logs = supervisor.api("GET", "/v1/observations")["logs"]
    assert {one["state"] for one in logs} == {"following"}, logs
    worker = lab.container(project, "worker")
    lab.docker("restart", "--time=0", worker)
    wait_until(lambda: observation(supervisor, "service(worker).health") == "healthy", 30,
               "the worker to be well again")
    assert supervisor.ctl("status").code == 0


def test_a_recovery_works(lab, stack, strict, supervisor):
    project = stack("five")
    supervisor.configure(f"stack: {project}\n{QUICK_RECOVER}")
    supervisor.start()
    before = running(lab, project)
    exhaust(lab, project, "backend", "worker")
    # One of the starts hears that somebody has paused the container meanwhile.
    paused = Answer(409, "cannot start a paused container, try unpause instead")
    strict.on("POST", f"/{lab.inspect(lab.container(project, 'cache'))['Id']}/start", paused, 1)
    recovered = supervisor.ctl("recover", "--yes")
    assert recovered.code == 0, recovered
    assert running(lab, project) == before and supervisor.ctl("status").code == 0


@pytest.fixture
def locked_out(lab, stack, supervisor, tmp_path):
    """A stack whose database does not let the supervisor in: the back door is left."""
    project = stack("five")
    passfile = tmp_path / "pgpass"
    passfile.write_text("*:*:*:*:guessed\n")
    passfile.chmod(0o600)
    # No host: a restart may give the container another address.
    supervisor.configure(f"stack: {project}\n{QUICK_RECOVER}database:\n"
                         f"  connect: user=supervisor dbname=app\n  passfile: {passfile}\n")
    lab.leak(project, "worker", pool=5)
    return project


@pytest.mark.long
def test_a_clean_by_the_back_door_works(strict, locked_out, supervisor):
    supervisor.start()
    run = supervisor.json("clean", "--yes", "--idle", "100ms", "--application", "worker")
    report = next(one["detail"] for one in run["entries"]
                  if one.get("action") == "clean" and one["state"] == "done")
    assert report["by"] == "container" and report["ended"], report


@pytest.mark.long
def test_without_exec_all_but_the_back_door_works(lab, locked_out, proxy, supervisor):
    proxy.permit([one for one in documented() if one not in BACK_DOOR])
    before = running(lab, locked_out)
    supervisor.start()
    told = supervisor.ctl("clean", "--yes", "--idle", "100ms")
    assert told.code == 1 and "password authentication failed" in told.out, told
    assert supervisor.ctl("recover", "--yes").code == 0
    assert running(lab, locked_out) == before
    assert {one.path.rsplit("/", 1)[1] for one in proxy.denied()} == {"exec"}


@pytest.mark.long
def test_the_list_has_nothing_that_is_not_asked_for(used):
    """After the others, in the order of this file."""
    assert set(documented()) - used <= RARE | {"POST /containers/ID/kill"}
