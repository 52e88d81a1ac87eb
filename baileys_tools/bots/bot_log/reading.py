"""One pass over one log: what is new since the last one, as counts and times."""

import os
from datetime import datetime
from typing import Any, NamedTuple, Self

from baileys_tools.bots.bot_log.files import Position, new_stretches, open_log, position_of
from baileys_tools.bots.bot_log.scanner import Scanner, Tally
from baileys_tools.bots.rules.log_events import LogEvent

MOST_AT_FIRST = 1 << 30
"""Of a log that was never read, so many bytes are: a second or three."""

_UNDATED_WITHIN = 2 * 3_600.0
"""A line without a time is taken to be as old as the file, if the last pass was not longer ago than this (seconds)."""

_STATE_SINCE = {event.value: event for event in LogEvent}


class LogMemory(NamedTuple):
    """What is kept of a log from pass to pass. Times are seconds since 1970; none is text of the log."""

    position: Position | None = None
    passed: float = 0.0
    wrote: float | None = None
    opened: float | None = None
    since_opened: dict[LogEvent, float] = {}  # noqa: RUF012 - never changed

    def to_json(self) -> dict[str, Any]:
        """Return it as the state keeps it."""
        return {
            "position": self.position.to_json() if self.position else None,
            "passed": self.passed,
            "wrote": self.wrote,
            "opened": self.opened,
            "since_opened": {event.value: at for event, at in self.since_opened.items()},
        }

    @classmethod
    def from_json(cls, document: object) -> Self:
        """Given what the state kept, return it; an empty one for anything else."""
        if not isinstance(document, dict):
            return cls()
        since = document.get("since_opened")
        pairs = since.items() if isinstance(since, dict) else ()
        return cls(
            Position.from_json(document.get("position")),
            _number(document.get("passed")) or 0.0,
            _number(document.get("wrote")),
            _number(document.get("opened")),
            {
                _STATE_SINCE[name]: float(at)
                for name, at in pairs
                if name in _STATE_SINCE and isinstance(at, int | float)
            },
        )


class LogPass(NamedTuple):
    """What one pass found: counts by (hour since 1970, event), what to remember, and how many bytes were read."""

    hours: dict[tuple[int, LogEvent], int]
    memory: LogMemory
    size: int
    undated: int


def read_log(path: str, memory: LogMemory, now: datetime, most: int = MOST_AT_FIRST) -> LogPass:
    """Given a log and what was remembered of it, count what is new. Raise OSError when it cannot be read."""
    fd = open_log(path)
    try:
        latest = now.timestamp()
        wrote = os.fstat(fd).st_mtime
        tally = Tally(memory.opened, memory.since_opened)
        fresh = memory.position is not None and latest - memory.passed <= _UNDATED_WITHIN
        scanner = Scanner(tally, latest, min(wrote, latest) if fresh else None)
        size = offset = 0
        for stretch in new_stretches(path, fd, memory.position, most):
            try:
                offset = scanner.read(stretch.fd, stretch.start, stretch.end)
            finally:
                if stretch.fd != fd:
                    os.close(stretch.fd)
            size += max(0, offset - stretch.start)
        said = min(wrote, latest) if size else memory.wrote
        after = LogMemory(position_of(fd, offset), latest, said, tally.opened, tally.since_opened)
        return LogPass(tally.hours, after, size, tally.undated)
    finally:
        os.close(fd)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
