"""Counts the events in a stretch of a log, in one pass and in constant memory, however long it or its lines are.

Whatever the lines, each byte is looked at a few times at most: a search backwards ends where the one before it began,
and one line of JSON tells one event.
"""

from __future__ import annotations

import os
from collections import deque

from baileys_tools.bots.bot_log import grammar
from baileys_tools.bots.rules.log_events import CLOSE_REASONS, LogEvent

BUFFER = 512 << 10
"""Also the longest line that is read; a longer one is passed over."""
STEP = 256 << 10
SMALLEST = 4 << 10
"""A stretch that is not halved any more to find one whose lines are all of one hour."""

_CONNECTION = frozenset((*CLOSE_REASONS, LogEvent.ATTEMPTED, LogEvent.OPENED, LogEvent.REGISTERING))
_CONNECTION |= {LogEvent.PAIRED, LogEvent.CLOSED}
_REFUSALS = (LogEvent.UNAUTHORIZED, LogEvent.FORBIDDEN, LogEvent.OUTDATED)
_HOUR = 3_600
_EARLIEST = 1_420_070_400.0  # 2015, before there was a Baileys
_LOOK_BACK = 4_096
_NEWLINE = 10

Refusal = tuple[int, LogEvent, float | None]
"""Where in the buffer a refused login stands, what it says and when it was."""

_TIE = 1e-6
_CLOCK_STEP = 1.0


