"""Where labs live, and whose they are.

A root is a short folder in /tmp (a socket path holds 107 bytes). A file in it names the process
that started the lab, so that a lab whose owner was killed can be told from one in use, and be
cleaned up by the next lab that starts.
"""

import fcntl
import os
import tempfile
from pathlib import Path

PREFIX = "ssl-"
PARENT = Path("/tmp")
RUN_DIR = Path("/run/stack-supervisor-lab")  # what the labs of a machine have to agree on
OWNER = "owner"
NOBODY = "detached"  # the owner of a lab that is meant to outlive the process that started it


def make_root():
    root = Path(tempfile.mkdtemp(prefix=PREFIX, dir=PARENT))
    own(root)
    return root


def own(root, detached=False):
    """Notes the present process as the owner of the root."""
    owner = NOBODY if detached else identity(os.getpid())
    # At once: who read it half written would take the root for an orphan.
    new = root / f"{OWNER}.{os.getpid()}"
    new.write_text(owner, encoding="ascii")
    new.rename(root / OWNER)


def take(root):
    """Makes a root of a folder that the caller names: a new or an empty one, or a root before.

    It will be deleted with all it holds, so a folder that holds anything else is refused.
    """
    root.mkdir(parents=True, exist_ok=True)
    if any(root.iterdir()) and not is_root(root):
        raise ValueError(f"{root} is not empty and no lab's root")


def is_root(folder):
    return (folder / OWNER).exists()


def identity(pid):
    """A pid with the time of its start: pids come back, this pair does not. "" if there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return f"{pid} {stat.rpartition(')')[2].split()[19]}"


def adopt_orphans():
    """The roots whose owner is gone; they are the caller's now, and nobody else's to clean up."""
    adopted = []
    RUN_DIR.mkdir(exist_ok=True)
    with open(RUN_DIR / "sweep.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for owner_file in PARENT.glob(f"{PREFIX}*/{OWNER}"):
            if is_orphan(owner_file):
                own(owner_file.parent)
                adopted.append(owner_file.parent)
    return adopted


def is_orphan(owner_file):
    try:
        owner = owner_file.read_text(encoding="ascii")
    except OSError:
        return False  # cleaned up just now
    return owner != NOBODY and owner != identity(owner.partition(" ")[0])
