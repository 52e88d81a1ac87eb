"""A week of WAHA's one log for three sessions, and one of a bot that is paired anew, as their operator reads them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from baileys_tools.bots.log_memory import MEMORY
from baileys_tools.state.database import open_state
from tests.integration.alert_week import START
from tests.integration.log_weeks import (
    ANEW,
    OUT,
    REMOVED,
    WAHA,
    WAHA_WEEK,
    WEEK_ANEW,
    WELL,
    Line,
    waha_json,
    waha_pretty,
)

HOW = "read the difference line by line, then: python -m tests.integration.log_weeks --write"


def test_of_three_sessions_in_wahas_log_nobody_is_told_of_anothers_trouble(tmp_path: Path) -> None:
    told = WAHA_WEEK.told(tmp_path, waha_pretty, eventful=True)
    assert _without_passes(told) == _without_passes(WAHA.read_text()), HOW


@pytest.mark.faults
@pytest.mark.parametrize("line", [waha_json, waha_pretty], ids=["JSON", "as it comes"])
def test_every_pass_over_wahas_log_tells_each_of_its_own(tmp_path: Path, line: Line) -> None:
    assert WAHA_WEEK.told(tmp_path, line) == WAHA.read_text(), HOW


def _without_passes(week: str) -> str:
    """Without what tells how often somebody looked: reminders, the time that is known, when a file was last seen."""
    words = r"^\[\d+ reminders, .*\]$|uptime +\S+  \(.*\)$|(?<=  ok   )[ \d.]+[hdm](?= )"
    return re.sub(words, "...", week, flags=re.MULTILINE)


def test_the_golden_week_of_waha_tells_each_of_its_own() -> None:
    told = [entry for entry in WAHA.read_text().split("--- ") if not entry.startswith("=")]
    alerts = [entry.partition("===")[0] for entry in told if entry.strip()]
    assert not any(f"company {WELL}" in one for one in alerts)
    assert all((f"company {OUT}" in one) == one.startswith("Wed") for one in alerts)
    assert all((f"company {REMOVED}" in one) != one.startswith("Wed") for one in alerts)


@pytest.mark.parametrize(
    "eventful", [True, pytest.param(False, marks=pytest.mark.faults)], ids=["short", "whole"]
)
def test_a_bot_that_is_paired_anew_is_no_more_accused(tmp_path: Path, eventful: bool) -> None:
    told, golden = WEEK_ANEW.told(tmp_path, waha_json, eventful=eventful), ANEW.read_text()
    if eventful:
        told, golden = _without_passes(told), _without_passes(golden)
    assert told == golden, HOW
    with open_state(str(tmp_path / "state"), START) as state:
        ((kept,),) = state.rows("SELECT value FROM memory WHERE key = ?", (MEMORY,))
    assert '"opened"' in kept
    assert "device-removed" not in kept
