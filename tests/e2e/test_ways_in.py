"""Who may do what by which way in: the socket for those who act, the one for those who only ask; what
the log says of it; and what a flood of clients can do, which is nothing."""

import contextlib
import grp
import os
import re
import resource
import signal
import socket
import subprocess
import threading

import pytest
from checks import QUICK_RECOVER, long_but, running
from engine_proxy import Silence
from lab import wait_until
from programs import Refusal

NOBODY = 65534
OPS, DEV, NONE = "operator", "games", "nogroup"  # groups that every Debian has, and nobody is in


@pytest.fixture(scope="module")
def ports(lasting_stack):
    return lasting_stack("ports")


def gid(name):
    return grp.getgrnam(name).gr_gid


@contextlib.contextmanager
def as_member_of(supervisor, group):
    """Programs started meanwhile run as nobody, who is a member of this group alone."""
    os.chmod(supervisor.short.name, 0o755)
    supervisor.prefix = ["setpriv", f"--reuid={NOBODY}", f"--regid={gid(group)}", "--clear-groups"]
    yield
    supervisor.prefix = []


def test_one_group_may_act_another_one_may_ask(ports, supervisor):
    supervisor.configure(f"stack: {ports}\ncontrol: {{group: {OPS}, read_group: {DEV}}}\n"
                         f"{QUICK_RECOVER}")
    supervisor.start()
    beside = supervisor.socket.parent / "read.sock"
    for path, group in ((supervisor.socket, OPS), (beside, DEV)):
        status = path.stat()
        assert (oct(status.st_mode & 0o777), status.st_gid) == ("0o660", gid(group))

    with as_member_of(supervisor, DEV):
        assert supervisor.ctl("status").code == 0  # by the other socket, of itself
        assert supervisor.ctl("policies").code == 0
        preview = supervisor.ctl("clean", "--dry-run")  # a POST, and a question all the same
        assert preview.code == 0, preview
        refused = supervisor.ctl("--socket", beside, "clean", "--yes")
        assert refused.code == 1 and "POST /v1/runs is none" in refused.err, refused
        refused = supervisor.ctl("pause")
        assert refused.code == 4 and "no permission" in refused.err and OPS in refused.err, refused
        refused = supervisor.ctl("--socket", beside, "pause")
        assert refused.code == 1 and "answers questions only" in refused.err, refused
        assert "control.group" in refused.err
    with as_member_of(supervisor, NONE):
        for command in (["status"], ["pause"], ["--socket", beside, "status"]):
            assert supervisor.ctl(*command).code == 4
    with as_member_of(supervisor, OPS):
        assert supervisor.ctl("pause").code == 0 and supervisor.ctl("resume").code == 0
        assert supervisor.ctl("recover", "--yes").code == 0
    with as_member_of(supervisor, DEV):
        told = supervisor.ctl("attach", "1")  # the story of a run is a question, too
        assert told.code == 0 and "recover" in told.out, told
    assert supervisor.stop() == 0
    assert not beside.exists() and not supervisor.socket.exists()


def test_without_the_key_there_is_no_second_socket(ports, supervisor):
    supervisor.configure(f"stack: {ports}\n")
    supervisor.start()
    assert [path.name for path in supervisor.socket.parent.iterdir()
            if path.is_socket()] == ["c.sock"]


def test_a_group_that_is_none_or_not_ours_is_explained(ports, supervisor):
    supervisor.configure("control: {read_group: no-such-group}\n")
    assert supervisor.start(wait=False).process.wait(timeout=20) == 2
    assert "no group is called 'no-such-group'" in supervisor.log()
    supervisor.become_nobody()
    config = supervisor.socket.parent / "own.yaml"
    config.write_text(f"control: {{group: {OPS}}}\n")
    supervisor.environment["STACK_SUPERVISOR_CONFIG"] = str(config)
    assert supervisor.start(wait=False).process.wait(timeout=20) == 4
    assert "must be a member of that group: in the unit, SupplementaryGroups=" in supervisor.log()


def test_each_request_that_acts_leaves_a_line(ports, supervisor):
    supervisor.configure(f"stack: {ports}\ncontrol: {{group: {OPS}}}\n{QUICK_RECOVER}")
    supervisor.start()
    own = f"uid 0 (root), pid {os.getpid()}"
    supervisor.api("POST", "/v1/pause", {"for": "1m", "reason": "a test"})
    with pytest.raises(Refusal):
        supervisor.api("POST", "/v1/runs/77/abort")
    with pytest.raises(Refusal):
        supervisor.api("DELETE", "/v1/runs%0aaudit:%20forged" + "x" * 500)
    supervisor.api("GET", "/v1/status")
    with as_member_of(supervisor, OPS):
        assert supervisor.ctl("resume").code == 0
    lines = [line.split("info    audit: ")[1] for line in supervisor.log().splitlines()
             if "info    audit: " in line]
    assert lines[0] == f"{own}: POST /v1/pause: 200"
    assert lines[1].startswith(f"{own}: POST /v1/runs/77/abort: 404 ")
    assert lines[2].startswith(f"{own}: DELETE /v1/runs?audit: forgedxxx"), lines[2]
    assert re.fullmatch(r"uid 65534 \(nobody\), pid \d+: POST /v1/resume: 200", lines[3])
    assert len(lines) == 4, lines  # nothing of what was only asked


