"""The daemon's own machine gives out in the middle of a recovery: no disk, no descriptors, no memory,
nobody who reads the log, another time. What ran before runs, and it is told."""

import os
import re
import resource
import signal
import socket
import sqlite3
import subprocess
from contextlib import closing, contextmanager

import pytest
from checks import QUICK_RECOVER, running
from lab import wait_until
from unread import Unread
from watched import Watched, assert_ended_well, well_again

pytestmark = pytest.mark.faults

HOUR = 3600


@pytest.fixture(scope="module")
def ports(lasting_stack):
    return lasting_stack("ports")


@pytest.fixture
def guard(lab, ports, supervisor):
    """Not started yet."""
    lab.wait_healthy(ports, timeout=60)
    supervisor.configure(f"stack: {ports}\n{QUICK_RECOVER}")
    return supervisor


# ---- the disk ------------------------------------------------------------------------------------

@pytest.fixture
def small_disk(guard):
    folder = guard.folder / "state"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder],
                      check=False).returncode != 0:
        pytest.skip("no right to mount")
    yield folder
    guard.end()
    subprocess.run(["umount", folder], check=True)


def fill(folder):
    with open(folder / "ballast", "wb", buffering=0) as ballast:
        try:
            while True:
                ballast.write(b"x" * 4096)
        except OSError:
            pass


@pytest.mark.parametrize("moment", ["before the run", "in mid-run"])
def test_a_full_disk_costs_the_history_and_not_the_recovery(lab, ports, guard, small_disk, moment):
    guard.start()
    before = running(lab, ports)
    with Watched(guard, 60) as watched:
        if moment == "before the run":
            fill(small_disk)
        story = guard.begin()
        story.wait_action(f"stop:{lab.container(ports, 'web')}", "done")
        if moment == "in mid-run":
            fill(small_disk)
        end = story.wait_end()
        assert end["state"] == "succeeded", end
        assert_ended_well(lab, ports, before, end)
        assert "history is kept in memory only" in watched.told(story.run)
    (small_disk / "ballast").unlink()
    assert guard.ctl("recover", "--yes").code == 0
    assert "history is on disk again" in guard.log()


def test_the_end_of_a_run_is_kept_on_a_disk_that_stays_full(lab, ports, guard, small_disk):
    """Else the next life would do all of it once more."""
    guard.start()
    before = running(lab, ports)
    with lab.events() as events:
        story = guard.begin()
        story.wait_action(f"stop:{lab.container(ports, 'web')}", "done")
        fill(small_disk)
        assert story.wait_end()["state"] == "succeeded"
        ends = len(events.all("die"))
        assert guard.stop(signal.SIGTERM) == 0
        (small_disk / "ballast").unlink()
        guard.start()
        assert guard.json("run", story.run)["state"] == "succeeded"
        assert "carrying on" not in guard.log()
        assert len(events.all("die")) == ends and running(lab, ports) == before


def test_a_daemon_killed_on_a_full_disk_is_followed_by_one_that_knows_its_run(lab, ports, guard,
                                                                              small_disk):
    guard.let_act("act")
    guard.start()
    assert guard.ctl("pause", "--reason", "maintenance").code == 0
    before = running(lab, ports)
    story = guard.begin()
    story.wait_action(f"stop:{lab.postgres(ports)}")
    fill(small_disk)
    guard.stop(signal.SIGKILL)
    guard.start()
    end = guard.follow(story.run).wait_end()
    assert end["resumed"] and end["left_stopped"] == [] and running(lab, ports) == before
    assert "maintenance" in guard.ctl("status").out, "a pause is forgotten"


@contextmanager
def journal_read_by_another(guard):
    """As long as it takes: nobody else can open it meanwhile."""
    with closing(sqlite3.connect(guard.folder / "state" / "journal.db",
                                 isolation_level=None)) as backup:
        backup.execute("BEGIN")
        backup.execute("SELECT count(*) FROM entries").fetchall()
        yield


