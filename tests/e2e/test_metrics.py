"""The status port: a page and metrics that everybody on this machine may read, and nothing else."""

import http.client
import json
import re
import subprocess

import pytest
from autopilot import WATCHFUL
from checks import QUICK_RECOVER, exhaust
from conftest import ROOT
from lab import free_port, wait_until
from labkit import promtool
from labkit.engine_api import UnixConnection


class Port:
    """The loopback port as a browser or a Prometheus asks it."""

    def __init__(self, number):
        self.number = number

    def ask(self, path, method="GET", headers=None, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.number, timeout=20)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read().decode()
        finally:
            connection.close()

    def metrics(self):
        status, headers, text = self.ask("/metrics")
        assert status == 200
        assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        return parse(text)


SAMPLE = re.compile(r"([a-z_:][a-z0-9_:]*)(?:\{(.*)\})? (\S+)")
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)')


def parse(text):
    """{name: {labels: value}}; every line must be of the format, every family told once."""
    found, types, name = {}, {}, None
    for line in text.splitlines():
        if line.startswith("# "):
            _, what, name, rest = line.split(" ", 3)
            assert what in ("HELP", "TYPE") and rest
            if what == "TYPE":
                assert name not in types, name
                types[name] = rest
            continue
        sample = SAMPLE.fullmatch(line)
        assert sample and sample[1] == name, line
        labels = LABEL.findall(sample[2] or "")
        assert ",".join(f'{key}="{value}"' for key, value in labels) == (sample[2] or ""), line
        key = tuple(sorted(labels))
        assert key not in found.setdefault(name, {}), line
        found[name][key] = float(sample[3])
    assert text.endswith("\n") and set(found) == set(types)
    for one, kind in types.items():
        assert kind in ("gauge", "counter") and (kind == "counter") == one.endswith("_total"), one
    return found


def of(family, **labels):
    """The one sample with these labels, whatever others it has."""
    wanted = set(labels.items())
    values = [value for key, value in family.items() if wanted <= set(key)]
    assert len(values) == 1, (labels, family)
    return values[0]


@pytest.fixture(scope="module")
def project(lasting_stack):
    return lasting_stack("five")


@pytest.fixture
def port(supervisor, project):
    number = free_port()
    supervisor.configure(f"stack: {project}\n{WATCHFUL}{QUICK_RECOVER}"
                         f"status: {{listen: '127.0.0.1:{number}'}}\n"
                         "control: {read_group: games}\n"
                         "notify: [{name: nobody, exec: [/bin/false]}]\n")
    supervisor.start()
    return Port(number)


def test_metrics_tell_how_it_is(lab, project, port, supervisor):
    wait_until(lambda: port.metrics().get("stack_connections_used"), 30, "the first sample")
    calm = port.metrics()
    version = supervisor.json("version")["command"]
    assert calm["stack_build_info"] == {(("version", version),): 1}
    assert of(calm["stack_database_up"]) == 1 and of(calm["stack_engine_up"]) == 1
    assert of(calm["stack_database_state"], state="ready") == 1
    assert of(calm["stack_connections_usable"]) == 27
    assert of(calm["stack_config_last_reload_successful"]) == 1
    assert of(calm["stack_run_in_progress"]) == 0 and of(calm["stack_journal_durable"]) == 1
    assert set(calm["stack_container_up"].values()) == {1}
    assert {dict(key)["container"] for key in calm["stack_container_up"]} == {
        one.name for one in lab.containers(project)}
    for policy in supervisor.json("policies")["policies"]:
        states = {dict(key)["state"]: value for key, value in calm["stack_policy_state"].items()
                  if dict(key)["policy"] == policy["name"]}
        assert [state for state, value in states.items() if value] == [policy["state"]]
    assert of(calm["process_open_fds"]) > 5 and of(calm["process_cpu_seconds_total"]) > 0

    exhaust(lab, project, "backend", "worker")
    wait_until(lambda: of(port.metrics()["stack_database_up"]) == 0, 30, "the exhaustion")
    assert of(port.metrics()["stack_database_state"], state="exhausted") == 1
    wait_until(lambda: of(port.metrics()["stack_service_health"], service="backend",
                          state="unhealthy") == 1, 30, "the health")

    lab.docker("stop", "--time=0", lab.container(project, "frontend"))
    wait_until(lambda: of(port.metrics()["stack_container_up"], service="frontend") == 0, 20,
               "the end of the frontend")
    lab.docker("start", lab.container(project, "frontend"))
    assert supervisor.ctl("recover", "--yes").code == 0
    after = port.metrics()
    assert of(after["stack_runs_total"], playbook="recover", outcome="succeeded") == 1
    assert of(after["stack_last_run_timestamp_seconds"], playbook="recover") > 1.7e9
    wait_until(lambda: of(port.metrics()["stack_database_up"]) == 1, 30, "the recovery")


