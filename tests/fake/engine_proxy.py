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
from dataclasses import dataclass

READ_SIZE = 65536
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
class Rewrite:
    """The path goes to the engine as change(path)."""

    change: object


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
        self._requests = []
        self._rules = []
        self._open = {}  # client socket -> its last Request
        self._awaiting = set()  # client sockets whose request has not had a byte of its answer
        self._abandoned = []
        self._closed = False
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.path)
        self._listener.listen(128)

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._closed = True
        _hang_up(self._listener)
        self.cut("")
        self._folder.cleanup()

    # ---- for tests ------------------------------------------------------------------------------

    def on(self, method, part, fault, times=-1):
        """The next requests of this method whose path holds `part` meet the fault; the rule that
        was added last counts."""
        with self._changed:
            self._rules.insert(0, Rule(method, part, fault, times))

    def clear(self):
        """No more faults."""
        with self._changed:
            self._rules.clear()

    def cut(self, part):
        """Cuts the connections whose present request's path holds `part`; tells how many."""
        with self._changed:
            chosen = [one for one, request in self._open.items()
                      if part in (request.path if request else "")]
        for one in chosen:
            _hang_up(one)
        return len(chosen)

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

    def _accept(self):
        number = 0
        while not self._closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            number += 1
            with self._changed:
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

    def _meet(self, client, request):
        """Notes a request; the fault that it meets, or None."""
        with self._changed:
            self._open[client] = request
            self._requests.append(request)
            self._changed.notify_all()
            for rule in self._rules:
                if rule.left != 0 and rule.method == request.method and rule.part in request.path:
                    rule.left -= 1
                    return rule.fault
        return None


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
