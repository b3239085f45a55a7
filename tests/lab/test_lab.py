"""Does the lab itself do what the tests that rely on it take for granted?

Run with: /usr/bin/python3 -m pytest tests/lab
"""

import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from lab import ApiError, Lab, wait_until
from labkit import stacks

# What the other tests rely on is shown by their passing, as far as they do.
pytestmark = pytest.mark.long

# So that the applications eat the reserved slots too, as those that log in as superuser do.
AS_SUPERUSER = {"APP_ROLE": "postgres", "APP_ROLE_PASSWORD": "lab-postgres"}


@pytest.fixture(scope="module", name="lab")
def one_lab():
    with Lab() as lab:
        yield lab


@pytest.fixture(name="project")
def fresh_project(lab):
    """Removes whatever the test brought up under the name it gives to its project."""
    yield "shop"
    lab.down("shop")


@pytest.mark.parametrize("flavour", ["v1", "v2"])
def test_stack_comes_up_in_order(lab, project, flavour):
    with lab.events() as events:
        lab.up("five", flavour, project=project)
        lab.wait_healthy(project)
        started = [event.service for event in events.all("start")]
        healthy = events.wait(lambda event: event.service == "backend"
                              and event.action == "health_status: healthy")
        worker = events.wait(lambda event: event.service == "worker" and event.action == "start")
    assert set(started[:2]) == {"postgres", "cache"}
    assert started[2] == "backend"
    assert set(started[3:]) == {"worker", "frontend"}
    assert healthy.time_ns < worker.time_ns


def test_v1_names_and_labels(lab, project):
    lab.compose_up("five", project=project)
    labels = lab.inspect("shop_backend_1")["Config"]["Labels"]
    assert labels["com.docker.compose.project.config_files"] == "docker-compose.yml"
    assert Path(labels["com.docker.compose.project.working_dir"]).name == "five"
    assert "com.docker.compose.depends_on" not in labels
    lab.compose_down(project)
    assert lab.containers(project) == []
    assert lab.api("GET", "/volumes")["Volumes"] == []


def test_v2_names_and_labels(lab, project):
    lab.v2_up("five", project=project)
    labels = lab.inspect("shop-backend-1")["Config"]["Labels"]
    depends_on = set(labels["com.docker.compose.depends_on"].split(","))
    assert depends_on == {"postgres:service_healthy:false", "cache:service_started:false"}
    assert labels["com.docker.compose.oneoff"] == "False"
    assert Path(labels["com.docker.compose.project.config_files"]).is_absolute()


def test_flavours_agree(lab, project):
    """What the applications see is the same, whichever way the stack was brought up."""
    seen = []
    for flavour in ("v1", "v2"):
        lab.up("stubborn", flavour, project=project)
        inspected = lab.inspect(lab.container(project, "mule"))
        config, host = inspected["Config"], inspected["HostConfig"]
        seen.append((set(config["Env"]), config["Cmd"], config["Healthcheck"],
                     config["StopTimeout"], host["NetworkMode"], host["RestartPolicy"]["Name"]))
        lab.down(project)
    assert seen[0] == seen[1]


def test_replicas(lab, project):
    lab.up("replicas", "v2", project=project, scale={"worker": 2})
    assert [one.number for one in lab.containers(project, "worker")] == [1, 2]
    lab.down(project)
    lab.up("replicas", "v1", project=project)
    assert [one.number for one in lab.containers(project, "worker")] == [1, 2, 3]


@pytest.mark.parametrize("env, words", [
    ({}, "remaining connection slots are reserved"),
    (AS_SUPERUSER, "sorry, too many clients already"),
])
def test_incident(lab, project, env, words):
    lab.v2_up("five", project=project, env=env)
    lab.wait_healthy(project)
    lab.leak(project, "backend", pool=20)
    lab.leak(project, "worker", pool=20)
    wait_until(lambda: words in lab.refusal(project), 10, f"a login to hear: {words}")
    lab.wait_unhealthy(project, "backend", "worker")
    assert words in lab.health_log("shop-backend-1")[-1]
    wait_until(lambda: words in lab.logs("shop-worker-1"), 10, "the application to log it")
    ready = lab.exec("shop-postgres-1", ["pg_isready", "-h", "127.0.0.1"])
    assert ready.returncode == 0, "pg_isready praises a server that lets nobody in"


def test_leak_is_seen_by_container(lab, project):
    lab.v2_up("five", project=project)
    lab.leak(project, "worker", pool=7, mode="idle_tx")
    wait_until(lambda: sessions(lab, project, "worker", "idle in transaction") >= 5, 10, "the leak")
    networks = lab.inspect("shop-worker-1")["NetworkSettings"]["Networks"]
    address = lab.psql(project, "SELECT DISTINCT client_addr FROM pg_stat_activity"
                                " WHERE application_name = 'worker'")
    assert address == networks["shop_default"]["IPAddress"]


