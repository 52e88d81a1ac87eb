"""Counts the events in a stretch of a log, in one pass and in constant memory, however long it or its lines are.

Words of Baileys are searched for, and only lines that hold one are looked at: those in Baileys' own form in place, all
others by `unwrap` and `lines`. Whatever the lines, each byte is looked at a few times at most: a search backwards ends
where the one before it began, and one line tells one event.
"""

from __future__ import annotations

import os
import re
from bisect import bisect_left
from collections.abc import Iterator

from baileys_tools.bots.bot_log import grammar
from baileys_tools.bots.bot_log.lines import MOST_LINES, REACH, Reading, read_line
from baileys_tools.bots.bot_log.stamps import NO_TIME, LineTime, stamp_in
from baileys_tools.bots.bot_log.tally import EARLIEST, HOUR, LineTold, Page
from baileys_tools.bots.bot_log.unwrap import OBJECT_BEGINS_WITHIN, Inner, unwrap, without_colours
from baileys_tools.bots.rules.log_events import LogEvent

BUFFER = 512 << 10
"""Also the longest line that is read; a longer one is passed over."""
STEP = 256 << 10
SMALLEST = 4 << 10
"""A stretch that is not halved any more to find one whose lines are all of one hour."""

SAMPLED_FROM = 8 << 20
"""A stretch with more than this left is looked at by samples first: where they hold Baileys' own form alone, the words
of all others are not searched for. What a pass of a minute or a day reads is less."""
BLOCK = 4 << 20
SAMPLE = 16 << 10
SAMPLE_EVERY = 1 << 20