def test_somebody_who_reads_the_journal_is_waited_for(lab, ports, guard):
    """A backup in the second in which the next life begins."""
    guard.start()
    before = running(lab, ports)
    story = guard.begin()
    story.wait_action(f"stop:{lab.postgres(ports)}")
    guard.stop(signal.SIGKILL)
    with journal_read_by_another(guard):
        guard.start(wait=False)
        wait_until(lambda: "history is kept in memory only" in guard.log(), 10, "it to be told")
    wait_until(lambda: guard.api("GET", f"/v1/runs/{story.run}"), 20, "the daemon to answer")
    end = guard.follow(story.run).wait_end()
    assert end["resumed"] and end["left_stopped"] == [] and running(lab, ports) == before
    assert "history is on disk again" in guard.log()


def test_a_daemon_that_waits_for_its_journal_ends_when_it_is_told_to(ports, guard):
    guard.start()
    guard.stop(signal.SIGTERM)
    with journal_read_by_another(guard):
        guard.start()
        assert "history is kept in memory only" in guard.log()
        assert guard.stop(signal.SIGTERM, timeout=15) == 0


def test_a_pause_survives_a_life_that_could_not_read_of_it(ports, guard):
    guard.let_act("act")
    guard.start()
    assert guard.ctl("pause", "--reason", "maintenance").code == 0
    guard.stop(signal.SIGTERM)
    with journal_read_by_another(guard):
        guard.start()
        wait_until(lambda: "they only ask" in guard.log(), 40, "the policies to give it up")
    wait_until(lambda: "history is on disk again" in guard.log(), 10, "the journal")
    answer = guard.ctl("pause", "--reason", "of this life alone")
    assert answer.code == 0 and "a restart of the daemon forgets this" in answer.err, answer
    guard.stop(signal.SIGTERM)
    guard.start()
    paused = guard.api("GET", "/v1/status")["policies"]["paused"]
    assert paused["reason"] == "maintenance", paused


def test_policies_only_ask_when_what_they_remembered_cannot_be_read(ports, guard):
    """A budget or a pause may stand there: no restart of anything resets it."""
    guard.let_act("act")
    guard.start()
    assert guard.api("GET", "/v1/status")["policies"]["mode"] == "act"
    guard.stop(signal.SIGTERM)
    (guard.folder / "state" / "journal.db").write_text("somebody's own text\n" * 200)
    guard.start()
    status = guard.api("GET", "/v1/status")
    assert status["policies"]["mode"] == "ask" and "journal" in status
    assert {one["mode"] for one in guard.json("policies")["policies"]} <= {"ask", "observe", "off"}
    guard.stop(signal.SIGTERM)
    (guard.folder / "state" / "journal.db").unlink()
    guard.start()
    assert guard.api("GET", "/v1/status")["policies"]["mode"] == "act"


# ---- a file system that hangs --------------------------------------------------------------------

HANGING_SHIM = r"""
/* open() of a compose file waits for as long as the file HANGING is there, as on a dead server's file
   system. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
    va_end(args);
    while (strstr(path, "compose.y") && access(getenv("HANGING"), F_OK) == 0)
        usleep(10000);
    return openat(AT_FDCWD, path, flags, mode);
}
"""


@pytest.fixture
def hanging(guard, tmp_path):
    """A file; while it is there no compose file can be opened."""
    if b"__asan_init" in (guard.binaries / "stack-supervisord").read_bytes():
        pytest.skip("AddressSanitizer wants to be the first library")
    source, shim, hanging = tmp_path / "hang.c", tmp_path / "hang.so", tmp_path / "hanging"
    source.write_text(HANGING_SHIM)
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", shim, source], check=True)
    guard.environment |= {"LD_PRELOAD": str(shim), "HANGING": str(hanging)}
    yield hanging
    hanging.unlink(missing_ok=True)


def test_a_compose_file_that_hangs_holds_up_neither_looks_nor_the_run(lab, ports, guard, hanging):
    """Its order is not known then, and that is said; the journal stands behind no read of it."""
    guard.start()
    well_again(guard)
    before = running(lab, ports)
    with Watched(guard, 60) as watched:
        story = guard.begin()
        story.wait_action(f"stop:{lab.container(ports, 'web')}", "running")
        hanging.touch()
        for _ in range(6):
            stack = guard.ctl("status", "--json", "--timeout", "5s").json["stack"]
            assert any("has not been read in time" in note for note in stack["notes"]), stack
        end = story.wait_end()
        assert end["state"] == "succeeded", end
        assert_ended_well(lab, ports, before, end)
        assert "kept in memory" not in watched.told(story.run)
    plan = guard.json("recover", "--plan")
    assert any("start order is not known" in note for note in plan["notes"]), plan["notes"]
    hanging.unlink()
    wait_until(lambda: not guard.ctl("status", "--json").json["stack"]["notes"], 10,
               "the file to be read again")


