"""What changes between the plan and the removal is seen at the moment of effect.

The command is stopped at an exact call, the folder is changed, and the command goes on: nothing here depends
on who is faster. Only the storm does, and that one is meant to hit everything.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from baileys_tools.cleanup.cleaning import run_cleanup
from baileys_tools.config import load_settings
from tests.integration.faults.injection import (
    Call,
    after_lock,
    before_first_removal,
    cleanup,
    opening_of_first_removal,
    paused_after,
    python,
    traced,
)
from tests.integration.faults.places import RENAME_EXCHANGE, exchange
from tests.support import company_folder, snapshot_tree, write_key

NAIVE = Path(__file__).parents[1] / "faults" / "naive.py"
OLD = timedelta(days=20)
KEYS = {f"session-{number}.0.json": OLD for number in range(4)}


@contextmanager
def stopped_with_a_plan(place: Path, *, opened: bool = False) -> Iterator[tuple[Path, Any]]:
    """Yield a folder and the stopped cleanup of it: all is planned, and if `opened` one file is open."""
    company_folder(place / "counted", keys=KEYS)
    _, calls = traced(cleanup(place / "counted", "--json"))
    point = opening_of_first_removal(calls) if opened else before_first_removal(calls)
    folder = company_folder(place / "root", keys=KEYS)
    with paused_after(point, cleanup(place / "root", "--json")) as command:
        yield folder, command


def outcomes(command: Any) -> dict[str, str]:
    command.go_on()
    assert command.returncode == 0, command.stderr
    result = json.loads(command.stdout)["companies"][0]["result"]
    found = {each["file"]: each["outcome"] for each in result["not_removed"]}
    assert result["removed"] == len(KEYS) - len(found)
    return found


def test_the_harness_catches_a_cleanup_that_does_not_look_again(tmp_path: Path) -> None:
    _, calls = traced(python(NAIVE, "unlink", company_folder(tmp_path / "counted", keys=KEYS)))
    point = calls[next(index for index, call in enumerate(calls) if call.name == "unlink") - 1]
    folder = company_folder(tmp_path / "root", keys=KEYS)
    with paused_after(point, python(NAIVE, "unlink", folder)) as command:
        for name in KEYS:
            (folder / name).write_text('{"the bot": "wrote this"}')
        command.go_on()
    assert not list(folder.glob("session-*"))


def test_files_that_vanished_after_the_plan_are_already_gone_and_not_counted(tmp_path: Path) -> None:
    with stopped_with_a_plan(tmp_path) as (folder, command):
        gone = ["session-0.0.json", "session-2.0.json"]
        for name in gone:
            (folder / name).unlink()
        assert outcomes(command) == dict.fromkeys(gone, "already-gone")


@pytest.mark.parametrize("opened", [False, True], ids=["before it is opened", "while it is open"])
def test_files_rewritten_after_the_plan_are_kept_as_the_bot_wrote_them(tmp_path: Path, opened: bool) -> None:
    with stopped_with_a_plan(tmp_path, opened=opened) as (folder, command):
        for name in KEYS:
            (folder / name).write_text('{"the bot": "wrote this"}')
        written = snapshot_tree(folder)
        assert outcomes(command) == dict.fromkeys(KEYS, "changed")
    assert snapshot_tree(folder) == written


@pytest.mark.parametrize("opened", [False, True], ids=["before it is opened", "while it is open"])
def test_files_replaced_after_the_plan_are_kept(tmp_path: Path, opened: bool) -> None:
    with stopped_with_a_plan(tmp_path, opened=opened) as (folder, command):
        for name in KEYS:
            old = (folder / name).stat()
            new = folder / "new"
            # Same size, same age: only the inode tells.
            new.write_text("[]")
            os.utime(new, ns=(old.st_mtime_ns, old.st_mtime_ns))
            new.replace(folder / name)
        written = snapshot_tree(folder)
        assert set(outcomes(command)) == set(KEYS)
    assert snapshot_tree(folder) == written


def test_files_touched_after_the_plan_are_kept(tmp_path: Path) -> None:
    with stopped_with_a_plan(tmp_path) as (folder, command):
        for name in KEYS:
            os.utime(folder / name)
        assert outcomes(command) == dict.fromkeys(KEYS, "changed")


def test_files_linked_after_the_plan_are_kept(tmp_path: Path) -> None:
    with stopped_with_a_plan(tmp_path) as (folder, command):
        for name in KEYS:
            os.link(folder / name, tmp_path / name)
        assert outcomes(command) == dict.fromkeys(KEYS, "changed")


def test_names_taken_by_links_and_pipes_after_the_plan_are_left_alone(tmp_path: Path) -> None:
    outside = write_key(tmp_path, "outside", OLD)
    with stopped_with_a_plan(tmp_path) as (folder, command):
        for name in KEYS:
            (folder / name).unlink()
        (folder / "session-0.0.json").symlink_to(outside)
        os.mkfifo(folder / "session-1.0.json")
        (folder / "session-2.0.json").mkdir()
        os.link(outside, folder / "session-3.0.json")
        left = snapshot_tree(folder)
        assert set(outcomes(command)) == set(KEYS)
    assert snapshot_tree(folder) == left
    assert outside.exists()


def test_a_folder_swapped_for_a_link_after_it_was_opened_is_still_the_one_that_is_cleaned(
    tmp_path: Path,
) -> None:
    outside = company_folder(tmp_path / "outside", keys=KEYS)
    before = snapshot_tree(outside, ignore=())
    with stopped_with_a_plan(tmp_path) as (folder, command):
        decoy = tmp_path / "decoy"
        decoy.symlink_to(outside)
        exchange(folder, decoy)
        assert folder.is_symlink()
        assert outcomes(command) == {}
    assert not list(decoy.glob("session-*"))
    assert snapshot_tree(outside, ignore=()) == before


@pytest.mark.parametrize("number", range(3), ids=["our folder", "quarantine", "run"])
def test_our_own_folder_swapped_for_a_link_while_it_is_made_leads_nowhere(
    tmp_path: Path, number: int
) -> None:
    company_folder(tmp_path / "counted", keys=KEYS)
    calls = after_lock(traced(cleanup(tmp_path / "counted", "--json"))[1])
    made: Call = [call for call in calls if call.name == "mkdirat"][number]
    outside = tmp_path / "outside"
    outside.mkdir()
    folder = company_folder(tmp_path / "root", keys=KEYS)
    with paused_after(made, cleanup(tmp_path / "root", "--json")) as command:
        new = [folder, *sorted(folder.glob(".baileys-tools/**/"))][-1]
        new.rename(new.with_name("moved"))
        new.symlink_to(outside)
        command.go_on()
    assert list(outside.iterdir()) == []
    assert {path.name for path in folder.glob("session-*")} == set(KEYS)


# --- the storm ----------------------------------------------------------------------------------------------

STORM = f"""
import ctypes, os, sys
libc = ctypes.CDLL(None)
one, other = map(os.fsencode, sys.argv[1:])
print("swapping", flush=True)
while True:
    libc.renameat2(-100, one, -100, other, {RENAME_EXCHANGE})
