"""supervisorctl as people meet it: on a terminal, in a pipe, with a daemon that comes and goes.

No engine and no database: tests/fake/daemon.py answers, so that every moment of a run can be held
still and looked at. The screen is what a terminal would show (class Screen), not the bytes.
"""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "fake"))

from daemon import ACTIONS, Daemon, status  # noqa: E402

BINARIES = Path(os.environ.get("STACK_SUPERVISOR_BIN", ROOT / "build/dev/bin")).resolve()
CTL = BINARIES / "supervisorctl"
PATIENCE = 15


def until(condition, what):
    """Waits for a condition, never for a time."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError(f"waited in vain for {what}")


class Screen:
    """What a terminal shows: as many of its commands as supervisorctl uses; any other is an error,
    since then something was let through that must not be."""

    TOKEN = re.compile(r"\x1b\[(\d*)([A-Za-z])|(\r)|(\n)|([^\x00-\x1f\x7f-\x9f])|(.)", re.DOTALL)

    def __init__(self, columns):
        self.columns = columns
        self.lines = [""]
        self.row = self.column = 0
        self.pending = b""

    def feed(self, data):
        """Takes in bytes as they come from the terminal."""
        self.pending += data
        text = self.pending.decode("utf-8", "ignore")
        cut = text.rfind("\x1b")
        if cut >= 0 and not re.match(r"\x1b\[\d*[A-Za-z]", text[cut:]):
            text = text[:cut]
        self.pending = self.pending[len(text.encode()):]
        for match in self.TOKEN.finditer(text):
            number, command, back, feed, letter, other = match.groups()
            if command:
                self.obey(command, int(number or 1))
            elif back:
                self.column = 0
            elif feed:
                self.down()
            elif letter:
                self.put(letter)
            else:
                raise AssertionError(f"a control character reached the terminal: {other!r}")

    def obey(self, command, number):
        """One escape sequence."""
        if command == "A":
            assert number <= self.row, "the cursor left the screen: the picture was misjudged"
            self.row -= number
        elif command == "K":
            self.lines[self.row] = self.lines[self.row][:self.column]
        elif command == "J":
            self.lines[self.row] = self.lines[self.row][:self.column]
            del self.lines[self.row + 1:]
        else:
            assert command == "m", f"unexpected command {command}"

    def resize(self, columns):
        """Wraps what is too long, as most terminals do; the cursor stays where it was."""
        before, old_row = self.lines, self.row
        self.columns, self.lines = columns, []
        for row, line in enumerate(before):
            if row == old_row:
                self.row = len(self.lines)
            self.lines += [line[at:at + columns] for at in range(0, len(line), columns)] or [""]

    def down(self):
        """The next line."""
        self.row += 1
        if self.row == len(self.lines):
            self.lines.append("")

    def put(self, letter):
        """A letter; at the edge it wraps."""
        if self.column == self.columns:
            self.down()
            self.column = 0
        line = self.lines[self.row].ljust(self.column)
        self.lines[self.row] = line[:self.column] + letter + line[self.column + 1:]
        self.column += 1

    @property
    def text(self):
        """All of it."""
        return "\n".join(self.lines)


class Terminal:
    """A command on a pseudo-terminal of its own."""

    def __init__(self, arguments, environment, columns=120, rows=40):
        self.screen = Screen(columns)
        self.raw = b""
        self.master, slave = pty.openpty()
        self.resize(columns, rows)

        def own_terminal():
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # who starts the tests may ignore it
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(  # pylint: disable=subprocess-popen-preexec-fn
            [CTL, *arguments], stdin=slave, stdout=slave, stderr=slave, env=environment,
            preexec_fn=own_terminal)
        os.close(slave)

    def resize(self, columns, rows):
        """As a window is pulled."""
        self.pump()
        self.screen.resize(columns)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def pump(self):
        """Takes in what has come."""
        while select.select([self.master], [], [], 0)[0]:
            try:
                data = os.read(self.master, 65536)
            except OSError:  # the other side is closed
                return
            if not data:
                return
            self.raw += data
            self.screen.feed(data)

    def shows(self, pattern):
        """Waits until the screen shows it."""
        def found():
            self.pump()
            return re.search(pattern, self.screen.text, re.MULTILINE)

        try:
            return until(found, pattern)
        except AssertionError:
            raise AssertionError(f"{pattern} was not shown:\n{self.screen.text}") from None

    def type(self, text):
        """Keys."""
        os.write(self.master, text.encode())

    def end(self):
        """Waits for the end of the command; its exit code."""
        until(lambda: (self.pump(), self.process.poll() is not None)[1],
              f"the end of the command; it shows:\n{self.screen.text}")
        self.pump()
        return self.process.returncode

    def close(self):
        """Leaves nothing behind."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)


