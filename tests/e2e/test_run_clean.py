"""clean: ends leaked sessions, and only those."""

import signal
from contextlib import contextmanager

import pytest
from checks import lives, long_but


@pytest.fixture(scope="module")
def five(lasting_stack):
    return lasting_stack("five")


@pytest.fixture
def leaking(lab, five):
    """Two services that hold idle sessions, one that has an open transaction; ours one each of an
    active statement and of an idle superuser."""
    lab.wait_healthy(five)
    lab.leak(five, "backend", pool=6)
    lab.leak(five, "worker", pool=5, mode="idle_tx")
    postgres = lab.postgres(five)
    for name, user, sql in (("at-work", "app", "SELECT pg_sleep(600)"),
                            ("superuser", "postgres", "SELECT 1")):
        # psql's end of input never comes: the session stays, idle or at work.
        lab.docker("exec", "--detach", f"--env=PGAPPNAME={name}", postgres, "sh", "-c",
                   f"(echo '{sql};'; sleep 600) | psql -X -q -U {user} -h 127.0.0.1 -d app")
    lab.wait_until(lambda: held(lab, five) == {"backend": 6, "worker": 5, "at-work": 1,
                                               "superuser": 1}, 10, "the sessions")
    lab.wait_until(lambda: lab.psql(five, "SELECT min(now() - state_change) > '200ms' FROM "
                                          "pg_stat_activity WHERE application_name <> 'psql' AND "
                                          "state LIKE 'idle%' AND application_name !~ '^stack-'")
                   == "t", 10, "the sessions to be idle")
    yield five
    lab.psql(five, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name "
                   "IN ('at-work', 'superuser', 'backend', 'worker')")
    lab.wait_until(lambda: not held(lab, five), 10, "the sessions to be gone")


def held(lab, project):
    rows = lab.psql(project, "SELECT application_name, count(*) FROM pg_stat_activity WHERE "
                             "application_name IN ('backend', 'worker', 'at-work', 'superuser') "
                             "GROUP BY 1")
    return {name: int(count) for name, count in (row.split("|") for row in rows.splitlines())}


@contextmanager
def waiting_clean(lab, project, daemon):
    """The story of a clean that has ended all sessions of the backend but one, which cannot end as
    long as this lasts. Gives its pid, too."""
    postgres = lab.postgres(project)
    pid = int(lab.psql(project, "SELECT max(pid) FROM pg_stat_activity WHERE application_name = "
                                "'backend'"))
    lab.exec(postgres, ["sh", "-c", f"kill -STOP {pid}"])
    try:
        story = daemon.begin("clean", options={"idle": "100ms", "idle_in_transaction": "never",
                                               "applications": ["backend"]})
        lab.wait_until(lambda: held(lab, project)["backend"] == 1, 15, "the others to be ended")
        yield story, pid
    finally:
        lab.exec(postgres, ["sh", "-c", f"kill -CONT {pid}"])


def report_of(run):
    return next(entry["detail"] for entry in run["entries"]
                if entry.get("action") == "clean" and entry["state"] == "done")


def by_application(sessions):
    counts = {}
    for one in sessions:
        counts[one["application"]] = counts.get(one["application"], 0) + 1
    return counts


def test_clean_ends_idle_sessions_and_spares_who_works(lab, leaking, daemon):
    before = lives(lab, leaking)
    dry = daemon.json("clean", "--dry-run", "--idle", "100ms", "--idle-in-transaction", "100ms")
    assert dry["dry_run"] and by_application(dry["ended"]) == {"backend": 6, "worker": 5}
    assert held(lab, leaking) == {"backend": 6, "worker": 5, "at-work": 1, "superuser": 1}
    assert daemon.json("runs")["runs"] == []

    answer = daemon.ctl("clean", "--yes", "--idle", "100ms", "--idle-in-transaction", "100ms")
    assert answer.code == 0, answer.err
    assert "ended: 11 sessions" in answer.out and "backend" in answer.out
    assert held(lab, leaking) == {"at-work": 1, "superuser": 1}
    assert lives(lab, leaking) == before, "a container was restarted"

    report = report_of(daemon.json("run", "1"))
    assert by_application(report["ended"]) == {"backend": 6, "worker": 5}
    for one in report["ended"]:
        assert one["why"].startswith(f"{one['state']} for "), one
        assert one["role"] == "app" and one["client"] and one["pid"] and one["idle_seconds"] > 0.1
    assert {one["state"] for one in report["ended"]} == {"idle", "idle in transaction"}
    spared = {one["application"]: one["why"] for one in report["spared"]}
    assert "superuser" in spared["superuser"]
    # (health checks come and go beside)
    assert abs(report["used_before"] - report["used_after"] - 11) <= 3
    assert report["stayed"] == report["denied"] == []


