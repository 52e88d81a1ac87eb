"""The owner of a place of copies, another user, against root's backup: nothing of root's is removed or read."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from baileys_tools.snapshots.copies import send_copies
from baileys_tools.snapshots.repository import Repository
from baileys_tools.snapshots.rules.retention import Retention
from tests.integration.faults.forked import run_cli
from tests.support import company_folder, require_root, snapshot_tree

BOT = 4711
KEEP_ONE = Retention(1, keep_hourly=0, keep_daily=0, keep_weekly=0, minimum=1, keep_tagged=0)


def make_the_folder_a_link(target: str, _: Sequence[str]) -> None:
    # Whoever sends may make the folder anew in between: then that one is moved aside next.
    aside = f"aside-{time.monotonic_ns()}"
    for step, names in (
        (os.rename, ("company_1001", aside)),
        (os.symlink, (target, "company_1001")),
        (os.unlink, ("company_1001",)),
        (os.rename, (aside, "company_1001")),
    ):
        with suppress(OSError):
            step(*names)


def make_its_files_links(target: str, names: Sequence[str]) -> None:
    for name in names:
        with suppress(OSError):
            os.unlink(f"company_1001/{name}")
        with suppress(OSError):
            os.symlink(f"{target}/{name}", f"company_1001/{name}")


Attack = Callable[[str, Sequence[str]], None]


@contextmanager
def hostile(attack: Attack, place: Path, target: str, names: Sequence[str]) -> Iterator[None]:
    """Another user attacks again and again, from within its place: only root may walk to the test's folder."""
    bot = os.fork()
    if bot == 0:
        try:
            os.chdir(place)
            os.setgroups([])
            os.setgid(BOT)
            os.setuid(BOT)
            while True:
                attack(target, names)
        finally:
            os._exit(1)
    try:
        yield
        assert os.waitpid(bot, os.WNOHANG) == (0, 0), "the attack went on to the end"
    finally:
        os.kill(bot, signal.SIGKILL)
        os.waitpid(bot, 0)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    require_root()
    company_folder(tmp_path / "sessions", "1001")
    env = {
        "BAILEYS_SESSIONS_PATH": str(tmp_path / "sessions"),
        "BAILEYS_TOOLS_BACKUP_PATH": str(tmp_path / "backups"),
    }
    for _ in range(7):
        assert run_cli("backup", "--force", env=env).returncode == 0
    return tmp_path / "backups"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "disk"
    for path in (folder, folder / "company_1001"):
        path.mkdir(mode=0o700)
        os.chown(path, BOT, BOT)
    return folder


def of_the_snapshots(repository: Path) -> dict[str, tuple[object, int]]:
    folder = repository / "company_1001"
    entries = snapshot_tree(folder, ())
    return {
        os.fsdecode(name): (entry, (folder / os.fsdecode(name)).stat().st_uid)
        for name, entry in entries.items()
        if b".zst" in name
    }


def send(repository: Path, place: Path, runs: int) -> tuple[int, int]:
    """Send again and again, each time a day later, so that all is looked at; return how much went and was removed."""
    now = datetime.now(UTC)
    sent = removed = 0
    with Repository(str(repository)) as opened:
        for number in range(runs):
            later = now + timedelta(days=2 * number)
            results = send_copies(opened, [f"file://{place}"], KEEP_ONE, timedelta(seconds=5), later)
            assert results is not None
            (result,) = results
            sent, removed = sent + result.sent, removed + result.removed
    return sent, removed


@pytest.mark.root
@pytest.mark.parametrize(
    "runs", [pytest.param(50, id="some"), pytest.param(500, id="500", marks=pytest.mark.faults)]
)
@pytest.mark.parametrize("attack", [make_the_folder_a_link, make_its_files_links])
def test_whatever_the_owner_of_a_place_does_no_snapshot_of_roots_goes(
    repository: Path, place: Path, attack: Attack, runs: int
) -> None:
    before = of_the_snapshots(repository)
    assert len(before) == 7
    with hostile(attack, place, str(repository / "company_1001"), [*before]):
        send(repository, place, runs)
    assert of_the_snapshots(repository) == before


@pytest.mark.root
def test_a_link_that_stands_still_is_told_and_nothing_goes_through_it(repository: Path, place: Path) -> None:
    before = of_the_snapshots(repository)
    (place / "company_1001").rmdir()
    (place / "company_1001").symlink_to(repository / "company_1001")
    assert send(repository, place, 1) == (0, 0)
    assert of_the_snapshots(repository) == before
    (place / "company_1001").unlink()
    assert send(repository, place, 1) == (1, 0)
    (copy,) = (place / "company_1001").iterdir()
    assert copy.stat().st_uid == BOT