@pytest.fixture(name="daemon")
def fixture_daemon():
    """A daemon that answers."""
    with tempfile.TemporaryDirectory(prefix="ss-", dir="/tmp") as folder:
        with Daemon(Path(folder) / "c.sock") as running:
            yield running


@pytest.fixture(name="environment")
def fixture_environment(daemon):
    """A user's environment, without what would change the output."""
    clean = {key: value for key, value in os.environ.items()
             if not key.startswith(("STACK_SUPERVISOR_", "NO_COLOR"))}
    return clean | {"STACK_SUPERVISOR_SOCKET": daemon.path, "TERM": "xterm", "LC_ALL": "C.UTF-8"}


@pytest.fixture(name="terminal")
def fixture_terminal(environment):
    """terminal(arguments…) opens one; it is closed after the test."""
    opened = []

    def start(*arguments, env=None, **size):
        opened.append(Terminal(arguments, environment | (env or {}), **size))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


@pytest.fixture(name="ctl")
def fixture_ctl(environment):
    """ctl(arguments…) runs a command in a pipe to its end."""
    def run(*arguments, env=None, **options):
        return subprocess.run([CTL, *arguments], env=environment | (env or {}), text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=60,
                              check=False, **options)
    return run


@pytest.fixture(name="piped")
def fixture_piped(environment):
    """piped(arguments…) starts a command in pipes."""
    started = []

    def start(*arguments):
        started.append(subprocess.Popen([CTL, *arguments], env=environment, text=True,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE))
        return started[-1]

    yield start
    for one in started:
        if one.poll() is None:
            one.kill()
        one.communicate()


def at_once(run):
    """A recovery in which everything goes well."""
    for name, _, _ in ACTIONS:
        run.action(name, "running")
        detail = None
        if name == "clean":
            detail = {"dry_run": False, "by": "lifeline", "used_before": 97, "used_after": 9,
                      "ended": [{"pid": 101, "role": "app", "application": "web",
                                 "client": "172.18.0.5", "state": "idle",
                                 "why": "idle for 14m02s"}],
                      "spared": [], "stayed": [], "denied": [], "hint": None}
        run.action(name, "done", text="well", took_ms=800, own_ms=700, error=None, detail=detail)
    run.end()


def fails(run):
    """A recovery in which a container does not start."""
    run.action("capture", "running")
    run.action("capture", "failed", text="", took_ms=800,
               error={"code": "failed", "message": "port is already allocated",
                      "hint": "docker ps"})
    run.note = run.add("note", text="winding up")
    run.end("failed", text="capture failed", left_stopped=["shop_web_1 (exited)"])


def marked(mark, text):
    """A row of the view with that mark."""
    return rf"^{mark} {re.escape(text)}"


# ---- in a pipe --------------------------------------------------------------------------------


def test_in_a_pipe_it_runs_at_once_and_appends_plain_lines(ctl, daemon):
    daemon.script = at_once
    answer = ctl("recover")
    assert answer.returncode == 0, answer.stderr
    lines = answer.stdout.splitlines()
    assert re.fullmatch(r"\+\d+\.\ds run 12: recover on shop, asked for by uid 1000 \(ann\), "
                        r"pid 4711", lines[0])
    assert re.fullmatch(r"\+\d+\.\ds stop shop_worker_1 done 800ms: well",
                        next(line for line in lines if "worker_1 done" in line))
    assert "run 12 succeeded in 1.5s, critical path 1.4s, overhead 3.4%" in answer.stdout
    assert "\x1b" not in answer.stdout and answer.stderr == ""
    assert daemon.posted("/v1/runs") == [{"playbook": "recover", "trigger": "command"}]


