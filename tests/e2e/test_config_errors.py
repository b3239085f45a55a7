"""A configuration that is wrong says everything that is wrong, at once and at its place."""

import re
from dataclasses import dataclass

import pytest

#   what is wrong: the text, and the place and words of each error
WRONG = {
    "a wrong type": ("stack: [shop]\nplaybooks: no\n", [
        (1, 8, "stack: expected a text, found a list"),
        (2, 12, "playbooks: expected a map")]),
    "a list where the whole is a map": ("- stack: shop\n", [(1, 1, "expected a map, found a list")]),
    "unknown keys": ("databse: {service: db}\ndatabase: {conect: host=x}\n", [
        (1, 1, "unknown key 'databse'; did you mean 'database'?"),
        (2, 12, "unknown key 'conect'; did you mean 'connect'?")]),
    "an unknown role": ("services:\n  pg: {role: dtabase}\n", [
        (2, 14, "'dtabase' is none of app, database, pooler, ignore; did you mean 'database'?")]),
    "an unknown step": ("playbooks:\n  p:\n    - stopp: apps\n", [
        (3, 7, "unknown key 'stopp'; did you mean 'stop'?")]),
    "a duplicate key": ("docker:\n  host: unix:///a\n  host: unix:///b\n", [
        (3, 3, "duplicate key 'host' (first at line 2)")]),
    "a cycle": ("services:\n  a: {depends_on: [b]}\n  b: {depends_on: [c]}\n"
                "  c: {depends_on: [a]}\n", [(2, 3, "'a' depends on itself: a → b → c → a")]),
    "a playbook without a step": ("playbooks: {p: []}\n", [(1, 16, "a playbook needs a step")]),
    "two steps in one": ("playbooks:\n  p:\n    - {stop: apps, start: apps}\n", [
        (3, 7, "two steps in one: stop and start")]),
    "absurd values": ("playbooks:\n  p:\n"
                      "    - {stop: apps, timeout: 99999999999999999999h}\n"
                      "    - {stop: apps, grace: 400d}\n"
                      "    - {stop: apps, grace: -5s}\n"
                      "    - verify: {for: 30, connections.utilization: '< 900%'}\n"
                      "    - clean: {idle: soon}\n", [
                          (3, 29, "'99999999999999999999h' is not a duration such as 30s"),
                          (4, 27, "grace: 400d is not between"),
                          (5, 27, "'-5s' is not a duration"),
                          (6, 21, "for: '30' is not a duration"),
                          (6, 50, "'< 900%' is not of the form"),
                          (7, 21, "idle: 'soon' is not a duration")]),
    "a quote without an end": ('stack: "shop\nservices: {}\n', [
        (3, 1, "unexpected end of stream, while scanning a quoted scalar")]),
    "a tab for indentation": ("services:\n\tweb: {}\n", [
        (2, 1, "character that cannot start any token")]),
    "an alias of nothing": ("stack: *shop\n", [(1, 8, "undefined alias")]),
    "two documents": ("stack: shop\n---\nstack: mall\n", [(2, 1, "second document")]),
}


@dataclass(frozen=True)
class Told:
    """One diagnostic as it is shown: place, words, and where the caret points."""

    line: int
    column: int
    text: str
    caret: int  # the column under which it stands, from 1; 0 when there is none


def told(output, path, severity="error"):
    """The diagnostics of a file in what a program said."""
    pattern = re.compile(rf"{re.escape(str(path))}:(\d+):(\d+): {severity}: (.*)")
    lines = output.splitlines()
    found = []
    for index, line in enumerate(lines):
        if match := pattern.fullmatch(line):
            source, caret = lines[index + 1:index + 3]
            margin = source.index("|") + 2
            assert caret.strip(" |^") == ""
            found.append(Told(int(match[1]), int(match[2]), match[3],
                              caret.index("^") - margin + 1))
    return found


