"""The unit on a real systemd: it starts and says so, runs with no more rights than it is given, is
reloaded, restarted in the middle of a run, and killed when it hangs."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from checks import QUICK_RECOVER, running
from conftest import BINARIES, ROOT
from lab import wait_until
from labkit.systemd import SystemdBox

UNIT = "stack-supervisor.service"
PACKAGING = ROOT / "packaging" / "systemd"
DROP_INS = f"/etc/systemd/system/{UNIT}.d"
CONFIG = "/etc/stack-supervisor/supervisor.yaml"
LIMIT = 1.5


def unit_text():
    template = (PACKAGING / "stack-supervisor.service.in").read_text(encoding="utf-8")
    return template.replace("@CMAKE_INSTALL_FULL_SBINDIR@", "/usr/sbin")


class Unit:
    """The unit in the box, installed as CMake does."""

    def __init__(self, box, project):
        self.box = box
        self.project = project

    def install(self):
        self.box.put(BINARIES / "stack-supervisord", "/usr/sbin/stack-supervisord")
        self.box.put(BINARIES / "supervisorctl", "/usr/bin/supervisorctl")
        self.box.write(f"/lib/systemd/system/{UNIT}", unit_text())
        self.box.put(PACKAGING / "stack-supervisor.sysusers",
                     "/usr/lib/sysusers.d/stack-supervisor.conf")
        gid = self.box.run("stat", "--format=%g", "/run/docker.sock").stdout.strip()
        self.box.run("groupadd", "--system", f"--gid={gid}", "docker")
        self.box.run("systemd-sysusers")
        self.allow("off")
        return self

    def allow(self, mode):
        """What a policy may do; a sanitizer's search for leaks would want to trace."""
        self.box.write("/etc/default/stack-supervisor", f"STACK_SUPERVISOR_MODE={mode}\n"
                       "ASAN_OPTIONS=detect_leaks=0:exitcode=86\n")

    def start(self, configuration="", **drop_ins):
        """Starts it anew with this configuration and these drop-ins (name=text) alone."""
        self.box.systemctl("stop", UNIT)
        self.box.run("rm", "-rf", DROP_INS)
        for name, text in drop_ins.items():
            self.box.write(f"{DROP_INS}/{name}.conf", text)
        self.configure(configuration)
        self.box.systemctl("daemon-reload")
        self.box.systemctl("reset-failed", UNIT, check=False)
        self.box.systemctl("start", UNIT)

    def configure(self, text):
        self.box.write(CONFIG, f"stack: {self.project}\n{QUICK_RECOVER}{text}")

    def ctl(self, *arguments, check=True):
        return self.box.run("supervisorctl", *arguments, check=check)

    def json(self, *arguments):
        return json.loads(self.ctl(*arguments, "--json", check=False).stdout)

    @property
    def pid(self):
        return int(self.box.show(UNIT, "MainPID"))

    def status_of_process(self):
        lines = self.box.run("cat", f"/proc/{self.pid}/status").stdout.splitlines()
        return {name: value.split() for name, _, value in (line.partition(":") for line in lines)}

    def wait_sentence(self, part, timeout=30):
        wait_until(lambda: part in self.box.show(UNIT, "StatusText"), timeout,
                   f"'{part}'; last: {self.box.show(UNIT, 'StatusText')}\n"
                   f"{self.box.journal(UNIT)}")


@pytest.fixture(scope="module")
def project(lasting_stack):
    return lasting_stack("five", flavour="v2")


@pytest.fixture(scope="module")
def box(lab, project):
    with SystemdBox(lab, f"{project}_default") as one:
        yield one


@pytest.fixture(scope="module")
def unit(box, project):
    return Unit(box, project).install()


# ---- without a running systemd -----------------------------------------------------------------------

def exposure(folder):
    """What `systemd-analyze security` gives for the unit in the folder."""
    answer = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager",
                             folder / UNIT], capture_output=True, text=True, check=False)
    found = re.search(rf"Overall exposure level for {UNIT}: ([0-9.]+)", answer.stdout)
    assert found, answer
    return float(found[1]), answer.stdout


def test_the_exposure_of_the_unit_is_low(tmp_path, record_property):
    (tmp_path / UNIT).write_text(unit_text())
    figure, table = exposure(tmp_path)
    record_property("figure", f"exposure of {UNIT}: {figure}")
    assert figure <= LIMIT, table
    told = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    assert f"exposure {figure} of 10" in told
    (tmp_path / f"{UNIT}.d").mkdir()
    (tmp_path / f"{UNIT}.d" / "attribution.conf").write_text(
        (PACKAGING / "attribution.conf").read_text())
    wider, table = exposure(tmp_path)
    record_property("figure", f"exposure of {UNIT} with attribution.conf: {wider}")
    assert figure < wider <= 3, table  # it costs, and the figure sees it
    assert f"(exposure {wider})" in told


# ---- on a running one --------------------------------------------------------------------------------

