"""Whoever goes away in the middle of a run – the command, the daemon – the run ends well."""

import signal
import socket
import sqlite3
import threading
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from checks import QUICK_RECOVER, assert_clean_shutdown, long_but, postgres_log, running
from lab import wait_until


@pytest.fixture(scope="module")
def ports(lasting_stack):
    return lasting_stack("ports")


@pytest.fixture
def quick(supervisor):
    supervisor.configure(QUICK_RECOVER)
    return supervisor.start()


def present_run(daemon):
    """The number of the run that is under way, as soon as there is one."""
    return wait_until(lambda: daemon.api("GET", "/v1/status")["run"], 10, "a run")["run"]


# ---- the command -----------------------------------------------------------------------------------

@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=lambda one: one.name)
def test_a_run_does_not_need_the_command_that_asked_for_it(lab, ports, quick, number):
    lab.wait_healthy(ports)
    before = running(lab, ports)
    command = quick.spawn("recover", "--yes")
    story = quick.follow(present_run(quick))
    story.wait_action(f"stop:{lab.postgres(ports)}")
    command.send_signal(number)
    out, err = command.communicate(timeout=10)
    if number == signal.SIGINT:
        assert command.returncode == 0
        assert f"detached; run {story.run} goes on: supervisorctl attach {story.run}" in err
    assert not [entry for entry in story.entries() if entry["type"] == "end"]
    end = story.wait_end()
    assert end["state"] == "succeeded" and running(lab, ports) == before
    assert not [entry for entry in story.entries() if entry["type"] == "abort"], out


WAYS_OUT = {"--detach": 0, "--timeout=1500ms": 124}


@pytest.mark.parametrize("option", long_but(WAYS_OUT, ["--detach"]))
def test_a_command_that_does_not_wait_leaves_a_run_that_goes_on(lab, ports, quick, option):
    lab.wait_healthy(ports)
    before = running(lab, ports)
    answer = quick.ctl("recover", "--yes", option)
    assert answer.code == WAYS_OUT[option], answer
    assert "run 1 goes on: supervisorctl attach 1" in answer.out + answer.err
    assert quick.json("run", "1")["state"] == "running"
    attached = quick.ctl("attach")
    assert attached.code == 0 and "run 1 succeeded" in attached.out
    assert running(lab, ports) == before


# ---- the daemon ------------------------------------------------------------------------------------

def carried_on(lab, project, daemon, run, before):
    """A new daemon carries the run on to a good end; gives its whole record."""
    end = daemon.follow(run).wait_end()
    assert end["state"] == "succeeded" and end["resumed"], end
    assert end["left_stopped"] == [] and running(lab, project) == before
    record = daemon.json("run", run)
    kinds = [entry["type"] for entry in record["entries"]]
    # Live it is told before it is on disk: killed at once, a run may be there without its first entry.
    assert kinds[:1] == ["begin"] or kinds[:1] == ["resume"]
    assert kinds.count("begin") <= 1 and kinds.count("resume") == 1 and kinds[-1] == "end"
    assert [entry["seq"] for entry in record["entries"]] == list(range(1, len(kinds) + 1))
    done = [entry["action"] for entry in record["entries"] if entry["type"] == "action"
            and entry["state"] == "done"]
    assert sorted(done) == sorted(action["id"] for action in record["plan"]["actions"])
    return record


def wait_told_to_end(events, *services):
    for service in services:
        events.wait(lambda one, name=service: one.action == "kill" and one.service == name)


def test_a_daemon_told_to_stop_lets_a_stop_end_and_the_next_one_carries_on(lab, stack,
                                                                                  supervisor):
    project = stack("stubborn")
    supervisor.configure(f"stack: {project}\n{QUICK_RECOVER}")
    quick = supervisor.start()
    before = running(lab, project)
    mule = lab.container(project, "mule")
    with lab.events() as events:
        story = quick.begin()
        wait_told_to_end(events, "mule", "ox")
        assert quick.stop(signal.SIGTERM) == 0
        # It went only when the stops had ended, each with the whole grace of 3 s.
        assert {one.name for one in events.all("stop")} == {mule, lab.container(project, "ox")}
    assert running(lab, project) == {lab.postgres(project)}
    quick.start()
    record = carried_on(lab, project, quick, story.run, before)
    begun = [entry["action"] for entry in record["entries"] if entry["type"] == "action"
             and entry["state"] == "running"]
    assert begun.count(f"stop:{mule}") == 1, "a stop that had ended was done again"