def test_the_default_is_a_minute(lab, leaking, daemon):
    assert daemon.ctl("clean", "--yes").code == 0
    assert held(lab, leaking) == {"backend": 6, "worker": 5, "at-work": 1, "superuser": 1}


@pytest.mark.parametrize("way", long_but([["--dry-run"], ["--yes"]], [["--dry-run"]]))
def test_what_only_the_playbook_says_stays_in_force(lab, leaking, supervisor, way):
    supervisor.configure("playbooks:\n  clean:\n    - clean: {idle: 100ms, "
                         "idle_in_transaction: never}\n")
    supervisor.start()
    told = supervisor.json("clean", *way, "--application", "backend", "--application", "worker")
    report = told if way == ["--dry-run"] else report_of(supervisor.json("run", "1"))
    assert by_application(report["ended"])["backend"] == 6
    assert {one["state"] for one in report["ended"]} == {"idle"}


RULES = {
    "by application": (["--application", "back*"], {"worker": 5, "at-work": 1, "superuser": 1}),
    "by container": (["--container", "worker"], {"backend": 6, "at-work": 1, "superuser": 1}),
    "by client": (["--client", "BACKEND"], {"worker": 5, "at-work": 1, "superuser": 1}),
    "by role": (["--role", "postgres", "--superusers"], {"backend": 6, "worker": 5, "at-work": 1}),
    "but never": (["--protect", "worker"], {"worker": 5, "at-work": 1, "superuser": 1}),
    "open transactions never": (["--idle-in-transaction", "never"],
                                {"worker": 5, "at-work": 1, "superuser": 1}),
}


@pytest.mark.parametrize("rule", long_but(RULES, ["by application", "by role", "but never"]))
def test_clean_by_rule(lab, leaking, daemon, rule):
    arguments, left = RULES[rule]
    backend = lab.inspect(lab.container(leaking, "backend"))
    address = next(iter(backend["NetworkSettings"]["Networks"].values()))["IPAddress"]
    arguments = [address if one == "BACKEND" else one for one in arguments]
    if "--idle-in-transaction" not in arguments:
        arguments += ["--idle-in-transaction", "100ms"]
    run = daemon.json("clean", "--yes", "--idle", "100ms", *arguments)
    assert run["state"] == "succeeded" and held(lab, leaking) == left


@pytest.mark.parametrize("way", [["--dry-run"], ["--yes"]])
def test_nobody_is_cleaned_by_a_name_that_nobody_bears(lab, leaking, daemon, way):
    """That nobody would be ended would be true, and would hide a slip of the finger."""
    before = held(lab, leaking)
    answer = daemon.ctl("clean", *way, "--idle", "100ms", "--container", "workr")
    assert answer.code == 2 and "no container or service 'workr'" in answer.err, answer
    assert "did you mean 'worker'?" in answer.err
    assert held(lab, leaking) == before and daemon.json("runs")["runs"] == []


def test_clean_helps_a_stack_that_is_out_of_connections(lab, five, daemon):
    """The smallest cut: logins are taken again, and no container was restarted."""
    before = lives(lab, five)
    lab.leak(five, "backend", pool=30)
    lab.wait_refused(five)
    assert daemon.ctl("status").code == 3
    assert daemon.ctl("clean", "--yes", "--idle", "100ms").code == 0
    assert lab.refusal(five) == ""
    lab.wait_healthy(five)
    assert daemon.ctl("status").code == 0 and lives(lab, five) == before


def test_who_asks_meanwhile_takes_nothing_from_a_clean(lab, leaking, daemon):
    """Neither a status nor a plan leads a run's own questions elsewhere, whatever a reload says."""
    with waiting_clean(lab, leaking, daemon) as (story, _):
        daemon.configure("database: {connect: application_name=other}\n")
        daemon.process.send_signal(signal.SIGHUP)
        lab.wait_until(lambda: "configuration read anew" in daemon.log(), 10, "the reload")
        assert daemon.api("GET", "/v1/status")["status"] == "recovering"
        assert daemon.ctl("recover", "--plan").code == 0
        assert daemon.ctl("connections").code == 0
    end = story.wait_end()
    assert end["state"] == "succeeded", end
    assert len(report_of(daemon.json("run", story.run))["ended"]) == 6


def test_whom_an_aborted_clean_has_ended_is_told(lab, leaking, daemon):
    with waiting_clean(lab, leaking, daemon) as (story, stuck):
        assert daemon.ctl("abort").code == 0
        assert story.wait_end()["state"] == "aborted"
    notes = [one["detail"] for one in story.entries() if one["type"] == "note" and "detail" in one]
    assert len(notes) == 1, story.entries()
    told = notes[0]["ended"] + notes[0]["stayed"]
    assert len(told) == 6 and stuck in [one["pid"] for one in notes[0]["stayed"]]
    shown = daemon.ctl("run", story.run).out
    for one in told:
        assert f"pid {one['pid']}, backend, role app" in shown and one["why"] in shown, shown