def test_systemd_has_no_complaint(box, unit):
    for drop_in in ("attribution.conf", "credentials.conf"):
        box.put(PACKAGING / drop_in, f"{DROP_INS}/{drop_in}")
    verified = box.run("systemd-analyze", "verify", "--man=no", UNIT)
    assert verified.stdout == "" and verified.stderr == ""
    box.run("rm", "-rf", DROP_INS)


def test_it_starts_with_its_own_user_and_next_to_no_rights(lab, project, box, unit):
    unit.start()  # returns when it is ready: Type=notify
    assert box.show(UNIT, "ActiveState", "SubState", "Type") == ["active", "running", "notify"]
    unit.wait_sentence(f"watching {project}: healthy")
    status = unit.status_of_process()
    user, group, docker = (int(box.run("sh", "-c", command).stdout) for command in (
        "id -u stack-supervisor", "id -g stack-supervisor", "stat --format=%g /run/docker.sock"))
    assert user not in (0, 65534)
    assert set(status["Uid"]) == {str(user)} and set(status["Gid"]) == {str(group)}
    assert set(map(int, status["Groups"])) - {group} == {docker}
    for capabilities in ("CapPrm", "CapEff", "CapInh", "CapAmb", "CapBnd"):
        assert int(status[capabilities][0], 16) == 0, capabilities
    assert status["NoNewPrivs"] == ["1"] and status["Seccomp"] == ["2"]
    # To be spared when memory runs out takes a right that a container does not have.
    assert box.show(UNIT, "OOMScoreAdjust") == "-900"

    assert unit.ctl("status").returncode == 0
    seen = unit.json("connections")
    assert {one["container"] for one in seen["sessions"] if one["application"] == "backend"} == {
        lab.container(project, "backend")}  # by address, without the right to look at processes
    modes = box.run("stat", "--format=%a %U %G", "/run/stack-supervisor/control.sock",
                    "/var/lib/stack-supervisor", "/var/lib/stack-supervisor/journal.db").stdout
    assert modes.splitlines() == ["660 stack-supervisor stack-supervisor",
                                  "750 stack-supervisor stack-supervisor",
                                  "600 stack-supervisor stack-supervisor"]


def test_a_recovery_works_under_the_hardening(lab, project, unit):
    unit.start()
    before = running(lab, project)
    ended = unit.ctl("recover", "--yes")
    assert "before" not in ended.stderr and running(lab, project) == before
    run = unit.json("run", "1")
    assert run["state"] == "succeeded" and run["requester"].startswith("uid 0 (root)")


def test_a_reload_takes_a_new_configuration_and_not_a_wrong_one(box, unit):
    unit.start()
    pid = unit.pid
    unit.configure("x-mine: 1\nmode: observe\n")
    box.systemctl("reload", UNIT)
    wait_until(lambda: {one["mode"] for one in unit.json("policies")["policies"]} == {"off"}, 10,
               "the policies")
    unit.configure("mode: nonsense\n")
    box.systemctl("reload", UNIT)
    unit.wait_sentence("the configuration has errors: the old one stays in force")
    assert "'nonsense' is none of act, ask, observe, off" in box.journal(UNIT)
    unit.configure("")
    box.systemctl("reload", UNIT)
    unit.wait_sentence(f"watching {unit.project}: healthy", 10)
    assert "errors" not in box.show(UNIT, "StatusText")
    assert unit.pid == pid and box.show(UNIT, "NRestarts") == "0"


CURIOUS = """
settle: 1s
policies:
  - {name: curious, settle: 1s, when: database.state == ready, ladder: [{run: clean}]}
"""


@pytest.mark.parametrize("verb", ["reload", "restart"])
def test_what_a_policy_asks_outlives_a_reload_and_a_restart(box, unit, verb):
    """Neither is taken for a boot, although the unit sees nothing of /proc but processes."""
    def question():
        found = [one for one in unit.json("policies")["policies"] if one["name"] == "curious"]
        return found[0]["asks"] if found and found[0]["state"] == "asking" else None

    unit.allow("ask")
    try:
        unit.start(CURIOUS)
        asked = wait_until(question, 30, f"a question:\n{box.journal(UNIT)}")
        box.systemctl(verb, UNIT)
        wait_until(lambda: unit.ctl("policies", check=False).returncode == 0, 20, "an answer")
        wait_until(lambda: unit.json("policies")["policies"], 20, "the policies")
        assert question() == asked
    finally:
        unit.allow("off")


def test_a_restart_in_the_middle_of_a_run_leaves_nothing_stopped(lab, project, box, unit):
    unit.start()
    before = running(lab, project)
    run = unit.json("recover", "--yes", "--detach")["run"]
    unit.wait_sentence(f"run {run}: recover, running")
    wait_until(lambda: running(lab, project) != before, 30, "something to be stopped")
    box.systemctl("restart", UNIT)
    wait_until(lambda: unit.json("run", str(run))["state"] not in ("running", "aborting"), 90,
               "the end of the run")
    story = unit.json("run", str(run))
    assert story["state"] == "succeeded", story
    assert [one for one in story["entries"] if one["type"] == "resume"]
    assert running(lab, project) == before


