"""test-notify: whoever is to be told hears of it before there is anything to tell."""

import signal

import pytest
from autopilot import Pager
from lab import wait_until

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
