"""A bot that was off, in real folders: with what the state has seen and without."""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from baileys_tools.state.database import open_state
from baileys_tools.state.observations import Observation, observe
from tests.integration.faults.forked import run_cli
from tests.support import about, company_folder, write_key

GROUP = "120363041234567890@g.us"
SESSION, PEER = "session-4917000000001.0.json", f"sender-key-{GROUP}--4917000000001--0.json"
OFF = {SESSION: timedelta(days=15), PEER: timedelta(days=12.5)}
"""Unused since before the bot was off, 12 to 2 days ago."""
LIVE = {
    f"session-49170000001{hours:02}.0.json": timedelta(hours=hours) for hours in (1, 9, 17, 25, 33, 41, 47)
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    company_folder(tmp_path / "sessions", "1001", OFF | LIVE)
    return tmp_path / "sessions"


def seen(root: Path, company: str, start: timedelta, end: timedelta, *, off: bool) -> None:
    """Write down what hourly looks would have seen: a bot that last wrote at `start`, or one that lives."""
    now = datetime.now(UTC)
    hours = int((start - end) / timedelta(hours=1))
    moments = [now - start + timedelta(hours=hour) for hour in range(hours)]
    with open_state(os.environ["BAILEYS_TOOLS_STATE_DIR"], now) as state:
        observe(
            about(state, root, company),
            [
                Observation(company, at, 9, 9, {}, 90, "healthy", "valid", now - start if off else at)
                for at in moments
            ],
        )


def plan(root: Path, *arguments: str) -> dict[str, Any]:
    shown = run_cli("cleanup", "--sessions", root, "--json", "--verbose", *arguments)
    assert shown.returncode == 0, shown.stderr
    company: dict[str, Any] = json.loads(shown.stdout)["companies"][0]
    return company


def gone(company: dict[str, Any]) -> set[str]:
    return {entry["file"] for entry in company["plan"]["remove"]}


def test_without_a_state_files_of_a_bot_that_is_long_back_have_their_plain_age(root: Path) -> None:
    assert gone(plan(root, "--dry-run")) == {SESSION, PEER}


def test_what_the_state_saw_is_no_age(root: Path) -> None:
    seen(root, "1001", timedelta(days=12), timedelta(days=2), off=True)
    company = plan(root)
    assert gone(company) == set()
    assert (root / "company_1001" / PEER).exists()
    (session,) = [entry for entry in company["plan"]["keep"] if entry["file"] == SESSION]
    assert session["age_seconds"] // 86_400 == 15
    assert round(session["silent_seconds"] / 86_400) == 10
    (silence,) = company["plan"]["silences"]
    assert silence["from"] < silence["to"]


def test_the_reason_says_how_long_the_bot_was_off(root: Path) -> None:
    seen(root, "1001", timedelta(days=12), timedelta(days=2), off=True)
    shown = run_cli("cleanup", "--sessions", root, "--dry-run", "--verbose").stdout
    said = re.sub(r"\s+", " ", shown)
    assert re.search(
        r"last used 15\.0d ago, of which the bot was off (9\.9|10\.0)d: (4\.9|5\.0)d, limit 14d", said
    )


def test_what_the_state_saw_of_another_company_is_nothing_to_this_one(root: Path) -> None:
    seen(root, "1002", timedelta(days=12), timedelta(days=2), off=True)
    assert gone(plan(root, "--dry-run")) == {SESSION, PEER}


def test_a_bot_that_was_seen_to_live_has_no_silence_however_few_its_chats_are(tmp_path: Path) -> None:
    """All its files but the old ones are of the last hours: without the state that is a doubt."""
    folder = company_folder(tmp_path / "sessions", "1001", OFF | {"session-1.0.json": timedelta(hours=1)})
    write_key(folder, "creds.json", timedelta(hours=2), (folder / "creds.json").read_bytes())
    assert gone(plan(tmp_path / "sessions", "--dry-run")) == set()
    seen(tmp_path / "sessions", "1001", timedelta(days=20), timedelta(hours=2), off=False)
    assert gone(plan(tmp_path / "sessions", "--dry-run")) == {SESSION, PEER}


@pytest.fixture
def silent(tmp_path: Path) -> Path:
    """Full, with pre-keys to spare, and nothing written for four days."""
    folder = company_folder(tmp_path / "sessions", "1001", {SESSION: timedelta(days=20)})
    for number in range(200):
        write_key(folder, f"device-list-{number}.json", timedelta(days=4))
    for number in range(1, 90):
        write_key(folder, f"pre-key-{number}.json", timedelta(days=30) - timedelta(hours=number))
    write_key(folder, "creds.json", timedelta(days=4), (folder / "creds.json").read_bytes())
    return tmp_path / "sessions"


def test_a_silent_folder_is_held_and_nothing_failed(silent: Path) -> None:
    before = sorted(os.listdir(silent / "company_1001"))
    company = plan(silent)
    assert (company["status"], company["plan"]["holds"], gone(company)) == ("silent", ["silent"], set())
    assert sorted(os.listdir(silent / "company_1001")) == before
    assert "the bot is off" in run_cli("cleanup", "--sessions", silent, "--dry-run").stdout
    quiet = run_cli("cleanup", "--sessions", silent, "--quiet")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")


def test_how_long_a_silent_folder_is_waited_for_can_be_set(silent: Path) -> None:
    for silence in ("5d", "0"):
        shown = run_cli(
            *("cleanup", "--sessions", silent, "--dry-run", "--json"),
            env={"BAILEYS_TOOLS_CLEANUP__SILENCE": silence},
        )
        (company,) = json.loads(shown.stdout)["companies"]
        assert company["plan"]["holds"] == []


def test_trigger_leaves_a_silent_folder_alone(silent: Path) -> None:
    done = run_cli("trigger", "--sessions", silent, "--json")
    (company,) = json.loads(done.stdout)["companies"]
    assert (done.returncode, company["status"], company["reason"]) == (0, "waits", "silent")


def test_the_watching_says_that_cleanups_wait(silent: Path) -> None:
    done = run_cli("monitor-once", "--sessions", silent, "--json")
    (company,) = json.loads(done.stdout)["companies"]
    (finding,) = [one for one in company["findings"] if one["code"] == "cleanup-held-silent"]
    assert finding["severity"] == "notice"
