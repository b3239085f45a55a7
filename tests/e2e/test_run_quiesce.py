"""New logins held off for the time of a clean, in stacks without a pooler; and starts that wait for
free slots. Whatever happens to the run, everybody may log in again."""

import contextlib
import signal
import subprocess

import pytest
from checks import long_but

HOLD = """
playbooks:
  hold:
    - block: apps
    # Never true: time to do something while logins are held off.
    - verify: {connections.utilization: "< 1%"}
      timeout: TIME
    - unblock: apps
  gated:
    - restart: web
      gate: 60%
"""


@pytest.fixture(scope="module")
def ports(lasting_stack):
    return lasting_stack("ports")


@pytest.fixture
def healthy(lab, ports):
    lab.wait_healthy(ports)
    lab.psql(ports, "ALTER ROLE app CONNECTION LIMIT 25; ALTER ROLE supervisor CONNECTION LIMIT 5")
    yield ports
    lab.psql(ports, "ALTER ROLE app CONNECTION LIMIT -1; ALTER ROLE supervisor CONNECTION LIMIT -1")


@pytest.fixture
def sessions(lab, healthy):
    """sessions(n) holds n sessions of the role app; sessions(0) lets them go."""
    held = []

    def hold(count):
        while held:
            held.pop().communicate()
        for _ in range(count):
            held.append(subprocess.Popen(
                ["psql", "-X", "-q", "-h", lab.pg_address(healthy)[0], "-U", "app", "app"],
                env={"PGPASSWORD": "lab-app", "PATH": "/usr/bin:/bin", "PGAPPNAME": "held"},
                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        lab.wait_until(lambda: lab.psql(healthy, "SELECT count(*) FROM pg_stat_activity WHERE "
                                                 "application_name = 'held'") == str(count), 20,
                       f"{count} sessions")

    yield hold
    hold(0)


def limits(lab, project):
    rows = lab.psql(project, "SELECT rolname, rolconnlimit FROM pg_roles WHERE rolname IN "
                             "('app', 'supervisor', 'postgres')")
    return {name: int(limit) for name, limit in (row.split("|") for row in rows.splitlines())}


AS_BEFORE = {"app": 25, "supervisor": 5, "postgres": -1}
HELD_OFF = AS_BEFORE | {"app": 0}


def start(supervisor, time="20s"):
    supervisor.configure(HOLD.replace("TIME", time))
    return supervisor.start()


def test_nobody_comes_back_while_it_is_cleaned(lab, healthy, sessions, daemon):
    sessions(5)
    lab.wait_until(lambda: lab.psql(healthy, "SELECT min(now() - state_change) > '200ms' FROM "
                                             "pg_stat_activity WHERE application_name = 'held'")
                   == "t", 10, "them to be idle")
    story = daemon.begin("quiesce-clean", options={"idle": "100ms"})
    end = story.wait_end()
    assert end["state"] == "succeeded" and limits(lab, healthy) == AS_BEFORE
    done = {entry["action"]: entry for entry in story.entries()
            if entry["type"] == "action" and entry["state"] == "done"}
    assert done["block"]["detail"]["limits"] == {"app": 25}
    assert len(done["clean"]["detail"]["ended"]) >= 5
    assert list(done) == ["capture", "block", "clean", "unblock"]


def test_open_sessions_stay_and_new_ones_are_refused(lab, healthy, sessions, supervisor):
    daemon = start(supervisor)
    sessions(2)
    story = daemon.begin("hold")
    story.wait_action("verify")
    assert limits(lab, healthy) == HELD_OFF
    assert "too many connections for role" in lab.exec(
        lab.postgres(healthy), ["psql", "-X", "-h", "127.0.0.1", "-U", "app", "-d", "app", "-c",
                                "SELECT 1"]).stderr
    assert lab.psql(healthy, "SELECT count(*) FROM pg_stat_activity WHERE application_name = "
                             "'held'") == "2"
    assert daemon.ctl("abort").code == 0
    assert story.wait_end()["state"] == "aborted" and limits(lab, healthy) == AS_BEFORE


@pytest.mark.parametrize("moment", long_but(["block", "verify", "unblock"], ["verify"]))
def test_a_daemon_that_is_killed_is_followed_by_one_that_lets_them_in(lab, healthy, sessions,
                                                                      supervisor, moment):
    daemon = start(supervisor, "1s")
    sessions(1)
    story = daemon.begin("hold")
    story.wait_action(moment)
    daemon.stop(signal.SIGKILL)
    if moment == "verify":
        assert limits(lab, healthy) == HELD_OFF
    daemon.start()
    if daemon.api("GET", f"/v1/runs/{story.run}")["state"] == "running":
        end = daemon.follow(story.run).wait_end()
        assert end["resumed"] and end["left_stopped"] == [], end
    assert limits(lab, healthy) == AS_BEFORE


def test_a_limit_that_cannot_be_given_back_is_told_with_the_statement(lab, healthy, sessions,
                                                                      supervisor):
    supervisor.configure(HOLD.replace("TIME", "20s")
                         .replace("- unblock: apps", "- unblock: apps\n      timeout: 3s"))
    daemon = supervisor.start()
    sessions(1)
    story = daemon.begin("hold")
    story.wait_action("verify")
    lab.docker("pause", lab.postgres(healthy))  # neither the lifeline nor the back door is left
    try:
        assert daemon.ctl("abort").code == 0
        end = story.wait_end()
    finally:
        lab.docker("unpause", lab.postgres(healthy))
    assert "their logins are held off" in end["left_stopped"][0], end
    failed = next(entry for entry in story.entries() if entry.get("action") == "unblock"
                  and entry["state"] == "failed")
    statement = 'ALTER ROLE "app" CONNECTION LIMIT 25;'
    assert statement in failed["error"]["hint"]
    assert limits(lab, healthy) == HELD_OFF
    lab.psql(healthy, statement)
    assert limits(lab, healthy) == AS_BEFORE


# ---- the gate ----------------------------------------------------------------------------------------

def test_a_start_waits_for_free_slots(lab, healthy, sessions, supervisor):
    daemon = start(supervisor)
    sessions(15)  # of 27: fewer than 60 % are free
    story = daemon.begin("gated")
    web = lab.container(healthy, "web")
    story.wait(lambda entry: entry["type"] == "progress" and entry["action"] == f"start:{web}"
               and "slots are free; waiting" in entry["text"])
    assert not lab.inspect(web)["State"]["Running"]
    sessions(0)
    assert story.wait_end()["state"] == "succeeded" and lab.inspect(web)["State"]["Running"]


@pytest.mark.long
def test_it_does_not_wait_for_ever(lab, healthy, sessions, supervisor):
    """Nobody else connects: whoever came is in."""
    daemon = start(supervisor)
    sessions(15)
    story = daemon.begin("gated")
    assert story.wait_end()["state"] == "succeeded"
    notes = [entry["text"] for entry in story.entries() if entry["type"] == "note"]
    assert any("free slots, not 16: nobody else is connecting" in note for note in notes), notes


@contextlib.contextmanager
def moved(lab, project):
    """PostgreSQL at another address: somebody else has the one that it had."""
    postgres, (address, _) = lab.postgres(project), lab.pg_address(project)
    network = next(iter(lab.inspect(postgres)["NetworkSettings"]["Networks"]))
    image = lab.inspect(postgres)["Config"]["Image"]
    squatter = f"{project}-squatter"
    lab.docker("stop", postgres)
    lab.docker("run", "-d", "--name", squatter, "--network", network, "--entrypoint", "sleep",
               image, "600")
    try:
        lab.docker("start", postgres)
        lab.wait_until(lambda: lab.psql(project, "SELECT 1") == "1", 30, "PostgreSQL to answer")
        assert lab.pg_address(project)[0] != address
        yield
    finally:
        lab.docker("rm", "-f", squatter)


@pytest.mark.long
def test_a_database_that_moves_meanwhile_lets_them_in(lab, healthy, sessions, supervisor):
    daemon = start(supervisor, "60s")
    sessions(1)
    story = daemon.begin("hold")
    story.wait_action("verify")
    with moved(lab, healthy):
        assert limits(lab, healthy) == HELD_OFF
        assert daemon.ctl("abort").code == 0
        end = story.wait_end()
        assert (end["state"], end["left_stopped"]) == ("aborted", []), end
        assert limits(lab, healthy) == AS_BEFORE