def test_every_family_is_documented(port):
    wait_until(lambda: port.metrics().get("stack_connections_used"), 30, "the first sample")
    text = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"`((?:stack|process)_\w+)`", text))
    assert set(port.metrics()) <= documented


def test_promtool_has_no_complaint(project, port):
    wait_until(lambda: port.metrics().get("stack_connections_used"), 30, "the first sample")
    text = port.ask("/metrics")[2]
    assert promtool.complaints(text) == ""
    assert promtool.complaints(text + "stack_a_count 1\n") != ""  # it would complain


def test_the_page_shows_how_it_is(lab, project, port, supervisor):
    wait_until(lambda: "of 27</td>" in port.ask("/")[2], 30, "the first sample")
    status, headers, html = port.ask("/")
    assert status == 200 and headers["Content-Type"] == "text/html; charset=utf-8"
    for one in lab.containers(project):
        assert f"<td>{one.name}</td>" in html
    assert f"<h1>{project}</h1>" in html and "<td>leaking</td>" in html
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Set-Cookie" not in headers and "Access-Control-Allow-Origin" not in headers
    # What it loads is itself, and what it may load it gets.
    assert re.findall(r'(?:src|href|action)="([^"]*)"', html) == ["/style.css"]
    assert "<script" not in html and "style=" not in html
    status, headers, _ = port.ask("/style.css")
    assert status == 200 and headers["Content-Type"] == "text/css; charset=utf-8"


REFUSED = {
    "the API": ("GET", "/v1/status", None, 404), "a run": ("POST", "/v1/runs", None, 404),
    "a plan": ("GET", "/v1/plan?playbook=recover", None, 404),
    "alerts": ("POST", "/v1/alerts", None, 404), "another page": ("GET", "/index.html", None, 404),
    "a way up": ("GET", "/../metrics", None, 404), "a post": ("POST", "/metrics", None, 405),
    "a deletion": ("DELETE", "/", None, 405),
    "another host": ("GET", "/metrics", {"Host": "evil.example:9496"}, 403),
    "another host's page": ("GET", "/", {"Host": "127.0.0.1.evil.example"}, 403),
}


def test_nothing_else_is_answered(port, supervisor):
    for name, (method, path, headers, expected) in REFUSED.items():
        body = b'{"playbook":"recover"}' if method == "POST" else None
        status, _, text = port.ask(path, method, headers, body)
        assert status == expected, (name, status, text)
        assert json.loads(text)["error"]["message"], name
    assert supervisor.json("runs")["runs"] == []


def test_it_is_on_the_sockets_as_well(port, supervisor):
    for path in (supervisor.socket, supervisor.socket.parent / "read.sock"):
        connection = UnixConnection(path, 20)
        connection.request("GET", "/metrics")
        assert "stack_build_info" in parse(connection.getresponse().read().decode())
        connection.close()


def test_a_reload_that_failed_shows(port, supervisor):
    good = supervisor.config_path.read_text()
    supervisor.configure("mode: nonsense\n")
    supervisor.process.send_signal(1)
    wait_until(lambda: of(port.metrics()["stack_config_last_reload_successful"]) == 0, 10, "it")
    assert "the configuration has errors" in port.ask("/")[2]
    supervisor.configure(good)
    supervisor.process.send_signal(1)
    wait_until(lambda: of(port.metrics()["stack_config_last_reload_successful"]) == 1, 10, "it")


def test_it_is_for_the_loopback_alone_and_off_by_default(project, supervisor):
    supervisor.configure("status: {listen: '0.0.0.0:9496'}\n")
    assert supervisor.start(wait=False).process.wait(timeout=20) == 2
    assert "status: listen: 0.0.0.0:9496 is not this machine's loopback" in supervisor.log()
    supervisor.configure(f"stack: {project}\n")
    supervisor.start()
    listening = subprocess.run(["ss", "-ltnp"], capture_output=True, text=True, check=True).stdout
    assert f"pid={supervisor.process.pid}," not in listening
