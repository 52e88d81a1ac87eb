"""`X.json.bak` and `X.json.tmp` on disk: one key with `X.json`, whatever moves it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from baileys_tools.cleanup.cleaning import run_cleanup
from baileys_tools.cleanup.rules.cleanup_report import CleanupReport
from baileys_tools.cleanup.rules.policy import plan_cleanup
from baileys_tools.cleanup.undoing import run_undo
from baileys_tools.config import Settings, load_settings
from baileys_tools.limits import Policy
from baileys_tools.sessions.inspect_folder import inspect_folder
from baileys_tools.sessions.removal import FolderRemover
from baileys_tools.sessions.rules.counting import count_files, pre_key_pool
from baileys_tools.sessions.rules.creds import Creds
from baileys_tools.sessions.rules.keyfiles import Kind
from baileys_tools.sessions.rules.removals import Outcome
from baileys_tools.sessions.rules.undo import UndoReason
from baileys_tools.sessions.scan import scan_folder, scan_names
from baileys_tools.watching.rules.inspection_rules import evidence_of
from fixtures.lay import lay
from tests.support import company_folder, snapshot_tree, write_key

NOW = datetime.now(UTC).replace(microsecond=0)
GROUP = "120363041234567890@g.us"
MEMORY, OWN_KEY = f"sender-key-memory-{GROUP}.json", f"sender-key-{GROUP}--919585510685--17.json"
PEER_KEY = f"sender-key-{GROUP}--4917000000001--0.json"
SESSION = "session-4917000000001.0.json"
OLD, YOUNG = timedelta(days=20), timedelta(hours=1)
NO_CREDS = Creds(None, None, None, None, paired=False)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    own = {"BAILEYS_TOOLS_STATE_DIR": str(tmp_path / "state")}
    return load_settings({}, own, home=str(tmp_path), cwd=str(tmp_path)).settings


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of the next Baileys: each key was rewritten once."""
    keys = dict.fromkeys((SESSION, PEER_KEY, "lid-mapping-4917000000001.json"), OLD)
    keys |= {f"{name}.bak": age + timedelta(days=1) for name, age in keys.items()}
    keys |= {"creds.json.bak": OLD, f"{SESSION}.tmp": OLD}
    return company_folder(tmp_path / "sessions", "1001", keys, now=NOW)


@pytest.fixture
def handle(folder: Path) -> Iterator[int]:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    yield fd
    os.close(fd)


def clean(settings: Settings, folder: Path) -> CleanupReport:
    return run_cleanup(settings, str(folder.parent), NOW)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_file()}


def test_a_key_goes_waits_and_comes_back_with_its_companions(settings: Settings, folder: Path) -> None:
    before = snapshot_tree(folder, ignore=())
    (company,) = clean(settings, folder).companies
    assert company.removals is not None
    assert company.removals.outcomes == {SESSION: Outcome.REMOVED, PEER_KEY: Outcome.REMOVED}
    assert names(folder) >= {"creds.json", "creds.json.bak", "lid-mapping-4917000000001.json.bak"}
    assert not {SESSION, f"{SESSION}.bak", f"{SESSION}.tmp", PEER_KEY, f"{PEER_KEY}.bak"} & names(folder)
    (undone,) = run_undo(settings, str(folder.parent), NOW).companies
    assert undone.count(UndoReason.BACK) == 2
    assert snapshot_tree(folder, ignore=()) == before


def test_a_key_is_as_old_as_its_youngest_file(settings: Settings, folder: Path) -> None:
    write_key(folder, f"{SESSION}.tmp", YOUNG, now=NOW)
    clean(settings, folder)
    assert {SESSION, f"{SESSION}.bak", f"{SESSION}.tmp"} <= names(folder)
    assert PEER_KEY not in names(folder)


def test_a_companion_alone_is_the_key(settings: Settings, folder: Path, handle: int) -> None:
    (folder / SESSION).unlink()
    assert scan_folder(handle).of(Kind.SESSION) == [SESSION]
    clean(settings, folder)
    assert not {f"{SESSION}.bak", f"{SESSION}.tmp"} & names(folder)


def test_own_key_and_memory_go_together_with_companions(settings: Settings, folder: Path) -> None:
    for name in (MEMORY, f"{MEMORY}.bak", OWN_KEY, f"{OWN_KEY}.bak"):
        write_key(folder, name, OLD, now=NOW)
    write_key(folder, f"{OWN_KEY}.tmp", YOUNG, now=NOW)
    clean(settings, folder)
    assert {MEMORY, f"{MEMORY}.bak", OWN_KEY, f"{OWN_KEY}.bak"} <= names(folder)


