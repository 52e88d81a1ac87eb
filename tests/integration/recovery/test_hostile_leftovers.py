"""A hostile user of a bot against root, who cleans, restores, undoes: names, links and journals give no right."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from baileys_tools.errors import ExitCode
from baileys_tools.sessions import rollback
from baileys_tools.sessions.names import OWN_FOLDER
from baileys_tools.sessions.quarantine import QUARANTINE
from baileys_tools.sessions.scan import exists_in_own_folder
from tests.integration.faults.forked import run_forked
from tests.integration.faults.hostile import (
    ALICE,
    MALLORY,
    Treasure,
    as_user,
    company,
    dead_after_swap,
    flip,
    forge,
    meanwhile,
    roots_own,
)
from tests.integration.faults.injection import paused_after, traced
from tests.integration.faults.places import place_for_everybody
from tests.integration.faults.restores import move_sources
from tests.support import COMMAND, require_root

pytestmark = pytest.mark.root

IT = ("--company", "a")
EVERY_COMMAND = (
    ("cleanup", "--quiet"),
    ("undo", "--list"),
    ("restore", *IT, "--mode", "rollback", "--yes", "--force"),
    ("undo",),
    ("inspect", *IT),
    ("monitor-once",),
    ("reset", *IT, "--yes", "--force", "--no-pair"),
    ("backup", "--quiet"),
    ("cleanup", "--quiet"),
)


@pytest.fixture
def place() -> Iterator[Path]:
    require_root()
    with place_for_everybody() as made:
        (made / "sessions").mkdir(0o755)
        (made / "private").mkdir(0o700)
        yield made


def environment(place: Path) -> dict[str, str]:
    return {
        "BAILEYS_SESSIONS_PATH": str(place / "sessions"),
        "BAILEYS_TOOLS_BACKUP_PATH": str(place / "private" / "backups"),
        "BAILEYS_TOOLS_STATE_DIR": str(place / "private" / "state"),
        "BAILEYS_TOOLS_RESET__KEEP": "1d",
        "BAILEYS_TOOLS_CLEANUP__UNDO_WINDOW": "1m",
    }


def run_all(place: Path) -> None:
    for command in EVERY_COMMAND:
        done = run_forked([COMMAND, *command], environment(place))
        assert done.returncode != ExitCode.USAGE, done.stderr
        assert "internal error" not in done.stderr, done.stderr


# --- folders that are brought where ours stand --------------------------------------------------------------

BESIDE = (
    ".baileys-tools-restore-company_a",
    ".baileys-tools-reset-company_a",
    ".baileys-tools-replaced-company_a",
    ".baileys-tools-replaced-company_a-0a1b2c",
)


@pytest.mark.parametrize("name", BESIDE)
@pytest.mark.parametrize("whose", ["root's", "another company's"])
def test_what_is_renamed_to_a_name_of_ours_beside_a_session_is_left_alone(
    place: Path, name: str, whose: str
) -> None:
    sessions = place / "sessions"
    os.chown(sessions, MALLORY, MALLORY)
    company(sessions, "a", MALLORY)
    theirs = roots_own(sessions / "theirs") if whose == "root's" else company(sessions, "b", ALICE)
    treasure = Treasure.of(place, theirs)
    as_user(MALLORY, lambda: theirs.rename(sessions / name))
    run_all(place)
    assert not treasure.losses()


@pytest.mark.parametrize("owner", [0, MALLORY])
def test_a_name_proves_nothing_where_somebody_else_can_have_given_it(place: Path, owner: int) -> None:
    """The session is root's as well, so that even the owner is right: but others can rename what lies around it."""
    sessions = place / "sessions"
    company(sessions, "a", 0)
    theirs = roots_own(sessions / "theirs")
    os.chown(sessions, owner, MALLORY)
    sessions.chmod(0o775)
    treasure = Treasure.of(place, theirs)
    as_user(MALLORY, lambda: theirs.rename(sessions / BESIDE[0]))
    run_all(place)
    assert not treasure.losses()


@pytest.mark.parametrize("name", [".baileys-tools", "inside"])
def test_what_is_renamed_to_a_name_of_ours_in_a_session_is_left_alone(place: Path, name: str) -> None:
    folder = company(place / "sessions", "a", MALLORY)
    theirs = roots_own(folder / "theirs")
    treasure = Treasure.of(place, theirs)

    def bring() -> None:
        (folder / ".baileys-tools").rename(folder / "away")
        theirs.rename(folder / name)

    as_user(MALLORY, bring)
    run_all(place)
    assert not treasure.losses()


