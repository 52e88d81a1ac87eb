"""A bot's user on the way to root's snapshots: links in the place of the repository and of the copies."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest

from baileys_tools.config import load_settings
from baileys_tools.host.doctor_jobs import place_checks
from baileys_tools.snapshots.repository import Repository
from tests.hostile import BOT, Place, bot_at_work, give, hostile_place
from tests.integration.faults.forked import run_cli
from tests.support import company_folder

pytestmark = pytest.mark.root

COMMANDS = ["backup", "snapshots", "prune", "verify", "restore --company 2001 --yes", "restore --all --yes"]


@pytest.fixture
def place() -> Iterator[Place]:
    """Root's repository has a snapshot of a session of root's; the bot's user has a session of its own."""
    with hostile_place() as made:
        company_folder(made.roots / "sessions", "2001")
        run = run_cli("backup", env=settings_of(made.roots / "sessions", made.roots / "kept"))
        assert run.returncode == 0, run
        company_folder(made.bots / "sessions")
        give(made.bots)
        yield made


def settings_of(sessions: os.PathLike[str], repository: os.PathLike[str], **more: str) -> dict[str, str]:
    return {
        "BAILEYS_SESSIONS_PATH": os.fspath(sessions),
        "BAILEYS_TOOLS_BACKUP_PATH": os.fspath(repository),
        **more,
    }


def words_of(run: subprocess.CompletedProcess[str]) -> str:
    return " ".join((run.stdout + run.stderr).split())


@pytest.mark.parametrize(
    ("command", "at"),
    [*((command, "kept") for command in COMMANDS), ("backup", "above/kept"), ("backup", "above/new")],
)
def test_a_link_of_the_bots_in_the_place_of_its_repository_leads_to_nobody_elses(
    place: Place, command: str, at: str
) -> None:
    """Root would put snapshots among those of others, remove theirs, and bring them into the folder of the bot."""
    (place.bots / "kept").symlink_to(place.roots / "kept")
    (place.bots / "above").symlink_to(place.roots)
    give(place.bots)
    before = place.of_root()
    run = run_cli(*command.split(), env=settings_of(place.bots / "sessions", place.bots / at))
    assert run.returncode == 1, run
    link = place.bots / at.partition("/")[0]
    assert f"{link} is a link of {BOT} to a folder of root, which is not followed" in words_of(run), run
    assert place.of_root() == before
    assert place.not_the_bots() == []


def test_the_bots_own_links_to_its_own_repository_are_followed(place: Place) -> None:
    (place.bots / "disk").mkdir()
    (place.bots / "kept").symlink_to("disk")
    give(place.bots)
    for repository in (place.bots / "kept", place.bots / "kept" / "new" / "er"):
        run = run_cli("backup", env=settings_of(place.bots / "sessions", repository))
        assert run.returncode == 0, run
        with Repository(str(repository)) as opened:
            assert len(opened.snapshots("1001")) == 1
    assert place.not_the_bots() == []


@pytest.mark.parametrize("at", ["copies", "above/copies"])
def test_a_link_of_the_bots_in_the_place_of_copies_leads_to_nobody_elses(place: Place, at: str) -> None:
    (place.roots / "copies").mkdir(mode=0o700)
    (place.bots / "copies").symlink_to(place.roots / "copies")
    (place.bots / "above").symlink_to(place.roots)
    give(place.bots)
    before = place.of_root()
    copies = f"file://{place.bots}/{at}"
    env = settings_of(place.bots / "sessions", place.bots / "kept", BAILEYS_TOOLS_BACKUP__COPIES=copies)
    told = (
        f"{place.bots / at.partition('/')[0]} is a link of {BOT} to a folder of root, which is not followed"
    )
    for command in (("backup",), ("backup", "--import", copies), ("copies", "check"), ("doctor",)):
        run = run_cli(*command, env=env)
        assert told in words_of(run), run
    assert place.of_root() == before
    assert place.not_the_bots() == []


FLIPS = """
link, mine, theirs = sys.argv[1:]
for target in (mine, theirs):
    os.symlink(target, link + ".new")
    os.rename(link + ".new", link)
"""
MANY = pytest.param(500, marks=(pytest.mark.faults, pytest.mark.timeout(7200)))


@pytest.mark.parametrize("runs", [5, MANY])
def test_no_snapshot_of_the_bots_gets_among_those_of_others_however_fast_it_is(
    place: Place, runs: int
) -> None:
    (place.bots / "own").mkdir()
    (place.bots / "kept").symlink_to("own")
    give(place.bots)
    before = place.of_root()
    copies = f"file://{place.bots}/kept/copies"
    env = settings_of(place.bots / "sessions", place.bots / "kept", BAILEYS_TOOLS_BACKUP__COPIES=copies)
    with bot_at_work(FLIPS, place.bots / "kept", place.bots / "own", place.roots / "kept"):
        ends = {run_cli("backup", "--force", env=env).returncode for _ in range(runs)}
    assert place.of_root() == before
    assert place.not_the_bots() == []
    assert ends <= {0, 1, 3, 4}


@pytest.mark.parametrize("whose", ["one user's", "two users'"])
def test_doctor_tells_of_snapshots_whose_place_a_bots_user_can_take(place: Place, whose: str) -> None:
    """It is not refused: one bot's snapshots may well be in its own home."""
    if whose == "two users'":
        company_folder(place.bots / "sessions", "1002")
    env = settings_of(
        place.bots / "sessions",
        place.bots / "kept",
        BAILEYS_TOOLS_BACKUP__COPIES=f"file://{place.bots}/copies",
    )
    checks = [*place_checks(load_settings({}, env).settings)]
    if whose == "one user's":
        assert checks == []
        return
    assert [check.name for check in checks] == ["repository", "copies"]
    assert f"{place.bots} belongs to {BOT}, and you are root" in checks[0].message
    elsewhere = settings_of(place.bots / "sessions", place.roots / "kept")
    assert [*place_checks(load_settings({}, elsewhere).settings)] == []
