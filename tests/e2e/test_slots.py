"""The supervisor itself never takes more than two connections, whatever it does."""

import re
import threading

import pytest
from checks import QUICK_RECOVER, exhaust, postgres_log, variant

LOGGING = ["-c", "log_connections=on", "-c", "log_disconnections=on", "-c",
           "log_line_prefix=<%p> "]
LINE = re.compile(r"<(\d+)> (LOG|FATAL): +(.*)")


def most_at_once(lines, gateway):
    """How many connections the supervisor had at once, by PostgreSQL's own log: from the moment a
    process received a connection until it had let its slot go.

    It comes over the network by the bridge's own address, as nobody else does, or by the back
    door: its application's name tells."""
    open_pids, local, most, seen, whence = set(), set(), 0, 0, 0
    for number, line in enumerate(lines):
        found = LINE.match(line)
        if not found:
            continue
        pid, text = found[1], found[3]
        if text.startswith("database system was shut down"):
            open_pids.clear()
        elif text.startswith("connection received: host=[local]"):
            local.add(pid)
        elif (text.startswith(f"connection received: host={gateway} ")
              or pid in local and "application_name=stack-supervisor" in text):
            open_pids.add(pid)
            seen += 1
        elif text.startswith("disconnection:") or found[2] == "FATAL":
            open_pids.discard(pid)
            local.discard(pid)
        if len(open_pids) > most:
            most, whence = len(open_pids), number
    return most, seen, lines[max(0, whence - 30):whence + 5]


@pytest.fixture
def logged(lab, stack, tmp_path):
    def edit(services):
        services["postgres"]["command"] += LOGGING

    return stack(variant(tmp_path, "diamond", edit))


CONFIGURATIONS = {
    "as the superuser of the container": "",
    "as a role with few rights": "database:\n  connect: host={host} dbname=app user=supervisor\n"
                                 "  passfile: {passfile}\n",
}


# Alone: a server that gets no time is late in letting go of a session that we have ended.
@pytest.mark.alone
@pytest.mark.parametrize("configuration", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_no_more_than_two_connections_ever(lab, logged, supervisor, tmp_path, configuration):
    host, port = lab.pg_address(logged)
    passfile = tmp_path / "pgpass"
    passfile.write_text(f"{host}:{port}:*:supervisor:{lab.password(logged, 'supervisor')}\n")
    passfile.chmod(0o600)
    supervisor.configure(configuration.format(host=host, passfile=passfile) + QUICK_RECOVER)
    supervisor.start()
    lab.wait_until(lambda: supervisor.json("status")["database"]["lifeline"], 10, "the lifeline")

    stopping = threading.Event()
    codes = []

    def ask(*command):
        while not stopping.is_set():
            codes.append(supervisor.ctl(*command).code)

    askers = [threading.Thread(target=ask, args=command) for command in
              (("status",), ("status",), ("connections",), ("clean", "--dry-run", "--idle", "1s"))]
    for asker in askers:
        asker.start()
    try:
        assert supervisor.ctl("clean", "--yes", "--idle", "100ms").code == 0
        lab.leak(logged, "a", pool=30)
        lab.wait_refused(logged)
        lab.wait_unhealthy(logged, "a")
        answer = supervisor.ctl("recover", "--yes")
        assert answer.code == 0, answer.out + answer.err
    finally:
        stopping.set()
        for asker in askers:
            asker.join()
    assert len(codes) > 20 and codes.count(0) > 5
    assert supervisor.stop() == 0

    gateway = re.sub(r"\.\d+$", ".1", host)
    lines = postgres_log(lab, logged)
    most, seen, excerpt = most_at_once(lines, gateway)
    assert seen > 10, "the log does not show the supervisor"
    assert most <= 2, "\n".join(excerpt)
    assert f"connection authorized: user={'supervisor' if configuration else 'postgres'}" in (
        "\n".join(lines))


def test_a_way_in_when_every_slot_is_taken(lab, stack, supervisor):
    """Applications that log in as superuser take the reserved slots too: only a lifeline that was
    opened before, or the container itself, still helps."""
    project = stack("five", env={"APP_ROLE": "postgres", "APP_ROLE_PASSWORD": "lab-postgres"})
    supervisor.configure(QUICK_RECOVER)
    exhaust(lab, project, "backend", "worker")
    supervisor.start()  # too late for a lifeline
    status = supervisor.json("status", code=3)
    assert status["database"]["state"] == "exhausted" and not status["database"]["lifeline"]
    assert status["database"]["sqlstate"] == "53300"
    answer = supervisor.ctl("recover", "--yes")
    assert answer.code == 0, answer.out + answer.err
    assert supervisor.ctl("status").code == 0