def test_a_run_that_fails_says_what_and_is_exit_code_1(ctl, daemon):
    daemon.script = fails
    answer = ctl("recover", "restart")
    assert answer.returncode == 1
    assert "capture failed 800ms: port is already allocated" in answer.stdout
    assert "run 12 failed" in answer.stdout and "capture failed" in answer.stdout
    assert "LEFT STOPPED: shop_web_1 (exited)" in answer.stdout
    assert daemon.posted("/v1/runs")[0]["playbook"] == "restart"


def test_json_is_one_object(ctl, daemon):
    daemon.script = at_once
    answer = ctl("recover", "--json")
    whole = json.loads(answer.stdout)
    assert (whole["run"], whole["state"], answer.stderr) == (12, "succeeded", "")
    assert [entry["seq"] for entry in whole["entries"]] == list(range(1, len(ACTIONS) * 2 + 3))
    assert json.loads(ctl("recover", "--plan", "--json").stdout)["id"] == daemon.plan_id
    for command in (["status"], ["connections"], ["runs"], ["run", "12"], ["playbooks"],
                    ["version"], ["clean", "--dry-run"], ["recover", "--detach"], ["init"]):
        assert isinstance(json.loads(ctl(*command, "--json").stdout), dict), command
    for command in (["run", "99"], ["abort", "x"], ["nosuch"], ["run", "--idle", "5s"]):
        wrong = ctl("--json", *command)
        assert set(json.loads(wrong.stdout)) == {"error"} and wrong.returncode != 0, command


def test_detach_returns_with_the_number(ctl, daemon):
    answer = ctl("recover", "--detach")
    assert answer.returncode == 0
    assert answer.stdout == "run 12 goes on: supervisorctl attach 12\n"
    assert not daemon.runs[12].over


def test_a_second_request_joins(ctl, daemon):
    run = daemon.new_run()
    daemon.script = None
    run.end()
    run = daemon.new_run()
    answer = ctl("recover", "--detach")
    assert "joined run 13, started by uid 1000 (ann), pid 4711" in answer.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupting_detaches_and_says_so(piped, daemon, number):
    process = piped("recover")
    assert "run 12" in process.stdout.readline()
    process.send_signal(number)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert "detached; run 12 goes on: supervisorctl attach 12" in errors
    assert not daemon.posted("/v1/runs/12/abort") and not daemon.runs[12].over


def test_a_timeout_detaches_with_124(ctl, daemon):
    answer = ctl("recover", "--timeout", "300ms")
    assert answer.returncode == 124
    assert "the time is over; run 12 goes on" in answer.stderr
    assert not daemon.posted("/v1/runs/12/abort")


def test_a_daemon_that_hangs_is_given_up(ctl, daemon):
    daemon.hang = True
    answer = ctl("status", "--timeout", "200ms")
    assert answer.returncode == 124 and "no answer within 200ms" in answer.stderr


def test_a_daemon_that_comes_back_is_followed_on(piped, daemon):
    process = piped("recover", "--json")
    run = until(lambda: daemon.runs.get(12), "the run")
    run.action("capture", "running")
    until(lambda: any("events" in path for _, path, _ in daemon.requests), "the follower")
    daemon.stop()
    run.action("capture", "done", took_ms=1, text="")
    assert "trying again" in process.stderr.readline()
    daemon.start()
    run.end()
    out, errors = process.stdout.read(), process.stderr.read()
    assert process.wait(PATIENCE) == 0, errors
    assert "the daemon is back" in errors
    assert [entry["seq"] for entry in json.loads(out)["entries"]] == [1, 2, 3, 4]


