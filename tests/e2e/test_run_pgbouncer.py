"""A stack with PgBouncer: clients wait while PostgreSQL is away, and go on; whatever happens to the
run, nobody is left waiting."""

import signal
import subprocess

import pytest
from checks import lives, long_but
from traffic import Traffic, address

HOLD = """
playbooks:
  hold:
    - pause: pooler
      timeout: 2s
    # Never true: time to do something while clients are held off.
    - verify: {connections.utilization: "< 1%"}
      timeout: 20s
    - resume: pooler
  plain:
    - restart: database
    - wait: database ready
"""


@pytest.fixture(scope="module")
def pooled(lasting_stack):
    return lasting_stack("pgbouncer")


@pytest.fixture
def holding(supervisor):
    supervisor.configure(HOLD)
    return supervisor.start()


def through_pgbouncer(lab, project, *arguments, **options):
    """psql through the pooler, as the application's role."""
    host = address(lab, lab.container(project, "pgbouncer"))
    return subprocess.Popen(["psql", "-X", "-qAt", "-h", host, "-p", "6432", "-U", "app", "-d",
                             "app", *arguments],
                            env={"PGPASSWORD": "lab-app", "PATH": "/usr/bin:/bin"}, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)


@pytest.fixture
def traffic(lab, pooled, tmp_path):
    lab.wait_healthy(pooled)
    # PgBouncer does not try again for 15 s where a login at the server has failed.
    lab.wait_until(lambda: through_pgbouncer(lab, pooled, "-c", "SELECT 1").wait() == 0, 60,
                   "PgBouncer to let somebody in")
    one = Traffic(tmp_path, address(lab, lab.container(pooled, "pgbouncer")), 6432)
    one.wait_flowing()
    yield one
    one.end()


def texts(run, action):
    return [entry["text"] for entry in run["entries"] if entry.get("action") == action]


# ---- nobody notices ----------------------------------------------------------------------------------

def test_no_client_sees_an_error_across_a_restart_of_postgresql(lab, pooled, daemon, traffic):
    before = lives(lab, pooled)
    postgres, bouncer = lab.postgres(pooled), lab.container(pooled, "pgbouncer")
    answer = daemon.ctl("recover", "restart-database", "--yes")
    assert answer.code == 0, answer.out + answer.err
    traffic.wait_flowing()
    assert traffic.errors() == []
    after = lives(lab, pooled)
    assert after[postgres] != before[postgres], "PostgreSQL was not restarted"
    assert {**after, postgres: ""} == {**before, postgres: ""}, "somebody else was"
    run = daemon.json("run", "1")
    assert "a client waits 2m00s at the most" in texts(run, f"pause-pool:{bouncer}")[-1]
    assert "its clients go on, after" in texts(run, f"resume-pool:{bouncer}")[-1]


def test_without_the_pause_some_do(lab, holding, traffic):
    """That the test above can fail."""
    assert holding.ctl("recover", "plain", "--yes").code == 0
    lab.wait_until(traffic.errors, 30, "a client to fail")


def test_a_transaction_that_stays_open_holds_nobody_else_up(lab, pooled, supervisor, traffic):
    supervisor.configure(HOLD + """
  restart-database:
    - pause: pooler
      timeout: 1s
    - restart: database
    - wait: database ready
    - resume: pooler
""")
    daemon = supervisor.start()
    # It waits for the end of its input, which does not come.
    idler = through_pgbouncer(lab, pooled, stdin=subprocess.PIPE)
    idler.stdin.write("BEGIN;\nSELECT 'open';\n")
    idler.stdin.flush()
    assert idler.stdout.readline() == "open\n"
    run = daemon.json("recover", "restart-database", "--yes")
    assert run["state"] == "succeeded"
    pause = texts(run, f"pause-pool:{lab.container(pooled, 'pgbouncer')}")[-1]
    assert "no new transactions begin; 1 still open after 1." in pause
    traffic.wait_flowing()
    assert traffic.errors() == []
    _, errors = idler.communicate("SELECT 1;\n", timeout=30)
    assert "server closed the connection" in errors or "server conn crashed" in errors, errors


# ---- and nobody is left waiting ----------------------------------------------------------------------

MOMENTS = ["pause-pool:pgbouncer", "verify", "resume-pool:pgbouncer"]


def moment_of(lab, project, moment):
    kind, colon, service = moment.partition(":")
    return f"{kind}:{lab.container(project, service)}" if colon else kind


@pytest.mark.parametrize("moment", long_but(MOMENTS[:2], MOMENTS[:1]))
def test_an_abort_lets_them_go_on(lab, pooled, holding, traffic, moment):
    story = holding.begin("hold")
    story.wait_action(moment_of(lab, pooled, moment))
    assert holding.ctl("abort").code == 0
    end = story.wait_end()
    assert end["state"] == "aborted" and end["left_stopped"] == []
    traffic.wait_flowing()
    assert traffic.errors() == []


