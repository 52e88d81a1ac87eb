"""Counts the events in a stretch of a log, in one pass and in constant memory, however long it or its lines are.

Words of Baileys are searched for, and only lines that hold one are looked at: those in Baileys' own form in place, all
others by `unwrap` and `lines`. Whatever the lines, each byte is looked at a few times at most: a search backwards ends
where the one before it began, and one line tells one event.
"""

from __future__ import annotations

import os
import re
from bisect import bisect_left
from collections.abc import Callable, Iterator

from baileys_tools.bots.bot_log import causes, grammar
from baileys_tools.bots.bot_log.grammar import OBJECT_BEGINS_WITHIN, Buffer
from baileys_tools.bots.bot_log.lines import MOST_LINES, REACH, Reading, read_line
from baileys_tools.bots.bot_log.stamps import NO_TIME, LineTime, stamp_in
from baileys_tools.bots.bot_log.tally import EARLIEST, HOUR, LineTold, Page
from baileys_tools.bots.bot_log.unwrap import (
    Inner,
    session_behind,
    session_in_fields,
    unwrap,
    without_colours,
)
from baileys_tools.bots.rules.log_events import LogEvent

try:
    from stringzilla import find
except ImportError:
    # Ten times slower, and there for a machine that the library is not built for.
    def find(haystack: Buffer, needle: bytes, start: int, end: int) -> int:
        return haystack.find(needle, start, end)


BUFFER = 512 << 10
"""Also the longest line that is read; a longer one is passed over."""
STEP = 256 << 10
SMALLEST = 4 << 10
"""A stretch that is not halved any more to find one whose lines are all of one hour."""

_LOOK_BACK = 4_096
_LOOK_AHEAD = 2_048
_HOLD = 64 << 10
_NAMES = (b'"session', b'"instance')

Fill = Callable[[memoryview, int], int]
"""Puts what stands at an offset into a piece of memory, and returns how much that is; 0 at the end."""
Hit = int
"""Where a word of Baileys stands in the buffer."""


