"""Lab images: packed from this machine's own files, built once, then kept in a cache.

No registry is needed. A rootfs.tar is collected for each image from installed packages (the
binaries and what ldd names), `docker build` turns it into an image on a private engine, and the
engine's image store is kept in the cache folder. A lab starts from a copy of that store, which
takes a fraction of a second where building takes several.

The cache is keyed by the content of everything that goes in, so that a changed entrypoint, a new
leaky.c or an upgraded PostgreSQL makes a new entry and never a stale lab.
"""

import fcntl
import hashlib
import io
import os
import shutil
import subprocess
import sysconfig
import tarfile
import tempfile
from contextlib import contextmanager
from pathlib import Path

IMAGES_DIR = Path(__file__).resolve().parent.parent / "images"
PG_BIN = Path("/usr/lib/postgresql/15/bin")
PG_LIB = Path("/usr/lib/postgresql/15/lib")
PG_SHARE = Path("/usr/share/postgresql/15")
LIBRARIES = Path("/usr/lib") / sysconfig.get_config_var("MULTIARCH")
# An upgrade of the packages that the images are made of shows in these files.
PACKAGED = (PG_BIN / "postgres", LIBRARIES / "libpq.so.5", LIBRARIES / "libc.so.6", "/bin/busybox",
            "/bin/bash", "/usr/bin/setpriv", "/usr/bin/tini", "/usr/sbin/pgbouncer",
            "/usr/sbin/dockerd")
DOCKER = "/usr/bin/docker"  # by path: a newer client without the classic builder may come first

# The parts of the engine's data folder that hold images; the rest belongs to one engine's life.
STORE_PARTS = ("image", "overlay2")
BUILD_ORDER = ("base", "postgres", "app", "pgbouncer")

PASSWD = """\
root:x:0:0:root:/root:/bin/bash
postgres:x:999:999:PostgreSQL:/var/lib/postgresql:/bin/bash
app:x:1000:1000:application:/home/app:/bin/sh
pgbouncer:x:1001:1001:PgBouncer:/var/lib/pgbouncer:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
"""
GROUP = """\
root:x:0:
tty:x:5:
postgres:x:999:
app:x:1000:
pgbouncer:x:1001:
nogroup:x:65534:
"""


class RootFs:
    """Collects files of this machine into a tar that becomes an image layer."""

    def __init__(self, already=()):
        self.members = {}  # path in the image -> (source path | bytes | link target, TarInfo)
        self.already = set(already)  # paths that a lower layer holds

    def directory(self, path, mode=0o755, uid=0):
        info = self._info(path, tarfile.DIRTYPE, mode)
        info.uid = info.gid = uid
        self._add(path, None, info)

    def text(self, path, content, mode=0o644):
        info = self._info(path, tarfile.REGTYPE, mode)
        info.size = len(content.encode())
        self._add(path, content.encode(), info)

    def link(self, path, target):
        info = self._info(path, tarfile.SYMTYPE, 0o777)
        info.linkname = target
        self._add(path, None, info)

    def file(self, source, path=None):
        """One file, symbolic links followed, under the same path unless another is given."""
        real = Path(source).resolve(strict=True)
        info = self._info(path or source, tarfile.REGTYPE, real.stat().st_mode & 0o755)
        info.size = real.stat().st_size
        self._add(path or source, real, info)

    def program(self, source, path=None):
        """A binary and every library that it needs."""
        self.file(source, path)
        for library in libraries_of(source):
            self.file(library)

    def tree(self, folder, skip=lambda path: False):
        for path in sorted(Path(folder).rglob("*")):
            if path.is_file() and not skip(path):
                self.file(path)

    def write(self, target):
        with tarfile.open(target, "w") as tar:
            for path in sorted(self.members):
                content, info = self.members[path]
                if isinstance(content, bytes):
                    tar.addfile(info, io.BytesIO(content))
                elif content is not None:
                    with open(content, "rb") as source:
                        tar.addfile(info, source)
                else:
                    tar.addfile(info)

    def _add(self, path, content, info):
        key = str(path).lstrip("/")
        if key not in self.already:
            self.members[key] = (content, info)

    @staticmethod
    def _info(path, kind, mode):
        info = tarfile.TarInfo(str(path).lstrip("/"))
        info.type, info.mode = kind, mode
        return info


def libraries_of(binary):
    """What the dynamic linker would load, under the names by which it looks."""
    answer = subprocess.run(["ldd", binary], capture_output=True, text=True, check=False).stdout
    words = [word for line in answer.splitlines() for word in line.split()]
    return [word for word in words if word.startswith("/")]


def collect_base():
    root = RootFs()
    for path in ("/home/app", "/root", "/run", "/proc", "/sys", "/dev", "/etc", "/var"):
        root.directory(path)
    root.directory("/tmp", 0o1777)
    root.link("/var/run", "/run")
    root.text("/etc/passwd", PASSWD)
    root.text("/etc/group", GROUP)
    root.text("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n")
    root.tree("/usr/lib/locale/C.utf8")
    root.file("/usr/share/zoneinfo/Etc/UTC", "/usr/share/zoneinfo/UTC")
    root.file("/usr/share/zoneinfo/Etc/UTC", "/etc/localtime")
    root.program("/bin/bash")
    root.program("/usr/bin/setpriv")
    root.program("/usr/bin/tini")
    root.file("/bin/busybox")
    for applet in busybox_applets():
        if f"bin/{applet}" not in root.members and applet not in ("setpriv", "busybox"):
            root.link(f"/bin/{applet}", "/bin/busybox")
    return root


