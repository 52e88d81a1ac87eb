"""When a job of cron runs: the five fields of crontab(5), as sets of minutes, hours, days, months and weekdays.

python-crontab reads and writes such fields but cannot say when one was due last, which is what tells a job that
did not run.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from baileys_tools.units import quoted

OFF = "off"

_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


class _Field(NamedTuple):
    noun: str
    first: int
    last: int
    names: Mapping[str, int]


_FIELDS = (
    _Field("minute", 0, 59, {}),
    _Field("hour", 0, 23, {}),
    _Field("day of the month", 1, 31, {}),
    _Field("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
    _Field("weekday", 0, 7, {name: number for number, name in enumerate(_DAYS)}),
)


class Schedule(NamedTuple):
    """When a job is due. `any_day` and `any_weekday` say that the field began with `*`, which cron asks for."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    """0 is Sunday."""
    any_day: bool
    any_weekday: bool

    def runs_on(self, moment: datetime) -> bool:
        """Given a local time, return whether the job runs on that day at all."""
        day = moment.day in self.days
        weekday = moment.isoweekday() % 7 in self.weekdays
        # crontab(5): when both are restricted, either of them is enough.
        chosen = day and weekday if self.any_day or self.any_weekday else day or weekday
        return chosen and moment.month in self.months

    def latest(self, now: datetime) -> datetime | None:
        """Given a local time, return the last minute at or before it in which the job was due, within five years.

        Local time as cron has it; around the change to summer time it can be an hour off.
        """
        day = now.replace(second=0, microsecond=0)
        times = sorted(((hour, minute) for hour in self.hours for minute in self.minutes), reverse=True)
        for back in range(5 * 366):
            if self.runs_on(moment := day - timedelta(days=back)):
                for hour, minute in times:
                    if back or (hour, minute) <= (day.hour, day.minute):
                        return moment.replace(hour=hour, minute=minute)
        return None


def parse_schedule(text: str) -> Schedule:
    """Given the five fields of a crontab line (`0 3 * * *`), return when that is. Raise ValueError otherwise."""
    words = text.split()
    if len(words) != len(_FIELDS):
        raise ValueError(f'{quoted(text)} is not a time for cron (for example "0 3 * * *", or off)')
    minutes, hours, days, months, weekdays = (
        _numbers(word.lower(), field, text) for word, field in zip(words, _FIELDS, strict=True)
    )
    return Schedule(
        minutes,
        hours,
        days,
        months,
        frozenset(day % 7 for day in weekdays),
        words[2].startswith("*"),
        words[4].startswith("*"),
    )


def _numbers(word: str, field: _Field, text: str) -> frozenset[int]:
    found: set[int] = set()
    for part in word.split(","):
        span, slash, step_text = part.partition("/")
        first_text, dash, last_text = span.partition("-")
        if span == "*":
            first, last = field.first, field.last
        else:
            first = _number(first_text, field, text)
            last = _number(last_text, field, text) if dash else field.last if slash else first
        step = _count(step_text, field, text) if slash else 1
        if first > last or step < 1:
            raise ValueError(f"{quoted(text)}: invalid {field.noun} {quoted(part)}")
        if slash and not dash and span != "*":
            # Debian's cron refuses 5/10, others read it as 5-59/10.
            raise ValueError(f"{quoted(text)}: write {first}-{field.last}/{step} instead of {quoted(part)}")
        found.update(range(first, last + 1, step))
    return frozenset(found)


def _number(word: str, field: _Field, text: str) -> int:
    if word in field.names:
        return field.names[word]
    number = _count(word, field, text)
    if not field.first <= number <= field.last:
        raise ValueError(
            f"{quoted(text)}: invalid {field.noun} {quoted(word)} ({field.first} to {field.last})"
        )
    return number


def _count(word: str, field: _Field, text: str) -> int:
    if not (word.isascii() and word.isdigit() and len(word) <= 2):
        raise ValueError(
            f"{quoted(text)}: invalid {field.noun} {quoted(word)} ({field.first} to {field.last})"
        )
    return int(word)