class Scanner:
    """Reads a file from where it stands into a page.

    `session` says whose a line is: the key of a record or a pattern with one group, "" for the usual keys.
    """

    def __init__(self, page: Page, session: str | re.Pattern[str] = "") -> None:
        self.page = page
        self._key = session if isinstance(session, str) else ""
        self._pattern = session if isinstance(session, re.Pattern) else None
        self._names = (f'"{self._key}"'.encode(),) if self._key else _NAMES
        self._buffer = bytearray(BUFFER)
        self._told = 0
        self.last = self.left = b""

    def read(self, fd: int, offset: int, end: int, *, may_hold: bool = False, before: bytes = b"") -> int:
        """Given an open file, count its whole lines from `offset` to at most `end`; return where to go on next time.

        `may_hold`: a record over several lines whose end is not there yet is left for the next time. `before` is what
        was left of the file before this one, where a log was rotated within a record; as long as it is not done with,
        what is returned is below 0.
        """
        return self.read_from(
            lambda view, at: os.preadv(fd, [view], at), offset, end, may_hold=may_hold, before=before
        )

    def read_from(
        self, fill: Fill, offset: int, end: int, *, may_hold: bool = False, before: bytes = b""
    ) -> int:
        """As `read`, of what `fill` gives. What is not done with after that is in `left`, the line before in `last`."""
        buffer, view = self._buffer, memoryview(self._buffer)
        kept, passing_over = len(before), False
        buffer[:kept] = before
        offset -= kept
        self.last = b""
        while offset + kept < end:
            wanted = min(STEP, BUFFER - kept, end - offset - kept)
            got = fill(view[kept : kept + wanted], offset + kept)
            if got == 0:
                break
            filled = kept + got
            first = 0
            if passing_over:
                first = buffer.find(b"\n", 0, filled) + 1
                if not first:
                    offset, kept = offset + filled, 0
                    continue
                passing_over = False
            last = buffer.rfind(b"\n", first, filled) + 1
            if last:
                last = self._scan(first, last, may_hold=may_hold or offset + filled < end)
                if last > first:
                    self.last = bytes(buffer[max(first, buffer.rfind(b"\n", first, last - 1) + 1) : last])
            elif filled - first == BUFFER:
                passing_over, last = True, filled
            last = max(last, first)
            offset, kept = offset + last, filled - last
            buffer[:kept] = buffer[last:filled]
        self.left = b"" if passing_over else bytes(buffer[:kept])
        return offset

    def _scan(self, first: int, last: int, *, may_hold: bool) -> int:
        """Count the lines between two places of the buffer; return up to where that was done."""
        self._told = first
        hits = self._hits(first, last)
        return self._count_all(first, last, hits, last, may_hold)

    def _hits(self, first: int, last: int) -> list[Hit]:
        buffer, hits = self._buffer, list[Hit]()
        has_numbers = any(find(buffer, words, first, last) >= 0 for words in grammar.IN_NUMBERS)
        for needle in grammar.NEEDLES + grammar.NUMBERS if has_numbers else grammar.NEEDLES:
            length = len(needle)
            at = find(buffer, needle, first, last)
            while at >= 0:
                hits.append(at)
                at = find(buffer, needle, at + length, last)
        hits.sort()
        return hits

    def _count_all(self, first: int, last: int, hits: list[Hit], end: int, may_hold: bool) -> int:
        """Count the lines of a stretch that hold a hit; return up to where that was done.

        A stretch of several hours is halved until little is left of it whose lines have to be told apart one by one.
        `end` is where whole lines end in the buffer.
        """
        hour, newest = self._hour_of_all(first, last)
        if hour is None and newest is not None and last - first > SMALLEST and len(hits) > 1:
            middle = self._buffer.find(b"\n", (first + last) // 2, last) + 1
            if first < middle < last:
                at = bisect_left(hits, middle)
                done = self._count_all(first, middle, hits[:at], end, may_hold)
                if done < middle:
                    return done
                return self._count_all(middle, last, hits[at:], end, may_hold)
        find, rfind = self._buffer.find, self._buffer.rfind
        line_end = first - 1
        for hit in hits:
            if hit < self._told or hit <= line_end:
                continue
            line = rfind(b"\n", max(first, line_end), hit) + 1 or max(first, line_end + 1)
            line_end = find(b"\n", hit, end)
            if self._quick(line, line_end, hour, first):
                continue
            readings, until = self._read(line, line_end, end)
            if may_hold and not readings[-1].is_whole and end - line < _HOLD:
                # What it is dated by does not wait with it.
                if line != self._told:
                    self._stamp = self._near(line, first)
                    self.page.last_time = self.page.believed(self._stamp.at) or self.page.last_time
                return line
            for reading in readings:
                if reading.told is not None:
                    stamp = reading.stamp
                    if stamp == NO_TIME:
                        # Right behind a line whose time is known, that is its own.
                        stamp = self._stamp if line == self._told else self._near(line, first)
                    self._stamp = stamp
                    self.page.tell(reading.told, stamp, self._session)
                elif reading.unread:
                    self.page.not_read(reading.unread)
            done = readings[-1].told is not None or readings[-1].lines
            self._told = until if done else max(self._told, line_end)
        self.page.last_time = newest or self.page.last_time
        return last

    def _quick(self, line: int, line_end: int, hour: int | None, first: int) -> bool:
        """Count a line that is in Baileys' own form, or a plain one of libsignal; return whether it is one."""
        buffer = self._buffer
        if buffer[line] != _BRACE:
            if self._pattern is None and buffer.startswith(grammar.CONSOLE_STARTS, line):
                event = grammar.CONSOLE_BY_FIRST[buffer[line]]
                if hour is not None:
                    self.page.count(event, hour)
                else:
                    self._stamp = self._stamp if line == self._told else self._near(line, first)
                    self.page.tell(LineTold((event,)), self._stamp)
                    self._told = line_end + 1
                return True
        elif not buffer.startswith(b'{"level":', line) and (text := self._kept_text(line, line_end)) >= 0:
            inner = grammar.kept_text(bytes(buffer[text:line_end]))
            # Without a time of its own it has that of whoever keeps it.
            return b'"time":' in inner[:400] and self._own_form(inner, 0, len(inner), None)
        return self._own_form(buffer, line, line_end, hour)

    def _kept_text(self, line: int, line_end: int) -> int:
        """Where a string begins in which Docker, the journal or PM2 keeps a record in Baileys' own form; -1 for none.

        Quotes within a string are escaped, so none of these words is a contact's.
        """
        buffer = self._buffer
        if self._is_named(buffer, line, line_end):
            return -1
        if buffer.startswith(grammar.DOCKER_OWN, line):
            return line + len(grammar.DOCKER)
        if buffer.startswith(grammar.PM2_OWN, line):
            return line + len(grammar.PM2) if buffer.find(b'","timestamp":"', line, line_end) >= 0 else -1
        at = buffer.find(grammar.JOURNAL_OWN, line, line_end)
        if at < 0 or buffer.find(grammar.JOURNAL + b":", line, line_end) < 0:
            return -1
        return at + len(grammar.JOURNAL_TEXT)

    def _own_form(self, buffer: Buffer, line: int, line_end: int, hour: int | None) -> bool:
        """Count a line that is in Baileys' own form; return whether it is."""
        page = self.page
        start = buffer.find(b'"msg":"', line, line_end)
        if start < 0:
            return False
        if (found := grammar.MESSAGE.match(buffer, start, line_end)) is None:
            start = buffer.rfind(b'"msg":"', start + 7, line_end)
            if start < 0 or (found := grammar.MESSAGE.match(buffer, start, line_end)) is None:
                return False
        # Whatever a contact writes is in a string of a line, never a line's own object.
        if buffer.find(b'{"level":', line, min(start, line + OBJECT_BEGINS_WITHIN)) < 0:
            return False
        if self._is_named(buffer, line, start):
            return False
        if found[2]:
            page.tell(LineTold((), number=int(found[2])), self._time(buffer, line, start))
            return True
        event = grammar.MESSAGES[found[1]]
        if event is LogEvent.NOT_DECRYPTED or event is LogEvent.RETRY_ASKED:
            if event is LogEvent.NOT_DECRYPTED:
                event = grammar.decrypt_failure(buffer, line, start)
            if hour is not None:
                page.count(event, hour)
            else:
                page.tell(LineTold((event,)), self._time(buffer, line, start))
            return True
        when = self._time(buffer, line, start)
        told = LineTold((event,))
        if event is LogEvent.STREAM_ERROR:
            told = LineTold((grammar.stream_error(bytes(buffer[line:start])),))
        elif event is LogEvent.CLOSED:
            reason = grammar.close_reason(bytes(buffer[line:start]))
            told = LineTold((reason, event) if reason else (event,))
        elif event is LogEvent.OPENED:
            pid = grammar.PID.search(buffer, line, start)
            told = LineTold((event,), pid=int(pid[1]) if pid else 0)
        page.tell(told, when)
        return True

    def _is_named(self, buffer: Buffer, line: int, end: int) -> bool:
        """Whether a line says whose it is."""
        return self._pattern is not None or any(buffer.find(name, line, end) >= 0 for name in self._names)

    def _read(self, line: int, line_end: int, end: int) -> tuple[list[Reading], int]:
        """Read a line in any other form; return what it tells and where the next one starts."""
        raw = bytes(self._buffer[line:line_end])
        inner = unwrap(raw, self.page.latest, self._key)
        self._session = inner.session
        if self._pattern is not None:
            found = self._pattern.search(raw[:_LOOK_BACK].decode("utf-8", "replace"))
            self._session = found[1] if found else None
        if inner.record is None and "\n" in inner.text:
            return self._several(inner), line_end + 1
        if inner.record is None and causes.PAYLOAD_ENDS.match(inner.text):
            # Its status stands in one of the lines before.
            inner = inner._replace(text=self._lines_before(line) + inner.text)
        ends = {0: line_end}
        reading = read_line(inner, self._following(line_end + 1, end, ends), self.page.latest)
        may_name = self._session is None and inner.record is None and self._may_name(reading)
        if may_name and (self._key or self._is_name_near(line, line_end, end)):
            fields, is_whole = self._fields_behind(line_end + 1, end)
            self._session = session_behind(inner.text, self._key) or session_in_fields(fields, self._key)
            # Whose it is may not be written yet.
            is_whole = is_whole or not self._key or self._session is not None
            reading = reading._replace(is_whole=reading.is_whole and is_whole)
        return [reading], ends[reading.lines] + 1

    def _may_name(self, reading: Reading) -> bool:
        """Whether the fields behind a text are looked at: a bot's own words may hold a contact's, if nobody vouches."""
        told = reading.told
        return told is not None and self._pattern is None and (bool(self._key) or not told.by_bot)

    def _is_name_near(self, line: int, line_end: int, end: int) -> bool:
        """Whether one of the usual keys may stand behind a text or below it, at a fraction of what a look costs."""
        find, until = self._buffer.find, line_end
        if self._buffer.startswith(b" ", line_end + 1):
            until = min(end, line_end + _LOOK_AHEAD)
        return find(b"session", line, until) >= 0 or find(b"instance", line, until) >= 0

    def _fields_behind(self, start: int, end: int) -> tuple[str, bool]:
        """The indented lines from here on, and whether their end was seen."""
        found = _INDENTED.match(self._buffer, start, min(end, start + REACH))
        until = found.end() if found is not None else start
        text = bytes(self._buffer[start:until]).decode("utf-8", "replace")
        return without_colours(text), until < end

    def _lines_before(self, line: int) -> str:
        """The two lines before this one, on one line with it."""
        lines = bytes(self._buffer[max(0, line - _LOOK_BACK) : line]).split(b"\n")[-3:-1]
        return " ".join(unwrap(raw, self.page.latest, self._key).text.strip() for raw in lines) + " "

    def _several(self, whole: Inner) -> list[Reading]:
        """Read what was written at once and wrapped as one line (PM2's JSON): lines of their own."""
        lines = whole.text.split("\n")
        readings, at = [], 0
        while at < len(lines):
            inner = unwrap(lines[at].encode(), self.page.latest, self._key)
            reading = read_line(inner, iter(lines[at + 1 : at + 2 + MOST_LINES]), self.page.latest)
            if reading.told is not None and reading.stamp == NO_TIME:
                reading = reading._replace(stamp=whole.stamp)
            readings.append(reading)
            self._session = inner.session or self._session
            if inner.record is None and self._session is None and self._may_name(reading):
                self._session = session_behind(inner.text, self._key) or session_in_fields(
                    whole.text, self._key
                )
            at += 1 + reading.lines
        return readings

    def _following(self, start: int, end: int, ends: dict[int, int]) -> Iterator[str | None]:
        """Yield what stands behind a line, several lines at a time where they are indented; None where no more is yet.

        `ends` is where each part ends, by how many lines were yielded up to there.
        """
        far, lines = start + 8 * REACH, 0
        while lines <= MOST_LINES:
            if start >= end:
                yield None
                return
            found = _INDENTED.match(self._buffer, start, min(end, start + REACH))
            if found is not None:
                raw = bytes(self._buffer[start : found.end() - 1])
                stop = found.end() - 1
                text = without_colours(raw.decode("utf-8", "replace"))
            else:
                stop = self._buffer.find(b"\n", start, end)
                if stop < 0 or stop > far:
                    return
                raw = bytes(self._buffer[start:stop])
                text = unwrap(raw, self.page.latest, self._key).text
            lines += 1 + text.count("\n")
            ends[lines] = stop
            yield text
            start = stop + 1

    _session: str | None = None
    _stamp: LineTime = NO_TIME

    def _hour_of_all(self, first: int, last: int) -> tuple[int | None, float | None]:
        """The hour that all lines of a stretch are of, None where there are several or none is known; the newest time.

        A busy bot writes a megabyte in much less than an hour, and to tell the time of each line is what costs most.
        """
        at = self._buffer.find(b'"time":', first, last)
        oldest = self._time_at(at, last)
        if at >= 0 and self._buffer.find(b"\n", first, at) >= 0:
            # Lines ahead of the first that has a time belong to the line before the stretch.
            oldest = self.page.last_time
        newest = self._time_at(self._buffer.rfind(b'"time":', first, last), last)
        if oldest is None or newest is None or int(oldest) // HOUR != int(newest) // HOUR:
            return None, newest
        return int(oldest) // HOUR, newest

    def _time_at(self, at: int, last: int) -> float | None:
        return self.page.believed(grammar.time_of(self._buffer, at, last)) if at >= 0 else None

    def _time(self, buffer: Buffer, start: int, end: int) -> float | None:
        when = grammar.time_of(buffer, start, end)
        if when is None or when < EARLIEST:
            return self.page.last_time
        self.page.last_time = when = min(when, self.page.latest)
        return when

    def _near(self, line: int, first: int) -> LineTime:
        """The time of a line that has none of its own: that of the line before which has one."""
        buffer, end = self._buffer, line
        for _ in range(3):
            if end <= first:
                break
            start = buffer.rfind(b"\n", max(first, end - 1 - _LOOK_BACK), end - 1) + 1 or first
            at = buffer.find(b'"time":', start, end)
            if at >= 0 and (when := self._time_at(at, end)) is not None:
                return LineTime(when)
            text = bytes(buffer[start : min(end, start + 160)]).decode("utf-8", "replace")
            if (said := stamp_in(text, self.page.latest)) != LineTime():
                return said
            end = start
        at = buffer.rfind(b'"time":', max(first, line - _LOOK_BACK), line)
        return LineTime(self._time_at(at, line))


_BRACE = ord("{")
_INDENTED = re.compile(rb"(?:[ \t\])][^\n]*+\n){1,%d}+(?:\}[^\n]*+\n)?+|\}[^\n]*+\n" % (MOST_LINES - 1))
"""Lines that belong to the one before them; one that closes a brace is the last of them."""