# ---- descriptors ---------------------------------------------------------------------------------

def test_no_descriptor_left(lab, ports, guard):
    """Whatever it cannot open it waits for, or tells; with descriptors there, all is well again."""
    guard.start()
    well_again(guard)
    before = running(lab, ports)
    pid = guard.process.pid
    limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    with Watched(guard, 120):
        story = guard.begin()
        story.wait_action(f"stop:{lab.container(ports, 'web')}", "done")
        used = max(int(one) for one in os.listdir(f"/proc/{pid}/fd")) + 1
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (used, limits[1]))
        log = len(guard.log())
        try:
            wait_until(lambda: "Too many open files" in guard.log()[log:] or "waiting" in
                       str(story.entries()) or "end" in [one["type"] for one in story.entries()],
                       60, "it to be noticed")
        finally:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
        end = story.wait_end()
        assert_ended_well(lab, ports, before, end)
    well_again(guard)


def test_more_clients_than_descriptors_do_not_make_it_turn_in_circles(ports, guard):
    """A listener that cannot accept stays readable."""
    guard.start()
    well_again(guard)
    pid = guard.process.pid
    limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    used = max(int(one) for one in os.listdir(f"/proc/{pid}/fd")) + 1
    clients = []
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (used, limits[1]))
    try:
        with Watched(guard, 30):
            for _ in range(8):
                client = socket.socket(socket.AF_UNIX)
                client.connect(str(guard.socket))
                clients.append(client)
            # Processor time is measured over a while in which nothing else is to be done.
            waiter = subprocess.run(["sleep", "3"], check=True)
            assert waiter.returncode == 0
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
        for client in clients:
            client.close()
    well_again(guard)


# ---- memory --------------------------------------------------------------------------------------

def test_no_memory_left_ends_the_daemon_and_the_next_one_carries_on(lab, ports, guard):
    """As the kernel's or systemd's limit would have it: it dies rather than go on half-blind."""
    if b"__asan_init" in (guard.binaries / "stack-supervisord").read_bytes():
        pytest.skip("AddressSanitizer needs terabytes of addresses")
    guard.start()
    well_again(guard)
    before = running(lab, ports)
    pid = guard.process.pid
    story = guard.begin()
    story.wait_action(f"stop:{lab.container(ports, 'web')}", "running")
    # Nothing more than it has: what it asks for next it does not get.
    size = int(open(f"/proc/{pid}/statm", encoding="ascii").read().split()[0]) * 4096
    resource.prlimit(pid, resource.RLIMIT_AS, (size, size))
    wait_until(lambda: guard.process.poll() is not None
               or any(one["type"] == "end" for one in story.entries()), 60, "its end, or the run's")
    if guard.process.poll() is not None:
        assert guard.process.returncode == -signal.SIGABRT, guard.process.returncode
        assert "out of memory" in guard.log()
        guard.start()
        story = guard.follow(story.run)
    end = story.wait_end()
    assert end["state"] == "succeeded", end
    assert_ended_well(lab, ports, before, end)


# ---- the log -------------------------------------------------------------------------------------

LOG_LINE = re.compile(r"(<\d>|\d{4}-\d\d-\d\dT\S+ (error|warning|info) +)\S.*")


@pytest.fixture(params=["pipe", "socket", "terminal"])
def unread(request, guard):
    """What the daemon logs to; the socket is as journald's."""
    one = Unread(request.param)
    guard.log_end = one.end
    if request.param == "socket":
        guard.environment["JOURNAL_STREAM"] = "1:1"
    yield one
    guard.end()
    one.close()


