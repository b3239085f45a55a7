"""What is around the daemon breaks, in the middle of a recovery and at rest: it takes a bounded time,
it is told, nothing stays stopped, nobody crashes, and nothing turns in circles.

An engine that is stopped or killed in mid-run: test_trouble_docker.py.
"""

import json
import time

import pytest
from checks import QUICK_RECOVER, running
from engine_proxy import Answer, Drip, HangUp, Raw, Shuffle, Silence
from lab import wait_until
from pg_proxy import PgProxy
from watched import Watched, assert_ended_well, bounded_status, well_again

pytestmark = pytest.mark.faults

QUICK = QUICK_RECOVER.replace("start: apps", "{start: apps, timeout: 10s}").replace(
    "timeout: 120s", "timeout: 8s")


@pytest.fixture(scope="module")
def ports(lasting_stack):
    return lasting_stack("ports")


@pytest.fixture
def project(lab, ports):
    lab.wait_healthy(ports, timeout=60)
    return ports


# ---- between daemon and Engine ---------------------------------------------------------------------

def http(body, *headers):
    head = "\r\n".join(["HTTP/1.1 200 OK", "Content-Type: application/json", *headers])
    return head.encode() + b"\r\n\r\n" + body


def once(content):
    return Raw(lambda: [content])


def huge():
    yield http(b"[", "Content-Length: 100000000")
    for _ in range(100):
        yield b" " * 1000000


FAULTS = {
    "says 500": Answer(500, "something is broken"),
    "hangs": Silence(),
    "resets": HangUp(),
    "does it and resets": HangUp(heard=True),
    "answers with half a JSON": once(http(b'[{"Id":"ab', "Content-Length: 10")),
    "answers with no JSON": once(http(b'{"Id": ]]', "Content-Length: 9")),
    "answers with half a chunk": once(http(b'ff\r\n[{"Id":', "Transfer-Encoding: chunked")),
    "answers with less than it said": once(http(b"[", "Content-Length: 1000")),
    "speaks no HTTP": once(b"\x00\x01\xff\xfe SSH-2.0\r\n\r\n"),
    "drips": Drip(0.005),
    "answers with 100 MB": Raw(huge),
}


@pytest.fixture
def guard(project, proxy, supervisor):
    """A daemon whose every word to the engine goes through the proxy."""
    supervisor.configure(f"stack: {project}\n{QUICK}")
    supervisor.start()
    well_again(supervisor)
    return supervisor


def disturb(lab, project, proxy, guard, fault):
    """A run under way whose next looks, and the app's first start, meet the fault."""
    story = guard.begin()
    story.wait_action(f"stop:{lab.container(project, 'web')}", "running")
    proxy.on("GET", "/containers/", fault)
    proxy.on("POST", f"{lab.inspect(lab.container(project, 'web'))['Id']}/start", fault, times=1)
    return story


@pytest.mark.parametrize("name", FAULTS)
def test_an_engine_that(lab, project, proxy, guard, name):
    """For a while, in mid-run: the stop of the database ends in it, or the look at it."""
    before = running(lab, project)
    with Watched(guard, 150) as watched:
        story = disturb(lab, project, proxy, guard, FAULTS[name])
        story.wait_action(f"stop:{lab.postgres(project)}", "done")
        seen = proxy.count("GET", "/containers/")
        wait_until(lambda: proxy.count("GET", "/containers/") > seen, 30, "a look")
        proxy.forget("GET")
        end = story.wait_end()
        assert_ended_well(lab, project, before, end)
        told = watched.told(story.run)
    assert end["state"] == "succeeded" or "docker: " in told or "not done within" in told, told
    proxy.clear()
    well_again(guard)


@pytest.mark.parametrize("name", ["hangs", "answers with no JSON"])
def test_an_engine_that_to_the_end_of_the_run(lab, project, proxy, guard, name):
    """The run ends without having seen what became of it; what it owes it starts all the same."""
    before = running(lab, project)
    with Watched(guard, 240):
        story = disturb(lab, project, proxy, guard, FAULTS[name])
        end = story.wait_end(230)
        assert end["state"] == "failed", end
        assert_ended_well(lab, project, before, end)
        assert "the stack could not be looked at" in json.dumps(story.entries())
    proxy.clear()
    well_again(guard)


@pytest.mark.parametrize("name", FAULTS)
def test_at_rest_an_engine_that(project, proxy, guard, name):
    with Watched(guard, 60):
        proxy.on("GET", "/containers/", FAULTS[name])
        proxy.on("GET", "/events", FAULTS[name])
        proxy.cut("/events")
        bounded_status(guard)
        time.sleep(1)  # in which a loop that turns in circles would show
    proxy.clear()
    proxy.cut("")
    well_again(guard)


def test_an_engine_that_refuses(lab, project, proxy, guard):
    before = running(lab, project)
    with Watched(guard, 120):
        story = guard.begin()
        story.wait_action(f"stop:{lab.postgres(project)}", "done")
        proxy.refuse()
        story.wait(lambda one: "waiting for it" in one.get("text", ""))
        assert "the Docker Engine is not reached" in guard.log()
        bounded_status(guard)
        proxy.accept()
        end = story.wait_end()
        assert_ended_well(lab, project, before, end)
    well_again(guard)


def test_events_that_come_twice_and_out_of_order(lab, project, proxy, guard):
    before = running(lab, project)
    proxy.on("GET", "/events", Shuffle())
    proxy.replace("/events")
    with Watched(guard, 60):
        end = guard.begin().wait_end()
        assert end["state"] == "succeeded", end
        assert_ended_well(lab, project, before, end)
    well_again(guard)


# ---- between daemon and PostgreSQL -----------------------------------------------------------------

@pytest.fixture
def network(lab, project, supervisor):
    """What stands between the daemon and the database; the daemon goes through it."""
    with PgProxy(lab.pg_address(project)) as one:
        supervisor.configure(f"stack: {project}\ndatabase:\n  connect: host=127.0.0.1 "
                             f"port={one.port} dbname=app user=postgres\n{QUICK}")
        supervisor.environment["PGPASSWORD"] = lab.password(project, "postgres")
        supervisor.start()
        well_again(supervisor)
        yield one
        one.mode = "pass"
        supervisor.end()


@pytest.mark.parametrize("mode, word", [("hole", "hung"), ("reset", "unreachable"),
                                        ("torn", "unreachable"), ("drip", "ready"),
                                        ("wrong", "unreachable")])
def test_a_network_to_the_database_that_is_a(lab, project, network, supervisor, mode, word):
    before = running(lab, project)
    with Watched(supervisor, 120) as watched:
        story = supervisor.begin()
        story.wait_action(f"stop:{lab.container(project, 'web')}", "done")
        network.mode = mode
        end = story.wait_end()
        assert_ended_well(lab, project, before, end)
        assert network.faults > 0
        if mode == "drip":
            assert end["state"] == "succeeded", end
        else:
            assert end["state"] == "failed" and "wait-ready" in end["text"], end
            assert word in watched.told(story.run)
    with Watched(supervisor, 30):
        said = bounded_status(supervisor).out
        # A hole may swallow the login before this one, which is all that can be said then.
        assert word in said or (mode == "hole" and "the database is unknown" in said), said
    network.mode = "pass"
    well_again(supervisor)
