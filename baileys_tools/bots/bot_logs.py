"""One pass over the logs of a company: what is new is counted into the state, and what is known then is returned."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from baileys_tools.bots.rules.log_events import (
    SHOWS_LIFE_WITHIN,
    LogEvent,
    LogFacts,
    summed,
)
from baileys_tools.bots.rules.log_report import (
    LEAST_NAMELESS,
    LogFileRead,
    LogLimits,
    joined_facts,
    longest_quiet,
    without_other_programs,
)
from baileys_tools.sessions.rules.prekeys import ServerPreKeys
from baileys_tools.state.database import State
from baileys_tools.units import moment_of

if TYPE_CHECKING:
    from baileys_tools.bots.bot_log.reading import LogMemory, LogPass
    from baileys_tools.bots.folder_life import FolderLife
    from baileys_tools.bots.log_memory import Document
    from baileys_tools.config import Settings
    from baileys_tools.config.log_kinds import LogFile
    from baileys_tools.sessions.roots import Company, Root

DAY = timedelta(hours=24)

WRITES_ON = timedelta(minutes=15)
"""A key that a message changed so long after a removal is of a login that lives."""

_A_SECOND = timedelta(seconds=1)
_FINAL = (LogEvent.DEVICE_REMOVED, LogEvent.LOGGED_OUT, LogEvent.FORBIDDEN)
"""What is said of a login, and of no later one."""


class CompanyLogs(NamedTuple):
    """What a pass over a company's logs found: the facts for a diagnosis, and how each file was read."""

    facts: LogFacts
    files: tuple[LogFileRead, ...]


def logs_of(settings: Settings, company: str) -> list[LogFile]:
    """Return the logs of a company, each with its own path or name."""
    found: dict[str, LogFile] = {}
    for file in settings.logs.files:
        path = file.path_of(company)
        if path is not None:
            own = file._replace(path=path)
            found.setdefault(own.label, own)
    return list(found.values())


def log_limits(settings: Settings) -> LogLimits:
    """Return from where on counts are findings."""
    logs = settings.logs
    return LogLimits(logs.reconnects_per_day, logs.session_bursts, logs.unreadable_per_hour)


def companies_with_logs(settings: Settings) -> list[str]:
    """Return the companies that the settings name a log of; those of `{company}` are not among them."""
    return list(dict.fromkeys(file.company for file in settings.logs.files if file.company))


def read_logs_beside(
    state: State, settings: Settings, root: Root, company: Company, now: datetime, connection: str
) -> CompanyLogs:
    """As `read_company_logs`, with what the company's folder says of resets and of a removal."""
    from baileys_tools.bots.folder_life import folder_life
    from baileys_tools.sessions.interrupted import last_reset_of

    return read_company_logs(
        state,
        settings,
        company.id,
        now,
        reset=last_reset_of(root, company),
        connection=connection,
        life=lambda: folder_life(root, company, now),
    )


def read_company_logs(
    state: State,
    settings: Settings,
    company: str,
    now: datetime,
    *,
    reset: datetime | None = None,
    connection: str = "",
    life: Callable[[], FolderLife] | None = None,
) -> CompanyLogs:
    """Read what is new in a company's logs, keep the counts in the state, and return what is known now.

    What the log said before `reset`, when the folder was last reset, was of another session. `connection` is what
    the bot's API says: where that is connected and the log shows errors alone, they are over. Both are remembered.
    `life` looks at the folder, and is asked where the log tells of a removal.

    A log that cannot be read is told of in `files` and stops nothing. Two passes at once count each line once.
    """
    logs = logs_of(settings, company)
    if not logs:
        return CompanyLogs(LogFacts(), ())
    from baileys_tools.bots.bot_log.reading import LogMemory
    from baileys_tools.bots.log_hours import hours_since
    from baileys_tools.bots.log_memory import keep_passes, remembered

    before = remembered(state, company)
    passes, files = _passes(state, logs, company, before, now)
    document = keep_passes(state, company, before, passes, now, over=reset)
    named = dict.fromkeys([*(file.label for file in logs), *passes])
    memories = [LogMemory.from_json(document.files.get(label)) for label in named]
    facts = _facts(
        memories,
        recent=summed(hours_since(state, company, now - DAY)),
        lately=summed(hours_since(state, company, now - timedelta(hours=1))),
        quiet=longest_quiet(document.gaps, now),
        read=bool(passes),
    )
    if over := _moment(document.over):
        facts = facts.after(over)
    facts = facts.outlived()
    if life is not None and (over := _over_by_folder(state, company, document, facts, life, now)):
        facts = facts.after(over)
    if connection == "connected" and not facts.shows_connections:
        # The API's word may be a moment old, and an error that came after it is no old one.
        before_long = now - SHOWS_LIFE_WITHIN
        if any(at <= before_long for at in facts.since_opened.values()):
            facts = facts.after(before_long)
            keep_passes(state, company, before, {}, now, over=before_long)
    return CompanyLogs(facts, tuple(files))


def why_unread(error: OSError) -> str:
    """Return why a log could not be read. It stands in no session folder: one that is not there has not vanished."""
    from baileys_tools.sessions.faults import say_why

    return "no such file" if isinstance(error, FileNotFoundError) else say_why(error)


