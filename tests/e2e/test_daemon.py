"""stack-supervisord itself: its options and their twins, its signals, and one at a time."""

import shutil
import signal
import socket
import sqlite3
import subprocess
from contextlib import closing

import pytest
from autopilot import observation, wait_observation
from checks import QUICK_RECOVER, running
from lab import wait_until


@pytest.fixture(scope="module")
def ports(lasting_stack):
    return lasting_stack("ports")


def test_each_option_has_a_twin_in_the_environment_and_wins_over_it(lab, ports, supervisor,
                                                                    tmp_path):
    """What the twins name does not exist or is wrong: with the options it does not matter."""
    config = tmp_path / "other.yaml"
    config.write_text(f"stack: {ports}\n")
    place = supervisor.socket.parent
    options = {"--config": config, "--state-dir": tmp_path / "s", "--socket": place / "o.sock",
               "--docker-host": lab.docker_host}
    twins = dict(supervisor.environment)
    supervisor.environment |= {
        "STACK_SUPERVISOR_CONFIG": str(tmp_path / "missing.yaml"),
        "STACK_SUPERVISOR_STATE_DIR": "/proc/none", "STACK_SUPERVISOR_SOCKET": "/proc/none/c.sock",
        "STACK_SUPERVISOR_DOCKER_HOST": "unix:///nonexistent"}
    words = [word for pair in options.items() for word in map(str, pair)]
    supervisor.socket = place / "o.sock"
    supervisor.start(*words)
    version = supervisor.api("GET", "/v1/version")
    assert version["config"] == str(config) and version["docker_host"] == lab.docker_host
    assert (tmp_path / "s" / "journal.db").exists()
    asked = supervisor.ctl("--socket", place / "o.sock", "status")
    assert asked.code == 0, asked
    assert supervisor.stop() == 0 and not (place / "o.sock").exists()

    supervisor.environment = twins  # and the twins alone do as well
    supervisor.socket = place / "c.sock"
    supervisor.start()
    assert supervisor.api("GET", "/v1/version")["config"] == str(supervisor.config_path)
    assert (supervisor.folder / "state" / "journal.db").exists()


WRONG_OPTIONS = {
    "an unknown option": ["--colour"], "an argument": ["now"], "no such level": ["--log-level", "x"],
    "no such scheme": ["--docker-host", "ftp://engine"],
}


@pytest.mark.parametrize("words", WRONG_OPTIONS.values(), ids=WRONG_OPTIONS)
def test_a_wrong_option_is_a_usage_error(supervisor, words):
    assert supervisor.start(*words, wait=False).process.wait(timeout=20) == 2
    assert words[-1] in supervisor.log(), supervisor.log()


def test_help_and_version_need_nothing(supervisor):
    for option, words in (("--help", "--state-dir"), ("--version", "stack-supervisord ")):
        done = subprocess.run([supervisor.binaries / "stack-supervisord", option], text=True,
                              capture_output=True, check=False, env={}, timeout=20)
        assert done.returncode == 0 and words in done.stdout and done.stderr == ""


def test_a_state_directory_serves_one_supervisor(ports, supervisor):
    supervisor.start()
    second = supervisor.spawn_daemon()
    assert second.wait(timeout=20) == 5
    assert f"(pid {supervisor.process.pid})" in supervisor.log()
    assert supervisor.ctl("status").code == 0  # the first one took no harm


def test_a_new_configuration_is_taken_and_a_wrong_one_is_not(lab, ports, supervisor):
    supervisor.configure(f"stack: {ports}\n")
    supervisor.start()
    assert "mine" not in [one["name"] for one in supervisor.json("playbooks")["playbooks"]]

    supervisor.configure(f"stack: {ports}\nplaybooks:\n  mine: [capture: evidence]\n")
    supervisor.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "mine" in [one["name"] for one in
                                  supervisor.json("playbooks")["playbooks"]], 10, "the playbook")
    assert supervisor.ctl("recover", "mine", "--yes").code == 0

    supervisor.configure("stack: [nonsense]\nplaybooks: {mine: 7}\n")
    supervisor.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "the old one stays in force" in supervisor.log(), 10, "the complaint")
    assert f"{supervisor.config_path}:1:8: error: stack: expected a text" in supervisor.log()
    assert f"{supervisor.config_path}:2:19: error:" in supervisor.log()
    assert "mine" in [one["name"] for one in supervisor.json("playbooks")["playbooks"]]
    assert supervisor.json("status")["project"] == ports


def test_a_file_that_was_emptied_takes_nothing_from_what_it_said(ports, supervisor):
    """An editor on a full disk leaves an empty file: all defaults, and the policies would act."""
    def modes():
        return {one["mode"] for one in supervisor.json("policies")["policies"]}

    def reload(text, answer):
        supervisor.configure(text)
        told = supervisor.log().count(answer)
        supervisor.process.send_signal(signal.SIGHUP)
        wait_until(lambda: supervisor.log().count(answer) > told, 10, answer)

    supervisor.let_act()
    supervisor.configure(f"stack: {ports}\nmode: observe\nservices: {{web: {{role: ignore}}}}\n")
    supervisor.start()
    assert modes() == {"observe"} and "is empty" not in supervisor.log()
    for text in ("", "# mode: observe\n"):
        reload(text, "the old one stays in force")
        assert f"{supervisor.config_path}: error: there is nothing in it; a file that holds {{}}" \
            in supervisor.log()
        assert modes() == {"observe"}
        assert "web" not in str(supervisor.json("recover", "--plan")["actions"])
    reload(f"stack: {ports}\nmode: 'off'\n", "configuration read anew")
    reload("{}\n", "configuration read anew")
    assert "off" not in modes() and "is empty" not in supervisor.log()