def test_an_act_whose_client_does_not_wait_leaves_its_line_too(ports, proxy, supervisor):
    supervisor.configure(f"stack: {ports}\n{QUICK_RECOVER}")
    supervisor.start()
    assert supervisor.ctl("status").code == 0
    proxy.on("GET", "/containers/json", Silence())
    asked = proxy.count("GET", "/containers/json")
    body = b'{"playbook":"recover"}'
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(supervisor.socket))
        client.sendall(b"POST /v1/runs HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s"
                       % (len(body), body))
        wait_until(lambda: proxy.count("GET", "/containers/json") > asked, 20, "the question")
    assert "audit: " not in supervisor.log()
    proxy.cut("/containers/json")
    line = rf"audit: uid 0 \(root\), pid {os.getpid()}: POST /v1/runs: 50\d docker: "
    wait_until(lambda: re.search(line, supervisor.log()), 20, "the line")


# ---- floods ----------------------------------------------------------------------------------------

class Flood:
    """A thousand clients of one user, each of which connects, says `words` and no more, and comes
    again when it is cut; those whose word is a drip go on dripping."""

    COUNT = 1000
    PROGRAM = """
import selectors, socket, sys, time
path, words, count = sys.argv[1], sys.argv[2].encode().decode("unicode_escape").encode(), int(sys.argv[3])
clients = {}
came = 0
def open_one():
    global came
    one = socket.socket(socket.AF_UNIX)
    one.setblocking(False)
    try:
        one.connect(path)
        one.send(words)
        came += 1
    except OSError:
        one.close()
        return
    clients[one] = None
while True:
    for _ in range(min(50, count - len(clients))):
        open_one()
    for one in list(clients):
        try:
            if words:
                one.send(b"x")
            gone = one.recv(4096) == b""
        except BlockingIOError:
            gone = False
        except OSError:
            gone = True
        if gone:
            one.close()
            del clients[one]
    print(came, flush=True)
    time.sleep(0.01)
"""

    def __init__(self, socket_path, words, user, group):
        self._arguments = ["-c", self.PROGRAM, str(socket_path), words, str(self.COUNT)]
        self._user, self._group = user, group
        self.came = 0

    def __enter__(self):
        def prepare():
            resource.setrlimit(resource.RLIMIT_NOFILE, (2048, 4096))

        self._process = subprocess.Popen(
            ["/usr/bin/python3", *self._arguments], stdout=subprocess.PIPE, text=True,
            user=self._user, group=self._group, extra_groups=[], preexec_fn=prepare)
        threading.Thread(target=self._read, daemon=True).start()
        wait_until(lambda: self.came > self.COUNT, 30, "a thousand clients to come")
        return self

    def _read(self):
        for line in self._process.stdout:
            self.came = int(line)

    def __exit__(self, *_):
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()


FLOODS = {"idle": "", "slow-loris": "POST /v1/runs HTTP/1.1\\r\\nHost: x\\r\\nX-Slow: "}


@pytest.mark.parametrize("words", FLOODS.values(), ids=FLOODS)
@pytest.mark.parametrize("user", long_but([NOBODY, 0], [NOBODY]),
                         ids=["another user", "the same user"])
def test_a_thousand_clients_do_not_stop_a_recovery(lab, ports, supervisor, words, user):
    supervisor.configure(f"stack: {ports}\ncontrol: {{group: {OPS}}}\n{QUICK_RECOVER}")
    supervisor.start()
    os.chmod(supervisor.short.name, 0o755)
    before = running(lab, ports)
    with Flood(supervisor.socket, words, user, gid(OPS)) as flood:
        came = flood.came
        recovered = supervisor.ctl("recover", "--yes", timeout=60)
        assert recovered.code == 0, recovered
        assert supervisor.ctl("status", timeout=20).code == 0
        wait_until(lambda: flood.came > came, 20, "the flood to go on")
        open_files = len(os.listdir(f"/proc/{supervisor.process.pid}/fd"))
        assert open_files < 200, open_files
    assert running(lab, ports) == before
