"""Functions that product code does not call: unbounded copies, parsing without an error, waiting on
the loop's thread. Prints file:line; --self-test shows that it can fail."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("base", "docker", "postgres", "host", "holders", "notify", "policies", "watch", "playbooks", "control",
           "supervisor", "supervisorctl")
BANNED = "strcpy strcat sprintf vsprintf gets atoi atol strtok system popen sleep usleep uv_spawn".split()
BLOCKING_LIBPQ = "PQexec PQexecParams PQconnectdb PQconnectdbParams PQping PQcancel".split()
CALL = re.compile(r"(?<![\w.>])(" + "|".join(BANNED + BLOCKING_LIBPQ) + r")\s*\(")
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
STRING = re.compile(r'"(?:[^"\\]|\\.)*"')


def judge_text(file, text):
    # Comments go, their line ends stay, so that the numbers are right.
    text = COMMENT.sub(lambda match: "\n" * match.group().count("\n"), text)
    for number, line in enumerate(text.splitlines(), 1):
        for match in CALL.finditer(STRING.sub('""', line)):
            yield f"{file}:{number}: {match.group(1)} is banned"


def self_test():
    assert list(judge_text("x.c", "int f(void) { return atoi(text); }"))
    assert list(judge_text("x.c", "PQexec(conn, sql);"))
    assert not list(judge_text("x.c", '/* sleep(1) */ puts("system(x)"); a->sleep(1); nosleep(1);'))


def main():
    if sys.argv[1:] == ["--self-test"]:
        self_test()
        return 0
    findings = []
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).glob("*.[ch]")):
            findings += judge_text(f"{folder}/{path.name}", path.read_text(encoding="utf-8"))
    print("\n".join(findings), end="\n" if findings else "")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
