"""Holds every #include to the house of CONTRIBUTING.md and docs/architecture.md: arrows only point down, and a folder is
entered by its doors. Prints file:line of each that does not; --self-test shows that it can fail."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Which folders a folder may include from, besides itself.
MAY = {
    "base": set(),
    "docker": {"base"},
    "postgres": {"base"},
    "host": {"base"},
    "holders": {"base", "docker", "postgres", "host"},
    "notify": {"base"},
    "policies": {"base"},
    "watch": {"base", "docker", "postgres", "policies", "holders"},
    "playbooks": {"base", "docker", "postgres", "holders"},
    "control": {"base"},
    "supervisor": {"base", "docker", "postgres", "holders", "notify", "policies", "watch", "playbooks", "control"},
    "supervisorctl": {"base", "control"},
}

# The headers of a folder that others may include; base is all doors.
DOORS = {
    "docker": {"docker.h", "container.h", "stack.h"},
    "postgres": {"db.h", "pooler.h"},
    "host": {"peers.h"},
    "holders": {"holders.h"},
    "notify": {"notify.h", "notify_config.h"},
    "policies": {"board.h", "decide.h", "decision.h", "derive.h", "moment.h", "policy.h", "trace.h"},
    "watch": {"feed.h", "containers.h", "database.h", "first_answer.h", "logs.h", "patterns.h", "checks.h", "pooler.h"},
    "playbooks": {"playbook.h", "plan.h", "runner.h", "journal.h", "reach.h", "clean_rules.h"},
    "control": {"control.h", "wire.h", "alerts.h"},
    "supervisor": {"app.h", "config.h"},
}

# All of base/ that a folder may include: policies/ is pure, and has no loop, file, process or log.
ONLY = {"policies": {"buf.h", "clock.h", "diag.h", "err.h", "hash.h", "json.h", "mem.h", "yaml.h"}}

# The command's own process, and the configuration's commands, reach into the application.
EXCEPTIONS = {
    ("supervisorctl/standalone.c", "supervisor/app.h"),
    ("supervisorctl/standalone.c", "supervisor/config.h"),
    ("supervisorctl/config.c", "supervisor/config.h"),
    ("supervisorctl/simulate.c", "supervisor/config.h"),
    ("supervisorctl/simulate.c", "policies/replay.h"),
    ("supervisorctl/simulate.c", "policies/moment.h"),
}

# Outside libraries, and the only places that may see them.
LIBRARIES = {
    r"microhttpd\.h": ("control/server.c",),
    r"sqlite3\.h": ("playbooks/journal_store.c",),
    r"systemd/.*": ("supervisor/sd.c",),
    r"curl/.*": ("base/multi.", "docker/", "watch/check_", "notify/", "supervisorctl/"),
    r"libpq-fe\.h": ("postgres/",),
    r"yaml\.h": ("base/yaml.c",),
    r"pcre2\.h": ("watch/patterns.c",),
    r"uv\.h": ("base/", "docker/", "postgres/", "host/", "notify/", "playbooks/", "watch/", "supervisor/"),
}

INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)')


def judge_ours(file, target):
    """Why `file` may not include our header `target`, or None."""
    folder, _, name = target.partition("/")
    own = file.split("/")[0]
    if not name or folder == own or (file, target) in EXCEPTIONS:
        return None
    if folder not in MAY:
        return f"{target} is in no folder of the house"
    if folder not in MAY[own]:
        return f"{own}/ may not include from {folder}/"
    if folder == "base" and name not in ONLY.get(own, (name,)):
        return f"{own}/ is pure: not {target}"
    if folder in DOORS and name not in DOORS[folder]:
        return f"{target} is private to {folder}/"
    return None


def judge_library(file, target):
    for pattern, places in LIBRARIES.items():
        if re.fullmatch(pattern, target) and not file.startswith(places):
            return f"<{target}> belongs in {', '.join(places)} only"
    return None


def judge_text(file, text):
    for number, line in enumerate(text.splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        ours, library = match.groups()
        reason = judge_ours(file, ours) if ours else judge_library(file, library)
        if reason:
            yield f"{file}:{number}: {reason}"


def self_test():
    bad = {
        "base/x.c": '#include "docker/docker.h"',
        "docker/x.c": '#include "postgres/db.h"',
        "policies/x.c": '#include "base/files.h"',
        "watch/x.c": '#include "policies/decide_private.h"',
        "playbooks/x.c": '#include "docker/http.h"',
        "control/x.c": "#include <sqlite3.h>",
        "supervisorctl/status.c": '#include "supervisor/app.h"',
    }
    for file, text in bad.items():
        assert list(judge_text(file, text)), f"{file} was let pass: {text}"
    assert not list(judge_text("playbooks/x.c", '#include "docker/stack.h"'))


def main():
    if sys.argv[1:] == ["--self-test"]:
        self_test()
        return 0
    findings = []
    for folder in MAY:
        for path in sorted((ROOT / folder).glob("*.[ch]")):
            findings += judge_text(f"{folder}/{path.name}", path.read_text(encoding="utf-8"))
    print("\n".join(findings), end="\n" if findings else "")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
