"""Durations, sizes, ages and times as people write them and as they are shown.

Parsers raise ValueError with a message that quotes the text and gives an example.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

LONGEST_DURATION = timedelta(days=36_500)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_SECONDS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
# Plain texts: `re` compiles them at first use, and a start that parses nothing pays nothing.
_DURATION = "".join(rf"(?:([0-9]{{1,12}}){unit})?" for unit in _SECONDS)
_SIZE = r"([0-9]{1,15}(?:\.[0-9]{1,6})?) ?([kmgt]?)(i?)b?"
_POWER = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
_EPOCH_SECONDS = r"[0-9]{9,11}(?:\.[0-9]{1,9})?"


def printable(text: str) -> str:
    """Given any text, return it with everything that a terminal would act on written as an escape.

    Bytes of a file name that are no UTF-8 (surrogates) show as the bytes they are: `\\xff`.
    """
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else _escaped(character) for character in text)


def _escaped(character: str) -> str:
    if "\udc80" <= character <= "\udcff":
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")


def is_utf8(text: str) -> bool:
    """Whether a text can be written down. The name of a file can be bytes that are no UTF-8 (PEP 383)."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_one_line(text: str) -> bool:
    """Whether a text has no control character: no line break, and nothing that a terminal acts on."""
    return all(character >= " " and not "\x7f" <= character <= "\x9f" for character in text)


def quoted(text: str, most: int = 60) -> str:
    """Given any text, return it printable, in double quotes, `most` characters at most."""
    shown = text if len(text) <= most else text[: most - 3] + "..."
    return '"' + printable(shown) + '"'


def some_of(names: Sequence[str], most: int = 30) -> str:
    """Given names, return them printable with commas; of many the first, and how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(map(printable, names[:most])) + more


def did_you_mean(word: str, known: Iterable[str], prefix: str = "") -> str:
    """Given a word that is not known, return "; did you mean ...?" with the nearest that is, "" for none."""
    from difflib import get_close_matches

    close = get_close_matches(word[:100], sorted(known), n=1, cutoff=0.7)
    return f"; did you mean {prefix}{close[0]}?" if close else ""


def counted(number: int, noun: str, plural: str = "") -> str:
    """Given 1 and "file", return "1 file"; given 2, "2 files"."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def parse_duration(text: str) -> timedelta:
    """Given "14d", "36h", "1d12h", "90m", "2w" or "0", return the duration. m means minutes.

    Raise ValueError for anything else, for a number without a unit and beyond 100 years.
    """
    plain = text.strip()
    if plain == "0":
        return timedelta()
    found = re.fullmatch(_DURATION, plain)
    if not plain or not found:
        needs_unit = plain.isascii() and plain.isdigit()
        example = f"; write {plain[:12]}d for days" if needs_unit else " (for example 14d, 36h)"
        raise ValueError(f"{quoted(text)} is not a duration{example}")
    counts = zip(found.groups(), _SECONDS.values(), strict=True)
    seconds = sum(int(count or 0) * size for count, size in counts)
    if seconds > LONGEST_DURATION.total_seconds():
        raise ValueError(f"{quoted(text)} is longer than 100 years")
    return timedelta(seconds=seconds)


def format_duration(duration: timedelta) -> str:
    """Given a duration, return it as "14d", "1d12h" or "0", whole seconds; parse_duration reads it back."""
    seconds = int(abs(duration).total_seconds())
    parts = []
    for unit in "dhms":
        count, seconds = divmod(seconds, _SECONDS[unit])
        if count:
            parts.append(f"{count}{unit}")
    sign = "-" if parts and duration < timedelta() else ""
    return sign + "".join(parts) if parts else "0"


def format_age(age: timedelta) -> str:
    """Given an age, return one number with one unit: "40s", "12m", "5.3h", "13.9d".

    Cut, never rounded up, so that a file of 13.96 days is not shown as 14 days old. Below zero is 0.
    """
    seconds = max(0, int(age.total_seconds()))
    if seconds < 60:
        return f"{seconds}s"
    if seconds < 3_600:
        return f"{seconds // 60}m"
    unit = "h" if seconds < 86_400 else "d"
    tenths = seconds * 10 // _SECONDS[unit]
    return f"{tenths // 10}{unit}" if tenths >= 1_000 else f"{tenths // 10}.{tenths % 10}{unit}"


def duration_of(nanoseconds: int) -> timedelta:
    """Given nanoseconds, return the duration in whole microseconds, the longest there is for one beyond that.

    Whoever owns a file sets its times, and the kernel's have more room than Python's.
    """
    try:
        return timedelta(microseconds=nanoseconds // 1_000)
    except OverflowError:
        return timedelta.max if nanoseconds > 0 else timedelta.min


def moment_of(nanoseconds: int) -> datetime:
    """Given the time of a file, return it as an aware time, the nearest there is for one beyond the calendar."""
    try:
        return EPOCH + duration_of(nanoseconds)
    except OverflowError:
        return (datetime.max if nanoseconds > 0 else datetime.min).replace(tzinfo=UTC)


def parse_size(text: str) -> int:
    """Given "1.5 MB", "150k", "2GiB" or "4096", return bytes.

    kB, MB, GB and TB are powers of 1000, KiB to TiB of 1024; upper or lower case is the same.
    """
    found = re.fullmatch(_SIZE, text.strip().lower())
    if not found or (found[3] and not found[2]):
        raise ValueError(f"{quoted(text)} is not a size (for example 150MB, 2GiB)")
    return int(float(found[1]) * (1024 if found[3] else 1000) ** _POWER[found[2]])


def format_size(size: int) -> str:
    """Given bytes, return "999 B", "1.2 MB" ... in SI units, powers of 1000, as `df -H` shows them."""
    if abs(size) < 1_000:
        return f"{size} B"
    shown = float(size)
    for unit in ("kB", "MB", "GB"):
        shown /= 1_000
        if abs(shown) < 999.95:
            return f"{shown:.1f} {unit}"
    return f"{shown / 1_000:.1f} TB"


def parse_time(text: str) -> datetime:
    """Given ISO 8601 with a zone ("2026-03-01T04:00:00Z", "...+01:00") or epoch seconds, return aware UTC.

    A time without a zone is refused: cron's zone and the operator's differ too often to guess.
    """
    plain = text.strip()
    try:
        if re.fullmatch(_EPOCH_SECONDS, plain):
            return datetime.fromtimestamp(float(plain), UTC)
        if plain.isascii() and plain.isdigit():
            raise ValueError
        time = datetime.fromisoformat(plain)
        if time.tzinfo is not None:
            return time.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(
            f"{quoted(text)} is not a time (for example 2026-03-01T04:00:00Z, or epoch seconds)"
        ) from None
    raise ValueError(f"{quoted(text)} has no time zone; write {time.isoformat()}Z for UTC")
