"""A week of life, and the alert log that a sensible operator wants of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.integration.alert_week import BLIND, GOLDEN, alert_week, blind_week

HOW = "read the difference line by line, then: python -m tests.integration.alert_week --write"


def test_a_week_of_life_tells_exactly_what_a_sensible_operator_wants(tmp_path: Path) -> None:
    assert alert_week(tmp_path, eventful=True) == GOLDEN.read_text(), HOW


@pytest.mark.faults
def test_every_minute_of_a_week_of_life_tells_the_same(tmp_path: Path) -> None:
    assert alert_week(tmp_path) == GOLDEN.read_text(), HOW


def test_a_week_without_memory_is_told_by_every_run(tmp_path: Path) -> None:
    assert _without_times(blind_week(tmp_path, eventful=True)) == _without_times(BLIND.read_text()), HOW


@pytest.mark.faults
def test_a_week_without_memory_is_told_by_every_run_of_ten_minutes(tmp_path: Path) -> None:
    assert blind_week(tmp_path) == BLIND.read_text(), HOW


def _without_times(week: str) -> str:
    return re.sub(r"told by \d+ runs", "told by runs", week)
