"""The test lab: a private Docker engine with real stacks on it, for tests and for hand use.

    from lab import Lab

    with Lab() as lab:
        lab.compose_up("five")
        lab.wait_healthy("five")
        lab.leak("five", "worker", pool=30)
        lab.wait_refused("five")

As a command: /usr/bin/python3 tests/lab/lab.py --help. README.md beside this file tells the rest.
"""

import argparse
import atexit
import os
import random
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from labkit import engine_api, images, roots, stacks, subnets
from labkit.engine import Engine, missing, remove_tree
from labkit.engine_api import ApiError
from labkit.waiting import wait_until

__all__ = ["ApiError", "Container", "Lab", "missing", "wait_until"]

STATE_FILE = roots.RUN_DIR / "current"  # holds the root of the lab that `up` left running

# What an ordinary role hears when no slot is left for it (53300 both): the first as long as the
# reserved slots are free, the second when even those are taken.
REFUSALS = ("remaining connection slots are reserved", "sorry, too many clients already")


@dataclass(frozen=True)
class Container:
    """A container of a stack, as the engine lists it."""

    id: str
    name: str
    service: str
    number: int
    state: str  # created, running, paused, restarting, exited, dead


# How often a container's health is checked; each check costs the machine a tenth of a second.
INTERVAL = "LAB_CHECK_INTERVAL"


