"""Killed at any instant, a restore leaves a folder that is old or new, and the next command sees to it."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from baileys_tools.errors import ExitCode
from tests.integration.faults.forked import run_forked
from tests.integration.faults.injection import A_QUARTER, cleanup, paused_after, python, traced
from tests.integration.faults.restores import (
    EVERY,
    MEMORY,
    MOVING,
    NO_SWAP,
    Killed,
    Scene,
    damaged,
    kill_at_each,
    restore,
)
from tests.support import creds

NAIVE = Path(__file__).parents[1] / "faults" / "naive_restore.py"
STEPS = ("renameat", "renameat2", "mkdirat", "unlinkat", "fsync")


def assert_old_or_new(result: Killed, *, points: int) -> None:
    # A run in another folder makes a few calls more or less than the one that was counted.
    assert result.hits >= result.points * 0.98 >= points * 0.98
    assert not result.troubles, "\n".join(result.troubles or [])
    assert result.old + result.new == result.points


def test_the_judgement_catches_a_copy_over_the_folder(tmp_path: Path) -> None:
    """The harness proves itself: files that are copied in place leave mixtures behind."""
    scene = damaged(tmp_path / "first")
    old = scene.tree()
    good = tmp_path / "good"
    shutil.copytree(scene.folder, good)
    for name in os.listdir(good):
        (good / name).write_text("restored")
    command = python(NAIVE, good)
    _, made = traced(
        [*command, shutil.copytree(scene.folder, tmp_path / "counted")], calls=["openat", "write"]
    )
    points = [call for call in made if call.name == "write"]
    mixed = 0
    for point in points:
        target = tmp_path / f"write-{point.nth}"
        shutil.copytree(scene.folder, target)
        traced([*command, target], "-e", f"inject=write:signal=KILL:when={point.nth}", calls=["write"])
        contents = {path.read_text() for path in target.iterdir() if path.is_file()}
        mixed += "restored" in contents and len(contents) > 1
    assert len(points) >= 10
    assert mixed > len(points) / 2
    assert scene.tree() == old


def test_a_repair_killed_at_a_step_is_finished_or_given_up(tmp_path: Path) -> None:
    assert_old_or_new(kill_at_each(tmp_path, [], STEPS, every=A_QUARTER), points=5)


def test_a_rollback_killed_at_a_step_leaves_the_old_or_the_new_folder(tmp_path: Path) -> None:
    assert_old_or_new(kill_at_each(tmp_path, ["--mode", "rollback"], STEPS, every=A_QUARTER), points=3)


@pytest.mark.parametrize("options", [[], ["--mode", "rollback"]], ids=["repair", "rollback"])
@pytest.mark.parametrize(
    "every", [A_QUARTER, pytest.param(1, marks=pytest.mark.faults)], ids=["a quarter", "all"]
)
def test_where_names_cannot_be_swapped_it_takes_two_renames_and_still_holds(
    tmp_path: Path, options: list[str], every: int
) -> None:
    result = kill_at_each(tmp_path, options, ("renameat", "linkat"), extra=NO_SWAP, every=every)
    assert_old_or_new(result, points=4 if every == 1 else 1)


def test_two_renames_instead_of_a_swap_are_said(tmp_path: Path) -> None:
    scene = damaged(tmp_path / "first")
    command = [word for word in restore("--mode", "rollback") if word != "--quiet"]
    run, _ = traced(command, *NO_SWAP, calls=["renameat2"], env=scene.env)
    assert run.returncode == 0, run.stderr
    assert "cannot swap folders" in run.stdout
    assert os.listdir(scene.sessions) == ["company_1001"]


def test_what_cannot_be_moved_away_is_named_and_the_rest_is_repaired(tmp_path: Path) -> None:
    scene = damaged(tmp_path / "first")
    done = scene.copy(tmp_path / "done")
    assert run_forked(restore(), done.env).returncode == 0
    _, made = traced(restore(), calls=["renameat"], env=scene.copy(tmp_path / "counted").env)
    (moved,) = [call for call in made if MEMORY in call.text]
    inject = f"inject=renameat:error=EIO:when={moved.nth}"
    run, _ = traced(restore(), "-e", inject, calls=["renameat"], env=scene.env)
    assert run.returncode == ExitCode.PARTLY_FAILED
    assert MEMORY in run.stderr
    before_again = scene.tree()
    assert before_again.pop(os.fsencode(MEMORY))
    assert before_again == done.tree()
    assert run_forked(restore(), scene.env).returncode == 0
    assert scene.tree() == done.tree()


@pytest.mark.parametrize("options", [[], ["--mode", "rollback"]], ids=["repair", "rollback"])
def test_a_full_disk_is_said_with_what_became_of_the_folder(tmp_path: Path, options: list[str]) -> None:
    scene = damaged(tmp_path / "first")
    before = scene.tree()
    full = ("-e", "inject=mkdirat:error=ENOSPC")
    run, _ = traced(restore(*options), *full, calls=["mkdirat"], env=scene.env)
    assert run.returncode == ExitCode.FAILED
    assert "no space left on device: make room (df -h; df -i)" in run.stderr
    assert "Nothing was changed." in run.stderr
    assert scene.tree() == before


def test_a_repair_that_fails_half_way_says_who_finishes_it(tmp_path: Path) -> None:
    scene = damaged(tmp_path / "first")
    full = ("-e", "inject=renameat2:error=ENOSPC")
    run, _ = traced(restore(), *full, calls=["renameat2"], env=scene.env)
    assert run.returncode == ExitCode.FAILED
    assert "It had begun: the next restore or cleanup finishes it." in run.stderr
    assert run_forked(restore(), scene.env).returncode == 0


def waiting(scene: Scene) -> set[str]:
    """The names of what waits for undo."""
    return {path.name for path in (scene.folder / ".baileys-tools" / "quarantine").glob("*/*")}


def test_a_repair_deletes_nothing_where_there_is_no_room_to_set_it_aside(tmp_path: Path) -> None:
    scene = damaged(tmp_path / "first")
    _, made = traced(restore(), calls=["mkdirat"], env=scene.copy(tmp_path / "counted").env)
    place = next(call for call in made if '"quarantine"' in call.text)
    full = ("-e", f"inject=mkdirat:error=ENOSPC:when={place.nth}+")
    run, _ = traced(restore(), *full, calls=["mkdirat"], env=scene.env)
    assert run.returncode == ExitCode.FAILED
    assert "cannot make the quarantine .baileys-tools: No space left on device" in run.stderr
    assert "It had begun: the next restore or cleanup finishes it." in run.stderr
    assert (scene.folder / MEMORY).exists()
    assert run_forked(restore(), scene.env).returncode == 0
    assert not (scene.folder / MEMORY).exists()
    assert MEMORY in waiting(scene)


def test_a_file_that_cannot_be_kept_is_not_replaced(tmp_path: Path) -> None:
    scene = damaged(tmp_path / "first")
    no_links = ("-e", "inject=linkat:error=EPERM")
    counted = scene.copy(tmp_path / "counted")
    _, made = traced(restore(), *no_links, calls=["linkat", "write"], env=counted.env)
    copies = [call for call in made if call.name == "write" and r'"{\"torn"' in call.text]
    assert len(copies) == 2, "creds.json and the pre-key; the torn session is only set aside"
    full = ("-e", f"inject=write:error=ENOSPC:when={copies[0].nth}")
    run, _ = traced(restore(), *no_links, *full, calls=["linkat", "write"], env=scene.env)
    assert run.returncode == ExitCode.FAILED
    assert "no space left on device" in run.stderr
    torn = {name for name in os.listdir(scene.folder) if b'{"torn' in read(scene.folder / name)}
    assert len(torn) == 2
    assert not torn & waiting(scene), "no half copy"
    assert run_forked(restore(), scene.env).returncode == 0
    assert torn < waiting(scene)


def test_a_repair_that_died_is_not_finished_in_the_folder_of_another_pairing(tmp_path: Path) -> None:
    scene = damaged(tmp_path / "first")
    _, made = traced(restore(), calls=["renameat"], env=scene.copy(tmp_path / "counted").env)
    (moved,) = [call for call in made if MEMORY in call.text]
    kill = ("-e", f"inject=renameat:signal=KILL:when={moved.nth}")
    run, _ = traced(restore(), *kill, calls=["renameat"], env=scene.env)
    assert run.returncode == -9
    assert (scene.folder / ".baileys-tools" / "restore.json").exists()
    # The bot finds no creds, and a person scans the new code.
    paired = json.dumps(creds(registrationId=4711, me={"id": "15550001111:3@s.whatsapp.net"}))
    (scene.folder / "creds.json").write_text(paired)
    before = scene.tree()
    cleaned = run_forked(cleanup(scene.sessions), scene.env)
    said = " ".join(cleaned.stdout.split())
    assert "an interrupted repair was given up, as creds.json was written since" in said
    assert scene.tree() == before
    assert not (scene.folder / ".baileys-tools").exists()


def read(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""


@pytest.mark.faults
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("options", [[], ["--mode", "rollback"]], ids=["repair", "rollback"])
def test_a_restore_killed_before_any_call_is_old_or_new(tmp_path: Path, options: list[str]) -> None:
    assert_old_or_new(kill_at_each(tmp_path, options, EVERY), points=100)


@pytest.mark.faults
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("options", [[], ["--mode", "rollback"]], ids=["repair", "rollback"])
@pytest.mark.parametrize("error", ["EIO", "ENOSPC", "EACCES"])
def test_an_error_of_any_call_leaves_the_old_or_the_new_folder(
    tmp_path: Path, options: list[str], error: str
) -> None:
    result = kill_at_each(tmp_path, options, MOVING, fault=f"error={error}")
    assert not result.troubles, "\n".join(result.troubles or [])
    assert result.old + result.new + result.said == result.points >= 10
    assert result.said <= 1, "the memory of the lost own key is the only file that is moved away"
    assert not result.said or not options, "a rollback moves nothing away"


KILLED_HALF_WAY = ("-e", "inject=utimensat:signal=KILL:when=3")
"""While a restore of a folder that is gone writes its third file."""


def test_two_restores_of_a_folder_that_is_gone_never_publish_half_of_it(tmp_path: Path) -> None:
    """One has written all and is about to give it its name, when another begins and would die half way."""
    scene = damaged(tmp_path / "scene")
    shutil.rmtree(scene.folder)
    undisturbed = scene.copy(tmp_path / "undisturbed")
    run, made = traced(restore(), calls=["fsync", "renameat"], env=undisturbed.env)
    assert run.returncode == 0, run.stderr
    publishing = next(n for n, call in enumerate(made) if '-restore-company_1001", ' in call.text)
    with paused_after(made[publishing - 1], restore(), env=scene.env) as first:
        second, _ = traced(restore(), *KILLED_HALF_WAY, calls=["utimensat"], env=scene.env)
        first.go_on()
    assert first.returncode == 0, first.stderr
    assert scene.tree() == undisturbed.tree()
    assert second.returncode == ExitCode.LOCKED
    assert "locked by another restore" in second.stderr
    assert os.listdir(scene.sessions) == ["company_1001"]


def test_what_a_killed_restore_of_a_folder_that_is_gone_has_left_is_no_obstacle(tmp_path: Path) -> None:
    scene = damaged(tmp_path / "scene")
    shutil.rmtree(scene.folder)
    traced(restore(), *KILLED_HALF_WAY, calls=["utimensat"], env=scene.env)
    assert os.listdir(scene.sessions) == [".baileys-tools-restore-company_1001"]
    assert run_forked(restore(), scene.env).returncode == 0
    assert os.listdir(scene.sessions) == ["company_1001"]
