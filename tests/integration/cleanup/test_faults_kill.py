"""Killed at any instant, a cleanup or an undo has lost nothing, and the next run needs nobody's help."""

from __future__ import annotations

import random
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.integration.faults.forked import run_forked
from tests.integration.faults.injection import (
    A_QUARTER,
    ALL,
    CHANGING,
    Call,
    after_lock,
    cleanup,
    on_data,
    python,
    traced,
    undo,
)
from tests.integration.faults.kills import (
    OLD,
    Recovery,
    Sweep,
    completes_and_can_be_undone,
    differences,
    forget_state,
    holdings,
    losses,
    next_run_completes,
    plan_of,
    small_folder,
    sweep,
    undo_brings_all_back,
)
from tests.support import Entry, company_folder, scrubbed_environment, snapshot_tree, write_key

NAIVE = Path(__file__).parents[1] / "faults" / "naive.py"
AT_ONCE = {"BAILEYS_TOOLS_CLEANUP__UNDO_WINDOW": "0"}


def points_of_cleanup(
    place: Path,
    calls: Sequence[str],
    lay: Callable[[Path], Path] = small_folder,
    env: Mapping[str, str] | None = None,
) -> list[Call]:
    root = place / "counted"
    forget_state()
    lay(root)
    run, made = traced(
        cleanup(root, "--quiet"), "-y", calls=calls if "flock" in calls else [*calls, "flock"], env=env
    )
    assert run.returncode == 0, run.stderr
    shutil.rmtree(root)
    return [call for call in after_lock(made) if call.name in calls]


def sweep_cleanup(place: Path, calls: Sequence[str], fault: str = "signal=KILL", every: int = 1) -> Sweep:
    points = points_of_cleanup(place, calls)
    result = sweep(
        place,
        points[::every] if "KILL" in fault else on_data(points),
        lambda root: cleanup(root, "--quiet"),
        fault,
        recovers=completes_and_can_be_undone,
    )
    print(result)
    return result


def assert_nothing_wrong(result: Sweep, *, points: int) -> None:
    assert result.hits == result.points >= points
    assert not result.troubles, "\n".join(result.troubles)


# --- the harness itself -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "what"),
    [
        ("unlink", "is gone, and no copy is byte for byte"),
        ("copy", "is gone, and no copy is byte for byte"),
        ("key-first", "stands without its key"),
    ],
)
def test_the_sweep_catches_a_naive_cleanup(tmp_path: Path, how: str, what: str) -> None:
    command = python(NAIVE, how)
    _, made = traced([*command, small_folder(tmp_path / "counted")], calls=("flock", "rename", "unlink"))
    result = sweep(
        tmp_path,
        after_lock(made)[1:],
        lambda root: [*command, root / "company_1001"],
        recovers=lambda state: [],
    )
    assert result.hits == result.points >= 5
    assert [trouble for trouble in result.troubles if what in trouble], result


# --- cleanup ------------------------------------------------------------------------------------------------


def test_a_cleanup_killed_before_a_move_loses_nothing(tmp_path: Path) -> None:
    result = sweep_cleanup(tmp_path, ("mkdirat", "renameat", "unlinkat"), every=A_QUARTER)
    assert_nothing_wrong(result, points=3)


@pytest.mark.faults
@pytest.mark.timeout(1500)
def test_a_cleanup_killed_before_any_call_loses_nothing(tmp_path: Path) -> None:
    result = sweep_cleanup(tmp_path, ALL)
    assert_nothing_wrong(result, points=100)


@pytest.mark.faults
def test_a_cleanup_without_undo_killed_at_any_change_leaves_nothing_half_removed(tmp_path: Path) -> None:
    result = sweep(
        tmp_path,
        points_of_cleanup(tmp_path, CHANGING, env=AT_ONCE),
        lambda root: cleanup(root, "--quiet"),
        recovers=next_run_completes,
        undoable=False,
        env=AT_ONCE,
    )
    print(result)
    assert_nothing_wrong(result, points=15)


# --- a run that has to mend and to purge --------------------------------------------------------------------


