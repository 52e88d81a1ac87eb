"""One pass over one log: what is new since the last one, as counts and times."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple, Self

from baileys_tools.bots.bot_log.files import Position, new_stretches, position_of
from baileys_tools.bots.bot_log.scanner import Fill, Scanner
from baileys_tools.bots.bot_log.stamps import Days, stamp_in
from baileys_tools.bots.bot_log.tally import Page, Tally, digest_of
from baileys_tools.bots.bot_log.unwrap import unwrap
from baileys_tools.bots.rules.log_events import LogEvent, Understood
from baileys_tools.trust import open_plain

MOST_AT_FIRST = 1 << 30
"""Of a log that was never read, so many bytes are: a second or three."""

_UNDATED_WITHIN = 2 * 3_600.0
"""A line without a time is taken to be as old as the file, if the last pass was not longer ago than this (seconds)."""

WRITTEN_WITHIN = 10.0
"""A record over several lines is written at once: one that ends in the middle of an older file has no more to come."""

MOST_NAMES = 2_000
MOST_LEFT = 64 << 10

_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_CURSOR = re.compile(r"[\w=;:.+-]{1,400}")
_STATE_SINCE = {event.value: event for event in LogEvent}


class LogMemory(NamedTuple):
    """What is kept of a log from pass to pass. Times are seconds since 1970; none is text of the log.

    `names` are digests of the sessions that its lines have named, `seen` how long it was, and `forms` how many lines
    told something (under "") or spoke of Baileys in a form that is not read, on each of two days. `cursor` is how far
    a log that is no file was read, in the words of whoever keeps it.
    """

    position: Position | None = None
    passed: float = 0.0
    wrote: float | None = None
    opened: float | None = None
    since_opened: Mapping[LogEvent, float] = {}
    unsure: tuple[LogEvent, ...] = ()
    undated: Mapping[LogEvent, int] = {}
    ended: LogEvent | None = None
    pid: int = 0
    server: tuple[int, float] | None = None
    life: float | None = None
    names: tuple[str, ...] = ()
    seen: int = 0
    forms: Mapping[str, Mapping[str, int]] = {}
    cursor: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return it as the state keeps it."""
        document: dict[str, Any] = {
            "position": self.position.to_json() if self.position else None,
            "passed": self.passed,
            "wrote": self.wrote,
            "opened": self.opened,
            "since_opened": {event.value: at for event, at in self.since_opened.items()},
        }
        more = {
            "unsure": [event.value for event in self.unsure],
            "undated": {event.value: number for event, number in self.undated.items()},
            "ended": self.ended.value if self.ended else None,
            "pid": self.pid,
            "server": list(self.server) if self.server else None,
            "life": self.life,
            "names": list(self.names),
            "seen": self.seen,
            "forms": {day: dict(forms) for day, forms in self.forms.items()},
            "cursor": self.cursor,
        }
        return document | {key: value for key, value in more.items() if value}

    @classmethod
    def from_json(cls, document: object) -> Self:
        """Given what the state kept, return it; an empty one for anything else."""
        if not isinstance(document, dict):
            return cls()
        server = document.get("server")
        names, unsure = document.get("names"), document.get("unsure")
        cursor = document.get("cursor")
        ended = document.get("ended")
        return cls(
            Position.from_json(document.get("position")),
            _number(document.get("passed")) or 0.0,
            _number(document.get("wrote")),
            _number(document.get("opened")),
            _by_event(document.get("since_opened")),
            tuple(_STATE_SINCE[one] for one in _list(unsure) if isinstance(one, str) and one in _STATE_SINCE),
            {event: int(number) for event, number in _by_event(document.get("undated")).items()},
            _STATE_SINCE.get(ended) if isinstance(ended, str) else None,
            int(_number(document.get("pid")) or 0),
            (int(server[0]), float(server[1]))
            if isinstance(server, list) and len(server) == 2 and all(map(_is_number, server))
            else None,
            _number(document.get("life")),
            tuple(one for one in _list(names) if isinstance(one, str))[:MOST_NAMES],
            int(_number(document.get("seen")) or 0),
            _forms(document.get("forms")),
            cursor if isinstance(cursor, str) and _CURSOR.fullmatch(cursor) else "",
        )

    def tally(self) -> Tally:
        """Return what a pass goes on from."""
        tally = Tally(self.opened, dict(self.since_opened))
        tally.unsure = set(self.unsure)
        tally.undated = dict(self.undated)
        tally.ended, tally.pid, tally.server, tally.life = self.ended, self.pid, self.server, self.life
        return tally

    def with_tally(self, tally: Tally) -> Self:
        """Return it with what a pass found."""
        return self._replace(
            opened=tally.opened,
            since_opened=tally.since_opened,
            unsure=tuple(sorted(tally.unsure & tally.since_opened.keys())),
            undated=tally.undated,
            ended=tally.ended,
            pid=tally.pid,
            server=tally.server,
            life=tally.life,
        )

    @property
    def understood(self) -> Understood:
        """How much of it was read lately."""
        own, unread = 0, dict[str, int]()
        for forms in self.forms.values():
            for form, number in forms.items():
                if form:
                    unread[form] = unread.get(form, 0) + number
                else:
                    own += number
        return Understood(own, unread)