@pytest.mark.parametrize("reopen, left", [(False, 0), (True, 9)])
def test_killed_connections(lab, project, reopen, left):
    lab.v2_up("five", project=project)
    lab.leak(project, "worker", pool=9, reopen=reopen)
    wait_until(lambda: sessions(lab, project, "worker") == 9, 10, "the leak")
    lab.psql(project, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                      " WHERE application_name = 'worker'", user="supervisor")
    wait_until(lambda: "terminating connection" in lab.logs("shop-worker-1"), 10, "the log line")
    wait_until(lambda: sessions(lab, project, "worker") == left, 10, f"{left} sessions")


@pytest.mark.parametrize("mode, state, held", [
    ("idle", "idle", 5),
    ("idle_tx", "idle in transaction", 5),
    ("active", "active", 5),
])
def test_leak_modes(lab, project, mode, state, held):
    lab.v2_up("five", project=project)
    lab.leak(project, "worker", pool=0)
    wait_until(lambda: sessions(lab, project, "worker") == 0, 10, "its pool to be closed")
    lab.leak(project, "worker", pool=held, mode=mode)
    wait_until(lambda: sessions(lab, project, "worker", state) == held, 10, f"{held} {state}")


def test_polite_application_comes_and_goes(lab, project):
    lab.v2_up("five", project=project)
    seen = {sessions(lab, project, "frontend") for _ in range(30)}
    assert seen <= {0, 1} and 0 in seen


def test_broken_pool_needs_a_restart(lab, project):
    """ON_REFUSED=unhealthy: the incident is over, and the application does not get over it."""
    lab.v2_up("five", project=project, env={"ON_REFUSED": "unhealthy"})
    lab.leak(project, "worker", pool=40)
    lab.wait_unhealthy(project, "worker")
    lab.leak(project, "worker", pool=0)
    wait_until(lambda: not lab.refusal(project), 10, "room for a login")
    wait_until(lambda: "pool is broken" in lab.health_log("shop-worker-1")[-1], 10, "its words")
    assert lab.health("shop-worker-1") == "unhealthy"
    lab.api("POST", "/containers/shop-worker-1/restart?t=5")
    wait_until(lambda: lab.health("shop-worker-1") == "healthy", 10, "health after a restart")


def test_restart_heals_the_leaker(lab, project):
    lab.v2_up("five", project=project)
    lab.leak(project, "worker", pool=20, reopen=True)
    wait_until(lambda: sessions(lab, project, "worker") == 20, 10, "the leak")
    lab.api("POST", "/containers/shop-worker-1/restart?t=5")
    wait_until(lambda: sessions(lab, project, "worker") == 2, 10, "its pool of before")


def test_frozen_postgres(lab, project):
    lab.v2_up("diamond", project=project)
    lab.wait_healthy(project)
    lab.freeze_postgres(project)
    lab.wait_unhealthy(project, "postgres", "a", "b", "c")
    lab.thaw_postgres(project)
    lab.wait_healthy(project)


def test_stubborn_application_costs_its_grace(lab, project):
    lab.v2_up("stubborn", project=project)
    begin = time.monotonic()
    lab.api("POST", "/containers/shop-mule-1/stop")
    assert 2.9 < time.monotonic() - begin < 6
    assert lab.inspect("shop-mule-1")["State"]["ExitCode"] == 137


def test_readiness_trap(lab, project):
    """The check on the Unix socket believes the temporary server of the first start."""
    lab.v2_up("trap", project=project)
    wait_until(lambda: lab.health("shop-backend-1") == "not running", 10, "the backend to give up")
    assert "init process complete" not in lab.logs("shop-postgres-1")


def test_crash_loop(lab, project):
    lab.v2_up("crashloop", project=project)
    lab.api("POST", "/containers/shop-postgres-1/stop")
    wait_until(lambda: lab.inspect("shop-backend-1")["State"]["Restarting"], 20, "a crash loop")
    lab.api("POST", "/containers/shop-postgres-1/start")
    lab.wait_healthy(project)


def test_pgbouncer(lab, project):
    lab.v2_up("pgbouncer", project=project)
    lab.leak(project, "backend", pool=50)
    wait_until(lambda: "pool=50" in lab.logs("shop-backend-1"), 10, "the order to arrive")
    lab.wait_healthy(project)
    behind = lab.psql(project, "SELECT count(*) FROM pg_stat_activity WHERE usename = 'app'")
    assert int(behind) <= 5


def test_published_port(lab, project):
    lab.up("ports", "v1", project=project)
    with urllib.request.urlopen(f"http://127.0.0.1:{lab.port(project)}/", timeout=5) as answer:
        assert answer.read() == b"ok\n"


