"""Brings a stack up from its compose file: by docker-compose (v1), or as compose v2 would.

Compose v2 is not in Debian 12. What a supervisor sees of it are the containers: their names
(`shop-web-1`), their labels (with `depends_on`, which v1 does not write) and their start in order.
So the v2 flavour is made here over the Engine API from the same YAML. A key that this reader does
not know is refused, so that the two flavours of a stack can never drift apart unnoticed.
"""

import hashlib
import json
import re
import subprocess
from pathlib import Path

import yaml

from . import engine_api
from .waiting import wait_until

DOCKER_COMPOSE = "/usr/bin/docker-compose"
COMPOSE_SECONDS = 180
V2_VERSION = "2.27.1"  # the compose release whose labels are imitated
LABEL = "com.docker.compose."
SERVICE_KEYS = {
    "image", "command", "environment", "depends_on", "healthcheck", "ports", "volumes", "restart",
    "stop_grace_period", "stop_signal", "labels", "init", "scale", "user", "tmpfs",
}


# ---- v1: the real docker-compose ---------------------------------------------------------------

def v1_run(stack_file, project, docker_host, config_dir, arguments, env=None):
    """Runs docker-compose in the stack's folder; gives its output, raises if it fails."""
    environment = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(config_dir), "LANG": "C.UTF-8",
        "DOCKER_HOST": docker_host, "DOCKER_CONFIG": str(config_dir),
    } | (env or {})
    command = [DOCKER_COMPOSE, "--file", stack_file.name, "--project-name", project, *arguments]
    answer = subprocess.run(command, cwd=stack_file.parent, env=environment, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            timeout=COMPOSE_SECONDS, check=False)
    if answer.returncode != 0:
        raise RuntimeError(f"docker-compose {' '.join(arguments)} failed:\n{answer.stdout}")
    return answer.stdout


# ---- reading the compose file ------------------------------------------------------------------

def stack_file_of(stack):
    """Accepts a compose file, its folder, or the name of a stack beside this package."""
    named = Path(__file__).resolve().parent.parent / "stacks" / str(stack)
    for path in (Path(stack), named):
        if path.is_dir():
            return (path / "docker-compose.yml").resolve(strict=True)
        if path.is_file():
            return path.resolve()
    raise FileNotFoundError(f"no such stack: {stack}")


def read_stack(stack_file, env):
    """The compose file as a dict, with ${NAME} and ${NAME:-fallback} filled in."""
    return yaml.safe_load(interpolate(stack_file.read_text(encoding="utf-8"), env))


def interpolate(text, env):
    def value_of(match):
        if match["dollar"]:
            return "$"
        return env.get(match["name"]) or match["fallback"] or ""

    pattern = r"(?P<dollar>\$\$)|\$\{(?P<name>\w+)(?::-(?P<fallback>[^}]*))?\}"
    return re.sub(pattern, value_of, text)


def dependencies(service):
    """{service: condition}; compose allows a plain list too."""
    wanted = service.get("depends_on", {})
    if isinstance(wanted, list):
        return dict.fromkeys(wanted, "service_started")
    return {name: rule["condition"] for name, rule in wanted.items()}


def start_order(services):
    """The services, each after all that it depends on."""
    order = []

    def visit(name, path=()):
        if name in path:
            raise ValueError(f"dependency cycle: {' -> '.join((*path, name))}")
        if name not in order:
            for needed in dependencies(services[name]):
                visit(needed, (*path, name))
            order.append(name)

    for name in services:
        visit(name)
    return order


def nanoseconds(text):
    """A compose duration such as 1m30s, 500ms."""
    factors = {"ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h)", str(text))
    return int(sum(float(number) * factors[unit] for number, unit in parts))


def text_of(value):
    """Compose writes 1 and true into the environment as they stand in the file."""
    return str(value).lower() if isinstance(value, bool) else str(value)


# ---- v2: the same containers over the API --------------------------------------------------------

