"""A proxy on a Unix socket in front of a real Docker Engine, for the faults that the engine does not
produce on demand. Whatever has no fault passes through unchanged, byte for byte.

    with EngineProxy(lab.socket) as proxy:
        supervisor.use_docker(proxy.docker_host)
        proxy.on("POST", "/stop", HangUp(), times=1)
        ...
        assert proxy.count("POST", "/stop") == 1

Two threads a connection: one reads requests, notes them and applies the faults, the other copies
what the engine answers. The standard library alone.
"""

import json
import os
import re
import socket
import tempfile
import threading
import time
from dataclasses import dataclass

READ_SIZE = 65536
DENIAL = (b"HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n"
          b"<html><body><h1>403 Forbidden</h1>\nRequest forbidden by administrative rules.\n"
          b"</body></html>\n")
VERSION_PREFIX = re.compile(r"^/v(\d+)\.(\d+)/")


@dataclass(frozen=True)
class Request:
    """One request as the client sent it."""

    method: str
    path: str
    body: bytes
    connection: int  # numbered in the order in which they were opened

    @property
    def version(self):
        """The minor version in the path, or None."""
        found = VERSION_PREFIX.match(self.path)
        return int(found[2]) if found else None


# ---- faults --------------------------------------------------------------------------------------

@dataclass(frozen=True)
class Answer:
    """The proxy answers; the engine hears nothing of it."""

    status: int
    message: str = ""
    headers: tuple = ()

    def bytes(self):
        body = json.dumps({"message": self.message}).encode() if self.message else b"OK"
        head = [f"HTTP/1.1 {self.status} x", f"Content-Length: {len(body)}",
                "Content-Type: application/json", *(f"{name}: {value}" for name, value in
                                                    self.headers)]
        return "\r\n".join(head).encode() + b"\r\n\r\n" + body


@dataclass(frozen=True)
class HangUp:
    """The connection dies before a byte of the answer came. `heard`: the engine did what it was
    asked, and only its answer is lost."""

    heard: bool = False


@dataclass(frozen=True)
class Silence:
    """The request is taken, and never answered."""


@dataclass(frozen=True)
class Mute:
    """The engine is asked, and of its answer only the head comes: a stream that tells nothing."""


@dataclass(frozen=True)
class Rewrite:
    """The path goes to the engine as change(path)."""

    change: object


@dataclass(frozen=True)
class Raw:
    """The proxy answers with bytes of its own, whatever they are, and hangs up. `parts()` yields
    them."""

    parts: object


@dataclass(frozen=True)
class Drip:
    """The engine's answer comes byte by byte, `pause` seconds between two."""

    pause: float = 0.01


@dataclass(frozen=True)
class Shuffle:
    """Of a stream of events each is told twice, and before the one that came first."""


def permitted(lines):
    """Lines such as "GET /containers/ID/json" as what a request must look like."""
    patterns = []
    for line in lines:
        method, path = line.split()[:2]
        exact = re.escape(path).replace("ID", "[^/]+")
        prefix = "" if path == "/_ping" else r"/v1\.\d+"
        patterns.append((line, method, re.compile(rf"{prefix}{exact}(\?.*)?")))
    return patterns


@dataclass
class Rule:
    method: str
    part: str
    fault: object
    left: int  # how often it still applies; -1: for ever


