"""Which container holds which session: right in every network mode, or unknown, never wrong."""

import subprocess
from pathlib import Path

import pytest
from autopilot import act, observation, wait_observation
from lab import wait_until


def held(daemon):
    """{application: {holder: sessions}} of those who are not the supervisor itself."""
    counts = {}
    for one in daemon.json("connections")["sessions"]:
        if not one["ours"]:
            holders = counts.setdefault(one["application"], {})
            holders[one["holder"]] = holders.get(one["holder"], 0) + 1
    return counts


def expect(daemon, expected):
    """Pools fill over a second, health checks come and go: what stays is compared."""
    wait_until(lambda: expected.items() <= held(daemon).items(), 20,
               f"{expected}, not {held(daemon)}")


def own(lab, project, *services):
    """What is right where every application holds two sessions under its service's name."""
    return {name: {lab.container(project, name): 2} for name in services}


# ---- every network mode ----------------------------------------------------------------------------

def test_on_a_bridge(lab, stack, daemon):
    project = stack("five")
    expect(daemon, {"backend": {lab.container(project, "backend"): 3},
                    "worker": {lab.container(project, "worker"): 2}})


def test_with_host_networking(lab, stack, daemon):
    project = stack("hostnet")
    expect(daemon, own(lab, project, "backend", "worker"))


def test_on_a_unix_socket_in_a_volume(lab, stack, daemon):
    project = stack("sockets")
    expect(daemon, own(lab, project, "backend", "worker", "tcp"))


@pytest.mark.long
def test_with_a_shared_network_namespace(lab, stack, daemon):
    """backend and side have one address; inner speaks to the database by its loopback."""
    project = stack("joined")
    expect(daemon, own(lab, project, "backend", "side", "inner"))


@pytest.mark.long
def test_a_published_port_ends_at_the_proxy(lab, stack, daemon):
    """outer's sessions come from docker-proxy: the bridge's own address, and nobody's container."""
    stack("joined")
    expect(daemon, {"outer": {"(host) docker-proxy": 2}})
    session = next(one for one in daemon.json("connections")["sessions"]
                   if one["application"] == "outer")
    assert session["container"] is None and session["service"] is None


@pytest.mark.long
def test_from_the_host_network_to_a_bridge(lab, stack, daemon):
    """A client on the host's network comes by the gateway's address, as everybody there does."""
    project = stack("five")
    host, port = lab.pg_address(project)
    environment = {"PGHOST": host, "PGPORT": port, "PGDATABASE": "app", "PGUSER": "app",
                   "PGPASSWORD": lab.password(project, "app"), "POOL": 2, "APP_NAME": "guest"}
    settings = [f"--env={key}={value}" for key, value in environment.items()]
    labels = [f"--label=com.docker.compose.{key}" for key in
              (f"project={project}", "service=guest", "container-number=1", "oneoff=False")]
    started = lab.docker("run", "--detach", "--network=host", "--name", f"{project}_guest_1",
                         *settings, *labels, "lab/app")
    assert started.returncode == 0, started.stderr
    expect(daemon, {"guest": {f"{project}_guest_1": 2}})
    # A process of the machine itself, by the same address, is told from it.
    client = subprocess.Popen(["psql", "-X", "-q", f"host={host} port={port} dbname=app user=app "
                               f"password={environment['PGPASSWORD']} application_name=by-hand"],
                              stdin=subprocess.PIPE)
    try:
        expect(daemon, {"by-hand": {"(host) psql": 1}, "guest": {f"{project}_guest_1": 2}})
    finally:
        client.communicate(timeout=10)


@pytest.mark.long
def test_a_container_of_another_stack_is_said_to_be_one(lab, stack, daemon):
    """It is in no service of this stack, and it is not mistaken for one."""
    project = stack("five")
    host, port = lab.pg_address(project)
    settings = [f"--env={key}={value}" for key, value in
                {"PGHOST": host, "PGPORT": port, "PGDATABASE": "app", "PGUSER": "app", "POOL": 2,
                 "PGPASSWORD": lab.password(project, "app"), "APP_NAME": "stranger"}.items()]
    backend = lab.container(project, "backend")
    started = lab.docker("run", "--detach", f"--network=container:{backend}", *settings, "lab/app")
    assert started.returncode == 0, started.stderr
    stranger = started.stdout.strip()
    try:
        expect(daemon, {"stranger": {f"(container) {stranger[:12]}": 2}, "backend": {backend: 3}})
    finally:
        lab.docker("rm", "--force", stranger)


# ---- without rights --------------------------------------------------------------------------------

def drop(supervisor, *capabilities):
    """Root still, and nobody to whom every process is open."""
    names = ",".join(f"-{name}" for name in capabilities)
    supervisor.prefix = ["setpriv", "--bounding-set", names]


@pytest.fixture
def open_engine(lab):
    """Its socket is anybody's, for a supervisor that is not root."""
    socket = Path(lab.docker_host.removeprefix("unix://"))
    modes = {path: path.stat().st_mode & 0o777 for path in (socket, socket.parent)}
    for path, mode in modes.items():
        path.chmod(mode | 0o077)
    yield
    for path, mode in modes.items():
        path.chmod(mode)


def test_without_rights_addresses_are_all_there_is(stack, supervisor):
    """Unknown where an address does not tell, and the reason is given."""
    stack("joined")
    drop(supervisor, "sys_ptrace", "sys_admin", "dac_override", "dac_read_search")
    supervisor.start()
    expect(supervisor, dict.fromkeys(["backend", "side", "inner", "outer"], {"(unknown)": 2}))
    assert "CAP_SYS_PTRACE" in supervisor.ctl("connections").err


