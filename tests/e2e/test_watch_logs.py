"""The containers' logs and checks of one's own, by a daemon on a real engine: every line counts, and
counts once; the supervisor's own refused logins do not."""

import signal
import uuid
from contextlib import ExitStack, contextmanager, suppress

import psycopg2
import pytest
from autopilot import observation, wait_observation
from checks import postgres_log
from lab import Lab, wait_until
from labkit.stacks import LABEL
from programs import Supervisor

TOLD = """
logs:
  - {name: told, match: '^told ', services: [noisy]}
"""

LIVES, LINES = 4, 20

# Each life writes its lines, one of them longer than a part of Docker's log (16 KiB), in a few
# tenths of a second, and ends without the end of a line; the last one stays.
SCRIPT = f"""
n=$(cat /n 2>/dev/null || echo 0); n=$((n+1)); echo $n >/n
i=1
while [ $i -lt {LINES} ]; do
    echo "told life $n line $i"
    [ $i = 10 ] && {{ printf 'told long '; head -c 40000 /dev/zero | tr '\\0' x; echo; }}
    [ $((i % 5)) = 0 ] && sleep 0.2
    i=$((i+1))
done
[ $n -lt {LIVES} ] || sleep 1000
printf 'dying word'
exit 1
"""


@pytest.fixture
def noisy():
    """Starts a service `noisy` in a project: a shell with a script, restarted for ever."""
    started = []

    def start(lab, project, script=SCRIPT, *options):
        name = f"{project}_noisy_{uuid.uuid4().hex[:6]}"
        labels = {"project": project, "service": "noisy", "container-number": 1, "oneoff": "False"}
        words = [f"--label={LABEL}{key}={value}" for key, value in labels.items()]
        answer = lab.docker("run", "--detach", "--name", name, "--network=none", "--restart=always",
                            *words, *options, "--entrypoint=sh", "lab/base", "-c", script)
        assert answer.returncode == 0, answer.stderr
        started.append((lab, name))
        return name

    yield start
    for lab, name in started:
        lab.docker("rm", "--force", name)


def say(lab, name, words):
    """One more line in a container's log."""
    answer = lab.exec(name, ["sh", "-c", f"echo '{words}' >/proc/1/fd/1"])
    assert answer.returncode == 0, answer.stderr


@contextmanager
def taker_of_slots(host, port, password):
    """take() takes every ordinary slot by sessions of its own; nothing of it is in a container's log."""
    with ExitStack() as held:
        def take():
            with suppress(psycopg2.OperationalError):
                while True:
                    session = psycopg2.connect(host=host, port=port, dbname="app", user="app", password=password)
                    held.callback(session.close)
        yield take


def per_minute(lines):
    return lines * 2  # over 30 s


def state_of_log(supervisor, name):
    logs = supervisor.api("GET", "/v1/observations")["logs"]
    return next((one["state"] for one in logs if one["container"] == name), None)


def test_every_line_counts_once_whatever_breaks(lab, stack, proxy, supervisor, noisy):
    """Restarts by Docker's policy, and a connection that breaks now and then."""
    project = stack("nohealth", healthy=False)
    supervisor.configure(f"stack: {project}\n{TOLD}")
    supervisor.start()
    wait_observation(supervisor, "log(too-many-clients).rate", lambda it: it == 0)
    name = noisy(lab, project)
    for life in range(1, LIVES):
        wait_until(lambda life=life: lab.inspect(name)["RestartCount"] >= life, 30, f"life {life}")
        proxy.cut("/logs")
    wait_observation(supervisor, "log(told).rate", lambda it: it == per_minute(LIVES * LINES))
    # What a new connection is told again is not counted again: the next line is the next count.
    asked = proxy.count("GET", f"/{lab.inspect(name)['Id']}/logs")
    proxy.cut("/logs")
    wait_until(lambda: proxy.count("GET", f"/{lab.inspect(name)['Id']}/logs") > asked, 10, "it to ask again")
    say(lab, name, "told the last")
    wait_observation(supervisor, "log(told).rate", lambda it: it == per_minute(LIVES * LINES + 1))


@pytest.mark.long
def test_a_restart_of_the_daemon_counts_what_its_former_life_counted(lab, stack, supervisor, noisy):
    project = stack("nohealth", healthy=False)
    supervisor.configure(f"stack: {project}\n{TOLD}")
    name = noisy(lab, project, "sleep 1000")
    supervisor.start()
    for i in range(3):
        say(lab, name, f"told {i}")
    wait_observation(supervisor, "log(told).rate", lambda it: it == per_minute(3))
    supervisor.stop(signal.SIGKILL)
    say(lab, name, "told while nobody listened")
    supervisor.start()
    wait_observation(supervisor, "log(told).rate", lambda it: it == per_minute(4), timeout=20)
    wait_observation(supervisor, "log(told).rate", lambda it: it == 0, timeout=60)


