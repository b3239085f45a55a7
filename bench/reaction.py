"""How soon the cure begins: from the Engine's word that a container is unhealthy to the first
request of the run that a policy answers with, on a real engine in the lab.

    bench/reaction.py [--bin build/release/bin] [--rounds 10]

The policy has no `for` of its own, so all that passes is the daemon's: reading the event, deriving,
deciding, writing the decision to disk, asking the Engine. Beside it, in the same run and through
the same relay: the Engine's own answer to a list of containers, the smallest thing it can be asked.
"""

import argparse
import asyncio
import contextlib
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests" / "lab"), str(ROOT / "tests" / "e2e")]

from autopilot import act, decisions  # noqa: E402
from lab import Lab, wait_until  # noqa: E402
from programs import Supervisor  # noqa: E402

POLICY = """
settle: 1s
policies:
  - name: sick
    when: any service.health == unhealthy
    ladder:
      - run: look
        verify: not any service.health == unhealthy
        within: 5m
    cooldown: 1s
    budget: 900 per 1h
recoveries: 900 per 1h
playbooks:
  look:
    - capture: evidence
"""


class Relay:
    """Passes everything on between the daemon and the engine, and notes when what passed."""

    def __init__(self, engine, folder):
        self.path = str(Path(folder) / "relay.sock")
        self.engine = str(engine)
        self.unhealthy = []  # when the engine said so
        self.lists = []      # when the daemon asked for a list, and had the answer
        self._loop = asyncio.new_event_loop()

    def start(self):
        ready = threading.Event()
        threading.Thread(target=self._run, args=(ready,), daemon=True).start()
        ready.wait(10)

    def _run(self, ready):
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(asyncio.start_unix_server(self._serve, self.path))
        ready.set()
        self._loop.run_forever()

    async def _serve(self, reader, writer):
        to_reader, to_writer = await asyncio.open_unix_connection(self.engine)
        with contextlib.suppress(ConnectionError):
            await asyncio.gather(self._pass(reader, to_writer, self._asked),
                                 self._pass(to_reader, writer, self._said))
        writer.close()

    async def _pass(self, reader, writer, note):
        while data := await reader.read(65536):
            note(data)
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()

    def _asked(self, data):
        if b"/containers/json?" in data:
            self.lists.append([time.monotonic(), None])

    def _said(self, data):
        if b"health_status: unhealthy" in data:
            self.unhealthy.append(time.monotonic())
        elif self.lists and self.lists[-1][1] is None:
            self.lists[-1][1] = time.monotonic()


def one_round(lab, project, relay, supervisor):
    """Makes a container unhealthy and well again; (reaction, the engine's list) in ms."""
    seen = len(decisions(supervisor, policy="sick", decision="run"))
    sick = lab.container(project, "worker")
    lab.exec(sick, ["touch", "/tmp/sick"])
    wait_until(lambda: len(decisions(supervisor, policy="sick", decision="run")) > seen, 60,
               "the policy to run")
    told = relay.unhealthy[-1]
    asked, answered = wait_until(
        lambda: next((times for times in relay.lists if times[0] > told and times[1]), None), 10,
        "the run's first question to the engine")
    lab.exec(sick, ["rm", "/tmp/sick"])
    wait_until(lambda: decisions(supervisor, policy="sick")[-1]["decision"] in ("healed", "quiet"),
               60, "the policy to be at rest")
    time.sleep(1.5)  # its cool-down
    return (asked - told) * 1000, (answered - asked) * 1000


def sick_stack(lab, folder):
    from checks import variant

    def edit(services):
        services["worker"]["healthcheck"]["test"] = [
            "CMD", "sh", "-c", "test ! -e /tmp/sick && leaky check"]

    project = lab.up(variant(folder, "five", edit), project="reaction")
    lab.wait_healthy(project, timeout=60)
    return project


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default=ROOT / "build/release/bin")
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    if not (Path(options.bin) / "stack-supervisord").exists():
        subprocess.run(["cmake", "--preset", "release"], cwd=ROOT, check=True, stdout=sys.stderr)
        subprocess.run(["cmake", "--build", "--preset", "release"], cwd=ROOT, check=True,
                       stdout=sys.stderr)
    with Lab() as lab, tempfile.TemporaryDirectory(prefix="rx-", dir="/tmp") as folder:
        project = sick_stack(lab, Path(folder))
        relay = Relay(lab.socket, folder)
        relay.start()
        supervisor = Supervisor(Path(options.bin).resolve(), f"unix://{relay.path}", folder)
        try:
            act(supervisor, POLICY)
            rounds = [one_round(lab, project, relay, supervisor) for _ in range(options.rounds)]
        finally:
            supervisor.end()
    reactions, lists = zip(*rounds)
    ratio = statistics.median(reactions) / statistics.median(lists)
    for name, values in (("reaction", reactions), ("the engine's own list", lists)):
        print(f"{name}: min {min(values):.2f} ms, median {statistics.median(values):.2f} ms,"
              f" max {max(values):.2f} ms, {len(values)} rounds")
    print(f"the cure begins after {ratio:.1f} times what the engine takes to list its containers")


if __name__ == "__main__":
    main()