class Lab:
    """A private engine with the lab's images, and what tests do with it."""

    def __init__(self, root=None, live_restore=False):
        self.root = Path(root) if root else roots.make_root()
        self._process = os.getpid()
        self.engine = Engine(self.root, live_restore)
        self._stacks = {}  # project -> (stack file, environment), for docker-compose
        self._places = {}  # project -> the subnet and the port that are its own

    # ---- life -------------------------------------------------------------------------------

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def start(self, detached=False):
        """Starts the engine with all images in place; detached: it outlives this process."""
        if missing():
            raise RuntimeError(missing())
        roots.take(self.root)
        roots.own(self.root, detached)
        if not detached:
            atexit.register(self._stop_at_exit)
        try:
            sweep()
            (self.root / "client").mkdir(exist_ok=True)
            images.install_cached(self.engine.data_root, TemporaryEngine)
            self.engine.start()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self):
        """Ends all processes of the lab and deletes its root. May be called again."""
        atexit.unregister(self._stop_at_exit)
        if roots.is_root(self.root):
            self.engine.stop()
            remove_tree(self.root)
        subnets.release(self.root)

    def _stop_at_exit(self):
        if os.getpid() == self._process:  # a forked child that ends must not end the lab
            self.stop()

    def engine_stop(self, number=signal.SIGTERM):
        """Ends dockerd alone, by the signal given; containerd runs on, as it does on a server."""
        self.engine.stop_engine(number)

    def engine_start(self):
        """Starts dockerd again; returns when it answers."""
        self.engine.start_engine()

    def engine_signal(self, number):
        """Sends dockerd a signal and waits for nothing; SIGSTOP and SIGCONT make it hang."""
        self.engine.signal_engine(number)

    @property
    def socket(self):
        return str(self.engine.socket)

    @property
    def docker_host(self):
        return f"unix://{self.engine.socket}"

    # ---- stacks -----------------------------------------------------------------------------

    def compose_up(self, stack, project=None, scale=None, env=None):
        """Brings a stack up with docker-compose 1.29; gives the project's name."""
        file, project, env = self._prepare(stack, project, env)
        scales = [f"--scale={service}={count}" for service, count in (scale or {}).items()]
        self.compose(project, "up", "--detach", *scales)
        return project

    def compose_down(self, project):
        """docker-compose down, volumes too."""
        self.compose(project, "down", "--volumes")

    def v2_up(self, stack, project=None, scale=None, env=None):
        """Brings the same stack up as compose v2 would leave it."""
        file, project, env = self._prepare(stack, project, env)
        stacks.V2Stack(self.socket, file, project, env).up(scale)
        return project

    def up(self, stack, flavour="v1", **options):
        """compose_up or v2_up by name, for tests that do both."""
        return {"v1": self.compose_up, "v2": self.v2_up}[flavour](stack, **options)

    def down(self, project):
        """Removes containers, network and volumes of a project at once, whatever made it."""
        stacks.remove_project(self.socket, project)

    def compose(self, project, *arguments):
        """Any docker-compose command on a project that this Lab brought up; gives its output."""
        file, env = self._stacks[project]
        return stacks.v1_run(file, project, self.docker_host, self.root / "client", arguments, env)

    def port(self, project):
        """The port of the machine that a stack publishes or listens on (LAB_PORT)."""
        return int(self._places[project]["LAB_PORT"])

    def _prepare(self, stack, project, env):
        file = stacks.stack_file_of(stack)
        project = project or file.parent.name
        if project not in self._places:
            self._places[project] = {
                "LAB_SUBNET": stacks.subnet_of(self.socket, project) or subnets.claim(self.root),
                "LAB_PORT": str(free_port()),
            }
            if INTERVAL in os.environ:
                self._places[project][INTERVAL] = os.environ[INTERVAL]
        env = self._places[project] | {key: str(value) for key, value in (env or {}).items()}
        self._stacks[project] = (file, env)
        return file, project, env

    # ---- looking ----------------------------------------------------------------------------

    def api(self, method, path, body=None, timeout=60):
        """One request to the engine; gives the decoded JSON, raises ApiError."""
        return engine_api.request(self.socket, method, path, body, timeout)

    def docker(self, *arguments, timeout=60):
        """The docker command on this engine; gives the CompletedProcess, texts captured."""
        environment = os.environ | {"DOCKER_CONFIG": str(self.root / "client")}
        return subprocess.run([images.DOCKER, "-H", self.docker_host, *map(str, arguments)],
                              capture_output=True, text=True, timeout=timeout, check=False,
                              env=environment)

    def events(self):
        """A context that collects container events, see labkit/engine_api.py."""
        return engine_api.Events(self.socket)

    def containers(self, project, service=None):
        """The containers of a project, sorted by service and number."""
        labels = [f"{stacks.LABEL}project={project}"]
        if service:
            labels.append(f"{stacks.LABEL}service={service}")
        wanted = engine_api.filters(label=labels)
        listed = self.api("GET", f"/containers/json?all=1&filters={wanted}")
        return sorted(map(container_of, listed), key=lambda one: (one.service, one.number))

    def container(self, project, service, number=1):
        """The name of one container of a project."""
        for one in self.containers(project, service):
            if one.number == number:
                return one.name
        raise LookupError(f"{project} has no container {service} {number}")

    def inspect(self, container):
        return self.api("GET", f"/containers/{container}/json")

    def health(self, container):
        """healthy, unhealthy, starting, or none; "not running" when nothing can be said."""
        state = self.inspect(container)["State"]
        if not state["Running"]:
            return "not running"
        return state.get("Health", {}).get("Status", "none")

    def health_log(self, container):
        """What the last checks printed, the newest last."""
        log = self.inspect(container)["State"].get("Health", {}).get("Log") or []
        return [entry["Output"] for entry in log]

    def logs(self, container, tail="all"):
        raw, _ = engine_api.fetch(self.socket, "GET",
                                  f"/containers/{container}/logs?stdout=1&stderr=1&tail={tail}")
        return "".join(engine_api.output_of(raw))

    def exec(self, container, argv, user=None, timeout=30):
        """Runs a command in a container; gives returncode, stdout and stderr."""
        # A frozen server must not leave psql behind in the container for ever.
        return engine_api.execute(self.socket, container, argv, user, ["PGCONNECT_TIMEOUT=5"],
                                  timeout)

    def signal(self, container, number):
        """Sends a signal to PID 1 of a container from outside: the engine knows nothing of it."""
        os.kill(self.inspect(container)["State"]["Pid"], number)

    # ---- PostgreSQL -------------------------------------------------------------------------

    def postgres(self, project):
        """The name of the container that runs the project's PostgreSQL."""
        return self.container(project, "postgres")

    def psql(self, project, sql, user="postgres", database="app"):
        """Runs SQL inside the container over its Unix socket; rows as lines, columns by |.

        A login that is refused takes a reserved slot for a moment: ours is tried again then."""
        argv = ["psql", "-v", "ON_ERROR_STOP=1", "--no-psqlrc", "-qAt", "-U", user, "-d", database,
                "-c", sql]

        def answered():
            answer = self.exec(self.postgres(project), argv)
            return None if REFUSALS[1] in answer.stderr else answer

        answer = wait_until(answered, 30, f"a slot for psql in {project}")
        if answer.returncode != 0:
            raise RuntimeError(f"psql in {project}: {answer.stderr.strip()}")
        return answer.stdout.strip()

    def pg_address(self, project):
        """(ip, port) at which the machine itself reaches the project's PostgreSQL."""
        networks = self.inspect(self.postgres(project))["NetworkSettings"]["Networks"]
        return next(iter(networks.values()))["IPAddress"], 5432

    def password(self, project, role):
        """The password of postgres, app or supervisor, from the stack's environment."""
        variable = {"postgres": "POSTGRES_PASSWORD"}.get(role, f"{role.upper()}_PASSWORD")
        environment = self.inspect(self.postgres(project))["Config"]["Env"]
        return dict(entry.split("=", 1) for entry in environment)[variable]

    def refusal(self, project, user="app"):
        """What a new login hears when no slot is left for it (SQLSTATE 53300), else ""."""
        argv = ["psql", "--no-psqlrc", "-h", "127.0.0.1", "-U", user, "-d", "app", "-c", "SELECT 1"]
        error = self.exec(self.postgres(project), argv).stderr
        return error.strip() if any(text in error for text in REFUSALS) else ""

    def freeze_postgres(self, project):
        """Stops the postmaster in its tracks: logins are accepted by the kernel, never answered."""
        self.signal(self.postgres(project), signal.SIGSTOP)

    def thaw_postgres(self, project):
        self.signal(self.postgres(project), signal.SIGCONT)

    # ---- making trouble ---------------------------------------------------------------------

    def leak(self, project, service, pool=20, mode="idle", rate=50, reopen=False, number=None):
        """Tells the running application(s) of a service how many connections to hold.

        With reopen=False a connection that is killed stays lost, so that a cleaning helps; with
        True it comes back until the application is restarted, so that only a restart helps.
        """
        order = [f"pool={pool}", f"mode={mode}", f"rate={rate}", f"reopen={int(reopen)}"]
        for one in self.containers(project, service):
            if number in (None, one.number):
                answer = self.exec(one.name, ["leaky", "ctl", *order])
                if answer.returncode != 0:
                    raise RuntimeError(f"leak in {one.name}: {answer.stderr.strip()}")

    # ---- waiting ----------------------------------------------------------------------------

    @staticmethod
    def wait_until(condition, timeout, what):
        """Polls until condition() is true and gives its value; else TimeoutError names `what`."""
        return wait_until(condition, timeout, what)

    def wait_ready(self, project, timeout=30):
        """Until PostgreSQL answers over TCP; the temporary server of a first start does not."""
        argv = ["psql", "--no-psqlrc", "-h", "127.0.0.1", "-U", "postgres", "-d", "app", "-c", ""]
        wait_until(lambda: self.exec(self.postgres(project), argv).returncode == 0, timeout,
                   f"the PostgreSQL of {project} to answer")

    def wait_healthy(self, project, timeout=30):
        """Until every container of the project runs and is healthy (or has no check)."""
        self._wait_health(self.containers(project), ("healthy", "none"), timeout)

    def wait_unhealthy(self, project, *services, timeout=60):
        """Until all containers of these services are unhealthy."""
        chosen = [one for one in self.containers(project) if one.service in services]
        self._wait_health(chosen, ("unhealthy",), timeout)

    def _wait_health(self, containers, wanted, timeout):
        for one in containers:
            wait_until(lambda name=one.name: self.health(name) in wanted, timeout,
                       f"{one.name} to be {' or '.join(wanted)}")

    def wait_refused(self, project, timeout=60):
        """Until a login as app is refused, as all that it could have are held; gives the server's
        words. A refusal alone may be due to a session that is about to end."""
        wait_until(lambda: self.is_full(project), timeout, f"{project} to have no slot left")
        return wait_until(lambda: self.refusal(project), timeout, f"{project} to refuse logins")

    def is_full(self, project):
        """Whether every ordinary slot is held by a session that is there to stay."""
        sql = ("SELECT count(*) FILTER (WHERE pid <> pg_backend_pid()) >= "
               "current_setting('max_connections')::int - "
               "current_setting('superuser_reserved_connections')::int "
               "FROM pg_stat_activity WHERE backend_type = 'client backend'")
        argv = ["psql", "--no-psqlrc", "-qAt", "-U", "postgres", "-d", "app", "-c", sql]
        answer = self.exec(self.postgres(project), argv)
        return answer.stdout.strip() == "t" or REFUSALS[1] in answer.stderr


