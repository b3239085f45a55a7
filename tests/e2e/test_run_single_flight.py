"""One run at a time, and only the plan that was shown."""

import pytest
from checks import QUICK_RECOVER, lives
from programs import Refusal


@pytest.fixture(scope="module")
def stubborn(lasting_stack):
    return lasting_stack("stubborn")  # its stops take 3 s each: time to meddle


def test_two_recoveries_at_once_are_one_and_another_playbook_has_to_wait(lab, stubborn,
                                                                         supervisor):
    supervisor.configure(QUICK_RECOVER)
    supervisor.start()
    with lab.events() as events:
        first = supervisor.spawn("recover", "--yes")
        second = supervisor.spawn("recover", "--yes")
        mule = lab.container(stubborn, "mule")
        events.wait(lambda one: one.action == "kill" and one.name == mule)
        other = supervisor.ctl("recover", "restart", "--yes")
        assert other.code == 5 and "recover" in other.err and "run 1" in other.err, other
        clean = supervisor.ctl("clean", "--yes")
        assert clean.code == 5, clean
        status = supervisor.json("status", code=3)
        assert status["status"] == "recovering" and status["run"]["run"] == 1
        told = [process.communicate(timeout=60) for process in (first, second)]
        happened = events.all()
    assert (first.returncode, second.returncode) == (0, 0), told
    assert sum("joined run 1" in err for _, err in told) == 1, told
    assert sum(one.action == "start" for one in happened) == 3, "more than one run"
    runs = supervisor.json("runs")["runs"]
    assert [(run["run"], run["state"]) for run in runs] == [(1, "succeeded")]


def test_a_plan_that_is_out_of_date_is_refused(lab, stubborn, daemon):
    lab.wait_healthy(stubborn)
    plan = daemon.json("recover", "--plan")
    assert f"plan {plan['id']}" in daemon.ctl("recover", "--plan").out  # the same for a person
    ox = lab.container(stubborn, "ox")
    lab.docker("kill", ox)
    before = lives(lab, stubborn)
    with pytest.raises(Refusal) as refused:
        daemon.begin(plan_id=plan["id"])
    now = daemon.json("recover", "--plan")
    assert refused.value.status == 409 and refused.value.code == "refused"
    assert plan["id"] in refused.value.message and now["id"] in refused.value.message
    assert now["id"] != plan["id"]
    assert lives(lab, stubborn) == before and daemon.json("runs")["runs"] == []
    lab.docker("start", ox)


def test_a_request_right_behind_a_run_is_a_run_of_its_own(stubborn, daemon):
    """What has ended cannot be joined, though its last line may still be on its way to the disk."""
    for number in (1, 2, 3):
        story = daemon.begin("clean")
        assert story.run == number
        assert story.wait_end()["state"] == "succeeded"
