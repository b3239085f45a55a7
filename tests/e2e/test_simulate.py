"""`supervisorctl simulate`: what policies would have made of what was recorded. No lab is needed."""

import json
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("STACK_SUPERVISOR_BIN", ROOT / "build/dev/bin")).resolve()
HEAD = {"at": 5000, "trace": 1, "local": 1777788000000}  # 2026-05-03 06:00:00


def simulate(*args, text=None):
    env = {k: v for k, v in os.environ.items() if not k.startswith("STACK_SUPERVISOR_")}
    return subprocess.run([BIN / "supervisorctl", "simulate", *args], input=text, text=True,
                          capture_output=True, env=env, timeout=60, check=False)


def lines(events):
    return "".join(json.dumps(event) + "\n" for event in events)


def sampled(at, used, **more):
    """What the watchers measure, as the daemon records it: nothing that is derived."""
    values = {"connections.usable": 27, "connections.used": used, "connections.longest_idle": 90000,
              "database.state": "ready", **more}
    return [{"at": at, "observe": name, "value": value} for name, value in values.items()]


@pytest.fixture
def recorded(tmp_path):
    """Ten minutes of a database that fills up."""
    path = tmp_path / "trace.jsonl"
    events = [HEAD]
    for second in range(0, 600, 10):
        events += sampled(5000 + second * 1000, min(6 + second // 15, 20))
    path.write_text(lines(events))
    return path


def test_it_says_what_would_have_been_done_and_when(recorded):
    answer = simulate(recorded)
    assert answer.returncode == 0
    first = answer.stdout.splitlines()[0]
    assert first.startswith("2026-05-03 06:02:")
    assert "pressed: runs clean (1 of 1): connections.utilization is 63% (> 60%)" in first
    assert "the trace ends at 2026-05-03 06:09:50.000:" in answer.stderr
    assert "nothing to do" not in answer.stdout
    assert "nothing to do" in simulate(recorded, "--all").stdout


def test_it_tells_a_program_the_same(recorded):
    answer = simulate(recorded, "--json")
    told = json.loads(answer.stdout)["decisions"]
    assert answer.stdout.count("\n") == 1
    assert told[0]["policy"] == "pressed"
    assert told[0]["decision"] == "run"
    assert told[0]["at"].startswith("2026-05-03 06:02:")
    assert told[0]["values"][0]["name"] == "connections.utilization"


def test_a_configuration_brings_its_own_policies(recorded, tmp_path):
    config = tmp_path / "supervisor.yaml"
    config.write_text("policies:\n"
                      "  - {name: pressed, when: connections.used > 10, mode: ask,\n"
                      "     ladder: [{run: clean}]}\n")
    answer = simulate(recorded, "--policies", config)
    assert "pressed: asks whether to run clean (1 of 1): connections.used is 11 (> 10)" in answer.stdout
    config.write_text("mode: observe\n")
    answer = simulate(recorded, "--policies", config)
    assert "pressed: would run clean" in answer.stdout
    assert " 0 runs" in answer.stderr


def test_a_configuration_that_is_wrong_is_shown_with_its_errors(recorded, tmp_path):
    config = tmp_path / "supervisor.yaml"
    config.write_text("policies:\n  - {name: a, when: connections.usd > 5}\n")
    answer = simulate(recorded, "--policies", config)
    assert answer.returncode == 2
    assert f"{config}:2:21: error: when: unknown observation 'connections.usd'" in answer.stderr
    told = json.loads(simulate(recorded, "--policies", config, "--json").stdout)
    assert told["errors"][0]["line"] == 2


def test_a_trace_that_is_wrong_is_told_by_its_line(tmp_path):
    answer = simulate("-", text=lines([HEAD, {"at": 4, "step": True}]))
    assert answer.returncode == 1
    assert "-: line 2: time goes back" in answer.stderr
    answer = simulate("-", text=lines([HEAD]) + "what?\n")
    assert "-: line 2: " in answer.stderr
    answer = simulate(tmp_path / "nowhere")
    assert answer.returncode == 1
    assert "No such file" in answer.stderr


def test_a_restart_and_a_boot_are_lived_through(tmp_path):
    events = [HEAD]
    for at in range(10000, 200000, 2000):
        events += sampled(at, 20)
    events += [{"at": 200000, "restart": 4000}]
    events += [{"at": 9000, "trace": 1, "local": HEAD["local"] + 600000}]  # another boot
    for at in range(10000, 100000, 2000):
        events += sampled(at, 20)
    path = tmp_path / "trace"
    path.write_text(lines(events))
    answer = simulate(path, "--json")
    assert answer.returncode == 0
    at = [one["at"] for one in json.loads(answer.stdout)["decisions"]]
    assert at == sorted(at)
    assert at[0] < "2026-05-03 06:01" and at[-1] > "2026-05-03 06:10"


def test_what_the_property_test_shrinks_can_be_replayed(tmp_path):
    """A judge that is wrong by one run: its failure must show in the simulation."""
    program = BIN / "property"
    if not program.exists():
        pytest.skip("this build has no tests")
    failed = subprocess.run([program, "--traces", "2000", "--jobs", "1", "--inject", "budget",
                             "--out", tmp_path], capture_output=True, text=True, timeout=120,
                            check=False)
    assert failed.returncode == 1
    assert "more than its budget of runs" in failed.stdout
    answer = simulate(tmp_path / "failure.trace", "--policies", tmp_path / "failure.yaml", "--json")
    assert answer.returncode == 0, answer.stderr
    runs = [one for one in json.loads(answer.stdout)["decisions"] if one["decision"] == "run"]
    assert runs, "the trace that was printed leads to no run"
    assert runs[-1]["sentence"] in failed.stdout
