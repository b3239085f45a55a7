"""A daemon that answers on a Unix socket as docs/api.md says, for tests of the command alone.

What a run does is a script: the test puts entries in and says when they come, so that every state
of the terminal can be looked at without waiting for a real stack. Run as a program it serves one
recovery in real time: daemon.py SOCKET
"""

import copy
import json
import socketserver
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

ACTIONS = [
    ("capture", "capture evidence: who holds the connections, last log lines", []),
    ("stop:shop_worker_1", "stop worker (shop_worker_1), 10s to end", ["capture"]),
    ("stop:shop_web_1", "stop web (shop_web_1), 10s to end", ["capture"]),
    ("clean", "end sessions idle > 1m00s, idle in transaction > 1m00s",
     ["stop:shop_worker_1", "stop:shop_web_1"]),
    ("start:shop_web_1", "start web (shop_web_1)", ["clean"]),
    ("start:shop_worker_1", "start worker (shop_worker_1)", ["clean"]),
    ("verify", "verify: services healthy, for 3.0s", ["start:shop_web_1", "start:shop_worker_1"]),
]


def plan(plan_id="00000000000000aa", playbook="recover"):
    """A plan in the shape of plan_json()."""
    return {"id": plan_id, "playbook": playbook, "project": "shop", "worst_case_ms": 260000,
            "actions": [{"id": name, "kind": name.split(":")[0], "service": None, "container": None,
                         "container_id": None, "after": after, "timeout_ms": 30000, "text": text}
                        for name, text, after in ACTIONS],
            "skipped": [{"container": "shop_migrate_1",
                         "reason": "started with --rm: it would vanish when stopped"}],
            "notes": []}


def stamp(wall):
    """RFC 3339 with milliseconds, as clock_stamp() writes it."""
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(wall))
    return f"{whole}.{int(wall % 1 * 1000):03d}Z"


def session(pid, **changes):
    """One database session in the shape of db_activity_json()."""
    return {"pid": pid, "backend_start": "2026-11-23 10:00:00+00", "role": "app",
            "database": "shop", "application": "web", "client": "172.18.0.5", "client_port": 40000,
            "state": "idle", "backend_type": "client backend", "state_seconds": 842.0,
            "age_seconds": 3600.0, "blocks": 0, "superuser": False, "replication": False,
            "ours": False, "backup": False, "container": "shop_web_1", "service": "web"} | changes


CONNECTIONS = {
    "max": 100, "reserved": 3, "used": 97, "available": 0, "utilization": 1.0, "by": "lifeline",
    "restricted": False, "prepared": 0,
    "sessions": [session(101), session(102, state="idle in transaction", blocks=2),
                 session(103, application="\x1b[2Jevil\u009b31m", container=None, service=None)],
    "groups": {"state": [{"name": "idle", "count": 90, "oldest_seconds": 842.0},
                         {"name": "idle in transaction", "count": 7, "oldest_seconds": 65.5}],
               "application": [{"name": "web", "count": 97, "oldest_seconds": 842.0}],
               "client": [{"name": "172.18.0.5", "count": 97, "oldest_seconds": 842.0}],
               "container": [{"name": "shop_web_1", "count": 97, "oldest_seconds": 842.0}]},
}

CLEANED = {
    "dry_run": True, "by": "lifeline", "used_before": 97, "used_after": 97,
    "ended": [{"pid": 101, "role": "app", "database": "shop", "application": "web",
               "client": "172.18.0.5", "client_port": 40000, "state": "idle",
               "idle_seconds": 842.0, "blocks": 0, "why": "idle for 14m02s"}],
    "spared": [{"pid": 105, "role": "postgres", "database": "shop", "application": "psql",
                "client": "local", "client_port": 0, "state": "idle", "idle_seconds": 99.0,
                "blocks": 0, "why": "superuser; not ended unless told (superusers: true)"}],
    "stayed": [], "denied": [], "hint": None,
}


def container(name, state="running", health="healthy"):
    """One container in the shape of stack_json()."""
    return {"name": name, "id": "c0ffee", "image": "x", "state": state, "health": health,
            "started_at": stamp(time.time() - 11520), "restarts": 0}


