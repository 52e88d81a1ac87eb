"""A clock that is wrong removes nothing by age, and says so."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.integration.faults.forked import run_cli
from tests.integration.faults.injection import cleanup
from tests.support import (
    at_clock,
    company_folder,
    creds,
    snapshot_tree,
    write_key,
)

OLD, YOUNG = timedelta(days=20), timedelta(days=1)
GROUP = "120363001234567890@g.us"
KEYS = {
    "session-1.0.json": OLD,
    "session-2.0.json": YOUNG,
    f"sender-key-{GROUP}--447700900123--0.json": OLD,
    f"sender-key-{GROUP}--919585510685--17.json": OLD,
    f"sender-key-memory-{GROUP}.json": OLD,
}
PRE_KEYS = {f"pre-key-{number}.json": OLD for number in range(1, 61)}
LOWEST_PRE_KEYS = {f"pre-key-{number}.json".encode() for number in range(1, 11)}
TEN_YEARS = timedelta(days=3653)


def at(when: str, *arguments: str | Path) -> tuple[int, str, str]:
    run = at_clock(when, *arguments)
    return run.returncode, run.stdout, run.stderr


def laid(root: Path) -> Path:
    return company_folder(root, keys=KEYS | PRE_KEYS, nextPreKeyId=61, firstUnuploadedPreKeyId=61)


def test_the_faked_clock_reaches_the_command(tmp_path: Path) -> None:
    company_folder(tmp_path, keys=KEYS)
    _, out, _ = at("@1970-01-05 00:00:00", *cleanup(tmp_path, "--dry-run", "--json"))
    assert json.loads(out)["now"].startswith("1970-01-05T")
    _, out, _ = at("+10y", *cleanup(tmp_path, "--dry-run", "--json"))
    assert int(json.loads(out)["now"][:4]) >= datetime.now(UTC).year + 9


@pytest.mark.parametrize("when", ["@1970-01-01 00:00:01", "@1970-01-05 00:00:00", "+10y", "-2d", "+400d"])
def test_nothing_is_removed_by_age_under_a_wrong_clock_and_it_is_said(tmp_path: Path, when: str) -> None:
    folder = laid(tmp_path)
    before = snapshot_tree(folder)
    code, _, err = at(when, *cleanup(tmp_path, "--quiet"))
    assert before.keys() - snapshot_tree(folder).keys() <= LOWEST_PRE_KEYS
    assert code == 1
    assert "the clock does not fit the files" in err
    assert "Check the date of this host." in err


def test_nothing_is_removed_by_age_when_the_bot_writes_on_under_the_wrong_clock(tmp_path: Path) -> None:
    folder = laid(tmp_path)
    for number in range(10, 18):
        write_key(folder, f"session-{number}.0.json", timedelta(days=number))
    in_ten_years = (datetime.now(UTC) + TEN_YEARS).timestamp()
    os.utime(folder / "creds.json", (in_ten_years, in_ten_years))
    before = snapshot_tree(folder)
    at("+3653d", *cleanup(tmp_path, "--quiet"))
    assert before.keys() - snapshot_tree(folder).keys() <= LOWEST_PRE_KEYS


@pytest.mark.parametrize("when", ["@1970-01-05 00:00:00", "+10y"])
def test_a_wrong_clock_ends_nobodys_chance_to_undo(tmp_path: Path, when: str) -> None:
    folder = laid(tmp_path)
    before = snapshot_tree(folder)
    assert run_cli(*cleanup(tmp_path, "--quiet")[1:]).returncode == 0
    at(when, *cleanup(tmp_path, "--quiet"))
    for _ in range(3):
        assert run_cli("undo", "--sessions", tmp_path, "--quiet").returncode == 0
    assert snapshot_tree(folder) == before


@pytest.mark.parametrize("when", ["@1970-01-05 00:00:00", "+2y", "+10y"])
@pytest.mark.parametrize("unpaired", [False, True], ids=["empty", "not-paired-yet"])
def test_a_wrong_clock_ends_no_session_that_was_set_aside(
    tmp_path: Path, when: str, *, unpaired: bool
) -> None:
    """The folder has no files that would tell of the clock, or those that the bot wrote by it."""
    folder = laid(tmp_path)
    for path in folder.iterdir():
        os.utime(path, (time.time() - 3600,) * 2)
    before = snapshot_tree(folder)
    reset = run_cli("reset", "--sessions", tmp_path, "--company", "1001", "--yes", "--no-pair", "--json")
    assert reset.returncode == 0, reset.stderr
    if unpaired:
        _, out, _ = at(when, "date", "+%s")
        write_key(folder, "creds.json", content=json.dumps(creds(me=None, account=None)))
        os.utime(folder / "creds.json", (int(out), int(out)))
    at(when, *cleanup(tmp_path, "--quiet"))
    run = json.loads(reset.stdout)["run"]
    if unpaired:
        os.utime(folder / "creds.json", (time.time() - 3600,) * 2)
    undone = run_cli("undo", "--sessions", tmp_path, "--run", run, "--quiet")
    assert undone.returncode == 0, undone.stderr
    assert snapshot_tree(folder) == before


def test_the_next_run_under_the_right_clock_does_the_work(tmp_path: Path) -> None:
    folder = laid(tmp_path)
    at("@1970-01-05 00:00:00", *cleanup(tmp_path, "--quiet"))
    assert run_cli(*cleanup(tmp_path, "--quiet")[1:]).returncode == 0
    assert {path.name for path in folder.glob("session-*")} == {"session-2.0.json"}


def test_a_file_from_the_future_is_young_and_the_others_go_by_their_age(tmp_path: Path) -> None:
    folder = laid(tmp_path)
    in_an_hour = time.time() + 3600
    os.utime(folder / "session-1.0.json", (in_an_hour, in_an_hour))
    assert run_cli(*cleanup(tmp_path, "--quiet")[1:]).returncode == 0
    assert (folder / "session-1.0.json").exists()
    # The own key follows in a later run, as its memory has only just gone.
    assert [key.name.split("--")[1] for key in folder.glob("sender-key-*")] == ["919585510685"]


def test_a_file_from_far_in_the_future_holds_the_folder(tmp_path: Path) -> None:
    folder = laid(tmp_path)
    in_two_days = time.time() + 2 * 86400
    os.utime(folder / "session-2.0.json", (in_two_days, in_two_days))
    run = run_cli(*cleanup(tmp_path, "--quiet")[1:])
    assert "the clock does not fit the files" in run.stderr
    assert (folder / "session-1.0.json").exists()


def test_one_company_with_a_strange_clock_does_not_hold_the_others(tmp_path: Path) -> None:
    strange = company_folder(tmp_path, "1", keys=KEYS)
    company_folder(tmp_path, "2", keys=KEYS)
    os.utime(strange / "creds.json", (time.time() + 10 * 86400,) * 2)
    run = run_cli(*cleanup(tmp_path, "--json")[1:])
    statuses = {each["company"]: each["status"] for each in json.loads(run.stdout)["companies"]}
    assert statuses == {"1": "held", "2": "cleaned"}
    assert run.returncode == 3


def test_after_a_copy_without_ages_nothing_goes_early_and_pre_keys_go_by_number(tmp_path: Path) -> None:
    folder = laid(tmp_path)
    for path in folder.iterdir():
        os.utime(path)
    before = snapshot_tree(folder)
    run = run_cli(*cleanup(tmp_path, "--json")[1:])
    assert run.returncode == 0
    assert before.keys() - snapshot_tree(folder).keys() == LOWEST_PRE_KEYS


@pytest.mark.parametrize("mtime_ns", [0, -1, -(10**18), 2**33 * 10**9])
def test_impossible_mtimes_never_end_in_a_crash(tmp_path: Path, mtime_ns: int) -> None:
    folder = laid(tmp_path)
    os.utime(folder / "session-1.0.json", ns=(mtime_ns, mtime_ns))
    report: dict[str, Any] = json.loads(run_cli(*cleanup(tmp_path, "--json", "--verbose")[1:]).stdout)
    assert report["companies"][0]["status"] in ("cleaned", "held")
    assert (folder / "session-2.0.json").exists()
