"""PostgreSQL does not let us in, is away, is full, or has been away: what a user is told, and that a
recovery still does what it can."""

import signal
import socket
import threading

import pytest
from checks import QUICK_RECOVER, lives, long_but, postgres_log, running, variant
from lab import wait_until

# A role with the two grants that the manual asks for.
ROLE = "supervisor"


@pytest.fixture(scope="module")
def ports(lasting_stack):
    return lasting_stack("ports")


@pytest.fixture
def project(lab, ports):
    """Healthy, with the roles as they were, and nobody's connections held."""
    lab.wait_healthy(ports)
    yield ports
    lab.psql(ports, f"ALTER ROLE {ROLE} CONNECTION LIMIT -1; "
                    f"GRANT pg_monitor, pg_signal_backend TO {ROLE}")
    let_go(lab, ports)


def let_go(lab, project):
    lab.leak(project, "web", pool=0, mode="polite")
    lab.psql(project, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
                      "application_name IN ('web', 'held')")


@pytest.fixture
def guard(lab, project, supervisor, tmp_path):
    """guard(**settings): a daemon that logs in as the role; the settings are libpq's."""
    host, port = lab.pg_address(project)

    def start(password=None, **settings):
        passfile = tmp_path / "pgpass"
        passfile.write_text(f"*:*:*:{ROLE}:{password or lab.password(project, ROLE)}\n")
        passfile.chmod(0o600)
        connect = {"host": host, "port": port, "dbname": "app", "user": ROLE} | settings
        words = " ".join(f"{key}={value}" for key, value in connect.items())
        supervisor.configure(f"stack: {project}\ndatabase:\n  connect: {words}\n"
                             f"  passfile: {passfile}\n{QUICK_RECOVER}"
                             "  clean:\n    - {clean: {}, timeout: 5s, on_failure: fail}\n")
        return supervisor.start()

    return start


def database(daemon, code=3):
    return daemon.json("status", code=code)["database"]


def wait_lifeline(daemon):
    wait_until(lambda: (daemon.api("GET", "/v1/status")["database"] or {}).get("lifeline"), 10,
               "the lifeline")


def took_of(run):
    return run["entries"][-1]["took_ms"]


def report_of(daemon, run):
    return next(entry["detail"] for entry in daemon.json("run", run)["entries"]
                if entry.get("action") == "clean" and entry["state"] == "done")


# ---- not let in ----------------------------------------------------------------------------------

REFUSED_LOGINS = {
    "a wrong password": ({"password": "guessed"}, "auth_failed", "28P01", "passfile"),
    "a role that is not there": ({"user": "nobody"}, "auth_failed", None, ""),
    "a wrong database": ({"dbname": "shop"}, "unreachable", "3D000", "database name"),
}


@pytest.mark.parametrize("case", long_but(REFUSED_LOGINS, ["a wrong password"]))
def test_a_login_that_is_refused_is_told_and_the_recovery_goes_by_the_container(lab, project, guard,
                                                                                case):
    settings, state, sqlstate, hint = REFUSED_LOGINS[case]
    daemon = guard(**settings)
    told = database(daemon)
    assert told["state"] == state and told["sqlstate"] == sqlstate and not told["lifeline"], told
    assert hint in told["why"]["hint"], told
    if state == "auth_failed":  # once, with the next step, and not again at each probe
        wait_until(lambda: told["why"]["message"] in daemon.log(), 10, daemon.log())
    before = running(lab, project)
    lab.leak(project, "web", pool=5)
    wait_until(lambda: idle(lab, project, "web") == 5, 10, "the idle sessions")

    cleaned = daemon.json("clean", "--yes", "--idle", "100ms", "--application", "web")
    assert cleaned["state"] == "succeeded" and idle(lab, project, "web") == 0
    assert report_of(daemon, 1)["by"] == "container"
    run = daemon.json("recover", "--yes")
    assert run["state"] == "succeeded" and took_of(run) < 60000, run
    assert running(lab, project) == before
    assert any("does not let the supervisor in" in entry.get("text", "")
               for entry in run["entries"] if entry["type"] == "note")


def idle(lab, project, application):
    """Sessions of an application that are idle for as long as the cleanings here ask."""
    return int(lab.psql(project, "SELECT count(*) FROM pg_stat_activity WHERE application_name = "
                                 f"'{application}' AND state LIKE 'idle%' AND state_change < now() "
                                 "- interval '150ms'"))