def interrupted_folder(root: Path) -> Path:
    """A folder as a killed run leaves it, with an older quarantine whose time is over."""
    folder = small_folder(root)
    (folder / "session-1.0.json").rename(folder / ".baileys-tools-removing-session-1.0.json")
    last, expired = (
        folder / ".baileys-tools" / "quarantine" / f"{datetime.now(UTC) - age:%Y%m%dT%H%M%SZ}-0a1b2c"
        for age in (timedelta(hours=1), timedelta(hours=25))
    )
    for run in (last, expired):
        run.mkdir(parents=True)
    write_key(last, "session-8.0.json", content="the bot wrote here after the move")
    write_key(expired, "session-9.0.json", OLD)
    return folder


def is_mended(state: Recovery) -> list[str]:
    run = run_forked(cleanup(state.root, "--quiet"))
    wrong = (
        [] if run.returncode == 0 and not run.stderr else [f"next run: exit {run.returncode} {run.stderr}"]
    )
    live = snapshot_tree(state.folder)
    if b"session-8.0.json" not in live:
        wrong.append("what the bot wrote did not come back")
    if b"session-1.0.json" in live:
        wrong.append("the half removed file was not removed in the end")
    own = snapshot_tree(state.folder, ignore=())
    return wrong + [f"{name!r} is left" for name in own if b"removing" in name or b"session-9" in name]


def mending_sweep(place: Path, calls: Sequence[str], every: int = 1) -> Sweep:
    result = sweep(
        place,
        points_of_cleanup(place, calls, interrupted_folder)[::every],
        lambda root: cleanup(root, "--quiet"),
        lay=interrupted_folder,
        recovers=is_mended,
        may_go={b"session-9.0.json"},
    )
    print(result)
    return result


def test_a_run_that_mends_killed_at_a_link_can_itself_be_mended(tmp_path: Path) -> None:
    result = mending_sweep(tmp_path, ("linkat", "unlinkat"), every=A_QUARTER)
    assert_nothing_wrong(result, points=2)


@pytest.mark.faults
@pytest.mark.timeout(1500)
def test_a_run_that_mends_killed_at_any_call_can_itself_be_mended(tmp_path: Path) -> None:
    result = mending_sweep(tmp_path, ALL)
    assert_nothing_wrong(result, points=100)


# --- undo ---------------------------------------------------------------------------------------------------


def undo_sweep(place: Path, calls: Sequence[str], fault: str = "signal=KILL", every: int = 1) -> Sweep:
    """Disturb an undo, then undo again: the tree is what it was before the cleanup."""
    first: dict[Path, dict[bytes, Entry]] = {}

    def cleaned_folder(root: Path) -> Path:
        folder = small_folder(root)
        first[folder] = snapshot_tree(folder)
        assert run_forked(cleanup(root, "--quiet")).returncode == 0
        return folder

    def comes_back(state: Recovery) -> list[str]:
        return [
            what
            for what in undo_brings_all_back(state)
            if "too much" not in what  # compared with the cleaned tree
        ] + differences("undo", first[state.folder], snapshot_tree(state.folder))

    counted = place / "counted"
    forget_state()
    cleaned_folder(counted)
    _, made = traced(undo(counted, "--quiet"), "-y", calls=[*calls, "flock"])
    points = [call for call in after_lock(made) if call.name in calls]
    result = sweep(
        place,
        points[::every] if "KILL" in fault else on_data(points),
        lambda root: undo(root, "--quiet"),
        fault,
        lay=cleaned_folder,
        recovers=comes_back,
    )
    print(result)
    return result


def test_an_undo_killed_at_a_link_is_completed_by_the_next_undo(tmp_path: Path) -> None:
    result = undo_sweep(tmp_path, ["linkat"], every=A_QUARTER)
    assert_nothing_wrong(result, points=2)


@pytest.mark.faults
@pytest.mark.timeout(1500)
def test_an_undo_killed_at_any_call_is_completed_by_the_next_undo(tmp_path: Path) -> None:
    result = undo_sweep(tmp_path, ALL)
    assert_nothing_wrong(result, points=60)


# --- again and again ----------------------------------------------------------------------------------------


