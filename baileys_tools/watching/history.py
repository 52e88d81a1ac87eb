"""What each look at a bot adds to its history: connected time, incidents, and what its log says."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from baileys_tools.bots.rules.diagnosis import BotFacts, diagnose
from baileys_tools.bots.rules.log_events import LogEvent, LogFacts
from baileys_tools.config import Settings
from baileys_tools.findings import Finding
from baileys_tools.frame.fleet import for_each
from baileys_tools.sessions.roots import Root
from baileys_tools.sessions.rules.creds import CredsState
from baileys_tools.state.database import State
from baileys_tools.watching import kept_incidents
from baileys_tools.watching import kept_links as links
from baileys_tools.watching.rules.health import unreadable_folder
from baileys_tools.watching.rules.incidents import (
    LONG,
    Episode,
    Link,
    Service,
    in_trouble,
    link_of,
    service,
    spells_between,
)
from baileys_tools.watching.rules.watch import CompanyWatch, MonitorReport


class PastLook(NamedTuple):
    """How one bot was at one moment: what the API said ("" when not asked), and how creds are.

    `running` is whether its process runs, `waits` that it has not been linked yet, or not since a reset.
    """

    company: str
    connection: str
    creds: CredsState
    running: bool | None = None
    waits: bool = False


def note_look(state: State, look: PastLook, log: LogFacts, now: datetime) -> None:
    """Add a look to a bot's history; open an incident when it is in trouble, close it when it is well again."""
    # Who waits for somebody to scan a first code is neither up nor down.
    link = Link.UNKNOWN if look.waits else link_of(look.connection, log, look.running)
    with state.transaction():
        before = links.last_look(state, look.company)
        passed = spells_between(*before, now) if before is not None and before[0] <= now else ()
        links.add_look(state, look.company, link, passed, now)
        alone = not look.connection and not log.shows_connections
        trouble = None if look.waits else in_trouble(link, look.creds, look.running, alone=alone)
        if trouble:
            _in_incident(state, look, log, now)
        elif trouble is False:
            what = "runs" if alone else "is connected"
            _over(state, look.company, f"the bot {what} and its creds are whole", now)


def _in_incident(state: State, look: PastLook, log: LogFacts, now: datetime) -> None:
    facts = BotFacts(
        connection=look.connection or "unknown",
        unanswered="it was asked, and did not say" if look.connection == "unknown" else "",
        creds=look.creds,
        was_linked=True,
        running=look.running,
        log=log,
    )
    found = diagnose(facts, now)
    incident = kept_incidents.open_incident(state, look.company, found.cause.value, now)
    told = [entry.detail for entry in kept_incidents.entries(state, incident) if entry.what == "seen"]
    # Ages in the evidence change at every look; the cause is what makes a new line.
    if not told or not told[-1].startswith(f"{found.cause.value}:"):
        detail = f"{found.cause.value}: {'; '.join(found.evidence)}"
        kept_incidents.add_entry(state, incident, "seen", detail, now)


def _over(state: State, company: str, why: str, now: datetime) -> None:
    if (incident := kept_incidents.last_open(state, company)) is not None:
        kept_incidents.add_entry(state, incident, "over", why, now)
        kept_incidents.close_incident(state, incident, now)


def with_links(
    report: MonitorReport, settings: Settings, root: Root, state: State, now: datetime
) -> MonitorReport:
    """Given a pass over the folders, read the logs, add the looks to the history, return it with what logs say."""

    def with_link(one: CompanyWatch) -> CompanyWatch:
        log, findings = _log(settings, root, state, one, now)
        waits = any(finding.code == "not-linked-yet" for finding in one.findings)
        note_look(state, PastLook(one.id, one.connection, one.creds, one.running, waits), log, now)
        return one._replace(findings=[*one.findings, *findings]) if findings else one

    def failed(one: CompanyWatch, why: str) -> CompanyWatch:
        return one._replace(findings=[*one.findings, unreadable_folder(one.id, why)])

    return report._replace(companies=for_each(report.companies, with_link, failed, workers=1))


def _log(
    settings: Settings, root: Root, state: State, one: CompanyWatch, now: datetime
) -> tuple[LogFacts, Sequence[Finding]]:
    if not settings.logs.files:
        return LogFacts(), ()
    from baileys_tools.bots.bot_logs import DAY, log_limits, read_company_logs
    from baileys_tools.bots.folder_life import folder_life
    from baileys_tools.bots.log_hours import hours_since
    from baileys_tools.bots.rules.log_report import log_findings
    from baileys_tools.sessions.interrupted import last_reset_of

    company = root.company_at(one.id, one.path)
    logs = read_company_logs(
        state,
        settings,
        one.id,
        now,
        reset=last_reset_of(root, company),
        connection=one.connection,
        life=lambda: folder_life(root, company, now),
    )
    limits = log_limits(settings)
    day = hours_since(state, one.id, now - DAY)
    return logs.facts, log_findings(one.id, logs.facts, logs.files, day, limits, now, one.connection)


def service_of(state: State, company: str, now: datetime, window: timedelta = LONG) -> Service:
    """Return how well a bot served in the last days: what status, metrics and reports show."""
    episodes = [
        Episode(one.opened, one.closed) for one in kept_incidents.incidents(state, company, limit=10_000)
    ]
    return service(
        links.spells(state, company), episodes, reconnects(state, company, now, window), now, window
    )


def reconnects(state: State, company: str, now: datetime, window: timedelta) -> dict[str, int]:
    """Return the reconnects of each day since the first one of which the log is known, today included."""
    from baileys_tools.bots.log_hours import hours_since

    hours = hours_since(state, company, now - window)
    if not hours:
        return {}
    days: dict[str, int] = {}
    day = hours[0].hour
    while day.date() <= now.date():
        days[f"{day:%Y-%m-%d}"] = 0
        day += timedelta(days=1)
    for one in hours:
        sign = {LogEvent.OPENED: 1, LogEvent.PAIRED: -1}.get(one.event, 0)
        key = f"{one.hour:%Y-%m-%d}"
        days[key] = days.get(key, 0) + sign * one.number
    return {day: max(0, count) for day, count in days.items()}