def assert_told(output, path, expected, severity="error"):
    found = told(output, path, severity)
    assert [(one.line, one.column) for one in found] == [place[:2] for place in expected], output
    for one, (line, column, words) in zip(found, expected):
        assert words in one.text
        assert one.caret == column, f"line {line}: the caret is not under the place"


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_check_shows_every_error_at_its_place(supervisor, wrong):
    text, expected = wrong
    supervisor.configure(text)
    answer = supervisor.ctl("check", supervisor.config_path)
    assert answer.code == 2 and answer.out == ""
    assert_told(answer.err, supervisor.config_path, expected)


def everything_wrong():
    """All that is wrong above and leaves the text YAML, in one file."""
    return ("stack: [shop]\n"
            "databse: {}\n"
            "docker: {host: a, host: b}\n"
            "services:\n  a: {depends_on: [b]}\n  b: {depends_on: [a], role: ap}\n"
            "playbooks:\n  p:\n    - {stop: apps, grace: -5s}\n    - wait: forever\n"), [
                (1, 8, "found a list"), (2, 1, "'databse'"), (3, 19, "duplicate key 'host'"),
                (5, 3, "'a' depends on itself: a → b → a"), (6, 30, "did you mean 'app'?"),
                (9, 27, "'-5s'"), (10, 13, "wait:")]


def test_all_errors_come_at_once_and_the_daemon_does_not_start(supervisor):
    text, expected = everything_wrong()
    supervisor.configure(text)
    checked = supervisor.ctl("check", supervisor.config_path)
    assert checked.code == 2
    assert_told(checked.err, supervisor.config_path, expected)
    assert supervisor.start(wait=False).process.wait(timeout=20) == 2
    assert told(supervisor.log(), supervisor.config_path) == \
        told(checked.err, supervisor.config_path)
    assert not supervisor.socket.exists()


def test_check_tells_a_program_the_same(supervisor):
    text, expected = everything_wrong()
    supervisor.configure(text)
    answer = supervisor.json("check", supervisor.config_path, code=2)
    assert answer["fine"] is False
    assert [(one["line"], one["column"]) for one in answer["errors"]] == \
        [place[:2] for place in expected]


def test_a_file_that_cannot_be_read_is_named(supervisor, tmp_path):
    for path, reason in ((tmp_path / "missing.yaml", "No such file"), (tmp_path, "directory")):
        answer = supervisor.ctl("check", path)
        assert answer.code == 2
        assert f"{path}: error: cannot be read" in answer.err and reason in answer.err
        supervisor.environment["STACK_SUPERVISOR_CONFIG"] = str(path)
        assert supervisor.start(wait=False).process.wait(timeout=20) == 2
        assert f"{path}: error: cannot be read" in supervisor.log()


def test_a_password_in_the_file_is_refused_and_not_repeated(supervisor):
    for connect in ("host=db password=geheim", "postgresql://guard:geheim@db/app"):
        supervisor.configure(f"stack: shop\ndatabase:\n  connect: {connect}\n")
        answer = supervisor.ctl("check", supervisor.config_path)
        assert answer.code == 2 and ":3:" in answer.err and "passfile" in answer.err
        assert supervisor.start(wait=False).process.wait(timeout=20) == 2
        assert "geheim" not in answer.err + supervisor.log()


def test_a_good_file_is_fine_and_so_is_the_one_that_init_prints(supervisor):
    supervisor.configure("stack: shop\nx-mine: {anything: goes}\n")
    assert supervisor.ctl("check", supervisor.config_path).code == 0
    sample = supervisor.ctl("init")
    assert sample.code == 0
    supervisor.configure(sample.out)
    answer = supervisor.ctl("check", supervisor.config_path)
    assert answer.code == 0 and "it is empty: all defaults at a start" in answer.err, answer
    supervisor.configure("{}\n")
    answer = supervisor.ctl("check", supervisor.config_path)
    assert answer.code == 0 and "empty" not in answer.err, answer


