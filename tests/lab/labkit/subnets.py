"""A subnet for each stack, so that stacks and labs on one machine never collide.

172.30.0.0/16 is cut in 256 parts. A claim is a file named after the part that holds the root of
the lab which uses it; a claim whose root is gone is free again, so nothing is ever lost to a crash.
"""

import fcntl
import subprocess
from contextlib import contextmanager
from pathlib import Path

from .roots import RUN_DIR

CLAIMS = RUN_DIR / "subnets"


def claim(root):
    """Takes a free subnet for the lab under root."""
    with locked():
        routes = ip("-4", "route")
        for part in range(256):
            subnet = f"172.30.{part}.0/24"
            file = CLAIMS / str(part)
            if subnet not in routes and is_free(file):
                file.write_text(str(root), encoding="utf-8")
                return subnet
    raise RuntimeError("no subnet of 172.30.0.0/16 is left")


def release(root):
    """Gives back all subnets of the lab under root, and takes away bridges left on them."""
    with locked():
        for file in CLAIMS.glob("[0-9]*"):
            if file.read_text() == str(root):
                delete_bridges(f"172.30.{file.name}.0/24")
                file.unlink()


def delete_bridges(subnet):
    """An engine that ends leaves its bridges behind, for its next start."""
    for line in ip("-o", "-4", "addr", "show", "to", subnet).splitlines():
        interface = line.split()[1]
        if interface.startswith("br-"):
            ip("link", "delete", interface)


def ip(*arguments):
    command = ["ip", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def is_free(file):
    return not file.exists() or not Path(file.read_text()).exists()


@contextmanager
def locked():
    CLAIMS.mkdir(parents=True, exist_ok=True)
    with open(CLAIMS / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
