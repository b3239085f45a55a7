"""The smallest cut that restarts anything: only whom the run names, and nobody else is touched."""

import signal

import pytest
from checks import lives, long_but
from programs import Refusal

QUICK = """
playbooks:
  restart-leaker:
    - capture: evidence
    - restart: selected
    - verify: {selected: healthy, for: 100ms}
"""


@pytest.fixture(scope="module")
def replicas(lasting_stack):
    return lasting_stack("replicas")


@pytest.fixture
def quick(supervisor):
    supervisor.configure(QUICK)
    return supervisor.start()


def held_by(lab, project, container):
    networks = lab.inspect(container)["NetworkSettings"]["Networks"]
    address = next(iter(networks.values()))["IPAddress"]
    return int(lab.psql(project, "SELECT count(*) FROM pg_stat_activity WHERE client_addr = "
                                 f"'{address}'"))


def assert_only(lab, project, before, *restarted):
    """Everybody runs, and only these have begun a new life."""
    after = lives(lab, project)
    assert set(after) == set(before)
    assert {name for name in after if after[name] != before[name]} == set(restarted)


def test_the_leaking_container_is_restarted_alone(lab, replicas, daemon):
    """One of three replicas leaks; cleaning would not hold, as its pool opens them again."""
    lab.wait_healthy(replicas)
    before = lives(lab, replicas)
    leaker = lab.container(replicas, "worker", 2)
    lab.leak(replicas, "worker", number=2, pool=30, mode="idle_tx", reopen=True)
    lab.wait_refused(replicas)
    shown = daemon.json("recover", "restart-leaker", "--container", leaker, "--plan")
    assert [action["id"] for action in shown["actions"]] == [
        "capture", f"stop:{leaker}", f"start:{leaker}", f"wait-healthy:{leaker}", "verify"]
    answer = daemon.ctl("recover", "restart-leaker", "--container", leaker, "--yes")
    assert answer.code == 0, answer.out + answer.err
    assert daemon.json("run", "1")["plan"]["id"] == shown["id"]
    assert_only(lab, replicas, before, leaker)
    assert lab.refusal(replicas) == "" and held_by(lab, replicas, leaker) <= 3


@pytest.mark.long
def test_whom_may_be_said_in_every_way(lab, replicas, quick):
    lab.wait_healthy(replicas)
    one, two, three = (lab.container(replicas, "worker", number) for number in (1, 2, 3))
    for options, restarted in (({"containers": f"{one},{three}"}, (one, three)),
                               ({"containers": [two]}, (two,)),
                               ({"containers": ["worker"]}, (one, two, three)),
                               ({"services": "worker"}, (one, two, three))):
        before = lives(lab, replicas)
        end = quick.begin("restart-leaker", options=options).wait_end()
        assert end["state"] == "succeeded", end
        assert_only(lab, replicas, before, *restarted)
    before = lives(lab, replicas)
    assert quick.ctl("recover", "restart-unhealthy", "--service", "worker", "--yes").code == 0
    assert_only(lab, replicas, before, one, two, three)


def test_a_selection_that_makes_no_sense_is_refused(lab, replicas, quick):
    before = lives(lab, replicas)
    nobody = quick.ctl("recover", "restart-leaker", "--yes")
    assert nobody.code == 2, nobody
    assert "--container NAME, or --service NAME" in nobody.err
    typo = quick.ctl("recover", "restart-leaker", "--container", f"{replicas}_workr_2", "--yes")
    assert typo.code == 2 and f"did you mean '{replicas}_worker_2'?" in typo.err, typo
    database = quick.ctl("recover", "restart-leaker", "--service", "postgres", "--yes")
    assert database.code == 5 and "it is the database" in database.err, database
    for playbook in ("recover", "restart"):
        other = quick.ctl("recover", playbook, "--container", "worker", "--yes")
        assert other.code == 2 and "no step that takes containers" in other.err, other
        assert "restart-leaker" in other.err, other
    for more in (["--plan"], ["--yes"]):
        slip = quick.ctl("recover", "recovr", *more)
        assert slip.code == 2 and "did you mean 'recover'?" in slip.err, slip
    with pytest.raises(Refusal) as refused:
        quick.api("GET", "/v1/plan?playbook=restart-leaker")
    assert refused.value.status == 400 and '"containers"' in refused.value.hint
    assert quick.json("runs")["runs"] == [] and lives(lab, replicas) == before


@pytest.mark.parametrize("moment", long_but(["stop", "start", "wait-healthy"], ["stop"]))
def test_a_daemon_that_is_killed_is_followed_by_one_that_knows_whom(lab, replicas, quick, moment):
    lab.wait_healthy(replicas)
    before = lives(lab, replicas)
    leaker = lab.container(replicas, "worker", 3)
    story = quick.begin("restart-leaker", options={"containers": leaker})
    story.wait_action(f"{moment}:{leaker}")
    quick.stop(signal.SIGKILL)
    quick.start()
    assert quick.follow(story.run).wait_end()["state"] == "succeeded"
    assert_only(lab, replicas, before, leaker)


@pytest.mark.long
def test_a_run_for_others_is_not_joined(lab, stack, supervisor):
    project = stack("stubborn")  # its stops take 3 s each: time to ask
    supervisor.configure(f"stack: {project}\n{QUICK}")
    daemon = supervisor.start()
    mule, ox = (lab.container(project, name) for name in ("mule", "ox"))
    story = daemon.begin("restart-leaker", options={"containers": mule})
    story.wait_action(f"stop:{mule}")
    other = daemon.ctl("recover", "restart-leaker", "--container", ox, "--yes")
    assert other.code == 5 and "for other containers" in other.err, other
    same = daemon.api("POST", "/v1/runs", {"playbook": "restart-leaker",
                                           "options": {"containers": [mule]}})
    assert same["joined"] and same["run"] == story.run
    assert story.wait_end()["state"] == "succeeded"
