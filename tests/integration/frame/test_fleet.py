"""Companies worked on side by side: in order, and nobody is left behind when somebody dies."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from baileys_tools.ending import BrokenOff, listen
from baileys_tools.errors import BaileysToolsError, ExitCode
from baileys_tools.frame.fleet import for_each
from tests.integration.faults.forked import run_cli
from tests.support import COMMAND, creds, require_root, require_tool, scrubbed_environment

PACE = 0.02
"""Seconds for one item: long enough that every worker has some."""


@pytest.fixture(autouse=True)
def own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where tracebacks go: not into the one of the machine."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def no_loss(item: int, why: str) -> int:
    pytest.fail(f"item {item} was lost: {why}")


@pytest.mark.parametrize("count", [0, 1, 2, 63, 64, 1000, 3001])
def test_results_come_in_the_order_of_the_items(count: int) -> None:
    items = range(count)
    assert for_each(items, lambda item: item * item, no_loss, workers=3) == [item * item for item in items]


def test_several_processes_share_the_items() -> None:
    def work(item: int) -> int:
        time.sleep(PACE)
        return os.getpid()

    found = set(for_each(range(20), work, no_loss, workers=3))
    assert len(found) == 3
    assert os.getpid() not in found


def test_nobody_waits_for_a_large_item_that_another_works_on() -> None:
    def work(item: int) -> int:
        time.sleep(1 if item == 0 else 0.01)
        return os.getpid()

    found = for_each(range(40), work, no_loss, workers=2)
    assert found.count(found[0]) == 1


def test_a_few_items_are_no_reason_to_fork() -> None:
    here = os.getpid()
    assert set(for_each(range(63), lambda item: os.getpid(), no_loss)) == {here}


def test_one_cpu_is_no_reason_to_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0})
    assert set(for_each(range(500), lambda item: os.getpid(), no_loss)) == {os.getpid()}


def test_progress_counts_up_to_the_end() -> None:
    told: list[tuple[int, int]] = []
    for_each(
        range(100), lambda item: item, no_loss, lambda done, total: told.append((done, total)), workers=2
    )
    assert told == [(done, 100) for done in range(101)]


def test_a_result_larger_than_a_pipe_arrives_whole() -> None:
    found = for_each(range(6), lambda item: bytes([item]) * 3_000_000, no_loss_of_bytes, workers=2)
    assert found == [bytes([item]) * 3_000_000 for item in range(6)]


def no_loss_of_bytes(item: int, why: str) -> bytes:
    pytest.fail(f"item {item} was lost: {why}")


def test_a_killed_worker_loses_only_the_item_in_its_hands() -> None:
    def work(item: int) -> str:
        if item == 7:
            os.kill(os.getpid(), signal.SIGKILL)
        return "done"

    found = for_each(range(40), work, lambda item, why: why, workers=2)
    assert found[7] == "the process that worked on it was killed (SIGKILL, out of memory?)"
    assert set(found[:7] + found[8:]) == {"done"}


def test_a_killed_worker_loses_only_that_item_where_each_takes_several_at_a_time() -> None:
    doomed = {0, 7, 1500, 2999}

    def work(item: int) -> str:
        if item in doomed:
            os.kill(os.getpid(), signal.SIGKILL)
        return "done"

    found = for_each(range(3000), work, lambda item, why: why, workers=2)
    assert {item for item, said in enumerate(found) if said != "done"} == doomed


def test_however_many_workers_are_killed_the_others_items_are_done_and_this_process_lives() -> None:
    def work(item: int) -> str:
        if item % 3 == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return f"done by {os.getpid()}"

    found = for_each(range(40), work, lambda item, why: "lost", workers=2)
    assert [item for item, said in enumerate(found) if said == "lost"] == list(range(0, 40, 3))
    assert f"done by {os.getpid()}" not in found


HOSTILE: dict[str, BaseException] = {
    "recursion": RecursionError("maximum recursion depth exceeded"),
    "overflow": OverflowError("cannot convert float infinity to integer"),
    "memory": MemoryError(),
    "text": UnicodeEncodeError("utf-8", "\udcff", 0, 1, "surrogates not allowed"),
    "system": OSError(errno.EACCES, "Permission denied", "creds.json"),
    "ours": BaileysToolsError("no way", "Go round.", exit_code=ExitCode.REFUSED),
    "bug": AssertionError("a bug"),
}


@pytest.mark.parametrize("many", [1, 2], ids=["here", "by workers"])
@pytest.mark.parametrize("kind", HOSTILE)
def test_what_one_item_raises_fails_that_item_alone(kind: str, many: int) -> None:
    def work(item: int) -> str:
        if item == 30:
            raise HOSTILE[kind]
        return "done"

    found = for_each(range(100), work, lambda item, why: why, workers=many)
    assert set(found[:30] + found[31:]) == {"done"}
    assert found[30] not in ("", "done")
    assert ("internal error" in found[30]) is (kind in ("recursion", "overflow", "text", "bug"))
    if kind == "ours":
        assert found[30] == "no way. Go round."


@pytest.mark.parametrize("many", [1, 2], ids=["here", "by workers"])
def test_an_interrupt_ends_the_work_on_all(many: int) -> None:
    def work(item: int) -> str:
        if item == 30:
            os.kill(os.getppid() if many > 1 else os.getpid(), signal.SIGINT)
            time.sleep(20)
        return "done"

    command = os.fork()
    if not command:
        # As a command has it: what a signal does is for the whole process.
        listen()
        left: list[int] | None = None
        try:
            for_each(range(100), work, lambda item, why: why, workers=many)
        except BrokenOff:
            left = children_of(os.getpid())
        finally:
            os._exit(0 if left == [] else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(command, 0)[1]) == 0


def test_a_bug_in_a_worker_tells_where_it_is_and_the_same_bug_is_written_once() -> None:
    def work(item: int) -> int:
        assert item < 30, "a bug"
        return item

    found = for_each(range(60), work, lambda item, why: why, workers=2)
    said = {str(why) for why in found[30:]}
    assert all("internal error: AssertionError: a bug" in why for why in said)
    # Two workers may have met it at the same moment.
    paths = {why.rpartition("report it with ")[2] for why in said}
    assert 1 <= len(paths) <= 2
    for path in map(Path, paths):
        assert "test_fleet.py" in path.read_text()
        assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.root
def test_a_crash_file_of_another_user_is_not_taken_for_ours() -> None:
    require_root()

    def crash(item: int) -> str:
        raise AssertionError("a bug")

    (said,) = for_each([1], crash, lambda item, why: why)
    ours = Path(said.rpartition("report it with ")[2])
    os.chown(ours, 4321, 4321)
    ours.write_text("sudo sh planted")
    (again,) = for_each([1], crash, lambda item, why: why)
    assert str(ours) not in again


def test_without_processes_to_be_had_the_work_is_done_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise BlockingIOError("no more processes")

    monkeypatch.setattr(os, "fork", refuse)
    before = os.listdir("/proc/self/fd")
    assert for_each(range(100), lambda item: item, no_loss, workers=2) == list(range(100))
    assert len(os.listdir("/proc/self/fd")) == len(before)


def test_nothing_stays_open() -> None:
    before = os.listdir("/proc/self/fd")
    for_each(range(100), lambda item: item, no_loss, workers=3)
    assert len(os.listdir("/proc/self/fd")) == len(before)


# --- the end of the parent ----------------------------------------------------------------------------------

SLOW = """
import os, sys, time
from baileys_tools.frame.fleet import for_each

