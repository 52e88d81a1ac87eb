"""The records of a log whose message is one of some texts, in whatever form the log is: for who needs more than counts.

What is looked for is searched as bytes, and only a line that holds it is unwrapped. Everything is kept in the order of
the log.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Generic, NamedTuple, TypeVar

from baileys_tools.bots.bot_log.grammar import time_of
from baileys_tools.bots.bot_log.lines import MOST_LINES, record_with
from baileys_tools.bots.bot_log.reading import newest_of_day
from baileys_tools.bots.bot_log.stamps import NO_TIME, Days, LineTime
from baileys_tools.bots.bot_log.unwrap import (
    Inner,
    session_behind,
    session_in_fields,
    unwrap,
    without_colours,
)
from baileys_tools.trust import open_plain

MOST_READ = 64 << 20
"""Bytes of a log, from its end: what is older was most likely healed since."""

_CHUNK = 1 << 20
_HOLD = 1 << 16
"""The longest line, and what is there behind a line when it is read."""
_OWN_FORM = b'{"level":'
_NAMES = (b'"session', b'"instance')
_INDENTED = (" ", "\t", "}", "]", ")")


Told = TypeVar("Told")


class LogRecord(NamedTuple, Generic[Told]):
    """What a record tells, when it was written (seconds since 1970, None for no time), and which session it names."""

    told: Told
    at: float | None
    session: str | None


class RecordText(NamedTuple):
    """A record with the lines that belong to it, the time in it, and the session that it names."""

    text: str
    stamp: LineTime
    session: str | None


class Wanted:
    """Finds the records with these texts. `session` says whose a line is, as in the settings of a log."""

    def __init__(self, *texts: str, session: str | re.Pattern[str] = "") -> None:
        self._texts = frozenset(texts)
        self._words = re.compile("|".join(map(re.escape, texts)))
        raw = [text.encode() for text in texts]
        # The journal has lines with colours as lists of numbers.
        numbers = [b",".join(b"%d" % letter for letter in text) for text in raw]
        self._needles = (*raw, *numbers)
        self._own_ends = tuple(b'"msg":"%s"}' % text for text in raw)
        self._key = session if isinstance(session, str) else ""
        self._pattern = session if isinstance(session, re.Pattern) else None

    def in_lines(self, lines: bytes, latest: float, until: int | None = None) -> Iterator[RecordText]:
        """Yield those of whole lines; of lines that begin before `until`, as what follows them may be missing."""
        until, at = len(lines) if until is None else until, 0
        for hit in sorted(hit for needle in self._needles for hit in _hits(lines, needle, until)):
            if hit < at:
                continue
            start = lines.rfind(b"\n", at, hit) + 1 or at
            at = lines.find(b"\n", hit) + 1 or len(lines)
            if at - start <= _HOLD:
                yield from self._of_line(lines, start, at, latest)

    def _of_line(self, lines: bytes, start: int, end: int, latest: float) -> Iterator[RecordText]:
        raw = lines[start:end].rstrip(b"\r\n")
        if self._is_in_own_form(raw):
            text = raw.decode("utf-8", "replace")
            yield RecordText(text, LineTime(time_of(lines, start, end)), None)
            return
        inner = unwrap(raw, latest, self._key)
        if self._pattern is not None:
            named = self._pattern.search(raw[:_HOLD].decode("utf-8", "replace"))
            inner = inner._replace(session=named[1] if named else None)
        if inner.record is None and "\n" in inner.text:
            yield from self._of_several(inner, latest)
        elif (found := self._record(inner, _unwrapped(lines, end, latest), latest)) is not None:
            yield found[0]

    def _is_in_own_form(self, raw: bytes) -> bool:
        is_named = self._key or self._pattern is not None or any(name in raw for name in _NAMES)
        return not is_named and raw.startswith(_OWN_FORM) and raw.endswith(self._own_ends)

    def _of_several(self, whole: Inner, latest: float) -> Iterator[RecordText]:
        """Yield those of what was written at once and wrapped as one line: lines of their own."""
        lines, at = whole.text.split("\n"), 0
        while at < len(lines):
            inner = unwrap(lines[at].encode(), latest, self._key)
            inner = inner._replace(session=inner.session or whole.session)
            found = self._record(inner, iter(lines[at + 1 :]), latest)
            if found is not None:
                one = found[0]
                yield one._replace(stamp=whole.stamp if one.stamp == NO_TIME else one.stamp)
            at += 1 + (found[1] if found is not None else 0)

    def _record(
        self, inner: Inner, following: Iterator[str | None], latest: float
    ) -> tuple[RecordText, int] | None:
        found = record_with(inner, following, self._texts, self._words, latest)
        if found is None:
            return None
        text, stamp, lines = found
        session = inner.session
        if session is None and inner.record is None and self._pattern is None:
            session = session_behind(inner.text, self._key) or session_in_fields(text, self._key)
        return RecordText(text, stamp, session), lines


def _hits(lines: bytes, needle: bytes, until: int) -> Iterator[int]:
    at = lines.find(needle, 0, until)
    while at >= 0:
        yield at
        at = lines.find(needle, at + len(needle), until)


def _unwrapped(lines: bytes, start: int, latest: float) -> Iterator[str]:
    """Yield the lines from a place on, each without its wrapping."""
    for _ in range(MOST_LINES):
        end = lines.find(b"\n", start)
        if end < 0:
            return
        text = without_colours(lines[start:end].decode("utf-8", "replace"))
        yield text if text.startswith(_INDENTED) else unwrap(lines[start:end], latest).text
        start = end + 1


def records_of_file(
    path: str, wanted: Wanted, told_by: Callable[[str], Told | None], now: datetime
) -> list[LogRecord[Told]]:
    """Given a log, return what its wanted records tell, in its last 64 MiB. Raise OSError."""
    latest, fd = now.timestamp(), open_plain(path)
    try:
        status = os.fstat(fd)
        days = Days(newest_of_day(fd, status.st_size, latest), min(status.st_mtime, latest))
        texts = (
            one
            for lines, until in _pieces(_end_of(fd, status.st_size))
            for one in wanted.in_lines(lines, latest, until)
        )
        return dated(texts, told_by, days)
    finally:
        os.close(fd)


def records_of_stream(
    chunks: Iterable[bytes], wanted: Wanted, told_by: Callable[[str], Told | None], now: datetime
) -> list[LogRecord[Told]]:
    """Given a log that is no file as it comes, return what its wanted records tell."""
    latest = now.timestamp()
    texts = (one for lines, until in _pieces(chunks) for one in wanted.in_lines(lines, latest, until))
    return dated(texts, told_by)


def _end_of(fd: int, size: int) -> Iterator[bytes]:
    offset = max(0, size - MOST_READ)
    while offset < size and (chunk := os.pread(fd, min(_CHUNK, size - offset), offset)):
        offset += len(chunk)
        yield chunk


def _pieces(chunks: Iterable[bytes]) -> Iterator[tuple[bytes, int]]:
    """Yield a log piece by piece, and up to where in it lines begin whose followers are there."""
    rest = b""
    for chunk in chunks:
        lines = rest + chunk
        until = lines.rfind(b"\n", 0, max(0, len(lines) - _HOLD)) + 1
        yield lines, until
        # A line without an end is given up: no message of Baileys is so long.
        rest = lines[until:] if until else lines[-_HOLD:]
    yield rest, len(rest)


def dated(
    texts: Iterable[RecordText], told_by: Callable[[str], Told | None], days: Days | None = None
) -> list[LogRecord[Told]]:
    """Return what records tell, each with its time: one that has the time of day alone is counted back from the newest.

    A record that tells nothing (None) is left out.
    """
    found = [(told, one.stamp, one.session) for one in texts if (told := told_by(one.text)) is not None]
    records, after = [], None
    for told, stamp, session in reversed(found):
        at = stamp.at
        if at is None and stamp.of_day is not None and days is not None:
            at = after = days.before(stamp.of_day, after)
        records.append(LogRecord(told, at, session))
    return records[::-1]