def status(word="healthy"):
    """GET /v1/status."""
    return {
        "status": word, "project": "shop",
        "reasons": [] if word == "healthy" else ["the database is exhausted"],
        "stack": {"project": "shop", "oneoffs": [], "notes": [], "services": [
            {"name": "postgres", "role": "database", "depends_on": [], "source": "label",
             "containers": [container("shop_postgres_1")]},
            {"name": "web", "role": "app", "depends_on": [], "source": "label",
             "containers": [container("shop_web_1", health="unhealthy")]}]},
        "database": {"service": "postgres", "container": "shop_postgres_1",
                     "where": "host=127.0.0.1 port=5432 dbname=shop user=app",
                     "state": "ready" if word == "healthy" else "exhausted",
                     "exhaustion": None if word == "healthy" else "reserved",
                     "sqlstate": None if word == "healthy" else "53300", "lifeline": True,
                     "max": 100, "reserved": 3, "used": 97, "available": 0, "utilization": 1.0,
                     "why": None},
        "engine": {"host": "unix:///var/run/docker.sock", "api_version": "1.41",
                   "server": "Docker/20.10.24 (linux)", "reachable": True, "error": None},
        "run": None, "last_run": None}


class Run:
    """One run whose entries the test puts in."""

    def __init__(self, number, playbook, requester):
        self.number = number
        self.began = time.time()
        self.changed = threading.Condition()
        self.entries = []
        self.live = []  # progress entries: told to who follows, not kept
        self.summary = {"run": number, "playbook": playbook, "project": "shop",
                        "trigger": "command", "requester": requester, "state": "running",
                        "plan_id": "00000000000000aa", "started_at": stamp(self.began),
                        "ended_at": None, "took_ms": 0, "text": ""}
        self.add("begin", playbook=playbook, project="shop", plan_id="00000000000000aa",
                 trigger="command", requester=requester)

    def add(self, kind, **fields):
        """Adds an entry; progress is told and not kept."""
        now = time.time()
        entry = {"type": kind, "run": self.number, "at": stamp(now),
                 "elapsed_ms": int((now - self.began) * 1000), **fields}
        with self.changed:
            if kind == "progress":
                self.live.append((len(self.entries), entry))
            else:
                self.entries.append({"seq": len(self.entries) + 1, **entry})
            self.changed.notify_all()

    def action(self, name, state, **fields):
        """Adds the entry of an action's change."""
        self.add("action", action=name, state=state, **fields)

    def progress(self, name, text):
        """What an action waits for."""
        self.add("progress", action=name, text=text)

    def end(self, state="succeeded", **fields):
        """Ends the run."""
        self.summary |= {"state": state, "ended_at": stamp(time.time()), "took_ms": 1500}
        world = {"containers": [{"name": "shop_web_1", "state": "running", "health": "unhealthy"}],
                 "connections": {"used": 97, "max": 100, "reserved": 3, "utilization": 1.0},
                 "database": "exhausted"}
        after = copy.deepcopy(world) | {"database": "ready"}
        after["connections"] |= {"used": 5, "utilization": 0.05}
        after["containers"][0]["health"] = "healthy"
        self.add("end", **({"state": state, "text": "recover in 1.5s", "took_ms": 1500,
                            "critical_ms": 1450, "overhead": 0.034, "left_stopped": [],
                            "before": world, "after": after} | fields))

    @property
    def over(self):
        """Whether its last entry is there."""
        return bool(self.entries) and self.entries[-1]["type"] == "end"

    def whole(self):
        """GET /v1/runs/ID."""
        return self.summary | {"plan": plan(), "entries": list(self.entries)}


