"""Times for cron: an oracle written apart goes through the minutes one by one, and python-crontab agrees on what is
a time at all.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from crontab import CronSlices
from hypothesis import given
from hypothesis import strategies as st

from baileys_tools.schedule import parse_schedule

NOW = datetime(2026, 1, 15, 12, 34, 56)  # a Thursday


@pytest.mark.parametrize(
    ("time", "latest"),
    [
        ("* * * * *", "2026-01-15 12:34"),
        ("*/5 * * * *", "2026-01-15 12:30"),
        ("3-59/5 * * * *", "2026-01-15 12:33"),
        ("34 12 * * *", "2026-01-15 12:34"),
        ("35 12 * * *", "2026-01-14 12:35"),
        ("0 3 * * *", "2026-01-15 03:00"),
        ("0 5 * * 0", "2026-01-11 05:00"),
        ("0 5 * * 7", "2026-01-11 05:00"),
        ("0 5 * * sun", "2026-01-11 05:00"),
        ("0 5 * * mon-fri", "2026-01-15 05:00"),
        ("0 0 1 * *", "2026-01-01 00:00"),
        ("0 0 1 * 3", "2026-01-14 00:00"),
        ("0 0 */2 * 3", "2026-01-07 00:00"),  # a star in one of them: both have to fit
        ("15 4 29 feb *", "2024-02-29 04:15"),
    ],
)
def test_the_last_minute_in_which_it_was_due(time: str, latest: str) -> None:
    assert parse_schedule(time).latest(NOW) == datetime.fromisoformat(latest)


def test_a_day_that_never_comes_is_never_due() -> None:
    assert parse_schedule("0 0 31 2 *").latest(NOW) is None


@pytest.mark.parametrize(
    "time",
    [
        *("", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8"),
        *("a * * * *", "*/0 * * * *", "5-1 * * * *", "1,,2 * * * *", "@daily", "-1 * * * *", "1-2-3 * * * *"),
        *("* * * * monday", "٣ * * * *", "5/10 * * * *", "* * * * *; rm -rf /"),
    ],
)
def test_what_cron_would_refuse_or_read_otherwise_is_refused(time: str) -> None:
    with pytest.raises(ValueError, match=r'^"'):
        parse_schedule(time)


def fields(first: int, last: int) -> st.SearchStrategy[str]:
    number = st.integers(first, last)
    span = st.tuples(number, number).map(lambda pair: f"{min(pair)}-{max(pair)}")
    stepped = st.tuples(st.one_of(span, st.just("*")), st.integers(1, min(20, last))).map(
        lambda pair: f"{pair[0]}/{pair[1]}"
    )
    one = st.one_of(number.map(str), span, stepped)
    return st.one_of(st.just("*"), one, st.lists(one, min_size=2, max_size=3).map(",".join))


TIMES = st.tuples(fields(0, 59), fields(0, 23), fields(1, 31), fields(1, 12), fields(0, 7)).map(" ".join)


@given(TIMES, st.datetimes(datetime(2024, 1, 1), datetime(2028, 1, 1)))
def test_it_agrees_with_a_walk_through_the_minutes(time: str, now: datetime) -> None:
    assert CronSlices.is_valid(time)
    found = parse_schedule(time).latest(now)
    minute = now.replace(second=0, microsecond=0)
    for _ in range(2000):
        if due(time, minute):
            assert found == minute
            return
        minute -= timedelta(minutes=1)
    assert found is None or found <= minute


def due(time: str, moment: datetime) -> bool:
    """crontab(5), read once more: each field against the number that a clock shows."""
    minute, hour, day, month, weekday = time.split()
    day_fits = fits(day, moment.day, 1, 31)
    weekday_fits = any(
        fits(weekday, number, 0, 7) for number in {moment.isoweekday(), moment.isoweekday() % 7}
    )
    days = (day_fits and weekday_fits) if day[0] == "*" or weekday[0] == "*" else (day_fits or weekday_fits)
    return (
        days
        and fits(minute, moment.minute, 0, 59)
        and fits(hour, moment.hour, 0, 23)
        and fits(month, moment.month, 1, 12)
    )


def fits(field: str, number: int, first: int, last: int) -> bool:
    for part in field.split(","):
        span, _, step = part.partition("/")
        low, _, high = (f"{first}-{last}" if span == "*" else span).partition("-")
        if int(low) <= number <= int(high or low) and (number - int(low)) % int(step or 1) == 0:
            return True
    return False
