"""The forecast: growth between cleanups, and when it reaches a threshold. The oracle is written apart."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from baileys_tools.sessions.rules.forecast import (
    ENOUGH,
    Sample,
    growth_per_day,
    next_threshold,
    time_until,
)
from baileys_tools.thresholds import Level, Thresholds, level_of

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
LEVELS = Thresholds()


def history(*looks: tuple[float, int]) -> list[Sample]:
    """Looks at (day, counted files)."""
    return [Sample(START + timedelta(days=day), counted) for day, counted in looks]


def hourly(
    per_day: float, days: int, *, start: int = 60, cleaned_at: int = 10**9, down_to: int = 60
) -> list[Sample]:
    """A folder that grows evenly, looked at each hour, and that is cleaned when it reaches `cleaned_at`."""
    found, base, since = [], start, 0
    for hour in range(days * 24 + 1):
        counted = base + int(per_day * (hour - since) / 24)
        if counted >= cleaned_at:
            base, since = down_to, hour
            counted = base
        found.append(Sample(START + timedelta(hours=hour), counted))
    return found


# --- growth -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("per_day", [0, 0.5, 1, 4, 25, 120])
def test_an_even_growth_is_found(per_day: float) -> None:
    found = growth_per_day(hourly(per_day, 7))
    assert found == pytest.approx(per_day, rel=0.05, abs=0.2)


@pytest.mark.parametrize("per_day", [8, 30, 90])
def test_cleanups_are_not_taken_for_a_shrinking(per_day: float) -> None:
    cleaned = hourly(per_day, 7, cleaned_at=100)
    assert min(after.counted - before.counted for before, after in pairwise(cleaned)) < -30
    assert growth_per_day(cleaned) == pytest.approx(per_day, rel=0.1)


def test_one_import_of_contacts_is_not_the_growth_of_every_day() -> None:
    looks = [
        sample._replace(counted=sample.counted + (80 if index > 130 else 0))
        for index, sample in enumerate(hourly(4, 7))
    ]
    found = growth_per_day(looks)
    assert found is not None
    assert found < 8, "a plain last-minus-first would say 15"


def test_a_burst_each_morning_is_growth() -> None:
    looks = [Sample(START + timedelta(hours=hour), 60 + 20 * ((hour + 14) // 24)) for hour in range(7 * 24)]
    assert growth_per_day(looks) == pytest.approx(20, rel=0.15)


def test_a_single_wrong_look_changes_next_to_nothing() -> None:
    looks = hourly(6, 7)
    looks[50] = looks[50]._replace(counted=looks[50].counted + 900)
    assert growth_per_day(looks) == pytest.approx(6, rel=0.25)


def test_a_folder_that_shrinks_by_itself_does_not_grow() -> None:
    assert growth_per_day(history((0, 100), (1, 98), (2, 96), (3, 94))) == 0


@pytest.mark.parametrize(
    "looks",
    [
        [],
        history((0, 100)),
        history((0, 100), (0, 100)),
        history((0, 100), (0.5, 104), (0.99, 108)),
        history((0, 170), (1, 90), (2, 60), (3, 50)),
        history((0, 100), (0.4, 104), (0.41, 60), (0.9, 66)),
    ],
    ids=[
        "nothing",
        "one look",
        "twice at once",
        "under a day",
        "cleaned at each look",
        "under a day between",
    ],
)
def test_a_history_that_is_too_thin_tells_nothing(looks: list[Sample]) -> None:
    assert growth_per_day(looks) is None


def test_what_is_just_enough_tells_something() -> None:
    assert growth_per_day(history((0, 100), (1, 104))) == pytest.approx(4)


def oracle(looks: Sequence[Sample]) -> Fraction | None:
    """The same in exact numbers and by definition: the slope with the smallest weighted distance to all others."""
    pairs = []
    for first in range(len(looks)):
        for last in range(first + 1, len(looks)):
            between = range(first, last)
            if any(looks[k].counted - looks[k + 1].counted > 4 for k in between):
                continue
            days = Fraction(int((looks[last].at - looks[first].at).total_seconds()), 86_400)
            if days:
                pairs.append(
                    (Fraction(looks[last].counted - looks[first].counted) / days, min(days, Fraction(1)))
                )
    covered = sum(
        (after.at - before.at for before, after in pairwise(looks) if before.counted - after.counted <= 4),
        timedelta(),
    )
    if covered < DAY:
        return None
    best = min(pairs, key=lambda pair: (sum(w * abs(s - pair[0]) for s, w in pairs), pair[0]))
    return max(Fraction(0), best[0])


LOOKS = st.lists(
    st.tuples(st.integers(0, 14 * 24), st.integers(0, 220)), max_size=14, unique_by=lambda look: look[0]
)


@given(LOOKS)
@example([(0, 0), (8, 10), (9, 5), (25, 5), (26, 0), (49, 5), (50, 0), (56, 5), (240, 0), (256, 0), (275, 1)])
def test_growth_is_that_of_the_oracle(looks: list[tuple[int, int]]) -> None:
    samples = [Sample(START + timedelta(hours=hour), counted) for hour, counted in sorted(looks)]
    expected = oracle(samples)
    found = growth_per_day(samples)
    if expected is None:
        assert found is None
    else:
        assert found == pytest.approx(float(expected), rel=1e-9, abs=1e-9)


@given(
    st.floats(0.5, 80),
    st.lists(st.integers(5, 7 * 24 - 5), max_size=6, unique=True),
    st.integers(10, 60),
    st.lists(st.integers(-1, 1), min_size=169, max_size=169),
)
def test_cleanups_and_noise_hide_no_growth(
    per_day: float, cleanups: list[int], drop: int, noise: list[int]
) -> None:
    looks, lost = [], 0
    for hour in range(169):
        lost += (drop + int(per_day)) * (hour in cleanups)
        counted = 1_000 + int(per_day * hour / 24) - lost + noise[hour]
        looks.append(Sample(START + timedelta(hours=hour), counted))
    found = growth_per_day(looks)
    assert found is not None
    longest = max(after - before for before, after in pairwise([0, *sorted(cleanups), 169]))
    # A stretch of so many hours tells growth to about three files over its length.
    assert found == pytest.approx(per_day, rel=0.15, abs=3 * 24 / longest * 2)


@given(LOOKS, st.integers(-1_000, 1_000), st.integers(0, 10**6))
def test_neither_the_level_nor_the_date_matters(
    looks: list[tuple[int, int]], more: int, seconds: int
) -> None:
    samples = [Sample(START + timedelta(hours=hour), counted) for hour, counted in sorted(looks)]
    moved = [Sample(sample.at + timedelta(seconds=seconds), sample.counted + more) for sample in samples]
    assert growth_per_day(moved) == pytest.approx(growth_per_day(samples))


def test_a_week_of_minutes_costs_milliseconds() -> None:
    looks = [Sample(START + timedelta(minutes=minute), 60 + minute // 480) for minute in range(7 * 1440)]
    assert growth_per_day(looks) == pytest.approx(3, rel=0.1)


# --- when ---------------------------------------------------------------------------------------------------


@given(st.integers(0, 400), st.integers(1, 400), st.floats(0.01, 500))
def test_after_that_time_the_threshold_is_reached_and_not_before(
    counted: int, threshold: int, growth: float
) -> None:
    within = time_until(counted, threshold, growth)
    assume(within is not None)
    assert within is not None
    assert counted + growth * (within / DAY) >= threshold - 1e-3
    if within:
        assert counted + growth * (within / DAY) <= threshold + 1e-3
    else:
        assert counted >= threshold


@pytest.mark.parametrize(
    ("counted", "growth", "words"),
    [
        (100, None, None),
        (100, 0.0, None),
        (100, 0.01, None),
        (100, 25.0, "reaches 150 in 2 days"),
        (149, 4.0, "reaches 150 in 6 hours"),
        (149, 100.0, "reaches 150 in under an hour"),
        (149, 24.0, "reaches 150 in 1 hour"),
        (150, 10.0, "reaches 170 in 2 days"),
        (170, 5 / 3, "reaches 175 in 3 days"),
        (179, 1.0, "reaches 180 in 24 hours"),
        (185, 0.5, "reaches 186 in 2 days"),
        (186, 10.0, None),
    ],
)
def test_the_next_threshold_in_words(counted: int, growth: float | None, words: str | None) -> None:
    forecast = next_threshold(counted, growth, LEVELS)
    assert (forecast and forecast.words) == words


@given(st.integers(0, 200), st.floats(1, 100))
def test_the_next_threshold_begins_another_level(counted: int, growth: float) -> None:
    forecast = next_threshold(counted, growth, LEVELS)
    if forecast is None:
        assert level_of(counted, LEVELS) is Level.DANGER
        return
    assert level_of(forecast.threshold, LEVELS) is forecast.level
    assert level_of(forecast.threshold - 1, LEVELS) is level_of(counted, LEVELS) is not forecast.level


def test_what_is_enough_is_said_in_one_place() -> None:
    assert ENOUGH == DAY