class LogPass(NamedTuple):
    """What one pass found: counts by (hour since 1970, event), what to remember, and how many bytes were read.

    `named` is what the lines said that name a session, by name. `is_shared`: they name several, or another alone than
    the one that was asked for. `passed_over` are bytes that came since the last pass and are too many for one.
    """

    hours: dict[tuple[int, LogEvent], int]
    memory: LogMemory
    size: int
    undated: int
    named: Mapping[str, Tally] = {}
    is_shared: bool = False
    nameless: int = 0
    passed_over: int = 0


def read_log(
    path: str,
    memory: LogMemory,
    now: datetime,
    most: int = MOST_AT_FIRST,
    *,
    company: str = "",
    session: str | re.Pattern[str] = "",
    beginnings: Mapping[str, Tally] | None = None,
) -> LogPass:
    """Given a log and what was remembered of it, count what is new. Raise OSError when it cannot be read.

    Lines that name a session are of that one: with a `session` that says how they do, or, where several are named, by
    the usual keys. Then lines that name none are nobody's. `company` is whose log it is said to be.
    """
    # A link is followed: the operator named it, and only counts leave.
    fd, old, after_old = open_plain(path), -1, 0
    try:
        latest = now.timestamp()
        status = os.fstat(fd)
        wrote = min(status.st_mtime, latest)
        fresh = memory.position is not None and latest - memory.passed <= _UNDATED_WITHIN
        page = Page(memory.tally(), latest, wrote if fresh else None)
        if company:
            page.beginnings[digest_of(company)] = memory.tally()
        page.beginnings.update(beginnings or {})
        page.expects_time_of_day(Days(newest_of_day(fd, status.st_size, latest), wrote))
        scanner = Scanner(page, session)
        size = offset = passed_over = 0
        left = b""
        # What is there already is the whole, where nothing came since the last look, or for long.
        written_now = abs(time.time() - status.st_mtime) < WRITTEN_WITHIN
        for stretch in new_stretches(path, fd, memory.position, most):
            passed_over += stretch.passed_over
            if stretch.fd != fd:
                old = stretch.fd
                offset = scanner.read(old, stretch.start, stretch.end, may_hold=True)
                left = os.pread(old, min(stretch.end - offset, MOST_LEFT), offset)
                size, after_old = max(0, offset - stretch.start), offset
                continue
            may_hold = written_now and stretch.end > memory.seen
            offset = scanner.read(fd, stretch.start, stretch.end, may_hold=may_hold, before=left)
            size += max(0, offset - stretch.start)
        if size and os.pread(fd, 2, 0) in _UTF_16:
            page.not_read("UTF-16, as PowerShell writes it")
        page.settle()
        # What was begun in the old file may end in the new one, and did not yet.
        position = (
            position_of(fd, offset) if offset >= 0 else position_of(old, after_old + len(left) + offset)
        )
        memory = memory._replace(position=position, seen=status.st_size)
        found = _passed(page, memory, size, wrote, now, company, is_told=bool(session))
        return found._replace(passed_over=passed_over)
    finally:
        if old >= 0:
            os.close(old)
        os.close(fd)


