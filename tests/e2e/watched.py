"""A daemon that is held to the rules while its world breaks: a bounded time, no crash, no busy loop."""

import json
import os
import time

from checks import running
from lab import wait_until

BUSY = 0.6  # of one processor: a loop that turns in circles takes more
TICKS = os.sysconf("SC_CLK_TCK")


def processor_seconds(process):
    fields = open(f"/proc/{process.pid}/stat", encoding="ascii").read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


class Watched:
    """Holds a daemon to the rules from here to the end of the block."""

    def __init__(self, daemon, limit):
        self.daemon, self.limit = daemon, limit

    def __enter__(self):
        self.began = time.monotonic()
        self.used = processor_seconds(self.daemon.process)
        self.log_from = len(self.daemon.log())
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            return
        assert self.daemon.process.poll() is None, f"it ended:\n{self.daemon.log()[-3000:]}"
        took = time.monotonic() - self.began
        used = processor_seconds(self.daemon.process) - self.used
        assert took < self.limit, f"{took:.1f} s"
        assert used < 1 + BUSY * took, f"{used:.1f} s of processor time in {took:.1f} s"

    def told(self, run=None):
        """All that was said meanwhile: the log, and the entries of the run."""
        entries = self.daemon.api("GET", f"/v1/runs/{run}")["entries"] if run else []
        return self.daemon.log()[self.log_from:] + json.dumps(entries)


def bounded_status(daemon):
    began = time.monotonic()
    answer = daemon.ctl("status")
    assert time.monotonic() - began < 20, answer.out
    return answer


def well_again(daemon):
    wait_until(lambda: daemon.ctl("status").code == 0, 40, "all to be well again")


def assert_ended_well(lab, project, before, end):
    assert end["left_stopped"] == [] and running(lab, project) == before, end