def test_systemctl_status_says_what_is_true_again_after_a_reload(supervisor):
    """An Engine that is not there is one sentence for as long as the test takes."""
    def status():
        while True:
            try:
                heard.extend(manager.recv(4096).decode().splitlines())
            except BlockingIOError:
                return [line for line in heard if line.startswith("STATUS=")][-1:]

    heard = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"{supervisor.short.name}/notify")
        manager.setblocking(False)
        supervisor.environment["NOTIFY_SOCKET"] = f"{supervisor.short.name}/notify"
        supervisor.use_docker("unix:///nonexistent/docker.sock")
        supervisor.start()
        away = ["STATUS=the Docker Engine is not reached"]
        wait_until(lambda: status() == away, 20, "the sentence")
        supervisor.process.send_signal(signal.SIGHUP)
        wait_until(lambda: status() and "STATUS=configuration read anew" in heard, 10, "the reload")
        wait_until(lambda: status() == away, 10, "the sentence after the reload")


def test_an_empty_file_at_a_start_is_taken_and_told(ports, supervisor):
    supervisor.configure("# nothing yet\n")
    supervisor.start()
    assert f"{supervisor.config_path} is empty: all defaults are in force" in supervisor.log()
    supervisor.process.send_signal(signal.SIGHUP)  # still so: nothing is lost by it
    wait_until(lambda: "configuration read anew" in supervisor.log(), 10, "the reload")


def test_a_run_keeps_the_plan_it_has_through_a_reload(lab, ports, supervisor):
    lab.wait_healthy(ports)
    supervisor.configure(f"stack: {ports}\n{QUICK_RECOVER}")
    supervisor.start()
    before = running(lab, ports)
    story = supervisor.begin()
    story.wait_action(f"stop:{lab.postgres(ports)}")
    supervisor.configure(f"stack: {ports}\nplaybooks:\n  recover: [capture: evidence]\n")
    supervisor.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "configuration read anew" in supervisor.log(), 10, "the reload")
    end = story.wait_end()
    assert end["state"] == "succeeded" and running(lab, ports) == before
    assert len(supervisor.json("run", "1")["plan"]["actions"]) > 5
    assert len(supervisor.json("recover", "--plan")["actions"]) == 1


def test_a_signal_asks_for_a_recovery(lab, ports, supervisor):
    lab.wait_healthy(ports)
    supervisor.configure(f"stack: {ports}\n{QUICK_RECOVER}")
    supervisor.start()
    supervisor.process.send_signal(signal.SIGUSR1)
    wait_until(lambda: supervisor.json("runs")["runs"], 10, "the run")
    assert supervisor.follow(1).wait_end()["state"] == "succeeded"
    run = supervisor.json("run", "1")
    assert run["trigger"] == "signal" and run["requester"] == "SIGUSR1"


def test_a_playbook_that_names_what_is_not_there_is_refused_with_its_line(lab, ports, supervisor):
    supervisor.configure(f"stack: {ports}\nplaybooks:\n  mine:\n    - stop: apps\n"
                         "    - start: [web, wev]\n")
    supervisor.start()
    before = running(lab, ports)
    for command in (["recover", "mine", "--plan"], ["recover", "mine", "--yes"]):
        answer = supervisor.ctl(*command)
        assert answer.code == 2, answer
        assert "line 5" in answer.err and f"no service 'wev' in stack {ports}" in answer.err, answer
    supervisor.configure(f"stack: {ports}\nservices:\n  wev: {{depends_on: [postgres]}}\n")
    supervisor.process.send_signal(signal.SIGHUP)
    # Of a configured service alone it is said: it may have been taken down.
    slip = "the configuration speaks of wev, which has no container: left out (if 'web' is meant"
    wait_until(lambda: slip in supervisor.log(), 10, "the log to say so")
    assert slip in supervisor.ctl("status").out
    assert running(lab, ports) == before and supervisor.json("runs")["runs"] == []


def is_stored_as_stopped(supervisor, folder, container):
    """What the next life will find; the journal is the daemon's alone, so a copy is read."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(supervisor.folder / "state", folder,
                    ignore=lambda _, names: [one for one in names if "journal" not in one])
    with closing(sqlite3.connect(folder / "journal.db")) as journal:
        rows = journal.execute("SELECT value FROM kept WHERE key = 'watch/stopped-by-hand'")
        return any(container in value for value, in rows)


def test_what_a_person_killed_is_known_after_a_life_without_an_engine(lab, ports, supervisor,
                                                                      tmp_path):
    lab.wait_healthy(ports)
    supervisor.configure(f"stack: {ports}\n")
    supervisor.start()
    wait_observation(supervisor, "service(web).running", lambda it: it is True)
    web = lab.container(ports, "web")
    lab.docker("kill", web)
    wait_until(lambda: is_stored_as_stopped(supervisor, tmp_path / "copy", lab.inspect(web)["Id"]),
               20, "the kill to be stored")
    assert supervisor.stop() == 0

    supervisor.use_docker("unix:///nonexistent/docker.sock")
    supervisor.start()
    wait_until(lambda: "the Docker Engine is not reached" in supervisor.log(), 20, "it to look")
    assert supervisor.stop() == 0

    supervisor.use_docker(lab.docker_host)
    supervisor.start()
    wait_observation(supervisor, "service(postgres).running", lambda it: it is True)
    try:
        assert observation(supervisor, "service(web).running") is None, "it was no crash"
    finally:
        lab.docker("start", web)
    wait_observation(supervisor, "service(web).running", lambda it: it is True)
