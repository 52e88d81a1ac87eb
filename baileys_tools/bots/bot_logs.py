"""One pass over the logs of a company: what is new is counted into the state, and what is known then is returned."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from baileys_tools.bots.rules.diagnosis import SHOWS_LIFE_WITHIN
from baileys_tools.bots.rules.log_events import LogEvent, LogFacts, summed
from baileys_tools.bots.rules.log_report import LogFileRead, joined_facts, known_gaps, longest_quiet
from baileys_tools.state.database import State
from baileys_tools.units import moment_of

if TYPE_CHECKING:
    from baileys_tools.bots.bot_log.reading import LogPass
    from baileys_tools.config import Settings

MEMORY = "bot-logs"
"""The key of the memory: {"files": {path: ...}, "gaps": {day: seconds}, "over": seconds}."""

DAY = timedelta(hours=24)


class CompanyLogs(NamedTuple):
    """What a pass over a company's logs found: the facts for a diagnosis, and how each file was read."""

    facts: LogFacts
    files: tuple[LogFileRead, ...]


def log_paths(settings: Settings, company: str) -> list[str]:
    """Return the paths of a company's logs, as the settings name them."""
    paths = (file.path_of(company) for file in settings.logs.files)
    return list(dict.fromkeys(path for path in paths if path is not None))


def companies_with_logs(settings: Settings) -> list[str]:
    """Return the companies that the settings name a log of; those of `{company}` are not among them."""
    return list(dict.fromkeys(file.company for file in settings.logs.files if file.company))


def read_company_logs(
    state: State,
    settings: Settings,
    company: str,
    now: datetime,
    *,
    reset: datetime | None = None,
    connection: str = "",
) -> CompanyLogs:
    """Read what is new in a company's logs, keep the counts in the state, and return what is known now.

    What the log said before `reset`, when the folder was last reset, was of another session. `connection` is what
    the bot's API says: where that is connected and the log shows errors alone, they are over. Both are remembered.

    A log that cannot be read is told of in `files` and stops nothing. Two passes at once count each line once.
    """
    paths = log_paths(settings, company)
    if not paths:
        return CompanyLogs(LogFacts(), ())
    from baileys_tools.bots.bot_log.reading import LogMemory, read_log
    from baileys_tools.bots.log_hours import hours_since
    from baileys_tools.sessions.faults import say_why
    from baileys_tools.state.memory import recall

    before = _documents(recall(state, MEMORY, company))
    passes: dict[str, LogPass] = {}
    files = []
    for path in paths:
        try:
            passes[path] = read_log(path, LogMemory.from_json(before.get(path)), now)
            files.append(LogFileRead(path, passes[path].size))
        except OSError as error:
            files.append(LogFileRead(path, 0, say_why(error)))
    document = _keep(state, company, before, passes, reset, now)
    memories = [LogMemory.from_json(document["files"].get(path)) for path in paths]
    facts = joined_facts(
        [
            (_moment(one.opened), {event: _time(at) for event, at in one.since_opened.items()})
            for one in memories
        ],
        last_line=max(filter(None, (_moment(one.wrote) for one in memories)), default=None),
        recent=summed(hours_since(state, company, now - DAY)),
        lately=summed(hours_since(state, company, now - timedelta(hours=1))),
        quiet=longest_quiet(document["gaps"], now),
        read=bool(passes),
    )
    if over := _moment(document["over"]):
        facts = facts.after(over)
    if connection == "connected" and not facts.shows_connections:
        # The API's word may be a moment old, and an error that came after it is no old one.
        before_long = now - SHOWS_LIFE_WITHIN
        if any(at <= before_long for at in facts.since_opened.values()):
            facts = facts.after(before_long)
            _keep(state, company, {}, {}, before_long, now)
    return CompanyLogs(facts, tuple(files))


def _keep(
    state: State,
    company: str,
    before: dict[str, Any],
    passes: dict[str, LogPass],
    over: datetime | None,
    now: datetime,
) -> dict[str, Any]:
    """Keep what the passes found, in one step with how far they went; return what is remembered after that.

    What was up to `over` is over for good.
    """
    from baileys_tools.bots.log_hours import add_hours
    from baileys_tools.state.memory import keep, recall

    with state.transaction():
        stored = recall(state, MEMORY, company)
        files, gaps = _documents(stored), _gaps(stored)
        for path, done in passes.items():
            # Another pass may have been quicker: then its counts are in, and this one's are the same.
            if _position(files.get(path)) != _position(before.get(path)):
                continue
            add_hours(state, company, done.hours)
            known_gaps(gaps, _moment(_wrote(files.get(path))), _moment(done.memory.wrote), now)
            files[path] = done.memory.to_json()
        ended = max(filter(None, (_over(stored), over.timestamp() if over else None)), default=None)
        document = {"files": files, "gaps": gaps, "over": ended}
        keep(state, MEMORY, document, company)
    return document


def _documents(stored: Any) -> dict[str, Any]:
    files = stored.get("files") if isinstance(stored, dict) else None
    return dict(files) if isinstance(files, dict) else {}


def _gaps(stored: Any) -> dict[str, float]:
    gaps = stored.get("gaps") if isinstance(stored, dict) else None
    pairs: Iterable[tuple[str, Any]] = gaps.items() if isinstance(gaps, dict) else ()
    return {day: float(seconds) for day, seconds in pairs if isinstance(seconds, int | float)}


def _over(stored: Any) -> float | None:
    found = stored.get("over") if isinstance(stored, dict) else None
    return float(found) if isinstance(found, int | float) else None


def _position(document: Any) -> Any:
    return document.get("position") if isinstance(document, dict) else None


def _wrote(document: Any) -> float | None:
    found = document.get("wrote") if isinstance(document, dict) else None
    return float(found) if isinstance(found, int | float) else None


def _time(seconds: float) -> datetime:
    return moment_of(int(seconds * 1_000_000_000))


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else _time(seconds)


__all__ = [
    "CompanyLogs",
    "LogEvent",
    "companies_with_logs",
    "log_paths",
    "read_company_logs",
]