class Handler(BaseHTTPRequestHandler):
    """Routes as the real daemon has them."""

    protocol_version = "HTTP/1.1"

    def address_string(self):
        return "client"

    def log_message(self, *args):  # pylint: disable=arguments-differ
        pass

    def reply(self, body, code=200):
        """Sends a whole answer."""
        text = (json.dumps(body) + "\n").encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def refuse(self, code, word, message, hint=None):
        """Sends an error."""
        self.reply({"error": {"code": word, "message": message, "hint": hint}}, code)

    def find_run(self, number):
        """The run, or None after a 404."""
        run = self.server.daemon.runs.get(int(number))
        if not run:
            self.refuse(404, "not-found", f"there is no run {number}", "supervisorctl runs")
        return run

    def do_GET(self):  # pylint: disable=invalid-name
        """Everything that is only looked at."""
        daemon = self.server.daemon
        url = urlsplit(self.path)
        parts = url.path.strip("/").split("/")
        epoch = daemon.epoch  # before anybody can know of the request, and stop the daemon
        daemon.requests.append(("GET", self.path, None))
        simple = {"/v1/version": daemon.version, "/v1/status": daemon.status,
                  "/v1/connections": CONNECTIONS,
                  "/v1/playbooks": {"playbooks": [{"name": "recover", "description": "all of it"}]},
                  "/v1/runs": {"runs": [run.summary for run in reversed(daemon.runs.values())]}}
        if daemon.hang:
            daemon.released.wait(60)
        if url.path in simple:
            self.reply(simple[url.path])
        elif url.path == "/v1/plan":
            name = parse_qs(url.query)["playbook"][0]
            if name == "nosuch":
                self.refuse(404, "not-found", "there is no playbook 'nosuch'")
            else:
                self.reply(plan(daemon.plan_id, name))
        elif len(parts) == 3:
            run = self.find_run(parts[2])
            if run:
                self.reply(run.whole())
        elif len(parts) == 4 and parts[3] == "events":
            run = self.find_run(parts[2])
            if run:
                self.stream(run, epoch)
        else:
            self.refuse(404, "not-found", "no such path")

    def do_POST(self):  # pylint: disable=invalid-name
        """Everything that acts."""
        daemon = self.server.daemon
        length = int(self.headers.get("Content-Length", 0))
        body = json.loads(self.rfile.read(length) or b"{}")
        daemon.requests.append(("POST", self.path, body))
        if self.path == "/v1/clean":
            self.reply(CLEANED)
        elif self.path == "/v1/runs":
            self.start(daemon, body)
        elif self.path.endswith("/abort"):
            run = self.find_run(self.path.split("/")[3])
            if run:
                run.summary["state"] = "aborting"
                run.add("abort", by="uid 0 (root), pid 1")
                self.reply({"run": run.number, "state": "aborting"})

    def start(self, daemon, body):
        """Starts a run, joins one, or refuses."""
        if "plan_id" in body and body["plan_id"] != daemon.plan_id:
            self.refuse(409, "refused", "the plan has changed")
            return
        present = [run for run in daemon.runs.values() if not run.over]
        run = present[0] if present else daemon.new_run(body["playbook"])
        self.reply({"run": run.number, "joined": bool(present), "plan": plan(daemon.plan_id)})
        if not present and daemon.script:
            threading.Thread(target=daemon.script, args=(run,), daemon=True).start()

    def chunk(self, text):
        """One piece of a stream."""
        data = text.encode()
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def stream(self, run, epoch):
        """The entries from the first that the client has not seen, then live ones."""
        daemon = self.server.daemon
        seen = int(self.headers.get("Last-Event-ID") or 0)
        live = len(run.live)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.chunk(": hello\n\n")
        while daemon.epoch == epoch:
            with run.changed:
                run.changed.wait_for(lambda: len(run.entries) > seen or len(run.live) > live, 0.05)
                kept, told = run.entries[seen:], run.live[live:]
                seen, live = seen + len(kept), live + len(told)
            for entry in kept:
                self.chunk(f"id: {entry['seq']}\ndata: {json.dumps(entry)}\n\n")
            for _, entry in told:
                self.chunk(f"data: {json.dumps(entry)}\n\n")
            if kept and kept[-1]["type"] == "end":
                break
        self.chunk("")  # the end of a chunked body
        self.close_connection = True


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """One thread a connection."""

    daemon_threads = True
    request_queue_size = 32

    def handle_error(self, request, client_address):
        pass  # a client that left: what the tests are about


class Daemon:
    """The whole, started on a socket; a context manager."""

    def __init__(self, path):
        self.path = str(path)
        self.plan_id = "00000000000000aa"
        self.status = status()
        self.version = {"version": "9.9.9", "api": "1.0", "pid": 1, "started_at": stamp(0),
                        "config": None}
        self.runs = {}
        self.requests = []
        self.script = None  # called with a new run, in a thread
        self.hang = False
        self.released = threading.Event()
        self.epoch = 0  # a new one ends all streams
        self.server = None

    def new_run(self, playbook="recover"):
        """A run that somebody asked for."""
        number = len(self.runs) + 12
        self.runs[number] = Run(number, playbook, "uid 1000 (ann), pid 4711")
        return self.runs[number]

    def start(self):
        """Listens."""
        Path(self.path).unlink(missing_ok=True)
        self.server = Server(self.path, Handler)
        self.server.daemon = self
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def stop(self):
        """Goes away: streams end, nobody answers."""
        self.epoch += 1
        self.released.set()
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.server = None
        Path(self.path).unlink(missing_ok=True)

    def posted(self, path):
        """The bodies that were posted there."""
        return [body for method, where, body in self.requests if (method, where) == ("POST", path)]

    def __enter__(self):
        return self.start()

    def __exit__(self, *error):
        self.stop()


def play(run):
    """A recovery in real time, for a look by eye."""
    for name, _, _ in ACTIONS:
        run.action(name, "running")
        for tenth in range(12):
            time.sleep(0.1)
            run.progress(name, f"for {tenth / 10:.1f}s, waits for something")
        run.action(name, "done", text="as it should be", took_ms=1200)
    run.end()


if __name__ == "__main__":
    with Daemon(sys.argv[1]) as served:
        served.script = play
        threading.Event().wait()