def test_check_holds_what_the_file_says_of_services_against_the_stack(stack, supervisor):
    ports = stack("ports", project="held")
    supervisor.configure(f"stack: {ports}\n"
                         "services:\n"
                         "  wev: {depends_on: [postgers]}\n"
                         "  gone: {role: ignore}\n"
                         "database: {service: db}\n"
                         "playbooks:\n"
                         "  mine:\n"
                         "    - stop: apps\n"
                         "    - start: [web, wev]\n"
                         "policies:\n"
                         "  - name: sick\n"
                         "    when: service(wev).health == unhealthy\n"
                         "    ladder: [{run: recover}]\n")
    assert_told(supervisor.ctl("check").err, supervisor.config_path, [
        (3, 3, f"no service 'wev' in stack {ports}; did you mean 'web'?"),
        (3, 22, "no service 'postgers' in stack"),
        (5, 21, "no service 'db' in stack"),
        (9, 20, "no service 'wev' in stack"),
        (12, 11, "no service 'wev' in stack")])
    answer = supervisor.json("check", code=2)
    assert answer["stack"] == ports and len(answer["errors"]) == 5
    supervisor.configure(f"stack: {ports}\nservices:\n  gone: {{role: ignore}}\n")
    answer = supervisor.ctl("check")
    assert answer.code == 0 and f"fine, also for stack {ports}" in answer.out, answer
    answer = supervisor.ctl("check", "--docker-host=unix:///nowhere.sock")
    assert answer.code == 0 and "fine" in answer.out and "/nowhere.sock" in answer.err, answer


def test_check_tells_whom_a_selection_and_a_clean_name_that_the_stack_does_not_have(
        stack, supervisor):
    """A run refuses a selection of nobody; whom a policy or a clean names may be down for a while."""
    ports = stack("ports", project="named")
    text = (f"stack: {ports}\n"
            "playbooks:\n"
            "  mine:\n"
            "    selected: {containers: [web], services: [web]}\n"
            "    steps:\n"
            "      - restart: selected\n"
            "  tidy:\n"
            "    - capture: evidence\n"
            "    - clean: {containers: [web, wev, stranger]}\n"
            "    - clean: {containers: postgers}\n"
            "policies:\n"
            "  - name: sick\n"
            "    when: service(web).health == unhealthy\n"
            "    ladder:\n"
            "      - {run: restart-unhealthy, with: {services: 'web, wev,stranger'}}\n"
            "      - {run: restart-leaker, with: {containers: '${connections.leaker}'}}\n"
            "      - {run: clean, with: {idle: 5s, containers: [web, postgers]}}\n")
    warnings = [
        (9, 33, f"clean: no container or service 'wev' in stack {ports}; did you mean 'web'?"),
        (9, 38, f"clean: no container or service 'stranger' in stack {ports}"),
        (10, 27, "clean: no container or service 'postgers' in stack"),
        (15, 57, f"with: no service 'wev' in stack {ports}; did you mean 'web'?"),
        (15, 61, f"with: no service 'stranger' in stack {ports}"),
        (17, 57, "with: no container or service 'postgers' in stack")]
    supervisor.configure(text)
    answer = supervisor.ctl("check")
    assert answer.code == 0 and f"fine, also for stack {ports}" in answer.out, answer
    assert_told(answer.err, supervisor.config_path, warnings, "warning")
    answer = supervisor.json("check")
    assert answer["fine"] and answer["errors"] == [], answer
    assert [(one["line"], one["column"]) for one in answer["warnings"]] == [
        place[:2] for place in warnings]
    supervisor.configure(text.replace("selected: {containers: [web], services: [web]}",
                                      "selected: {containers: [named_web_7], services: wev}"))
    answer = supervisor.ctl("check")
    assert answer.code == 2 and answer.out == "", answer
    assert_told(answer.err, supervisor.config_path, [
        (4, 29, f"selected: no container or service 'named_web_7' in stack {ports}; did you mean"),
        (4, 53, f"selected: no service 'wev' in stack {ports}; did you mean 'web'?")])
    assert_told(answer.err, supervisor.config_path, warnings, "warning")