def test_a_companion_counts_with_its_key(folder: Path, handle: int) -> None:
    (folder / "contacts-tc-token-491@s.whatsapp.net.json").write_text("{}")
    (folder / "bridge-session-491.0.json").write_text("{}")
    for facts in (scan_folder(handle), scan_names(handle)):
        assert count_files(facts, 50, guard=True).counted == 4
        assert not facts.of(Kind.UNKNOWN)
    plan = plan_cleanup(scan_folder(handle), Policy(), NOW)
    assert (plan.files, plan.counted_after) == (4, 2)


@pytest.mark.parametrize("key", ["pre-key-16777216.json", "pre-key-5.json"])
def test_names_and_plan_count_one_number_where_a_pre_key_has_companions(tmp_path: Path, key: str) -> None:
    """Which pre-keys are guarded is told by the times of all: of one alone, too, and by the younger of two."""
    root = lay("bloated-v6", tmp_path / "laid", NOW)
    (folder,) = root.iterdir()
    (folder / key).unlink(missing_ok=True)
    write_key(folder, f"{key}.bak", OLD, now=NOW)
    for other in sorted(folder.glob("pre-key-1*.json"))[:2]:
        write_key(folder, f"{other.name}.bak", YOUNG, now=NOW)
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        planned, named = scan_folder(fd), scan_names(fd)
    finally:
        os.close(fd)
    assert pre_key_pool(named, NO_CREDS).written == pre_key_pool(planned, NO_CREDS).written
    assert count_files(named, 50, guard=True) == count_files(planned, 50, guard=True)


def test_no_finding_complains_about_companions(folder: Path, handle: int) -> None:
    evidence = evidence_of(inspect_folder(handle, NOW, ()), NOW)
    assert not {"leftover-files", "unknown-files"} & evidence.keys()


@pytest.mark.parametrize("ending", [".bak", ".tmp"])
def test_a_key_never_goes_before_a_companion_that_no_plan_knows(
    folder: Path, handle: int, ending: str
) -> None:
    """The bot rotates the key away and back, or copies it, between plan and removal."""
    facts = scan_folder(handle)
    for name in (f"{PEER_KEY}.bak", f"{PEER_KEY}.tmp"):
        (folder / name).unlink(missing_ok=True)
    plain = {PEER_KEY: (folder / PEER_KEY).stat()}
    write_key(folder, f"{PEER_KEY}{ending}", OLD, now=NOW)
    with FolderRemover(handle, "20260115T120000Z-000abc") as remover:
        remover.remove_unit(plain)
        remover.remove_unit(facts.files_of([SESSION]))
    assert remover.removals.outcomes == {PEER_KEY: Outcome.CHANGED, SESSION: Outcome.REMOVED}
    assert PEER_KEY in names(folder)


def test_a_companion_that_is_no_plain_file_keeps_its_key(settings: Settings, folder: Path) -> None:
    (folder / f"{SESSION}.bak").unlink()
    (folder / f"{SESSION}.bak").symlink_to(folder / "creds.json")
    clean(settings, folder)
    assert SESSION in names(folder)


def test_a_rewritten_companion_keeps_its_key(folder: Path, handle: int) -> None:
    files = scan_folder(handle).files_of([SESSION])
    assert list(files)[-1] == SESSION
    write_key(folder, f"{SESSION}.bak", OLD, "rotated since", now=NOW)
    with FolderRemover(handle, "20260115T120000Z-000abc") as remover:
        remover.remove_unit(files)
    assert remover.removals.outcomes == {SESSION: Outcome.CHANGED}
    assert {SESSION, f"{SESSION}.bak"} <= names(folder)


def test_undo_leaves_companions_of_a_key_that_the_bot_has_made_anew(settings: Settings, folder: Path) -> None:
    clean(settings, folder)
    newer = write_key(folder, SESSION, content="newer")
    run_undo(settings, str(folder.parent), NOW)
    assert newer.read_text() == "newer"
    assert not {f"{SESSION}.bak", f"{SESSION}.tmp"} & names(folder)
    assert {PEER_KEY, f"{PEER_KEY}.bak"} <= names(folder)
