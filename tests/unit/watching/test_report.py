"""What a report is made of: curves thinned without losing a peak, drops, spans, nothing to recognise a person by."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baileys_tools.masking import numbers_masked
from baileys_tools.watching.rules.report import (
    FEWEST_POINTS,
    MOST_MARKS,
    MOST_OF_ONE,
    MOST_POINTS,
    Drop,
    Point,
    Span,
    drops,
    marks_for,
    points_for,
    spans,
    thinned,
)
from baileys_tools.watching.show.report_text import sparkline

CURVES = st.lists(
    st.tuples(st.integers(0, 10**6), st.integers(0, 400)), unique_by=lambda one: one[0], max_size=300
).map(lambda pairs: [Point(*pair) for pair in sorted(pairs)])


@given(CURVES, st.integers(4, 80))
def test_a_thinned_curve_is_short_and_loses_neither_its_ends_nor_its_peak(
    curve: list[Point], most: int
) -> None:
    thin = thinned(curve, most)
    assert len(thin) <= most or len(thin) == len(curve)
    assert set(thin) <= set(curve)
    assert thin == sorted(thin)
    if curve:
        assert (thin[0], thin[-1]) == (curve[0], curve[-1])
        assert max(point.counted for point in thin) == max(point.counted for point in curve)


def test_a_drop_can_be_seen_after_thinning() -> None:
    curve = [Point(hour, 100 + hour) for hour in range(80)] + [Point(80 + hour, 60) for hour in range(80)]
    thin = thinned(curve, 20)
    assert drops(thin, []) == [Drop(pytest.approx(80, abs=20), 119, False)]  # type: ignore[arg-type]


def test_a_drop_is_a_cleanup_when_one_ran_then() -> None:
    curve = [Point(100, 170), Point(200, 90), Point(300, 95), Point(400, 91), Point(500, 20)]
    assert drops(curve, [150, 450]) == [Drop(150, 80, True), Drop(450, 71, True)]
    assert drops(curve, [350]) == [Drop(200, 80, False), Drop(500, 71, False)]


def test_connections_become_spans_and_what_nobody_asked_is_left_out() -> None:
    looks = [(0, ""), (10, "connected"), (20, "connected"), (30, "disconnected"), (40, ""), (50, "connected")]
    assert spans(looks, 60) == [
        Span(10, 30, "connected"),
        Span(30, 40, "disconnected"),
        Span(50, 60, "connected"),
    ]
    assert spans([], 60) == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("company 1001", "company 1001"),
        ("919585510685:17", "91****85:17"),
        ("session-4917012345678.0.json", "session-49****78.0.json"),
        ("12345678", "12345678"),
        ("1,234,567,890 files", "1,234,567,890 files"),
    ],
)
def test_a_phone_number_is_masked(text: str, shown: str) -> None:
    assert numbers_masked(text) == shown


@given(st.integers(1, 5_000))
def test_a_report_has_a_bound_however_many_companies(companies: int) -> None:
    assert FEWEST_POINTS <= points_for(companies) <= MOST_OF_ONE
    assert points_for(companies) * companies <= max(MOST_POINTS, FEWEST_POINTS * companies)
    assert marks_for(companies) * companies <= max(MOST_MARKS, 10 * companies)


def test_a_sparkline_ends_now_and_holds_its_last_value() -> None:
    curve = [Point(0, 10), Point(1_500, 100), Point(1_600, 40)]
    line = sparkline(curve, 0, 3_000, "12345678")
    assert len(line) == 30
    assert line == "1" * 15 + "8" + "4" * 14
    assert sparkline([], 0, 10).strip() == ""
    assert sparkline([Point(2_999, 5)], 0, 3_000, "12345678") == " " * 29 + "7"


@given(CURVES)
def test_a_sparkline_shows_any_curve(curve: list[Point]) -> None:
    assert len(sparkline(curve, 0, 10**6)) == 30
