"""What others than its folder say of a bot: its API, the manager of its process, its log. And what that means."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from baileys_tools.config import Settings
from baileys_tools.findings import Finding
from baileys_tools.frame.fleet import for_each
from baileys_tools.sessions.roots import Company, Root
from baileys_tools.sessions.rules.creds import CredsState
from baileys_tools.sessions.rules.looks import Look
from baileys_tools.sessions.rules.prekeys import ServerPreKeys
from baileys_tools.state.database import State
from baileys_tools.watching.rules.watch import Key

if TYPE_CHECKING:
    # Whoever watches once a minute pays for every import.
    from baileys_tools.bots.rules.connection import Connection
    from baileys_tools.bots.rules.diagnosis import Diagnosis
    from baileys_tools.bots.rules.log_events import LogFacts
    from baileys_tools.bots.rules.process import ProcessFacts
else:
    Connection = LogFacts = ProcessFacts = object


class BotAnswers(NamedTuple):
    """What others say of the companies. `unknown` are the (company, code) that nobody could answer for."""

    connections: Mapping[str, Connection] = {}
    processes: Mapping[str, ProcessFacts] = {}
    logs: Mapping[str, LogFacts] = {}
    findings: Mapping[str, Sequence[Finding]] = {}
    unknown: frozenset[Key] = frozenset()
    users: frozenset[str] = frozenset()
    """The companies whose folder was compared with the user of the bot's own process, so that no file has to tell."""

    @property
    def is_nothing(self) -> bool:
        """Whether there was nobody to ask."""
        return not (self.connections or self.processes or self.logs)

    def server_pre_keys(self, company: str) -> ServerPreKeys | None:
        """Return what the log of a company says of the server's pre-keys."""
        found = self.logs.get(company)
        return found.server_pre_keys if found is not None else None

    def running(self, company: str) -> bool | None:
        """Whether the process of a company runs; None where none is named, or its manager does not say."""
        found = self.processes.get(company)
        return found.running if found is not None else None


def ask(
    settings: Settings,
    root: Root,
    state: State,
    companies: Sequence[Company],
    now: datetime,
    *,
    remembers: bool,
) -> BotAnswers:
    """Ask the bots' API, look at their processes and read their logs, where any are configured.

    Without `remembers` the next look compares with an earlier one.
    """
    ids = [company.id for company in companies]
    connections: Mapping[str, Connection] = {}
    seen: Mapping[str, ProcessFacts] = {}
    findings: list[Finding] = []
    unknown: set[Key] = set()
    if settings.bot_api.url is not None or settings.companies:
        from baileys_tools.bots.asking import connections as ask_connections
        from baileys_tools.bots.rules.connection import ConnectionState, connection_findings

        connections = ask_connections(settings, ids)
        findings += connection_findings(connections)
        unknown |= {
            (company, code)
            for company, one in connections.items()
            if one.state in (ConnectionState.UNKNOWN, ConnectionState.CONNECTING)
            for code in ("connection-lost", "bot-away")
        }
    own = settings.process
    if own.pm2 is not None or own.systemd is not None or own.pidfile is not None or settings.companies:
        from baileys_tools.bots.asking import process_changes, processes

        seen = processes(settings, ids)
        findings += process_changes(state, settings, seen, keeps=remembers)
        unknown |= {
            (company, code)
            for company, facts in seen.items()
            if facts.running is None
            for code in ("process-down", "restart-burst")
        }
    running = {company: facts.pid for company, facts in seen.items() if facts.running and facts.pid}
    shut: Mapping[str, Finding | None] = {}
    if running:
        from baileys_tools.bots.process_user import what_bots_cannot_write

        shut = what_bots_cannot_write(root, companies, running)
        findings += [one for one in shut.values() if one is not None]
    logs, told = _read_logs(settings, root, state, companies, connections, now)
    findings += told
    by_company: dict[str, list[Finding]] = {}
    for finding in findings:
        by_company.setdefault(finding.company, []).append(finding)
    return BotAnswers(connections, seen, logs, by_company, frozenset(unknown), frozenset(shut))


def _read_logs(
    settings: Settings,
    root: Root,
    state: State,
    companies: Sequence[Company],
    connections: Mapping[str, Connection],
    now: datetime,
) -> tuple[dict[str, LogFacts], list[Finding]]:
    if not settings.logs.files:
        return {}, []
    from baileys_tools.bots.rules.log_events import LogFacts
    from baileys_tools.watching.rules.health import unreadable_folder

    def read(company: Company) -> tuple[LogFacts, list[Finding]]:
        connection = connections.get(company.id)
        said = connection.state.value if connection is not None else ""
        return _read_log(settings, root, state, company, said, now)

    def failed(company: Company, why: str) -> tuple[LogFacts, list[Finding]]:
        return LogFacts(), [unreadable_folder(company.id, why)]

    found = dict(
        zip((one.id for one in companies), for_each(companies, read, failed, workers=1), strict=True)
    )
    return {company: facts for company, (facts, _) in found.items()}, [
        finding for _, told in found.values() for finding in told
    ]


def _read_log(
    settings: Settings, root: Root, state: State, company: Company, connection: str, now: datetime
) -> tuple[LogFacts, list[Finding]]:
    from baileys_tools.bots.bot_logs import DAY, log_limits, read_logs_beside
    from baileys_tools.bots.log_hours import hours_since
    from baileys_tools.bots.rules.log_report import log_findings

    logs = read_logs_beside(state, settings, root, company, now, connection)
    limits = log_limits(settings.for_company(company.id))
    day = hours_since(state, company.id, now - DAY)
    return logs.facts, log_findings(company.id, logs.facts, logs.files, day, limits, now, connection)


def diagnosis_of(
    company: str, asked: BotAnswers, look: Look, *, is_lost: bool, now: datetime
) -> "Diagnosis | None":
    """Given what others say of a bot and what its folder shows, return how it is, and why; None where nobody was asked.

    `is_lost`: the folder held a login, and it is gone.
    """
    connection, process = asked.connections.get(company), asked.processes.get(company)
    log = asked.logs.get(company)
    if connection is None and process is None and log is None:
        return None
    from baileys_tools.bots.rules.connection import ConnectionState
    from baileys_tools.bots.rules.diagnosis import BotFacts, diagnose
    from baileys_tools.bots.rules.log_events import LogFacts

    is_unknown = connection is not None and connection.state is ConnectionState.UNKNOWN
    facts = BotFacts(
        connection=(connection.state if connection is not None else ConnectionState.UNKNOWN).value,
        has_qr=connection.has_qr if connection is not None else None,
        creds=look.creds,
        was_linked=look.was_linked or is_lost,
        running=process.running if process is not None else None,
        started=process.started if process is not None else None,
        log=log if log is not None else LogFacts(),
        unanswered=connection.detail if connection is not None and is_unknown else "",
    )
    return diagnose(facts, now)


def waits_for_a_code(look: Look) -> bool:
    """Whether no session was ever linked in a folder, or none since a reset: such a bot is not away."""
    return not look.was_linked and look.creds in (CredsState.MISSING, CredsState.UNPAIRED)
