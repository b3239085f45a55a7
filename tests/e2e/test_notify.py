"""Whoever is to be told hears of it: by a trial before there is anything to tell, and of runs that
leave something to a person, whoever had asked for them."""

import signal
import socket
from contextlib import ExitStack, contextmanager

import pytest
from autopilot import Pager
from checks import QUICK_RECOVER, running
from dead_disk import DeadDisk
from lab import wait_until
from watched import Watched, assert_ended_well, bounded_status

NOBODY_THERE = "http://127.0.0.1:9/"  # discard: nobody has listened there for decades


@pytest.fixture(scope="module")
def ports(lasting_stack):
    return lasting_stack("ports")


@pytest.fixture
def pager(tmp_path):
    return Pager(tmp_path)


def test_each_receiver_is_tried_and_each_failure_told(ports, supervisor, pager):
    supervisor.configure(f"stack: {ports}\n{pager.configuration('handed-over')}"
                         f"  - {{name: chat, webhook: '{NOBODY_THERE}'}}\n")
    supervisor.start()
    answer = supervisor.ctl("test-notify")
    assert answer.code == 1
    first, second, *_ = answer.out.splitlines()
    assert first.startswith("pager: delivered in ")
    assert second.startswith("chat: failed after ") and "127.0.0.1:9" in second, answer
    assert pager.events() == ["test"]
    assert pager.told()[0]["stack"] == ports and pager.told()[0]["severity"] == "info"

    answer = supervisor.ctl("--json", "test-notify", "pager")
    assert answer.code == 0
    assert [one["receiver"] for one in answer.json["results"]] == ["pager"]
    assert pager.events() == ["test", "test"]

    answer = supervisor.ctl("test-notify", "paper")
    assert answer.code == 1 and "no receiver 'paper'" in answer.err, answer
    assert "did you mean 'pager'?" in answer.err
    assert "POST /v1/notify/test: 200" in supervisor.log()  # it acts: the audit has it


def test_without_a_receiver_it_says_so(ports, supervisor):
    supervisor.configure(f"stack: {ports}\n")
    answer = supervisor.start().ctl("test-notify")
    assert answer.code == 1 and "names no receiver" in answer.err, answer


def test_a_trial_under_way_does_not_hold_up_the_end_of_the_daemon(ports, supervisor, tmp_path):
    began = tmp_path / "began"
    supervisor.configure(f"stack: {ports}\nnotify:\n  - name: slow\n"
                         f"    exec: [/bin/sh, -c, 'touch {began}; exec sleep 60']\n")
    supervisor.start()
    command = supervisor.spawn("test-notify")
    wait_until(began.exists, 10, "the trial to begin")
    assert supervisor.stop(signal.SIGTERM, timeout=15) == 0
    _, err = command.communicate(timeout=10)
    assert command.returncode != 0 and err, "whoever asked is answered"


# ---- runs that leave something to a person -------------------------------------------------------

@contextmanager
def port_taken(lab, project):
    """Somebody has the port that web publishes: it cannot be started."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        wait_until(lambda: _bound(other, lab.port(project)), 10, "the port to be free")
        other.listen()
        yield


def _bound(other, port):
    try:
        other.bind(("127.0.0.1", port))
        return True
    except OSError:
        return False


def _mend(lab, project):
    assert lab.docker("start", lab.container(project, "web")).returncode == 0
    lab.wait_healthy(project)


def test_what_a_persons_run_leaves_stopped_is_told_once(lab, ports, supervisor, pager):
    supervisor.configure(f"stack: {ports}\n{QUICK_RECOVER}{pager.configuration('handed-over')}")
    supervisor.start()
    web = lab.container(ports, "web")
    story = supervisor.begin()
    story.wait_action(f"stop:{web}", "done")
    with port_taken(lab, ports):
        end = story.wait_end()
    assert [left.split(" ")[0] for left in end["left_stopped"]] == [web], end
    wait_until(lambda: pager.events() == ["handed-over"], 10, "it to be told")
    told = pager.told()[0]
    assert told["severity"] == "critical" and told["run"] == story.run and told["stack"] == ports
    assert f"run {story.run} (recover, asked for by" in told["sentence"], told
    assert f"left stopped: {web} (" in told["sentence"] and "a person" in told["sentence"], told

    # The next life has nothing to add, and a run that ends well leaves nothing to anybody.
    assert supervisor.stop() == 0
    _mend(lab, ports)
    supervisor.start()
    assert supervisor.ctl("recover", "--yes").code == 0
    assert supervisor.ctl("test-notify").code == 0
    assert pager.events() == ["handed-over", "test"]


def test_a_run_that_is_carried_on_and_fails_is_told(lab, ports, supervisor, pager):
    """Whoever had asked for it hung up when the daemon died."""
    supervisor.configure(f"stack: {ports}\n{QUICK_RECOVER}{pager.configuration('handed-over')}")
    supervisor.start()
    web = lab.container(ports, "web")
    story = supervisor.begin()
    story.wait_action(f"stop:{web}", "done")
    supervisor.stop(signal.SIGKILL)
    with port_taken(lab, ports):
        supervisor.start()
        supervisor.follow(story.run).wait_end()
    wait_until(lambda: pager.events() == ["handed-over"], 10, "it to be told")
    sentence = pager.told()[0]["sentence"]
    assert "was carried on after the supervisor had ended" in sentence and web in sentence, sentence
    _mend(lab, ports)


# ---- commands on a file system that hangs --------------------------------------------------------

@pytest.fixture
def dead_disk(supervisor, tmp_path):
    folder = tmp_path / "dead"
    folder.mkdir()
    with ExitStack() as held:
        try:
            held.enter_context(DeadDisk(folder))
        except OSError as problem:
            pytest.skip(f"no right to mount: {problem}")
        yield folder
        supervisor.end()


@pytest.mark.faults
def test_a_command_whose_file_system_hangs_holds_up_no_run_and_no_next_life(
        lab, ports, supervisor, dead_disk):
    """Nobody can kill who waits for it; the next life has the notification again, at once."""
    supervisor.configure(f"""stack: {ports}
{QUICK_RECOVER}
checks:
  - {{name: dead, exec: [{dead_disk}/check], every: 2s, timeout: 500ms}}
notify:
  - {{name: pager, exec: [{dead_disk}/page], on: [handed-over], timeout: 2s}}
""")
    supervisor.start()
    web = lab.container(ports, "web")
    with Watched(supervisor, 90):
        story = supervisor.begin()
        story.wait_action(f"stop:{web}", "done")
        with port_taken(lab, ports):
            assert story.wait_end()["left_stopped"], "somebody is to be told"
        wait_until(lambda: f"exec {dead_disk}/page: had not begun within 2.0s and was killed: does "
                   "its file system answer?" in supervisor.log(), 20, "it to be given up")
        bounded_status(supervisor)
    _mend(lab, ports)
    before = running(lab, ports)
    story = supervisor.begin()
    story.wait_action(f"stop:{web}", "done")
    supervisor.stop(signal.SIGKILL)
    supervisor.start()
    with Watched(supervisor, 90):
        end = supervisor.follow(story.run).wait_end()
        assert end["state"] == "succeeded", end
        assert_ended_well(lab, ports, before, end)
        bounded_status(supervisor)

    def told():
        check, = supervisor.api("GET", "/v1/observations")["checks"]
        return check["state"] == "failing" and check["problem"]

    assert "does its file system answer?" in wait_until(told, 20, "the check to fail")
    assert supervisor.stop(signal.SIGTERM, timeout=15) == 0
