"""The demo: a five-service stack leaks connections until PostgreSQL refuses every login; then
`supervisorctl recover` brings it back, and the time it took stands beside the old way's. At last one
service leaks again, and nobody types anything.

    scripts/demo                        in the lab: a Docker Engine of its own, gone at the end
    scripts/demo --docker-host HOST     on that engine (unix:///…): the lab's images are built there

It types what a person would type and shows what a person would see.
"""

import argparse
import http.client
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def read_options():
    parser = argparse.ArgumentParser(
        prog="scripts/demo", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--docker-host", metavar="HOST", help="unix:///path of an engine to use")
    parser.add_argument("--bin", default=ROOT / "build/release/bin", help=argparse.SUPPRESS)
    parser.add_argument("--check", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--no-old-way", action="store_true", help="leave the comparison out")
    options = parser.parse_args()
    if options.docker_host and not options.docker_host.startswith("unix://"):
        parser.error("--docker-host: the demo wants a socket: unix:///path")
    return options


# Before the lab, which needs what scripts/setup installs: --check is asked before that.
OPTIONS = read_options()
if OPTIONS.check:
    sys.exit(0)

sys.path.insert(0, str(ROOT / "tests" / "lab"))

from lab import ApiError, Lab, wait_until  # noqa: E402  (the path is set one line above)
from labkit import images  # noqa: E402

STACK = "five"
PROJECT = "demo"
BOLD, PLAIN = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")


class OwnLab(Lab):
    """An engine with the demo's stack and no other, which is found without a word."""

    configuration = "{}\n"  # all defaults, and meant


class GuestLab(Lab):
    """The lab's helpers on an engine that somebody else runs; it starts and stops no engine."""

    configuration = f"stack: {PROJECT}\n"  # there may be others

    def __init__(self, docker_host):
        super().__init__()
        self.guest_socket = docker_host.removeprefix("unix://")

    def _expect_no_demo(self):
        try:
            there = self.containers(PROJECT)
        except OSError as problem:
            raise RuntimeError(f"{self.docker_host}: {problem.strerror or problem}") from problem
        if there:  # it would be taken down at the end
            raise RuntimeError(f"{self.docker_host} has a stack '{PROJECT}' already, which may be "
                               "somebody's: the demo makes one of that name and removes it")

    def start(self, detached=False):
        try:
            self._expect_no_demo()
        except BaseException:
            super().stop()
            raise
        (self.root / "client").mkdir(parents=True, exist_ok=True)
        images.build_images(self.guest_socket)
        return self

    def stop(self):
        self.down(PROJECT)
        super().stop()

    @property
    def socket(self):
        return self.guest_socket

    @property
    def docker_host(self):
        return f"unix://{self.guest_socket}"


class Daemon:
    """stack-supervisord on a state directory, a socket and a configuration of its own."""

    def __init__(self, binaries, lab, mode):
        self.binaries = Path(binaries).resolve()
        self.folder = tempfile.TemporaryDirectory(prefix="demo-")
        state = Path(self.folder.name)
        (state / "supervisor.yaml").write_text(lab.configuration, encoding="utf-8")
        self.environment = os.environ | {
            "STACK_SUPERVISOR_CONFIG": str(state / "supervisor.yaml"),
            "STACK_SUPERVISOR_STATE_DIR": str(state / "state"),
            "STACK_SUPERVISOR_SOCKET": str(state / "control.sock"),
            "STACK_SUPERVISOR_DOCKER_HOST": lab.docker_host,
            "STACK_SUPERVISOR_MODE": mode,
        }
        self.log = open(state / "log", "w+", encoding="utf-8")

    def __enter__(self):
        self.process = subprocess.Popen([self.binaries / "stack-supervisord"], env=self.environment,
                                        stderr=self.log, stdin=subprocess.DEVNULL)
        socket = Path(self.environment["STACK_SUPERVISOR_SOCKET"])
        wait_until(lambda: socket.exists() or self.process.poll() is not None, 10, "the daemon")
        if self.process.poll() is not None:
            raise RuntimeError(f"the daemon has ended at once:\n{Path(self.log.name).read_text()}")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(timeout=90)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.log.close()
        self.folder.cleanup()

    def ctl(self, *arguments, check=True):
        """Types a supervisorctl command, shows it and its output; gives the exit code."""
        print(f"\n{BOLD}$ supervisorctl {' '.join(arguments)}{PLAIN}", flush=True)
        code = subprocess.run([self.binaries / "supervisorctl", *arguments], env=self.environment,
                              stdin=subprocess.DEVNULL, timeout=600, check=False).returncode
        if check and code != 0:
            raise RuntimeError(f"supervisorctl {arguments[0]} ended with {code}")
        return code


def say(text):
    print(f"\n{BOLD}# {text}{PLAIN}", flush=True)


def exhaust(lab):
    """Leaks until a login is refused and the health checks have seen it."""
    for service in ("backend", "worker"):
        lab.leak(PROJECT, service, pool=20, mode="idle", reopen=True)
    print("  a login as app:", lab.wait_refused(PROJECT, timeout=60).splitlines()[-1])
    lab.wait_unhealthy(PROJECT, "frontend", timeout=60)


def is_served(lab):
    """Everything is healthy and a new login gets in."""
    lab.wait_healthy(PROJECT, timeout=120)
    return not lab.refusal(PROJECT)


def old_way(lab):
    """What the runbook said: down, postgres first, wait 30 s, the rest."""
    began = time.monotonic()
    for arguments in (("down",), ("up", "-d", "postgres")):
        print(f"  docker-compose {' '.join(arguments)}", flush=True)
        lab.compose(PROJECT, *arguments)
    print("  sleep 30", flush=True)
    time.sleep(30)  # the old way itself, not a wait of ours
    print("  docker-compose up -d", flush=True)
    lab.compose(PROJECT, "up", "-d")
    wait_until(lambda: is_served(lab), 120, "the stack to be healthy after the old way")
    return time.monotonic() - began


def new_way(daemon):
    began = time.monotonic()
    daemon.ctl("recover", "--yes")
    return time.monotonic() - began


def log_since(daemon, seen):
    """What the daemon has logged since; printed as it comes."""
    text = Path(daemon.log.name).read_text(encoding="utf-8")
    for line in text[seen:].splitlines():
        print("  " + line, flush=True)
    return len(text)


def nobody_types(lab, daemon):
    """A leak that comes back after cleaning: the daemon restarts the one container that leaks."""
    leaker = lab.container(PROJECT, "worker")
    born = lab.inspect(leaker)["State"]["StartedAt"]
    say("the supervisor may act now; it waits 30 s after its start, as after a start of the host")
    time.sleep(31)
    say(f"{leaker} leaks open transactions, and opens again whatever is ended; the daemon's log:")
    lab.leak(PROJECT, "worker", pool=26, mode="idle_tx", rate=2, reopen=True)
    seen = 0
    deadline = time.monotonic() + 180
    while "restart-leaker helped" not in Path(daemon.log.name).read_text(encoding="utf-8"):
        seen = log_since(daemon, seen)
        if time.monotonic() > deadline:
            raise RuntimeError("the daemon did not heal the stack by itself")
        time.sleep(0.5)
    log_since(daemon, seen)
    wait_until(lambda: is_served(lab), 60, "the stack to be healthy")
    if lab.inspect(leaker)["State"]["StartedAt"] == born:
        raise RuntimeError("the leaking container was not restarted")
    daemon.ctl("why")
    daemon.ctl("status")


def show(lab, binaries, with_old_way):
    say("a stack of five services, and the supervisor beside it, " +
        ("told its name, as there may be others" if "stack" in lab.configuration
         else "with no configuration at all"))
    lab.compose_up(STACK, project=PROJECT)
    lab.wait_healthy(PROJECT, timeout=120)
    with Daemon(binaries, lab, mode="off") as daemon:
        daemon.ctl("status")
        say("backend and worker leak connections, until PostgreSQL refuses every login")
        exhaust(lab)
        daemon.ctl("status", check=False)
        daemon.ctl("connections")
        say("what would be done")
        daemon.ctl("recover", "--plan")
        say("do it")
        took = new_way(daemon)
        daemon.ctl("status")
        daemon.ctl("runs")
    if not is_served(lab):
        raise RuntimeError("the stack is not healthy after recover")
    if with_old_way:
        say("the same by the old way")
        exhaust(lab)
        old = old_way(lab)
        say(f"recover took {took:.1f} s; the old way {old:.1f} s ({old / took:.1f} times as long)")
    else:
        say(f"recover took {took:.1f} s")
    with Daemon(binaries, lab, mode="act") as daemon:
        nobody_types(lab, daemon)


def main():
    lab = GuestLab(OPTIONS.docker_host) if OPTIONS.docker_host else OwnLab()
    say("starting " + ("on " + OPTIONS.docker_host if OPTIONS.docker_host
                       else "a Docker Engine of the demo's own (its images are built the first time)"))
    try:
        with lab:
            show(lab, OPTIONS.bin, not OPTIONS.no_old_way)
    except (RuntimeError, OSError, ApiError, http.client.HTTPException,
            subprocess.SubprocessError) as problem:
        print(f"demo: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
