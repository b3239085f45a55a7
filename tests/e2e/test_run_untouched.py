"""What a recovery has no business with stays as it is."""

import pytest
from checks import QUICK_RECOVER, lives, variant


@pytest.mark.long
def test_a_recovery_touches_only_what_ran_and_is_its_own(lab, stack, supervisor, tmp_path):
    def edit(services):
        services["frontend"]["labels"] = {"stack-supervisor.role": "ignore"}
        services["spare"] = {**services["worker"],
                             "environment": {**services["worker"]["environment"],
                                             "APP_NAME": "spare"}}

    project = stack(variant(tmp_path, "five", edit))
    stopped, paused, ignored, worker = (lab.container(project, one)
                                        for one in ("spare", "cache", "frontend", "worker"))
    assert lab.docker("stop", "--time=1", stopped).returncode == 0
    assert lab.docker("pause", paused).returncode == 0
    oneoff = lab.compose(project, "run", "--detach", "--no-deps", "worker").split()[-1]
    fleeting = fleeting_container(lab, project)
    to_move = {lab.postgres(project), lab.container(project, "backend"), worker}
    supervisor.configure(QUICK_RECOVER)
    supervisor.start()

    plan = supervisor.json("recover", "--plan")
    reasons = {one["container"]: one["reason"] for one in plan["skipped"]}
    assert set(reasons) == {stopped, paused, ignored, oneoff, fleeting}
    for name, words in ((stopped, "was not running"), (paused, "paused"), (ignored, "ignore"),
                        (oneoff, "one-off"), (fleeting, "--rm")):
        assert words in reasons[name]
    shown = supervisor.ctl("recover", "--plan").out
    assert f"left alone: {fleeting}: started with --rm" in shown

    before = states(lab, reasons)
    others = lives(lab, project)
    answer = supervisor.ctl("recover", "--yes")
    assert answer.code == 0, answer.out + answer.err
    assert states(lab, reasons) == before
    moved = {name for name, began in lives(lab, project).items() if others[name] != began}
    assert moved == to_move


def fleeting_container(lab, project):
    """One of the project that was started with --rm, as `docker run` leaves it."""
    name = f"{project}_fleeting_1"
    labels = [f"--label=com.docker.compose.{key}={value}" for key, value in
              (("project", project), ("service", "fleeting"), ("container-number", "1"),
               ("oneoff", "False"))]
    answer = lab.docker("run", "--detach", "--rm", f"--name={name}", f"--network={project}_default",
                        *labels, "--env=LISTEN=1", "--env=PORT=7000", "lab/app")
    assert answer.returncode == 0, answer.stderr
    return name


def states(lab, names):
    return {name: {key: lab.inspect(name)["State"][key]
                   for key in ("Status", "StartedAt", "FinishedAt", "Pid")} for name in names}


def test_a_database_that_would_vanish_is_not_stopped(lab, stack, daemon):
    """Started with --rm it would be gone with its data: the plan is refused, with the reason."""
    project = stack("ports")
    old = lab.inspect(lab.postgres(project))
    name = f"{project}_other_1"
    lab.docker("rm", "--force", old["Name"].lstrip("/"))
    labels = [f"--label={key}={value}" for key, value in old["Config"]["Labels"].items()]
    variables = [f"--env={one}" for one in old["Config"]["Env"]]
    answer = lab.docker("run", "--detach", "--rm", f"--name={name}", f"--network={project}_default",
                        *labels, *variables, "lab/postgres")
    assert answer.returncode == 0, answer.stderr
    before = lives(lab, project)
    for command in (["recover", "--plan"], ["recover", "--yes"]):
        answer = daemon.ctl(*command)
        assert answer.code == 5 and "--rm" in answer.err and name in answer.err, answer
    assert lives(lab, project) == before