def work(item):
    try:
        os.write(1, b"x")
        time.sleep(0.05)
    finally:
        os.write(1, b".")  # what was begun is tidied up

for_each(range(1000), work, lambda item, why: None, workers=2)
"""


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_worker_outlives_its_parent(end: signal.Signals, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with out.open("wb") as stream, subprocess.Popen([sys.executable, "-c", SLOW], stdout=stream) as parent:
        wait_until(lambda: len(out.read_bytes()) > 10)
        workers = children_of(parent.pid)
        parent.send_signal(end)
        parent.wait(10)
        wait_until(lambda: not any(map(is_alive, workers)), within=2)
    assert len(workers) == 2
    written = out.read_bytes()
    assert written.count(b"x") == written.count(b".")


def test_an_interrupted_cleanup_leaves_no_worker_and_no_lock(tmp_path: Path) -> None:
    companies = 64
    for company in range(companies):
        make_company(tmp_path / f"company_{company}", sessions=200)
    environment = scrubbed_environment({"BAILEYS_SESSIONS_PATH": str(tmp_path)})
    with subprocess.Popen([COMMAND, "cleanup", "--quiet"], env=environment, stderr=subprocess.PIPE) as parent:
        wait_until(lambda: any(tmp_path.glob("company_*/.baileys-tools")))
        workers = children_of(parent.pid)
        parent.send_signal(signal.SIGINT)
        _, said = parent.communicate(timeout=20)
    assert not any(map(is_alive, workers))
    assert (parent.returncode, said.partition(b";")[0]) == (130, b"interrupted")
    assert list(tmp_path.glob("company_*/.cleanup.lock")) == []

    assert run_cli("cleanup", "--quiet", env=environment).returncode == 0
    left = [name for folder in tmp_path.iterdir() for name in os.listdir(folder)]
    assert not any(name.startswith("session-") for name in left)


def test_many_companies_come_out_as_a_few_do(tmp_path: Path) -> None:
    for company in range(70):
        make_company(tmp_path / f"company_{company}", sessions=company % 5)
    environment = {"BAILEYS_SESSIONS_PATH": str(tmp_path)}
    arguments = ("cleanup", "--dry-run", "--json", "--now", "2026-01-15T12:00:00Z")
    together = run_cli(*arguments, env=environment)
    one_cpu = subprocess.run(
        [require_tool("taskset"), "-c", str(min(os.sched_getaffinity(0))), COMMAND, *arguments],
        env=scrubbed_environment(environment),
        capture_output=True,
        text=True,
        check=True,
    )
    assert together.stdout == one_cpu.stdout
    assert '"company_69"' in together.stdout or '"69"' in together.stdout


def make_company(folder: Path, sessions: int) -> None:
    folder.mkdir()
    (folder / "creds.json").write_text(json.dumps(creds()))
    old = time.time() - timedelta(days=30).total_seconds()
    for contact in range(sessions):
        path = folder / f"session-{491700000000 + contact}.0.json"
        path.write_text("{}")
        os.utime(path, (old, old))
    # One of yesterday: a bot that has just come back after a month keeps all.
    yesterday = time.time() - timedelta(hours=20).total_seconds()
    fresh = folder / "sender-key-120363001234567890@g.us--447700900123--0.json"
    fresh.write_text("{}")
    os.utime(fresh, (yesterday, yesterday))


def children_of(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(condition: Callable[[], bool], within: float = 20) -> None:
    end = time.monotonic() + within
    while not condition():
        assert time.monotonic() < end, "it did not come to that in time"
        time.sleep(0.005)
