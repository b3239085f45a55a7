"""A password is in no log, process list, answer or journal."""

import threading
from pathlib import Path

from checks import exhaust, variant

WORDS = {"lab-postgres": "Xq7-first-secret", "lab-app": "Xq7-second-secret",
         "lab-supervisor": "Xq7-third-secret"}
MARK = "Xq7-"


def with_own_secrets(services):
    for service in services.values():
        for key, value in service.get("environment", {}).items():
            for old, new in WORDS.items():
                if str(value) == old or str(value).endswith(f":-{old}}}"):
                    service["environment"][key] = new


class ProcessList:
    """Reads the command line of every process of the machine, again and again."""

    def __init__(self):
        self.found = set()
        self.rounds = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()

    def _run(self):
        while not self._over.is_set():
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    line = path.read_bytes()
                except OSError:
                    continue
                if MARK.encode() in line:
                    self.found.add(line)
            self.rounds += 1
            self._over.wait(0.005)


def test_a_password_is_told_to_nobody(lab, stack, supervisor, tmp_path):
    project = stack(variant(tmp_path, "five", with_own_secrets))
    assert lab.password(project, "postgres") == WORDS["lab-postgres"]
    with ProcessList() as processes:
        supervisor.start("--log-level", "debug")
        exhaust(lab, project, "backend", "worker")
        said = [supervisor.ctl(*command, *form) for form in ((), ("--json",)) for command in (
            ("status",), ("connections",), ("clean", "--dry-run", "--idle", "1s"),
            ("recover", "--plan"))]
        said.append(supervisor.ctl("recover", "--yes"))
        assert said[-1].code == 0
        # A login that is refused: its error must not tell with what it was tried.
        lab.psql(project, "ALTER ROLE postgres PASSWORD 'another'")
        said += [supervisor.ctl(*command, *form) for form in ((), ("--json",)) for command in (
            ("status",), ("connections",), ("runs",), ("run", "1"), ("attach", "1"), ("version",),
            ("playbooks",))]
        environments = [Path(f"/proc/{process.pid}/environ").read_bytes()
                        for process in supervisor.processes if process.poll() is None]
        journal = written(supervisor)
        assert supervisor.stop() == 0
        journal |= {f"{name} at the end": text for name, text in written(supervisor).items()}

    assert processes.rounds > 100 and not processes.found
    for answer in said:
        assert MARK not in answer.out + answer.err
    assert environments and not any(MARK.encode() in one for one in environments)
    assert any(b'"plan_id"' in text for text in journal.values()), "the journal was not read"
    assert not [name for name, text in journal.items() if MARK.encode() in text]
    assert "run 1" in supervisor.log() and MARK not in supervisor.log()


def written(supervisor):
    return {path.name: path.read_bytes() for path in (supervisor.folder / "state").rglob("*")
            if path.is_file()}


def test_a_password_in_the_configuration_is_refused_and_not_repeated(supervisor):
    for connect in ("host=127.0.0.1 password=Xq7-first-secret",
                    "postgresql://postgres:Xq7-first-secret@127.0.0.1/app"):
        supervisor.configure(f"database:\n  connect: {connect}\n")
        answer = supervisor.ctl("check", supervisor.config_path)
        assert answer.code == 2 and "no password here" in answer.err


def test_a_credential_is_read_as_systemd_hands_it_over(lab, stack, supervisor, tmp_path):
    """Also by systemd 254 and later, where its mode says that the group may read it."""
    project = stack("ports")
    address, port = lab.pg_address(project)
    credential = tmp_path / "pgpass"
    credential.write_text(f"*:*:*:supervisor:{lab.password(project, 'supervisor')}\n")
    supervisor.environment["CREDENTIALS_DIRECTORY"] = str(tmp_path)
    supervisor.configure(f"stack: {project}\ndatabase: {{passfile: 'credential:pgpass', connect: "
                         f"'host={address} port={port} user=supervisor dbname=app'}}\n")
    for mode in (0o400, 0o440):
        credential.chmod(mode)
        supervisor.start()
        assert supervisor.json("status")["database"]["state"] == "ready", supervisor.log()
        supervisor.stop()
    assert "group or world access" not in supervisor.log()
