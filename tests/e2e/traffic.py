"""Clients that query all the time, as applications do, and notice every error: pgbench."""

import os
import re
import subprocess

from lab import wait_until

PGBENCH = "/usr/lib/postgresql/15/bin/pgbench"
CLIENTS = 6


def address(lab, container):
    networks = lab.inspect(container)["NetworkSettings"]["Networks"]
    return next(iter(networks.values()))["IPAddress"]


class Traffic:
    """Six clients at host:port, each with a session of its own that it never gives up."""

    def __init__(self, folder, host, port):
        script = folder / "query.sql"
        # Most of the time in a query: what cuts sessions off is sure to cut one of these.
        script.write_text("SELECT pg_sleep(0.02) FROM (SELECT count(*) FROM pg_class) AS one;\n"
                          "\\sleep 5 ms\n")
        self._log_path = folder / "pgbench.log"
        with open(self._log_path, "w", encoding="utf-8") as log:
            self._process = subprocess.Popen(
                [PGBENCH, "-n", "-c", str(CLIENTS), "-j", "2", "-T", "3600", "-P", "1", "-f",
                 script, "-h", host, "-p", str(port), "-U", "app", "app"],
                env=os.environ | {"PGPASSWORD": "lab-app"}, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log)

    def log(self):
        return self._log_path.read_text(encoding="utf-8")

    def seconds(self):
        """[(second, transactions in it), …]: one a second while it runs."""
        found = re.findall(r"progress: ([\d.]+) s, ([\d.]+) tps", self.log())
        return [(float(second), float(tps)) for second, tps in found]

    def errors(self):
        return [line for line in self.log().splitlines()
                if "error" in line or "aborted" in line or "FATAL" in line]

    def wait_flowing(self):
        """Until a whole second with queries has passed from here on; fails when it has ended."""
        seen = len(self.seconds())
        def flows():
            assert self._process.poll() is None, self.log()
            return any(tps > 0 for _, tps in self.seconds()[seen + 1:])
        wait_until(flows, 60, f"queries to be answered:\n{self.log()}")

    def end(self):
        self._process.kill()
        self._process.wait()