@pytest.mark.parametrize("grant", ["pg_signal_backend", "pg_monitor"])
def test_a_missing_grant_is_made_up_for_by_the_container(lab, project, guard, grant):
    """(Which grant is missing is named where the container does not help: test_postgres_clean.c)"""
    lab.psql(project, f"REVOKE {grant} FROM {ROLE}")
    daemon = guard()
    lab.leak(project, "web", pool=5)
    wait_until(lambda: idle(lab, project, "web") == 5, 10, "the idle sessions")
    assert daemon.json("status")["database"]["restricted"] is (grant == "pg_monitor")
    run = daemon.json("clean", "--yes", "--idle", "100ms", "--application", "web")
    assert run["state"] == "succeeded"
    report = report_of(daemon, 1)
    assert len(report["ended"]) == 5 and report["by"] == "container"


# ---- not there -----------------------------------------------------------------------------------

def test_a_closed_port_is_told(guard):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        daemon = guard(host="127.0.0.1", port=probe.getsockname()[1])  # bound, and not listening
        told = database(daemon)
    assert told["state"] == "refused" and "127.0.0.1" in told["why"]["message"], told


def test_a_black_hole_is_told_in_seconds(guard):
    """Whoever listens there takes the connection and never says a word."""
    with socket.socket() as hole:
        hole.bind(("127.0.0.1", 0))
        hole.listen()
        daemon = guard(host="127.0.0.1", port=hole.getsockname()[1])
        told = database(daemon)
        assert told["state"] == "hung", told
        run = daemon.json("clean", "--yes", code=1)
        assert run["state"] == "failed" and took_of(run) < 15000


# ---- full ----------------------------------------------------------------------------------------

@pytest.mark.parametrize("opened", ["before", "too late"])
def test_exhausted_with_and_without_a_lifeline(lab, project, guard, opened):
    """The role is no superuser: without its lifeline it is refused like everybody else."""
    daemon = guard() if opened == "before" else None
    if daemon:
        wait_lifeline(daemon)
    lab.leak(project, "web", pool=30)
    lab.wait_refused(project)
    daemon = daemon or guard()
    told = database(daemon)
    assert (told["state"], told["exhaustion"], told["sqlstate"]) == (
        "exhausted", "reserved", "53300")
    assert told["lifeline"] is (opened == "before")
    if daemon.json("status", code=3)["database"].get("used"):
        assert daemon.json("connections")["by"] == ("lifeline" if told["lifeline"] else "container")
    wait_until(lambda: idle(lab, project, "web") > 20, 10, "the idle sessions")
    assert daemon.ctl("clean", "--yes", "--idle", "100ms").code == 0
    assert report_of(daemon, 1)["by"] == ("lifeline" if told["lifeline"] else "container")
    assert lab.refusal(project) == ""
    lab.wait_healthy(project)
    assert database(daemon, code=0)["state"] == "ready"


def test_a_role_limit_is_not_taken_for_exhaustion(lab, project, guard):
    """53300 too, and a restart would not help: the other roles have all the slots they want."""
    lab.psql(project, f"ALTER ROLE {ROLE} CONNECTION LIMIT 1")
    daemon = guard()
    wait_lifeline(daemon)  # this is the one
    told = database(daemon)
    assert (told["state"], told["exhaustion"], told["sqlstate"]) == ("exhausted", "role", "53300")
    assert told["utilization"] < 0.5
    answer = daemon.ctl("status")
    assert "the role's own limit: a restart does not help" in answer.out, answer.out


# ---- who cannot be ended -------------------------------------------------------------------------

def hold(lab, project, user, name="held"):
    """A session that is idle, of a role of one's choice."""
    lab.docker("exec", "--detach", f"--env=PGAPPNAME={name}", lab.postgres(project), "sh", "-c",
               f"(echo 'SELECT 1;'; sleep 600) | psql -X -q -U {user} -h 127.0.0.1 -d app")
    wait_until(lambda: idle(lab, project, name) == 1, 10, "the session")


def test_one_superuser_among_the_victims_spares_nobody_else(lab, project, guard):
    """PostgreSQL refuses a whole statement for one superuser in it."""
    daemon = guard()
    wait_lifeline(daemon)
    hold(lab, project, "postgres")
    lab.leak(project, "web", pool=5)
    wait_until(lambda: idle(lab, project, "web") == 5, 10, "the idle sessions")
    for options, left in ((["--superusers"], 0), ([], 1)):
        if not idle(lab, project, "held"):
            hold(lab, project, "postgres")
        assert daemon.ctl("clean", "--yes", "--idle", "100ms", *options).code == 0
        assert idle(lab, project, "web") == 0
        assert idle(lab, project, "held") == left


