"""The Docker Engine API over its Unix socket with the standard library alone."""

import http.client
import json
import socket
import subprocess
import threading
import time
from dataclasses import dataclass
from urllib.parse import quote

from .waiting import wait_until


class ApiError(Exception):
    """The engine answered with an error; `status` is the HTTP status."""

    def __init__(self, status, message):
        super().__init__(f"{status} {message}")
        self.status = status
        self.message = message


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def request(path, method, url, body=None, timeout=60):
    """One request; gives the decoded JSON (or text, or None) or raises ApiError."""
    return decode(*fetch(path, method, url, body, timeout))


def fetch(path, method, url, body=None, timeout=60):
    """One request; gives (bytes, content type) or raises ApiError."""
    connection = UnixConnection(path, timeout)
    headers = {"Content-Type": "application/json"} if body is not None else {}
    try:
        connection.request(method, url, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        raw, content_type = answer.read(), answer.getheader("Content-Type", "")
    finally:
        connection.close()
    if answer.status >= 400:
        content = decode(raw, content_type)
        message = content.get("message", "") if isinstance(content, dict) else str(content)
        raise ApiError(answer.status, message.strip())
    return raw, content_type


def decode(raw, content_type):
    if not raw:
        return None
    return json.loads(raw) if "json" in content_type else raw.decode(errors="replace")


def execute(path, container, argv, user=None, environment=(), timeout=30):
    """Runs a command in a container, as `docker exec` does, without a process; gives the
    CompletedProcess, texts captured."""
    order = {"AttachStdout": True, "AttachStderr": True, "Cmd": [str(word) for word in argv],
             "Env": list(environment), "User": str(user or "")}
    try:
        made = request(path, "POST", f"/containers/{container}/exec", order, timeout)["Id"]
        raw, _ = fetch(path, "POST", f"/exec/{made}/start", {"Detach": False, "Tty": False}, timeout)
        code = wait_until(lambda: exit_code_of(path, made), timeout, f"the end of {argv[0]}")
    except ApiError as error:
        return subprocess.CompletedProcess(argv, 1, "", f"Error response from daemon: {error}\n")
    return subprocess.CompletedProcess(argv, int(code), *output_of(raw))


def exit_code_of(path, made):
    """As a text, since 0 is one; None while the engine has not heard of the end."""
    code = request(path, "GET", f"/exec/{made}/json")["ExitCode"]
    return None if code is None else str(code)


def output_of(raw):
    """(stdout, stderr) out of the engine's frames: a byte that says which, 3 of nothing, 4 of length."""
    texts = {1: b"", 2: b""}
    while len(raw) >= 8:
        length = int.from_bytes(raw[4:8], "big")
        texts[raw[0]] += raw[8:8 + length]
        raw = raw[8 + length:]
    return tuple(texts[one].decode(errors="replace") for one in (1, 2))


def filters(**lists):
    """The value of a `filters=` parameter."""
    return quote(json.dumps(lists))


@dataclass(frozen=True)
class Event:
    """One container event."""

    time_ns: int  # the engine's own stamp, `timeNano`
    action: str  # start, die, stop, health_status: healthy, ...
    container: str  # the container's id
    name: str
    service: str  # compose service, "" when the container is none of compose's
    attributes: dict


class Events:
    """Collects container events in a thread, and goes on when the engine restarts.

        with lab.events() as events:
            ...
            events.wait(lambda event: event.action == "die" and event.service == "backend")
            order = [event.service for event in events.all("start")]
    """

    def __init__(self, path):
        self._path = path
        self._since_ns = time.time_ns()
        self._events = []
        self._seen = set()
        self._connection = None
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._closed = True
        self._hang_up()
        self._thread.join(timeout=5)

    def all(self, action=None):
        """What has come so far, in the order of the engine's stamps."""
        with self._changed:
            chosen = [event for event in self._events if action in (None, event.action)]
        return sorted(chosen, key=lambda event: event.time_ns)

    def wait(self, matches, timeout=30):
        """The first event, past ones included, for which matches(event) is true."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                for event in self._events:
                    if matches(event):
                        return event
                if not self._changed.wait(deadline - time.monotonic()):
                    seen = ", ".join(f"{e.name} {e.action}" for e in self._events[-10:])
                    raise TimeoutError(f"no such event within {timeout} s; the last were: {seen}")

    def _run(self):
        while not self._closed:
            try:
                self._follow()
            except (OSError, http.client.HTTPException, ValueError, AttributeError):
                pass  # the engine went away, or we hung up
            time.sleep(0.02)

    def _follow(self):
        # `since` makes the engine replay what happened before the subscription was in place.
        since = f"{self._since_ns // 10**9}.{self._since_ns % 10**9:09d}"
        self._connection = UnixConnection(self._path, None)
        url = f"/events?since={since}&filters={filters(type=['container'])}"
        self._connection.request("GET", url)
        answer = self._connection.getresponse()
        while line := answer.readline():
            self._take(json.loads(line))

    def _take(self, raw):
        actor = raw["Actor"]
        attributes = actor.get("Attributes", {})
        key = (raw["timeNano"], actor["ID"], raw["Action"])
        event = Event(raw["timeNano"], raw["Action"], actor["ID"], attributes.get("name", ""),
                      attributes.get("com.docker.compose.service", ""), attributes)
        with self._changed:
            if key in self._seen:
                return  # replayed
            self._seen.add(key)
            self._events.append(event)
            self._since_ns = max(self._since_ns, event.time_ns)
            self._changed.notify_all()

    def _hang_up(self):
        connection = self._connection
        if connection is not None and connection.sock is not None:
            try:
                connection.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
