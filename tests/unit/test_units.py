"""Durations, sizes, ages and times are read and shown as people write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baileys_tools.units import (
    LONGEST_DURATION,
    format_age,
    format_duration,
    format_size,
    parse_duration,
    parse_size,
    parse_time,
    printable,
    quoted,
)


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("14d", timedelta(days=14)),
        ("36h", timedelta(hours=36)),
        ("90m", timedelta(minutes=90)),
        ("2w", timedelta(weeks=2)),
        ("1d12h", timedelta(hours=36)),
        ("45s", timedelta(seconds=45)),
        (" 7d ", timedelta(days=7)),
        ("0", timedelta()),
        ("0d", timedelta()),
    ],
)
def test_a_duration_is_read(text, duration):
    assert parse_duration(text) == duration


@pytest.mark.parametrize(
    "text",
    ["", " ", "soon", "d", "14", "-1d", "1.5d", "1h2d", "14 d", "1D", "१d", "1d\n2h", "9" * 5000 + "d"],
)
def test_what_is_no_duration_is_refused_with_the_text_and_an_example(text):
    with pytest.raises(ValueError, match="is not a duration") as refused:
        parse_duration(text)
    assert quoted(text) in str(refused.value)
    assert "14d" in str(refused.value)


def test_a_duration_beyond_a_hundred_years_is_refused():
    with pytest.raises(ValueError, match="longer than 100 years"):
        parse_duration("999999999999w")


@given(st.integers(0, int(LONGEST_DURATION.total_seconds())))
def test_a_shown_duration_reads_back_the_same(seconds):
    duration = timedelta(seconds=seconds)
    assert parse_duration(format_duration(duration)) == duration


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(days=14), "14d"),
        (timedelta(hours=24), "1d"),
        (timedelta(hours=36), "1d12h"),
        (timedelta(minutes=90), "1h30m"),
        (timedelta(0), "0"),
        (timedelta(milliseconds=-3), "0"),
        (timedelta(hours=-2), "-2h"),
    ],
)
def test_a_duration_is_shown(duration, text):
    assert format_duration(duration) == text


@pytest.mark.parametrize(
    ("age", "text"),
    [
        (timedelta(days=-1), "0s"),
        (timedelta(seconds=59), "59s"),
        (timedelta(minutes=59, seconds=59), "59m"),
        (timedelta(hours=1), "1.0h"),
        (timedelta(hours=23, minutes=59), "23.9h"),
        (timedelta(days=13, hours=23), "13.9d"),
        (timedelta(days=14.1), "14.1d"),
        (timedelta(days=99, hours=23), "99.9d"),
        (timedelta(days=400, hours=23), "400d"),
    ],
)
def test_an_age_is_cut_and_never_rounded_up(age, text):
    assert format_age(age) == text


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("4096", 4096),
        ("150k", 150_000),
        ("1.5 MB", 1_500_000),
        ("2GiB", 2 * 1024**3),
        ("1 kib", 1024),
        ("3B", 3),
        ("0", 0),
    ],
)
def test_a_size_is_read(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "big", "-1", "1.5.2MB", "5iB", "1e9", "12 PB", "MB"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(ValueError, match="is not a size"):
        parse_size(text)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (1_234_567, "1.2 MB"),
        (5 * 10**9, "5.0 GB"),
        (5 * 10**15, "5000.0 TB"),
    ],
)
def test_a_size_is_shown_in_powers_of_a_thousand(size, text):
    assert format_size(size) == text


@given(st.integers(0, 10**15))
def test_a_shown_size_reads_back_within_its_decimal(size):
    assert abs(parse_size(format_size(size)) - size) <= max(size * 0.06, 0)


@pytest.mark.parametrize(
    "text",
    ["2026-03-01T04:00:00Z", "2026-03-01T05:00:00+01:00", "2026-03-01 04:00Z", "1772337600", "1772337600.0"],
)
def test_a_time_is_read_as_aware_utc(text):
    time = parse_time(text)
    assert time == datetime(2026, 3, 1, 4, tzinfo=UTC)
    assert time.tzinfo is UTC


@pytest.mark.parametrize("text", ["2026-03-01", "2026-03-01T04:00:00"])
def test_a_time_without_a_zone_is_refused(text):
    with pytest.raises(ValueError, match="has no time zone"):
        parse_time(text)


@pytest.mark.parametrize(
    "text", ["", "now", "20260301", "1772337600000", "9" * 400, "2026-13-01T00:00Z", "0001-01-01T00:00+14:00"]
)
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ValueError, match="is not a time"):
        parse_time(text)


@given(st.text())
def test_nothing_that_a_terminal_acts_on_is_left(text):
    assert printable(text).isprintable()
    assert quoted(text).isprintable()
    assert len(quoted(text)) <= 60 * 10 + 2


def test_a_lone_surrogate_from_a_file_name_is_shown_as_an_escape():
    assert quoted("a\udcffb\x1b[2J") == '"a\\xffb\\x1b[2J"'