def test_a_backend_that_cannot_be_ended_is_named_and_the_others_go(lab, project, guard):
    daemon = guard()
    wait_lifeline(daemon)
    lab.leak(project, "web", pool=5)
    wait_until(lambda: idle(lab, project, "web") == 5, 10, "the idle sessions")
    postgres = lab.postgres(project)
    stuck = lab.psql(project, "SELECT max(pid) FROM pg_stat_activity WHERE application_name = "
                              "'web'")
    assert lab.exec(postgres, ["kill", "-STOP", stuck]).returncode == 0
    before = postgres_log(lab, project)
    try:
        run = daemon.json("clean", "--yes", "--idle", "100ms")
        assert run["state"] == "succeeded" and took_of(run) < 15000
        report = report_of(daemon, 1)
        assert [one["pid"] for one in report["stayed"]] == [int(stuck)]
        assert len(report["ended"]) == 4
        assert "could not end 1" in daemon.ctl("run", "1").out
    finally:
        lab.exec(postgres, ["kill", "-CONT", stuck])
    wait_until(lambda: idle(lab, project, "web") == 0, 10, "the last one to go")
    # Nobody was killed: that would have made the server end all sessions and recover.
    assert not [line for line in postgres_log(lab, project)[len(before):] if "signal 9" in line]


# ---- away, and back again ------------------------------------------------------------------------

def test_a_server_restarted_under_the_supervisor_is_taken_up_again(lab, project, guard):
    daemon = guard()
    wait_lifeline(daemon)
    began = lives(lab, project)
    for _ in range(2):
        assert lab.docker("restart", lab.postgres(project)).returncode == 0
        wait_until(lambda: daemon.ctl("status").code == 0, 20, "all to be well again")
        wait_lifeline(daemon)
    assert lives(lab, project)[lab.container(project, "web")] == began[
        lab.container(project, "web")], "somebody restarted the app"
    assert "lifeline to the database is lost" in daemon.log()
    assert daemon.ctl("recover", "--yes").code == 0


def test_a_server_that_replays_its_wal_is_left_to_it(lab, stack, supervisor, tmp_path):
    """It was killed with much to replay: the recovery starts it, and waits for it however long."""
    def edit(services):
        # Slow: what it replays is not prefetched, and it says often how far it is.
        services["postgres"]["command"] += [
            "-c", "log_startup_progress_interval=50ms", "-c", "checkpoint_timeout=1h", "-c",
            "max_wal_size=4GB", "-c", "shared_buffers=16MB"]

    project = stack(variant(tmp_path, "ports", edit), project="replay")
    postgres = lab.postgres(project)
    supervisor.configure(f"stack: {project}\n{QUICK_RECOVER.replace('timeout: 120s', 'timeout: 1s')}")
    supervisor.start()
    lab.psql(project, "CREATE TABLE much AS SELECT g, repeat('x', 100) AS t FROM "
                      "generate_series(1, 150000) g; UPDATE much SET t = repeat('y', 100)")
    lab.signal(postgres, signal.SIGKILL)
    wait_until(lambda: lab.health(postgres) == "not running", 10, "its end")
    told = database(supervisor)
    assert told["state"] in ("refused", "unreachable"), told
    before = postgres_log(lab, project)
    with lab.events() as events:
        run = supervisor.json("recover", "--yes")
        starts = [one for one in events.all("start") if one.name == postgres]
        kills = [one for one in events.all("kill") if one.name == postgres]
    text = "\n".join(postgres_log(lab, project)[len(before):])
    assert "redo done" in text and "redo in progress" in text, text
    assert run["state"] == "succeeded", run
    assert len(starts) == 1 and not kills
    assert lab.psql(project, "SELECT count(*) FROM much WHERE t LIKE 'y%'") == "150000"
    wait_until(lambda: supervisor.ctl("status").code == 0, 20, "all to be well")


def test_nobody_asks_a_starting_server_to_death(lab, project, guard):
    """Many who ask at once while it is away and comes back: each is answered."""
    daemon = guard()
    wait_lifeline(daemon)
    codes = []
    over = threading.Event()

    def ask():
        while not over.is_set():
            codes.append(daemon.ctl("status").code)

    askers = [threading.Thread(target=ask) for _ in range(3)]
    for one in askers:
        one.start()
    try:
        assert lab.docker("restart", lab.postgres(project)).returncode == 0
        lab.wait_ready(project)
    finally:
        over.set()
        for one in askers:
            one.join()
    assert set(codes) <= {0, 3} and 3 in codes, codes
    wait_until(lambda: daemon.ctl("status").code == 0, 20, "all to be well again")