def test_a_timeout_while_the_daemon_is_away_promises_nothing(piped, daemon):
    process = piped("recover", "--timeout", "2s")
    until(lambda: any("events" in path for _, path, _ in daemon.requests), "the follower")
    daemon.stop()
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 124
    assert "trying again for 1m00s" in errors
    assert "it is not known whether run 12 goes on" in errors
    assert "the next daemon on its state directory carries it on" in errors


def test_nobody_reads_what_it_prints(environment, daemon):
    daemon.script = at_once
    done = subprocess.run(["sh", "-c", f"{CTL} recover | head -n 1"], env=environment, text=True,
                          capture_output=True, timeout=PATIENCE, check=False)
    assert "run 12" in done.stdout and done.stderr == ""


# ---- on a terminal ----------------------------------------------------------------------------


def test_it_shows_the_plan_and_asks(terminal, daemon):
    window = terminal("recover")
    window.shows(r"Run this plan\? \[y/N\] ")
    assert re.search(r"2 +stop worker \(shop_worker_1\), 10s to end +30.0s +after 1",
                     window.screen.text)
    assert "left alone: shop_migrate_1: started with --rm" in window.screen.text
    window.type("n\n")
    assert window.end() == 1
    assert "nothing was done" in window.screen.text
    assert daemon.posted("/v1/runs") == []


def test_ctrl_c_at_the_question_does_nothing(terminal, daemon):
    window = terminal("recover")
    window.shows(r"Run this plan\?")
    window.type("\x03")
    assert window.end() == -signal.SIGINT
    assert daemon.posted("/v1/runs") == []


def test_the_plan_shown_is_the_plan_that_runs(terminal, daemon):
    daemon.script = at_once
    window = terminal("recover")
    window.shows(r"plan 00000000000000aa(?s:.)*\[y/N\]")
    daemon.plan_id = "00000000000000bb"  # a container was recreated meanwhile
    window.type("y\n")
    window.shows(r"the stack has changed(?s:.)*plan 00000000000000bb(?s:.)*\[y/N\]")
    window.type("yes\n")
    assert window.end() == 0
    assert [body["plan_id"] for body in daemon.posted("/v1/runs")] == \
        ["00000000000000aa", "00000000000000bb"]


def test_one_line_an_action_redrawn_in_place(terminal, daemon):
    window = terminal("recover", "--yes")
    run = until(lambda: daemon.runs.get(12), "the run")
    window.shows(r"run 12: recover on shop")
    run.action("capture", "running")
    window.shows(marked("▸", ACTIONS[0][1]))
    run.progress("capture", "for 3.2s, waits for the logs")
    window.shows(r"▸ capture .*\d+ms +for 3.2s, waits for the logs|"
                 r"▸ capture .*\d\.\ds +for 3.2s, waits for the logs")
    run.action("capture", "done", took_ms=3300, text="logs of 3 containers")
    window.shows(r"✓ capture evidence.* 3.3s +logs of 3 containers")
    run.action("stop:shop_worker_1", "failed", took_ms=10, error={
        "code": "failed", "message": "no such container", "hint": None})
    window.shows(r"✗ stop worker.* 10ms +no such container")
    run.add("note", text="a note stands above the view")
    window.shows(r"note: a note stands above the view\nrun 12")
    for name, _, _ in ACTIONS[2:]:
        run.action(name, "skipped", text="not needed")
    run.end()
    assert window.end() == 0
    for _, text, _ in ACTIONS:
        assert window.screen.text.count(text) == 1, window.screen.text
    assert re.search(r"run 12 succeeded in 1.5s.*\n"
                     r"before: database exhausted, 97 of 97 connections used \(100%\); 0 of 1 .*\n"
                     r"after: database ready, 5 of 97 connections used \(5%\); 1 of 1",
                     window.screen.text)
    assert b"\x1b[32m" in window.raw  # done is green


def test_a_narrow_terminal_is_not_overrun(terminal, daemon):
    window = terminal("recover", "--yes", columns=40)
    run = until(lambda: daemon.runs.get(12), "the run")
    run.action("capture", "running")
    run.progress("capture", "waits for something that takes many words to say")
    window.shows("▸ capture evidence: who hol… ")
    run.action("capture", "done", took_ms=1, text="")
    window.shows(marked("✓", "capture"))
    assert window.screen.text.count("capture") == 1


