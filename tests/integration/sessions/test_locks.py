"""One holder per company: never two, a live one is never robbed, a dead one never waited for."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import subprocess
import time
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from baileys_tools.errors import BaileysToolsError, ExitCode
from baileys_tools.sessions.locks import Locked, told_of
from baileys_tools.snapshots.private_folders import RepositoryLocked
from tests.integration.faults.forked import at_once, run_cli
from tests.integration.faults.injection import (
    Call,
    before_first_removal,
    cleanup,
    paused_after,
    python,
    strace,
    traced,
)
from tests.support import company_folder, scrubbed_environment

NAIVE = Path(__file__).parents[1] / "faults" / "naive.py"
LOCK = ".cleanup.lock"
OLD = timedelta(days=20)


def old_sessions(number: int) -> dict[str, timedelta]:
    return {f"session-{each}.0.json": OLD for each in range(number)}


def clean(root: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return run_cli(*cleanup(root, *options)[1:])


def locked_point(place: Path) -> Call:
    """The call after which a cleanup of one company holds its lock and has planned."""
    company_folder(place / "counted", keys=old_sessions(2))
    return before_first_removal(traced(cleanup(place / "counted", "--quiet"))[1])


def in_milliseconds(moment: float) -> int:
    return int(moment * 1000)


# --- other programs' lock files -----------------------------------------------------------------------------


@pytest.mark.parametrize("minutes", [0, 1, 9.9])
def test_a_fresh_lock_file_of_the_javascript_scripts_is_respected(tmp_path: Path, minutes: float) -> None:
    folder = company_folder(tmp_path, keys=old_sessions(2))
    content = json.dumps(
        {"timestamp": in_milliseconds(time.time() - minutes * 60), "pid": 4711, "hostname": "shop"}
    )
    (folder / LOCK).write_text(content)
    run = clean(tmp_path)
    assert run.returncode == 75
    assert "locked by process 4711 on shop since" in run.stdout
    assert (folder / "session-0.0.json").exists()
    assert (folder / LOCK).read_text() == content


@pytest.mark.parametrize("minutes", [10.1, 60 * 24])
def test_a_lock_file_of_the_javascript_scripts_is_taken_over_after_ten_minutes(
    tmp_path: Path, minutes: float
) -> None:
    folder = company_folder(tmp_path, keys=old_sessions(2))
    stamp = in_milliseconds(time.time() - minutes * 60)
    (folder / LOCK).write_text(json.dumps({"timestamp": stamp, "pid": os.getpid(), "hostname": "shop"}))
    assert clean(tmp_path, "--quiet").returncode == 0
    assert not (folder / "session-0.0.json").exists()
    assert not (folder / LOCK).exists()


def test_a_lock_file_from_the_future_counts_from_when_it_was_written(tmp_path: Path) -> None:
    folder = company_folder(tmp_path, keys=old_sessions(2))
    lock = folder / LOCK
    lock.write_text(
        json.dumps({"timestamp": in_milliseconds(time.time() + 86400), "pid": 1, "hostname": "shop"})
    )
    assert clean(tmp_path, "--quiet").returncode == 75
    eleven_minutes_ago = time.time() - 660
    os.utime(lock, (eleven_minutes_ago, eleven_minutes_ago))
    assert clean(tmp_path, "--quiet").returncode == 0


@pytest.mark.parametrize(
    "content",
    [
        "",
        "\0" * 4096,
        "{",
        "[]",
        '{"timestamp": "soon"}',
        '{"timestamp": true}',
        '{"pid": 1}',
        "[" * 100_000,
    ],
)
def test_a_lock_file_without_a_timestamp_locks_nobody_out(tmp_path: Path, content: str) -> None:
    folder = company_folder(tmp_path, keys=old_sessions(2))
    (folder / LOCK).write_text(content)
    assert clean(tmp_path, "--quiet").returncode == 0
    assert not (folder / "session-0.0.json").exists()


@pytest.mark.parametrize(
    "stamp",
    [
        "NaN",
        "Infinity",
        "-1e400",
        "1e308",
        pytest.param("9" * 4000, id="4000 digits"),
    ],
)
def test_a_mad_timestamp_never_ends_in_a_crash(tmp_path: Path, stamp: str) -> None:
    folder = company_folder(tmp_path, keys=old_sessions(2))
    (folder / LOCK).write_text(f'{{"timestamp": {stamp}}}')
    run = clean(tmp_path)
    assert run.returncode in (0, 75)
    assert run.stderr == ""


# --- our own leftovers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("pid", ["a dead one", "a reused one"])
def test_our_own_leftover_is_taken_at_once(tmp_path: Path, pid: str) -> None:
    folder = company_folder(tmp_path, keys=old_sessions(2))
    holder = 2**22 + 1 if pid == "a dead one" else os.getpid()
    stamp = in_milliseconds(time.time())
    content = {"timestamp": stamp, "pid": holder, "hostname": os.uname().nodename, "tool": "baileys-tools"}
    (folder / LOCK).write_text(json.dumps(content))
    assert clean(tmp_path, "--quiet").returncode == 0
    assert not (folder / "session-0.0.json").exists()


def test_the_lock_of_a_killed_holder_is_taken_at_once(tmp_path: Path) -> None:
    folder = company_folder(tmp_path / "root", keys=old_sessions(2))
    with paused_after(locked_point(tmp_path), cleanup(tmp_path / "root", "--quiet")) as holder:
        assert clean(tmp_path / "root", "--quiet").returncode == 75
        holder.kill()
        assert (folder / LOCK).exists()
        assert clean(tmp_path / "root", "--quiet").returncode == 0
    assert not (folder / "session-0.0.json").exists()
    assert not (folder / LOCK).exists()


# --- live holders -------------------------------------------------------------------------------------------


def test_a_stopped_holder_is_not_robbed_whatever_its_age_and_finishes_later(tmp_path: Path) -> None:
    folder = company_folder(tmp_path / "root", keys=old_sessions(2))
    with paused_after(locked_point(tmp_path), cleanup(tmp_path / "root", "--quiet")) as holder:
        content = json.loads((folder / LOCK).read_text())
        assert content["pid"] == holder.pid
        # As it would look after a day of standing still.
        (folder / LOCK).write_text(json.dumps(content | {"timestamp": 0}))
        os.utime(folder / LOCK, (0, 0))
        run = clean(tmp_path / "root")
        assert run.returncode == 75
        assert f"locked by process {holder.pid} on {os.uname().nodename}" in run.stdout
        assert (folder / "session-0.0.json").exists()
        holder.go_on()
        assert holder.returncode == 0
    assert not (folder / "session-0.0.json").exists()


def test_a_holder_is_not_robbed_when_its_lock_file_is_deleted(tmp_path: Path) -> None:
    folder = company_folder(tmp_path / "root", keys=old_sessions(2))
    with paused_after(locked_point(tmp_path), cleanup(tmp_path / "root", "--quiet")) as holder:
        (folder / LOCK).unlink()
        assert clean(tmp_path / "root", "--quiet").returncode == 75
        holder.go_on()
        assert holder.returncode == 0


def test_undo_waits_for_nobody_and_robs_nobody(tmp_path: Path) -> None:
    root = tmp_path / "root"
    folder = company_folder(root, keys=old_sessions(2))
    assert clean(root, "--quiet").returncode == 0
    company_folder(root, keys={"session-7.0.json": OLD})
    with paused_after(locked_point(tmp_path), cleanup(root, "--quiet")) as holder:
        run = run_cli("undo", "--sessions", root)
        assert run.returncode == 75
        assert "locked by process" in run.stdout
        assert not (folder / "session-0.0.json").exists()
        holder.go_on()
    assert run_cli("undo", "--sessions", root).returncode == 0


def test_a_lock_that_somebody_holds_by_path_is_respected(tmp_path: Path) -> None:
    folder = company_folder(tmp_path, keys=old_sessions(2))
    with open(folder / LOCK, "w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert clean(tmp_path, "--quiet").returncode == 75
    assert clean(tmp_path, "--quiet").returncode == 0


def test_one_locked_company_is_skipped_and_the_others_are_done(tmp_path: Path) -> None:
    held = company_folder(tmp_path, "1", keys=old_sessions(2))
    free = company_folder(tmp_path, "2", keys=old_sessions(2))
    with open(held / LOCK, "w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        run = clean(tmp_path)
    assert run.returncode == 0
    assert f"locked by process {os.getpid()} of " in run.stdout
    assert (held / "session-0.0.json").exists()
    assert not (free / "session-0.0.json").exists()


@pytest.mark.parametrize("which", [1, 2], ids=["the folder", "the file"])
@pytest.mark.parametrize("error", ["ENOLCK", "ENOSYS", "EOPNOTSUPP"])
def test_without_kernel_locks_the_company_is_refused(tmp_path: Path, error: str, which: int) -> None:
    folder = company_folder(tmp_path, keys=old_sessions(2))
    inject = f"inject=flock:error={error}:when={which}"
    run, calls = traced(cleanup(tmp_path, "--quiet"), "-e", inject, calls=["flock", "renameat", "unlinkat"])
    assert run.returncode == 1
    assert "no kernel locks" in run.stderr
    assert not [call for call in calls if call.name == "renameat"]
    assert (folder / "session-0.0.json").exists()


@pytest.mark.parametrize("kind", ["folder", "link", "fifo"])
def test_a_lock_file_that_is_no_file_is_refused_without_waiting(tmp_path: Path, kind: str) -> None:
    folder = company_folder(tmp_path / "root", keys=old_sessions(2))
    outside = tmp_path / "outside"
    outside.write_text("precious")
    lock = folder / LOCK
    if kind == "folder":
        lock.mkdir()
    elif kind == "link":
        lock.symlink_to(outside)
    else:
        os.mkfifo(lock)
    run = clean(tmp_path / "root", "--quiet")
    assert run.returncode == 1
    assert LOCK in run.stderr
    assert (folder / "session-0.0.json").exists()
    assert outside.read_text() == "precious"


# --- many at once -------------------------------------------------------------------------------------------


def start_all(command: Sequence[str | Path], number: int) -> list[subprocess.Popen[str]]:
    return [
        subprocess.Popen(command, env=scrubbed_environment(), stdout=subprocess.PIPE, text=True, cwd="/")
        for _ in range(number)
    ]


def removed_by_each(processes: Sequence[subprocess.Popen[str]]) -> Counter[str]:
    """How often each file was removed, after what naive.py says."""
    return Counter(line for each in processes for line in each.communicate(timeout=120)[0].splitlines())


def test_the_harness_catches_files_counted_twice_under_a_lock_that_excludes_nobody(tmp_path: Path) -> None:
    folder = company_folder(tmp_path, keys=old_sessions(20))
    counts = removed_by_each(start_all(python(NAIVE, "shared-lock", folder), 8))
    assert max(counts.values()) > 1


def test_32_processes_on_one_root_remove_each_file_once(tmp_path: Path) -> None:
    companies = [company_folder(tmp_path, str(number), keys=old_sessions(40)) for number in range(4)]
    reports: list[dict[str, Any]] = []
    codes = Counter[int]()
    for done in at_once(cleanup(tmp_path, "--json"), 32):
        codes[done.returncode] += 1
        reports.append(json.loads(done.stdout))
    results = [
        company["result"] for report in reports for company in report["companies"] if "result" in company
    ]
    assert sum(result["removed"] for result in results) == 4 * 40
    assert sum(len(result["not_removed"]) for result in results) == 0
    assert set(codes) <= {0, 75}
    for folder in companies:
        moved = [path.name for path in folder.glob(".baileys-tools/quarantine/*/*")]
        assert Counter(moved) == Counter(old_sessions(40).keys())
        assert not (folder / LOCK).exists()


def holdings_in_time(lines: Sequence[str]) -> dict[str, list[tuple[float, float]]]:
    """From a trace (-ttt -T -y): by folder, from the end of taking its lock to the start of giving it up."""
    taken: dict[str, float] = {}
    found: dict[str, list[tuple[float, float]]] = {}
    for line in lines:
        moment = float(line.split()[0])
        if lock := re.search(
            r"flock\(\d+<([^>]+/company_\w+)>, LOCK_\w+(?:\|LOCK_NB)?\) = 0 <([\d.]+)>", line
        ):
            taken[lock[1]] = moment + float(lock[2])
        elif (end := re.search(r'unlinkat\(\d+<([^>]+)>, "\.cleanup\.lock"', line)) and end[1] in taken:
            found.setdefault(end[1], []).append((taken.pop(end[1]), moment))
    return found


def overlaps(held: Sequence[tuple[float, float]]) -> int:
    ordered = sorted(held)
    return sum(later[0] < earlier[1] for earlier, later in pairwise(ordered))


def hold_at_once(place: Path, command: Sequence[str | Path], number: int) -> tuple[int, int]:
    """Run `command` `number` times at once; return how often a folder was held, and how often by two."""
    traces = [place / f"trace-{each}" for each in range(number)]
    processes = [
        subprocess.Popen(
            [*strace(str(trace), ["flock", "unlinkat"], "-ttt", "-T", "-y", "--"), *command],
            env=scrubbed_environment(),
            stdout=subprocess.DEVNULL,
        )
        for trace in traces
    ]
    for process in processes:
        process.wait(timeout=300)
    held: dict[str, list[tuple[float, float]]] = {}
    for trace in traces:
        for folder, times in holdings_in_time(trace.read_text(errors="replace").splitlines()).items():
            held.setdefault(folder, []).extend(times)
    return sum(map(len, held.values())), sum(map(overlaps, held.values()))


@pytest.mark.faults
def test_the_harness_sees_two_holders_of_a_lock_that_excludes_nobody(tmp_path: Path) -> None:
    folder = company_folder(tmp_path / "root", keys=old_sessions(20))
    held, twice = hold_at_once(tmp_path, python(NAIVE, "shared-lock", folder), 8)
    assert held == 8
    assert twice > 0


@pytest.mark.faults
def test_32_processes_on_one_root_never_hold_a_company_twice(tmp_path: Path) -> None:
    root = tmp_path / "root"
    held = twice = 0
    for turn in range(5):
        for number in range(4):
            company_folder(
                root, str(number), keys={f"session-{turn}{each}.0.json": OLD for each in range(60)}
            )
        more = hold_at_once(tmp_path, cleanup(root, "--quiet"), 32)
        held, twice = held + more[0], twice + more[1]
    print(f"{held} times a company was held, {twice} times by two")
    assert held >= 5 * 4
    assert twice == 0


# --- what is told of it -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trouble", "said", "code"),
    [
        (Locked("process 7"), "company 1001 is locked by process 7", ExitCode.LOCKED),
        (
            OSError(errno.EROFS, "read-only"),
            "company 1001: the file system is read-only: mount it writable, or look with --dry-run",
            ExitCode.FAILED,
        ),
        # Who writes snapshots holds the repository, and "locked by another process is writing" was no English.
        (
            RepositoryLocked("1001"),
            "another process is writing snapshots of company 1001",
            ExitCode.LOCKED,
        ),
    ],
    ids=["locked", "refused by the system", "the repository is locked"],
)
def test_a_company_that_cannot_be_worked_on_is_told_in_one_way(
    trouble: Exception, said: str, code: ExitCode
) -> None:
    with pytest.raises(BaileysToolsError) as told, told_of("1001"):
        raise trouble
    assert (told.value.message, told.value.exit_code) == (said, code)
