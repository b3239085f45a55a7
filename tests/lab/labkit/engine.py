"""A private Docker engine: one containerd and one dockerd under a root folder of their own.

Nothing of the machine's own engine is used or touched: socket, state, images, network files and
pid files all lie under the root. containerd is started by us, not by dockerd, because dockerd
would otherwise join a containerd of the machine if one runs; it is also what systems have on which
both are services, so that an engine restart behaves as it does there.

Processes are only ever stopped by a pid which is proved to be ours: its program is one of the
engine's and its command line names this root.
"""

import os
import shutil
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import engine_api
from .waiting import wait_until

CONTAINERD = "/usr/bin/containerd"
DOCKERD = "/usr/sbin/dockerd"
TINI = "/usr/bin/tini"
ENGINE_PROGRAMS = {"tini", "containerd", "dockerd", "containerd-shim-runc-v2"}
START_SECONDS = 30
STOP_SECONDS = 30
SUN_PATH_MAX = 107
IP_FORWARD = Path("/proc/sys/net/ipv4/ip_forward")
HOST_ENGINE = Path("/run/docker.sock")  # only ever looked for

CONTAINERD_CONFIG = """\
version = 2
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[plugins."io.containerd.internal.v1.opt"]
  path = "{root}/opt"
"""


class Engine:
    """The engine under `root`. Several may live side by side, one root each."""

    def __init__(self, root, live_restore=False):
        self.root = Path(root)
        self.live_restore = live_restore
        self.socket = self.root / "docker.sock"
        self.data_root = self.root / "docker"
        self.pid_file = self.root / "docker.pid"
        self.log = self.root / "dockerd.log"
        self._containerd_socket = self.root / "containerd.sock"
        self._containerd_pid_file = self.root / "containerd.pid"
        self._children = {}  # pid -> Popen, to reap what this process started
        if len(str(self._containerd_socket) + ".ttrpc") > SUN_PATH_MAX:
            raise ValueError(f"{root}: too long for a socket path")

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    # ---- life -------------------------------------------------------------------------------

    def start(self):
        """Starts containerd (if it does not run) and dockerd; returns when the API answers."""
        forbid_forwarding()
        if not self._is_ours(self._read_pid(self._containerd_pid_file)):
            self._start_containerd()
        self.start_engine()

    def start_engine(self):
        if self.pid is not None:
            return
        self.pid_file.unlink(missing_ok=True)  # left by a kill: dockerd would refuse to start
        process = self._spawn(self._dockerd_command(), self.log)
        self._await(process, self._api_answers, self.log)

    def stop_engine(self, number=signal.SIGTERM):
        """Ends dockerd alone; containers live on if live_restore is set or it was killed."""
        self._end(self.pid, number)

    def signal_engine(self, number):
        """Sends a signal to dockerd and waits for nothing: SIGSTOP makes an engine that hangs."""
        if self.pid is not None:
            os.kill(self.pid, number)

    def stop(self):
        """Ends everything under the root. May be called again, and after any failure."""
        self.signal_engine(signal.SIGCONT)  # a test may have frozen it
        if self.pid is not None:
            self._remove_containers()  # live-restore would keep them, IGNORE_TERM delay the end
        self.stop_engine()
        self._end(self._read_pid(self._containerd_pid_file))
        self._kill_leftovers()
        self._unmount_all()

    @property
    def pid(self):
        """The pid of the running dockerd, or None."""
        pid = self._read_pid(self.pid_file)
        return pid if self._is_ours(pid) else None

    def api(self, method, path, body=None, timeout=60):
        return engine_api.request(self.socket, method, path, body, timeout)

    # ---- starting ---------------------------------------------------------------------------

    def _start_containerd(self):
        config = self.root / "containerd.toml"
        config.write_text(CONTAINERD_CONFIG.format(root=self.root), encoding="ascii")
        self._containerd_socket.unlink(missing_ok=True)
        log = self.root / "containerd.log"
        process = self._spawn(
            # The shims' parents end on purpose; tini -s adopts them and reaps them when they end,
            # which init does not do on every machine.
            [TINI, "-s", "--", CONTAINERD, "--config", config, "--root", self.root / "containerd",
             "--state", self.root / "exec-containerd", "--address", self._containerd_socket],
            log,
        )
        self._containerd_pid_file.write_text(str(process.pid), encoding="ascii")
        self._await(process, self._containerd_socket.exists, log)

    def _dockerd_command(self):
        command = [
            DOCKERD,
            "--data-root", self.data_root, "--exec-root", self.root / "exec",
            "--pidfile", self.pid_file, "--host", f"unix://{self.socket}",
            "--containerd", self._containerd_socket, "--shutdown-timeout", "5",
            "--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false",
            # A name that no container bears gets "no" at once. Asking the machine's name server
            # would leave the lab, and would wait for an answer that cannot come.
            "--dns=127.0.0.1", "--dns-opt=timeout:1", "--dns-opt=attempts:1",
        ]
        return command + (["--live-restore"] if self.live_restore else [])

    def _spawn(self, command, log):
        # A session of its own: Ctrl-C in a terminal must reach the test, not the engine under it.
        with open(log, "ab") as output:
            process = subprocess.Popen(
                [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=output,
                stderr=output, start_new_session=True)
        self._children[process.pid] = process
        return process

    def _await(self, process, condition, log):
        """Until condition() is true; a process that ends before that is not waited for."""
        try:
            wait_until(lambda: process.poll() is not None or condition(), START_SECONDS,
                       f"the engine under {self.root}")
        except TimeoutError as error:
            raise RuntimeError(f"{error}{tail_of(log)}") from error
        if process.poll() is not None:
            raise RuntimeError(f"{Path(process.args[0]).name} has ended at once{tail_of(log)}")

    def _api_answers(self):
        return self.api("GET", "/_ping", timeout=5)

    # ---- ending -----------------------------------------------------------------------------

    def _end(self, pid, number=signal.SIGTERM):
        """Sends the signal, then SIGKILL after the time is up, and waits until it is gone."""
        if not self._is_ours(pid):
            return
        os.kill(pid, number)
        try:
            wait_until(lambda: self._is_gone(pid), STOP_SECONDS, f"the end of {pid}")
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: self._is_gone(pid), STOP_SECONDS, f"the end of {pid}")

    def _is_gone(self, pid):
        child = self._children.get(pid)
        if child is not None and child.poll() is not None:
            del self._children[pid]
        return not self._is_ours(pid)

    def _remove_containers(self):
        """As far as the engine can; what stays is killed as a leftover."""
        try:
            ids = [container["Id"] for container in self.api("GET", "/containers/json")]
            with ThreadPoolExecutor(max_workers=8) as side_by_side:
                list(side_by_side.map(self._remove_container, ids))
        except (engine_api.ApiError, OSError):
            pass

    def _remove_container(self, container):
        self.api("DELETE", f"/containers/{container}?force=1", timeout=STOP_SECONDS)

    def _kill_leftovers(self):
        """Shims and containers that outlived their engine, as after engine_stop(SIGKILL)."""
        for pid_file in (self.root / "exec-containerd").glob("*/moby/*/init.pid"):
            pid = self._read_pid(pid_file)
            if is_in_container(pid, pid_file.parent.name):
                kill_quietly(pid)
        for address in (self.root / "exec-containerd").glob("*/moby/*/address"):
            Path(address.read_text().removeprefix("unix://")).unlink(missing_ok=True)
        for pid in all_pids():
            if self._is_ours(pid):
                kill_quietly(pid)
                wait_until(lambda gone=pid: self._is_gone(gone), STOP_SECONDS, f"the end of {pid}")

    def _unmount_all(self):
        for _ in range(3):  # a mount may lie on another one
            for target in mounts_under(self.root):
                subprocess.run(["umount", "--lazy", target], capture_output=True, check=False)

    # ---- whose process is it? ---------------------------------------------------------------

    @staticmethod
    def _read_pid(path):
        try:
            return int(path.read_text(encoding="ascii"))
        except (OSError, ValueError):
            return None

    def _is_ours(self, pid):
        """A pid file may be old and its number taken by a stranger: look at the process itself."""
        if pid is None:
            return False
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return False
        return (state not in "ZX" and Path(words[0]).name in ENGINE_PROGRAMS
                and any(str(self.root) + "/" in word for word in words))