def test_official_entrypoint_variables(lab):
    """The password may come from a file, and a second start makes no second cluster."""
    lab.api("POST", "/containers/create?name=secret-db", {
        "Image": "lab/postgres",
        "Env": ["POSTGRES_PASSWORD_FILE=/etc/hostname", "POSTGRES_USER=boss"],
    })
    try:
        for life in (1, 2):
            lab.api("POST", "/containers/secret-db/start")
            wait_until(lambda: lab.exec("secret-db", ["psql", "-h", "127.0.0.1", "-U", "boss",
                                                      "-c", "SELECT 1"]).returncode == 0,
                       20, f"life {life}")
            lab.api("POST", "/containers/secret-db/stop")
        assert lab.inspect("secret-db")["State"]["ExitCode"] == 0
        assert lab.logs("secret-db").count("init process complete") == 1
    finally:
        lab.api("DELETE", "/containers/secret-db?force=1&v=1")


def test_nothing_leaves_the_lab(lab, project):
    lab.v2_up("nohealth", project=project)
    assert Path("/proc/sys/net/ipv4/ip_forward").read_text(encoding="ascii").strip() == "0"
    begin = time.monotonic()
    answer = lab.exec("shop-backend-1", ["bash", "-c", ": </dev/tcp/example.com/80"])
    assert "name resolution" in answer.stderr
    assert time.monotonic() - begin < 3, "an unknown name must not cost a long wait"


def test_two_labs_side_by_side(lab, project):
    lab.v2_up("nohealth", project=project)
    with Lab() as other:
        other.v2_up("nohealth", project=project)
        other.wait_ready(project)
        assert other.pg_address(project) != lab.pg_address(project)
    lab.wait_ready(project)
    assert not other.root.exists()


@pytest.mark.parametrize("number, live_restore, survives", [
    (signal.SIGTERM, False, False),
    (signal.SIGTERM, True, True),
    (signal.SIGKILL, True, True),
])
def test_engine_restart(number, live_restore, survives):
    with Lab(live_restore=live_restore) as lab:
        lab.v2_up("nohealth", project="shop")
        lab.wait_ready("shop")
        lab.engine_stop(number)
        with pytest.raises(OSError):
            lab.api("GET", "/_ping")
        lab.engine_start()
        running = [one.state == "running" for one in lab.containers("shop")]
        assert running == [survives] * 3


def test_events_go_on_after_engine_restart():
    with Lab(live_restore=True) as lab, lab.events() as events:
        lab.v2_up("nohealth", project="shop")
        lab.engine_stop()
        lab.engine_start()
        lab.api("POST", "/containers/shop-worker-1/restart?t=0")
        starts = [event for event in events.all("start") if event.service == "worker"]
        assert len(starts) <= 2
        events.wait(lambda event: event.action == "restart" and event.service == "worker")


def test_stop_after_engine_was_killed():
    with Lab() as lab:
        lab.v2_up("nohealth", project="shop")
        pid = lab.inspect("shop-postgres-1")["State"]["Pid"]
        lab.engine_stop(signal.SIGKILL)
    assert has_ended(pid)
    assert not lab.root.exists()
    lab.stop()  # and once more


def test_next_lab_sweeps_up_after_a_killed_test():
    orphan = subprocess.run(
        [sys.executable, "-c", "import os; from lab import Lab; lab = Lab().start();"
                               " print(lab.root, lab.engine.pid, flush=True); os._exit(1)"],
        cwd=Path(__file__).parent, capture_output=True, text=True, timeout=60, check=False)
    root, pid = orphan.stdout.split()
    assert Path(root).exists()
    with Lab():
        assert not Path(root).exists()
        assert has_ended(pid)


def test_foreign_folder_is_refused(tmp_path):
    (tmp_path / "precious").touch()
    lab = Lab(tmp_path)
    with pytest.raises(ValueError):
        lab.start()
    lab.stop()
    assert (tmp_path / "precious").exists()


def test_api_error_carries_the_status(lab):
    with pytest.raises(ApiError) as caught:
        lab.inspect("nobody")
    assert caught.value.status == 404


def test_interpolation():
    env = {"A": "1"}
    assert stacks.interpolate("${A} ${A:-2} ${B:-2} ${B} $$A", env) == "1 1 2  $A"


def test_start_order_names_a_cycle():
    services = {"a": {"depends_on": ["b"]}, "b": {"depends_on": ["a"]}}
    with pytest.raises(ValueError, match="a -> b -> a"):
        stacks.start_order(services)


def test_durations():
    assert stacks.nanoseconds("1m30s") == 90 * 10**9
    assert stacks.nanoseconds("500ms") == 5 * 10**8


def sessions(lab, project, application, state="idle"):
    """How many sessions an application holds in PostgreSQL."""
    return int(lab.psql(project, "SELECT count(*) FROM pg_stat_activity WHERE application_name ="
                                 f" '{application}' AND state = '{state}'"))


def has_ended(pid):
    """A zombie has ended too: not every machine's init reaps what it inherits."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return True
    return stat.rpartition(")")[2].split()[0] == "Z"