"""


@contextmanager
def storm(one: Path, other: Path) -> Iterator[None]:
    """Swap two names as fast as it goes."""
    command = python("-c", STORM, one, other)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield
        finally:
            process.kill()


def make_storm_place(place: Path) -> tuple[Path, Path, Path]:
    """A company folder, a link to an outside folder that looks the same, and that outside folder."""
    folder = company_folder(place / "root", keys=KEYS)
    outside = company_folder(place / "outside", keys=KEYS)
    link = place / "root" / "decoy"
    link.symlink_to(outside)
    return folder, link, outside


def test_the_storm_catches_a_cleanup_that_works_by_path(tmp_path: Path) -> None:
    folder, link, outside = make_storm_place(tmp_path)
    before = snapshot_tree(outside, ignore=())
    with storm(folder, link):
        for _ in range(200):
            subprocess.run(python(NAIVE, "by-path", folder), capture_output=True, check=False, timeout=60)
            if snapshot_tree(outside, ignore=()) != before:
                return
    pytest.fail("no file outside was ever touched")


def clean_in_a_storm(place: Path, turns: int) -> Counter[str]:
    folder, link, outside = make_storm_place(place)
    before = snapshot_tree(outside, ignore=())
    inside = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    own = {"BAILEYS_TOOLS_STATE_DIR": str(place / "state")}
    settings = load_settings({"cleanup.undo_window": "0"}, own, config=None).settings
    statuses = Counter[str]()
    long_ago = (datetime.now(UTC) - OLD).timestamp()
    try:
        with storm(folder, link):
            for _ in range(turns):
                for name in KEYS:
                    file = os.open(name, os.O_CREAT | os.O_WRONLY, 0o600, dir_fd=inside)
                    os.utime(file, (long_ago, long_ago))
                    os.close(file)
                report = run_cleanup(settings, str(place / "root"), datetime.now(UTC))
                statuses.update(company.status.value for company in report.companies)
                assert snapshot_tree(outside, ignore=()) == before
    finally:
        os.close(inside)
    return statuses


def test_cleanup_in_a_storm_of_swaps_touches_nothing_outside(tmp_path: Path) -> None:
    statuses = clean_in_a_storm(tmp_path, 300)
    assert statuses["cleaned"] > 0, statuses
    assert statuses["failed"] > 0, statuses


@pytest.mark.faults
def test_cleanup_in_a_long_storm_of_swaps_touches_nothing_outside(tmp_path: Path) -> None:
    statuses = clean_in_a_storm(tmp_path, 10_000)
    print(statuses)
    assert min(statuses["cleaned"], statuses["failed"]) > 100, statuses