def read_stream(
    fill: Fill,
    cursor_of: Callable[[bytes], str],
    memory: LogMemory,
    now: datetime,
    *,
    company: str = "",
    session: str | re.Pattern[str] = "",
    beginnings: Mapping[str, Tally] | None = None,
) -> LogPass:
    """As `read_log`, of lines that `fill` gives behind `memory.cursor`, each with its time and its cursor.

    `cursor_of` finds the cursor in a line, "" where there is none.
    """
    latest = now.timestamp()
    page = Page(memory.tally(), latest, memory.wrote)
    if company:
        page.beginnings[digest_of(company)] = memory.tally()
    page.beginnings.update(beginnings or {})
    scanner = Scanner(page, session)
    size = scanner.read_from(fill, 0, sys.maxsize, may_hold=True)
    cursor, wrote = cursor_of(scanner.last), _time_in(scanner.last, latest)
    if (left := scanner.left) and abs(time.time() - (_time_in(left, latest) or 0.0)) >= WRITTEN_WITHIN:
        # A record that has no end by now has none.
        pieces = iter([left if left.endswith(b"\n") else left + b"\n"])
        size += scanner.read_from(filler(pieces), 0, sys.maxsize)
        cursor, wrote = cursor_of(scanner.last) or cursor, _time_in(scanner.last, latest) or wrote
    page.settle()
    wrote = min(wrote or memory.wrote or latest, latest)
    memory = memory._replace(cursor=cursor or memory.cursor)
    return _passed(page, memory, size, wrote, now, company, is_told=bool(session))


def filler(pieces: Iterator[bytes]) -> Fill:
    """Given the pieces of a stream, return what gives them to a reader."""
    rest = memoryview(b"")

    def fill(view: memoryview, _: int) -> int:
        nonlocal rest
        if not rest:
            rest = memoryview(next(pieces, b""))
        size = min(len(view), len(rest))
        view[:size] = rest[:size]
        rest = rest[size:]
        return size

    return fill


def _time_in(lines: bytes, latest: float) -> float | None:
    """The time of the last of some lines."""
    last = lines.rstrip(b"\n").rpartition(b"\n")[2]
    return unwrap(last, latest).stamp.at if last else None


SAMPLE = 1 << 20


def sample_log(path: str, now: datetime) -> Understood:
    """Given a log, return how much of what its end says of Baileys is understood. Raise OSError as `read_log` does."""
    return read_log(path, LogMemory(), now, SAMPLE).memory.understood


def _passed(
    page: Page,
    memory: LogMemory,
    size: int,
    wrote: float,
    now: datetime,
    company: str,
    *,
    is_told: bool,
) -> LogPass:
    latest = now.timestamp()
    names = dict.fromkeys((*memory.names, *map(digest_of, page.named)))
    is_shared = is_told or len(names) > 1
    mine = page.all
    if is_shared:
        mine = page.named.get(company) or page.beginnings.get(digest_of(company)) or memory.tally()
    mine.place_loose(wrote)
    for tally in page.named.values():
        tally.place_loose(wrote)
    after = memory._replace(
        passed=latest,
        wrote=wrote if size else memory.wrote,
        names=tuple(names)[:MOST_NAMES],
        forms=_added(memory.forms, f"{now:%Y-%m-%d}", page),
    ).with_tally(mine)
    undated = sum(mine.undated.values()) - sum(memory.undated.values())
    return LogPass(mine.hours, after, size, undated, page.named, is_shared, page.nameless)


def newest_of_day(fd: int, size: int, latest: float) -> float | None:
    """The time of day of a log's last line that has one."""
    end = os.pread(fd, 8_192, max(0, size - 8_192)).decode("utf-8", "replace")
    for line in reversed(end.splitlines()):
        if (stamp := stamp_in(line[:160], latest)).of_day is not None:
            return stamp.of_day
    return None


def _added(forms: Mapping[str, Mapping[str, int]], day: str, page: Page) -> dict[str, dict[str, int]]:
    """Return how many lines were read and how many not, with those of this pass; of the last two days with any."""
    kept = {one: dict(counts) for one, counts in sorted(forms.items())[-2:]}
    if page.spoke or page.unread:
        today = kept.setdefault(day, {})
        today[""] = today.get("", 0) + page.spoke
        for form, number in page.unread.items():
            today[form] = today.get(form, 0) + number
    return dict(sorted(kept.items())[-2:])


def _by_event(document: object) -> dict[LogEvent, float]:
    pairs = document.items() if isinstance(document, dict) else ()
    return {_STATE_SINCE[name]: float(at) for name, at in pairs if name in _STATE_SINCE and _is_number(at)}


def _forms(document: object) -> dict[str, dict[str, int]]:
    pairs = document.items() if isinstance(document, dict) else ()
    return {
        str(day): {str(form): int(n) for form, n in forms.items() if _is_number(n) and abs(n) < 1e15}
        for day, forms in pairs
        if isinstance(forms, dict)
    }


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e18


def _number(value: object) -> float | None:
    return float(value) if _is_number(value) and isinstance(value, int | float) else None