def forged_rollback(folder: Path, theirs: Path) -> None:
    seen = {path.name: path.stat() for path in theirs.iterdir() if path.is_file()}
    files = {name: [one.st_size, one.st_mtime_ns, one.st_ino] for name, one in seen.items()}
    forge(folder, "restore.json", mode="rollback", old=theirs.stat().st_ino, files=files)
    theirs.rename(folder.with_name(BESIDE[0]))


def forged_reset(folder: Path, theirs: Path) -> None:
    ids = {"in": folder.stat().st_ino, "out": theirs.stat().st_ino}
    forge(folder, "reset.json", run="20200101T000000Z-abcdef", **{"from": ""}, **ids)
    theirs.rename(folder.with_name(BESIDE[1]))


@pytest.mark.parametrize("forged", [forged_rollback, forged_reset])
@pytest.mark.parametrize("whose", ["root's", "another company's"])
def test_a_forged_journal_orders_nothing_about_the_folders_of_others(
    place: Path, forged: Callable[[Path, Path], None], whose: str
) -> None:
    sessions = place / "sessions"
    os.chown(sessions, MALLORY, MALLORY)
    folder = company(sessions, "a", MALLORY)
    if whose == "root's":
        theirs = roots_own(sessions / "theirs")
    else:
        theirs = company(sessions, "b", ALICE)
        theirs.chmod(0o755)
    treasure = Treasure.of(place, theirs)
    as_user(MALLORY, partial(forged, folder, theirs))
    run_all(place)
    assert not treasure.losses()


@pytest.mark.parametrize("name", [".baileys-tools-replaced-company_z", ".baileys-tools-restore-company_z"])
def test_what_somebody_leaves_under_a_name_of_ours_stops_no_other_company(place: Path, name: str) -> None:
    sessions = place / "sessions"
    sessions.chmod(0o1777)
    folder = company(sessions, "a", ALICE)
    gone = folder / ".baileys-tools" / "quarantine"

    def litter() -> None:
        (sessions / name).symlink_to("/nonexistent")
        for other in (".baileys-tools-restore-company_z", ".baileys-tools-replaced-company_z"):
            if other != name:
                (sessions / other).mkdir()
        (sessions / BESIDE[0]).mkdir()
        (sessions / BESIDE[0] / "file").write_text("in the way")

    as_user(MALLORY, litter)
    run = run_forked(
        [COMMAND, "cleanup", "--quiet"], environment(place) | {"BAILEYS_TOOLS_RESET__KEEP": "30d"}
    )
    assert run.returncode == 0, run.stderr
    assert not gone.exists(), "the cleanup came to its purge"


# --- folders that are changed for others while root works ---------------------------------------------------


@pytest.mark.parametrize(
    ("command", "made"),
    [
        (("restore", *IT, "--mode", "rollback", "--yes", "--force"), BESIDE[0]),
        (("reset", *IT, "--yes", "--force", "--no-pair"), BESIDE[1]),
    ],
    ids=["rollback", "reset"],
)
def test_a_new_folder_that_is_changed_for_roots_own_as_it_is_made_is_not_given_away(
    place: Path, command: tuple[str, ...], made: str
) -> None:
    sessions = place / "sessions"
    os.chown(sessions, MALLORY, MALLORY)
    company(sessions, "a", MALLORY)
    theirs = roots_own(sessions / "theirs")
    env = environment(place)
    assert run_forked([COMMAND, "backup", "--quiet"], env).returncode == 0
    other = place / "counted"
    other.mkdir()
    company(other, "a", MALLORY)
    shutil.copytree(env["BAILEYS_TOOLS_BACKUP_PATH"], other / "backups")
    move_sources(sessions, other)
    counted = env | {"BAILEYS_SESSIONS_PATH": str(other), "BAILEYS_TOOLS_BACKUP_PATH": f"{other}/backups"}
    run, calls = traced([COMMAND, *command], calls=["mkdirat"], env=counted)
    assert run.returncode == 0, run.stderr
    point = next(call for call in calls if made in call.text)
    treasure = Treasure.of(place, theirs)
    with paused_after(point, [COMMAND, *command], env=env) as paused:
        # A rename replaces an empty folder.
        as_user(MALLORY, lambda: theirs.rename(sessions / made))
        paused.go_on()
    assert paused.returncode not in (0, None)
    assert not treasure.losses()