@pytest.mark.faults
@pytest.mark.parametrize("env", [{}, AT_ONCE], ids=["with undo", "without undo"])
def test_a_cleanup_killed_three_times_gets_there_and_loses_nothing(
    tmp_path: Path, env: dict[str, str]
) -> None:
    dice = random.Random(20260115)
    points = points_of_cleanup(tmp_path, CHANGING, env=env)
    planned = plan_of(small_folder(tmp_path / "planned").parent, env)
    assert len(planned) >= 5
    kills = 0
    for turn in range(25):
        root = tmp_path / f"turn-{turn}"
        folder = small_folder(root)
        tree = snapshot_tree(folder)
        for point in dice.choices(points, k=3):
            forget_state()
            inject = f"inject={point.name}:signal=KILL:when={point.nth}"
            run, _ = traced(cleanup(root, "--quiet"), "-e", inject, calls=[point.name], env=env)
            kills += run.returncode == -9
        run_again = run_forked(cleanup(root, "--quiet"), env)
        assert (run_again.returncode, run_again.stderr) == (0, ""), turn
        left = snapshot_tree(folder, ignore=())
        assert not [name for name in left if name in planned or b"removing" in name], turn
        if not env:
            assert undo_brings_all_back(Recovery(root, folder, tree, planned, env)) == [], turn
        shutil.rmtree(root)
    print(f"{kills} kills in 25 folders")
    assert kills >= 40


def large_folder(root: Path) -> Path:
    return company_folder(root, keys={f"session-{number}.0.json": OLD for number in range(2_000)})


@pytest.mark.faults
def test_a_cleanup_killed_at_random_moments_loses_nothing(tmp_path: Path) -> None:
    dice = random.Random(20260116)
    kills = midway = 0
    for turn in range(40):
        root = tmp_path / f"turn-{turn}"
        folder = large_folder(root)
        before, tree = holdings(folder), snapshot_tree(folder)
        process = subprocess.Popen(cleanup(root, "--quiet"), env=scrubbed_environment())
        while process.poll() is None and not (folder / ".cleanup.lock").exists():
            time.sleep(0.001)
        time.sleep(dice.uniform(0, 0.15))
        process.kill()
        kills += process.wait() == -9
        planned = before.keys() - {b"creds.json"}
        midway += 0 < sum("live" not in places for places in holdings(folder).values()) < len(planned)
        assert losses(folder, before, planned, undoable=True) == []
        state = Recovery(root, folder, tree, planned, None)
        assert completes_and_can_be_undone(state) == []
        shutil.rmtree(root)
    print(f"{kills} kills, {midway} of them midway")
    assert midway >= 5


# --- errors instead of kills --------------------------------------------------------------------------------


@pytest.mark.faults
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("error", ["EIO", "EACCES", "EPERM"])
def test_an_error_of_any_call_of_a_cleanup_loses_nothing(tmp_path: Path, error: str) -> None:
    calls = [name for name in ALL if name not in ("close", "read", "write")]
    result = sweep_cleanup(tmp_path, calls, f"error={error}")
    assert_nothing_wrong(result, points=80)


@pytest.mark.faults
@pytest.mark.timeout(1500)
def test_a_disk_that_is_full_at_any_call_of_a_cleanup_leaves_nothing_half_removed(tmp_path: Path) -> None:
    """Where there is no room for a quarantine, a planned file goes for good, and the run says so."""
    calls = [name for name in ALL if name not in ("close", "read", "write")]
    result = sweep(
        tmp_path,
        on_data(points_of_cleanup(tmp_path, calls)),
        lambda root: cleanup(root, "--quiet"),
        "error=ENOSPC",
        recovers=next_run_completes,
        undoable=False,
    )
    print(result)
    assert_nothing_wrong(result, points=80)


@pytest.mark.faults
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("error", ["EIO", "EPERM"])
def test_an_error_of_any_call_of_an_undo_loses_nothing(tmp_path: Path, error: str) -> None:
    calls = [name for name in ALL if name not in ("close", "read", "write")]
    result = undo_sweep(tmp_path, calls, f"error={error}")
    assert_nothing_wrong(result, points=30)
