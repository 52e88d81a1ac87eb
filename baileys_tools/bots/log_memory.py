"""What the state keeps of the logs of a company between two passes, and of a log that several companies share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from baileys_tools.bots.bot_log.reading import LogMemory, LogPass
from baileys_tools.bots.bot_log.tally import Tally, digest_of
from baileys_tools.bots.log_sources import read_source
from baileys_tools.bots.rules.log_events import LogEvent
from baileys_tools.bots.rules.log_report import known_gaps
from baileys_tools.state.database import State
from baileys_tools.state.memory import keep, recall
from baileys_tools.units import moment_of

if TYPE_CHECKING:
    from baileys_tools.config.log_kinds import LogFile

MEMORY = "bot-logs"
"""The key of the memory: {"files": {path: ...}, "gaps": {day: seconds}, "over": seconds, "accused": {...}}."""

SHARED = "shared-log"
"""The beginning of the key of a shared log: {"file": ..., "sessions": {digest: {"tally": ..., "hours": [...]}}}."""

MOST_PENDING = 2_000
"""So many counts by hour wait for a company that never asks for its own."""

_EVENTS = {event.value: event for event in LogEvent}


class Document(NamedTuple):
    """What is remembered of a company's logs."""

    files: dict[str, Any] = {}  # noqa: RUF012 - never changed
    gaps: dict[str, float] = {}  # noqa: RUF012 - never changed
    over: float | None = None
    accused: dict[str, Any] | None = None

    @classmethod
    def of(cls, stored: Any) -> Document:
        """Given what the state kept, return it; an empty one for anything else."""
        if not isinstance(stored, dict):
            return cls({}, {})
        files, gaps, over, accused = (stored.get(key) for key in ("files", "gaps", "over", "accused"))
        pairs: Iterable[tuple[str, Any]] = gaps.items() if isinstance(gaps, dict) else ()
        return cls(
            dict(files) if isinstance(files, dict) else {},
            {day: float(seconds) for day, seconds in pairs if isinstance(seconds, int | float)},
            float(over) if isinstance(over, int | float) else None,
            accused if isinstance(accused, dict) else None,
        )

    def plain(self) -> dict[str, Any]:
        """Return it as the state keeps it."""
        more = {"accused": self.accused} if self.accused else {}
        return {"files": self.files, "gaps": self.gaps, "over": self.over, **more}


def remembered(state: State, company: str) -> Document:
    return Document.of(recall(state, MEMORY, company))


def keep_passes(
    state: State,
    company: str,
    before: Document,
    passes: Mapping[str, LogPass],
    now: datetime,
    *,
    over: datetime | None = None,
    accused: dict[str, Any] | None = None,
) -> Document:
    """Keep what the passes found, in one step with how far they went; return what is remembered after that.

    What was up to `over` is over for good. `accused` is the login that the last removal was told of.
    """
    from baileys_tools.bots.log_hours import add_hours

    with state.transaction():
        stored = remembered(state, company)
        files, gaps = stored.files, stored.gaps
        for path, done in passes.items():
            # Another pass may have been quicker: then its counts are in, and this one's are the same.
            if _position(files.get(path)) != _position(before.files.get(path)):
                continue
            add_hours(state, company, done.hours)
            known_gaps(gaps, _wrote(files.get(path)), _moment(done.memory.wrote), now)
            files[path] = done.memory.to_json()
        ended = max(filter(None, (stored.over, over.timestamp() if over else None)), default=None)
        document = Document(files, gaps, ended, accused or stored.accused)
        keep(state, MEMORY, document.plain(), company)
    return document


def read_shared(
    state: State, file: LogFile, company: str, memory: LogMemory, now: datetime
) -> tuple[LogPass, str]:
    """Read what is new in a log that several companies share, once a run, and return what is this company's, and why
    it was not read to its end.

    What the others are told waits in the state, by a digest of the name, until they ask for it.
    """
    key = f"{SHARED}:{digest_of(file.label)}"
    mine = digest_of(company)
    before = recall(state, key)
    shared, sessions = _shared(before)
    size, trouble = 0, ""
    if shared.passed != now.timestamp() or (shared.position is None and not shared.cursor):
        tallies = {one: _tally(stored) for one, stored in sessions.items()}
        done, trouble = read_source(file, shared, now, beginnings=tallies)
        size = done.size
        with state.transaction():
            now_shared, now_sessions = _shared(recall(state, key))
            if (now_shared.position, now_shared.cursor) == (shared.position, shared.cursor):
                shared, sessions = done.memory.with_tally(Tally()), now_sessions
                for name, tally in done.named.items():
                    one = digest_of(name)
                    sessions[one] = _with(sessions.get(one), tally, done.memory.wrote)
            else:
                shared, sessions = now_shared, now_sessions
            keep(state, key, _plain_shared(shared, sessions))
    with state.transaction():
        shared, sessions = _shared(recall(state, key))
        entry = sessions.get(mine) or {}
        hours = _hours(entry.pop("hours", None))
        if hours:
            keep(state, key, _plain_shared(shared, sessions))
            from baileys_tools.bots.log_hours import add_hours

            add_hours(state, company, hours)
    found = LogMemory.from_json(entry.get("tally"))
    after = found._replace(
        passed=shared.passed,
        position=memory.position,
        cursor=memory.cursor,
        forms=shared.forms,
        names=shared.names,
    )
    # Its hours are in the state already.
    return LogPass({}, after, size, 0, {}, True, 0), trouble


def _shared(stored: Any) -> tuple[LogMemory, dict[str, dict[str, Any]]]:
    document = stored if isinstance(stored, dict) else {}
    sessions = document.get("sessions")
    pairs = sessions.items() if isinstance(sessions, dict) else ()
    return LogMemory.from_json(document.get("file")), {
        one: dict(entry) for one, entry in pairs if isinstance(entry, dict)
    }


def _plain_shared(shared: LogMemory, sessions: Mapping[str, Any]) -> dict[str, Any]:
    return {"file": shared.to_json(), "sessions": dict(sessions)}


def _tally(stored: Mapping[str, Any]) -> Tally:
    return LogMemory.from_json(stored.get("tally")).tally()


def _with(stored: Mapping[str, Any] | None, tally: Tally, wrote: float | None) -> dict[str, Any]:
    hours = _hours(stored.get("hours") if stored else None)
    for key, number in tally.hours.items():
        hours[key] = hours.get(key, 0) + number
    newest = sorted(hours.items())[-MOST_PENDING:]
    return {
        "tally": LogMemory(wrote=wrote).with_tally(tally).to_json(),
        "hours": [[hour, event.value, number] for (hour, event), number in newest],
    }


def _hours(stored: Any) -> dict[tuple[int, LogEvent], int]:
    hours: dict[tuple[int, LogEvent], int] = {}
    for row in stored if isinstance(stored, list) else ():
        match row:
            case [int(hour), str(event), int(number)] if event in _EVENTS:
                hours[hour, _EVENTS[event]] = number
    return hours


def _position(document: Any) -> Any:
    return (document.get("position"), document.get("cursor")) if isinstance(document, dict) else None


def _wrote(document: Any) -> datetime | None:
    found = document.get("wrote") if isinstance(document, dict) else None
    return _moment(float(found)) if isinstance(found, int | float) else None


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else moment_of(int(seconds * 1_000_000_000))