def careless_take_over(old: int, new: int) -> None:
    """As it once was: by paths of two parts, of which a link in place of the first is followed."""
    for name in (QUARANTINE, "resets"):
        if exists_in_own_folder(name, old) and not exists_in_own_folder(name, new):
            path = f"{OWN_FOLDER}/{name}"
            os.rename(path, path, src_dir_fd=old, dst_dir_fd=new)


@pytest.mark.parametrize("is_careless", [False, True])
def test_nobody_gets_what_waits_in_another_companys_folder(
    place: Path, monkeypatch: pytest.MonkeyPatch, is_careless: bool
) -> None:
    """The owner of the old folder has a link in the place of its own one for as long as each rename takes."""
    folder, theirs = (company(place / "sessions", name, uid) for name, uid in (("a", MALLORY), ("b", ALICE)))
    treasure = Treasure.of(place, theirs / ".baileys-tools")
    old, new = (os.open(path, os.O_RDONLY) for path in (dead_after_swap(folder, MALLORY), folder))
    os.symlink("../company_b/.baileys-tools", ".baileys-tools-link", dir_fd=old)
    rename = os.rename

    def meanwhile_a_link(old_name: str, new_name: str, **folders: Any) -> None:
        flip(old, b".baileys-tools", b".baileys-tools-link")
        try:
            rename(old_name, new_name, **folders)
        finally:
            flip(old, b".baileys-tools", b".baileys-tools-link")

    monkeypatch.setattr(os, "rename", meanwhile_a_link)
    (careless_take_over if is_careless else rollback._take_over_what_waits)(old, new)
    os.close(old)
    os.close(new)
    assert bool(treasure.losses()) is is_careless, "and the careless one is caught"


AT_ONCE = 20
"""Races in one run of the command: its start takes longer than all of them."""


def race_for_anothers_quarantine(patched: bool = False) -> int:
    """Let root finish rollbacks while the owner of the old folders flips his own folder in them and a link; return in
    how many he got what waits for undo in another company's."""
    with place_for_everybody() as place, ExitStack() as opened:
        (place / "sessions").mkdir(0o755)
        (place / "private").mkdir(0o700)
        olds, treasures = [], []
        for number in range(AT_ONCE):
            folder = company(place / "sessions", f"a{number}", MALLORY)
            theirs = company(place / "sessions", f"b{number}", ALICE)
            treasures.append(Treasure.of(place, theirs / ".baileys-tools"))
            old = os.open(dead_after_swap(folder, MALLORY), os.O_RDONLY)
            opened.callback(os.close, old)
            os.symlink(f"../company_b{number}/.baileys-tools", ".baileys-tools-link", dir_fd=old)
            olds.append(old)

        def flip_all() -> None:
            for old in olds:
                with suppress(OSError):  # gone by now
                    flip(old, b".baileys-tools", b".baileys-tools-link")

        env = environment(place) | {"BAILEYS_TOOLS_CLEANUP__UNDO_WINDOW": "24h"}
        with meanwhile(MALLORY, flip_all):
            done = run_forked([COMMAND, "cleanup", "--quiet"], env, patched=patched)
        assert done.returncode in (ExitCode.DONE, ExitCode.PARTLY_FAILED), done.stderr
        run_forked([COMMAND, "cleanup", "--quiet"], env)
        return sum(bool(treasure.losses()) for treasure in treasures)


@pytest.mark.faults
@pytest.mark.timeout(900)
def test_the_race_is_won_against_a_path_of_two_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    require_root()
    monkeypatch.setattr(rollback, "_take_over_what_waits", careless_take_over)
    assert any(race_for_anothers_quarantine(patched=True) for _ in range(60))


@pytest.mark.faults
@pytest.mark.timeout(1800)
def test_nobody_gets_what_waits_in_another_companys_folder_in_500_races() -> None:
    require_root()
    assert sum(race_for_anothers_quarantine() for _ in range(500 // AT_ONCE)) == 0
