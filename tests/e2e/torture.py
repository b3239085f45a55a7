"""scripts/torture: kills by the hundred, and what came of them, as one line of a table.

    scripts/torture kills 300          at least so many kills at random instants of a recovery, some of
                                       them in the lives that carry it on
    scripts/torture points             at each point of a recovery, each time that it is passed
    scripts/torture soak 60            for so many minutes: a stack that leaks, is healed, is deployed,
                                       with the world breaking; the daemon must not grow with it
      --signal TERM                    SIGTERM in place of SIGKILL
      --seed N                         other random instants
"""

import argparse
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import conftest  # the paths of the lab
from kills import Kills, quick_stack
from checks import running
from lab import Lab
from programs import Supervisor
from soak import Soak


def mend(lab, kills):
    """After a failed trial: the daemon gone, everything up; gives what had been left stopped."""
    if kills.supervisor.process.poll() is None:
        kills.supervisor.process.kill()
        kills.supervisor.process.wait()
    left = kills.before - running(lab, kills.project)
    for name in kills.before:
        lab.docker("start", name)
    return left


def told(outcomes):
    return ", ".join(f"{count} {outcome}" for outcome, count in Counter(outcomes).most_common())


def tell_progress(kills):
    """One line that changes on a terminal, and a line each in a file."""
    before, after = ("\r", "") if sys.stderr.isatty() else ("", "\n")
    print(f"{before}{kills.killed} kills: {told(kills.outcomes)}", end=after, file=sys.stderr,
          flush=True)


def torture(lab, folder, options):
    """(kills, outcomes, containers left stopped)"""
    project = "torture"
    lab.up(str(quick_stack(folder)), project=project)
    lab.wait_healthy(project, timeout=60)
    supervisor = Supervisor(conftest.BINARIES, lab.docker_host, folder)
    kills = Kills(lab, project, supervisor)
    passed = kills.undisturbed(folder / "passed.log")
    number = getattr(signal, f"SIG{options.signal}")
    dice = random.Random(options.seed)
    if options.what == "points":
        trials = [lambda point=point: kills.at(*point, number) for point in passed]
    else:
        def endless():
            while kills.killed < (options.count or 300):
                yield lambda: kills.at_random(number, dice=dice)
        trials = endless()
    left = []
    print(f"{len(passed)} points, {kills.took:.1f} s a run", file=sys.stderr)
    for trial in trials:
        try:
            trial()
        except (AssertionError, TimeoutError) as failure:
            kills.outcomes["FAILED"] += 1
            print(f"after {kills.killed} kills: {failure}", file=sys.stderr, flush=True)
            print(supervisor.log()[-6000:], file=sys.stderr, flush=True)
            left += mend(lab, kills)
        tell_progress(kills)
    if sys.stderr.isatty():
        print(file=sys.stderr)
    supervisor.end()
    return kills.killed, kills.outcomes, left


def soak(lab, folder, options):
    """Prints one line a disturbance; gives what has grown."""
    project = "soak"
    lab.up("five", project=project)
    lab.wait_healthy(project, timeout=60)
    supervisor = Supervisor(conftest.BINARIES, lab.docker_host, folder)
    one = Soak(lab, project, supervisor, random.Random(options.seed))

    def tell(sample, what):
        print(f"{sample.at:6.0f} s  {sample.rss_kib:6} KiB  {sample.descriptors} descriptors  "
              f"{sample.slots} slots  {what}", file=sys.stderr, flush=True)

    try:
        one.run((options.count or 60) * 60, tell)
    except AssertionError:
        print(supervisor.log()[-6000:], file=sys.stderr, flush=True)
        raise
    finally:
        supervisor.end()
    grown, figures = one.verdict()
    print(f"| soak | {sum(one.done.values())} disturbances: {told(one.done)} | {figures} | "
          f"grown: {grown or 'nothing'} |")
    return grown


def main():
    parser = argparse.ArgumentParser(prog="scripts/torture", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["kills", "points", "soak"])
    parser.add_argument("count", nargs="?", type=int)
    parser.add_argument("--signal", choices=["KILL", "TERM"], default="KILL")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    began = time.monotonic()
    if options.what == "soak":
        # Engines are restarted under what runs, as on servers that keep their containers up.
        with Lab(live_restore=True) as lab, tempfile.TemporaryDirectory(prefix="soak-") as folder:
            return 1 if soak(lab, Path(folder), options) else 0
    with Lab() as lab, tempfile.TemporaryDirectory(prefix="torture-") as folder:
        killed, outcomes, left = torture(lab, Path(folder), options)
    where = "random instants" if options.what == "kills" else "every point"
    print(f"| SIG{options.signal} at {where} | {killed} | {told(outcomes)} | left stopped: {len(left)} |"
          f" {(time.monotonic() - began) / 60:.0f} min |")
    return 1 if left or outcomes["FAILED"] else 0


if __name__ == "__main__":
    sys.exit(main())