def container_of(listed):
    labels = listed["Labels"]
    return Container(
        id=listed["Id"],
        name=listed["Names"][0].lstrip("/"),
        service=labels[f"{stacks.LABEL}service"],
        number=int(labels.get(f"{stacks.LABEL}container-number", "1")),
        state=listed["State"],
    )


class TemporaryEngine:
    """An engine on an empty store, gone with its root at the end; images are built on it."""

    def __enter__(self):
        self.root = roots.make_root()
        self.engine = Engine(self.root)
        self.engine.start()
        return self.engine

    def __exit__(self, *_):
        self.engine.stop()
        remove_tree(self.root)


def sweep():
    """Cleans up after labs whose process was killed before it could stop them."""
    for root in roots.adopt_orphans():
        Lab(root).stop()


def free_port():
    """A TCP port that is free now, below the range from which the kernel hands out ports."""
    for port in random.sample(range(20000, 32000), 100):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise RuntimeError("no free port")


# ---- the command ---------------------------------------------------------------------------------

def current_lab():
    try:
        return Lab(STATE_FILE.read_text(encoding="utf-8"))
    except FileNotFoundError:
        sys.exit("no lab is up; start one with `up`")


def command_up(options):
    if STATE_FILE.exists():
        if current_lab().engine.pid is not None:
            sys.exit("a lab is up already; end it with `down`")
        current_lab().stop()  # its engine is gone: clear away the rest
    lab = Lab(live_restore=options.live_restore).start(detached=True)
    roots.RUN_DIR.mkdir(exist_ok=True)
    STATE_FILE.write_text(str(lab.root), encoding="utf-8")
    print(f"export DOCKER_HOST={lab.docker_host}")


