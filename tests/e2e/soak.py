"""A stack that leaks, is healed, is deployed and broken for as long as is asked: nothing of the
daemon may grow with it. Used by scripts/torture soak.
"""

import os
import random
import signal
import statistics
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import yaml

from autopilot import WATCHFUL, act, decisions, wait_calm
from checks import running
from lab import wait_until

ROOT = Path(__file__).resolve().parents[2]
OURS = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'stack-supervisor%'"


def eager_policies():
    """The built-in policies with a budget for an hour in which something breaks every minute."""
    policies = []
    for name in ("exhausted", "leaking", "unhealthy"):
        [path] = (ROOT / "policies" / "builtin").glob(f"*-{name}.yaml")
        policies.append(yaml.safe_load(path.read_text(encoding="utf-8"))
                        | {"cooldown": "5s", "budget": "200 per 1h", "rearm": {"after": "30s"}})
    return yaml.safe_dump({"recoveries": "300 per 1h", "policies": policies})


@dataclass
class Sample:
    """What the daemon holds while all is well."""

    at: float
    rss_kib: int
    descriptors: int
    threads: int
    slots: int


class Soak:
    def __init__(self, lab, project, supervisor, dice):
        self.lab, self.project, self.supervisor, self.dice = lab, project, supervisor, dice
        act(supervisor, WATCHFUL + eager_policies())
        self.before = running(lab, project)
        self.samples, self.done = [], Counter()
        self.began = time.monotonic()

    # ---- what happens to the stack --------------------------------------------------------------

    def leak(self):
        """Idle sessions, more than sixty per cent: cleaned."""
        self.lab.leak(self.project, "worker", pool=22, mode="idle")
        self._await_decision("pressed", "exhausted", "leaking")

    def leak_that_comes_back(self):
        """Transactions left open, and opened again: the leaker is restarted."""
        self.lab.leak(self.project, "worker", pool=26, mode="idle_tx", rate=2, reopen=True)
        self._await_decision("leaking", "exhausted")

    def exhaustion(self):
        """Two services at once: ordered recovery."""
        for service in ("backend", "worker"):
            self.lab.leak(self.project, service, pool=30, mode="idle", reopen=True)
        self._await_decision("exhausted")

    def deploy(self):
        service = self.dice.choice(["backend", "worker", "frontend"])
        self.lab.docker("stop", "-t", "1", self.lab.container(self.project, service))
        self.lab.compose(self.project, "up", "-d")

    def recreate(self):
        self.lab.compose(self.project, "up", "-d", "--force-recreate", "worker")

    def killed_backend(self):
        """The server ends all sessions and replays its WAL."""
        pid = self.lab.psql(self.project, "SELECT pid FROM pg_stat_activity"
                                          " WHERE application_name = 'worker' LIMIT 1").strip()
        if pid:
            self.lab.exec(self.lab.postgres(self.project), ["kill", "-9", pid])

    def stall(self):
        self.lab.freeze_postgres(self.project)
        time.sleep(self.dice.uniform(1, 8))
        self.lab.thaw_postgres(self.project)

    def engine_that_hangs(self):
        self.lab.engine_signal(signal.SIGSTOP)
        time.sleep(self.dice.uniform(1, 8))
        self.lab.engine_signal(signal.SIGCONT)

    def engine_that_is_restarted(self):
        self.lab.engine_stop(self.dice.choice([signal.SIGTERM, signal.SIGKILL]))
        self.lab.engine_start()

    def people(self):
        """Who looks and asks, and hangs up."""
        for words in (["status"], ["connections"], ["why"], ["policies"], ["observations"],
                      ["runs"], ["recover", "--plan"], ["clean", "--dry-run"]):
            self.supervisor.ctl(*words)
        follower = self.supervisor.spawn("recover", "restart", "--yes")
        time.sleep(self.dice.uniform(0, 2))
        follower.kill()
        follower.communicate()
        self.supervisor.processes.remove(follower)

    def reload(self):
        self.supervisor.process.send_signal(signal.SIGHUP)

    # ---- and what must be true afterwards -------------------------------------------------------

    def _await_decision(self, *names):
        known = {one["id"] for one in decisions(self.supervisor, decision="run")}

        def decided():
            return [one for one in decisions(self.supervisor, decision="run")
                    if one["policy"] in names and one["id"] not in known]
        wait_until(decided, 120, f"a decision of {names}")

    def _well(self):
        wait_until(lambda: running(self.lab, self.project) == self.before, 240, "all to run")
        self.lab.wait_healthy(self.project, timeout=240)
        wait_calm(self.supervisor, timeout=300)
        wait_until(lambda: self.supervisor.ctl("status").code == 0, 120, "a good status")
        for service in ("backend", "worker"):
            self.lab.leak(self.project, service, pool=2, mode="idle")

    def _sample(self):
        process = Path(f"/proc/{self.supervisor.process.pid}")
        status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
        self.samples.append(Sample(
            at=time.monotonic() - self.began, rss_kib=int(status["VmRSS"].split()[0]),
            descriptors=len(os.listdir(process / "fd")), threads=int(status["Threads"]),
            slots=int(self.lab.psql(self.project, OURS))))

    def run(self, seconds, tell):
        trouble = [self.leak, self.leak_that_comes_back, self.exhaustion, self.deploy,
                   self.recreate, self.killed_backend, self.stall, self.engine_that_hangs,
                   self.engine_that_is_restarted, self.people, self.reload]
        while time.monotonic() - self.began < seconds:
            self.dice.shuffle(trouble)
            for disturb in trouble:
                try:
                    disturb()
                    self._well()
                except (AssertionError, TimeoutError) as failure:
                    raise AssertionError(f"{disturb.__name__}: {failure}") from failure
                self.done[disturb.__name__] += 1
                self._sample()
                tell(self.samples[-1], disturb.__name__)

    def verdict(self):
        """('' or what has grown, what was measured); in the first half histories fill."""
        quarter = len(self.samples) // 4
        early, late = self.samples[2 * quarter:3 * quarter], self.samples[-quarter:]

        def median(samples, name):
            return statistics.median(getattr(one, name) for one in samples)
        grown = []
        if median(late, "rss_kib") > 1.1 * median(early, "rss_kib") + 512:
            grown.append("memory")
        if median(late, "descriptors") > median(early, "descriptors"):
            grown.append("descriptors")
        if median(late, "threads") > median(early, "threads"):
            grown.append("threads")
        most = max(one.slots for one in self.samples)
        if most > 2:
            grown.append(f"{most} slots")
        figures = ", ".join(
            f"{word} {median(early, name):,.0f} → {median(late, name):,.0f}"
            for word, name in (("KiB resident", "rss_kib"), ("descriptors", "descriptors"),
                               ("threads", "threads")))
        return ", ".join(grown), f"{figures}, at most {most} slots"