@pytest.mark.long
def test_an_engine_that_is_restarted_leaves_no_gap(tmp_path, noisy):
    """The containers live on (live-restore), and write while nobody listens."""
    from conftest import BINARIES
    with Lab(live_restore=True) as lab:
        lab.up("nohealth")
        supervisor = Supervisor(BINARIES, lab.docker_host, tmp_path)
        try:
            supervisor.configure(TOLD)
            name = noisy(lab, "nohealth", "i=0; while [ $i -lt 30 ]; do i=$((i+1)); echo told $i; sleep 0.2; done; "
                                          "sleep 1000")
            supervisor.start()
            wait_observation(supervisor, "log(told).rate", lambda it: it and it > 0)
            lab.engine_stop()
            lab.engine_start()
            wait_observation(supervisor, "log(told).rate", lambda it: it == per_minute(30))
            say(lab, name, "told the last")
            wait_observation(supervisor, "log(told).rate", lambda it: it == per_minute(31))
        finally:
            supervisor.end()


def test_a_log_that_cannot_be_read_is_said_so(lab, stack, supervisor, noisy):
    project = stack("nohealth", healthy=False)
    supervisor.configure(f"stack: {project}\n{TOLD}")
    supervisor.start()
    name = noisy(lab, project, "sleep 1000", "--log-driver=none")
    wait_until(lambda: state_of_log(supervisor, name) == "unreadable", 20, "the log to be given up")
    assert observation(supervisor, "log(told).rate") is None
    assert "does not support reading" in supervisor.log()
    assert "json-file" in supervisor.log()


def test_only_the_apps_refused_logins_count(lab, stack, supervisor):
    """As a role without reserved slots the supervisor is refused like anybody."""
    project = stack("nohealth", healthy=False)
    lab.wait_ready(project, timeout=120)
    host, port = lab.pg_address(project)
    passfile = supervisor.folder / "pgpass"
    passfile.write_text(f"*:*:*:supervisor:{lab.password(project, 'supervisor')}\n")
    passfile.chmod(0o600)
    supervisor.configure(f"stack: {project}\nwatch: {{calm: 1s, pressed: 500ms}}\n"
                         f"database:\n  connect: host={host} port={port} dbname=app user=supervisor\n"
                         f"  passfile: {passfile}\n")
    supervisor.start()
    wait_observation(supervisor, "database.state", lambda it: it == "ready")
    held = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'app'"
    wait_until(lambda: lab.psql(project, held).strip() == "4", 60, "the apps to have their two each")
    with taker_of_slots(host, port, lab.password(project, "app")) as take:
        def is_refused(rate):
            take()  # again, as the supervisor may have given a slot back meanwhile
            return rate and rate > 2

        wait_observation(supervisor, "connections.refused.rate", is_refused)
        assert any("remaining connection slots" in line or "too many clients" in line
                   for line in postgres_log(lab, project))
        assert observation(supervisor, "log(too-many-clients).rate") == 0
        lab.leak(project, "worker", pool=10)
        wait_observation(supervisor, "log(too-many-clients).rate", lambda it: it and it > 0)


CHECKS = """
checks:
  - {name: port, tcp: 'postgres:5432', every: 1s, timeout: 1s, failures: 2}
  - {name: inside, exec: [sh, -c, 'test ! -e /broken'], container: backend, every: 1s, timeout: 1s, failures: 2}
  - {name: here, exec: [sh, -c, 'test -n "$STACK_SUPERVISOR_CHECK"'], every: 1s, timeout: 1s}
"""


@pytest.mark.long
def test_checks_of_ones_own(lab, stack, supervisor):
    """By the service's name, in a container, and on this host."""
    project = stack("nohealth", healthy=False)
    lab.wait_ready(project, timeout=120)
    supervisor.configure(f"stack: {project}\n{CHECKS}")
    supervisor.start()
    for name in "port", "inside", "here":
        wait_observation(supervisor, f"check({name}).state", lambda it: it == "passing")
    lab.exec(lab.container(project, "backend"), ["touch", "/broken"], user="0")
    wait_observation(supervisor, "check(inside).state", lambda it: it == "failing")
    lab.docker("stop", lab.postgres(project))
    wait_observation(supervisor, "check(port).state", lambda it: it == "failing")
    assert observation(supervisor, "check(here).state") == "passing"
    lab.docker("start", lab.postgres(project))
    wait_observation(supervisor, "check(port).state", lambda it: it == "passing")
