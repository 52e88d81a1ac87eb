"""A cleanup and its undo on real folders, with the clock in the test's hand."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from baileys_tools.cleanup.cleaning import run_cleanup
from baileys_tools.cleanup.rules.cleanup_report import CleanupReport
from baileys_tools.cleanup.show.undo_text import undo_json, undo_text
from baileys_tools.cleanup.undo_plan import planned_undo
from baileys_tools.cleanup.undo_runs import UndoReport, list_undo
from baileys_tools.cleanup.undoing import run_undo
from baileys_tools.config import Settings, load_settings
from baileys_tools.errors import BaileysToolsError, ExitCode
from baileys_tools.frame.show.terminal import Style
from baileys_tools.sessions.quarantine import due_for_purge, purge
from baileys_tools.sessions.resets import purge_resets, resets_due
from baileys_tools.sessions.rules.keyfiles import is_companion, key_of
from baileys_tools.sessions.rules.undo import UndoReason
from tests.oracle import OraclePolicy, random_tree
from tests.support import company_folder, snapshot_tree, write_key

NOW = datetime.now(UTC).replace(microsecond=0)
NOW_NS = int(NOW.timestamp()) * 1_000_000_000
GROUP = "120363041234567890@g.us"
MEMORY, OWN_KEY = f"sender-key-memory-{GROUP}.json", f"sender-key-{GROUP}--919585510685--17.json"
SESSION = "session-4917000000001.0.json"
LONE_KEY = "sender-key-120363009999999999@g.us--919585510685--17.json"
"""An own key without a memory goes in the first run; that of a memory in a later one."""
OLD = timedelta(days=20)


def settings_with(tmp_path: Path, **environment: str) -> Settings:
    own = {"BAILEYS_TOOLS_STATE_DIR": str(tmp_path / "state")}
    return load_settings({}, own | environment, home=str(tmp_path), cwd=str(tmp_path)).settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_with(tmp_path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    company_folder(
        tmp_path / "sessions", "1001", dict.fromkeys((SESSION, MEMORY, OWN_KEY, LONE_KEY), OLD), now=NOW
    )
    return tmp_path / "sessions"


def clean(settings: Settings, root: Path, now: datetime = NOW) -> CleanupReport:
    return run_cleanup(settings, str(root), now)


def undo(settings: Settings, root: Path, run: str | None = None) -> UndoReport:
    return run_undo(settings, str(root), NOW, run=run)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ({}, UndoReason.BACK),
        ({"creds.json": 1}, UndoReason.KEY_GONE),
        ({"creds.json": 1, OWN_KEY: -1}, UndoReason.BACK),
        ({SESSION: 60 * 24}, UndoReason.BACK),
        ({"notes.txt": 1}, UndoReason.BACK),
    ],
    ids=["nothing", "the bot", "key stands", "the future", "a stranger's file"],
)
def test_a_memory_without_its_key_comes_back_until_the_bot_goes_on(
    settings: Settings, root: Path, written: dict[str, int], expected: UndoReason
) -> None:
    """What is written, by the minutes after the cleanup; undone two minutes after it."""
    folder = root / "company_1001"
    (folder / OWN_KEY).unlink()
    clean(settings, root)
    for name, minutes in written.items():
        at = NOW.timestamp() + 60 * minutes
        (folder / name).touch()
        os.utime(folder / name, (at, at))
    (company,) = run_undo(settings, str(root), NOW + timedelta(minutes=2)).companies
    assert company.reasons is not None
    assert company.reasons[MEMORY] is expected
    assert (folder / MEMORY).exists() == (expected is UndoReason.BACK)


@pytest.mark.parametrize("undone", [planned_undo, run_undo], ids=["plan", "undo"])
def test_a_memory_stays_whose_key_was_lost_since_though_the_bot_wrote_nothing(
    settings: Settings, root: Path, undone: Callable[..., UndoReport]
) -> None:
    """The cleanup left the key, and nobody tells who took it."""
    folder = root / "company_1001"
    clean(settings, root)
    (folder / OWN_KEY).unlink()
    (company,) = undone(settings, str(root), NOW).companies
    assert company.reasons is not None
    assert company.reasons[MEMORY] is UndoReason.KEY_GONE
    assert company.reasons[SESSION] is UndoReason.BACK
    assert not (folder / MEMORY).exists()


def test_what_is_noted_of_a_memory_goes_with_its_run(settings: Settings, root: Path) -> None:
    folder = root / "company_1001"
    (folder / OWN_KEY).unlink()
    before = snapshot_tree(root)
    for _ in range(2):
        run = clean(settings, root).run
        assert (folder / f".baileys-tools/quarantine/{run}.alone").read_text() == MEMORY
        assert undo(settings, root).exit_code is ExitCode.DONE
        assert snapshot_tree(root) == before
        assert not (folder / ".baileys-tools").exists()
    clean(settings, root)
    run_cleanup(settings, str(root), NOW + timedelta(days=2))
    assert not (folder / ".baileys-tools").exists()


MAPPING, BY_LID = "lid-mapping-4917000000001.json", "session-100000000000001_1.0.json"


def test_a_session_by_number_waits_while_its_contact_has_one_by_lid(settings: Settings, root: Path) -> None:
    folder = root / "company_1001"
    run = clean(settings, root).run
    assert run is not None
    write_key(folder, MAPPING, OLD, '"100000000000001"')
    write_key(folder, BY_LID, timedelta(), "{}")
    (company,) = undo(settings, root).companies
    assert company.reasons is not None
    assert company.reasons[SESSION] is UndoReason.LID_TWIN
    assert company.twins == {SESSION: BY_LID}
    assert company.count(UndoReason.BACK) == len(company.reasons) - 1
    assert not (folder / SESSION).exists()
    text = undo_text(run, [company], Style(), verbose=True)
    assert f"kept  {SESSION}  (beside {BY_LID})" in text
    document = json.loads(undo_json(str(root), NOW, ExitCode.DONE, run, [company]))
    assert {"file": SESSION, "outcome": "lid-twin", "beside": BY_LID} in document["companies"][0]["files"]
    # what the text says: the way for whoever wants the older one
    (folder / BY_LID).rename(root.parent / BY_LID)
    (company,) = undo(settings, root, run).companies
    assert company.reasons == {SESSION: UndoReason.BACK}
    assert (folder / SESSION).exists()


@pytest.mark.parametrize("mapping", ['"half', "null", "[1]", '"' + "1" * 5000 + '"', ""])
def test_a_mapping_that_tells_nothing_keeps_nothing_away(
    settings: Settings, root: Path, mapping: str
) -> None:
    clean(settings, root)
    write_key(root / "company_1001", MAPPING, OLD, mapping)
    write_key(root / "company_1001", BY_LID, timedelta(), "{}")
    (company,) = undo(settings, root).companies
    assert company.reasons is not None
    assert company.reasons[SESSION] is UndoReason.BACK


@pytest.mark.parametrize("seed", range(25))
def test_undo_restores_any_tree_byte_for_byte_with_ages_and_modes(
    tmp_path: Path, settings: Settings, seed: int
) -> None:
    rng = Random(seed)
    for company in range(4):
        tree = random_tree(rng, OraclePolicy(), NOW_NS)
        folder = tmp_path / "sessions" / f"company_{company}"
        folder.mkdir(parents=True)
        with_companions = {key_of(file.name) for file in tree.files if is_companion(file.name)}
        for file in tree.files:
            age = timedelta(microseconds=(NOW_NS - file.mtime_ns) // 1_000)
            content = tree.creds if file.name == "creds.json" else file.content
            path = write_key(folder, file.name, age, content or rng.randbytes(rng.randrange(50)), now=NOW)
            mode = rng.choice((0o600, 0o640, 0o644, 0o400, 0o000))
            # Only root opens each. A key that stays for that, dated ahead, would be newer than the companion that went.
            path.chmod(0o400 if not mode and os.geteuid() and key_of(file.name) in with_companions else mode)
    company_folder(tmp_path / "sessions", "always", {SESSION: OLD}, now=NOW)
    before = snapshot_tree(tmp_path / "sessions", ignore=())
    clean(settings, tmp_path / "sessions")
    during = snapshot_tree(tmp_path / "sessions")
    undo(settings, tmp_path / "sessions")
    assert during.keys() < before.keys(), "nothing was cleaned, so nothing was proven"
    assert snapshot_tree(tmp_path / "sessions", ignore=()) == before


def test_a_second_undo_is_harmless(settings: Settings, root: Path) -> None:
    clean(settings, root)
    assert undo(settings, root).run is not None
    before = snapshot_tree(root, ignore=())
    again = undo(settings, root)
    assert (again.run, again.exit_code) == (None, ExitCode.DONE)
    assert snapshot_tree(root, ignore=()) == before


def test_a_file_that_the_bot_has_written_since_stays(settings: Settings, root: Path) -> None:
    clean(settings, root)
    newer = write_key(root / "company_1001", SESSION, content="newer")
    (company,) = undo(settings, root).companies
    assert company.reasons == {
        SESSION: UndoReason.NEWER_STANDS,
        MEMORY: UndoReason.BACK,
        LONE_KEY: UndoReason.BACK,
    }
    assert newer.read_text() == "newer"


@pytest.mark.parametrize(("written", "stays_away"), [(OWN_KEY, MEMORY), (MEMORY, OWN_KEY)])
def test_half_a_unit_does_not_come_back_beside_a_newer_half(
    settings: Settings, root: Path, written: str, stays_away: str
) -> None:
    clean(settings, root, NOW - timedelta(hours=1))
    if stays_away == OWN_KEY:
        write_key(root / "company_1001", SESSION, OLD, now=NOW)
        clean(settings, root)
    write_key(root / "company_1001", written)
    (company,) = undo(settings, root).companies
    assert company.reasons is not None
    assert company.reasons[stays_away] is UndoReason.UNIT_MOVED_ON
    assert not (root / "company_1001" / stays_away).exists()
    assert (root / "company_1001" / SESSION).exists()


def test_what_could_not_come_back_can_still_come_back_later(settings: Settings, root: Path) -> None:
    clean(settings, root)
    newer = write_key(root / "company_1001", SESSION, content="newer")
    undo(settings, root)
    newer.unlink()
    (company,) = undo(settings, root).companies
    assert company.reasons == {SESSION: UndoReason.BACK}


def test_an_unknown_run_is_not_found(settings: Settings, root: Path) -> None:
    clean(settings, root)
    with pytest.raises(BaileysToolsError) as refused:
        undo(settings, root, "20200101T000000Z-000000")
    assert refused.value.exit_code is ExitCode.NOT_FOUND
    with pytest.raises(BaileysToolsError):
        undo(settings, root, "../../company_1001")


def test_the_list_names_the_run_its_files_and_their_size(settings: Settings, root: Path) -> None:
    report = clean(settings, root)
    (company,) = list_undo(settings, str(root), NOW).companies
    assert [(run.run, run.started, run.files, run.size) for run in company.runs] == [(report.run, NOW, 3, 6)]


@pytest.mark.parametrize(
    ("later", "there"),
    [(timedelta(hours=24), True), (timedelta(hours=24, seconds=1), False), (timedelta(hours=-2), True)],
)
def test_the_quarantine_is_purged_when_the_undo_window_is_over(
    settings: Settings, root: Path, later: timedelta, there: bool
) -> None:
    run = clean(settings, root).run
    report = clean(settings, root, NOW + later)
    assert (root / "company_1001" / ".baileys-tools" / "quarantine" / str(run)).exists() is there
    assert report.companies[0].purged_files == (0 if there else 3)
    assert report.companies[0].purged_bytes == (0 if there else 6)
    assert (run in [one.run for one in list_undo(settings, str(root), NOW).companies[0].runs]) is there


def test_a_clock_in_doubt_purges_nothing(settings: Settings, root: Path) -> None:
    run = clean(settings, root).run
    clean(settings, root, NOW + timedelta(days=400))
    assert (root / "company_1001" / ".baileys-tools" / "quarantine" / str(run)).exists()


def test_an_undo_window_of_zero_removes_for_good(tmp_path: Path, root: Path) -> None:
    settings = settings_with(tmp_path, BAILEYS_TOOLS_CLEANUP__UNDO_WINDOW="0")
    # Made at this module's moment: an own key alone waits until the folder has been left alone for a while.
    os.utime(root / "company_1001", (NOW.timestamp(), NOW.timestamp()))
    report = clean(settings, root)
    assert report.run is None
    assert set(snapshot_tree(root, ignore=())) == {
        b"company_1001",
        b"company_1001/creds.json",
        # Nothing tells when the last cleanup was, so the folder's own time has to do, and own keys wait.
        f"company_1001/{OWN_KEY}".encode(),
        f"company_1001/{LONE_KEY}".encode(),
    }
    assert undo(settings, root).run is None


def test_a_dry_run_purges_nothing(tmp_path: Path, settings: Settings, root: Path) -> None:
    clean(settings, root)
    before = snapshot_tree(root, ignore=())
    clean(settings_with(tmp_path, DRY_RUN="1"), root, NOW + timedelta(days=3))
    assert snapshot_tree(root, ignore=()) == before


def test_a_company_that_is_locked_keeps_its_quarantine(settings: Settings, root: Path) -> None:
    clean(settings, root)
    stamp = int(datetime.now(UTC).timestamp() * 1000)
    (root / "company_1001" / ".cleanup.lock").write_text(f'{{"timestamp": {stamp}, "pid": 1}}')
    report = run_undo(settings, str(root), datetime.now(UTC), run=None)
    assert report.exit_code is ExitCode.LOCKED
    assert report.companies[0].locked
    assert not (root / "company_1001" / SESSION).exists()


# --- runs from the future -----------------------------------------------------------------------------------


def plant_run(root: Path, ahead: timedelta) -> str:
    """A run whose name lies so far ahead, by somebody else or by a clock that was ahead."""
    run = f"{NOW + ahead:%Y%m%dT%H%M%SZ}-000abc"
    folder = root / "company_1001/.baileys-tools/quarantine" / run
    folder.mkdir(parents=True)
    (folder / SESSION).write_text("planted")
    return run


@pytest.mark.parametrize("ahead", [timedelta(minutes=5), timedelta(days=365), timedelta(days=365 * 7_000)])
def test_a_run_from_the_future_is_nobodys_last(root: Path, settings: Settings, ahead: timedelta) -> None:
    before = snapshot_tree(root)
    clean(settings, root, NOW - timedelta(minutes=1))
    plant_run(root, ahead)
    report = undo(settings, root)
    assert report.run is not None
    assert report.run < f"{NOW:%Y%m%dT%H%M%SZ}"
    assert snapshot_tree(root) == before


def test_only_a_run_from_the_future_is_refused_with_the_way_out(root: Path, settings: Settings) -> None:
    run = plant_run(root, timedelta(days=2))
    before = snapshot_tree(root, ())
    with pytest.raises(BaileysToolsError, match="from the future") as refused:
        undo(settings, root)
    assert refused.value.exit_code is ExitCode.REFUSED
    assert run in (refused.value.hint or "")
    assert snapshot_tree(root, ()) == before
    (root / "company_1001" / SESSION).unlink()
    assert undo(settings, root, run).companies[0].reasons == {SESSION: UndoReason.BACK}


def test_a_run_from_the_future_is_purged_when_its_folder_has_waited(root: Path) -> None:
    run = plant_run(root, timedelta(days=3_650))
    quarantine = root / "company_1001/.baileys-tools/quarantine"
    folder = os.open(root / "company_1001", os.O_RDONLY)
    window = timedelta(hours=24)
    try:
        # The clock was ahead for the folder as well: from now on it waits, and a dry run changes nothing.
        early = NOW - timedelta(days=30)
        assert due_for_purge(folder, early, window).files == 0
        assert purge(folder, early, window).files == 0
        assert (quarantine / run).exists()
        assert purge(folder, NOW + timedelta(hours=23), window).files == 0
        assert due_for_purge(folder, NOW + timedelta(hours=25), window).files == 1
        assert purge(folder, NOW + timedelta(hours=25), window).files == 1
    finally:
        os.close(folder)
    assert not quarantine.exists()


def test_a_reset_from_the_future_is_purged_when_its_folder_has_waited(root: Path) -> None:
    run = f"{NOW + timedelta(days=3_650):%Y%m%dT%H%M%SZ}-000abc"
    planted = root / "company_1001/.baileys-tools/resets" / run
    planted.mkdir(parents=True)
    (planted / "creds.json").write_text("{}")
    folder = os.open(root / "company_1001", os.O_RDONLY)
    kept_for = timedelta(days=30)
    try:
        assert purge_resets(folder, NOW + timedelta(days=29), kept_for, is_alive=True).files == 0
        assert resets_due(folder, NOW + timedelta(days=31), kept_for, is_alive=True).files == 1
        assert purge_resets(folder, NOW + timedelta(days=31), kept_for, is_alive=True).files == 1
    finally:
        os.close(folder)
    assert not planted.exists()
