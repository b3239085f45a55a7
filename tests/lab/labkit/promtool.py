"""promtool of Debian's prometheus, unpacked beside the images' cache and not installed."""

import fcntl
import shutil
import subprocess
import tempfile
from pathlib import Path

from . import images

PACKAGE = "prometheus"


def path():
    """The program; fetched from Debian's archive, once."""
    cache = images.cache_dir()
    cache.mkdir(parents=True, exist_ok=True)
    program = cache / "promtool"
    with open(cache / "promtool.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            with tempfile.TemporaryDirectory() as folder:
                unpack(Path(folder), program)
    return program


def is_listed():
    """Whether apt knows the package; a machine that has all else may have no lists any more."""
    answer = subprocess.run(["apt-cache", "show", PACKAGE], capture_output=True, check=False)
    return answer.returncode == 0


def unpack(folder, program):
    update = [] if is_listed() else [["apt-get", "update", "--quiet"]]
    for command in (*update, ["apt-get", "download", "--quiet", PACKAGE],
                    ["sh", "-c", "dpkg-deb --extract *.deb root"]):
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=300)
    partial = program.with_suffix(".partial")
    shutil.copy(folder / "root" / "usr" / "bin" / "promtool", partial)
    partial.rename(program)


def complaints(text):
    """What `promtool check metrics` says of an exposition; "" when it is as it should be."""
    answer = subprocess.run([path(), "check", "metrics"], input=text, capture_output=True,
                            text=True, timeout=60, check=False)
    return answer.stdout + answer.stderr if answer.returncode else ""