def test_a_resized_terminal_is_drawn_anew(terminal, daemon):
    window = terminal("recover", "--yes", columns=120)
    run = until(lambda: daemon.runs.get(12), "the run")
    window.shows(re.escape(ACTIONS[-1][1]))
    for columns in (50, 30, 200):
        window.resize(columns, 40)
        run.progress("capture", f"seen at {columns}")
        window.shows(r"^. verify: .*\n*$")
        run.add("note", text=f"narrow {columns}")
        window.shows(f"note: narrow {columns}\nrun 12")
        for word in ("capture", "verify"):
            assert window.screen.text.count(word) == 1, window.screen.text


def test_a_low_terminal_keeps_in_sight_what_runs(terminal, daemon):
    window = terminal("recover", "--yes", rows=6)
    run = until(lambda: daemon.runs.get(12), "the run")
    window.shows(r"\(0 above, 4 below\)")
    for name, _, _ in ACTIONS[:4]:
        run.action(name, "done", took_ms=1, text="")
    run.action(ACTIONS[4][0], "running")
    window.shows(marked("▸", ACTIONS[4][1]))
    assert window.screen.text.count("\n") <= 6


def test_ctrl_c_detaches_on_a_terminal(terminal, daemon):
    window = terminal("recover", "--yes")
    until(lambda: daemon.runs.get(12), "the run")
    window.shows("run 12: recover on shop")
    window.type("\x03")
    assert window.end() == 0
    assert "detached; run 12 goes on: supervisorctl attach 12" in window.screen.text
    assert not daemon.runs[12].over


def test_a_run_under_way_is_joined_without_a_question(terminal, daemon):
    run = daemon.new_run()
    window = terminal("recover")
    window.shows(r"run 12 \(recover\) is under way, started by uid 1000 \(ann\), pid 4711")
    window.shows("run 12: recover on shop")
    run.end()
    assert window.end() == 0
    assert daemon.posted("/v1/runs") == [] and "[y/N]" not in window.screen.text


def test_attach_shows_the_plan_and_what_was_done(terminal, daemon):
    run = daemon.new_run()
    run.action("capture", "done", took_ms=700, text="")
    window = terminal("attach")
    window.shows(r"✓ capture evidence.* 700ms")
    window.shows(marked("·", ACTIONS[-1][1]))
    run.end("aborted", text="aborted")
    assert window.end() == 1


def test_a_dumb_terminal_gets_plain_lines(terminal, daemon):
    daemon.script = at_once
    window = terminal("recover", "--yes", env={"TERM": "dumb"})
    assert window.end() == 0
    assert b"\x1b" not in window.raw
    assert re.search(r"\+\d+\.\ds clean done 800ms: well", window.screen.text)


def test_without_utf8_the_marks_are_ascii(terminal, daemon):
    daemon.script = at_once
    window = terminal("recover", "--yes", env={"LC_ALL": "C"})
    assert window.end() == 0
    assert window.raw.isascii() and re.search(marked(r"\+", ACTIONS[0][1]), window.screen.text,
                                             re.MULTILINE)


@pytest.mark.parametrize("environment_more, arguments, colored", [
    ({}, [], True),
    ({"NO_COLOR": "1"}, [], False),
    ({"NO_COLOR": ""}, [], True),
    ({"NO_COLOR": "1"}, ["--color=always"], True),
    ({}, ["--color=never"], False),
    ({"STACK_SUPERVISOR_COLOR": "never"}, [], False),
    ({"STACK_SUPERVISOR_COLOR": "never"}, ["--color", "always"], True),
    ({"TERM": "dumb"}, [], False),
])
def test_colours_only_where_they_are_wanted(terminal, environment_more, arguments, colored):
    window = terminal("status", *arguments, env=environment_more)
    assert window.end() == 0
    assert (b"\x1b[3" in window.raw) == colored


