"""abort, given at each action of a recovery: what ran before runs after."""

import pytest
from checks import faults_but, lives

ACTIONS = ["capture", "stop:c", "stop:a", "stop:b", "clean", "checkpoint", "stop:postgres",
           "start:postgres", "wait-ready:postgres", "start:a", "wait-healthy:a", "start:b",
           "wait-healthy:b", "start:c", "wait-healthy:c", "verify"]
OFTEN = ["stop:a", "stop:postgres", "start:b", "verify"]


@pytest.fixture(scope="module")
def diamond(lasting_stack):
    return lasting_stack("diamond")


def action_id(project, action):
    kind, colon, service = action.partition(":")
    return f"{kind}:{project}_{service}_1" if colon else kind


def test_the_actions_below_are_all_there_are(diamond, daemon):
    plan = daemon.json("recover", "--plan")
    assert ({one["id"] for one in plan["actions"]} ==
            {action_id(diamond, action) for action in ACTIONS})


@pytest.mark.parametrize("action", faults_but(ACTIONS, OFTEN))
def test_an_abort_starts_again_what_was_stopped(lab, diamond, daemon, action):
    lab.wait_healthy(diamond)
    before = lives(lab, diamond)
    story = daemon.begin()
    story.wait_action(action_id(diamond, action))
    answer = daemon.ctl("abort")
    assert answer.code == 0 and f"run {story.run} winds up" in answer.out, answer.err
    end = story.wait_end()

    assert end["state"] == "aborted" and "aborted by uid 0" in end["text"], end
    after = lives(lab, diamond)
    assert set(after) == set(before) and end["left_stopped"] == []
    entries = story.entries()
    aborted = next(entry["seq"] for entry in entries if entry["type"] == "abort")
    begun_later = [entry["action"] for entry in entries if entry["type"] == "action"
                   and entry["state"] == "running" and entry["seq"] > aborted]
    assert not [one for one in begun_later if not one.startswith(("start:", "wait-"))], entries
    stopped = {entry["action"][5:] for entry in entries if entry["type"] == "action"
               and entry["action"].startswith("stop:") and entry["state"] == "done"}
    assert {name for name in before if before[name] != after[name]} == stopped
    assert daemon.ctl("attach", story.run).code == 1


def test_an_abort_without_a_run_says_so(diamond, daemon):
    answer = daemon.ctl("abort")
    assert answer.code == 1 and "no run is under way" in answer.err
    answer = daemon.ctl("abort", "77")
    assert answer.code == 1 and "run 77 is not under way" in answer.err