class V2Stack:
    """One compose file, brought up as compose v2 would leave it."""

    def __init__(self, socket, stack_file, project, env):
        self.socket = socket
        self.file = stack_file
        self.project = project
        self.stack = read_stack(stack_file, env)
        self.services = self.stack["services"]

    def up(self, scale=None, timeout=60):
        self._make_network()
        self._make_volumes()
        for name in start_order(self.services):
            for needed, condition in dependencies(self.services[name]).items():
                wait_until(lambda n=needed, c=condition: self._is_met(n, c), timeout,
                           f"{needed} to be {condition} for {name}")
            count = (scale or {}).get(name, self.services[name].get("scale", 1))
            for number in range(1, count + 1):
                self._run_container(name, number)

    # ---- pieces

    def _api(self, method, url, body=None):
        return engine_api.request(self.socket, method, url, body)

    def _make_network(self):
        configured = (self.stack.get("networks") or {}).get("default") or {}
        body = {
            "Name": f"{self.project}_default", "Driver": "bridge", "CheckDuplicate": True,
            "Labels": self._labels(network="default"),
            "IPAM": {"Config": [{"Subnet": entry["subnet"]} for entry in
                                configured.get("ipam", {}).get("config", [])]},
        }
        if subnet_of(self.socket, self.project) is None:
            self._api("POST", "/networks/create", body)

    def _make_volumes(self):
        for name in self.stack.get("volumes") or {}:
            body = {"Name": f"{self.project}_{name}", "Labels": self._labels(volume=name)}
            self._api("POST", "/volumes/create", body)

    def _is_met(self, service, condition):
        labels = [f"{LABEL}project={self.project}", f"{LABEL}service={service}"]
        wanted = engine_api.filters(label=labels)
        listed = self._api("GET", f"/containers/json?all=1&filters={wanted}")
        states = [self._api("GET", f"/containers/{one['Id']}/json")["State"] for one in listed]
        checks = {
            "service_started": lambda state: state["Running"],
            "service_healthy": lambda state: state.get("Health", {}).get("Status") == "healthy",
            "service_completed_successfully":
                lambda state: state["Status"] == "exited" and state["ExitCode"] == 0,
        }
        return bool(states) and all(checks[condition](state) for state in states)

    def _run_container(self, service, number):
        name = f"{self.project}-{service}-{number}"
        try:
            self._api("POST", f"/containers/create?name={name}", self._container(service, number))
        except engine_api.ApiError as error:
            if error.status != 409:  # it is there from an earlier up
                raise
        self._api("POST", f"/containers/{name}/start")

    def _container(self, name, number):
        service = self.services[name]
        unknown = set(service) - SERVICE_KEYS
        if unknown:
            raise ValueError(f"{self.file}: {name}: cannot do {', '.join(sorted(unknown))}")
        body = {
            "Image": service["image"],
            "Env": [f"{key}={text_of(value)}" for key, value in environment_of(service).items()],
            "Labels": self._service_labels(name, service, number),
            "ExposedPorts": {f"{port['inside']}/tcp": {} for port in ports_of(service)},
            "HostConfig": self._host_config(service),
            "NetworkingConfig": {"EndpointsConfig": {
                f"{self.project}_default": {"Aliases": [name, f"{self.project}-{name}-{number}"]}}},
        }
        if "command" in service:
            command = service["command"]
            body["Cmd"] = command if isinstance(command, list) else command.split()
        if "healthcheck" in service:
            body["Healthcheck"] = healthcheck_of(service["healthcheck"])
        if "stop_grace_period" in service:
            body["StopTimeout"] = nanoseconds(service["stop_grace_period"]) // 10**9
        for key, field in (("stop_signal", "StopSignal"), ("user", "User")):
            if key in service:
                body[field] = service[key]
        return body

    def _host_config(self, service):
        return {
            "Binds": [self._bind(text) for text in service.get("volumes", [])],
            "NetworkMode": f"{self.project}_default",
            "PortBindings": {
                f"{port['inside']}/tcp": [{"HostIp": port["address"], "HostPort": port["outside"]}]
                for port in ports_of(service)},
            "RestartPolicy": {"Name": service.get("restart", "")},
            "Init": service.get("init", False),
            "Tmpfs": dict.fromkeys(service.get("tmpfs", []), ""),
        }

    def _bind(self, text):
        source, rest = text.split(":", 1)
        if source in (self.stack.get("volumes") or {}):
            return f"{self.project}_{source}:{rest}"
        return f"{(self.file.parent / source).resolve()}:{rest}"

    def _labels(self, **more):
        labels = {"project": self.project, "version": V2_VERSION, **more}
        return {LABEL + key: value for key, value in labels.items()}

    def _service_labels(self, name, service, number):
        canonical = json.dumps(service, sort_keys=True).encode()
        wanted = [f"{other}:{rule}:false" for other, rule in dependencies(service).items()]
        image = self._api("GET", f"/images/{service['image']}/json")
        labels = self._labels(**{
            "service": name,
            "container-number": str(number),
            "oneoff": "False",
            "config-hash": hashlib.sha256(canonical).hexdigest(),
            "depends_on": ",".join(wanted),
            "image": image["Id"],
            "project.config_files": str(self.file),
            "project.working_dir": str(self.file.parent),
        })
        return labels | {key: text_of(value) for key, value in service.get("labels", {}).items()}


def environment_of(service):
    given = service.get("environment", {})
    if isinstance(given, list):
        return dict(entry.split("=", 1) for entry in given)
    return given


def ports_of(service):
    """Only the form ADDRESS:OUTSIDE:INSIDE is allowed: a lab publishes nothing to the world."""
    ports = []
    for text in service.get("ports", []):
        address, outside, inside = text.split(":")
        ports.append({"address": address, "outside": outside, "inside": inside})
    return ports


def healthcheck_of(rule):
    check = {"Test": rule["test"]}
    for key, field in (("interval", "Interval"), ("timeout", "Timeout"),
                       ("start_period", "StartPeriod")):
        if key in rule:
            check[field] = nanoseconds(rule[key])
    if "retries" in rule:
        check["Retries"] = rule["retries"]
    return check


def subnet_of(socket, project):
    """The subnet of a project's network, None if it has none yet."""
    try:
        network = engine_api.request(socket, "GET", f"/networks/{project}_default")
    except engine_api.ApiError as error:
        if error.status == 404:
            return None
        raise
    return network["IPAM"]["Config"][0]["Subnet"]


def remove_project(socket, project):
    """Takes away containers, network and volumes of a project, whichever flavour made it."""
    label = engine_api.filters(label=[f"{LABEL}project={project}"])

    def each(url, key=None):
        answer = engine_api.request(socket, "GET", f"{url}filters={label}")
        return (answer[key] if key else answer) or []

    for container in each("/containers/json?all=1&"):
        engine_api.request(socket, "DELETE", f"/containers/{container['Id']}?force=1&v=1")
    for network in each("/networks?"):
        engine_api.request(socket, "DELETE", f"/networks/{network['Id']}")
    for volume in each("/volumes?", "Volumes"):
        engine_api.request(socket, "DELETE", f"/volumes/{volume['Name']}?force=1")