def test_strangers_cannot_speak_to_the_terminal(terminal, ctl):
    window = terminal("connections", columns=200)
    assert window.end() == 0  # Screen refuses every control character that is none of ours
    assert "?[2Jevil?31m" in window.screen.text
    assert "\x1b" not in ctl("connections").stdout


# ---- clean ------------------------------------------------------------------------------------


def test_clean_shows_whom_it_would_end_and_asks(terminal, daemon):
    daemon.script = at_once
    window = terminal("clean", "--idle", "90s", "--application", "web", "--application", "api*")
    window.shows(r"would be ended: 1 session(?s:.)*idle for 14m02s(?s:.)*"
                 r"End 1 session\? \[y/N\] ")
    assert "superuser; not ended unless told" in window.screen.text
    window.type("y\n")
    assert window.end() == 0
    rules = {"applications": ["web", "api*"], "idle": "90s"}  # the rest is the playbook's
    assert daemon.posted("/v1/clean") == [{"dry_run": True} | rules]
    assert daemon.posted("/v1/runs") == [
        {"playbook": "clean", "trigger": "command", "options": rules}]
    assert re.search(r"\nended: 1 session\n.*\n +101 +web +app +172.18.0.5 +idle +idle for 14m02s",
                     window.screen.text)
    assert "connections used: 97 before, 9 after" in window.screen.text


def test_clean_in_a_pipe_takes_the_playbooks_own_rules(ctl, daemon):
    daemon.script = at_once
    answer = ctl("clean")
    assert answer.returncode == 0 and "ended: 1 session" in answer.stdout
    assert daemon.posted("/v1/runs") == [{"playbook": "clean", "trigger": "command"}]
    assert daemon.posted("/v1/clean") == []


# ---- the rest ---------------------------------------------------------------------------------


def test_status_tells_by_its_exit_code(ctl, daemon):
    assert ctl("status").returncode == 0
    daemon.status = status("degraded")
    answer = ctl("status")
    assert answer.returncode == 3
    assert "shop: degraded" in answer.stdout
    assert "exhausted: ordinary slots are gone, reserved ones are left (53300)" in answer.stdout
    assert re.search(r"web +app +shop_web_1 +running +unhealthy +3h12m +0", answer.stdout)
    assert "[####################] 97 of 97 connections used (100%), 3 reserved" in answer.stdout
    assert json.loads(ctl("status", "--json").stdout)["status"] == "degraded"


def test_no_daemon_is_exit_code_4_and_says_what_to_do(ctl, daemon):
    daemon.stop()
    for command in (["status"], ["recover"], ["clean"], ["attach"]):
        answer = ctl(*command)
        assert answer.returncode == 4 and answer.stdout == ""
        assert f"no daemon there: {daemon.path}: No such file or directory (ENOENT)" in \
            answer.stderr
        assert "systemctl start stack-supervisor, or stack-supervisord by hand" in answer.stderr
        assert "--standalone" in answer.stderr
    answer = ctl("why")  # which nobody else can answer
    assert answer.returncode == 4 and "systemctl start stack-supervisor" in answer.stderr
    assert "standalone" not in answer.stderr
    answer = ctl("version")
    assert answer.returncode == 0 and answer.stdout.startswith("supervisorctl ")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_no_permission_is_exit_code_4_and_names_the_group(ctl, daemon):
    os.chmod(Path(daemon.path).parent, 0o755)
    os.chmod(daemon.path, 0o660)
    answer = ctl("status", user=65534, group=65534, extra_groups=[])
    assert answer.returncode == 4
    assert "no permission to talk to the daemon (EACCES)" in answer.stderr
    assert "member of group root" in answer.stderr


def test_a_proxy_is_not_asked(ctl):
    assert ctl("status", env={"http_proxy": "http://127.0.0.1:1", "ALL_PROXY": "x://y"}) \
        .returncode == 0