class Tally:
    """What a pass over one log found; also what the next pass goes on from.

    `hours` counts events by hour (hours since 1970). `opened` is when the connection last opened, `since_opened` when
    each event last happened after that: times in seconds since 1970, made to rise in the log's own order where its
    clock does not tell two lines apart. `undated` are the events that no time could be given to.
    """

    def __init__(
        self, opened: float | None = None, since_opened: dict[LogEvent, float] | None = None
    ) -> None:
        self.hours: dict[tuple[int, LogEvent], int] = {}
        self.opened = opened
        self.since_opened = dict(since_opened or {})
        self.undated = 0
        self.last_time: float | None = None
        self._order = max(filter(None, (opened, *self.since_opened.values())), default=0.0)

    def count(self, event: LogEvent, hour: int, number: int) -> None:
        """Count events of which only the hour matters."""
        key = (hour, event)
        self.hours[key] = self.hours.get(key, 0) + number

    def add(self, event: LogEvent, at: float | None) -> None:
        """Count one event."""
        if at is None:
            self.undated += 1
            return
        key = (int(at) // _HOUR, event)
        self.hours[key] = self.hours.get(key, 0) + 1
        if event not in _CONNECTION:
            return
        if at <= self._order < at + _CLOCK_STEP:
            at = self._order + _TIE
        self._order = at
        if event is LogEvent.OPENED:
            self.opened = at
            self.since_opened.clear()
        else:
            self.since_opened[event] = at


class Scanner:
    """Reads a file from where it stands. `latest` is the latest time to believe, `undated_at` the time of lines that
    come without one before any that has one (None: they are not counted)."""

    def __init__(self, tally: Tally, latest: float, undated_at: float | None = None) -> None:
        self.tally = tally
        self._latest = latest
        tally.last_time = undated_at
        self._buffer = bytearray(BUFFER)

    def read(self, fd: int, offset: int, end: int) -> int:
        """Given an open file, count its whole lines from `offset` to at most `end`; return where to go on next time."""
        buffer, view = self._buffer, memoryview(self._buffer)
        kept, passing_over = 0, False
        while offset + kept < end:
            wanted = min(STEP, BUFFER - kept, end - offset - kept)
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
                last = self._scan(first, last, goes_on=offset + filled < end)
            elif filled - first == BUFFER:
                passing_over, last = True, filled
            last = max(last, first)
            offset, kept = offset + last, filled - last
            buffer[:kept] = buffer[last:filled]
        return offset

    def _scan(self, first: int, last: int, *, goes_on: bool) -> int:
        """Count the lines between two places of the buffer; return up to where that was done."""
        refusals, last = self._refusals(first, last, goes_on=goes_on)
        self._count_all(first, last, refusals)
        for _, event, when in refusals:
            self.tally.add(event, when)
        return last

    def _count_all(self, first: int, last: int, refusals: deque[Refusal]) -> None:
        """Count the lines of a stretch, and the `refusals` before the last of them, which are taken off.

        A stretch of several hours is halved until little is left of it whose lines have to be told apart one by one.
        """
        hour, newest = self._hour_of_all(first, last)
        if hour is None and last - first > SMALLEST:
            middle = self._buffer.find(b"\n", (first + last) // 2, last) + 1
            if first < middle < last:
                self._count_all(first, middle, refusals)
                self._count_all(middle, last, refusals)
                return
        for text, event in grammar.CONSOLE.items():
            self._console(text, event, hour, first, last)
        line, told = first, -1
        searched = first
        for found in grammar.MESSAGE.finditer(self._buffer, first, last):
            # What comes after an opening counts, so the order of the lines is kept.
            while refusals and refusals[0][0] < found.start():
                self.tally.add(*refusals.popleft()[1:])
            line = self._buffer.rfind(b"\n", searched, found.start()) + 1 or line
            searched = found.end()
            if line != told and self._message(line, *found.span(), grammar.MESSAGES[found[1]], hour):
                told = line
        self.tally.last_time = newest or self.tally.last_time

    def _hour_of_all(self, first: int, last: int) -> tuple[int | None, float | None]:
        """The hour that all lines of a stretch are of, None where there are several or none is known; the newest time.

        A busy bot writes a megabyte in much less than an hour, and to tell the time of each line is what costs most.
        """
        at = self._buffer.find(b'"time":', first, last)
        oldest = self._time_at(at, last)
        if at >= 0 and self._buffer.find(b"\n", first, at) >= 0:
            # Lines ahead of the first that has a time belong to the line before the stretch.
            oldest = self.tally.last_time
        newest = self._time_at(self._buffer.rfind(b'"time":', first, last), last)
        if oldest is None or newest is None or int(oldest) // _HOUR != int(newest) // _HOUR:
            return None, newest
        return int(oldest) // _HOUR, newest

    def _time_at(self, at: int, last: int) -> float | None:
        when = grammar.time_of(self._buffer, at, last) if at >= 0 else None
        return None if when is None or when < _EARLIEST else min(when, self._latest)

    def _console(self, text: bytes, event: LogEvent, hour: int | None, first: int, last: int) -> None:
        buffer, find, length, plain = self._buffer, self._buffer.find, len(text), 0
        at = find(text, first, last)
        while at >= 0:
            begins = at == first or buffer[at - 1] == _NEWLINE
            if begins and hour is not None:
                plain += 1
            else:
                near = max(first, at - grammar.OBJECT_BEGINS_WITHIN - 1)
                start = at if begins else buffer.rfind(b"\n", near, at) + 1 or near
                if at - start <= grammar.OBJECT_BEGINS_WITHIN and find(b"{", start, at) < 0:
                    self.tally.add(event, self._time_near(start, at, first))
            at = find(text, at + length, last)
        if plain and hour is not None:
            self.tally.count(event, hour, plain)

    def _refusals(self, first: int, last: int, *, goes_on: bool) -> tuple[deque[Refusal], int]:
        """Return the refused logins whose code the bot printed, and where to stop: one may go on behind `last`."""
        buffer, length = self._buffer, len(grammar.REFUSED_LOGIN)
        refusals: deque[Refusal] = deque()
        at = buffer.find(grammar.REFUSED_LOGIN, first, last)
        while at >= 0:
            end = at + length
            following = buffer.find(grammar.REFUSED_LOGIN, end, last)
            if buffer[at - 9 : at] != b'"trace":"' or at - 9 < first:
                reach = end + grammar.REFUSAL_REACH
                # A code belongs to the last error before it.
                until = min(last, reach) if following < 0 else min(following, reach)
                event = grammar.refusal(bytes(buffer[end:until]))
                if event is not None and event in _REFUSALS:
                    refusals.append((at, event, self._time_near(at, at, first)))
                elif event is None and following < 0 and reach > last and goes_on:
                    start = buffer.rfind(b"\n", first, at) + 1
                    # Behind a huge line there would be no room to read on.
                    return refusals, start if start and at - start < grammar.REFUSAL_REACH else last
            at = following
        return refusals, last

    def _message(self, start: int, at: int, end: int, event: LogEvent, hour: int | None) -> bool:
        """Count what a line tells that starts at `start`, with its `msg` from `at` to `end`; return whether it does."""
        buffer, tally = self._buffer, self.tally
        # Whatever a contact writes is in a string of a line, never a line's own object.
        if buffer.find(b'{"level":', start, min(at, start + grammar.OBJECT_BEGINS_WITHIN)) < 0:
            return False
        if event is LogEvent.NOT_DECRYPTED or event is LogEvent.RETRY_ASKED:
            if event is LogEvent.NOT_DECRYPTED:
                event = grammar.decrypt_failure(buffer, start, end)
            if hour is not None:
                tally.count(event, hour, 1)
            else:
                tally.add(event, self._time(start, end))
            return True
        when = self._time(start, end)
        if event is LogEvent.STREAM_ERROR:
            event = grammar.stream_error(bytes(buffer[start:end]))
        elif event is LogEvent.CLOSED and (reason := grammar.close_reason(bytes(buffer[start:end]))):
            tally.add(reason, when)
        tally.add(event, when)
        return True

    def _time(self, start: int, end: int) -> float | None:
        when = grammar.time_of(self._buffer, start, end)
        if when is None or when < _EARLIEST:
            return self.tally.last_time
        self.tally.last_time = when = min(when, self._latest)
        return when

    def _time_near(self, start: int, end: int, first: int) -> float | None:
        """The time of a line that has none of its own: that of the line of JSON before it."""
        own = grammar.time_of(self._buffer, start, end)
        if own is None:
            at = self._buffer.rfind(b'"time":', max(first, start - _LOOK_BACK), start)
            return self._time_at(at, start) or self.tally.last_time
        return self.tally.last_time if own < _EARLIEST else min(own, self._latest)
