"""The times that loggers and those who ship their lines write, as seconds since 1970."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

TIME_KEYS = (
    "time",
    "unixTime",
    "timestamp",
    "@timestamp",
    "ts",
    "datetime",
    "date",
    "__REALTIME_TIMESTAMP",
    "asctime",
    "eventTime",
    "_time",
    "t",
    "@t",
    "Timestamp",
    "TimeGenerated",
)
"""The keys that hold a record's time, by how common they are."""

_MONTHS = {
    name: number
    for number, name in enumerate(
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"], 1
    )
}
_MONTH = "|".join(_MONTHS)
_CLOCK = r"(\d\d?):(\d\d):(\d\d)(?:[.,](\d{1,9}))?"

_DATED = re.compile(
    # 2026-01-15T12:00:00.123Z, 2026/01/15 12:00:00, 2026-01-15, 12:00:00 +01:00
    rf"(?P<ymd>\d{{4}})[-/](\d\d)[-/](\d\d)[T ,]{{1,2}}{_CLOCK} ?(Z|UTC|[+-]\d\d:?\d\d)?"
    # 15/01/2026, 12:00:00 and 01/15/2026, 1:00:00 PM
    rf"|(?P<dmy>\d\d?)[-/.](\d\d?)[-/.](\d{{4}}),? {{1,3}}{_CLOCK}(?: ?([AP]M))?"
    # Thu Jan 15 2026 12:00:00, Jan 15, 2026 12:00:00 GMT+0100
    rf"|(?P<mdy>{_MONTH}) (\d\d?),? (\d{{4}}),? {_CLOCK}(?: (?:GMT|UTC)?([+-]\d{{4}}))?"
    # Jan 15 12:00:00, as the journal and syslog have it
    rf"|(?P<md>{_MONTH}) ([ \d]\d) {_CLOCK}"
)
_OF_DAY = re.compile(r"(?<![\d:.-])([01]\d|2[0-3]):([0-5]\d):([0-5]\d)(?:[.,]\d{1,6})?(?![\d:])")
_EPOCH = re.compile(r"(?<![\w.])(1\d{9}(?:\.\d{1,9}|\d{3}|\d{6}|\d{9})?)(?![\w.])")


class LineTime(NamedTuple):
    """What a line says of its time: a moment, or only the time of day, in seconds."""

    at: float | None = None
    of_day: float | None = None


NO_TIME = LineTime()


def moment(value: object) -> float | None:
    """Given what stands under a time key, return the moment; None where it is none.

    Numbers are seconds, milliseconds, microseconds or nanoseconds, by their size.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return _scaled(float(value)) if 0 < value < 1e20 else None
    if not isinstance(value, str) or not 8 <= len(value) <= 64:
        return None
    if value[-1] == "Z" and value[10:11] == "T" and len(value) == 24:
        return _second_of(value)
    if value.replace(".", "", 1).isdigit() and value.isascii():
        return _scaled(float(value))
    try:
        return datetime.fromisoformat(value).timestamp()
    except (ValueError, OverflowError):
        return stamp_in(value).at


def _scaled(number: float) -> float | None:
    for size in (1.0, 1e3, 1e6, 1e9):
        if number < 1e11 * size:
            return number / size
    return None


def _second_of(value: str) -> float | None:
    second, millis = _second(value[:19]), value[20:23]
    return (
        second + int(millis) / 1000 if second is not None and millis.isdigit() and millis.isascii() else None
    )


@lru_cache(maxsize=64)
def _second(value: str) -> float | None:
    # Lines of one second come in bursts.
    try:
        return datetime.fromisoformat(value + "+00:00").timestamp()
    except (ValueError, OverflowError):
        return None


def stamp_in(text: str, latest: float | None = None) -> LineTime:
    """Given the beginning of a line, return the time in it. One without a zone is this host's.

    `latest` is what a date without its year is not after.
    """
    if ":" in text and (found := _DATED.search(text)) is not None:
        return LineTime(_of_date(found, latest))
    if (found := _OF_DAY.search(text)) is not None:
        return LineTime(None, int(found[1]) * 3600.0 + int(found[2]) * 60 + int(found[3]))
    if (found := _EPOCH.search(text)) is not None:
        return LineTime(moment(found[1]))
    return NO_TIME


def _of_date(found: re.Match[str], latest: float | None) -> float | None:
    groups = found.groups()
    try:
        if found["ymd"]:
            year, month, day, hour, minute, second, _, zone = groups[:8]
            return _moment(int(year), int(month), int(day), hour, minute, second, zone or "")
        if found["dmy"]:
            one, two, year, hour, minute, second, _, half = groups[8:16]
            day, month = int(one), int(two)
            if half or month > 12:
                day, month = month, day
            if half:
                hour = str(int(hour) % 12 + (12 if half == "PM" else 0))
            return _moment(int(year), month, day, hour, minute, second, "")
        if found["mdy"]:
            name, day, year, hour, minute, second, _, zone = groups[16:24]
            return _moment(int(year), _MONTHS[name], int(day), hour, minute, second, zone or "")
        name, day, hour, minute, second, _ = groups[24:30]
        year = datetime.fromtimestamp(latest).year if latest else datetime.now().year
        at = _moment(year, _MONTHS[name], int(day), hour, minute, second, "")
        if latest is not None and at > latest + 86_400:
            at = _moment(year - 1, _MONTHS[name], int(day), hour, minute, second, "")
        return at
    except (ValueError, OverflowError, OSError):
        return None


def _moment(year: int, month: int, day: int, hour: str, minute: str, second: str, zone: str) -> float:
    plain = f"{year:04}-{month:02}-{day:02}T{int(hour):02}:{minute}:{second}"
    zone = "+00:00" if zone in ("Z", "UTC") else zone
    return _plain_moment(plain + zone)


@lru_cache(maxsize=64)
def _plain_moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


class Days:
    """Dates for lines that have the time of day only: counted back from the newest, which was written just now.

    `newest` is the time of day of the log's last line, None where that is not known, `wrote` when it was written.
    The zone is this host's or UTC: the one in which that line is younger.
    """

    def __init__(self, newest: float | None, wrote: float) -> None:
        local = datetime.fromtimestamp(wrote)
        midnights = [
            datetime(local.year, local.month, local.day).timestamp(),
            wrote - wrote % 86_400,
        ]
        ages = [
            (wrote - midnight - (wrote - midnight if newest is None else newest)) % 86_400
            for midnight in midnights
        ]
        # What was written a moment after the file's time is no day old.
        ages = [age - 86_400 if age > 86_400 - 300 else age for age in ages]
        age = min(ages)
        self._midnight = midnights[ages.index(age)]
        self.newest = wrote - age

    def before(self, of_day: float, after: float | None) -> float:
        """Return the newest moment with this time of day that is not after `after` (None: the log's last line)."""
        bound = self.newest if after is None else after
        at = self._midnight + of_day
        days = -((bound + 1 - at) // 86_400)
        return at - timedelta(days=days).total_seconds()
