"""Runs that cannot end well, and what the command says of it."""

import socket

from checks import QUICK_RECOVER, running, variant


def test_an_application_that_does_not_start_keeps_nobody_else_down(lab, stack, supervisor,
                                                                  tmp_path):
    def edit(services):
        services["frontend"]["ports"] = ["127.0.0.1:${LAB_PORT:-18000}:8080"]

    project = stack(variant(tmp_path, "five", edit))
    frontend = lab.container(project, "frontend")
    supervisor.configure(QUICK_RECOVER)
    supervisor.start()
    before = running(lab, project)
    story = supervisor.begin()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        story.wait_action(f"stop:{frontend}", "done")
        other.bind(("127.0.0.1", lab.port(project)))
        other.listen()
        end = story.wait_end()

    assert end["state"] == "failed" and f"start:{frontend} failed" in end["text"], end
    assert "address already in use" in end["text"]
    assert [text.split(" ")[0] for text in end["left_stopped"]] == [frontend]
    assert running(lab, project) == before - {frontend}
    assert {one["name"]: one["health"] for one in end["after"]["containers"]
            if one["state"] == "running" and one["health"] != "none"} == {
        lab.container(project, name): "healthy" for name in ("postgres", "backend", "worker")}
    attached = supervisor.ctl("attach", story.run)
    assert attached.code == 1
    assert "LEFT STOPPED" in attached.out and frontend in attached.out
    told = supervisor.ctl("run", story.run)
    assert told.code == 0 and "LEFT STOPPED" in told.out
    assert "left stopped" in supervisor.log()

    # Once the port is free again a person starts it, as the story says it is down.
    assert lab.docker("start", frontend).returncode == 0
    lab.wait_healthy(project)
    assert supervisor.ctl("status").code == 0


def test_status_tells_healthy_degraded_and_unreachable_by_its_exit_code(lab, stack, daemon):
    project = stack("ports")
    assert daemon.ctl("status").code == 0
    with lab.events() as events:
        lab.freeze_postgres(project)
        answer = daemon.ctl("status")
        assert answer.code == 3 and "hung" in answer.out, answer.out
        lab.thaw_postgres(project)
        assert not events.all("die")
    assert daemon.stop() == 0
    answer = daemon.ctl("status")
    assert answer.code == 4 and str(daemon.socket) in answer.err