def test_one_that_hangs_is_killed_and_comes_back(box, unit):
    unit.start(quick="[Service]\nWatchdogSec=2\n")
    hung = unit.pid
    began = box.show(UNIT, "ActiveEnterTimestampMonotonic")
    wait_until(lambda: box.show(UNIT, "WatchdogTimestampMonotonic") != "0", 10, "a first sign")
    first = box.show(UNIT, "WatchdogTimestampMonotonic")
    # It is told of more often than it must, and left alone as long as it is.
    wait_until(lambda: int(box.show(UNIT, "WatchdogTimestampMonotonic")) > int(first) + 3000000, 20,
               "signs for longer than the watchdog's patience")
    assert (unit.pid, box.show(UNIT, "ActiveEnterTimestampMonotonic")) == (hung, began)
    box.run("kill", "-STOP", str(hung))
    wait_until(lambda: box.show(UNIT, "ActiveState") == "active" and unit.pid not in (0, hung), 30,
               "another process")
    assert box.show(UNIT, "NRestarts") == "1"
    assert "Watchdog timeout" in box.journal(UNIT)
    wait_until(lambda: unit.ctl("status", check=False).returncode == 0, 20, "an answer")


def test_one_that_dies_comes_back_every_time(box, unit):
    unit.start(quick="[Service]\nRestartSec=50ms\n")
    for count in range(1, 7):  # more often than systemd's own limit of five within ten seconds
        pid = unit.pid
        box.run("kill", "-KILL", str(pid))
        wait_until(lambda gone=pid: box.show(UNIT, "ActiveState") == "active"
                   and unit.pid not in (0, gone), 30, "another process")
        assert box.show(UNIT, "NRestarts") == str(count)


def test_secrets_are_handed_over_as_credentials(lab, project, box, unit):
    address, port = lab.pg_address(project)
    secret = lab.password(project, "supervisor")
    box.write("/etc/stack-supervisor/pgpass", f"*:*:*:supervisor:{secret}\n", mode=0o600)
    box.write("/etc/stack-supervisor/token", "0123456789abcdef0123\n", mode=0o600)
    unit.start(f"database: {{connect: 'host={address} port={port} user=supervisor dbname=app', "
               "passfile: 'credential:pgpass'}\n"
               "alerts: {listen: '127.0.0.1:9497', token_file: 'credential:alerts-token'}\n",
               credentials=(PACKAGING / "credentials.conf").read_text()
               + "LoadCredential=alerts-token:/etc/stack-supervisor/token\n")
    database = unit.json("status")["database"]
    assert database["state"] == "ready", database
    assert "supervisor" in {one["role"] for one in unit.json("connections")["sessions"]
                            if one["ours"]}

    def post(token):
        return box.run("busybox", "wget", "-q", "-S", "-O", "-", f"--header=Authorization: {token}",
                       "--post-data={\"version\":\"4\",\"alerts\":[]}",
                       "http://127.0.0.1:9497/v1/alerts", check=False).stderr

    assert "401 Unauthorized" in post("Bearer fedcba98765432100123")
    assert "401" not in post("Bearer 0123456789abcdef0123")
    user = "stack-supervisor"  # who has no way to the files themselves
    for path in ("/etc/stack-supervisor/pgpass", "/etc/stack-supervisor/token"):
        assert box.run("cat", path, check=False, user=user).returncode != 0
    told = box.journal(UNIT) + box.show(UNIT, "StatusText") + unit.ctl("status").stdout
    assert secret not in told and "0123456789abcdef0123" not in told


def test_other_groups_than_the_daemons_own_get_their_sockets(box, unit):
    box.run("groupadd", "--force", "--system", "ops")
    box.run("groupadd", "--force", "--system", "dev")
    unit.start("control: {group: ops, read_group: dev}\n",
               groups="[Service]\nSupplementaryGroups=ops dev\n")
    listed = box.run("stat", "--format=%a %G %n", "/run/stack-supervisor/control.sock",
                     "/run/stack-supervisor/read.sock").stdout
    assert listed.splitlines() == ["660 ops /run/stack-supervisor/control.sock",
                                   "660 dev /run/stack-supervisor/read.sock"]


def test_a_command_of_roots_in_its_place_does_not_lock_it_out(box, unit):
    unit.start()
    box.systemctl("stop", UNIT)
    assert unit.ctl("clean", "--standalone", "--yes").returncode == 0
    box.systemctl("start", UNIT)
    assert unit.json("runs")["runs"][0]["playbook"] == "clean"
    assert unit.ctl("clean", "--yes").returncode == 0
    assert "journal" not in unit.json("status")  # no trouble: it can be written to


def test_it_ends_in_order_and_leaves_no_socket(box, unit):
    unit.start()
    box.systemctl("stop", UNIT)
    assert box.show(UNIT, "ActiveState", "Result", "ExecMainStatus") == [
        "inactive", "success", "0"]
    assert box.run("ls", "/run/stack-supervisor", check=False).returncode != 0
