"""The traps of the Docker Engine, each walked into on purpose: what a client must not do to an
engine, and what an engine says that is not so."""

import socket
import statistics
import time

import pytest
from checks import QUICK_RECOVER, long_but, running, variant
from engine_proxy import HangUp, Mute, Silence
from engine_tls import TlsFront, make_certificates
from lab import wait_until
from labkit.engine_api import UnixConnection


@pytest.fixture(scope="module")
def stubborn(lasting_stack):
    return lasting_stack("stubborn")  # PID 1 ignores SIGTERM: a stop takes its whole 3 s


@pytest.fixture
def guard(lab, stubborn, proxy, supervisor):
    """A daemon whose every word to the engine goes through the proxy."""
    lab.wait_healthy(stubborn)
    supervisor.configure(f"stack: {stubborn}\n{QUICK_RECOVER}")
    return supervisor.start()


def of(lab, project, *services):
    return {lab.inspect(lab.container(project, one))["Id"] for one in services}


# ---- a client that hangs up during a stop ----------------------------------------------------------

def test_nobody_hangs_up_during_a_stop(lab, stubborn, proxy, guard):
    """Some engines kill at once when the client of a stop goes away (23.0.0-23.0.6, 24.0.0-24.0.2).

    The command that asked goes away, the run is aborted, the daemon is told to end: the call is
    held to its end each time."""
    before = running(lab, stubborn)
    command = guard.spawn("recover", "--yes")
    proxy.wait("POST", "/stop")
    command.kill()
    command.wait()
    run = wait_until(lambda: guard.json("status", code=3)["run"], 10, "the run")["run"]
    assert guard.ctl("abort").code == 0
    assert guard.stop() == 0  # SIGTERM: it lets the stops end
    guard.start()
    end = guard.follow(run).wait_end()
    assert end["state"] == "aborted" and end["left_stopped"] == []
    assert running(lab, stubborn) == before
    assert proxy.count("POST", "/stop") == 2
    assert not proxy.abandoned("/stop")


# ---- curl repeating a POST -------------------------------------------------------------------------

@pytest.mark.parametrize("heard", long_but([True, False], [True]),
                         ids=["its answer is lost", "it was not heard"])
@pytest.mark.parametrize("call", ["/stop", "/start"])
def test_a_post_whose_connection_dies_is_not_repeated_behind_our_back(lab, stubborn, proxy, guard,
                                                                      call, heard):
    """A library may send a POST again when a reused connection dies before a byte came. Here it is
    we who ask again, after a while, and the run knows of it."""
    before = running(lab, stubborn)
    proxy.on("POST", call, HangUp(heard=heard), times=1)
    story = guard.begin()
    end = story.wait_end()
    assert end["state"] == "succeeded" and running(lab, stubborn) == before
    assert any("waiting for it" in entry.get("text", "") for entry in story.entries()
               if entry["type"] == "progress"), "nobody knew that a call was lost"
    posts = proxy.requests("POST")
    assert len({one.connection for one in posts}) == len(posts), "a POST on a used connection"
    assert proxy.count("POST", call) == 3 + 1, "three containers, and the one asked again"


def test_an_engine_that_swallows_a_start_is_asked_again(lab, stubborn, proxy, guard):
    """The request is taken and never answered: the run comes to an end all the same, and what it
    stopped is started."""
    guard.stop()
    guard.configure(f"stack: {stubborn}\n" + QUICK_RECOVER.replace(
        "start: apps", "{start: apps, timeout: 2s}"))
    guard.start()
    before = running(lab, stubborn)
    mule = of(lab, stubborn, "mule").pop()
    proxy.on("POST", f"{mule}/start", Silence(), times=1)
    end = guard.begin().wait_end()
    assert running(lab, stubborn) == before and end["left_stopped"] == []


# ---- a stalled event reader ------------------------------------------------------------------------

FLOOD = 1500  # more than the engine, the proxy's sockets and ours can hold unread


def rename_often(lab, name, times):
    """Makes the engine tell of an event each time; gives how long each took, in ms."""
    took = []
    connection = UnixConnection(lab.socket, 30)
    names = [name, f"{name}_again"]
    for _ in range(times):
        began = time.monotonic()
        connection.request("POST", f"/v1.41/containers/{names[0]}/rename?name={names[1]}")
        answer = connection.getresponse()
        answer.read()
        took.append((time.monotonic() - began) * 1000)
        assert answer.status == 204
        names.reverse()
    connection.close()
    return took


