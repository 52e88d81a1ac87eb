"""When a bot was off, told from the times of its files and from observations."""

from __future__ import annotations

import pytest

from baileys_tools.sessions.rules.silence import (
    HOUR_NS,
    Seen,
    Silence,
    lived_ago,
    silences,
    silent_since,
)

NOW = 1_768_478_400 * 1_000_000_000


def ago(hours: float) -> int:
    return NOW - int(hours * HOUR_NS)


def found(written: list[float], looks: list[tuple[float, float]] | None = None) -> list[tuple[float, float]]:
    """The silences by hours ago, given writes, and (looked, last write), by hours ago."""
    seen = [Seen(ago(at), ago(last)) for at, last in looks or []]
    times = silences([ago(hours) for hours in written], seen, NOW)
    return [((NOW - start) / HOUR_NS, (NOW - end) / HOUR_NS) for start, end in times]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ([], []),
        ([1, 5, 20, 300], []),
        ([24, 300], []),  # a night and a day are part of a life
        ([25, 300], [(25, 0)]),
        ([84, 85, 300], [(84, 0)]),
        # Back just now, with creds.json written at login or the first messages read.
        ([0.1, 84, 300], [(84, 0.1)]),
        ([0.1, 5.9, 84, 300], [(84, 5.9)]),
        # Back for longer, or never away: its older traces were written over.
        ([0.1, 6.1, 84, 300], []),
        ([0.1, 6.1, 30, 300], []),
        ([-100, 84], [(84, 0)]),  # from the future: a clock, and no life
    ],
)
def test_without_a_state_the_last_gap_counts_alone(
    written: list[float], expected: list[tuple[float, float]]
) -> None:
    assert found(written) == expected


@pytest.mark.parametrize(
    ("written", "looks", "expected"),
    [
        # Hourly looks while it was off, from 200 to 100 hours ago; since then it lives.
        ([1, 10, 100, 200], [(hours, 200) for hours in range(199, 100, -1)], [(200, 100)]),
        # Seen off by daily looks: the last one was less than a day before it came back.
        ([1, 10, 100, 200], [(hours, 200) for hours in (190, 166, 142, 118)], [(200, 100)]),
        # Looked at for two days of its absence, and then no more.
        ([1, 10, 20, 200], [(190, 200), (150, 200)], [(200, 150)]),
        # Observations fill what the folder's own times leave open.
        ([1, 300], [(hours, hours + 1) for hours in range(290, 0, -12)], []),
        ([0.1, 84, 300], [(30, 31), (60, 61)], [(31, 0.1)]),
        # Nobody looked into the gap.
        ([1, 10, 100, 200], [(250, 250), (50, 51)], []),
        # Two absences.
        ([1, 10, 100, 150, 200], [(180, 200), (151, 200), (140, 150), (101, 150)], [(200, 150), (150, 100)]),
        # A look from the future says nothing.
        ([1, 10, 100, 200], [(-50, -60), (110, 200)], [(200, 100)]),
    ],
)
def test_observations_say_when_it_was_off(
    written: list[float], looks: list[tuple[float, float]], expected: list[tuple[float, float]]
) -> None:
    assert found(written, looks) == expected


def test_an_age_is_counted_without_silences() -> None:
    times = (Silence(ago(200), ago(150)), Silence(ago(100), ago(20)))
    assert silent_since(times, ago(300)) == 130 * HOUR_NS
    assert silent_since(times, ago(200)) == 130 * HOUR_NS
    assert silent_since(times, ago(120)) == 80 * HOUR_NS
    assert silent_since(times, ago(10)) == 0


@pytest.mark.parametrize(
    ("lived", "moment"), [(10, 10), (20, 100), (21, 101), (70, 200), (71, 201), (170, 300)]
)
def test_the_moment_since_which_it_lived_so_long(lived: int, moment: int) -> None:
    times = (Silence(ago(200), ago(150)), Silence(ago(100), ago(20)))
    assert lived_ago(times, lived * HOUR_NS, NOW) == ago(moment)
    assert (NOW - ago(moment)) - silent_since(times, ago(moment)) == lived * HOUR_NS