def assert_loss_is_told(unread):
    lines = unread.read().wait("lines of the log lost, as nobody took them: ")
    assert [line for line in lines if not LOG_LINE.fullmatch(line)] == []


def test_a_log_that_nobody_reads_holds_up_no_run(lab, ports, guard, unread):
    """A frozen collector, a driver that blocks, Ctrl-S."""
    guard.start()
    well_again(guard)
    before = running(lab, ports)
    with Watched(guard, 60):
        story = guard.begin()
        story.wait_action(f"stop:{lab.container(ports, 'web')}", "running")
        unread.stop()
        end = story.wait_end()
        assert end["state"] == "succeeded", end
        assert_ended_well(lab, ports, before, end)
    well_again(guard)
    assert_loss_is_told(unread)


def test_a_log_that_nobody_reads_keeps_no_run_from_being_carried_on(lab, ports, guard, unread):
    guard.start()
    before = running(lab, ports)
    story = guard.begin()
    story.wait_action(f"stop:{lab.container(ports, 'web')}", "done")
    guard.stop(signal.SIGKILL)
    unread.stop()
    guard.start()
    end = guard.follow(story.run).wait_end()
    assert end["state"] == "succeeded", end
    assert_ended_well(lab, ports, before, end)
    assert_loss_is_told(unread)


# ---- the clock -----------------------------------------------------------------------------------

SHIM = r"""
/* CLOCK_REALTIME is off by as many seconds as the file FAKE_CLOCK says. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long offset(void)
{
    char text[32] = "";
    int fd = open(getenv("FAKE_CLOCK"), O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    if (read(fd, text, sizeof text - 1) < 0)
        text[0] = 0;
    close(fd);
    return atol(text);
}

int clock_gettime(clockid_t id, struct timespec *now)
{
    int status = (int)syscall(SYS_clock_gettime, id, now);
    if (status == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
        now->tv_sec += offset();
    return status;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec at;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &at);
    now->tv_sec = at.tv_sec;
    now->tv_usec = at.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *ret)
{
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    if (ret)
        *ret = at.tv_sec;
    return at.tv_sec;
}
"""


@pytest.fixture
def clock(guard, tmp_path):
    """clock(seconds) sets the daemon's clock off; its engine and its database keep theirs."""
    source, shim, offset = tmp_path / "shim.c", tmp_path / "shim.so", tmp_path / "offset"
    source.write_text(SHIM)
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", shim, source], check=True)
    offset.write_text("0")
    guard.environment |= {"LD_PRELOAD": str(shim), "FAKE_CLOCK": str(offset)}
    return lambda seconds: offset.write_text(str(seconds))


@pytest.mark.parametrize("seconds", [HOUR, -HOUR], ids=["forward", "back"])
def test_a_clock_that_is_set_in_mid_run_changes_nothing(lab, ports, guard, clock, seconds):
    guard.start()
    well_again(guard)
    before = running(lab, ports)
    with Watched(guard, 60):
        story = guard.begin()
        story.wait_action(f"stop:{lab.container(ports, 'web')}", "running")
        clock(seconds)
        end = story.wait_end()
        assert end["state"] == "succeeded" and end["took_ms"] < 60000, end
        assert_ended_well(lab, ports, before, end)
    well_again(guard)
    assert guard.json("recover", "--yes")["state"] == "succeeded"


@pytest.mark.parametrize("seconds", [HOUR + 60, -HOUR], ids=["forward", "back"])
def test_a_clock_that_is_set_between_two_lives_leaves_nothing_stopped(lab, ports, guard, clock,
                                                                      seconds):
    """Forward: the run looks too old to be carried on, so it is wound up, and says why."""
    guard.start()
    before = running(lab, ports)
    story = guard.begin()
    story.wait_action(f"stop:{lab.container(ports, 'web')}", "done")
    guard.stop(signal.SIGKILL)
    clock(seconds)
    guard.start()
    with Watched(guard, 60):
        end = guard.follow(story.run).wait_end()
        assert_ended_well(lab, ports, before, end)
        if seconds > 0:
            assert end["state"] == "failed" and "too long ago" in end["text"], end
        else:
            assert end["state"] == "succeeded" and end["took_ms"] >= 0, end