def test_the_story_of_a_run(ctl, daemon):
    run = daemon.new_run()
    run.add("evidence", what="logs", detail={"container": "shop_web_1",
                                             "lines": ["too many clients", "too many clients",
                                                       "\x1b[2J"]})
    run.add("evidence", what="database", detail={"state": "exhausted", "exhaustion": "all"})
    at_once(run)
    answer = ctl("run", "12")
    assert answer.returncode == 0 and "\x1b" not in answer.stdout
    for part in ("asked by  uid 1000 (ann), pid 4711 (command)", "log of shop_web_1, last 3 lines",
                 "    too many clients  (2 times)\n    ?[2J\n", "database: exhausted, limit met: all",
                 "stop worker (shop_worker_1), 10s to end", "stop shop_worker_1: well",
                 "run 12 succeeded in 1.5s"):
        assert part in answer.stdout, answer.stdout
    assert answer.stdout.index("database: exhausted") < answer.stdout.index("log of")
    assert ctl("run", "99").returncode == 1
    assert re.search(r"12 +recover +succeeded +.* ago +1.5s +command", ctl("runs").stdout)


def test_abort_means_the_run_that_is_under_way(ctl, daemon):
    answer = ctl("abort")
    assert answer.returncode == 1 and "no run is under way" in answer.stderr
    daemon.new_run()
    answer = ctl("abort")
    assert answer.returncode == 0
    assert "run 12 winds up and starts again what it stopped" in answer.stdout
    assert len(daemon.posted("/v1/runs/12/abort")) == 1


@pytest.mark.parametrize("line, message", [
    ([], "a command is missing"),
    (["statsu"], "did you mean 'status'?"),
    (["--jsn", "status"], "did you mean '--json'?"),
    (["--js", "status"], "unknown option '--js'"),
    (["status", "extra"], "'extra' is one argument too many"),
    (["run"], "an argument is missing"),
    (["run", "seven"], "'seven' is no run's number"),
    (["recover", "--idle", "5s"], "--idle is no option of recover"),
    (["clean", "--idle", "soon"], "'soon' is no duration"),
    (["status", "--timeout", "0"], "it must be more than nothing"),
    (["status", "--timeout"], "a value is missing"),
    (["status", "--color=blue"], "'blue' is not auto, always or never"),
    (["status", "--json=yes"], "--json takes no value"),
    (["status", "-x"], "unknown option '-x'"),
    (["--docker-host", "unix:///x", "status"], "--docker-host goes with --standalone only"),
    (["recover", "--standalone", "--detach"], "there is nobody to go on"),
])
def test_a_line_that_makes_no_sense_is_exit_code_2(ctl, daemon, line, message):
    answer = ctl(*line)
    assert answer.returncode == 2 and message in answer.stderr, answer.stderr
    assert "usage: supervisorctl" in answer.stderr or "run's number" in message
    assert answer.stdout == "" and daemon.requests == []


def test_help_comes_from_the_table(ctl):
    overview = ctl("--help").stdout
    assert overview == ctl("help").stdout
    for command in re.findall(r"^  (\w+)  ", overview, re.MULTILINE):
        text = ctl(command, "--help").stdout
        assert text.startswith(f"usage: supervisorctl {command}"), command
        assert text == ctl("help", command).stdout


def test_an_unknown_playbook(ctl):
    answer = ctl("recover", "nosuch", "--plan")
    assert answer.returncode == 2 and "there is no playbook 'nosuch'" in answer.stderr


def test_something_else_behind_the_socket(ctl, daemon):
    daemon.status = ["not", "ours"]
    assert ctl("status", "--json").returncode == 3  # no status in it: not healthy
    daemon.stop()
    server = subprocess.Popen(
        [sys.executable, "-c", "import socket,sys\ns=socket.socket(socket.AF_UNIX)\n"
         "s.bind(sys.argv[1])\ns.listen()\nprint(1,flush=True)\nc,_=s.accept()\nc.recv(999)\n"
         "c.sendall(b'HTTP/1.1 500 x\\r\\nContent-Length: 2\\r\\n\\r\\nno')\nc.close()\n",
         daemon.path], stdout=subprocess.PIPE)
    server.stdout.readline()
    answer = ctl("status")
    assert answer.returncode == 1 and "is it the supervisor's socket?" in answer.stderr
    server.wait(timeout=PATIENCE)
    server.stdout.close()