@pytest.mark.long
def test_who_watches_a_daemon_that_dies_is_told_what_becomes_of_its_run(lab, stack, supervisor):
    project = stack("stubborn")
    supervisor.configure(f"stack: {project}\n{QUICK_RECOVER}")
    quick = supervisor.start()
    before = running(lab, project)
    with lab.events() as events:
        command = quick.spawn("recover", "--yes")
        wait_told_to_end(events, "mule")
        quick.stop(signal.SIGKILL)
    _, err = command.communicate(timeout=120)  # it tries again for a minute
    assert command.returncode == 4 and "trying again for 1m00s" in err, err
    assert "run 1 is unfinished" in err and "may be down" in err
    assert "the next daemon on its state directory carries it on" in err
    assert running(lab, project) < before
    quick.start()
    carried_on(lab, project, quick, 1, before)


@pytest.mark.long
def test_a_daemon_killed_during_a_stop_is_followed_by_one_that_starts_all_again(lab, stack,
                                                                                supervisor):
    """The engine goes on stopping; a start that comes too early would be lost in that stop."""
    project = stack("stubborn")
    supervisor.configure(f"stack: {project}\n{QUICK_RECOVER}")
    supervisor.start()
    before = running(lab, project)
    with lab.events() as events:
        story = supervisor.begin()
        wait_told_to_end(events, "mule", "ox")
        supervisor.stop(signal.SIGKILL)
        supervisor.start()
        supervisor.api("POST", f"/v1/runs/{story.run}/abort")  # starts as soon as it may
        end = supervisor.follow(story.run).wait_end()
        assert end["state"] == "aborted" and end["left_stopped"] == []
        assert running(lab, project) == before
        for service in ("mule", "ox"):
            events.wait(lambda one, name=service: one.action == "start" and one.service == name)


MOMENTS = ["capture", "stop:web", "stop:postgres", "start:postgres", "wait-ready:postgres",
           "start:web", "wait-healthy:web", "verify"]
OFTEN = ["stop:postgres", "wait-ready:postgres", "wait-healthy:web"]


@pytest.mark.parametrize("moment", long_but(MOMENTS, OFTEN))
def test_a_daemon_that_is_killed_is_followed_by_one_that_carries_on(lab, ports, quick, moment):
    lab.wait_healthy(ports)
    before = running(lab, ports)
    log = postgres_log(lab, ports)
    kind, colon, service = moment.partition(":")
    story = quick.begin()
    story.wait_action(f"{kind}:{lab.container(ports, service)}" if colon else kind)
    quick.stop(signal.SIGKILL)
    quick.start()
    carried_on(lab, ports, quick, story.run, before)
    assert_clean_shutdown(postgres_log(lab, ports)[len(log):])


def test_a_run_whose_record_is_damaged_names_whom_it_may_have_stopped(lab, ports, quick):
    lab.wait_healthy(ports)
    web = lab.container(ports, "web")
    story = quick.begin()
    story.wait_action(f"start:{lab.postgres(ports)}")
    quick.stop(signal.SIGKILL)
    with closing(sqlite3.connect(quick.folder / "state" / "journal.db")) as journal, journal:
        assert journal.execute("UPDATE runs SET plan = replace(plan, '\"verify\"', '\"dance\"')"
                               ).rowcount == 1
    quick.start()
    wait_until(lambda: "cannot be carried on" in quick.log(), 10, "it to be told")
    told = [line for line in quick.log().splitlines() if "may have stopped" in line]
    assert len(told) == 1 and f"run {story.run} (recover) of {ports}" in told[0] and web in told[0]
    lab.docker("start", lab.postgres(ports), web)
    lab.wait_healthy(ports)


