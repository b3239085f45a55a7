"""The daemon dies at any point of a recovery, by SIGKILL or SIGTERM: the next one carries it on.

Here each kind of point once; every time that a point is passed, and hundreds of random instants, are
for `scripts/torture kills`.
"""

import random
import signal

import pytest
from checks import faults_but
from kills import Kills, quick_stack
from programs import Supervisor

POINTS = ["journal.begin", "journal.begun", "journal.intent", "journal.intended", "journal.entry",
          "journal.entered", "journal.end", "journal.ended", "docker.ask", "docker.told",
          "docker.send", "docker.answer", "postgres.look", "postgres.looked",
          "postgres.clean", "postgres.terminate", "postgres.terminated", "postgres.cleaned",
          "postgres.checkpoint", "postgres.checkpointed", "postgres.probe", "postgres.probed"]
# What scripts/test --label faults leaves to itself: a kill costs ten seconds.
OFTEN = ["journal.intended", "docker.answer", "postgres.terminate", "journal.end"]
RANDOM = 5
# Not a run's alone: the watchers ask, too, before it begins and when it has ended.
ANYBODYS = ["docker.ask", "docker.told", "postgres.look", "postgres.looked"]


@pytest.fixture(scope="module")
def kills(lab, lasting_stack, tmp_path_factory):
    from conftest import BINARIES
    folder = tmp_path_factory.mktemp("kills")
    project = lasting_stack(str(quick_stack(folder)))
    supervisor = Supervisor(BINARIES, lab.docker_host, folder)
    one = Kills(lab, project, supervisor)
    one.passed = one.undisturbed(folder / "passed.log")
    yield one
    supervisor.end()


def test_every_kind_of_point_is_passed_by_a_recovery(kills):
    assert {name for name, _ in kills.passed} - {"journal.keep", "journal.kept"} == set(POINTS)


@pytest.mark.parametrize("point", faults_but(POINTS, OFTEN))
def test_a_daemon_killed_at_a_point_is_followed_by_one_that_carries_on(kills, point):
    numbers = [number for name, number in kills.passed if name == point]
    outcome = kills.at(point, numbers[len(numbers) // 2])
    expected = {"journal.begin": "never began", "journal.ended": "had ended"}
    if point not in ANYBODYS:  # what must be true after any of them, kills.at has asserted
        assert outcome == expected.get(point, "carried on")


@pytest.mark.parametrize("point", faults_but(
    ["journal.begun", "journal.intended", "docker.send", "postgres.terminate", "journal.end"],
    ["docker.send"]))
def test_a_daemon_told_to_end_at_a_point_is_followed_by_one_that_carries_on(kills, point):
    numbers = [number for name, number in kills.passed if name == point]
    outcome = kills.at(point, numbers[len(numbers) // 2], signal.SIGTERM)
    assert outcome == ("had ended" if point == "journal.end" else "carried on")


@pytest.mark.parametrize("seed", faults_but(range(RANDOM), [0]))
def test_a_daemon_killed_again_and_again_at_random_ends_its_run_in_the_end(kills, seed):
    kills.at_random(dice=random.Random(seed))
    assert kills.outcomes.total() > 0
