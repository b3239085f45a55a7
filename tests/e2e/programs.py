"""stack-supervisord and supervisorctl as a test drives them: started, asked, killed, read."""

import http.client
import json
import os
import signal
import socket
import subprocess
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

from lab import wait_until
from labkit.engine_api import UnixConnection

# A sanitizer's finding must fail the test that provoked it, whatever the exit code was to be.
SANITIZER_EXIT = 86


@dataclass
class Answer:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


class Refusal(Exception):
    """The API answered with an error."""

    def __init__(self, status, error):
        super().__init__(f"{status} {error}")
        self.status = status
        self.code = error.get("code")
        self.message = error.get("message", "")
        self.hint = error.get("hint") or ""


class Story:
    """The entries of a run as its event stream tells them, from the first, in a thread."""

    def __init__(self, socket_path, run):
        self.run = run
        self._entries = []
        self._over = False
        self._changed = threading.Condition()
        self._connection = UnixConnection(socket_path, None)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        try:
            self._connection.request("GET", f"/v1/runs/{self.run}/events")
            answer = self._connection.getresponse()
            while line := answer.readline():
                if line.startswith(b"data: "):
                    self._take(json.loads(line[6:]))
        except (OSError, http.client.HTTPException, ValueError, AttributeError):
            pass  # the daemon went away, or we hung up
        with self._changed:
            self._over = True
            self._changed.notify_all()

    def _take(self, entry):
        with self._changed:
            self._entries.append(entry)
            self._changed.notify_all()

    def entries(self):
        with self._changed:
            return list(self._entries)

    def wait(self, matches, timeout=60):
        """The first entry, past ones included, for which matches(entry) is true."""
        seen = 0
        with self._changed:
            while True:
                for entry in self._entries[seen:]:
                    if matches(entry):
                        return entry
                seen = len(self._entries)
                assert not self._over, f"run {self.run} ended without it: {self._entries[-3:]}"
                if not self._changed.wait(timeout):
                    raise TimeoutError(f"not told in {timeout} s: {self._entries[-3:]}")

    def wait_action(self, action, state="running", timeout=60):
        return self.wait(lambda entry: entry["type"] == "action" and entry["action"] == action
                         and entry["state"] == state, timeout)

    def wait_end(self, timeout=120):
        return self.wait(lambda entry: entry["type"] == "end", timeout)

    def close(self):
        connection = self._connection
        if connection.sock is not None:
            try:
                connection.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self._thread.join(timeout=5)