def forbid_forwarding():
    """With forwarding off, packets of the lab's bridges cannot leave the machine. Where it is on
    and the host has an engine, that one's containers live by it: then no lab is made."""
    if IP_FORWARD.read_text().strip() == "0":
        return
    may = os.environ.get("STACK_SUPERVISOR_LAB_FORWARDING") == "off"
    if HOST_ENGINE.exists() and not may:
        raise RuntimeError("net.ipv4.ip_forward is on, and this host has an engine whose containers "
                           "may need it: the lab wants it off. STACK_SUPERVISOR_LAB_FORWARDING=off "
                           "lets it turn it off; sysctl net.ipv4.ip_forward=1 turns it on again")
    IP_FORWARD.write_text("0\n")


def missing():
    """What keeps a lab from running on this machine, "" if nothing does."""
    if os.geteuid() != 0:
        return "a lab needs root"
    absent = [path for path in (CONTAINERD, DOCKERD, TINI) if not Path(path).exists()]
    return f"{', '.join(absent)} missing: run scripts/setup" if absent else ""


def tail_of(log):
    lines = log.read_text(errors="replace").splitlines()[-10:]
    return "; the end of {}:\n{}".format(log, "\n".join(lines))


def is_in_container(pid, container):
    """The engine's control groups bear the container's id."""
    try:
        return container in Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8")
    except OSError:
        return False


def all_pids():
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]


def kill_quietly(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def mounts_under(root):
    """Mount points under the root, the innermost first."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    targets = [line.split()[4].replace("\\040", " ") for line in lines]
    return sorted((t for t in targets if t.startswith(f"{root}/")), key=len, reverse=True)


def remove_tree(root):
    """Deletes the root after a stop; a mount that was just let go may need a moment."""
    def is_gone():
        shutil.rmtree(root, ignore_errors=True)
        return not Path(root).exists()

    wait_until(is_gone, STOP_SECONDS, f"the removal of {root}")
