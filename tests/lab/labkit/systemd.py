"""A container of the lab with a real systemd as its PID 1, for trying units.

Its root is made by mmdebstrap from Debian's archive, once, and kept beside the images' cache under
a digest of what it is made of. Never is systemd started on the machine's own root.
"""

import fcntl
import hashlib
import io
import os
import subprocess
import tarfile
from pathlib import Path

from . import images
from .waiting import wait_until

SUITE = "bookworm"
# systemd, and the libraries that the two programs need.
PACKAGES = ("systemd", "systemd-sysv", "dbus", "libcurl4", "libpq5", "libjansson4",
            "libmicrohttpd12", "libyaml-0-2", "libsqlite3-0", "libpcre2-8-0", "libuv1", "busybox", "procps")
LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")
# Of no use in a container, and slow.
MASKED = ("dev-hugepages.mount", "sys-fs-fuse-connections.mount", "systemd-logind.service",
          "systemd-remount-fs.service", "getty.target", "apt-daily.timer",
          "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer")
IMAGE = "lab/systemd"
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "SYSTEMD_PAGER": ""}
CGROUPS = Path("/sys/fs/cgroup/systemd")
# Shared mounts, as the kernel's own root has them: credentials come by one that must be seen.
BOOT = (f"systemctl mask --quiet {' '.join(MASKED)}; mount --make-rshared /; "
        "exec /lib/systemd/systemd")
BOOT_SECONDS = 60


def root_tar():
    """The root as a tar in the cache, made first if it is not there."""
    cache = images.cache_dir()
    cache.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256(repr((SUITE, PACKAGES, LEFT_OUT)).encode()).hexdigest()[:16]
    tar = cache / f"systemd-{digest}.tar"
    with open(cache / "systemd.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not tar.exists():
            partial = tar.with_suffix(".partial.tar")
            command = ["mmdebstrap", "--quiet", "--variant=minbase",
                       f"--include={','.join(PACKAGES)}",
                       *(f"--dpkgopt=path-exclude={path}" for path in LEFT_OUT), SUITE, partial]
            answer = subprocess.run(command, capture_output=True, text=True, check=False)
            if answer.returncode != 0:
                raise RuntimeError(f"mmdebstrap failed:\n{answer.stdout}{answer.stderr}")
            for old in cache.glob("systemd-*.tar"):
                if old != partial:
                    old.unlink()
            partial.rename(tar)  # whole or not at all
    return tar


class SystemdBox:
    """The container: up, with systemd running, from start() to stop()."""

    def __init__(self, lab, network, name="box"):
        self._lab = lab
        self._network = network
        self._pid = None  # of its systemd, as this machine sees it
        self.name = name

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def start(self):
        if not self._lab.docker("image", "ls", "--quiet", IMAGE).stdout:
            self._must(self._lab.docker("import", root_tar(), IMAGE, timeout=120))
        # As for any systemd in a container: its own cgroup tree to write to, /run in memory, the
        # capabilities to mount and to set limits.
        self._must(self._lab.docker(
            "run", "--detach", "--name", self.name, "--hostname", self.name,
            "--cap-add", "SYS_ADMIN", "--cap-add", "NET_ADMIN", "--cap-add", "SYS_PTRACE",
            "--security-opt", "seccomp=unconfined",
            "--security-opt", "apparmor=unconfined", "--cgroupns", "host",
            "--tmpfs", "/run", "--tmpfs", "/run/lock", "--tmpfs", "/tmp",
            "--volume", f"{CGROUPS}:{CGROUPS}",
            "--volume", f"{self._lab.socket}:/run/docker.sock",
            "--network", self._network, "--env", "container=docker", IMAGE,
            "/bin/sh", "-c", BOOT))
        self._pid = self._must(self._lab.docker("inspect", "--format", "{{.State.Pid}}",
                                                self.name)).stdout.strip()
        wait_until(self._is_up, BOOT_SECONDS, "systemd to be up")
        return self

    def stop(self):
        identity = self._lab.docker("inspect", "--format", "{{.Id}}", self.name).stdout.strip()
        self._lab.docker("rm", "--force", "--volumes", self.name)
        if identity:
            remove_cgroups(CGROUPS / "docker" / identity)

    def _is_up(self):
        answer = self.run("systemctl", "is-system-running", check=False)
        return answer.stdout.strip() in ("running", "degraded")

    @staticmethod
    def _must(answer):
        if answer.returncode != 0:
            raise RuntimeError(f"{answer.args} failed:\n{answer.stdout}{answer.stderr}")
        return answer

    # ---- inside ---------------------------------------------------------------------------------

    def _inside(self, argv, user):
        """The command in front of which it runs inside: cheaper than `docker exec`, which matters
        where a condition is waited for."""
        become = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"]
        return ["nsenter", f"--target={self._pid}", "--mount", "--uts", "--ipc", "--net", "--pid",
                "--root", "--wd", *(become if user != "root" else []), *argv]

    def run(self, *argv, check=True, timeout=120, user="root"):
        """A command inside, outside of every unit; the CompletedProcess."""
        answer = subprocess.run(self._inside(argv, user), capture_output=True, text=True,
                                stdin=subprocess.DEVNULL, timeout=timeout, check=False,
                                env=ENVIRONMENT)
        return self._must(answer) if check else answer

    def put(self, source, path):
        """Copies a file of this machine to a path inside, its mode kept."""
        self._put(path, Path(source).read_bytes(), os.stat(source).st_mode & 0o7777)

    def write(self, path, text, mode=0o644):
        self._put(path, text.encode(), mode)

    def _put(self, path, content, mode):
        """By tar: owner and mode are then right from the first moment on."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            info = tarfile.TarInfo(str(path).lstrip("/"))
            info.size, info.mode = len(content), mode
            tar.addfile(info, io.BytesIO(content))
        subprocess.run(self._inside(["tar", "-x", "-C", "/"], "root"), input=packed.getvalue(),
                       check=True, capture_output=True, timeout=60, env=ENVIRONMENT)

    def systemctl(self, *arguments, check=True, timeout=120):
        return self.run("systemctl", *arguments, check=check, timeout=timeout)

    def show(self, unit, *names):
        """Properties of a unit: one value, or a list of them."""
        text = self.systemctl("show", "--timestamp=unix",
                              *(f"--property={name}" for name in names), unit).stdout
        found = dict(line.split("=", 1) for line in text.splitlines())
        values = [found[name] for name in names]
        return values[0] if len(values) == 1 else values

    def journal(self, unit):
        return self.run("journalctl", "--no-pager", "--output=cat", "--unit", unit).stdout


def remove_cgroups(folder):
    """What systemd made below the container's group: empty by now, and nobody else removes it."""
    for path, _, _ in os.walk(folder, topdown=False):
        try:
            os.rmdir(path)
        except OSError:
            pass