@pytest.mark.long
def test_an_address_of_one_container_is_enough_without_rights(lab, stack, supervisor):
    project = stack("five")
    drop(supervisor, "sys_ptrace", "sys_admin", "dac_override", "dac_read_search")
    supervisor.start()
    expect(supervisor, {"worker": {lab.container(project, "worker"): 2}})


def test_a_user_who_is_shown_the_databases_processes_alone(lab, stack, supervisor, open_engine):
    """999 is often PostgreSQL's number and the supervisor's; its unit hides all other processes."""
    project = stack("joined")
    server = lab.inspect(lab.container(project, "postgres"))["State"]["Pid"]
    supervisor.become(Path(f"/proc/{server}").stat().st_uid)
    supervisor.narrow_proc()
    supervisor.start()
    expect(supervisor, dict.fromkeys(["backend", "side", "inner", "outer"], {"(unknown)": 2}))
    assert "CAP_SYS_PTRACE" in supervisor.ctl("connections").err


@pytest.mark.long
def test_an_address_tells_whom_proc_hides(lab, stack, supervisor, open_engine):
    project = stack("five")
    server = lab.inspect(lab.container(project, "postgres"))["State"]["Pid"]
    supervisor.become(Path(f"/proc/{server}").stat().st_uid)
    supervisor.narrow_proc()
    supervisor.start()
    expect(supervisor, {"worker": {lab.container(project, "worker"): 2}})
    lab.leak(project, "worker", pool=6)
    expect(supervisor, {"worker": {lab.container(project, "worker"): 6}})
    dry = supervisor.json("clean", "--idle", "0s", "--container", "worker", "--dry-run")
    assert {one["application"] for one in dry["ended"]} == {"worker"} and len(dry["ended"]) == 6


def address(lab, container):
    networks = lab.inspect(container)["NetworkSettings"]["Networks"]
    return next(iter(networks.values()))["IPAddress"]


def test_two_that_have_changed_addresses_are_not_mistaken_for_each_other(lab, stack, supervisor):
    """Stopped together and started the other way round, each has the address that was the other's."""
    project = stack("five")
    drop(supervisor, "sys_ptrace", "sys_admin", "dac_override", "dac_read_search")
    act(supervisor, mode="observe")
    backend, worker = (lab.container(project, name) for name in ("backend", "worker"))
    before = address(lab, backend), address(lab, worker)
    lab.docker("stop", "-t", "1", backend, worker)
    for name in (worker, backend) if before[0] < before[1] else (backend, worker):
        assert lab.docker("start", name).returncode == 0
    assert (address(lab, worker), address(lab, backend)) == before
    lab.wait_healthy(project, timeout=60)
    lab.leak(project, "worker", pool=12)
    wait_until(lambda: count(lab, project).get("worker", 0) >= 12, 20, "the leak")
    wait_observation(supervisor, f"container({worker}).connections", lambda it: it and it >= 12)
    wait_observation(supervisor, f"container({backend}).connections", lambda it: it and it <= 4)
    assert observation(supervisor, "connections.leaker") != backend


@pytest.mark.long
def test_unix_sockets_take_the_right_to_enter_a_namespace(lab, stack, supervisor):
    project = stack("sockets")
    drop(supervisor, "sys_admin")
    supervisor.start()
    expect(supervisor, own(lab, project, "tcp") |
           dict.fromkeys(["backend", "worker"], {"(unknown)": 2}))
    assert "CAP_SYS_ADMIN" in supervisor.ctl("connections").err


# ---- what is done with it ----------------------------------------------------------------------------

def count(lab, project):
    rows = lab.psql(project, "SELECT application_name, count(*) FROM pg_stat_activity WHERE "
                             "state = 'idle' AND application_name IN ('backend', 'worker', 'side', "
                             "'inner', 'outer') GROUP BY 1")
    return {name: int(number) for name, number in (row.split("|") for row in rows.splitlines())}


@pytest.mark.long
@pytest.mark.parametrize("name", ["hostnet", "joined"])
def test_a_clean_by_container_ends_no_other_session(lab, stack, daemon, name):
    project = stack(name)
    target, other = ("worker", "backend") if name == "hostnet" else ("backend", "side")
    lab.leak(project, target, pool=6)
    lab.leak(project, other, pool=5)
    expect(daemon, {target: {lab.container(project, target): 6},
                        other: {lab.container(project, other): 5}})
    rest = {key: value for key, value in count(lab, project).items() if key != target}
    command = ["clean", "--idle", "0s", "--container", target]
    dry = daemon.json(*command, "--dry-run")
    assert {one["application"] for one in dry["ended"]} == {target} and len(dry["ended"]) == 6
    assert daemon.ctl(*command, "--yes").code == 0
    assert count(lab, project) == rest


def test_a_person_reads_who_holds_how_much(lab, stack, daemon):
    project = stack("hostnet")
    lab.leak(project, "worker", pool=20, mode="idle_tx")
    worker = lab.container(project, "worker")

    def first():
        return daemon.json("connections")["groups"]["container"][0]

    # Those that were there before stay as they are.
    wait_until(lambda: (first()["idle"], first()["idle_in_transaction"]) == (2, 18), 20,
               "18 open transactions")
    answer = daemon.ctl("connections")
    assert answer.code == 0
    assert f"{worker} holds 20 of 27, oldest idle " in answer.out
    group = first()
    assert group["name"] == worker and group["count"] == 20
    assert 0 < group["oldest_idle_seconds"] < 60
    assert group["share"] == pytest.approx(20 / 27)