def command_down(_):
    current_lab().stop()
    STATE_FILE.unlink()


def command_images(_):
    print(images.ensure_store(TemporaryEngine))


def command_stack_up(options):
    project = current_lab().up(options.stack, options.flavour, project=options.project)
    print(f"{project} is up")


def command_stack_down(options):
    current_lab().down(options.project)


def command_status(_):
    lab = current_lab()
    print(f"root {lab.root}, dockerd {lab.engine.pid or 'does not run'}")
    if lab.engine.pid is not None:
        print(lab.docker("ps", "--all").stdout, end="")


def command_leak(options):
    current_lab().leak(options.project, options.service, options.pool, options.mode)


def parse_arguments(arguments):
    parser = argparse.ArgumentParser(
        prog="lab", description="A private Docker engine to try things on.")
    commands = parser.add_subparsers(dest="command", required=True)

    def add(name, action, text):
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(action=action)
        return command

    up = add("up", command_up, "start an engine that stays; print its DOCKER_HOST")
    up.add_argument("--live-restore", action="store_true", help="containers outlive the engine")
    add("down", command_down, "stop that engine and delete all it had")
    add("images", command_images, "build the images now, if the cache does not hold them")
    add("status", command_status, "show the engine and its containers")
    stack_up = add("stack-up", command_stack_up, "bring a stack up")
    stack_up.add_argument("stack", help="a name under tests/lab/stacks, or a compose file")
    stack_up.add_argument("--project", help="its project name (the folder's)")
    stack_up.add_argument("--flavour", choices=("v1", "v2"), default="v1", help="which compose")
    stack_down = add("stack-down", command_stack_down, "remove a stack, volumes too")
    stack_down.add_argument("project")
    leak = add("leak", command_leak, "make a service hold connections")
    leak.add_argument("project")
    leak.add_argument("service")
    leak.add_argument("--pool", type=int, default=20, help="how many (20)")
    leak.add_argument("--mode", default="idle", choices=("idle", "idle_tx", "active", "polite"))
    return parser.parse_args(arguments)


def main(arguments):
    options = parse_arguments(arguments)
    try:
        options.action(options)
    except (ApiError, LookupError, OSError, RuntimeError, ValueError) as error:
        sys.exit(f"lab: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
