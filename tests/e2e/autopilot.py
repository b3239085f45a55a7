"""What the scenarios without anybody at the keyboard ask of a daemon that acts by itself."""

import json
import stat
from pathlib import Path

from lab import wait_until

# A quick eye, so that a test need not wait for the next look; the policies are the built-in ones.
WATCHFUL = """
settle: 3s
watch: {calm: 2s, pressed: 500ms, timeout: 5s}
"""


def act(supervisor, configuration=WATCHFUL, mode="act"):
    """Starts a daemon that may act, and waits until its policies have settled."""
    supervisor.let_act(mode)
    supervisor.configure(configuration)
    supervisor.start()
    wait_until(lambda: not [one for one in policies(supervisor) if one["state"] == "settling"],
               60, f"the policies to settle:\n{supervisor.log()}")
    return supervisor


def policies(supervisor):
    return supervisor.api("GET", "/v1/policies")["policies"]


def policy(supervisor, name):
    return next(one for one in policies(supervisor) if one["name"] == name)


def decisions(supervisor, **wanted):
    """The decisions with these values, the oldest first."""
    found = supervisor.api("GET", "/v1/decisions?limit=500")["decisions"][::-1]
    return [one for one in found
            if all(one.get(key) == value for key, value in wanted.items())]


def wait_decision(supervisor, timeout, **wanted):
    wait_until(lambda: decisions(supervisor, **wanted), timeout,
               f"a decision {wanted}:\n{supervisor.log()}")
    return decisions(supervisor, **wanted)[0]


def observation(supervisor, name):
    """The value of an observation, None when it is not fresh."""
    for one in supervisor.api("GET", "/v1/observations")["observations"]:
        if one["name"] == name and one["fresh"]:
            return one["value"]
    return None


def wait_observation(supervisor, name, matches, timeout=30):
    wait_until(lambda: matches(observation(supervisor, name)), timeout,
               f"{name}; it is {observation(supervisor, name)!r}:\n{supervisor.log()}")


def runs(supervisor):
    """All runs, the oldest first."""
    return supervisor.api("GET", "/v1/runs")["runs"][::-1]


def wait_calm(supervisor, timeout=90):
    """No run is under way and no policy has anything to do."""
    def calm():
        status = supervisor.api("GET", "/v1/status")
        return status["run"] is None and not status["policies"]["busy"]
    wait_until(calm, timeout, f"calm:\n{supervisor.log()}")


class Pager:
    """A receiver of notifications: a command that writes each one into a folder of the test."""

    def __init__(self, folder):
        self.folder = Path(folder) / "pager"
        self.folder.mkdir()
        self.command = self.folder / "page"
        self.command.write_text(f"#!/bin/sh\ncat >>{self.folder}/told; echo >>{self.folder}/told\n"
                                f"echo \"$STACK_SUPERVISOR_EVENT\" >>{self.folder}/events\n")
        self.command.chmod(self.command.stat().st_mode | stat.S_IXUSR)

    def configuration(self, *kinds):
        return f"notify:\n  - {{name: pager, exec: [{self.command}], on: [{', '.join(kinds)}]}}\n"

    def events(self):
        told = self.folder / "events"
        return told.read_text().split() if told.exists() else []

    def told(self):
        """What the command was given on its standard input."""
        return [json.loads(line) for line in (self.folder / "told").read_text().splitlines() if line]
