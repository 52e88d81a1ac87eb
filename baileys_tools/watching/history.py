"""What each look at a bot adds to its history: connected time, incidents, and what its log says."""

from datetime import datetime, timedelta
from typing import NamedTuple

from baileys_tools.bots.rules.diagnosis import BotFacts, Cause, Diagnosis, diagnose
from baileys_tools.bots.rules.log_events import LogEvent, LogFacts
from baileys_tools.sessions.rules.creds import CredsState
from baileys_tools.state.database import State
from baileys_tools.watching import kept_incidents
from baileys_tools.watching import kept_links as links
from baileys_tools.watching.asked import BotAnswers
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
from baileys_tools.watching.rules.verdict import trouble_told
from baileys_tools.watching.rules.watch import MonitorReport


class PastLook(NamedTuple):
    """How one bot was at one moment: what the API said ("" when not asked), and how creds are.

    `running` is whether its process runs, `waits` that it has not been linked yet, or not since a reset. `told` is what
    a finding says of it that is away, "" where none does; `diagnosis` why it is, where somebody was asked.
    """

    company: str
    connection: str
    creds: CredsState
    running: bool | None = None
    waits: bool = False
    told: str = ""
    diagnosis: Diagnosis | None = None
    is_asked: bool = True
    """Whether anything but the folder could tell how it is."""


def note_pass(report: MonitorReport, asked: BotAnswers, state: State) -> None:
    """Add what a pass saw of each bot to its history, in one step: a commit a bot is felt where many are asked."""
    with state.transaction():
        for one in report.companies:
            is_asked = any(one.id in those for those in (asked.connections, asked.processes, asked.logs))
            told = trouble_told(one)
            if one.trouble or not (is_asked or told or kept_incidents.last_open(state, one.id) is not None):
                continue
            waits = any(finding.code == "not-linked-yet" for finding in one.findings)
            look = PastLook(
                one.id, one.connection, one.creds, one.running, waits, told, one.diagnosis, is_asked
            )
            note_look(state, look, asked.logs.get(one.id, LogFacts()), report.now)


def note_look(state: State, look: PastLook, log: LogFacts, now: datetime) -> None:
    """Add a look to a bot's history; open an incident when it is in trouble, close it when it is well again."""
    # Who waits for somebody to scan a first code is neither up nor down.
    link = Link.UNKNOWN if look.waits else link_of(look.connection, log, look.running)
    with state.transaction():
        before = links.last_look(state, look.company)
        passed = spells_between(*before, now) if before is not None and before[0] <= now else ()
        links.add_look(state, look.company, link, passed, now)
        alone = not look.connection and not log.shows_connections
        if look.waits:
            return
        trouble = in_trouble(
            link,
            look.creds,
            look.running,
            alone=alone,
            is_told=bool(look.told),
            nobody_knows=not look.is_asked,
        )
        if trouble:
            _in_incident(state, look, log, now)
        elif trouble is False:
            what = "is connected" if not alone else "runs" if look.running else "is there again"
            _over(state, look.company, f"the bot {what} and its creds are whole", now)


def _in_incident(state: State, look: PastLook, log: LogFacts, now: datetime) -> None:
    found = look.diagnosis
    if found is None or found.is_healthy:
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
        evidence = [look.told] if look.told and found.cause is Cause.UNKNOWN else found.evidence
        kept_incidents.add_entry(state, incident, "seen", f"{found.cause.value}: {'; '.join(evidence)}", now)


def _over(state: State, company: str, why: str, now: datetime) -> None:
    if (incident := kept_incidents.last_open(state, company)) is not None:
        kept_incidents.add_entry(state, incident, "over", why, now)
        kept_incidents.close_incident(state, incident, now)


def service_of(
    state: State, company: str, now: datetime, most_reconnects: int, window: timedelta = LONG
) -> Service:
    """Return how well a bot served in the last days: what status, metrics and reports show.

    `most_reconnects` a day is its goal.
    """
    episodes = [
        Episode(one.opened, one.closed) for one in kept_incidents.incidents(state, company, limit=10_000)
    ]
    by_day = reconnects(state, company, now, window)
    return service(links.spells(state, company), episodes, by_day, now, most_reconnects, window)


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
