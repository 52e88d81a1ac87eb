"""`baileys-tools undo` as an operator meets it."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fixtures.lay import lay
from tests.e2e.cleanup.test_cleanup_cli import GROUP, checked_json
from tests.integration.faults.forked import run_cli
from tests.support import company_folder, snapshot_tree, write_key

SESSION = "session-4917000000001.0.json"
MEMORY = f"sender-key-memory-{GROUP}.json"
OWN_KEY = f"sender-key-{GROUP}--919585510685--17.json"
LONE_KEY = "sender-key-120363049999999999@g.us--919585510685--17.json"
"""An own key whose memory is gone: it goes now, where the other waits for a later run than its memory's."""
KEYS = {
    name: timedelta(days=20) for name in (SESSION, MEMORY, OWN_KEY, LONE_KEY, "session-4917000000002.0.json")
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    company_folder(tmp_path / "sessions", "1001", KEYS)
    company_folder(tmp_path / "sessions", "1002", {SESSION: timedelta(days=20)})
    return tmp_path / "sessions"


def cleaned(root: Path) -> str:
    """Clean `root` and return the name of the run."""
    run = checked_json(run_cli("cleanup", "--sessions", root, "--json").stdout, "cleanup")["run"]
    assert isinstance(run, str)
    return run


def undo(root: Path, *arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    return run_cli("undo", "--sessions", root, *arguments, **more)


def test_undo_brings_everything_back_byte_for_byte(root: Path) -> None:
    (root / "company_1001" / SESSION).chmod(0o640)
    before = snapshot_tree(root)
    cleaned(root)
    assert len(snapshot_tree(root)) == len(before) - 5
    done = undo(root)
    assert (done.returncode, done.stderr) == (0, "")
    assert "company 1001: 4 files put back" in done.stdout
    assert "company 1002: 1 file put back" in done.stdout
    assert snapshot_tree(root) == before
    assert not list(root.glob("*/.baileys-tools")), "an empty quarantine is left"


def test_a_second_undo_has_nothing_to_do(root: Path) -> None:
    cleaned(root)
    undo(root)
    before = snapshot_tree(root, ignore=())
    again = undo(root)
    assert again.returncode == 0
    assert "nothing to undo" in again.stdout
    assert snapshot_tree(root, ignore=()) == before


def test_the_run_is_named_by_cleanup_and_by_the_list(root: Path) -> None:
    text = run_cli("cleanup", "--sessions", root).stdout
    (hint,) = [line.strip() for line in text.splitlines() if "baileys-tools undo" in line]
    run = hint.split()[hint.split().index("--run") + 1]
    listed = undo(root, "--list")
    assert listed.stdout.count(run) == 1
    assert [line.split()[:2] for line in listed.stdout.splitlines()[2:]] == [["1001", "4"], ["1002", "1"]]
    assert [line for line in listed.stdout.splitlines() if len(line) > 80] == []
    # The hint can be typed as it stands.
    assert run_cli(*hint.split()[2:]).returncode == 0
    assert (root / "company_1001" / SESSION).exists()


def test_an_unknown_run_is_not_found(root: Path) -> None:
    cleaned(root)
    before = snapshot_tree(root, ignore=())
    for run in ("20200101T000000Z-000000", "../../company_1002", "", "\x1b[2J"):
        refused = undo(root, "--run", run)
        assert refused.returncode == 10, run
        assert "undo --list shows what can be undone" in refused.stderr
        assert "\x1b" not in refused.stderr
    assert snapshot_tree(root, ignore=()) == before


def test_an_unknown_company_is_not_found(root: Path) -> None:
    cleaned(root)
    refused = undo(root, "--company", "9")
    assert refused.returncode == 10
    assert "no company 9" in refused.stderr


def test_only_the_company_that_was_asked_for_is_undone(root: Path) -> None:
    cleaned(root)
    assert undo(root, "--company", "1002").returncode == 0
    assert (root / "company_1002" / SESSION).exists()
    assert not (root / "company_1001" / SESSION).exists()


def test_what_the_bot_has_written_since_is_not_overwritten_and_says_so(root: Path) -> None:
    folder = root / "company_1001"
    cleaned(root)
    write_key(folder, SESSION, content='{"newer": true}')
    write_key(folder, OWN_KEY, content='{"newer": true}')
    write_key(folder, LONE_KEY, content='{"newer": true}')
    done = undo(root, "--company", "1001", "-v")
    assert done.returncode == 0
    assert (folder / SESSION).read_text() == '{"newer": true}'
    assert (folder / OWN_KEY).read_text() == '{"newer": true}'
    assert (folder / LONE_KEY).read_text() == '{"newer": true}'
    assert not (folder / MEMORY).exists(), "an old memory beside a new key cuts every member off"
    assert "1 file put back" in done.stdout
    assert "2 stayed in quarantine: the bot has written a newer one" in done.stdout
    assert "1 stayed in quarantine: the bot has a newer own key or memory" in done.stdout


def test_the_json_of_undo_fits_its_schema(root: Path) -> None:
    run = cleaned(root)
    listed = checked_json(undo(root, "--list", "--json").stdout, "undo")
    assert [found["run"] for company in listed["companies"] for found in company["runs"]] == [run, run]
    assert listed["run"] is None
    write_key(root / "company_1001", SESSION)
    done = checked_json(undo(root, "--json").stdout, "undo")
    assert done["run"] == run
    assert [company["put_back"] for company in done["companies"]] == [3, 1]
    outcomes = {entry["file"]: entry["outcome"] for entry in done["companies"][0]["files"]}
    assert outcomes[SESSION] == "newer-stands"
    assert outcomes[MEMORY] == outcomes[LONE_KEY] == "back"
    assert OWN_KEY not in outcomes, "it goes in a later run than its memory"


def test_quiet_undo_prints_nothing(root: Path) -> None:
    cleaned(root)
    done = undo(root, "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (root / "company_1001" / SESSION).exists()


def test_with_no_undo_window_nothing_can_be_undone(root: Path) -> None:
    window = {"BAILEYS_TOOLS_CLEANUP__UNDO_WINDOW": "0"}
    # Where no run is noted, the folder's own time tells when a memory may have gone: not just now.
    an_hour_ago = datetime.now(UTC).timestamp() - 3_600
    os.utime(root / "company_1001", (an_hour_ago, an_hour_ago))
    text = run_cli("cleanup", "--sessions", root, env=window).stdout
    assert "5 files" in text
    assert "undo --run" not in text
    assert not (root / "company_1001" / ".baileys-tools").exists()
    assert "nothing to undo" in undo(root).stdout


def test_the_last_run_is_undone_first(root: Path) -> None:
    folder = root / "company_1001"
    first = cleaned(root)
    an_hour_ago = f"{datetime.now(UTC) - timedelta(hours=1):%Y%m%dT%H%M%SZ}-abcdef"
    quarantine = folder / ".baileys-tools" / "quarantine"
    (quarantine / first).rename(quarantine / an_hour_ago)
    write_key(folder, "session-4917000000003.0.json", timedelta(days=20))
    cleaned(root)
    undo(root, "--company", "1001")
    assert (folder / "session-4917000000003.0.json").exists()
    assert not (folder / SESSION).exists()
    undo(root, "--company", "1001")
    assert (folder / SESSION).exists()


def test_the_list_tells_which_command_moved_files_aside(tmp_path: Path) -> None:
    company_folder(tmp_path, "1001", KEYS)
    company_folder(
        tmp_path, "1002", {f"session-49170{number}.0.json": timedelta(days=20) for number in range(190)}
    )
    company_folder(tmp_path, "1003")
    assert run_cli("trigger", "-q", "--sessions", tmp_path).returncode == 0
    assert run_cli("cleanup", "-q", "--sessions", tmp_path).returncode == 0
    reset = ("--company", "1003", "--yes", "--force", "--no-pair", "-q")
    assert run_cli("reset", *reset, "--sessions", tmp_path).returncode == 0
    listed = undo(tmp_path, "--list").stdout.splitlines()
    assert listed[0].startswith("run, company ")
    told = {
        (by.split()[1], company.split()[0]) for by, company in zip(listed[1::2], listed[2::2], strict=True)
    }
    assert told == {("cleanup,", "1001"), ("trigger,", "1002"), ("reset,", "1003")}
    document = checked_json(undo(tmp_path, "--list", "--json").stdout, "undo")
    assert [company["runs"][0]["by"] for company in document["companies"]] == ["cleanup", "trigger", "reset"]
    assert "(cleanup)" in undo(tmp_path).stdout.splitlines()[0]
    assert "(trigger)" in undo(tmp_path).stdout.splitlines()[0]

    left = undo(tmp_path).stdout
    assert "nothing to undo" in left
    assert "company 1003 was reset" in left
    (line,) = [line.strip() for line in left.splitlines() if line.startswith("  baileys-tools")]
    assert run_cli(*line.split()[1:], "--sessions", tmp_path).returncode == 0
    assert (tmp_path / "company_1003" / "creds.json").exists()


def test_a_run_that_the_state_does_not_remember_can_be_undone_all_the_same(
    root: Path, tmp_path: Path
) -> None:
    run = cleaned(root)
    elsewhere = {"BAILEYS_TOOLS_STATE_DIR": str(tmp_path / "another")}
    assert undo(root, "--list", env=elsewhere).stdout.splitlines()[1].split()[1] == "-,"
    assert undo(root, env=elsewhere).stdout.splitlines()[0] == f"undo of run {run}"


# --- what an undo would do ----------------------------------------------------------------------------------


def test_a_dry_run_says_what_the_undo_then_does_and_touches_nothing(root: Path) -> None:
    run = cleaned(root)
    before = snapshot_tree(root)
    planned = checked_json(undo(root, "--dry-run", "--json").stdout, "undo")
    text = undo(root, "--dry-run")
    assert snapshot_tree(root) == before
    assert (text.returncode, planned["dry_run"], planned["run"]) == (0, True, run)
    assert "would be put back" in text.stdout
    assert text.stdout.endswith("nothing was touched\n")
    done = checked_json(undo(root, "--json").stdout, "undo")
    assert done["dry_run"] is False
    assert [one.get("files") for one in done["companies"]] == [
        one.get("files") for one in planned["companies"]
    ]


def test_a_dry_run_names_what_would_stay(root: Path) -> None:
    cleaned_by = cleaned(root)
    company = root / "company_1001"
    (run,) = (company / ".baileys-tools" / "quarantine").iterdir()
    name = next(one for one in sorted(os.listdir(run)) if one.startswith("session-"))
    (company / name).write_text("{}")
    text = undo(root, "--dry-run", "--verbose").stdout
    assert "1 would stay in quarantine: the bot has written a newer one" in text
    assert f"kept  {name}" in text
    assert undo(root, "--dry-run", "--run", cleaned_by[:-6] + "000000").returncode == 10


PEER = f"sender-key-{GROUP}--4917000000001--0.json"
OTHER_PEER = f"sender-key-{GROUP}--4917000000002--0.json"


def test_the_list_says_what_the_last_cleanup_costs_and_what_of_that_was_paid(tmp_path: Path) -> None:
    """A key that stands anew is somebody who wrote; an own key is no message late."""
    root = tmp_path / "sessions"
    old = dict.fromkeys([PEER, OTHER_PEER, *KEYS], timedelta(days=20))
    folder = company_folder(root, "1001", old)
    cleaned(root)
    for name in (PEER, SESSION, MEMORY):
        write_key(folder, name)
    told = checked_json(undo(root, "--list", "--json").stdout, "undo")
    (run,) = told["companies"][0]["runs"]
    assert run["promised"] == {"contacts": 2, "group_senders": 2}
    assert run["paid"] == {"contacts": 1, "group_senders": 1}
    shown = undo(root, "--list").stdout
    assert "1 of 2 chats, 1 of 2 in groups" in shown
    undone = checked_json(undo(root, "--json").stdout, "undo")
    assert undone["companies"][0]["put_back"] > 0


def test_who_comes_back_under_the_other_address_is_late_as_well(tmp_path: Path) -> None:
    """Cleaned while the bot knew it by number alone; Baileys 7 learns of the LID with the first message."""
    root = tmp_path / "sessions"
    folder = company_folder(root, "1001", {SESSION: timedelta(days=20)})
    cleaned(root)
    write_key(folder, "lid-mapping-4917000000001.json", content='"123456789012345"')
    for paid in (0, 1):
        (company,) = checked_json(undo(root, "--list", "--json").stdout, "undo")["companies"]
        (run,) = company["runs"]
        assert (run["promised"]["contacts"], run["paid"]["contacts"]) == (1, paid)
        write_key(folder, "session-123456789012345_1.0.json")


@pytest.mark.parametrize("fixture", ["long-lived-v7", "bloated-v6"])
def test_the_list_promises_what_the_cleanup_did(fixture: str, tmp_path: Path) -> None:
    """Keys by number in a group that has moved to LIDs cost nothing, in either."""
    root = lay(fixture, tmp_path / "sessions", datetime.now(UTC))
    cleanup = checked_json(run_cli("cleanup", "--sessions", root, "--json").stdout, "cleanup")
    (cost,) = [one["plan"]["cost"] for one in cleanup["companies"]]
    (company,) = checked_json(undo(root, "--list", "--json").stdout, "undo")["companies"]
    (run,) = company["runs"]
    assert run["promised"] == {what: cost[what] for what in ("contacts", "group_senders")}