def _passes(
    state: State, logs: Sequence[LogFile], company: str, before: Document, now: datetime
) -> tuple[dict[str, LogPass], list[LogFileRead]]:
    from baileys_tools.bots.bot_log.reading import LogMemory
    from baileys_tools.bots.bot_log.tally import digest_of
    from baileys_tools.bots.log_memory import read_shared
    from baileys_tools.bots.log_sources import read_source, sources_of

    passes: dict[str, LogPass] = {}
    files = []
    for file in logs:
        try:
            sources = sources_of(file, now)
        except OSError as error:
            files.append(LogFileRead(file.label, 0, why_unread(error)))
            continue
        for source in sources:
            memory = LogMemory.from_json(before.files.get(source.label))
            try:
                if source.is_shared:
                    done, trouble = read_shared(state, source, company, memory, now)
                else:
                    done, trouble = read_source(source, memory, now, company=company)
            except OSError as error:
                files.append(LogFileRead(source.label, 0, why_unread(error)))
                continue
            passes[source.label] = done
            names = done.memory.names
            understood = done.memory.understood
            nobody = done.is_shared and not names and understood.lines >= LEAST_NAMELESS
            of_others = nobody or (done.is_shared and bool(names) and digest_of(company) not in names)
            files.append(
                LogFileRead(source.label, done.size, trouble, understood, of_others, source.is_shared, nobody)
            )
    return passes, without_other_programs(files)


def _facts(
    memories: Sequence[LogMemory],
    *,
    recent: Mapping[LogEvent, int],
    lately: Mapping[LogEvent, int],
    quiet: timedelta | None,
    read: bool,
) -> LogFacts:
    facts = joined_facts(
        [
            (_moment(one.opened), {event: _time(at) for event, at in one.since_opened.items()})
            for one in memories
        ],
        last_line=max(filter(None, (_moment(one.wrote) for one in memories)), default=None),
        recent=recent,
        lately=lately,
        quiet=quiet,
        read=read,
    )
    undated: dict[LogEvent, int] = {}
    for one in memories:
        for event, number in one.undated.items():
            undated[event] = undated.get(event, 0) + number
    servers = [one.server for one in memories if one.server is not None]
    said = max(servers, key=lambda server: server[1], default=None)
    return facts._replace(
        unsure=frozenset(event for one in memories for event in one.unsure) & facts.since_opened.keys(),
        undated=undated,
        server_pre_keys=None if said is None else ServerPreKeys(said[0], _time(said[1])),
        life=_moment(max(filter(None, (one.life for one in memories)), default=None)),
    )


def _over_by_folder(
    state: State,
    company: str,
    document: Document,
    facts: LogFacts,
    life: Callable[[], FolderLife],
    now: datetime,
) -> datetime | None:
    """Return up to when what the log says is of another login, or is belied by the keys in the folder."""
    from baileys_tools.bots.bot_log.tally import digest_of
    from baileys_tools.bots.log_memory import keep_passes

    at = max((facts.since_opened[event] for event in _FINAL if event in facts.since_opened), default=None)
    if at is None:
        return None
    seen = life()
    login = digest_of(seen.login) if seen.login else ""
    accused = document.accused or {}
    if seen.newest_key is not None and seen.newest_key > at + WRITES_ON:
        over: datetime | None = at + _A_SECOND
    elif accused.get("at") == at.timestamp():
        over = at + _A_SECOND if login and accused.get("login") and login != accused["login"] else None
    else:
        over = None
        keep_passes(state, company, document, {}, now, accused={"at": at.timestamp(), "login": login})
    if over is not None:
        keep_passes(state, company, document, {}, now, over=over)
    return over


MOST_READ = 64 << 20
"""Bytes of a log that no pass has read yet, from its end, where only its newest login is asked for."""


def server_pre_keys(
    state: State | None, settings: Settings, company: str, now: datetime
) -> ServerPreKeys | None:
    """Return how many pre-keys the server said it had at the newest login that the company's logs tell of.

    What passes have read so far is in the state (None where there is none); what came since is read, and nothing is
    kept: the next pass counts it. A log of several companies is as the last pass left it. One that cannot be read tells
    nothing, as `doctor` and `logs` say.
    """
    logs = logs_of(settings, company)
    if not logs:
        return None
    from baileys_tools.bots.bot_log.reading import LogMemory
    from baileys_tools.bots.log_memory import Document, remembered
    from baileys_tools.bots.log_sources import read_source, sources_of

    files = (remembered(state, company) if state is not None else Document()).files
    said: list[tuple[int, float]] = []
    for file in logs:
        sources: Sequence[LogFile] = ()
        with suppress(OSError):
            sources = sources_of(file, now)
        for source in sources:
            memory = LogMemory.from_json(files.get(source.label))
            if not source.is_shared:
                with suppress(OSError):
                    memory = read_source(source, memory, now, company=company, most=MOST_READ)[0].memory
            if memory.server is not None:
                said.append(memory.server)
    if not said:
        return None
    number, at = max(said, key=lambda one: one[1])
    return ServerPreKeys(number, _time(at))


def _time(seconds: float) -> datetime:
    return moment_of(int(seconds * 1_000_000_000))


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else _time(seconds)