def busybox_applets():
    answer = subprocess.run(["/bin/busybox", "--list"], capture_output=True, text=True, check=True)
    return answer.stdout.split()


def collect_postgres(base):
    root = RootFs(base.members)
    root.directory("/var/lib/postgresql", uid=999)
    root.directory("/var/lib/postgresql/data", 0o700, uid=999)
    root.directory("/run/postgresql", 0o775, uid=999)
    root.directory("/docker-entrypoint-initdb.d")
    for binary in sorted(PG_BIN.iterdir()):
        root.program(binary)
    # The compiler for expressions weighs 120 MB and PostgreSQL does well without it.
    root.tree(PG_LIB, skip=lambda path: "llvmjit" in path.name or "bitcode" in path.parts)
    root.tree(PG_SHARE, skip=lambda path: "man" in path.parts)
    return root


def collect_app(base, work):
    root = RootFs(base.members)
    leaky = work / "leaky"
    subprocess.run(
        ["gcc", "-std=c17", "-O2", "-Wall", "-Wextra", "-Werror", "-I/usr/include/postgresql",
         IMAGES_DIR / "app" / "leaky.c", "-o", leaky, "-lpq"],
        check=True,
    )
    root.program(leaky, "/usr/bin/leaky")
    root.directory("/run/leaky", 0o755, uid=1000)
    return root


def collect_pgbouncer(base):
    root = RootFs(base.members)
    root.program("/usr/sbin/pgbouncer")
    root.program(PG_BIN / "pg_isready", "/usr/bin/pg_isready")
    root.directory("/etc/pgbouncer", 0o700, uid=1001)
    return root


def cache_dir():
    default = Path.home() / ".cache" / "stack-supervisor-lab"
    return Path(os.environ.get("STACK_SUPERVISOR_LAB_CACHE") or default)


def cache_key():
    """A digest of all that decides what the images hold."""
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for path in sorted(IMAGES_DIR.rglob("*")):
        if path.is_file():
            digest.update(f"{path.relative_to(IMAGES_DIR)}\0".encode() + path.read_bytes())
    for path in PACKAGED:
        status = os.stat(path)
        digest.update(f"{path} {status.st_size} {status.st_mtime_ns}".encode())
    return digest.hexdigest()[:16]


@contextmanager
def locked_store(make_engine):
    """The folder with the built image store, built first if the cache does not hold it."""
    cache = cache_dir()
    cache.mkdir(parents=True, exist_ok=True)
    store = cache / cache_key()
    with open(cache / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # labs that start together build once
        if not store.exists():
            build_store(store, make_engine)
            drop_old_stores(cache, keep=store)
        yield store


def ensure_store(make_engine):
    """Builds the images unless the cache holds them; gives the folder.

    make_engine() is a context manager that gives a running Engine on an empty store.
    """
    with locked_store(make_engine) as store:
        return store


def install_cached(data_root, make_engine):
    """Gives a lab its own copy of the images; to be done before its engine first starts."""
    if data_root.exists():
        return
    with locked_store(make_engine) as store:
        copy_store(store, data_root)


def build_store(store, make_engine):
    partial = store.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    with make_engine() as engine:
        build_images(engine.socket)
        engine.stop_engine()
        copy_store(engine.data_root, partial)
    partial.rename(store)  # whole or not at all


def drop_old_stores(cache, keep):
    for entry in cache.iterdir():
        if entry.is_dir() and entry != keep:
            shutil.rmtree(entry)


def build_images(socket):
    with tempfile.TemporaryDirectory(prefix="ssl-images-") as folder:
        work = Path(folder)
        base = collect_base()
        roots = {
            "base": base,
            "postgres": collect_postgres(base),
            "app": collect_app(base, work),
            "pgbouncer": collect_pgbouncer(base),
        }
        for name in BUILD_ORDER:
            context = work / f"context-{name}"
            shutil.copytree(IMAGES_DIR / name, context)
            roots[name].write(context / "rootfs.tar")
            docker_build(socket, f"lab/{name}", context)


def docker_build(socket, tag, context):
    command = [DOCKER, "-H", f"unix://{socket}", "build", "--network=none", "--force-rm",
               "--tag", tag, context]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False,
                            env=os.environ | {"DOCKER_BUILDKIT": "0"})
    if answer.returncode != 0:
        raise RuntimeError(f"building {tag} failed:\n{answer.stdout}{answer.stderr}")


def copy_store(source, target):
    # cp knows owners, modes, links, extended attributes and reflinks; shutil does not.
    target.mkdir(parents=True)
    command = ["cp", "--archive", "--reflink=auto", *(source / part for part in STORE_PARTS)]
    subprocess.run([*command, target], check=True)