class Supervisor:
    """A state directory, a socket, a configuration, and the programs on them."""

    def __init__(self, binaries, docker_host, folder):
        self.binaries = Path(binaries)
        self.folder = Path(folder)
        # A socket's path must be short (108 bytes); pytest's folders are not.
        self.short = tempfile.TemporaryDirectory(prefix="ss-", dir="/tmp")
        self.socket = Path(self.short.name) / "c.sock"
        self.config_path = self.folder / "supervisor.yaml"
        self.log_path = self.folder / "daemon.log"
        self.log_end = None  # a descriptor that a daemon logs to in place of the file
        self.environment = {key: value for key, value in os.environ.items()
                            if not key.startswith(("PG", "DOCKER_", "STACK_SUPERVISOR_"))}
        self.environment |= {
            "STACK_SUPERVISOR_STATE_DIR": str(self.folder / "state"),
            "STACK_SUPERVISOR_SOCKET": str(self.socket),
            "STACK_SUPERVISOR_DOCKER_HOST": docker_host,
            "STACK_SUPERVISOR_CONFIG": str(self.config_path),
            # What a test breaks is its own to mend, unless it says otherwise (let_act).
            "STACK_SUPERVISOR_MODE": "off",
            "ASAN_OPTIONS": f"exitcode={SANITIZER_EXIT}:detect_leaks=1",
            "UBSAN_OPTIONS": "print_stacktrace=1",
        }
        self.config_path.write_text("")
        self.prefix = []  # in front of every program, e.g. to run it as somebody else
        self.process = None
        self.processes = []
        self.stories = []

    # ---- the daemon -------------------------------------------------------------------------

    def configure(self, text):
        self.config_path.write_text(text)

    def let_act(self, mode="act"):
        """From here on a daemon may act by itself; before it is started."""
        self.environment["STACK_SUPERVISOR_MODE"] = mode

    def use_docker(self, host):
        """Another engine than the lab's, or another way to it; before anything is started."""
        self.environment["STACK_SUPERVISOR_DOCKER_HOST"] = host

    def become_nobody(self):
        """From here on the programs run without any privilege."""
        self.become(65534)

    def become(self, user):
        """The same as the user of this number."""
        self.prefix = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]
        os.chown(self.short.name, user, user)
        self.environment |= {"STACK_SUPERVISOR_STATE_DIR": f"{self.short.name}/state",
                             "STACK_SUPERVISOR_CONFIG": "", "HOME": self.short.name}

    def narrow_proc(self):
        """From here on /proc shows the programs only the processes that they may look at, as
        ProtectProc=invisible of the unit does."""
        narrow = 'mount -t proc -o hidepid=invisible proc /proc && exec "$@"'
        self.prefix = ["unshare", "--mount", "sh", "-c", narrow, "sh", *self.prefix]

    def start(self, *arguments, wait=True):
        """Starts the daemon; returns when its socket answers."""
        self.process = self.spawn_daemon(*arguments)
        if wait:
            wait_until(self._answers, 20, f"the daemon to answer; its log:\n{self.log()}")
        return self

    def spawn_daemon(self, *arguments):
        """Starts a daemon and gives its process, whatever becomes of it."""
        with open(self.log_path, "a", encoding="utf-8") as file:
            log = file if self.log_end is None else self.log_end
            process = subprocess.Popen([*self.prefix, self.binaries / "stack-supervisord",
                                        *arguments],
                                       env=self.environment, stdin=subprocess.DEVNULL,
                                       stdout=log, stderr=log)
        self.processes.append(process)
        return process

    def _answers(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the daemon ended with {self.process.returncode}:\n{self.log()}")
        return self.socket.exists() and self.api("GET", "/v1/version")["pid"] == self.process.pid

    def log(self):
        return self.log_path.read_text() if self.log_path.exists() else ""

    def stop(self, number=signal.SIGTERM, timeout=90):
        """Ends the daemon by a signal and gives its exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=timeout)

    def end(self):
        """Ends what still runs; fails the test when a program leaked or broke a rule."""
        for story in self.stories:
            story.close()
        for process in self.processes:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(timeout=90)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
                    raise AssertionError(f"the daemon did not stop:\n{self.log()}") from None
            assert process.returncode != SANITIZER_EXIT, f"a sanitizer's finding:\n{self.log()}"
        self.short.cleanup()

    # ---- the API ----------------------------------------------------------------------------

    def api(self, method, path, body=None, timeout=60):
        """One request on the control socket; gives the object, raises Refusal."""
        connection = UnixConnection(self.socket, timeout)
        headers = {"Content-Type": "application/json"} if body is not None else {}
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            content = json.loads(answer.read())
        finally:
            connection.close()
        if answer.status >= 400:
            raise Refusal(answer.status, content["error"])
        return content

    def follow(self, run):
        """The story of a run, told while it goes on."""
        story = Story(self.socket, run)
        self.stories.append(story)
        return story

    def begin(self, playbook="recover", **request):
        """Starts a run by the API; gives its story."""
        return self.follow(self.api("POST", "/v1/runs", {"playbook": playbook, **request})["run"])

    # ---- the command ------------------------------------------------------------------------

    def command(self, *arguments):
        return [*self.prefix, self.binaries / "supervisorctl", *map(str, arguments)]

    def ctl(self, *arguments, timeout=300, env=None):
        """Runs a command to its end, without a terminal."""
        done = subprocess.run(self.command(*arguments), env=self.environment | (env or {}),
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=timeout, check=False)
        assert done.returncode != SANITIZER_EXIT, f"a sanitizer's finding:\n{done.stderr}"
        return Answer(done.returncode, done.stdout, done.stderr)

    def spawn(self, *arguments, out=subprocess.PIPE):
        """Starts a command and gives its process; it ends with the test. `out` is for all it says."""
        err = subprocess.PIPE if out == subprocess.PIPE else out
        process = subprocess.Popen(self.command(*arguments), env=self.environment,
                                   stdin=subprocess.DEVNULL, stdout=out, stderr=err, text=True)
        self.processes.append(process)
        return process

    def json(self, *arguments, code=0):
        """Runs a command with --json; its object."""
        answer = self.ctl(*arguments, "--json")
        assert answer.code == code, f"exit code {answer.code}:\n{answer.out}\n{answer.err}"
        return answer.json