class EngineProxy:
    def __init__(self, engine_socket):
        self._engine = str(engine_socket)
        self._folder = tempfile.TemporaryDirectory(prefix="ss-", dir="/tmp")
        self.path = os.path.join(self._folder.name, "engine.sock")
        self.docker_host = f"unix://{self.path}"
        self._changed = threading.Condition()
        self._connections = 0
        self._requests = []
        self._rules = []
        self._open = {}  # client socket -> its last Request
        self._awaiting = set()  # client sockets whose request has not had a byte of its answer
        self._abandoned = []
        self._muted = set()  # client sockets that hear heads alone
        self._permitted = None  # see permit()
        self._used = set()
        self._denied = []
        self._drips = {}  # client socket -> Drip
        self._shuffled = set()  # client sockets
        self._listener = None

    def __enter__(self):
        self.accept()
        return self

    def __exit__(self, *_):
        self.refuse()
        self._folder.cleanup()

    # ---- for tests ------------------------------------------------------------------------------

    def on(self, method, part, fault, times=-1):
        """The next requests of this method whose path holds `part` meet the fault; the rule that
        was added last counts."""
        with self._changed:
            self._rules.insert(0, Rule(method, part, fault, times))

    def permit(self, lines):
        """From here on only requests such as these go to the engine; every other one is denied, as
        proxies of its socket do it."""
        self._permitted = permitted(lines)

    def denied(self):
        """The requests that were not let pass."""
        with self._changed:
            return list(self._denied)

    def used(self):
        """The lines of permit() that something was let pass by."""
        with self._changed:
            return set(self._used)

    def accept(self):
        """Takes connections (again)."""
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.path)
        self._listener.listen(128)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def refuse(self):
        """Cuts all connections and takes no more."""
        _hang_up(self._listener)
        self._listener.close()
        os.unlink(self.path)
        self.cut("")

    def clear(self):
        """No more faults."""
        with self._changed:
            self._rules.clear()

    def forget(self, method):
        """No more faults for requests of this method."""
        with self._changed:
            self._rules = [one for one in self._rules if one.method != method]

    def cut(self, part):
        """Cuts the connections whose present request's path holds `part`; tells how many."""
        with self._changed:
            chosen = [one for one, request in self._open.items()
                      if part in (request.path if request else "")]
        for one in chosen:
            _hang_up(one)
        return len(chosen)

    def replace(self, part, timeout=30):
        """Cuts the stream whose path holds `part`, once it is open, and waits for the one that the
        client opens in its place."""
        self.wait("GET", part, timeout)
        before = self.count("GET", part)
        self.cut(part)
        with self._changed:
            if not self._changed.wait_for(lambda: self.count("GET", part) > before, timeout):
                raise TimeoutError(f"no other GET of {part} within {timeout} s")

    def requests(self, method="", part=""):
        with self._changed:
            return [one for one in self._requests
                    if one.method.startswith(method) and part in one.path]

    def count(self, method, part):
        return len(self.requests(method, part))

    def wait(self, method, part, timeout=30):
        """The first such request, past ones included."""
        def found():
            return [one for one in self._requests if one.method == method and part in one.path]

        with self._changed:
            if not self._changed.wait_for(found, timeout):
                raise TimeoutError(f"no {method} of {part} within {timeout} s")
            return found()[0]

    def abandoned(self, part):
        """Requests whose client hung up before a byte of the answer came."""
        with self._changed:
            return [one for one in self._abandoned if part in one.path]

    def say(self, part, content):
        """Puts a chunk of its own into the answers that stream on such a path; tells how many."""
        with self._changed:
            chosen = [one for one, request in self._open.items()
                      if request and part in request.path]
        for one in chosen:
            one.sendall(f"{len(content):x}\r\n".encode() + content + b"\r\n")
        return len(chosen)

    # ---- one connection -------------------------------------------------------------------------

    def _accept(self, listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with self._changed:
                self._connections += 1
                number = self._connections
                self._open[client] = None
            threading.Thread(target=self._serve, args=(client, number), daemon=True).start()

    def _serve(self, client, number):
        upstream = None
        try:
            with client.makefile("rb") as stream:
                while request := self._read(stream, number):
                    head, request = request
                    fault = self._meet(client, request)
                    if isinstance(fault, Answer):
                        client.sendall(fault.bytes())
                        continue
                    if isinstance(fault, Silence):
                        continue
                    if isinstance(fault, HangUp):
                        if fault.heard:
                            self._ask_alone(head, request)
                        return
                    if isinstance(fault, Raw):
                        for part in fault.parts():
                            client.sendall(part)
                        return
                    with self._changed:
                        if isinstance(fault, Mute):
                            self._muted.add(client)
                        elif isinstance(fault, Drip):
                            self._drips[client] = fault
                        elif isinstance(fault, Shuffle):
                            self._shuffled.add(client)
                        if not isinstance(fault, Drip):
                            self._drips.pop(client, None)
                    if isinstance(fault, Rewrite):
                        head = head.replace(request.path.encode(),
                                            fault.change(request.path).encode(), 1)
                    if upstream is None:
                        upstream = self._connect()
                        threading.Thread(target=self._copy, args=(upstream, client),
                                         daemon=True).start()
                    with self._changed:
                        self._awaiting.add(client)
                    upstream.sendall(head + request.body)
        except OSError:
            pass  # one of the two went away
        finally:
            with self._changed:
                request = self._open.pop(client, None)
                self._muted.discard(client)
                self._shuffled.discard(client)
                self._drips.pop(client, None)
                if client in self._awaiting:
                    self._awaiting.remove(client)
                    self._abandoned.append(request)
            for one in (client, upstream):
                if one is not None:
                    _hang_up(one)
                    one.close()

    def _connect(self):
        upstream = socket.socket(socket.AF_UNIX)
        upstream.connect(self._engine)
        return upstream

    def _copy(self, upstream, client):
        try:
            while got := upstream.recv(READ_SIZE):
                with self._changed:
                    self._awaiting.discard(client)
                    muted = client in self._muted
                    shuffled = client in self._shuffled
                    drip = self._drips.get(client)
                if muted and b"\r\n\r\n" in got:
                    got = got.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
                elif muted:
                    continue
                if shuffled:
                    _shuffle(upstream, client, got)
                elif drip:
                    for at in range(len(got)):
                        client.sendall(got[at:at + 1])
                        time.sleep(drip.pause)
                else:
                    client.sendall(got)
        except OSError:
            pass
        with self._changed:
            self._awaiting.discard(client)  # it was the engine that hung up
        _hang_up(client)

    def _ask_alone(self, head, request):
        """Lets the engine do it, to the end, for nobody."""
        with self._connect() as upstream:
            upstream.sendall(head.replace(b"\r\n", b"\r\nConnection: close\r\n", 1) + request.body)
            while upstream.recv(READ_SIZE):
                pass

    @staticmethod
    def _read(stream, number):
        """The next request's head, as it came, and what it says; None at the end."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = stream.readline()
            if not line:
                return None
            head += line
        method, path, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        body = stream.read(int(length[1])) if length else b""
        return head, Request(method, path, body, number)

    def _is_permitted(self, request):
        for line, method, pattern in self._permitted:
            if method == request.method and pattern.fullmatch(request.path):
                self._used.add(line)
                return True
        return False

    def _meet(self, client, request):
        """Notes a request; the fault that it meets, or None."""
        with self._changed:
            self._open[client] = request
            self._requests.append(request)
            self._changed.notify_all()
            if self._permitted is not None and not self._is_permitted(request):
                self._denied.append(request)
                return Raw(lambda: [DENIAL])
            for rule in self._rules:
                if rule.left != 0 and rule.method == request.method and rule.part in request.path:
                    rule.left -= 1
                    return rule.fault
        return None


def _chunks(buffer):
    """The whole chunks at the beginning of a chunked body, and the rest."""
    whole = []
    while (size := re.match(rb"([0-9a-fA-F]+)\r\n", buffer)):
        end = size.end() + int(size[1], 16) + 2
        if len(buffer) < end:
            break
        whole.append(buffer[:end])
        buffer = buffer[end:]
    return whole, buffer


def _shuffle(upstream, client, got):
    """Copies a stream of events to its end: each one twice, and behind the one that follows."""
    head, _, buffer = got.partition(b"\r\n\r\n")
    client.sendall(head + b"\r\n\r\n")
    held = None
    upstream.settimeout(0.2)  # nobody is held back for longer, if none follows
    while True:
        whole, buffer = _chunks(buffer)
        for chunk in whole:
            if held:
                client.sendall(chunk + held + chunk)
                held = None
            else:
                held = chunk
        try:
            got = upstream.recv(READ_SIZE)
            if not got:
                return
            buffer += got
        except TimeoutError:
            if held:
                client.sendall(held + held)
                held = None


def _hang_up(one):
    try:
        one.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


# ---- engines of another age ------------------------------------------------------------------------

def pretend_versions(proxy, newest, oldest=12):
    """The engine says that it speaks API 1.oldest to 1.newest, and refuses any other.

    What it is asked in a version newer than its own goes to it in its own."""
    headers = (("Api-Version", f"1.{newest}"), ("Ostype", "linux"),
               ("Server", "Docker/29.0.0 (linux)"))

    def refuse_or_pass(path):
        return VERSION_PREFIX.sub("/v1.41/", path)

    proxy.on("GET", "/v1.", Rewrite(refuse_or_pass))
    proxy.on("POST", "/v1.", Rewrite(refuse_or_pass))
    for minor in range(12, oldest):
        refusal = Answer(400, f"client version 1.{minor} is too old. Minimum supported API version "
                         f"is 1.{oldest}, please upgrade your client to a newer version", headers)
        for method in ("GET", "POST"):
            proxy.on(method, f"/v1.{minor}/", refusal)
    proxy.on("GET", "/_ping", Answer(200, headers=headers))
    proxy.on("HEAD", "/_ping", Answer(200, headers=headers))
