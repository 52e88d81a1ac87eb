"""What a pass over a log adds up to, for each session that the log names and for all lines together."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from baileys_tools.bots.bot_log.stamps import Days, LineTime
from baileys_tools.bots.rules.log_events import CLOSE_REASONS, DECRYPT_FAILURES, LogEvent

HOUR = 3_600
EARLIEST = 1_420_070_400.0  # 2015, before there was a Baileys
MOST_SESSIONS = 2_000
MOST_WAITING = 20_000

CONNECTION = frozenset((*CLOSE_REASONS, LogEvent.ATTEMPTED, LogEvent.OPENED, LogEvent.REGISTERING))
CONNECTION |= {LogEvent.PAIRED, LogEvent.CLOSED}
SHOW_LIFE = frozenset((*DECRYPT_FAILURES, LogEvent.RETRY_ASKED, LogEvent.PAIRED, LogEvent.OPENED))
_BEGINS = (LogEvent.ATTEMPTED, LogEvent.OPENED, LogEvent.REGISTERING, LogEvent.PAIRED)
_REFUSALS = (LogEvent.UNAUTHORIZED, LogEvent.FORBIDDEN, LogEvent.OUTDATED)
_TIE = 1e-6
_CLOCK_STEP = 1.0
_SOON = 60.0


def digest_of(name: str) -> str:
    """Given the name of a session, return what the state may keep of it."""
    return hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:16]


class LineTold(NamedTuple):
    """What a line tells. `by_bot`: it is the error that Baileys handed to the bot, which Baileys' own lines may have
    told before. `number` is how many pre-keys the server has."""

    events: tuple[LogEvent, ...]
    by_bot: bool = False
    pid: int = 0
    number: int | None = None


class Tally:
    """What was found of one session; also what the next pass goes on from.

    `hours` counts events by hour (hours since 1970). `opened` is when the connection last opened, `since_opened` when
    each event last happened after that: times in seconds since 1970, made to rise in the log's own order where its
    clock does not tell two lines apart. `unsure` are those of them whose time is only a bound: their line has none.
    `undated` counts the events that no time could be given to. `server` is what the server last said of its
    pre-keys, `life` when the bot last got a message or was let in.
    """

    def __init__(
        self, opened: float | None = None, since_opened: dict[LogEvent, float] | None = None
    ) -> None:
        self.hours: dict[tuple[int, LogEvent], int] = {}
        self.opened = opened
        self.since_opened = dict(since_opened or {})
        self.unsure: set[LogEvent] = set()
        self.undated: dict[LogEvent, int] = {}
        self.server: tuple[int, float] | None = None
        self.life: float | None = None
        self.ended: LogEvent | None = None
        self.pid = 0
        self._twice: float | None = None
        self._loose: dict[LogEvent, None] = {}
        self._order = max(filter(None, (opened, *self.since_opened.values())), default=0.0)

    def count(self, event: LogEvent, hour: int, number: int = 1) -> None:
        """Count events of which only the hour matters."""
        key = (hour, event)
        self.hours[key] = self.hours.get(key, 0) + number
        if event in SHOW_LIFE:
            self.lives(hour * HOUR)

    def lives(self, at: float) -> None:
        """Note that the bot got a message, or was let in."""
        self.life = at if self.life is None else max(self.life, at)

    def tell(self, told: LineTold, at: float | None) -> None:
        if told.number is not None:
            if at is not None:
                self.server = (told.number, at)
                self.lives(at)
            return
        if told.by_bot:
            self._by_bot(told.events[0], at)
            return
        for event in told.events:
            if event in _BEGINS:
                self.ended = None
            elif event in CLOSE_REASONS:
                self.ended = event
            if event is LogEvent.OPENED:
                self._note_opening(told.pid, at)
            self.add(event, at)
            if event is LogEvent.REPLACED:
                self._note_second_socket(at)

    def _by_bot(self, event: LogEvent, at: float | None) -> None:
        """Count the error that a bot prints, once with what Baileys' own lines said of the same end."""
        ended, self.ended = self.ended, None
        if event is ended or (event is LogEvent.REPLACED and ended is LogEvent.DEVICE_REMOVED):
            # A conflict is either: the error's own words do not say which.
            return
        if event is LogEvent.OPENED:
            self.add(event, at)
            return
        if not (ended is LogEvent.FAILURE and event in _REFUSALS):
            # An opening need not be in such a log: so this is no end that an opening must have followed.
            if at is None:
                self.undated[LogEvent.CLOSED] = self.undated.get(LogEvent.CLOSED, 0) + 1
            else:
                self.count(LogEvent.CLOSED, int(at) // HOUR)
        self.add(event, at)

    def _note_opening(self, pid: int, at: float | None) -> None:
        is_open = self.opened is not None and not any(event in self.since_opened for event in CLOSE_REASONS)
        self._twice = at if is_open and pid and pid == self.pid else None
        self.pid = pid

    def _note_second_socket(self, at: float | None) -> None:
        # One process opened twice, and the first connection was then taken over: by the second.
        if self._twice is not None and at is not None and 0 <= at - self._twice <= _SOON:
            self.count(LogEvent.SECOND_SOCKET, int(at) // HOUR)
        self._twice = None

    def add(self, event: LogEvent, at: float | None) -> None:
        if at is None:
            self.undated[event] = self.undated.get(event, 0) + 1
            if event is LogEvent.OPENED:
                self._loose.clear()
            if event in CONNECTION:
                self._loose.pop(event, None)
                self._loose[event] = None
            return
        self.place_loose(at)
        self.count(event, int(at) // HOUR)
        if event in SHOW_LIFE:
            self.lives(at)
        if event in CONNECTION:
            self._place(event, at)

    def place_loose(self, before: float) -> None:
        """Give the events without a time their place in the order: not after this moment."""
        for event in self._loose:
            self._place(event, max(before - _CLOCK_STEP, self._order))
            self.unsure.add(event)
        self._loose.clear()

    def _place(self, event: LogEvent, at: float) -> None:
        if at <= self._order < at + _CLOCK_STEP:
            at = self._order + _TIE
        self._order = at
        self.unsure.discard(event)
        if event is LogEvent.OPENED:
            self.opened = at
            self.since_opened.clear()
            self.unsure.clear()
        else:
            self.since_opened[event] = at


class Page:
    """A log during one pass: `all` its lines together, and `named` by the session that a line names.

    `latest` is the latest time to believe, `last_time` that of the last line that had one; `beginnings` is what is
    known of sessions from before, by `digest_of` their names.
    """

    def __init__(self, whole: Tally, latest: float, last_time: float | None = None) -> None:
        self.all = whole
        self.named: dict[str, Tally] = {}
        self.latest = latest
        self.last_time = last_time
        self.spoke = 0
        self.unread: dict[str, int] = {}
        self.nameless = 0
        self.beginnings: dict[str, Tally] = {}
        self._waiting: list[tuple[float, LineTold, str | None]] = []
        self._days: Days | None = None

    def expects_time_of_day(self, days: Days) -> None:
        """Give the days that lines with a time of day alone are counted back from."""
        self._days = days

    def count(self, event: LogEvent, hour: int, number: int = 1) -> None:
        """Count events of which only the hour matters, in lines that name no session."""
        self.all.count(event, hour, number)
        self.spoke += number
        self.nameless += number

    def tell(self, told: LineTold, stamp: LineTime | float | None, session: str | None = None) -> None:
        """Count what a line tells, whose time is known, is a time of day, or is that of the line before."""
        self.spoke += 1
        if isinstance(stamp, LineTime):
            if stamp.at is None and stamp.of_day is not None and self._days is not None:
                self._wait(stamp.of_day, told, session)
                return
            stamp = self.believed(stamp.at)
            if stamp is None and self._waiting:
                self._wait(self._waiting[-1][0], told, session)
                return
            stamp = self.last_time if stamp is None else stamp
        if self._waiting:
            self.settle(stamp)
        self._tell(told, stamp, session)

    def _tell(self, told: LineTold, at: float | None, session: str | None) -> None:
        if at is not None:
            self.last_time = at
        self.all.tell(told, at)
        if session is None:
            self.nameless += 1
        elif (tally := self._of(session)) is not None:
            tally.tell(told, at)

    def believed(self, at: float | None) -> float | None:
        """Return a time as far as it can be believed."""
        return None if at is None or at < EARLIEST else min(at, self.latest)

    def not_read(self, form: str) -> None:
        """Count a line that speaks of Baileys in a form that is not read."""
        self.unread[form] = self.unread.get(form, 0) + 1

    def settle(self, before: float | None = None) -> None:
        """Date what waits with a time of day alone: before this moment, or up to the log's last line."""
        waiting, self._waiting = self._waiting, []
        if not waiting or self._days is None:
            return
        moments: list[float] = []
        after = before
        for of_day, _, _ in reversed(waiting):
            after = self._days.before(of_day, after)
            moments.append(after)
        for (_, told, session), at in zip(waiting, reversed(moments), strict=True):
            self._tell(told, self.believed(at), session)

    def _wait(self, of_day: float, told: LineTold, session: str | None) -> None:
        self._waiting.append((of_day, told, session))
        if len(self._waiting) >= MOST_WAITING:
            self.settle()

    def _of(self, session: str) -> Tally | None:
        if (known := self.named.get(session)) is not None:
            return known
        if len(self.named) >= MOST_SESSIONS:
            return None
        digest = digest_of(session)
        tally = self.named[session] = self.beginnings.pop(digest) if digest in self.beginnings else Tally()
        return tally