@pytest.mark.long
def test_a_daemon_that_cannot_open_its_port_ends_only_when_what_was_stopped_runs(lab, ports,
                                                                                 supervisor):
    """Whoever restarts it would restart it for ever, each life too short for the first wait."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        lab.wait_healthy(ports)
        before = running(lab, ports)
        supervisor.configure(QUICK_RECOVER)
        story = supervisor.start().begin()
        story.wait_action(f"stop:{lab.postgres(ports)}")
        supervisor.stop(signal.SIGKILL)
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        supervisor.configure(f"{QUICK_RECOVER}status: {{listen: '{address}'}}\n")
        process = supervisor.spawn_daemon()
        assert process.wait(timeout=60) != 0
        assert running(lab, ports) == before
        assert supervisor.log().count(address) == 2, "told when it begins, and when it ends"
    supervisor.start()  # the port is free
    assert supervisor.json("run", story.run)["state"] == "succeeded"


# ---- a configuration that has errors ---------------------------------------------------------------

TYPO = "nonsense: 1\n"


def refused(supervisor, timeout=20):
    """A daemon that does not start for its configuration; what it said."""
    said = len(supervisor.log())
    assert supervisor.spawn_daemon().wait(timeout=timeout) == 2
    told = supervisor.log()[said:]
    assert f"{supervisor.config_path}:" in told, told
    return told


@pytest.mark.long
@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL])
def test_a_daemon_whose_configuration_has_errors_ends_only_when_what_was_stopped_runs(
        lab, ports, supervisor, ending):
    """Between two lives somebody misspells a key: the stack must not wait for who mends it."""
    lab.wait_healthy(ports)
    before = running(lab, ports)
    supervisor.configure(QUICK_RECOVER)
    story = supervisor.start().begin()
    story.wait_action(f"stop:{lab.postgres(ports)}")
    supervisor.stop(ending)
    supervisor.configure(QUICK_RECOVER + TYPO)
    told = refused(supervisor, timeout=60)
    complaint, _, behind = told.partition(f"run {story.run}, which an earlier life left, is carried")
    assert behind and "unknown key 'nonsense'" in complaint, told
    assert running(lab, ports) == before
    assert "is carried on" not in refused(supervisor), "there is nothing left to carry on"
    supervisor.configure(QUICK_RECOVER)
    supervisor.start()
    record = supervisor.json("run", story.run)
    assert record["state"] == "succeeded" and record["resumed"], record


@pytest.mark.long
def test_a_daemon_that_only_carries_a_run_on_ends_when_told_and_by_no_other_signal(
        lab, ports, supervisor):
    lab.wait_healthy(ports)
    before = running(lab, ports)
    lasting = QUICK_RECOVER.replace("for: 100ms", "for: 20s")  # it is under way all the while
    supervisor.configure(lasting)
    story = supervisor.start().begin()
    story.wait_action(f"stop:{lab.container(ports, 'web')}")
    supervisor.stop(signal.SIGKILL)
    supervisor.configure(lasting + TYPO)
    process = supervisor.spawn_daemon()
    wait_until(lambda: "is carried on" in supervisor.log(), 10, "it to be told")
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGUSR1)
    wait_until(lambda: "read anew at the next start" in supervisor.log(), 10, "the answer")
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 2
    supervisor.configure(lasting)
    again = supervisor.start().follow(story.run)
    assert again.wait_end()["state"] == "succeeded" and running(lab, ports) == before
    assert [entry["type"] for entry in again.entries()].count("resume") == 2


class Stranger(BaseHTTPRequestHandler):
    """An Engine that has no container."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = b"[]" if "/containers/json" in self.path else b"OK"
        self.send_response(200)
        self.send_header("Api-Version", "1.41")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextmanager
def another_engine():
    """Its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Stranger) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"tcp://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.long
def test_without_a_configuration_a_run_is_not_carried_on_at_another_engine(lab, ports, supervisor):
    """All its containers would be taken for removed there, and the run for ended."""
    lab.wait_healthy(ports)
    before = running(lab, ports)
    engine = supervisor.environment["STACK_SUPERVISOR_DOCKER_HOST"]
    supervisor.environment |= {"STACK_SUPERVISOR_DOCKER_HOST": "",
                               "DOCKER_HOST": "unix:///nowhere.sock"}
    good = f"docker: {{host: '{engine}'}}\n{QUICK_RECOVER}"
    supervisor.configure(good)
    story = supervisor.start().begin()
    story.wait_action(f"stop:{lab.postgres(ports)}")
    supervisor.stop(signal.SIGKILL)
    supervisor.configure(good + "nonsense: [\n")  # nothing of it can be read
    assert "is not carried on" in refused(supervisor), "the Engine does not answer"
    with another_engine() as stranger:
        supervisor.environment["DOCKER_HOST"] = stranger
        told = refused(supervisor)
    assert f"run {story.run}: the Docker Engine has none of its containers" in told
    assert "--docker-host" in told
    assert running(lab, ports) < before
    supervisor.configure(good + TYPO)  # of this one it can be read where the Engine is
    assert f"run {story.run}, which an earlier life left" in refused(supervisor, timeout=60)
    assert running(lab, ports) == before


def test_a_configuration_with_errors_and_nothing_to_carry_on_touches_nothing(ports, supervisor):
    supervisor.configure(TYPO)
    state = supervisor.folder / "state"
    refused(supervisor)
    assert not state.exists(), "nobody has been here yet"
    supervisor.configure(f"stack: {ports}\n")
    supervisor.start()
    assert supervisor.ctl("pause", "--reason", "maintenance").code == 0
    supervisor.configure(TYPO)
    told = refused(supervisor)  # beside one that is at work
    assert f"pid {supervisor.process.pid}" in told
    supervisor.stop(signal.SIGKILL)
    refused(supervisor)
    supervisor.configure(f"stack: {ports}\n")
    supervisor.start()
    assert "maintenance" in supervisor.ctl("status").out, "what was kept is kept"