@pytest.mark.parametrize("moment", long_but(MOMENTS, MOMENTS[:1]))
def test_a_daemon_that_is_killed_is_followed_by_one_that_lets_them_go_on(lab, pooled, supervisor,
                                                                         traffic, moment):
    supervisor.configure(HOLD.replace("20s", "1s"))
    daemon = supervisor.start()
    story = daemon.begin("hold")
    story.wait_action(moment_of(lab, pooled, moment))
    daemon.stop(signal.SIGKILL)
    daemon.start()
    if daemon.api("GET", f"/v1/runs/{story.run}")["state"] == "running":
        end = daemon.follow(story.run).wait_end()
        assert end["resumed"] and end["left_stopped"] == [], end
    traffic.wait_flowing()
    assert traffic.errors() == []


def test_a_pause_of_somebody_else_stays(lab, pooled, holding):
    host = address(lab, lab.container(pooled, "pgbouncer"))
    def console(command):
        done = subprocess.run(["psql", "-X", "-h", host, "-p", "6432", "-U", "supervisor", "-c",
                               command, "pgbouncer"], capture_output=True, text=True, check=False,
                              env={"PGPASSWORD": "lab-supervisor", "PATH": "/usr/bin:/bin"})
        return done.stdout + done.stderr

    assert console("PAUSE") == "PAUSE\n"
    story = holding.begin("hold")
    story.wait_action("verify")
    assert holding.ctl("abort").code == 0
    story.wait_end()
    notes = [entry["text"] for entry in story.entries() if entry["type"] == "note"]
    assert any("was paused already: it is left paused at the end" in note for note in notes)
    assert "already" in console("PAUSE")
    assert console("RESUME") == "RESUME\n"


def test_a_console_that_does_not_let_us_in_keeps_the_database_up(lab, pooled, supervisor,
                                                                 tmp_path):
    lab.wait_healthy(pooled)
    before = lives(lab, pooled)
    passfile = tmp_path / "pgpass"
    passfile.write_text("*:*:*:app:lab-app\n")
    passfile.chmod(0o600)
    supervisor.configure(f"pgbouncer: {{connect: user=app, passfile: {passfile}}}\n")
    daemon = supervisor.start()
    run = daemon.json("recover", "restart-database", "--yes", code=1)
    assert run["state"] == "failed" and lives(lab, pooled) == before
    failed = next(entry for entry in run["entries"] if entry.get("state") == "failed")
    assert failed["error"]["code"] == "permission", failed
    assert "user=app" in failed["error"]["message"] and "admin_users" in failed["error"]["hint"]


# ---- quiesce-clean -----------------------------------------------------------------------------------

def test_clean_while_nobody_comes_back(lab, pooled, daemon):
    """Sessions in open transactions hold the whole pool; they are ended, and others go on."""
    lab.wait_healthy(pooled)
    lab.leak(pooled, "backend", pool=20, mode="idle_tx")
    lab.wait_until(lambda: lab.psql(pooled, "SELECT count(*) FROM pg_stat_activity WHERE usename = "
                                            "'app' AND state = 'idle in transaction'") == "5", 20,
                   "the pool to be full")
    story = daemon.begin("quiesce-clean",
                         options={"idle": "never", "idle_in_transaction": "100ms"})
    assert story.wait_end()["state"] == "succeeded"
    record = daemon.json("run", story.run)
    bouncer = lab.container(pooled, "pgbouncer")
    assert "no new transactions begin; 5 still open" in texts(record, f"pause-pool:{bouncer}")[-1]
    cleaned = next(entry["detail"] for entry in record["entries"]
                   if entry.get("action") == "clean" and entry["state"] == "done")
    assert len(cleaned["ended"]) == 5
    client = through_pgbouncer(lab, pooled, "-c", "SELECT 42")
    lab.leak(pooled, "backend", pool=2)
    assert client.communicate(timeout=60)[0] == "42\n"


# ---- what is seen of it ------------------------------------------------------------------------------

def test_clients_that_wait_are_observed(lab, pooled, supervisor):
    lab.wait_healthy(pooled)
    supervisor.configure("watch: {calm: 1s, pressed: 500ms}\n")
    daemon = supervisor.start()

    def waiting():
        told = {one["name"]: one["value"] for one in
                daemon.api("GET", "/v1/observations")["observations"] if one["fresh"]}
        return told.get("pgbouncer.cl_waiting"), told.get("pgbouncer.maxwait")

    lab.wait_until(lambda: waiting() == (0, 0), 30, "it to be told that nobody waits")
    lab.leak(pooled, "backend", pool=20, mode="idle_tx")  # five get a session, the others wait
    lab.wait_until(lambda: (waiting()[0] or 0) > 5 and waiting()[1] > 0, 30, "them to be told")
    lab.leak(pooled, "backend", pool=2)
    lab.wait_until(lambda: waiting() == (0, 0), 60, "it to be told that nobody waits any more")
