"""What the end-to-end tests share: one lab a session (a worker of pytest-xdist is one), and the two
programs driven as a user would.

STACK_SUPERVISOR_BIN names the folder of the binaries (default: build/dev/bin).
"""

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lab"))
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
sys.path.insert(0, str(ROOT / "tests" / "fake"))

from engine_proxy import EngineProxy  # noqa: E402
from lab import Lab  # noqa: E402
from programs import Supervisor  # noqa: E402

BINARIES = Path(os.environ.get("STACK_SUPERVISOR_BIN", ROOT / "build/dev/bin")).resolve()


# Several labs at once on a machine of two cores must not spend it on health checks.
os.environ.setdefault("LAB_CHECK_INTERVAL", "2s")


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "alone: measures times; scripts/test runs it with nothing else beside it")
    config.addinivalue_line("markers", "long: only by scripts/test --label e2e-all")
    config.addinivalue_line("markers", "faults: long; only by scripts/test --label faults")


def pytest_terminal_summary(terminalreporter):
    """What a test has measured, and recorded as its property `figure`."""
    figures = [value for report in terminalreporter.stats.get("passed", [])
               if report.when == "call" for name, value in report.user_properties
               if name == "figure"]
    for figure in figures:
        terminalreporter.write_line(f"figure: {figure}")


@pytest.fixture(scope="session")
def lab():
    with Lab() as running:
        yield running


def stacks_of(lab):
    projects = []

    def up(name, flavour="v1", healthy=True, **options):
        base = Path(name).parent.name if "/" in str(name) else name
        project = options.pop("project", f"{base}{len(projects) or ''}")
        projects.append(project)
        lab.up(name, flavour, project=project, **options)
        if healthy:
            lab.wait_healthy(project, timeout=60)
        return project

    yield up
    for project in projects:
        lab.down(project)


@pytest.fixture
def stack(lab):
    """stack(name, flavour=…, …) brings a stack up, healthy, under a project name of its own.

    The name is one of the lab's, or the path of a compose file."""
    yield from stacks_of(lab)


@pytest.fixture(scope="module")
def lasting_stack(lab):
    """The same for all tests of a file; only one that takes its stack down itself may go beside."""
    yield from stacks_of(lab)


@pytest.fixture
def supervisor(lab, tmp_path_factory):
    """A Supervisor whose daemon is not started yet; whatever it started ends with the test."""
    one = Supervisor(BINARIES, lab.docker_host, tmp_path_factory.mktemp("s"))
    yield one
    one.end()


@pytest.fixture
def proxy(lab, supervisor):
    """What stands between the supervisor and the engine, and can be told to make trouble."""
    with EngineProxy(lab.socket) as one:
        supervisor.use_docker(one.docker_host)
        yield one
        supervisor.end()  # its calls must not fail for want of the proxy


@pytest.fixture(scope="module")
def lasting_supervisor(lab, tmp_path_factory):
    """The same for all tests of a file."""
    one = Supervisor(BINARIES, lab.docker_host, tmp_path_factory.mktemp("s"))
    yield one
    one.end()


@pytest.fixture
def daemon(supervisor):
    """The same with its daemon running, without a configuration file."""
    supervisor.start()
    return supervisor