def test_the_event_stream_is_read_whatever_else_there_is_to_do(lab, stubborn, supervisor):
    """A reader that stalls costs every action of the engine 100 ms. Ours has followers that read
    nothing themselves, and a run to carry out."""
    supervisor.configure(f"stack: {stubborn}\n{QUICK_RECOVER}")
    supervisor.start()
    spare = "flooder"
    assert lab.docker("create", f"--name={spare}", "lab/app").returncode == 0
    story = supervisor.begin()
    deaf = [deaf_follower(supervisor, story.run) for _ in range(3)]
    try:
        took = rename_often(lab, spare, FLOOD)
    finally:
        lab.docker("rm", "--force", spare, f"{spare}_again")
        for one in deaf:
            one.close()
    assert statistics.median(took) < 50 and sum(one > 90 for one in took[-200:]) < 20, (
        statistics.median(took), max(took))
    assert story.wait_end()["state"] == "succeeded"


def deaf_follower(supervisor, run):
    """Follows a run, and reads nothing of it."""
    connection = socket.socket(socket.AF_UNIX)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    connection.connect(str(supervisor.socket))
    connection.sendall(f"GET /v1/runs/{run}/events HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    return connection


def test_what_an_engine_did_not_tell_is_found_out_by_looking(lab, stubborn, proxy, guard):
    """The stream is alive and silent, as it is for a reader that was too slow: the events are lost
    without a mark. Health is then seen by our own look."""
    before = running(lab, stubborn)
    proxy.on("GET", "/events", Mute())
    proxy.replace("/events")
    story = guard.begin()
    end = story.wait_end(timeout=180)
    assert end["state"] == "succeeded" and running(lab, stubborn) == before, end


# ---- labels that overwrite event attributes --------------------------------------------------------

def test_labels_that_overwrite_event_attributes_deceive_nobody(lab, stack, supervisor, tmp_path):
    """Labels are copied over an event's own attributes: exitCode, signal, even health's words."""
    def edit(services):
        for name in ("mule", "ox", "postgres"):
            services[name]["labels"] = {"exitCode": "0", "signal": "0", "execID": "x",
                                        "name": "nobody", "image": "nothing",
                                        "HealthStatus": "healthy"}

    project = stack(variant(tmp_path, "stubborn", edit), project="labelled")
    supervisor.configure(f"stack: {project}\n{QUICK_RECOVER}")
    supervisor.start()
    before = running(lab, project)
    with lab.events() as events:
        run = supervisor.json("recover", "--yes")
        died = [one for one in events.all("die") if one.service == "mule"]
    assert died[0].attributes["exitCode"] == "0", "the trap is not there any more"
    assert run["state"] == "succeeded" and running(lab, project) == before
    results = {entry["action"]: entry for entry in run["entries"]
               if entry["type"] == "action" and entry["state"] == "done"}
    for service in ("mule", "ox"):
        result = results[f"stop:{lab.container(project, service)}"]
        assert result["detail"]["exit_code"] == 137 and "killed" in result["text"], result


# ---- an engine behind TLS --------------------------------------------------------------------------

def test_an_engine_on_tcp_is_reached_by_certificate_alone(lab, stubborn, supervisor, tmp_path):
    """DOCKER_HOST=tcp://… with DOCKER_CERT_PATH; who it does not know is told so."""
    ours, strangers = make_certificates(tmp_path / "ours"), make_certificates(tmp_path / "others")
    with TlsFront(lab.socket, ours) as front:
        supervisor.configure(f"stack: {stubborn}\n{QUICK_RECOVER}")
        supervisor.environment.pop("STACK_SUPERVISOR_DOCKER_HOST")
        supervisor.environment |= {"DOCKER_HOST": front.docker_host, "DOCKER_TLS_VERIFY": "1",
                                   "DOCKER_CERT_PATH": str(strangers)}
        refused = supervisor.ctl("status", "--standalone")
        assert refused.code == 3 and "unknown" in refused.out, refused
        assert "certificate" in refused.out.lower() or "ssl" in refused.out.lower(), refused.out
        supervisor.environment["DOCKER_CERT_PATH"] = str(ours)
        supervisor.start()
        assert supervisor.ctl("status").code == 0
        before = running(lab, stubborn)
        assert supervisor.ctl("recover", "--yes").code == 0
        assert running(lab, stubborn) == before