_LOOK_BACK = 4_096
_HOLD = 64 << 10
_NEWLINE = 10
_NAMES = (b'"session', b'"instance')

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
        self._wide = True
        self._own: dict[Hit, re.Match[bytes]] = {}

    def read(self, fd: int, offset: int, end: int, *, may_hold: bool = False, before: bytes = b"") -> int:
        """Given an open file, count its whole lines from `offset` to at most `end`; return where to go on next time.

        `may_hold`: a record over several lines whose end is not there yet is left for the next time. `before` is what
        was left of the file before this one, where a log was rotated within a record; as long as it is not done with,
        what is returned is below 0.
        """
        buffer, view = self._buffer, memoryview(self._buffer)
        kept, passing_over = len(before), False
        buffer[:kept] = before
        offset -= kept
        judged = 0
        while offset + kept < end:
            wanted = min(STEP, BUFFER - kept, end - offset - kept)
            if offset + kept >= judged:
                judged = offset + kept + BLOCK
                self._wide = end - offset <= SAMPLED_FROM or not self._only_plain(fd, offset + kept)
            got = os.preadv(fd, [view[kept : kept + wanted]], offset + kept)
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
            elif filled - first == BUFFER:
                passing_over, last = True, filled
            last = max(last, first)
            offset, kept = offset + last, filled - last
            buffer[:kept] = buffer[last:filled]
        return offset

    def _only_plain(self, fd: int, offset: int) -> bool:
        """Whether samples of the next bytes hold no words of Baileys but in its own form."""
        for at in range(offset, offset + BLOCK + SAMPLE_EVERY, SAMPLE_EVERY):
            sample = os.pread(fd, SAMPLE, at)
            if grammar.NUMBERS in sample or b"isBoom" in sample:
                return False
            for needle in grammar.NEEDLES:
                hit = sample.find(needle)
                while hit >= 0:
                    start = sample.rfind(b"\n", 0, hit) + 1
                    end = sample.find(b"\n", hit)
                    # The lines at its edges are cut.
                    if start and end >= 0 and not self._is_plain(sample[start:end]):
                        return False
                    hit = sample.find(needle, end) if end >= 0 else -1
        return True

    def _is_plain(self, line: bytes) -> bool:
        """Whether a line is pino's own, or one of libsignal, and names no session."""
        if line.startswith(grammar.CONSOLE_STARTS):
            return True
        begins = line.find(b'{"level":', 0, OBJECT_BEGINS_WITHIN) >= 0
        own = begins and line.endswith(b'"}') and b'"msg":"' in line
        return own and self._pattern is None and not any(name in line for name in self._names)

    def _scan(self, first: int, last: int, *, may_hold: bool) -> int:
        """Count the lines between two places of the buffer; return up to where that was done."""
        self._told = first
        hits = self._hits(first, last)
        return self._count_all(first, last, hits, last, may_hold)

    def _hits(self, first: int, last: int) -> list[Hit]:
        buffer, find = self._buffer, self._buffer.find
        if not self._wide:
            self._own = {found.start(): found for found in grammar.MESSAGE.finditer(buffer, first, last)}
            hits = list(self._own)
            needles: tuple[bytes, ...] = (grammar.REFUSED_LOGIN,)
        else:
            self._own, hits = {}, []
            needles = grammar.NEEDLES
            if find(b'"__REALTIME_TIMESTAMP"', first, min(last, first + 16_384)) >= 0:
                needles += (grammar.NUMBERS,)
        for needle in needles:
            length = len(needle)
            at = find(needle, first, last)
            while at >= 0:
                hits.append(at)
                at = find(needle, at + length, last)
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
        if not self._wide:
            for text, event in grammar.CONSOLE.items():
                self._console(text, event, hour, first, last)
        for hit in hits:
            if hit < self._told or hit <= line_end:
                continue
            line = rfind(b"\n", max(first, line_end), hit) + 1 or max(first, line_end + 1)
            line_end = find(b"\n", hit, end)
            if self._quick(line, line_end, hour, self._own.get(hit)):
                continue
            readings, until = self._read(line, line_end, end)
            if may_hold and not readings[-1].is_whole and end - line < _HOLD:
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
            self._told = until if readings[-1].told is not None else max(self._told, line_end)
        self.page.last_time = newest or self.page.last_time
        return last

    def _quick(
        self, line: int, line_end: int, hour: int | None, found: re.Match[bytes] | None = None
    ) -> bool:
        """Count a line that is in Baileys' own form, or a plain one of libsignal; return whether it is one."""
        buffer, page = self._buffer, self.page
        if hour is not None and buffer[line] != _BRACE and buffer.startswith(grammar.CONSOLE_STARTS, line):
            page.count(grammar.CONSOLE_BY_FIRST[buffer[line]], hour)
            return True
        start = found.start() if found is not None else buffer.find(b'"msg":"', line, line_end)
        if start < 0:
            return False
        if found is None and (found := grammar.MESSAGE.match(buffer, start, line_end)) is None:
            start = buffer.rfind(b'"msg":"', start + 7, line_end)
            if start < 0 or (found := grammar.MESSAGE.match(buffer, start, line_end)) is None:
                return False
        # Whatever a contact writes is in a string of a line, never a line's own object.
        if buffer.find(b'{"level":', line, min(start, line + OBJECT_BEGINS_WITHIN)) < 0:
            return False
        if self._wide and self._is_named(line, start):
            return False
        if found[2]:
            page.tell(LineTold((), number=int(found[2])), self._time(line, start))
            return True
        event = grammar.MESSAGES[found[1]]
        if event is LogEvent.NOT_DECRYPTED or event is LogEvent.RETRY_ASKED:
            if event is LogEvent.NOT_DECRYPTED:
                event = grammar.decrypt_failure(buffer, line, start)
            if hour is not None:
                page.count(event, hour)
            else:
                page.tell(LineTold((event,)), self._time(line, start))
            return True
        when = self._time(line, start)
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

    def _is_named(self, line: int, end: int) -> bool:
        """Whether a line says whose it is."""
        if self._pattern is not None:
            return True
        return any(self._buffer.find(name, line, end) >= 0 for name in self._names)

    def _console(self, text: bytes, event: LogEvent, hour: int | None, first: int, last: int) -> None:
        """Count the lines of libsignal in a stretch that has Baileys' own form alone beside them."""
        buffer, find, length, plain = self._buffer, self._buffer.find, len(text), 0
        at = find(text, first, last)
        while at >= 0:
            begins = at == first or buffer[at - 1] == _NEWLINE
            if begins and hour is not None:
                plain += 1
            else:
                near = max(first, at - OBJECT_BEGINS_WITHIN - 1)
                start = at if begins else buffer.rfind(b"\n", near, at) + 1 or near
                if at - start <= OBJECT_BEGINS_WITHIN and find(b"{", start, at) < 0:
                    own = grammar.time_of(buffer, start, at)
                    self.page.tell(
                        LineTold((event,)), self._near(start, first) if own is None else LineTime(own)
                    )
            at = find(text, at + length, last)
        if plain and hour is not None:
            self.page.count(event, hour, plain)

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
        ends = [line_end]
        reading = read_line(inner, self._following(line_end + 1, end, ends), self.page.latest)
        return [reading], ends[min(reading.lines, len(ends) - 1)] + 1

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
            at += 1 + reading.lines
        return readings

    def _following(self, start: int, end: int, ends: list[int]) -> Iterator[str | None]:
        far = start + 8 * REACH
        for _ in range(MOST_LINES + 1):
            if start >= end:
                yield None
                return
            stop = self._buffer.find(b"\n", start, end)
            if stop < 0 or stop > far:
                return
            ends.append(stop)
            raw = bytes(self._buffer[start:stop])
            if raw[:1] in _INDENTED:
                yield without_colours(raw.decode("utf-8", "replace"))
            else:
                yield unwrap(raw, self.page.latest, self._key).text
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

    def _time(self, start: int, end: int) -> float | None:
        when = grammar.time_of(self._buffer, start, end)
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
_INDENTED = (b" ", b"\t", b"}")
