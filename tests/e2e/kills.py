"""A daemon that dies in the middle of a recovery, once or again and again, and what must be true when
the last one has carried the run on: what ran before runs, nothing was done twice, and the journal
tells of every life. Used by test_kill_everywhere.py and by scripts/torture.
"""

import http.client
import random
import signal
import subprocess
import threading
import time
from collections import Counter
from contextlib import contextmanager

from checks import QUICK_RECOVER, running, variant
from lab import wait_until
from programs import Refusal

# What asking a daemon that dies, or ends, may come to.
DIED = (OSError, http.client.HTTPException, ValueError, Refusal)


def quick_stack(folder):
    """A database and an app whose health is known in half a second."""
    def edit(services):
        for service in services.values():
            service["healthcheck"]["interval"] = "500ms"
    return variant(folder, "ports", edit)


class Kills:
    def __init__(self, lab, project, supervisor):
        self.lab, self.project, self.supervisor = lab, project, supervisor
        self.before = running(lab, project)
        self.killed = 0
        self.outcomes = Counter()
        self.last = 0  # the newest run that has ended
        self.took = 0  # seconds, a run that nobody disturbs
        supervisor.configure(f"stack: {project}\n{QUICK_RECOVER.replace('idle: 60s', 'idle: 0s')}")

    # ---- the daemon's lives ---------------------------------------------------------------------

    def _live(self, fault=None, number=signal.SIGKILL, log=None):
        """Starts a daemon that dies at `fault`; false when it has died before it answered."""
        environment = self.supervisor.environment
        extra = {}
        if fault:
            extra["STACK_SUPERVISOR_FAULT"] = fault
        if number == signal.SIGTERM:
            extra["STACK_SUPERVISOR_FAULT_SIGNAL"] = "TERM"
        if log:
            extra["STACK_SUPERVISOR_FAULT_LOG"] = str(log)
        self.supervisor.environment = environment | extra
        process = self.supervisor.process = self.supervisor.spawn_daemon()
        self.supervisor.environment = environment

        def is_up():
            if process.poll() is not None:
                return True
            try:
                return self.supervisor.api("GET", "/v1/version")["pid"] == process.pid
            except DIED:
                return False

        wait_until(is_up, 40, "the daemon to answer or to die")
        return process.poll() is None

    def _ask(self):
        """Asks for a recovery of a daemon that may die of it."""
        try:
            self.supervisor.api("POST", "/v1/runs", {"playbook": "recover"})
        except DIED:
            pass

    def _present(self):
        """The newest run's summary, or None."""
        runs = self.supervisor.api("GET", "/v1/runs")["runs"]
        return runs[0] if runs else None

    def _end_of_run(self, run, timeout=180):
        """The run's record once it has ended."""
        def ended():
            try:
                record = self.supervisor.api("GET", f"/v1/runs/{run}")
            except Refusal:
                return None
            return record if record["state"] not in ("running", "aborting") else None
        return wait_until(ended, timeout, f"run {run} to end")

    def _died(self, timeout=60):
        try:
            self.supervisor.process.wait(timeout)
        except subprocess.TimeoutExpired:
            return False
        return True

    @contextmanager
    def _leak(self):
        """A session that the run's cleaning ends."""
        psql = subprocess.Popen(["docker", "-H", self.lab.docker_host, "exec", "-i",
                                 self.lab.postgres(self.project), "psql", "-U", "app", "-d", "app"],
                                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL)
        count = ("SELECT count(*) FROM pg_stat_activity"
                 " WHERE application_name = 'psql' AND usename = 'app'")
        wait_until(lambda: self.lab.psql(self.project, count) == "1", 20, "the leak")
        try:
            yield
        finally:
            psql.kill()
            psql.communicate()

    # ---- trials ---------------------------------------------------------------------------------

    def undisturbed(self, log):
        """A whole run; the points that it passes: [(name, number)] beyond those of the start."""
        log.write_text("")
        assert self._live(log=log)
        with self._leak():
            started = Counter(log.read_text().split())
            began = time.monotonic()
            self._ask()
            self.last = self._present()["run"]
            self._end_of_run(self.last)
            self.took = time.monotonic() - began
        assert self.supervisor.stop() == 0
        passed = Counter(log.read_text().split())
        return [(name, number) for name, count in sorted(passed.items())
                for number in range(started[name] + 1, count + 1)]

    def at(self, point, number=1, signum=signal.SIGKILL):
        """Dies at a point of the run."""
        return self._trial(lambda: self._at(f"{point}:{number}", signum))

    def _at(self, fault, signum):
        if self._live(fault, signum):
            self._ask()
        newest = self.supervisor.process
        # It may be that the point is passed fewer times than in the undisturbed run.
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and newest.poll() is None:
            try:
                present = self._present()
                if present and present["state"] not in ("running", "aborting") \
                        and present["run"] > self.last and not self._died(1):
                    newest.send_signal(signum)
            except DIED:
                pass
            time.sleep(0.02)
        assert newest.poll() is not None, "it neither died nor ended its run"
        self.killed += 1

    def at_random(self, signum=signal.SIGKILL, most=8, dice=random):
        """Dies at random instants of a run, and the next life may die of it too."""
        return self._trial(lambda: self._at_random(signum, most, dice))

    def _at_random(self, signum, most, dice):
        assert self._live()
        asking = threading.Thread(target=self._ask)
        asking.start()
        for _ in range(dice.randint(1, most)):
            time.sleep(dice.uniform(0, self.took / 2))
            self.supervisor.process.send_signal(signum)
            assert self._died(), "it does not end"
            self.killed += 1
            if not self._live():
                raise AssertionError(f"it ended by itself:\n{self.supervisor.log()[-3000:]}")
        asking.join()
        self.supervisor.process.send_signal(signum)
        assert self._died()
        self.killed += 1

    def _trial(self, disturb):
        with self.lab.events() as events, self._leak():
            disturb()
            assert self._live(), f"the next daemon died:\n{self.supervisor.log()[-3000:]}"
            # What was unfinished is taken up at once: it is the present run by now, or has ended.
            present = self._present()
            if present is None or present["run"] == self.last:
                outcome = "never began"
                moved = [one for one in events.all() if one.action in ("kill", "die", "start")]
                assert not moved, moved
            else:
                outcome = self._judge(present["run"], events)
            assert self.supervisor.stop() == 0
        assert running(self.lab, self.project) == self.before
        self.outcomes[outcome] += 1
        return outcome

    # ---- judging --------------------------------------------------------------------------------

    def _judge(self, run, events):
        record = self._end_of_run(run)
        self.last = run
        entries = record["entries"]
        end = entries[-1]
        told = f"run {run}: {entries}"
        assert end["type"] == "end" and end["left_stopped"] == [], told
        assert record["state"] == "succeeded", told
        assert running(self.lab, self.project) == self.before, told
        assert [one["seq"] for one in entries] == list(range(1, len(entries) + 1)), told
        resumed = [one for one in entries if one["type"] == "resume"]
        assert bool(resumed) == record["resumed"], told
        assert_not_done_twice(record)
        self._assert_moved_once(record, events)
        if not resumed:
            return "had ended"
        text = self.supervisor.ctl("run", run).out
        assert "the supervisor came back" in text, text
        return "carried on"

    def _assert_moved_once(self, record, events):
        """The engine itself saw each container end and start once, however often it was asked."""
        for kind, word in (("stop", "die"), ("start", "start")):
            for action in record["plan"]["actions"]:
                if action["kind"] != kind:
                    continue
                name = action["container"]
                events.wait(lambda one: one.action == word and one.name == name)
                count = sum(one.name == name for one in events.all(word))
                assert count == 1, f"{action['id']}: {count} times {word}"


def assert_not_done_twice(record):
    """What has a result in the journal was not begun again."""
    settled = set()
    for entry in record["entries"]:
        if entry["type"] != "action":
            continue
        if entry["state"] == "running":
            assert entry["action"] not in settled, f"{entry['action']} was done twice"
        else:
            settled.add(entry["action"])

